//! Invitations: whose they are, and everything that ends them.

use std::time::Duration;

use super::{sharing::denied, *};
use crate::{
    model::{AccessLevel, Email, Handle, Invite, Invited},
    presets::{INVITES_MAX, NewGrantee, NewInvite},
    secret::Secret,
    store::testing::TestStore,
};

#[tokio::test]
async fn an_invitation_is_accepted_once_by_whom_it_is_for() {
    accepted_once(TestStore::sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invitation_is_accepted_once_by_whom_it_is_for_on_postgres() {
    if let Some(db) = TestStore::postgres().await {
        accepted_once(db).await;
    }
}

async fn accepted_once(db: TestStore) {
    let world = World::on(db).await;
    let (ada, bob, eve) = (world.person("ada").await, world.person("bob").await, world.person("eve").await);
    let id = world.presets.add(&ada, new_preset("ops", Vec::new())).await.unwrap().id;
    let made = invite(&world, &ada, id, Some("bob@example.org")).await;
    let token = made.token.unwrap();
    assert!(!made.invite.sent, "there is no mail server");

    let offer = world.presets.offer(&token).await.unwrap().unwrap();
    assert_eq!((offer.owner.as_str(), offer.invite.by_handle.as_str()), ("ada", "ada"));
    assert!(!offer.invitee.proves_address, "whoever made it has seen the link");
    assert!(matches!(world.presets.find(&bob, id).await, Ok(None)), "not before it is accepted");
    let stolen = world.presets.accept(&eve, &token).await.unwrap_err();
    assert!(matches!(stolen, PresetError::NotYours), "{stolen}");
    let (one, two) = tokio::join!(world.presets.accept(&bob, &token), world.presets.accept(&bob, &token));

    assert!(one.is_ok() != two.is_ok(), "it works once");
    assert_eq!(world.presets.find(&bob, id).await.unwrap().unwrap().permit.level(), AccessLevel::Viewer);
    assert!(world.presets.offer(&token).await.unwrap().is_none());
    let listed = world.presets.access(&ada, id).await.unwrap().1;
    assert_eq!(listed.len(), 1);

    // Who is on the list already loses nothing by a lower invitation.
    world.presets.share(&ada, id, user("bob"), AccessLevel::Admin).await.unwrap();
    let open = invite(&world, &ada, id, None).await.token.unwrap();
    assert_eq!(world.presets.accept(&bob, &open).await.unwrap().permit.level(), AccessLevel::Admin);
    world.db.remove().await;
}

#[tokio::test]
async fn an_invitation_ends_by_time_by_withdrawal_and_with_the_right_of_who_made_it() {
    let world = World::new().await;
    let (ada, bob, eve) = (world.person("ada").await, world.person("bob").await, world.person("eve").await);
    let id = world.presets.add(&ada, new_preset("ops", Vec::new())).await.unwrap().id;

    let withdrawn = invite(&world, &ada, id, None).await;
    assert!(denied_or_missing(world.presets.withdraw(&bob, id, withdrawn.invite.id).await));
    assert!(world.presets.withdraw(&ada, id, withdrawn.invite.id).await.unwrap());
    assert!(!world.presets.withdraw(&ada, id, withdrawn.invite.id).await.unwrap());
    assert!(world.presets.offer(&withdrawn.token.unwrap()).await.unwrap().is_none());

    let entry = world.presets.share(&ada, id, user("bob"), AccessLevel::Admin).await.unwrap();
    let his = invite(&world, &bob, id, None).await.token.unwrap();
    assert!(world.presets.offer(&his).await.unwrap().is_some());
    world.presets.unshare(&ada, id, entry.id).await.unwrap();
    assert!(matches!(world.presets.accept(&eve, &his).await, Err(PresetError::NotFound)));

    let shut = invite(&world, &ada, id, None).await.token.unwrap();
    let version = world.presets.find(&ada, id).await.unwrap().unwrap().preset.version;
    let private = PresetChange { visibility: Some(Visibility::Private), ..PresetChange::default() };
    world.presets.update(&ada, id, private, version).await.unwrap();
    assert!(matches!(world.presets.accept(&eve, &shut).await, Err(PresetError::NotFound)));
    let after = world.presets.find(&ada, id).await.unwrap().unwrap().preset.visibility;
    assert_eq!(after, Visibility::Private, "an invitation opened what its owner had shut");

    let late = invite(&world, &ada, id, None).await.token.unwrap();
    world.clock.advance(Duration::from_secs(7 * 86_400));
    assert!(world.presets.offer(&late).await.unwrap().is_none());
    assert!(world.presets.invites(&ada, id).await.unwrap().is_empty());
    assert_eq!(
        world.presets.remove_ended_invites().await.unwrap(),
        3,
        "the one of Bob's and the one shut off too"
    );
    assert!(world.presets.offer(&Secret::new("guess")).await.unwrap().is_none());
}

#[tokio::test]
async fn invitations_are_for_those_who_may_share_and_have_an_end() {
    let world = World::new().await;
    let (ada, bob) = (world.person("ada").await, world.person("bob").await);
    let id = world.presets.add(&ada, new_preset("ops", Vec::new())).await.unwrap().id;
    world.presets.share(&ada, id, user("bob"), AccessLevel::Editor).await.unwrap();
    let new = |days: u64| NewInvite {
        email: None,
        level: AccessLevel::Viewer,
        lasts: Duration::from_secs(days * 86_400),
    };

    assert!(denied(world.presets.invite(&bob, id, new(1), "http://d").await));
    assert!(denied(world.presets.invites(&bob, id).await));
    for days in [0, 31] {
        let wrong = world.presets.invite(&ada, id, new(days), "http://d").await.unwrap_err();
        assert!(matches!(wrong, PresetError::Invalid { part: "lasts", .. }), "{wrong}");
    }
    for _ in 0..INVITES_MAX {
        world.presets.invite(&ada, id, new(1), "http://d").await.unwrap();
    }
    let one_more = world.presets.invite(&ada, id, new(1), "http://d").await.unwrap_err();
    assert!(matches!(one_more, PresetError::Invalid { part: "email", .. }), "{one_more}");
}

async fn invite(
    world: &World,
    by: &Member,
    id: crate::model::PresetId,
    email: Option<&str>,
) -> Invited<Invite> {
    let email = email.map(|email| Email::parse(email).unwrap());
    let new = NewInvite { email, level: AccessLevel::Viewer, lasts: Duration::from_secs(7 * 86_400) };
    world.presets.invite(by, id, new, "http://d").await.unwrap()
}

fn denied_or_missing<T>(result: Result<T, PresetError>) -> bool {
    matches!(result, Err(PresetError::Denied(_) | PresetError::NotFound))
}

fn user(handle: &str) -> NewGrantee {
    NewGrantee::User(Handle::parse(handle).unwrap())
}
