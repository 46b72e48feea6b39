//! Between the first factor and the second: who has shown one, and has yet to show the other.

use std::time::Duration;

use super::{ceremony, passkeys::reason};
use crate::{
    identity::{
        Identity, IdentityError, NewSession, Origin, record::Deed, second::ceremony::Refused,
        throttle::Attempt, token,
    },
    model::{Action, Passkey, User},
    store::HalfRow,
};

/// How long somebody who has shown the first factor may take to show the second.
const HALF_LIFETIME: Duration = Duration::from_secs(600);

/// What somebody may show who has shown their first factor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HalfStep {
    /// Whether they have one-time codes.
    pub has_codes: bool,
    /// Whether they have passkeys.
    pub has_passkeys: bool,
    /// Whether any recovery code is left.
    pub has_recovery: bool,
    /// What the browser is asked for of a passkey: `PublicKeyCredentialRequestOptionsJSON` of
    /// WebAuthn Level 3; `None` if it is not.
    pub options: Option<String>,
}

impl Identity {
    /// Lets somebody in who has shown the first factor, by the password or with the provider of that
    /// name, or says that they have to show the second.
    pub(in crate::identity) async fn enter(
        &self,
        user: &User,
        origin: &Origin,
        provider: &str,
    ) -> Result<NewSession, IdentityError> {
        let (is_on, passkeys) = {
            let mut tx = self.0.store.system_read().await?;
            (tx.has_second_factor(user.id).await?, tx.list_passkeys(user.id).await?)
        };
        if !is_on {
            return self.open_session(user, origin, provider).await;
        }
        let cookie = token::random_token()?;
        let ceremony = self.ask_to_show(&passkeys)?;
        let half = HalfRow { user_id: user.id, provider: provider.to_owned(), ceremony };
        let ends = self.0.clock.now().plus(HALF_LIFETIME);
        let mut tx = self.0.store.system().await?;
        tx.add_half_sign_in(&token::digest(cookie.expose()), &half, ends).await?;
        tx.commit().await?;
        Err(IdentityError::CodeNeeded { cookie })
    }

    /// Returns what the browser of this cookie may show; `None` if it has nothing to show.
    pub async fn half_step(&self, cookie: &str) -> Result<Option<HalfStep>, IdentityError> {
        let Some(half) = self.half_sign_in(cookie).await? else { return Ok(None) };
        let mut tx = self.0.store.system_read().await?;
        let factor = tx.find_factor(half.user_id).await?;
        Ok(Some(HalfStep {
            has_codes: factor.is_some_and(|factor| factor.confirmed_at.is_some()),
            has_passkeys: tx.count_passkeys(half.user_id).await? > 0,
            has_recovery: tx.count_recovery_codes(half.user_id).await? > 0,
            options: half.ceremony.as_deref().and_then(ceremony::options),
        }))
    }

    /// Lets the browser of this cookie in, whose person shows a one-time code or a recovery code.
    pub async fn sign_in_with_code(
        &self,
        cookie: &str,
        code: &str,
        origin: &Origin,
    ) -> Result<NewSession, IdentityError> {
        let (half, user) = self.half_signed_in(cookie).await?;
        let right = self.check_code(user.id, code).await;
        if !right.inspect_err(|error| self.record_throttled(&user, origin, error))? {
            self.record_sign_in(&user, origin, Deed::refused(Action::SignIn, "the code is wrong"));
            return Err(IdentityError::WrongCode);
        }
        let mut tx = self.0.store.system().await?;
        let first = tx.remove_half_sign_in(&token::digest(cookie)).await?;
        tx.commit().await?;
        if !first {
            return Err(IdentityError::CodeTooLate);
        }
        self.open_session(&user, origin, &half.provider).await
    }

    /// Lets the browser of this cookie in, whose person shows a passkey. Takes what the browser
    /// answers to what it was asked for, `AuthenticationResponseJSON` of WebAuthn Level 3. Right or
    /// wrong, that is answered once: after a wrong answer something else is asked for.
    pub async fn sign_in_with_passkey(
        &self,
        cookie: &str,
        answer: &str,
        origin: &Origin,
    ) -> Result<NewSession, IdentityError> {
        let (half, user) = self.half_signed_in(cookie).await?;
        let place = self.0.relying_party.as_ref().ok_or(IdentityError::NoPasskeysHere)?;
        let admitted = self.admit(&[Attempt::Code(user.id)]).await;
        admitted.inspect_err(|error| self.record_throttled(&user, origin, error))?;
        let asked = half.ceremony.ok_or(IdentityError::WrongPasskey)?;
        let passkeys = self.0.store.system_read().await?.list_passkeys(user.id).await?;
        let next = self.ask_to_show(&passkeys)?;
        let mut tx = self.0.store.system().await?;
        let first = tx.replace_half_ceremony(&token::digest(cookie), &asked, next.as_deref()).await?;
        tx.commit().await?;
        if !first {
            return Err(IdentityError::PasskeyTooLate);
        }

        let shown = place
            .shown(&asked, answer, &passkeys)
            .map_err(|refused| self.refuse_passkey(&user, origin, &refused))?;
        let now = self.0.clock.now();
        let mut tx = self.0.store.system().await?;
        let counter = i64::from(shown.counter);
        if !tx.use_passkey(user.id, shown.id, &shown.credential, counter, now).await? {
            drop(tx);
            return Err(self.refuse_passkey(&user, origin, &Refused::Copied));
        }
        if !tx.remove_half_sign_in(&token::digest(cookie)).await? {
            return Err(IdentityError::CodeTooLate);
        }
        tx.commit().await?;
        self.forgive_codes(user.id).await?;
        self.open_session(&user, origin, &half.provider).await
    }

    fn refuse_passkey(&self, user: &User, origin: &Origin, refused: &Refused) -> IdentityError {
        self.record_sign_in(user, origin, Deed::refused(Action::SignIn, reason(refused)));
        match refused {
            Refused::Wrong(_) => IdentityError::WrongPasskey,
            Refused::Copied => IdentityError::PasskeyCopied,
        }
    }

    fn record_throttled(&self, user: &User, origin: &Origin, error: &IdentityError) {
        if matches!(error, IdentityError::Throttled { .. })
            && let Some(reason) = self.worth_recording("too many codes")
        {
            self.record_sign_in(user, origin, Deed::refused(Action::SignIn, reason));
        }
    }

    /// Returns what a browser is asked for of these passkeys; `None` if there is none, or browsers have
    /// none at the address people use.
    fn ask_to_show(&self, passkeys: &[Passkey]) -> Result<Option<String>, IdentityError> {
        self.0.relying_party.as_ref().map_or(Ok(None), |place| place.ask_to_show(passkeys))
    }

    async fn half_signed_in(&self, cookie: &str) -> Result<(HalfRow, User), IdentityError> {
        let half = self.half_sign_in(cookie).await?.ok_or(IdentityError::CodeTooLate)?;
        let user = self.0.store.system_read().await?.find_user(half.user_id).await?;
        let user = user.filter(|user| user.enabled).ok_or(IdentityError::Disabled)?;
        Ok((half, user))
    }

    async fn half_sign_in(&self, cookie: &str) -> Result<Option<HalfRow>, IdentityError> {
        if !token::is_random_token(cookie) {
            return Ok(None);
        }
        let mut tx = self.0.store.system_read().await?;
        Ok(tx.find_half_sign_in(&token::digest(cookie), self.0.clock.now()).await?)
    }
}
