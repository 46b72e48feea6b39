//! The passkeys of an account: adding, renaming, removing.

use std::time::Duration;

use super::ceremony::{self, Refused, RelyingParty};
use super::recovery;
use crate::{
    identity::{Identity, IdentityError, confirm::session_of, record::Deed},
    model::{Action, Member, Passkey, PasskeyId},
    policy,
    secret::Secret,
    store::StoreError,
};

/// How many passkeys a person may have.
pub const PASSKEYS_MAX: usize = 10;
/// How long a browser may take to make a passkey.
const MAKING: Duration = Duration::from_secs(600);
/// The longest name of a passkey, in characters.
const NAME_MAX: usize = 60;

/// A passkey that somebody is about to add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BegunPasskey {
    /// What it will be called.
    pub name: String,
    /// What the browser is asked for: `PublicKeyCredentialCreationOptionsJSON` of WebAuthn Level 3.
    pub options: String,
}

impl Identity {
    /// Returns the origin at which the console must be open for passkeys to work, as
    /// `https://doorward.example.org`; `None` if browsers have none at the address people use.
    pub fn passkey_origin(&self) -> Option<&str> {
        self.0.relying_party.as_ref().map(RelyingParty::origin)
    }

    /// Begins to add a passkey of that name in the person's browser, once they have shown their
    /// password, or, if the account has none, by having signed in just before. What the same browser
    /// began before ends.
    pub async fn begin_passkey(
        &self,
        member: &Member,
        name: &str,
        password: Secret,
    ) -> Result<(), IdentityError> {
        let permit = policy::may_use_account(member)?;
        let name = check_name(name)?;
        let session = session_of(member).ok_or(IdentityError::SignInAgain)?;
        let place = self.relying_party()?;
        let user = self.confirm(member, password, Action::FactorChange).await?;
        let known = self.0.store.system_read().await?.list_passkeys(user.id).await?;
        if known.len() >= PASSKEYS_MAX {
            return Err(IdentityError::TooManyPasskeys { max: PASSKEYS_MAX });
        }
        let ceremony = place.ask_to_make(&user, &known)?;
        let ends = self.0.clock.now().plus(MAKING);
        let mut tx = self.0.store.system().await?;
        tx.begin_passkey(permit.tenant(), session, &name, &ceremony, ends).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Returns the passkey that the person's browser is about to make; `None` if it is not.
    pub async fn begun_passkey(&self, member: &Member) -> Result<Option<BegunPasskey>, IdentityError> {
        let permit = policy::may_use_account(member)?;
        let Some(session) = session_of(member) else { return Ok(None) };
        let mut tx = self.0.store.system_read().await?;
        let begun = tx.find_begun_passkey(permit.tenant(), session, self.0.clock.now()).await?;
        Ok(begun.and_then(|(name, ceremony)| {
            ceremony::options(&ceremony).map(|options| BegunPasskey { name, options })
        }))
    }

    /// Adds the passkey that the person's browser has made. Takes its answer,
    /// `RegistrationResponseJSON` of WebAuthn Level 3. Returns the recovery codes that come with the
    /// first second factor, which are not kept and never shown again; `None` if there was another
    /// already.
    pub async fn add_passkey(
        &self,
        member: &Member,
        answer: &str,
    ) -> Result<Option<Vec<Secret>>, IdentityError> {
        let permit = policy::may_use_account(member)?;
        let session = session_of(member).ok_or(IdentityError::SignInAgain)?;
        let place = self.relying_party()?;
        let now = self.0.clock.now();
        let mut tx = self.0.store.system().await?;
        let begun = tx.take_begun_passkey(permit.tenant(), session, now).await?;
        tx.commit().await?;
        let (name, ceremony) = begun.ok_or(IdentityError::PasskeyTooLate)?;
        let made = place.made(&ceremony, answer).map_err(|refused| {
            self.record_of(member, Deed::refused(Action::FactorChange, reason(&refused)));
            IdentityError::WrongPasskey
        })?;
        let codes = recovery::make()?;

        let mut tx = self.0.store.system().await?;
        tx.take_turn().await?;
        if tx.list_passkeys(permit.user()).await?.len() >= PASSKEYS_MAX {
            return Err(IdentityError::TooManyPasskeys { max: PASSKEYS_MAX });
        }
        let first = !tx.has_second_factor(permit.user()).await?;
        // Whatever organisation they act in: nobody loses it by leaving one.
        let account = tx.find_user(permit.user()).await?.ok_or(IdentityError::WrongCredentials)?;
        let passkey = Passkey {
            id: PasskeyId::new(),
            user: account.id,
            tenant: account.tenant,
            name,
            credential_id: made.credential_id,
            credential: made.credential,
            counter: 0,
            created_at: now,
            used_at: None,
        };
        tx.add_passkey(&passkey).await.map_err(taken)?;
        if first {
            tx.set_recovery_codes(passkey.tenant, passkey.user, &recovery::digests(&codes)).await?;
        }
        tx.commit().await?;
        self.record_of(member, Deed::done(Action::FactorChange, &format!("passkey {} added", passkey.name)));
        Ok(first.then_some(codes))
    }

    /// Returns one of the person's passkeys; `None` if there is none of that id.
    pub async fn passkey(&self, member: &Member, id: PasskeyId) -> Result<Option<Passkey>, IdentityError> {
        let permit = policy::may_use_account(member)?;
        let passkeys = self.0.store.system_read().await?.list_passkeys(permit.user()).await?;
        Ok(passkeys.into_iter().find(|passkey| passkey.id == id))
    }

    /// Calls one of the person's passkeys something else; `false` if there is none of that id.
    pub async fn rename_passkey(
        &self,
        member: &Member,
        id: PasskeyId,
        name: &str,
    ) -> Result<bool, IdentityError> {
        let permit = policy::may_use_account(member)?;
        let name = check_name(name)?;
        let mut tx = self.0.store.system().await?;
        let renamed = tx.rename_passkey(permit.user(), id, &name).await?;
        tx.commit().await?;
        if renamed {
            self.record_of(member, Deed::done(Action::FactorChange, &format!("passkey {name} renamed")));
        }
        Ok(renamed)
    }

    /// Removes one of the person's passkeys once they have shown their password, or, if the account
    /// has none, by having signed in just before; `false` if there is none of that id. With the last
    /// second factor go the recovery codes.
    pub async fn remove_passkey(
        &self,
        member: &Member,
        id: PasskeyId,
        password: Secret,
    ) -> Result<bool, IdentityError> {
        let Some(passkey) = self.passkey(member, id).await? else { return Ok(false) };
        let user = self.confirm(member, password, Action::FactorChange).await?;
        let mut tx = self.0.store.system().await?;
        tx.take_turn().await?;
        let removed = tx.remove_passkey(user.id, id).await?;
        tx.tidy_after_factor(user.id).await?;
        tx.commit().await?;
        if removed {
            let subject = format!("passkey {} removed", passkey.name);
            self.record_of(member, Deed::done(Action::FactorChange, &subject));
        }
        Ok(removed)
    }

    /// Removes passkeys that were begun and not made in time. To be called every hour or so.
    pub async fn remove_ended_passkeys(&self) -> Result<(), IdentityError> {
        let mut tx = self.0.store.system().await?;
        tx.remove_ended_passkey_registrations(self.0.clock.now()).await?;
        tx.commit().await?;
        Ok(())
    }

    fn relying_party(&self) -> Result<&RelyingParty, IdentityError> {
        self.0.relying_party.as_ref().ok_or(IdentityError::NoPasskeysHere)
    }
}

/// Says why an answer was refused, in the words of the audit log.
pub(super) fn reason(refused: &Refused) -> &'static str {
    match refused {
        Refused::Wrong(why) => why,
        Refused::Copied => "the passkey's counter went back: there may be a copy of it",
    }
}

fn taken(error: StoreError) -> IdentityError {
    match error {
        StoreError::Conflict { .. } => IdentityError::PasskeyTaken,
        other => other.into(),
    }
}

fn check_name(name: &str) -> Result<String, IdentityError> {
    let name = name.trim();
    let why = match name.chars().count() {
        0 => "name is missing: call it what you will know it by",
        count if count > NAME_MAX => "name is too long: 60 characters at most",
        _ if name.chars().any(char::is_control) => "name holds characters that cannot be shown",
        _ => return Ok(name.to_owned()),
    };
    Err(IdentityError::BadPasskeyName { why })
}
