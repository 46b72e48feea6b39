//! `doorward connect`: any preset as an MCP server on standard input and output, for clients that
//! only start processes.
//!
//! Carries messages of both eras as they are: a line in, one HTTP request out, its answer (or the
//! events of its answer) a line each back. Adds only what HTTP wants beside the message: the key,
//! the headers that repeat parts of it, and the session of the legacy era. Never looks at arguments
//! or results, and never answers in the gateway's place except to say that it could not be reached.

mod link;
mod message;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use doorward::{egress::Egress, secret::Secret};
use http::Uri;
use thiserror::Error;
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::{Semaphore, mpsc},
    task::{AbortHandle, JoinSet},
};

use link::Link;
use message::Envelope;

/// The largest message carried either way, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How many requests may wait for their answers at once.
const REQUESTS_MAX: usize = 256;

/// How many lines may wait to be written.
const LINES_MAX: usize = 256;

/// How long answers are waited for after the client has closed its end.
const LAST_ANSWERS: Duration = Duration::from_secs(30);

/// Says why the bridge ended early.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The client's end is broken.
    #[error("could not read from or write to the client")]
    Client(#[from] std::io::Error),
    /// The client wrote more without a line end than any message may have.
    #[error("a message is larger than {MESSAGE_BYTES_MAX} bytes")]
    TooLarge,
    /// The key holds characters that no HTTP header may carry.
    #[error("the key is not one line of visible characters")]
    Key,
}

/// Where messages go.
#[derive(Clone, Debug)]
pub struct Target {
    /// The preset's address.
    pub url: Uri,
    /// The API key; `None` for a preset that asks for none.
    pub key: Option<Secret>,
}

/// Carries messages until the client closes its end.
pub async fn run<I, O>(target: Target, egress: Egress, input: I, output: O) -> Result<(), ConnectError>
where
    I: AsyncBufRead + Unpin,
    O: AsyncWrite + Unpin + Send + 'static,
{
    let (lines, waiting) = mpsc::channel(LINES_MAX);
    let mut writer = tokio::spawn(write_lines(waiting, output));
    let link = Arc::new(Link::new(target, egress, lines)?);
    let outcome = tokio::select! {
        outcome = read_messages(input, &link) => outcome,
        // A client that cannot be written to is gone, whether or not its other end is closed.
        gone = &mut writer => return Ok(gone.unwrap_or(Ok(()))?),
    };
    link.close().await;
    drop(link);
    // Every sender is gone, so the writer ends when it has written what is left.
    let _ = tokio::time::timeout(LAST_ANSWERS, writer).await;
    outcome
}

async fn read_messages<I: AsyncBufRead + Unpin>(mut input: I, link: &Arc<Link>) -> Result<(), ConnectError> {
    let places = Arc::new(Semaphore::new(REQUESTS_MAX));
    let under_way: Arc<Mutex<HashMap<String, AbortHandle>>> = Arc::default();
    let mut tasks = JoinSet::new();
    while let Some(line) = read_line(&mut input).await? {
        while tasks.try_join_next().is_some() {}
        let Some(envelope) = Envelope::read(&line) else {
            link.say_unreadable().await;
            continue;
        };
        if envelope.cancels_by_closing() {
            // The modern era cancels over HTTP by closing the answer, which dropping the task does.
            let id = envelope.cancelled_id().unwrap_or_default();
            if let Some(task) = lock(&under_way).remove(&id) {
                task.abort();
            }
            continue;
        }
        let Some(id) = envelope.request_id() else {
            // Notifications and answers keep their order.
            link.send(envelope, line.clone()).await;
            continue;
        };
        if envelope.opens_session() {
            // What follows needs the session that the answer to this one names.
            link.send(envelope, line.clone()).await;
            continue;
        }
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { break };
        let (link, finished, done_id) = (Arc::clone(link), Arc::clone(&under_way), id.clone());
        let task = tasks.spawn(async move {
            if let Some(envelope) = Envelope::read(&line) {
                link.send(envelope, line.clone()).await;
            }
            lock(&finished).remove(&done_id);
            drop(place);
        });
        if !task.is_finished() {
            lock(&under_way).insert(id, task);
        }
    }
    // The client may close its end as soon as it has asked.
    let _ = tokio::time::timeout(LAST_ANSWERS, async { while tasks.join_next().await.is_some() {} }).await;
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the next line that is not empty; `None` at the end.
async fn read_line<I: AsyncBufRead + Unpin>(input: &mut I) -> Result<Option<Bytes>, ConnectError> {
    loop {
        let mut line = Vec::new();
        let limit = u64::try_from(MESSAGE_BYTES_MAX).unwrap_or(u64::MAX);
        let read = (&mut *input).take(limit).read_until(b'\n', &mut line).await?;
        if read == 0 {
            return Ok(None);
        }
        if read >= MESSAGE_BYTES_MAX {
            return Err(ConnectError::TooLarge);
        }
        let text = line.trim_ascii();
        if !text.is_empty() {
            return Ok(Some(Bytes::copy_from_slice(text)));
        }
    }
}

async fn write_lines<O: AsyncWrite + Unpin>(
    mut waiting: mpsc::Receiver<Bytes>,
    mut output: O,
) -> Result<(), std::io::Error> {
    while let Some(message) = waiting.recv().await {
        let mut line = Vec::with_capacity(message.len() + 1);
        // Line ends stand between JSON's parts and never inside its texts, so a space does as well.
        line.extend(message.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }));
        line.push(b'\n');
        output.write_all(&line).await?;
        output.flush().await?;
    }
    Ok(())
}
