//! Two organisations: one that owns one thing of each kind, and people who have nothing to do with it.

use std::{collections::HashSet, net::IpAddr, sync::Arc, time::Duration};

use doorward::{
    clock::Ms,
    identity::NewKey,
    issuer::Asked,
    mcp::{Raw, tool_hash},
    model::{
        AccessLevel, Analysis, AnalysisId, AnalysisReport, AnalysisState, CallRules, Credential, Destination,
        Email, EraSetting, EventId, Handle, InstanceRole, KeyScope, Member, OrgRole, Organisation, Passkey,
        PasskeyId, PresetTool, Reach, RunsAs, Selection, Slug, Source, SourceId, SourceName, SourceTool,
        Tally, TenantId, ToolState, TunnelName, Visibility,
    },
    orgs::{NewOrgInvite, Whom},
    presets::{NewGrantee, NewInvite, NewPreset},
    sources::{NewHop, NewHopAuth, NewSource, NewTunnel},
    store::EventFilter,
};
use serde_json::value::RawValue;
use url::form_urlencoded::{Serializer, byte_serialize};
use uuid::Uuid;

use super::{
    Failed,
    names::{Names, tail},
    scratch::{BASE, PASSWORD, Person, Scratch},
};

/// How long what is begun holds.
const LASTS: Duration = Duration::from_secs(86_400);
/// Where clients are sent back to.
const REDIRECT: &str = "http://127.0.0.1/";

/// An installation with the people who stay the same.
pub struct Stage {
    /// The installation.
    pub scratch: Scratch,
    /// Somebody with an account, who owns nothing.
    pub stranger: Person,
    /// An administrator of the instance.
    pub admin: Person,
    /// A member of each owner's team.
    pub colleague: Person,
}

/// A fresh owner with one thing of each kind.
pub struct Scene {
    /// The owner.
    pub owner: Person,
    tenants: Vec<TenantId>,
    /// A text that stands in the names of everything that is the owner's, and nowhere else.
    pub mark: String,
    pub(super) names: Names,
}

/// What is an owner's beside the preset.
struct Analyses {
    history: SourceId,
    done: AnalysisId,
    running: AnalysisId,
}

/// Teams, by their handles, and who may still join them.
struct Teams {
    id: TenantId,
    ours: String,
    open: String,
    offered: String,
}

impl Stage {
    /// Lets people into an installation that has none of these names.
    pub async fn open(scratch: Scratch) -> Result<Self, Failed> {
        let admin = scratch.person("root-of-all", InstanceRole::Admin).await?;
        let stranger = scratch.person("stranger", InstanceRole::Member).await?;
        let colleague = scratch.person("colleague", InstanceRole::Member).await?;
        Ok(Self { scratch, stranger, admin, colleague })
    }

    /// Makes an owner with one thing of each kind.
    pub async fn scene(&self) -> Result<Scene, Failed> {
        let word = EventId::new().0.simple().to_string();
        let owner = self.scratch.person(&format!("o{}", tail(&word)), InstanceRole::Member).await?;
        self.furnish(owner, &word).await
    }

