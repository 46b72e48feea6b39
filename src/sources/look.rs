//! Looking at sources: what is at an address, whether it still works, what it offers, and what the
//! owner accepts of that.

use std::sync::Arc;

use futures::{StreamExt, stream};
use serde_json::value::RawValue;
use url::Url;

use crate::{
    changes::Change,
    clock::Ms,
    connections::Live,
    mcp::ListKind,
    model::{
        CaCertificates, Credential, EraSetting, EraVerdict, Health, HealthState, Member, OrgRole, Reach,
        Source, SourceId, SourceKind, SourceName, TenantId, TunnelId,
    },
    oauth::Challenge,
    sources::{
        Accept, Accepted, CatalogueChange, Definition, Detected, Result, SourceError, Sources, beside,
        catalogue, check, credential,
        definition::Pinned,
        diff::visible,
        link, may_manage, may_reach,
        trail::{REFRESH, TEST},
    },
    upstream::{Beside, LinkState, ProbeReport, Target, Tokens, UpstreamError},
};

impl Sources {
    /// Looks what is at an address, perhaps through a tunnel, trusting these certificates too, and keeps nothing.
    pub async fn detect(
        &self,
        member: &Member,
        url: &Url,
        tunnel: Option<TunnelId>,
        ca_certificates: Option<CaCertificates>,
    ) -> Result<Detected> {
        let permit = may_manage(member, OrgRole::Operator)?;
        check::address(url)?;
        let reach = Reach::McpHttp { url: url.clone() };
        check::authorities(&reach, ca_certificates.as_ref())?;
        let target = Target {
            source: SourceId::new(),
            version: 0,
            reach,
            credential: Credential::default(),
            era: EraSetting::Auto,
            verdict: None,
            tunnel: self.tunnel_target(permit.tenant(), tunnel).await?,
            ca_certificates,
        };
        let mut report = self.probe(&target, None).await?;
        let mut kind = SourceKind::McpHttp;
        // What speaks no MCP may be a thing that is shown as tools.
        if report.verdict.is_none() && url.query().is_none() && report.reached {
            let other = Target { reach: Reach::SparkHistory { url: url.clone() }, ..target.clone() };
            let spark = self.probe(&other, None).await?;
            if spark.passed() {
                (report, kind) = (spark, SourceKind::SparkHistory);
            }
        }
        let signs_in = match &report.needs_credential {
            // Whoever signs in does so at an issuer that this machine reaches itself.
            Some(said) if tunnel.is_none() => {
                let trusted = target.ca_certificates.as_ref();
                self.0.connections.is_offered(url, trusted, &Challenge::read(said)).await
            }
            _ => false,
        };
        let taken = self.0.store.read(permit.tenant()).await?.list_sources().await?;
        let names: Vec<&str> = taken.iter().map(|source| source.name.as_str()).collect();
        let mut tools: Vec<String> =
            report.tools.iter().filter_map(|raw| Some(visible(&Definition::read(raw)?.name))).collect();
        tools.sort();
        Ok(Detected {
            url: url.clone(),
            kind,
            name: free_name(url, &names)?,
            verdict: report.verdict.clone(),
            needs_credential: report.needs_credential.clone(),
            signs_in,
            tools,
            report,
        })
    }

    /// Reaches a source over fresh connections and reports each step. What it lists is compared
    /// with the catalogue as by [`Sources::refresh`].
    pub async fn test(&self, member: &Member, id: SourceId) -> Result<ProbeReport> {
        let subject = self.subject(member, id).await?;
        self.audited(member, TEST, subject, async {
            let source = self.for_look(member, id).await?;
            Ok(self.look_afresh(&source).await?.0)
        })
        .await
    }

    /// Reaches a source as [`Sources::test`] does, and keeps and records nothing: for `doorward doctor`,
    /// beside a program that may be running.
    pub async fn try_out(&self, member: &Member, id: SourceId) -> Result<ProbeReport> {
        let source = self.for_look(member, id).await?;
        let target = Target { verdict: None, ..self.read_target(&source).await? };
        self.probe(&target, self.own_live(&source).await?).await
    }

