//! Streams of news: `subscriptions/listen` of 2026-07-28, and the same news in legacy streams.
//!
//! Every message of a listen stream names the request that opened it, so that several streams can
//! share one connection.

use std::borrow::Cow;

use bytes::Bytes;
use thiserror::Error;

use crate::mcp::{
    Raw, ServerCapabilities,
    capabilities::{Object, extensions},
    edit, notifications, write,
};

/// The member of `_meta` that names the listen request, with the type of its id.
pub const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";

/// The most resources, and the most tasks, that one stream may be asked for.
pub const WATCHED_MAX: usize = 1000;

/// Says why a filter cannot be read.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum FilterError {
    /// A member has the wrong type.
    #[error("`notifications.{0}` is malformed")]
    Malformed(&'static str),
    /// A list has more than [`WATCHED_MAX`] entries.
    #[error("`notifications.{0}` has more than {WATCHED_MAX} entries")]
    TooMany(&'static str),
}

/// What a stream tells: `notifications` of the request, and of its acknowledgement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Changes of the list of tools.
    pub tools: bool,
    /// Changes of the list of prompts.
    pub prompts: bool,
    /// Changes of the lists of resources and templates.
    pub resources: bool,
    /// Changes of these resources.
    pub uris: Vec<Box<str>>,
    /// Changes of these tasks (tasks extension).
    pub task_ids: Vec<Box<str>>,
}

impl Filter {
    /// Reads a filter. Members it does not know are left out of the acknowledgement, and so refused.
    pub fn read(notifications: Raw<'_>) -> Result<Self, FilterError> {
        if !notifications.is_object() {
            return Err(FilterError::Malformed(""));
        }
        let flag = |name| match notifications.member(name).map(Raw::get) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(FilterError::Malformed(name)),
        };
        let list = |name| {
            let Some(member) = notifications.member(name) else { return Ok(Vec::new()) };
            if !member.is_array() {
                return Err(FilterError::Malformed(name));
            }
            let mut texts: Vec<Box<str>> = Vec::new();
            for element in member.elements() {
                if texts.len() == WATCHED_MAX {
                    return Err(FilterError::TooMany(name));
                }
                texts.push(element.as_str().ok_or(FilterError::Malformed(name))?.into());
            }
            Ok(texts)
        };
        Ok(Self {
            tools: flag("toolsListChanged")?,
            prompts: flag("promptsListChanged")?,
            resources: flag("resourcesListChanged")?,
            uris: list("resourceSubscriptions")?,
            task_ids: list("taskIds")?,
        })
    }

    /// Returns what of it a server that can do this honours.
    #[must_use]
    pub fn honoured_by(mut self, offered: &ServerCapabilities) -> Self {
        self.tools &= offered.tools_changed;
        self.prompts &= offered.prompts_changed;
        self.resources &= offered.resources_changed;
        if !offered.resources_subscribe {
            self.uris.clear();
        }
        if !offered.extensions.has(extensions::TASKS) {
            self.task_ids.clear();
        }
        self
    }

    /// Says whether a notification is among what was asked for. Nothing else is ever sent on the
    /// stream, progress and log messages least of all.
    pub fn wants(&self, notification: &str, params: Raw<'_>) -> bool {
        let is_listed = |texts: &[Box<str>], member| {
            let text = params.member(member).and_then(Raw::as_str);
            text.is_some_and(|text| texts.iter().any(|listed| **listed == *text))
        };
        match notification {
            notifications::TOOLS_CHANGED => self.tools,
            notifications::PROMPTS_CHANGED => self.prompts,
            notifications::RESOURCES_CHANGED => self.resources,
            notifications::RESOURCE_UPDATED => is_listed(&self.uris, "uri"),
            notifications::TASK => is_listed(&self.task_ids, "taskId"),
            _ => false,
        }
    }

    /// Says whether nothing is told.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Writes the filter; what is not told is left out.
    pub fn write(&self) -> String {
        let mut out = Object::default();
        let flags = [
            ("toolsListChanged", self.tools),
            ("promptsListChanged", self.prompts),
            ("resourcesListChanged", self.resources),
        ];
        for (name, _) in flags.iter().filter(|(_, is_told)| *is_told) {
            out.member(name, "true");
        }
        for (name, texts) in [("resourceSubscriptions", &self.uris), ("taskIds", &self.task_ids)] {
            if !texts.is_empty() {
                let quoted: Vec<_> = texts.iter().map(|text| write::quoted(text)).collect();
                out.member(name, &format!("[{}]", quoted.join(",")));
            }
        }
        out.end()
    }

    /// Returns the parameters of a listen request.
    pub fn params(&self) -> String {
        format!(r#"{{"notifications":{}}}"#, self.write())
    }
}

/// Returns the first message of a stream: what of the filter is honoured. `id` is the id of the listen
/// request, as JSON.
pub fn acknowledged(id: Raw<'_>, honoured: &Filter) -> Bytes {
    tagged(id, notifications::ACKNOWLEDGED, Raw::checked(&honoured.params()))
}

/// Returns one message of a stream. Of a source's parameters everything stays but the id of the
/// source's own stream.
pub fn tagged(id: Raw<'_>, method: &str, params: Raw<'_>) -> Bytes {
    let empty = Raw::checked("{}");
    let params = if params.is_object() { params } else { empty };
    let meta = params.member("_meta").filter(|meta| meta.is_object()).unwrap_or(empty);
    let meta = edit::set_member(meta, SUBSCRIPTION_ID, id.get());
    write::notification(method, edit::set_member(params, "_meta", &meta).as_bytes())
}