    /// Gives somebody one thing of each kind, in the organisation that they act in. The word is one of 32 digits that
    /// nothing was named by.
    pub async fn furnish(&self, owner: Person, word: &str) -> Result<Scene, Failed> {
        let engine = &self.scratch.engine;
        let handle = owner.member.tenant_handle.to_string();
        let mark: String = word.chars().rev().take(12).collect();
        let (docs, bastion, slug) =
            (format!("docs-{mark}"), format!("bastion-{mark}"), format!("notes-{mark}"));
        let source = self.source(&owner.member, &docs).await?;
        let read = self.tool(&owner.member, source, &mark).await?;
        let tunnel = engine.sources.add_tunnel(&owner.member, tunnel(&bastion)?).await?;
        let analyses = self.analyses(&owner.member, &mark).await?;
        let preset = NewPreset {
            rules: CallRules::default(),
            slug: Slug::parse(&slug)?,
            title: String::new(),
            description: String::new(),
            visibility: Visibility::InviteOnly,
            anonymous: false,
            expires_at: None,
            selections: vec![read],
        };
        let preset = engine.presets.add(&owner.member, preset).await?;
        let nobody = NewGrantee::Email(Email::parse(&format!("nobody-{mark}@example.org"))?);
        let entry = engine.presets.share(&owner.member, preset.id, nobody, AccessLevel::Viewer).await?;
        let email = Some(Email::parse(&format!("invited-{mark}@example.org"))?);
        let invite = NewInvite { email, level: AccessLevel::Viewer, lasts: LASTS };
        let invited = engine.presets.invite(&owner.member, preset.id, invite, BASE).await?;
        let token = invited.token.as_ref().map_or_else(String::new, |token| token.expose().to_owned());
        let key = NewKey {
            name: format!("laptop {mark}"),
            scope: KeyScope::Everything,
            expires_at: None,
            rate: None,
        };
        let (key, _) = engine.identity.create_key(&owner.member, key).await?;
        let session = first(engine.identity.sessions(&owner.member).await?)?;
        let passkey = self.passkey(&owner.member, word, &mark).await?;
        engine.audit.flush().await;
        let event = first(engine.audit.search(&owner.member, &EventFilter::default()).await?)?;
        let (asked, grant) = self.grant(&owner.member, &format!("{handle}/{slug}")).await?;
        let connection = engine.connections.want(owner.member.tenant, source, None).await?;
        let teams = self.teams(&owner.member, word).await?;
        let names = Names(vec![
            ("organisation", teams.ours),
            ("member", self.colleague.member.handle.to_string()),
            ("stranger", self.stranger.member.handle.to_string()),
            ("org_invitation", teams.open),
            ("offered", teams.offered),
            ("asked", asked),
            ("grant", grant),
            ("slug", slug),
            ("docs", docs),
            ("bastion", bastion),
            ("client", "0".repeat(32)),
            ("source", source.to_string()),
            ("tunnel", tunnel.id.to_string()),
            ("history", analyses.history.to_string()),
            ("analysis", analyses.done.to_string()),
            ("other", analyses.done.to_string()),
            ("running", analyses.running.to_string()),
            ("connection", connection.id.to_string()),
            ("preset", preset.id.to_string()),
            ("entry", entry.id.to_string()),
            ("version", "1".to_owned()),
            ("invitation", invited.invite.id.to_string()),
            ("token", token),
            ("key", key.id.to_string()),
            ("event", event.id.to_string()),
            ("session", session.id.to_string()),
            ("passkey", passkey.id.to_string()),
            ("user", owner.member.user.to_string()),
            ("owner", handle),
            ("new", format!("n{}", tail(word))),
            ("password", PASSWORD.replace(' ', "+")),
        ]);
        Ok(Scene { tenants: vec![owner.member.tenant, teams.id], owner, mark, names })
    }

    /// Gives somebody a source that is switched off, so that nothing is asked of the network.
    async fn source(&self, owner: &Member, name: &str) -> Result<SourceId, Failed> {
        let new = NewSource {
            tunnel: None,
            ca_certificates: None,
            name: SourceName::parse(name)?,
            reach: Reach::McpHttp { url: "http://127.0.0.1:9/mcp".parse()? },
            credential: Credential::default(),
            era: EraSetting::Auto,
            runs_as: RunsAs::default(),
            enabled: false,
        };
        Ok(self.scratch.engine.sources.add(owner, new).await?.source.id)
    }

