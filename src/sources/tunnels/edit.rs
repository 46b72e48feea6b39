//! Adding, changing and removing tunnels.

use subtle::ConstantTimeEq;

use crate::{
    apart,
    changes::Change,
    model::{
        DESTINATIONS_MAX, Destination, Fingerprint, HOPS_MAX, Hop, HopAuthKind, Member, OrgRole, SourceId,
        SourceName, Tunnel, TunnelId, is_host,
    },
    secret::Secret,
    sources::{
        HopSignIn, NewHop, NewHopAuth, NewTunnel, Result, Sources, Subject, TunnelChange, TunnelEditError,
        check::invalid, edit::Run, may_manage, tunnels::secret,
    },
    store::{StoreError, Tx},
    tunnel::{HopSecret, KeyError, KeyPair, certificate_for},
};

/// How many tunnels an organisation has at most.
pub const TUNNELS_MAX: i64 = 100;
/// The longest user name.
const USER_MAX: usize = 64;
/// The longest password or passphrase, in bytes.
const PASSWORD_BYTES_MAX: usize = 1024;

impl Sources {
    /// Adds a tunnel. Connects to nothing: a test does.
    pub async fn add_tunnel(&self, member: &Member, new: NewTunnel) -> Result<Tunnel> {
        let subject = Subject::Tunnel(new.name.to_string());
        self.audited(member, "add", subject, self.add_tunnel_now(member, new, Run::Real)).await
    }

    /// Says what [`Sources::add_tunnel`] would, and changes nothing.
    pub async fn rehearse_add_tunnel(&self, member: &Member, new: NewTunnel) -> Result<Tunnel> {
        self.add_tunnel_now(member, new, Run::Rehearsal { to_come: None }).await
    }

    /// Says what is wrong with a tunnel, as far as that shows without knowing whose it will be.
    pub async fn check_new_tunnel(&self, new: NewTunnel) -> Result<()> {
        check_destinations(&new.destinations)?;
        self.hops(new.name.as_str(), new.hops, &[], Vec::new()).await.map(|_| ())
    }

