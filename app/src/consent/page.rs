//! The consent page.

use doorward::{
    issuer::{Asked, AuthorizeRequest, Choice, Offer, OfferedTool},
    model::Member,
};
use http::StatusCode;
use leptos::prelude::*;

use super::api::{DECIDE, FORM, path};
use crate::{
    context::{console, issuer_base, path_and_query, respond_as, send_to_client},
    form::{Form, encode},
    page::{Page, bare},
    session,
    shell::let_forms_lead_to,
    trouble::{Trouble, sentence},
    ui::{Fact, Facts, FormMistake, Icon, Notice, Tone},
};

/// Draws the page.
pub(crate) fn page() -> AnyView {
    let query = path_and_query().split_once('?').map(|(_, query)| query.to_owned()).unwrap_or_default();
    bare(move |flash| load(flash.form(FORM), query))
}

async fn load(form: Form, query: String) -> Result<Page, Trouble> {
    // First of all: who is not signed in learns nothing, and is sent nowhere but to sign in.
    let member = session::member().await?;
    let (issuer, base) = (console().issuer.clone(), issuer_base());
    let request = match issuer.asked(&base, &query).await? {
        Asked::Request(request) => request,
        Asked::Wrong { why } => return Ok(wrong(&why)),
        Asked::Back { to, client, recipient, why } => return Ok(back(to, &client, &recipient, &why)),
    };
    if request.preset().is_none() {
        let choices = issuer.choices(&member, &base).await?;
        return Ok(choose(&request, &query, choices));
    }
    if let Some(to) = issuer.remembered(&member, &request).await? {
        send_to_client(&to);
        return Ok(Page::new("Going back", ()));
    }
    let_forms_lead_to(&request.redirect().form_action());
    match issuer.offer(&member, &request).await? {
        Some(offer) => Ok(ask(&member, &request, offer, &query, form)),
        None => Ok(not_for_you(&member, &request, &query)),
    }
}

fn wrong(why: &str) -> Page {
    respond_as(StatusCode::BAD_REQUEST);
    let text = sentence(why);
    let body = view! {
        <div class="grid gap-4">
            <p>{text}</p>
            <p class="text-muted">"Nothing was given to anybody. Start again in your client; if it keeps coming here, remove and add the server there."</p>
        </div>
    };
    Page::new("This request cannot be answered", body)
}

/// The browser goes on only if the person says so: a link that anybody made must not lead through
/// this page to wherever they like.
fn back(to: String, client: &str, recipient: &str, why: &str) -> Page {
    respond_as(StatusCode::BAD_REQUEST);
    let text = format!("{client} asked for something that is not given here: {why}.");
    let label = format!("Tell {client}");
    let note = format!("That leads to {recipient}.");
    let body = view! {
        <div class="grid gap-4">
            <p>{crate::ui::prose(&text)}</p>
            <div><a class="button" href=to rel="noreferrer">{label}</a></div>
            <p class="text-[13px] text-muted">{note}</p>
        </div>
    };
    Page::new("This request cannot be answered", body)
}

fn not_for_you(member: &Member, request: &AuthorizeRequest, query: &str) -> Page {
    respond_as(StatusCode::NOT_FOUND);
    let (owner, slug) = request.preset().unwrap_or_default();
    let text = format!("There is no preset /mcp/{owner}/{slug}, or {} may not use it.", member.handle);
    let body = view! {
        <div class="grid gap-4">
            <p class="break-words">{text}</p>
            <p class="text-muted">"Ask whoever sent you the address, or sign out and sign in with another account."</p>
            <form method="post" action=DECIDE>
                <input type="hidden" name="request" value=query.to_owned()/>
                <button class="button" type="submit" name="decision" value="refuse">
                    {format!("Go back to {}", request.client_name())}
                </button>
            </form>
        </div>
    };
    Page::new("Not available to you", body)
}

/// Some clients do not say which preset they are for.
fn choose(request: &AuthorizeRequest, query: &str, choices: Vec<Choice>) -> Page {
    let without: Vec<_> = query.split('&').filter(|pair| !pair.starts_with("resource=")).collect();
    let without = without.join("&");
    let none = choices.is_empty();
    let links = choices
        .into_iter()
        .map(|choice| {
            let href =
                format!("{}&resource={}", path(&without), encode(&choice.resource).replace('/', "%2F"));
            let title = if choice.title.is_empty() { choice.path.clone() } else { choice.title };
            view! {
                <li>
                    <a class="grid gap-0.5 px-4 py-2.5 hover:bg-sunken" href=href>
                        <span class="font-medium">{title}</span>
                        <code class="break-all text-[13px] text-muted">{choice.path}</code>
                    </a>
                </li>
            }
        })
        .collect_view();
    let lead = format!(
        "{} did not say which preset it is for. It gets the one you choose and no other: take the one whose address it was given.",
        request.client_name(),
    );
    let body = if none {
        view! { <p>"Your organisation has no preset that is switched on."</p> }.into_any()
    } else {
        view! { <ul class="panel grid divide-y divide-line">{links}</ul> }.into_any()
    };
    Page::new("Which preset?", body).lead(lead)
}

