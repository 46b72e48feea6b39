//! Sources that say what no source should, and calls that come all at once.

use std::time::Duration;

use axum::body::Body;
use futures::{future::join_all, stream};
use serde_json::json;

use super::{
    asking, echo, pieces, result,
    scripted::{Scripted, Seen, Sessions, event, events, modern_answer},
};
use crate::upstream::{Answer, Call, ReplyBody, UpstreamError};

/// A legacy source that answers calls with these bytes as a stream.
async fn saying(text: impl Fn(&Seen) -> Vec<u8> + Clone + Send + Sync + 'static) -> Scripted {
    let sessions = Sessions::default();
    Scripted::start(move |seen| {
        let answer = sessions.answer(&seen).unwrap_or_else(|| match seen.method() {
            "tools/call" => events(text(&seen)),
            _ => axum::response::IntoResponse::into_response(http::StatusCode::METHOD_NOT_ALLOWED),
        });
        async move { answer }
    })
    .await
}

fn reply(seen: &Seen, result: serde_json::Value) -> String {
    event(&json!({"jsonrpc": "2.0", "id": seen.body["id"], "result": result}))
}

#[tokio::test]
async fn the_first_answer_counts_and_those_to_other_requests_do_not() {
    let source = saying(|seen| {
        let id = seen.body["id"].as_u64().unwrap();
        let other = |id: serde_json::Value| event(&json!({"jsonrpc": "2.0", "id": id, "result": {"n": 0}}));
        let refused = json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32700, "message": "x"}});
        [
            other(json!(id + 1)),
            other(json!(format!("x{id}"))),
            event(&refused),
            reply(seen, json!({"n": 1})),
            reply(seen, json!({"n": 2})),
        ]
        .concat()
        .into_bytes()
    })
    .await;
    let link = source.link();

    assert_eq!(result(link.call(echo("1")).await).await["n"], 1);
    assert_eq!(result(link.call(echo("2")).await).await["n"], 1);
}

