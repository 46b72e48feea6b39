//! One round of questions and answers, in both directions.
//!
//! A modern source answers `input_required` and waits for the same request with the answers in it
//! (SEP-2322). A legacy source sends a request of its own on the stream of the call and waits for the
//! answer there.

use std::borrow::Cow;

use bytes::Bytes;

use super::{Ask, QUESTIONS_MAX, content};
use crate::mcp::{Raw, Revision, edit, write};

/// One entry of `inputRequests`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What its answer is called.
    pub key: String,
    /// The question, a JSON object with `method` and `params`.
    pub request: String,
}

/// Returns the question of a legacy source as an entry of `inputRequests`, without what only the
/// link to that source knows: the progress token, the task, the id of a page.
pub fn entry(key: impl Into<String>, ask: Ask, params: Option<Raw<'_>>) -> Entry {
    let mut request = format!(r#"{{"method":"{}""#, ask.as_str());
    if let Some(params) = params.filter(|params| params.is_object()) {
        request.push_str(r#","params":"#);
        request.push_str(&without_link_members(params, true));
    }
    request.push('}');
    Entry { key: key.into(), request }
}

/// Returns the parameters of a legacy source's question for a legacy caller: without the members that
/// belong to the link between Doorward and the source.
pub fn relayed_params(params: Raw<'_>) -> String {
    without_link_members(params, false).into_owned()
}

fn without_link_members<'a>(params: Raw<'a>, for_modern: bool) -> Cow<'a, str> {
    const META: [&str; 2] = ["progressToken", "io.modelcontextprotocol/related-task"];
    let gone: &[&str] = if for_modern { &["task", "elicitationId"] } else { &["task"] };
    let mut text = Cow::Borrowed(params.get());
    if let Some(meta) = params.member("_meta")
        && META.iter().any(|name| meta.member(name).is_some())
    {
        let meta = edit::remove_members(meta, &META);
        text = Cow::Owned(if Raw::checked(&meta).members().next().is_none() {
            edit::remove_member(params, "_meta")
        } else {
            edit::set_member(params, "_meta", &meta)
        });
    }
    if gone.iter().any(|name| params.member(name).is_some()) {
        text = Cow::Owned(edit::remove_members(Raw::checked(&text), gone));
    }
    text
}

/// Returns a result of the type `input_required`. `state` is the text the caller hands back.
pub fn input_required_result(entries: &[Entry], state: Option<&str>) -> Bytes {
    let bytes: usize = entries.iter().map(|entry| entry.key.len() + entry.request.len() + 6).sum();
    let mut out = Vec::with_capacity(96 + bytes + state.map_or(0, str::len));
    out.extend_from_slice(br#"{"resultType":"input_required""#);
    for (index, entry) in entries.iter().enumerate() {
        out.extend_from_slice(if index == 0 { br#","inputRequests":{"# } else { b"," });
        write::string(&mut out, &entry.key);
        out.push(b':');
        out.extend_from_slice(entry.request.as_bytes());
    }
    if !entries.is_empty() {
        out.push(b'}');
    }
    if let Some(state) = state {
        out.extend_from_slice(br#","requestState":"#);
        write::string(&mut out, state);
    }
    out.push(b'}');
    out.into()
}

/// Returns a modern source's `input_required` with Doorward's state around the source's own, every
/// other byte as it came.
pub fn with_state(result: Raw<'_>, state: &str) -> String {
    edit::set_member(result, "requestState", &write::quoted(state))
}

/// Returns the answers of a round by the keys of their questions; `None` if they are not an object of
/// objects, or more than [`QUESTIONS_MAX`].
pub fn answers(input_responses: Raw<'_>) -> Option<Vec<(Cow<'_, str>, Raw<'_>)>> {
    if !input_responses.is_object() {
        return None;
    }
    let mut answers = Vec::new();
    for member in input_responses.members() {
        if answers.len() == QUESTIONS_MAX || !member.value.is_object() {
            return None;
        }
        answers.push((member.name(), member.value));
    }
    Some(answers)
}

/// Returns a modern caller's answer as the result that a legacy source of this revision waits for.
pub fn answer_for_source<'a>(ask: Ask, source: Revision, answer: Raw<'a>) -> Cow<'a, str> {
    if ask != Ask::Sampling {
        return without_result_type(answer);
    }
    match content::sampled(source, answer) {
        Cow::Borrowed(_) => without_result_type(answer),
        Cow::Owned(text) => Cow::Owned(without_result_type(Raw::checked(&text)).into_owned()),
    }
}

/// Returns a legacy caller's result as an entry of `inputResponses`.
pub fn answer_for_retry<'a>(answer: Raw<'a>) -> Cow<'a, str> {
    without_result_type(answer)
}

fn without_result_type<'a>(answer: Raw<'a>) -> Cow<'a, str> {
    match answer.member("resultType") {
        Some(_) => Cow::Owned(edit::remove_member(answer, "resultType")),
        None => Cow::Borrowed(answer.get()),
    }
}

/// Returns the parameters of the request that is sent to a modern source again: as before, with these
/// answers (JSON objects by key) and the source's own state, a JSON string as it was written.
pub fn retry_params(params: Raw<'_>, answers: &[(&str, &str)], state: Option<&str>) -> String {
    let mut out = Vec::new();
    out.push(b'{');
    for (index, (key, answer)) in answers.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write::string(&mut out, key);
        out.push(b':');
        out.extend_from_slice(answer.as_bytes());
    }
    out.push(b'}');
    let responses = String::from_utf8(out).expect("only whole texts were put together");
    let mut text = without_round(params).into_owned();
    if !answers.is_empty() {
        text = edit::set_member(Raw::checked(&text), "inputResponses", &responses);
    }
    if let Some(state) = state {
        text = edit::set_member(Raw::checked(&text), "requestState", state);
    }
    text
}