    /// Asks a source for its tools, and holds what is new or another than accepted.
    pub async fn refresh(&self, member: &Member, id: SourceId) -> Result<CatalogueChange> {
        let subject = self.subject(member, id).await?;
        self.audited(member, REFRESH, subject, async {
            let source = self.for_look(member, id).await?;
            self.look(&source).await
        })
        .await
    }

    /// Accepts held tools.
    pub async fn accept_tools(&self, member: &Member, id: SourceId, accept: Accept) -> Result<Accepted> {
        let subject = self.subject(member, id).await?;
        let doing = self.accept(member, id, Pinned::Tools, accept);
        self.audited(member, "accept tools", subject, doing).await
    }

    /// Accepts held prompts.
    pub async fn accept_prompts(&self, member: &Member, id: SourceId, accept: Accept) -> Result<Accepted> {
        let subject = self.subject(member, id).await?;
        let doing = self.accept(member, id, Pinned::Prompts, accept);
        self.audited(member, "accept prompts", subject, doing).await
    }

    async fn accept(
        &self,
        member: &Member,
        id: SourceId,
        pinned: Pinned,
        accept: Accept,
    ) -> Result<Accepted> {
        let permit = may_manage(member, OrgRole::Admin)?;
        let mut tx = self.0.store.tenant(permit.tenant()).await?;
        let source = tx.find_source(id).await?.ok_or(SourceError::NotFound)?;
        may_reach(member, &source.reach)?;
        let mut done = Accepted::default();
        let mut put = Vec::new();
        let kept = match pinned {
            Pinned::Tools => tx.list_source_tools(id).await?,
            Pinned::Prompts => tx.list_source_prompts(id).await?,
        };
        for tool in kept {
            let seen = match &accept {
                Accept::All => Some(&tool.hash),
                Accept::Tools(tools) => {
                    tools.iter().find(|(name, _)| *name == tool.name).map(|(_, hash)| hash)
                }
            };
            match (seen, catalogue::accepted(&tool)) {
                (Some(seen), Some(_)) if *seen != tool.hash => done.changed_since.push(tool.name),
                (Some(_), Some(accepted)) => {
                    put.push(accepted);
                    done.accepted.push(tool.name);
                }
                _ => {}
            }
        }
        match pinned {
            Pinned::Tools => tx.put_source_tools(id, &put).await?,
            Pinned::Prompts => tx.put_source_prompts(id, &put).await?,
        }
        self.commit(tx, Change::Source(source.tenant, id)).await?;
        Ok(done)
    }

    /// Looks at every source whose last look is old, and says how many it looked at. For the
    /// background job. A process that is not running is not started for it.
    pub async fn check_due(&self) -> Result<usize> {
        /// How many sources are read at a time.
        const PAGE: i64 = 200;
        let (mut looked, mut after) = (0, None);
        loop {
            let page = self.0.store.system_read().await?.list_enabled_sources(after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(looked) };
            after = Some(last.id);
            let due: Vec<Source> = page.into_iter().filter(|source| self.is_due(source)).collect();
            looked += due.len();
            stream::iter(due)
                .for_each_concurrent(self.0.settings.looks_at_once.max(1), |source| async move {
                    // The outcome is kept as the source's health; a database that is gone is told
                    // by whoever needs it next.
                    if let Err(error) = self.look(&source).await {
                        tracing::debug!(source.id = %source.id, %error, "a look at a source failed");
                    }
                })
                .await;
        }
    }

    fn is_due(&self, source: &Source) -> bool {
        let Some(at) = source.health.at else { return true };
        let runs = match source.reach.kind() {
            SourceKind::McpHttp | SourceKind::SparkHistory => true,
            SourceKind::McpStdio => {
                self.0.upstreams.status(source.id).is_some_and(|status| status.state == LinkState::Up)
            }
        };
        runs && self.0.clock.now().since(at) >= self.0.settings.check_every
    }

