//! The page of explanations.

use doorward::{
    explain::{Asker, ExplainError, Explanation, Question, Verdict},
    model::{Handle, Slug},
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use crate::{
    context::console,
    form::{Form, encode},
    page::{Page, Place, Visit, page as framed},
    trouble::{Trouble, sentence},
    ui::{Badge, Column, Copyable, Field, Notice, Panel, Table, Tone, prose},
};

/// What stands in the address.
struct Asked {
    preset: String,
    whom: String,
    tool: String,
}

/// Draws the page.
pub(crate) fn page() -> AnyView {
    let asked = use_query_map().with_untracked(|map| {
        let text = |name: &str| map.get(name).unwrap_or_default().trim().to_owned();
        Asked { preset: text("preset"), whom: text("as"), tool: text("tool") }
    });
    framed(Place::Presets, move |visit| load(visit, asked))
}

async fn load(visit: Visit, asked: Asked) -> Result<Page, Trouble> {
    let own = visit.member.handle.to_string();
    let whom = if asked.whom.is_empty() { own } else { asked.whom.clone() };
    let answer = match asked.preset.is_empty() {
        true => None,
        false => Some(answer(&visit, &asked, &whom).await?),
    };
    let drawn = match answer {
        None => ().into_any(),
        Some(Err(text)) => view! { <Notice tone=Tone::Bad><p>{text}</p></Notice> }.into_any(),
        Some(Ok(explained)) => {
            let link = format!(
                "{}/explain?preset={}&as={}&tool={}",
                console().settings.base_url,
                encode(&asked.preset),
                encode(&whom),
                encode(&asked.tool),
            );
            draw(explained, link).into_any()
        }
    };
    let body = view! {
        <div class="grid grid-cols-1 gap-5">
            {form(&asked, whom)}
            {drawn}
        </div>
    };
    Ok(Page::new("Why does a call not work?", body)
        .above("/presets", "Presets")
        .lead("Every decision on the way of a call, in order, with what to do about the first that refuses."))
}

/// Returns the explanation, or what is wrong with the question.
async fn answer(visit: &Visit, asked: &Asked, whom: &str) -> Result<Result<Explanation, String>, Trouble> {
    let Some((owner, slug)) = asked.preset.split_once('/') else {
        return Ok(Err("Name the preset by owner and slug, as ada/release-notes.".to_owned()));
    };
    let (owner, slug) = match (Handle::parse(owner), Slug::parse(slug)) {
        (Ok(owner), Ok(slug)) => (owner, slug),
        (Err(error), _) | (_, Err(error)) => return Ok(Err(sentence(&error.to_string()))),
    };
    let whom = match whom {
        "nobody" => None,
        handle => match Handle::parse(handle) {
            Ok(handle) => Some(handle),
            Err(error) => return Ok(Err(sentence(&error.to_string()))),
        },
    };
    let tool = (!asked.tool.is_empty()).then(|| asked.tool.clone());
    let question = Question { whom, owner, slug, tool };
    match console().explain.explain(&Asker::Person(visit.member.clone()), &question).await {
        Ok(explained) => Ok(Ok(explained)),
        Err(error @ (ExplainError::NotYours | ExplainError::Nobody(_))) => {
            Ok(Err(sentence(&error.to_string())))
        }
        Err(error) => Err(error.into()),
    }
}

fn form(asked: &Asked, whom: String) -> impl IntoView + use<> {
    let form = Form::new("explain");
    view! {
        <form class="grid max-w-xl gap-4" method="get" action="/explain">
            <Field
                form=form.clone()
                name="preset"
                label="Preset"
                mono=true
                placeholder="ada/release-notes"
                hint="Owner and slug, as in its address."
                first=asked.preset.clone()
            />
            <Field form=form.clone() name="tool" label="Tool" mono=true optional=true first=asked.tool.clone()/>
            <Field
                form=form
                name="as"
                label="Whose call"
                mono=true
                hint="Your handle, or that of somebody you share the preset with; nobody for a call without a key."
                first=whom
            />
            <div><button class="button button-primary" type="submit">"Explain"</button></div>
        </form>
    }
}

fn draw(explained: Explanation, link: String) -> impl IntoView {
    let works = explained.works();
    let rows = explained
        .steps
        .into_iter()
        .map(|step| {
            let tone = match step.verdict {
                Verdict::Passes => Tone::Good,
                Verdict::Warns => Tone::Warn,
                Verdict::Refuses => Tone::Bad,
                Verdict::Open => Tone::Off,
            };
            view! {
                <tr>
                    <td class="font-medium">{step.layer.word()}</td>
                    <td><Badge tone word=step.verdict.word()/></td>
                    <td>{prose(&sentence(&step.says))}</td>
                </tr>
            }
        })
        .collect_view();
    let columns = vec![Column::text("Layer"), Column::text("Decision"), Column::text("Why")];
    let cure = explained.cure.map(|cure| {
        let text = sentence(&cure.text);
        let done = match cure.path {
            Some(path) => view! { <a class="link" href=path>{text}</a> }.into_any(),
            None => text.into_any(),
        };
        view! { <Notice tone=Tone::Warn><p>"To do: " {done}</p></Notice> }
    });
    let works =
        works.then(|| view! { <Notice tone=Tone::Good><p>"The call would be let through."</p></Notice> });
    view! {
        {cure}
        {works}
        <Table caption="Decisions" columns>{rows}</Table>
        <Panel title="Link to this explanation" lead="Whoever opens it sees what they may know.">
            <Copyable text=link/>
        </Panel>
    }
}
