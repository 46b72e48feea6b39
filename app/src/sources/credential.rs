//! The part of a form that asks how Doorward shows itself to a source.

use std::fmt;

use doorward::{model::Auth, secret::Secret};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    form::{Form, Mistake},
    ui::Field,
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
            _ => return Err(Mistake::field("auth", "choose one of the credentials")),
        };
        Ok(Some(auth))
    }

    /// Keeps what is not secret in the form.
    pub(super) fn keep(&self, form: Form) -> Form {
        form.keep("auth", &self.auth).keep("user", &self.user).keep("header", &self.header)
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
    let chosen = form.value_or("auth", first);
    let is = |kind: &str| chosen == kind;
    let mistake = form.mistake("auth").map(str::to_owned);
    let bearer = view! {
        <Field form=form.clone() name="token" kind="password" label="Token" optional=true plain=true/>
    };
    let basic = view! {
        <div class="grid gap-3 sm:grid-cols-2">
            <Field form=form.clone() name="user" label="User" optional=true plain=true/>
            <Field form=form.clone() name="password" kind="password" label="Password" optional=true plain=true/>
        </div>
    };
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
            <Field form=form name="value" kind="password" label="Value" optional=true plain=true/>
        </div>
    };
    view! {
        <fieldset class="field">
            <legend class="mb-1 font-medium">"Credential"</legend>
            <div class="grid gap-2">
                {kept.map(|words| view! { <Pick value="keep" checked=is("keep") label="As it is" hint=words/> })}
                <Pick value="none" checked=is("none") label="None" hint="The source lets anybody in."/>
                <Pick
                    value="bearer"
                    checked=is("bearer")
                    label="Bearer token"
                    hint="Sent as Authorization: Bearer …"
                    fields=bearer.into_any()
                />
                <Pick
                    value="basic"
                    checked=is("basic")
                    label="User and password"
                    hint="Sent as Authorization: Basic …"
                    fields=basic.into_any()
                />
                <Pick
                    value="header"
                    checked=is("header")
                    label="Another header"
                    hint="For sources that want their own, as X-Api-Key."
                    fields=header.into_any()
                />
            </div>
            {mistake.map(|text| view! { <p class="field-error">{text}</p> })}
            <p class="field-hint">"Sealed before it is stored, and never shown again."</p>
        </fieldset>
    }
}

#[component]
fn Pick(
    value: &'static str,
    checked: bool,
    label: &'static str,
    hint: &'static str,
    #[prop(optional)] fields: Option<AnyView>,
) -> impl IntoView {
    view! {
        <div class="group rounded-md border border-line has-checked:border-accent">
            <label class="flex items-start gap-2.5 px-3 py-2 font-normal">
                <input class="mt-0.5" type="radio" name="auth" value=value checked=checked/>
                <span class="grid">
                    <span class="font-medium">{label}</span>
                    <span class="field-hint">{hint}</span>
                </span>
            </label>
            {fields.map(|fields| view! {
                <div class="hidden px-3 pb-3 pl-9 group-[:has(:checked)]:block">{fields}</div>
            })}
        </div>
    }
}
