//! Sources that answer wrongly, late, too much or not at all, and addresses that lead elsewhere.

use std::{net::TcpListener, time::Duration};

use axum::response::IntoResponse;
use http::StatusCode;
use serde_json::json;
use url::Url;

use super::{
    echo,
    scripted::{
        NOW, Scripted, Sessions, event, events, limits, modern_answer, target, upstreams, upstreams_with,
    },
};
use crate::{
    clock::Clock,
    egress::{Egress, EgressError, EgressLimits, EgressPolicy},
    fault::Fault,
    model::Auth,
    secret::Secret,
    upstream::{Call, LinkState, StepOutcome, UpstreamError, UpstreamLimits, Upstreams},
};

fn page(status: u16) -> axum::response::Response {
    (
        StatusCode::from_u16(status).unwrap(),
        [("content-type", "text/html; charset=utf-8")],
        "<html>hello</html>",
    )
        .into_response()
}

#[tokio::test]
async fn a_web_page_is_no_mcp_server() {
    for status in [200, 404, 405] {
        let source = Scripted::start(move |_| async move { page(status) }).await;

        let error = source.link().call(echo("{}")).await.unwrap_err();

        let UpstreamError::NotMcp { answer } = &error else { panic!("{error:?}") };
        assert!(answer.contains("a web page"), "{answer}");
        assert_eq!(error.fault(), Fault::Upstream);
    }
}

#[tokio::test]
async fn a_missing_credential_is_told_as_that_and_settles_no_era() {
    let source = Scripted::start(|_| async {
        (StatusCode::UNAUTHORIZED, [("www-authenticate", "Bearer scope=\"read\"")]).into_response()
    })
    .await;
    let link = source.link();

    let error = link.call(echo("{}")).await.unwrap_err();

    assert!(matches!(
        error,
        UpstreamError::Credential { status: 401, challenge: Some(challenge) } if challenge == "Bearer scope=\"read\""
    ));
    assert_eq!(link.verdict(), None);
}

#[tokio::test]
async fn a_failing_server_settles_no_era() {
    for body in ["", r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"no"}}"#] {
        let source = Scripted::start(move |_| async move {
            (StatusCode::BAD_GATEWAY, [("content-type", "application/json")], body).into_response()
        })
        .await;
        let link = source.link();

        let error = link.call(echo("{}")).await.unwrap_err();

        assert!(matches!(&error, UpstreamError::Unreachable { detail } if detail.contains("502")), "{error}");
        assert_eq!(link.verdict(), None);
        assert_eq!(source.methods(), ["server/discover"]);
    }
}

#[tokio::test]
async fn a_source_that_never_answers_runs_out_of_time() {
    let source = Scripted::start(|seen| async move {
        match seen.method() {
            "tools/call" => std::future::pending().await,
            _ => modern_answer(&seen),
        }
    })
    .await;
    let link = source.link();

    let error = link.call(Call { timeout: Duration::from_millis(300), ..echo("{}") }).await.unwrap_err();

    assert!(matches!(error, UpstreamError::Timeout { after } if after == Duration::from_millis(300)));
}

#[tokio::test]
async fn a_stream_that_ends_in_the_middle_is_a_death() {
    let source = Scripted::start(|seen| async move {
        match seen.method() {
            "tools/call" => events(": nothing more\n\ndata: {\"jsonrpc\":\"2.0\","),
            _ => modern_answer(&seen),
        }
    })
    .await;

    let error = source.link().call(echo("{}")).await.unwrap_err();

    assert!(matches!(error, UpstreamError::Died { .. }), "{error:?}");
}

