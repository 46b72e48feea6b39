//! Doing what a document declares, in the order in which one thing needs another.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use doorward::{
    identity::{NewKey, NewUser, UserChange},
    model::{
        ApiKeyId, Auth, Credential, Handle, InstanceRole, KeyScope, Member, Plan as UsagePlan, PresetStatus,
        Selection, Slug, Source, SourceName, User, Visibility,
    },
    policy::{self, AdminPermit},
    presets::NewPreset,
    secret::Secret,
    sources::{NewSource, SourceChange, SourceError},
};
use serde_saphyr::Spanned;

use super::{
    Action, ApplyError, Authority, Document, Plan, Rooms, Step, compare,
    document::{AuthItem, KeyItem, PresetItem, SourceItem, UserItem, line, mistake},
};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Applies a document whose files have been read, or says what applying it would do.
///
/// It is gone through once without doing anything, so that a mistake at its end is found before
/// what stands at its beginning is done.
pub async fn apply(
    rooms: &Rooms,
    authority: &Authority,
    document: &Document,
    dry_run: bool,
) -> Result<Plan, ApplyError> {
    let plan = go_through(rooms, authority, document, true).await?;
    if dry_run { Ok(plan) } else { go_through(rooms, authority, document, false).await }
}

async fn go_through(
    rooms: &Rooms,
    authority: &Authority,
    document: &Document,
    dry_run: bool,
) -> Result<Plan, ApplyError> {
    let mut run = Run { rooms, authority, document, dry_run, steps: Vec::new(), members: BTreeMap::new() };
    run.plans().await?;
    run.users().await?;
    run.sources().await?;
    run.presets().await?;
    run.keys().await?;
    Ok(Plan { dry_run, steps: run.steps })
}

struct Run<'a> {
    rooms: &'a Rooms,
    authority: &'a Authority,
    document: &'a Document,
    dry_run: bool,
    steps: Vec<Step>,
    /// The owners met so far; `None` = declared in the document and not made yet.
    members: BTreeMap<Handle, Option<Arc<Member>>>,
}

