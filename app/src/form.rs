//! Forms that keep what was typed.
//!
//! A form is posted to a server function, which sends the browser on by GET. What the next page has
//! to say (a notice, or the form again with its mistakes) travels in a cookie that lives for one
//! page: there is no state in the server, nothing in the address, and no JavaScript. Secrets that
//! were typed are never kept: a password is typed again.

use std::{borrow::Cow, collections::BTreeMap};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use doorward::secret::Secret;
use leptos::server_fn::error::ServerFnError;
use serde::{Deserialize, Serialize};

use crate::{
    context::{console, cookie, local_path, path_and_query, respond_with, send_to},
    trouble::Trouble,
    ui::Tone,
};

/// The most bytes of typed text kept for the next page; browsers take cookies of 4096.
const KEPT_BYTES_MAX: usize = 2400;

/// What one page says to the next.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Flash {
    /// A sentence and its tone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<(Tone, String)>,
    /// A form that was not accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<Form>,
    /// A new secret that the next page shows, and nobody ever again. Its cookie is not kept on disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub once: Option<String>,
    /// The steps of something that was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Report>,
}

impl Flash {
    /// Returns the form of this name: as typed, if it was just sent, or empty.
    pub(crate) fn form(self, name: &str) -> Form {
        self.form.filter(|form| form.name() == name).unwrap_or_else(|| Form::new(name))
    }
}

/// The steps of something that was tried, for the page after it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// The steps, in order.
    pub steps: Vec<ReportStep>,
    /// The words after which the page asks for a credential; empty if none is asked for.
    pub challenge: String,
    /// A host key to be confirmed: of which server of a tunnel, and its fingerprint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_key: Option<(usize, String)>,
}

/// One step of a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReportStep {
    /// What was tried.
    pub name: String,
    /// How it went.
    pub tone: Tone,
    /// What was found, or what went wrong.
    pub detail: String,
    /// How long it took, in microseconds.
    pub elapsed_us: i64,
}

/// A form as it was typed, with what is wrong with it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Form {
    name: String,
    values: BTreeMap<String, String>,
    mistakes: BTreeMap<String, String>,
}

impl Form {
    /// Begins a form by its name, which is unique in the console.
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// Keeps a value as typed. Never call this with a secret.
    pub(crate) fn keep(mut self, field: &str, value: impl Into<String>) -> Self {
        self.values.insert(field.to_owned(), value.into());
        self
    }

    /// Fills in what is kept elsewhere, where nothing was typed.
    pub(crate) fn filled(mut self, values: impl IntoIterator<Item = (String, String)>) -> Self {
        for (field, value) in values {
            self.values.entry(field).or_insert(value);
        }
        self
    }

    /// Returns its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the value typed; `None` if the form has not been sent.
    pub(crate) fn value(&self, field: &str) -> Option<&str> {
        self.values.get(field).map(String::as_str)
    }

    /// Returns the value typed, or what the page would show at first.
    pub(crate) fn value_or(&self, field: &str, first: &str) -> String {
        self.value(field).unwrap_or(first).to_owned()
    }

    /// Says whether the form was sent and refused.
    pub(crate) fn is_refused(&self) -> bool {
        !self.mistakes.is_empty()
    }

    /// Returns what is wrong with a field; the empty name is the form as a whole.
    pub(crate) fn mistake(&self, field: &str) -> Option<&str> {
        self.mistakes.get(field).map(String::as_str)
    }

    /// Ends a server function: sends the browser on, or back to the form at `back`.
    pub(crate) fn answer(
        mut self,
        back: &str,
        outcome: Result<Onward, Mistake>,
    ) -> Result<(), ServerFnError> {
        match outcome {
            Ok(Onward { path, notice, once, report, keeps }) => {
                leave(&Flash { notice, form: keeps.then(|| self.clone()), once, report });
                send_to(&path);
            }
            Err(Mistake::Field(field, text)) => {
                self.mistakes.insert(field.into_owned(), text);
                self.shorten();
                leave(&Flash { form: Some(self), ..Flash::default() });
                send_to(back);
            }
            Err(Mistake::Trouble(Trouble::SignIn)) => send_to(&sign_in_path(back)),
            Err(Mistake::Trouble(Trouble::Elsewhere(path))) => send_to(&path),
            Err(Mistake::Trouble(trouble)) => {
                self.shorten();
                let notice = Some((Tone::Bad, says(&trouble)));
                leave(&Flash { notice, form: Some(self), ..Flash::default() });
                send_to(back);
            }
        }
        Ok(())
    }

    fn shorten(&mut self) {
        while self.values.values().map(String::len).sum::<usize>() > KEPT_BYTES_MAX {
            let longest =
                self.values.iter().max_by_key(|(_, value)| value.len()).map(|(field, _)| field.clone());
            match longest {
                Some(field) => self.values.remove(&field),
                None => return,
            };
        }
    }
}

