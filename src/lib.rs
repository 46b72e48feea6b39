//! The engine of Doorward: everything a gateway for the Model Context Protocol does, without an
//! HTTP server and without HTML.
//!
//! One folder per duty (a *room*). Rooms import downward only; `server/tests/it/house.rs` holds
//! the table and fails on a stranger. `ARCHITECTURE.md` is the map.

pub mod apart;
pub mod audit;
pub mod chain;
pub mod changes;
pub mod clock;
pub mod connections;
pub mod egress;
pub mod engine;
pub mod explain;
pub mod fault;
pub mod identity;
pub mod insights;
pub mod issuer;
pub mod jobs;
pub mod joined;
pub mod mail;
pub mod mcp;
pub mod metrics;
pub mod model;
pub mod oauth;
pub mod orgs;
pub mod plan_changes;
pub mod policy;
pub mod presets;
pub mod providers;
pub mod proxy;
pub mod quota;
pub mod replicas;
pub mod secret;
pub mod signed;
pub mod sources;
pub mod store;
pub mod tunnel;
pub mod upstream;
pub mod vault;
pub mod warnings;
