//! What a preset was: every edit is kept as a version, and can be gone back to.
//!
//! Going back is an edit like any other, of what the preset takes and how it is called. Its address, who may use it
//! and whether it answers stay as they are, so that nothing is opened by looking back.

use crate::{
    model::{
        AccessLevel, Member, Preset, PresetId, PresetState, PresetTake, PresetVersion, Selection, SourceName,
        ToolState, VersionChange,
    },
    presets::{
        OpenPreset, PresetChange, PresetError, Presets, Result,
        difference::{difference, summary},
        edit::Edit,
    },
    store::Tx,
};

/// Two versions of a preset side by side.
#[derive(Clone, Debug)]
pub struct Compared {
    /// The older one; `None` if nothing older is kept.
    pub before: Option<PresetVersion>,
    /// The newer one.
    pub after: PresetVersion,
    /// What the preset was then.
    pub state: PresetState,
    /// In what they differ; empty without an older one.
    pub changes: Vec<VersionChange>,
}

/// A preset that was taken back to what it was.
#[derive(Clone, Debug)]
pub struct RolledBack {
    /// The preset.
    pub preset: Preset,
    /// What it took then and cannot be had at the source any more.
    pub missing: Vec<MissingTool>,
}

/// Something that a version of a preset took, and that is not there any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingTool {
    /// What the source was called.
    pub source: SourceName,
    /// The name the source knew it by; `None` if the source itself is gone.
    pub tool: Option<String>,
}

impl Presets {
    /// Returns the kept versions of a preset, the newest first, for those who may change it. None are kept of a preset
    /// that was not edited since versions are.
    pub async fn versions(&self, member: &Member, id: PresetId) -> Result<(OpenPreset, Vec<PresetVersion>)> {
        let open = self.open(member, id, AccessLevel::Editor).await?;
        let versions = self.0.store.read(open.permit.tenant()).await?.list_preset_versions(id).await?;
        Ok((open, versions))
    }

    /// Compares a version of a preset with an older one; `None` = with the one before it.
    pub async fn compare_versions(
        &self,
        member: &Member,
        id: PresetId,
        older: Option<i64>,
        newer: i64,
    ) -> Result<Compared> {
        let open = self.open(member, id, AccessLevel::Editor).await?;
        let mut tx = self.0.store.read(open.permit.tenant()).await?;
        let (after, state) = version(&mut tx, id, newer).await?;
        let older = match older {
            Some(older) => Some(older),
            None => {
                let kept = tx.list_preset_versions(id).await?;
                kept.iter().map(|kept| kept.version).find(|version| *version < newer)
            }
        };
        let Some(older) = older else {
            return Ok(Compared { before: None, after, state, changes: Vec::new() });
        };
        let (before, was) = version(&mut tx, id, older).await?;
        let changes = difference(&was, &state);
        Ok(Compared { before: Some(before), after, state, changes })
    }

    /// Takes a preset back to what it took and how it was called in a kept version, if it still has the version that
    /// whoever asks saw. This makes a new version. Tools that the source does not list are named again all the same,
    /// and told; what was taken of sources that are gone is left out, and told.
    pub async fn roll_back(
        &self,
        member: &Member,
        id: PresetId,
        to: i64,
        version: i64,
    ) -> Result<RolledBack> {
        let open = self.open(member, id, AccessLevel::Editor).await?;
        let doing = async {
            let mut tx = self.0.store.read(open.permit.tenant()).await?;
            let (_, state) = self::version(&mut tx, id, to).await?;
            let (selections, missing) = what_there_is(&mut tx, state.takes).await?;
            drop(tx);
            let change = PresetChange {
                title: Some(state.title),
                description: Some(state.description),
                selections: Some(selections),
                ..PresetChange::default()
            };
            let edit = Edit { change, version: Some(version), back_to: Some(to), ..Edit::default() };
            Ok(RolledBack { preset: self.change(member, &open, edit).await?, missing })
        };
        self.audited(member, "roll back", &open, doing).await
    }
}

/// Keeps what a preset is by a change of it. `was` = what it was before, which is kept too if it is not yet.
pub(super) async fn keep(
    tx: &mut Tx,
    member: &Member,
    preset: &Preset,
    was: Option<(&Preset, PresetState)>,
    back_to: Option<i64>,
) -> Result<()> {
    let is = state(tx, preset).await?;
    let said = match was {
        None => "made".to_owned(),
        Some((before, was)) => {
            let said = summary(&difference(&was, &is));
            if !tx.has_preset_version(before.id, before.version).await? {
                let first = PresetVersion {
                    version: before.version,
                    saved_at: before.updated_at,
                    saved_by: String::new(),
                    summary: "as it was when its history begins".to_owned(),
                };
                tx.add_preset_version(before.id, &first, &was).await?;
            }
            match back_to {
                Some(to) => format!("back to version {to}: {said}"),
                None => said,
            }
        }
    };
    let version = PresetVersion {
        version: preset.version,
        saved_at: preset.updated_at,
        saved_by: member.handle.to_string(),
        summary: said,
    };
    Ok(tx.add_preset_version(preset.id, &version, &is).await?)
}

/// Returns what a preset is at this point of a transaction.
pub(super) async fn state(tx: &mut Tx, preset: &Preset) -> Result<PresetState> {
    let mut takes = Vec::new();
    for selection in tx.selections(preset.id).await? {
        if let Some(source) = tx.find_source(selection.source).await? {
            takes.push(PresetTake { source: source.name, selection });
        }
    }
    Ok(PresetState::of(preset, takes))
}

async fn version(tx: &mut Tx, id: PresetId, version: i64) -> Result<(PresetVersion, PresetState)> {
    tx.find_preset_version(id, version).await?.ok_or(PresetError::NoVersion { version })
}

/// Returns what can still be taken, and what of it is not there.
async fn what_there_is(tx: &mut Tx, takes: Vec<PresetTake>) -> Result<(Vec<Selection>, Vec<MissingTool>)> {
    let (mut selections, mut missing) = (Vec::new(), Vec::new());
    for PresetTake { source, selection } in takes {
        if tx.find_source(selection.source).await?.is_none() {
            missing.push(MissingTool { source, tool: None });
            continue;
        }
        let listed = tx.list_source_tools(selection.source).await?;
        let is_there =
            |name: &str| listed.iter().any(|tool| tool.name == name && tool.state != ToolState::Gone);
        let gone = selection.tools.iter().filter(|tool| tool.enabled && !is_there(&tool.name));
        missing
            .extend(gone.map(|tool| MissingTool { source: source.clone(), tool: Some(tool.name.clone()) }));
        selections.push(selection);
    }
    Ok((selections, missing))
}
