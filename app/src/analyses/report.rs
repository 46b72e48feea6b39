//! A report: what ran, what is wrong with it, and drawings with numbers.

use doorward::{
    clock::Ms,
    insights::KeptReport,
    model::{Analysis, AnalysisReport, Missing, ReportedExecutor, ReportedQuery, Totals},
};
use leptos::prelude::*;

use super::{
    finding, load, spread, timeline,
    words::{app_words, counted, long, outward},
};
use crate::{
    island::FilterBox,
    ui::{
        Badge, Column, Copyable, Figure, Icon, Notice, Panel, Snippet, Table, Tone, ago, bytes, count, now,
        per_cent, prose,
    },
};

/// Draws it. Takes the analyses that it can be compared with, and the address people use.
pub(super) fn draw(kept: &KeptReport, others: &[Analysis], base_url: &str) -> impl IntoView + use<> {
    let KeptReport { analysis, report, text, rewritten } = kept;
    let unfinished = (!report.application.is_completed).then(|| {
        view! {
            <Notice tone=Tone::Warn>
                <p>
                    "The source has seen no end of it: it runs still, or its driver was killed. "
                    "Times are as far as was heard of it."
                </p>
            </Notice>
        }
    });
    let words = rewritten.clone().map(|rewritten| {
        let label = view! { <Badge tone=Tone::Plain word=format!("written by {}", rewritten.model)/> }.into_any();
        view! {
            <Panel
                title="In a model's words"
                lead="A language model has written this from the report. Every number in it stands there; whether it is said of the right thing was not checked."
                actions=label
            >
                <p class="max-w-3xl whitespace-pre-wrap break-words">{rewritten.text}</p>
            </Panel>
        }
    });
    let (stages, tasks) = (timeline::draw(report), spread::draw(report));
    let (cores, executors) = (load::draw(report), executors(report));
    view! {
        {summary(report)}
        {unfinished}
        {missing(&report.missing)}
        {parts(report)}
        {words}
        {findings(report)}
        <section id="timeline"><Panel title="When each stage ran">{stages}</Panel></section>
        <section id="tasks"><Panel title="How long the tasks of each stage ran">{tasks}</Panel></section>
        <section id="cores"><Panel title="How cores were used">{cores} {executors}</Panel></section>
        {queries(&report.queries)}
        {settings(&report.settings)}
        {take_along(analysis, text, others, base_url)}
    }
}

fn summary(report: &AnalysisReport) -> impl IntoView + use<> {
    let Totals {
        duration_ms,
        jobs,
        failed_jobs,
        stages,
        tasks,
        failed_tasks,
        cores,
        task_time_ms,
        gc_time_ms,
        ..
    } = report.totals;
    let totals = report.totals;
    let app = &report.application;
    let mut ran = vec![counted(jobs, "job"), counted(stages, "stage"), format!("{} tasks", count(tasks))];
    if !app.spark_version.is_empty() {
        ran.push(format!("Spark {}", app.spark_version));
    }
    if !app.user.is_empty() {
        ran.push(format!("run by {}", app.user));
    }
    let failed = match (failed_jobs, failed_tasks) {
        (0, 0) => "none failed".to_owned(),
        (jobs, tasks) => format!(
            "{} and {} failed",
            counted(jobs, "job"),
            counted(usize::try_from(tasks).unwrap_or(0), "task attempt")
        ),
    };
    let busy = match load::share(report) {
        Some(share) => format!("{:.0}\u{202f}%", share * 100.0),
        None => per_cent(task_time_ms, cores.saturating_mul(duration_ms)),
    };
    let link = outward(&app.link).map(|link| {
        view! { <a class="link" href=link rel="noreferrer">"Its pages on the history server"</a> }
    });
    let begun = (app.begun_at_ms > 0).then(|| format!("began {}", ago(Ms(app.begun_at_ms), now())));
    view! {
        <section class="grid grid-cols-1 gap-3" aria-label="In short">
            <p class="flex flex-wrap gap-x-4 gap-y-1 text-muted">
                <span>{ran.join(" · ")}</span> {begun.map(|begun| view! { <span>{begun}</span> })} {link}
            </p>
            <div class="grid grid-cols-2 gap-3 lg:grid-cols-5">
                <Figure term="Took" value=long(duration_ms as f64) note=failed/>
                <Figure
                    term="Cores busy"
                    value=busy
                    note=format!("of the time of {}", counted(usize::try_from(cores).unwrap_or(0), "core"))
                />
                <Figure term="Read" value=bytes(totals.input_bytes) note=format!("{} written", bytes(totals.output_bytes))/>
                <Figure term="Shuffled" value=bytes(totals.shuffle_write_bytes) note=format!("{} spilled to disk", bytes(totals.spilled_disk_bytes))/>
                <Figure term="Garbage" value=per_cent(gc_time_ms, task_time_ms) note=format!("of {} of tasks", long(task_time_ms as f64))/>
            </div>
        </section>
    }
}

