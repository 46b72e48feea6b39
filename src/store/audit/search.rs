//! Searching the log: the kinds that fit are asked first, then the newest blocks that hold some of them, until a page is
//! full.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use sqlx::{QueryBuilder, query_scalar};

use super::{
    add::SPAN_MS,
    blocks::{Log, damaged},
    kinds::{Kind, kind_of},
};
use crate::{
    clock::Ms,
    model::{Action, EventId, Outcome, PresetId, RunEvent, UserId},
    store::{LIST_MAX, Result, StoreError, Tx, clean, like_pattern, on},
};

/// How many kinds are asked one after the other for their newest blocks.
const KINDS_EACH: usize = 300;
/// Among how many of the newest pairs of a block and a kind it is looked first where more kinds fit: where so many do, some
/// of them do.
const WINDOW: i64 = 20_000;
/// How many blocks are asked for at once, at least: of one that a time lies in, no event may fit.
const HITS_MIN: i64 = 64;
/// How many blocks are read at once, at first and at most.
const READ: usize = 2;
const READ_MAX: usize = 128;

/// Looks through the newest blocks and asks the kinds they hold. SQLite takes a cross join in the order in which it is
/// written.
const BLOCKS_FIRST: &str =
    "select b.to_at, b.last_seq, b.kind from audit_block_kinds b cross join audit_kinds k
    where k.tenant_id = b.tenant_id and k.kind = b.kind and b.tenant_id = ";
/// Asks each kind for its blocks.
const KINDS_FIRST: &str =
    "select b.to_at, b.last_seq, b.kind from audit_kinds k cross join audit_block_kinds b
    where b.tenant_id = k.tenant_id and b.kind = k.kind and k.tenant_id = ";

/// Which events are asked for. Every member narrows; the default is the newest of all.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// From this time on.
    pub from: Option<Ms>,
    /// Before this time.
    pub to: Option<Ms>,
    /// By this person.
    pub user: Option<UserId>,
    /// By whoever had this handle at the time (`anonymous` for nobody).
    pub principal: Option<String>,
    /// On this preset.
    pub preset: Option<PresetId>,
    /// On this tool or thing, by its exact name.
    pub tool: Option<String>,
    /// That ended so.
    pub outcome: Option<Outcome>,
    /// Of this kind.
    pub action: Option<Action>,
    /// With this text in principal, subject, reason, source, preset, client or address; any case.
    pub text: Option<String>,
    /// Older than this event: the next page after it.
    pub before: Option<EventId>,
    /// At most so many; 0 means [`EventFilter::LIMIT_DEFAULT`].
    pub limit: i64,
}

impl EventFilter {
    /// How many events a page has when nothing is said.
    pub const LIMIT_DEFAULT: i64 = 50;

    /// Says whether anything but the time of events is asked about.
    fn asks_of_kinds(&self) -> bool {
        let Self { user, principal, preset, tool, outcome, action, text, .. } = self;
        user.is_some()
            || principal.is_some()
            || preset.is_some()
            || tool.is_some()
            || outcome.is_some()
            || action.is_some()
            || text.as_ref().is_some_and(|text| !text.is_empty())
    }
}

/// Where an event stands among those of its organisation by time, and its number; also where a block does, by its latest
/// time and its last event. No event of a block stands behind its block.
type Place = (Ms, i64);

/// Which events are asked for beside what they say.
#[derive(Clone, Copy)]
struct Within {
    /// Older than the one of this place.
    before: Option<Place>,
    from: Option<Ms>,
    to: Option<Ms>,
    limit: i64,
}

impl Within {
    fn holds(&self, place: Place) -> bool {
        self.before.is_none_or(|before| place < before)
            && self.from.is_none_or(|from| place.0 >= from)
            && self.to.is_none_or(|to| place.0 < to)
    }

    /// Returns the latest time that an event may be of.
    fn latest(&self) -> Option<Ms> {
        let before = self.before.map(|(at, _)| at);
        let to = self.to.map(|to| Ms(to.0.saturating_sub(1)));
        before.into_iter().chain(to).min()
    }

    /// Returns for how many blocks is asked at once.
    fn hits(&self) -> i64 {
        self.limit.max(HITS_MIN)
    }

