//! `cargo xtask bench`: what a call through the gateway costs beside a direct call and nginx.
//!
//! The source and the callers share a core, the gateway or nginx has another one to itself, and rounds of all
//! alternate, so that a noisy minute falls on everybody. The figure to steer by is processor time per call: it hardly
//! moves with the machine's noise, where rates do. The gateway runs with everything on: key, preset, renamed
//! tool, quota, audit, metrics. Every answer is checked, and so is that each call was one request to the source.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::process::{cargo, command, exists, root, run, target};

const ROUNDS: usize = 3;
const ROUND: Duration = Duration::from_millis(1600);

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

/// How often the gateway is started to see how long its first answer takes.
const STARTS: usize = 3;

/// A change that makes a call dearer than this, measured against nginx, is told.
const DEARER: f64 = 1.2;

/// How long a program may take to answer its first call.
const START: Duration = Duration::from_secs(20);

/// Something that is measured.
struct Contender {
    name: &'static str,
    url: String,
    /// Where there are many tools.
    many: String,
    key: String,
    /// Whose processor time and memory count; none for the direct call.
    process: Option<Running>,
}

/// Medians of one contender in one setting.
#[derive(Clone, Copy, Default)]
struct Figures {
    rate: f64,
    p50: f64,
    p99: f64,
    cpu: f64,
}

