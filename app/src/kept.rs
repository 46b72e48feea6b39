//! What is too large or too private for a cookie, kept for whoever typed it or asked for it.
//!
//! In memory only, for a while, and bounded: the oldest goes first. What must outlive the program
//! belongs to the engine and not here. One more kind of thing is one more `static`.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use doorward::{clock::Ms, model::UserId};

/// How many things of one kind are kept for one person, so that nobody crowds out the others.
const PER_PERSON_MAX: usize = 16;

/// Things of one kind, each under the person it belongs to and a name.
#[derive(Debug)]
pub(crate) struct Kept<T> {
    things: Mutex<VecDeque<Thing<T>>>,
    bytes_max: usize,
    lifetime: Duration,
}

#[derive(Debug)]
struct Thing<T> {
    user: UserId,
    name: String,
    at: Ms,
    bytes: usize,
    value: T,
}

impl<T: Clone> Kept<T> {
    /// Makes room for `bytes_max` of everybody together, each thing for as long as `lifetime`.
    pub(crate) const fn new(bytes_max: usize, lifetime: Duration) -> Self {
        Self { things: Mutex::new(VecDeque::new()), bytes_max, lifetime }
    }

    /// Keeps a thing in place of the one of the same name, letting go of old ones. `bytes` is about
    /// what it weighs; what weighs more than all the room is not kept.
    pub(crate) fn put(&self, user: UserId, name: &str, value: T, bytes: usize, now: Ms) {
        let mut things = self.things.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = now.minus(self.lifetime);
        things.retain(|thing| thing.at > oldest && !(thing.user == user && thing.name == name));
        things.push_front(Thing { user, name: name.to_owned(), at: now, bytes, value });

        let (mut weight, mut own) = (0, 0);
        things.retain(|thing| {
            weight += thing.bytes;
            own += usize::from(thing.user == user);
            weight <= self.bytes_max && (thing.user != user || own <= PER_PERSON_MAX)
        });
    }

    /// Returns a person's thing and when it was put there; `None` if it is not kept any more, or
    /// another's.
    pub(crate) fn find(&self, user: UserId, name: &str, now: Ms) -> Option<(Ms, T)> {
        let things = self.things.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = now.minus(self.lifetime);
        let found =
            things.iter().find(|thing| thing.user == user && thing.name == name && thing.at > oldest)?;
        Some((found.at, found.value.clone()))
    }

    /// Lets go of a person's thing.
    pub(crate) fn forget(&self, user: UserId, name: &str) {
        let mut things = self.things.lock().unwrap_or_else(PoisonError::into_inner);
        things.retain(|thing| !(thing.user == user && thing.name == name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Ms = Ms(1_795_233_963_183);

    #[test]
    fn a_thing_is_its_owner_s_until_its_time_is_over() {
        let kept = Kept::new(100, Duration::from_secs(60));
        let (ada, bob) = (UserId::new(), UserId::new());
        kept.put(ada, "draft", "one", 10, NOW);

        assert_eq!(kept.find(ada, "draft", NOW), Some((NOW, "one")));
        assert_eq!(kept.find(bob, "draft", NOW), None);
        assert_eq!(kept.find(ada, "draft", Ms(NOW.0 + 60_000)), None);
    }

    #[test]
    fn one_of_a_name_replaces_the_one_before_and_can_be_forgotten() {
        let kept = Kept::new(100, Duration::from_secs(60));
        let ada = UserId::new();
        kept.put(ada, "draft", "one", 10, NOW);
        kept.put(ada, "draft", "two", 10, NOW);

        assert_eq!(kept.find(ada, "draft", NOW), Some((NOW, "two")));
        kept.forget(ada, "draft");
        assert_eq!(kept.find(ada, "draft", NOW), None);
    }

    #[test]
    fn what_does_not_fit_goes_the_oldest_first() {
        let kept = Kept::new(100, Duration::from_secs(60));
        let (ada, bob) = (UserId::new(), UserId::new());
        kept.put(bob, "his", 0, 60, NOW);
        for place in 0..=PER_PERSON_MAX {
            kept.put(ada, &place.to_string(), place, 1, NOW);
        }
        assert_eq!(kept.find(ada, "0", NOW), None, "one too many of one person");
        assert!(kept.find(bob, "his", NOW).is_some(), "another's stays");

        kept.put(ada, "large", 1, 90, NOW);
        assert_eq!(kept.find(bob, "his", NOW), None, "the room is full");
        kept.put(ada, "huge", 1, 101, NOW);
        assert_eq!(kept.find(ada, "huge", NOW), None);
    }
}
