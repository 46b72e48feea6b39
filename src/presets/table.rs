//! A preset as the path of a call needs it: built once, then only read. Pure.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use bytes::Bytes;

use crate::{
    mcp::{
        self, ExposedTool, ListKind, Raw, ServerCapabilities, edit,
        uris::{app_uri, rewritten},
        write,
    },
    model::{
        Access, CallRules, Era, Handle, Preset, ResourceKind, Selection, SourceId, SourceName,
        SourceResource, Take,
    },
    presets::{
        ArgumentCheck, ListPage, ResourceRoute,
        compose::{Chosen, ChosenPrompt, Composition, Stock, compose},
        lists::{Entry, List},
        uris::{Brought, Uris},
    },
};

/// Everything a call of one preset needs to know, as it was when it was built.
#[derive(Clone, Debug)]
pub struct RouteTable {
    /// The preset. Its status and visibility are for `policy` to judge.
    pub preset: Preset,
    /// Who beside its owner may use it, for `policy` to judge too.
    pub access: Access,
    /// The owner's part of its address.
    pub owner: Handle,
    /// The tools it publishes, by exposed name. No two names are equal without regard to case.
    pub tools: Vec<Route>,
    /// The prompts it publishes, by exposed name. No two names are equal without regard to case.
    pub prompts: Vec<PromptRoute>,
    tools_by_name: HashMap<Box<str>, usize>,
    prompts_by_name: HashMap<Box<str>, usize>,
    uris: Uris,
    lists: [List; 4],
    sources: Vec<SourceId>,
    /// Of those sources whose owner says something of calls.
    source_rules: Vec<(SourceId, CallRules)>,
    capabilities: ServerCapabilities,
}

/// A published tool, and where its calls go.
#[derive(Clone, Debug)]
pub struct Route {
    /// The name callers see.
    pub exposed_name: Box<str>,
    /// The source.
    pub source: SourceId,
    /// What its owner calls it.
    pub source_name: SourceName,
    /// The name the source knows it by.
    pub tool_name: Box<str>,
    /// The definition as callers of each era see it, and what follows from it for calls.
    pub exposed: ExposedTool,
    /// Whether it says of itself that it only reads, or that calling it again does nothing more.
    pub is_harmless: bool,
    /// Checks arguments, if the preset asks for it.
    pub check: Option<Arc<ArgumentCheck>>,
    /// Whether a call is an analysis, charged and kept as that.
    pub is_analysis: bool,
}

impl Route {
    /// Returns the definition as callers of this era see it.
    pub fn definition(&self, era: Era) -> &Bytes {
        match era {
            Era::Modern => &self.exposed.modern,
            Era::Legacy => &self.exposed.legacy,
        }
    }
}

/// A published prompt, and where it is asked for.
#[derive(Clone, Debug)]
pub struct PromptRoute {
    /// The name callers see.
    pub exposed_name: Box<str>,
    /// The source.
    pub source: SourceId,
    /// What its owner calls it.
    pub source_name: SourceName,
    /// The name the source knows it by.
    pub prompt_name: Box<str>,
    /// The definition as callers see it.
    pub definition: Bytes,
}

impl RouteTable {
    /// How many entries a page of a list holds at most.
    pub const PAGE_ENTRIES_MAX: usize = List::PAGE_ENTRIES_MAX;
    /// How many bytes a page holds at most, unless a single entry is larger.
    pub const PAGE_BYTES_MAX: usize = List::PAGE_BYTES_MAX;