#[tokio::test]
async fn an_answer_of_another_type_is_passed_on_and_one_of_no_type_is_none() {
    let odd = saying(|seen| reply(seen, json!([1, "not an object"])).into_bytes()).await;
    let neither = saying(|seen| event(&json!({"jsonrpc": "2.0", "id": seen.body["id"]})).into_bytes()).await;

    assert_eq!(result(odd.link().call(echo("{}")).await).await, json!([1, "not an object"]));
    let outcome = neither.link().call(echo("{}")).await.map(drop);
    assert!(
        matches!(outcome, Err(UpstreamError::Protocol { .. } | UpstreamError::Died { .. })),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn an_answer_before_its_own_question_ends_the_call() {
    let source = saying(|seen| {
        let question = json!({"jsonrpc": "2.0", "id": 1, "method": "elicitation/create", "params": {}});
        [reply(seen, json!({"n": 1})), event(&question)].concat().into_bytes()
    })
    .await;

    let answer = source.link().call(asking("{}", "ada", json!({"elicitation": {}}))).await.unwrap();

    assert!(matches!(answer, Answer::Complete(_)));
}

#[tokio::test]
async fn a_stream_in_pieces_of_one_byte_is_read_like_any_other() {
    let sessions = Sessions::default();
    let source = Scripted::start(move |seen| {
        let answer = sessions.answer(&seen).unwrap_or_else(|| {
            let token = seen.body["params"]["_meta"]["progressToken"].clone();
            let progress = json!({"jsonrpc": "2.0", "method": "notifications/progress",
                "params": {"progressToken": token, "progress": 1, "message": "größer"}});
            let text = [event(&progress), reply(&seen, json!({"text": "ä\r\n"}))].concat();
            let bytes: Vec<u8> = text.into_bytes();
            events(Body::from_stream(stream::iter(
                bytes.into_iter().map(|byte| Ok::<_, std::io::Error>(vec![byte])),
            )))
        });
        async move { answer }
    })
    .await;

    let told = pieces(source.link().call(Call { progress: true, ..echo("{}") }).await).await;

    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("größer"));
}

#[tokio::test]
async fn a_stream_that_never_answers_runs_out_of_time() {
    let sessions = Sessions::default();
    let source = Scripted::start(move |seen| {
        let answer = sessions.answer(&seen).unwrap_or_else(|| {
            let words = stream::unfold((), |()| async {
                tokio::task::yield_now().await;
                Some((Ok::<_, std::io::Error>(":\n\nevent: message\ndata:\n\n"), ()))
            });
            events(Body::from_stream(words))
        });
        async move { answer }
    })
    .await;
    let call = Call { timeout: Duration::from_millis(300), ..echo("{}") };

    let outcome = source.link().call(call).await.map(drop);

    assert!(matches!(outcome, Err(UpstreamError::Timeout { .. })), "{outcome:?}");
    source.wait_for(|seen| seen.method() == "notifications/cancelled").await;
}

#[tokio::test]
async fn sixty_four_mebibytes_on_one_line_are_cut_off_at_the_bound() {
    let sessions = Sessions::default();
    let source = Scripted::start(move |seen| {
        let answer = sessions.answer(&seen).unwrap_or_else(|| {
            let piece = bytes::Bytes::from(vec![b'x'; 64 * 1024]);
            let line = stream::iter((0..1024).map(move |_| Ok::<_, std::io::Error>(piece.clone())));
            events(Body::from_stream(line))
        });
        async move { answer }
    })
    .await;

    let outcome = source.link().call(echo("{}")).await.map(drop);

    assert!(matches!(outcome, Err(UpstreamError::TooLarge { .. })), "{outcome:?}");
}

#[tokio::test]
async fn what_is_no_text_is_a_broken_protocol() {
    let source = saying(|seen| {
        let mut bytes =
            format!("data: {{\"jsonrpc\":\"2.0\",\"id\":{},\"result\":\"", seen.body["id"]).into_bytes();
        bytes.extend_from_slice(b"\xff\xfe\"}\n\n");
        bytes
    })
    .await;

    let outcome = source.link().call(echo("{}")).await.map(drop);

    assert!(matches!(outcome, Err(UpstreamError::Protocol { .. })), "{outcome:?}");
}

#[tokio::test]
async fn a_thousand_calls_of_many_callers_at_once_get_their_own_answers_and_questions() {
    let sessions = Sessions::default();
    let source = Scripted::start(move |seen| {
        let answer = sessions.answer(&seen).unwrap_or_else(|| {
            let number = seen.body["params"]["arguments"].clone();
            let question = json!({"jsonrpc": "2.0", "id": number, "method": "elicitation/create",
                "params": {"message": number.to_string()}});
            let told = [event(&question), reply(&seen, json!({"echo": number}))].concat();
            events(told)
        });
        async move { answer }
    })
    .await;
    let link = source.link();

    let calls = (0..1000_u32).map(|number| {
        let link = &link;
        async move {
            let who = format!("caller {}", number % 7);
            let call = asking(&number.to_string(), &who, json!({"elicitation": {}}));
            let mut stream = super::stream(link.call(call).await);
            let (_, _, params) = super::question(&mut stream).await;
            assert_eq!(params["message"], number.to_string());
            assert_eq!(super::last(&mut stream).await["echo"], number);
        }
    });
    join_all(calls).await;
}

#[tokio::test]
async fn an_error_without_an_id_answers_the_only_request_it_can_mean() {
    let source = Scripted::start(|seen| async move {
        match seen.method() {
            "tools/call" => super::scripted::json_answer(
                http::StatusCode::BAD_REQUEST,
                &json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32602, "message": "no"}}),
            ),
            _ => modern_answer(&seen),
        }
    })
    .await;

    let reply = source.link().call(echo("{}")).await.unwrap().finish().await.unwrap();

    assert!(matches!(reply.body, ReplyBody::Error(error) if error.starts_with(br#"{"code":-32602"#)));
}
