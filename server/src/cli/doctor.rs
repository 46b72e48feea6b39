//! `doorward doctor`: is everything in order, and what is to be done if not?
//!
//! Looks beside a running installation as well as at a stopped one, and changes nothing that either
//! would not change by starting.

use std::{os::unix::fs::MetadataExt as _, process::ExitCode};

use doorward::{
    clock::{Clock, Ms},
    engine::Engine,
    model::{HealthState, Reach},
    policy::operator_at_the_shell,
};

use super::{
    CommandResult, Context,
    installation::{Hold, OpenError},
};
use crate::{
    config::{LogFormat, MetricsListen, Settings},
    logging,
    state::engine_settings,
};

/// When this program was written, roughly: a clock before that is wrong.
const CLOCK_MIN: Ms = Ms(1_790_000_000_000);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Grade {
    Good,
    Look,
    Bad,
}

struct Finding {
    what: String,
    grade: Grade,
    words: String,
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn note(&mut self, what: impl Into<String>, grade: Grade, words: impl Into<String>) {
        self.0.push(Finding { what: what.into(), grade, words: words.into() });
    }

    fn print(&self) -> ExitCode {
        for Finding { what, grade, words } in &self.0 {
            let mark = match grade {
                Grade::Good => "ok  ",
                Grade::Look => "look",
                Grade::Bad => "BAD ",
            };
            println!("{mark}  {what:<24} {words}");
        }
        if self.0.iter().any(|finding| finding.grade == Grade::Bad) {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        }
    }
}

pub(super) async fn run(context: &Context) -> CommandResult {
    logging::start("error", LogFormat::Text);
    let mut findings = Findings::default();
    let loaded = match context.load() {
        Ok(loaded) => loaded,
        Err(errors) => {
            findings.note("settings", Grade::Bad, errors.to_string());
            return Ok(findings.print());
        }
    };
    let settings = loaded.settings;
    findings.note("settings", Grade::Good, format!("{} of them are not defaults", loaded.origins.len()));
    check_listen(&settings, &mut findings);
    check_folder(&settings, &mut findings);
    check_clock(&mut findings);
    match Engine::open(engine_settings(&settings), Clock::system()).await {
        Ok(engine) => {
            findings.note("database", Grade::Good, format!("{:?}, migrated", engine.store.backend()));
            findings.note(
                "vault",
                Grade::Good,
                format!("key {} opens what is kept", engine.vault.active_key()),
            );
            if let Err(error) = check_inside(&engine, &settings, &mut findings).await {
                findings.note("accounts and sources", Grade::Bad, super::chain(error.as_ref()));
            }
            engine.store.close().await;
        }
        Err(error) => findings.note("database and vault", Grade::Bad, super::chain(&error)),
    }
    Ok(findings.print())
}

fn check_listen(settings: &Settings, findings: &mut Findings) {
    let ranges = settings.egress_ranges();
    let reach = if ranges.is_empty() {
        "sources may be on the public internet only".to_owned()
    } else {
        format!(
            "sources may also be in {}",
            ranges.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        )
    };
    findings.note("egress", Grade::Good, reach);
    match &settings.public_url {
        Some(url) if url.scheme() == "http" && !settings.listens_on_loopback() => findings.note(
            "public_url",
            Grade::Look,
            "passwords and keys travel in the clear: put a proxy with TLS before it and say https",
        ),
        Some(url) => findings.note("public_url", Grade::Good, url.to_string()),
        None => findings.note("listen", Grade::Good, format!("{}, this machine only", settings.listen)),
    }
    if let MetricsListen::Own(address) = settings.metrics_listen
        && !address.ip().is_loopback()
    {
        findings.note("metrics_listen", Grade::Look, format!("whoever reaches {address} reads the metrics"));
    }
}

fn check_folder(settings: &Settings, findings: &mut Findings) {
    let folder = settings.data_dir.display();
    match Hold::take(settings) {
        Ok(_) => findings.note("data folder", Grade::Good, format!("{folder}, the installation is stopped")),
        Err(OpenError::Running { .. }) => {
            findings.note("data folder", Grade::Good, format!("{folder}, the installation is running"));
        }
        Err(error) => findings.note("data folder", Grade::Bad, super::chain(&error)),
    }
    let key = settings.vault_key_path();
    if let Ok(found) = std::fs::metadata(&key)
        && found.mode() & 0o077 != 0
    {
        findings.note(
            "vault key file",
            Grade::Bad,
            format!("others may read it: chmod 600 {}", key.display()),
        );
    }
}

fn check_clock(findings: &mut Findings) {
    let now = Clock::system().now();
    if now < CLOCK_MIN {
        findings.note("clock", Grade::Bad, format!("it says {now}: set it, or no key and no session holds"));
    } else {
        findings.note("clock", Grade::Good, now.to_string());
    }
}

async fn check_inside(
    engine: &Engine,
    settings: &Settings,
    findings: &mut Findings,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    if engine.identity.setup_needed().await? {
        let grade = if settings.check_open_door(false).is_ok() { Grade::Look } else { Grade::Bad };
        findings.note("owner account", grade, "there is none: `doorward serve` prints the link to make it");
        return Ok(());
    }
    for user in engine.identity.users(&operator_at_the_shell()).await? {
        let Some(member) = engine.identity.at_the_shell(&user.handle).await? else { continue };
        for summary in engine.sources.list(&member).await? {
            let source = summary.source;
            let what = format!("{}/{}", member.tenant_handle, source.name);
            let (grade, words) = match (source.enabled, source.health.state) {
                (false, _) => (Grade::Good, "switched off".to_owned()),
                (true, HealthState::Healthy) => {
                    (Grade::Good, healthy_words(&source.reach, summary.tools.held()))
                }
                (true, HealthState::Unknown) => {
                    (Grade::Look, "not tried yet: test it on its page".to_owned())
                }
                (true, HealthState::Failing) => (Grade::Bad, source.health.detail),
            };
            findings.note(what, grade, words);
        }
        check_chain(engine, &user, findings).await?;
    }
    Ok(())
}

fn healthy_words(reach: &Reach, held: usize) -> String {
    let place = match reach {
        Reach::McpHttp { url } => url.to_string(),
        Reach::McpStdio { command, .. } => command.join(" "),
    };
    if held == 0 { place } else { format!("{place}; {held} tools wait for a look") }
}

/// Looks whether the audit log is whole and does not lie in the future.
async fn check_chain(
    engine: &Engine,
    user: &doorward::model::User,
    findings: &mut Findings,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut tx = engine.store.system_read().await?;
    let report = tx.verify_chain(user.tenant).await?;
    if let Some(number) = report.broken_at {
        let words = format!("event {number} does not fit the ones before: the database was changed by hand");
        findings.note(format!("audit of {}", user.handle), Grade::Bad, words);
    }
    Ok(())
}
