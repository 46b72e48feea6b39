//! How the cores of an application were used over its time: those there were, and those that were busy.

use std::fmt::Write as _;

use doorward::model::{AnalysisReport, LoadPoint};
use leptos::prelude::*;

use super::{
    axis::{Axis, WIDTH},
    numbers::Numbers,
    words::long,
};

/// How high the drawing is, in its own units.
const HEIGHT: f64 = 200.0;

/// What is drawn.
#[derive(Debug, PartialEq)]
struct Load {
    axis: Axis,
    /// Where the axis of cores ends.
    top: f64,
    moments: Vec<Moment>,
}

/// From one moment until the next.
#[derive(Debug, PartialEq)]
struct Moment {
    from_ms: i64,
    until_ms: i64,
    cores: f64,
    busy: f64,
}

/// Places the moments of a report.
fn load(report: &AnalysisReport) -> Load {
    let mut points: Vec<LoadPoint> = report
        .load
        .iter()
        .copied()
        .filter(|point| point.cores.is_finite() && point.busy.is_finite())
        .collect();
    points.sort_by_key(|point| point.at_ms);
    points.dedup_by_key(|point| point.at_ms);
    let beginning = points.first().map_or(0, |point| point.at_ms);
    let last = points.last().map_or(0, |point| point.at_ms);
    let end = report.application.ended_at_ms.max(last);
    let untils = points.iter().skip(1).map(|point| point.at_ms).chain([end]);
    let moments: Vec<Moment> = points
        .iter()
        .zip(untils)
        .map(|(point, until)| Moment {
            from_ms: point.at_ms - beginning,
            until_ms: until - beginning,
            cores: point.cores.max(0.0),
            busy: point.busy.max(0.0),
        })
        .collect();
    let most = moments.iter().fold(0.0, |most: f64, moment| most.max(moment.cores).max(moment.busy));
    // An even number, so that half of it is a number of cores, too.
    let top = ((most / 2.0).ceil() * 2.0).max(2.0);
    Load { axis: Axis::holding(end - beginning), top, moments }
}

impl Load {
    /// Returns the line of a value, a step for each moment.
    fn line(&self, of: fn(&Moment) -> f64) -> String {
        let mut path = String::new();
        for (place, moment) in self.moments.iter().enumerate() {
            let letter = if place == 0 { 'M' } else { 'L' };
            let (from, until) = (self.axis.x(moment.from_ms as f64), self.axis.x(moment.until_ms as f64));
            let y = self.y(of(moment));
            write!(path, "{letter}{from:.1} {y:.1}H{until:.1}").expect("writing to a string does not fail");
        }
        path
    }

    /// Returns the ground below the line of a value.
    fn area(&self, of: fn(&Moment) -> f64) -> String {
        let end = self.moments.last().map_or(0.0, |moment| self.axis.x(moment.until_ms as f64));
        format!("{}L{end:.1} {HEIGHT:.1}L0 {HEIGHT:.1}Z", self.line(of))
    }

    fn y(&self, cores: f64) -> f64 {
        HEIGHT * (1.0 - (cores / self.top).clamp(0.0, 1.0))
    }

    /// Returns how much of the cores' time tasks used; `None` where there were none.
    fn share(&self) -> Option<f64> {
        let sum = |of: fn(&Moment) -> f64| -> f64 {
            self.moments.iter().map(|moment| of(moment) * (moment.until_ms - moment.from_ms) as f64).sum()
        };
        let there = sum(|moment| moment.cores);
        (there > 0.0).then(|| sum(|moment| moment.busy) / there)
    }

    /// Says in a sentence what the drawing shows.
    fn sentence(&self) -> String {
        let most = self.moments.iter().fold(0.0, |most: f64, moment| most.max(moment.cores));
        let there = if most == 1.0 { "1 core".to_owned() } else { format!("{} cores", cores(most)) };
        match self.share() {
            None => "There were no cores to run tasks on.".to_owned(),
            Some(share) => format!(
                "Tasks used {:.0}\u{202f}% of the time of at most {there}. The tasks of a stage are taken to be spread evenly over its time.",
                share * 100.0
            ),
        }
    }
}

/// Returns how much of the time of its cores an application used; `None` if that is not known.
pub(super) fn share(report: &AnalysisReport) -> Option<f64> {
    load(report).share()
}