/// Returns the parameters without what belongs to one round: what is left is the same in all rounds of
/// a call.
pub fn without_round<'a>(params: Raw<'a>) -> Cow<'a, str> {
    const ROUND: [&str; 2] = ["inputResponses", "requestState"];
    if ROUND.iter().all(|name| params.member(name).is_none()) {
        return Cow::Borrowed(params.get());
    }
    Cow::Owned(edit::remove_members(params, &ROUND))
}

/// Reads error -32042 of revision 2025-11-25: the pages to visit before the call is worth another try,
/// as questions of the modern shape. `None` if it names none.
pub fn url_entries(error: Raw<'_>) -> Option<Vec<Entry>> {
    let elicitations = error.member("data")?.member("elicitations")?;
    let mut entries = Vec::new();
    for params in elicitations.elements() {
        if entries.len() == QUESTIONS_MAX || params.member("url").is_none_or(|url| !url.is_string()) {
            return None;
        }
        let with_mode = match params.member("mode") {
            Some(_) => Cow::Borrowed(params.get()),
            None => Cow::Owned(edit::set_member(params, "mode", "\"url\"")),
        };
        let key = format!("url{}", entries.len() + 1);
        entries.push(entry(key, Ask::Elicitation, Some(Raw::checked(&with_mode))));
    }
    (!entries.is_empty()).then_some(entries)
}

#[cfg(test)]
mod tests {
    use super::{super::InputRequired, *};

    fn raw(text: &str) -> Raw<'_> {
        Raw::parse(text).expect("JSON")
    }

    #[test]
    fn the_question_of_a_legacy_source_becomes_an_entry_without_what_belongs_to_its_link() {
        let params = raw(
            r#"{"_meta":{"progressToken":7,"a":1.0},"mode":"url","elicitationId":"e","url":"https://a.example","message":"m","task":{}}"#,
        );

        let asked = entry("ask1", Ask::Elicitation, Some(params));

        assert_eq!(
            asked.request,
            r#"{"method":"elicitation/create","params":{"_meta":{"a":1.0},"mode":"url","url":"https://a.example","message":"m"}}"#
        );
        assert_eq!(
            entry("a", Ask::Roots, Some(raw(r#"{"_meta":{"progressToken":1}}"#))).request,
            r#"{"method":"roots/list","params":{}}"#
        );
        assert_eq!(entry("a", Ask::Roots, None).request, r#"{"method":"roots/list"}"#);
        assert!(relayed_params(params).contains("elicitationId"));
    }

    #[test]
    fn what_is_asked_reads_back_from_the_result() {
        let entries = [
            entry("a\"b", Ask::Elicitation, Some(raw(r#"{"message":"m","requestedSchema":{}}"#))),
            entry("c", Ask::Roots, None),
        ];

        let result = input_required_result(&entries, Some("s\"t"));

        let text = std::str::from_utf8(&result).expect("text");
        let read = InputRequired::read(raw(text)).expect("questions");
        assert_eq!(read.questions[0].key, "a\"b");
        assert_eq!(read.questions[0].params.map(Raw::get), Some(r#"{"message":"m","requestedSchema":{}}"#));
        assert_eq!(read.questions[1].ask, Ask::Roots);
        assert_eq!(read.state.and_then(Raw::as_str).as_deref(), Some("s\"t"));
        assert_eq!(
            input_required_result(&[], Some("x")),
            r#"{"resultType":"input_required","requestState":"x"}"#
        );
    }

    #[test]
    fn a_retry_is_the_same_request_with_the_answers_in_it() {
        let params = raw(r#"{"name":"a","arguments":{"n":1.0},"requestState":"old","inputResponses":{}}"#);

        assert_eq!(without_round(params), r#"{"name":"a","arguments":{"n":1.0}}"#);
        assert_eq!(
            retry_params(params, &[("k", r#"{"action":"accept"}"#)], Some("\"\\u0061\"")),
            r#"{"name":"a","arguments":{"n":1.0},"inputResponses":{"k":{"action":"accept"}},"requestState":"\u0061"}"#
        );
    }

    #[test]
    fn answers_are_taken_apart_by_key() {
        let read = answers(raw(r#"{"a":{"action":"decline"},"b":{"roots":[]}}"#)).expect("answers");

        assert_eq!(read.len(), 2);
        assert_eq!(read[1].1.get(), r#"{"roots":[]}"#);
        assert!(answers(raw("[]")).is_none());
        assert!(answers(raw(r#"{"a":1}"#)).is_none());
        assert_eq!(
            answer_for_source(
                Ask::Elicitation,
                Revision::V2025_06_18,
                raw(r#"{"resultType":"complete","action":"cancel"}"#)
            ),
            r#"{"action":"cancel"}"#
        );
    }

    #[test]
    fn pages_a_source_wants_visited_become_questions() {
        let error = raw(
            r#"{"code":-32042,"message":"m","data":{"elicitations":[{"mode":"url","elicitationId":"e","url":"https://a.example","message":"m"}]}}"#,
        );

        let entries = url_entries(error).expect("pages");

        assert_eq!(
            entries[0].request,
            r#"{"method":"elicitation/create","params":{"mode":"url","url":"https://a.example","message":"m"}}"#
        );
        assert!(url_entries(raw(r#"{"code":-32042,"data":{"elicitations":[]}}"#)).is_none());
        assert!(url_entries(raw(r#"{"code":-32042,"data":{"elicitations":[{"url":1}]}}"#)).is_none());
    }
}
