//! The part of a form that asks how Doorward shows itself to a source.

use std::fmt;

use doorward::{
    model::{Auth, OauthClient, RunsAs},
    secret::Secret,
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    form::{Form, Mistake},
    ui::{Field, Frame, Radio},
};

/// A credential as typed: the fields of the form, of which only those of the kind chosen mean
/// anything.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AuthFields {
    auth: String,
    token: String,
    user: String,
    password: String,
    header: String,
    value: String,
    jws: String,
    client_id: String,
    client_secret: String,
    scope: String,
    runs_as: String,
}

impl fmt::Debug for AuthFields {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AuthFields").field("auth", &self.auth).finish_non_exhaustive()
    }
}

impl AuthFields {
    /// Returns what is meant; `None` = the one that is kept already.
    pub(super) fn read(self) -> Result<Option<Auth>, Mistake> {
        let auth = match self.auth.as_str() {
            "keep" => return Ok(None),
            "none" | "" => Auth::None,
            "bearer" => Auth::Bearer(Secret::new(self.token)),
            "basic" => Auth::Basic { user: self.user, password: Secret::new(self.password) },
            "header" => Auth::Header { name: self.header.trim().to_owned(), value: Secret::new(self.value) },
            "jws" => Auth::Jws(Secret::new(self.jws.trim())),
            "oauth" => {
                let said = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
                Auth::Oauth(OauthClient {
                    id: said(&self.client_id),
                    secret: said(&self.client_secret).map(Secret::new),
                    scope: said(&self.scope),
                })
            }
            _ => return Err(Mistake::field("auth", "choose one of the credentials")),
        };
        Ok(Some(auth))
    }

    /// Returns whose sign-in calls run with; `None` = the form did not ask.
    pub(super) fn runs_as(&self) -> Result<Option<RunsAs>, Mistake> {
        match self.runs_as.as_str() {
            "" => Ok(None),
            word => RunsAs::from_word(word)
                .map(Some)
                .ok_or_else(|| Mistake::field("runs_as", "choose whose sign-in calls run with")),
        }
    }

    /// Returns what is not secret, by field.
    pub(super) fn plain(&self) -> [(&'static str, &str); 6] {
        [
            ("auth", &self.auth),
            ("user", &self.user),
            ("header", &self.header),
            ("client_id", &self.client_id),
            ("scope", &self.scope),
            ("runs_as", &self.runs_as),
        ]
    }

    /// Keeps what is not secret in the form.
    pub(super) fn keep(&self, form: Form) -> Form {
        self.plain().into_iter().fold(form, |form, (field, value)| form.keep(field, value))
    }
}

/// Asks for the credential. The fields of a choice unfold when it is chosen.
#[component]
pub(super) fn CredentialChoice(
    /// The form.
    form: Form,
    /// What is chosen at first.
    first: &'static str,
    /// What is kept already, in words; `None` on a new source.
    kept: Option<&'static str>,
) -> impl IntoView {
    let frame =
        Frame::new(&form, "auth").hint("Sealed before it is stored, and never shown again.".to_owned());
    let chosen = form.value_or("auth", first);
    let secret = |name: &'static str, label: &'static str| {
        view! { <Field form=form.clone() name=name kind="password" label=label optional=true plain=true/> }
    };
    let token = secret("token", "Token").into_any();
    let pair = view! {
        <div class="grid gap-3 sm:grid-cols-2">
            <Field form=form.clone() name="user" label="User" optional=true plain=true/>
            {secret("password", "Password")}
        </div>
    }
    .into_any();
    let header = view! {
        <div class="grid gap-3 sm:grid-cols-2">
            <Field
                form=form.clone()
                name="header"
                label="Header"
                placeholder="X-Api-Key"
                mono=true
                optional=true
                plain=true
            />
            {secret("value", "Value")}
        </div>
    }
    .into_any();
    let oauth = view! {
        <div class="grid gap-3">
            <p class="text-muted">
                "You sign in on the page after this one, and Doorward keeps the sign-in alive. Issuers that register "
                "no clients by themselves give you a client's id to enter here; leave it empty otherwise."
            </p>
            <div class="grid gap-3 sm:grid-cols-2">
                <Field form=form.clone() name="client_id" label="Client id" mono=true optional=true plain=true/>
                {secret("client_secret", "Client secret")}
            </div>
            <Field
                form=form.clone()
                name="scope"
                label="Scopes"
                hint="Separated by spaces. Without them, what the source asks for."
                mono=true
                optional=true
                plain=true
            />
        </div>
    }
    .into_any();
    let key = secret("jws", "Key, as base64url").into_any();
    let kept = kept.map(|words| ("keep", "As it is", words, None));
    let picks = kept
        .into_iter()
        .chain([
            ("none", "None", "The source lets anybody in.", None),
            ("oauth", "Sign-in", "You sign in at the source's issuer (OAuth).", Some(oauth)),
            ("bearer", "Bearer token", "Sent as `Authorization: Bearer …`", Some(token)),
            ("basic", "User and password", "Sent as `Authorization: Basic …`", Some(pair)),
            ("header", "Another header", "For sources that want their own, as `X-Api-Key`.", Some(header)),
            (
                "jws",
                "Signed token",
                "For Spark History Servers with Spark’s own `JWSFilter`: each request is signed with its key.",
                Some(key),
            ),
        ])
        .map(|(value, label, hint, fields)| {
            view! { <Radio name="auth" value checked=chosen == value label hint fields/> }
        })
        .collect_view();
    frame.around_several("Credential", picks)
}
