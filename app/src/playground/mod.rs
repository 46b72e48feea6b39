//! The playground: asking for what a preset publishes from the page, as an agent would.
//!
//! What is asked goes through the same proxy as an agent's request, so it is permitted, charged, audited
//! and measured alike. One more kind of thing is one more `What`.

mod answer;
mod api;
mod fields;
mod page;
mod runs;
mod template;
mod what;

pub(crate) use page::page;
