//! Three processes on one PostgreSQL and one Redis, behind nginx which asks them in turn.

mod asking;
mod calls;
mod hops;
mod load;
mod loss;
mod news;
mod oauth;
mod people;
mod scene;
mod stream;
mod tail;
mod upgrade;
mod watched;
