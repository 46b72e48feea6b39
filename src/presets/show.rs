//! Lists, the editor's model and previews.

use std::collections::{HashMap, HashSet};

use serde_json::value::RawValue;

use crate::{
    clock::Ms,
    model::{
        AccessLevel, Handle, Member, Preset, PresetId, PresetTool, Selection, Slug, Source, SourceId,
        SourceResource, SourceTool, TenantId, ToolHash, ToolState,
    },
    policy,
    presets::{
        EditorPrompt, EditorResource, EditorSource, EditorTool, Exposed, OpenPreset, PresetEditor,
        PresetError, PresetSummary, Presets, Preview, Result, SourceBrief,
        compose::{Chosen, Composition, Stock, compose},
        names::flags,
        stock,
    },
    sources::{Definition, ResourceView, resource_view, text, visible},
    store::Tx,
};

impl Presets {
    /// Returns the presets of the member's organisation by slug, archived ones too.
    pub async fn list(&self, member: &Member) -> Result<Vec<PresetSummary>> {
        let mut tx = self.read(member).await?;
        let stocks = outlines(&mut tx).await?;
        let mut summaries = Vec::new();
        for preset in tx.list_presets().await? {
            let selections = tx.selections(preset.id).await?;
            let Composition { published, held, collisions, prompts, held_prompts } =
                compose(&selections, &stocks);
            let takes =
                |stock: &&Stock| selections.iter().any(|selection| selection.source == stock.source.id);
            summaries.push(PresetSummary {
                preset,
                owner: member.tenant_handle.clone(),
                tools: published.len(),
                resources: count_resources(&selections, &stocks),
                prompts: prompts.len(),
                held: held.len() + held_prompts.len(),
                collisions: collisions.len(),
                sources: stocks.iter().filter(takes).map(|stock| brief(&stock.source)).collect(),
            });
        }
        Ok(summaries)
    }

    /// Returns a preset that the member may open; `None` if there is none such.
    pub async fn find(&self, member: &Member, id: PresetId) -> Result<Option<OpenPreset>> {
        found(self.open(member, id, AccessLevel::Viewer).await)
    }

    /// Returns a preset of the member's organisation by its slug.
    pub async fn find_by_slug(&self, member: &Member, slug: &Slug) -> Result<Option<Preset>> {
        Ok(self.read(member).await?.find_preset_by_slug(slug).await?)
    }

    /// Returns what a preset takes from which source, as its owner chose, for those who may choose.
    pub async fn selections(&self, member: &Member, id: PresetId) -> Result<Vec<Selection>> {
        let open = self.open(member, id, AccessLevel::Editor).await?;
        Ok(self.0.store.read(open.permit.tenant()).await?.selections(id).await?)
    }

    /// Returns what the editor shows of a preset to be made.
    pub async fn new_editor(&self, member: &Member) -> Result<PresetEditor> {
        let mut tx = self.read(member).await?;
        Ok(editor(member.tenant_handle.clone(), None, &[], &all_stocks(&mut tx).await?))
    }

    /// Returns what the editor shows of a preset that the member may change; `None` if there is none
    /// such. Whoever it is only shared with sees the sources it takes from.
    pub async fn editor(&self, member: &Member, id: PresetId) -> Result<Option<PresetEditor>> {
        let Some(open) = found(self.open(member, id, AccessLevel::Editor).await)? else { return Ok(None) };
        let mut tx = self.0.store.read(open.permit.tenant()).await?;
        let selections = tx.selections(id).await?;
        let mut stocks = all_stocks(&mut tx).await?;
        if !open.permit.owns() {
            stocks.retain(|stock| selections.iter().any(|one| one.source == stock.source.id));
        }
        Ok(Some(editor(open.owner, Some(open.preset), &selections, &stocks)))
    }

    /// Returns what a preset with these selections would publish, held tools included; nothing is
    /// kept. Collisions are shown and not an error. `of` = the preset that is changed, if it is not
    /// a new one.
    pub async fn preview(
        &self,
        member: &Member,
        of: Option<PresetId>,
        selections: &[Selection],
    ) -> Result<Preview> {
        let (mut tx, slug) = match of {
            None => (self.read(member).await?, None),
            Some(id) => {
                let open = self.open(member, id, AccessLevel::Editor).await?;
                (self.0.store.read(open.permit.tenant()).await?, Some(open.preset.slug))
            }
        };
        let stocks = all_stocks(&mut tx).await?;
        let composition = compose(selections, &stocks);
        let mut tools: Vec<Exposed> = composition
            .published
            .iter()
            .chain(&composition.held)
            .map(|chosen| exposed(chosen, slug.as_ref().map(Slug::as_str)))
            .collect();
        tools.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Preview { tools, collisions: composition.collisions })
    }

    pub(super) async fn read(&self, member: &Member) -> Result<Tx> {
        let tenant: TenantId = policy::may_see(member, member.tenant)?.tenant();
        Ok(self.0.store.read(tenant).await?)
    }
}