    /// Gives a source one tool, as it would be told by it and accepted, and takes it alone.
    async fn tool(&self, owner: &Member, source: SourceId, mark: &str) -> Result<Selection, Failed> {
        let definition =
            format!(r#"{{"name":"read","description":"Reads {mark}.","inputSchema":{{"type":"object"}}}}"#);
        let definition = RawValue::from_string(definition)?;
        let tool = SourceTool {
            source,
            name: "read".into(),
            hash: tool_hash(Raw::of(&definition)),
            definition,
            accepted_definition: None,
            state: ToolState::Accepted,
            seen_at: self.scratch.engine.clock.now(),
        };
        let mut tx = self.scratch.engine.store.tenant(owner.tenant).await?;
        tx.put_source_tools(source, &[tool]).await?;
        tx.commit().await?;
        let read = PresetTool {
            name: "read".into(),
            enabled: true,
            exposed_name: None,
            exposed_description: None,
            check_arguments: false,
        };
        Ok(Selection { all: false, tools: vec![read], ..Selection::all_tools(source) })
    }

    /// Gives somebody a history server that is not there, an analysis of it that is done, and one that runs elsewhere.
    async fn analyses(&self, owner: &Member, mark: &str) -> Result<Analyses, Failed> {
        let (store, now) = (&self.scratch.engine.store, self.scratch.engine.clock.now());
        let docs = first(self.scratch.engine.sources.list(owner).await?)?.source;
        let history = Source {
            id: SourceId::new(),
            name: SourceName::parse(&format!("history-{mark}"))?,
            reach: Reach::SparkHistory { url: "http://127.0.0.1:9".parse()? },
            enabled: true,
            ..docs
        };
        let done = Analysis {
            id: AnalysisId::new(),
            tenant: owner.tenant,
            source: Some(history.id),
            source_name: history.name.clone(),
            app_id: "app-1".into(),
            attempt: None,
            app_name: format!("nightly {mark}"),
            state: AnalysisState::Running,
            begun_by: None,
            begun_by_handle: owner.handle.to_string(),
            begun_at: now,
            ended_at: None,
            steps: Vec::new(),
            tally: Tally::default(),
            failure: None,
        };
        let running = Analysis { id: AnalysisId::new(), ..done.clone() };
        let mut tx = store.tenant(owner.tenant).await?;
        tx.add_source(&history, None).await?;
        tx.commit().await?;
        let mut tx = store.system().await?;
        for analysis in [&done, &running] {
            tx.add_analysis(analysis, now.plus(LASTS)).await?;
        }
        tx.commit().await?;
        let mut tx = store.tenant(owner.tenant).await?;
        let done = Analysis { ended_at: Some(now), ..done };
        tx.finish_analysis(&done, &AnalysisReport::default(), &format!("# nightly {mark}")).await?;
        tx.commit().await?;
        Ok(Analyses { history: history.id, done: done.id, running: running.id })
    }

    /// Gives somebody a passkey as it lies in the database, since no authenticator is here to make one.
    async fn passkey(&self, owner: &Member, word: &str, mark: &str) -> Result<Passkey, Failed> {
        let passkey = Passkey {
            id: PasskeyId::new(),
            user: owner.user,
            tenant: owner.tenant,
            name: format!("telephone {mark}"),
            credential_id: word.as_bytes().to_vec(),
            credential: "{}".into(),
            counter: 0,
            created_at: Ms(0),
            used_at: None,
        };
        let mut tx = self.scratch.engine.store.system().await?;
        tx.add_passkey(&passkey).await?;
        tx.set_recovery_codes(passkey.tenant, passkey.user, &[[1; 32]; 1]).await?;
        tx.commit().await?;
        Ok(passkey)
    }

    /// Makes a team of the owner's with the colleague and an open invitation, and one of the colleague's that the owner
    /// is invited to.
    async fn teams(&self, owner: &Arc<Member>, word: &str) -> Result<Teams, Failed> {
        let orgs = &self.scratch.engine.orgs;
        let colleague = &self.colleague.member;
        let ours = self.team(owner, &format!("t{}", tail(word))).await?;
        let joins = self.invite(&ours, Whom::Account(colleague.handle.clone())).await?;
        orgs.accept_offered(colleague, joins.parse()?).await?;
        let open = self.invite(&ours, Whom::Link).await?;
        let theirs = self.team(colleague, &format!("u{}", tail(word))).await?;
        let offered = self.invite(&theirs, Whom::Account(owner.handle.clone())).await?;
        Ok(Teams { id: ours.tenant, ours: ours.tenant_handle.to_string(), open, offered })
    }

    /// Makes a team in the database, since nobody may make as many as there are scenes.
    async fn team(&self, by: &Arc<Member>, handle: &str) -> Result<Arc<Member>, Failed> {
        let team = Organisation {
            id: TenantId::new(),
            handle: Handle::parse(handle)?,
            title: String::new(),
            personal_of: None,
            made_by: None,
            plan: None,
            enabled: true,
            created_at: Ms(1),
        };
        let mut tx = self.scratch.engine.store.system().await?;
        tx.add_organisation(&team, by.user).await?;
        tx.commit().await?;
        Ok(self.scratch.engine.orgs.acting_in(by, &team.handle).await?)
    }

    async fn invite(&self, by: &Member, whom: Whom) -> Result<String, Failed> {
        let new = NewOrgInvite { whom, role: OrgRole::Viewer, lasts: LASTS };
        Ok(self.scratch.engine.orgs.invite(by, new, BASE).await?.invite.id.to_string())
    }

    /// Has the owner let a client in. Returns what another one asks for, and what was let.
    async fn grant(&self, owner: &Arc<Member>, preset: &str) -> Result<(String, String), Failed> {
        let issuer = &self.scratch.engine.issuer;
        let mut asked = Vec::new();
        for client in ["one", "another"] {
            let metadata = format!(r#"{{"client_name":"{client}","redirect_uris":["{REDIRECT}"]}}"#);
            // Registrations are paced by address, and a table asks for many scenes.
            let address = IpAddr::from(Uuid::new_v4().into_bytes());
            let made = serde_json::to_value(issuer.register(BASE, address, metadata.as_bytes()).await?)?;
            let client = made.get("client_id").and_then(|id| id.as_str()).ok_or("a client has an id")?;
            asked.push(authorize(client, &format!("{BASE}/mcp/{preset}")));
        }
        let [one, other] = asked.as_slice() else { return Err("there are two clients".into()) };
        let Asked::Request(request) = issuer.asked(BASE, one).await? else {
            return Err(format!("the client was not known: {one}").into());
        };
        issuer.allow(owner, &request, &HashSet::new()).await?;
        let grant = first(issuer.grants(owner).await?)?.grant.id;
        Ok((byte_serialize(other.as_bytes()).collect(), grant.to_string()))
    }
}

impl Scene {
    /// Returns one of [`super::WHO`]; `None` for nobody.
    pub fn person<'a>(&'a self, stage: &'a Stage, who: &str) -> Option<&'a Person> {
        match who {
            "stranger" => Some(&stage.stranger),
            "owner" => Some(&self.owner),
            "admin" => Some(&stage.admin),
            _ => None,
        }
    }

    /// Returns the organisation that everything is in.
    pub fn tenant(&self) -> TenantId {
        self.owner.member.tenant
    }

    /// Returns the owner's organisations: the one that everything is in, and a team.
    pub fn tenants(&self) -> impl Iterator<Item = TenantId> {
        self.tenants.iter().copied()
    }

    /// Puts names and ids in the place of their words in braces.
    pub fn fill(&self, text: &str) -> String {
        self.names.fill(text)
    }

    /// Fills in what the path is about.
    pub fn path(&self, path: &str) -> String {
        self.names.path(path)
    }
}

fn first<T>(all: Vec<T>) -> Result<T, Failed> {
    all.into_iter().next().ok_or_else(|| "what was just made is not there".into())
}

/// Returns what a client asks of somebody's browser.
fn authorize(client: &str, resource: &str) -> String {
    Serializer::new(String::new())
        .extend_pairs([
            ("response_type", "code"),
            ("client_id", client),
            ("redirect_uri", REDIRECT),
            ("state", "the-state"),
            ("code_challenge", "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"),
            ("code_challenge_method", "S256"),
            ("resource", resource),
        ])
        .finish()
}

/// A tunnel over a server that is not there.
fn tunnel(name: &str) -> Result<NewTunnel, Failed> {
    let hop = NewHop {
        host: "127.0.0.1".into(),
        port: 9,
        user: "doorward".into(),
        auth: NewHopAuth::Generate,
        host_key: None,
    };
    let destinations =
        vec![Destination::parse("history.internal:18080").ok_or("a destination is a host and a port")?];
    Ok(NewTunnel { name: TunnelName::parse(name)?, hops: vec![hop], destinations })
}
