//! Adding, changing, switching and removing sources.

use std::collections::BTreeMap;

use subtle::ConstantTimeEq;

use crate::{
    changes::Change,
    clock::Ms,
    model::{
        Auth, CallRules, Credential, EraVerdict, Health, HealthState, Member, OauthClient, OrgRole, Plan,
        PlanName, Source, SourceId, SourceName, TunnelId,
    },
    secret::Secret,
    sources::{
        Added, Impact, NewSource, Removed, Result, SourceChange, SourceError, Sources, Subject, beside,
        catalogue, check, check::invalid, credential, definition::Pinned, impact, link, look, may_manage,
        may_reach,
    },
    store::{StoreError, Tx},
    upstream::ProbeReport,
};

impl Sources {
    /// Adds a source and looks at it for the first time: what it lists then counts as accepted. The
    /// source is kept also when it could not be reached; the report says why. One that is switched
    /// off is not looked at.
    pub async fn add(&self, member: &Member, new: NewSource) -> Result<Added> {
        let id = SourceId::new();
        let subject = Subject::Source(id, new.name.to_string());
        self.audited(member, "add", subject, self.add_new(member, id, new)).await
    }

    /// Says whether this person may add this source.
    pub fn may_add(member: &Member, new: &NewSource) -> Result<()> {
        may_manage(member, OrgRole::Admin)?;
        may_reach(member, &new.reach)
    }

    /// Finds a plan.
    pub async fn find_plan(&self, name: &PlanName) -> Result<Option<Plan>> {
        Ok(self.0.store.system_read().await?.find_plan(name).await?)
    }

    /// Returns the plan that bounds what the organisation owns that the member acts in.
    pub async fn plan(&self, member: &Member) -> Result<Option<Plan>> {
        Ok(self.0.store.system_read().await?.find_plan_in(member.tenant, &member.plan).await?)
    }

    async fn add_new(&self, member: &Member, id: SourceId, new: NewSource) -> Result<Added> {
        let permit = may_manage(member, OrgRole::Admin)?;
        Self::may_add(member, &new)?;
        new.check()?;
        let sealed = credential::seal(&self.0.vault, permit.tenant(), id, &new.credential)?;
        let plan = self.plan(member).await?;
        let mut tx = self.0.store.read(permit.tenant()).await?;
        check_tunnel(&mut tx, new.tunnel, Run::Real).await?;
        room_for_one(&mut tx, plan.as_ref(), &new.name).await?;
        drop(tx);

        let now = self.0.clock.now();
        let mut source = Source {
            id,
            tenant: permit.tenant(),
            name: new.name,
            auth_kind: new.credential.auth.word().to_owned(),
            runs_as: new.runs_as,
            env_names: new.credential.env.keys().cloned().collect(),
            reach: new.reach,
            tunnel: new.tunnel,
            ca_certificates: new.ca_certificates,
            era: new.era,
            verdict: None,
            enabled: new.enabled,
            health: Health::default(),
            rules: CallRules::default(),
            version: 1,
            created_at: now,
            updated_at: now,
        };
        let (report, look) = if source.enabled {
            let report = {
                let tunnel = self.tunnel_target(source.tenant, source.tunnel).await?;
                self.probe(&link::target(&source, new.credential, tunnel, now), None).await?
            };
            source.health = look::health(&report, self.0.clock.now());
            let first = report.passed();
            source.verdict = report.verdict.clone().filter(|_| first);
            let listed: &[_] = if first { &report.tools } else { &[] };
            let look = catalogue::compare(Pinned::Tools, id, &[], listed, first, now, &self.0.settings);
            (report, look)
        } else {
            (ProbeReport::default(), catalogue::Look::default())
        };

        let mut tx = self.0.store.tenant(permit.tenant()).await?;
        // Others may have added meanwhile, and two at once must not pass the plan's limit.
        tx.take_turn().await?;
        room_for_one(&mut tx, plan.as_ref(), &source.name).await?;
        tx.add_source(&source, sealed.as_deref()).await.map_err(|error| taken(error, &source.name))?;
        if source.is_signed_in_to() {
            tx.want_connection(id, None, now).await?;
        }
        tx.put_source_tools(id, &look.put).await?;
        let mut found = look.change;
        found.beside = beside::keep(&mut tx, id, &report.beside, now, &self.0.settings).await?;
        self.commit(tx, Change::Source(source.tenant, id)).await?;
        Ok(Added { source, report, catalogue: found })
    }

