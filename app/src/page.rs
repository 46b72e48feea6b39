//! A page: who looks at it, the frame around it, and what it says when it cannot be shown.

use std::{future::Future, sync::Arc};

use doorward::{
    model::{InstanceRole, Member, Membership, OrgRole},
    policy,
};
use http::StatusCode;
use leptos::prelude::*;
use leptos_meta::Title;

use crate::{
    context::{console, path_and_query, respond_as, send_to},
    form::{Flash, Form, Report, sign_in_path, take},
    organisations::{SWITCH, role_words},
    session,
    trouble::Trouble,
    ui::{Icon, Notice, PostButton, Tone, prose},
};

/// The places of the left rail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Home,
    Sources,
    Presets,
    Gallery,
    Connections,
    Keys,
    Grants,
    Analyses,
    Metrics,
    Audit,
    Organisations,
    Admin,
    Account,
    /// None of them.
    Nowhere,
}

impl Place {
    const RAIL: [Self; 12] = [
        Self::Home,
        Self::Sources,
        Self::Presets,
        Self::Gallery,
        Self::Connections,
        Self::Keys,
        Self::Grants,
        Self::Analyses,
        Self::Metrics,
        Self::Audit,
        Self::Organisations,
        Self::Admin,
    ];

    fn path(self) -> &'static str {
        match self {
            Self::Home => "/",
            Self::Sources => "/sources",
            Self::Presets => "/presets",
            Self::Gallery => "/gallery",
            Self::Connections => "/connections",
            Self::Keys => "/keys",
            Self::Grants => "/grants",
            Self::Analyses => "/analyses",
            Self::Metrics => "/metrics",
            Self::Audit => "/audit",
            Self::Organisations => "/organisations",
            Self::Admin => "/admin",
            Self::Account => "/account",
            Self::Nowhere => "/",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Home => "Home",
            Self::Sources => "Data sources",
            Self::Presets => "Presets",
            Self::Gallery => "Gallery",
            Self::Connections => "Connections",
            Self::Keys => "API keys",
            Self::Grants => "Clients",
            Self::Analyses => "Analyses",
            Self::Metrics => "Metrics",
            Self::Audit => "Audit",
            Self::Organisations => "Organisations",
            Self::Admin => "Admin",
            Self::Account => "Account",
            Self::Nowhere => "",
        }
    }

    fn icon(self) -> Icon {
        match self {
            Self::Home => Icon::Home,
            Self::Sources => Icon::Plug,
            Self::Presets => Icon::Layers,
            Self::Gallery => Icon::Globe,
            Self::Connections => Icon::Refresh,
            Self::Keys => Icon::Key,
            Self::Grants => Icon::Link,
            Self::Analyses => Icon::Analysis,
            Self::Metrics => Icon::Metrics,
            Self::Audit => Icon::Audit,
            Self::Organisations => Icon::Team,
            Self::Admin => Icon::Admin,
            Self::Account => Icon::Account,
            Self::Nowhere => Icon::Home,
        }
    }
}

/// One look at a page by somebody who is signed in.
#[derive(Clone)]
pub(crate) struct Visit {
    /// Who looks.
    pub member: Arc<Member>,
    /// A secret that was just made, to be shown now and never again.
    pub once: Option<String>,
    typed: Option<Form>,
    /// The steps of what was tried just before.
    pub report: Option<Report>,
}

impl Visit {
    /// Says whether the person manages the organisation they act in.
    pub(crate) fn manages(&self) -> bool {
        self.member.org_role >= OrgRole::Admin
    }

    /// Says whether the person runs and tests what the organisation they act in has.
    pub(crate) fn operates(&self) -> bool {
        self.member.org_role >= OrgRole::Operator
    }

    /// Refuses whoever has a lower role in the organisation they act in, before anything is typed.
    pub(crate) fn needs(&self, role: OrgRole) -> Result<(), Trouble> {
        Ok(policy::may_manage(&self.member, self.member.tenant, role).map(drop)?)
    }

    /// Returns the form of this name: as typed, if it was just sent, or empty.
    pub(crate) fn form(&self, name: &str) -> Form {
        self.sent(name).unwrap_or_else(|| Form::new(name))
    }

    /// Returns the form of this name if it was just sent.
    pub(crate) fn sent(&self, name: &str) -> Option<Form> {
        self.typed.clone().filter(|form| form.name() == name)
    }
}

