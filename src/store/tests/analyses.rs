//! Analyses, and whose month they are charged to.

use std::time::Duration;

use super::*;
use crate::{
    clock::Month,
    model::{
        Analysis, AnalysisId, AnalysisReport, AnalysisState, AnalysisStep, Finding, Severity, StepState,
        Tally, UserId,
    },
    store::{AnalysisEnd, AnalysisFilter, AnalysisText, testing::store_test},
};

const MONTH: Month = Month(202_611);
const ALIVE: Ms = Ms(NOW.0 + 30_000);

store_test!(an_analysis_is_kept_from_its_beginning_to_its_report, |test| async move {
    let ada = test.add_user("ada").await;
    let spark = source(ada.tenant, "spark");
    keep_source(&test.store, &spark).await;
    let mut analysis = analysis(&ada, &spark);
    begin(&test.store, &analysis).await;

    let mut tx = test.store.tenant(ada.tenant).await.unwrap();
    let row = tx.find_analysis(analysis.id).await.unwrap().unwrap();
    assert_eq!((&row.analysis, row.alive_until), (&analysis, ALIVE));
    assert!(!row.is_lost(ALIVE) && row.is_lost(Ms(ALIVE.0 + 1)));
    assert_eq!(tx.analysis_text(analysis.id).await.unwrap(), None);
    assert!(!tx.set_analysis_rewritten(analysis.id, "early", "m").await.unwrap(), "there is no report");
    assert!(!tx.remove_analysis(analysis.id).await.unwrap(), "it runs");

    analysis.steps[0].state = StepState::Done;
    let later = Ms(ALIVE.0 + 1);
    assert!(tx.set_analysis_steps(analysis.id, &analysis.steps, later).await.unwrap());
    assert!(tx.keep_analysis_alive(analysis.id, Ms(later.0 + 1)).await.unwrap());
    let row = tx.find_analysis(analysis.id).await.unwrap().unwrap();
    assert_eq!((&row.analysis, row.alive_until), (&analysis, Ms(later.0 + 1)));

    let report = report();
    analysis.state = AnalysisState::Done;
    analysis.attempt = Some("2".into());
    analysis.app_name = "nightly".into();
    analysis.ended_at = Some(Ms(NOW.0 + 900));
    analysis.tally = Tally::of(&report.findings);
    assert!(tx.finish_analysis(&analysis, &report, "# nightly\0").await.unwrap());
    assert!(!tx.finish_analysis(&analysis, &report, "again").await.unwrap(), "it ends once");
    assert!(!tx.keep_analysis_alive(analysis.id, ALIVE).await.unwrap());
    assert!(!tx.set_analysis_steps(analysis.id, &[], ALIVE).await.unwrap());
    assert!(tx.set_analysis_rewritten(analysis.id, "in other words", "small").await.unwrap());
    tx.commit().await.unwrap();

    let mut tx = test.store.read(ada.tenant).await.unwrap();
    let row = tx.find_analysis(analysis.id).await.unwrap().unwrap();
    assert_eq!(row.analysis, analysis);
    assert!(!row.is_lost(Ms(i64::MAX)));
    let text = tx.analysis_text(analysis.id).await.unwrap().unwrap();
    let rewritten = Some(("in other words".to_owned(), "small".to_owned()));
    assert_eq!(text, AnalysisText { report, narrative: "# nightly\u{fffd}".into(), rewritten });
    drop(tx);
    let mut tx = test.store.tenant(ada.tenant).await.unwrap();
    assert!(tx.remove_analysis(analysis.id).await.unwrap());
    assert!(!tx.remove_analysis(analysis.id).await.unwrap());
});

store_test!(analyses_are_listed_newest_first_by_what_is_asked_for, |test| async move {
    let (ada, bob) = (test.add_user("ada").await, test.add_user("bob").await);
    let (spark, other) = (source(ada.tenant, "spark"), source(ada.tenant, "other"));
    keep_source(&test.store, &spark).await;
    keep_source(&test.store, &other).await;
    let mut kept = Vec::new();
    for (source, app_id) in [(&spark, "app_1"), (&spark, "app-1"), (&other, "app-2")] {
        let analysis = Analysis { app_id: app_id.into(), ..analysis(&ada, source) };
        begin(&test.store, &analysis).await;
        kept.push(analysis);
    }
    end(&test.store, &kept[1], AnalysisState::Cancelled).await;

    let mut tx = test.store.read(ada.tenant).await.unwrap();
    let mut ids = async |filter: AnalysisFilter| -> Vec<AnalysisId> {
        tx.list_analyses(&filter).await.unwrap().into_iter().map(|row| row.analysis.id).collect()
    };
    let all = AnalysisFilter::default;
    assert_eq!(ids(all()).await, [kept[2].id, kept[1].id, kept[0].id]);
    assert_eq!(ids(AnalysisFilter { limit: 1, ..all() }).await, [kept[2].id]);
    assert_eq!(ids(AnalysisFilter { before: Some(kept[2].id), limit: 1, ..all() }).await, [kept[1].id]);
    assert_eq!(ids(AnalysisFilter { source: Some(other.id), ..all() }).await, [kept[2].id]);
    let running = AnalysisFilter { state: Some(AnalysisState::Running), ..all() };
    assert_eq!(ids(running).await, [kept[2].id, kept[0].id]);
    // `_` is a letter like any other.
    assert_eq!(ids(AnalysisFilter { text: Some("APP_1".into()), ..all() }).await, [kept[0].id]);
    assert_eq!(ids(AnalysisFilter { text: Some("spark ada".into()), ..all() }).await.len(), 2);
    drop(tx);

    let mut tx = test.store.tenant(bob.tenant).await.unwrap();
    assert_eq!(tx.list_analyses(&all()).await.unwrap(), []);
    assert_eq!(tx.find_analysis(kept[0].id).await.unwrap(), None);
    assert!(!tx.keep_analysis_alive(kept[0].id, ALIVE).await.unwrap());
    assert!(!tx.remove_analysis(kept[1].id).await.unwrap());
});