    /// Edits a source, if it still has the version the editor saw.
    ///
    /// A credential does not follow its source to another host: whoever changes the address gives
    /// the credential again. So nobody can send a credential to a place of their own that they
    /// could not read.
    pub async fn update(
        &self,
        member: &Member,
        id: SourceId,
        change: SourceChange,
        version: i64,
    ) -> Result<Source> {
        let subject = self.subject(member, id).await?;
        let doing = self.change(member, id, change, Some(version), Run::Real);
        self.audited(member, "edit", subject, doing).await
    }

    /// Says what [`Sources::update`] would, once the tunnel that is `to_come` has been made, and changes nothing.
    pub async fn rehearse_update(
        &self,
        member: &Member,
        id: SourceId,
        change: SourceChange,
        version: i64,
        to_come: Option<TunnelId>,
    ) -> Result<Source> {
        self.change(member, id, change, Some(version), Run::Rehearsal { to_come }).await
    }

    /// Switches a source on or off.
    pub async fn set_enabled(&self, member: &Member, id: SourceId, enabled: bool) -> Result<Source> {
        let subject = self.subject(member, id).await?;
        let change = SourceChange { enabled: Some(enabled), ..SourceChange::default() };
        let done = if enabled { "switch on" } else { "switch off" };
        self.audited(member, done, subject, self.change(member, id, change, None, Run::Real)).await
    }

    async fn change(
        &self,
        member: &Member,
        id: SourceId,
        change: SourceChange,
        version: Option<i64>,
        run: Run,
    ) -> Result<Source> {
        let permit = may_manage(member, OrgRole::Admin)?;
        let mut tx = self.0.store.tenant(permit.tenant()).await?;
        let before = tx.find_source(id).await?.ok_or(SourceError::NotFound)?;
        let only_switches_off = change.only_switches_off();
        if !only_switches_off {
            may_reach(member, &before.reach)?;
        }
        if version.is_some_and(|version| version != before.version) {
            drop(tx);
            return Err(self.stale(&before).await);
        }

        let mut source = before.clone();
        if let Some(reach) = change.reach {
            may_reach(member, &reach)?;
            source.reach = reach;
        }
        source.tunnel = change.tunnel.unwrap_or(source.tunnel);
        source.ca_certificates = change.ca_certificates.unwrap_or(source.ca_certificates);
        source.name = change.name.unwrap_or(source.name);
        source.era = change.era.unwrap_or(source.era);
        source.runs_as = change.runs_as.unwrap_or(source.runs_as);
        source.enabled = change.enabled.unwrap_or(source.enabled);
        source.rules = change.rules.unwrap_or(source.rules);
        check::rules(&source.rules)?;
        check::era(&source.reach, source.era)?;
        check::authorities(&source.reach, source.ca_certificates.as_ref())?;
        source.updated_at = self.0.clock.now();

        let edits_credential = change.auth.is_some() || change.env.is_some();
        let sealed = tx.source_credential(id).await?;
        let same_way = before.tunnel == source.tunnel;
        let moves = !same_way || !check::same_origin(&before.reach, &source.reach);
        if edits_credential || before.reach != source.reach || !same_way {
            let kept = credential::open(&self.0.vault, source.tenant, id, sealed.as_deref())?;
            if moves && !kept.is_empty() && !edits_credential {
                return Err(invalid(
                    "auth",
                    "the way leads over another host, so give the credential again, or choose none",
                ));
            }
            let credential = changed(kept, change.auth, change.env, moves)?;
            check::source(&source.reach, &credential)?;
            check::way(source.tunnel, &source.reach, &credential.auth)?;
            check_tunnel(&mut tx, source.tunnel, run).await?;
            if edits_credential {
                let sealed = credential::seal(&self.0.vault, source.tenant, id, &credential)?;
                tx.set_source_credential(id, sealed.as_deref()).await?;
                source.auth_kind = credential.auth.word().to_owned();
                source.env_names = credential.env.keys().cloned().collect();
            }
        }
        // Whoever signed in did so at the issuer of the address as it was.
        let ends_connections = before.reach != source.reach
            || !same_way
            || (before.is_signed_in_to() && !source.is_signed_in_to());
        if ends_connections {
            tx.remove_connections_to(id).await?;
        }
        if source.is_signed_in_to() {
            tx.want_connection(id, None, self.0.clock.now()).await?;
        }
        let is_reached_otherwise = edits_credential
            || before.reach != source.reach
            || !same_way
            || before.ca_certificates != source.ca_certificates;
        if is_reached_otherwise || before.era != source.era {
            // What was found out is not believed any more; that something was, is.
            source.verdict = source.verdict.map(|verdict| EraVerdict { at: Ms(0), ..verdict });
            source.health = Health { state: HealthState::Unknown, detail: String::new(), at: None };
        }

        if run != Run::Real && run.makes(source.tunnel) {
            return Ok(source);
        }
        let stored = tx.update_source(&source, before.version).await;
        if !stored.map_err(|error| taken(error, &source.name))? {
            drop(tx);
            return Err(self.stale(&before).await);
        }
        source.version = before.version + 1;
        if run != Run::Real {
            return Ok(source);
        }
        self.commit(tx, Change::Source(source.tenant, id)).await?;
        if ends_connections {
            self.0.changes.announce(Change::Connection(id));
        }
        if !source.enabled {
            self.0.upstreams.close(id);
        }
        Ok(source)
    }

