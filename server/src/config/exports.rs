//! Where the audit log is exported to, put together from its settings.

use doorward::audit::{ExportSettings, ExportTarget, S3Settings};

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
}