/// Draws how cores were used over time.
pub(super) fn draw(report: &AnalysisReport) -> AnyView {
    let load = load(report);
    if load.moments.is_empty() {
        return view! { <p class="text-muted">"Nobody knows which executors there were at which time."</p> }
            .into_any();
    }
    let grid = [0.0, 0.5, 1.0]
        .map(|share| {
            let y = load.y(load.top * share);
            view! { <line class="chart-grid" x1="0" x2=WIDTH y1=y y2=y/> }
        })
        .collect_view();
    let columns = load
        .moments
        .iter()
        .map(|moment| {
            let (from, until) = (load.axis.x(moment.from_ms as f64), load.axis.x(moment.until_ms as f64));
            let text = format!(
                "after {}: {} of {} cores busy",
                long(moment.from_ms as f64),
                cores(moment.busy),
                cores(moment.cores)
            );
            view! {
                <rect class="fill-transparent hover:fill-hover/60" x=from y=0 width=until - from height=HEIGHT>
                    <title>{text}</title>
                </rect>
            }
        })
        .collect_view();
    let numbers = load
        .moments
        .iter()
        .map(|moment| {
            view! {
                <tr>
                    <th scope="row" class="font-normal">{long(moment.from_ms as f64)}</th>
                    <td class="number">{cores(moment.cores)}</td>
                    <td class="number">{cores(moment.busy)}</td>
                </tr>
            }
        })
        .collect_view();
    let heights = [1.0, 0.5, 0.0].map(|share| view! { <li>{cores(load.top * share)}</li> }).collect_view();
    let busy = load.line(|moment| moment.busy);
    let ground = load.area(|moment| moment.busy);
    let there = load.line(|moment| moment.cores);
    view! {
        <figure class="grid grid-cols-1 gap-3">
            <figcaption id="load-sentence" class="text-muted">{load.sentence()}</figcaption>
            <ul class="flex flex-wrap gap-x-4 gap-y-1 text-[13px] text-muted">
                <li class="flex items-center gap-1.5">
                    <svg class="h-2 w-4" viewBox="0 0 16 8" aria-hidden="true"><path class="chart-line chart-line-there" d="M0 4H16"/></svg>
                    "cores there were (dashed)"
                </li>
                <li class="flex items-center gap-1.5">
                    <svg class="h-3 w-4" viewBox="0 0 16 12" aria-hidden="true">
                        <rect class="chart-area" width="16" height="12"/><path class="chart-line" d="M0 1H16"/>
                    </svg>
                    "cores that were busy"
                </li>
            </ul>
            <div class="grid grid-cols-[auto_minmax(0,1fr)] gap-x-2 gap-y-1" role="img" aria-label="How cores were used over time" aria-describedby="load-sentence">
                <ul class="chart-label -my-2 flex flex-col items-end justify-between">{heights}</ul>
                <div class="h-40 sm:h-48">
                    <svg class="chart" viewBox=format!("0 0 {WIDTH} {HEIGHT}") preserveAspectRatio="none">
                        {super::axis::lines(load.axis, HEIGHT)} {grid} {columns}
                        <g class="pointer-events-none">
                            <path class="chart-area" d=ground/>
                            <path class="chart-line" d=busy/>
                            <path class="chart-line chart-line-there" d=there/>
                        </g>
                    </svg>
                </div>
                <div class="col-start-2">{load.axis.labels()}</div>
            </div>
            <Numbers title="How cores were used over time" heads=vec!["After", "Cores", "Busy"]>{numbers}</Numbers>
        </figure>
    }
    .into_any()
}

/// Writes a number of cores, which may be an average.
fn cores(number: f64) -> String {
    let text = format!("{number:.1}");
    text.trim_end_matches(".0").to_owned()
}

#[cfg(test)]
mod tests {
    use doorward::model::ReportedApplication;

    use super::*;

    const BEGAN: i64 = 1_795_233_600_000;

    fn of(points: &[(i64, f64, f64)], ended_ms: i64) -> Load {
        let point =
            |(at, cores, busy): &(i64, f64, f64)| LoadPoint { at_ms: BEGAN + at, cores: *cores, busy: *busy };
        let application =
            ReportedApplication { ended_at_ms: BEGAN + ended_ms, ..ReportedApplication::default() };
        load(&AnalysisReport {
            application,
            load: points.iter().map(point).collect(),
            ..AnalysisReport::default()
        })
    }

    #[test]
    fn each_moment_lasts_until_the_next_and_the_last_until_the_end() {
        let drawn = of(&[(0, 4.0, 4.0), (10_000, 4.0, 0.0)], 40_000);

        assert_eq!(drawn.line(|moment| moment.busy), "M0.0 0.0H250.0L250.0 200.0H1000.0");
        assert_eq!(
            drawn.area(|moment| moment.busy),
            "M0.0 0.0H250.0L250.0 200.0H1000.0L1000.0 200.0L0 200.0Z"
        );
        assert_eq!(drawn.share(), Some(0.25));
        assert!(drawn.sentence().starts_with("Tasks used 25\u{202f}% of the time of at most 4 cores."));
    }

    #[test]
    fn the_axis_of_cores_holds_the_most_there_were() {
        assert_eq!(of(&[(0, 13.0, 2.5)], 1).top, 14.0);
        assert_eq!(of(&[(0, 0.0, 0.0)], 1).top, 2.0);
        assert_eq!((cores(7.0), cores(2.46)), ("7".to_owned(), "2.5".to_owned()));
    }

    #[test]
    fn moments_out_of_order_or_without_sense_do_no_harm() {
        let drawn = of(&[(10_000, 2.0, -1.0), (0, 2.0, 9.0), (0, 2.0, 1.0), (5_000, f64::NAN, 0.0)], 0);

        let moments: Vec<_> = drawn.moments.iter().map(|moment| (moment.from_ms, moment.until_ms)).collect();
        assert_eq!(moments, [(0, 10_000), (10_000, 10_000)]);
        assert_eq!(drawn.moments[1].busy, 0.0);
    }

    #[test]
    fn without_moments_there_is_nothing_to_draw() {
        let drawn = of(&[], 0);

        assert!(drawn.moments.is_empty());
        assert_eq!(drawn.share(), None);
    }
}