    /// Returns the place before which there may be more; `None` if these are all.
    fn next_of(&self, places: &[Place]) -> Option<Place> {
        let asked = usize::try_from(self.hits()).unwrap_or(usize::MAX);
        places.last().copied().filter(|_| places.len() >= asked)
    }
}

/// The place of a block, and one of its kinds.
type Pair = (Ms, i64, Vec<u8>);

/// How blocks are looked for.
enum Way<'a> {
    /// All of them.
    All,
    /// Those of each of these kinds.
    Each(&'a [Kind]),
    /// Those whose kinds fit, by a statement that begins so.
    ByKinds(&'static str, &'a EventFilter),
}

/// A block in which there may be events that fit: of any kind, or of one.
struct Hit {
    place: Place,
    kind: Option<Kind>,
}

/// Narrows by when the events of the blocks of this name were, and puts the latest first.
macro_rules! latest {
    ($statement:ident, $name:literal, $within:ident, $cursor:ident) => {
        if let Some((at, seq)) = $cursor {
            $statement.push(concat!(" and (", $name, ".to_at, ", $name, ".last_seq) < ("));
            $statement.push_bind(at).push(", ").push_bind(seq).push(")");
        }
        if let Some(from) = $within.from {
            $statement.push(concat!(" and ", $name, ".to_at >= ")).push_bind(from);
        }
        if let Some(latest) = $within.latest() {
            $statement.push(concat!(" and ", $name, ".from_at <= ")).push_bind(latest);
            $statement
                .push(concat!(" and ", $name, ".to_at <= "))
                .push_bind(latest.0.saturating_add(SPAN_MS));
        }
        $statement
            .push(concat!(" order by ", $name, ".to_at desc, ", $name, ".last_seq desc limit "))
            .push_bind($within.hits());
    };
}

/// Narrows by what the kinds say.
macro_rules! narrow {
    ($statement:ident, $filter:ident) => {
        if let Some(user) = $filter.user {
            $statement.push(" and k.user_id = ").push_bind(user);
        }
        if let Some(principal) = &$filter.principal {
            $statement.push(" and k.principal = ").push_bind(clean(principal).into_owned());
        }
        if let Some(preset) = $filter.preset {
            $statement.push(" and k.preset_id = ").push_bind(preset);
        }
        if let Some(tool) = &$filter.tool {
            $statement.push(" and k.subject = ").push_bind(clean(tool).into_owned());
        }
        if let Some(outcome) = $filter.outcome {
            $statement.push(" and k.outcome = ").push_bind(outcome.word());
        }
        if let Some(action) = $filter.action {
            $statement.push(" and k.action = ").push_bind(action.word());
        }
        if let Some(text) = $filter.text.as_deref().filter(|text| !text.is_empty()) {
            $statement.push(
                " and lower(k.principal || ' ' || k.subject || ' ' || k.reason || ' ' || k.source_name || ' '
                    || k.preset_slug || ' ' || k.client || ' ' || k.address) like lower(",
            );
            $statement.push_bind(like_pattern(text)).push(") escape '!'");
        }
    };
}

impl Tx {
    /// Returns events, the newest first.
    pub async fn list_events(&mut self, filter: &EventFilter) -> Result<Vec<RunEvent>> {
        let mut log = self.log();
        let before = match filter.before {
            None => None,
            Some(before) => {
                // Retention may have taken the event the page ended with, and all that came before it.
                let Some(link) = log.find(before).await? else { return Ok(Vec::new()) };
                Some((link.event.at, link.seq))
            }
        };
        let limit = if filter.limit > 0 { filter.limit.min(LIST_MAX) } else { EventFilter::LIMIT_DEFAULT };
        let within = Within { before, from: filter.from, to: filter.to, limit };
        if filter.asks_of_kinds() {
            log.search(filter, within).await
        } else {
            log.gather(Way::All, within).await
        }
    }

    /// Finds an event.
    pub async fn find_event(&mut self, id: EventId) -> Result<Option<RunEvent>> {
        Ok(self.log().find(id).await?.map(|link| link.event))
    }
}

