//! What a caller of the program sees.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod access;
mod analyses;
mod api;
mod apply;
mod assertions;
mod audit;
mod audited;
mod bad_addresses;
mod bad_edits;
mod bad_input;
mod browser;
mod call;
mod cluster;
mod config;
mod connect;
mod connections;
mod doctor;
mod events;
mod explain;
mod gallery;
mod history;
mod house;
mod http;
mod invitations;
mod kubeflow;
mod limits;
mod logins;
mod oauth;
mod oauth_attacks;
mod oauth_quirks;
mod oauth_stage;
mod prefix;
mod program;
mod provider;
mod readme;
mod running;
mod scripted;
mod second_factor;
mod settings;
mod settings_mail;
mod settings_processes;
mod sharing;
#[path = "../../../src/identity/tests/soft_passkey.rs"]
mod soft_passkey;
mod spark;
mod spark_server;
mod threats;
mod trouble;
mod trouble_postgres;
mod trouble_sqlite;
mod tunnels;
mod warnings;
mod world;
