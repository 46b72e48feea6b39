//! Tabs that are links: each has an address, the back button works, nothing needs a script.

use leptos::prelude::*;

/// One tab.
#[derive(Clone, Debug)]
pub(crate) struct Tab {
    /// Where it leads.
    pub path: String,
    /// What it is called.
    pub label: String,
    /// A small number beside the label; `None` shows nothing.
    pub count: Option<usize>,
}

impl Tab {
    /// Makes one without a number.
    pub(crate) fn new(path: impl Into<String>, label: impl Into<String>) -> Self {
        Self { path: path.into(), label: label.into(), count: None }
    }

    /// Shows a number beside it.
    pub(crate) fn counting(mut self, count: usize) -> Self {
        self.count = Some(count);
        self
    }
}

/// A row of tabs.
#[component]
pub(crate) fn Tabs(
    /// What they divide, for screen readers.
    #[prop(into)]
    label: String,
    /// The tabs.
    tabs: Vec<Tab>,
    /// The path of the one that is open.
    #[prop(into)]
    open: String,
) -> impl IntoView {
    let links = tabs
        .into_iter()
        .map(|tab| {
            let current = (tab.path == open).then_some("page");
            view! {
                <a class="tab" href=tab.path aria-current=current>
                    {tab.label}
                    {tab.count.map(|count| view! {
                        <span class="ml-1.5 rounded-full bg-sunken px-1.5 py-px text-xs text-muted">{count}</span>
                    })}
                </a>
            }
        })
        .collect_view();
    view! { <nav class="tabs" aria-label=label>{links}</nav> }
}
