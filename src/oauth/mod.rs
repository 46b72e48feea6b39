//! The protocol of signing in at the issuer of a data source: OAuth 2.1 as MCP has it, from the side of
//! the client (MCP 2026-07-28, "Authorization").
//!
//! Four steps, a file each: [`discover`] finds out which issuer a source believes and where its
//! endpoints are (RFC 9728, RFC 8414, OpenID Connect Discovery), [`identify`] says who we are there
//! (given, by a document of ours, or registered: RFC 7591), [`Departure`] is the way of a person to the
//! issuer and back (PKCE, RFC 8707, RFC 9207), and [`exchange`] and [`renew`] get tokens.
//!
//! Everything goes through `egress`, with its checks of addresses. Never keeps anything, never knows
//! whose token it is, and never believes what an issuer says of another. A new way for us to be known
//! at an issuer is an arm in `client.rs`.

mod challenge;
mod client;
mod departure;
mod discover;
mod error;
mod fetch;
mod token;

pub use challenge::Challenge;
pub use client::{Client, ClientAuth, Known, OwnNames, identify};
pub use departure::{Arrival, Departure, depart};
pub use discover::{Issuer, discover, names_issuer};
pub use error::OauthError;
pub use token::{Tokens, exchange, renew, revoke};

type Result<T, E = OauthError> = std::result::Result<T, E>;
