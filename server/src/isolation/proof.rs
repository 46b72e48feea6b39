//! Trying everything, and what is made of the answers.

use std::collections::BTreeSet;

use axum::body::Body;
use doorward::{
    model::InstanceRole,
    store::{Imprint, Reached},
};
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use leptos::server_fn::axum::server_fn_paths;
use leptos_axum::generate_route_list;
use uuid::Uuid;

use super::{
    FORMS, Failed, PAGES, Person, ROUTES, Scene, Scratch, Stage, browse, call,
    methods::{self, Message, SESSION},
    names::Names,
};
use crate::{config::MetricsListen, routes};

/// Tables that grow with every attempt, those that were refused among them: what happened, counted and written down.
const RECORDS: [&str; 2] = ["audit_", "metrics_"];

/// What was tried, and what came of it.
pub struct Proof {
    /// Every operation.
    pub tried: Vec<Tried>,
    /// What the database itself showed to another organisation; `None` on SQLite, where the code alone stands between.
    pub tables: Option<Vec<Reached>>,
    /// Operations that the program has and the table does not name.
    pub untried: Vec<String>,
}

/// One operation, as four people saw it.
pub struct Tried {
    /// Its method and address, or the name of the message.
    pub what: String,
    /// What somebody without an account was answered.
    pub nobody: StatusCode,
    /// What a stranger was answered.
    pub stranger: StatusCode,
    /// What an administrator of the instance was answered, where asking changes nothing.
    pub admin: Option<StatusCode>,
    /// What the owner was answered.
    pub owner: StatusCode,
    /// Whether the owner changed anything by it.
    pub owner_changed: bool,
    /// Whether it is about something of the owner's, so that a stranger must be answered as if there were no such thing.
    pub names_something: bool,
    /// What should not be.
    pub flaws: Vec<String>,
}

impl Proof {
    /// Says whether nothing was seen or changed that should not have been, and everything was tried.
    pub fn holds(&self) -> bool {
        self.untried.is_empty()
            && self.tried.iter().all(|tried| tried.flaws.is_empty())
            && self.tables.iter().flatten().all(is_shut)
    }
}

/// Says whether a table keeps one organisation's rows from another.
pub(super) fn is_shut(reached: &Reached) -> bool {
    reached.read.unwrap_or(0) == 0 && reached.changed == 0 && !reached.planted
}

