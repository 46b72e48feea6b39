//! E-mail: hands letters to one mail server.
//!
//! The server is a setting of the operator, so its address is not checked by `egress`, which guards
//! what users name. Never queues: whoever sends waits, within a time limit, and is told what the
//! server said; and never shows a letter, whose links are secrets. One more kind of letter is a
//! [`Letter`] made by the room that knows its words.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
    transport::smtp::{
        authentication::Credentials,
        client::{Tls, TlsParameters},
    },
};
use thiserror::Error;

use crate::{
    clock::Ms,
    fault::{Fault, told},
    model::{Email, UserId},
    secret::Secret,
};

/// How long a letter may take.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// How many letters one person may have sent in [`WINDOW`].
const LETTERS_MAX: usize = 30;
/// How many letters one address is sent in [`WINDOW`], whoever sends them.
const SAME_ADDRESS_MAX: usize = 5;
/// How many letters are sent in [`WINDOW`] in all, by each process.
const TOTAL_MAX: usize = 600;
/// See [`LETTERS_MAX`].
const WINDOW: Duration = Duration::from_secs(3600);

/// How the connection to the mail server is guarded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MailTls {
    /// It begins in the clear and must change to TLS.
    #[default]
    StartTls,
    /// It is TLS from the first byte.
    Tls,
    /// Not at all: for a server on the same machine.
    None,
}

/// The mail server.
#[derive(Clone, Debug)]
pub struct MailSettings {
    /// Its name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is guarded.
    pub tls: MailTls,
    /// Who signs in there, and with which password; `None` = nobody.
    pub login: Option<(String, Secret)>,
    /// Whom letters are from.
    pub from: Mailbox,
}

/// Reads whom letters are from, as `Doorward <doorward@example.org>`.
pub fn read_sender(text: &str) -> Option<Mailbox> {
    text.parse().ok()
}

/// A letter.
#[derive(Clone)]
pub struct Letter {
    /// To whom.
    pub to: Email,
    /// Its subject, one line.
    pub subject: String,
    /// Its text.
    pub text: String,
}

/// Says why a letter was not sent.
#[derive(Debug, Error)]
pub enum MailError {
    /// No mail server is set up.
    #[error("no mail server is set up")]
    Off,
    /// The address is not one that letters can be sent to.
    #[error("letters cannot be sent to this address")]
    Address,
    /// The subject holds what would begin another header.
    #[error("the subject of a letter is one line without control characters")]
    Subject,
    /// One person sends too much, or everybody does.
    #[error("too many letters were sent in the last hour; try again later, or share a link")]
    TooMany,
    /// One address was sent too much.
    #[error(
        "this address was sent {SAME_ADDRESS_MAX} letters in the last hour; try again later, or share a link"
    )]
    TooManyToOne,
    /// The server does not answer, or does not take it.
    #[error("the mail server did not take the letter: {said}")]
    Server {
        /// What it said, or what went wrong on the way.
        said: String,
    },
}

impl MailError {
    /// Returns whose fault this is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Off | Self::Address | Self::Subject => Fault::Caller,
            Self::TooMany | Self::TooManyToOne => Fault::Refused,
            Self::Server { .. } => Fault::Upstream,
        }
    }
}

/// Sends letters; cheap to clone.
#[derive(Clone)]
pub struct Mail(Option<Arc<Inner>>);

struct Inner {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    /// What was sent lately, the oldest first; at most [`TOTAL_MAX`].
    sent: Mutex<VecDeque<Sent>>,
}

/// A letter that was sent, as far as it is counted.
struct Sent {
    at: Ms,
    by: UserId,
    to: Email,
}

impl Mail {
    /// Begins with this server; `None` = no letter is ever sent. The error says what of the settings
    /// cannot be used.
    pub fn new(settings: Option<MailSettings>) -> Result<Self, MailError> {
        let Some(settings) = settings else { return Ok(Self(None)) };
        let parameters = || {
            TlsParameters::new(settings.host.clone())
                .map_err(|error| MailError::Server { said: error.to_string() })
        };
        let tls = match settings.tls {
            MailTls::StartTls => Tls::Required(parameters()?),
            MailTls::Tls => Tls::Wrapper(parameters()?),
            MailTls::None => Tls::None,
        };
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&settings.host)
            .port(settings.port)
            .tls(tls)
            .timeout(Some(SEND_TIMEOUT));
        if let Some((user, password)) = settings.login {
            transport = transport.credentials(Credentials::new(user, password.expose().to_owned()));
        }
        let inner = Inner { transport: transport.build(), from: settings.from, sent: Mutex::default() };
        Ok(Self(Some(Arc::new(inner))))
    }

    /// Says whether letters are sent.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Sends a letter for somebody, and returns once the server has taken it.
    pub async fn send(&self, by: UserId, letter: Letter, now: Ms) -> Result<(), MailError> {
        let inner = self.0.as_ref().ok_or(MailError::Off)?;
        let message = message(&inner.from, &letter)?;
        inner.count(by, &letter.to, now)?;
        // A server that takes every byte and says nothing is given up as a whole.
        match tokio::time::timeout(SEND_TIMEOUT, inner.transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(MailError::Server { said: told(&error) }),
            Err(_) => {
                let said = format!("it did not answer within {} seconds", SEND_TIMEOUT.as_secs());
                Err(MailError::Server { said })
            }
        }
    }
}

