//! How long the tasks of each stage ran: from the shortest to the longest, with the middle half as a box.

use doorward::model::{AnalysisReport, ReportedStage};
use leptos::prelude::*;

use super::{
    axis::{Axis, WIDTH, lines},
    numbers::Numbers,
    timeline::{is_failed, mark_icons, marks, marks_in_words, name, stage_link},
    words::{counted, long},
};
use crate::ui::count;

/// The most stages drawn: of more, those with the longest tasks.
const STAGES_MAX: usize = 40;
/// How narrow a box may be and still be seen, in units of the drawing.
const WIDTH_MIN: f64 = 3.0;
/// How high a row is, in units of the drawing.
const ROW: f64 = 24.0;

/// What is drawn.
#[derive(Debug, PartialEq)]
struct Spread {
    axis: Axis,
    rows: Vec<Row>,
    /// How many stages with several tasks are not drawn because their tasks were shorter.
    shorter: usize,
}

/// How long the tasks of a stage ran.
#[derive(Debug, PartialEq)]
struct Row {
    stage: ReportedStage,
    /// The shortest, a quarter, the median, three quarters, the longest, in milliseconds.
    ms: [f64; 5],
    /// The same as places in the drawing.
    x: [f64; 5],
}

impl Row {
    /// Returns how many times the median one the longest task took; `None` if the median one took no time.
    fn ratio(&self) -> Option<f64> {
        (self.ms[2] > 0.0).then(|| self.ms[4] / self.ms[2])
    }
}

/// Places the tasks of the stages that have several.
fn spread(report: &AnalysisReport) -> Spread {
    let mut rows: Vec<Row> = report
        .stages
        .iter()
        .filter(|stage| stage.tasks > 1)
        .filter_map(|stage| {
            let ms: [f64; 5] = stage.task_ms.as_slice().try_into().ok()?;
            let is_known = ms.iter().all(|ms| ms.is_finite() && *ms >= 0.0) && ms.is_sorted();
            is_known.then(|| Row { stage: stage.clone(), ms, x: [0.0; 5] })
        })
        .collect();
    rows.sort_by(|one, other| other.ms[4].total_cmp(&one.ms[4]));
    let shorter = rows.len().saturating_sub(STAGES_MAX);
    rows.truncate(STAGES_MAX);

    let longest = rows.first().map_or(0.0, |row| row.ms[4]);
    let axis = Axis::holding(longest.ceil() as i64);
    for row in &mut rows {
        row.x = row.ms.map(|ms| axis.x(ms));
    }
    Spread { axis, rows, shorter }
}

impl Spread {
    /// Says in a sentence or two what the drawing shows.
    fn sentence(&self) -> String {
        let mut words = match self.rows.first() {
            None => "No stage with several tasks.".to_owned(),
            Some(row) => format!(
                "The longest task is one of stage {}: {}{}.",
                row.stage.id,
                long(row.ms[4]),
                row.ratio().map_or_else(String::new, |ratio| format!(", {} the median one", times(ratio))),
            ),
        };
        if self.shorter > 0 {
            words += &format!(" {} with shorter tasks are not drawn.", counted(self.shorter, "stage"));
        }
        words
    }
}

/// Draws how long the tasks of each stage ran.
pub(super) fn draw(report: &AnalysisReport) -> AnyView {
    let spread = spread(report);
    if spread.rows.is_empty() {
        let text = "No stage has several tasks, or the source does not say how long they ran.";
        return view! { <p class="text-muted">{text}</p> }.into_any();
    }
    let sentence = spread.sentence();
    let rows = spread.rows.iter().map(|row| draw_row(row, spread.axis)).collect_view();
    let any = |of: fn(&ReportedStage) -> bool| spread.rows.iter().any(|row| of(&row.stage));
    let legend = marks(any(is_failed), any(|stage| stage.is_skewed), false);
    let numbers = spread.rows.iter().map(numbers).collect_view();
    let heads = vec![
        "Stage",
        "Tasks",
        "Shortest",
        "A quarter",
        "Median",
        "Three quarters",
        "Longest",
        "Longest ÷ median",
    ];
    view! {
        <figure class="grid grid-cols-1 gap-3">
            <figcaption id="spread-sentence" class="text-muted">{sentence}</figcaption>
            <ul class="flex flex-wrap gap-x-4 gap-y-1 text-[13px] text-muted">
                <li class="flex items-center gap-1.5">
                    <svg class="h-3 w-8" viewBox="0 0 32 12" aria-hidden="true">
                        <line class="chart-whisker" x1="0" x2="32" y1="6" y2="6"/>
                        <rect class="chart-box" x="8" y="1" width="16" height="10"/>
                        <line class="chart-median" x1="14" x2="14" y1="0" y2="12"/>
                    </svg>
                    "shortest to longest; the box holds the middle half, the stroke in it is the median"
                </li>
            </ul>
            {legend}
            <div role="img" aria-label="How long the tasks of each stage ran" aria-describedby="spread-sentence">
                <ol>{rows}</ol>
                <div class="mt-1 grid grid-cols-[6.5rem_minmax(0,1fr)_4.5rem] gap-x-3 sm:grid-cols-[16rem_minmax(0,1fr)_6rem]">
                    <div class="col-start-2">{spread.axis.labels()}</div>
                </div>
            </div>
            <Numbers title="How long the tasks of each stage ran" heads>{numbers}</Numbers>
        </figure>
    }
    .into_any()
}

