//! The time axis of a drawing: four even parts that read well. Pure, but for the row of labels.

use leptos::prelude::*;

use super::words::long;

/// How many parts an axis has.
const PARTS: i64 = 4;
/// A day, in milliseconds.
const DAY_MS: i64 = 86_400_000;
/// What a part may last, in milliseconds, below a day.
const STEPS_MS: &[i64] = &[
    1, 2, 3, 5, 10, 15, 20, 25, 30, 40, 50, 75, 100, 150, 200, 250, 300, 400, 500, 750, 1_000, 1_500, 2_000,
    2_500, 3_000, 4_000, 5_000, 7_500, 10_000, 12_000, 15_000, 20_000, 25_000, 30_000, 45_000, 60_000,
    75_000, 90_000, 120_000, 180_000, 240_000, 300_000, 450_000, 600_000, 900_000, 1_200_000, 1_800_000,
    2_700_000, 3_600_000, 5_400_000, 7_200_000, 10_800_000, 14_400_000, 21_600_000, 28_800_000, 43_200_000,
];

/// How wide drawings are, in their own units: they are stretched to the room there is.
pub(super) const WIDTH: f64 = 1000.0;

/// An axis that begins at zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Axis {
    part_ms: i64,
}

impl Axis {
    /// Returns the shortest one that holds a duration, in milliseconds.
    pub(super) fn holding(span_ms: i64) -> Self {
        let up = |ms: i64, part: i64| ms / part + i64::from(ms % part > 0);
        let least = up(span_ms.max(1), PARTS);
        let step = STEPS_MS.iter().copied().find(|step| *step >= least);
        Self { part_ms: step.unwrap_or_else(|| up(least, DAY_MS) * DAY_MS) }
    }

    /// Returns where it ends, in milliseconds.
    pub(super) fn end_ms(self) -> i64 {
        self.part_ms * PARTS
    }

    /// Returns the place of a time after its beginning, in milliseconds. What lies outside is at the edge.
    pub(super) fn x(self, ms: f64) -> f64 {
        (ms / self.end_ms() as f64).clamp(0.0, 1.0) * WIDTH
    }

    /// Returns the places of its lines, its beginning and its end among them.
    pub(super) fn lines(self) -> impl Iterator<Item = f64> {
        (0..=PARTS).map(move |part| self.x((part * self.part_ms) as f64))
    }

    /// Draws its labels, each beginning at its line but the last, which ends there.
    pub(super) fn labels(self) -> impl IntoView + use<> {
        let label = move |part: i64| long((part * self.part_ms) as f64);
        // What is left out where there is little room.
        view! {
            <ol class="chart-label grid grid-cols-2 sm:grid-cols-4">
                <li>"0"</li>
                <li class="hidden sm:block">{label(1)}</li>
                <li class="flex justify-between"><span>{label(2)}</span><span class="sm:hidden">{label(4)}</span></li>
                <li class="hidden justify-between sm:flex"><span>{label(3)}</span><span>{label(4)}</span></li>
            </ol>
        }
    }
}

/// Draws the lines of an axis down a row.
pub(super) fn lines(axis: Axis, height: f64) -> impl IntoView + use<> {
    axis.lines().map(|x| view! { <line class="chart-grid" x1=x x2=x y1="0" y2=height/> }).collect_view()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_holds_the_duration_and_little_more() {
        for (span, end) in
            [(0, 4), (1, 4), (900, 1000), (33_700, 40_000), (184_000, 240_000), (6 * DAY_MS, 8 * DAY_MS)]
        {
            assert_eq!(Axis::holding(span).end_ms(), end, "{span}");
        }
        for span in (1..60).map(|power| 1.5_f64.powi(power) as i64) {
            let end = Axis::holding(span).end_ms();
            assert!(end >= span && (end < span * 9 / 4 || span < 10), "{span} in {end}");
        }
    }

    #[test]
    fn what_lies_outside_is_at_the_edge() {
        let axis = Axis::holding(40_000);

        assert_eq!(axis.x(10_000.0), WIDTH / 4.0);
        assert_eq!((axis.x(-1.0), axis.x(1e9)), (0.0, WIDTH));
        assert_eq!(axis.lines().collect::<Vec<_>>(), [0.0, 250.0, 500.0, 750.0, 1000.0]);
    }
}
