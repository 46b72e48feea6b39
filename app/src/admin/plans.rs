//! What people may use.

use doorward::{model::Plan, policy};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::{
    api::{PLAN_FORM, SAVE_PLAN},
    tabs,
};
use crate::{
    context::console,
    form::{Form, encode},
    limits,
    page::{Page, Place, Visit, page as framed},
    trouble::Trouble,
    ui::{Column, Field, FormMistake, Icon, Table, count},
};

/// Draws the list.
pub(crate) fn plans_page() -> AnyView {
    framed(Place::Admin, list)
}

async fn list(visit: Visit) -> Result<Page, Trouble> {
    let permit = policy::may_administer(&visit.member)?;
    let plans = console().identity.plans(&permit).await?;
    let columns = vec![
        Column::text("Plan"),
        Column::number("Calls a month"),
        Column::number("Analyses a month"),
        Column::number("At a time"),
        Column::number("Data sources"),
        Column::number("Presets").wide(),
        Column::number("Analyses kept").wide(),
        Column::number("Days kept"),
    ];
    let rows = plans
        .into_iter()
        .map(|plan| {
            let path = format!("/admin/plans/{}", encode(plan.name.as_str()));
            view! {
                <tr>
                    <td><a class="link font-medium" href=path>{plan.name.to_string()}</a></td>
                    <td class="number">{limit(plan.calls_per_month)}</td>
                    <td class="number">{limit(plan.analyses_per_month)}</td>
                    <td class="number">{limit(plan.concurrent_analyses)}</td>
                    <td class="number">{limit(plan.sources_max)}</td>
                    <td class="number hidden sm:table-cell">{limit(plan.presets_max)}</td>
                    <td class="number hidden sm:table-cell">{limit(plan.stored_analyses_max)}</td>
                    <td class="number">{limit(plan.retention_days)}</td>
                </tr>
            }
        })
        .collect_view();
    let body = view! {
        {tabs("/admin/plans")}
        <Table caption="Plans" columns=columns>{rows}</Table>
    };
    let page = Page::new("Admin", body)
        .lead("What a person or an organisation may use in a calendar month (UTC), and may have.")
        .actions(view! { <a class="button button-primary" href="/admin/plans/new">{Icon::Plus.draw()} "Add a plan"</a> });
    Ok(page)
}

fn limit(limit: Option<i64>) -> AnyView {
    match limit {
        Some(number) => count(number).into_any(),
        None => view! { <span class="text-muted">"no limit"</span> }.into_any(),
    }
}

/// Draws the form for a new plan.
pub(crate) fn new_plan_page() -> AnyView {
    framed(Place::Admin, |visit: Visit| async move {
        policy::may_administer(&visit.member)?;
        let body = draw(visit.form(PLAN_FORM), None);
        Ok(Page::new("Add a plan", body).above("/admin/plans", "Plans"))
    })
}

/// Draws one plan.
pub(crate) fn plan_page() -> AnyView {
    let name = use_params_map().get_untracked().get("name").unwrap_or_default();
    framed(Place::Admin, move |visit: Visit| async move {
        let permit = policy::may_administer(&visit.member)?;
        let plans = console().identity.plans(&permit).await?;
        let plan = plans.into_iter().find(|plan| plan.name.as_str() == name).ok_or(Trouble::NotFound)?;
        let title = plan.name.to_string();
        let page = Page::new(title, draw(visit.form(PLAN_FORM), Some(plan)))
            .lead("A change holds from the next call on.")
            .above("/admin/plans", "Plans");
        Ok(page)
    })
}

fn draw(form: Form, plan: Option<Plan>) -> impl IntoView {
    let is_new = plan.is_none();
    let number = |pick: fn(&Plan) -> Option<i64>| {
        plan.as_ref().and_then(pick).map(|number| number.to_string()).unwrap_or_default()
    };
    let calls = number(|plan| plan.calls_per_month);
    let analyses = number(|plan| plan.analyses_per_month);
    let at_once = number(|plan| plan.concurrent_analyses);
    let sources = number(|plan| plan.sources_max);
    let presets = number(|plan| plan.presets_max);
    let stored = number(|plan| plan.stored_analyses_max);
    let days = number(|plan| plan.retention_days);
    let rate = plan.as_ref().and_then(|plan| plan.rate);
    let name = match plan {
        Some(plan) => view! { <input type="hidden" name="name" value=plan.name.to_string()/> }.into_any(),
        None => view! {
            <Field form=form.clone() name="name" label="Name" hint="Lower-case letters, digits and -." autofocus=true mono=true/>
        }
        .into_any(),
    };
    view! {
        <form class="grid max-w-md gap-5" method="post" action=SAVE_PLAN>
            <input type="hidden" name="is_new" value=is_new.to_string()/>
            <FormMistake form=form.clone()/>
            {name}
            <Field form=form.clone() name="calls_per_month" label="Calls a month" first=calls hint="Empty is no limit." optional=true plain=true/>
            <Field form=form.clone() name="analyses_per_month" label="Analyses a month" first=analyses hint="Empty is no limit." optional=true plain=true/>
            <Field form=form.clone() name="concurrent_analyses" label="Analyses at a time" first=at_once hint="Empty is no limit." optional=true plain=true/>
            <Field form=form.clone() name="sources_max" label="Data sources" first=sources hint="Empty is no limit." optional=true plain=true/>
            <Field form=form.clone() name="presets_max" label="Presets" first=presets hint="Empty is no limit." optional=true plain=true/>
            <Field form=form.clone() name="stored_analyses_max" label="Analyses kept" first=stored hint="Empty is no limit." optional=true plain=true/>
            <Field form=form.clone() name="retention_days" label="Days that events and metrics are kept" first=days hint="Empty is for ever." optional=true plain=true/>
            {limits::rate_field(form, "Calls of a person", rate)}
            <div class="flex gap-2">
                <button class="button button-primary" type="submit">"Save"</button>
                <a class="button button-quiet" href="/admin/plans">"Cancel"</a>
            </div>
        </form>
    }
}
