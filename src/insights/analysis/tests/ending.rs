//! How an analysis ends that finds nothing.

use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    fault::Fault,
    model::{Access, Action, AnalysisState, Outcome, Principal, StepState, samples},
    proxy::{Analyst, NotBegun, WantedAnalysis},
    quota::QuotaSubject,
    store::{EventFilter, testing::store_test},
};

#[tokio::test]
async fn a_cancelled_analysis_ends_at_once_and_is_given_back() {
    let scene = Scene::new().await;
    let analysis = scene.begin().await;
    assert_eq!((analysis.state, scene.used().await), (AnalysisState::Running, (1, 1)));
    assert!(analysis.steps.len() >= 7 && analysis.steps.iter().all(|step| step.state == StepState::Waiting));

    scene.analyses.cancel(&scene.ada, analysis.id).await.unwrap();
    let ended = scene.analyses.ended(&scene.ada, analysis.id).await.unwrap();

    assert_eq!((ended.state, ended.ended_at, ended.failure), (AnalysisState::Cancelled, Some(NOW), None));
    assert_eq!(scene.used().await, (0, 0));
    assert!(scene.analyses.running(analysis.id).is_none(), "its task is over");
    let again = scene.analyses.cancel(&scene.ada, analysis.id).await;
    assert!(matches!(again, Err(AnalysisError::Ended)), "{again:?}");
}

