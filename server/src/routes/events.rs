//! The live tail: the signed-in person's run events as they happen, as server-sent events.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::State,
    response::sse::{Event, KeepAlive, Sse},
};
use doorward::{
    audit::{self, Told},
    policy,
};
use futures::{Stream, StreamExt as _};
use http::HeaderMap;

use super::caller::{self, Caller};
use crate::{
    respond::{Problem, ProblemKind},
    state::AppState,
};

/// How often a silent stream shows that it is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How long a stream lasts before the browser has to show its cookie again.
const STREAM_LIFETIME: Duration = Duration::from_secs(600);

/// Streams events until the browser leaves, the program stops, or the cookie is to be shown again.
///
/// A page that is slow misses events rather than holding them up; it is told how many.
pub(super) async fn events(
    State(state): State<AppState>,
    Caller(member): Caller,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let Ok(place) = state.tails().try_acquire_owned() else {
        return Err(Problem::new(ProblemKind::TooMany, "too many live tails are open"));
    };
    let stopped = state.stopping();
    let events = state.engine().audit.follow(policy::may_audit(&member)?).await?;
    let tail = Tail { events, headers, state };
    let ends = async move {
        tokio::select! {
            () = stopped.cancelled_owned() => {}
            () = tokio::time::sleep(STREAM_LIFETIME) => {}
        }
    };
    let stream = futures::stream::unfold((tail, place), async |(mut tail, place)| {
        let event = tail.next().await?;
        Some((Ok(event), (tail, place)))
    });
    let stream = stream.take_until(Box::pin(ends));
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

struct Tail {
    events: audit::Tail,
    headers: HeaderMap,
    state: AppState,
}

impl Tail {
    /// Returns the next event that the person may read; `None` when there will be no more.
    async fn next(&mut self) -> Option<Event> {
        match self.events.next().await? {
            Told::Event(event) => {
                // Who has signed out, acts elsewhere, or lost the role, hears no more.
                let member = caller::find(&self.headers, &self.state).await.ok().flatten()?;
                policy::may_audit(&member).ok().filter(|permit| permit.shows(&event))?;
                Some(Event::default().id(event.id.to_string()).data(app::live_line(&event)))
            }
            Told::Missed(missed) => Some(Event::default().event("missed").data(missed.to_string())),
        }
    }
}
