//! The account page.

use doorward::{
    model::{BrowserSession, Member, User, Via},
    quota::Usage,
};
use leptos::prelude::*;

use super::{
    api::{CHANGE_PASSWORD, END_SESSION, PASSWORD_FORM},
    logins, second_step,
};
use crate::{
    context::console,
    form::Form,
    page::{Page, Place, Visit, page as framed},
    trouble::Trouble,
    ui::{Ago, Badge, Column, Fact, Facts, Field, FormMistake, Meter, Panel, PostButton, Table, Tone, count},
};

/// Draws the page.
pub(crate) fn page() -> AnyView {
    framed(Place::Account, load)
}

async fn load(visit: Visit) -> Result<Page, Trouble> {
    let console = console();
    let member = &visit.member;
    let user = console.identity.account(member).await?.ok_or(Trouble::SignIn)?;
    let usage = console.quota.usage(member.user).await?;
    let sessions = console.identity.sessions(member).await?;
    let has_password = console.identity.has_password(member).await?;
    let factor = second_step::panel(&visit, console.identity.second_step(member).await?, has_password);
    let others = logins::panel(console.identity.logins(member).await?);
    let body = view! {
        <div class="grid grid-cols-1 items-start gap-6 lg:grid-cols-2">
            {about(user, usage)}
            {password(visit.form(PASSWORD_FORM), has_password)}
            <div class="min-w-0 lg:col-span-2">{factor}</div>
            {others.map(|others| view! { <div class="min-w-0 lg:col-span-2">{others}</div> })}
            <div class="grid min-w-0 grid-cols-1 gap-3 lg:col-span-2">{browsers(member, sessions)}</div>
        </div>
    };
    Ok(Page::new("Your account", body).lead("What you may use, your password, and where you are signed in."))
}

fn about(user: User, usage: Usage) -> impl IntoView {
    view! {
        <Panel title="You">
            <div class="grid gap-4">
                <Facts>
                    <Fact term="Handle">{user.handle.to_string()}</Fact>
                    <Fact term="E-mail">{user.email.to_string()}</Fact>
                    <Fact term="Plan">{user.plan.to_string()}</Fact>
                    <Fact term="Since"><Ago at=user.created_at/></Fact>
                </Facts>
                {calls(usage)}
            </div>
        </Panel>
    }
}

fn calls(usage: Usage) -> impl IntoView {
    let Usage { used, limit, left, resets_at } = usage;
    let words = match (limit, left) {
        (Some(limit), Some(left)) => {
            format!("{} of {} calls this month, {} left", count(used), count(limit), count(left))
        }
        _ => format!("{} calls this month, no limit", count(used)),
    };
    view! {
        <div class="grid gap-1.5 border-t border-line pt-4">
            <p class="font-medium">{words}</p>
            {limit.map(|limit| view! { <Meter title="Calls used this month" part=used whole=limit/> })}
            <p class="text-[13px] text-muted">
                "The next month begins " <Ago at=resets_at/> ". " <a href="/usage">"All that you use"</a>
            </p>
        </div>
    }
}

fn password(form: Form, has_one: bool) -> impl IntoView {
    let (lead, verb) = if has_one {
        ("Changing it signs out every other browser. API keys go on working.", "Change the password")
    } else {
        ("Your account has none: you sign in with another provider. You can give it one.", "Set the password")
    };
    view! {
        <Panel title="Password" lead=lead>
            <form class="grid gap-4" method="post" action=CHANGE_PASSWORD>
                <FormMistake form=form.clone()/>
                {has_one.then(|| view! {
                    <Field form=form.clone() name="old" kind="password" label="The one you have" autocomplete="current-password"/>
                })}
                <Field
                    form=form.clone()
                    name="new"
                    kind="password"
                    label="The new one"
                    hint="Ten characters or more."
                    autocomplete="new-password"
                />
                <Field form=form name="again" kind="password" label="The new one again" autocomplete="new-password"/>
                <div><button class="button" type="submit">{verb}</button></div>
            </form>
        </Panel>
    }
}

fn browsers(member: &Member, sessions: Vec<BrowserSession>) -> impl IntoView + use<> {
    let columns = vec![
        Column::text("Browser"),
        Column::text("Address").wide(),
        Column::text("Last seen"),
        Column::actions("End it"),
    ];
    let own = member.via.clone();
    let rows = sessions
        .into_iter()
        .map(|session| {
            let is_this = own == Via::BrowserSession(session.id);
            let browser = browser_words(&session.user_agent);
            view! {
                <tr>
                    <td>
                        <span class="flex flex-wrap items-center gap-2" title=session.user_agent>
                            {browser.clone()} {is_this.then(|| view! { <Badge tone=Tone::Plain word="This one"/> })}
                        </span>
                    </td>
                    <td class="hidden font-mono text-[13px] sm:table-cell">{session.address}</td>
                    <td class="text-muted"><Ago at=session.seen_at/></td>
                    <td class="number">
                        <PostButton
                            action=END_SESSION
                            fields=vec![("id", session.id.to_string())]
                            label=format!("Sign out {browser}")
                        >
                            "Sign out"
                        </PostButton>
                    </td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <h2>"Where you are signed in"</h2>
        <Table caption="Browsers that are signed in" columns=columns>{rows}</Table>
    }
}

/// Names a browser and its system as far as what it says of itself goes.
fn browser_words(user_agent: &str) -> String {
    // Each is looked for before the ones it pretends to be.
    const BROWSERS: [(&str, &str); 6] = [
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ];
    const SYSTEMS: [(&str, &str); 6] = [
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ];
    let find = |list: &[(&str, &'static str)]| {
        list.iter().find(|(mark, _)| user_agent.contains(mark)).map(|(_, name)| *name)
    };
    match (find(&BROWSERS), find(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.to_owned(),
        (None, Some(system)) => format!("A browser on {system}"),
        (None, None) if user_agent.is_empty() => "Something that does not say what it is".to_owned(),
        (None, None) => user_agent.chars().take(40).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_not_taken_for_the_one_it_pretends_to_be() {
        let edge = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/126.0 Safari/537.36 Edg/126.0";

        assert_eq!(browser_words(edge), "Edge on Windows");
        assert_eq!(browser_words(""), "Something that does not say what it is");
    }
}
