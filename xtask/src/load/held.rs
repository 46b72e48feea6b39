//! Callers that open something and then do nothing.

use anyhow::{Context, Result, bail, ensure};
use http_body_util::BodyExt;
use hyper::Uri;
use hyper::body::Incoming;

use crate::Era;
use crate::caller::Caller;

/// What is kept open as long as this is.
pub(crate) struct Held {
    _caller: Caller,
    _stream: Option<Incoming>,
}

/// Opens what an order says: `what url key count`.
pub(crate) async fn open(order: &str, kept: &mut Vec<Held>) -> Result<()> {
    let words: Vec<_> = order.split_whitespace().collect();
    let [what, url, key, count] = words[..] else { bail!("a word is missing in the order") };
    let (url, count): (Uri, usize) = (url.parse()?, count.parse()?);
    match what {
        "sessions" => {
            let mut caller = Caller::connect(&url, key, Era::Legacy).await?;
            for _ in 1..count {
                caller.open_again().await?;
            }
            kept.push(Held { _caller: caller, _stream: None });
        }
        "listens" => {
            for _ in 0..count {
                let mut caller = Caller::connect(&url, key, Era::Modern).await?;
                let stream = listening(&mut caller).await?;
                kept.push(Held { _caller: caller, _stream: Some(stream) });
            }
        }
        "parked" => {
            let mut caller = Caller::connect(&url, key, Era::Modern).await?;
            caller.can_be_asked = true;
            for _ in 0..count {
                let (_, answer) = caller.ask("tools/call", "ask", r#""name":"ask","arguments":{}"#).await?;
                let answer = String::from_utf8_lossy(&answer);
                ensure!(answer.contains("input_required"), "a wrong answer: {answer}");
            }
            kept.push(Held { _caller: caller, _stream: None });
        }
        other => bail!("`{other}` is neither sessions, listens nor parked"),
    }
    Ok(())
}

/// Returns a stream that has been acknowledged.
async fn listening(caller: &mut Caller) -> Result<Incoming> {
    let wish = r#""notifications":{"toolsListChanged":true}"#;
    let (_, mut stream) = caller.begin("subscriptions/listen", "", wish).await?;
    let first = stream.frame().await.context("the stream ended at once")??;
    let first = first.into_data().map_err(|_| anyhow::anyhow!("the stream began without data"))?;
    let text = String::from_utf8_lossy(&first);
    ensure!(text.contains("notifications/subscriptions/acknowledged"), "a wrong answer: {text}");
    Ok(stream)
}
