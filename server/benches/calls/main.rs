//! What a call through the gateway costs, beside the direct call and nginx as a plain proxy.
//!
//! Starts a fast source, nginx and the gateway with everything on (key, quota, audit, metrics,
//! renamed tool), the gateway and nginx on one core, source and callers on the other; measures in
//! interleaved rounds and prints medians. Every answer is checked. `cargo xtask bench` runs it.
#![expect(clippy::disallowed_methods, reason = "a benchmark starts processes and connects to them")]
#![expect(missing_docs, reason = "a program, not a library")]

mod http;
mod load;
mod process;
mod upstream;

use std::{
    error::Error,
    fs,
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use load::{Run, Shape};

const ROUNDS: usize = 3;
const PERIOD: Duration = Duration::from_millis(1600);
const KEY_NAME: &str = "bench";

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["source", address] => {
            let address: SocketAddr = address.parse()?;
            runtime()?.block_on(upstream::serve(address))?;
            Ok(())
        }
        ["measure", rest @ ..] => runtime()?.block_on(measure(rest.contains(&"--quick"))),
        rest => {
            // Source and callers share core 0, so that the gateway's core is its own.
            let mut command = Command::new("taskset");
            command.args(["-c", "0"]).arg(std::env::current_exe()?).arg("measure");
            command.args(rest.iter().filter(|argument| **argument == "--quick"));
            let status = command.status()?;
            if status.success() { Ok(()) } else { Err("the measurement failed".into()) }
        }
    }
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// A process that ends with the measurement.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Something that is measured.
struct Target {
    name: &'static str,
    pid: Option<u32>,
    shape: Shape,
}

async fn measure(quick: bool) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let source = free_address()?;
    let _source =
        Running(Command::new(std::env::current_exe()?).args(["source", &source.to_string()]).spawn()?);
    wait_for(source).await?;

    let nginx_address = free_address()?;
    let nginx = start_nginx(folder.path(), nginx_address, source)?;
    wait_for(nginx_address).await?;

    let gateway_address = free_address()?;
    let begun = Instant::now();
    let (gateway, key) = start_gateway(folder.path(), gateway_address, source)?;
    wait_for(gateway_address).await?;
    println!("start to first connection: {} ms", begun.elapsed().as_millis());
    println!("gateway resident before load: {:.0} MiB", process::resident_mib(gateway.0.id()));

    let targets = |tool: &str, size: usize| {
        let direct = Shape {
            address: source,
            path: "/mcp".into(),
            headers: modern_headers(tool, ""),
            body: modern_call(tool),
            answer_bytes_min: size,
            answer_holds: "\"content\"".into(),
        };
        let through = |address, path: &str, tool: &str, key: &str| Shape {
            address,
            path: path.into(),
            headers: modern_headers(tool, key),
            body: modern_call(tool),
            ..direct.clone()
        };
        vec![
            Target { name: "direct", pid: None, shape: direct.clone() },
            Target {
                name: "nginx",
                pid: Some(nginx.0.id()),
                shape: through(nginx_address, "/mcp", tool, &key),
            },
            Target {
                name: "doorward",
                pid: Some(gateway.0.id()),
                shape: through(gateway_address, "/mcp/ada/bench", &format!("bench_{tool}"), &key),
            },
        ]
    };

    println!("\n| case | target | req/s | p50 µs | p99 µs | CPU µs/call | of nginx (CPU) | wrong |");
    println!("|---|---|---|---|---|---|---|---|");
    let mut wrong = 0;
    let cases: &[(&str, usize)] =
        &[("echo", 1), ("echo", 16), ("echo", 64), ("blob_100k", 16), ("blob_1m", 8)];
    for (tool, connections) in cases.iter().take(if quick { 2 } else { cases.len() }) {
        let size = upstream::SIZES.iter().find(|(name, _)| name == tool).map_or(0, |(_, size)| *size);
        wrong += compare(&format!("{tool} c{connections}"), &targets(tool, size), *connections).await?;
    }
    let list = |address, path: &str, key: &str| Shape {
        address,
        path: path.into(),
        headers: format!("MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/list\r\n{}", bearer(key)),
        body: format!(r#"{{"jsonrpc":"2.0","id":ID,"method":"tools/list","params":{{"_meta":{META}}}}}"#),
        answer_bytes_min: 20_000,
        answer_holds: "\"tools\"".into(),
    };
    let lists = [
        Target { name: "direct", pid: None, shape: list(source, "/mcp", "") },
        Target { name: "nginx", pid: Some(nginx.0.id()), shape: list(nginx_address, "/mcp", &key) },
        Target {
            name: "doorward",
            pid: Some(gateway.0.id()),
            shape: list(gateway_address, "/mcp/ada/bench", &key),
        },
    ];
    wrong += compare("tools/list of 503 c16", &lists, 16).await?;

    println!("\ngateway resident after load: {:.0} MiB", process::resident_mib(gateway.0.id()));
    if wrong > 0 { Err(format!("{wrong} answers were wrong").into()) } else { Ok(()) }
}

