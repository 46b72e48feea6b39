//! Accounts of people who were invited.

use super::{
    Identity, IdentityError, NewSession, Origin, accounts, password,
    record::{Deed, home},
};
use crate::{
    changes::Change,
    model::{Action, Email, Handle, InstanceRole, Invitee},
    secret::Secret,
};

impl Identity {
    /// Says whether an invitation brings an account to anybody who has none.
    pub fn invited_may_sign_up(&self) -> bool {
        self.0.logins.invited_may_sign_up()
    }

    /// Returns the address for which an invitation makes an account with a password; `None` if it makes
    /// none: nobody has proven an address, or the policy of the instance does not let them.
    pub fn invited_address<'a>(&self, invitee: &'a Invitee) -> Option<&'a Email> {
        let proven = invitee.email.as_ref().filter(|_| invitee.proves_address);
        proven.filter(|email| self.0.logins.admits_invited(email))
    }

    /// Makes an account with a password for whom an invitation is, and signs in. The invitation makes
    /// no other, and is theirs alone from then on.
    pub async fn sign_up_invited(
        &self,
        invitee: &Invitee,
        handle: Handle,
        password: Secret,
        origin: &Origin,
    ) -> Result<NewSession, IdentityError> {
        let email = self.invited_address(invitee).ok_or(IdentityError::NotInvited)?.clone();
        password::check(&password, &[handle.as_str(), email.as_str()])?;
        let password_hash = self.0.passwords.hash(password).await?;
        let now = self.0.clock.now();
        let user = accounts::new_user(handle, email, InstanceRole::Member, now);
        let mut tx = self.0.store.system().await?;
        tx.add_user(&user, &password_hash).await.map_err(accounts::taken)?;
        if !tx.claim_invite(invitee.invite, user.id, now).await? {
            return Err(IdentityError::NotInvited);
        }
        let home = home(&mut tx).await?;
        tx.commit().await?;
        self.0.changes.announce(Change::User(user.id));
        let made = Deed::done(Action::UserChange, user.handle.as_str());
        self.record_for(home.unwrap_or(user.tenant), &user, origin, made);
        self.open_session(&user, origin, "").await
    }
}
