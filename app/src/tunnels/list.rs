//! The list of tunnels.

use doorward::model::{Hop, Tunnel};
use leptos::prelude::*;

use crate::{
    context::console,
    page::{Page, Place, Visit, page as framed},
    trouble::Trouble,
    ui::{Badge, Column, Empty, Icon, Table, Tone},
};

/// Draws the page.
pub(crate) fn page() -> AnyView {
    framed(Place::Sources, load)
}

async fn load(visit: Visit) -> Result<Page, Trouble> {
    let tunnels = console().sources.tunnels(&visit.member).await?;
    let manages = visit.manages();
    let page = Page::new("Tunnels", draw(tunnels, manages))
        .lead("SSH servers through which data sources are reached that this machine's network does not lead to.")
        .above("/sources", "Data sources")
        .actions(manages.then(|| {
            view! { <a class="button button-primary" href="/tunnels/new">{Icon::Plus.draw()} "Add a tunnel"</a> }
        }));
    Ok(page)
}

fn draw(tunnels: Vec<Tunnel>, manages: bool) -> AnyView {
    if tunnels.is_empty() && !manages {
        return view! {
            <Empty icon=Icon::Link title="No tunnels yet" text="An administrator of the organisation adds them."/>
        }
        .into_any();
    }
    if tunnels.is_empty() {
        return view! {
            <Empty
                icon=Icon::Link
                title="No tunnels yet"
                text="Name the bastion and what lies behind it. Doorward makes a key; you put its public half on the server."
            >
                <a class="button button-primary" href="/tunnels/new">{Icon::Plus.draw()} "Add a tunnel"</a>
            </Empty>
        }
        .into_any();
    }
    let columns = vec![Column::text("Name"), Column::text("Host keys"), Column::text("Leads to").wide()];
    let rows = tunnels.into_iter().map(row).collect_view();
    view! { <Table caption="Tunnels" columns=columns>{rows}</Table> }.into_any()
}

fn row(tunnel: Tunnel) -> impl IntoView {
    let way = tunnel.hops.iter().map(Hop::address).collect::<Vec<_>>().join(", then ");
    let destinations = tunnel.destinations.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let is_waiting = |hop: &&Hop| hop.host_key.is_none() && console().sources.known_host(hop).is_none();
    let waiting = tunnel.hops.iter().filter(is_waiting).count();
    view! {
        <tr>
            <td class="max-w-48 sm:max-w-56">
                <a class="link font-medium" href=format!("/tunnels/{}", tunnel.id)>{tunnel.name.to_string()}</a>
                <p class="truncate text-[13px] text-muted" title=way.clone()>{way.clone()}</p>
            </td>
            <td>
                {if waiting == 0 {
                    view! { <Badge tone=Tone::Good word="Confirmed"/> }
                } else {
                    view! { <Badge tone=Tone::Warn word="To be confirmed"/> }
                }}
            </td>
            <td class="hidden max-w-72 text-muted sm:table-cell"><p class="truncate" title=destinations.clone()>{destinations.clone()}</p></td>
        </tr>
    }
}