/// Where the browser goes after a form was accepted.
#[derive(Clone, Debug)]
pub(crate) struct Onward {
    path: String,
    notice: Option<(Tone, String)>,
    once: Option<String>,
    report: Option<Report>,
    keeps: bool,
}

impl Onward {
    /// Goes to a path of the console.
    pub(crate) fn to(path: impl Into<String>) -> Self {
        Self { path: path.into(), notice: None, once: None, report: None, keeps: false }
    }

    /// Has the next page know what was typed, as the next step of one form on several pages.
    pub(crate) fn keeping(mut self) -> Self {
        self.keeps = true;
        self
    }

    /// Has the next page show the steps of what was tried.
    pub(crate) fn reporting(mut self, report: Report) -> Self {
        self.report = Some(report);
        self
    }

    /// Has the next page say what was done.
    pub(crate) fn saying(mut self, text: impl Into<String>) -> Self {
        self.notice = Some((Tone::Good, text.into()));
        self
    }

    /// Has the next page show a new secret, once.
    pub(crate) fn showing_once(mut self, secret: &Secret) -> Self {
        self.once = Some(secret.expose().to_owned());
        self
    }

    /// Has the next page say what needs attention.
    pub(crate) fn warning(mut self, text: impl Into<String>) -> Self {
        self.notice = Some((Tone::Warn, text.into()));
        self
    }
}

/// Why a form was not accepted.
#[derive(Clone, Debug)]
pub(crate) enum Mistake {
    /// A field, by its name, and what would be right. The empty name is the form as a whole.
    Field(Cow<'static, str>, String),
    /// Nothing that could be typed otherwise.
    Trouble(Trouble),
}

impl Mistake {
    /// Says what is wrong with one field.
    pub(crate) fn field(field: impl Into<Cow<'static, str>>, text: impl std::fmt::Display) -> Self {
        Self::Field(field.into(), crate::trouble::sentence(&text.to_string()))
    }

    /// Says what is wrong with the form as a whole.
    pub(crate) fn form(text: impl std::fmt::Display) -> Self {
        Self::field("", text)
    }
}

impl<Error: Into<Trouble>> From<Error> for Mistake {
    fn from(error: Error) -> Self {
        Self::Trouble(error.into())
    }
}

/// Returns the path of the sign-in page that leads back to `next`.
pub(crate) fn sign_in_path(next: &str) -> String {
    let next = local_path(next);
    if next == "/" { "/sign-in".to_owned() } else { format!("/sign-in?next={}", encode(&next)) }
}

/// Percent-encodes text for a query's value or a path's segment.
pub(crate) fn encode(text: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                encoded.push(byte as char)
            }
            _ => write!(encoded, "%{byte:02X}").expect("writing to a string does not fail"),
        }
    }
    encoded
}

/// Takes what the page before had to say. It is said once.
pub(crate) fn take() -> Flash {
    let Some(text) = cookie(&cookie_name()) else {
        return match path_and_query().contains("__err=") {
            // A form whose fields could not even be read; the address says why in words that anybody
            // could have put there, so they are not shown.
            true => Flash {
                notice: Some((Tone::Bad, "The form could not be read. Please fill it in again.".to_owned())),
                ..Flash::default()
            },
            false => Flash::default(),
        };
    };
    respond_with(http::header::SET_COOKIE, &format!("{}=; Max-Age=0; {}", cookie_name(), attributes()));
    let bytes = URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

/// Sets aside what the next page has to say.
pub(crate) fn leave(flash: &Flash) {
    if flash.notice.is_none() && flash.form.is_none() && flash.once.is_none() && flash.report.is_none() {
        return;
    }
    let Ok(json) = serde_json::to_vec(flash) else { return };
    let kept = if flash.once.is_some() { "" } else { "Max-Age=120; " };
    let cookie = format!("{}={}; {kept}{}", cookie_name(), URL_SAFE_NO_PAD.encode(json), attributes());
    respond_with(http::header::SET_COOKIE, &cookie);
}

fn says(trouble: &Trouble) -> String {
    match trouble {
        Trouble::SignIn | Trouble::Elsewhere(_) => "Please sign in.".to_owned(),
        Trouble::NotFound => "That does not exist any more.".to_owned(),
        Trouble::Forbidden(why) => why.clone(),
        Trouble::Busy => {
            "The database is busy. Nothing was changed; please try again in a moment.".to_owned()
        }
        Trouble::Broken => {
            "Something failed inside Doorward. Nothing was changed; the log says why.".to_owned()
        }
    }
}

fn cookie_name() -> String {
    if console().settings.https { "__Host-doorward-note".to_owned() } else { "doorward-note".to_owned() }
}

fn attributes() -> &'static str {
    if console().settings.https {
        "Path=/; HttpOnly; SameSite=Lax; Secure"
    } else {
        "Path=/; HttpOnly; SameSite=Lax"
    }
}
