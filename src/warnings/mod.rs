//! Warnings: tells people, before something of theirs stops working or their month is used up, by e-mail or the
//! operator's webhook.
//!
//! What is warned of is one statement in `store`, made anew in each round; what was told is kept, so that each thing
//! is told once by each channel, whichever process does it. A channel that fails is tried again a few times. Never
//! decides what a page shows. One more kind: a variant of `model::WarningKind`, its rows in `store::warnings`, its
//! sentence here.

mod webhook;

use std::{collections::BTreeMap, time::Duration};

use crate::{
    clock::{Clock, Ms},
    egress::Egress,
    mail::{Letter, Mail},
    model::{Email, UserId, Warning, WarningChannel, WarningKind},
    secret::Secret,
    store::{Store, StoreError},
};

/// How many warnings are told in one round.
const BATCH: i64 = 200;
/// How long until a warning is tried again that could not be told.
const RETRY: Duration = Duration::from_secs(600);
/// How long it is remembered what was told.
const MEMORY: Duration = Duration::from_secs(180 * 24 * 3600);
/// The most characters of what went wrong that are told.
const DETAIL_MAX: usize = 300;

/// Where warnings go beside the console.
#[derive(Clone, Debug, Default)]
pub struct WarningSettings {
    /// The program's own address, which links begin with.
    pub base_url: String,
    /// The address where the operator takes them, which may hold a secret; `None` = nowhere.
    pub webhook: Option<Secret>,
    /// What they are signed with there; `None` = they are not.
    pub webhook_secret: Option<Secret>,
}

/// Tells warnings; cheap to clone.
#[derive(Clone)]
pub struct Warnings {
    store: Store,
    mail: Mail,
    egress: Egress,
    clock: Clock,
    settings: WarningSettings,
}

impl Warnings {
    /// Begins with these channels.
    pub fn new(store: Store, mail: Mail, egress: Egress, clock: Clock, settings: WarningSettings) -> Self {
        Self { store, mail, egress, clock, settings }
    }

    /// Tells what is due by every channel that is set up, and says how many warnings were told; called by a background
    /// job. A channel that fails is logged and tried again later.
    pub async fn tell(&self) -> Result<usize, StoreError> {
        let mut told = 0;
        if self.mail.is_on() {
            let due = self.claim(WarningChannel::Mail).await?;
            told += self.tell_by_mail(due).await?;
        }
        if let Some(address) = &self.settings.webhook {
            let due = self.claim(WarningChannel::Webhook).await?;
            if !due.is_empty() {
                match self.tell_webhook(address, &due).await {
                    Ok(()) => told += self.note(WarningChannel::Webhook, &due).await?,
                    Err(problem) => tracing::warn!(%problem, "the webhook did not take the warnings"),
                }
            }
        }
        Ok(told)
    }

    /// Forgets what was told long ago; called by a background job.
    pub async fn forget_old(&self) -> Result<u64, StoreError> {
        let mut tx = self.store.system().await?;
        let forgotten = tx.forget_warnings(self.clock.now().minus(MEMORY)).await?;
        tx.commit().await?;
        Ok(forgotten)
    }

    /// Returns what is due and this process has the turn to tell.
    async fn claim(&self, channel: WarningChannel) -> Result<Vec<Warning>, StoreError> {
        let now = self.clock.now();
        let listed = self.store.system_read().await?.list_warnings(channel, now, BATCH).await?;
        if listed.is_empty() {
            return Ok(listed);
        }
        let mut tx = self.store.system().await?;
        let mut claimed = Vec::with_capacity(listed.len());
        for warning in listed {
            if tx.claim_warning(channel, &warning, now, now.plus(RETRY)).await? {
                claimed.push(warning);
            }
        }
        tx.commit().await?;
        Ok(claimed)
    }

    async fn note(&self, channel: WarningChannel, told: &[Warning]) -> Result<usize, StoreError> {
        let mut tx = self.store.system().await?;
        for warning in told {
            tx.warning_told(channel, warning, self.clock.now()).await?;
        }
        tx.commit().await?;
        Ok(told.len())
    }

    /// Sends each person one letter with everything that is theirs.
    async fn tell_by_mail(&self, due: Vec<Warning>) -> Result<usize, StoreError> {
        let mut of_person: BTreeMap<UserId, (Email, Vec<Warning>)> = BTreeMap::new();
        let mut tx = self.store.system_read().await?;
        for warning in due {
            for (user, email) in tx.list_recipients(warning.tenant, warning.user).await? {
                of_person.entry(user).or_insert_with(|| (email, Vec::new())).1.push(warning.clone());
            }
        }
        drop(tx);
        let mut told = 0;
        for (user, (email, warnings)) in of_person {
            let now = self.clock.now();
            let letter = letter(email, &warnings, &self.settings.base_url);
            match self.mail.send(user, letter, now).await {
                Ok(()) => told += self.note(WarningChannel::Mail, &warnings).await?,
                Err(error) => tracing::warn!(user.id = %user, %error, "a letter with warnings was not sent"),
            }
        }
        Ok(told)
    }

