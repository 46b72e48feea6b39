//! TLS towards others: the machine's own roots, Mozilla's and those a source's owner has given, and failures in
//! plain words.

use std::{
    io,
    sync::{Arc, OnceLock},
};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};

/// The TLS settings of outbound connections, read when the first secure connection is made.
#[derive(Default)]
pub(super) struct Client {
    config: OnceLock<Arc<ClientConfig>>,
    /// Trusted beside those of the machine.
    given: Vec<CertificateDer<'static>>,
}

impl Client {
    /// Makes settings that trust these certificates too.
    pub(super) fn trusting(given: Vec<CertificateDer<'static>>) -> Self {
        Self { config: OnceLock::new(), given }
    }

    pub(super) fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(self.config.get_or_init(|| Arc::new(build(&self.given))))
    }
}

fn build(given: &[CertificateDer<'static>]) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("the ring provider has the default versions' cipher suites");
    let builder = if given.is_empty() {
        builder.with_root_certificates(Arc::clone(common_roots()))
    } else {
        let verifier = Arc::new(Given::new(given, provider));
        builder.dangerous().with_custom_certificate_verifier(verifier)
    };
    let mut config = builder.with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

/// Returns Mozilla's roots and this machine's, read once.
fn common_roots() -> &'static Arc<RootCertStore> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        let native = rustls_native_certs::load_native_certs();
        for error in &native.errors {
            tracing::warn!(%error, "could not read some of this machine's root certificates");
        }
        roots.add_parsable_certificates(native.certs);
        Arc::new(roots)
    })
}

/// Checks certificates as always, and takes one that was given itself although it signs itself as an authority
/// does: what most tools make for a server that has no authority.
#[derive(Debug)]
struct Given {
    usual: Arc<WebPkiServerVerifier>,
    certificates: Vec<CertificateDer<'static>>,
}

impl Given {
    fn new(given: &[CertificateDer<'static>], provider: Arc<CryptoProvider>) -> Self {
        let mut roots = RootCertStore::clone(common_roots());
        roots.add_parsable_certificates(given.iter().cloned());
        let usual = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
        let usual = usual.build().expect("there are roots, and no lists of revoked certificates");
        Self { usual, certificates: given.to_vec() }
    }
}

impl ServerCertVerifier for Given {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let usual = self.usual.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        let Err(TlsError::InvalidCertificate(problem)) = &usual else { return usual };
        // This is found after its dates were checked, and before its name.
        if is_an_authoritys(problem) && self.certificates.iter().any(|given| given == end_entity) {
            verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
            return Ok(ServerCertVerified::assertion());
        }
        usual
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.usual.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.usual.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.usual.supported_verify_schemes()
    }
}

/// Says whether what is wrong with a server's certificate is that it may sign others.
fn is_an_authoritys(problem: &CertificateError) -> bool {
    let CertificateError::Other(other) = problem else { return false };
    matches!(other.0.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
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
        CertificateError::UnknownIssuer => {
            "its certificate is signed by nobody who is trusted; give the data source the certificate of its \
             authority, or add that to the machine's root certificates"
                .to_owned()
        }
        problem if is_an_authoritys(problem) => {
            "its certificate signs itself; give that certificate to the data source, or the server one by an \
             authority"
                .to_owned()
        }
        CertificateError::BadSignature => {
            "its certificate is signed by somebody else who has the name of one who is trusted; give the data \
             source the certificate of its authority"
                .to_owned()
        }
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

#[cfg(test)]
mod tests;