#[tokio::test]
async fn an_answer_beyond_the_bound_is_refused_whole_or_streamed() {
    for streamed in [false, true] {
        let source = Scripted::start(move |seen| async move {
            if seen.method() != "tools/call" {
                return modern_answer(&seen);
            }
            let result = json!({"text": "x".repeat(2 * 1024 * 1024)});
            match streamed {
                true => events(event(&json!({"jsonrpc": "2.0", "id": seen.body["id"], "result": result}))),
                false => seen.result(result),
            }
        })
        .await;

        let error = source.link().call(echo("{}")).await.unwrap_err();

        assert!(matches!(error, UpstreamError::TooLarge { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn broken_json_and_another_requests_answer_are_no_answer() {
    for body in [r#"{"jsonrpc":"2.0","id":"#, r#"{"jsonrpc":"2.0","id":424242,"result":{}}"#, "[]"] {
        let source = Scripted::start(move |seen| async move {
            match seen.method() {
                "tools/call" => ([("content-type", "application/json")], body).into_response(),
                _ => modern_answer(&seen),
            }
        })
        .await;

        let error = source.link().call(echo("{}")).await.unwrap_err();

        assert!(matches!(error, UpstreamError::NotMcp { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_redirect_within_the_origin_is_followed_and_remembered() {
    let source = Scripted::start(|seen| async move {
        match seen.path.as_str() {
            "/mcp" => (StatusCode::PERMANENT_REDIRECT, [("location", "/mcp/")]).into_response(),
            _ => modern_answer(&seen),
        }
    })
    .await;
    let link = source.link();

    link.call(echo("{}")).await.unwrap();
    link.call(echo("{}")).await.unwrap();

    let paths: Vec<String> = source.seen().into_iter().map(|seen| seen.path).collect();
    assert_eq!(paths, ["/mcp", "/mcp/", "/mcp/", "/mcp/"]);
}

#[tokio::test]
async fn a_redirect_to_another_origin_is_refused_and_the_credential_stays() {
    let thief = Scripted::modern().await;
    let address = thief.url.to_string();
    for status in [301, 302, 303, 307, 308] {
        let address = address.clone();
        let source = Scripted::start(move |_| {
            let address = address.clone();
            async move { (StatusCode::from_u16(status).unwrap(), [("location", address)]).into_response() }
        })
        .await;
        let mut target = source.target();
        target.credential.auth = Auth::Bearer(Secret::new("t0ken"));

        let error = upstreams().link(&target).call(echo("{}")).await.unwrap_err();

        assert!(matches!(&error, UpstreamError::Refused(EgressError::Redirect { .. })), "{error:?}");
        assert_eq!(error.fault(), Fault::Refused);
    }
    assert_eq!(thief.seen().len(), 0);
}

#[tokio::test]
async fn a_redirect_that_changes_the_request_or_never_ends_is_refused() {
    for (status, target) in [(302, "/elsewhere"), (307, "/mcp")] {
        let source = Scripted::start(move |_| async move {
            (StatusCode::from_u16(status).unwrap(), [("location", target)]).into_response()
        })
        .await;

        let error = source.link().call(echo("{}")).await.unwrap_err();

        assert!(matches!(&error, UpstreamError::Refused(EgressError::Redirect { .. })), "{error:?}");
        assert!(source.seen().len() <= 4);
    }
}

#[tokio::test]
async fn every_spelling_of_an_inner_address_is_refused_and_nothing_is_connected() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let hosts = [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "169.254.169.254",
        "[fd00:ec2::254]",
        "10.0.0.1",
        "[fec0::1]",
        "100.64.0.1",
    ];
    let egress = Egress::new(EgressPolicy::default(), EgressLimits::default());
    let upstreams = Upstreams::new(egress.clone(), Clock::manual(NOW), limits());
    for host in hosts {
        let url = Url::parse(&format!("http://{host}:{port}/mcp")).unwrap();

        let error = upstreams.link(&target(url.clone())).call(echo("{}")).await.unwrap_err();
        let report = upstreams.probe(&target(url), None).await;

        assert!(matches!(&error, UpstreamError::Refused(EgressError::Refused { .. })), "{host}: {error:?}");
        assert_eq!(report.steps[0].outcome, StepOutcome::Failed, "{host}");
        assert!(report.steps[0].detail.contains("not allowed"), "{host}: {}", report.steps[0].detail);
    }
    assert!(listener.accept().is_err());
}

#[tokio::test]
async fn an_address_with_a_password_or_of_another_scheme_is_refused_before_saving() {
    let egress = Egress::new(EgressPolicy::default(), EgressLimits::default());
    for url in ["ftp://example.org/", "http://u:p@example.org/", "https://example.org/#x", "http://[::1]/"] {
        assert!(egress.check_url(&Url::parse(url).unwrap()).is_err(), "{url}");
    }
    assert!(egress.check_url(&Url::parse("https://example.org/mcp?x=1").unwrap()).is_ok());
}

#[tokio::test]
async fn a_source_that_cannot_be_reached_is_answered_for_quickly_until_it_is_tried_again() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let clock = Clock::manual(NOW);
    let limits = UpstreamLimits { breaker_failures: 2, ..limits() };
    let upstreams = upstreams_with(limits, &clock);
    let target = target(Url::parse(&format!("http://127.0.0.1:{port}/mcp")).unwrap());
    let link = upstreams.link(&target);
    let refused = async || link.call(echo("{}")).await.unwrap_err().to_string();

    assert!(refused().await.contains("connection refused"));
    assert!(!refused().await.contains("next try"));
    assert!(refused().await.contains("next try"));
    assert_eq!(upstreams.status(target.source).unwrap().state, LinkState::Paused);

    clock.advance(Duration::from_secs(5));
    assert!(!refused().await.contains("next try"));
}

#[tokio::test]
async fn a_source_that_comes_back_is_used_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let clock = Clock::manual(NOW);
    let upstreams = upstreams_with(UpstreamLimits { breaker_failures: 1, ..limits() }, &clock);
    let link = upstreams.link(&target(Url::parse(&format!("http://{address}/mcp")).unwrap()));
    assert!(link.call(echo("{}")).await.is_err());

    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let app = axum::Router::new().fallback(async || page(404));
    tokio::spawn(async move { axum::serve(listener, app).await });
    clock.advance(Duration::from_secs(60));

    assert!(matches!(link.call(echo("{}")).await, Err(UpstreamError::NotMcp { .. })));
    assert_eq!(link.status().last_error, None);
}

#[tokio::test]
async fn a_test_reports_each_step_and_skips_what_follows_a_failure() {
    let sessions = Sessions::default();
    let source = sessions.serve().await;
    let report = upstreams().probe(&source.target(), None).await;
    let steps: Vec<(&str, StepOutcome)> =
        report.steps.iter().map(|step| (step.name.as_str(), step.outcome)).collect();
    assert_eq!(
        steps,
        [
            ("Resolve", StepOutcome::Ok),
            ("Connect", StepOutcome::Ok),
            ("TLS", StepOutcome::Skipped),
            ("Era", StepOutcome::Ok),
            // The scripted source answers a list with what is no list.
            ("Tools", StepOutcome::Failed),
        ]
    );
    assert_eq!(report.verdict.as_ref().unwrap().server, "old 0.9");
    assert_eq!(sessions.open(), 0);

    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let report = upstreams().probe(&target(Url::parse(&format!("http://{closed}/mcp")).unwrap()), None).await;
    let outcomes: Vec<StepOutcome> = report.steps.iter().map(|step| step.outcome).collect();
    assert_eq!(outcomes[..3], [StepOutcome::Ok, StepOutcome::Failed, StepOutcome::Skipped]);
    assert!(report.failure().unwrap().contains("connection refused"));
    assert!(report.verdict.is_none() && !report.passed());
}

#[tokio::test]
async fn a_test_says_which_credential_is_wanted() {
    let source = Scripted::start(|_| async {
        (StatusCode::UNAUTHORIZED, [("www-authenticate", "Basic realm=\"tools\"")]).into_response()
    })
    .await;

    let report = upstreams().probe(&source.target(), None).await;

    assert_eq!(report.needs_credential.as_deref(), Some("Basic realm=\"tools\""));
}

#[tokio::test]
async fn speaking_tls_to_a_port_that_does_not_is_explained() {
    let source = Scripted::modern().await;
    let mut url = source.url.clone();
    url.set_scheme("https").unwrap();

    let report = upstreams().probe(&target(url), None).await;

    let tls = &report.steps[2];
    assert_eq!((tls.name.as_str(), tls.outcome), ("TLS", StepOutcome::Failed));
    assert!(tls.detail.contains("http://"), "{}", tls.detail);
}
