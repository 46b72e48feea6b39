//! The mail server, put together from its settings.

use doorward::mail::{MailSettings, MailTls, read_sender};

use super::Settings;

impl Settings {
    /// Returns the mail server; `None` if there is none. The error says which setting does not fit.
    pub fn mail(&self) -> Result<Option<MailSettings>, String> {
        let Some(server) = &self.mail_server else {
            if self.mail_from.is_some() || self.mail_password.is_some() {
                return Err("`mail_from` and `mail_password` are of use only beside `mail_server`".to_owned());
            }
            return Ok(None);
        };
        let (tls, port) = match server.scheme() {
            "smtp" => (MailTls::StartTls, 587),
            "smtps" => (MailTls::Tls, 465),
            "smtp+plain" => (MailTls::None, 25),
            other => {
                return Err(format!(
                    "`mail_server` begins with smtp://, smtps:// or smtp+plain://, not {other}://"
                ));
            }
        };
        let Some(host) = server.host_str().filter(|host| !host.is_empty()) else {
            return Err("`mail_server` names a host, as smtp://mail.example.org".to_owned());
        };
        let rest = server.path().trim_end_matches('/');
        if server.password().is_some() || !rest.is_empty() || server.query().is_some() {
            return Err(
                "`mail_server` is scheme, user, host and port alone; the password is `mail_password`"
                    .to_owned(),
            );
        }
        let login = match (server.username(), &self.mail_password) {
            ("", None) => None,
            ("", Some(_)) => return Err("`mail_password` needs a user in `mail_server`".to_owned()),
            (_, None) => return Err("the user in `mail_server` needs `mail_password`".to_owned()),
            (user, Some(password)) => {
                if tls == MailTls::None {
                    return Err("a password is not sent without TLS: use smtp:// or smtps://".to_owned());
                }
                let user = percent_encoding::percent_decode_str(user).decode_utf8_lossy().into_owned();
                Some((user, password.clone()))
            }
        };
        let from = self.mail_from.as_deref().and_then(read_sender);
        let from = from.ok_or("`mail_from` must be an address, as Doorward <doorward@example.org>")?;
        Ok(Some(MailSettings {
            host: host.to_owned(),
            port: server.port().unwrap_or(port),
            tls,
            login,
            from,
        }))
    }
}
