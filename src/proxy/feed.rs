//! What one stream is told: changes of its preset's lists, of resources and of tasks.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use crate::{
    mcp::{Raw, ServerCapabilities, edit, notifications, write},
    model::{SourceId, TenantId},
    presets::{PresetNews, PresetWatch, RouteTable},
    proxy::Proxy,
    upstream::{Notice, Watch, WatchFilter},
};
use bytes::Bytes;
use futures::{
    StreamExt,
    stream::{self, BoxStream, SelectAll},
};

/// How long a source that cannot be watched is left alone.
const AGAIN: Duration = Duration::from_secs(10);

/// How long whoever wants to hear of something waits until it is heard. A source that takes its time is
/// not waited for.
pub(super) const OPENING_MAX: Duration = Duration::from_secs(2);

/// How many notices are kept that come before everything is heard.
const EARLY_MAX: usize = 64;

/// A list that callers see otherwise than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Changed {
    Tools,
    Prompts,
    /// Resources or their templates.
    Resources,
}

impl Changed {
    pub(super) const ALL: [Self; 3] = [Self::Tools, Self::Prompts, Self::Resources];

    /// Returns the notification that tells it.
    fn method(self) -> &'static str {
        match self {
            Self::Tools => notifications::TOOLS_CHANGED,
            Self::Prompts => notifications::PROMPTS_CHANGED,
            Self::Resources => notifications::RESOURCES_CHANGED,
        }
    }

    fn is_offered_by(self, offered: &ServerCapabilities) -> bool {
        match self {
            Self::Tools => offered.tools_changed,
            Self::Prompts => offered.prompts_changed,
            Self::Resources => offered.resources_changed,
        }
    }

    fn is_told_by(self, news: &PresetNews) -> bool {
        match self {
            Self::Tools => news.tools,
            Self::Prompts => news.prompts,
            Self::Resources => news.resources,
        }
    }
}

/// What sources say of changes, one after the other. Links that are replaced are followed.
struct Notices {
    said: SelectAll<BoxStream<'static, (SourceId, Said)>>,
    /// How many sources are not heard yet.
    opening: usize,
}

/// What comes from one source.
enum Said {
    /// What is watched there is heard from here on, or cannot be.
    Opened,
    Notice(Notice),
}

impl Notices {
    /// Watches these things at these sources.
    fn of(
        proxy: &Proxy,
        tenant: TenantId,
        wanted: impl IntoIterator<Item = (SourceId, WatchFilter)>,
    ) -> Self {
        let said: SelectAll<_> =
            wanted.into_iter().map(|(source, filter)| watch(proxy.clone(), tenant, source, filter)).collect();
        Self { opening: said.len(), said }
    }

    /// Says whether every source is heard, or cannot be.
    fn is_open(&self) -> bool {
        self.opening == 0
    }

    /// Returns the next notice; `None` when the last source is heard. Cancel-safe.
    async fn turn(&mut self) -> Option<(SourceId, Notice)> {
        loop {
            match self.said.next().await {
                Some((source, Said::Notice(notice))) => return Some((source, notice)),
                Some((_, Said::Opened)) => {
                    self.opening -= 1;
                    if self.is_open() {
                        return None;
                    }
                }
                // Nothing is watched.
                None => std::future::pending().await,
            }
        }
    }

    /// Returns the next notice. Cancel-safe.
    async fn next(&mut self) -> (SourceId, Notice) {
        loop {
            if let Some(notice) = self.turn().await {
                return notice;
            }
        }
    }
}

/// Watching one source.
struct Watching {
    proxy: Proxy,
    tenant: TenantId,
    source: SourceId,
    filter: WatchFilter,
    watch: Option<Watch>,
    /// Whether it was told that the source is heard.
    was_opened: bool,
    /// What may have changed while another link came in place of the one watched.
    missed: Vec<Notice>,
}