    /// Puts together what the selections take from the sources.
    pub(super) fn build(
        preset: Preset,
        access: Access,
        owner: Handle,
        selections: &[Selection],
        stocks: &[Stock],
    ) -> Self {
        let taken: Vec<(&Selection, &Stock)> = selections
            .iter()
            .filter_map(|one| Some((one, stocks.iter().find(|stock| stock.source.id == one.source)?)))
            .collect();
        let Composition { published, prompts, .. } = compose(selections, stocks);
        let apps: Vec<(SourceId, String)> = published
            .iter()
            .filter_map(|chosen| Some((chosen.source.id, app_uri(Raw::of(&chosen.tool.definition))?)))
            .collect();
        let uris =
            Uris::new(taken.iter().map(|(selection, stock)| brought(selection, stock, &apps)).collect());

        let tools: Vec<Route> = published.iter().filter_map(|chosen| route(chosen, &uris)).collect();
        let prompts: Vec<PromptRoute> = prompts.iter().map(prompt_route).collect();
        let [resources, templates] = [ResourceKind::Resource, ResourceKind::Template].map(|kind| {
            let of_kind = taken.iter().flat_map(|(selection, stock)| resources(selection, stock, kind));
            of_kind.map(|resource| resource_entry(resource, &uris)).collect::<Vec<_>>()
        });
        let lists = [
            List::new(ListKind::Tools, tools.iter().map(tool_entry).collect()),
            List::new(ListKind::Resources, resources),
            List::new(ListKind::Templates, templates),
            List::new(ListKind::Prompts, prompts.iter().map(prompt_entry).collect()),
        ];
        let mut sources: Vec<SourceId> = taken.iter().map(|(_, stock)| stock.source.id).collect();
        sources.sort_unstable();
        let source_rules = taken
            .iter()
            .filter(|(_, stock)| !stock.source.rules.is_empty())
            .map(|(_, stock)| (stock.source.id, stock.source.rules.clone()))
            .collect();
        Self {
            capabilities: capabilities(&taken, !apps.is_empty()),
            tools_by_name: by_name(tools.iter().map(|tool| &tool.exposed_name)),
            prompts_by_name: by_name(prompts.iter().map(|prompt| &prompt.exposed_name)),
            preset,
            access,
            owner,
            tools,
            prompts,
            uris,
            lists,
            sources,
            source_rules,
        }
    }

    /// Returns the table with only those of its tools, everything else as it is.
    pub fn with_tools(&self, keep: impl Fn(&Route) -> bool) -> Self {
        let mut narrow = self.clone();
        narrow.tools.retain(keep);
        narrow.tools_by_name = by_name(narrow.tools.iter().map(|tool| &tool.exposed_name));
        narrow.lists[0] = List::new(ListKind::Tools, narrow.tools.iter().map(tool_entry).collect());
        narrow
    }

    /// Returns the tool of this exposed name; the case of letters matters.
    pub fn route(&self, exposed_name: &str) -> Option<&Route> {
        self.tools_by_name.get(exposed_name).map(|&index| &self.tools[index])
    }

    /// Returns the prompt of this exposed name; the case of letters matters.
    pub fn prompt(&self, exposed_name: &str) -> Option<&PromptRoute> {
        self.prompts_by_name.get(exposed_name).map(|&index| &self.prompts[index])
    }

