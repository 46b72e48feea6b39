//! Whom to trust to sign a source's certificate.

use doorward::model::CaCertificates;
use leptos::prelude::*;

use crate::{
    form::{Form, Mistake},
    ui::{Ago, Fact, TextArea, now},
};

const LABEL: &str = "Certificates of its authority";

/// Reads whom to trust; `None` = those whom this machine trusts, and nobody else.
pub(super) fn read(text: &str) -> Result<Option<CaCertificates>, Mistake> {
    match text.trim() {
        "" => Ok(None),
        text => {
            CaCertificates::parse(text).map(Some).map_err(|error| Mistake::field("ca_certificates", error))
        }
    }
}

/// Returns what is kept of a text that was typed: nothing, where somebody pasted a private key with it.
pub(super) fn shown_again(text: &str) -> &str {
    if text.contains("PRIVATE KEY") { "" } else { text.trim() }
}

/// Draws the field.
pub(super) fn field(form: Form, first: &str) -> impl IntoView + use<> {
    let first = first.to_owned();
    view! {
        <TextArea
            form=form
            name="ca_certificates"
            label=LABEL
            first=first
            placeholder="-----BEGIN CERTIFICATE-----"
            hint="For an `https://` address with a certificate of your own authority, or one that signs itself: as PEM, never with a private key. They are trusted for this data source alone."
            optional=true
            mono=true
        />
    }
}

/// Draws the field folded away until it is needed.
pub(super) fn folded(form: Form, first: &str) -> impl IntoView + use<> {
    let open = !first.is_empty() || form.mistake("ca_certificates").is_some();
    view! {
        <details open=open>
            <summary class="link inline-block">"Its certificate is of your own authority"</summary>
            <div class="mt-3 max-w-3xl">{field(form, first)}</div>
        </details>
    }
}

/// Draws who is trusted, and until when.
pub(super) fn fact(certificates: &CaCertificates) -> impl IntoView + use<> {
    let rows = certificates
        .facts()
        .into_iter()
        .map(|facts| {
            let ends = if facts.ends_at < now() { ", ended " } else { ", ends " };
            view! { <li class="break-words">{facts.subject} {ends} <Ago at=facts.ends_at/></li> }
        })
        .collect_view();
    view! { <Fact term="Trusts beside the usual"><ul class="m-0 list-none p-0">{rows}</ul></Fact> }
}