fn ask(member: &Member, request: &AuthorizeRequest, offer: Offer, query: &str, form: Form) -> Page {
    let client = request.client_name().to_owned();
    let Offer { owner, slug, title, scopes, tools, prompts, resources, known } = offer;
    let preset = if title.is_empty() { slug.clone() } else { title };
    let address = format!("/mcp/{owner}/{slug}");
    let described = request.described_at().map(str::to_owned);
    let home = described.clone().or_else(|| request.client_uri().map(str::to_owned));
    let recipient = request.redirect().recipient();
    let local = !request.redirect().is_claimed();
    let handle = member.handle.to_string();
    let none = tools.is_empty();
    let count = tools.len();
    let title = format!("Let {client} use {preset}?");
    let rows = tools.into_iter().map(tool).collect_view();
    let also = [
        resources.then(|| "Reads its resources".to_owned()),
        (!prompts.is_empty()).then(|| format!("Uses its prompts: {}", prompts.join(", "))),
    ];
    let also =
        also.into_iter().flatten().map(|text| view! { <li class="break-words">{text}</li> }).collect_view();
    let body = view! {
        <form class="grid gap-5" method="post" action=DECIDE>
            <FormMistake form=form/>
            <input type="hidden" name="request" value=query.to_owned()/>
            <Facts>
                <Fact term="Client">
                    <span class="break-words font-medium">{client}</span>
                    {home.map(|home| view! { <span class="block break-all text-[13px] text-muted">{home}</span> })}
                </Fact>
                <Fact term="Answer goes to"><span class="break-words font-medium">{recipient}</span></Fact>
                <Fact term="Preset">
                    <span class="break-words font-medium">{preset}</span>
                    <code class="block break-all text-[13px] text-muted">{address}</code>
                </Fact>
                <Fact term="In the name of"><span class="break-words font-medium">{handle}</span></Fact>
            </Facts>
            {local.then(|| view! {
                <Notice tone=Tone::Warn>
                    <p>"Go on only if you started this yourself a moment ago: any program on this computer can take this name."</p>
                </Notice>
            })}
            {scopes.tools.then(|| view! {
                <fieldset class="grid grid-cols-1 gap-2">
                    <legend class="mb-2 font-medium">"Tools it may call"</legend>
                    {if none {
                        view! { <p class="text-muted">"The preset has none at the moment."</p> }.into_any()
                    } else {
                        view! {
                            <ul class="panel grid max-h-96 grid-cols-1 divide-y divide-line overflow-y-auto" tabindex="0" aria-label="Tools">{rows}</ul>
                            <p class="text-[13px] text-muted">
                                {if count == 1 { "" } else { "Untick what it should not have. " }}
                                "If all are ticked, it also gets what is added to the preset later."
                            </p>
                        }.into_any()
                    }}
                </fieldset>
            })}
            <ul class="grid list-disc gap-1 pl-5 text-muted">
                {also}
                <li>"Its calls count against your quota, and stand in the audit log."</li>
                <li>"You can take this back at any time under Clients."</li>
            </ul>
            <div class="flex flex-wrap gap-2">
                <button class="button button-primary" type="submit" name="decision" value="allow">
                    {Icon::Check.draw()} "Let it in"
                </button>
                <button class="button" type="submit" name="decision" value="refuse">"Refuse"</button>
            </div>
        </form>
    };
    let lead = if known {
        "You have let this client in before. What it has is ticked."
    } else if described.is_some() {
        "The address below its name is its own; what it says of itself Doorward has not checked."
    } else {
        "It says that this is its name; Doorward has not checked it."
    };
    Page::new(title, body).lead(lead)
}

fn tool(tool: OfferedTool) -> impl IntoView {
    let OfferedTool { name, description, source, ticked } = tool;
    view! {
        <li>
            <label class="flex items-start gap-2.5 px-3 py-2">
                <input class="mt-1" type="checkbox" name="tools[]" value=name.clone() checked=ticked/>
                <span class="min-w-0">
                    <code class="break-all font-medium">{name}</code>
                    <span class="ml-2 text-xs text-muted">{source}</span>
                    <span class="line-clamp-3 block break-words text-[13px] text-muted">{description}</span>
                </span>
            </label>
        </li>
    }
}