#[tokio::test]
async fn a_call_that_is_an_analysis_is_cancelled_and_given_back_when_its_caller_leaves() {
    let scene = Scene::new().await;
    let preset = samples::preset(scene.ada.tenant, "tools");
    let caller = Principal::Member(Arc::new(scene.ada.clone()));
    let permit = policy::may_call(&caller, &preset, &Access::default(), NOW).unwrap();
    let charged = QuotaSubject::from(&scene.ada);
    let wanted =
        |params| WantedAnalysis { permit: &permit, charged: &charged, source: scene.source.id, params };
    let unnamed = Analyst::begin(&scene.analyses, wanted(br#"{"name":"analyze_application"}"#)).await;
    assert!(matches!(unnamed, Err(NotBegun::Other { fault: Fault::Caller, .. })));
    let params = br#"{"name":"analyze_application","arguments":{"app_id":"local-1"}}"#;
    let running = Analyst::begin(&scene.analyses, wanted(params)).await.ok().unwrap();
    assert_eq!(scene.used().await, (1, 1));
    let [begun] = &scene.analyses.list(&scene.ada, &AnalysisFilter::default()).await.unwrap()[..] else {
        panic!("one was begun");
    };

    drop(running);
    let ended = scene.analyses.ended(&scene.ada, begun.id).await.unwrap();

    assert_eq!((ended.state, ended.begun_by_handle.as_str()), (AnalysisState::Cancelled, "ada"));
    assert_eq!(scene.used().await, (0, 0));
}

store_test!(an_analysis_is_cancelled_by_another_process_and_its_own_notices, |test| async move {
    let scene = Scene::on(test, AnalysisSettings::default()).await;
    let other = scene.another_process().await;
    let analysis = scene.begin().await;

    other.cancel(&scene.ada, analysis.id).await.unwrap();

    let ended = scene.analyses.ended(&scene.ada, analysis.id).await.unwrap();
    assert_eq!(ended.state, AnalysisState::Cancelled);
    assert!(scene.analyses.running(analysis.id).is_none(), "its task is over");
    assert_eq!(other.ended(&scene.ada, analysis.id).await.unwrap(), ended);
    assert_eq!(scene.used().await, (0, 0));
});

store_test!(an_analysis_whose_process_is_gone_has_failed_for_whoever_looks, |test| async move {
    let scene = Scene::on(test, AnalysisSettings::default()).await;
    let lost = left_behind(&scene).await;
    let seen = scene.analyses.find(&scene.ada, lost.id).await.unwrap().unwrap();
    assert_eq!((seen.state, scene.used().await), (AnalysisState::Running, (1, 1)));

    scene.clock.advance(run::ALIVE_FOR + Duration::from_millis(1));
    let listed = scene.analyses.list(&scene.ada, &AnalysisFilter::default()).await.unwrap();

    let why = listed[0].failure.as_deref().unwrap();
    assert_eq!(listed[0].state, AnalysisState::Failed);
    assert!(why.contains("the process that ran it ended"), "{why}");
    assert_eq!(scene.used().await, (0, 0));
    assert_eq!(scene.analyses.find(&scene.ada, lost.id).await.unwrap().as_ref(), Some(&listed[0]));
});

#[tokio::test]
async fn analyses_whose_process_is_gone_are_ended_before_another_begins_and_by_the_job() {
    let mut scene = Scene::new().await;
    scene.allow(Some(1), Some(1)).await;
    let lost = left_behind(&scene).await;
    let refused = scene.analyses.begin(&scene.ada, scene.wanted()).await;
    assert!(matches!(refused, Err(AnalysisError::Concurrent { .. })), "{refused:?}");
    scene.clock.advance(run::ALIVE_FOR + Duration::from_millis(1));

    let begun = scene.begin().await;

    let mut tx = scene.store.read(scene.ada.tenant).await.unwrap();
    assert_eq!(tx.find_analysis(lost.id).await.unwrap().unwrap().analysis.state, AnalysisState::Failed);
    drop(tx);
    scene.analyses.cancel(&scene.ada, begun.id).await.unwrap();
    let lost = left_behind(&scene).await;
    scene.clock.advance(run::ALIVE_FOR + Duration::from_millis(1));
    scene.analyses.end_all_lost().await.unwrap();
    let mut tx = scene.store.read(scene.ada.tenant).await.unwrap();
    assert_eq!(tx.find_analysis(lost.id).await.unwrap().unwrap().analysis.state, AnalysisState::Failed);
}

#[tokio::test]
async fn a_source_that_does_not_answer_in_time_fails_the_analysis_which_is_given_back() {
    let scene = Scene::with(hurried()).await;
    let analysis = scene.begin().await;

    let ended = scene.analyses.ended(&scene.ada, analysis.id).await.unwrap();

    let why = ended.failure.unwrap();
    assert_eq!(ended.state, AnalysisState::Failed);
    assert!(why.contains("within 0.05 s"), "{why}");
    assert_eq!(scene.used().await, (0, 0));
    let gone = scene.analyses.report(&scene.ada, analysis.id).await.unwrap();
    assert!(gone.is_none());
}

#[tokio::test]
async fn a_source_that_is_not_there_fails_the_analysis_with_the_reason() {
    let scene = Scene::new().await;
    let mut gone = Source { id: SourceId::new(), ..scene.source.clone() };
    gone.name = SourceName::parse("gone").unwrap();
    gone.reach = Reach::SparkHistory { url: "http://127.0.0.1:1".parse().unwrap() };
    let mut tx = scene.store.tenant(scene.ada.tenant).await.unwrap();
    tx.add_source(&gone, None).await.unwrap();
    tx.commit().await.unwrap();

    let wanted = NewAnalysis { source: gone.id, ..scene.wanted() };
    let analysis = scene.analyses.begin(&scene.ada, wanted).await.unwrap();
    let ended = scene.analyses.ended(&scene.ada, analysis.id).await.unwrap();

    let why = ended.failure.unwrap();
    assert!(why.contains("the application could not be read: the source cannot be reached"), "{why}");
    assert_eq!(ended.steps[0].state, StepState::Failed);
    assert_eq!(scene.used().await, (0, 0));
    let applications = scene.analyses.applications(&scene.ada, gone.id).await;
    assert!(matches!(applications, Err(AnalysisError::Source(SourceError::Upstream(_)))), "{applications:?}");
}

#[tokio::test]
async fn the_end_of_the_program_ends_what_runs_and_nothing_begins_any_more() {
    let scene = Scene::new().await;
    let analysis = scene.begin().await;

    scene.analyses.stop().await;

    let ended = scene.analyses.find(&scene.ada, analysis.id).await.unwrap().unwrap();
    let why = ended.failure.unwrap();
    assert!(ended.state == AnalysisState::Failed && why.contains("stopped"), "{why}");
    assert_eq!(scene.used().await, (0, 0));
    let refused = scene.analyses.begin(&scene.ada, scene.wanted()).await;
    assert!(matches!(refused, Err(AnalysisError::Stopping)), "{refused:?}");
}

#[tokio::test]
async fn one_whose_source_is_removed_stays_and_cannot_be_repeated() {
    let scene = Scene::new().await;
    let analysis = scene.begin().await;
    scene.analyses.cancel(&scene.ada, analysis.id).await.unwrap();
    let repeated = scene.analyses.again(&scene.ada, analysis.id).await.unwrap();
    assert_eq!((repeated.app_id, repeated.source), (analysis.app_id, analysis.source));
    scene.analyses.stop().await;
    let mut tx = scene.store.tenant(scene.ada.tenant).await.unwrap();
    tx.remove_source(scene.source.id).await.unwrap();
    tx.commit().await.unwrap();

    let again = scene.analyses.again(&scene.ada, analysis.id).await;

    assert!(matches!(again, Err(AnalysisError::SourceGone { .. })), "{again:?}");
    let kept = scene.analyses.find(&scene.ada, analysis.id).await.unwrap().unwrap();
    assert_eq!((kept.source, kept.source_name), (None, scene.source.name));
}

#[tokio::test]
async fn beginning_cancelling_and_removing_are_audited_with_the_id() {
    let scene = Scene::new().await;
    let analysis = scene.begin().await;
    scene.analyses.cancel(&scene.ada, analysis.id).await.unwrap();
    scene.analyses.remove(&scene.ada, analysis.id).await.unwrap();
    let viewer = Member { org_role: OrgRole::Viewer, ..scene.ada.clone() };
    scene.analyses.begin(&viewer, scene.wanted()).await.unwrap_err();

    let stop = CancellationToken::new();
    stop.cancel();
    scene.audit.run(stop).await;

    let filter = EventFilter { action: Some(Action::AnalysisChange), ..EventFilter::default() };
    let events = scene.store.read(scene.ada.tenant).await.unwrap().list_events(&filter).await.unwrap();
    let done: Vec<_> = events.iter().rev().map(|event| event.subject.clone()).collect();
    let id = analysis.id;
    assert_eq!(done[..3], [format!("begin {id}"), format!("cancel {id}"), format!("remove {id}")]);
    assert_eq!(events[0].outcome, Outcome::Refused);
    assert!(events.iter().all(|event| event.source == Some(scene.source.id) && event.source_name == "spark"));
}

/// Leaves a running analysis behind, as a process does that is killed.
async fn left_behind(scene: &Scene) -> Analysis {
    let now = scene.clock.now();
    let begun = scene.analyses.begin(&scene.ada, scene.wanted()).await.unwrap();
    scene.analyses.cancel(&scene.ada, begun.id).await.unwrap();
    let analysis = Analysis { id: AnalysisId::new(), begun_at: now, ..begun };
    let mut tx = scene.store.system().await.unwrap();
    tx.charge_analysis(scene.ada.user, now.month(), now).await.unwrap();
    tx.add_analysis(&analysis, now.plus(run::ALIVE_FOR)).await.unwrap();
    tx.commit().await.unwrap();
    analysis
}