    /// Returns where a URI leads: to the source that lists it, else to one that has a template for
    /// it, else to the only source of which all resources are taken; `None` if nowhere. A `ui://`
    /// URI that a published tool names counts as listed by the tool's source.
    pub fn resource(&self, uri: &str) -> Option<ResourceRoute<'_>> {
        self.uris.resource(uri)
    }

    /// Returns where a completion's reference to a resource leads, a template as listed or a URI;
    /// `None` if nowhere.
    pub fn resource_ref(&self, reference: &str) -> Option<ResourceRoute<'_>> {
        self.uris.template(reference).or_else(|| self.uris.resource(reference))
    }

    /// Says whether callers see any URI of a source otherwise than the source writes it. While they
    /// do not, what comes from it needs no look.
    pub fn changes_uris(&self, source: SourceId) -> bool {
        self.uris.changes(source)
    }

    /// Returns a source's URI as callers see it.
    pub fn exposed_uri<'u>(&self, source: SourceId, uri: &'u str) -> Cow<'u, str> {
        self.uris.exposed(source, uri).map_or(Cow::Borrowed(uri), Cow::Owned)
    }

    /// Returns a source's result of a call, of a prompt, of a read or of a task, or the parameters
    /// of a notification, with its URIs as callers see them; `None` if it is to stay as it is.
    pub fn exposed_message(&self, source: SourceId, message: &[u8]) -> Option<String> {
        if !self.uris.changes(source) {
            return None;
        }
        let message = Raw::checked(std::str::from_utf8(message).ok()?);
        rewritten(message, |uri| self.uris.exposed(source, uri))
    }

    /// Returns the page a cursor names, the first one without a cursor; `None` if the cursor is not
    /// one of ours. A cursor says after which entry its page begins, so it stays good when entries
    /// come and go.
    pub fn page(&self, kind: ListKind, era: Era, cursor: Option<&str>) -> Option<ListPage> {
        self.list(kind).page(era, cursor)
    }

    /// Says whether callers see the same list in both tables.
    pub fn lists_alike(&self, other: &Self, kind: ListKind) -> bool {
        self.list(kind).is_like(other.list(kind))
    }

    /// Returns every source the preset takes something from, each once.
    pub fn sources(&self) -> &[SourceId] {
        &self.sources
    }

    /// Returns what the owner of a source says of calls; `None` = nothing.
    pub fn source_rules(&self, source: SourceId) -> Option<&CallRules> {
        self.source_rules.iter().find(|(id, _)| *id == source).map(|(_, rules)| rules)
    }

    /// Returns what the preset can do: what its sources can together, as far as it takes that from
    /// them. Lists of tools, resources and prompts are always told when they change.
    pub fn capabilities(&self) -> &ServerCapabilities {
        &self.capabilities
    }

    fn list(&self, kind: ListKind) -> &List {
        let [tools, resources, templates, prompts] = &self.lists;
        match kind {
            ListKind::Tools => tools,
            ListKind::Resources => resources,
            ListKind::Templates => templates,
            ListKind::Prompts => prompts,
        }
    }
}

/// Returns `None` for a definition that cannot be shown to callers. `sources` keeps none of those.
fn route(chosen: &Chosen<'_>, uris: &Uris) -> Option<Route> {
    let definition = Raw::of(&chosen.tool.definition);
    let source = chosen.source.id;
    let with_uris = match uris.changes(source) {
        true => rewritten(definition, |uri| uris.exposed(source, uri)),
        false => None,
    };
    let shown = with_uris.as_deref().map_or(definition, Raw::checked);
    let exposed = mcp::exposed(shown, chosen.name(), chosen.description())
        .inspect_err(|error| {
            let tool = &chosen.tool.name;
            tracing::error!(source.id = %source, tool, %error, "a kept definition cannot be shown");
        })
        .ok()?;
    Some(Route {
        exposed_name: chosen.name().into(),
        source,
        source_name: chosen.source.name.clone(),
        tool_name: chosen.tool.name.as_str().into(),
        exposed,
        is_harmless: is_harmless(definition),
        check: chosen.checks_arguments().then(|| Arc::new(ArgumentCheck::compile(definition))),
        is_analysis: crate::sources::is_analysis(chosen.source.reach.kind(), &chosen.tool.name),
    })
}

fn is_harmless(definition: Raw<'_>) -> bool {
    let annotations = definition.member("annotations");
    let says = |name| annotations.and_then(|said| said.member(name)).is_some_and(|said| said.get() == "true");
    says("readOnlyHint") || says("idempotentHint")
}

