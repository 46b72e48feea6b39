//! Making, changing, switching and removing presets.

use std::future::Future;

use crate::{
    changes::Change,
    clock::Ms,
    model::{
        AccessEntry, AccessLevel, Member, OrgRole, Plan, Preset, PresetId, PresetStatus, Reach, Selection,
        TenantId, Visibility,
    },
    policy::{self, ManagePermit},
    presets::{NewPreset, OpenPreset, PresetChange, PresetError, Presets, Result, check, stock, versions},
    sources::{Subject, last_editor},
    store::{StoreError, Tx},
};

impl Presets {
    /// Makes a preset.
    pub async fn add(&self, member: &Member, new: NewPreset) -> Result<Preset> {
        let id = PresetId::new();
        let subject = Subject::Preset(id, new.slug.to_string());
        self.recorded(member.tenant, member, "add", subject, self.add_new(member, id, new, &[], Run::Real))
            .await
    }

    /// Says what [`Presets::add`] would, and makes nothing.
    pub async fn rehearse_add(&self, member: &Member, new: NewPreset) -> Result<Preset> {
        self.add_new(member, PresetId::new(), new, &[], Run::Rehearsal).await
    }

    pub(super) async fn add_new(
        &self,
        member: &Member,
        id: PresetId,
        new: NewPreset,
        access: &[AccessEntry],
        run: Run,
    ) -> Result<Preset> {
        let permit = may_manage(member)?;
        let now = self.0.clock.now();
        let title = match new.title.trim() {
            "" => new.slug.to_string(),
            title => title.to_owned(),
        };
        let preset = Preset {
            id,
            tenant: permit.tenant(),
            slug: new.slug,
            title,
            description: new.description,
            visibility: new.visibility,
            anonymous: new.anonymous,
            status: PresetStatus::Active,
            expires_at: new.expires_at,
            rules: new.rules,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        check_texts(&preset)?;
        check::rules(&preset.rules)?;
        self.check_anonymous(permit.tenant(), preset.anonymous).await?;
        let plan = self.0.store.system_read().await?.find_plan_in(permit.tenant(), &member.plan).await?;
        let mut tx = self.0.store.tenant(permit.tenant()).await?;
        // Two at once must not pass the plan's limit.
        tx.take_turn().await?;
        room_for_one(&mut tx, plan.as_ref()).await?;
        check_selections(&mut tx, member, true, &[], &new.selections).await?;
        tx.add_preset(&preset).await.map_err(|error| taken(error, &preset))?;
        tx.set_selections(id, &new.selections).await?;
        for entry in access {
            tx.add_access(id, entry).await?;
        }
        versions::keep(&mut tx, member, &preset, None, None).await?;
        if run == Run::Real {
            self.commit(tx, &preset).await?;
        }
        Ok(preset)
    }

    /// Edits a preset, if it still has the version the editor saw.
    pub async fn update(
        &self,
        member: &Member,
        id: PresetId,
        change: PresetChange,
        version: i64,
    ) -> Result<Preset> {
        let open = self.open(member, id, AccessLevel::Editor).await?;
        let edit = Edit { change, version: Some(version), ..Edit::default() };
        self.audited(member, "edit", &open, self.change(member, &open, edit)).await
    }

    /// Says what [`Presets::update`] would, and changes nothing.
    pub async fn rehearse_update(
        &self,
        member: &Member,
        id: PresetId,
        change: PresetChange,
        version: i64,
    ) -> Result<Preset> {
        let open = self.open(member, id, AccessLevel::Editor).await?;
        let edit = Edit { change, version: Some(version), run: Run::Rehearsal, ..Edit::default() };
        self.change(member, &open, edit).await
    }

    /// Chooses what a preset takes, if it still has the version the editor saw.
    pub async fn set_selections(
        &self,
        member: &Member,
        id: PresetId,
        selections: Vec<Selection>,
        version: i64,
    ) -> Result<Preset> {
        let change = PresetChange { selections: Some(selections), ..PresetChange::default() };
        let open = self.open(member, id, AccessLevel::Editor).await?;
        let edit = Edit { change, version: Some(version), ..Edit::default() };
        self.audited(member, "choose tools", &open, self.change(member, &open, edit)).await
    }

    /// Switches a preset on or off, or puts it away.
    pub async fn set_status(&self, member: &Member, id: PresetId, status: PresetStatus) -> Result<Preset> {
        let open = self.open(member, id, AccessLevel::Viewer).await?;
        let done = match status {
            PresetStatus::Active => "switch on",
            PresetStatus::Disabled => "switch off",
            PresetStatus::Archived => "archive",
        };
        let edit = Edit { status: Some(status), ..Edit::default() };
        self.audited(member, done, &open, self.change(member, &open, edit)).await
    }

    /// Says from when on a preset answers nobody; `None` = it does not end. Holds on the next call.
    pub async fn set_expiry(&self, member: &Member, id: PresetId, end: Option<Ms>) -> Result<Preset> {
        let open = self.open(member, id, AccessLevel::Viewer).await?;
        let edit = Edit {
            change: PresetChange { expires_at: Some(end), ..PresetChange::default() },
            ..Edit::default()
        };
        // Also where nothing changes it is the owner's to say.
        let doing = async {
            open.permit.owner()?;
            self.change(member, &open, edit).await
        };
        self.audited(member, "set expiry", &open, doing).await
    }

    pub(super) async fn change(&self, member: &Member, open: &OpenPreset, edit: Edit) -> Result<Preset> {
        let Edit { change, status, version, back_to, run } = edit;
        let (permit, id) = (&open.permit, open.permit.preset());
        // Clients have the address, and callers lose a preset that is switched off or ends.
        let moves = change.slug.as_ref().is_some_and(|slug| *slug != open.preset.slug);
        let ends = change.expires_at.is_some_and(|end| end != open.preset.expires_at);
        if moves || ends || status.is_some() {
            permit.owner()?;
        }
        let shares = change.visibility.is_some_and(|wanted| wanted != open.preset.visibility)
            || change.anonymous.is_some_and(|wanted| wanted != open.preset.anonymous);
        let limits = change.rules.as_ref().is_some_and(|wanted| *wanted != open.preset.rules);
        if shares || limits {
            permit.at_least(AccessLevel::Admin)?;
        }
        self.check_anonymous(permit.tenant(), change.anonymous == Some(true)).await?;
        let mut tx = self.0.store.tenant(permit.tenant()).await?;
        let before = tx.find_preset(id).await?.ok_or(PresetError::NotFound)?;
        if version.is_some_and(|version| version != before.version) {
            drop(tx);
            return Err(self.stale(&before).await);
        }
        let was = versions::state(&mut tx, &before).await?;

        let mut preset = before.clone();
        preset.slug = change.slug.unwrap_or(preset.slug);
        preset.title = change.title.unwrap_or(preset.title);
        preset.description = change.description.unwrap_or(preset.description);
        preset.visibility = change.visibility.unwrap_or(preset.visibility);
        preset.anonymous = match change.anonymous {
            Some(anonymous) => anonymous,
            None => preset.anonymous && preset.visibility == Visibility::Public,
        };
        preset.status = status.unwrap_or(preset.status);
        preset.expires_at = change.expires_at.unwrap_or(preset.expires_at);
        preset.rules = change.rules.unwrap_or(preset.rules);
        preset.updated_at = self.0.clock.now();
        check_texts(&preset)?;
        check::rules(&preset.rules)?;
        if let Some(selections) = &change.selections {
            let selected = tx.selections(id).await?;
            check_selections(&mut tx, member, permit.owns(), &selected, selections).await?;
            tx.set_selections(id, selections).await?;
        }
        let stored = tx.update_preset(&preset, before.version).await;
        if !stored.map_err(|error| taken(error, &preset))? {
            drop(tx);
            return Err(self.stale(&before).await);
        }
        preset.version = before.version + 1;
        versions::keep(&mut tx, member, &preset, Some((&before, was)), back_to).await?;
        if run == Run::Real {
            self.commit(tx, &preset).await?;
        }
        Ok(preset)
    }

    /// Deletes a preset for good. Its slug is free again.
    pub async fn remove(&self, member: &Member, id: PresetId) -> Result<Preset> {
        let open = self.open(member, id, AccessLevel::Viewer).await?;
        let doing = async {
            open.permit.owner()?;
            let mut tx = self.0.store.tenant(open.permit.tenant()).await?;
            let preset = tx.find_preset(id).await?.ok_or(PresetError::NotFound)?;
            if !tx.remove_preset(id).await? {
                return Err(PresetError::NotFound);
            }
            self.commit(tx, &preset).await?;
            Ok(preset)
        };
        self.audited(member, "remove", &open, doing).await
    }

    pub(super) async fn commit(&self, tx: Tx, preset: &Preset) -> Result<()> {
        Ok(self.0.sources.commit(tx, Change::Preset(preset.tenant, preset.id)).await?)
    }

    pub(super) async fn audited<T>(
        &self,
        member: &Member,
        done: &str,
        open: &OpenPreset,
        doing: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let preset = &open.preset;
        self.recorded(preset.tenant, member, done, preset.into(), doing).await
    }

    /// Records what is done to something of an organisation, as it ends.
    pub(super) async fn recorded<T>(
        &self,
        tenant: TenantId,
        member: &Member,
        done: &str,
        subject: Subject,
        doing: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let entry = self.0.sources.trail().begin_at(tenant, member, done, subject);
        let result = doing.await;
        entry.end(result.as_ref().err().map(|error| (error.fault(), error.to_string())));
        result
    }

    async fn stale(&self, preset: &Preset) -> PresetError {
        // Not knowing who it was is no reason to hide that somebody was there.
        let by = last_editor(&self.0.store, preset.tenant, &preset.into()).await.ok().flatten();
        PresetError::Stale { by, version: preset.version, at: preset.updated_at }
    }
}

/// An edit of a preset on its way.
#[derive(Default)]
pub(super) struct Edit {
    /// What is to be different.
    pub change: PresetChange,
    /// Whether it is to answer; `None` = as it does.
    pub status: Option<PresetStatus>,
    /// The version that was looked at; `None` = whichever there is.
    pub version: Option<i64>,
    /// The version that it is taken back to, if it is.
    pub back_to: Option<i64>,
    /// Whether it is to hold.
    pub run: Run,
}

/// Whether a change is to hold.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Run {
    #[default]
    Real,
    /// Everything is done as far as the commit, which is left out.
    Rehearsal,
}