    /// Says whether a source's credential is this one, so that declaring it again changes nothing.
    pub async fn has_credential(&self, member: &Member, id: SourceId, declared: &Credential) -> Result<bool> {
        let permit = may_manage(member, OrgRole::Admin)?;
        let mut tx = self.0.store.read(permit.tenant()).await?;
        tx.find_source(id).await?.ok_or(SourceError::NotFound)?;
        let sealed = tx.source_credential(id).await?;
        let kept = credential::open(&self.0.vault, permit.tenant(), id, sealed.as_deref())?;
        let (kept, declared) = (credential::to_json(&kept), credential::to_json(declared));
        Ok(bool::from(kept.as_slice().ct_eq(declared.as_slice())))
    }

    /// Returns what is not secret of a source's credential: the name of the user or of the header;
    /// `None` if it has neither.
    pub async fn credential_name(&self, member: &Member, id: SourceId) -> Result<Option<String>> {
        let permit = may_manage(member, OrgRole::Admin)?;
        let mut tx = self.0.store.read(permit.tenant()).await?;
        let sealed = tx.source_credential(id).await?;
        match credential::open(&self.0.vault, permit.tenant(), id, sealed.as_deref())?.auth {
            Auth::None | Auth::Bearer(_) | Auth::Jws(_) => Ok(None),
            Auth::Oauth(_) => Ok(None),
            Auth::Basic { user: name, .. } | Auth::Header { name, .. } => Ok(Some(name)),
        }
    }

    /// Returns how Doorward is known at a source's issuer as far as its owner has said, with an empty
    /// secret in place of one that is kept; `None` if nobody signs in to the source.
    pub async fn issuer_client(&self, member: &Member, id: SourceId) -> Result<Option<OauthClient>> {
        let permit = may_manage(member, OrgRole::Admin)?;
        let mut tx = self.0.store.read(permit.tenant()).await?;
        let sealed = tx.source_credential(id).await?;
        match credential::open(&self.0.vault, permit.tenant(), id, sealed.as_deref())?.auth {
            Auth::Oauth(client) => {
                Ok(Some(OauthClient { secret: client.secret.map(|_| Secret::default()), ..client }))
            }
            Auth::None | Auth::Bearer(_) | Auth::Basic { .. } | Auth::Header { .. } | Auth::Jws(_) => {
                Ok(None)
            }
        }
    }

    /// Deletes a source with its credential and its tools. Says which presets lose tools.
    pub async fn remove(&self, member: &Member, id: SourceId) -> Result<Removed> {
        let subject = self.subject(member, id).await?;
        self.audited(member, "remove", subject, self.remove_now(member, id)).await
    }

