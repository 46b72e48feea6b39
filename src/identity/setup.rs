//! The first minute: whoever has the one-time token makes the owner account.

use std::sync::atomic::{AtomicBool, Ordering};

use subtle::ConstantTimeEq;
use tokio::sync::Mutex;

use super::{Identity, IdentityError, NewSession, Origin, accounts, password, record::Deed, token};
use crate::{
    changes::Change,
    model::{Action, Email, Handle, InstanceRole},
    secret::Secret,
};

/// What is known of the set-up.
#[derive(Default)]
pub(super) struct Setup {
    /// Whether an account exists. Once one does, one always will.
    done: AtomicBool,
    /// Held while the owner account is being made.
    token: Mutex<Option<Secret>>,
}

impl Identity {
    /// Says whether the owner account has yet to be made.
    pub async fn setup_needed(&self) -> Result<bool, IdentityError> {
        let done = &self.0.setup.done;
        if done.load(Ordering::Acquire) {
            return Ok(false);
        }
        let users_exist = self.0.store.system_read().await?.users_exist().await?;
        done.fetch_or(users_exist, Ordering::AcqRel);
        Ok(!users_exist)
    }

    /// Returns the one-time token that lets whoever has it make the owner account; `None` once that
    /// exists. The same token until then or until the process ends.
    pub async fn setup_token(&self) -> Result<Option<Secret>, IdentityError> {
        let mut held = self.0.setup.token.lock().await;
        if !self.setup_needed().await? {
            *held = None;
            return Ok(None);
        }
        if held.is_none() {
            *held = Some(token::random_token()?);
        }
        Ok(held.clone())
    }

    /// Makes the owner account, and signs in.
    pub async fn create_owner(
        &self,
        token: &Secret,
        handle: &Handle,
        email: &Email,
        password: Secret,
        origin: &Origin,
    ) -> Result<NewSession, IdentityError> {
        let mut held = self.0.setup.token.lock().await;
        if !self.setup_needed().await? {
            return Err(IdentityError::AlreadySetUp);
        }
        let right = held
            .as_ref()
            .is_some_and(|held| bool::from(held.expose().as_bytes().ct_eq(token.expose().as_bytes())));
        if !right {
            return Err(IdentityError::WrongSetupToken);
        }
        password::check(&password, &[handle.as_str(), email.as_str()])?;

        let hash = self.0.passwords.hash(password).await?;
        let role = InstanceRole::Admin;
        let owner = accounts::new_user(handle.clone(), email.clone(), role, self.0.clock.now());
        let mut tx = self.0.store.system().await?;
        if !tx.add_first_user(&owner, &hash).await? {
            return Err(IdentityError::AlreadySetUp);
        }
        tx.commit().await?;
        self.0.setup.done.store(true, Ordering::Release);
        *held = None;
        drop(held);

        self.0.changes.announce(Change::User(owner.id));
        self.record_what_waited(&owner);
        self.record_sign_in(&owner, origin, Deed::done(Action::UserChange, owner.handle.as_str()));
        self.open_session(&owner, origin, "").await
    }
}
