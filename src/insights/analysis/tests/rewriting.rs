//! A model behind an OpenAI-compatible address, played by a server on the loopback address.

use std::sync::Mutex;

use axum::{Json, Router, extract::State, http::HeaderMap, response::IntoResponse, routing::post};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::*;
use crate::{
    insights::analysis::rewrite::{RewriteError, rewrite},
    secret::Secret,
};

const TEXT: &str = "# nightly\n\nStage 3 takes 12.5 s.";

/// What a model is told to answer, and what it was asked.
#[derive(Clone)]
struct Model {
    answer: (u16, String),
    asked: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Model {
    /// Starts one that answers every request with this.
    async fn answering(status: u16, answer: String) -> (Self, ModelSettings) {
        let model = Self { answer: (status, answer), asked: Arc::default() };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/v1/", listener.local_addr().unwrap()).parse().unwrap();
        let router = Router::new().route("/v1/chat/completions", post(answer_one)).with_state(model.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let key = Some(Secret::new("sk-tried".to_owned()));
        (model, ModelSettings { url, name: "small".into(), key })
    }

    /// Starts one that says this.
    async fn saying(text: &str) -> (Self, ModelSettings) {
        Self::answering(200, said(text, "stop")).await
    }
}

async fn answer_one(
    State(model): State<Model>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> impl IntoResponse {
    let authorization = headers["authorization"].to_str().unwrap().to_owned();
    model.asked.lock().unwrap().push((authorization, body));
    (http::StatusCode::from_u16(model.answer.0).unwrap(), model.answer.1)
}

fn said(text: &str, finish_reason: &str) -> String {
    let choice = json!({"message": {"role": "assistant", "content": text}, "finish_reason": finish_reason});
    json!({"choices": [choice]}).to_string()
}

async fn rewritten(model: &ModelSettings) -> Result<String, RewriteError> {
    rewrite(&egress(), model, TEXT, &AnalysisReport::default()).await
}

#[tokio::test]
async fn a_model_is_sent_the_report_and_its_words_are_taken() {
    let (played, model) = Model::saying("\nThe third stage needs 12.50 seconds.\n").await;

    let text = rewritten(&model).await.unwrap();

    assert_eq!(text, "The third stage needs 12.50 seconds.");
    let asked = played.asked.lock().unwrap().clone();
    let [(authorization, body)] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!(authorization, "Bearer sk-tried");
    assert_eq!((&body["model"], &body["messages"][1]["content"]), (&json!("small"), &json!(TEXT)));
}

#[tokio::test]
async fn words_with_a_number_that_nobody_measured_are_not_taken() {
    let (_, model) = Model::saying("It would take 3 s.").await;

    let error = rewritten(&model).await.unwrap_err();

    assert!(matches!(&error, RewriteError::Invented(what) if what == "3 s"), "{error:?}");
}

#[tokio::test]
async fn a_model_that_fails_is_said_to_and_nothing_is_taken() {
    let long = "x".repeat(2 * 1024 * 1024);
    for (status, answer, why) in [
        (500, "no".to_owned(), "the status 500"),
        (200, "<html>".to_owned(), "holds no text"),
        (200, said("", "stop"), "holds no text"),
        (200, said("It takes", "length"), "holds no text"),
        (200, said(&long, "stop"), "could not be asked"),
    ] {
        let (_, model) = Model::answering(status, answer).await;

        let error = rewritten(&model).await.unwrap_err();

        assert!(error.to_string().contains(why), "{error}");
        assert!(!format!("{error:?}").contains("sk-tried"));
    }
}