/// Measures the targets in interleaved rounds and prints a row each; returns the wrong answers.
async fn compare(case: &str, targets: &[Target], connections: usize) -> Result<u64> {
    let mut rounds: Vec<Vec<(Run, f64)>> = targets.iter().map(|_| Vec::new()).collect();
    for target in targets {
        load::run(&target.shape, connections, PERIOD / 4).await?;
    }
    for _ in 0..ROUNDS {
        for (target, rounds) in targets.iter().zip(&mut rounds) {
            let before = target.pid.map(process::cpu).unwrap_or_default();
            let run = load::run(&target.shape, connections, PERIOD).await?;
            let used = target.pid.map(process::cpu).unwrap_or_default().saturating_sub(before);
            let per_call_us = used.as_secs_f64() * 1e6 / (run.answers.max(1)) as f64;
            rounds.push((run, per_call_us));
        }
    }
    let of = |index: usize, value: fn(&(Run, f64)) -> f64| median(rounds[index].iter().map(value).collect());
    let nginx_us = of(1, |(_, us)| *us);
    for (index, target) in targets.iter().enumerate() {
        let us = of(index, |(_, us)| *us);
        println!(
            "| {case} | {} | {:.0} | {:.0} | {:.0} | {} | {} | {} |",
            target.name,
            of(index, |(run, _)| run.rate()),
            of(index, |(run, _)| run.quantile_us(0.5)),
            of(index, |(run, _)| run.quantile_us(0.99)),
            if target.pid.is_some() { format!("{us:.1}") } else { "-".into() },
            if target.pid.is_some() { format!("{:.2}", us / nginx_us) } else { "-".into() },
            rounds[index].iter().map(|(run, _)| run.wrong).sum::<u64>(),
        );
    }
    Ok(rounds.iter().flatten().map(|(run, _)| run.wrong).sum())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

const META: &str = concat!(
    r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28","#,
    r#""io.modelcontextprotocol/clientCapabilities":{},"#,
    r#""io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1"}}"#
);

fn modern_call(tool: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":ID,"method":"tools/call","params":{{"name":"{tool}","arguments":{{"text":"a question of ordinary length, as an agent would ask it"}},"_meta":{META}}}}}"#
    )
}

fn modern_headers(tool: &str, key: &str) -> String {
    format!(
        "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: {tool}\r\n{}",
        bearer(key)
    )
}

fn bearer(key: &str) -> String {
    if key.is_empty() { String::new() } else { format!("Authorization: Bearer {key}\r\n") }
}

fn start_nginx(folder: &Path, address: SocketAddr, source: SocketAddr) -> Result<Running> {
    let configuration = format!(
        "daemon off; worker_processes 1; error_log stderr crit; pid {folder}/nginx.pid;\n\
         events {{ worker_connections 1024; }}\n\
         http {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;\n\
           fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n\
           keepalive_requests 10000000; proxy_buffers 16 256k; proxy_buffer_size 64k; proxy_busy_buffers_size 512k;\n\
           upstream source {{ server {source}; keepalive 64; keepalive_requests 10000000; }}\n\
           map $http_authorization $ok {{ default 0; \"~^Bearer dw_\" 1; }}\n\
           server {{ listen {address}; location / {{ if ($ok = 0) {{ return 401; }}\n\
             proxy_pass http://source; proxy_http_version 1.1; proxy_set_header Connection \"\"; }} }} }}\n",
        folder = folder.display(),
    );
    let path = folder.join("nginx.conf");
    fs::write(&path, configuration)?;
    let mut command = Command::new("taskset");
    command.args(["-c", "1", "nginx", "-c"]).arg(path).stderr(Stdio::inherit());
    Ok(Running(command.spawn()?))
}

fn start_gateway(folder: &Path, address: SocketAddr, source: SocketAddr) -> Result<(Running, String)> {
    let renamed: String = upstream::SIZES
        .iter()
        .map(|(name, _)| format!("          - {{ name: {name}, as: bench_{name} }}\n"))
        .collect();
    let declared = format!(
        "version: 1\nusers:\n  - {{ handle: ada, email: ada@example.org, password_file: ada.password, role: admin }}\n\
         sources:\n  - {{ owner: ada, name: bench, kind: mcp_http, url: \"http://{source}/mcp\" }}\n\
         presets:\n  - owner: ada\n    slug: bench\n    tools:\n      - source: bench\n        allow: all\n        rename:\n{renamed}\
         keys:\n  - {{ owner: ada, name: {KEY_NAME}, secret_file: bench.key }}\n"
    );
    fs::write(folder.join("ada.password"), "a long enough password")?;
    let file = folder.join("bench.yaml");
    fs::write(&file, declared)?;
    let gateway = |arguments: &[&str]| {
        let mut command = Command::new("taskset");
        command
            .args(["-c", "1", env!("CARGO_BIN_EXE_doorward")])
            .args(arguments)
            .env("DOORWARD_DATA_DIR", folder.join("data"))
            .env("DOORWARD_LISTEN", address.to_string())
            .env("DOORWARD_LOG", "warn");
        command
    };
    let file = file.to_str().ok_or("the temporary folder's name is not UTF-8")?;
    let applied = gateway(&["apply", file]).stdout(Stdio::null()).status()?;
    if !applied.success() {
        return Err("doorward apply failed".into());
    }
    let key = fs::read_to_string(folder.join("bench.key"))?.trim().to_owned();
    Ok((Running(gateway(&["serve"]).spawn()?), key))
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

async fn wait_for(address: SocketAddr) -> Result<()> {
    for _ in 0..2000 {
        if tokio::net::TcpStream::connect(address).await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Err(format!("nothing listens on {address}").into())
}
