//! What somebody who is signed in changes of how they sign in, once they have shown again who they are.

use std::time::Duration;

use super::{
    Identity, IdentityError,
    password::{self, Checked, NO_PASSWORD},
    record::Deed,
    throttle::Attempt,
};
use crate::{
    changes::Change,
    model::{Action, BrowserSessionId, Member, User, Via},
    policy,
    secret::Secret,
};

/// How long after a sign-in it stands for the password of an account that has none.
const FRESH: Duration = Duration::from_secs(600);

impl Identity {
    /// Changes the person's password and ends their other browser sessions. An account that has none
    /// gets its first one by somebody who has just signed in.
    pub async fn change_password(
        &self,
        member: &Member,
        old: Secret,
        new: Secret,
    ) -> Result<(), IdentityError> {
        policy::may_use_account(member)?;
        let user = self.confirm(member, old, Action::PasswordChange).await?;
        password::check(&new, &[user.handle.as_str(), user.email.as_str()])?;

        let hash = self.0.passwords.hash(new).await?;
        let mut tx = self.0.store.system().await?;
        tx.set_password(user.id, &hash).await?;
        tx.revoke_browser_sessions(user.id, session_of(member)).await?;
        tx.commit().await?;
        self.0.changes.announce(Change::User(user.id));
        self.record_of(member, Deed::done(Action::PasswordChange, ""));
        Ok(())
    }

    /// Has the person show again who they are before they do what changes how they sign in: by the
    /// account's password, or, if it has none, by having signed in just before.
    pub(super) async fn confirm(
        &self,
        member: &Member,
        password: Secret,
        action: Action,
    ) -> Result<User, IdentityError> {
        let permit = policy::may_use_account(member)?;
        if password.expose().len() > password::BYTES_MAX {
            return Err(IdentityError::WrongCredentials);
        }
        // A borrowed browser is no way around the throttle.
        let throttled = format!("password of {}", permit.user());
        let admitted = self.admit(&[Attempt::Account(&throttled)]).await;
        if let Err(IdentityError::Throttled { .. }) = admitted
            && let Some(reason) = self.worth_recording("too many attempts")
        {
            self.record_of(member, Deed::refused(action, reason));
        }
        admitted?;
        let (user, hash) = {
            let mut tx = self.0.store.system_read().await?;
            (tx.find_user(permit.user()).await?, tx.find_password(permit.user()).await?)
        };
        if hash.as_deref() == Some(NO_PASSWORD) {
            self.signed_in_just_before(member).await?;
        } else if self.0.passwords.check(password, hash).await? == Checked::Wrong {
            let reason = match action {
                Action::PasswordChange => "the old password is wrong",
                _ => "the password is wrong",
            };
            self.record_of(member, Deed::refused(action, reason));
            return Err(IdentityError::WrongCredentials);
        }
        self.succeeded(&throttled, None).await?;
        user.ok_or(IdentityError::WrongCredentials)
    }

    async fn signed_in_just_before(&self, member: &Member) -> Result<(), IdentityError> {
        let now = self.0.clock.now();
        let own = session_of(member);
        let sessions = self.0.store.system_read().await?.list_browser_sessions(member.user, now).await?;
        let fresh =
            sessions.iter().any(|session| Some(session.id) == own && now.since(session.created_at) < FRESH);
        if fresh { Ok(()) } else { Err(IdentityError::SignInAgain) }
    }
}

/// Returns the browser session that somebody comes by; `None` if by something else.
pub(super) fn session_of(member: &Member) -> Option<BrowserSessionId> {
    match &member.via {
        Via::BrowserSession(id) => Some(*id),
        Via::ApiKey { .. } | Via::Grant { .. } | Via::Shell => None,
    }
}