    /// Returns a source that this person may look at.
    async fn for_look(&self, member: &Member, id: SourceId) -> Result<Source> {
        let permit = may_manage(member, OrgRole::Operator)?;
        let source = self.0.store.read(permit.tenant()).await?.find_source(id).await?;
        let source = source.ok_or(SourceError::NotFound)?;
        may_reach(member, &source.reach)?;
        Ok(source)
    }

    /// Looks at a source over its link, or afresh where what was found out about it is old.
    pub(super) async fn look(&self, source: &Source) -> Result<CatalogueChange> {
        let now = self.0.clock.now();
        let half_old = |verdict: &EraVerdict| now.since(verdict.at) > EraVerdict::LIFETIME / 2;
        // A process is not started a second time only to ask which era it is of.
        let afresh = match source.reach.kind() {
            SourceKind::McpHttp => source.verdict.as_ref().is_none_or(half_old),
            SourceKind::McpStdio | SourceKind::SparkHistory => false,
        };
        if afresh || !source.enabled {
            return self.look_afresh(source).await?.1;
        }
        let target = self.read_target(source).await?;
        let live = self.own_live(source).await?;
        let link = self.0.upstreams.link_on(&target, live.map(|live| live.lane()).as_ref());
        match link.list(ListKind::Tools).await {
            Ok(listing) => {
                let beside = link.beside().await;
                self.keep(source, &listing.items, &beside, link.verdict()).await
            }
            Err(error) => {
                self.keep_health(source.tenant, source.id, failing(error.to_string(), self.0.clock.now()))
                    .await?;
                Err(error.into())
            }
        }
    }

    /// Probes a source, keeps what was found, and says both.
    pub(super) async fn look_afresh(
        &self,
        source: &Source,
    ) -> Result<(ProbeReport, Result<CatalogueChange>)> {
        let mut target = self.read_target(source).await?;
        target.verdict = None;
        let report = self.probe(&target, self.own_live(source).await?).await?;
        if report.passed() {
            let change = self.keep(source, &report.tools, &report.beside, report.verdict.clone()).await;
            return Ok((report, change));
        }
        self.keep_health(source.tenant, source.id, health(&report, self.0.clock.now())).await?;
        let detail = report.failure().unwrap_or("it did not answer").to_owned();
        let failed = Err(UpstreamError::Unreachable { detail }.into());
        Ok((report, failed))
    }

    /// Probes, with not too many at the same time.
    pub(super) async fn probe(&self, target: &Target, live: Option<Arc<Live>>) -> Result<ProbeReport> {
        let _turn = self.0.probes.acquire().await;
        Ok(self.0.upstreams.probe(target, live.map(|live| live as Arc<dyn Tokens>)).await)
    }

    /// Returns the organisation's own connection to a source; `None` also if nobody signs in to it.
    async fn own_live(&self, source: &Source) -> Result<Option<Arc<Live>>> {
        let Reach::McpHttp { url } = &source.reach else { return Ok(None) };
        if !source.is_signed_in_to() {
            return Ok(None);
        }
        let live = self.0.connections.live(source.tenant, source.id, None).await?;
        Ok(live.filter(|live| live.is_for(url)))
    }

    async fn read_target(&self, source: &Source) -> Result<Target> {
        let sealed = self.0.store.read(source.tenant).await?.source_credential(source.id).await?;
        let credential = credential::open(&self.0.vault, source.tenant, source.id, sealed.as_deref())?;
        let tunnel = self.tunnel_target(source.tenant, source.tunnel).await?;
        Ok(link::target(source, credential, tunnel, self.0.clock.now()))
    }

