//! What the operator knows of host keys, through the real OpenSSH server.

use std::fs;

use super::{
    Bench,
    sshd::{Sshd, keygen},
};
use crate::{
    model::{Fingerprint, Hop, SourceId},
    tunnel::{KnownHosts, TunnelError, TunnelLimits},
};

const OTHER: &str = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";

/// Returns the public key of this name, as a line of the file.
fn line(sshd: &Sshd, marker: &str, key: &str) -> String {
    let key = fs::read_to_string(sshd.path(&format!("{key}.pub"))).unwrap();
    format!("{marker}[127.0.0.1]:{} {key}", sshd.port)
}

/// A tunnel of an operator who knows this, to a server of which its owner has confirmed that key.
async fn tunnel(sshd: &Sshd, known_hosts: &str, confirmed: Option<&str>) -> Bench {
    let (hop, secret) = sshd.hop();
    let host_key = confirmed.map(|key| Fingerprint::parse(key).unwrap());
    let known_hosts = KnownHosts::read(known_hosts).unwrap();
    let limits = TunnelLimits { known_hosts, ..TunnelLimits::default() };
    Bench::with(vec![(Hop { host_key, ..hop }, secret)], limits).await
}

#[tokio::test]
async fn a_server_in_the_operators_file_needs_no_confirmation() {
    let sshd = Sshd::start("").await;
    let file = format!("# of the operator\n{}", line(&sshd, "", "host"));
    for confirmed in [None, Some(OTHER)] {
        let bench = tunnel(&sshd, &file, confirmed).await;

        let trace = bench.tunnel.trace().await;

        let said = trace.steps[2].outcome.as_ref().unwrap();
        assert!(said.contains(sshd.host_key().as_str()) && said.contains("line 2"), "{said}");
        assert_eq!(bench.text("/hello").await.as_deref(), Ok("hello"));
    }
}

#[tokio::test]
async fn a_server_with_another_key_than_in_the_operators_file_is_refused_though_it_was_confirmed() {
    let sshd = Sshd::start("").await;
    let (shown, known) = (sshd.host_key(), sshd.fingerprint("ca"));
    let bench = tunnel(&sshd, &line(&sshd, "", "ca"), Some(shown.as_str())).await;

    let trace = bench.tunnel.trace().await;

    let error = trace.error().unwrap().to_string();
    assert!(error.contains(shown.as_str()) && error.contains(known.as_str()), "{error}");
    assert!(trace.host_key().is_none(), "there is nothing to confirm");
    assert!(bench.tunnel.status(SourceId::new()).up_since.is_none());
}

#[tokio::test]
async fn a_revoked_key_is_refused_though_it_was_confirmed() {
    let sshd = Sshd::start("").await;
    let key = fs::read_to_string(sshd.path("host.pub")).unwrap();
    let bench = tunnel(&sshd, &format!("@revoked elsewhere {key}"), Some(sshd.host_key().as_str())).await;

    let trace = bench.tunnel.trace().await;

    assert!(matches!(trace.error(), Some(TunnelError::Revoked { line: 1, .. })), "{:?}", trace.error());
}

#[tokio::test]
async fn of_several_host_keys_the_one_that_is_known_is_asked_for() {
    let sshd = Sshd::start("").await;
    keygen(&["-t", "ecdsa", "-N", "", "-f", sshd.path("host2").to_str().unwrap()]);
    sshd.configure(&format!("HostKey {}", sshd.path("host2").display()));
    let bench = tunnel(&sshd, &line(&sshd, "", "host2"), None).await;

    assert_eq!(bench.text("/hello").await.as_deref(), Ok("hello"));
}

#[tokio::test]
async fn a_certificate_of_an_authority_stands_for_the_host_key_and_one_that_does_not_hold_is_refused() {
    let sshd = Sshd::start("").await;
    let path = |name: &str| sshd.path(name).to_str().unwrap().to_owned();
    let sign =
        |principal: &str| keygen(&["-s", &path("ca"), "-I", "h", "-h", "-n", principal, &path("host.pub")]);
    sign("127.0.0.1");
    sshd.configure(&format!("HostCertificate {}", path("host-cert.pub")));
    let file = line(&sshd, "@cert-authority ", "ca");

    let trace = tunnel(&sshd, &file, None).await.tunnel.trace().await;
    let said = trace.steps[2].outcome.as_ref().unwrap();
    assert!(said.contains("a certificate of the authority in line 1"), "{said}");

    // Where nobody knows the authority the key speaks for itself, as ever.
    let plain = tunnel(&sshd, "", Some(sshd.host_key().as_str())).await;
    assert_eq!(plain.text("/hello").await.as_deref(), Ok("hello"));

    sign("somebody.else");
    let trace = tunnel(&sshd, &file, Some(sshd.host_key().as_str())).await.tunnel.trace().await;
    let error = trace.error().unwrap();
    assert!(
        matches!(error, TunnelError::HostCertificate { reason, .. } if reason.contains("somebody.else")),
        "{error}"
    );
}
