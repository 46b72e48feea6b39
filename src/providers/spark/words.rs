//! Numbers as people read them, and rows of an answer that hold both. Pure.

use chrono::NaiveDateTime;
use serde_json::{Map, Value};

/// Returns a size: `185 MiB`.
pub(super) fn size(bytes: f64) -> String {
    let (mut value, mut unit) = (bytes.max(0.0), "B");
    for next in ["KiB", "MiB", "GiB", "TiB", "PiB"] {
        if value < 1024.0 {
            break;
        }
        (value, unit) = (value / 1024.0, next);
    }
    if unit == "B" || value >= 100.0 { format!("{value:.0} {unit}") } else { format!("{value:.1} {unit}") }
}

/// Returns a duration: `12.2 s`, `3 min 4 s`.
pub(super) fn duration(ms: f64) -> String {
    let ms = ms.max(0.0);
    if ms < 1000.0 {
        return format!("{ms:.0} ms");
    }
    let seconds = ms / 1000.0;
    if seconds < 60.0 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// Returns a share: `12.5 %`.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// Reads a time as a history server writes it, `2026-11-21T04:06:19.152GMT`, in milliseconds since
/// 1970; `None` also for the time before 1970 that stands for none.
pub(super) fn time_ms(text: &str) -> Option<i64> {
    let plain = text.trim_end_matches("GMT").trim_end_matches('Z');
    let time = NaiveDateTime::parse_from_str(plain, "%Y-%m-%dT%H:%M:%S%.f").ok()?;
    Some(time.and_utc().timestamp_millis()).filter(|ms| *ms >= 0)
}

/// Returns how long it was between two times as a history server writes them.
pub(super) fn between_ms(from: Option<&str>, to: Option<&str>) -> Option<i64> {
    Some(time_ms(to?)?.saturating_sub(time_ms(from?)?))
}

/// Returns a number of things: `1 stage`, `12 stages`.
pub(super) fn counted(count: usize, thing: &str) -> String {
    counted_plural(count, thing, &format!("{thing}s"))
}

/// Returns a number of things whose plural is a word of its own: `12 queries`.
pub(super) fn counted_plural(count: usize, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}

/// Says whether a setting of Spark differs in every run, and so says nothing.
pub fn is_of_the_run(name: &str) -> bool {
    matches!(
        name,
        "spark.app.attempt.id"
            | "spark.app.id"
            | "spark.app.startTime"
            | "spark.app.submitTime"
            | "spark.driver.appUIAddress"
            | "spark.driver.host"
            | "spark.driver.port"
            | "spark.executor.id"
            | "spark.yarn.app.id"
    )
}

/// Cuts a text after a number of characters, and says so.
pub(super) fn cut(text: &str, characters_max: usize) -> String {
    match text.char_indices().nth(characters_max) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}… ({} more characters)", &text[..at], text[at..].chars().count()),
    }
}

/// One thing of an answer. What is nothing is left out.
#[derive(Debug, Default)]
pub(super) struct Row(Map<String, Value>);

impl Row {
    pub(super) fn new(name: &str, value: impl Into<Value>) -> Self {
        Self::default().set(name, value)
    }

    /// Sets a member.
    pub(super) fn set(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// Sets a member unless there is nothing to say.
    pub(super) fn maybe(self, name: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.set(name, value),
            None => self,
        }
    }

    /// Sets a text unless it is empty.
    pub(super) fn text(self, name: &str, text: &str) -> Self {
        self.maybe(name, Some(text).filter(|text| !text.is_empty()))
    }

    /// Sets a number unless it is zero.
    pub(super) fn count(self, name: &str, count: i64) -> Self {
        self.maybe(name, Some(count).filter(|count| *count != 0))
    }

    /// Sets a size, exact and readable, unless it is zero.
    pub(super) fn size(self, name: &str, bytes: i64) -> Self {
        if bytes == 0 {
            return self;
        }
        self.set(&format!("{name}_bytes"), bytes).set(name, size(bytes as f64))
    }

    /// Sets a duration, exact and readable, unless it is zero.
    pub(super) fn time(self, name: &str, ms: i64) -> Self {
        if ms == 0 {
            return self;
        }
        self.set(&format!("{name}_ms"), ms).set(name, duration(ms as f64))
    }

    pub(super) fn finish(self) -> Value {
        Value::Object(self.0)
    }
}

impl From<Row> for Value {
    fn from(row: Row) -> Self {
        row.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_durations_read_well() {
        let sizes = [0.0, 1023.0, 1536.0, 193_805_528.0, 5e12].map(size);
        assert_eq!(sizes, ["0 B", "1023 B", "1.5 KiB", "185 MiB", "4.5 TiB"]);
        let durations = [7.0, 12_171.0, 184_000.0, 7_260_000.0].map(duration);
        assert_eq!(durations, ["7 ms", "12.2 s", "3 min 4 s", "2 h 1 min"]);
    }

    #[test]
    fn a_time_that_stands_for_none_is_none() {
        assert_eq!(time_ms("2026-11-21T04:06:19.152GMT"), Some(1_795_233_979_152));
        assert_eq!(time_ms("1969-12-31T23:59:59.999GMT"), None);
        assert_eq!(time_ms("soon"), None);
    }

    #[test]
    fn a_long_text_says_how_much_is_left_out() {
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöüß!", 3), "äöü… (2 more characters)");
    }
}