    async fn add_tunnel_now(&self, member: &Member, new: NewTunnel, run: Run) -> Result<Tunnel> {
        let permit = may_manage(member, OrgRole::Admin)?;
        check_destinations(&new.destinations)?;
        let name = new.name.to_string();
        let (hops, secrets) = self.hops(&name, new.hops, &[], Vec::new()).await?;
        let now = self.0.clock.now();
        let tunnel = Tunnel {
            id: TunnelId::new(),
            tenant: permit.tenant(),
            name: new.name,
            hops,
            destinations: new.destinations,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        let sealed = secret::seal(&self.0.vault, tunnel.tenant, tunnel.id, &secrets)?;
        let mut tx = self.0.store.tenant(permit.tenant()).await?;
        tx.take_turn().await?;
        if tx.count_tunnels().await? >= TUNNELS_MAX {
            return Err(TunnelEditError::Limit { limit: TUNNELS_MAX }.into());
        }
        tx.add_tunnel(&tunnel, &sealed).await.map_err(|error| taken(error, &tunnel))?;
        if run == Run::Real {
            tx.commit().await?;
        }
        Ok(tunnel)
    }

    /// Edits a tunnel, if it still has the version the editor saw.
    pub async fn update_tunnel(
        &self,
        member: &Member,
        id: TunnelId,
        change: TunnelChange,
        version: i64,
    ) -> Result<Tunnel> {
        let subject = self.tunnel_subject(member, id).await?;
        let doing = self.change_tunnel(member, id, change, version, Run::Real);
        self.audited(member, "edit", subject, doing).await
    }

    /// Says what [`Sources::update_tunnel`] would, and changes nothing.
    pub async fn rehearse_update_tunnel(
        &self,
        member: &Member,
        id: TunnelId,
        change: TunnelChange,
        version: i64,
    ) -> Result<Tunnel> {
        self.change_tunnel(member, id, change, version, Run::Rehearsal { to_come: None }).await
    }

    /// Says whether this is what signs in at a tunnel's servers, so that declaring it again changes nothing.
    pub async fn signs_in_with(&self, member: &Member, id: TunnelId, declared: &[NewHop]) -> Result<bool> {
        let kept = self.tunnel_secrets(member, id).await?;
        let same = |(kept, declared): (&HopSecret, &NewHop)| declared.auth.is_kept(kept);
        Ok(kept.len() == declared.len() && kept.iter().zip(declared).all(same))
    }

    /// Returns what is not secret of how Doorward signs in at each server of a tunnel.
    pub async fn tunnel_sign_in(&self, member: &Member, id: TunnelId) -> Result<Vec<HopSignIn>> {
        let kept = self.tunnel_secrets(member, id).await?;
        Ok(kept.into_iter().map(HopSignIn::from).collect())
    }

    async fn tunnel_secrets(&self, member: &Member, id: TunnelId) -> Result<Vec<HopSecret>> {
        let permit = may_manage(member, OrgRole::Admin)?;
        let mut tx = self.0.store.read(permit.tenant()).await?;
        let tunnel = tx.find_tunnel(id).await?.ok_or(TunnelEditError::NotFound)?;
        let sealed = tx.tunnel_secrets(id).await?.ok_or(TunnelEditError::NotFound)?;
        drop(tx);
        secret::open(&self.0.vault, &tunnel, sealed).await
    }

    /// Confirms the host key of one server of a tunnel: from then on it is talked to.
    pub async fn confirm_host_key(
        &self,
        member: &Member,
        id: TunnelId,
        hop: usize,
        host_key: Fingerprint,
    ) -> Result<Tunnel> {
        let subject = self.tunnel_subject(member, id).await?;
        self.audited(member, "confirm a host key of", subject, async {
            let (change, version) =
                self.with_hop(member, id, hop, |hop| hop.host_key = Some(host_key)).await?;
            self.change_tunnel(member, id, change, version, Run::Real).await
        })
        .await
    }

    /// Makes a new key for one server of a tunnel in place of what signs in there.
    pub async fn generate_tunnel_key(&self, member: &Member, id: TunnelId, hop: usize) -> Result<Tunnel> {
        let subject = self.tunnel_subject(member, id).await?;
        self.audited(member, "make a key for", subject, async {
            let (change, version) =
                self.with_hop(member, id, hop, |hop| hop.auth = NewHopAuth::Generate).await?;
            self.change_tunnel(member, id, change, version, Run::Real).await
        })
        .await
    }

    /// Returns the edit of a tunnel that changes one server alone, and the version it is for.
    async fn with_hop(
        &self,
        member: &Member,
        id: TunnelId,
        index: usize,
        change: impl FnOnce(&mut NewHop),
    ) -> Result<(TunnelChange, i64)> {
        let tunnel = self.find_tunnel(member, id).await?.ok_or(TunnelEditError::NotFound)?;
        let mut hops: Vec<NewHop> = tunnel.hops.into_iter().map(NewHop::from).collect();
        let hop = hops.get_mut(index).ok_or_else(|| invalid("hop", "the tunnel has no such server"))?;
        change(hop);
        Ok((TunnelChange { hops: Some(hops), ..TunnelChange::default() }, tunnel.version))
    }

    async fn change_tunnel(
        &self,
        member: &Member,
        id: TunnelId,
        change: TunnelChange,
        version: i64,
        run: Run,
    ) -> Result<Tunnel> {
        let permit = may_manage(member, OrgRole::Admin)?;
        let mut tx = self.0.store.read(permit.tenant()).await?;
        let before = tx.find_tunnel(id).await?.ok_or(TunnelEditError::NotFound)?;
        let sealed = tx.tunnel_secrets(id).await?.ok_or(TunnelEditError::NotFound)?;
        drop(tx);
        if version != before.version {
            return Err(stale(&before).into());
        }
        let mut tunnel = before.clone();
        tunnel.name = change.name.unwrap_or(tunnel.name);
        tunnel.destinations = change.destinations.unwrap_or(tunnel.destinations);
        check_destinations(&tunnel.destinations)?;
        let mut secrets = secret::open(&self.0.vault, &before, sealed).await?;
        if let Some(hops) = change.hops {
            (tunnel.hops, secrets) = self.hops(tunnel.name.as_str(), hops, &before.hops, secrets).await?;
        }
        tunnel.updated_at = self.0.clock.now();
        let sealed = secret::seal(&self.0.vault, tunnel.tenant, id, &secrets)?;

        let mut tx = self.0.store.tenant(permit.tenant()).await?;
        let through = tx.sources_through(id).await?;
        if !same_way(&before.hops, &tunnel.hops) {
            let keeping: Vec<SourceName> =
                through.iter().filter(|(_, _, keeps)| *keeps).map(|(_, name, _)| name.clone()).collect();
            if !keeping.is_empty() {
                return Err(TunnelEditError::Diverts { sources: keeping }.into());
            }
        }
        let stored = tx.update_tunnel(&tunnel, &sealed, before.version).await;
        if !stored.map_err(|error| taken(error, &tunnel))? {
            return Err(stale(&before).into());
        }
        tunnel.version = before.version + 1;
        if run != Run::Real {
            return Ok(tunnel);
        }
        self.commit_for(tx, &tunnel, through.into_iter().map(|(source, ..)| source).collect()).await?;
        Ok(tunnel)
    }

    /// Makes an edit hold, and has every source that goes through the tunnel open it anew.
    async fn commit_for(&self, tx: Tx, tunnel: &Tunnel, sources: Vec<SourceId>) -> Result<()> {
        let Some((first, others)) = sources.split_first() else { return Ok(tx.commit().await?) };
        self.commit(tx, Change::Source(tunnel.tenant, *first)).await?;
        for source in others {
            self.0.changes.announce(Change::Source(tunnel.tenant, *source));
        }
        Ok(())
    }

    /// Deletes a tunnel that no source goes through.
    pub async fn remove_tunnel(&self, member: &Member, id: TunnelId) -> Result<Tunnel> {
        let subject = self.tunnel_subject(member, id).await?;
        self.audited(member, "remove", subject, async {
            let permit = may_manage(member, OrgRole::Admin)?;
            let mut tx = self.0.store.tenant(permit.tenant()).await?;
            let tunnel = tx.find_tunnel(id).await?.ok_or(TunnelEditError::NotFound)?;
            let sources: Vec<SourceName> =
                tx.sources_through(id).await?.into_iter().map(|(_, name, _)| name).collect();
            if !sources.is_empty() {
                return Err(TunnelEditError::InUse { sources }.into());
            }
            if !tx.remove_tunnel(id).await? {
                return Err(TunnelEditError::NotFound.into());
            }
            tx.commit().await?;
            Ok(tunnel)
        })
        .await
    }

    pub(super) async fn tunnel_subject(&self, member: &Member, id: TunnelId) -> Result<Subject> {
        let tunnel = self.find_tunnel(member, id).await?.ok_or(TunnelEditError::NotFound)?;
        Ok(Subject::Tunnel(tunnel.name.to_string()))
    }

    /// Checks servers as they were given, and returns them with what signs in at each.
    async fn hops(
        &self,
        comment: &str,
        given: Vec<NewHop>,
        before: &[Hop],
        kept: Vec<HopSecret>,
    ) -> Result<(Vec<Hop>, Vec<HopSecret>)> {
        if given.is_empty() || given.len() > HOPS_MAX {
            return Err(invalid("hops", format!("a tunnel has 1 to {HOPS_MAX} servers")));
        }
        let (mut hops, mut secrets) = (Vec::new(), Vec::new());
        let mut kept: Vec<Option<HopSecret>> = kept.into_iter().map(Some).collect();
        for (index, new) in given.into_iter().enumerate() {
            check_server(&new)?;
            let (host, port, user) = (new.host.trim().to_owned(), new.port, new.user);
            let auth = HopAuthKind::Key;
            let (public_key, made_here, host_key) = (None, false, new.host_key);
            let mut hop = Hop { host, port, user, auth, public_key, made_here, host_key };
            let old = before.get(index);
            if let Some(old) = old.filter(|old| old.is_same_server(&hop)) {
                hop.host_key = hop.host_key.or_else(|| old.host_key.clone());
            }
            let secret = match new.auth {
                NewHopAuth::Keep => {
                    let (Some(old), Some(secret)) = (old, kept.get_mut(index).and_then(Option::take)) else {
                        return Err(invalid("auth", "give a key, or have one made"));
                    };
                    let same = old.is_same_server(&hop) && old.user == hop.user;
                    if old.auth == HopAuthKind::Password && !same {
                        return Err(invalid(
                            "auth",
                            "it is for another server or user; give the password again",
                        ));
                    }
                    hop.public_key.clone_from(&old.public_key);
                    hop.made_here = old.made_here;
                    hop.auth = old.auth;
                    secret
                }
                NewHopAuth::Password(password) => {
                    if !self.tunnel_passwords() {
                        return Err(invalid("auth", "the operator does not allow passwords here; use a key"));
                    }
                    check_text("password", &password)?;
                    hop.auth = HopAuthKind::Password;
                    HopSecret::Password(password)
                }
                NewHopAuth::Generate => {
                    let (pair, private) = KeyPair::generate(&format!("doorward-{comment}"))
                        .map_err(|error| invalid("key", error.to_string()))?;
                    hop.public_key = Some(pair.public_line());
                    hop.made_here = true;
                    HopSecret::Key { private, passphrase: None, certificate: None }
                }
                NewHopAuth::Key { private, passphrase, certificate } => {
                    let certificate = certificate.filter(|text| !text.trim().is_empty());
                    let passphrase = passphrase.filter(|text| !text.is_empty());
                    let secret = HopSecret::Key { private, passphrase, certificate };
                    let (line, secret) = read_key(secret).await?;
                    hop.public_key = Some(line);
                    secret
                }
            };
            hops.push(hop);
            secrets.push(secret);
        }
        Ok((hops, secrets))
    }
}

/// Reads a key as it was given, where computing does not stop anybody else. Returns its public half beside it.
async fn read_key(secret: HopSecret) -> Result<(String, HopSecret)> {
    let reading = apart::compute(move || {
        let HopSecret::Key { private, passphrase, certificate } = &secret else {
            return Err(KeyError::Unreadable);
        };
        let pair = KeyPair::read(private, passphrase.as_ref())?;
        if let Some(line) = certificate {
            certificate_for(&pair, line)?;
        }
        Ok((pair.public_line(), secret))
    });
    reading.await.map_err(|error| match error {
        KeyError::NeedsPassphrase | KeyError::WrongPassphrase => invalid("passphrase", error.to_string()),
        KeyError::Certificate | KeyError::OtherKey => invalid("certificate", error.to_string()),
        KeyError::Public | KeyError::Unreadable | KeyError::Kind(_) | KeyError::Making => {
            invalid("private_key", error.to_string())
        }
    })
}

/// Says whether requests pass the same servers.
fn same_way(before: &[Hop], after: &[Hop]) -> bool {
    before.len() == after.len() && before.iter().zip(after).all(|(one, other)| one.is_same_server(other))
}

fn check_server(hop: &NewHop) -> Result<()> {
    if !is_host(hop.host.trim()) {
        return Err(invalid("host", "a server is a name or an address, without user and port"));
    }
    if hop.port == 0 {
        return Err(invalid("port", "a port is a number from 1 to 65535"));
    }
    let is_odd = |c: char| c.is_control() || c.is_whitespace();
    if hop.user.is_empty() || hop.user.len() > USER_MAX || hop.user.chars().any(is_odd) {
        return Err(invalid("user", format!("a user name has 1 to {USER_MAX} characters and no spaces")));
    }
    Ok(())
}

fn check_destinations(destinations: &[Destination]) -> Result<()> {
    if destinations.is_empty() || destinations.len() > DESTINATIONS_MAX {
        let words = format!("a tunnel leads to 1 to {DESTINATIONS_MAX} places, each `host:port`");
        return Err(invalid("destinations", words));
    }
    Ok(())
}

fn check_text(part: &'static str, text: &Secret) -> Result<()> {
    if text.is_empty() || text.expose().len() > PASSWORD_BYTES_MAX {
        return Err(invalid(part, format!("it has 1 to {PASSWORD_BYTES_MAX} bytes")));
    }
    Ok(())
}

impl From<Hop> for NewHop {
    fn from(hop: Hop) -> Self {
        let Hop { host, port, user, host_key, .. } = hop;
        Self { host, port, user, auth: NewHopAuth::Keep, host_key }
    }
}

impl NewHopAuth {
    /// Says whether this is what is kept.
    fn is_kept(&self, kept: &HopSecret) -> bool {
        let same = |one: &str, other: &str| bool::from(one.as_bytes().ct_eq(other.as_bytes()));
        match (self, kept) {
            (Self::Keep, _) => true,
            (Self::Password(declared), HopSecret::Password(kept)) => same(declared.expose(), kept.expose()),
            (
                Self::Key { private, passphrase, certificate },
                HopSecret::Key { private: kept, passphrase: kept_passphrase, certificate: kept_certificate },
            ) => {
                let text = Secret::default();
                let (one, other) = (passphrase.as_ref(), kept_passphrase.as_ref());
                let line = |certificate: &Option<String>| certificate.clone().unwrap_or_default();
                same(private.expose().trim(), kept.expose().trim())
                    && same(one.unwrap_or(&text).expose(), other.unwrap_or(&text).expose())
                    && line(certificate).trim() == line(kept_certificate).trim()
            }
            (Self::Generate | Self::Password(_) | Self::Key { .. }, _) => false,
        }
    }
}

impl From<HopSecret> for HopSignIn {
    fn from(kept: HopSecret) -> Self {
        match kept {
            HopSecret::Key { passphrase, certificate, .. } => {
                Self { has_passphrase: passphrase.is_some(), certificate }
            }
            HopSecret::Password(_) => Self::default(),
        }
    }
}

fn stale(tunnel: &Tunnel) -> TunnelEditError {
    TunnelEditError::Stale { version: tunnel.version, at: tunnel.updated_at }
}

fn taken(error: StoreError, tunnel: &Tunnel) -> crate::sources::SourceError {
    match error {
        StoreError::Conflict { what } if what == "tunnels.name" => {
            TunnelEditError::NameTaken { name: tunnel.name.clone() }.into()
        }
        error => error.into(),
    }
}
