//! Erasing who a person is from the logs of all organisations.

use uuid::Uuid;

use crate::{
    chain::Link,
    model::{TenantId, User},
    store::{Store, StoreError},
};

/// How many blocks go in one transaction, so that calls never wait long for the database.
const CHUNK: i64 = 16;

/// Erases this account's traces. Returns how many events had some.
pub(super) async fn of_person(store: &Store, user: &User) -> Result<u64, StoreError> {
    let mut erased = 0;
    let mut behind = (TenantId(Uuid::nil()), 0);
    loop {
        let blocks = store.system_read().await?.list_blocks_naming(user, behind, CHUNK).await?;
        let Some(last) = blocks.last() else { return Ok(erased) };
        behind = *last;
        let mut tx = store.system().await?;
        for block in blocks {
            erased += tx.erase_in_block(block, |link| traces(user, link)).await?;
        }
        tx.commit().await?;
    }
}

/// Says what of an event is erased: who it was, and what it was done to. What tool somebody called says nothing of them
/// once it is not known who; what they changed about themselves does.
fn traces(user: &User, link: &Link) -> (bool, bool) {
    let event = &link.event;
    let who = event.user == Some(user.id) || event.principal == user.handle.as_str();
    let is_named = [&event.subject, &event.reason]
        .into_iter()
        .any(|text| [user.handle.as_str(), user.email.as_str()].into_iter().any(|name| names(text, name)));
    (who, is_named || (who && !event.action.is_call()))
}

/// Says whether a name stands in a text as a word of its own, in any case.
fn names(text: &str, name: &str) -> bool {
    let (text, name) = (text.to_lowercase(), name.to_lowercase());
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '-';
    text.match_indices(&name)
        .any(|(at, _)| !text[..at].ends_with(is_part) && !text[at + name.len()..].starts_with(is_part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_as_a_word_of_its_own() {
        assert!(names("ada", "ada"));
        assert!(names("invited Ada@example.org: ada", "ada"));
        assert!(names("role of ADA, changed", "ada"));
        assert!(!names("adapter", "ada"));
        assert!(!names("canada-bay", "ada"));
        assert!(!names("ada-2", "ada"));
    }
}