impl Inner {
    fn count(&self, by: UserId, to: &Email, now: Ms) -> Result<(), MailError> {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        while sent.front().is_some_and(|sent| now.since(sent.at) >= WINDOW) {
            sent.pop_front();
        }
        if sent.len() >= TOTAL_MAX || sent.iter().filter(|sent| sent.by == by).count() >= LETTERS_MAX {
            return Err(MailError::TooMany);
        }
        if sent.iter().filter(|sent| sent.to == *to).count() >= SAME_ADDRESS_MAX {
            return Err(MailError::TooManyToOne);
        }
        sent.push_back(Sent { at: now, by, to: to.clone() });
        Ok(())
    }
}

/// Puts a letter together (RFC 5322). Nothing that somebody typed may begin a header of its own.
fn message(from: &Mailbox, letter: &Letter) -> Result<Message, MailError> {
    if letter.subject.chars().any(char::is_control) {
        return Err(MailError::Subject);
    }
    let to = letter.to.as_str().parse().map_err(|_| MailError::Address)?;
    Message::builder()
        .from(from.clone())
        .to(Mailbox::new(None, to))
        .subject(letter.subject.clone())
        .header(ContentType::TEXT_PLAIN)
        .body(letter.text.clone())
        .map_err(|_| MailError::Address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_typed_begins_a_header_of_its_own() {
        let from = read_sender("Doorward <d@example.org>").unwrap();
        let letter = |subject: &str| Letter {
            to: Email::parse("grace@example.org").unwrap(),
            subject: subject.to_owned(),
            text: "One line.\r\nBcc: eve@example.org\r\n".to_owned(),
        };

        for subject in ["notes\r\nBcc: eve@example.org", "notes\nX: y", "no\0tes", "no\u{85}tes"] {
            assert!(matches!(message(&from, &letter(subject)), Err(MailError::Subject)), "{subject:?}");
        }
        let written = message(&from, &letter("“Grüße”, Bcc: eve@example.org")).unwrap().formatted();
        let written = String::from_utf8(written).unwrap();
        let (head, _) = written.split_once("\r\n\r\n").unwrap();
        assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
        for sender in ["d@example.org\r\nBcc: eve@example.org", "Eve\r\nBcc: x <d@example.org>", "nobody"] {
            assert!(read_sender(sender).is_none(), "{sender:?}");
        }
        assert!(Email::parse("grace@example.org\r\nBcc: eve@example.org").is_err());
    }

    #[test]
    fn letters_are_bounded_for_a_person_an_address_and_in_all() {
        let inner = Inner {
            transport: AsyncSmtpTransport::<Tokio1Executor>::unencrypted_localhost(),
            from: read_sender("d@example.org").unwrap(),
            sent: Mutex::default(),
        };
        let to = |number: usize| Email::parse(&format!("to-{number}@example.org")).unwrap();
        let (ada, now) = (UserId::new(), Ms(1_000_000));
        let count = |by, number: usize, now| inner.count(by, &to(number), now);

        for number in 0..LETTERS_MAX {
            count(ada, number, now).unwrap();
        }
        assert!(matches!(count(ada, LETTERS_MAX, now), Err(MailError::TooMany)));
        for _ in 1..SAME_ADDRESS_MAX {
            count(UserId::new(), 0, now).unwrap();
        }
        assert!(matches!(count(UserId::new(), 0, now), Err(MailError::TooManyToOne)));
        for number in LETTERS_MAX + SAME_ADDRESS_MAX - 1..TOTAL_MAX {
            count(UserId::new(), number, now).unwrap();
        }
        assert!(matches!(count(UserId::new(), TOTAL_MAX, now), Err(MailError::TooMany)));
        count(ada, 0, now.plus(WINDOW)).unwrap();
    }
}
