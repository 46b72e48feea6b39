//! The nouns: what a person, a key, a source, a tool, a preset, a plan and an event are.
//!
//! Never reads or writes anything, and knows no other room but `clock` and `secret`. A new noun is
//! a file of its own here, a table in `migrations/`, and a file in `store`.

mod access;
mod analysis;
mod certificates;
mod connection;
mod event;
mod grant;
mod id;
mod invite;
mod key;
mod login;
mod name;
mod offer;
mod org;
mod passkey;
mod plan;
mod plan_change;
mod preset;
mod principal;
mod rate;
mod replica;
mod rules;
#[cfg(test)]
pub(crate) mod samples;
mod source;
mod tool;
mod transfer;
mod tunnel;
mod user;
mod version;
mod warning;
mod whence;

pub use access::{Access, AccessEntry, AccessLevel, Grantee};
pub use analysis::{
    Analysis, AnalysisReport, AnalysisState, AnalysisStep, Fact, Finding, LoadPoint, Missing,
    ReportedApplication, ReportedExecutor, ReportedQuery, ReportedStage, Severity, StepState, Tally, Totals,
};
pub use certificates::{CaCertificates, CertificateFacts, CertificateMistake};
pub use connection::{Connection, ConnectionState, OauthClient, RunsAs};
pub use event::{Action, Outcome, RunEvent, TraceContext};
pub use grant::{Grant, GrantedTool, GrantedTools, Scopes};
pub use id::{
    AccessId, AnalysisId, ApiKeyId, BrowserSessionId, ConnectionId, EventId, GrantId, InviteId, LoginId,
    PasskeyId, PresetId, SignInId, SourceId, TenantId, TunnelId, UserId,
};
pub use invite::{Invite, Invited, Invitee, check_invite_age, invitation_link};
pub use key::{ApiKey, KeyScope};
pub use login::{Login, PendingLogin};
pub use name::{Email, Handle, NameError, PlanName, Slug, SourceName, TunnelName};
pub use offer::{ResourceKind, SourceOffer, SourceResource};
pub use org::{Membership, OrgInvite, OrgMember, OrgRole, Organisation};
pub use passkey::Passkey;
pub use plan::{Payer, Plan};
pub use plan_change::{PlanChange, PlanChangeState};
pub use preset::{Preset, PresetStatus, PresetTool, Selection, Take, Visibility};
pub use principal::{Member, Principal, Via};
pub use rate::{Rate, RateError};
pub use replica::{Replica, ReplicaNumber};
pub use rules::{CallRules, RetryRules, RulesError};
pub use source::{
    Auth, Credential, Era, EraSetting, EraVerdict, Health, HealthState, Reach, Source, SourceKind,
    SourceTransport,
};
pub use tool::{SourcePrompt, SourceTool, ToolHash, ToolState};
pub use transfer::Transfer;
pub use tunnel::{DESTINATIONS_MAX, Destination, Fingerprint, HOPS_MAX, Hop, HopAuthKind, Tunnel, is_host};
pub use user::{BrowserSession, InstanceRole, User};
pub use version::{ChangeKind, PresetState, PresetTake, PresetVersion, VersionChange};
pub use warning::{Warning, WarningChannel, WarningKind};
pub use whence::Whence;

/// Writes and reads an enum without fields as one lower-case word, in Rust, JSON and SQL alike.
macro_rules! words {
    ($name:ident { $($variant:ident = $word:literal),* $(,)? }) => {
        impl $name {
            /// Every variant, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Returns the word it is stored and shown as.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            /// Reads the word; `None` if it is not one of this list.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)* _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.word())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.word())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                Self::from_word(&word).ok_or_else(|| {
                    serde::de::Error::unknown_variant(&word, &[$($word),*])
                })
            }
        }
    };
}
pub(crate) use words;
