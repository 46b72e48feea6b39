//! What callers are told when a call fails on its way, in words a model can read and a person can
//! act on. Never more about a source than its name: addresses and details are its owner's.

use bytes::Bytes;

use crate::{
    mcp::{ErrorObject, Method, Raw, Revision, codes, response, translate, write},
    model::{Payer, SourceName},
    quota::{QuotaError, TooFast},
    sources::SourceError,
    upstream::UpstreamError,
};

/// The longest part of a name without a thing that is quoted back, in bytes.
const SHOWN_BYTES_MAX: usize = 128;

/// Returns a name that a caller made up as it is quoted back: without what could be taken for
/// something else, and no longer than names are.
pub(super) fn shown(name: &str) -> String {
    let end = name.floor_char_boundary(SHOWN_BYTES_MAX);
    let dots = if end < name.len() { "…" } else { "" };
    format!("{}{dots}", name[..end].escape_debug())
}

/// Returns the address of a page that a source wants visited, as it is quoted.
pub(super) fn shown_page(page: &str) -> String {
    /// Longer than any address that a person would follow.
    const PAGE_BYTES_MAX: usize = 2000;
    let end = page.floor_char_boundary(PAGE_BYTES_MAX);
    page[..end].chars().filter(|character| !character.is_control()).collect()
}

/// Returns the whole answer to a request that failed on its way. A tool's failure is told as its
/// result, so that a model can read it.
pub(super) fn failure(method: Method, revision: Revision, id: Raw<'_>, text: &str) -> Bytes {
    match method {
        Method::ToolsCall => response(id, &translate::error_result(revision, text)),
        _ => ErrorObject::new(codes::INTERNAL, text.to_owned()).render(Some(id)),
    }
}

/// Says why a source did not answer.
pub(super) fn upstream(source: &SourceName, error: &UpstreamError) -> String {
    let what = match error {
        UpstreamError::Unreachable { .. } => "cannot be reached".to_owned(),
        UpstreamError::Refused(_) => "is at an address this gateway does not connect to".to_owned(),
        UpstreamError::Credential { .. } => {
            return format!(
                "The data source `{source}` does not accept the credential this gateway has for it. Its owner \
                 must renew the credential on the data source's page in Doorward; your own API key is fine."
            );
        }
        UpstreamError::NotMcp { .. } => "does not answer as an MCP server".to_owned(),
        UpstreamError::Timeout { after } => format!("did not answer within {} seconds", after.as_secs()),
        UpstreamError::Died { .. } => "went away in the middle of the call".to_owned(),
        UpstreamError::TooLarge { limit_bytes } => {
            format!("answered with more than the {limit_bytes} bytes this gateway passes on")
        }
        UpstreamError::Protocol { .. } => "broke the protocol".to_owned(),
        UpstreamError::Busy { .. } => "has too much to do at this moment; try again later".to_owned(),
    };
    format!("The data source `{source}` {what}. Other tools are not affected.")
}

/// Says that a source has to be signed in to, by whom, and where, as far as the caller can.
pub(super) fn sign_in(source: &SourceName, of_caller: bool, page: Option<&str>) -> String {
    match (page, of_caller) {
        (Some(page), true) => format!(
            "The data source `{source}` runs with your own account there, and you have to sign in to it first: \
             open {page} in a browser, then make the call again."
        ),
        (Some(page), false) => format!(
            "The data source `{source}` has to be signed in to again: open {page} in a browser, then make the \
             call again."
        ),
        (None, true) => format!(
            "The data source `{source}` runs with the caller's own account there, so this gateway has to know who \
             calls. Call it with an API key of your own."
        ),
        (None, false) => format!(
            "The data source `{source}` has to be signed in to again. Its owner can do so on the page of \
             connections in Doorward; your own API key is fine."
        ),
    }
}

/// Says why there is no link to a source.
pub(super) fn source(name: &SourceName, error: &SourceError) -> String {
    match error {
        SourceError::Upstream(error) => upstream(name, error),
        SourceError::Disabled { .. } => format!("The data source `{name}` is switched off by its owner."),
        SourceError::SignIn { signed_in, .. } => sign_in(name, signed_in.of_caller, None),
        SourceError::NotFound => format!("The data source `{name}` is not connected any more."),
        SourceError::Vault { .. } | SourceError::Credential { .. } => format!(
            "The credential of the data source `{name}` cannot be used. Its owner must enter it again on the \
             data source's page in Doorward."
        ),
        SourceError::Denied(_)
        | SourceError::Connection(_)
        | SourceError::Invalid { .. }
        | SourceError::NameTaken { .. }
        | SourceError::Limit { .. }
        | SourceError::Stale { .. }
        | SourceError::Tunnel(_)
        | SourceError::Store(_) => {
            format!(
                "The data source `{name}` cannot be used at this moment; the gateway has the reason in its log."
            )
        }
    }
}

/// Says why a call was not charged, and so not made.
pub(super) fn quota(error: &QuotaError) -> String {
    match error {
        QuotaError::Exhausted { payer: Payer::Person(_), limit, resets_at } => format!(
            "The quota of {limit} tool calls per month is used up. It is reset at {resets_at}; the plan can be \
             changed by the administrator of this gateway."
        ),
        QuotaError::Exhausted { payer: Payer::Team(_), limit, resets_at } => format!(
            "The quota of {limit} tool calls per month of the organisation whose preset this is, is used up. It is \
             reset at {resets_at}; the organisation's plan can be changed by the administrator of this gateway."
        ),
        QuotaError::TooFast(too_fast) => slower(too_fast),
        QuotaError::NobodyToCharge { .. } => {
            "The account this call would be charged to is switched off.".to_owned()
        }
        QuotaError::RedisAway => {
            "How fast calls may come cannot be checked at this moment, so the call was not made. Try again later."
                .to_owned()
        }
        QuotaError::NoPlan { .. } | QuotaError::Store(_) => {
            "The quota cannot be read at this moment, so the call was not made. Try again later.".to_owned()
        }
    }
}

/// Returns the whole answer to a request that comes too fast, with what a program needs to try again.
pub(super) fn too_fast(id: Raw<'_>, too_fast: &TooFast) -> Bytes {
    let mut error = ErrorObject::new(codes::TOO_FAST, slower(too_fast));
    error.data = Some(format!(
        r#"{{"retryAfterMs":{},"limited":{},"rate":{}}}"#,
        too_fast.retry_after.as_millis(),
        write::quoted(too_fast.limited.word()),
        write::quoted(&too_fast.rate.to_string()),
    ));
    error.render(Some(id))
}

fn slower(too_fast: &TooFast) -> String {
    let secs = too_fast.retry_after_secs();
    let unit = if secs == 1 { "second" } else { "seconds" };
    format!(
        "Too many calls: {} takes no more than {}. Try again in {secs} {unit}.",
        too_fast.limited.words(),
        too_fast.rate
    )
}
