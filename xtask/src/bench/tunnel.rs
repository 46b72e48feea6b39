//! What a tunnel costs: the same source reached directly, through a port of `ssh -L`, and through a tunnel of the
//! gateway's own, in turns, over the same real OpenSSH server. At the end 2 GiB go through one session.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::{
    ROUNDS,
    figures::{Figures, tenth},
    programs::{Bed, Contender, Gateway, Load, Running, free_port, pinned, wait_for},
};
use crate::process::{command, run};

/// What is asked over each way, and over how many connections.
const SETTINGS: [(&str, &str, usize); 4] = [
    ("tunnel c1", "echo", 1),
    ("tunnel c16", "echo", 16),
    ("tunnel 1 MiB c1", BLOB, 1),
    ("tunnel 1 MiB c16", BLOB, 16),
];
const BLOB: &str = "1048576";

/// How much goes through one session in one direction: past the gibibyte after which both sides change their keys.
const LARGE_BYTES: u64 = 2 << 30;

/// One way to the source: what it is called, the preset that takes it, and what works for it beside the gateway.
struct Way<'a> {
    name: &'static str,
    preset: &'static str,
    helper: Option<&'a Running>,
}

/// Measures in an installation of its own and prints the table.
pub(super) fn measure(load: &mut Load, bed: &Bed, kept: &mut Value) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let source = load.port;
    let server = SshServer::start(folder.path(), bed.pins)?;
    let (forward, forwarded) = server.forward(source, bed.pins)?;
    let gateway = Gateway::declared(folder.path(), &server.declare(source, forwarded)?, bed)?;
    let contender = gateway.contender()?;
    let ways = [
        Way { name: "direct", preset: "direct", helper: None },
        Way { name: "ssh -L", preset: "forwarded", helper: Some(&forward) },
        Way { name: "own", preset: "tunnelled", helper: None },
    ];

    println!(
        "\n{:<19} {:<9} {:>9} {:>9} {:>9} {:>10} {:>9}",
        "what", "through", "calls/s", "p50 µs", "p99 µs", "CPU µs", "MiB/s"
    );
    for (title, what, connections) in SETTINGS {
        let mut rounds = vec![Vec::new(); ways.len()];
        for _ in 0..ROUNDS {
            for (way, found) in ways.iter().zip(&mut rounds) {
                let working: Vec<_> = contender.process.iter().chain(way.helper).collect();
                let over = over(&contender, way.preset);
                found.push(Figures::round(load, (what, "modern", connections), &over, &working)?);
            }
        }
        for (way, found) in ways.iter().zip(&rounds) {
            let Figures { rate, p50, p99, cpu } = Figures::middle(found);
            let flow = if what == BLOB { format!("{rate:.0}") } else { String::new() };
            let name = way.name;
            println!("{title:<19} {name:<9} {rate:>9.0} {p50:>9.0} {p99:>9.0} {cpu:>10.1} {flow:>9}");
            kept[format!("{title} {name}")] =
                json!({ "cpu_us": tenth(cpu), "p50_us": p50.round(), "calls_per_second": rate.round() });
        }
    }
    let seconds = large(load, &contender)?;
    println!("2 GiB through one session, without a second connection: {seconds:.1} s");
    kept["tunnel 2 GiB"] = json!({ "seconds": tenth(seconds) });
    Ok(())
}

/// Sends 2 GiB through the session of the tunnel; returns how many seconds that took.
fn large(load: &mut Load, gateway: &Contender) -> Result<f64> {
    let over = over(gateway, "tunnelled");
    let session = |of: &str| session(gateway).map(|session| session[of].as_u64().unwrap_or_default());
    let (begun, mut seconds) = (session("bytes_in")?, 0.0);
    while session("bytes_in")? - begun < LARGE_BYTES {
        let report = load.measure(BLOB, "modern", &over, 4, Duration::from_secs(2))?;
        seconds += report["seconds"].as_f64().unwrap_or_default();
    }
    let through = session("bytes_in")? - begun;
    ensure!(session("reconnects")? == 0, "the session was lost on the way");
    Ok(seconds * LARGE_BYTES as f64 / through as f64)
}

/// Returns what the gateway says of the only session of its only tunnel.
fn session(gateway: &Contender) -> Result<Value> {
    let tunnels = get(gateway, "/api/v1/tunnels")?;
    let id = tunnels["items"][0]["id"].as_str().context("the tunnel has an id")?.to_owned();
    let detail = get(gateway, &format!("/api/v1/tunnels/{id}"))?;
    Ok(detail["sessions"][0].clone())
}