store_test!(an_analysis_is_given_back_once_and_only_if_nothing_was_read_for_it, |test| async move {
    let ada = test.add_user("ada").await;
    let spark = source(ada.tenant, "spark");
    keep_source(&test.store, &spark).await;
    let (idle, busy) = (analysis(&ada, &spark), analysis(&ada, &spark));
    begin(&test.store, &idle).await;
    begin(&test.store, &busy).await;
    test.store.take_calls(ada.id, MONTH, 5, None, NOW).await.unwrap().unwrap();
    assert_eq!(used(&test.store, ada.id).await, (2, 2));

    let mut steps = busy.steps.clone();
    steps[0].state = StepState::Done;
    let mut tx = test.store.tenant(ada.tenant).await.unwrap();
    assert!(tx.set_analysis_steps(busy.id, &steps, ALIVE).await.unwrap());
    tx.commit().await.unwrap();
    assert!(end(&test.store, &idle, AnalysisState::Failed).await);
    assert!(!end(&test.store, &idle, AnalysisState::Failed).await);
    assert!(end(&test.store, &busy, AnalysisState::Cancelled).await);

    assert_eq!(used(&test.store, ada.id).await, (1, 0));
    let mut tx = test.store.tenant(ada.tenant).await.unwrap();
    let failed = tx.find_analysis(idle.id).await.unwrap().unwrap().analysis;
    assert_eq!((failed.state, failed.failure.as_deref()), (AnalysisState::Failed, Some("why")));
    assert_eq!(failed.ended_at, Some(NOW));
    // What was charged outlives the analysis, and does not touch the calls.
    assert!(tx.remove_analysis(busy.id).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(used(&test.store, ada.id).await, (1, 0));
    let mut tx = test.store.system_read().await.unwrap();
    assert_eq!(tx.usage(ada.id, MONTH).await.unwrap(), 5);
    assert_eq!(tx.analyses_used(ada.id, Month(202_612)).await.unwrap(), 0);
});

store_test!(analyses_whose_process_is_gone_are_found_and_do_not_count_as_running, |test| async move {
    let ada = test.add_user("ada").await;
    let spark = source(ada.tenant, "spark");
    keep_source(&test.store, &spark).await;
    let lost = analysis(&ada, &spark);
    begin(&test.store, &lost).await;

    let mut tx = test.store.system_read().await.unwrap();
    assert_eq!(tx.list_lost_analyses(None, ALIVE, 10).await.unwrap(), []);
    assert_eq!(tx.count_running_analyses(ada.id, ALIVE).await.unwrap(), 1);
    let late = Ms(ALIVE.0 + 1);
    for of in [None, Some(ada.id)] {
        assert_eq!(tx.list_lost_analyses(of, late, 10).await.unwrap(), [(ada.tenant, lost.id)]);
    }
    assert_eq!(tx.list_lost_analyses(Some(UserId::new()), late, 10).await.unwrap(), []);
    assert_eq!(tx.count_running_analyses(ada.id, late).await.unwrap(), 0);
});

store_test!(a_removed_source_leaves_its_analyses_with_its_name, |test| async move {
    let ada = test.add_user("ada").await;
    let spark = source(ada.tenant, "spark");
    keep_source(&test.store, &spark).await;
    let kept = analysis(&ada, &spark);
    begin(&test.store, &kept).await;

    let mut tx = test.store.tenant(ada.tenant).await.unwrap();
    assert!(tx.remove_source(spark.id).await.unwrap());
    tx.commit().await.unwrap();

    let mut tx = test.store.read(ada.tenant).await.unwrap();
    let found = tx.find_analysis(kept.id).await.unwrap().unwrap().analysis;
    assert_eq!(found, Analysis { source: None, ..kept });
});

store_test!(old_analyses_go_and_running_ones_stay, |test| async move {
    let ada = test.add_user("ada").await;
    let spark = source(ada.tenant, "spark");
    keep_source(&test.store, &spark).await;
    let old = Ms(NOW.0 - 1000);
    let mut kept = Vec::new();
    for begun_at in [old, old, NOW] {
        let analysis = Analysis { begun_at, ..analysis(&ada, &spark) };
        begin(&test.store, &analysis).await;
        kept.push(analysis.id);
        if kept.len() != 2 {
            end(&test.store, &analysis, AnalysisState::Failed).await;
        }
    }

    let mut tx = test.store.system().await.unwrap();
    let removed = tx.prune_analyses(ada.tenant, NOW, 10).await.unwrap();
    tx.commit().await.unwrap();

    assert_eq!(removed, 1);
    let mut tx = test.store.read(ada.tenant).await.unwrap();
    let left = tx.list_analyses(&AnalysisFilter::default()).await.unwrap();
    let left: Vec<_> = left.into_iter().map(|row| row.analysis.id).collect();
    assert_eq!(left, [kept[2], kept[1]]);
});

store_test!(sixty_four_at_once_take_one_persons_turn_one_after_the_other, |test| async move {
    const LIMIT: i64 = 5;
    let ada = test.add_user("ada").await;
    let spark = source(ada.tenant, "spark");
    keep_source(&test.store, &spark).await;
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let (store, analysis) = (test.store.clone(), analysis(&ada, &spark));
            tokio::spawn(async move {
                let mut tx = retry(&store).await;
                tx.take_turn_of(ada.id).await.unwrap();
                let free = tx.analyses_used(ada.id, MONTH).await.unwrap() < LIMIT;
                if free {
                    tx.charge_analysis(ada.id, MONTH, NOW).await.unwrap();
                    tx.add_analysis(&analysis, ALIVE).await.unwrap();
                    tx.commit().await.unwrap();
                }
                i64::from(free)
            })
        })
        .collect();

    let mut begun = 0;
    for task in tasks {
        begun += task.await.unwrap();
    }

    assert_eq!(begun, LIMIT);
    assert_eq!(used(&test.store, ada.id).await, (LIMIT, LIMIT));
});

