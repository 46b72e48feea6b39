//! Identifiers: one type per noun, all UUID version 7, so that they sort by time of creation.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type,
        )]
        #[sqlx(transparent)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// Makes a new identifier.
            #[expect(clippy::new_without_default, reason = "two calls give two values")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    )*};
}

ids! {
    /// Names an organisation, which is the tenant: the boundary no data crosses.
    TenantId;
    /// Names a person's account.
    UserId;
    /// Names a browser session (never its cookie, which is secret).
    BrowserSessionId;
    /// Names a login: what a provider says of whom.
    LoginId;
    /// Names a passkey.
    PasskeyId;
    /// Names an API key (never its secret half).
    ApiKeyId;
    /// Names what a person lets an MCP client do.
    GrantId;
    /// Names a data source.
    SourceId;
    /// Names a tunnel.
    TunnelId;
    /// Names a preset.
    PresetId;
    /// Names an entry of a preset's access list.
    AccessId;
    /// Names an invitation (never its link).
    InviteId;
    /// Names a run event.
    EventId;
    /// Names a connection: somebody's sign-in at a data source.
    ConnectionId;
    /// Names a sign-in at a data source that has been begun.
    SignInId;
    /// Names an analysis.
    AnalysisId;
}
