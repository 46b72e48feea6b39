//! What callers see, with a whole engine behind and scripted sources behind that.

mod admission;
mod asking;
mod calls;
mod door;
mod limits;
mod listening;
mod once;
mod questions;
mod questions_legacy;
mod resources;
mod script;
mod sessions;
mod stock;
mod streams;
mod tasks;