/// Something that can be asked.
enum Operation {
    Route(Method, &'static str, &'static str),
    Page(&'static str),
    Form(Method, &'static str, &'static str),
    Message(Message),
}

/// An answer, as far as it was read.
struct Seen {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

/// Tries everything on an installation with nothing in it. `tell` is told how far it has come.
pub async fn prove(scratch: Scratch, mut tell: impl FnMut(usize, usize)) -> Result<Proof, Failed> {
    let mut stage = Stage::open(scratch).await?;
    let (operations, untried) = operations()?;
    let mut tried = Vec::new();
    let count = operations.len();
    for (number, operation) in operations.iter().enumerate() {
        tell(number, count);
        let mut found = try_out(&mut stage, operation).await?;
        // What works in the background may change something of its own accord, but hardly twice at the same moment.
        if !found.flaws.is_empty() {
            found = try_out(&mut stage, operation).await?;
        }
        tried.push(found);
    }
    tell(count, count);
    // Both own one thing of each kind, so that there is something to read, and something to plant.
    let (one, other) = (stage.scene().await?.tenant(), stage.scene().await?.tenant());
    let tables = stage.scratch.engine.store.reach_across(one, other).await?;
    Ok(Proof { tried, tables, untried })
}

/// Returns everything that can be asked, and what the table does not name of it.
fn operations() -> Result<(Vec<Operation>, Vec<String>), Failed> {
    let mut untried: BTreeSet<String> =
        routes::table(MetricsListen::Main).iter().map(|row| format!("{} {}", row.method, row.path)).collect();
    untried.extend(generate_route_list(app::App).iter().map(|page| format!("page {}", page.path())));
    let forms: Vec<(&'static str, Method)> = server_fn_paths().collect();
    untried.extend(forms.iter().map(|(path, _)| format!("form {path}")));
    let mut operations = Vec::new();
    for (route, body, _) in ROUTES {
        let (method, path) = route.split_once(' ').ok_or("a route has a method and a path")?;
        operations.push(Operation::Route(method.parse()?, path, body));
    }
    operations.extend(PAGES.iter().map(|(path, _)| Operation::Page(path)));
    for (path, fields, _) in FORMS {
        let method =
            forms.iter().find(|(there, _)| there == path).map_or(Method::POST, |(_, method)| method.clone());
        operations.push(Operation::Form(method, path, fields));
    }
    operations.extend(methods::all().into_iter().map(Operation::Message));
    for operation in &operations {
        untried.remove(&operation.name());
    }
    Ok((operations, untried.into_iter().collect()))
}

/// Tries one operation on an owner of its own.
async fn try_out(stage: &mut Stage, operation: &Operation) -> Result<Tried, Failed> {
    // What a form does to the stranger's own session or account is no matter of the next one's.
    if matches!(operation, Operation::Form(..)) {
        let handle =
            format!("stranger-{}", Uuid::now_v7().simple().to_string().get(20..).unwrap_or_default());
        stage.stranger = stage.scratch.person(&handle, InstanceRole::Member).await?;
    }
    let scene = stage.scene().await?;
    attempt(stage, &scene, operation).await
}

async fn attempt(stage: &Stage, scene: &Scene, operation: &Operation) -> Result<Tried, Failed> {
    let (known, nowhere) = (scene.names.without_secrets(), scene.names.elsewhere());
    let names = &known;
    let session = operation.session(stage, scene).await?;
    let session = session.as_deref();
    let stranger = Some(&stage.stranger);
    let before = imprint(stage, scene).await?;
    let by_nobody = operation.ask(stage, names, None, session).await?;
    let by_stranger = operation.ask(stage, names, stranger, session).await?;
    let of_nothing = operation.ask(stage, &nowhere, stranger, session).await?;
    let by_admin = match operation.is_asking() {
        true => Some(operation.ask(stage, names, Some(&stage.admin), session).await?),
        false => None,
    };
    let after = imprint(stage, scene).await?;
    let admin = by_admin.as_ref().map(|seen| seen.status);
    let mut flaws = changed(&before, &after).map(|table| format!("changes {table}")).collect::<Vec<_>>();
    let by_owner = operation.ask(stage, &scene.names, Some(&scene.owner), session).await?;
    let owner_changed = changed(&after, &imprint(stage, scene).await?).next().is_some();

    let asked = operation.text(names);
    for (who, seen) in [("nobody", &by_nobody), ("a stranger", &by_stranger)] {
        flaws.extend(
            names.told(&asked, &seen.text()).into_iter().map(|kind| format!("tells {who} the {kind}")),
        );
    }
    // Administrators manage people and teams, so they know their names and ids, but nothing that is theirs.
    if by_admin.is_some_and(|seen| !asked.contains(&scene.mark) && seen.text().contains(&scene.mark)) {
        flaws.push("tells an administrator what the owner called something".to_owned());
    }
    let names_something = names.are_in(operation.words());
    if names_something && by_stranger.alike(names) != of_nothing.alike(&nowhere) {
        flaws.push("answers a stranger otherwise than for what is not there".to_owned());
    }
    Ok(Tried {
        what: operation.name(),
        nobody: by_nobody.status,
        stranger: by_stranger.status,
        admin,
        owner: by_owner.status,
        owner_changed,
        names_something,
        flaws,
    })
}

async fn imprint(stage: &Stage, scene: &Scene) -> Result<Vec<Imprint>, Failed> {
    let mut imprints = Vec::new();
    for tenant in scene.tenants() {
        imprints.push(stage.scratch.engine.store.system_read().await?.imprint(tenant).await?);
    }
    Ok(imprints)
}

/// Returns the tables that are not as they were.
fn changed<'a>(before: &'a [Imprint], after: &'a [Imprint]) -> impl Iterator<Item = &'a str> {
    before.iter().zip(after).flat_map(|(before, after)| {
        before
            .iter()
            .filter(|(table, rows)| after.get(*table) != Some(rows))
            .map(|(table, _)| table.as_str())
            .filter(|table| !RECORDS.iter().any(|records| table.starts_with(records)))
    })
}

impl Operation {
    fn name(&self) -> String {
        match self {
            Self::Route(method, path, _) => format!("{method} {path}"),
            Self::Page(path) => format!("page {path}"),
            Self::Form(_, path, _) => format!("form {path}"),
            Self::Message(message) => message.name.clone(),
        }
    }

    /// Returns what of it may name something.
    fn words(&self) -> [&str; 2] {
        match self {
            Self::Route(_, path, body) => [path, body],
            Self::Page(path) => [path, ""],
            Self::Form(_, path, fields) => [path, fields],
            Self::Message(_) => [PRESET, ""],
        }
    }

    /// Says whether asking changes nothing.
    fn is_asking(&self) -> bool {
        match self {
            Self::Route(method, ..) => *method == Method::GET,
            Self::Page(_) | Self::Message(_) => true,
            Self::Form(..) => false,
        }
    }

    /// Returns what is sent, without who sends it.
    fn text(&self, names: &Names) -> String {
        let [path, body] = self.words();
        format!("{}\n{}", names.path(path), names.fill(body))
    }

    /// Opens a legacy session of the owner's at the preset, for what is sent in one.
    async fn session(&self, stage: &Stage, scene: &Scene) -> Result<Option<String>, Failed> {
        let Self::Message(message) = self else { return Ok(None) };
        if !message.wants_session() {
            return Ok(None);
        }
        let request = methods::initialize().request(Some(&scene.owner), &scene.fill(PRESET), None)?;
        let answer = stage.scratch.open_request(request).await;
        let session = answer.headers().get(SESSION).and_then(|id| id.to_str().ok());
        Ok(Some(session.ok_or("the owner's preset opens no session")?.to_owned()))
    }

    async fn ask(
        &self,
        stage: &Stage,
        names: &Names,
        person: Option<&Person>,
        session: Option<&str>,
    ) -> Result<Seen, Failed> {
        match self {
            Self::Route(method, path, body) => {
                let request = call(person, method.clone(), &names.path(path), names.fill(body))?;
                see(stage, request).await
            }
            Self::Page(path) => {
                see(stage, browse(person, Method::GET, &names.path(path), String::new())?).await
            }
            Self::Form(method, path, fields) => {
                let seen = see(stage, browse(person, method.clone(), path, names.fill(fields))?).await?;
                follow(stage, person, seen).await
            }
            Self::Message(message) => {
                see(stage, message.request(person, &names.fill(PRESET), session)?).await
            }
        }
    }
}

/// Where a scene's preset is.
const PRESET: &str = "/mcp/{owner}/{slug}";

async fn see(stage: &Stage, request: Request<Body>) -> Result<Seen, Failed> {
    let (parts, body) = stage.scratch.open_request(request).await.into_parts();
    // A stream of news has no end, and nothing is news here.
    let is_endless = parts.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream");
    let body = match is_endless {
        true => String::new(),
        false => String::from_utf8_lossy(&body.collect().await?.to_bytes()).into_owned(),
    };
    Ok(Seen { status: parts.status, headers: parts.headers, body })
}

/// Opens the page that a form sends the browser to, with what it says there of what was done.
async fn follow(stage: &Stage, person: Option<&Person>, seen: Seen) -> Result<Seen, Failed> {
    let to = seen.headers.get(header::LOCATION).and_then(|to| to.to_str().ok());
    let Some(to) = to.filter(|to| to.starts_with('/')) else { return Ok(seen) };
    let set = seen.headers.get_all(header::SET_COOKIE).iter().filter_map(|set| set.to_str().ok());
    let mut cookies: Vec<&str> = set.filter_map(|set| set.split(';').next()).collect();
    cookies.extend(person.map(|person| person.cookie.as_str()));
    let mut request = browse(None, Method::GET, to, String::new())?;
    request.headers_mut().insert(header::COOKIE, cookies.join("; ").parse()?);
    let page = see(stage, request).await?;
    Ok(Seen { body: seen.body.clone() + &page.body, ..seen })
}

impl Seen {
    /// Returns everything that was told.
    fn text(&self) -> String {
        format!("{:?}\n{}", self.headers, self.body)
    }

    /// Returns what must be the same for two scenes, with the names of this one taken out.
    fn alike(&self, names: &Names) -> (StatusCode, String) {
        let to = self.headers.get(header::LOCATION).map_or("", |to| to.to_str().unwrap_or_default());
        (self.status, without_nonce(&names.anonymous(&format!("{to}\n{}", self.body))))
    }
}

/// Takes out what a page is given anew so that its own scripts run and no others.
fn without_nonce(text: &str) -> String {
    let nonce = text.split_once("nonce=\"").and_then(|(_, rest)| rest.split_once('"'));
    nonce.map_or_else(|| text.to_owned(), |(nonce, _)| text.replace(nonce, ""))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use doorward::clock::Clock;

    use super::*;
    use crate::config::Settings;

    #[tokio::test]
    async fn somebody_who_gets_in_is_found_out_by_what_they_are_told_and_by_what_they_change() {
        let folder = tempfile::tempdir().unwrap();
        let data = ("DOORWARD_DATA_DIR".to_owned(), folder.path().display().to_string());
        let settings = Settings::load(None, [data]).unwrap().settings;
        let mut stage = Stage::open(Scratch::open(settings, Clock::system()).await.unwrap()).await.unwrap();
        let scene = stage.scene().await.unwrap();
        let look = Operation::Route(Method::GET, "/api/v1/presets/{id}", "");
        let rename =
            Operation::Route(Method::PATCH, "/api/v1/presets/{id}", r#"{"version":1,"title":"renamed"}"#);

        let shut = attempt(&stage, &scene, &look).await.unwrap();
        // The stranger has found the owner's key.
        stage.stranger = Person {
            member: Arc::clone(&stage.stranger.member),
            cookie: scene.owner.cookie.clone(),
            key: scene.owner.key.clone(),
        };
        let seen = attempt(&stage, &scene, &look).await.unwrap();
        let renamed = attempt(&stage, &scene, &rename).await.unwrap();

        assert!(shut.flaws.is_empty() && shut.names_something, "{:?}", shut.flaws);
        assert!(seen.flaws.contains(&"tells a stranger the slug".to_owned()), "{:?}", seen.flaws);
        assert!(seen.flaws.iter().any(|flaw| flaw.contains("what is not there")), "{:?}", seen.flaws);
        assert!(renamed.flaws.contains(&"changes presets".to_owned()), "{:?}", renamed.flaws);
    }
}
