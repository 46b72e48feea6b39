//! Calls that are made once: which they are, what is kept of them, and what repeats are told.

use bytes::Bytes;
use http::{HeaderName, HeaderValue};

use crate::{
    fault::Fault,
    mcp::{Message, Raw, edit, error::relay, headers, response},
    model::{Era, Outcome, SourceName, UserId},
    presets::Route,
    proxy::{Guest, Proxy, ledger::Ledger},
    quota::{Claim, Claimed, OnceKey, QuotaError},
};

/// The header by which callers tell a call that they may send again.
const KEY_HEADER: HeaderName = HeaderName::from_static("idempotency-key");
/// The member of `_meta` by which they do.
const KEY_MEMBER: &str = "org.doorward/idempotencyKey";
/// The member of a result's `_meta` that says that the call was not made again.
const REPLAYED_MEMBER: &str = "org.doorward/replayed";
/// The longest key, in bytes.
const KEY_BYTES_MAX: usize = 255;

/// What a caller is told in place of a call.
pub(super) enum Instead {
    /// The whole answer, and how it is written down.
    Answer(Bytes, Outcome),
    /// Why not, in words, and how it is written down.
    Refusal { text: String, outcome: Outcome, reason: String },
    /// The key is none.
    NoKey(&'static str),
}

/// A call that is to be made once.
pub(super) struct MadeOnce<'a> {
    route: &'a Route,
    /// Who calls.
    user: UserId,
    /// What the caller sent to tell it by; `None` = its arguments tell.
    key: Option<String>,
}

impl<'a> MadeOnce<'a> {
    /// Says whether a call is; `None` if it may be made as often as it is sent. Without a person nobody
    /// could be told from others, so that a key would open what others got.
    pub(super) fn of(
        guest: &Guest<'_>,
        message: &Message<'_>,
        route: &'a Route,
    ) -> Result<Option<Self>, Instead> {
        let Some(member) = guest.permit.caller().member() else { return Ok(None) };
        let key = sent_key(guest, message)?;
        let rules = &guest.table.preset.rules.retries;
        let is_marked = rules.tools.contains(&*route.exposed_name);
        let is_once = key.is_some() || is_marked || (rules.by_annotations && !route.is_harmless);
        Ok(is_once.then_some(Self { route, user: member.user, key }))
    }
}

impl Proxy {
    /// Claims a call that is to be made once.
    pub(super) async fn claim(
        &self,
        once: MadeOnce<'_>,
        guest: &Guest<'_>,
        id: Raw<'_>,
        era: Era,
        ledger: &Ledger,
    ) -> Result<Box<Claim>, Instead> {
        let MadeOnce { route, user, key: sent } = once;
        let key = OnceKey {
            tenant: guest.permit.tenant(),
            user,
            preset: guest.permit.preset(),
            tool: &route.exposed_name,
            key: sent.as_deref(),
            digest: ledger.digest(),
        };
        let claimed =
            self.0.once.claim(&key, self.call_timeout()).await.map_err(|error| not_claimed(&error))?;
        match claimed {
            Claimed::First(claim) => Ok(Box::new(claim)),
            Claimed::Replay(kept) => Err(replay(id, era, kept.as_deref(), &route.source_name)),
            Claimed::Lost => Err(refusal(
                format!(
                    "This call was sent to the data source `{}` before, and what came of it is not known: it may \
                     have been carried out or not. It was not sent again. Look there, and if it is to be sent \
                     once more, send it with another idempotency key.",
                    route.source_name
                ),
                "ambiguous: what came of the first call is not known",
            )),
            Claimed::Running => Err(refusal(
                "The same call still runs. It was not sent again; ask for its answer later by sending it with \
                 the same key."
                    .to_owned(),
                "the same call still runs",
            )),
            Claimed::OtherArguments => Err(Instead::Refusal {
                text: "This idempotency key was sent with other arguments before. Every call needs a key of its \
                       own."
                    .to_owned(),
                outcome: Outcome::Caller,
                reason: "the idempotency key was used with other arguments".to_owned(),
            }),
            Claimed::Full => Err(refusal(
                "Too many calls that are made once run at this moment. Try again later.".to_owned(),
                "too many calls that are made once",
            )),
        }
    }
}

