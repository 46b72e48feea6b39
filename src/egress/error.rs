//! What can go wrong on the way out.

use std::{net::IpAddr, time::Duration};

use thiserror::Error;

use crate::{egress::AddressClass, fault::Fault};

/// Says why an outbound request failed. The texts name hosts and addresses, never a path, a query
/// or a credential.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EgressError {
    /// The address is not one that can be connected to.
    #[error("this address cannot be used: {reason}")]
    BadUrl {
        /// What is wrong with it.
        reason: String,
    },

    /// The host leads to an address that policy forbids.
    #[error(
        "`{host}` leads to {address}, {} ({}), which is not allowed; the operator may allow its range with \
         DOORWARD_EGRESS_ALLOW",
        class.article(),
        class.word()
    )]
    Refused {
        /// The host as given.
        host: String,
        /// The address it leads to.
        address: IpAddr,
        /// What kind of address that is.
        class: AddressClass,
    },

    /// The host has no address.
    #[error("`{host}` has no address: {detail}")]
    Resolve {
        /// The host as given.
        host: String,
        /// What the resolver said.
        detail: String,
    },

    /// No connection could be made.
    #[error("no connection to `{host}`: {detail}")]
    Connect {
        /// Host and port.
        host: String,
        /// What the system said.
        detail: String,
    },

    /// The TLS handshake failed.
    #[error("no secure connection to `{host}`: {detail}")]
    Tls {
        /// The host as given.
        host: String,
        /// What went wrong, in plain words.
        detail: String,
    },

    /// The way out does not lead to this place.
    #[error(
        "the tunnel does not lead to `{host}`; whoever manages the tunnel can add it to its destinations"
    )]
    NotListed {
        /// Host and port.
        host: String,
    },

    /// The way out could not be gone.
    #[error("the tunnel to `{host}` failed: {detail}")]
    Tunnel {
        /// Host and port.
        host: String,
        /// Which part of it failed and how, in words for whoever manages it.
        detail: String,
    },

    /// A step took too long.
    #[error("`{host}` did not {step} within {} s", after.as_secs_f64())]
    Timeout {
        /// The host as given.
        host: String,
        /// What it did not do.
        step: &'static str,
        /// How long it was given.
        after: Duration,
    },

    /// The answer redirects to where Doorward does not follow.
    #[error("`{host}` redirects to {target}: {reason}")]
    Redirect {
        /// The host that redirects.
        host: String,
        /// Where to: scheme, host and port.
        target: String,
        /// Why that is not followed.
        reason: &'static str,
    },

    /// The connection broke before the answer was complete.
    #[error("the connection broke before the answer was complete: {detail}")]
    Broken {
        /// What the connection said.
        detail: String,
    },

    /// The answer is larger than allowed.
    #[error("the answer is larger than {limit_bytes} bytes")]
    TooLarge {
        /// What is allowed.
        limit_bytes: usize,
    },
}

impl EgressError {
    /// The step of a host that was asked and is silent.
    pub const ANSWER: &'static str = "answer";

    /// Returns whose fault this is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::BadUrl { .. } => Fault::Caller,
            Self::Refused { .. } | Self::NotListed { .. } | Self::Redirect { .. } => Fault::Refused,
            Self::Resolve { .. }
            | Self::Connect { .. }
            | Self::Tls { .. }
            | Self::Tunnel { .. }
            | Self::Timeout { .. }
            | Self::Broken { .. }
            | Self::TooLarge { .. } => Fault::Upstream,
        }
    }

    /// Says whether no byte of the request can have reached the host.
    pub fn before_sending(&self) -> bool {
        match self {
            Self::BadUrl { .. }
            | Self::Refused { .. }
            | Self::Resolve { .. }
            | Self::Connect { .. }
            | Self::NotListed { .. }
            | Self::Tunnel { .. }
            | Self::Tls { .. } => true,
            Self::Timeout { step, .. } => *step != Self::ANSWER,
            Self::Redirect { .. } | Self::Broken { .. } | Self::TooLarge { .. } => false,
        }
    }
}
