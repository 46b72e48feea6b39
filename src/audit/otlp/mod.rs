//! Run events as OpenTelemetry logs: followed in the log itself by a number for each organisation and posted to a
//! collector as OTLP/HTTP with JSON, so nothing is lost to a restart or to a collector that is away, and no call waits.
//!
//! One process sends for all. What a collector has taken may be sent once more after a crash; each record carries the id
//! of its event (`log.record.uid`). What it refuses as malformed is counted and passed over; whatever else it answers is
//! tried again. Never sends an argument, a result or a credential.
//!
//! The format: OTLP 1.x, "OTLP/HTTP" with "JSON Protobuf Encoding".

mod record;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::{HeaderName, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::Full;
use thiserror::Error;
use url::Url;

use crate::{
    clock::{Clock, Ms},
    egress::{Egress, EgressError, read_body},
    store::{Store, StoreError, UnsentLogs},
};

/// How often it is looked whether there is something to send.
pub const SEND_PAUSE: Duration = Duration::from_secs(2);
/// How many events one request holds at most.
const BATCH: i64 = 512;
/// How many organisations are looked at together.
const ORGANISATIONS: i64 = 500;
/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How much of an answer is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// The pause after the first failure; it doubles up to [`RETRY_MAX`].
const RETRY: Duration = Duration::from_secs(2);
/// The longest pause, also if the collector asks for a longer one.
const RETRY_MAX: Duration = Duration::from_secs(120);

/// Where logs go.
#[derive(Clone, Debug)]
pub struct OtlpSettings {
    /// The collector's address for logs, with its path, as `https://collector.example.org/v1/logs`.
    pub url: Url,
    /// What each request carries beside, such as a key of the collector.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// Says why events were not sent.
#[derive(Debug, Error)]
pub enum OtlpError {
    /// The log could not be read, or what was sent not noted.
    #[error("could not read what is to be sent")]
    Store(#[from] StoreError),
    /// The collector cannot be reached.
    #[error("could not reach the collector")]
    Egress(#[from] EgressError),
    /// The collector did not take them.
    #[error("the collector answered with the status {status}")]
    Refused {
        /// The status.
        status: StatusCode,
        /// How long it wants to be left alone, if it says so.
        retry_after: Option<Duration>,
    },
}

/// Sends; cheap to clone.
#[derive(Clone)]
pub struct Otlp(Arc<Inner>);

struct Inner {
    store: Store,
    egress: Egress,
    clock: Clock,
    settings: Option<OtlpSettings>,
    sent: AtomicU64,
    dropped: AtomicU64,
    away: Mutex<Option<Away>>,
}

/// A collector that did not take what it was sent.
#[derive(Clone, Copy)]
struct Away {
    again_at: Ms,
    pause: Duration,
}

impl Otlp {
    /// Makes what sends, which does nothing by itself.
    pub fn new(store: Store, egress: Egress, clock: Clock, settings: Option<OtlpSettings>) -> Self {
        let (sent, dropped) = (AtomicU64::new(0), AtomicU64::new(0));
        Self(Arc::new(Inner { store, egress, clock, settings, sent, dropped, away: Mutex::default() }))
    }

    /// Says whether anything is sent.
    pub fn is_on(&self) -> bool {
        self.0.settings.is_some()
    }

    /// Returns how many events this process has sent since its start.
    pub fn sent(&self) -> u64 {
        self.0.sent.load(Ordering::Relaxed)
    }

    /// Returns how many events the collector refused, or retention took before they were sent, as this process saw.
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// Says whether the collector did not take what it was sent last.
    pub fn is_failing(&self) -> bool {
        self.away().is_some()
    }

    /// Sends every event that was recorded and not sent yet. What fails is told in the log and tried again later.
    pub async fn send_due(&self) -> Result<(), StoreError> {
        let Some(settings) = &self.0.settings else { return Ok(()) };
        if self.away().is_some_and(|away| self.0.clock.now() < away.again_at) {
            return Ok(());
        }
        match self.send_all(settings).await {
            Ok(()) => *self.0.away.lock().unwrap_or_else(PoisonError::into_inner) = None,
            Err(OtlpError::Store(error)) => return Err(error),
            Err(error) => self.leave_alone(&error),
        }
        Ok(())
    }

    async fn send_all(&self, settings: &OtlpSettings) -> Result<(), OtlpError> {
        let mut after = None;
        loop {
            let behind = self.0.store.system_read().await?.list_unsent_logs(after, ORGANISATIONS).await?;
            let Some(last) = behind.last() else { return Ok(()) };
            after = Some(last.tenant_id);
            for one in behind {
                self.send_of(settings, one).await?;
            }
        }
    }

    /// Sends what an organisation has that was not sent yet.
    async fn send_of(&self, settings: &OtlpSettings, unsent: UnsentLogs) -> Result<(), OtlpError> {
        let UnsentLogs { tenant_id: tenant, last, .. } = unsent;
        let (mut behind, mut lost) = (unsent.behind(), unsent.lost());
        while behind < last {
            let links = self.0.store.read(tenant).await?.list_links(behind, last, BATCH).await?;
            let (records, mut dropped) = (links.len() as u64, 0);
            // None are left where retention was faster.
            let end = links.last().map_or(last, |link| link.seq);
            if records == 0 {
                lost += u64::try_from(end - behind).unwrap_or(0);
            } else {
                dropped = match self.post(settings, record::request(&links)).await {
                    Err(OtlpError::Refused { status, .. }) if is_of_the_batch(status) => {
                        tracing::warn!(%tenant, %status, records, "the collector of logs refused {records} events");
                        records
                    }
                    rejected => rejected?.min(records),
                };
            }
            let mut tx = self.0.store.system().await?;
            tx.logs_sent(tenant, end).await?;
            tx.commit().await?;
            self.0.sent.fetch_add(records - dropped, Ordering::Relaxed);
            self.0.dropped.fetch_add(dropped + std::mem::take(&mut lost), Ordering::Relaxed);
            behind = end;
        }
        Ok(())
    }

    /// Posts one request; returns how many of its records the collector did not want.
    async fn post(&self, settings: &OtlpSettings, body: String) -> Result<u64, OtlpError> {
        let body = bytes::Bytes::from(body);
        let make = |uri: &http::Uri| {
            let mut request = Request::new(Full::new(body.clone()));
            *request.method_mut() = Method::POST;
            *request.uri_mut() = uri.clone();
            let headers = request.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            headers.extend(settings.headers.iter().cloned());
            request
        };
        let uri = settings.url.as_str().parse().map_err(|_| EgressError::BadUrl {
            reason: "the collector's address cannot be written".to_owned(),
        })?;
        let (parts, answer) = self.0.egress.request(&uri, make, TIMEOUT).await?.response.into_parts();
        if parts.status != StatusCode::OK {
            let retry_after = parts.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
            let retry_after = retry_after.and_then(|value| value.parse().ok()).map(Duration::from_secs);
            return Err(OtlpError::Refused { status: parts.status, retry_after });
        }
        let answer = read_body(answer, ANSWER_BYTES_MAX).await.unwrap_or_default();
        Ok(record::rejected(&answer))
    }

    fn away(&self) -> Option<Away> {
        *self.0.away.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves the collector alone for a while, longer each time.
    fn leave_alone(&self, error: &OtlpError) {
        let pause = self.away().map_or(RETRY, |away| (away.pause * 2).min(RETRY_MAX));
        let asked = match error {
            OtlpError::Refused { retry_after, .. } => retry_after.unwrap_or_default(),
            OtlpError::Store(_) | OtlpError::Egress(_) => Duration::ZERO,
        };
        let waits = pause.max(asked).min(RETRY_MAX);
        tracing::warn!(
            error = error as &dyn std::error::Error,
            "events could not be sent as logs; again in {waits:?}"
        );
        let away = Away { again_at: self.0.clock.now().plus(waits), pause };
        *self.0.away.lock().unwrap_or_else(PoisonError::into_inner) = Some(away);
    }
}

/// Says whether a status is about what was sent. Any other one is about the collector or how it is asked, and sending
/// the same again may work, after the operator has mended that if need be: OTLP would have it given up, but a log is not
/// to have holes.
fn is_of_the_batch(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY
    )
}
