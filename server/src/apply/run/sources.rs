//! Sources with their credentials.

use doorward::{
    model::{Auth, Credential, Handle, Member, OauthClient, Plan, Source},
    secret::Secret,
    sources::{NewSource, SourceChange, SourceError, Sources},
};
use serde_saphyr::Spanned;

use super::Run;
use crate::apply::{
    Action, ApplyError, compare,
    document::{AuthItem, SourceItem, line, mistake},
};

impl Run<'_> {
    pub(super) async fn sources(&mut self) -> Result<(), ApplyError> {
        for item in &self.document.sources {
            let name = format!("{}/{}", item.value.owner, item.value.name);
            let owner = self.owner(item, &item.value.owner).await?;
            let (action, detail) = self.source(owner.as_deref(), item).await?;
            self.note(action, "source", name, detail);
        }
        Ok(())
    }

    async fn source(
        &mut self,
        owner: Option<&Member>,
        item: &Spanned<SourceItem>,
    ) -> Result<(Action, String), ApplyError> {
        let failed = |source| ApplyError::Source { at: line(item), source };
        let declared = &item.value;
        let sources = self.rooms.sources.clone();
        let present = match owner {
            Some(owner) => sources.find_by_name(owner, &declared.name).await.map_err(failed)?,
            None => None,
        };
        if let (Some(owner), Some(present)) = (owner, present) {
            let (mut change, mut parts) = compare::source_change(declared, &present);
            let tunnel = self.tunnel_of(Some(owner), item).await?;
            if declared.tunnel.is_some() && tunnel != present.tunnel {
                change.tunnel = Some(tunnel);
                parts.push("tunnel");
            }
            if declares_credential(declared)
                && self.credential_differs(owner, declared, &present).await.map_err(failed)?
            {
                parts.push("credential");
            }
            if parts.is_empty() {
                return Ok((Action::Same, String::new()));
            }
            // An edit that leads elsewhere must say the credential again, so it is always said.
            set_credential(declared, &mut change);
            let changed = if self.dry_run {
                sources.rehearse_update(owner, present.id, change, present.version, tunnel).await
            } else {
                sources.update(owner, present.id, change, present.version).await
            };
            changed.map_err(failed)?;
            return Ok((Action::Change, parts.join(", ")));
        }
        let Some(reach) = compare::reach(declared) else {
            return Err(mistake(item, "the source says neither `url` nor `command`".to_owned()).into());
        };
        let new = NewSource {
            name: declared.name.clone(),
            reach,
            tunnel: self.tunnel_of(owner, item).await?,
            ca_certificates: declared.ca_certificates.clone().flatten(),
            credential: credential(declared),
            era: declared.era.unwrap_or_default(),
            runs_as: declared.runs_as.unwrap_or_default(),
            enabled: declared.enabled.unwrap_or(true),
        };
        let Some(owner) = owner.filter(|_| !self.dry_run) else {
            self.check_new_source(owner, declared, &new).await.map_err(failed)?;
            return Ok((Action::Add, String::new()));
        };
        let added = sources.add(owner, new).await.map_err(failed)?;
        if let Some(rules) = declared.rules.clone().filter(|rules| !rules.is_empty()) {
            let change = SourceChange { rules: Some(rules), ..SourceChange::default() };
            sources.update(owner, added.source.id, change, added.source.version).await.map_err(failed)?;
        }
        let detail = match added.report.failure() {
            Some(reason) => format!("kept, but it does not answer: {reason}"),
            None => format!("{} tools", added.catalogue.accepted.len()),
        };
        Ok((Action::Add, detail))
    }

    /// Says why a source could not be made; `None` = for somebody whose account is declared and not
    /// made yet.
    async fn check_new_source(
        &mut self,
        owner: Option<&Member>,
        declared: &SourceItem,
        new: &NewSource,
    ) -> Result<(), SourceError> {
        let sources = &self.rooms.sources;
        new.check()?;
        let mut count = self.expected.source(&declared.owner, &declared.name);
        if let Some(owner) = owner {
            Sources::may_add(owner, new)?;
            count = count.saturating_add(i64::try_from(sources.list(owner).await?.len()).unwrap_or(i64::MAX));
        }
        let plan = self.owning_plan(owner, &declared.owner).await?;
        match plan.and_then(|plan| Some((plan.name, plan.sources_max?))) {
            Some((plan, limit)) if count > limit => {
                Err(SourceError::Limit { plan: plan.to_string(), limit, used: count - 1 })
            }
            _ => Ok(()),
        }
    }

    /// Returns the plan that will bound what an owner has; `None` if nobody can say yet.
    pub(super) async fn owning_plan(
        &self,
        owner: Option<&Member>,
        handle: &Handle,
    ) -> Result<Option<Plan>, SourceError> {
        let sources = &self.rooms.sources;
        match (self.expected.plan_of(handle), owner) {
            (Some(name), _) => match self.expected.declared_plan(name) {
                Some(plan) => Ok(Some(plan.clone())),
                None => sources.find_plan(name).await,
            },
            (None, Some(owner)) => {
                let found = sources.plan(owner).await?;
                let declared = found.as_ref().and_then(|plan| self.expected.declared_plan(&plan.name));
                Ok(declared.cloned().or(found))
            }
            (None, None) => Ok(None),
        }
    }

    async fn credential_differs(
        &self,
        owner: &Member,
        declared: &SourceItem,
        present: &Source,
    ) -> Result<bool, SourceError> {
        let same = self.rooms.sources.has_credential(owner, present.id, &credential(declared)).await?;
        Ok(!same)
    }
}

fn credential(item: &SourceItem) -> Credential {
    Credential {
        auth: item.auth.as_ref().map(auth).unwrap_or_default(),
        env: item.env.clone().unwrap_or_default(),
    }
}

fn declares_credential(item: &SourceItem) -> bool {
    item.auth.is_some() || item.env.is_some()
}

fn set_credential(item: &SourceItem, change: &mut SourceChange) {
    change.auth = item.auth.as_ref().map(auth);
    change.env = item
        .env
        .as_ref()
        .map(|env| env.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect());
}

fn auth(item: &AuthItem) -> Auth {
    let text = |secret: &Option<Secret>| secret.clone().unwrap_or_default();
    if let Some(basic) = &item.basic {
        return Auth::Basic { user: basic.user.clone(), password: text(&basic.password) };
    }
    if let Some(header) = &item.header {
        return Auth::Header { name: header.name.clone(), value: text(&header.value) };
    }
    if let Some(oauth) = &item.oauth {
        return Auth::Oauth(OauthClient {
            id: oauth.client_id.clone(),
            secret: oauth.client_secret.clone(),
            scope: oauth.scope.clone(),
        });
    }
    if let Some(key) = &item.jws {
        return Auth::Jws(key.clone());
    }
    item.bearer.clone().map_or(Auth::None, Auth::Bearer)
}
