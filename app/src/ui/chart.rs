//! Charts drawn by the server as SVG: no script, no style attribute, and the numbers beside them.

use std::fmt::Write as _;

use doorward::clock::Ms;
use leptos::prelude::*;

// The drawing is stretched to the room there is, and its lines keep their width; words stand beside it as text, so
// that they are readable on every screen.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 200.0;

/// One line of a chart over time.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    /// What it counts.
    pub name: String,
    /// A value for each point in time of the chart; `None` = nothing was measured then.
    pub values: Vec<Option<f64>>,
}

/// Lines over time, with the numbers in a table that unfolds.
#[component]
pub(crate) fn TimeSeries(
    /// What it shows, for screen readers.
    #[prop(into)]
    title: String,
    /// The points in time, oldest first, evenly apart.
    times: Vec<Ms>,
    /// The lines; four at the most have a colour of their own.
    series: Vec<Series>,
    /// Writes a value with its unit.
    write: fn(f64) -> String,
    /// Whether the ground below the first line is filled.
    #[prop(optional)]
    filled: bool,
) -> impl IntoView {
    let highest =
        series.iter().flat_map(|line| line.values.iter().flatten()).fold(0.0, |a: f64, b| a.max(*b));
    let top = round_up(highest);
    let across = Across { points: times.len(), top };
    let grid = [0.0, 0.5, 1.0]
        .map(|share| view! { <line class="chart-grid" x1="0" x2=WIDTH y1=across.y(top * share) y2=across.y(top * share)/> })
        .collect_view();
    let heights = [1.0, 0.5, 0.0].map(|share| view! { <li>{write(top * share)}</li> }).collect_view();
    let span = times.last().map_or(0, |last| last.0) - times.first().map_or(0, |first| first.0);
    let labels = label_places(times.len())
        .into_iter()
        .map(|place| view! { <li>{short_time(times[place], span)}</li> })
        .collect_view();
    let area = filled.then(|| series.first().map(|line| across.area(&line.values))).flatten();
    let lines = series
        .iter()
        .enumerate()
        .map(|(place, line)| {
            let class = line_class(place);
            view! {
                <path class=class d=across.line(&line.values)/>
                <path class=format!("{class} chart-dot") d=across.lone(&line.values)/>
            }
        })
        .collect_view();
    // One column per point carries the values as a tooltip, wherever the pointer is above or below.
    let width = WIDTH / times.len().max(1) as f64;
    let columns = times
        .iter()
        .enumerate()
        .map(|(place, at)| {
            let mut text = exact(*at);
            for line in &series {
                let value = line.values.get(place).copied().flatten();
                let value = value.map_or_else(|| "–".to_owned(), write);
                write!(text, "\n{}: {value}", line.name).expect("writing to a string does not fail");
            }
            let x = across.x(place) - width / 2.0;
            view! {
                <rect class="fill-transparent hover:fill-hover/60" x=x y=0 width=width height=HEIGHT>
                    <title>{text}</title>
                </rect>
            }
        })
        .collect_view();
    let legend = (series.len() > 1).then(|| {
        let words = series
            .iter()
            .enumerate()
            .map(|(place, line)| {
                let class = line_class(place);
                view! {
                    <li class="flex items-center gap-1.5">
                        <svg class="h-2 w-4" viewBox="0 0 16 8" aria-hidden="true">
                            <path class=class d="M1 4H15"/>
                        </svg>
                        {line.name.clone()}
                    </li>
                }
            })
            .collect_view();
        view! { <ul class="mb-2 flex flex-wrap gap-x-4 gap-y-1 text-[13px] text-muted">{words}</ul> }
    });
    let heads = series
        .iter()
        .map(|line| view! { <th scope="col" class="number">{line.name.clone()}</th> })
        .collect_view();
    let rows = times
        .iter()
        .enumerate()
        .rev()
        .map(|(place, at)| {
            let cells = series
                .iter()
                .map(|line| {
                    let value = line.values.get(place).copied().flatten();
                    view! { <td class="number">{value.map_or_else(|| "–".to_owned(), write)}</td> }
                })
                .collect_view();
            view! { <tr><td class="whitespace-nowrap">{exact(*at)}</td>{cells}</tr> }
        })
        .collect_view();
    let in_numbers = format!("{title}, in numbers");
    view! {
        <figure class="grid gap-1">
            {legend}
            <div class="grid grid-cols-[auto_minmax(0,1fr)] gap-x-2 gap-y-1" role="img" aria-label=title.clone()>
                <ul class="chart-label -my-2 flex flex-col items-end justify-between">{heights}</ul>
                <div class="h-40 sm:h-52">
                    <svg class="chart" viewBox=format!("0 0 {WIDTH} {HEIGHT}") preserveAspectRatio="none">
                        {grid} {columns}
                        <g class="pointer-events-none">
                            {area.map(|path| view! { <path class="chart-area" d=path/> })}
                            {lines}
                        </g>
                    </svg>
                </div>
                <ul class="chart-label col-start-2 flex justify-between">{labels}</ul>
            </div>
            <details class="text-[13px]">
                <summary class="link inline-block">"Show the numbers"</summary>
                <div class="table-frame mt-2 max-h-80 overflow-y-auto" tabindex="0" role="region" aria-label=in_numbers>
                    <table class="data-table">
                        <caption class="sr-only">{title}</caption>
                        <thead><tr><th scope="col">"Time (UTC)"</th>{heads}</tr></thead>
                        <tbody>{rows}</tbody>
                    </table>
                </div>
            </details>
        </figure>
    }
}