/// What a page shows.
pub(crate) struct Page {
    title: String,
    lead: AnyView,
    above: Option<(String, String)>,
    actions: AnyView,
    body: AnyView,
}

impl Page {
    /// Makes a page of a title and what is below it.
    pub(crate) fn new(title: impl Into<String>, body: impl IntoView + 'static) -> Self {
        Self {
            title: title.into(),
            lead: ().into_any(),
            above: None,
            actions: ().into_any(),
            body: body.into_any(),
        }
    }

    /// Says in one sentence what the page is for.
    pub(crate) fn lead(mut self, lead: impl IntoView + 'static) -> Self {
        self.lead = view! { <div class="mt-1 max-w-3xl text-muted">{lead}</div> }.into_any();
        self
    }

    /// Names the page above this one.
    pub(crate) fn above(mut self, path: impl Into<String>, label: impl Into<String>) -> Self {
        self.above = Some((path.into(), label.into()));
        self
    }

    /// Puts buttons at the right of the title.
    pub(crate) fn actions(mut self, actions: impl IntoView + 'static) -> Self {
        self.actions = actions.into_any();
        self
    }
}

/// Loads and draws a page for whoever is signed in, and sends everybody else to sign in.
pub(crate) fn page<Load, Loading>(place: Place, load: Load) -> AnyView
where
    Load: FnOnce(Visit) -> Loading + Send + 'static,
    Loading: Future<Output = Result<Page, Trouble>> + Send + 'static,
{
    Suspend::new(async move {
        let member = match session::member().await {
            Ok(member) => member,
            Err(trouble) => return alone(&trouble),
        };
        let Flash { notice, form, once, report } = take();
        let visit = Visit { member: Arc::clone(&member), once, typed: form, report };
        let page = match load(visit).await {
            Ok(page) => page,
            Err(trouble @ (Trouble::SignIn | Trouble::Elsewhere(_))) => return alone(&trouble),
            Err(trouble) => excuse(&trouble),
        };
        match memberships(&member).await {
            Ok(memberships) => framed(place, &member, memberships, notice, page).into_any(),
            Err(trouble) => alone(&trouble),
        }
    })
    .into_any()
}

/// Draws a page without the frame, for people who are not signed in: a card in the middle.
pub(crate) fn bare<Load, Loading>(load: Load) -> AnyView
where
    Load: FnOnce(Flash) -> Loading + Send + 'static,
    Loading: Future<Output = Result<Page, Trouble>> + Send + 'static,
{
    Suspend::new(async move {
        let flash = take();
        let notice = flash.notice.clone();
        match load(flash).await {
            Ok(page) => card(notice, page).into_any(),
            Err(trouble) => alone(&trouble),
        }
    })
    .into_any()
}

/// Draws the page for an address that leads nowhere.
pub(crate) fn nowhere() -> AnyView {
    Suspend::new(async move {
        let found = match session::find().await {
            Ok(Some(member)) => memberships(&member).await.map(|memberships| Some((member, memberships))),
            Ok(None) => Ok(None),
            Err(trouble) => Err(trouble),
        };
        match found {
            Ok(Some((member, memberships))) => {
                let page = excuse(&Trouble::NotFound);
                framed(Place::Nowhere, &member, memberships, None, page).into_any()
            }
            Ok(None) => alone(&Trouble::NotFound),
            Err(trouble) => alone(&trouble),
        }
    })
    .into_any()
}

/// Returns the organisations that the frame offers to act in.
async fn memberships(member: &Member) -> Result<Arc<[Membership]>, Trouble> {
    Ok(console().orgs.memberships(member).await?.into())
}

/// What is shown when there is nobody to draw the frame for.
fn alone(trouble: &Trouble) -> AnyView {
    match trouble {
        Trouble::SignIn => send_to(&sign_in_path(&path_and_query())),
        Trouble::Elsewhere(path) => send_to(path),
        Trouble::NotFound | Trouble::Forbidden(_) | Trouble::Busy | Trouble::Broken => {
            return card(None, excuse(trouble)).into_any();
        }
    }
    ().into_any()
}

