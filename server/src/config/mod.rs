//! Settings: built-in defaults, then a file, then `DOORWARD_…` variables.
//!
//! The only room that reads the environment, the settings file, or a file that holds settings itself
//! (a secret, the identity providers). Never opens anything else a setting names: that is for the
//! room that uses it. One more setting is one more entry of the list below;
//! the file's key, the variable's name, the sample and the table in the README follow from it.

mod check;
mod error;
mod exports;
mod known_hosts;
mod layer;
mod logins;
mod mail;
mod model;
mod rates;
mod show;
mod thresholds;
mod value;
mod warnings;

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use doorward::{audit::Every, identity::SignUp, model::Rate, quota::WhenAway, secret::Secret};
use ipnet::IpNet;
use url::Url;

pub use check::{LOOPBACK_AND_PRIVATE, OpenDoor};
pub use error::{ConfigError, ConfigErrors};
pub use known_hosts::KnownHostsFile;
pub use layer::{Origin, environment, search_path, variable};
pub use logins::LoginsFile;
pub use show::{effective, sample, table};
pub use thresholds::ThresholdsFile;
pub use value::{List, LogFormat, MetricsListen, Value};

/// What is known of a setting without reading one.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The key in the file; the variable is `DOORWARD_` and this in upper case.
    pub name: &'static str,
    /// What it is for, a line each.
    pub doc: &'static [&'static str],
    /// The default as it would be written; empty = absent.
    pub default: &'static str,
    /// Whether its value is never shown.
    pub secret: bool,
}

impl Entry {
    /// Returns the name of the environment variable.
    pub fn variable(&self) -> String {
        format!("{}{}", layer::PREFIX, self.name.to_uppercase())
    }

    /// Returns the name of the setting that names a file with the value; `None` for what is not
    /// secret.
    pub fn file_name(&self) -> Option<String> {
        let name = format!("{}_file", self.name);
        (self.secret && !ENTRIES.iter().any(|entry| entry.name == name)).then_some(name)
    }
}

