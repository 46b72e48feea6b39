//! When each stage ran: a row a stage, its bar from when it was handed in until it ended.

use doorward::model::{AnalysisReport, ReportedStage};
use leptos::prelude::*;

use super::{
    axis::{Axis, WIDTH, lines},
    numbers::Numbers,
    words::{counted, long, outward},
};
use crate::ui::{Icon, count};

/// The most stages drawn: of more, those that took longest.
const STAGES_MAX: usize = 40;
/// How narrow a bar may be and still be seen, in units of the drawing.
const WIDTH_MIN: f64 = 4.0;
/// How high a row is, in units of the drawing.
const ROW: f64 = 24.0;

/// What is drawn.
#[derive(Debug, PartialEq)]
struct Timeline {
    axis: Axis,
    bars: Vec<Bar>,
    /// How many stages are not drawn because they took less time than those that are.
    shorter: usize,
    /// How many stages are not drawn because nobody knows when they ran.
    timeless: usize,
}

/// A stage as a bar.
#[derive(Debug, PartialEq)]
struct Bar {
    stage: ReportedStage,
    /// How long after the beginning it began, in milliseconds.
    begun_ms: i64,
    /// How long it took, or has been running, in milliseconds.
    duration_ms: i64,
    x: f64,
    width: f64,
}

/// Places the stages of a report.
fn timeline(report: &AnalysisReport) -> Timeline {
    let timed: Vec<(&ReportedStage, i64)> =
        report.stages.iter().filter_map(|stage| Some((stage, stage.begun_at_ms?))).collect();
    let timeless = report.stages.len() - timed.len();
    let first = timed.iter().map(|(_, begun)| *begun).min();
    let told = Some(report.application.begun_at_ms).filter(|begun| *begun > 0);
    let beginning = told.into_iter().chain(first).min().unwrap_or_default();
    let last = timed.iter().map(|(stage, begun)| stage.ended_at_ms.unwrap_or(*begun)).max();
    let end = last.into_iter().chain([report.application.ended_at_ms]).max().unwrap_or_default();

    let mut bars: Vec<Bar> = timed
        .into_iter()
        .map(|(stage, begun)| Bar {
            stage: stage.clone(),
            begun_ms: begun - beginning,
            duration_ms: (stage.ended_at_ms.unwrap_or(end) - begun).max(0),
            x: 0.0,
            width: 0.0,
        })
        .collect();
    bars.sort_by_key(|bar| std::cmp::Reverse(bar.duration_ms));
    let shorter = bars.len().saturating_sub(STAGES_MAX) + report.stages_omitted;
    bars.truncate(STAGES_MAX);
    bars.sort_by_key(|bar| (bar.begun_ms, bar.stage.id, bar.stage.attempt));

    let axis = Axis::holding(end - beginning);
    for bar in &mut bars {
        let end = axis.x((bar.begun_ms + bar.duration_ms) as f64);
        bar.x = axis.x(bar.begun_ms as f64).min(WIDTH - WIDTH_MIN);
        bar.width = (end - bar.x).max(WIDTH_MIN);
    }
    Timeline { axis, bars, shorter, timeless }
}

impl Timeline {
    /// Says in a sentence or two what the drawing shows.
    fn sentence(&self) -> String {
        let Some(longest) = self.bars.iter().max_by_key(|bar| bar.duration_ms) else {
            return "No stage with known times.".to_owned();
        };
        let mut words = format!(
            "The longest of {} is stage {} with {}.",
            counted(self.bars.len() + self.shorter + self.timeless, "stage"),
            longest.stage.id,
            long(longest.duration_ms as f64)
        );
        if self.shorter > 0 {
            words += &format!(" {} that took less time are not drawn.", count(self.shorter as i64));
        }
        if self.timeless > 0 {
            words += &format!(" Of {} nobody knows when they ran.", self.timeless);
        }
        words
    }
}