fn prompt_route(chosen: &ChosenPrompt<'_>) -> PromptRoute {
    let definition = Raw::of(&chosen.prompt.definition);
    let is_renamed = chosen.name != chosen.prompt.name;
    let definition = match is_renamed {
        true => edit::set_member(definition, "name", &write::quoted(&chosen.name)).into(),
        false => Bytes::copy_from_slice(definition.as_bytes()),
    };
    PromptRoute {
        exposed_name: chosen.name.as_str().into(),
        source: chosen.source.id,
        source_name: chosen.source.name.clone(),
        prompt_name: chosen.prompt.name.as_str().into(),
        definition,
    }
}

fn tool_entry(tool: &Route) -> Entry {
    Entry {
        key: tool.exposed_name.clone(),
        modern: tool.exposed.modern.clone(),
        legacy: tool.exposed.legacy.clone(),
    }
}

fn prompt_entry(prompt: &PromptRoute) -> Entry {
    Entry::new(&prompt.exposed_name, prompt.definition.clone())
}

fn resource_entry(resource: &SourceResource, uris: &Uris) -> Entry {
    let (member, exposed) = match resource.kind {
        ResourceKind::Resource => ("uri", uris.exposed(resource.source, &resource.uri)),
        ResourceKind::Template => ("uriTemplate", uris.exposed_template(resource.source, &resource.uri)),
    };
    let definition = Raw::of(&resource.definition);
    match exposed {
        Some(uri) => {
            let definition = edit::set_member(definition, member, &write::quoted(&uri));
            Entry::new(&uri, definition.into())
        }
        None => Entry::new(&resource.uri, Bytes::copy_from_slice(definition.as_bytes())),
    }
}

fn brought<'a>(selection: &Selection, stock: &'a Stock, apps: &'a [(SourceId, String)]) -> Brought<'a> {
    let uris_of =
        |kind| resources(selection, stock, kind).map(|resource| resource.uri.as_str()).collect::<Vec<_>>();
    let mut listed = uris_of(ResourceKind::Resource);
    let of_source = |(source, _): &&(SourceId, String)| *source == stock.source.id;
    listed.extend(apps.iter().filter(of_source).map(|(_, uri)| uri.as_str()));
    Brought {
        source: stock.source.id,
        source_name: &stock.source.name,
        resources: listed,
        templates: uris_of(ResourceKind::Template),
        all: selection.resources == Take::All,
    }
}

/// Returns what a selection takes of a source's resources or templates.
fn resources<'a>(
    selection: &Selection,
    stock: &'a Stock,
    kind: ResourceKind,
) -> impl Iterator<Item = &'a SourceResource> {
    let taken =
        move |resource: &&SourceResource| resource.kind == kind && selection.resources.takes(&resource.uri);
    stock.resources.iter().filter(taken)
}

fn capabilities(taken: &[(&Selection, &Stock)], has_apps: bool) -> ServerCapabilities {
    let mut all = ServerCapabilities { tools: true, tools_changed: true, ..ServerCapabilities::default() };
    for (selection, stock) in taken {
        let mut one = match &stock.offer {
            Some(offer) => ServerCapabilities::read(Raw::of(&offer.capabilities)),
            None => ServerCapabilities::default(),
        };
        // A source that says more than its revision has is not taken at its word.
        if let Some(verdict) = &stock.source.verdict {
            one.extensions.keep_for(verdict.era);
        }
        let (resources, prompts) = (selection.resources != Take::None, selection.prompts != Take::None);
        one.resources = resources && (one.resources || !stock.resources.is_empty());
        one.resources_subscribe &= one.resources;
        one.prompts = prompts && (one.prompts || !stock.prompts.is_empty());
        // Arguments are completed for prompts and templates only.
        one.completions &= one.resources || one.prompts;
        all = all.union(&one);
    }
    all.resources |= has_apps;
    all.resources_changed = all.resources;
    all.prompts_changed = all.prompts;
    all
}

fn by_name<'a>(names: impl Iterator<Item = &'a Box<str>>) -> HashMap<Box<str>, usize> {
    names.enumerate().map(|(index, name)| (name.clone(), index)).collect()
}

#[cfg(test)]
mod tests;