/// What could not be read.
fn missing(missing: &[Missing]) -> Option<impl IntoView + use<>> {
    let rows = missing
        .iter()
        .map(|missing| view! { <li class="break-words">{missing.what.clone()} ": " {prose(&missing.why)}</li> })
        .collect_view();
    (!missing.is_empty()).then(|| {
        view! {
            <Notice tone=Tone::Warn>
                <p class="font-medium">"Not everything could be read. Findings that need it are missing:"</p>
                <ul class="ml-5 list-disc">{rows}</ul>
            </Notice>
        }
    })
}

/// Where the parts of the page are.
fn parts(report: &AnalysisReport) -> impl IntoView + use<> {
    let links = [
        ("#findings", "Findings", true),
        ("#timeline", "Stages over time", true),
        ("#tasks", "Tasks", true),
        ("#cores", "Cores", true),
        ("#queries", "Queries", !report.queries.is_empty()),
        ("#settings", "Settings", !report.settings.is_empty()),
        ("#take-along", "Compare and export", true),
    ];
    let links = links
        .into_iter()
        .filter(|(_, _, there)| *there)
        .map(|(path, label, _)| view! { <li><a class="link" href=path>{label}</a></li> })
        .collect_view();
    view! { <nav aria-label="On this page"><ul class="flex flex-wrap gap-x-4 gap-y-1">{links}</ul></nav> }
}

fn findings(report: &AnalysisReport) -> impl IntoView + use<> {
    let cards = report
        .findings
        .iter()
        .enumerate()
        .map(|(place, found)| finding::card(place + 1, found))
        .collect_view();
    let none = report.findings.is_empty().then(|| {
        view! {
            <Notice tone=Tone::Good>
                <p>"Nothing stands out by the rules. The drawings below show where the time went."</p>
            </Notice>
        }
    });
    view! {
        <section id="findings" class="grid grid-cols-1 gap-3">
            <h2>{match report.findings.len() { 0 => "Findings".to_owned(), many => format!("Findings ({many})") }}</h2>
            {none}
            {cards}
        </section>
    }
}

fn executors(report: &AnalysisReport) -> Option<impl IntoView + use<>> {
    let rows = report.executors.iter().map(executor).collect_view();
    let columns = vec![
        Column::text("Executor"),
        Column::number("Cores"),
        Column::number("Tasks"),
        Column::number("Failed"),
        Column::number("Busy").wide(),
        Column::number("Garbage").wide(),
        Column::number("Heap, most").wide(),
    ];
    let omitted = report.executors_omitted;
    let words = counted(report.executors.len() + omitted, "executor");
    (!report.executors.is_empty()).then(|| view! {
        <details class="mt-3">
            <summary class="link inline-block text-[13px]">{format!("Show {words}")}</summary>
            <div class="mt-2 grid grid-cols-1 gap-2">
                <Table caption="Executors" columns>{rows}</Table>
                {(omitted > 0).then(|| view! { <p class="text-[13px] text-muted">{format!("{omitted} more are left out.")}</p> })}
            </div>
        </details>
    })
}

fn executor(executor: &ReportedExecutor) -> impl IntoView + use<> {
    let heap = match executor.heap_peak_bytes {
        0 => "–".to_owned(),
        peak => bytes(peak),
    };
    let gone = (!executor.removed_why.is_empty()).then(|| {
        view! { <p class="max-w-80 text-[13px] break-words text-muted">"removed: " {executor.removed_why.clone()}</p> }
    });
    view! {
        <tr>
            <td class="max-w-40 sm:max-w-80">
                <span class="font-medium">{executor.id.clone()}</span>
                <p class="truncate text-[13px] text-muted" title=executor.host.clone()>{executor.host.clone()}</p>
                {gone}
            </td>
            <td class="number">{count(executor.cores)}</td>
            <td class="number">{count(executor.tasks)}</td>
            <td class="number">{count(executor.failed_tasks)}</td>
            <td class="number hidden sm:table-cell">{long(executor.task_time_ms as f64)}</td>
            <td class="number hidden sm:table-cell">{per_cent(executor.gc_time_ms, executor.task_time_ms)}</td>
            <td class="number hidden sm:table-cell">{heap}</td>
        </tr>
    }
}

