//! Signing in, and the browser sessions that come of it.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use super::{
    Identity, IdentityError, NewSession, Origin,
    password::{self, Checked},
    record::{Deed, home},
    remembered::Known,
    throttle::Attempt,
    token,
};
use crate::{
    clock::Ms,
    model::{Action, BrowserSession, BrowserSessionId, Member, User, Via},
    policy,
    secret::Secret,
    store::StoreError,
};

/// How many browser sessions a person may have; a further one ends the one seen longest ago.
const SESSIONS_MAX: usize = 50;
/// How many ended sessions are removed in one transaction.
const REMOVED_AT_ONCE: i64 = 500;
/// How much is kept of what a browser says it is, in characters.
const USER_AGENT_MAX: usize = 200;
/// The longest name anybody signs in with, in bytes: that of an e-mail address.
const LOGIN_BYTES_MAX: usize = 254;
/// The longest cookie looked at, in bytes. Ours are shorter.
const COOKIE_BYTES_MAX: usize = 64;

impl Identity {
    /// Signs in with handle or e-mail address and password. The session has a cookie of its own,
    /// whatever cookie came with the request.
    ///
    /// An unknown account, a wrong password and a wrong password of a switched-off account take
    /// the same time and get the same answer.
    pub async fn sign_in(
        &self,
        login: &str,
        password: Secret,
        origin: &Origin,
    ) -> Result<NewSession, IdentityError> {
        let login = login.trim().to_lowercase();
        if login.len() > LOGIN_BYTES_MAX || password.expose().len() > password::BYTES_MAX {
            self.record_unchecked(&login, origin, "longer than any name or password").await;
            return Err(IdentityError::WrongCredentials);
        }
        let admitted = self.admit(&[Attempt::Account(&login), Attempt::Address(origin.address)]).await;
        if let Err(IdentityError::Throttled { .. }) = admitted {
            self.record_unchecked(&login, origin, "too many attempts").await;
        }
        admitted?;

        let (found, home) = {
            let mut tx = self.0.store.system_read().await?;
            // Also where it will not be needed, since the time must not tell which accounts exist.
            (tx.find_user_by_login(&login).await?, home(&mut tx).await?)
        };
        let (user, hash) = found.unzip();
        let checked = self.0.passwords.check(password.clone(), hash).await?;
        let Some(user) = user else {
            self.record_stranger(home, &login, origin);
            return Err(IdentityError::WrongCredentials);
        };
        let user = self.let_in(user, checked, origin)?;
        self.succeeded(&login, Some(origin.address)).await?;
        if checked == Checked::RightButOutdated {
            let hash = self.0.passwords.hash(password).await?;
            let mut tx = self.0.store.system().await?;
            tx.set_password(user.id, &hash).await?;
            tx.commit().await?;
        }

        self.enter(&user, origin, "").await
    }

    /// Ends the browser session of a cookie, if there is one.
    pub async fn sign_out(&self, cookie: &str, origin: &Origin) -> Result<(), IdentityError> {
        let Some(member) = self.find_session(cookie).await? else {
            return Ok(());
        };
        let Via::BrowserSession(id) = member.via else {
            return Ok(());
        };
        self.end_session(&member, id).await?;
        self.record_of(&member.asking_from(origin.whence()), Deed::done(Action::SignOut, ""));
        Ok(())
    }

    /// Returns the person behind a cookie; `None` if it is of no live session.
    pub async fn find_session(&self, cookie: &str) -> Result<Option<Arc<Member>>, IdentityError> {
        if cookie.is_empty() || cookie.len() > COOKIE_BYTES_MAX {
            return Ok(None);
        }
        let digest = token::digest(cookie);
        let now = self.0.clock.now();
        if let Some(known) = self.0.sessions.find(&digest, &self.0.epochs, now) {
            return Ok(self.use_session(&known, now));
        }

        let epoch = self.0.epochs.now();
        let Some((session, member)) = self.0.store.find_browser_session(&digest, now).await? else {
            return Ok(None);
        };
        let known = Arc::new(Known {
            id: session.id,
            member: Arc::new(member),
            ends_at: Some(session.expires_at),
            epoch,
            read_at: now,
            noted_at: AtomicI64::new(session.seen_at.0),
        });
        let member = self.use_session(&known, now);
        if member.is_some() {
            self.0.sessions.insert(digest, known);
        }
        Ok(member)
    }

    /// Returns the person's browser sessions, the last seen first.
    pub async fn sessions(&self, member: &Member) -> Result<Vec<BrowserSession>, IdentityError> {
        let permit = policy::may_use_account(member)?;
        let now = self.0.clock.now();
        let mut sessions =
            self.0.store.system_read().await?.list_browser_sessions(permit.user(), now).await?;
        sessions.retain(|session| now.since(session.seen_at) < self.0.settings.session_idle);
        Ok(sessions)
    }

