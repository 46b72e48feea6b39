//! Whose account a login is: adding, making an account, removing.

use super::{FinishedLogin, Identity, LoginError};
use crate::{
    changes::Change,
    identity::{
        IdentityError, NewSession, Origin, accounts,
        password::{self, NO_PASSWORD},
        record::{Deed, home},
        token,
    },
    model::{Action, Handle, InstanceRole, Invitee, Login, LoginId, Member, PendingLogin, User},
    policy,
    secret::Secret,
    store::StoreError,
};

/// How many logins a person may have.
const LOGINS_MAX: usize = 16;

impl Identity {
    /// Returns whom the browser of this cookie was told to be, while they have not said whose
    /// account it is.
    pub async fn pending_login(&self, cookie: &str) -> Result<Option<PendingLogin>, LoginError> {
        if !token::is_random_token(cookie) {
            return Ok(None);
        }
        let mut tx = self.0.store.system_read().await?;
        Ok(tx.find_pending_login(&token::digest(cookie), self.0.clock.now()).await?)
    }

    /// Adds the login of this cookie to the person's account, which they confirm by its password if
    /// it has one. Returns the path to go to.
    pub async fn add_login(
        &self,
        member: &Member,
        cookie: &str,
        password: Secret,
    ) -> Result<String, LoginError> {
        let permit = policy::may_use_account(member).map_err(IdentityError::from)?;
        let pending = self.pending_login(cookie).await?.ok_or(LoginError::NotBegun)?;
        self.confirm(member, password, Action::LoginChange).await?;

        let mut tx = self.0.store.system().await?;
        tx.take_turn().await?;
        let user = tx.find_user(permit.user()).await?.ok_or(IdentityError::WrongCredentials)?;
        if tx.list_logins(user.id).await?.len() >= LOGINS_MAX {
            return Err(LoginError::TooMany { max: LOGINS_MAX });
        }
        tx.add_login(&self.login_of(&user, &pending)).await.map_err(of_another)?;
        let first = tx.remove_pending_login(&token::digest(cookie)).await?;
        if !first {
            return Err(LoginError::NotBegun);
        }
        tx.commit().await?;
        self.record_of(member, Deed::done(Action::LoginChange, &format!("{} added", pending.provider)));
        Ok(pending.next)
    }

    /// Makes an account for whom the browser of this cookie was told to be, if the policy of the
    /// instance lets them, by themself or by an invitation that holds, and signs in. Returns the path to
    /// go to as well.
    pub async fn sign_up(
        &self,
        cookie: &str,
        handle: Handle,
        invitee: Option<&Invitee>,
        origin: &Origin,
    ) -> Result<(NewSession, String), LoginError> {
        let pending = self.pending_login(cookie).await?.ok_or(LoginError::NotBegun)?;
        let (provider, _) = self.0.logins.find(&pending.provider)?;
        // Again, since the settings may be others after a restart.
        let by_invitation = self.may_sign_up(provider, pending.email.as_ref(), invitee)?;
        let Some(email) = pending.email.clone() else { return Err(LoginError::Stranger) };
        if self.setup_needed().await? {
            return Err(LoginError::Stranger);
        }
        let user = accounts::new_user(handle, email, InstanceRole::Member, self.0.clock.now());

        let mut tx = self.0.store.system().await?;
        tx.add_user(&user, NO_PASSWORD).await.map_err(accounts::taken)?;
        tx.add_login(&self.login_of(&user, &pending)).await.map_err(of_another)?;
        if !tx.remove_pending_login(&token::digest(cookie)).await? {
            return Err(LoginError::NotBegun);
        }
        if let Some(invitee) = by_invitation
            && !tx.claim_invite(invitee.invite, user.id, user.created_at).await?
        {
            return Err(IdentityError::NotInvited.into());
        }
        let home = home(&mut tx).await?;
        tx.commit().await?;
        self.0.changes.announce(Change::User(user.id));
        let made = Deed::done(Action::UserChange, user.handle.as_str());
        self.record_for(home.unwrap_or(user.tenant), &user, origin, made);
        let session = self.open_session(&user, origin, &pending.provider).await?;
        Ok((session, pending.next))
    }

    /// Returns the person's logins, the oldest first.
    pub async fn logins(&self, member: &Member) -> Result<Vec<Login>, LoginError> {
        let permit = policy::may_use_account(member).map_err(IdentityError::from)?;
        Ok(self.0.store.system_read().await?.list_logins(permit.user()).await?)
    }

    /// Says whether the person's account has a password.
    pub async fn has_password(&self, member: &Member) -> Result<bool, IdentityError> {
        Ok(password::is_set(self.0.store.system_read().await?.find_password(member.user).await?.as_deref()))
    }

    /// Removes one of the person's logins, unless they could not sign in any more; `false` if there
    /// is none of that id.
    pub async fn remove_login(&self, member: &Member, id: LoginId) -> Result<bool, LoginError> {
        let permit = policy::may_use_account(member).map_err(IdentityError::from)?;
        let mut tx = self.0.store.system().await?;
        // Two that are removed at once must not both go.
        tx.take_turn().await?;
        let logins = tx.list_logins(permit.user()).await?;
        let Some(removed) = logins.iter().find(|login| login.id == id) else { return Ok(false) };
        let password = password::is_set(tx.find_password(permit.user()).await?.as_deref());
        // A login of a provider that the settings do not name opens nothing.
        let others = logins.iter().any(|login| login.id != id && self.provider_of(&login.issuer).is_some());
        if !password && !others {
            self.record_of(member, Deed::refused(Action::LoginChange, "it is the only way in"));
            return Err(LoginError::LastWayIn);
        }
        tx.remove_login(permit.user(), id).await?;
        tx.commit().await?;
        let name = self.provider_of(&removed.issuer).map_or(removed.issuer.as_str(), |found| &found.name);
        self.record_of(member, Deed::done(Action::LoginChange, &format!("{name} removed")));
        Ok(true)
    }

    /// Returns the provider that speaks for an issuer; `None` if the settings do not name it any
    /// more.
    pub fn provider_of(&self, issuer: &str) -> Option<&super::LoginProvider> {
        self.login_providers().find(|provider| provider.issuer() == issuer)
    }

    /// Removes logins and sign-ins under way that have ended. To be called every hour or so.
    pub async fn remove_ended_logins(&self) -> Result<(), LoginError> {
        let mut tx = self.0.store.system().await?;
        tx.remove_ended_logins(self.0.clock.now()).await?;
        tx.remove_ended_half_sign_ins(self.0.clock.now()).await?;
        tx.commit().await?;
        Ok(())
    }

    fn login_of(&self, user: &User, pending: &PendingLogin) -> Login {
        let now = self.0.clock.now();
        Login {
            id: LoginId::new(),
            user: user.id,
            tenant: user.tenant,
            issuer: pending.issuer.clone(),
            subject: pending.subject.clone(),
            shown: pending.shown.clone(),
            created_at: now,
            used_at: now,
        }
    }
}

impl FinishedLogin {
    /// Returns the cookie of somebody who has yet to say whose account the login is.
    pub fn pending(&self) -> Option<&Secret> {
        match self {
            Self::MayBeAdded(cookie) | Self::AddressKnown(cookie) | Self::MaySignUp(cookie) => Some(cookie),
            Self::SignedIn(..) | Self::CodeNeeded(..) | Self::Yours(_) => None,
        }
    }
}

fn of_another(error: StoreError) -> LoginError {
    match &error {
        StoreError::Conflict { what } if what.starts_with("user_logins") => LoginError::OfAnother,
        _ => error.into(),
    }
}
