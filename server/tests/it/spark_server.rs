//! A real Spark History Server over the event logs of this repository, a real proxy before it, and Kubeflow's MCP server
//! behind it.
//!
//! `cargo xtask test` installs them. A test that cannot have them fails and says so.

#![expect(
    clippy::disallowed_methods,
    reason = "the servers are processes, and the environment says where they are"
)]

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::net::TcpSocket;

/// How long a history server may take until it has read its logs. It takes 8 s on a quiet machine.
const PATIENCE: Duration = Duration::from_secs(240);
/// How many logs there are.
const LOGS: usize = 9;

/// Applications of the logs; `spark-events/README.md` says what each did.
pub(crate) const SKEW: &str = "local-1795233963183";
pub(crate) const SPILL: &str = "local-1795234009554";
pub(crate) const FAILING: &str = "local-1795234042754";
pub(crate) const SQL: &str = "local-1795234067343";
pub(crate) const STREAMING: &str = "local-1795234108799";
pub(crate) const CLUSTER: &str = "app-20261121040959-0000";
pub(crate) const RUNNING: &str = "local-1795236071353";
pub(crate) const TWO_ATTEMPTS: &str = "application_1795233000000_0001";

pub(crate) const USER: &str = "ada";
pub(crate) const PASSWORD: &str = "basic-passw0rd";
pub(crate) const TOKEN: &str = "bearer-t0ken";

/// A process that ends with the test.
struct Running {
    child: Child,
    _folder: TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A running history server that has read all its logs.
pub(crate) struct HistoryServer {
    address: SocketAddr,
    _process: Running,
}

impl HistoryServer {
    /// Starts one with these settings beside those that it needs, and waits until it is ready.
    pub(crate) async fn open(settings: &'static [(&'static str, &'static str)]) -> Self {
        tokio::task::spawn_blocking(|| Self::start(settings)).await.unwrap()
    }

    fn start(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let logs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spark-events/events");
        let mut lines = format!("spark.history.fs.logDirectory file://{}\n", logs.display());
        lines.push_str("spark.history.ui.port 0\nspark.history.fs.update.interval 1h\n");
        for (name, value) in settings {
            lines.push_str(&format!("{name} {value}\n"));
        }
        let file = folder.path().join("hs.conf");
        fs::write(&file, lines).unwrap();
        let home = home();
        let mut child = Command::new(home.join("bin/spark-class"))
            .args(["org.apache.spark.deploy.history.HistoryServer", "--properties-file"])
            .arg(&file)
            .current_dir(folder.path())
            .env("SPARK_HOME", &home)
            .env("SPARK_LOCAL_IP", "127.0.0.1")
            .env("SPARK_DAEMON_MEMORY", "512m")
            .env("SPARK_LOCAL_DIRS", folder.path())
            .env("SPARK_DAEMON_JAVA_OPTS", format!("-Djava.io.tmpdir={}", folder.path().display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("spark-class does not start ({error}); is Java 17 installed?"));
        let log = BufReader::new(child.stderr.take().unwrap());
        let process = Running { child, _folder: folder };
        let (tell, told) = mpsc::channel();
        // Its log is read for as long as it lives: a full pipe would stop it.
        std::thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                let _ = tell.send(line);
            }
        });
        let address = ready(&told);
        Self { address, _process: process }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// Waits until the log says where the server listens and that it has read every application.
fn ready(told: &mpsc::Receiver<String>) -> SocketAddr {
    let end = Instant::now() + PATIENCE;
    let (mut port, mut read, mut seen) = (None, 0, Vec::new());
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let Ok(line) = told.recv_timeout(left) else {
            panic!("the history server did not get ready; it said:\n{}", seen.join("\n"));
        };
        if let Some((_, at)) = line.split_once("and started at ") {
            port = at.trim().rsplit(':').next().and_then(|port| port.parse::<u16>().ok());
        }
        read += usize::from(line.contains("Finished parsing"));
        seen.push(line);
        if let Some(port) = port
            && read >= LOGS
        {
            return (Ipv4Addr::LOCALHOST, port).into();
        }
    }
}

/// Returns the command that starts Kubeflow's MCP server for this history server.
pub(crate) fn kubeflow(spark: &HistoryServer) -> Vec<String> {
    let program = peers().join("kubeflow/bin/spark-mcp");
    assert!(program.exists(), "no {}: `cargo xtask test install` puts it there", program.display());
    let settings = ["URL", "DEFAULT"].map(|name| format!("SHS_SERVERS__TEST__{name}="));
    let [url, default] = settings;
    let transport = "SHS_MCP__TRANSPORT=stdio".to_owned();
    let program = program.canonicalize().unwrap().display().to_string();
    vec!["/usr/bin/env".to_owned(), url + &spark.url(), default + "true", transport, program]
}

