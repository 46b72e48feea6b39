//! What a caller of the program sees.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod access;
mod api;
mod apply;
mod bad_input;
mod call;
mod config;
mod connect;
mod events;
mod house;
mod http;
mod program;
mod running;
mod scripted;
mod trouble;
mod trouble_postgres;
mod world;
