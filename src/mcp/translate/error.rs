//! Errors of sources.

use std::borrow::Cow;

use crate::{
    mcp::{Raw, Revision, edit, error::codes},
    model::Era,
};

/// Returns the error of a source as the caller's era has it; `None` if it is nothing the caller could
/// act on: it speaks of the link between Doorward and the source, or of what the caller's revision does
/// not have.
///
/// Two errors are looked at before: [`url_entries`](super::url_entries) makes questions of -32042, and
/// [`required_capabilities`] reads -32021, which legacy callers do not know.
pub fn error_for<'a>(caller: Revision, error: Raw<'a>) -> Option<Cow<'a, str>> {
    let code = error.member("code").and_then(|code| code.get().parse::<i64>().ok())?;
    match code {
        codes::MISSING_CAPABILITY if caller.era() == Era::Modern => {}
        codes::URL_ELICITATION_REQUIRED if caller == Revision::V2025_11_25 => {}
        codes::URL_ELICITATION_REQUIRED => return None,
        _ if codes::RESERVED.contains(&code) => return None,
        codes::LEGACY_RESOURCE_NOT_FOUND if caller.era() == Era::Modern => {
            let code = codes::INVALID_PARAMS.to_string();
            return Some(Cow::Owned(edit::set_member(error, "code", &code)));
        }
        _ => {}
    }
    Some(Cow::Borrowed(error.get()))
}

/// Returns what a modern source wants its caller to declare, a ClientCapabilities object; `None` if the
/// error says nothing of that kind.
pub fn required_capabilities<'a>(error: Raw<'a>) -> Option<Raw<'a>> {
    let code = error.member("code")?.get().parse();
    error.member("data").filter(|_| code == Ok(codes::MISSING_CAPABILITY))?.member("requiredCapabilities")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODERN: Revision = Revision::V2026_07_28;
    const LEGACY: Revision = Revision::V2025_11_25;

    #[test]
    fn errors_about_our_own_link_are_not_for_the_caller() {
        let raw = |text: &'static str| Raw::parse(text).expect("JSON");
        assert_eq!(error_for(MODERN, raw(r#"{"code":-32020,"message":"x"}"#)), None);
        assert_eq!(error_for(MODERN, raw(r#"{"code":-32022,"message":"x"}"#)), None);
        assert_eq!(error_for(MODERN, raw(r#"{"message":"x"}"#)), None);
        assert_eq!(
            error_for(MODERN, raw(r#"{"code":-32002,"message":"x","y":1.0}"#)).as_deref(),
            Some(r#"{"code":-32602,"message":"x","y":1.0}"#)
        );
        assert_eq!(
            error_for(LEGACY, raw(r#"{"code":-32002,"message":"x"}"#)).as_deref(),
            Some(r#"{"code":-32002,"message":"x"}"#)
        );
    }

    #[test]
    fn errors_that_only_one_revision_knows_reach_only_its_callers() {
        let raw = |text: &'static str| Raw::parse(text).expect("JSON");
        let missing = raw(r#"{"code":-32021,"message":"m","data":{"requiredCapabilities":{"roots":{}}}}"#);
        let pages = raw(r#"{"code":-32042,"message":"m","data":{"elicitations":[]}}"#);

        assert_eq!(error_for(MODERN, missing).as_deref(), Some(missing.get()));
        assert_eq!(error_for(LEGACY, missing), None);
        assert_eq!(required_capabilities(missing).map(Raw::get), Some(r#"{"roots":{}}"#));
        assert_eq!(required_capabilities(pages), None);
        assert_eq!(error_for(LEGACY, pages).as_deref(), Some(pages.get()));
        assert_eq!(error_for(MODERN, pages), None);
        assert_eq!(error_for(Revision::V2025_06_18, pages), None);
    }
}
