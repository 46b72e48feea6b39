//! Numbers with their units, as people read them.

/// Writes a count with thin spaces between thousands, as in `12 345`.
pub(crate) fn count(number: impl Into<i64>) -> String {
    let number = number.into();
    let digits = number.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if number < 0 {
        text.push('-');
    }
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// Writes a duration in microseconds, as in `840 µs`, `12 ms` or `1.2 s`.
pub(crate) fn duration_us(us: i64) -> String {
    match us {
        ..1_000 => format!("{us}\u{202f}µs"),
        1_000..10_000 => format!("{:.1}\u{202f}ms", us as f64 / 1e3),
        10_000..1_000_000 => format!("{}\u{202f}ms", us / 1000),
        1_000_000..60_000_000 => format!("{:.1}\u{202f}s", us as f64 / 1e6),
        _ => duration_ms(us / 1000),
    }
}

/// Writes a duration in milliseconds, as in `12 ms`, `1.2 s`, `3 min` or `2 h`.
fn duration_ms(ms: i64) -> String {
    match ms {
        ..1_000 => format!("{ms}\u{202f}ms"),
        1_000..60_000 => format!("{:.1}\u{202f}s", ms as f64 / 1e3),
        60_000..3_600_000 => format!("{}\u{202f}min", ms / 60_000),
        3_600_000..172_800_000 => format!("{}\u{202f}h", ms / 3_600_000),
        _ => format!("{} days", ms / 86_400_000),
    }
}

/// Writes a size, as in `512 B`, `1.4 KiB`, `3.0 MiB` or `1.2 TiB`.
pub(crate) fn bytes(size: i64) -> String {
    match size {
        ..1024 => format!("{size}\u{202f}B"),
        1024..1_048_576 => format!("{:.1}\u{202f}KiB", size as f64 / 1024.0),
        1_048_576..1_073_741_824 => format!("{:.1}\u{202f}MiB", size as f64 / 1_048_576.0),
        1_073_741_824..1_099_511_627_776 => format!("{:.1}\u{202f}GiB", size as f64 / 1_073_741_824.0),
        _ => format!("{:.1}\u{202f}TiB", size as f64 / 1_099_511_627_776.0),
    }
}

/// Writes a share of a whole, as in `0.4 %`.
pub(crate) fn per_cent(part: i64, whole: i64) -> String {
    if whole <= 0 {
        return "0\u{202f}%".to_owned();
    }
    let share = part as f64 * 100.0 / whole as f64;
    if share == 0.0 || share >= 10.0 {
        format!("{share:.0}\u{202f}%")
    } else {
        format!("{share:.1}\u{202f}%")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_with_their_units() {
        assert_eq!(count(0), "0");
        assert_eq!(count(-1234), "-1\u{202f}234");
        assert_eq!(count(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(duration_us(840), "840\u{202f}µs");
        assert_eq!(duration_us(1_240_000), "1.2\u{202f}s");
        assert_eq!(duration_ms(180_000), "3\u{202f}min");
        assert_eq!(bytes(1434), "1.4\u{202f}KiB");
        assert_eq!(bytes(3 << 29), "1.5\u{202f}GiB");
        assert_eq!(per_cent(0, 0), "0\u{202f}%");
        assert_eq!(per_cent(1, 250), "0.4\u{202f}%");
    }
}