/// Returns every source of the organisation with its tools, by name.
pub(super) async fn all_stocks(tx: &mut Tx) -> Result<Vec<Stock>> {
    let mut stocks = Vec::new();
    for source in tx.list_sources().await? {
        stocks.push(stock(tx, source).await?);
    }
    Ok(stocks)
}

/// Returns every source with names and states only of what it offers, which is all that counting
/// needs: the definitions of a whole organisation are megabytes.
async fn outlines(tx: &mut Tx) -> Result<Vec<Stock>> {
    let mut tools = outlined(tx.list_tool_states().await?);
    let mut prompts = outlined(tx.list_prompt_states().await?);
    let mut resources: HashMap<SourceId, Vec<SourceResource>> = HashMap::new();
    for (source, kind, uri) in tx.list_resource_uris().await? {
        let definition = RawValue::NULL.to_owned();
        resources.entry(source).or_default().push(SourceResource { source, kind, uri, definition });
    }
    let sources = tx.list_sources().await?.into_iter();
    let stock = |source: Source| Stock {
        tools: tools.remove(&source.id).unwrap_or_default(),
        prompts: prompts.remove(&source.id).unwrap_or_default(),
        resources: resources.remove(&source.id).unwrap_or_default(),
        offer: None,
        source,
    };
    Ok(sources.map(stock).collect())
}

fn outlined(states: Vec<(SourceId, String, ToolState)>) -> HashMap<SourceId, Vec<SourceTool>> {
    let mut by_source: HashMap<SourceId, Vec<SourceTool>> = HashMap::new();
    for (source, name, state) in states {
        by_source.entry(source).or_default().push(SourceTool {
            source,
            name,
            definition: RawValue::NULL.to_owned(),
            hash: ToolHash(String::new()),
            accepted_definition: None,
            state,
            seen_at: Ms(0),
        });
    }
    by_source
}

fn count_resources(selections: &[Selection], stocks: &[Stock]) -> usize {
    let of_source = |selection: &Selection| {
        let stock = stocks.iter().find(|stock| stock.source.id == selection.source);
        let taken = |one: &&SourceResource| selection.resources.takes(&one.uri);
        stock.map_or(0, |stock| stock.resources.iter().filter(taken).count())
    };
    selections.iter().map(of_source).sum()
}

pub(super) fn brief(source: &Source) -> SourceBrief {
    SourceBrief {
        id: source.id,
        name: source.name.clone(),
        kind: source.reach.kind(),
        enabled: source.enabled,
        health: source.health.clone(),
    }
}

fn exposed(chosen: &Chosen<'_>, slug: Option<&str>) -> Exposed {
    let definition = Definition::read(&chosen.tool.definition).unwrap_or_default();
    Exposed {
        name: chosen.name().to_owned(),
        description: match chosen.description() {
            Some(description) => description.to_owned(),
            None => visible(&text(definition.description)),
        },
        source: chosen.source.id,
        source_name: chosen.source.name.clone(),
        tool: chosen.tool.name.clone(),
        state: chosen.tool.state,
        flags: flags(chosen.name(), slug),
    }
}

/// Returns `None` for what is not there.
fn found(opened: Result<OpenPreset>) -> Result<Option<OpenPreset>> {
    match opened {
        Err(PresetError::NotFound) => Ok(None),
        other => other.map(Some),
    }
}

