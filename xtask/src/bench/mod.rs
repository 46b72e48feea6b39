//! `cargo xtask bench`: what a call through the gateway costs beside a direct call and nginx.
//!
//! The source and the callers share a core, the gateway or nginx has another one to itself, and rounds of all
//! alternate, so that a noisy minute falls on everybody. The figure to steer by is processor time per call: it hardly
//! moves with the machine's noise, where rates do. The gateway runs with everything on: key, preset, renamed
//! tool, quota, audit, metrics. Every answer is checked, and so is that each call was one request to the source.

mod figures;
mod held;
mod limits;
mod programs;
mod tunnel;

use std::{fs, path::PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::process::{cargo, exists, root, run};
use crate::serve;
use figures::{Figures, ROUND, hundredth, tenth};
use programs::{Bed, Contender, Gateway, Load, Running, nginx};

const ROUNDS: usize = 3;

/// What is measured: its name, what the load is told to ask, the era, and the number of connections.
const SETTINGS: [(&str, &str, &str, usize); 13] = [
    ("legacy c1", "echo", "legacy", 1),
    ("legacy c16", "echo", "legacy", 16),
    ("legacy c64", "echo", "legacy", 64),
    ("modern c1", "echo", "modern", 1),
    ("modern c16", "echo", "modern", 16),
    ("modern c64", "echo", "modern", 64),
    ("legacy 100 KiB", "102400", "legacy", 16),
    ("modern 100 KiB", "102400", "modern", 16),
    ("legacy 1 MiB", "1048576", "legacy", 16),
    ("modern 1 MiB", "1048576", "modern", 16),
    ("legacy list of 500", "list", "legacy", 16),
    ("modern list of 500", "list", "modern", 16),
    ("legacy session", "session", "legacy", 16),
];

/// A change that makes a call dearer than this, measured against nginx, is told.
const DEARER: f64 = 1.2;

/// Measures this program, or one that is built now, prints the table and compares with the figures kept in the
/// repository; `keep` writes them anew.
pub(crate) fn run_all(keep: bool, only: Option<&str>, program: Option<PathBuf>) -> Result<()> {
    let program = match program {
        Some(program) => fs::canonicalize(&program)
            .with_context(|| format!("there is no program {}", program.display()))?,
        None => serve::build("dist")?,
    };
    run(cargo().args(["build", "--release", "--package", "xtask", "--features", "load", "--bin", "load"]))?;

    let folder = tempfile::tempdir()?;
    let cores = std::thread::available_parallelism()?.get();
    let pins = cores >= 2 && exists("taskset");
    if !pins {
        println!("    one core for all: rates and times say little, processor time per call still counts");
    }
    let bed = Bed { program, pins };
    let mut load = Load::start(pins)?;
    let source = format!("http://127.0.0.1:{}", load.port);
    let gateway = Gateway::prepare(folder.path(), &source, &bed)?;
    let starts = gateway.starts(&mut load)?;
    let contenders = vec![
        Contender {
            name: "direct",
            url: format!("{source}/mcp"),
            many: format!("{source}/many"),
            key: "none".to_owned(),
            process: None,
        },
        nginx(folder.path(), load.port, pins)?,
        gateway.contender()?,
    ];
    let idle = contenders[2].process.as_ref().map_or(0.0, Running::memory_mib);

    println!("==> {ROUNDS} rounds of {} ms each", ROUND.as_millis());
    let mut kept = json!({ "start": { "first_answer_ms": starts.round(), "idle_mib": idle.round() } });
    println!("start to the first right answer: {starts:.0} ms; {idle:.0} MiB resident when idle");
    println!(
        "\n{:<19} {:<9} {:>9} {:>9} {:>9} {:>10} {:>9} {:>9}",
        "what", "through", "calls/s", "p50 µs", "p99 µs", "CPU µs", "of nginx", "RSS MiB"
    );
    for (title, what, era, connections) in SETTINGS {
        if only.is_some_and(|only| !title.contains(only)) {
            continue;
        }
        let figures = setting(&mut load, &contenders, what, era, connections)?;
        let nginx = figures[1].cpu;
        for (contender, figures) in contenders.iter().zip(&figures) {
            let Figures { rate, p50, p99, cpu } = *figures;
            let memory = contender.process.as_ref().map_or(0.0, Running::memory_mib);
            let (cpu_text, ratio, memory) = match contender.process {
                Some(_) => (format!("{cpu:.1}"), format!("{:.2}", cpu / nginx), format!("{memory:.0}")),
                None => Default::default(),
            };
            println!(
                "{title:<19} {:<9} {rate:>9.0} {p50:>9.0} {p99:>9.0} {cpu_text:>10} {ratio:>9} {memory:>9}",
                contender.name
            );
            if contender.name == "doorward" {
                kept[title] = json!({
                    "cpu_us": tenth(cpu), "of_nginx": hundredth(cpu / nginx), "calls_per_second": rate.round(),
                });
            }
        }
    }
    // Its place is wanted by the next gateway.
    drop(contenders);
    if only.is_none_or(|only| "memory".contains(only)) {
        held::measure(&gateway, &mut load, &mut kept)?;
    }
    if only.is_none_or(|only| "limits".contains(only)) {
        limits::measure(&mut load, &source, &bed, &mut kept)?;
    }
    if only.is_none_or(|only| "books".contains(only)) {
        println!("\nwhat a call would be cheaper by without quota, audit and metrics, on both databases");
        run(cargo().args(["bench", "--features", "testing", "--bench", "books"]))?;
    }
    if only.is_some_and(|only| "search".contains(only)) {
        println!("\nwhat looking for events costs among two million, on both databases");
        run(cargo().args(["bench", "--features", "testing", "--bench", "search"]))?;
    }
    if only.is_none_or(|only| "tunnel".contains(only)) {
        tunnel::measure(&mut load, &bed, &mut kept)?;
    }
    compare(&kept, keep && only.is_none())
}

/// All rounds of one setting: the contenders take turns.
fn setting(
    load: &mut Load,
    contenders: &[Contender],
    what: &str,
    era: &str,
    connections: usize,
) -> Result<Vec<Figures>> {
    let mut rounds = vec![Vec::new(); contenders.len()];
    for _ in 0..ROUNDS {
        for (contender, found) in contenders.iter().zip(&mut rounds) {
            let working: Vec<_> = contender.process.iter().collect();
            found.push(Figures::round(load, (what, era, connections), contender, &working)?);
        }
    }
    Ok(rounds.iter().map(|found| Figures::middle(found)).collect())
}

/// Compares the ratios to nginx with those kept, which mean the same on another machine.
fn compare(found: &Value, keep: bool) -> Result<()> {
    let path = root().join("xtask/bench.json");
    let earlier: Value = match fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str(&text)?,
        Err(_) => json!({}),
    };
    println!();
    let mut dearer = Vec::new();
    for (setting, figures) in found.as_object().into_iter().flatten() {
        let (Some(now), Some(then)) = (figures["of_nginx"].as_f64(), earlier[setting]["of_nginx"].as_f64())
        else {
            continue;
        };
        println!("{setting}: {now:.2} times nginx, {then:.2} kept");
        if now > then * DEARER {
            dearer.push(setting.as_str());
        }
    }
    if keep || earlier == json!({}) {
        fs::write(&path, format!("{}\n", serde_json::to_string_pretty(found)?))?;
        println!("kept in {}", path.display());
    } else if !dearer.is_empty() {
        bail!("a call became more than {:.0} % dearer: {}", (DEARER - 1.0) * 100.0, dearer.join(", "));
    }
    Ok(())
}