/// Returns the result that ends a stream from the server's side.
pub fn end_result(id: Raw<'_>) -> Bytes {
    let result = format!(r#"{{"resultType":"complete","_meta":{{"{SUBSCRIPTION_ID}":{}}}}}"#, id.get());
    result.into_bytes().into()
}

/// Returns the parameters of a source's news without the id of the source's stream, for legacy
/// streams; empty if nothing is left, because legacy callers stumble over anything but an object or
/// nothing.
pub fn untagged<'a>(params: Raw<'a>) -> Cow<'a, str> {
    let meta = params.member("_meta").filter(|meta| meta.member(SUBSCRIPTION_ID).is_some());
    let text = match meta.map(|meta| edit::remove_member(meta, SUBSCRIPTION_ID)) {
        None => Cow::Borrowed(params.get()),
        Some(meta) if Raw::checked(&meta).members().next().is_none() => {
            Cow::Owned(edit::remove_member(params, "_meta"))
        }
        Some(meta) => Cow::Owned(edit::set_member(params, "_meta", &meta)),
    };
    match Raw::checked(&text).members().next() {
        Some(_) => text,
        None => Cow::Borrowed(""),
    }
}

/// Returns which listen request a message of a source belongs to, with the type of its id.
pub fn subscription_id<'a>(params: Raw<'a>) -> Option<Raw<'a>> {
    params.member("_meta")?.member(SUBSCRIPTION_ID)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Raw<'_> {
        Raw::parse(text).expect("JSON")
    }

    #[test]
    fn a_filter_reads_back() {
        let text = r#"{"toolsListChanged":true,"resourceSubscriptions":["a:b","c\"d"],"taskIds":["t"]}"#;

        let filter = Filter::read(raw(text)).expect("a filter");

        assert_eq!(filter.write(), text);
        assert!(Filter::read(raw(r#"{"x":1,"promptsListChanged":false}"#)).expect("a filter").is_empty());
        for (text, member) in
            [("[]", ""), (r#"{"taskIds":"a"}"#, "taskIds"), (r#"{"taskIds":[1]}"#, "taskIds")]
        {
            assert_eq!(Filter::read(raw(text)), Err(FilterError::Malformed(member)), "{text}");
        }
        assert_eq!(
            Filter::read(raw(r#"{"toolsListChanged":1}"#)),
            Err(FilterError::Malformed("toolsListChanged"))
        );
        let many = format!(r#"{{"taskIds":[{}""]}}"#, "\"\",".repeat(WATCHED_MAX));
        assert_eq!(Filter::read(raw(&many)), Err(FilterError::TooMany("taskIds")));
    }

    #[test]
    fn every_message_of_a_stream_names_its_request() {
        let filter = Filter { tools: true, ..Filter::default() };

        assert_eq!(
            acknowledged(raw("\"7\""), &filter),
            r#"{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{"toolsListChanged":true},"_meta":{"io.modelcontextprotocol/subscriptionId":"7"}}}"#
        );
        let news = raw(r#"{"uri":"a:b","_meta":{"io.modelcontextprotocol/subscriptionId":1,"x":1.0}}"#);
        assert_eq!(
            tagged(raw("9"), notifications::RESOURCE_UPDATED, news),
            r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a:b","_meta":{"io.modelcontextprotocol/subscriptionId":9,"x":1.0}}}"#
        );
        assert_eq!(subscription_id(news).map(Raw::get), Some("1"));
        assert_eq!(
            end_result(raw("9")),
            r#"{"resultType":"complete","_meta":{"io.modelcontextprotocol/subscriptionId":9}}"#
        );
    }

    #[test]
    fn only_what_was_asked_for_and_can_be_told_is_told() {
        let asked = Filter {
            tools: true,
            prompts: true,
            uris: vec!["a:b".into()],
            task_ids: vec!["t".into()],
            ..Filter::default()
        };
        let offered =
            ServerCapabilities { tools_changed: true, resources_subscribe: true, ..Default::default() };

        let honoured = asked.honoured_by(&offered);

        assert_eq!(honoured.write(), r#"{"toolsListChanged":true,"resourceSubscriptions":["a:b"]}"#);
        assert!(honoured.wants(notifications::TOOLS_CHANGED, raw("{}")));
        assert!(!honoured.wants(notifications::PROMPTS_CHANGED, raw("{}")));
        assert!(honoured.wants(notifications::RESOURCE_UPDATED, raw(r#"{"uri":"a:\u0062"}"#)));
        assert!(!honoured.wants(notifications::RESOURCE_UPDATED, raw(r#"{"uri":"a:c"}"#)));
        assert!(!honoured.wants(notifications::TASK, raw(r#"{"taskId":"t"}"#)));
        assert!(!honoured.wants(notifications::PROGRESS, raw("{}")));
    }

    #[test]
    fn legacy_streams_do_not_see_whose_stream_it_was() {
        assert_eq!(
            untagged(raw(r#"{"uri":"a:b","_meta":{"io.modelcontextprotocol/subscriptionId":1,"x":1.0}}"#)),
            r#"{"uri":"a:b","_meta":{"x":1.0}}"#
        );
        assert_eq!(untagged(raw(r#"{"_meta":{"io.modelcontextprotocol/subscriptionId":1}}"#)), "");
        assert_eq!(untagged(raw("{}")), "");
        assert_eq!(untagged(raw("[]")), "");
    }
}
