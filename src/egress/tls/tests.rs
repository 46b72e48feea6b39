//! Whose certificates are trusted, asked of a real TLS server.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use http::{Request, Uri};
use http_body_util::Full;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use crate::egress::{Egress, EgressError, EgressLimits, EgressPolicy};

/// What a server shows, and the key to it.
struct Shown {
    certificate: CertificateDer<'static>,
    key: KeyPair,
}

fn params(name: &str) -> CertificateParams {
    CertificateParams::new([name.to_owned()]).unwrap()
}

/// Makes what signs itself as an authority does, as `openssl req -x509` would.
fn own(mut params: CertificateParams) -> Shown {
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    Shown { certificate: params.self_signed(&key).unwrap().der().clone(), key }
}

/// Answers every connection with a handshake by this certificate, and every request with nothing.
async fn serve(shown: Shown) -> SocketAddr {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(shown.key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![shown.certificate], key)
        .unwrap();
    listen(TlsAcceptor::from(Arc::new(config))).await
}

async fn listen(acceptor: TlsAcceptor) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut request = [0; 1024];
                if stream.read(&mut request).await.is_ok() {
                    let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
                }
            });
        }
    });
    address
}

fn door() -> Egress {
    let allow = vec!["127.0.0.0/8".parse().unwrap()];
    Egress::new(EgressPolicy { allow }, EgressLimits::default())
}

/// Asks the server once; the words of what went wrong otherwise.
async fn ask(egress: &Egress, server: SocketAddr) -> Result<(), String> {
    let uri: Uri = format!("https://{server}/").parse().unwrap();
    let make = |uri: &Uri| Request::get(uri).body(Full::default()).unwrap();
    match egress.request(&uri, make, Duration::from_secs(20)).await {
        Ok(_) => Ok(()),
        Err(EgressError::Tls { detail, .. }) => Err(detail),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_certificate_by_an_authority_is_taken_where_the_authority_is_given_and_nowhere_else() {
    let mut of_authority = CertificateParams::new([]).unwrap();
    of_authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(of_authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = params("127.0.0.1").signed_by(&key, &authority).unwrap().der().clone();
    let server = serve(Shown { certificate, key }).await;
    let namesake = own(CertificateParams::new([]).unwrap()).certificate;

    let usual = door();
    let trusting = usual.trusting(vec![namesake.clone(), authority.der().clone()]);

    assert_eq!(ask(&trusting, server).await, Ok(()));
    for (stranger, says) in [
        (usual.clone(), "signed by nobody who is trusted"),
        (usual.trusting(vec![namesake]), "signed by somebody else who has the name"),
    ] {
        let refused = ask(&stranger, server).await.unwrap_err();
        assert!(refused.contains(says), "{refused}");
    }
}

#[tokio::test]
async fn a_certificate_that_signs_itself_is_taken_where_it_is_given_for_its_name_and_in_its_time() {
    let mut old = params("127.0.0.1");
    (old.not_before, old.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    for (made, says) in [
        (params("127.0.0.1"), None),
        (params("elsewhere.example.org"), Some("another name")),
        (old, Some("has expired")),
    ] {
        let shown = own(made);
        let given = shown.certificate.clone();
        let server = serve(shown).await;

        let outcome = ask(&door().trusting(vec![given]), server).await;

        match says {
            None => assert_eq!(outcome, Ok(())),
            Some(words) => assert!(outcome.clone().unwrap_err().contains(words), "{outcome:?}"),
        }
        let ungiven = ask(&door(), server).await.unwrap_err();
        assert!(ungiven.contains("signs itself") || ungiven.contains("expired"), "{ungiven}");
    }
}

#[tokio::test]
async fn whoever_shows_a_given_certificate_has_to_have_its_key() {
    let real = own(params("127.0.0.1"));
    let thief = Shown { certificate: real.certificate.clone(), key: KeyPair::generate().unwrap() };
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(thief.key.serialize_der()));
    let signer = rustls::crypto::ring::sign::any_supported_type(&key).unwrap();
    let shown = Arc::new(rustls::sign::CertifiedKey::new(vec![thief.certificate], signer));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(shown)));
    let server = listen(TlsAcceptor::from(Arc::new(config))).await;

    let refused = ask(&door().trusting(vec![real.certificate]), server).await;

    assert!(refused.is_err(), "{refused:?}");
}
