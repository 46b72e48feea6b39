//! What the pages of tunnels post. Each checks the session; the engine asks the policy.

use doorward::{
    model::{Destination, Fingerprint, Hop, TunnelId, TunnelName},
    secret::Secret,
    sources::{NewHop, NewHopAuth, NewTunnel, TunnelChange, TunnelReport},
};
use leptos::{prelude::*, server_fn::ServerFn};

use crate::{
    context::console,
    form::{Form, Mistake, Onward},
    session,
    sources::{mistake, steps},
    trouble::Trouble,
};

pub(super) const ADD: &str = <AddTunnel as ServerFn>::PATH;
pub(super) const EDIT: &str = <EditTunnel as ServerFn>::PATH;
pub(super) const TEST: &str = <TestTunnel as ServerFn>::PATH;
pub(super) const CONFIRM: &str = <ConfirmHostKey as ServerFn>::PATH;
pub(super) const GENERATE: &str = <GenerateTunnelKey as ServerFn>::PATH;
pub(super) const SIGN_IN: &str = <SignInTunnel as ServerFn>::PATH;
pub(super) const REMOVE: &str = <RemoveTunnel as ServerFn>::PATH;

pub(super) const ADD_FORM: &str = "add-tunnel";
pub(super) const EDIT_FORM: &str = "edit-tunnel";
pub(super) const REMOVE_FORM: &str = "remove-tunnel";

/// Returns the name of the form that says what signs in at a server.
pub(super) fn sign_in_form(hop: usize) -> String {
    format!("tunnel-sign-in-{hop}")
}

/// Adds a tunnel, with a new key for each server.
#[server(prefix = "/do", endpoint = "tunnels/add")]
pub async fn add_tunnel(name: String, hops: String, destinations: String) -> Result<(), ServerFnError> {
    let form = typed(ADD_FORM, &name, &hops, &destinations);
    let outcome = async {
        let member = session::member().await?;
        let new = NewTunnel {
            name: tunnel_name(&name)?,
            hops: servers(&hops, 0)?,
            destinations: places(&destinations)?,
        };
        let tunnel = console().sources.add_tunnel(&member, new).await.map_err(field)?;
        Ok(Onward::to(format!("/tunnels/{}", tunnel.id))
            .saying("Put each public key on its server, then test the tunnel."))
    };
    form.answer("/tunnels/new", outcome.await)
}

/// Edits a tunnel. A server keeps what signs in there by its place in the list.
#[server(prefix = "/do", endpoint = "tunnels/edit")]
pub async fn edit_tunnel(
    id: String,
    version: i64,
    name: String,
    hops: String,
    destinations: String,
) -> Result<(), ServerFnError> {
    let form = typed(EDIT_FORM, &name, &hops, &destinations);
    let outcome = async {
        let member = session::member().await?;
        let id = tunnel_id(&id)?;
        let before = console().sources.find_tunnel(&member, id).await.map_err(mistake)?;
        let kept = before.ok_or(Trouble::NotFound)?.hops.len();
        let change = TunnelChange {
            name: Some(tunnel_name(&name)?),
            hops: Some(servers(&hops, kept)?),
            destinations: Some(places(&destinations)?),
        };
        let tunnel = console().sources.update_tunnel(&member, id, change, version).await.map_err(field)?;
        Ok(Onward::to(format!("/tunnels/{id}"))
            .saying(format!("{} is changed. Test it to be sure.", tunnel.name)))
    };
    form.answer(&format!("/tunnels/{id}/edit"), outcome.await)
}

/// Tries a tunnel step by step.
#[server(prefix = "/do", endpoint = "tunnels/test")]
pub async fn test_tunnel(id: String) -> Result<(), ServerFnError> {
    let path = format!("/tunnels/{id}");
    let outcome = async {
        let member = session::member().await?;
        let TunnelReport { steps: tried, host_key } =
            console().sources.test_tunnel(&member, tunnel_id(&id)?).await.map_err(mistake)?;
        let mut report = steps(&tried);
        report.host_key = host_key.map(|key| (key.hop, key.shown.to_string()));
        Ok(Onward::to(path.clone()).reporting(report))
    };
    Form::new("test-tunnel").answer(&path, outcome.await)
}

/// Confirms the host key of one server.
#[server(prefix = "/do", endpoint = "tunnels/confirm")]
pub async fn confirm_host_key(id: String, hop: usize, host_key: String) -> Result<(), ServerFnError> {
    let path = format!("/tunnels/{id}");
    let outcome = async {
        let member = session::member().await?;
        let host_key = Fingerprint::parse(&host_key).ok_or_else(|| {
            Mistake::form("a fingerprint looks like SHA256:… and has 43 characters after it")
        })?;
        let done = console().sources.confirm_host_key(&member, tunnel_id(&id)?, hop, host_key).await;
        done.map_err(mistake)?;
        Ok(Onward::to(path.clone()).saying("The host key is confirmed. Test again to go on."))
    };
    Form::new("confirm-host-key").answer(&path, outcome.await)
}

/// Makes a new key for one server.
#[server(prefix = "/do", endpoint = "tunnels/key")]
pub async fn generate_tunnel_key(id: String, hop: usize) -> Result<(), ServerFnError> {
    let path = format!("/tunnels/{id}");
    let outcome = async {
        let member = session::member().await?;
        console().sources.generate_tunnel_key(&member, tunnel_id(&id)?, hop).await.map_err(mistake)?;
        Ok(Onward::to(path.clone()).saying("A new key is made. Put its public half on the server."))
    };
    Form::new("tunnel-key").answer(&path, outcome.await)
}

