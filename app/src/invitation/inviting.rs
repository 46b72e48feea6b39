//! What pages that invite have in common: the invitations that are open, the link to copy, and how long one is open.

use std::time::Duration;

use doorward::{clock::Ms, model::Handle};
use leptos::prelude::*;

use crate::{
    form::{Form, Mistake},
    page::Visit,
    ui::{Ago, Column, ConfirmInPlace, Copyable, Notice, Panel, Pick, Select, Table, Tone},
};

/// An invitation that is open, as a row shows it.
pub(crate) struct Open {
    /// Whom it is for.
    pub whose: String,
    /// Who invites.
    pub by: Handle,
    /// What whoever accepts may do or becomes.
    pub gives: &'static str,
    /// When it ends.
    pub ends_at: Ms,
    /// What names it where it is withdrawn.
    pub fields: Vec<(&'static str, String)>,
}

/// Draws what is open, a link that was made just now, and the form for one more.
pub(crate) fn panel<A: IntoView + 'static, B: IntoView + 'static>(
    visit: &Visit,
    lead: &'static str,
    open: Option<A>,
    form: B,
) -> impl IntoView + use<A, B> {
    let link = visit.once.clone().map(|text| {
        view! {
            <Notice tone=Tone::Warn>
                <div class="grid grid-cols-1 gap-2">
                    <p class="font-medium">"Copy the link now and send it: it is shown this once and kept only as a hash."</p>
                    <Copyable text/>
                </div>
            </Notice>
        }
    });
    view! {
        <Panel title="Invitations" lead>
            <div class="grid grid-cols-1 gap-5">
                {link}
                {open}
                {form}
            </div>
        </Panel>
    }
}

/// Draws what is open, with the way to withdraw it; `None` if nothing is. `gives` heads the column of that name, and
/// `over` says what withdrawing does.
pub(crate) fn table(
    action: &'static str,
    gives: &'static str,
    over: &'static str,
    open: Vec<Open>,
) -> Option<impl IntoView> {
    if open.is_empty() {
        return None;
    }
    let row = |open: Open| {
        let Open { whose, by, gives, ends_at: at, fields } = open;
        let label = format!("Withdraw the invitation of {whose}");
        view! {
            <tr>
                <td>
                    <span class="break-words font-medium">{whose}</span>
                    <p class="text-xs text-muted">"by " {by.to_string()}</p>
                </td>
                <td class="hidden sm:table-cell">{gives}</td>
                <td>"ends " <Ago at/></td>
                <td class="number">
                    <ConfirmInPlace action fields verb="Withdraw" label>{over}</ConfirmInPlace>
                </td>
            </tr>
        }
    };
    let rows = open.into_iter().map(row).collect_view();
    let columns = vec![
        Column::text("For"),
        Column::text(gives).wide(),
        Column::text("Open"),
        Column::actions("Withdraw"),
    ];
    Some(view! { <Table caption="Open invitations" columns>{rows}</Table> })
}

/// Asks how long an invitation is to be open.
pub(crate) fn days(form: Form) -> impl IntoView {
    let picks = vec![Pick::new("1", "a day"), Pick::new("7", "a week"), Pick::new("30", "30 days")];
    view! { <Select form name="days" label="Open for" first="7" picks/> }
}

/// Reads how long that is.
pub(crate) fn read_days(text: &str) -> Result<Duration, Mistake> {
    let days: u64 = text.parse().map_err(|_| Mistake::field("days", "choose from the list"))?;
    Ok(Duration::from_secs(days.saturating_mul(86_400)))
}
