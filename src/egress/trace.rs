//! One connection made for show: each step with its time and its failure in plain words.

use std::time::Duration;

use http::Uri;
use tokio::time::Instant;

use super::{ByteStream, Egress, EgressError, connect::Place};

/// What trying to connect found, step by step. Steps after a failed one are missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// Each step that was tried, in order.
    pub steps: Vec<TraceStep>,
}

impl Trace {
    /// Returns the error of the step that failed.
    pub fn error(&self) -> Option<&EgressError> {
        self.steps.iter().find_map(|step| step.outcome.as_ref().err())
    }
}

/// One step towards a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceStep {
    /// `Resolve`, `Connect` or `TLS`; `Channel` in place of the first two where a route opens connections.
    pub name: &'static str,
    /// What was found; `Ok(None)` when the step does not apply.
    pub outcome: Result<Option<String>, EgressError>,
    /// How long it took.
    pub elapsed: Duration,
}

impl Egress {
    /// Connects once, over a connection of its own that is closed at once, and reports each step.
    pub async fn trace(&self, uri: &Uri) -> Trace {
        let mut trace = Trace::default();
        // The steps record their own failure; there is nothing more to say here.
        let _ = self.walk(uri, &mut trace).await;
        trace
    }

    async fn walk(&self, uri: &Uri, trace: &mut Trace) -> Result<(), EgressError> {
        if let Some(route) = &self.connector.0.route {
            let begun = Instant::now();
            let opened = match Place::of(uri) {
                Ok(place) => route.open(&place.host, place.port).await.map(|stream| (place, stream)),
                Err(error) => Err(error),
            };
            let (place, stream) = trace.note("Channel", begun, opened, |(place, _)| {
                Some(format!("the far end is connected to {}:{}", place.host, place.port))
            })?;
            return self.secure_for_show(&place, stream, trace).await;
        }
        let begun = Instant::now();
        let resolved = match Place::of(uri) {
            Ok(place) => self.connector.resolve(&place).await.map(|addresses| (place, addresses)),
            Err(error) => Err(error),
        };
        let (place, addresses) = trace.note("Resolve", begun, resolved, |(place, addresses)| {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            Some(format!("{} is at {}", place.host, addresses.join(", ")))
        })?;

        let begun = Instant::now();
        let reached = self.connector.reach(&place, &addresses).await;
        let (stream, _) =
            trace.note("Connect", begun, reached, |(_, socket)| Some(format!("connected to {socket}")))?;

        self.secure_for_show(&place, stream, trace).await
    }

    async fn secure_for_show<S: ByteStream>(
        &self,
        place: &Place,
        stream: S,
        trace: &mut Trace,
    ) -> Result<(), EgressError> {
        let begun = Instant::now();
        if !place.secure {
            return trace.note("TLS", begun, Ok(()), |()| None);
        }
        let secured = self.connector.secure(place, stream).await;
        trace.note("TLS", begun, secured, |stream| {
            let session = stream.get_ref().1;
            let version = session.protocol_version().and_then(|version| version.as_str());
            let protocol = session.alpn_protocol().map(String::from_utf8_lossy);
            Some(format!(
                "{}, certificate accepted, {}",
                version.unwrap_or("TLS").replace('_', "."),
                protocol.as_deref().unwrap_or("http/1.1"),
            ))
        })?;
        Ok(())
    }
}

impl Trace {
    fn note<T>(
        &mut self,
        name: &'static str,
        begun: Instant,
        outcome: Result<T, EgressError>,
        found: impl Fn(&T) -> Option<String>,
    ) -> Result<T, EgressError> {
        let noted = match &outcome {
            Ok(value) => Ok(found(value)),
            Err(error) => Err(error.clone()),
        };
        self.steps.push(TraceStep { name, outcome: noted, elapsed: begun.elapsed() });
        outcome
    }
}