impl NewPreset {
    /// Says what is wrong with it, as far as that shows without asking anybody.
    pub fn check(&self) -> Result<()> {
        if !self.title.trim().is_empty() {
            check::title(self.title.trim())?;
        }
        check::description(&self.description)?;
        check::rules(&self.rules)?;
        check::visibility(self.visibility, self.anonymous)
    }
}

fn may_manage(member: &Member) -> Result<ManagePermit> {
    Ok(policy::may_manage(member, member.tenant, OrgRole::Admin)?)
}

impl Presets {
    /// Refuses calls without a key of what a team owns: each is charged to whoever makes it, beside the team.
    async fn check_anonymous(&self, owner: TenantId, anonymous: bool) -> Result<()> {
        if !anonymous {
            return Ok(());
        }
        let owner = self.0.store.system_read().await?.find_organisation(owner).await?;
        if owner.is_some_and(|owner| owner.is_personal()) {
            return Ok(());
        }
        let reason = "calls are charged to whoever makes them, so a preset of an organisation asks for a key; publish \
                      it as somebody's own to open it to callers without one"
            .to_owned();
        Err(PresetError::Invalid { part: "anonymous", reason })
    }
}

/// Says whether the plan holds one more preset.
async fn room_for_one(tx: &mut Tx, plan: Option<&Plan>) -> Result<()> {
    let Some((plan, limit)) = plan.and_then(|plan| Some((&plan.name, plan.presets_max?))) else {
        return Ok(());
    };
    let used = tx.count_presets().await?;
    if used < limit { Ok(()) } else { Err(PresetError::Limit { plan: plan.clone(), limit, used }) }
}