/// Draws when each stage of a report ran.
pub(super) fn draw(report: &AnalysisReport) -> AnyView {
    let timeline = timeline(report);
    if timeline.bars.is_empty() {
        return view! { <p class="text-muted">"The source said of no stage when it ran."</p> }.into_any();
    }
    let sentence = timeline.sentence();
    let rows = timeline.bars.iter().map(|bar| row(bar, timeline.axis)).collect_view();
    let any = |of: fn(&ReportedStage) -> bool| timeline.bars.iter().any(|bar| of(&bar.stage));
    let legend =
        marks(any(is_failed), any(|stage| stage.is_skewed), any(|stage| stage.ended_at_ms.is_none()));
    let numbers = timeline.bars.iter().map(numbers).collect_view();
    view! {
        <figure class="grid grid-cols-1 gap-3">
            <figcaption id="timeline-sentence" class="text-muted">{sentence}</figcaption>
            {legend}
            <div role="img" aria-label="When each stage ran" aria-describedby="timeline-sentence">
                <ol>{rows}</ol>
                <div class="mt-1 grid grid-cols-[6.5rem_minmax(0,1fr)_4.5rem] gap-x-3 sm:grid-cols-[16rem_minmax(0,1fr)_6rem]">
                    <div class="col-start-2">{timeline.axis.labels()}</div>
                </div>
            </div>
            <Numbers title="When each stage ran" heads=vec!["Stage", "Began after", "Took", "Tasks", "Failed tasks"]>
                {numbers}
            </Numbers>
        </figure>
    }
    .into_any()
}

fn row(bar: &Bar, axis: Axis) -> impl IntoView + use<> {
    let Bar { stage, x, width, .. } = bar;
    let took = long(bar.duration_ms as f64);
    let title =
        format!("{}, after {}: {took}{}", name(stage), long(bar.begun_ms as f64), marks_in_words(stage));
    view! {
        <li class="grid grid-cols-[6.5rem_minmax(0,1fr)_4.5rem] items-center gap-x-3 hover:bg-hover sm:grid-cols-[16rem_minmax(0,1fr)_6rem]" title=title>
            <span class="flex min-w-0 items-center gap-1.5">
                <span class="min-w-0 flex-1 truncate">{name(stage)}</span>
                {mark_icons(stage)}
            </span>
            <svg class="chart h-6" viewBox=format!("0 0 {WIDTH} {ROW}") preserveAspectRatio="none">
                {lines(axis, ROW)}
                <rect class=bar_class(stage) x=*x y="5" width=*width height=ROW - 10.0/>
            </svg>
            <span class="number whitespace-nowrap text-right text-[13px]">{took}</span>
        </li>
    }
}

fn numbers(bar: &Bar) -> impl IntoView + use<> {
    let stage = &bar.stage;
    view! {
        <tr>
            <th scope="row" class="font-normal">{stage_link(stage)} {marks_in_words(stage)}</th>
            <td class="number">{long(bar.begun_ms as f64)}</td>
            <td class="number">{long(bar.duration_ms as f64)}</td>
            <td class="number">{count(stage.tasks)}</td>
            <td class="number">{count(stage.failed_tasks)}</td>
        </tr>
    }
}

/// Returns the number of a stage, its attempt if it is not the first, and what it does.
pub(super) fn name(stage: &ReportedStage) -> String {
    let again = if stage.attempt > 0 { format!(".{}", stage.attempt) } else { String::new() };
    format!("{}{again} {}", stage.id, stage.name)
}

/// Draws the name of a stage with a link to where the history server shows it.
pub(super) fn stage_link(stage: &ReportedStage) -> AnyView {
    match outward(&stage.link) {
        Some(link) => view! { <a class="link" href=link rel="noreferrer">{name(stage)}</a> }.into_any(),
        None => name(stage).into_any(),
    }
}

/// Says whether a stage failed.
pub(super) fn is_failed(stage: &ReportedStage) -> bool {
    stage.status == "FAILED"
}

/// Draws what is to be noticed about a stage, in shapes.
pub(super) fn mark_icons(stage: &ReportedStage) -> impl IntoView + use<> {
    let skewed = stage.is_skewed.then(|| Icon::Alert.sized(tw!("size-3.5 shrink-0 text-warn")));
    let failed = is_failed(stage).then(|| Icon::Failing.sized(tw!("size-3.5 shrink-0 text-bad")));
    view! { {failed} {skewed} }
}

/// Says what the shapes mean, of those that there are.
pub(super) fn marks(failed: bool, skewed: bool, unfinished: bool) -> Option<impl IntoView + use<>> {
    (failed || skewed || unfinished).then(|| view! {
        <ul class="flex flex-wrap gap-x-4 gap-y-1 text-[13px] text-muted">
            {failed.then(|| view! {
                <li class="flex items-center gap-1.5">{Icon::Failing.sized(tw!("size-3.5 text-bad"))} "failed: a dashed bar"</li>
            })}
            {skewed.then(|| view! {
                <li class="flex items-center gap-1.5">{Icon::Alert.sized(tw!("size-3.5 text-warn"))} "skewed: its work is spread unevenly"</li>
            })}
            {unfinished.then(|| view! { <li>"Without an end: as far as was heard of it"</li> })}
        </ul>
    })
}