fn refusal(text: String, reason: &str) -> Instead {
    Instead::Refusal { text, outcome: Outcome::Refused, reason: reason.to_owned() }
}

fn not_claimed(error: &QuotaError) -> Instead {
    if error.fault() == Fault::Gateway {
        tracing::error!(error = error as &dyn std::error::Error, "a call that is made once was not claimed");
    }
    Instead::Refusal {
        text:
            "Whether this call was made before cannot be looked up at this moment, so it was not made. Try \
               again later."
                .to_owned(),
        outcome: Outcome::Gateway,
        reason: error.to_string(),
    }
}

/// Returns the key that the caller sent, in the header or in `_meta`.
fn sent_key(guest: &Guest<'_>, message: &Message<'_>) -> Result<Option<String>, Instead> {
    let wrong = Instead::NoKey("an idempotency key is a text of 1 to 255 bytes, sent once");
    let Ok(header) = headers::single(guest.request.headers, &KEY_HEADER) else { return Err(wrong) };
    let in_header = header.map(HeaderValue::to_str).transpose();
    let in_meta = message.meta().and_then(|meta| meta.raw.member(KEY_MEMBER));
    let key = match (in_header, in_meta) {
        (Ok(None), None) => return Ok(None),
        // The draft of the header has it in quotes, which most clients leave out.
        (Ok(Some(text)), None) => Some(text.trim_matches('"').to_owned()),
        (Ok(None), Some(raw)) => raw.as_str().map(|text| text.into_owned()),
        (Ok(Some(_)), Some(_)) | (Err(_), _) => None,
    };
    match key {
        Some(key) if (1..=KEY_BYTES_MAX).contains(&key.len()) => Ok(Some(key)),
        Some(_) | None => Err(wrong),
    }
}

/// Returns what is kept of an answer: the era it was written for, and its result or error.
pub(super) fn kept(era: Era, message: &[u8]) -> Vec<u8> {
    let message = Raw::checked(std::str::from_utf8(message).unwrap_or("{}"));
    let (kind, body) = match (message.member("result"), message.member("error")) {
        (Some(result), _) => ("result", result),
        (None, Some(error)) => ("error", error),
        (None, None) => ("result", Raw::NULL),
    };
    format!("{} {kind}\n{}", era.word(), body.get()).into_bytes()
}

/// Returns the answer to a repeat: what came of the first call, marked as that.
fn replay(id: Raw<'_>, era: Era, kept: Option<&[u8]>, source: &SourceName) -> Instead {
    let parts = kept.and_then(|kept| std::str::from_utf8(kept).ok()).and_then(|kept| kept.split_once('\n'));
    let Some((head, body)) = parts else {
        return refusal(
            format!(
                "This call was made before, and the data source `{source}` answered it, but the answer was too \
                 large to be kept. It was not made again."
            ),
            "a replay of an answer that was not kept",
        );
    };
    let Some(body) = Raw::parse(body).ok().filter(|_| head.split(' ').next() == Some(era.word())) else {
        return refusal(
            "This call was made and answered before, by a client of another era of the protocol. It was not \
             made again."
                .to_owned(),
            "a replay across the eras",
        );
    };
    if head.ends_with("error") {
        return Instead::Answer(relay(id, body), Outcome::ToolError);
    }
    let meta = match body.member("_meta").filter(|meta| meta.is_object()) {
        Some(meta) => edit::set_member(meta, REPLAYED_MEMBER, "true"),
        None => format!(r#"{{"{REPLAYED_MEMBER}":true}}"#),
    };
    let is_error = body.member("isError").is_some_and(|is_error| is_error.get() == "true");
    let result = edit::set_member(body, "_meta", &meta);
    let outcome = if is_error { Outcome::ToolError } else { Outcome::Ok };
    Instead::Answer(response(id, result.as_bytes()), outcome)
}
