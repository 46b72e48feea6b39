//! What a plan allows, and who may.

use super::*;
use crate::{clock::Month, fault::Fault, policy::Denied, store::testing::store_test};

store_test!(sixty_four_at_once_begin_as_many_as_the_plan_allows_in_a_month, |test| async move {
    let mut scene = Scene::on(test, AnalysisSettings::default()).await;
    scene.allow(Some(5), None).await;

    let begun = all_at_once(&scene).await;

    assert_eq!((begun, scene.used().await), (5, (5, 5)));
    let error = scene.analyses.begin(&scene.ada, scene.wanted()).await.unwrap_err();
    let end = Month(202_611).end();
    assert!(
        matches!(error, AnalysisError::Exhausted { limit: 5, resets_at, retry_after }
            if resets_at == end && retry_after == end.since(NOW)),
        "{error:?}"
    );
    assert_eq!(error.fault(), Fault::Refused);
    scene.analyses.stop().await;
});

store_test!(sixty_four_at_once_begin_as_many_as_may_run_at_the_same_time, |test| async move {
    let mut scene = Scene::on(test, AnalysisSettings::default()).await;
    scene.allow(None, Some(3)).await;

    let begun = all_at_once(&scene).await;

    assert_eq!((begun, scene.used().await), (3, (3, 3)));
    let error = scene.analyses.begin(&scene.ada, scene.wanted()).await.unwrap_err();
    assert!(matches!(error, AnalysisError::Concurrent { limit: 3, .. }), "{error:?}");
    scene.analyses.stop().await;
});

#[tokio::test]
async fn no_more_run_in_one_process_than_it_has_room_for() {
    let scene = Scene::new().await;
    for _ in 0..RUNNING_MAX {
        scene.begin().await;
    }

    let error = scene.analyses.begin(&scene.ada, scene.wanted()).await.unwrap_err();

    assert!(matches!(error, AnalysisError::Busy { limit: RUNNING_MAX }), "{error:?}");
    assert_eq!(scene.used().await.0, i64::try_from(RUNNING_MAX).unwrap());
    scene.analyses.stop().await;
}

#[tokio::test]
async fn the_next_month_begins_at_nothing_and_what_is_given_back_goes_to_the_month_it_came_from() {
    let mut scene = Scene::new().await;
    scene.allow(Some(1), None).await;
    scene.begin().await;
    scene.clock.advance(NOW.month().end().since(NOW));

    // The old one was not heard of for so long that it is given back, to the month it came from.
    let new = scene.begin().await;

    assert_eq!(scene.used().await, (1, 1));
    let mut tx = scene.store.system_read().await.unwrap();
    assert_eq!(tx.analyses_used(scene.ada.user, NOW.month()).await.unwrap(), 0);
    drop(tx);
    scene.analyses.cancel(&scene.ada, new.id).await.unwrap();
    assert_eq!(scene.used().await, (0, 0));
    scene.analyses.stop().await;
}

#[tokio::test]
async fn who_may_is_said_by_the_role_in_the_organisation() {
    let scene = Scene::new().await;
    let viewer = Member { org_role: OrgRole::Viewer, ..scene.ada.clone() };
    let operator =
        Member { user: crate::model::UserId::new(), org_role: OrgRole::Operator, ..scene.ada.clone() };
    let analysis = scene.begin().await;
    let denied = |result: Result<()>, needs: OrgRole| {
        let error = result.unwrap_err();
        assert!(
            matches!(error, AnalysisError::Denied(Denied::Role { needs: role }) if role == needs),
            "{error:?}"
        );
    };

    let begun = scene.analyses.begin(&viewer, scene.wanted()).await.map(drop);
    denied(begun, OrgRole::Operator);
    denied(scene.analyses.cancel(&viewer, analysis.id).await, OrgRole::Operator);
    denied(scene.analyses.cancel(&operator, analysis.id).await, OrgRole::Admin);
    denied(scene.analyses.remove(&operator, analysis.id).await, OrgRole::Admin);
    denied(scene.analyses.applications(&viewer, scene.source.id).await.map(drop), OrgRole::Operator);
    assert_eq!(scene.analyses.find(&viewer, analysis.id).await.unwrap().unwrap().id, analysis.id);
    assert_eq!(scene.analyses.sources(&viewer).await.unwrap(), std::slice::from_ref(&scene.source));
    scene.analyses.remove(&scene.ada, analysis.id).await.unwrap();

    assert!(scene.analyses.find(&viewer, analysis.id).await.unwrap().is_none());
    assert_eq!(scene.used().await, (0, 0));
}

