//! Addresses that lead nowhere, remembered for a moment: asking for one again costs what asking for
//! a preset one may not use costs, and no more of the database.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::{changes::Change, clock::Ms};

/// How many addresses are remembered. When there are more, all are forgotten: whoever guesses pushes
/// out nothing but guesses.
const ADDRESSES_MAX: usize = 10_000;
/// What another process has made is found after this long.
const AGE_MAX: Duration = Duration::from_secs(10);

#[derive(Default)]
pub(super) struct Missing(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    /// Counts the changes heard of.
    generation: u64,
    /// `owner/slug`, and when it was looked for.
    addresses: HashMap<String, Ms>,
}

impl Missing {
    /// Says whether the address led nowhere a moment ago, and if not, the generation to give to
    /// [`Missing::put`] when it turns out to lead nowhere.
    pub(super) fn look(&self, owner: &str, slug: &str, now: Ms) -> Result<(), u64> {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match inner.addresses.get(&address(owner, slug)) {
            Some(at) if now.since(*at) < AGE_MAX => Ok(()),
            _ => Err(inner.generation),
        }
    }

    /// Remembers that an address leads nowhere, unless something changed since `generation`.
    pub(super) fn put(&self, owner: &str, slug: &str, now: Ms, generation: u64) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.generation != generation {
            return;
        }
        if inner.addresses.len() >= ADDRESSES_MAX {
            inner.addresses.clear();
        }
        inner.addresses.insert(address(owner, slug), now);
    }

    /// Forgets everything if this change may have made an address lead somewhere.
    pub(super) fn forget(&self, change: &Change) {
        match change {
            Change::Preset(..) | Change::User(_) | Change::Everything => {
                let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                inner.generation += 1;
                inner.addresses.clear();
            }
            Change::Source(..)
            | Change::SourceHealth(..)
            | Change::Connection(_)
            | Change::Key(_)
            | Change::Grant(_)
            | Change::Plan(_) => {}
        }
    }
}

fn address(owner: &str, slug: &str) -> String {
    format!("{owner}/{slug}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{PresetId, TenantId},
        sources::tests::world::World,
    };

    const NOW: Ms = Ms(1_000_000);

    #[tokio::test]
    async fn asking_again_for_what_is_missing_reads_no_database() {
        let world = World::new().await;
        assert!(world.presets.route_table("ada", "guess").await.unwrap().is_none());
        world.db.store.close().await;

        for _ in 0..100 {
            assert!(world.presets.route_table("ada", "guess").await.unwrap().is_none());
        }

        assert!(world.presets.route_table("ada", "another").await.is_err(), "the database is asked for that");
        world.clock.advance(AGE_MAX);
        assert!(world.presets.route_table("ada", "guess").await.is_err(), "another process may have made it");
    }

    #[test]
    fn a_change_while_it_was_looked_for_is_not_lost() {
        let missing = Missing::default();
        let generation = missing.look("ada", "new", NOW).unwrap_err();

        missing.forget(&Change::Preset(TenantId::new(), PresetId::new()));
        missing.put("ada", "new", NOW, generation);

        assert!(missing.look("ada", "new", NOW).is_err());
    }

    #[test]
    fn what_is_made_is_found_at_once_and_memory_is_bounded() {
        let missing = Missing::default();
        for n in 0..3 * ADDRESSES_MAX {
            missing.put("ada", &n.to_string(), NOW, 0);
        }
        let last = (3 * ADDRESSES_MAX - 1).to_string();
        assert!(missing.look("ada", &last, NOW).is_ok());
        assert!(missing.0.lock().unwrap().addresses.len() <= ADDRESSES_MAX);

        missing.forget(&Change::Everything);

        assert!(missing.look("ada", &last, NOW).is_err());
    }
}
