//! What callers see, with a whole engine behind and scripted sources behind that.

mod admission;
mod calls;
mod door;
mod script;
mod streams;