    async fn remove_now(&self, member: &Member, id: SourceId) -> Result<Removed> {
        let permit = may_manage(member, OrgRole::Admin)?;
        let mut tx = self.0.store.tenant(permit.tenant()).await?;
        let source = tx.find_source(id).await?.ok_or(SourceError::NotFound)?;
        let presets: Vec<Impact> = {
            let tools = tx.list_source_tools(id).await?;
            impact(&mut tx, id, &tools).await?
        };
        if !tx.remove_source(id).await? {
            return Err(SourceError::NotFound);
        }
        self.commit(tx, Change::Source(source.tenant, id)).await?;
        self.0.changes.announce(Change::Connection(id));
        self.0.upstreams.close(id);
        Ok(Removed { source, presets })
    }

    /// Returns what the audit log calls a source of the member's organisation.
    pub(super) async fn subject(&self, member: &Member, id: SourceId) -> Result<Subject> {
        let source = self.find(member, id).await?.ok_or(SourceError::NotFound)?;
        Ok((&source).into())
    }
}

/// Whether a change is to hold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Run {
    Real,
    /// Everything is done as far as the commit, which is left out.
    Rehearsal {
        /// A tunnel that will have been made by then.
        to_come: Option<TunnelId>,
    },
}

impl Run {
    /// Says whether this is the tunnel that is to come.
    fn makes(self, tunnel: Option<TunnelId>) -> bool {
        matches!(self, Self::Rehearsal { to_come: Some(id) } if tunnel == Some(id))
    }
}

impl NewSource {
    /// Says what is wrong with it, as far as that shows without asking anybody.
    pub fn check(&self) -> Result<()> {
        check::source(&self.reach, &self.credential)?;
        check::way(self.tunnel, &self.reach, &self.credential.auth)?;
        check::authorities(&self.reach, self.ca_certificates.as_ref())?;
        check::era(&self.reach, self.era)
    }
}

impl SourceChange {
    /// Says whether this takes power away and gives none: such a change needs no further right.
    fn only_switches_off(&self) -> bool {
        let Self { name, reach, tunnel, ca_certificates, auth, env, era, runs_as, enabled, rules } = self;
        name.is_none()
            && reach.is_none()
            && tunnel.is_none()
            && ca_certificates.is_none()
            && auth.is_none()
            && env.is_none()
            && era.is_none()
            && runs_as.is_none()
            && rules.is_none()
            && *enabled == Some(false)
    }
}

/// Returns the credential after an edit. After a move nothing is taken over from before.
fn changed(
    kept: Credential,
    auth: Option<Auth>,
    env: Option<BTreeMap<String, Option<Secret>>>,
    moves: bool,
) -> Result<Credential> {
    let Credential { auth: kept_auth, env: kept_env } = if moves { Credential::default() } else { kept };
    let auth = auth.unwrap_or(kept_auth);
    let Some(env) = env else { return Ok(Credential { auth, env: kept_env }) };
    let mut values = BTreeMap::new();
    for (name, value) in env {
        match value.or_else(|| kept_env.get(&name).cloned()) {
            Some(value) => values.insert(name, value),
            None => return Err(invalid("env", format!("`{name}` has no value yet"))),
        };
    }
    Ok(Credential { auth, env: values })
}

/// Says whether the organisation has this tunnel.
async fn check_tunnel(tx: &mut Tx, tunnel: Option<TunnelId>, run: Run) -> Result<()> {
    let Some(id) = tunnel else { return Ok(()) };
    if !run.makes(tunnel) && tx.find_tunnel(id).await?.is_none() {
        return Err(invalid("tunnel", "there is no such tunnel"));
    }
    Ok(())
}

/// Says whether the name is free and the plan holds one more source.
async fn room_for_one(tx: &mut Tx, plan: Option<&Plan>, name: &SourceName) -> Result<()> {
    if tx.find_source_by_name(name).await?.is_some() {
        return Err(SourceError::NameTaken { name: name.clone() });
    }
    let Some((plan, limit)) = plan.and_then(|plan| Some((&plan.name, plan.sources_max?))) else {
        return Ok(());
    };
    let used = tx.count_sources().await?;
    if used < limit { Ok(()) } else { Err(SourceError::Limit { plan: plan.to_string(), limit, used }) }
}

fn taken(error: StoreError, name: &SourceName) -> SourceError {
    match error {
        StoreError::Conflict { .. } => SourceError::NameTaken { name: name.clone() },
        error => error.into(),
    }
}
