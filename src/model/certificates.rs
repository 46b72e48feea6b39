//! Certificates that the owner of a source trusts beside those of the machine.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustls::{
    RootCertStore,
    pki_types::{
        CertificateDer,
        pem::{PemObject, SectionKind},
    },
};
use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;
use x509_parser::parse_x509_certificate;

use crate::clock::Ms;

/// One or more X.509 certificates as PEM (RFC 7468): of authorities that sign certificates of servers, or of a
/// server itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, sqlx::Type)]
#[sqlx(transparent)]
#[serde(transparent)]
pub struct CaCertificates(String);

/// Says why a text holds no usable certificates.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum CertificateMistake {
    /// More than is kept.
    #[error("certificates are at most {max} bytes and {count} in number; give only the authority's", max = CaCertificates::BYTES_MAX, count = CaCertificates::COUNT_MAX)]
    TooLarge,
    /// Nothing that begins like a certificate.
    #[error("there is no certificate in it; it begins with -----BEGIN CERTIFICATE-----")]
    None,
    /// A section that is never read to its end.
    #[error("it is no PEM: {0}")]
    NotPem(String),
    /// A private key, which must not come here.
    #[error("it holds a private key, which has to stay with its server; give the certificate alone")]
    PrivateKey,
    /// Something else that PEM can hold.
    #[error("part {0} of it is no certificate")]
    Other(usize),
    /// A certificate that is none.
    #[error("certificate {0} of it cannot be read")]
    Unreadable(usize),
}

/// What a certificate says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Whose it is.
    pub subject: String,
    /// Since when it holds.
    pub begins_at: Ms,
    /// Until when it holds.
    pub ends_at: Ms,
}

impl CaCertificates {
    /// The longest text that is read.
    pub const BYTES_MAX: usize = 32 * 1024;
    /// How many certificates are taken.
    pub const COUNT_MAX: usize = 16;

    /// Reads certificates as PEM; what stands around them is left out.
    pub fn parse(text: &str) -> Result<Self, CertificateMistake> {
        if text.len() > Self::BYTES_MAX {
            return Err(CertificateMistake::TooLarge);
        }
        let mut written = String::new();
        let sections = <(SectionKind, Vec<u8>)>::pem_slice_iter(text.as_bytes());
        for (index, section) in sections.enumerate() {
            let number = index + 1;
            if number > Self::COUNT_MAX {
                return Err(CertificateMistake::TooLarge);
            }
            let (kind, der) = section.map_err(|error| CertificateMistake::NotPem(error.to_string()))?;
            match kind {
                SectionKind::Certificate => {}
                SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey => {
                    return Err(CertificateMistake::PrivateKey);
                }
                _ => return Err(CertificateMistake::Other(number)),
            }
            let is_usable = RootCertStore::empty().add(CertificateDer::from(der.as_slice())).is_ok()
                && parse_x509_certificate(&der).is_ok();
            if !is_usable {
                return Err(CertificateMistake::Unreadable(number));
            }
            write_pem(&mut written, &der);
        }
        if written.is_empty() {
            return Err(CertificateMistake::None);
        }
        Ok(Self(written))
    }

    /// Returns them as PEM.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns each as DER.
    pub fn der(&self) -> Vec<CertificateDer<'static>> {
        CertificateDer::pem_slice_iter(self.0.as_bytes()).filter_map(Result::ok).collect()
    }

    /// Returns each of those that somebody gave, as DER; none if nobody gave any.
    pub fn all(given: Option<&Self>) -> Vec<CertificateDer<'static>> {
        given.map(Self::der).unwrap_or_default()
    }

    /// Returns what each says of itself.
    pub fn facts(&self) -> Vec<CertificateFacts> {
        let facts = |der: &CertificateDer<'_>| {
            let (_, certificate) = parse_x509_certificate(der).ok()?;
            let validity = certificate.validity();
            Some(CertificateFacts {
                subject: certificate.subject().to_string(),
                begins_at: Ms(validity.not_before.timestamp().saturating_mul(1000)),
                ends_at: Ms(validity.not_after.timestamp().saturating_mul(1000)),
            })
        };
        self.der().iter().filter_map(facts).collect()
    }
}

/// Writes one certificate as RFC 7468 wants it: lines of 64 characters.
fn write_pem(out: &mut String, der: &[u8]) {
    out.push_str("-----BEGIN CERTIFICATE-----\n");
    let digits = STANDARD.encode(der);
    let mut rest = digits.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        out.push_str(line);
        out.push('\n');
        rest = after;
    }
    out.push_str("-----END CERTIFICATE-----\n");
}

impl fmt::Display for CaCertificates {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for CaCertificates {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};

    use super::*;

    fn authority() -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "Corner authority");
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(2031, 1, 1);
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    #[test]
    fn certificates_are_read_out_of_what_was_pasted_and_tell_of_themselves() {
        let (pem, _) = authority();
        let pasted = format!("# our authority\n{}\nsubject=somebody\n{pem}", pem.replace('\n', "\r\n"));

        let read = CaCertificates::parse(&pasted).unwrap();

        assert_eq!(read.der().len(), 2);
        assert!(!read.as_str().contains("somebody"), "what stands around is left out");
        assert_eq!(CaCertificates::parse(read.as_str()).unwrap(), read);
        let facts = read.facts();
        assert!(facts[0].subject.contains("Corner authority"), "{facts:?}");
        assert_eq!(facts[0].begins_at.to_string(), "2026-01-01T00:00:00Z");
        assert_eq!(facts[0].ends_at.to_string(), "2031-01-01T00:00:00Z");
    }

    #[test]
    fn what_is_no_certificate_is_refused_with_what_it_is() {
        let (pem, key) = authority();
        let one = |text: &str| CaCertificates::parse(text).unwrap_err();

        assert_eq!(one(""), CertificateMistake::None);
        assert_eq!(one("hello"), CertificateMistake::None);
        assert_eq!(one(&format!("{pem}{key}")), CertificateMistake::PrivateKey);
        assert_eq!(one(&pem.repeat(17)), CertificateMistake::TooLarge);
        assert_eq!(one(&" ".repeat(CaCertificates::BYTES_MAX + 1)), CertificateMistake::TooLarge);
        let nonsense = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert_eq!(one(&format!("{pem}{nonsense}")), CertificateMistake::Unreadable(2));
        let request = pem.replace("CERTIFICATE", "CERTIFICATE REQUEST");
        assert_eq!(one(&request), CertificateMistake::Other(1));
        let half = pem.split("-----END").next().unwrap();
        assert!(matches!(one(half), CertificateMistake::NotPem(_)), "{:?}", one(half));
    }
}
