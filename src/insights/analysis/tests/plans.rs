//! What a plan allows, and who may.

use super::*;
use crate::{
    clock::Month,
    fault::Fault,
    model::{Handle, Organisation, Payer},
    policy::Denied,
    store::testing::store_test,
};

store_test!(sixty_four_at_once_begin_as_many_as_the_plan_allows_in_a_month, |test| async move {
    let mut scene = Scene::on(test, AnalysisSettings::default()).await;
    scene.allow(Some(5), None).await;

    let begun = all_at_once(&scene).await;

    assert_eq!((begun, scene.used().await), (5, (5, 5)));
    let error = scene.analyses.begin(&scene.ada, scene.wanted()).await.unwrap_err();
    let end = Month(202_611).end();
    assert!(
        matches!(error, AnalysisError::Exhausted { payer: Payer::Person(_), limit: 5, resets_at, retry_after }
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

store_test!(sixty_four_at_once_of_two_people_begin_as_many_as_their_organisation_has, |test| async move {
    let scene = Scene::on(test, AnalysisSettings::default()).await;
    let of_team = Plan { analyses_per_month: Some(5), ..unlimited("shared") };
    let (ada, bob) = scene.team(test, of_team, unlimited("plain")).await;
    let wanted = scene.wanted_in(test, ada.tenant).await;

    let begun = at_once(&scene, &[&ada, &bob], &wanted).await;

    assert_eq!(begun, 5);
    let mut tx = scene.store.system_read().await.unwrap();
    assert_eq!(tx.analyses_used(ada.tenant, NOW.month()).await.unwrap(), 5);
    let of_people = [
        tx.analyses_used(ada.user, NOW.month()).await.unwrap(),
        tx.analyses_used(bob.user, NOW.month()).await.unwrap(),
    ];
    assert_eq!(of_people.iter().sum::<i64>(), 5, "charged to both or to none");
    drop(tx);
    let error = scene.analyses.begin(&ada, wanted).await.unwrap_err();
    assert!(matches!(error, AnalysisError::Exhausted { payer: Payer::Team(_), limit: 5, .. }), "{error:?}");
    scene.analyses.stop().await;
    let mut tx = scene.store.system_read().await.unwrap();
    assert_eq!(tx.analyses_used(ada.tenant, NOW.month()).await.unwrap(), 0, "given back by both");
});

store_test!(in_an_organisation_with_a_plan_as_many_run_as_that_says, |test| async move {
    let scene = Scene::on(test, AnalysisSettings::default()).await;
    let of_team = Plan { concurrent_analyses: Some(3), ..unlimited("shared") };
    let of_people = Plan { concurrent_analyses: Some(1), ..unlimited("single") };
    let (ada, bob) = scene.team(test, of_team, of_people).await;
    let wanted = scene.wanted_in(test, ada.tenant).await;

    let begun = at_once(&scene, &[&ada, &bob], &wanted).await;
    let usage = scene.analyses.usage(&ada).await.unwrap();
    let at_home = Member { plan: ada.plan.clone(), ..scene.ada.clone() };
    let own = scene.analyses.begin(&at_home, scene.wanted()).await;

    assert_eq!(begun, 3);
    assert_eq!((usage.running, usage.concurrent), (3, Some(3)));
    assert!(own.is_ok(), "those of the organisation are not theirs: {own:?}");
    let error = scene.analyses.begin(&bob, wanted).await.unwrap_err();
    assert!(matches!(error, AnalysisError::Concurrent { limit: 3, .. }), "{error:?}");
    scene.analyses.stop().await;
});

store_test!(sixty_four_at_once_keep_as_many_as_the_plan_keeps, |test| async move {
    let mut scene = Scene::on(test, AnalysisSettings::default()).await;
    let mut tx = scene.store.system().await.unwrap();
    tx.save_plan(&Plan { stored_analyses_max: Some(4), ..unlimited("tried") }).await.unwrap();
    let mut user = tx.find_user(scene.ada.user).await.unwrap().unwrap();
    user.plan = PlanName::parse("tried").unwrap();
    assert!(tx.update_user(&user).await.unwrap());
    tx.commit().await.unwrap();
    scene.ada.plan = user.plan;

    let begun = all_at_once(&scene).await;

    assert_eq!(begun, 4);
    let error = scene.analyses.begin(&scene.ada, scene.wanted()).await.unwrap_err();
    assert!(matches!(error, AnalysisError::Stored { limit: 4, used: 4, .. }), "{error:?}");
    assert!(error.to_string().contains("an administrator of this gateway"), "{error}");
    assert_eq!(scene.used().await, (4, 4), "what was refused is not charged");
    let kept = scene.analyses.list(&scene.ada, &AnalysisFilter::default()).await.unwrap();
    scene.analyses.cancel(&scene.ada, kept[0].id).await.unwrap();
    scene.analyses.remove(&scene.ada, kept[0].id).await.unwrap();
    assert!(scene.analyses.begin(&scene.ada, scene.wanted()).await.is_ok());
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
    at_once(scene, &[&scene.ada], &scene.wanted()).await
}

/// Begins 64 at once of these people in turn, and returns how many were.
async fn at_once(scene: &Scene, people: &[&Member], wanted: &NewAnalysis) -> i64 {
    let tasks: Vec<_> = (0..64)
        .map(|n| {
            let (analyses, wanted) = (scene.analyses.clone(), wanted.clone());
            let member = people[n % people.len()].clone();
            tokio::spawn(async move { analyses.begin(&member, wanted).await })
        })
        .collect();
    let mut begun = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => begun += 1,
            Err(
                AnalysisError::Exhausted { .. }
                | AnalysisError::Concurrent { .. }
                | AnalysisError::Stored { .. }
                | AnalysisError::Busy { .. },
            ) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    begun
}

impl Scene {
    /// Makes a team of Ada and Bob with a plan, and gives both another one. Returns both acting in it.
    async fn team(&self, test: &TestStore, of_team: Plan, of_people: Plan) -> (Member, Member) {
        let bob = test.add_user("bob").await;
        let mut tx = self.store.system().await.unwrap();
        tx.save_plan(&of_team).await.unwrap();
        tx.save_plan(&of_people).await.unwrap();
        let team = Organisation {
            id: TenantId::new(),
            handle: Handle::parse("acme").unwrap(),
            title: String::new(),
            personal_of: None,
            made_by: None,
            plan: Some(of_team.name),
            enabled: true,
            created_at: NOW,
        };
        tx.add_organisation(&team, self.ada.user).await.unwrap();
        tx.put_member(team.id, bob.id, OrgRole::Operator, NOW).await.unwrap();
        tx.commit().await.unwrap();
        let acting = |member: Member| Member {
            tenant: team.id,
            tenant_handle: team.handle.clone(),
            plan: of_people.name.clone(),
            ..member
        };
        (acting(self.ada.clone()), acting(member(&bob, OrgRole::Operator)))
    }

    /// Connects the history server to an organisation.
    async fn wanted_in(&self, test: &TestStore, tenant: TenantId) -> NewAnalysis {
        let source = Source { id: SourceId::new(), tenant, ..self.source.clone() };
        let mut tx = test.store.tenant(tenant).await.unwrap();
        tx.add_source(&source, None).await.unwrap();
        tx.commit().await.unwrap();
        NewAnalysis { source: source.id, ..self.wanted() }
    }
}

fn unlimited(name: &str) -> Plan {
    Plan {
        name: PlanName::parse(name).unwrap(),
        calls_per_month: None,
        analyses_per_month: None,
        concurrent_analyses: None,
        sources_max: None,
        presets_max: None,
        stored_analyses_max: None,
        retention_days: None,
        rate: None,
    }
}
