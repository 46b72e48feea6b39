//! Points in time: how long ago, with the exact UTC time to look at.

use doorward::clock::Ms;
use leptos::prelude::*;

use crate::context::console;

/// Returns the time of the machine, from the engine's clock.
pub(crate) fn now() -> Ms {
    console().now()
}

/// Shows how long ago something was, or how soon it will be.
#[component]
pub(crate) fn Ago(
    /// When.
    at: Ms,
) -> impl IntoView {
    let exact = at.to_string();
    view! {
        <time class="whitespace-nowrap" datetime=exact.clone() title=exact.replace('T', " ").replace('Z', " UTC")>
            {ago(at, now())}
        </time>
    }
}

/// Says how long before `now` a time lies, or how long after.
pub(crate) fn ago(at: Ms, now: Ms) -> String {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    let seconds = (now.0 - at.0) / 1000;
    let length = match seconds.abs() {
        ..5 => return "just now".to_owned(),
        whole @ 5..MINUTE => format!("{whole} s"),
        whole @ MINUTE..HOUR => format!("{} min", whole / MINUTE),
        whole @ HOUR..DAY => format!("{} h", whole / HOUR),
        whole if whole < 2 * DAY => "1 day".to_owned(),
        whole if whole < 60 * DAY => format!("{} days", whole / DAY),
        whole if whole < 730 * DAY => format!("{} months", whole / (30 * DAY)),
        whole => format!("{} years", whole / (365 * DAY)),
    };
    if seconds < 0 { format!("in {length}") } else { format!("{length} ago") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_by_its_distance() {
        let now = Ms(1_000_000_000_000);

        assert_eq!(ago(now, now), "just now");
        assert_eq!(ago(Ms(now.0 - 59_000), now), "59 s ago");
        assert_eq!(ago(Ms(now.0 - 3_600_000), now), "1 h ago");
        assert_eq!(ago(Ms(now.0 - 30 * 3_600_000), now), "1 day ago");
        assert_eq!(ago(Ms(now.0 + 120_000), now), "in 2 min");
    }
}