/// A small line without axes, beside a number that says the rest.
#[component]
pub(crate) fn Sparkline(
    /// What it shows, for screen readers.
    #[prop(into)]
    title: String,
    /// The values, oldest first.
    values: Vec<f64>,
) -> impl IntoView {
    const W: f64 = 120.0;
    const H: f64 = 28.0;
    let highest = values.iter().fold(0.0, |a: f64, b| a.max(*b)).max(1.0);
    let step = W / (values.len().max(2) - 1) as f64;
    let mut path = String::new();
    for (place, value) in values.iter().enumerate() {
        let letter = if place == 0 { 'M' } else { 'L' };
        let y = H - 2.0 - (H - 4.0) * value / highest;
        write!(path, "{letter}{:.1} {y:.1}", place as f64 * step).expect("writing to a string does not fail");
    }
    let area = format!("{path}L{W} {H}L0 {H}Z");
    view! {
        <svg class="h-7 w-full" viewBox=format!("0 0 {W} {H}") preserveAspectRatio="none" role="img" aria-label=title>
            <path class="chart-area" d=area/>
            <path class="chart-line" d=path/>
        </svg>
    }
}

fn line_class(place: usize) -> &'static str {
    match place {
        0 => tw!("chart-line"),
        1 => tw!("chart-line chart-line-2"),
        2 => tw!("chart-line chart-line-3"),
        _ => tw!("chart-line chart-line-4"),
    }
}

struct Across {
    points: usize,
    top: f64,
}

impl Across {
    fn x(&self, place: usize) -> f64 {
        if self.points < 2 { WIDTH / 2.0 } else { WIDTH * place as f64 / (self.points - 1) as f64 }
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT * (1.0 - value / self.top)
    }

    fn line(&self, values: &[Option<f64>]) -> String {
        let mut path = String::new();
        let mut drawing = false;
        for (place, value) in values.iter().enumerate() {
            let Some(value) = value else {
                drawing = false;
                continue;
            };
            let letter = if drawing { 'L' } else { 'M' };
            write!(path, "{letter}{:.1} {:.1}", self.x(place), self.y(*value))
                .expect("writing to a string does not fail");
            drawing = true;
        }
        path
    }

    /// The points that have no neighbour, which would be invisible as a line.
    fn lone(&self, values: &[Option<f64>]) -> String {
        let is_there =
            |place: Option<usize>| place.and_then(|place| values.get(place)).is_some_and(Option::is_some);
        let mut path = String::new();
        for (place, value) in values.iter().enumerate() {
            if let Some(value) = value
                && !is_there(place.checked_sub(1))
                && !is_there(Some(place + 1))
            {
                write!(path, "M{:.1} {:.1}h0.01", self.x(place), self.y(*value))
                    .expect("writing to a string does not fail");
            }
        }
        path
    }

    fn area(&self, values: &[Option<f64>]) -> String {
        let mut path = format!("M{:.1} {:.1}", self.x(0), self.y(0.0));
        for (place, value) in values.iter().enumerate() {
            write!(path, "L{:.1} {:.1}", self.x(place), self.y(value.unwrap_or(0.0)))
                .expect("writing to a string does not fail");
        }
        write!(path, "L{:.1} {:.1}Z", self.x(values.len().saturating_sub(1)), self.y(0.0))
            .expect("writing to a string does not fail");
        path
    }
}

/// Returns the next number at or above that reads well on an axis, and whose half does: of calls there are
/// no halves.
fn round_up(highest: f64) -> f64 {
    if highest <= 2.0 {
        return 2.0;
    }
    let power = 10_f64.powf(highest.log10().floor());
    let steps = [1.0, 2.0, 4.0, 6.0, 10.0];
    steps.into_iter().map(|step| step * power).find(|top| *top >= highest * 0.999).unwrap_or(10.0 * power)
}

fn label_places(points: usize) -> Vec<usize> {
    match points {
        0 => Vec::new(),
        1 => vec![0],
        2..6 => vec![0, points - 1],
        _ => vec![0, (points - 1) / 3, 2 * (points - 1) / 3, points - 1],
    }
}

/// Writes a time as its axis needs it: the hour within two days, the day beyond.
fn short_time(at: Ms, span_ms: i64) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let civil = at.civil();
    if span_ms <= 2 * 86_400_000 {
        format!("{:02}:{:02}", civil.hour, civil.minute)
    } else {
        format!("{} {}", civil.day, MONTHS[usize::from(civil.month.clamp(1, 12)) - 1])
    }
}

fn exact(at: Ms) -> String {
    at.to_string().replace('T', " ").trim_end_matches(":00Z").trim_end_matches('Z').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_at_a_number_that_reads_well() {
        assert_eq!(round_up(0.0), 2.0);
        assert_eq!(round_up(5.0), 6.0);
        assert_eq!(round_up(3.0), 4.0);
        assert_eq!(round_up(87.0), 100.0);
        assert_eq!(round_up(1200.0), 2000.0);
    }

    #[test]
    fn a_gap_in_the_values_is_a_gap_in_the_line() {
        let across = Across { points: 3, top: 1.0 };

        let path = across.line(&[Some(1.0), None, Some(0.0)]);

        assert_eq!(path.matches('M').count(), 2);
        assert_eq!(path.matches('L').count(), 0);
        assert_eq!(across.lone(&[Some(1.0), None, Some(0.0)]).matches('h').count(), 2);
        assert_eq!(across.lone(&[Some(1.0), Some(0.5), None]), "");
    }
}