macro_rules! settings {
    ($($(#[doc = $doc:literal])+ $name:ident: $type:ty = $default:literal;)*) => {
        /// Every setting of the program, checked.
        #[derive(Clone, Debug)]
        pub struct Settings {$(
            $(#[doc = $doc])+
            pub $name: $type,
        )*}

        /// Every setting, in the order of the sample.
        pub const ENTRIES: &[Entry] = &[$(
            Entry {
                name: stringify!($name),
                doc: &[$($doc),+],
                default: $default,
                secret: <$type as Value>::SECRET,
            },
        )*];

        impl Settings {
            fn read(layers: &layer::Layers, errors: &mut Vec<ConfigError>) -> Option<Self> {
                $(let $name = layers.value::<$type>(stringify!($name), $default, errors);)*
                Some(Self { $($name: $name?,)* })
            }

            fn texts(&self) -> Vec<(&'static str, String)> {
                vec![$((stringify!($name), self.$name.write()),)*]
            }
        }
    };
}

settings! {
    /// The address and port to listen on. Anything but loopback needs `public_url` and an owner account.
    listen: SocketAddr = "127.0.0.1:8080";
    /// The address people and agents use, when it is not the one listened on: `https://doorward.example.org`, or one below a path, as `https://example.org/doorward`.
    public_url: Option<Url> = "";
    /// Further names under which requests are accepted, as `doorward.internal:8080`, separated by commas.
    allowed_hosts: List<String> = "";
    /// Other web pages whose scripts may call presets, as `https://inspector.example.org`, separated by commas.
    allowed_origins: List<String> = "";
    /// Address ranges of proxies whose `X-Forwarded-For` is believed, separated by commas.
    trusted_proxies: List<IpNet> = "";
    /// Where metrics are served: an address and port of their own, `main` for `/metrics/prometheus` beside the console (with the API key of an instance admin), or `off`.
    metrics_listen: MetricsListen = "127.0.0.1:9464";
    /// The folder that holds all state.
    data_dir: PathBuf = "data";
    /// The PostgreSQL database as `postgres://…`, in a role that owns no tables. Absent = SQLite in the data folder.
    database_url: Option<Secret> = "";
    /// The PostgreSQL database in the role that owns the tables, for migrations at start. Absent = migrated by somebody else.
    database_owner_url: Option<Secret> = "";
    /// The file that holds the vault's keys; made on first start. Absent = `vault.key` in the data folder.
    vault_key_file: Option<PathBuf> = "";
    /// The vault's key itself, 32 bytes as base64, in place of a file. It cannot be rotated by the program.
    vault_key: Option<Secret> = "";
    /// Address ranges that sources may be in beside the public internet, separated by commas; `none` for no range. Absent = loopback and private ranges while listening on loopback without `public_url`, otherwise none.
    egress_allow: Option<List<IpNet>> = "";
    /// The TOML file of the identity providers people may sign in with beside their password: Google, GitHub and any OpenID Connect issuer. Absent = none.
    logins_file: Option<LoginsFile> = "";
    /// Who may make an account: nobody (`closed`), whoever is invited to a preset (`invited`), everybody whom one of those providers knows (`open`), or those with an e-mail address in these domains, as `example.org, example.net`.
    sign_up: SignUp = "closed";
    /// The mail server that takes invitations and warnings: `smtp://user@mail.example.org:587` (must change to TLS), `smtps://…:465` (TLS from the start) or `smtp+plain://127.0.0.1:25` (no TLS). Absent = links are shown to copy.
    mail_server: Option<Url> = "";
    /// The password of the mail server's user.
    mail_password: Option<Secret> = "";
    /// Whom letters are from, as `Doorward <doorward@example.org>`. Needed beside `mail_server`.
    mail_from: Option<String> = "";
    /// Where warnings are posted before something stops working (sign-ins at data sources, API keys, presets) and when a month is nearly or all used, as JSON: an address in reach of `egress_allow`. Absent = nowhere; people are told on the home page and, with a mail server, by e-mail.
    warning_webhook: Option<Secret> = "";
    /// What these posts are signed with, as Standard Webhooks says. Absent = they are not signed.
    warning_webhook_secret: Option<Secret> = "";
    /// Where other processes on the same PostgreSQL database reach this one's listener, as `http://10.0.0.7:8080`: they hand on requests for what lies in its memory. Absent = the address it listens on, or, if that is every address, the one by which it reaches the database.
    replica_address: Option<Url> = "";
    /// What a payment provider signs changes of plans with that it posts to `/api/v1/plan-changes`, as Standard Webhooks says. Absent = there is no such address.
    plan_webhook_secret: Option<Secret> = "";
    /// The folder that the audit log is exported to, as files with proof: one for each hour or day that is over and each organisation. Absent = not to a folder.
    audit_export_folder: Option<PathBuf> = "";
    /// The S3-compatible storage that it is exported to in place of a folder: `https://s3.eu-central-1.amazonaws.com`, in reach of `egress_allow`.
    audit_export_s3_endpoint: Option<Url> = "";
    /// The bucket there.
    audit_export_s3_bucket: Option<String> = "";
    /// The region, as the storage calls it.
    audit_export_s3_region: String = "us-east-1";
    /// What names of files begin with in that bucket, as `doorward/audit`. Absent = nothing.
    audit_export_s3_prefix: Option<String> = "";
    /// The access key that files are put there with.
    audit_export_s3_access_key: Option<String> = "";
    /// The secret key that belongs to it.
    audit_export_s3_secret_key: Option<Secret> = "";
    /// How much of the log one file is of: an `hour` or a `day`, in UTC.
    audit_export_every: Every = "day";
    /// The OpenTelemetry collector that run events are sent to as logs (OTLP/HTTP, JSON), with the path, as `https://collector.example.org/v1/logs`, in reach of `egress_allow`. Absent = none.
    otlp_logs_url: Option<Url> = "";
    /// What each of these requests carries beside: `authorization=Bearer%20…,x-scope=…`, values percent-encoded as in `OTEL_EXPORTER_OTLP_HEADERS`.
    otlp_logs_headers: Option<Secret> = "";
    /// How fast calls with one API key, or of one client that somebody let in, may come: `600/minute`, per `second`, `minute`, `hour` or `day`; with `, 20 at once` behind it where fewer may come at the same moment. Owners of keys, presets and data sources set limits of their own beside these. Absent = as fast as others let them; so for all that follow.
    rate_limit_key: Option<Rate> = "";
    /// How fast the calls of one person may come, unless their plan has a `rate` of its own.
    rate_limit_person: Option<Rate> = "";
    /// How fast the calls of one organisation may come.
    rate_limit_organisation: Option<Rate> = "";
    /// How fast calls of one preset may come.
    rate_limit_preset: Option<Rate> = "";
    /// How fast calls that go to one data source may come.
    rate_limit_source: Option<Rate> = "";
    /// How fast calls of one tool of a preset may come.
    rate_limit_tool: Option<Rate> = "";
    /// How fast requests of one person to the REST API may come.
    rate_limit_rest: Option<Rate> = "";
    /// The Redis or Valkey that replicas share what is left of these limits by: `redis://:password@redis.example.org:6379/0`, or `rediss://` for TLS. Absent = each process limits calls by itself.
    redis_url: Option<Secret> = "";
    /// What becomes of calls with limits while Redis does not answer within 100 ms: each process limits them by itself (`open`), or they are refused (`closed`).
    rate_limit_when_redis_is_away: WhenAway = "open";
    /// How long what came of a call that is made once is kept for those who send it again, in seconds.
    retries_kept_secs: u64 = "86400";
    /// Whether people who are not signed in see the gallery of presets, as far as these ask for no key: `true` or `false`.
    public_gallery: bool = "false";
    /// How long a caller may take to send the body of a form, of a request to the REST API or of one to a preset, in milliseconds.
    body_timeout_ms: u64 = "60000";
    /// The longest wait for a connection to a source, in milliseconds.
    connect_timeout_ms: u64 = "5000";
    /// The longest wait for a source's answer to a call, in milliseconds.
    call_timeout_ms: u64 = "60000";
    /// The longest time for reading everything for an analysis of an application, in milliseconds.
    analysis_timeout_ms: u64 = "60000";
    /// The TOML file that says from where on something is wrong with a Spark application, each threshold by its name (`gc_share = 0.15`), read at start. What it does not name stays as it is; the names are those of `src/providers/spark/analysis/thresholds.rs`. Absent = the thresholds there.
    analysis_thresholds_file: Option<ThresholdsFile> = "";
    /// Where a model is that rewrites the reports of analyses, behind an OpenAI-compatible address in reach of `egress_allow`: `https://api.example.org/v1`. It is sent the report with its numbers; what it answers is shown beside the report, under its name, if every number in it stands in the report. Absent = no report is rewritten.
    model_url: Option<Url> = "";
    /// The name of that model there. Needed beside `model_url`.
    model_name: Option<String> = "";
    /// The key that the model is asked with. Absent = none is sent.
    model_key: Option<Secret> = "";
    /// The largest body of a request to a preset, in bytes.
    request_bytes_max: u64 = "4194304";
    /// The largest answer taken from a source, in bytes.
    response_bytes_max: u64 = "16777216";
    /// How many processes of `mcp_stdio` sources may run at once.
    stdio_processes_max: u64 = "32";
    /// How long such a process may be idle before it is ended, in seconds.
    stdio_idle_secs: u64 = "900";
    /// Whether tunnels may sign in at SSH servers with a password, also where the server asks for it as a question: `true` or `false`. With `false` only keys and certificates sign in.
    tunnel_passwords: bool = "false";
    /// The file of SSH servers' host keys in the form of OpenSSH's `known_hosts`, read at start. A server in it needs no confirmation with such a key, and is refused with another; keys under `@revoked` are refused everywhere, certificates of `@cert-authority` lines are accepted. Absent = owners confirm every host key.
    tunnel_known_hosts: Option<KnownHostsFile> = "";
    /// How many connections may be open at once.
    connections_max: u64 = "10000";
    /// How long a connection is kept for its next request, in seconds. A balancer in front has to keep its own less long, or it loses a request now and then that it sends while this side closes; of well-known ones Google's keeps them longest, 600 seconds.
    keep_alive_secs: u64 = "620";
    /// How long calls may take to finish after a request to stop, in seconds.
    drain_secs: u64 = "20";
    /// What is logged, as `info` or `info,doorward=debug`.
    log: String = "info";
    /// How it is logged: `text` or `json`.
    log_format: LogFormat = "text";
}

impl Settings {
    /// Reads the settings from a file, if one is named, and the variables given.
    ///
    /// All mistakes are reported at once, each with the place where it was made.
    pub fn load(
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Loaded, ConfigErrors> {
        let mut errors = Vec::new();
        let layers = layer::Layers::read(file, variables, &mut errors);
        let settings = Self::read(&layers, &mut errors);
        if let Some(settings) = &settings {
            errors.extend(settings.check());
        }
        match settings {
            Some(settings) if errors.is_empty() => Ok(Loaded { settings, origins: layers.origins() }),
            _ => Err(ConfigErrors(errors)),
        }
    }

    /// Returns the settings of a program that nobody configured.
    pub fn defaults() -> Self {
        Self::load(None, []).map(|loaded| loaded.settings).expect("the defaults are checked by a test")
    }

    /// Says whether only programs of the same machine can reach the listener.
    pub fn listens_on_loopback(&self) -> bool {
        is_loopback(self.listen.ip())
    }

    /// Returns the file that holds the vault's keys.
    pub fn vault_key_path(&self) -> PathBuf {
        self.vault_key_file.clone().unwrap_or_else(|| self.data_dir.join("vault.key"))
    }

    /// Returns the file of the SQLite database.
    pub fn sqlite_path(&self) -> PathBuf {
        self.data_dir.join("doorward.db")
    }

    /// Returns the ranges that sources may be in beside the public internet.
    ///
    /// A program that only its own machine can reach may reach that machine's neighbourhood; one
    /// that others can reach must not become their way into it.
    pub fn egress_ranges(&self) -> Vec<IpNet> {
        match &self.egress_allow {
            Some(ranges) => ranges.0.clone(),
            None if self.listens_on_loopback() && self.public_url.is_none() => {
                LOOPBACK_AND_PRIVATE.iter().map(|range| range.parse().expect("a constant")).collect()
            }
            None => Vec::new(),
        }
    }

    /// Returns the address people and agents use, without a slash at the end.
    pub fn base_url(&self) -> String {
        self.public_base().unwrap_or_else(|| format!("http://{}", self.listen))
    }

    /// Returns that address if it was configured.
    pub fn public_base(&self) -> Option<String> {
        self.public_url.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned())
    }

    /// Says whether browsers reach us over TLS, so that cookies may be bound to it.
    pub fn is_https(&self) -> bool {
        self.public_url.as_ref().is_some_and(|url| url.scheme() == "https")
    }

    /// Returns how long a connection is kept for its next request.
    pub fn keep_alive(&self) -> Duration {
        Duration::from_secs(self.keep_alive_secs)
    }

    /// Returns how long calls may take to finish after a request to stop.
    pub fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_secs)
    }
}

/// Settings, and where each was said.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// Where each one that is not a default was said.
    pub origins: Vec<(&'static str, Origin)>,
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}
