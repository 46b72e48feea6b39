//! Where the audit log is exported to, put together from its settings.

use doorward::audit::{ExportSettings, ExportTarget, OtlpSettings, S3Settings};
use http::{HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;

use super::Settings;

impl Settings {
    /// Returns where the audit log is exported to. The error says which setting does not fit.
    pub fn audit_export(&self) -> Result<ExportSettings, String> {
        let every = self.audit_export_every;
        let target = match (&self.audit_export_folder, &self.audit_export_s3_endpoint) {
            (Some(_), Some(_)) => {
                return Err(
                    "`audit_export_folder` and `audit_export_s3_endpoint` exclude each other".to_owned()
                );
            }
            (Some(folder), None) => Some(ExportTarget::Folder(folder.clone())),
            (None, Some(endpoint)) => {
                let needed = |name: &str, value: &Option<String>| {
                    let missing =
                        || format!("`audit_export_s3_endpoint` needs `audit_export_s3_{name}` beside it");
                    value.clone().ok_or_else(missing)
                };
                let secret_key = self.audit_export_s3_secret_key.clone();
                let settings = S3Settings {
                    endpoint: endpoint.clone(),
                    bucket: needed("bucket", &self.audit_export_s3_bucket)?,
                    region: self.audit_export_s3_region.clone(),
                    prefix: self.audit_export_s3_prefix.clone().unwrap_or_default(),
                    access_key: needed("access_key", &self.audit_export_s3_access_key)?,
                    secret_key: secret_key.ok_or_else(|| {
                        "`audit_export_s3_endpoint` needs `audit_export_s3_secret_key` beside it".to_owned()
                    })?,
                };
                settings.check().map_err(|why| format!("`audit_export_s3_endpoint` does not fit: {why}"))?;
                Some(ExportTarget::S3(settings))
            }
            (None, None) => None,
        };
        Ok(ExportSettings { target, every })
    }

    /// Returns where run events are sent as logs; `None` if nowhere. The error says which setting does not fit.
    pub fn otlp_logs(&self) -> Result<Option<OtlpSettings>, String> {
        let Some(url) = &self.otlp_logs_url else {
            return match self.otlp_logs_headers {
                Some(_) => Err("`otlp_logs_headers` is of use only beside `otlp_logs_url`".to_owned()),
                None => Ok(None),
            };
        };
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err("`otlp_logs_url` begins with https:// or http://".to_owned());
        }
        let text = self.otlp_logs_headers.as_ref().map_or("", |headers| headers.expose());
        let headers = text.split(',').map(str::trim).filter(|header| !header.is_empty()).map(header);
        let headers: Option<Vec<_>> = headers.collect();
        let headers = headers.ok_or_else(|| {
            "`otlp_logs_headers` holds headers as name=value, separated by commas".to_owned()
        })?;
        Ok(Some(OtlpSettings { url: url.clone(), headers }))
    }
}

fn header(text: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = text.split_once('=')?;
    let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
    let mut value: HeaderValue = value.parse().ok()?;
    value.set_sensitive(true);
    Some((name.trim().parse().ok()?, value))
}
