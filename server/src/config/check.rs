//! What must hold between settings.

use super::{ConfigError, MetricsListen, Settings};

/// The ranges sources may be in by default while only this machine can reach the program.
pub const LOOPBACK_AND_PRIVATE: &[&str] =
    &["127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"];

/// Why an open address is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenDoor {
    /// Nobody owns the installation, so whoever comes first would.
    #[error(
        "listening on more than loopback needs an owner account first: create it with `doorward user add … --admin`, or start once on 127.0.0.1 and open the set-up link"
    )]
    NoOwner,
}

impl Settings {
    pub(super) fn check(&self) -> Vec<ConfigError> {
        let mut errors = Vec::new();
        let mut refuse = |reason: String| errors.push(ConfigError::Together(reason));

        if !self.listens_on_loopback() && self.public_url.is_none() {
            refuse(format!(
                "`listen` is {}, which others can reach: set `public_url` to the address they use",
                self.listen
            ));
        }
        if let Some(url) = &self.public_url {
            let plain = matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && is_plain_path(url.path())
                && url.query().is_none()
                && url.fragment().is_none()
                && url.username().is_empty()
                && url.password().is_none();
            if !plain {
                refuse(
                    "`public_url` must be scheme, host, port and at most a path, as https://doorward.example.org or https://example.org/doorward"
                        .into(),
                );
            }
        }
        for (name, url) in
            [("database_url", &self.database_url), ("database_owner_url", &self.database_owner_url)]
        {
            let Some(url) = url else { continue };
            if !["postgres://", "postgresql://"].iter().any(|scheme| url.expose().starts_with(scheme)) {
                refuse(format!("`{name}` must begin with postgres://; leave it out for SQLite"));
            }
        }
        if self.database_owner_url.is_some() && self.database_url.is_none() {
            refuse("`database_owner_url` is of use only beside `database_url`".into());
        }
        if self.vault_key.is_some() && self.vault_key_file.is_some() {
            refuse("`vault_key` and `vault_key_file` exclude each other".into());
        }
        if let MetricsListen::Own(address) = self.metrics_listen
            && address == self.listen
            && address.port() != 0
        {
            refuse("`metrics_listen` is the same as `listen`; say `main` to serve metrics there".into());
        }
        let unfit = [
            self.mail().err(),
            self.warnings().err(),
            self.audit_export().err(),
            self.otlp_logs().err(),
            self.model().err(),
            self.redis().err(),
        ];
        unfit.into_iter().flatten().for_each(&mut refuse);
        if let Some(name) = self.allowed_hosts.0.iter().find(|name| name.contains(['/', '*', '@', ' '])) {
            refuse(format!("`allowed_hosts` holds names with an optional port, not `{name}`"));
        }
        if let Some(origin) = self.allowed_origins.0.iter().find(|origin| !is_origin(origin)) {
            refuse(format!(
                "`allowed_origins` holds origins as https://inspector.example.org, not `{origin}`"
            ));
        }
        if self.log.parse::<tracing_subscriber::EnvFilter>().is_err() {
            refuse(format!("`log` must be a level or a list as `info,doorward=debug`, not `{}`", self.log));
        }
        errors
    }

    /// Refuses an address that others can reach while nobody owns the installation.
    pub fn check_open_door(&self, has_owner: bool) -> Result<(), OpenDoor> {
        if self.listens_on_loopback() || has_owner { Ok(()) } else { Err(OpenDoor::NoOwner) }
    }
}

/// Says whether a path can stand before every other one: names of plain letters between single slashes.
fn is_plain_path(path: &str) -> bool {
    let is_plain =
        |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.' | '~' | '/');
    path.chars().all(is_plain) && !path.contains("//")
}

fn is_origin(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| url.origin().ascii_serialization() == text)
}
