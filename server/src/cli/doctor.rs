//! `doorward doctor`: is everything in order, and what is to be done if not?
//!
//! Looks beside a running installation as well as at a stopped one, and changes nothing that either
//! would not change by starting.

use std::{fs, io, os::unix::fs::MetadataExt as _, process::ExitCode, time::Duration};

use clap::Args;
use doorward::{
    clock::{Clock, Ms},
    engine::{Engine, EngineError},
    fault::told,
    model::{Handle, HealthState, Member, Reach, TenantId},
    orgs::Team,
    policy::operator_at_the_shell,
    quota::{RedisState, WhenAway},
    sources::SourceSummary,
    store::{EventFilter, LIST_MAX, StoreError},
    upstream::StepOutcome,
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

/// How far apart two clocks may be before it is worth a word.
const SKEW_MAX: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
pub(super) struct DoctorArguments {
    /// Prove instead that no organisation sees or changes anything of another: two of them are made in databases of
    /// their own, on SQLite and on the server of `database_url`, and everything that can be asked is asked by somebody
    /// who may not. Touches nothing of the installation.
    #[arg(long)]
    pub(super) isolation: bool,
}

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
    if let Some(words) = gone(&settings) {
        findings.note("database", Grade::Bad, words);
        return Ok(findings.print());
    }
    match Engine::open(engine_settings(&settings), Clock::system()).await {
        Ok(engine) => {
            findings.note("database", Grade::Good, format!("{:?}, migrated", engine.store.backend()));
            findings.note(
                "vault",
                Grade::Good,
                format!("key {} opens what is kept", engine.vault.active_key()),
            );
            if let Err(error) = check_inside(&engine, &settings, &mut findings).await {
                findings.note("accounts and sources", Grade::Bad, told(error.as_ref()));
            }
            check_redis(&engine, &mut findings).await;
            if let Err(error) = check_export(&engine, &mut findings).await {
                findings.note("audit export", Grade::Bad, told(&error));
            }
            engine.store.close().await;
        }
        Err(EngineError::Vault(error)) => findings.note("vault", Grade::Bad, told(&error)),
        Err(error) => findings.note("database", Grade::Bad, cure(&error, &settings)),
    }
    Ok(findings.print())
}

async fn check_redis(engine: &Engine, findings: &mut Findings) {
    let Some(RedisState { answers, when_away }) = engine.quota.redis().await else { return };
    let (grade, words) = match (answers, when_away) {
        (true, _) => (Grade::Good, "answers: replicas share what is left of rate limits"),
        (false, WhenAway::Open) => (
            Grade::Look,
            "does not answer, so each process limits calls by itself: is it running at `redis_url`?",
        ),
        (false, WhenAway::Closed) => {
            (Grade::Bad, "does not answer, so calls with limits are refused: is it running at `redis_url`?")
        }
    };
    findings.note("redis", grade, words);
}

/// Says for which organisations the audit log could not be exported the last time it was tried.
async fn check_export(engine: &Engine, findings: &mut Findings) -> Result<(), StoreError> {
    if !engine.exporter.is_on() {
        return Ok(());
    }
    let failures = engine.exporter.failures().await?;
    if failures.is_empty() {
        findings.note("audit export", Grade::Good, "nothing failed the last time it was tried");
    }
    for failure in failures {
        let found = engine.store.system_read().await?.find_organisation(failure.tenant_id).await?;
        let handle = found.map_or_else(String::new, |found| found.handle.to_string());
        let words = format!("{}, at {}; it is tried again", failure.failure, failure.failed_at);
        findings.note(format!("audit export of {handle}"), Grade::Bad, words);
    }
    Ok(())
}

/// Says that the file of the database is gone, if it is: opening it would make an empty one in its
/// place.
fn gone(settings: &Settings) -> Option<String> {
    let (file, key) = (settings.sqlite_path(), settings.vault_key_path());
    let is_gone = settings.database_url.is_none() && !file.exists() && key.exists();
    is_gone.then(|| {
        format!(
            "{} is gone, while the vault's key {} is there: put it back from your backup; `doorward serve` would begin anew",
            file.display(),
            key.display()
        )
    })
}