fn queries(queries: &[ReportedQuery]) -> Option<impl IntoView + use<>> {
    let rows = queries
        .iter()
        .map(|query| {
            let number = format!("Query {}", query.id);
            let number = match outward(&query.link) {
                Some(link) => view! { <a class="link" href=link rel="noreferrer">{number}</a> }.into_any(),
                None => number.into_any(),
            };
            let (tone, word) = match query.status.as_str() {
                "COMPLETED" => (Tone::Good, "Completed".to_owned()),
                "FAILED" => (Tone::Bad, "Failed".to_owned()),
                other => (Tone::Off, other.to_lowercase()),
            };
            view! {
                <tr>
                    <td class="whitespace-nowrap">{number}</td>
                    <td class="max-w-40 sm:max-w-xl"><p class="line-clamp-2 break-words" title=query.description.clone()>{query.description.clone()}</p></td>
                    <td><Badge tone word/></td>
                    <td class="number whitespace-nowrap">{long(query.duration_ms as f64)}</td>
                </tr>
            }
        })
        .collect_view();
    let columns = vec![
        Column::text("Query"),
        Column::text("What it does"),
        Column::text("State"),
        Column::number("Took"),
    ];
    (!queries.is_empty()).then(|| {
        view! {
            <section id="queries" class="grid grid-cols-1 gap-3">
                <h2>"Slowest queries"</h2>
                <Table caption="Slowest queries, the slowest first" columns>{rows}</Table>
            </section>
        }
    })
}

fn settings(settings: &[(String, String)]) -> Option<impl IntoView + use<>> {
    let rows = settings
        .iter()
        .map(|(name, value)| {
            let held = format!("{name} {value}").to_lowercase();
            view! {
                <tr data-filter=held>
                    <td class="break-all"><code>{name.clone()}</code></td>
                    <td class="break-all">{value.clone()}</td>
                </tr>
            }
        })
        .collect_view();
    let summary = format!("Show {}", counted(settings.len(), "setting"));
    (!settings.is_empty()).then(|| view! {
        <section id="settings">
            <Panel title="Settings" lead="What it ran with, as Spark tells it. What is secret is left out.">
                <details>
                    <summary class="link inline-block">{summary}</summary>
                    <div class="mt-3 grid grid-cols-1 gap-3">
                        <FilterBox label="Filter the settings".to_owned()/>
                        <Table caption="Settings" columns=vec![Column::text("Setting"), Column::text("Value")]>{rows}</Table>
                    </div>
                </details>
            </Panel>
        </section>
    })
}

fn take_along(analysis: &Analysis, text: &str, others: &[Analysis], base_url: &str) -> impl IntoView + use<> {
    let id = analysis.id;
    let exports = [("Markdown", "md"), ("JSON", "json")].map(|(name, end)| {
        view! { <a class="button" href=format!("/api/v1/analyses/{id}/report.{end}") download="">{name}</a> }
    });
    let choice = compare(analysis, others);
    let link = format!("{base_url}/analyses/{id}");
    view! {
        <section id="take-along" class="grid grid-cols-1 gap-6 lg:grid-cols-2">
            <Panel title="Compare" lead="With another analysis of this application, or of one of the same name.">
                {choice}
            </Panel>
            <Panel title="Share and export" lead="The link is for people of this organisation.">
                <div class="grid gap-4">
                    <Copyable text=link/>
                    <div class="flex flex-wrap gap-2">{exports}</div>
                </div>
            </Panel>
        </section>
        <details>
            <summary class="link inline-block">"Show the report as a text"</summary>
            <div class="mt-2"><Snippet text=text.to_owned()/></div>
        </details>
    }
}

fn compare(analysis: &Analysis, others: &[Analysis]) -> AnyView {
    if others.is_empty() {
        return view! {
            <p class="text-muted">"There is none yet. Analyse it again after a change, or another run of the same name."</p>
        }
        .into_any();
    }
    let options = others
        .iter()
        .map(|other| view! { <option value=other.id.to_string()>{choice_words(other)}</option> })
        .collect_view();
    view! {
        <form class="flex flex-wrap items-end gap-3" method="get" action=format!("/analyses/{}/against", analysis.id)>
            <div class="field min-w-0 flex-1 basis-56">
                <label for="other">"Against"</label>
                <select id="other" name="other">{options}</select>
            </div>
            <button class="button" type="submit">{Icon::ArrowRight.draw()} "Compare"</button>
        </form>
    }
    .into_any()
}

/// Names an analysis among others of its application.
pub(super) fn choice_words(analysis: &Analysis) -> String {
    let app = app_words(&analysis.app_id, analysis.attempt.as_deref());
    format!("{app}, analysed {}", ago(analysis.begun_at, now()))
}