    /// Has the browser that this person is recognised by act in the organisation they are found to act in here. Holds on
    /// its next request.
    pub async fn switch(&self, acting: &Member) -> Result<(), IdentityError> {
        policy::may_use_account(acting)?;
        let Via::BrowserSession(id) = acting.via else { return Err(IdentityError::SignInAgain) };
        let mut tx = self.0.store.system().await?;
        let switched = tx.switch_browser_session(acting.user, id, acting.tenant).await;
        match switched {
            // They left, or were removed, meanwhile.
            Err(StoreError::Dangling(_)) | Ok(false) => return Err(policy::Denied::OtherOrganisation.into()),
            Err(error) => return Err(error.into()),
            Ok(true) => tx.commit().await?,
        }
        self.0.epochs.changed(id.0);
        Ok(())
    }

    /// Ends one of the person's browser sessions; `false` if there is none of that id.
    pub async fn revoke_session(&self, member: &Member, id: BrowserSessionId) -> Result<bool, IdentityError> {
        policy::may_use_account(member)?;
        let ended = self.end_session(member, id).await?;
        if ended {
            self.record_of(member, Deed::done(Action::SignOut, "another browser"));
        }
        Ok(ended)
    }

    /// Removes browser sessions that have ended, in small steps. To be called every hour or so.
    pub async fn remove_ended_sessions(&self) -> Result<(), IdentityError> {
        loop {
            let mut tx = self.0.store.system().await?;
            let removed = tx.remove_ended_browser_sessions(self.0.clock.now(), REMOVED_AT_ONCE).await?;
            tx.commit().await?;
            if removed < REMOVED_AT_ONCE.unsigned_abs() {
                return Ok(());
            }
        }
    }

    /// Opens a session for somebody who has just proved who they are, by the password or with the
    /// identity provider of that name.
    pub(super) async fn open_session(
        &self,
        user: &User,
        origin: &Origin,
        provider: &str,
    ) -> Result<NewSession, IdentityError> {
        let now = self.0.clock.now();
        let cookie = token::random_token()?;
        let session = BrowserSession {
            id: BrowserSessionId::new(),
            user: user.id,
            tenant: user.tenant,
            user_agent: origin.user_agent.chars().filter(|c| !c.is_control()).take(USER_AGENT_MAX).collect(),
            address: origin.address.to_string(),
            created_at: now,
            seen_at: now,
            expires_at: now.plus(self.0.settings.session_age_max),
        };

        let mut tx = self.0.store.system().await?;
        let via = Via::BrowserSession(session.id);
        let member =
            tx.find_member(user.id, user.tenant, via).await?.ok_or(IdentityError::WrongCredentials)?;
        let others = tx.list_browser_sessions(user.id, now).await?;
        let too_many: Vec<_> = others.iter().skip(SESSIONS_MAX - 1).map(|session| session.id).collect();
        for id in &too_many {
            tx.revoke_browser_session(user.id, *id).await?;
        }
        tx.add_browser_session(&session, &token::digest(cookie.expose())).await?;
        tx.commit().await?;

        for id in too_many {
            self.0.epochs.changed(id.0);
        }
        self.record_sign_in(user, origin, Deed::done(Action::SignIn, provider));
        Ok(NewSession { cookie, session, member: Arc::new(member.asking_from(origin.whence())) })
    }

    /// Decides what becomes of a sign-in to an account that exists, and records a refusal.
    fn let_in(&self, user: User, checked: Checked, origin: &Origin) -> Result<User, IdentityError> {
        match checked {
            Checked::Wrong => {
                self.record_sign_in(&user, origin, Deed::refused(Action::SignIn, "the password is wrong"));
                Err(IdentityError::WrongCredentials)
            }
            Checked::Right | Checked::RightButOutdated if !user.enabled => {
                self.record_sign_in(
                    &user,
                    origin,
                    Deed::refused(Action::SignIn, "the account is switched off"),
                );
                Err(IdentityError::Disabled)
            }
            Checked::Right | Checked::RightButOutdated => Ok(user),
        }
    }

    async fn end_session(&self, member: &Member, id: BrowserSessionId) -> Result<bool, IdentityError> {
        let mut tx = self.0.store.system().await?;
        let ended = tx.revoke_browser_session(member.user, id).await?;
        tx.commit().await?;
        self.0.epochs.changed(id.0);
        Ok(ended)
    }

    /// Notes that a session was used; `None` if it has ended.
    fn use_session(&self, known: &Known<BrowserSessionId>, now: Ms) -> Option<Arc<Member>> {
        let seen_at = Ms(known.noted_at.load(Ordering::Relaxed));
        let ended = known.ends_at.is_some_and(|ends_at| now >= ends_at)
            || now.since(seen_at) >= self.0.settings.session_idle;
        if ended {
            return None;
        }
        self.0.sessions.note_use(known, now);
        Some(Arc::clone(&known.member))
    }
}
