//! Tunnels with the keys that sign in at their servers.

use doorward::{
    model::{Hop, Member, Tunnel, TunnelId},
    secret::Secret,
    sources::{NewHop, NewHopAuth, NewTunnel, SourceError, TUNNELS_MAX, TunnelChange, TunnelEditError},
};
use serde_saphyr::Spanned;

use super::Run;
use crate::apply::{
    Action, ApplyError,
    document::{HopItem, SourceItem, TunnelItem, line, mistake},
};

impl Run<'_> {
    pub(super) async fn tunnels(&mut self) -> Result<(), ApplyError> {
        for item in &self.document.tunnels {
            let name = format!("{}/{}", item.value.owner, item.value.name);
            let owner = self.owner(item, &item.value.owner).await?;
            let (action, detail) = self.tunnel(owner.as_deref(), item).await?;
            self.note(action, "tunnel", name, detail);
        }
        Ok(())
    }

    async fn tunnel(
        &mut self,
        owner: Option<&Member>,
        item: &Spanned<TunnelItem>,
    ) -> Result<(Action, String), ApplyError> {
        let failed = |source| ApplyError::Source { at: line(item), source };
        let declared = &item.value;
        let present = match owner {
            Some(owner) => {
                self.rooms.sources.find_tunnel_by_name(owner, &declared.name).await.map_err(failed)?
            }
            None => None,
        };
        if let (Some(owner), Some(present)) = (owner, present) {
            let parts = self.change_tunnel(owner, declared, &present).await.map_err(failed)?;
            let action = if parts.is_empty() { Action::Same } else { Action::Change };
            return Ok((action, parts.join(", ")));
        }
        let (Some(hops), Some(destinations)) = (&declared.hops, &declared.destinations) else {
            return Err(mistake(item, "a new tunnel needs `hops` and `destinations`".to_owned()).into());
        };
        let new = NewTunnel {
            name: declared.name.clone(),
            hops: hops.iter().map(|hop| new_hop(&hop.value, None)).collect(),
            destinations: destinations.clone(),
        };
        let Some(owner) = owner.filter(|_| !self.dry_run) else {
            self.check_new_tunnel(owner, declared, new).await.map_err(failed)?;
            return Ok((Action::Add, String::new()));
        };
        let added = self.rooms.sources.add_tunnel(owner, new).await.map_err(failed)?;
        Ok((Action::Add, self.to_be_done(&added)))
    }

    /// Makes a tunnel be as declared, or says why it could not be. Returns the parts that change.
    async fn change_tunnel(
        &self,
        owner: &Member,
        declared: &TunnelItem,
        present: &Tunnel,
    ) -> Result<Vec<&'static str>, SourceError> {
        let sources = &self.rooms.sources;
        let (mut change, mut parts) = (TunnelChange::default(), Vec::new());
        if let Some(hops) = &declared.hops {
            let hops = hops.iter().enumerate();
            let hops: Vec<NewHop> =
                hops.map(|(index, hop)| new_hop(&hop.value, present.hops.get(index))).collect();
            let same = hops.len() == present.hops.len()
                && hops.iter().zip(&present.hops).all(|(declared, present)| is_same(declared, present));
            if !same {
                parts.push("hops");
            }
            if !sources.signs_in_with(owner, present.id, &hops).await? {
                parts.push("keys");
            }
            if !parts.is_empty() {
                change.hops = Some(hops);
            }
        }
        if let Some(destinations) =
            declared.destinations.as_ref().filter(|list| **list != present.destinations)
        {
            parts.push("destinations");
            change.destinations = Some(destinations.clone());
        }
        if !parts.is_empty() {
            if self.dry_run {
                sources.rehearse_update_tunnel(owner, present.id, change, present.version).await?;
            } else {
                sources.update_tunnel(owner, present.id, change, present.version).await?;
            }
        }
        Ok(parts)
    }

    /// Says why a tunnel could not be made; `None` = for somebody whose account is declared and not made yet.
    async fn check_new_tunnel(
        &mut self,
        owner: Option<&Member>,
        declared: &TunnelItem,
        new: NewTunnel,
    ) -> Result<(), SourceError> {
        let sources = &self.rooms.sources;
        let mut count = self.expected.tunnel(&declared.owner, &declared.name);
        match owner {
            Some(owner) => {
                sources.rehearse_add_tunnel(owner, new).await?;
                count += sources.tunnels(owner).await?.len();
            }
            None => sources.check_new_tunnel(new).await?,
        }
        if i64::try_from(count).is_ok_and(|count| count <= TUNNELS_MAX) {
            return Ok(());
        }
        Err(TunnelEditError::Limit { limit: TUNNELS_MAX }.into())
    }

    /// Finds the tunnel that a source names; one that will have been made has a name of its own until then.
    pub(super) async fn tunnel_of(
        &self,
        owner: Option<&Member>,
        item: &Spanned<SourceItem>,
    ) -> Result<Option<TunnelId>, ApplyError> {
        let Some(Some(name)) = &item.value.tunnel else { return Ok(None) };
        let found = match owner {
            Some(owner) => self.rooms.sources.find_tunnel_by_name(owner, name).await,
            None => Ok(None),
        };
        let found = found.map_err(|source| ApplyError::Source { at: line(item), source })?;
        let found =
            found.map(|tunnel| tunnel.id).or_else(|| self.expected.makes_tunnel(&item.value.owner, name));
        if found.is_none() {
            let reason = format!(
                "`{}` has no tunnel `{name}`; declare it under `tunnels`, or make it in the console",
                item.value.owner
            );
            return Err(mistake(item, reason).into());
        }
        Ok(found)
    }

    /// Says what whoever made a tunnel has to do next.
    fn to_be_done(&self, tunnel: &Tunnel) -> String {
        let made = tunnel.hops.iter().filter(|hop| hop.made_here).filter_map(|hop| {
            Some(format!("for {}@{}: {}", hop.user, hop.address(), hop.public_key.as_ref()?))
        });
        let is_waiting = |hop: &Hop| hop.host_key.is_none() && self.rooms.sources.known_host(hop).is_none();
        let confirm =
            tunnel.hops.iter().any(is_waiting).then(|| "its host keys are to be confirmed".to_owned());
        made.chain(confirm).collect::<Vec<_>>().join("; ")
    }
}

/// Returns a server as it is declared, at whose place this one stands.
fn new_hop(item: &HopItem, present: Option<&Hop>) -> NewHop {
    let text = |secret: &Option<Secret>| secret.clone().unwrap_or_default();
    let keeps = match present {
        Some(present) if item.generated => present.made_here,
        Some(_) => true,
        None => false,
    };
    let auth = if item.key.is_some() {
        let (passphrase, certificate) = (item.passphrase.clone(), item.certificate.clone());
        NewHopAuth::Key { private: text(&item.key), passphrase, certificate }
    } else if item.password.is_some() {
        NewHopAuth::Password(text(&item.password))
    } else if keeps {
        NewHopAuth::Keep
    } else {
        NewHopAuth::Generate
    };
    let (host, port) = (item.host.clone(), item.port.unwrap_or(Hop::PORT));
    NewHop { host, port, user: item.user.clone(), auth, host_key: item.host_key.clone() }
}

/// Says whether a server is as declared beside what signs in there.
fn is_same(declared: &NewHop, present: &Hop) -> bool {
    let NewHop { host, port, user, auth: _, host_key } = declared;
    let place = host.trim() == present.host && *port == present.port && *user == present.user;
    place && host_key.as_ref().is_none_or(|key| Some(key) == present.host_key.as_ref())
}