fn watch(
    proxy: Proxy,
    tenant: TenantId,
    source: SourceId,
    filter: WatchFilter,
) -> BoxStream<'static, (SourceId, Said)> {
    let begin =
        Watching { proxy, tenant, source, filter, watch: None, was_opened: false, missed: Vec::new() };
    stream::unfold(begin, |mut watching| async move {
        let said = watching.next().await;
        Some(((watching.source, said), watching))
    })
    .boxed()
}

impl Watching {
    async fn next(&mut self) -> Said {
        loop {
            if let Some(notice) = self.missed.pop() {
                return Said::Notice(notice);
            }
            let Some(watch) = &mut self.watch else {
                // Boxed, since connecting takes far more room than waiting for news, which lasts.
                match Box::pin(self.proxy.0.sources.link(self.tenant, self.source)).await {
                    Ok(link) => self.watch = Some(link.watch(self.filter.clone())),
                    Err(_) if !std::mem::replace(&mut self.was_opened, true) => return Said::Opened,
                    // It is switched off, or its credential is gone: it may come back.
                    Err(_) => tokio::time::sleep(AGAIN).await,
                }
                continue;
            };
            if !std::mem::replace(&mut self.was_opened, true) {
                let _ = tokio::time::timeout(OPENING_MAX, watch.opened()).await;
                return Said::Opened;
            }
            if let Some(notice) = watch.next().await {
                return Said::Notice(notice);
            }
            // The link was replaced; who knows what happened meanwhile.
            self.watch = None;
            self.missed = everything(&self.filter);
            tokio::time::sleep(AGAIN / 10).await;
        }
    }
}