fn check_texts(preset: &Preset) -> Result<()> {
    check::title(&preset.title)?;
    check::description(&preset.description)?;
    check::visibility(preset.visibility, preset.anonymous)
}

/// Checks what a preset is to take. Sharing a process for the first time is for those who may start
/// one, and what the preset takes nothing of yet is for its owner, whose credential it opens.
async fn check_selections(
    tx: &mut Tx,
    member: &Member,
    owns: bool,
    selected: &[Selection],
    selections: &[Selection],
) -> Result<()> {
    let mut stocks = Vec::with_capacity(selections.len());
    for selection in selections {
        let Some(source) = tx.find_source(selection.source).await? else { continue };
        let is_new = !selected.iter().any(|old| old.source == source.id);
        if is_new && !owns {
            return Err(policy::Denied::Owner.into());
        }
        if is_new && matches!(source.reach, Reach::McpStdio { .. }) {
            policy::may_use_process(member)?;
        }
        stocks.push(stock(tx, source).await?);
    }
    check::selections(selections, &stocks)?;
    Ok(())
}

fn taken(error: StoreError, preset: &Preset) -> PresetError {
    match error {
        StoreError::Conflict { .. } => PresetError::SlugTaken { slug: preset.slug.clone() },
        error => error.into(),
    }
}
