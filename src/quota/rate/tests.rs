mod redis;

use std::{sync::Arc, time::Duration};

use futures::FutureExt as _;

use super::{
    buckets::{BUCKETS_MAX, Buckets},
    *,
};
use crate::model::{
    ApiKeyId, Handle, InstanceRole, KeyScope, Member, OrgRole, PlanName, Preset, Principal, TenantId, Via,
    Whence, samples,
};

const NOW: Ms = Ms(1_795_233_963_183);

#[tokio::test]
async fn whoever_is_refused_by_one_bucket_has_used_nothing_of_the_others() {
    let scene = Scene::new(rules("100/minute", &[("send", "1/minute")]));
    let rates = Rates::new(RateSettings { person: some("3/minute"), ..RateSettings::default() });
    let send = scene.asked(Some("send"));

    assert!(rates.take(&send, None, NOW).await.is_ok());
    for _ in 0..50 {
        assert_eq!(refused(rates.take(&send, None, NOW).await).limited, Limited::Tool);
    }

    let free: Vec<_> =
        rates.standing(&send, None, NOW).await.iter().map(|one| (one.limited, one.free)).collect();
    assert_eq!(free, [(Limited::Tool, 0), (Limited::Preset, 99), (Limited::Person, 2)]);
}

#[tokio::test]
async fn the_most_particular_refusal_is_told_with_the_longest_wait() {
    let scene = Scene::new(rules("1/hour", &[("send", "1/minute")]));
    let rates = Rates::new(RateSettings { organisation: some("1/day"), ..RateSettings::default() });
    let send = scene.asked(Some("send"));
    assert!(rates.take(&send, None, NOW).await.is_ok());

    let refused = refused(rates.take(&send, None, NOW).await);

    assert_eq!((refused.limited, refused.set_by), (Limited::Tool, SetBy::Owner));
    assert_eq!(refused.retry_after, Duration::from_secs(86_400));
    assert_eq!(rates.refused(), 1);
}

#[tokio::test]
async fn what_the_owner_and_what_the_operator_say_both_hold() {
    let scene = Scene::new(rules("5/minute", &[]));
    for (operator, expected) in [("3/minute", 3), ("9/minute", 5)] {
        let rates = Rates::new(RateSettings { preset: some(operator), ..RateSettings::default() });

        let asked = scene.asked(None);
        let count = admitted(20, &rates, &asked, None);

        assert_eq!(count, expected, "{operator}");
    }
}

#[tokio::test]
async fn a_plan_says_how_fast_its_people_may_call() {
    let scene = Scene::new(CallRules::default());
    let rates = Rates::new(RateSettings { person: some("2/minute"), ..RateSettings::default() });
    let asked = scene.asked(None);

    let count = admitted(20, &rates, &asked, some("7/minute"));

    assert_eq!(count, 7);
}

#[tokio::test]
async fn a_source_is_limited_across_presets_and_by_its_own_names() {
    let (one, other) = (Scene::new(CallRules::default()), Scene::new(CallRules::default()));
    let source_rules = rules("100/minute", &[("search", "1/minute")]);
    let rates = Rates::new(RateSettings::default());
    let of = |scene| {
        let asked: Asked<'_> = Scene::asked(scene, None);
        Asked {
            source: one.source,
            source_rules: Some(&source_rules),
            tool: Some(("find", "search")),
            ..asked
        }
    };

    assert!(rates.take(&of(&one), None, NOW).await.is_ok());
    assert_eq!(refused(rates.take(&of(&other), None, NOW).await).limited, Limited::SourceTool);
}

#[tokio::test]
async fn a_key_is_limited_whatever_it_calls() {
    let mut scene = Scene::new(CallRules::default());
    scene.caller = member(some("1/minute"));
    let rates = Rates::new(RateSettings::default());
    let elsewhere = Preset { id: PresetId::new(), ..scene.preset.clone() };

    assert!(!rates.are_free(&scene.asked(None)));
    assert!(rates.take(&scene.asked(None), None, NOW).await.is_ok());
    let refused = refused(rates.take(&Asked { preset: &elsewhere, ..scene.asked(None) }, None, NOW).await);

    assert_eq!(refused.limited, Limited::Key);
}

#[tokio::test]
async fn without_a_key_the_organisation_of_the_preset_counts() {
    let mut scene = Scene::new(CallRules::default());
    scene.caller = Principal::Anonymous;
    let limits = RateSettings {
        organisation: some("1/minute"),
        person: some("1/day"),
        key: some("1/day"),
        ..RateSettings::default()
    };
    let rates = Rates::new(limits);

    assert!(rates.take(&scene.asked(None), None, NOW).await.is_ok());
    assert_eq!(refused(rates.take(&scene.asked(None), None, NOW).await).limited, Limited::Organisation);
    assert!(rates.take(&scene.asked(None), None, NOW.plus(Duration::from_secs(60))).await.is_ok());
}

#[test]
fn nothing_is_looked_at_where_nothing_is_limited() {
    let scene = Scene::new(CallRules::default());
    let rates = Rates::new(RateSettings { rest: some("1/minute"), ..RateSettings::default() });

    assert!(rates.are_free(&scene.asked(Some("send"))));
    assert!(
        !Rates::new(RateSettings { tool: some("1/minute"), ..RateSettings::default() })
            .are_free(&scene.asked(Some("send")))
    );
}