/// Says what is wrong with the database, and what to do.
fn cure(error: &EngineError, settings: &Settings) -> String {
    let said = told(error);
    let cure = match error {
        EngineError::Store(StoreError::Unavailable(_) | StoreError::Busy(_))
            if settings.database_url.is_some() =>
        {
            "is the server running, and does `database_url` name it?"
        }
        EngineError::Store(StoreError::Database(_)) if settings.database_url.is_none() => {
            "put the file back from your backup"
        }
        EngineError::Store(StoreError::Full(_)) => "make room on its disk",
        _ => return said,
    };
    format!("{said}: {cure}")
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
        Err(OpenError::Folder { source, .. }) if source.kind() == io::ErrorKind::PermissionDenied => {
            let cure =
                format!("this user may not use {folder}: run as its owner, or give it away with chown");
            findings.note("data folder", Grade::Bad, cure);
        }
        Err(error) => findings.note("data folder", Grade::Bad, told(&error)),
    }
    let key = settings.vault_key_path();
    if let Ok(found) = fs::metadata(&key)
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
    let mut newest = None;
    for user in engine.identity.users(&operator_at_the_shell()).await? {
        newest = newest.max(check_events(engine, user.tenant, &user.handle, findings).await?);
        let Some(member) = engine.identity.at_the_shell(&user.handle).await? else { continue };
        check_sources(engine, &member, findings).await?;
    }
    for Team { organisation, .. } in engine.orgs.teams(&operator_at_the_shell()).await? {
        newest = newest.max(check_events(engine, organisation.id, &organisation.handle, findings).await?);
        let Some(member) = engine.orgs.at_the_shell(&organisation.handle, None).await? else { continue };
        check_sources(engine, &member, findings).await?;
    }
    check_skew(engine, newest, findings).await
}

async fn check_sources(
    engine: &Engine,
    member: &Member,
    findings: &mut Findings,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    for summary in engine.sources.list(member).await? {
        check_source(engine, member, summary, findings).await?;
    }
    Ok(())
}

/// Tries a source out. A process is not started for it: the one that is running may be the only one
/// there can be.
async fn check_source(
    engine: &Engine,
    member: &Member,
    summary: SourceSummary,
    findings: &mut Findings,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let held = summary.tools.held() + summary.prompts.held();
    let source = summary.source;
    let what = format!("{}/{}", member.tenant_handle, source.name);
    let (grade, words) = match (&source.reach, source.health.state) {
        _ if !source.enabled => (Grade::Good, "switched off".to_owned()),
        (Reach::McpHttp { .. } | Reach::SparkHistory { .. }, _) => {
            let report = engine.sources.try_out(member, source.id).await?;
            match report.failure() {
                None => (Grade::Good, healthy_words(&source.reach, held)),
                Some(reason) => {
                    let step = report.steps.iter().find(|step| step.outcome == StepOutcome::Failed);
                    let step = step.map_or("", |step| step.name.as_str());
                    (Grade::Bad, format!("{}, at `{step}`: {reason}", healthy_words(&source.reach, 0)))
                }
            }
        }
        (Reach::McpStdio { .. }, HealthState::Healthy) => (Grade::Good, healthy_words(&source.reach, held)),
        (Reach::McpStdio { .. }, HealthState::Unknown) => {
            (Grade::Look, "not tried yet: test it on its page".to_owned())
        }
        (Reach::McpStdio { .. }, HealthState::Failing) => {
            let at = source.health.at.map_or_else(String::new, |at| format!(", as seen at {at}"));
            (Grade::Bad, format!("{}{at}: test it on its page", source.health.detail))
        }
    };
    findings.note(what, grade, words);
    Ok(())
}

fn healthy_words(reach: &Reach, held: usize) -> String {
    let place = match reach {
        Reach::McpHttp { url } | Reach::SparkHistory { url } => url.to_string(),
        Reach::McpStdio { command, .. } => command.join(" "),
    };
    if held == 0 { place } else { format!("{place}; {held} tools and prompts wait for a look") }
}

/// Looks whether an organisation's audit log is whole. Returns when the newest event in it was.
async fn check_events(
    engine: &Engine,
    tenant: TenantId,
    handle: &Handle,
    findings: &mut Findings,
) -> Result<Option<Ms>, Box<dyn std::error::Error + Send + Sync>> {
    let mut tx = engine.store.system_snapshot().await?;
    let signed = tx.list_checkpoints_of(tenant, 0, LIST_MAX).await?;
    let report = tx.verify_chain(tenant, &signed).await?;
    drop(tx);
    if let Some(flaw) = report.flaw {
        let words = format!("{flaw}; the database was changed by hand");
        findings.note(format!("audit of {handle}"), Grade::Bad, words);
    }
    let filter = EventFilter { limit: 1, ..EventFilter::default() };
    let newest = engine.store.read(tenant).await?.list_events(&filter).await?;
    Ok(newest.first().map(|event| event.at))
}

/// Compares this machine's clock with what else tells the time: the newest event, which cannot lie
/// in the future, and the database's server.
async fn check_skew(
    engine: &Engine,
    newest: Option<Ms>,
    findings: &mut Findings,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    if let Some(newest) = newest
        && newest.since(Clock::system().now()) > SKEW_MAX
    {
        let words = format!(
            "the newest event is of {newest}, which is still to come: the clock was ahead then, or is behind"
        );
        findings.note("clock", Grade::Bad, words);
    }
    let Some(there) = engine.store.server_time().await? else { return Ok(()) };
    let here = Clock::system().now();
    let apart = here.since(there).max(there.since(here));
    if apart > SKEW_MAX {
        let words = format!("it is {apart:.0?} off that of the database's server: keep both by NTP");
        findings.note("clock", Grade::Bad, words);
    }
    Ok(())
}
