//! What takes part in a measurement: the load with its source, nginx, and an installation of the gateway.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::figures::median;
use crate::process::{command, exists, run, target};

/// How often the gateway is started to see how long its first answer takes.
const STARTS: usize = 3;

/// How long a program may take to answer its first call.
const START: Duration = Duration::from_secs(20);

/// Something that is measured.
pub(super) struct Contender {
    pub(super) name: &'static str,
    pub(super) url: String,
    /// Where there are many tools.
    pub(super) many: String,
    pub(super) key: String,
    /// Whose processor time and memory count; none for the direct call.
    pub(super) process: Option<Running>,
}

/// The process with source and callers.
pub(super) struct Load {
    child: Child,
    orders: ChildStdin,
    reports: BufReader<ChildStdout>,
    pub(super) port: u16,
}

impl Load {
    pub(super) fn start(pins: bool) -> Result<Self> {
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

    pub(super) fn measure(
        &mut self,
        what: &str,
        era: &str,
        contender: &Contender,
        connections: usize,
        round: Duration,
    ) -> Result<Value> {
        let Contender { url, many, key, name, .. } = contender;
        let url = if what == "list" { many } else { url };
        let order = format!("measure {what} {era} {url} {key} {connections} {}", round.as_millis());
        self.order(&order).with_context(|| format!("{name}, {what}, {era}"))
    }

    /// Opens so many of something and keeps them until the next order.
    pub(super) fn hold(&mut self, what: &str, url: &str, key: &str, count: usize) -> Result<()> {
        self.order(&format!("hold {what} {url} {key} {count}")).with_context(|| format!("{count} {what}"))?;
        Ok(())
    }

    fn order(&mut self, order: &str) -> Result<Value> {
        writeln!(self.orders, "{order}")?;
        let mut line = String::new();
        self.reports.read_line(&mut line)?;
        let report: Value = serde_json::from_str(&line).context("the load ended")?;
        match report["error"].as_str() {
            Some(error) => bail!("{error}"),
            None => Ok(report),
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program under measurement, ended with this value.
pub(super) struct Running(pub(super) Child);

impl Running {
    /// The process and its children: nginx works in one.
    fn pids(&self) -> Vec<u32> {
        let own = self.0.id();
        let children = fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap_or_default();
        std::iter::once(own).chain(children.split_whitespace().filter_map(|pid| pid.parse().ok())).collect()
    }

    /// Processor time used so far, from the fields `utime` and `stime`.
    pub(super) fn cpu_seconds(&self) -> f64 {
        const TICKS: f64 = 100.0;
        let used = |pid: u32| -> Option<f64> {
            let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
            let ticks: f64 = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
            Some(ticks / TICKS)
        };
        self.pids().into_iter().filter_map(used).sum()
    }

    pub(super) fn memory_mib(&self) -> f64 {
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

/// What is measured, and whether it has a core to itself.
pub(super) struct Bed {
    pub(super) program: PathBuf,
    pub(super) pins: bool,
}

pub(super) fn pinned(pins: bool, core: &str, program: &Path) -> Command {
    if !pins {
        return command(program);
    }
    let mut taskset = command("taskset");
    taskset.args(["-c", core]).arg(program);
    taskset
}

/// Starts nginx as a plain reverse proxy, with buffers in which it passes on large answers at its best: with its own it
/// takes two to four times as long for a mebibyte.
pub(super) fn nginx(folder: &Path, source: u16, pins: bool) -> Result<Contender> {
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
  proxy_buffers 16 128k; proxy_buffer_size 128k; proxy_busy_buffers_size 512k; proxy_max_temp_file_size 0;
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

/// An installation with a preset of few tools, one of many, and one whose only tool asks before it answers.
pub(super) struct Gateway<'a> {
    bed: &'a Bed,
    folder: PathBuf,
    port: u16,
    key: String,
    settings: Vec<(String, String)>,
}

impl<'a> Gateway<'a> {
    pub(super) fn prepare(folder: &Path, source: &str, bed: &'a Bed) -> Result<Self> {
        let rest = format!(
            "sources:
  - {{ owner: ada, name: few, kind: mcp_http, url: '{source}/mcp' }}
  - {{ owner: ada, name: many, kind: mcp_http, url: '{source}/many' }}
  - {{ owner: ada, name: asks, kind: mcp_http, url: '{source}/asks' }}
presets:
  - owner: ada
    slug: bench
    visibility: private
    tools: [{{ source: few, allow: [say, blob], rename: {{ say: echo, blob: bytes }} }}]
  - {{ owner: ada, slug: many, visibility: private, tools: [{{ source: many, allow: all }}] }}
  - {{ owner: ada, slug: asks, visibility: private, tools: [{{ source: asks, allow: all }}] }}
"
        );
        Self::declared(folder, &rest, bed)
    }

    /// Makes an installation of one person, ada, who has what this part of a document declares.
    pub(super) fn declared(folder: &Path, rest: &str, bed: &'a Bed) -> Result<Self> {
        let (port, key, settings) = (free_port()?, String::new(), Vec::new());
        let mut gateway = Self { bed, folder: folder.to_owned(), port, key, settings };
        fs::write(folder.join("ada.password"), "correct horse battery staple\n")?;
        let declared = folder.join("declared.yaml");
        fs::write(
            &declared,
            format!(
                "version: 1
users:
  - {{ handle: ada, email: ada@example.org, password_file: ada.password, role: admin, plan: enterprise }}
keys:
  - {{ owner: ada, name: bench, secret_file: bench.key }}
{rest}"
            ),
        )?;
        run(gateway.command(false).arg("apply").arg(&declared))?;
        gateway.key = fs::read_to_string(folder.join("bench.key"))?.trim().to_owned();
        ensure!(!gateway.key.is_empty(), "doorward apply wrote no key");
        Ok(gateway)
    }

    /// Starts it with these variables of its environment from now on.
    pub(super) fn set(mut self, settings: impl IntoIterator<Item = (String, String)>) -> Self {
        self.settings.extend(settings);
        self
    }

    fn command(&self, pins: bool) -> Command {
        let mut command = pinned(pins, "1", &self.bed.program);
        command.current_dir(&self.folder).env("DOORWARD_DATA_DIR", self.folder.join("data"));
        command
            .env("DOORWARD_LISTEN", format!("127.0.0.1:{}", self.port))
            .env("DOORWARD_METRICS_LISTEN", "off")
            .envs(self.settings.iter().map(|(name, value)| (name, value)));
        command
    }

    pub(super) fn contender(&self) -> Result<Contender> {
        let log = fs::File::create(self.folder.join("doorward.log"))?;
        let child = self
            .command(self.bed.pins)
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
    pub(super) fn starts(&self, load: &mut Load) -> Result<f64> {
        let mut times = Vec::new();
        for _ in 0..STARTS {
            let begun = Instant::now();
            let contender = self.contender()?;
            load.measure("echo", "modern", &contender, 1, Duration::ZERO)?;
            times.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        Ok(median(times))
    }
}

pub(super) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

pub(super) fn wait_for(port: u16) -> Result<()> {
    let end = Instant::now() + START;
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        ensure!(Instant::now() < end, "nobody listens on port {port}");
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}
