//! The presets that everybody may see, across organisations.

use sqlx::QueryBuilder;

use crate::{
    clock::Ms,
    model::{Handle, Preset, PresetStatus, Slug, Visibility},
    store::{Result, SystemTx, access::OwnedRow, on},
};

/// Which public presets are looked for.
#[derive(Clone, Debug, Default)]
pub struct PublicFilter {
    /// Words that each stand in the owner's handle, the slug, the title, the description or the name of a published
    /// tool, in any case.
    pub words: Vec<String>,
    /// Only those that ask for no key.
    pub anonymous: bool,
    /// The address after which the page begins; `None` = at the first.
    pub after: Option<(Handle, Slug)>,
    /// How many are returned at most.
    pub limit: i64,
}

impl SystemTx {
    /// Returns public presets that answer at this time, by address.
    pub async fn list_public_presets(
        &mut self,
        filter: &PublicFilter,
        now: Ms,
    ) -> Result<Vec<(Preset, Handle)>> {
        let patterns: Vec<String> = filter.words.iter().map(|word| pattern(word)).collect();
        let rows: Vec<OwnedRow> = on!(self, |c: Driver| {
            let mut statement = QueryBuilder::<Driver>::new(
                "select p.*, o.handle as owner_handle from presets p
                    join organisations o on o.id = p.tenant_id
                 where o.enabled and p.visibility = ",
            );
            statement.push_bind(Visibility::Public.word()).push(" and p.status = ");
            statement.push_bind(PresetStatus::Active.word());
            statement.push(" and (p.expires_at is null or p.expires_at > ").push_bind(now).push(")");
            if filter.anonymous {
                statement.push(" and p.anonymous");
            }
            if let Some((owner, slug)) = &filter.after {
                statement.push(" and (o.handle, p.slug) > (").push_bind(owner);
                statement.push(", ").push_bind(slug).push(")");
            }
            for pattern in &patterns {
                for (before, after) in [
                    (" and (o.handle like ", ""),
                    (" or p.slug like ", ""),
                    (" or lower(p.title) like ", ""),
                    (" or lower(p.description) like ", ""),
                    (TOOL_NAMED, "))"),
                ] {
                    statement.push(before).push_bind(pattern).push(r" escape '\'").push(after);
                }
            }
            statement.push(" order by o.handle, p.slug limit ").push_bind(filter.limit);
            let sql = statement.build_query_as::<OwnedRow>();
            sql.fetch_all(c).await
        })?;
        rows.into_iter().map(OwnedRow::owned).collect()
    }
}

/// Whether the preset publishes a tool of such a name; held ones are not told of.
const TOOL_NAMED: &str = " or exists (
    select 1 from preset_sources s
        join source_tools t on t.tenant_id = s.tenant_id and t.source_id = s.source_id
        left join preset_tools k on k.tenant_id = s.tenant_id and k.preset_id = s.preset_id
            and k.source_id = s.source_id and k.name = t.name
    where s.tenant_id = p.tenant_id and s.preset_id = p.id and t.state = 'accepted'
        and coalesce(k.enabled, s.all_tools) and lower(coalesce(k.exposed_name, t.name)) like ";

/// Returns what `like` finds the word by anywhere in a text.
fn pattern(word: &str) -> String {
    let mut pattern = String::from("%");
    for letter in word.to_lowercase().chars().filter(|letter| *letter != '\0') {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ToolState;

    #[test]
    fn a_word_is_found_as_it_stands_and_the_state_is_the_stored_word() {
        assert_eq!(pattern("50%_\\A"), r"%50\%\_\\a%");
        assert!(TOOL_NAMED.contains(&format!("'{}'", ToolState::Accepted.word())));
    }
}
