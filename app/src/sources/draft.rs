//! What was begun on the page that adds a data source, and not finished.
//!
//! It waits for whoever typed it, so that leaving the page or a step that fails costs nothing. Tokens, passwords and
//! the values of an environment are never part of it, and it travels neither in a cookie nor in an address, because
//! an address or a command line may hold a credential too.

use std::{collections::BTreeMap, time::Duration};

use doorward::{
    clock::Ms,
    model::{CaCertificates, Member, UserId},
};
use leptos::prelude::*;
use url::Url;

use super::{api::KEEP_DRAFT, authorities, command};
use crate::{
    form::Form,
    island::KeepDraft,
    kept::Kept,
    ui::{Icon, PostButton, ago, now},
};

/// How long a draft is kept.
const KEPT_FOR: Duration = Duration::from_secs(7 * 24 * 3600);

/// The longest value of a draft, in bytes; what is longer is no address, name, command line or certificate.
const VALUE_BYTES_MAX: usize = CaCertificates::BYTES_MAX;

/// Everybody's drafts: 4 MiB.
static DRAFTS: Kept<Draft> = Kept::new(4 * 1024 * 1024, KEPT_FOR);

/// Which of the page's two forms was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begun {
    /// A source by its address.
    Address,
    /// A source that is a process.
    Process,
}

impl Begun {
    /// Returns the word forms send.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Process => "process",
        }
    }

    /// Reads the word.
    pub(super) fn from_word(word: &str) -> Option<Self> {
        [Self::Address, Self::Process].into_iter().find(|begun| begun.word() == word)
    }

    /// Returns the page that goes on with it.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Address => "/sources/new",
            Self::Process => "/sources/new?kind=process",
        }
    }

    /// The fields that are kept; of all others nothing is.
    fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Address => &[
                "url",
                "speaks",
                "tunnel",
                "ca_certificates",
                "name",
                "auth",
                "user",
                "header",
                "client_id",
                "scope",
                "runs_as",
            ],
            Self::Process => &["command", "name", "working_dir"],
        }
    }
}

/// What was typed, by field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Draft(BTreeMap<&'static str, String>);

impl Draft {
    /// Takes what may be kept of a form's fields.
    pub(super) fn of<'a>(begun: Begun, typed: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let kept = typed.into_iter().filter_map(|(name, value)| {
            let name = *begun.fields().iter().find(|field| **field == name)?;
            let value = match name {
                "url" => without_user(value),
                "ca_certificates" => authorities::shown_again(value).to_owned(),
                _ => value.to_owned(),
            };
            (!value.is_empty() && value.len() <= VALUE_BYTES_MAX).then_some((name, value))
        });
        Self(kept.collect())
    }

    /// Adds the names of an environment, one a line. Their values are typed again.
    pub(super) fn naming(mut self, environment: &str) -> Self {
        let names: Vec<_> =
            command::variables(environment).unwrap_or_default().into_iter().map(|(name, _)| name).collect();
        if !names.is_empty() {
            self.0.insert("env", names.join("\n"));
        }
        self
    }

    /// Takes over from an earlier draft of the same thing what is not told while somebody types: the news of that may
    /// come after the form, which says all.
    pub(super) fn after(mut self, earlier: &Self) -> Self {
        const UNTOLD: [&str; 7] =
            ["env", "speaks", "client_id", "scope", "runs_as", "tunnel", "ca_certificates"];
        let is_same = ["url", "command"].into_iter().all(|field| self.value(field) == earlier.value(field));
        let untold = UNTOLD.into_iter().filter(|_| is_same);
        for (field, value) in untold.filter_map(|field| earlier.0.get_key_value(field)) {
            self.0.entry(field).or_insert_with(|| value.clone());
        }
        self
    }

    /// Returns what was typed into a field; empty if nothing was.
    pub(super) fn value(&self, field: &str) -> &str {
        self.0.get(field).map(String::as_str).unwrap_or_default()
    }

    /// Fills in a form.
    pub(super) fn fill(&self, form: Form) -> Form {
        form.filled(self.0.iter().map(|(field, value)| ((*field).to_owned(), value.clone())))
    }

    /// Says whether there is enough to go on with.
    fn is_something(&self) -> bool {
        !self.value("url").is_empty() || !self.value("command").is_empty()
    }
}