fn peers() -> PathBuf {
    match std::env::var("DOORWARD_PEERS") {
        Ok(peers) => PathBuf::from(peers),
        Err(_) => Path::new(env!("CARGO_MANIFEST_DIR")).join("../peers"),
    }
}

/// Returns where Spark is, or says how to get it.
fn home() -> PathBuf {
    let peers = peers();
    let packages = fs::read_dir(peers.join("spark/lib")).into_iter().flatten().flatten();
    let home = packages.map(|python| python.path().join("site-packages/pyspark")).find(|home| home.exists());
    let home = home.unwrap_or_else(|| {
        panic!("no Spark in {}: `cargo xtask test install` puts it there", peers.join("spark").display())
    });
    home.canonicalize().unwrap()
}

/// nginx before a history server: `/basic/` wants user and password, `/bearer/` a token. It has a second address
/// with a certificate by an authority of its own, where nothing is wanted.
pub(crate) struct Proxy {
    address: SocketAddr,
    secure: SocketAddr,
    authority: String,
    _ports: [TcpSocket; 2],
    _process: Running,
}

/// Returns a port that others may listen on and nobody is given: a bound socket that does not listen keeps it, and
/// nginx may listen on the same one.
fn reserved() -> (TcpSocket, SocketAddr) {
    let port = TcpSocket::new_v4().unwrap();
    port.set_reuseport(true).unwrap();
    port.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let address = port.local_addr().unwrap();
    (port, address)
}

/// Returns the certificates of a new authority and of `127.0.0.1` by it, and the latter's key.
fn certificates() -> (String, String, String) {
    let mut of_authority = CertificateParams::new([]).unwrap();
    of_authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    of_authority.distinguished_name.push(DnType::CommonName, "Corner authority");
    let authority = CertifiedIssuer::self_signed(of_authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let server = server.signed_by(&key, &authority).unwrap();
    (authority.pem(), server.pem(), key.serialize_pem())
}

impl Proxy {
    pub(crate) fn start(behind: &HistoryServer) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().display();
        let ((port, address), (secure_port, secure)) = (reserved(), reserved());
        let (authority, certificate, key) = certificates();
        fs::write(folder.path().join("certificate"), certificate).unwrap();
        fs::write(folder.path().join("key"), key).unwrap();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|kind| format!("{kind}_temp_path {at}/{kind}; "))
            .collect();
        let there = behind.url();
        let configuration = format!(
            "daemon off; master_process off; pid {at}/pid; error_log stderr warn;\n\
             events {{}}\n\
             http {{ access_log off; {temporary}\n\
             map $http_authorization $known {{ default 0; \"Bearer {TOKEN}\" 1; }}\n\
             server {{ listen {address} reuseport;\n\
             location /basic/ {{ auth_basic spark; auth_basic_user_file {at}/users; proxy_pass {there}/; }}\n\
             location /bearer/ {{ if ($known = 0) {{ return 401; }} proxy_pass {there}/; }}\n\
             location /gone/ {{ proxy_pass http://127.0.0.1:1/; }}\n\
             }}\n\
             server {{ listen {secure} ssl reuseport; ssl_certificate {at}/certificate;\n\
             ssl_certificate_key {at}/key;\n\
             location / {{ proxy_pass {there}/; }}\n\
             }} }}\n"
        );
        fs::write(folder.path().join("nginx.conf"), configuration).unwrap();
        fs::write(folder.path().join("users"), format!("{USER}:{{PLAIN}}{PASSWORD}\n")).unwrap();
        let installed = Path::new("/usr/sbin/nginx");
        let child = Command::new(if installed.exists() { installed } else { Path::new("nginx") })
            .args(["-e", "stderr", "-p"])
            .arg(folder.path())
            .arg("-c")
            .arg(folder.path().join("nginx.conf"))
            .stdin(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("nginx does not start ({error}): `cargo xtask test install`"));
        // It writes this file once it listens.
        let (asked, file) = (Instant::now(), folder.path().join("pid"));
        while !file.exists() {
            assert!(asked.elapsed() < PATIENCE, "nginx does not listen");
            std::thread::yield_now();
        }
        let process = Running { child, _folder: folder };
        Self { address, secure, authority, _ports: [port, secure_port], _process: process }
    }

    /// The address with a certificate by [`Proxy::authority`].
    pub(crate) fn secure_url(&self) -> String {
        format!("https://{}/", self.secure)
    }

    /// The certificate of its authority, as PEM.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    pub(crate) fn url(&self, place: &str) -> String {
        format!("http://{}/{place}", self.address)
    }
}