impl Log<'_> {
    /// Returns the newest events that say this.
    async fn search(&mut self, filter: &EventFilter, within: Within) -> Result<Vec<RunEvent>> {
        let tenant = self.tenant;
        let few = i64::try_from(KINDS_EACH).unwrap_or(i64::MAX);
        let kinds: Vec<Vec<u8>> = on!(self, |c: Driver| {
            let mut statement =
                QueryBuilder::<Driver>::new("select k.kind from audit_kinds k where k.tenant_id = ");
            statement.push_bind(tenant);
            narrow!(statement, filter);
            statement.push(" limit ").push_bind(few + 1);
            statement.build_query_scalar().fetch_all(c).await
        })?;
        if kinds.len() <= KINDS_EACH {
            let kinds = kinds.iter().map(|kind| read_kind(kind)).collect::<Result<Vec<_>>>()?;
            return self.gather(Way::Each(&kinds), within).await;
        }
        let near = self.near(within).await?;
        let found = self.gather(Way::ByKinds(BLOCKS_FIRST, filter), near).await?;
        if i64::try_from(found.len()).unwrap_or(i64::MAX) >= within.limit {
            return Ok(found);
        }
        self.gather(Way::ByKinds(KINDS_FIRST, filter), within).await
    }

    /// Narrows to the newest there is.
    async fn near(&mut self, within: Within) -> Result<Within> {
        let tenant = self.tenant;
        let (at, seq) = within.before.unwrap_or((Ms(i64::MAX), i64::MAX));
        let oldest: Option<Ms> = on!(self, |c| {
            query_scalar(
                "select to_at from audit_block_kinds where tenant_id = $1 and (to_at, last_seq) < ($2, $3)
                 order by to_at desc, last_seq desc limit 1 offset $4",
            )
            .bind(tenant)
            .bind(at)
            .bind(seq)
            .bind(WINDOW)
            .fetch_optional(c)
            .await
        })?;
        Ok(Within { from: within.from.max(oldest), ..within })
    }

    /// Returns the newest events of these blocks.
    async fn gather(&mut self, way: Way<'_>, within: Within) -> Result<Vec<RunEvent>> {
        let limit = usize::try_from(within.limit).unwrap_or(usize::MAX);
        let mut found: Vec<(Place, RunEvent)> = Vec::new();
        let mut cursor = None;
        let mut read = READ;
        'pages: loop {
            let (hits, next) = self.hits(&way, within, cursor).await?;
            let mut blocks: BTreeMap<Place, BTreeSet<Kind>> = BTreeMap::new();
            for Hit { place, kind } in hits {
                blocks.entry(place).or_default().extend(kind);
            }
            let mut ends: Vec<Place> = blocks.keys().rev().copied().collect();
            while !ends.is_empty() {
                let later = ends.split_off(read.min(ends.len()));
                self.read(&ends, &blocks, within, &mut found).await?;
                // What lies in the blocks not read yet is older than the first of them, and so are they.
                let Some(unread) = later.first().copied().or(next) else { break };
                if found.iter().filter(|(place, _)| *place >= unread).count() >= limit {
                    break 'pages;
                }
                ends = later;
                read = (read * 2).min(READ_MAX);
            }
            match next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        found.sort_unstable_by_key(|(place, _)| Reverse(*place));
        found.truncate(limit);
        Ok(found.into_iter().map(|(_, event)| event).collect())
    }

    /// Reads what fits in these blocks.
    async fn read(
        &mut self,
        ends: &[Place],
        blocks: &BTreeMap<Place, BTreeSet<Kind>>,
        within: Within,
        found: &mut Vec<(Place, RunEvent)>,
    ) -> Result<()> {
        let numbers: Vec<i64> = ends.iter().map(|(_, last)| *last).collect();
        for block in self.blocks_at(&numbers).await? {
            let kinds = blocks.get(&(block.to_at, block.last_seq));
            let mut reader = block.reader()?;
            let fits: Vec<bool> = reader
                .shared()
                .iter()
                .map(|shared| kinds.is_none_or(|kinds| kinds.is_empty() || kinds.contains(&kind_of(shared))))
                .collect();
            let mut fitting = Vec::new();
            let mut seq = block.first_seq;
            while let Some(packed) = reader.next_event().map_err(damaged)? {
                let place = (packed.at, seq);
                if fits[packed.shared] && within.holds(place) {
                    fitting.push((place, packed));
                }
                seq += 1;
            }
            fitting.sort_unstable_by_key(|(place, _)| Reverse(*place));
            fitting.truncate(usize::try_from(within.limit).unwrap_or(usize::MAX));
            found.extend(fitting.iter().map(|(place, packed)| (*place, reader.event(self.tenant, packed))));
        }
        Ok(())
    }

    /// Returns the latest blocks before the place `cursor` in which there may be events that fit, and the place before
    /// which there may be more; `None` if there are no more.
    async fn hits(
        &mut self,
        way: &Way<'_>,
        within: Within,
        cursor: Option<Place>,
    ) -> Result<(Vec<Hit>, Option<Place>)> {
        match way {
            Way::All => {
                let tenant = self.tenant;
                let places: Vec<Place> = on!(self, |c: Driver| {
                    let mut statement = QueryBuilder::<Driver>::new(
                        "select b.to_at, b.last_seq from audit_blocks b where b.tenant_id = ",
                    );
                    statement.push_bind(tenant);
                    latest!(statement, "b", within, cursor);
                    statement.build_query_as().fetch_all(c).await
                })?;
                let next = within.next_of(&places);
                Ok((places.into_iter().map(|place| Hit { place, kind: None }).collect(), next))
            }
            Way::Each(kinds) => {
                let mut hits = Vec::new();
                let mut next = None;
                for kind in *kinds {
                    let places = self.places_of(kind, within, cursor).await?;
                    next = next.max(within.next_of(&places));
                    hits.extend(places.into_iter().map(|place| Hit { place, kind: Some(*kind) }));
                }
                // Of some kinds there may be others between those further back.
                hits.retain(|hit| next.is_none_or(|next| hit.place >= next));
                Ok((hits, next))
            }
            Way::ByKinds(begin, filter) => {
                let tenant = self.tenant;
                let mut found: Vec<Pair> = on!(self, |c: Driver| {
                    let mut statement = QueryBuilder::<Driver>::new(*begin);
                    statement.push_bind(tenant);
                    narrow!(statement, filter);
                    latest!(statement, "b", within, cursor);
                    statement.build_query_as().fetch_all(c).await
                })?;
                let places: Vec<Place> = found.iter().map(|(at, last, _)| (*at, *last)).collect();
                let next = within.next_of(&places);
                if let Some(last) = next {
                    // Of the last block there may be more kinds than there was room for.
                    found.retain(|(at, end, _)| (*at, *end) != last);
                    found.extend(self.pairs_of(filter, last).await?);
                }
                let hit =
                    |(at, last, kind): Pair| Ok(Hit { place: (at, last), kind: Some(read_kind(&kind)?) });
                Ok((found.into_iter().map(hit).collect::<Result<_>>()?, next))
            }
        }
    }

    /// Returns the kinds of a block that fit.
    async fn pairs_of(&mut self, filter: &EventFilter, (at, last): Place) -> Result<Vec<Pair>> {
        let tenant = self.tenant;
        Ok(on!(self, |c: Driver| {
            let mut statement = QueryBuilder::<Driver>::new(BLOCKS_FIRST);
            statement.push_bind(tenant);
            narrow!(statement, filter);
            statement.push(" and b.to_at = ").push_bind(at).push(" and b.last_seq = ").push_bind(last);
            statement.build_query_as().fetch_all(c).await
        })?)
    }

    /// Returns the places of the latest blocks that hold events of a kind.
    async fn places_of(&mut self, kind: &Kind, within: Within, cursor: Option<Place>) -> Result<Vec<Place>> {
        let tenant = self.tenant;
        Ok(on!(self, |c: Driver| {
            let mut statement = QueryBuilder::<Driver>::new(
                "select b.to_at, b.last_seq from audit_block_kinds b where b.tenant_id = ",
            );
            statement.push_bind(tenant).push(" and b.kind = ").push_bind(kind.to_vec());
            latest!(statement, "b", within, cursor);
            statement.build_query_as().fetch_all(c).await
        })?)
    }
}

fn read_kind(bytes: &[u8]) -> Result<Kind> {
    bytes.try_into().map_err(|_| StoreError::Corrupt {
        what: "audit_kinds.kind",
        detail: format!("{} bytes are no kind", bytes.len()),
    })
}
