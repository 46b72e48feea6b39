//! Follows what happens as it happens.

use leptos::prelude::*;

/// Separates the fields of a line of `/events`; it cannot occur in any of them.
pub const FIELD_SEPARATOR: char = '\u{1f}';

/// One event as a line of `/events` tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub id: String,
    pub who: String,
    pub what: String,
    pub preset: String,
    pub badge: String,
    pub outcome: String,
    pub duration: String,
}

impl Line {
    fn read(text: &str) -> Option<Self> {
        let mut fields = text.split(FIELD_SEPARATOR).map(str::to_owned);
        Some(Self {
            id: fields.next()?,
            who: fields.next()?,
            what: fields.next()?,
            preset: fields.next()?,
            badge: fields.next()?,
            outcome: fields.next()?,
            duration: fields.next()?,
        })
    }
}

/// The newest events, the newest first, as they arrive. Shows nothing until the first, and nothing
/// at all where scripts do not run: the page it stands on has the same events when loaded again.
#[island]
pub fn LiveTail(
    /// How many events are kept.
    rows: usize,
) -> impl IntoView {
    let lines = RwSignal::new(Vec::<Line>::new());
    Effect::new(move || {
        listen(move |line| {
            lines.update(|lines| {
                lines.insert(0, line);
                lines.truncate(rows);
            });
        });
    });
    view! {
        <section class="panel" hidden=move || lines.read().is_empty() aria-label="Live">
            <h2 class="border-b border-line px-4 py-2 text-[13px] text-muted">"Live"</h2>
            <ol class="divide-y divide-line" aria-live="polite" aria-relevant="additions">
                <For each=move || lines.get() key=|line| line.id.clone() let:line>
                    <li class="flex flex-wrap items-center gap-x-3 gap-y-1 px-4 py-2">
                        <span class=line.badge>{line.outcome}</span>
                        <a class="link" href=format!("{}/audit/{}", base_path(), line.id)>{line.who} " " {line.what}</a>
                        <span class="text-muted">{line.preset}</span>
                        <span class="ml-auto whitespace-nowrap text-muted">{line.duration}</span>
                    </li>
                </For>
            </ol>
        </section>
    }
}

/// Returns the path below which the console lives; empty at the root.
#[cfg(feature = "hydrate")]
fn base_path() -> String {
    let html = document().document_element();
    html.and_then(|html| html.get_attribute("data-base")).unwrap_or_default()
}

/// The server knows itself at the root: its answers get the path on their way out.
#[cfg(not(feature = "hydrate"))]
fn base_path() -> &'static str {
    ""
}

/// Calls `take` with every event of the organisation, for as long as the page is there.
#[cfg(feature = "hydrate")]
pub(super) fn listen(take: impl Fn(Line) + 'static) {
    use wasm_bindgen::{JsCast, prelude::Closure};

    let Ok(events) = web_sys::EventSource::new(&format!("{}/events", base_path())) else { return };
    let hear = Closure::<dyn FnMut(web_sys::MessageEvent)>::new(move |message: web_sys::MessageEvent| {
        if let Some(line) = message.data().as_string().as_deref().and_then(Line::read) {
            take(line);
        }
    });
    events.set_onmessage(Some(hear.as_ref().unchecked_ref()));
    hear.forget();
}

#[cfg(not(feature = "hydrate"))]
pub(super) fn listen(take: impl Fn(Line) + 'static) {
    // The server draws islands and never runs them.
    let _ = (take, Line::read);
}
