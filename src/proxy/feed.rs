//! What one stream is told: changes of its preset's lists, of resources and of tasks.

use std::{
    collections::{BTreeSet, HashMap},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use crate::{
    mcp::{Raw, edit, notifications, write},
    model::{SourceId, TenantId},
    presets::{PresetNews, PresetWatch, RouteTable},
    proxy::Proxy,
    upstream::{Notice, Watch, WatchFilter},
};
use bytes::Bytes;
use futures::{
    StreamExt,
    stream::{self, BoxStream, SelectAll, Stream},
};

/// How long a source that cannot be watched is left alone.
const AGAIN: Duration = Duration::from_secs(10);

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

    fn is_told_by(self, news: &PresetNews) -> bool {
        match self {
            Self::Tools => news.tools,
            Self::Prompts => news.prompts,
            Self::Resources => news.resources,
        }
    }
}

/// What sources say of changes, one after the other. Links that are replaced are followed.
pub(super) struct Notices(SelectAll<BoxStream<'static, (SourceId, Notice)>>);

impl Notices {
    /// Watches these things at these sources.
    pub(super) fn of(
        proxy: &Proxy,
        tenant: TenantId,
        wanted: impl IntoIterator<Item = (SourceId, WatchFilter)>,
    ) -> Self {
        Self(
            wanted.into_iter().map(|(source, filter)| watch(proxy.clone(), tenant, source, filter)).collect(),
        )
    }
}

impl Stream for Notices {
    type Item = (SourceId, Notice);

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.0.is_empty() {
            return Poll::Pending;
        }
        self.0.poll_next_unpin(context)
    }
}

fn watch(
    proxy: Proxy,
    tenant: TenantId,
    source: SourceId,
    filter: WatchFilter,
) -> BoxStream<'static, (SourceId, Notice)> {
    let begin: (Option<Watch>, Vec<Notice>) = (None, Vec::new());
    stream::unfold((begin, proxy, filter), move |((mut watch, mut missed), proxy, filter)| async move {
        loop {
            if let Some(notice) = missed.pop() {
                return Some(((source, notice), ((watch, missed), proxy, filter)));
            }
            let Some(watching) = &mut watch else {
                match proxy.0.sources.link(tenant, source).await {
                    Ok(link) => watch = Some(link.watch(filter.clone())),
                    // It is switched off, or its credential is gone: it may come back.
                    Err(_) => tokio::time::sleep(AGAIN).await,
                }
                continue;
            };
            match watching.next().await {
                Some(notice) => return Some(((source, notice), ((watch, missed), proxy, filter))),
                None => {
                    // The link was replaced; who knows what happened meanwhile.
                    watch = None;
                    missed = everything(&filter);
                    tokio::time::sleep(AGAIN / 10).await;
                }
            }
        }
    })
    .boxed()
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
    /// Lists that changed and were not told yet.
    changed: Vec<Changed>,
}

impl Feed {
    /// Begins to listen. Must be called inside the runtime.
    pub(super) fn open(proxy: &Proxy, table: &Arc<RouteTable>, wish: Wish) -> Self {
        let notices = Notices::of(proxy, table.preset.tenant, wish.filters(table));
        let preset = Some(proxy.0.presets.watch(table));
        let (proxy, table) = (proxy.clone(), Arc::clone(table));
        Self { proxy, table, wish, preset, notices, changed: Vec::new() }
    }

    /// Waits until changes of lists are heard from here on.
    pub(super) async fn opened(&mut self) {
        if let Some(preset) = &mut self.preset {
            preset.opened().await;
        }
    }

    /// Tells of something else from here on.
    pub(super) fn change(&mut self, wish: Wish) {
        self.wish = wish;
        self.watch();
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
                Some((source, notice)) = self.notices.next() => {
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
                let raw = Raw::checked(std::str::from_utf8(params).ok()?);
                let params = match self.table.exposed_message(source, raw) {
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
                let exposed = self.table.exposed_message(source, raw);
                let raw = exposed.as_deref().map_or(raw, Raw::checked);
                let params = edit::set_member(raw, "taskId", &write::quoted(name)).into();
                Some(News { method: notifications::TASK, params })
            }
            Notice::ToolsChanged | Notice::PromptsChanged | Notice::ResourcesChanged => None,
        }
    }
}
