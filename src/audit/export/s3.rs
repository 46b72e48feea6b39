//! S3-compatible storage: one whole object at a time, each request signed (AWS Signature Version 4).

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
        UriPathNormalizationMode, sign,
    },
    sign::v4::SigningParams,
};
use bytes::Bytes;
use http::{Method, Request, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use super::ExportError;
use crate::{clock::Ms, egress::Egress, secret::Secret};

/// How long the storage may take to take a file.
const TIMEOUT: Duration = Duration::from_secs(300);
/// How much is read of what the storage says when it takes no file, in bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// What is written otherwise in names of objects.
const ODD: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// Where a bucket is and who writes into it.
#[derive(Clone, Debug)]
pub struct S3Settings {
    /// The address of the storage.
    pub endpoint: Url,
    /// The bucket's name.
    pub bucket: String,
    /// The region, as the storage calls it.
    pub region: String,
    /// What names of files begin with; empty = nothing.
    pub prefix: String,
    /// Who writes.
    pub access_key: String,
    /// What they sign with.
    pub secret_key: Secret,
}

impl S3Settings {
    /// Says what of these settings does not fit.
    pub fn check(&self) -> Result<(), String> {
        self.address("x").map(drop).map_err(|error| error.to_string())
    }

    /// Returns the address of an object, with the bucket in its path.
    fn address(&self, name: &str) -> Result<Uri, ExportError> {
        let Self { endpoint, bucket, .. } = self;
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.');
        if bucket.is_empty() || !bucket.chars().all(is_plain) {
            return Err(ExportError::Settings(
                "a bucket's name holds letters, digits, `-` and `.`".to_owned(),
            ));
        }
        if !matches!(endpoint.scheme(), "http" | "https") || endpoint.query().is_some() {
            return Err(ExportError::Settings("its address begins with https:// or http://".to_owned()));
        }
        let prefix = self.prefix.trim_matches('/');
        let between = if prefix.is_empty() { "" } else { "/" };
        let name = format!("{prefix}{between}{name}");
        let name = utf8_percent_encode(&name, ODD);
        let address = format!("{}/{bucket}/{name}", endpoint.as_str().trim_end_matches('/'));
        address.parse().map_err(|_| ExportError::Settings("its address cannot be written".to_owned()))
    }

    /// Puts a file there, in place of one of the same name.
    pub(super) async fn put(
        &self,
        egress: &Egress,
        name: &str,
        whole: Bytes,
        now: Ms,
    ) -> Result<(), ExportError> {
        let uri = self.address(name)?;
        let signed = self.signed(&uri, &whole, now)?;
        let make = |uri: &Uri| {
            let mut request = Request::builder()
                .method(Method::PUT)
                .uri(uri)
                .header(header::CONTENT_TYPE, "application/x-ndjson");
            for (name, value) in &signed {
                request = request.header(*name, value);
            }
            request.body(Full::new(whole.clone())).expect("headers of ours are well-formed")
        };
        let response = egress.request(&uri, make, TIMEOUT).await?.response;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let said = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        let code = said.ok().and_then(|said| code_of(&said.to_bytes())).unwrap_or_default();
        Err(ExportError::Storage { status: status.as_u16(), code })
    }

    /// Returns the headers that a signed request has.
    fn signed(&self, uri: &Uri, whole: &[u8], now: Ms) -> Result<Vec<(&'static str, String)>, ExportError> {
        let unfit = |error: &dyn std::error::Error| ExportError::Settings(error.to_string());
        let secret = self.secret_key.expose().to_owned();
        let identity = Credentials::new(self.access_key.clone(), secret, None, None, "settings").into();
        let mut settings = SigningSettings::default();
        // As S3 wants it.
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        let now = Duration::from_millis(u64::try_from(now.0).unwrap_or(0));
        let params = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("s3")
            .time(SystemTime::UNIX_EPOCH + now)
            .settings(settings)
            .build()
            .map_err(|error| unfit(&error))?
            .into();
        let address = uri.to_string();
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let headers = [("host", authority)].into_iter();
        let request = SignableRequest::new("PUT", &address, headers, SignableBody::Bytes(whole))
            .map_err(|error| unfit(&error))?;
        let (instructions, _) = sign(request, &params).map_err(|error| unfit(&error))?.into_parts();
        let (headers, _) = instructions.into_parts();
        Ok(headers.into_iter().map(|header| (header.name(), header.value().to_owned())).collect())
    }
}

/// Finds what the storage calls an error, in brackets: `<Code>NoSuchBucket</Code>`.
fn code_of(said: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(said).ok()?;
    let (_, rest) = text.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    let is_word = code.len() <= 64 && code.chars().all(|letter| letter.is_ascii_alphanumeric());
    is_word.then(|| format!(" ({code})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_word_is_repeated_of_what_the_storage_says() {
        let said = b"<Error><Code>NoSuchBucket</Code><Message>x</Message></Error>";

        assert_eq!(code_of(said).as_deref(), Some(" (NoSuchBucket)"));
        assert_eq!(code_of(b"<Code><script>alert(1)</script></Code>"), None);
        assert_eq!(code_of(b"no"), None);
    }

    #[test]
    fn an_object_is_below_its_bucket_and_prefix() {
        let settings = |prefix: &str, bucket: &str| S3Settings {
            endpoint: "https://s3.example.org/".parse().unwrap(),
            bucket: bucket.into(),
            region: "us-east-1".into(),
            prefix: prefix.into(),
            access_key: "k".into(),
            secret_key: Secret::new("s"),
        };
        let address = |prefix| settings(prefix, "logs").address("ada/a b.jsonl").unwrap().to_string();

        assert_eq!(address(""), "https://s3.example.org/logs/ada/a%20b.jsonl");
        assert_eq!(address("/door/audit/"), "https://s3.example.org/logs/door/audit/ada/a%20b.jsonl");
        assert!(settings("", "logs/../x").check().is_err());
    }
}
