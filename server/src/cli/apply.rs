//! `doorward apply` and `doorward export`, on a stopped installation or a running one.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use bytes::Bytes;
use clap::Args;
use doorward::{egress::read_body, fault::told, secret::Secret};
use http::{HeaderValue, Method, Request, Uri, header};
use http_body_util::Full;
use serde::Deserialize;

use super::{
    CommandResult, Context,
    connect::{key, open_egress},
    installation::Installation,
};
use crate::{
    apply::{
        ApplyError, Authority, Document, Plan, Rooms, Step, check, export as export_document,
        for_a_running_installation, make_secrets, perform, read, resolve, write_new_secrets,
    },
    config::LogFormat,
    logging,
    state::rooms,
};

/// How long a running installation may take; it looks at every new source meanwhile.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(600);

/// The largest answer taken from a running installation.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Where a running installation is.
#[derive(Debug, Args)]
pub(super) struct Running {
    /// The address of a running installation; without it, the stopped one of the settings.
    #[arg(long, value_name = "URL")]
    pub(super) url: Option<Uri>,
    /// The file with an API key of the running installation; `DOORWARD_KEY_FILE` names one and
    /// `DOORWARD_KEY` holds a key as well.
    #[arg(long, value_name = "FILE", requires = "url")]
    pub(super) key_file: Option<PathBuf>,
}

/// What `doorward apply` takes.
#[derive(Debug, Args)]
pub(super) struct ApplyArguments {
    /// The document. Files that it names are found beside it.
    file: PathBuf,
    /// Print what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    running: Running,
}

/// What `doorward export` takes.
#[derive(Debug, Args)]
pub(super) struct ExportArguments {
    #[command(flatten)]
    running: Running,
}

pub(super) async fn apply(context: &Context, arguments: ApplyArguments) -> CommandResult {
    logging::start("warn", LogFormat::Text);
    let file = arguments.file.display();
    let text =
        fs::read_to_string(&arguments.file).map_err(|error| format!("could not read `{file}`: {error}"))?;
    let folder = arguments.file.parent().unwrap_or(Path::new(""));
    let mut document = read(&text).map_err(|mistake| format!("{file}: {mistake}"))?;
    let mut plan = match arguments.running.url {
        Some(url) => {
            let body = for_a_running_installation(&text, folder)?;
            let path = if arguments.dry_run { "/api/v1/apply?dry_run=true" } else { "/api/v1/apply" };
            let answer = ask(&url, Method::POST, path, key(arguments.running.key_file)?, body).await?;
            serde_json::from_slice::<Plan>(&answer)?
        }
        None => {
            resolve(&mut document, folder)?;
            let settings = context.load()?.settings;
            let installation = Installation::open(&settings).await?;
            let rooms = rooms(&installation.engine);
            let applied = apply_here(&rooms, &mut document, folder, arguments.dry_run).await;
            installation.close().await;
            applied.map_err(|error| format!("{file}: {}", told(&error)))?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    write_new_secrets(&document, &mut plan, folder)?;
    print!("{plan}");
    for step in &plan.steps {
        if let Some(secret) = &step.secret {
            println!("the key {} is {secret}  (it is not to be had again)", step.name);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Applies a document to a stopped installation, and prints each step once it holds: what is printed
/// is done, whatever becomes of the process.
async fn apply_here(
    rooms: &Rooms,
    document: &mut Document,
    folder: &Path,
    dry_run: bool,
) -> Result<(), ApplyError> {
    let plan = check(rooms, &Authority::Operator, document).await?;
    if dry_run {
        print!("{plan}");
        return Ok(());
    }
    make_secrets(document, &rooms.identity, folder)?;
    let mut tell = |step: &Step| {
        println!("{step}");
        if let Some(secret) = &step.secret {
            println!("the key {} is {secret}  (it is not to be had again)", step.name);
        }
    };
    let plan = perform(rooms, &Authority::Operator, document, &mut tell).await?;
    println!("{}", plan.summary());
    Ok(())
}

pub(super) async fn export(context: &Context, arguments: ExportArguments) -> CommandResult {
    logging::start("warn", LogFormat::Text);
    let text = match arguments.running.url {
        Some(url) => {
            let key = key(arguments.running.key_file)?;
            let answer = ask(&url, Method::GET, "/api/v1/export", key, String::new()).await?;
            String::from_utf8(answer.into())?
        }
        None => {
            let settings = context.load()?.settings;
            let installation = Installation::open(&settings).await?;
            let exported = export_document(&rooms(&installation.engine), &Authority::Operator).await;
            installation.close().await;
            exported?
        }
    };
    print!("{text}");
    Ok(ExitCode::SUCCESS)
}

#[derive(Deserialize)]
struct Refusal {
    title: String,
    #[serde(default)]
    detail: String,
}

/// Asks a running installation.
pub(super) async fn ask(
    base: &Uri,
    method: Method,
    path: &str,
    key: Option<Secret>,
    body: String,
) -> Result<Bytes, Box<dyn std::error::Error + Send + Sync>> {
    let key = key.ok_or("give an API key: --key-file, DOORWARD_KEY_FILE or DOORWARD_KEY")?;
    let mut authorization = HeaderValue::from_str(&format!("Bearer {}", key.expose()))?;
    authorization.set_sensitive(true);
    let uri: Uri = format!("{}{path}", base.to_string().trim_end_matches('/')).parse()?;
    let body = Bytes::from(body);
    let make = |uri: &Uri| {
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = method.clone();
        *request.uri_mut() = uri.clone();
        let headers = request.headers_mut();
        headers.insert(header::AUTHORIZATION, authorization.clone());
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        request
    };
    let answered = open_egress().request(&uri, make, ANSWER_TIMEOUT).await?;
    let status = answered.response.status();
    let body = read_body(answered.response.into_body(), ANSWER_BYTES_MAX).await?;
    if status.is_success() {
        return Ok(body);
    }
    match serde_json::from_slice::<Refusal>(&body) {
        Ok(Refusal { title, detail }) => Err(format!("{title}: {detail}").into()),
        Err(_) => Err(format!("the installation answered {status}").into()),
    }
}
