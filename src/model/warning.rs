//! Warnings: what will stop working unless somebody does something.

use uuid::Uuid;

use crate::{
    clock::Ms,
    model::{Handle, TenantId, UserId, words},
};

/// What will stop working, or has for the rest of the month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WarningKind {
    /// A sign-in at a source was refused for good.
    ConnectionBroken,
    /// The token of a sign-in ends and could not be renewed so far.
    ConnectionFailing,
    /// A sign-in ends that does not renew itself.
    ConnectionEnds,
    /// An API key ends.
    KeyEnds,
    /// A preset ends.
    PresetEnds,
    /// Four fifths of a month's calls are used.
    CallsNearlyUsed,
    /// All of a month's calls are used.
    CallsUsed,
    /// Four fifths of a month's analyses are used.
    AnalysesNearlyUsed,
    /// All of a month's analyses are used.
    AnalysesUsed,
}
words!(WarningKind {
    ConnectionBroken = "connection_broken",
    ConnectionFailing = "connection_failing",
    ConnectionEnds = "connection_ends",
    KeyEnds = "key_ends",
    PresetEnds = "preset_ends",
    CallsNearlyUsed = "calls_nearly_used",
    CallsUsed = "calls_used",
    AnalysesNearlyUsed = "analyses_nearly_used",
    AnalysesUsed = "analyses_used",
});

/// Something that will stop working, or has, that its owner can do something about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The organisation that owns it.
    pub tenant: TenantId,
    /// The handle of that.
    pub owner: Handle,
    /// What.
    pub kind: WarningKind,
    /// The connection, key or preset; the person or the team whose month it is.
    pub subject: Uuid,
    /// Which of its tokens, ends or months; another one is worth another warning.
    pub mark: i64,
    /// The name of the source, key or preset; the handle of the person or the team.
    pub name: String,
    /// When it ends; `None` = it has, or nobody knows.
    pub ends_at: Option<Ms>,
    /// What went wrong, or how much is used; empty if there is nothing to say.
    pub detail: String,
    /// Whose it is; `None` = the organisation's, so its admins'.
    pub user: Option<UserId>,
}

/// How warnings are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WarningChannel {
    /// By e-mail to whose it is.
    Mail,
    /// To the operator's webhook.
    Webhook,
}
words!(WarningChannel { Mail = "mail", Webhook = "webhook" });