/// Says what signs in at one server: a key that its owner has, or a password.
#[server(prefix = "/do", endpoint = "tunnels/sign-in")]
pub async fn sign_in_tunnel(
    id: String,
    version: i64,
    hop: usize,
    #[server(default)] private_key: String,
    #[server(default)] passphrase: String,
    #[server(default)] certificate: String,
    #[server(default)] password: String,
) -> Result<(), ServerFnError> {
    let path = format!("/tunnels/{id}");
    let [private_key, passphrase, password] = [private_key, passphrase, password].map(Secret::new);
    let form = Form::new(&sign_in_form(hop)).keep("certificate", certificate.trim());
    let outcome = async {
        let member = session::member().await?;
        let id = tunnel_id(&id)?;
        let tunnel = console().sources.find_tunnel(&member, id).await.map_err(mistake)?;
        let mut hops: Vec<NewHop> =
            tunnel.ok_or(Trouble::NotFound)?.hops.into_iter().map(NewHop::from).collect();
        let auth = if password.is_empty() {
            // What is empty is as if it were not there.
            let (passphrase, certificate) = (Some(passphrase), Some(certificate));
            NewHopAuth::Key { private: private_key, passphrase, certificate }
        } else {
            NewHopAuth::Password(password)
        };
        hops.get_mut(hop).ok_or(Trouble::NotFound)?.auth = auth;
        let change = TunnelChange { hops: Some(hops), ..TunnelChange::default() };
        console().sources.update_tunnel(&member, id, change, version).await.map_err(mistake)?;
        Ok(Onward::to(path.clone()).saying("It is sealed and kept. Test the tunnel to be sure."))
    };
    form.answer(&path, outcome.await)
}

/// Deletes a tunnel after its name was typed.
#[server(prefix = "/do", endpoint = "tunnels/delete")]
pub async fn remove_tunnel(id: String, confirm: String) -> Result<(), ServerFnError> {
    let form = Form::new(REMOVE_FORM).keep("confirm", confirm.trim());
    let outcome = async {
        let member = session::member().await?;
        let id = tunnel_id(&id)?;
        let tunnel = console().sources.find_tunnel(&member, id).await.map_err(mistake)?;
        let tunnel = tunnel.ok_or(Trouble::NotFound)?;
        if confirm.trim() != tunnel.name.as_str() {
            return Err(Mistake::field("confirm", format!("type “{}” exactly", tunnel.name)));
        }
        console().sources.remove_tunnel(&member, id).await.map_err(mistake)?;
        Ok(Onward::to("/tunnels").saying(format!("{} is deleted.", tunnel.name)))
    };
    form.answer(&format!("/tunnels/{id}/delete"), outcome.await)
}

/// Reads the id of a tunnel from a form or a path.
pub(super) fn tunnel_id(text: &str) -> Result<TunnelId, Trouble> {
    text.parse().map_err(|_| Trouble::NotFound)
}

fn typed(form: &str, name: &str, hops: &str, destinations: &str) -> Form {
    Form::new(form)
        .keep("name", name.trim())
        .keep("hops", hops.trim())
        .keep("destinations", destinations.trim())
}

fn tunnel_name(text: &str) -> Result<TunnelName, Mistake> {
    TunnelName::parse(text.trim()).map_err(|error| Mistake::field("name", error))
}

/// Reads the servers, the first `kept` of which keep what signs in there.
fn servers(text: &str, kept: usize) -> Result<Vec<NewHop>, Mistake> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let hops = lines.enumerate().map(|(index, line)| {
        let auth = if index < kept { NewHopAuth::Keep } else { NewHopAuth::Generate };
        server(line, auth).ok_or_else(|| {
            Mistake::field("hops", format!("`{line}` is not of the form user@host or user@host:port"))
        })
    });
    hops.collect()
}

fn server(line: &str, auth: NewHopAuth) -> Option<NewHop> {
    let (user, place) = line.rsplit_once('@')?;
    let with_port = Destination::parse(place);
    let (host, port) = match with_port {
        Some(place) => (place.host().to_owned(), place.port()),
        None => (place.to_owned(), Hop::PORT),
    };
    doorward::model::is_host(&host).then(|| NewHop {
        host,
        port,
        user: user.to_owned(),
        auth,
        host_key: None,
    })
}

fn places(text: &str) -> Result<Vec<Destination>, Mistake> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let place = |line: &str| {
        Destination::parse(line)
            .ok_or_else(|| Mistake::field("destinations", format!("`{line}` is not of the form host:port")))
    };
    lines.map(place).collect()
}

/// Shows what the engine says of one part of a server at the field that all servers share.
fn field(error: doorward::sources::SourceError) -> Mistake {
    match error {
        doorward::sources::SourceError::Invalid { part: "host" | "port" | "user" | "auth", reason } => {
            Mistake::field("hops", reason)
        }
        error => mistake(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_user_at_a_host_with_or_without_a_port() {
        let read = |line: &str| server(line, NewHopAuth::Generate).map(|hop| (hop.user, hop.host, hop.port));

        assert_eq!(read("ada@bastion"), Some(("ada".into(), "bastion".into(), 22)));
        assert_eq!(read("ada@10.0.0.1:2222"), Some(("ada".into(), "10.0.0.1".into(), 2222)));
        assert_eq!(read("ada@[fd00::1]:22"), Some(("ada".into(), "fd00::1".into(), 22)));
        for wrong in ["bastion", "ada@", "ada@a b", "ada@host:ssh/"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
