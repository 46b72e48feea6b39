//! TLS towards others: the machine's own roots and Mozilla's, and failures in plain words.

use std::{
    io,
    sync::{Arc, OnceLock},
};

use rustls::{CertificateError, ClientConfig, Error as TlsError, RootCertStore};

/// The TLS settings of outbound connections, read when the first secure connection is made.
#[derive(Default)]
pub(super) struct Client(OnceLock<Arc<ClientConfig>>);

impl Client {
    pub(super) fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(self.0.get_or_init(|| Arc::new(build())))
    }
}

fn build() -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let native = rustls_native_certs::load_native_certs();
    for error in &native.errors {
        tracing::warn!(%error, "could not read some of this machine's root certificates");
    }
    roots.add_parsable_certificates(native.certs);

    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the ring provider has the default versions' cipher suites")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

/// Says why a handshake failed, in words that tell the owner of a source what to do.
pub(super) fn words(error: &io::Error) -> String {
    let Some(cause) = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>()) else {
        return match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => {
                "the other side ended the handshake; perhaps this port does not speak TLS".to_owned()
            }
            _ => error.to_string(),
        };
    };
    match cause {
        TlsError::InvalidCertificate(problem) => certificate_words(problem),
        TlsError::InvalidMessage(_) => "this port does not speak TLS; perhaps the address should begin \
                                        with http://"
            .to_owned(),
        TlsError::AlertReceived(alert) => format!("the other side refused the handshake ({alert:?})"),
        other => other.to_string(),
    }
}

fn certificate_words(problem: &CertificateError) -> String {
    match problem {
        CertificateError::UnknownIssuer => "its certificate is signed by nobody this machine trusts; add \
                                            the issuer to the machine's root certificates"
            .to_owned(),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet; check this machine's clock".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "its certificate is for another name".to_owned()
        }
        other => format!("its certificate is not acceptable: {other}"),
    }
}