    /// Keeps what a source listed, unless it was edited or removed while it was asked.
    async fn keep(
        &self,
        asked: &Source,
        listed: &[Box<RawValue>],
        beside: &Beside,
        verdict: Option<EraVerdict>,
    ) -> Result<CatalogueChange> {
        let now = self.0.clock.now();
        let mut tx = self.0.store.tenant(asked.tenant).await?;
        let source = tx.find_source(asked.id).await?.ok_or(SourceError::NotFound)?;
        if source.reach != asked.reach || source.tunnel != asked.tunnel || source.version != asked.version {
            drop(tx);
            return Err(self.stale(&source).await);
        }
        let known = tx.list_source_tools(source.id).await?;
        let first_look = source.verdict.is_none() && known.is_empty();
        let look =
            catalogue::compare(Pinned::Tools, source.id, &known, listed, first_look, now, &self.0.settings);
        tx.put_source_tools(source.id, &look.put).await?;
        tx.remove_source_tools(source.id, &look.forget).await?;
        let mut found = look.change;
        found.beside = beside::keep(&mut tx, source.id, beside, now, &self.0.settings).await?;
        let health = Health { state: HealthState::Healthy, detail: String::new(), at: Some(now) };
        tx.set_source_health(source.id, &health).await?;
        if verdict.is_some() {
            tx.set_source_verdict(source.id, verdict.as_ref()).await?;
        }
        let same_era =
            verdict.as_ref().map(|verdict| verdict.era) == source.verdict.as_ref().map(|old| old.era);
        let change = if found.is_empty() && same_era {
            Change::SourceHealth(source.tenant, source.id)
        } else {
            Change::Source(source.tenant, source.id)
        };
        self.commit(tx, change).await?;
        Ok(found)
    }

    pub(super) async fn keep_health(&self, tenant: TenantId, id: SourceId, health: Health) -> Result<()> {
        let mut tx = self.0.store.tenant(tenant).await?;
        tx.set_source_health(id, &health).await?;
        Ok(self.commit(tx, Change::SourceHealth(tenant, id)).await?)
    }
}

/// Returns the health a probe shows.
pub(super) fn health(report: &ProbeReport, now: Ms) -> Health {
    if report.passed() {
        return Health { state: HealthState::Healthy, detail: String::new(), at: Some(now) };
    }
    let detail = match &report.needs_credential {
        Some(_) => "it wants a credential, or another one".to_owned(),
        None => report.failure().unwrap_or("it did not answer").to_owned(),
    };
    failing(detail, now)
}

pub(super) fn failing(detail: String, now: Ms) -> Health {
    /// How much of a reason is kept; a part of it may come from the source.
    const DETAIL_MAX: usize = 500;
    let detail = visible(&detail.chars().take(DETAIL_MAX).collect::<String>());
    Health { state: HealthState::Failing, detail, at: Some(now) }
}

/// Returns a free name made from the host of an address.
fn free_name(url: &Url, taken: &[&str]) -> Result<SourceName> {
    const LENGTH_MAX: usize = 40;
    let host = url.host_str().unwrap_or_default();
    let generic = ["www", "mcp", "api", "com", "org", "net", "io", "dev", "ai", "localhost"];
    let named = |label: &&str| !generic.contains(label) && label.contains(|c: char| c.is_ascii_alphabetic());
    let word = host.split('.').find(named).unwrap_or("source").to_lowercase();
    let plain: String = word
        .chars()
        .map(|c| if matches!(c, 'a'..='z' | '0'..='9') { c } else { '-' })
        .take(LENGTH_MAX)
        .collect();
    let base = match plain.trim_matches('-') {
        "" => "source",
        base => base,
    };
    let free = std::iter::once(base.to_owned())
        .chain((2_u32..).map(|n| format!("{base}-{n}")))
        .find(|name| !taken.contains(&name.as_str()));
    SourceName::parse(&free.unwrap_or_default()).map_err(|error| check::invalid("name", error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_made_from_the_host_and_is_free() {
        let name = |url: &str, taken: &[&str]| {
            free_name(&Url::parse(url).unwrap(), taken).unwrap().as_str().to_owned()
        };

        assert_eq!(name("https://mcp.linear.app/mcp", &[]), "linear");
        assert_eq!(name("http://127.0.0.1:3001/mcp", &[]), "source");
        assert_eq!(name("http://127.0.0.1:3001/mcp", &["source", "source-2"]), "source-3");
        assert_eq!(name("https://spark_history.example/", &[]), "spark-history");
    }
}
