//! Every kind of key that people have, made by `ssh-keygen`.

use std::fs;

use super::{sshd::keygen, *};
use crate::{
    secret::Secret,
    tunnel::{KeyError, KeyPair},
};

/// Kind, form and passphrase.
const KINDS: &[(&[&str], &str, &str)] = &[
    (&["-t", "ed25519"], "RFC4716", ""),
    (&["-t", "ed25519"], "RFC4716", "secret words"),
    (&["-t", "rsa", "-b", "2048"], "RFC4716", ""),
    (&["-t", "rsa", "-b", "2048"], "PEM", ""),
    (&["-t", "rsa", "-b", "2048"], "PEM", "secret words"),
    (&["-t", "rsa", "-b", "2048"], "PKCS8", "secret words"),
    (&["-t", "ecdsa", "-b", "256"], "RFC4716", ""),
    (&["-t", "ecdsa", "-b", "256"], "PKCS8", ""),
    (&["-t", "ecdsa", "-b", "384"], "PKCS8", "secret words"),
    (&["-t", "ecdsa", "-b", "521"], "RFC4716", ""),
];

#[tokio::test]
async fn every_kind_of_key_signs_in() {
    let sshd = Sshd::start("").await;
    for (index, (kind, form, passphrase)) in KINDS.iter().enumerate() {
        let name = format!("key{index}");
        let path = sshd.path(&name);
        let mut arguments = kind.to_vec();
        arguments.extend(["-N", passphrase, "-a", "4", "-m", form, "-f", path.to_str().unwrap()]);
        keygen(&arguments);
        fs::copy(sshd.path(&format!("{name}.pub")), sshd.path("authorized_keys")).unwrap();

        let bench = Bench::over(vec![sshd.hop_with(&name, Some(passphrase))]).await;
        let trace = bench.tunnel.trace().await;

        assert!(trace.error().is_none(), "{kind:?} {form} {passphrase:?}: {:?}", trace.error());
    }
}

#[tokio::test]
async fn a_certificate_signs_in_where_its_key_alone_does_not() {
    let sshd = Sshd::start("").await;
    let path = |name: &str| sshd.path(name).to_str().unwrap().to_owned();
    keygen(&["-t", "ed25519", "-N", "", "-f", &path("signed")]);
    keygen(&["-s", &path("ca"), "-I", "test", "-n", &sshd::user(), "-V", "+1h", &path("signed.pub")]);
    let (hop, _) = sshd.hop();
    let private = Secret::new(fs::read_to_string(sshd.path("signed")).unwrap());
    let with = |certificate| HopSecret::Key { private: private.clone(), passphrase: None, certificate };

    let alone = Bench::over(vec![(hop.clone(), with(None))]).await;
    assert!(matches!(alone.tunnel.trace().await.error(), Some(TunnelError::SignIn { .. })));
    let line = fs::read_to_string(sshd.path("signed-cert.pub")).unwrap();
    let signed = Bench::over(vec![(hop.clone(), with(Some(line.clone())))]).await;
    assert!(signed.tunnel.trace().await.error().is_none());

    let HopSecret::Key { private, .. } = sshd.hop().1 else { unreachable!("it signs in with a key") };
    let secret = HopSecret::Key { private, passphrase: None, certificate: Some(line) };
    let others = Bench::over(vec![(hop, secret)]).await;
    let error = others.tunnel.trace().await.error().cloned();
    assert!(matches!(&error, Some(TunnelError::Key { reason: KeyError::OtherKey, .. })), "{error:?}");
}

#[tokio::test]
async fn a_key_made_here_signs_in_with_its_public_half() {
    let sshd = Sshd::start("").await;
    let (pair, private) = KeyPair::generate("doorward").unwrap();
    fs::write(sshd.path("authorized_keys"), pair.public_line()).unwrap();
    let (hop, _) = sshd.hop();
    let secret = HopSecret::Key { private, passphrase: None, certificate: None };

    let bench = Bench::over(vec![(hop, secret)]).await;

    assert!(pair.public_line().starts_with("ssh-ed25519 ") && pair.public_line().ends_with(" doorward"));
    assert_eq!(bench.text("/hello").await.as_deref(), Ok("hello"));
}

#[test]
fn a_key_that_cannot_be_used_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let make = |name: &str, arguments: &[&str]| {
        let path = folder.path().join(name);
        let mut all = arguments.to_vec();
        all.extend(["-a", "4", "-f", path.to_str().unwrap()]);
        keygen(&all);
        path
    };
    let read = |path: std::path::PathBuf, passphrase: Option<&str>| {
        let text = Secret::new(fs::read_to_string(path).unwrap());
        KeyPair::read(&text, passphrase.map(Secret::new).as_ref()).map(drop)
    };
    let sealed = make("sealed", &["-t", "ed25519", "-N", "secret words"]);
    let pem = make("pem", &["-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "secret words"]);
    let short = make("short", &["-t", "rsa", "-b", "1024", "-N", ""]);

    for path in [&sealed, &pem] {
        assert_eq!(read(path.clone(), None), Err(KeyError::NeedsPassphrase));
        assert_eq!(read(path.clone(), Some("others")), Err(KeyError::WrongPassphrase));
        assert_eq!(read(path.clone(), Some("secret words")), Ok(()));
    }
    assert!(matches!(read(short, None), Err(KeyError::Kind(_))));
    assert_eq!(read(sealed.with_extension("pub"), None), Err(KeyError::Public));
    let nonsense = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n";
    assert_eq!(KeyPair::read(&Secret::new(nonsense), None).map(drop), Err(KeyError::Unreadable));
}