#[tokio::test]
async fn requests_to_the_rest_api_have_a_bucket_of_their_own() {
    let rates = Rates::new(RateSettings { rest: some("2/minute"), ..RateSettings::default() });
    let (ada, bob) = (UserId::new(), UserId::new());

    let mut admitted = 0;
    for _ in 0..9 {
        admitted += usize::from(rates.take_rest(ada, NOW).await.is_ok());
    }

    assert_eq!(admitted, 2);
    assert!(rates.take_rest(bob, NOW).await.is_ok());
    assert!(Rates::new(RateSettings::default()).take_rest(ada, NOW).await.is_ok());
}

#[tokio::test]
async fn a_page_shows_what_is_free_of_a_thing_and_of_its_tools() {
    let scene = Scene::new(rules("5/minute", &[("send", "2/minute"), ("read", "9/minute")]));
    let rates = Rates::new(RateSettings { preset: some("50/minute"), ..RateSettings::default() });
    rates.take(&scene.asked(Some("send")), None, NOW).await.unwrap();

    let shown = rates.shown(Shown::Preset(scene.preset.id, &scene.preset.rules), NOW).await;

    let shown: Vec<_> = shown.iter().map(|one| (one.tool.as_deref(), one.set_by, one.free)).collect();
    assert_eq!(
        shown,
        [
            (None, SetBy::Owner, 4),
            (None, SetBy::Operator, 49),
            (Some("read"), SetBy::Owner, 9),
            (Some("send"), SetBy::Owner, 1),
        ]
    );
}

#[test]
fn sixty_four_at_once_get_what_is_free_and_no_more() {
    let scene = Arc::new(Scene::new(rules("500/day", &[("send", "100/day")])));
    let rates = Arc::new(Rates::new(RateSettings::default()));

    let threads: Vec<_> = (0..64)
        .map(|n| {
            let (scene, rates) = (Arc::clone(&scene), Arc::clone(&rates));
            std::thread::spawn(move || {
                let tool = if n % 2 == 0 { "send" } else { "read" };
                admitted(50, &rates, &scene.asked(Some(tool)), None)
            })
        })
        .collect();
    let admitted: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();

    assert_eq!(admitted, 500);
}

#[test]
fn buckets_are_bounded_and_full_ones_forgotten() {
    let buckets = Buckets::default();
    let of = |user: UserId, rate: &str| {
        let mut checks = Checks::none();
        checks.put(Limited::Person, user.0, 0, some(rate), None);
        checks
    };
    for _ in 0..BUCKETS_MAX + 10 {
        buckets.take(&of(UserId::new(), "60/minute"), NOW).unwrap();
    }
    assert_eq!(buckets.count(), BUCKETS_MAX);

    buckets.take(&of(UserId::new(), "1/hour"), NOW).unwrap();
    buckets.forget_full(NOW.plus(Duration::from_secs(1)));

    assert_eq!(buckets.count(), 1);
}

/// Returns how many of so many are let through. Buckets in memory do not wait.
fn admitted(count: usize, rates: &Rates, asked: &Asked<'_>, plan: Option<Rate>) -> usize {
    let take = |_: &usize| rates.take(asked, plan, NOW).now_or_never().expect("it waits for nothing").is_ok();
    (0..count).filter(take).count()
}

fn refused(taken: Result<(), Refusal>) -> TooFast {
    match taken {
        Err(Refusal::TooFast(too_fast)) => too_fast,
        other => panic!("{other:?}"),
    }
}

struct Scene {
    caller: Principal,
    preset: Preset,
    source: SourceId,
}

impl Scene {
    fn new(rules: CallRules) -> Self {
        let preset = Preset { rules, ..samples::preset(TenantId::new(), "ops") };
        Self { caller: member(None), preset, source: SourceId::new() }
    }

    fn asked<'a>(&'a self, tool: Option<&'a str>) -> Asked<'a> {
        Asked {
            caller: &self.caller,
            preset: &self.preset,
            source: self.source,
            source_rules: None,
            tool: tool.map(|tool| (tool, tool)),
        }
    }
}

fn member(rate: Option<Rate>) -> Principal {
    let (tenant, handle) = (TenantId::new(), Handle::parse("ada").unwrap());
    Principal::Member(Arc::new(Member {
        user: UserId::new(),
        handle: handle.clone(),
        tenant,
        tenant_handle: handle,
        org_role: OrgRole::Admin,
        instance_role: InstanceRole::Member,
        plan: PlanName::parse("free").unwrap(),
        via: Via::ApiKey { id: ApiKeyId::new(), name: "agent".into(), scope: KeyScope::Everything, rate },
        whence: Whence::default(),
    }))
}

fn rules(rate: &str, tools: &[(&str, &str)]) -> CallRules {
    let tools = tools.iter().map(|(name, rate)| ((*name).to_owned(), Rate::parse(rate).unwrap()));
    CallRules { rate: some(rate), tools: tools.collect(), ..CallRules::default() }
}

#[expect(clippy::unnecessary_wraps, reason = "it stands where a limit may be absent")]
fn some(rate: &str) -> Option<Rate> {
    Some(Rate::parse(rate).unwrap())
}
