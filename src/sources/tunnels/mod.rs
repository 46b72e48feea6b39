//! The tunnels of organisations: what they are, who may change them, and what signs in at their servers.
//!
//! Whoever manages an organisation's sources manages its tunnels. A private key or a password comes in and never goes
//! out again: of a key only the public half is ever shown.

mod edit;
mod error;
mod secret;
mod test;

use std::sync::Arc;

use crate::{
    model::{
        Destination, Fingerprint, Hop, Member, SourceId, SourceName, TenantId, Tunnel, TunnelId, TunnelName,
    },
    policy,
    secret::Secret,
    sources::{Result, Sources},
    tunnel::{KnownHost, TunnelStatus, TunnelTarget},
    upstream::Step,
};

pub use edit::TUNNELS_MAX;
pub use error::TunnelEditError;

/// A tunnel to be added.
#[derive(Clone, Debug)]
pub struct NewTunnel {
    /// What its owner calls it.
    pub name: TunnelName,
    /// Its servers in the order they are passed.
    pub hops: Vec<NewHop>,
    /// The only places it leads to.
    pub destinations: Vec<Destination>,
}

/// One SSH server as an owner gives it.
#[derive(Clone, Debug)]
pub struct NewHop {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Who signs in there.
    pub user: String,
    /// What with.
    pub auth: NewHopAuth,
    /// The host key, if its owner knows it already; `None` keeps the one confirmed for the same server.
    pub host_key: Option<Fingerprint>,
}

/// What somebody signs in with, as an owner gives it.
#[derive(Clone, Debug)]
pub enum NewHopAuth {
    /// What is kept of the server at this place. On a new tunnel there is nothing.
    Keep,
    /// A new ed25519 key that is made here.
    Generate,
    /// A key that its owner has.
    Key {
        /// The private half.
        private: Secret,
        /// What it is encrypted with.
        passphrase: Option<Secret>,
        /// A certificate for it.
        certificate: Option<String>,
    },
    /// A password, where the operator allows them.
    Password(Secret),
}

/// What is not secret of how Doorward signs in at a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HopSignIn {
    /// Whether a passphrase is kept beside a key.
    pub has_passphrase: bool,
    /// The certificate kept beside a key, as a line of OpenSSH.
    pub certificate: Option<String>,
}

/// An edit of a tunnel; `None` leaves a part as it is.
#[derive(Clone, Debug, Default)]
pub struct TunnelChange {
    /// What its owner calls it.
    pub name: Option<TunnelName>,
    /// Its servers, as a whole.
    pub hops: Option<Vec<NewHop>>,
    /// The places it leads to, as a whole.
    pub destinations: Option<Vec<Destination>>,
}

/// A tunnel's page.
#[derive(Clone, Debug)]
pub struct TunnelDetail {
    /// The tunnel.
    pub tunnel: Tunnel,
    /// The sources that go through it, by name.
    pub sources: Vec<(SourceId, SourceName)>,
    /// What its sessions are doing, one a source that is in use.
    pub sessions: Vec<TunnelStatus>,
    /// What the operator knows of the host key of each server; `None` if nothing.
    pub known: Vec<Option<KnownHost>>,
    /// Whether somebody may sign in at its servers with a password.
    pub passwords: bool,
}

/// What a test of a tunnel found.
#[derive(Clone, Debug, Default)]
pub struct TunnelReport {
    /// Each step, in order.
    pub steps: Vec<Step>,
    /// A host key that waits for somebody to confirm it.
    pub host_key: Option<ShownHostKey>,
}

/// A host key that a server shows and nobody has confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownHostKey {
    /// Which server of the tunnel, from zero.
    pub hop: usize,
    /// Its host and port.
    pub host: String,
    /// The key it shows.
    pub shown: Fingerprint,
    /// The other key that was confirmed before; `None` if none was.
    pub confirmed: Option<Fingerprint>,
}

impl Sources {
    /// Returns the tunnels of the member's organisation by name.
    pub async fn tunnels(&self, member: &Member) -> Result<Vec<Tunnel>> {
        let permit = policy::may_see(member, member.tenant)?;
        Ok(self.0.store.read(permit.tenant()).await?.list_tunnels().await?)
    }

    /// Returns a tunnel of the member's organisation; `None` also if it is somebody else's.
    pub async fn find_tunnel(&self, member: &Member, id: TunnelId) -> Result<Option<Tunnel>> {
        let permit = policy::may_see(member, member.tenant)?;
        Ok(self.0.store.read(permit.tenant()).await?.find_tunnel(id).await?)
    }

    /// Returns a tunnel of the member's organisation by its name.
    pub async fn find_tunnel_by_name(&self, member: &Member, name: &TunnelName) -> Result<Option<Tunnel>> {
        let permit = policy::may_see(member, member.tenant)?;
        Ok(self.0.store.read(permit.tenant()).await?.find_tunnel_by_name(name).await?)
    }

    /// Returns everything a tunnel's page shows; `None` also if it is somebody else's.
    pub async fn tunnel_detail(&self, member: &Member, id: TunnelId) -> Result<Option<TunnelDetail>> {
        let permit = policy::may_see(member, member.tenant)?;
        let mut tx = self.0.store.read(permit.tenant()).await?;
        let Some(tunnel) = tx.find_tunnel(id).await? else { return Ok(None) };
        let sources = tx.sources_through(id).await?;
        let known = tunnel.hops.iter().map(|hop| self.known_host(hop)).collect();
        Ok(Some(TunnelDetail {
            tunnel,
            known,
            sources: sources.into_iter().map(|(id, name, _)| (id, name)).collect(),
            sessions: self.0.upstreams.tunnels().status(id),
            passwords: self.tunnel_passwords(),
        }))
    }

    /// Says whether somebody may sign in at a tunnel's servers with a password.
    pub fn tunnel_passwords(&self) -> bool {
        self.0.upstreams.tunnels().limits().passwords
    }

    /// Returns what the operator knows of the host key of a server; `None` if nothing.
    pub fn known_host(&self, hop: &Hop) -> Option<KnownHost> {
        self.0.upstreams.tunnels().limits().known_hosts.of(&hop.host, hop.port)
    }

    /// Returns what a tunnel is opened with; `None` if a source goes through none.
    pub(super) async fn tunnel_target(
        &self,
        tenant: TenantId,
        id: Option<TunnelId>,
    ) -> Result<Option<Arc<TunnelTarget>>> {
        let Some(id) = id else { return Ok(None) };
        let mut tx = self.0.store.read(tenant).await?;
        let tunnel = tx.find_tunnel(id).await?.ok_or(TunnelEditError::NotFound)?;
        let sealed = tx.tunnel_secrets(id).await?.ok_or(TunnelEditError::NotFound)?;
        drop(tx);
        let secrets = secret::open(&self.0.vault, &tunnel, sealed).await?;
        let hops: Vec<(Hop, _)> = tunnel.hops.into_iter().zip(secrets).collect();
        Ok(Some(Arc::new(TunnelTarget {
            id,
            version: tunnel.version,
            hops,
            destinations: tunnel.destinations,
        })))
    }
}