/// Measures, prints the table and compares with the figures kept in the repository; `keep` writes them anew.
pub(crate) fn run_all(keep: bool, only: Option<&str>) -> Result<()> {
    println!("==> programs");
    run(cargo().args(["build", "--release", "--package", "server", "--bin", "doorward"]))?;
    run(cargo().args(["build", "--release", "--package", "xtask", "--features", "load", "--bin", "load"]))?;

    let folder = tempfile::tempdir()?;
    let cores = std::thread::available_parallelism()?.get();
    let pins = cores >= 2 && exists("taskset");
    if !pins {
        println!("    one core for all: rates and times say little, processor time per call still counts");
    }
    let mut load = Load::start(pins)?;
    let source = format!("http://127.0.0.1:{}", load.port);
    let gateway = Gateway::prepare(folder.path(), &source, pins)?;
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
            let before = contender.process.as_ref().map_or(0.0, Running::cpu_seconds);
            let report = load.measure(what, era, contender, connections, ROUND)?;
            let after = contender.process.as_ref().map_or(0.0, Running::cpu_seconds);
            let number = |name: &str| report[name].as_f64().unwrap_or_default();
            // The warm-up's calls cost time too; it is an eighth of the round.
            let calls = number("calls") * 9.0 / 8.0;
            found.push(Figures {
                rate: number("calls") / number("seconds"),
                p50: number("p50_us"),
                p99: number("p99_us"),
                cpu: (after - before) * 1e6 / calls,
            });
        }
    }
    let median = |found: &[Figures], of: fn(&Figures) -> f64| {
        let mut values: Vec<f64> = found.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    Ok(rounds
        .iter()
        .map(|found| Figures {
            rate: median(found, |figures| figures.rate),
            p50: median(found, |figures| figures.p50),
            p99: median(found, |figures| figures.p99),
            cpu: median(found, |figures| figures.cpu),
        })
        .collect())
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

/// The process with source and callers.
struct Load {
    child: Child,
    orders: ChildStdin,
    reports: BufReader<ChildStdout>,
    port: u16,
}

impl Load {
    fn start(pins: bool) -> Result<Self> {
        let mut child = pinned(pins, "0", &target().join("release/load"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("could not start the load")?;
        let orders = child.stdin.take().context("it is piped")?;
        let mut reports = BufReader::new(child.stdout.take().context("it is piped")?);
        let mut line = String::new();
        reports.read_line(&mut line)?;
        Ok(Self { child, orders, reports, port: line.trim().parse()? })
    }

    fn measure(
        &mut self,
        what: &str,
        era: &str,
        contender: &Contender,
        connections: usize,
        round: Duration,
    ) -> Result<Value> {
        let Contender { url, many, key, name, .. } = contender;
        let url = if what == "list" { many } else { url };
        writeln!(self.orders, "{what} {era} {url} {key} {connections} {}", round.as_millis())?;
        let mut line = String::new();
        self.reports.read_line(&mut line)?;
        let report: Value = serde_json::from_str(&line).context("the load ended")?;
        if let Some(error) = report["error"].as_str() {
            bail!("{name}, {what}, {era}: {error}");
        }
        Ok(report)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program under measurement, ended with this value.
struct Running(Child);

impl Running {
    /// The process and its children: nginx works in one.
    fn pids(&self) -> Vec<u32> {
        let own = self.0.id();
        let children = fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap_or_default();
        std::iter::once(own).chain(children.split_whitespace().filter_map(|pid| pid.parse().ok())).collect()
    }

    /// Processor time used so far, from the fields `utime` and `stime`.
    fn cpu_seconds(&self) -> f64 {
        const TICKS: f64 = 100.0;
        let used = |pid: u32| -> Option<f64> {
            let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
            let ticks: f64 = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
            Some(ticks / TICKS)
        };
        self.pids().into_iter().filter_map(used).sum()
    }

    fn memory_mib(&self) -> f64 {
        let resident = |pid: u32| -> Option<f64> {
            let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
            line.trim().trim_end_matches(" kB").parse::<f64>().ok()
        };
        self.pids().into_iter().filter_map(resident).sum::<f64>() / 1024.0
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // SIGTERM, so that nginx ends its worker and the gateway its sources.
        let _ = command("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

fn pinned(pins: bool, core: &str, program: &Path) -> Command {
    if !pins {
        return command(program);
    }
    let mut taskset = command("taskset");
    taskset.args(["-c", core]).arg(program);
    taskset
}

fn nginx(folder: &Path, source: u16, pins: bool) -> Result<Contender> {
    let port = free_port()?;
    let config = folder.join("nginx.conf");
    fs::write(
        &config,
        format!(
            r#"daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; tcp_nodelay on; keepalive_requests 100000000; client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  map $http_authorization $known {{ default 0; "Bearer bench" 1; }}
  upstream source {{ server 127.0.0.1:{source}; keepalive 64; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port};
    if ($known = 0) {{ return 401; }}
    location / {{ proxy_pass http://source; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
}}
"#,
            folder = folder.display()
        ),
    )?;
    let program = if exists("nginx") { PathBuf::from("nginx") } else { PathBuf::from("/usr/sbin/nginx") };
    let child = pinned(pins, "1", &program)
        .args(["-e", "stderr", "-p"])
        .arg(folder)
        .arg("-c")
        .arg(&config)
        .spawn()
        .context("could not start nginx")?;
    let running = Running(child);
    wait_for(port)?;
    let (url, many) = (format!("http://127.0.0.1:{port}/mcp"), format!("http://127.0.0.1:{port}/many"));
    Ok(Contender { name: "nginx", url, many, key: "bench".to_owned(), process: Some(running) })
}

/// An installation with a preset of few tools and one of many.
struct Gateway {
    folder: PathBuf,
    port: u16,
    key: String,
    pins: bool,
}

impl Gateway {
    fn prepare(folder: &Path, source: &str, pins: bool) -> Result<Self> {
        let mut gateway = Self { folder: folder.to_owned(), port: free_port()?, key: String::new(), pins };
        fs::write(folder.join("ada.password"), "correct horse battery staple\n")?;
        let declared = folder.join("declared.yaml");
        fs::write(
            &declared,
            format!(
                "version: 1
users:
  - {{ handle: ada, email: ada@example.org, password_file: ada.password, role: admin, plan: enterprise }}
sources:
  - {{ owner: ada, name: few, kind: mcp_http, url: '{source}/mcp' }}
  - {{ owner: ada, name: many, kind: mcp_http, url: '{source}/many' }}
presets:
  - owner: ada
    slug: bench
    visibility: private
    tools: [{{ source: few, allow: [say, blob], rename: {{ say: echo, blob: bytes }} }}]
  - {{ owner: ada, slug: many, visibility: private, tools: [{{ source: many, allow: all }}] }}
keys:
  - {{ owner: ada, name: bench, secret_file: bench.key }}
"
            ),
        )?;
        run(gateway.command(false).arg("apply").arg(&declared))?;
        gateway.key = fs::read_to_string(folder.join("bench.key"))?.trim().to_owned();
        ensure!(!gateway.key.is_empty(), "doorward apply wrote no key");
        Ok(gateway)
    }

    fn command(&self, pins: bool) -> Command {
        let mut command = pinned(pins, "1", &target().join("release/doorward"));
        command.current_dir(&self.folder).env("DOORWARD_DATA_DIR", self.folder.join("data"));
        command
            .env("DOORWARD_LISTEN", format!("127.0.0.1:{}", self.port))
            .env("DOORWARD_METRICS_LISTEN", "off");
        command
    }

    fn contender(&self) -> Result<Contender> {
        let log = fs::File::create(self.folder.join("doorward.log"))?;
        let child = self
            .command(self.pins)
            .arg("serve")
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("could not start doorward")?;
        let running = Running(child);
        wait_for(self.port)?;
        let address = format!("http://127.0.0.1:{}/mcp/ada", self.port);
        let (url, many) = (format!("{address}/bench"), format!("{address}/many"));
        Ok(Contender { name: "doorward", url, many, key: self.key.clone(), process: Some(running) })
    }

    /// Milliseconds from the start of the program to its first right answer: the median of some.
    fn starts(&self, load: &mut Load) -> Result<f64> {
        let mut times = Vec::new();
        for _ in 0..STARTS {
            let begun = Instant::now();
            let contender = self.contender()?;
            load.measure("echo", "modern", &contender, 1, Duration::ZERO)?;
            times.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        Ok(times[times.len() / 2])
    }
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

fn wait_for(port: u16) -> Result<()> {
    let end = Instant::now() + START;
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        ensure!(Instant::now() < end, "nobody listens on port {port}");
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

fn tenth(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

fn hundredth(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}
