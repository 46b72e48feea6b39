//! The gallery: all public presets, to be looked through and searched.

use std::sync::Arc;

use crate::{
    model::{Handle, Member, Slug, Visibility},
    policy,
    presets::{Presets, Result, RouteTable},
    store::PublicFilter,
};

/// How many presets a page of the gallery holds.
pub const GALLERY_PAGE: usize = 20;
/// How many words of a search are looked for; those behind are not.
const WORDS_MAX: usize = 8;
/// How many letters of a word are looked for.
const WORD_LETTERS_MAX: usize = 64;

/// A part of the gallery.
#[derive(Clone, Debug)]
pub struct GalleryPage {
    /// The presets, as callers have them, by address.
    pub presets: Vec<Arc<RouteTable>>,
    /// What the next page begins after, as `owner/slug`; `None` on the last one.
    pub next: Option<String>,
}

impl Presets {
    /// Returns public presets in which each word of the search is found. Whoever is signed in finds all of them;
    /// nobody, as `None`, those that ask for no key. `after` = the `next` of the page before.
    pub async fn gallery(
        &self,
        member: Option<&Member>,
        search: &str,
        after: Option<&str>,
    ) -> Result<GalleryPage> {
        if let Some(member) = member {
            policy::may_see(member, member.tenant)?;
        }
        let words = search.split_whitespace().take(WORDS_MAX);
        let filter = PublicFilter {
            words: words.map(|word| word.chars().take(WORD_LETTERS_MAX).collect()).collect(),
            anonymous: member.is_none(),
            after: after.and_then(address),
            limit: GALLERY_PAGE as i64 + 1,
        };
        let now = self.0.clock.now();
        let mut listed = self.0.store.system_read().await?.list_public_presets(&filter, now).await?;
        let has_more = listed.len() > GALLERY_PAGE;
        listed.truncate(GALLERY_PAGE);
        let last = listed.last().map(|(preset, owner)| format!("{owner}/{}", preset.slug));
        let mut presets = Vec::with_capacity(listed.len());
        for (preset, owner) in listed {
            let table = self.route_table(owner.as_str(), preset.slug.as_str()).await?;
            // It may have been closed since it was listed.
            presets.extend(table.filter(|table| {
                let preset = &table.preset;
                let is_open = preset.visibility == Visibility::Public && preset.answers(now);
                is_open && (member.is_some() || preset.anonymous)
            }));
        }
        Ok(GalleryPage { presets, next: last.filter(|_| has_more) })
    }
}

fn address(text: &str) -> Option<(Handle, Slug)> {
    let (owner, slug) = text.split_once('/')?;
    Some((Handle::parse(owner).ok()?, Slug::parse(slug).ok()?))
}