    async fn tell_webhook(&self, address: &Secret, due: &[Warning]) -> Result<(), webhook::NotTaken> {
        let (now, base_url) = (self.clock.now(), &self.settings.base_url);
        webhook::send(&self.egress, address, self.settings.webhook_secret.as_ref(), due, base_url, now).await
    }
}

fn letter(to: Email, warnings: &[Warning], base_url: &str) -> Letter {
    let subject = match warnings {
        [only] => sentence(only),
        many => format!("{} things at Doorward need you", many.len()),
    };
    let mut text = String::new();
    for warning in warnings {
        text.push_str(&sentence(warning));
        text.push('\n');
        if !warning.detail.is_empty() {
            text.extend(warning.detail.chars().filter(|letter| !letter.is_control()).take(DETAIL_MAX));
            text.push('\n');
        }
        text.push_str(&link(warning, base_url));
        text.push_str("\n\n");
    }
    text.push_str(
        "You are told of each of these once. The home page of Doorward shows them until they are over.\n",
    );
    let subject = subject.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    Letter { to, subject, text }
}

/// Says what will stop working.
fn sentence(warning: &Warning) -> String {
    let Warning { kind, name, ends_at, .. } = warning;
    let end = ends_at.map(|end| format!(" at {}", minutes(end))).unwrap_or_default();
    match kind {
        WarningKind::ConnectionBroken => {
            format!("The sign-in at {name} does not work any more: sign in again to have its tools work.")
        }
        WarningKind::ConnectionFailing => {
            format!("The sign-in at {name} could not be renewed so far. Its tools stop working{end}.")
        }
        WarningKind::ConnectionEnds => {
            format!("The sign-in at {name} ends{end}: sign in again to have its tools go on working.")
        }
        WarningKind::KeyEnds => {
            format!("The API key {name} ends{end}. Agents that use it are refused from then on.")
        }
        WarningKind::PresetEnds => format!("The preset {name} ends{end}. From then on it answers nobody."),
        WarningKind::CallsNearlyUsed => {
            format!("{name} has used four fifths of the calls of the month. The next month begins{end}.")
        }
        WarningKind::CallsUsed => {
            format!(
                "{name} has used all calls of the month. Further ones are refused until the next begins{end}."
            )
        }
        WarningKind::AnalysesNearlyUsed => {
            format!("{name} has used four fifths of the analyses of the month. The next month begins{end}.")
        }
        WarningKind::AnalysesUsed => format!(
            "{name} has used all analyses of the month. Further ones are refused until the next begins{end}."
        ),
    }
}

/// Returns where something can be done about it.
fn link(warning: &Warning, base_url: &str) -> String {
    match warning.kind {
        WarningKind::ConnectionBroken | WarningKind::ConnectionFailing | WarningKind::ConnectionEnds => {
            format!("{base_url}/connections/{}", warning.subject)
        }
        WarningKind::KeyEnds => format!("{base_url}/keys"),
        WarningKind::PresetEnds => format!("{base_url}/presets/{}/settings", warning.subject),
        WarningKind::CallsNearlyUsed
        | WarningKind::CallsUsed
        | WarningKind::AnalysesNearlyUsed
        | WarningKind::AnalysesUsed => format!("{base_url}/usage"),
    }
}

/// Writes a time as people read it, as in `2027-01-31 14:05 UTC`.
fn minutes(at: Ms) -> String {
    let text = at.to_string();
    match (text.get(..10), text.get(11..16)) {
        (Some(day), Some(time)) => format!("{day} {time} UTC"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::model::{Handle, TenantId};

    #[test]
    fn a_letter_names_everything_with_its_end_and_where_to_go() {
        let warning = |kind, name: &str, detail: &str| Warning {
            tenant: TenantId::new(),
            owner: Handle::parse("ada").unwrap(),
            kind,
            subject: Uuid::nil(),
            mark: 1,
            name: name.to_owned(),
            ends_at: Some(Ms(1_795_233_963_183)),
            detail: detail.to_owned(),
            user: None,
        };
        let to = || Email::parse("ada@example.org").unwrap();
        let ends = warning(WarningKind::ConnectionEnds, "jira", "");
        let broken = warning(WarningKind::ConnectionBroken, "git\r\nBcc: eve@example.org", "no\r\n.\r\nmore");

        let one = letter(to(), std::slice::from_ref(&ends), "http://d");
        let both = letter(to(), &[ends, broken.clone()], "http://d");

        assert!(one.subject.starts_with("The sign-in at jira ends at 2026-11-21 "), "{}", one.subject);
        assert!(one.text.contains("http://d/connections/00000000-"), "{}", one.text);
        assert_eq!(both.subject, "2 things at Doorward need you");
        assert!(both.text.contains("no.more"), "{}", both.text);
        let odd = letter(to(), &[broken], "http://d");
        assert!(!odd.subject.contains(['\r', '\n']), "{}", odd.subject);
    }
}