fn draw_row(row: &Row, axis: Axis) -> impl IntoView + use<> {
    let [least, quarter, median, three, most] = row.x;
    let stage = &row.stage;
    let title = format!(
        "{}: median {}, longest {}{}",
        name(stage),
        long(row.ms[2]),
        long(row.ms[4]),
        marks_in_words(stage)
    );
    let left = quarter.min(WIDTH - WIDTH_MIN);
    let class = if stage.is_skewed { tw!("chart-box chart-box-marked") } else { tw!("chart-box") };
    view! {
        <li class="grid grid-cols-[6.5rem_minmax(0,1fr)_4.5rem] items-center gap-x-3 hover:bg-hover sm:grid-cols-[16rem_minmax(0,1fr)_6rem]" title=title>
            <span class="flex min-w-0 items-center gap-1.5">
                <span class="min-w-0 flex-1 truncate">{name(stage)}</span>
                {mark_icons(stage)}
            </span>
            <svg class="chart h-6" viewBox=format!("0 0 {WIDTH} {ROW}") preserveAspectRatio="none">
                {lines(axis, ROW)}
                <line class="chart-whisker" x1=least x2=most y1=ROW / 2.0 y2=ROW / 2.0/>
                <line class="chart-whisker" x1=least x2=least y1="8" y2=ROW - 8.0/>
                <line class="chart-whisker" x1=most x2=most y1="8" y2=ROW - 8.0/>
                <rect class=class x=left y="5" width=(three - left).max(WIDTH_MIN) height=ROW - 10.0/>
                <line class="chart-median" x1=median x2=median y1="4" y2=ROW - 4.0/>
            </svg>
            <span class="whitespace-nowrap text-right text-[13px]">{long(row.ms[4])}</span>
        </li>
    }
}

fn numbers(row: &Row) -> impl IntoView + use<> {
    let cells =
        row.ms.map(|ms| view! { <td class="number whitespace-nowrap">{long(ms)}</td> }).collect_view();
    view! {
        <tr>
            <th scope="row" class="font-normal">{stage_link(&row.stage)} {marks_in_words(&row.stage)}</th>
            <td class="number">{count(row.stage.tasks)}</td>
            {cells}
            <td class="number">{row.ratio().map_or_else(|| "–".to_owned(), times)}</td>
        </tr>
    }
}

fn times(ratio: f64) -> String {
    if ratio >= 100.0 { format!("{ratio:.0}×") } else { format!("{ratio:.1}×") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(id: i64, ms: [f64; 5]) -> ReportedStage {
        ReportedStage { id, tasks: 8, task_ms: ms.to_vec(), ..ReportedStage::default() }
    }

    fn of(stages: Vec<ReportedStage>) -> Spread {
        spread(&AnalysisReport { stages, ..AnalysisReport::default() })
    }

    #[test]
    fn the_stage_with_the_longest_task_comes_first() {
        let drawn =
            of(vec![stage(1, [1.0, 2.0, 3.0, 4.0, 5.0]), stage(2, [0.0, 1000.0, 2000.0, 3000.0, 4000.0])]);

        assert_eq!(drawn.rows.iter().map(|row| row.stage.id).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(drawn.rows[0].x, [0.0, 250.0, 500.0, 750.0, 1000.0]);
        assert_eq!(drawn.rows[0].ratio(), Some(2.0));
        assert!(drawn.sentence().contains("stage 2: 4\u{202f}s, 2.0×"), "{}", drawn.sentence());
    }

    #[test]
    fn tasks_that_took_no_time_have_no_ratio() {
        let drawn = of(vec![stage(1, [0.0; 5])]);

        assert_eq!((drawn.rows[0].x, drawn.rows[0].ratio()), ([0.0; 5], None));
    }

    #[test]
    fn what_is_not_known_or_makes_no_sense_is_left_out() {
        let alone = ReportedStage { tasks: 1, ..stage(1, [1.0; 5]) };
        let unknown = ReportedStage { task_ms: Vec::new(), ..stage(2, [0.0; 5]) };
        let odd = stage(3, [1.0, f64::NAN, 1.0, 1.0, 1.0]);
        let wild = stage(4, [5.0, 4.0, 3.0, 2.0, 1.0]);

        assert!(of(vec![alone, unknown, odd, wild]).rows.is_empty());
        assert!(of(Vec::new()).rows.is_empty());
    }

    #[test]
    fn of_many_stages_those_with_the_longest_tasks_are_drawn() {
        let drawn = of((1..=50).map(|id| stage(id, [1.0, 1.0, 1.0, 1.0, id as f64])).collect());

        assert_eq!((drawn.rows.len(), drawn.shorter), (STAGES_MAX, 10));
        assert!(drawn.rows.iter().all(|row| row.stage.id > 10));
    }
}
