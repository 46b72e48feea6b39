//! Signing in and out.

mod api;
mod page;

pub(crate) use api::SIGN_OUT;
pub(crate) use page::page;
