//! The one list of routes.

pub mod assets;
