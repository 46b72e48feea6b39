//! Listening beside the calls of a session that is one principal's: some servers put their questions
//! and their log messages into the stream of the session and not into that of the call.

use std::{sync::Arc, time::Duration};

use tokio::{sync::oneshot, time::Instant};

use super::{HttpLink, QuestionId, Session, UpstreamError, aside::Heard, asked::Aside, slot::Slot, wire};

/// How often in a row a session's stream is asked for in vain.
const ATTEMPTS_MAX: u32 = 6;

/// How long the first call waits for the stream to be open; a source may say nothing in it for long.
const OPENING_MAX: Duration = Duration::from_millis(250);

impl HttpLink {
    /// Listens to a session for as long as it is in use.
    pub(super) async fn attend(self: &Arc<Self>, slot: &Arc<Slot>, session: &Arc<Session>) {
        let (ready, opening) = oneshot::channel();
        let (link, slot_of) = (Arc::downgrade(self), Arc::downgrade(slot));
        let (session, over) = (Arc::clone(session), session.over.clone());
        let pause = self.limits.watch_pause;
        tokio::spawn(over.run_until_cancelled_owned(async move {
            let mut place: Option<String> = None;
            let mut failures = 0;
            let mut ready = Some(ready);
            while failures < ATTEMPTS_MAX {
                let Some(strong) = link.upgrade() else { return };
                let deadline = Instant::now() + strong.limits.handshake_timeout;
                let opened = strong.open_aside(&session, place.as_deref(), deadline).await;
                drop(strong);
                // Nobody may wait for it any more.
                let _ = ready.take().map(|ready| ready.send(()));
                let mut aside = match opened {
                    Ok(Ok(aside)) => aside,
                    // It has no such stream.
                    Ok(Err(_)) | Err(UpstreamError::Credential { .. }) => return,
                    Err(_) => {
                        failures += 1;
                        tokio::time::sleep(pause.saturating_mul(1 << failures)).await;
                        continue;
                    }
                };
                failures += 1;
                while let Some(heard) = aside.next().await {
                    failures = 0;
                    let (Some(link), Some(slot)) = (link.upgrade(), slot_of.upgrade()) else { return };
                    link.hear(&slot, &session, heard);
                }
                place = aside.last_id();
                tokio::time::sleep(aside.retry().unwrap_or(Duration::ZERO).max(pause)).await;
            }
        }));
        // What the first call makes the source say there is not to be missed.
        let _ = tokio::time::timeout(OPENING_MAX, opening).await;
    }

    fn hear(self: &Arc<Self>, slot: &Slot, session: &Arc<Session>, heard: Heard) {
        match heard {
            Heard::Acknowledged => {}
            Heard::Notification { method, params } if method == "notifications/cancelled" => {
                if let Some(id) = wire::withdrawn(&params) {
                    slot.desk.put(Aside::Withdrawn { id });
                }
            }
            Heard::Notification { method, params } if method == "notifications/message" => {
                slot.desk.put(Aside::Logged { method, params });
            }
            Heard::Notification { method, params } => self.hub.publish_message(&method, &params),
            Heard::Request { id, method, params } => {
                let is_put = wire::may_ask(&slot.capabilities, &method, &params)
                    && slot.desk.put(Aside::Question {
                        id: QuestionId(id.clone()),
                        method: method.clone(),
                        params,
                        session: Arc::clone(session),
                    });
                if !is_put {
                    self.tell_soon(session, wire::refuse(&id, &method), None);
                }
            }
        }
    }
}