/// Sets the status and says what is wrong.
fn excuse(trouble: &Trouble) -> Page {
    let (status, title, text) = match trouble {
        Trouble::SignIn | Trouble::Elsewhere(_) => {
            (StatusCode::UNAUTHORIZED, "Please sign in", "Nobody is signed in.".to_owned())
        }
        Trouble::NotFound => (
            StatusCode::NOT_FOUND,
            "There is nothing here",
            "The address leads nowhere, or to something that is not yours.".to_owned(),
        ),
        Trouble::Forbidden(why) => (StatusCode::FORBIDDEN, "This is not for you", why.clone()),
        Trouble::Busy => (
            StatusCode::SERVICE_UNAVAILABLE,
            "The database is busy",
            "Try again in a moment. Nothing was lost.".to_owned(),
        ),
        Trouble::Broken => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "Something failed inside Doorward",
            "The log says what. Nothing you typed was kept.".to_owned(),
        ),
    };
    respond_as(status);
    let again = matches!(trouble, Trouble::Busy | Trouble::Broken).then(path_and_query);
    Page::new(
        title,
        view! {
            <div class="grid gap-5">
                <p class="max-w-xl text-muted">{prose(&text)}</p>
                <div class="flex flex-wrap gap-2">
                    {again.map(|path| view! { <a class="button" href=path>{Icon::Refresh.draw()} "Try again"</a> })}
                    <a class="button" href="/">{Icon::Home.draw()} "Home"</a>
                </div>
                <p class="text-[13px] text-subtle">{format!("HTTP status {}", status.as_u16())}</p>
            </div>
        },
    )
}

fn framed(
    place: Place,
    member: &Member,
    memberships: Arc<[Membership]>,
    notice: Option<(Tone, String)>,
    page: Page,
) -> impl IntoView {
    let Page { title, lead, above, actions, body } = page;
    let (wide, narrow) = (Arc::clone(&memberships), memberships);
    view! {
        <Title text=tab_title(&title)/>
        <a class="skip-link" href="#content">"Skip to the content"</a>
        <div class="lg:grid lg:min-h-dvh lg:grid-cols-[15rem_1fr]">
            <aside class="sticky top-0 hidden h-dvh flex-col border-r border-line bg-surface lg:flex">
                <div class="px-4 py-4"><Brand/></div>
                <div class="px-2.5 pb-2.5"><Acting place member=member.clone() memberships=wide/></div>
                <div class="flex-1 overflow-y-auto px-2.5"><Rail place member=member.clone()/></div>
                <div class="border-t border-line p-2.5"><Person place member=member.clone()/></div>
            </aside>
            <header class="sticky top-0 z-20 border-b border-line bg-surface lg:hidden">
                <div class="flex items-center justify-between gap-3 px-4 py-2.5">
                    <Brand/>
                    <details class="group">
                        <summary class="button button-small">
                            <span class="group-open:hidden">{Icon::Menu.draw()}</span>
                            <span class="hidden group-open:inline">{Icon::Close.draw()}</span>
                            "Menu"
                        </summary>
                        <div class="absolute inset-x-0 top-full grid max-h-[80dvh] gap-2 overflow-y-auto border-y border-line bg-surface px-2.5 py-2.5">
                            <Acting place member=member.clone() memberships=narrow/>
                            <Rail place member=member.clone()/>
                            <div class="border-t border-line pt-2.5"><Person place member=member.clone()/></div>
                        </div>
                    </details>
                </div>
            </header>
            <main id="content" class="min-w-0 px-4 py-6 sm:px-6 lg:px-10 lg:py-8" tabindex="-1">
                <div class="mx-auto grid max-w-6xl grid-cols-1 gap-6">
                    <div class="flex flex-wrap items-start justify-between gap-x-6 gap-y-3">
                        <div class="min-w-0 flex-1 basis-72">
                            {above.map(|(path, label)| view! {
                                <a class="mb-1 inline-block text-[13px] text-muted hover:text-ink" href=path>
                                    "← " {label}
                                </a>
                            })}
                            <h1 class="break-words">{title}</h1>
                            {lead}
                        </div>
                        <div class="flex flex-wrap items-center gap-2">{actions}</div>
                    </div>
                    {notice.map(|(tone, text)| view! { <Notice tone><p>{prose(&text)}</p></Notice> })}
                    {body}
                </div>
            </main>
        </div>
    }
}

fn card(notice: Option<(Tone, String)>, page: Page) -> impl IntoView {
    let Page { title, lead, body, .. } = page;
    view! {
        <Title text=tab_title(&title)/>
        <main class="mx-auto flex min-h-dvh max-w-md flex-col justify-center gap-6 px-4 py-10">
            <Brand/>
            <div class="panel grid gap-5 p-6">
                <div>
                    <h1>{title}</h1>
                    {lead}
                </div>
                {notice.map(|(tone, text)| view! { <Notice tone><p>{prose(&text)}</p></Notice> })}
                {body}
            </div>
        </main>
    }
}