/// Takes user and password out of an address. They are refused there, and asked for below.
fn without_user(text: &str) -> String {
    match Url::parse(text.trim()) {
        Ok(mut url) if !url.username().is_empty() || url.password().is_some() => {
            let cleared = url.set_username("").and_then(|()| url.set_password(None));
            cleared.map(|()| url.to_string()).unwrap_or_default()
        }
        Ok(_) | Err(_) => text.trim().to_owned(),
    }
}

/// Keeps a draft in place of the one before.
pub(super) fn keep(user: UserId, begun: Begun, draft: Draft, now: Ms) {
    if draft.is_something() {
        let bytes = draft.0.values().map(String::len).sum();
        DRAFTS.put(user, begun.word(), draft, bytes, now);
    }
}

/// Returns the draft and when it was last typed at; `None` if there is none.
pub(super) fn find(user: UserId, begun: Begun, now: Ms) -> Option<(Ms, Draft)> {
    DRAFTS.find(user, begun.word(), now)
}

/// Lets go of a draft.
pub(super) fn forget(user: UserId, begun: Begun) {
    DRAFTS.forget(user, begun.word());
}

/// Draws what keeps a draft while somebody types, where scripts run.
pub(super) fn keeper(begun: Begun) -> impl IntoView {
    let fields = begun.fields().iter().map(|field| (*field).to_owned()).collect::<Vec<_>>();
    view! { <KeepDraft action=KEEP_DRAFT.to_owned() kind=begun.word().to_owned() fields/> }
}

/// Says that a form was begun earlier, with the button that empties it.
pub(super) fn begun_earlier(begun: Begun, at: Ms) -> impl IntoView {
    let fields = vec![("kind", begun.word().to_owned()), ("forget", "true".to_owned())];
    let words = format!("You began this {}. A credential was not kept.", ago(at, now()));
    view! {
        <div class="flex flex-wrap items-center justify-between gap-3 text-muted">
            <p>{words}</p>
            <PostButton action=KEEP_DRAFT fields>"Start over"</PostButton>
        </div>
    }
}

/// Says on the list that something was begun, with the way on.
pub(super) fn go_on(member: &Member) -> impl IntoView + use<> {
    let now = now();
    [Begun::Address, Begun::Process]
        .into_iter()
        .filter_map(|begun| {
            let (at, draft) = find(member.user, begun, now)?;
            let what = match begun {
                Begun::Address => draft.value("url"),
                Begun::Process => draft.value("command"),
            };
            let what = what.to_owned();
            Some(view! {
                <div class="panel flex flex-wrap items-center gap-3 px-4 py-3">
                    {Icon::Plug.sized(tw!("size-4 text-muted"))}
                    <p class="min-w-0 flex-1 basis-48">
                        <span class="font-medium">{format!("You began to add a data source {}.", ago(at, now))}</span>
                        <span class="block truncate text-muted">{what}</span>
                    </p>
                    <a class="button button-small" href=begun.path()>"Go on"</a>
                </div>
            })
        })
        .collect_view()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_holds_no_credential() {
        let typed = [
            ("url", "https://ada:secret@mcp.example.org/mcp"),
            ("name", "docs"),
            ("auth", "bearer"),
            ("ca_certificates", "-----BEGIN PRIVATE KEY-----\nsecret"),
            ("token", "secret"),
            ("password", "secret"),
            ("value", "secret"),
            ("env", "TOKEN=secret"),
        ];

        let draft = Draft::of(Begun::Address, typed).naming("TOKEN=secret\nHOME=/srv");

        assert_eq!(draft.value("url"), "https://mcp.example.org/mcp");
        assert_eq!(draft.value("auth"), "bearer");
        assert_eq!(draft.value("env"), "TOKEN\nHOME");
        assert!(!format!("{draft:?}").contains("secret"));
    }

    #[test]
    fn what_is_told_late_takes_nothing_away_from_the_same_draft() {
        let sent = Draft::of(Begun::Process, [("command", "npx a"), ("name", "a")]).naming("TOKEN=secret");

        let late = Draft::of(Begun::Process, [("command", "npx a"), ("name", "ab")]).after(&sent);
        let other = Draft::of(Begun::Process, [("command", "npx b")]).after(&sent);

        assert_eq!((late.value("name"), late.value("env")), ("ab", "TOKEN"));
        assert_eq!(other.value("env"), "");
    }
}