/// Asks the gateway's REST API.
fn get(gateway: &Contender, path: &str) -> Result<Value> {
    let host = gateway.url.trim_start_matches("http://").split('/').next().unwrap_or_default();
    let mut stream = TcpStream::connect(host)?;
    let key = &gateway.key;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {key}\r\nconnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("an answer has a head")?;
    if !head.starts_with("HTTP/1.1 200") {
        bail!("{path}: {answer}");
    }
    Ok(serde_json::from_str(body)?)
}

fn over(gateway: &Contender, preset: &str) -> Contender {
    Contender {
        name: gateway.name,
        url: gateway.url.replace("/bench", &format!("/{preset}")),
        many: gateway.many.clone(),
        key: gateway.key.clone(),
        process: None,
    }
}

/// A real OpenSSH server that lets in one key.
struct SshServer {
    folder: PathBuf,
    port: u16,
    user: String,
    _running: Running,
}

impl SshServer {
    fn start(folder: &Path, pins: bool) -> Result<Self> {
        // Where it wants an empty folder to lock its unprivileged half into.
        let _ = fs::create_dir_all("/run/sshd");
        for key in ["host", "user"] {
            let mut keygen = command("ssh-keygen");
            run(keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(folder.join(key)))?;
        }
        fs::copy(folder.join("user.pub"), folder.join("authorized_keys"))?;
        let (port, shown) = (free_port()?, folder.display());
        let configuration = folder.join("sshd_config");
        fs::write(
            &configuration,
            format!(
                "ListenAddress 127.0.0.1:{port}\nHostKey {shown}/host\nAuthorizedKeysFile {shown}/authorized_keys\n\
                 StrictModes no\nUsePAM no\nPermitRootLogin yes\nPidFile none\nLogLevel ERROR\nUseDNS no\n"
            ),
        )?;
        // It is on the other side, as the source is.
        let child = pinned(pins, "0", Path::new("/usr/sbin/sshd"))
            .args(["-D", "-e", "-f"])
            .arg(&configuration)
            .spawn()
            .context("could not start sshd")?;
        let running = Running(child);
        wait_for(port)?;
        let user = String::from_utf8(command("id").arg("-un").output()?.stdout)?.trim().to_owned();
        Ok(Self { folder: folder.to_owned(), port, user, _running: running })
    }

    /// Starts `ssh -L` to the source. Returns it and its port.
    fn forward(&self, source: u16, pins: bool) -> Result<(Running, u16)> {
        let port = free_port()?;
        let child = pinned(pins, "1", Path::new("ssh"))
            .args(["-N", "-F", "none", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"])
            .args(["-o", "StrictHostKeyChecking=no", "-o", "ExitOnForwardFailure=yes", "-o", "BatchMode=yes"])
            .arg("-i")
            .arg(self.folder.join("user"))
            .args(["-L", &format!("127.0.0.1:{port}:127.0.0.1:{source}"), "-p", &self.port.to_string()])
            .arg(format!("{}@127.0.0.1", self.user))
            .spawn()
            .context("could not start ssh")?;
        let running = Running(child);
        wait_for(port)?;
        Ok((running, port))
    }

    /// Writes the three ways to the source as a document says them.
    fn declare(&self, source: u16, forwarded: u16) -> Result<String> {
        let printed = command("ssh-keygen").arg("-lf").arg(self.folder.join("host.pub")).output()?.stdout;
        let printed = String::from_utf8(printed)?;
        let host_key =
            printed.split_whitespace().nth(1).context("ssh-keygen prints the fingerprint second")?;
        let Self { port, user, .. } = self;
        Ok(format!(
            "tunnels:
  - owner: ada
    name: bastion
    hops: [{{ host: 127.0.0.1, port: {port}, user: {user}, key_file: user, host_key: '{host_key}' }}]
    destinations: ['127.0.0.1:{source}']
sources:
  - {{ owner: ada, name: direct, kind: mcp_http, url: 'http://127.0.0.1:{source}/mcp' }}
  - {{ owner: ada, name: forwarded, kind: mcp_http, url: 'http://127.0.0.1:{forwarded}/mcp' }}
  - {{ owner: ada, name: tunnelled, kind: mcp_http, url: 'http://127.0.0.1:{source}/mcp', tunnel: bastion }}
presets:
  - {{ owner: ada, slug: direct, tools: [{{ source: direct, allow: all, rename: {{ say: echo, blob: bytes }} }}] }}
  - {{ owner: ada, slug: forwarded, tools: [{{ source: forwarded, allow: all, rename: {{ say: echo, blob: bytes }} }}] }}
  - {{ owner: ada, slug: tunnelled, tools: [{{ source: tunnelled, allow: all, rename: {{ say: echo, blob: bytes }} }}] }}
"
        ))
    }
}