#[tokio::test]
async fn somebody_elses_are_not_there() {
    let scene = Scene::new().await;
    let bob = scene._test.as_ref().unwrap().add_user("bob").await;
    let bob = member(&bob, OrgRole::Admin);
    let analysis = scene.begin().await;
    let (all, id) = (&scene.analyses, analysis.id);

    assert!(all.find(&bob, id).await.unwrap().is_none());
    assert!(all.report(&bob, id).await.unwrap().is_none());
    assert!(all.list(&bob, &AnalysisFilter::default()).await.unwrap().is_empty());
    assert!(all.sources(&bob).await.unwrap().is_empty());
    for result in [
        all.cancel(&bob, id).await,
        all.remove(&bob, id).await,
        all.again(&bob, id).await.map(drop),
        all.ended(&bob, id).await.map(drop),
    ] {
        assert!(matches!(result, Err(AnalysisError::NotFound)), "{result:?}");
    }
    for result in [
        all.begin(&bob, scene.wanted()).await.map(drop),
        all.applications(&bob, scene.source.id).await.map(drop),
    ] {
        assert!(matches!(result, Err(AnalysisError::Source(SourceError::NotFound))), "{result:?}");
    }
    assert_eq!(scene.used().await, (1, 1));
    all.stop().await;
}

#[tokio::test]
async fn what_cannot_be_analysed_is_not_charged() {
    let scene = Scene::new().await;
    let mut plain = Source { id: SourceId::new(), ..scene.source.clone() };
    plain.name = SourceName::parse("plain").unwrap();
    plain.reach = Reach::McpHttp { url: "http://127.0.0.1:1/mcp".parse().unwrap() };
    let mut off = Source { id: SourceId::new(), enabled: false, ..scene.source.clone() };
    off.name = SourceName::parse("off").unwrap();
    let mut tx = scene.store.tenant(scene.ada.tenant).await.unwrap();
    tx.add_source(&plain, None).await.unwrap();
    tx.add_source(&off, None).await.unwrap();
    tx.commit().await.unwrap();
    let begin = async |wanted| scene.analyses.begin(&scene.ada, wanted).await.unwrap_err();

    let no_name = begin(NewAnalysis { app_id: "../stages".into(), ..scene.wanted() }).await;
    let no_tools = begin(NewAnalysis { source: plain.id, ..scene.wanted() }).await;
    let switched_off = begin(NewAnalysis { source: off.id, ..scene.wanted() }).await;
    let none = begin(NewAnalysis { source: SourceId::new(), ..scene.wanted() }).await;

    assert!(matches!(no_name, AnalysisError::Invalid { part: "app_id", .. }), "{no_name:?}");
    assert!(matches!(no_tools, AnalysisError::NotAnalysable { .. }), "{no_tools:?}");
    assert!(matches!(switched_off, AnalysisError::Source(SourceError::Disabled { .. })), "{switched_off:?}");
    assert!(matches!(none, AnalysisError::Source(SourceError::NotFound)), "{none:?}");
    assert_eq!(scene.used().await, (0, 0));
    let sources = scene.analyses.sources(&scene.ada).await.unwrap();
    assert_eq!(sources, std::slice::from_ref(&scene.source));
}

/// Begins 64 at once, and returns how many were.
async fn all_at_once(scene: &Scene) -> i64 {
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let (analyses, ada, wanted) = (scene.analyses.clone(), scene.ada.clone(), scene.wanted());
            tokio::spawn(async move { analyses.begin(&ada, wanted).await })
        })
        .collect();
    let mut begun = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => begun += 1,
            Err(
                AnalysisError::Exhausted { .. }
                | AnalysisError::Concurrent { .. }
                | AnalysisError::Busy { .. },
            ) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    begun
}
