//! The page of clients.

use doorward::{issuer::GrantView, model::Scopes};
use leptos::prelude::*;

use super::api::REVOKE;
use crate::{
    context::console,
    page::{Page, Place, Visit, page as framed},
    trouble::Trouble,
    ui::{Ago, Column, ConfirmInPlace, Empty, Icon, Table},
};

/// Draws the page.
pub(crate) fn page() -> AnyView {
    framed(Place::Grants, load)
}

async fn load(visit: Visit) -> Result<Page, Trouble> {
    let grants = console().issuer.grants(&visit.member).await?;
    Ok(Page::new("Clients", list(grants)).lead(
        "Programs that you let in after they asked you to sign in. Each acts in your name, on one preset.",
    ))
}

fn list(grants: Vec<GrantView>) -> AnyView {
    if grants.is_empty() {
        return view! {
            <Empty
                icon=Icon::Link
                title="No clients yet"
                text="Give an MCP client the address of a preset and no key: it opens a browser, you sign in, and it appears here."
            >
                <a class="button" href="/presets">{Icon::Layers.draw()} "Presets"</a>
            </Empty>
        }
        .into_any();
    }
    let rows = grants.into_iter().map(row).collect_view();
    let columns = vec![
        Column::text("Client"),
        Column::text("Preset"),
        Column::text("Reaches").wide(),
        Column::text("Last used").wide(),
        Column::actions("Take back"),
    ];
    view! { <Table caption="Clients that were let in" columns>{rows}</Table> }.into_any()
}

fn row(view: GrantView) -> impl IntoView {
    let GrantView { grant, client_name, recipients, path } = view;
    let label = format!("Take back the access of {client_name}");
    let used = grant.last_used_at;
    let since = grant.created_at;
    let fields = vec![("id", grant.id.to_string())];
    view! {
        <tr>
            <td>
                <span class="break-words font-medium">{client_name}</span>
                <span class="block text-xs text-muted">{recipients.join(", ")}</span>
            </td>
            <td><code class="break-all text-[13px]">{path}</code></td>
            <td class="hidden sm:table-cell">{reach(&grant)}</td>
            <td class="hidden sm:table-cell">
                {used.map_or_else(|| "never".into_any(), |at| view! { <Ago at/> }.into_any())}
                <p class="text-xs text-muted">"let in " <Ago at=since/></p>
            </td>
            <td class="number">
                <ConfirmInPlace action=REVOKE fields verb="Take back" label>
                    "Its next call is refused. To use the preset again it has to ask you anew."
                </ConfirmInPlace>
            </td>
        </tr>
    }
}

fn reach(grant: &doorward::model::Grant) -> String {
    let Scopes { tools, resources, prompts } = grant.scopes;
    let tools = tools.then(|| match grant.tools.as_deref() {
        None => "all tools".to_owned(),
        Some([]) => "no tools".to_owned(),
        Some([_]) => "1 tool".to_owned(),
        Some(some) => format!("{} tools", some.len()),
    });
    let parts = [tools, resources.then(|| "resources".to_owned()), prompts.then(|| "prompts".to_owned())];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
