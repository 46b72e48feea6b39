//! Counters add up, by minute and hour, for each organisation by itself.

use super::*;
use crate::store::{
    Dimension, Histogram, MetricRow, SeriesQuery, TotalKey, TotalsQuery, testing::store_test,
};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

fn row(tenant: TenantId, at: Ms, preset: Option<PresetId>, tool: &str, duration_us: i64) -> MetricRow {
    let mut histogram = Histogram::default();
    histogram.record(duration_us);
    MetricRow {
        tenant,
        at,
        preset,
        source: None,
        tool: tool.into(),
        calls: 1,
        errors: i64::from(tool == "broken"),
        duration_us_sum: duration_us,
        duration_us_max: duration_us,
        histogram,
    }
}

fn all(from: Ms, to: Ms, bucket_ms: i64) -> SeriesQuery {
    SeriesQuery { from, to, bucket_ms, preset: None, source: None, tool: None }
}

store_test!(what_is_added_is_found_in_minutes_and_hours, |test| async move {
    let (ada, bob) = (test.add_user("ada").await, test.add_user("bob").await);
    let preset = PresetId::new();
    let start = Ms(NOW.0 / HOUR * HOUR);
    let at = |minute: i64| Ms(start.0 + minute * MINUTE + 17);
    let mut tx = test.store.system().await.unwrap();
    tx.add_metrics(&[
        row(ada.tenant, at(0), Some(preset), "read", 1000),
        row(ada.tenant, at(0), Some(preset), "read", 3000),
        row(ada.tenant, at(1), Some(preset), "broken", 900),
        row(ada.tenant, at(70), None, "read", 200),
        row(bob.tenant, at(0), None, "read", 5),
    ])
    .await
    .unwrap();
    tx.add_metrics(&[row(ada.tenant, at(0), Some(preset), "read", 2000)]).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = test.store.read(ada.tenant).await.unwrap();
    let end = Ms(start.0 + 2 * HOUR);
    let minutes = tx.series(&all(start, end, MINUTE)).await.unwrap();
    assert_eq!(minutes.iter().map(|point| point.calls).collect::<Vec<_>>(), [3, 1, 1]);
    assert_eq!((minutes[0].at, minutes[0].duration_us_sum, minutes[0].duration_us_max), (start, 6000, 3000));
    assert_eq!((minutes[0].histogram.count(), minutes[1].errors), (3, 1));

    for bucket in [5 * MINUTE, HOUR] {
        let mut query = all(start, end, bucket);
        query.preset = Some(preset);
        let points = tx.series(&query).await.unwrap();
        assert_eq!(points.iter().map(|point| point.calls).collect::<Vec<_>>(), [4], "{bucket}");
    }

    for to in [end, Ms(start.0 + 24 * HOUR)] {
        let query = TotalsQuery {
            by: Dimension::Tool,
            from: start,
            to,
            preset: None,
            source: None,
            tool: None,
            limit: 10,
        };
        let by_tool = tx.totals(&query).await.unwrap();
        assert_eq!(by_tool[0].key, TotalKey::Tool("read".into()));
        assert_eq!((by_tool[0].calls, by_tool[1].calls, by_tool[1].errors), (4, 1, 1));
        let by_preset = tx.totals(&TotalsQuery { by: Dimension::Preset, ..query.clone() }).await.unwrap();
        assert_eq!(by_preset[0].key, TotalKey::Preset(Some(preset)));
        assert_eq!(by_preset[1].key, TotalKey::Preset(None));
        let one = TotalsQuery { by: Dimension::Source, tool: Some("broken".into()), limit: 1, ..query };
        let by_source = tx.totals(&one).await.unwrap();
        assert_eq!((by_source[0].key.clone(), by_source[0].calls), (TotalKey::Source(None), 1));
    }
});

store_test!(old_minutes_go_and_hours_stay, |test| async move {
    let ada = test.add_user("ada").await;
    let start = Ms(NOW.0 / HOUR * HOUR);
    let rows: Vec<_> =
        (0..5).map(|minute| row(ada.tenant, Ms(start.0 + minute * MINUTE), None, "read", 100)).collect();
    let mut tx = test.store.system().await.unwrap();
    tx.add_metrics(&rows).await.unwrap();

    assert_eq!(tx.prune_minute_details(Ms(start.0 + 3 * MINUTE), 2).await.unwrap(), 2);
    assert_eq!(tx.prune_minute_details(Ms(start.0 + 3 * MINUTE), 2).await.unwrap(), 1);
    tx.commit().await.unwrap();
    let mut query = all(start, Ms(start.0 + HOUR), HOUR);
    query.tool = Some("read".into());
    assert_eq!(test.store.read(ada.tenant).await.unwrap().series(&query).await.unwrap()[0].calls, 5);

    let mut tx = test.store.system().await.unwrap();
    let mut removed = 0;
    while let n @ 1.. = tx.prune_metrics(ada.tenant, Ms(start.0 + HOUR), 2).await.unwrap() {
        removed += n;
    }
    assert_eq!(removed, 5 + 2 + 1);
});

store_test!(thousands_of_series_fit_one_call, |test| async move {
    let ada = test.add_user("ada").await;
    let rows: Vec<_> =
        (0..1100).map(|number| row(ada.tenant, NOW, None, &format!("tool-{number}"), number)).collect();
    let mut tx = test.store.system().await.unwrap();
    tx.add_metrics(&rows).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = test.store.read(ada.tenant).await.unwrap();
    let points = tx.series(&all(Ms(NOW.0 - MINUTE), Ms(NOW.0 + 1), MINUTE)).await.unwrap();
    assert_eq!(points.iter().map(|point| point.calls).sum::<i64>(), 1100);
});