fn editor(owner: Handle, preset: Option<Preset>, selections: &[Selection], stocks: &[Stock]) -> PresetEditor {
    let composition = compose(selections, stocks);
    let published: HashSet<(SourceId, &str)> =
        composition.published.iter().map(|chosen| (chosen.source.id, chosen.tool.name.as_str())).collect();
    let slug = preset.as_ref().map(|preset| preset.slug.to_string());
    let sources = stocks
        .iter()
        .map(|stock| {
            let selection = selections.iter().find(|selection| selection.source == stock.source.id);
            let tool = |tool: &SourceTool| {
                let is_published = published.contains(&(stock.source.id, tool.name.as_str()));
                editor_tool(tool, selection, is_published, slug.as_deref())
            };
            let is_shown = |tool: &&SourceTool| {
                tool.state != ToolState::Gone
                    || selection.is_some_and(|selection| selection.tool(&tool.name).is_some())
            };
            let mut tools: Vec<EditorTool> = stock.tools.iter().filter(is_shown).map(tool).collect();
            let unknown = |said: &&PresetTool| !stock.tools.iter().any(|tool| tool.name == said.name);
            let said = selection.map_or(&[][..], |selection| &selection.tools);
            tools.extend(said.iter().filter(unknown).map(gone_tool));
            tools.sort_by(|a, b| a.name.cmp(&b.name));
            EditorSource {
                source: brief(&stock.source),
                selected: selection.is_some(),
                all: selection.is_some_and(|selection| selection.all),
                tools,
                resources: editor_resources(stock, selection),
                takes_resources: selection.map(|one| one.resources.clone()).unwrap_or_default(),
                prompts: editor_prompts(stock, selection),
                takes_prompts: selection.map(|one| one.prompts.clone()).unwrap_or_default(),
            }
        })
        .collect();
    PresetEditor { preset, owner, sources, collisions: composition.collisions }
}

fn editor_resources(stock: &Stock, selection: Option<&Selection>) -> Vec<EditorResource> {
    let taken = |uri: &str| selection.is_some_and(|selection| selection.resources.takes(uri));
    let listed = stock.resources.iter().map(|resource| EditorResource {
        shown: resource_view(resource),
        kind: Some(resource.kind),
        taken: taken(&resource.uri),
    });
    let known: HashSet<&str> = stock.resources.iter().map(|resource| resource.uri.as_str()).collect();
    let named = selection.map_or(&[][..], |selection| selection.resources.names());
    let gone = named.iter().filter(|uri| !known.contains(uri.as_str())).map(|uri| EditorResource {
        shown: ResourceView { uri: uri.clone(), ..ResourceView::default() },
        kind: None,
        taken: true,
    });
    listed.chain(gone).collect()
}

fn editor_prompts(stock: &Stock, selection: Option<&Selection>) -> Vec<EditorPrompt> {
    let taken = |name: &str| selection.is_some_and(|selection| selection.prompts.takes(name));
    let listed = stock.prompts.iter().map(|prompt| {
        let definition = Definition::read(&prompt.definition).unwrap_or_default();
        EditorPrompt {
            title: visible(&text(definition.title)),
            description: visible(&text(definition.description)),
            state: prompt.state,
            taken: taken(&prompt.name),
            name: prompt.name.clone(),
        }
    });
    let is_shown = |prompt: &EditorPrompt| {
        let named = selection.is_some_and(|one| one.prompts.names().contains(&prompt.name));
        prompt.state != ToolState::Gone || named
    };
    let known: HashSet<&str> = stock.prompts.iter().map(|prompt| prompt.name.as_str()).collect();
    let named = selection.map_or(&[][..], |selection| selection.prompts.names());
    let gone = named.iter().filter(|name| !known.contains(name.as_str())).map(|name| EditorPrompt {
        name: name.clone(),
        title: String::new(),
        description: String::new(),
        state: ToolState::Gone,
        taken: true,
    });
    listed.filter(is_shown).chain(gone).collect()
}

fn editor_tool(
    tool: &SourceTool,
    selection: Option<&Selection>,
    published: bool,
    slug: Option<&str>,
) -> EditorTool {
    let definition = Definition::read(&tool.definition).unwrap_or_default();
    let said = selection.and_then(|selection| selection.tool(&tool.name));
    let exposed_name = said.and_then(|said| said.exposed_name.clone());
    EditorTool {
        title: visible(&text(definition.title)),
        description: visible(&text(definition.description)),
        state: tool.state,
        enabled: selection.is_some_and(|selection| selection.takes(&tool.name)),
        published,
        flags: flags(exposed_name.as_deref().unwrap_or(&tool.name), slug),
        exposed_name,
        exposed_description: said.and_then(|said| said.exposed_description.clone()),
        check_arguments: said.is_some_and(|said| said.check_arguments),
        name: tool.name.clone(),
    }
}

/// Returns a tool that the preset names and the source does not list.
fn gone_tool(said: &PresetTool) -> EditorTool {
    EditorTool {
        name: said.name.clone(),
        title: String::new(),
        description: String::new(),
        state: ToolState::Gone,
        enabled: said.enabled,
        published: false,
        exposed_name: said.exposed_name.clone(),
        exposed_description: said.exposed_description.clone(),
        check_arguments: said.check_arguments,
        flags: Vec::new(),
    }
}
