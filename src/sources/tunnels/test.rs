//! Trying a tunnel: every server, and every place it leads to.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::future::join_all;
use http::{Request, Uri};
use http_body_util::Full;
use tokio::time::Instant;

use crate::{
    egress::Egress,
    model::{Destination, Member, OrgRole, TunnelId},
    sources::{Result, ShownHostKey, Sources, TunnelEditError, TunnelReport, may_manage, trail::TEST},
    tunnel::LiveTunnel,
    upstream::{Step, StepOutcome},
};

/// How long a place is given to answer a plain request.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

impl Sources {
    /// Passes every server of a tunnel over fresh connections, tries every place it leads to, and reports each step.
    pub async fn test_tunnel(&self, member: &Member, id: TunnelId) -> Result<TunnelReport> {
        let subject = self.tunnel_subject(member, id).await?;
        self.audited(member, TEST, subject, async {
            let permit = may_manage(member, OrgRole::Operator)?;
            let target =
                self.tunnel_target(permit.tenant(), Some(id)).await?.ok_or(TunnelEditError::NotFound)?;
            // One at a time for each of the places that probes have.
            let _turn = self.0.probes.acquire().await;
            let tunnel = Arc::new(self.0.upstreams.tunnels().fresh(&target));
            let trace = tunnel.trace().await;
            let host_key = trace.host_key().map(|(hop, shown, confirmed)| ShownHostKey {
                hop,
                host: target.hops.get(hop).map(|(hop, _)| hop.address()).unwrap_or_default(),
                shown: shown.clone(),
                confirmed: confirmed.cloned(),
            });
            let mut steps: Vec<Step> = trace.steps.iter().map(Step::from).collect();
            if trace.error().is_none() {
                let egress = self.0.upstreams.egress().through(Arc::clone(&tunnel) as _);
                let tried = target.destinations.iter().map(|place| try_place(&tunnel, &egress, place));
                steps.extend(join_all(tried).await.into_iter().flatten());
            }
            tunnel.close().await;
            Ok(TunnelReport { steps, host_key })
        })
        .await
    }
}

/// Opens a channel to a place, and asks it something that any web server answers.
async fn try_place(tunnel: &LiveTunnel, egress: &Egress, place: &Destination) -> Vec<Step> {
    let begun = Instant::now();
    let opened = tunnel.open_channel(place.host(), place.port()).await;
    let (outcome, detail) = match &opened {
        Ok(_) => (StepOutcome::Ok, format!("the last server is connected to {place}")),
        Err(error) => (StepOutcome::Failed, error.to_string()),
    };
    let mut steps =
        vec![Step { name: format!("Channel to {place}"), outcome, detail, elapsed: begun.elapsed() }];
    if opened.is_err() {
        return steps;
    }
    drop(opened);
    let begun = Instant::now();
    let uri: Uri = format!("http://{place}/").parse().unwrap_or_default();
    let make =
        |uri: &Uri| Request::get(uri).body(Full::<Bytes>::default()).expect("an address makes a request");
    let (outcome, detail) = match egress.request(&uri, make, ANSWER_TIMEOUT).await {
        Ok(answered) => {
            (StepOutcome::Ok, format!("it answers HTTP with status {}", answered.response.status()))
        }
        // Not everything behind a tunnel speaks HTTP without TLS, and nothing here says that it should.
        Err(error) => (StepOutcome::Skipped, format!("no answer to a plain HTTP request: {error}")),
    };
    steps.push(Step { name: format!("HTTP from {place}"), outcome, detail, elapsed: begun.elapsed() });
    steps
}
