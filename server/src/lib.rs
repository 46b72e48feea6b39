//! The program: settings, command line, routes and layers around the engine.
//!
//! Never decides who may do what and never speaks MCP: those are rooms of the engine. All routes
//! are listed in `routes/mod.rs`, all layers in order in `layers.rs`, all settings in
//! `config/mod.rs`, all commands in `cli/mod.rs`.

pub mod apply;
pub mod cli;
pub mod config;
pub mod connect;
pub mod door;
pub mod isolation;
pub mod layers;
pub mod logging;
pub mod prefix;
pub mod reach;
pub mod respond;
pub mod routes;
pub mod serve;
pub mod state;
pub mod take;
