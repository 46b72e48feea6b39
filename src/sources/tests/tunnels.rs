//! Tunnels that organisations own, over the real OpenSSH server.

use std::fs;

use super::world::{Script, World, new_source};
use crate::{
    fault::Fault,
    model::{Auth, Destination, Member, OrgRole, TunnelId, TunnelName},
    secret::Secret,
    sources::{
        NewHop, NewHopAuth, NewSource, NewTunnel, SourceChange, SourceError, TunnelChange, TunnelEditError,
    },
    tunnel::tests::sshd::{self, Sshd},
    upstream::StepOutcome,
};

/// A tunnel over this server to the script, with a key that the server knows and a host key that nobody confirmed.
fn new_tunnel(sshd: &Sshd, script: &Script) -> NewTunnel {
    let private = Secret::new(fs::read_to_string(sshd.path("user")).unwrap());
    NewTunnel {
        name: TunnelName::parse("bastion").unwrap(),
        hops: vec![NewHop {
            host: "127.0.0.1".into(),
            port: sshd.port,
            user: sshd::user(),
            auth: NewHopAuth::Key { private, passphrase: None, certificate: None },
            host_key: None,
        }],
        destinations: vec![Destination::parse(&format!("127.0.0.1:{}", script.url.port().unwrap())).unwrap()],
    }
}

#[tokio::test]
async fn a_source_is_reached_through_a_tunnel_once_its_host_key_is_confirmed() {
    let (world, sshd) = (World::new().await, Sshd::start("").await);
    let ada = world.person("ada").await;
    let script = Script::new(&[("send", "Sends.")]).await;
    let sources = &world.sources;
    let tunnel = sources.add_tunnel(&ada, new_tunnel(&sshd, &script)).await.unwrap();
    assert!(tunnel.hops[0].public_key.as_ref().unwrap().starts_with("ssh-ed25519 "));

    let shown = sources.test_tunnel(&ada, tunnel.id).await.unwrap().host_key.unwrap();
    assert_eq!((shown.hop, &shown.shown, &shown.confirmed), (0, &sshd.host_key(), &None));
    let through = NewSource { tunnel: Some(tunnel.id), ..new_source("behind", &script) };
    let kept = sources.add(&ada, through).await.unwrap();
    assert!(kept.report.failure().unwrap().contains("nobody has confirmed"), "{:?}", kept.report);
    assert!(script.seen().is_empty());

    sources.confirm_host_key(&ada, tunnel.id, 0, shown.shown).await.unwrap();
    let report = sources.test_tunnel(&ada, tunnel.id).await.unwrap();
    assert!(report.steps.iter().all(|step| step.outcome != StepOutcome::Failed), "{report:?}");
    let report = sources.test(&ada, kept.source.id).await.unwrap();
    let names: Vec<&str> = report.steps.iter().map(|step| step.name.as_str()).collect();
    assert!(report.passed(), "{report:?}");
    assert_eq!(&names[4..], ["Channel", "TLS", "Era", "Tools"]);
    let link = sources.link(ada.tenant, kept.source.id).await.unwrap();
    assert_eq!(link.list(crate::mcp::ListKind::Tools).await.unwrap().items.len(), 1);

    let detail = sources.tunnel_detail(&ada, tunnel.id).await.unwrap().unwrap();
    assert_eq!(detail.sources, [(kept.source.id, kept.source.name)]);
    assert!(detail.sessions[0].up_since.is_some() && detail.sessions[0].bytes_in > 0);
    assert!(!format!("{detail:?}").contains("PRIVATE KEY"));
    world.write_audit().await;
    let events = world.audit.search(&ada, &Default::default()).await.unwrap();
    assert!(events.iter().any(|event| event.subject == "confirm a host key of bastion"), "{events:?}");
}

#[tokio::test]
async fn a_tunnel_in_use_is_neither_deleted_nor_led_over_another_server() {
    let (world, sshd) = (World::new().await, Sshd::start("").await);
    let ada = world.person("ada").await;
    let script = Script::new(&[]).await;
    let sources = &world.sources;
    let tunnel = sources.add_tunnel(&ada, new_tunnel(&sshd, &script)).await.unwrap();
    let mut through = NewSource { tunnel: Some(tunnel.id), enabled: false, ..new_source("behind", &script) };
    through.credential.auth = Auth::Bearer(Secret::new("hunter2"));
    let source = sources.add(&ada, through).await.unwrap().source;

    let removed = sources.remove_tunnel(&ada, tunnel.id).await.unwrap_err();
    assert!(matches!(removed, SourceError::Tunnel(TunnelEditError::InUse { .. })), "{removed}");
    let mut hop = NewHop::from(tunnel.hops[0].clone());
    hop.host = "thief.example.org".into();
    let change = TunnelChange { hops: Some(vec![hop]), ..TunnelChange::default() };
    let led = sources.update_tunnel(&ada, tunnel.id, change, 1).await.unwrap_err();
    assert!(matches!(led, SourceError::Tunnel(TunnelEditError::Diverts { .. })), "{led}");

    // Nor does a credential follow its source onto another way.
    let direct = SourceChange { tunnel: Some(None), ..SourceChange::default() };
    let refused = sources.update(&ada, source.id, direct.clone(), 1).await.unwrap_err();
    assert!(matches!(refused, SourceError::Invalid { part: "auth", .. }), "{refused}");
    let given = SourceChange { auth: Some(Auth::None), ..direct };
    sources.update(&ada, source.id, given, 1).await.unwrap();
    sources.remove_tunnel(&ada, tunnel.id).await.unwrap();
}

