//! What limits cost: the same call without any, with six limits and a metrics address, and with the six shared by a
//! real Redis, in turns.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{
    ROUNDS,
    figures::{Figures, tenth},
    programs::{Bed, Gateway, Load, Running, free_port, pinned, wait_for},
};

const SETTINGS: [(&str, &str, usize); 2] = [("modern", "modern c1", 1), ("modern", "modern c16", 16)];

/// So much that nobody is refused, so that what is measured is the asking.
const PLENTY: &str = "1000000/second";
const LIMITED: [&str; 6] = ["KEY", "PERSON", "ORGANISATION", "PRESET", "SOURCE", "TOOL"];

/// Measures in installations of their own and prints the table.
pub(super) fn measure(load: &mut Load, source: &str, bed: &Bed, kept: &mut Value) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (_redis, redis) = redis(folder.path(), bed.pins)?;
    let installation = |name: &str| {
        let folder = folder.path().join(name);
        std::fs::create_dir_all(&folder)?;
        Gateway::prepare(&folder, source, bed)
    };
    let ways = [
        ("no limits", installation("plain")?.contender()?),
        ("six limits", limited(installation("limited")?)?.contender()?),
        (
            "six, by Redis",
            limited(installation("shared")?)?.set([("DOORWARD_REDIS_URL".to_owned(), redis)]).contender()?,
        ),
    ];

    println!(
        "\n{:<13} {:<13} {:>9} {:>9} {:>9} {:>10}",
        "what", "with", "calls/s", "p50 µs", "p99 µs", "CPU µs"
    );
    for (era, title, connections) in SETTINGS {
        let mut rounds = vec![Vec::new(); ways.len()];
        for _ in 0..ROUNDS {
            for ((_, contender), found) in ways.iter().zip(&mut rounds) {
                let working = contender.process.as_ref().context("a gateway is a process")?;
                found.push(Figures::round(load, ("echo", era, connections), contender, &[working])?);
            }
        }
        for ((name, _), found) in ways.iter().zip(&rounds) {
            let Figures { rate, p50, p99, cpu } = Figures::middle(found);
            println!("{title:<13} {name:<13} {rate:>9.0} {p50:>9.0} {p99:>9.0} {cpu:>10.1}");
            kept[format!("limits {title} {name}")] =
                json!({ "cpu_us": tenth(cpu), "p50_us": p50.round(), "calls_per_second": rate.round() });
        }
    }
    Ok(())
}

/// Lets calls through six limits that refuse nobody, and counts them for whoever reads the metrics.
fn limited(gateway: Gateway<'_>) -> Result<Gateway<'_>> {
    let rates = LIMITED.map(|one| (format!("DOORWARD_RATE_LIMIT_{one}"), PLENTY.to_owned()));
    let metrics = ("DOORWARD_METRICS_LISTEN".to_owned(), format!("127.0.0.1:{}", free_port()?));
    Ok(gateway.set(rates.into_iter().chain([metrics])))
}

/// Starts a Redis; returns it and its address.
fn redis(folder: &Path, pins: bool) -> Result<(Running, String)> {
    let port = free_port()?;
    let child = pinned(pins, "0", Path::new("redis-server"))
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--loglevel", "warning"])
        .arg("--dir")
        .arg(folder)
        .stdout(std::process::Stdio::null())
        .spawn()
        .context("could not start redis-server")?;
    let running = Running(child);
    wait_for(port)?;
    Ok((running, format!("redis://127.0.0.1:{port}/0")))
}