/// Begins a transaction, also when all connections are in use for a while.
async fn retry(store: &Store) -> crate::store::SystemTx {
    let end = tokio::time::Instant::now() + Duration::from_secs(60);
    loop {
        match store.system().await {
            Ok(tx) => return tx,
            Err(error) => assert!(error.is_passing() && tokio::time::Instant::now() < end, "{error:?}"),
        }
    }
}

async fn begin(store: &Store, analysis: &Analysis) {
    let mut tx = store.system().await.unwrap();
    tx.charge_analysis(analysis.begun_by.unwrap(), MONTH, NOW).await.unwrap();
    tx.add_analysis(analysis, ALIVE).await.unwrap();
    tx.commit().await.unwrap();
}

async fn end(store: &Store, analysis: &Analysis, state: AnalysisState) -> bool {
    let (tenant, id) = (analysis.tenant, analysis.id);
    let mut tx = store.system().await.unwrap();
    let failure = Some("why".to_owned());
    let ended = tx.end_analysis(&AnalysisEnd { tenant, id, state, failure, at: NOW }).await.unwrap();
    tx.commit().await.unwrap();
    ended
}

/// Returns how many analyses a person has been charged, and how many of them run.
async fn used(store: &Store, user: UserId) -> (i64, i64) {
    let mut tx = store.system_read().await.unwrap();
    (tx.analyses_used(user, MONTH).await.unwrap(), tx.count_running_analyses(user, NOW).await.unwrap())
}

fn analysis(user: &User, source: &Source) -> Analysis {
    let step = |name: &str| AnalysisStep {
        name: name.into(),
        state: StepState::Waiting,
        detail: String::new(),
        elapsed_ms: 0,
    };
    Analysis {
        id: AnalysisId::new(),
        tenant: user.tenant,
        source: Some(source.id),
        source_name: source.name.clone(),
        app_id: "app-1".into(),
        attempt: None,
        app_name: String::new(),
        state: AnalysisState::Running,
        begun_by: Some(user.id),
        begun_by_handle: user.handle.to_string(),
        begun_at: NOW,
        ended_at: None,
        steps: vec![step("application"), step("jobs")],
        tally: Tally::default(),
        failure: None,
    }
}

fn report() -> AnalysisReport {
    let finding = Finding {
        kind: "skew".into(),
        severity: Severity::Severe,
        title: "Stage 3 is skewed".into(),
        evidence: Vec::new(),
        why: "One task \0 works alone".into(),
        change: vec!["Salt the key".into()],
        expected: "half the time".into(),
        estimated_by: "the median".into(),
    };
    AnalysisReport { findings: vec![finding], ..AnalysisReport::default() }
}