#[tokio::test]
async fn only_who_manages_the_organisation_changes_its_tunnels_and_nobody_else_sees_them() {
    let (world, sshd) = (World::new().await, Sshd::start("").await);
    let (ada, bob) = (world.person("ada").await, world.person("bob").await);
    let script = Script::new(&[]).await;
    let sources = &world.sources;
    let tunnel = sources.add_tunnel(&ada, new_tunnel(&sshd, &script)).await.unwrap();
    let operator = Member { org_role: OrgRole::Operator, ..ada.clone() };
    let viewer = Member { org_role: OrgRole::Viewer, ..ada.clone() };
    let name = Some(TunnelName::parse("mine").unwrap());
    let change = TunnelChange { name, ..TunnelChange::default() };

    let refusals = [
        sources.add_tunnel(&operator, new_tunnel(&sshd, &script)).await.err(),
        sources.update_tunnel(&operator, tunnel.id, change.clone(), 1).await.err(),
        sources.confirm_host_key(&operator, tunnel.id, 0, sshd.host_key()).await.err(),
        sources.generate_tunnel_key(&operator, tunnel.id, 0).await.err(),
        sources.remove_tunnel(&operator, tunnel.id).await.err(),
        sources.test_tunnel(&viewer, tunnel.id).await.err(),
    ];
    assert!(refusals.iter().all(|refusal| matches!(refusal, Some(SourceError::Denied(_)))), "{refusals:?}");
    assert!(sources.test_tunnel(&operator, tunnel.id).await.is_ok());

    let is_missing =
        |error: Option<SourceError>| matches!(error, Some(SourceError::Tunnel(TunnelEditError::NotFound)));
    assert!(sources.find_tunnel(&bob, tunnel.id).await.unwrap().is_none());
    assert!(is_missing(sources.update_tunnel(&bob, tunnel.id, change, 1).await.err()));
    assert!(is_missing(sources.test_tunnel(&bob, tunnel.id).await.err()));
    let through = NewSource { tunnel: Some(tunnel.id), ..new_source("behind", &script) };
    let stolen = sources.add(&bob, through).await.unwrap_err();
    assert!(matches!(stolen, SourceError::Invalid { part: "tunnel", .. }), "{stolen}");
}

#[tokio::test]
async fn what_is_typed_of_a_tunnel_is_checked_and_its_keys_are_kept_across_edits() {
    let (world, sshd) = (World::new().await, Sshd::start("").await);
    let ada = world.person("ada").await;
    let script = Script::new(&[]).await;
    let sources = &world.sources;
    let good = new_tunnel(&sshd, &script);
    let with = |change: &dyn Fn(&mut NewTunnel)| {
        let mut new = good.clone();
        change(&mut new);
        new
    };
    let key = |private: &str| NewHopAuth::Key {
        private: Secret::new(private),
        passphrase: None,
        certificate: None,
    };
    for (wrong, part) in [
        (with(&|new| new.hops.clear()), "hops"),
        (with(&|new| new.destinations.clear()), "destinations"),
        (with(&|new| new.hops[0].host = "a b".into()), "host"),
        (with(&|new| new.hops[0].user = String::new()), "user"),
        (with(&|new| new.hops[0].auth = NewHopAuth::Keep), "auth"),
        (with(&|new| new.hops[0].auth = NewHopAuth::Password(Secret::new("p"))), "auth"),
        (with(&|new| new.hops[0].auth = key("nonsense")), "private_key"),
    ] {
        let error = sources.add_tunnel(&ada, wrong).await.unwrap_err();
        assert!(
            matches!(&error, SourceError::Invalid { part: found, .. } if *found == part),
            "{part}: {error}"
        );
    }

    let tunnel = sources.add_tunnel(&ada, good.clone()).await.unwrap();
    let taken = sources.add_tunnel(&ada, good).await.unwrap_err();
    assert!(matches!(taken, SourceError::Tunnel(TunnelEditError::NameTaken { .. })), "{taken}");
    sources.confirm_host_key(&ada, tunnel.id, 0, sshd.host_key()).await.unwrap();
    let hops = Some(vec![NewHop { host_key: None, ..tunnel.hops[0].clone().into() }]);
    let change = TunnelChange { hops, ..TunnelChange::default() };
    let stale = sources.update_tunnel(&ada, tunnel.id, change.clone(), 1).await.unwrap_err();
    assert_eq!(stale.fault(), Fault::Caller);
    let edited = sources.update_tunnel(&ada, tunnel.id, change, 2).await.unwrap();
    assert_eq!((edited.version, &edited.hops[0].host_key), (3, &Some(sshd.host_key())));
    assert_eq!(edited.hops[0].public_key, tunnel.hops[0].public_key);
    assert!(sources.test_tunnel(&ada, tunnel.id).await.unwrap().host_key.is_none());

    let made = sources.generate_tunnel_key(&ada, tunnel.id, 0).await.unwrap();
    assert_ne!(made.hops[0].public_key, tunnel.hops[0].public_key);
    fs::write(sshd.path("authorized_keys"), made.hops[0].public_key.as_ref().unwrap()).unwrap();
    let report = sources.test_tunnel(&ada, tunnel.id).await.unwrap();
    assert!(report.steps.iter().all(|step| step.outcome != StepOutcome::Failed), "{report:?}");
    assert!(sources.find_tunnel(&ada, TunnelId::new()).await.unwrap().is_none());
}