/// Returns what the browser's tab says. It is put into the document as it is, and some titles hold what
/// others wrote.
fn tab_title(title: &str) -> String {
    let title = title.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!("{title} · Doorward")
}

#[component]
fn Brand() -> impl IntoView {
    view! {
        <a class="inline-flex items-center gap-2 text-base font-semibold tracking-tight" href="/">
            <svg class="size-6" viewBox="0 0 24 24" aria-hidden="true">
                <rect class="fill-accent" x="1" y="1" width="22" height="22" rx="6"/>
                <path class="fill-accent-ink" d="M7 19V8a3 3 0 0 1 3-3h4a3 3 0 0 1 3 3v11h-2.2V8.2a1 1 0 0 0-1-1h-3.6a1 1 0 0 0-1 1V19z"/>
                <circle class="fill-accent-ink" cx="12.9" cy="13" r="1.1"/>
            </svg>
            "Doorward"
        </a>
    }
}

/// Says in which organisation the person acts, and lets them act in another one: a button for each. Whoever has only
/// their own sees nothing.
#[component]
fn Acting(place: Place, member: Member, memberships: Arc<[Membership]>) -> impl IntoView {
    let others: Vec<_> = memberships
        .iter()
        .filter(|one| one.organisation.id != member.tenant && one.organisation.enabled)
        .map(|one| (one.organisation.handle.to_string(), one.organisation.name().to_owned()))
        .collect();
    let here = memberships.iter().find(|one| one.organisation.id == member.tenant);
    if others.is_empty() && member.is_at_home() {
        return ().into_any();
    }
    let name =
        here.map_or_else(|| member.tenant_handle.to_string(), |one| one.organisation.name().to_owned());
    let role = match member.is_at_home() {
        true => "Your own",
        false => role_words(member.org_role),
    };
    let buttons = others
        .into_iter()
        .map(|(handle, name)| {
            let fields = vec![("organisation", handle), ("next", place.path().to_owned())];
            let label = format!("Act in {name}");
            view! {
                <li>
                    <PostButton action=SWITCH fields class=tw!("nav-link w-full") label>
                        {Icon::Team.draw()} <span class="truncate">{name}</span>
                    </PostButton>
                </li>
            }
        })
        .collect_view();
    view! {
        <details class="group rounded-lg border border-line">
            <summary class="nav-link cursor-pointer">
                {Icon::Team.draw()}
                <span class="grid min-w-0 flex-1 leading-tight">
                    <span class="sr-only">"Acting in "</span>
                    <span class="truncate">{name}</span>
                    <span class="text-xs font-normal text-muted">{role}</span>
                </span>
                <span class="group-open:rotate-90">{Icon::ChevronRight.draw()}</span>
            </summary>
            <ul class="grid max-h-60 gap-0.5 overflow-y-auto border-t border-line p-1">{buttons}</ul>
        </details>
    }
    .into_any()
}

#[component]
fn Rail(place: Place, member: Member) -> impl IntoView {
    let links = Place::RAIL
        .into_iter()
        .filter(|to| *to != Place::Admin || member.is_instance_admin())
        .map(|to| {
            let current = (to == place).then_some("page");
            view! {
                <li>
                    <a class="nav-link" href=to.path() aria-current=current>{to.icon().draw()} {to.label()}</a>
                </li>
            }
        })
        .collect_view();
    view! {
        <nav aria-label="Console">
            <ul class="grid gap-0.5">{links}</ul>
        </nav>
    }
}

#[component]
fn Person(place: Place, member: Member) -> impl IntoView {
    let handle = member.handle.to_string();
    let role = match member.instance_role {
        InstanceRole::Admin => "Administrator",
        InstanceRole::Auditor => "Auditor",
        InstanceRole::Member => "Member",
    };
    let current = (place == Place::Account).then_some("page");
    view! {
        <div class="grid gap-0.5">
            <a class="nav-link" href=Place::Account.path() aria-current=current>
                {Icon::Account.draw()}
                <span class="grid min-w-0 leading-tight">
                    <span class="truncate">{handle}</span>
                    <span class="text-xs font-normal text-muted">{role}</span>
                </span>
            </a>
            <form method="post" action=crate::sign_in::SIGN_OUT>
                <button class="nav-link w-full" type="submit">{Icon::SignOut.draw()} "Sign out"</button>
            </form>
        </div>
    }
}