impl Run<'_> {
    fn note(&mut self, action: Action, kind: &str, name: String, detail: String) {
        self.steps.push(Step { action, kind: kind.to_owned(), name, detail, secret: None });
    }

    fn admin(&self, at: Option<usize>) -> Result<AdminPermit, ApplyError> {
        match self.authority {
            Authority::Operator => Ok(policy::operator_at_the_shell()),
            Authority::Member(member) => {
                policy::may_administer(member).map_err(|source| ApplyError::Denied { at, source })
            }
        }
    }

    async fn plans(&mut self) -> Result<(), ApplyError> {
        let Some(first) = self.document.plans.first() else { return Ok(()) };
        let at = line(first);
        let permit = self.admin(at)?;
        let present = self.rooms.identity.plans(&permit).await.map_err(identity_error(at))?;
        for item in &self.document.plans {
            let plan: &UsagePlan = &item.value;
            let name = plan.name.to_string();
            let known = present.iter().find(|known| known.name == plan.name);
            let action = match known {
                Some(known) if known == plan => Action::Same,
                Some(_) => Action::Change,
                None => Action::Add,
            };
            if action != Action::Same && !self.dry_run {
                self.rooms.identity.save_plan(&permit, plan).await.map_err(identity_error(line(item)))?;
            }
            self.note(action, "plan", name, String::new());
        }
        Ok(())
    }

    async fn users(&mut self) -> Result<(), ApplyError> {
        let Some(first) = self.document.users.first() else { return Ok(()) };
        let at = line(first);
        let permit = self.admin(at)?;
        let present = self.rooms.identity.users(&permit).await.map_err(identity_error(at))?;
        for item in &self.document.users {
            match present.iter().find(|user| user.handle == item.value.handle) {
                Some(user) => self.change_user(&permit, item, user).await?,
                None => self.add_user(&permit, item).await?,
            }
        }
        Ok(())
    }

    async fn add_user(&mut self, permit: &AdminPermit, item: &Spanned<UserItem>) -> Result<(), ApplyError> {
        let user = &item.value;
        let Some(password) = user.password.clone() else {
            return Err(mistake(item, "a new user needs `password_file` or `password`".to_owned()).into());
        };
        if self.dry_run {
            self.members.insert(user.handle.clone(), None);
        } else {
            let new = NewUser {
                handle: user.handle.clone(),
                email: user.email.clone(),
                password,
                role: user.role.unwrap_or(InstanceRole::Member),
                plan: user.plan.clone(),
            };
            let identity = &self.rooms.identity;
            let added = identity.add_user(permit, new).await.map_err(identity_error(line(item)))?;
            if user.enabled == Some(false) {
                let change = UserChange { enabled: Some(false), ..UserChange::default() };
                identity.update_user(permit, added.id, change).await.map_err(identity_error(line(item)))?;
            }
        }
        self.note(Action::Add, "user", user.handle.to_string(), String::new());
        Ok(())
    }

    async fn change_user(
        &mut self,
        permit: &AdminPermit,
        item: &Spanned<UserItem>,
        present: &User,
    ) -> Result<(), ApplyError> {
        let declared = &item.value;
        let change = UserChange {
            email: Some(declared.email.clone()).filter(|email| *email != present.email),
            role: declared.role.filter(|role| *role != present.role),
            plan: declared.plan.clone().filter(|plan| *plan != present.plan),
            enabled: declared.enabled.filter(|enabled| *enabled != present.enabled),
            password: None,
        };
        let parts: Vec<&str> = [
            ("email", change.email.is_some()),
            ("role", change.role.is_some()),
            ("plan", change.plan.is_some()),
            ("enabled", change.enabled.is_some()),
        ]
        .into_iter()
        .filter_map(|(part, differs)| differs.then_some(part))
        .collect();
        if !parts.is_empty() && !self.dry_run {
            let identity = &self.rooms.identity;
            identity.update_user(permit, present.id, change).await.map_err(identity_error(line(item)))?;
        }
        let action = if parts.is_empty() { Action::Same } else { Action::Change };
        self.note(action, "user", declared.handle.to_string(), parts.join(", "));
        Ok(())
    }

    /// Returns the owner of a thing; `None` while the account is declared and not made yet.
    async fn owner<T>(
        &mut self,
        item: &Spanned<T>,
        handle: &Handle,
    ) -> Result<Option<Arc<Member>>, ApplyError> {
        let at = line(item);
        if let Authority::Member(member) = self.authority {
            if *handle == member.tenant_handle {
                return Ok(Some(Arc::clone(member)));
            }
            let (owner, acting) = (handle.clone(), member.tenant_handle.clone());
            return Err(ApplyError::SomebodyElse { at, owner, acting });
        }
        if let Some(known) = self.members.get(handle) {
            return Ok(known.clone());
        }
        let found = self.rooms.identity.at_the_shell(handle).await.map_err(identity_error(at))?;
        let Some(member) = found else { return Err(ApplyError::NoUser { at, handle: handle.clone() }) };
        self.members.insert(handle.clone(), Some(Arc::clone(&member)));
        Ok(Some(member))
    }

    async fn sources(&mut self) -> Result<(), ApplyError> {
        for item in &self.document.sources {
            let name = format!("{}/{}", item.value.owner, item.value.name);
            let Some(owner) = self.owner(item, &item.value.owner).await? else {
                self.note(Action::Add, "source", name, String::new());
                continue;
            };
            let (action, detail) = self.source(&owner, item).await?;
            self.note(action, "source", name, detail);
        }
        Ok(())
    }

    async fn source(
        &self,
        owner: &Member,
        item: &Spanned<SourceItem>,
    ) -> Result<(Action, String), ApplyError> {
        let failed = |source| ApplyError::Source { at: line(item), source };
        let declared = &item.value;
        let sources = &self.rooms.sources;
        if let Some(present) = sources.find_by_name(owner, &declared.name).await.map_err(failed)? {
            let (mut change, mut parts) = compare::source_change(declared, &present);
            if declares_credential(declared)
                && self.credential_differs(owner, declared, &present).await.map_err(failed)?
            {
                parts.push("credential");
            }
            // An edit that leads elsewhere must say the credential again, so it is always said.
            if !parts.is_empty() {
                set_credential(declared, &mut change);
            }
            if parts.is_empty() {
                return Ok((Action::Same, String::new()));
            }
            if !self.dry_run {
                sources.update(owner, present.id, change, present.version).await.map_err(failed)?;
            }
            return Ok((Action::Change, parts.join(", ")));
        }
        if self.dry_run {
            return Ok((Action::Add, String::new()));
        }
        let Some(reach) = compare::reach(declared) else {
            return Err(mistake(item, "the source says neither `url` nor `command`".to_owned()).into());
        };
        let new = NewSource {
            name: declared.name.clone(),
            reach,
            credential: credential(declared),
            era: declared.era.unwrap_or_default(),
            enabled: declared.enabled.unwrap_or(true),
        };
        let added = sources.add(owner, new).await.map_err(failed)?;
        let detail = match added.report.failure() {
            Some(reason) => format!("kept, but it does not answer: {reason}"),
            None => format!("{} tools", added.catalogue.accepted.len()),
        };
        Ok((Action::Add, detail))
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

    async fn presets(&mut self) -> Result<(), ApplyError> {
        for item in &self.document.presets {
            let name = format!("{}/{}", item.value.owner, item.value.slug);
            let Some(owner) = self.owner(item, &item.value.owner).await? else {
                self.note(Action::Add, "preset", name, String::new());
                continue;
            };
            let (action, detail) = self.preset(&owner, item).await?;
            self.note(action, "preset", name, detail);
        }
        Ok(())
    }

    async fn preset(
        &self,
        owner: &Member,
        item: &Spanned<PresetItem>,
    ) -> Result<(Action, String), ApplyError> {
        let failed = |source| ApplyError::Preset { at: line(item), source };
        let declared = &item.value;
        let presets = &self.rooms.presets;
        let selections = self.selections(owner, declared).await?;
        let Some(present) = presets.find_by_slug(owner, &declared.slug).await.map_err(failed)? else {
            if !self.dry_run {
                let new = NewPreset {
                    slug: declared.slug.clone(),
                    title: declared.title.clone().unwrap_or_default(),
                    description: declared.description.clone().unwrap_or_default(),
                    visibility: declared.visibility.unwrap_or(Visibility::Private),
                    anonymous: declared.anonymous.unwrap_or(false),
                    selections: selections.unwrap_or_default(),
                };
                let added = presets.add(owner, new).await.map_err(failed)?;
                if let Some(status) = declared.status.filter(|status| *status != PresetStatus::Active) {
                    presets.set_status(owner, added.id, status).await.map_err(failed)?;
                }
            }
            return Ok((Action::Add, String::new()));
        };
        let chosen = presets.selections(owner, present.id).await.map_err(failed)?;
        let (change, mut parts) = compare::preset_change(declared, &present, selections, &chosen);
        let status = declared.status.filter(|status| *status != present.status);
        if !parts.is_empty() && !self.dry_run {
            presets.update(owner, present.id, change, present.version).await.map_err(failed)?;
        }
        if let Some(status) = status {
            if !self.dry_run {
                presets.set_status(owner, present.id, status).await.map_err(failed)?;
            }
            parts.push("status");
        }
        let action = if parts.is_empty() { Action::Same } else { Action::Change };
        Ok((action, parts.join(", ")))
    }

    /// Returns what a preset is declared to take; `None` if it says nothing of it.
    async fn selections(
        &self,
        owner: &Member,
        item: &PresetItem,
    ) -> Result<Option<Vec<Selection>>, ApplyError> {
        let Some(tools) = &item.tools else { return Ok(None) };
        let mut selections = Vec::new();
        for taken in tools {
            let name = &taken.value.source;
            let at = line(taken);
            let found = self.rooms.sources.find_by_name(owner, name).await;
            match found.map_err(|source| ApplyError::Source { at, source })? {
                Some(source) => selections.push(compare::selection(&taken.value, source.id)),
                // It would have been made by now.
                None if self.dry_run && self.declares_source(&item.owner, name) => {}
                None => return Err(mistake(taken, format!("`{}` has no source `{name}`", item.owner)).into()),
            }
        }
        Ok(Some(selections))
    }

    fn declares_source(&self, owner: &Handle, name: &SourceName) -> bool {
        self.document.sources.iter().any(|item| item.value.owner == *owner && item.value.name == *name)
    }

    async fn keys(&mut self) -> Result<(), ApplyError> {
        for item in &self.document.keys {
            let name = format!("{}/{}", item.value.owner, item.value.name);
            let mut step = Step {
                action: Action::Add,
                kind: "key".to_owned(),
                name,
                detail: String::new(),
                secret: None,
            };
            if let Some(owner) = self.owner(item, &item.value.owner).await? {
                (step.action, step.secret) = self.key(&owner, item).await?;
            }
            self.steps.push(step);
        }
        Ok(())
    }

    async fn key(
        &self,
        owner: &Member,
        item: &Spanned<KeyItem>,
    ) -> Result<(Action, Option<String>), ApplyError> {
        let at = line(item);
        let declared = &item.value;
        let identity = &self.rooms.identity;
        let now = self.rooms.clock.now();
        let live: Vec<_> = identity
            .keys(owner)
            .await
            .map_err(identity_error(at))?
            .into_iter()
            .filter(|key| key.revoked_at.is_none() && key.expires_at.is_none_or(|end| end > now))
            .collect();
        let is_there = match &declared.secret {
            Some(text) => live.iter().any(|key| text.expose().starts_with(&beginning(key.id))),
            // A key whose file is gone is of no use, so another one is made.
            None => declared.secret_file.is_none() && live.iter().any(|key| key.name == declared.name),
        };
        if is_there {
            return Ok((Action::Same, None));
        }
        if self.dry_run {
            return Ok((Action::Add, None));
        }
        let new = NewKey {
            name: declared.name.clone(),
            scope: self.scope(owner, item).await?,
            expires_at: declared.expires_in_days.map(|days| now.plus(DAY * days)),
        };
        match &declared.secret {
            Some(text) => {
                identity.import_key(owner, new, text).await.map_err(identity_error(at))?;
                Ok((Action::Add, None))
            }
            None => {
                let (_, secret) = identity.create_key(owner, new).await.map_err(identity_error(at))?;
                Ok((Action::Add, Some(secret.expose().to_owned())))
            }
        }
    }

    async fn scope(&self, owner: &Member, item: &Spanned<KeyItem>) -> Result<KeyScope, ApplyError> {
        let Some(slugs) = &item.value.presets else { return Ok(KeyScope::Everything) };
        let mut presets = Vec::new();
        for slug in slugs {
            let found = self.rooms.presets.find_by_slug(owner, slug).await;
            match found.map_err(|source| ApplyError::Preset { at: line(item), source })? {
                Some(preset) => presets.push(preset.id),
                None => return Err(no_preset(item, slug).into()),
            }
        }
        Ok(KeyScope::Presets(presets))
    }
}

fn no_preset(item: &Spanned<KeyItem>, slug: &Slug) -> super::Mistake {
    mistake(item, format!("`{}` has no preset `{slug}`", item.value.owner))
}

fn identity_error(at: Option<usize>) -> impl Fn(doorward::identity::IdentityError) -> ApplyError {
    move |source| ApplyError::Identity { at, source }
}

/// Returns what the text of a key begins with; the rest is its secret.
fn beginning(id: ApiKeyId) -> String {
    format!("dw_{}_", id.0.simple())
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
    item.bearer.clone().map_or(Auth::None, Auth::Bearer)
}