fn everything(filter: &WatchFilter) -> Vec<Notice> {
    let lists = [
        filter.tools.then_some(Notice::ToolsChanged),
        filter.prompts.then_some(Notice::PromptsChanged),
        filter.resources.then_some(Notice::ResourcesChanged),
    ];
    let updates = filter.uris.iter().map(|uri| Notice::ResourceUpdated {
        uri: uri.clone(),
        params: format!(r#"{{"uri":{}}}"#, write::quoted(uri)).into(),
    });
    lists.into_iter().flatten().chain(updates).collect()
}

/// What a stream wants to hear of.
#[derive(Clone, Debug, Default)]
pub(super) struct Wish {
    pub(super) lists: Vec<Changed>,
    /// Resources by the URIs that callers see.
    pub(super) uris: Vec<Box<str>>,
    /// Tasks by the ids that callers see, with their sources and the sources' own ids.
    pub(super) tasks: Vec<(Box<str>, SourceId, String)>,
    /// Pages that a session was sent to, by their sources' own ids.
    pub(super) pages: Vec<(SourceId, Box<str>)>,
}

impl Wish {
    fn filters(&self, table: &RouteTable) -> HashMap<SourceId, WatchFilter> {
        let mut filters: HashMap<SourceId, WatchFilter> = HashMap::new();
        for uri in &self.uris {
            if let Some(route) = table.resource(uri) {
                filters.entry(route.source).or_default().uris.insert(route.uri.into_owned());
            }
        }
        for (_, source, own) in &self.tasks {
            let tasks: &mut BTreeSet<String> = &mut filters.entry(*source).or_default().tasks;
            tasks.insert(own.clone());
        }
        for (source, page) in self.pages.iter().filter(|(source, _)| table.sources().contains(source)) {
            filters.entry(*source).or_default().pages.insert(page.to_string());
        }
        filters
    }
}

/// What is told to one stream.
#[derive(Clone, Debug)]
pub(super) struct News {
    pub(super) method: &'static str,
    /// The parameters, JSON; empty if there are none.
    pub(super) params: Bytes,
}

/// The news of one stream.
pub(super) struct Feed {
    proxy: Proxy,
    table: Arc<RouteTable>,
    wish: Wish,
    preset: Option<PresetWatch>,
    notices: Notices,
    /// What was said before everything was heard.
    early: VecDeque<(SourceId, Notice)>,
    /// Lists that changed and were not told yet.
    changed: Vec<Changed>,
}

impl Feed {
    /// Begins to listen. Must be called inside the runtime.
    pub(super) fn open(proxy: &Proxy, table: &Arc<RouteTable>, wish: Wish) -> Self {
        let notices = Notices::of(proxy, table.preset.tenant, wish.filters(table));
        let preset = Some(proxy.0.presets.watch(table));
        let (proxy, table) = (proxy.clone(), Arc::clone(table));
        Self { proxy, table, wish, preset, notices, early: VecDeque::new(), changed: Vec::new() }
    }

    /// Waits until everything wished for is heard from here on, or has been waited for long enough.
    /// Cancel-safe.
    pub(super) async fn opened(&mut self) {
        let opening = async {
            while !self.notices.is_open() && self.early.len() < EARLY_MAX {
                if let Some(notice) = self.notices.turn().await {
                    self.early.push_back(notice);
                }
            }
            if let Some(preset) = &mut self.preset {
                preset.opened().await;
            }
        };
        let _ = tokio::time::timeout(OPENING_MAX, opening).await;
    }

    /// Tells of something else from here on.
    pub(super) fn change(&mut self, wish: Wish) {
        self.wish = wish;
        self.watch();
    }

    /// Tells everything as changed that is wished for: what happened before is not known.
    pub(super) fn tell_everything(&mut self) {
        let offered = self.table.capabilities();
        self.changed = self.wish.lists.clone();
        self.changed.retain(|changed| changed.is_offered_by(offered));
        let filters = self.wish.filters(&self.table);
        let notices = filters
            .iter()
            .flat_map(|(source, filter)| everything(filter).into_iter().map(|notice| (*source, notice)));
        self.early.extend(notices);
    }

    fn watch(&mut self) {
        // The new watches are there before the old ones go, so that sources need not begin anew.
        let filters = self.wish.filters(&self.table);
        self.notices = Notices::of(&self.proxy, self.table.preset.tenant, filters);
    }

    /// Returns what is new. Cancel-safe.
    pub(super) async fn next(&mut self) -> News {
        loop {
            if let Some(changed) = self.changed.pop() {
                return News { method: changed.method(), params: Bytes::new() };
            }
            if let Some((source, notice)) = self.early.pop_front() {
                match self.news(source, &notice) {
                    Some(news) => return news,
                    None => continue,
                }
            }
            let preset = async {
                match &mut self.preset {
                    Some(preset) => preset.next().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                news = preset => match news {
                    Some(news) => {
                        self.changed = self.wish.lists.clone();
                        self.changed.retain(|changed| changed.is_told_by(&news));
                        let is_other = news.resources || news.table.sources() != self.table.sources();
                        self.table = news.table;
                        if is_other {
                            self.watch();
                        }
                    }
                    // The preset is gone; so are its streams in a moment.
                    None => self.preset = None,
                },
                (source, notice) = self.notices.next() => {
                    if let Some(news) = self.news(source, &notice) {
                        return news;
                    }
                }
            }
        }
    }

    fn news(&self, source: SourceId, notice: &Notice) -> Option<News> {
        match notice {
            Notice::ResourceUpdated { params, .. } => {
                let params = match self.table.exposed_message(source, params) {
                    Some(exposed) => exposed.into(),
                    None => params.clone(),
                };
                Some(News { method: notifications::RESOURCE_UPDATED, params })
            }
            Notice::PageDone { params, .. } => {
                Some(News { method: notifications::ELICITATION_COMPLETE, params: params.clone() })
            }
            Notice::TaskChanged { task_id, params } => {
                let (name, _, _) =
                    self.wish.tasks.iter().find(|(_, at, own)| *at == source && own == task_id)?;
                let raw = Raw::checked(std::str::from_utf8(params).ok()?);
                let exposed = self.table.exposed_message(source, params);
                let raw = exposed.as_deref().map_or(raw, Raw::checked);
                let params = edit::set_member(raw, "taskId", &write::quoted(name)).into();
                Some(News { method: notifications::TASK, params })
            }
            Notice::ToolsChanged | Notice::PromptsChanged | Notice::ResourcesChanged => None,
        }
    }
}
