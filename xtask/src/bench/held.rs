//! What lies idle in memory: sessions, open streams, calls that wait for their callers.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::figures::tenth;
use super::programs::{Gateway, Load};

/// What is held, where, and how many of it. One person has at most 64 calls that wait, and the one before counts.
const HELD: [(&str, &str, usize); 3] =
    [("sessions", "bench", 1000), ("listens", "bench", 1000), ("parked", "asks", 63)];

/// Prints what one of each takes, in a gateway of its own that has answered such a request before.
pub(super) fn measure(gateway: &Gateway<'_>, load: &mut Load, kept: &mut Value) -> Result<()> {
    println!("\n{:<19} {:>9} {:>9} {:>9} {:>10}", "held", "how many", "before", "after MiB", "KiB each");
    for (what, preset, count) in HELD {
        let contender = gateway.contender()?;
        let running = contender.process.as_ref().context("a gateway is a process")?;
        let url = contender.url.replace("/bench", &format!("/{preset}"));
        load.hold(what, &url, &contender.key, 1)?;
        let before = running.memory_mib();
        load.hold(what, &url, &contender.key, count)?;
        let after = running.memory_mib();
        let each = (after - before) * 1024.0 / count as f64;
        println!("{what:<19} {count:>9} {before:>9.1} {after:>9.1} {each:>10.1}");
        kept[what] = json!({ "kib_each": tenth(each) });
    }
    Ok(())
}