/// Says the same in words, after a name.
pub(super) fn marks_in_words(stage: &ReportedStage) -> String {
    let mut words = String::new();
    if is_failed(stage) {
        words += ", failed";
    }
    if stage.is_skewed {
        words += ", skewed";
    }
    words
}

fn bar_class(stage: &ReportedStage) -> &'static str {
    match (is_failed(stage), stage.is_skewed) {
        (true, _) => tw!("chart-bar chart-bar-failed"),
        (false, true) => tw!("chart-bar chart-bar-marked"),
        (false, false) => tw!("chart-bar"),
    }
}

#[cfg(test)]
mod tests {
    use doorward::model::ReportedApplication;

    use super::*;

    const BEGAN: i64 = 1_795_233_600_000;

    fn stage(id: i64, begun_ms: i64, took_ms: i64) -> ReportedStage {
        ReportedStage {
            id,
            name: "collect".into(),
            begun_at_ms: Some(BEGAN + begun_ms),
            ended_at_ms: Some(BEGAN + begun_ms + took_ms),
            ..ReportedStage::default()
        }
    }

    fn report(stages: Vec<ReportedStage>) -> AnalysisReport {
        let application = ReportedApplication {
            begun_at_ms: BEGAN,
            ended_at_ms: BEGAN + 40_000,
            ..ReportedApplication::default()
        };
        AnalysisReport { application, stages, ..AnalysisReport::default() }
    }

    #[test]
    fn each_stage_is_a_bar_by_its_time_in_the_order_of_beginning() {
        let drawn = timeline(&report(vec![stage(2, 10_000, 30_000), stage(1, 0, 20_000)]));

        let bars: Vec<_> = drawn.bars.iter().map(|bar| (bar.stage.id, bar.x, bar.width)).collect();
        assert_eq!(bars, [(1, 0.0, 500.0), (2, 250.0, 750.0)]);
        assert_eq!(
            drawn.sentence().replace('\u{202f}', " "),
            "The longest of 2 stages is stage 2 with 30 s."
        );
    }

    #[test]
    fn bars_stay_in_the_drawing_and_can_be_seen() {
        let early = stage(1, -5_000, 1);
        let late = ReportedStage { ended_at_ms: None, ..stage(2, 90_000, 0) };
        let backwards = stage(3, 20_000, -10_000);
        let last = stage(4, 40_000, 0);

        let drawn = timeline(&report(vec![early, late, backwards, last]));

        for bar in &drawn.bars {
            assert!(bar.x >= 0.0 && bar.width >= WIDTH_MIN && bar.x + bar.width <= WIDTH + 1e-9, "{bar:?}");
            assert!(bar.begun_ms >= 0 && bar.duration_ms >= 0, "{bar:?}");
        }
    }

    #[test]
    fn one_stage_that_took_no_time_is_drawn() {
        let mut report = report(vec![stage(7, 0, 0)]);
        report.application.ended_at_ms = BEGAN;

        let drawn = timeline(&report);

        assert_eq!(drawn.bars.len(), 1);
        assert_eq!((drawn.bars[0].x, drawn.bars[0].width), (0.0, WIDTH_MIN));
    }

    #[test]
    fn of_many_stages_the_longest_are_drawn_and_the_others_counted() {
        let mut report = report((0..50).map(|id| stage(id, id * 100, 100 + (id % 10) * 100)).collect());
        report.stages_omitted = 5;
        report.stages.push(ReportedStage::default());

        let drawn = timeline(&report);

        assert_eq!((drawn.bars.len(), drawn.shorter, drawn.timeless), (STAGES_MAX, 15, 1));
        assert!(drawn.bars.iter().all(|bar| bar.duration_ms >= 300), "those left out took less");
        assert!(drawn.bars.is_sorted_by_key(|bar| bar.begun_ms));
    }

    #[test]
    fn without_stages_there_is_nothing_to_draw() {
        assert!(timeline(&AnalysisReport::default()).bars.is_empty());
    }
}
