//! Signing in with other identity providers: OpenID Connect issuers, and GitHub.
//!
//! A browser is sent to the provider with a cookie of ours, and comes back with a code that only
//! that browser can use, once. What the provider says of the person then belongs to an account, is
//! added to one by whoever is signed in to it, or makes one where the policy of the instance lets it.
//! Never believes an e-mail address that the provider has not seen to be the person's, and never
//! adds anything to an account because of one.
//!
//! One more kind of provider is one more variant of [`ProviderKind`] and a file beside `github.rs`
//! that turns a code into a `Claimed`.

mod accounts;
mod assertion;
mod attempt;
mod error;
mod github;
mod http;
mod openid;
mod settings;

use std::time::Duration;

use url::Url;

use super::{
    Identity, IdentityError, NewSession, Origin,
    record::{Deed, home},
    throttle::Attempt,
    token,
};
use crate::{
    egress::{Egress, EgressError},
    model::{Action, Email, Invitee, Login, Member, PendingLogin},
    secret::Secret,
};
use attempt::Ties;
use github::GitHub;
use openid::{Discovered, OpenId};

pub use assertion::{Asserted, AssertionError};
pub use error::LoginError;
pub use settings::{LoginProvider, ProviderKind, SignUp};

/// How long a browser may be under way to a provider.
const ATTEMPT_LIFETIME: Duration = Duration::from_secs(600);
/// How long somebody may take to say whose account a login is.
const PENDING_LIFETIME: Duration = Duration::from_secs(900);
/// How much is kept of what a provider calls a person, in characters.
const SHOWN_MAX: usize = 120;
/// The longest code or state looked at, in bytes.
const PARAMETER_BYTES_MAX: usize = 4096;
/// The longest path gone to afterwards, in bytes.
const NEXT_BYTES_MAX: usize = 2048;

/// The providers people may sign in with, and what is known of them.
pub(super) struct Logins {
    providers: Vec<(LoginProvider, Discovered)>,
    sign_up: SignUp,
    /// The address people use, without a slash at the end.
    base_url: String,
    egress: Egress,
}

impl Logins {
    pub(super) fn new(
        providers: Vec<LoginProvider>,
        sign_up: SignUp,
        base_url: String,
        egress: Egress,
    ) -> Self {
        let providers = providers.into_iter().map(|provider| (provider, Discovered::default())).collect();
        Self { providers, sign_up, base_url, egress }
    }

    /// Says whether an invitation brings an account to anybody who has none.
    pub(super) fn invited_may_sign_up(&self) -> bool {
        self.sign_up != SignUp::Closed
    }

    /// Says whether an invitation to this address makes an account.
    pub(super) fn admits_invited(&self, email: &Email) -> bool {
        self.sign_up.admits_invited(email.as_str())
    }

    fn find(&self, name: &str) -> Result<&(LoginProvider, Discovered), LoginError> {
        self.providers.iter().find(|(provider, _)| provider.name == name).ok_or(LoginError::NoProvider)
    }
}

/// A browser to be sent to a provider.
#[derive(Clone, Debug)]
pub struct BegunLogin {
    /// Where to.
    pub address: Url,
    /// The cookie that it must bring back.
    pub cookie: Secret,
}

/// What a provider's answer carries in its query, as sent.
#[derive(Clone, Debug, Default)]
pub struct LoginAnswer {
    /// The code to be exchanged.
    pub code: Option<String>,
    /// Ours, brought back.
    pub state: Option<String>,
    /// Who says they answer (RFC 9207).
    pub iss: Option<String>,
    /// Why there is no code.
    pub error: Option<String>,
}

/// What came of a provider's answer.
#[derive(Clone, Debug)]
pub enum FinishedLogin {
    /// The person is signed in and goes on to this path.
    SignedIn(Box<NewSession>, String),
    /// The person has yet to show their second factor, with this cookie, and goes on to this path.
    CodeNeeded(Secret, String),
    /// The login is that of whoever is signed in already, who goes on to this path.
    Yours(String),
    /// Whoever is signed in may add the login, with this cookie.
    MayBeAdded(Secret),
    /// An account has the person's address: they sign in with what they have and add the login,
    /// with this cookie.
    AddressKnown(Secret),
    /// The person may make an account, with this cookie.
    MaySignUp(Secret),
}

/// Whom a provider means.
struct Claimed {
    issuer: String,
    subject: String,
    shown: String,
    email: Option<Email>,
}

impl Identity {
    /// Returns the providers people may sign in with, in the order of the settings.
    pub fn login_providers(&self) -> impl Iterator<Item = &LoginProvider> {
        self.0.logins.providers.iter().map(|(provider, _)| provider)
    }

    /// Begins a login: says where to send the browser, which goes on to the path `next` afterwards.
    pub async fn begin_login(
        &self,
        provider: &str,
        next: &str,
        origin: &Origin,
    ) -> Result<BegunLogin, LoginError> {
        let known = self.0.logins.find(provider)?;
        self.admit(&[Attempt::Login(origin.address)]).await?;
        let cookie = token::random_token()?;
        let ties = Ties::of(cookie.expose());
        let redirect = self.redirect(provider);
        let address = match self.speak(known, &redirect) {
            Conversation::OpenId(openid) => openid.address(&ties).await,
            Conversation::GitHub(github) => github.address(&ties),
        };
        let address = address.inspect_err(log)?;

        let next = if next.len() > NEXT_BYTES_MAX { "/" } else { next };
        let mut tx = self.0.store.system().await?;
        let ends = self.0.clock.now().plus(ATTEMPT_LIFETIME);
        tx.add_login_attempt(&token::digest(cookie.expose()), provider, next, ends).await?;
        tx.commit().await?;
        Ok(BegunLogin { address, cookie })
    }

    /// Ends a login with the provider's answer and the cookie of its beginning, by a browser in
    /// which `signed_in` is signed in already, or which has opened an invitation that holds.
    ///
    /// Nothing of an answer is believed before it is known to be this browser's, and the cookie
    /// works once.
    pub async fn finish_login(
        &self,
        provider: &str,
        cookie: &str,
        answer: &LoginAnswer,
        signed_in: Option<&Member>,
        invitee: Option<&Invitee>,
        origin: &Origin,
    ) -> Result<FinishedLogin, LoginError> {
        let known = self.0.logins.find(provider)?;
        let outcome = self.finish(known, cookie, answer, signed_in, invitee, origin).await;
        if let Err(error) = &outcome {
            log(error);
            self.record_refused_login(&known.0, error, signed_in, origin).await;
        }
        outcome
    }

    async fn finish(
        &self,
        known: &(LoginProvider, Discovered),
        cookie: &str,
        answer: &LoginAnswer,
        signed_in: Option<&Member>,
        invitee: Option<&Invitee>,
        origin: &Origin,
    ) -> Result<FinishedLogin, LoginError> {
        let provider = &known.0;
        let next = self.take_attempt(provider, cookie, answer).await?;
        let claimed = self.claim(known, cookie, answer).await?;

        let (login, user, same_address) = {
            let mut tx = self.0.store.system_read().await?;
            let login = tx.find_login(&claimed.issuer, &claimed.subject).await?;
            let user = match &login {
                Some(login) => tx.find_user(login.user).await?,
                None => None,
            };
            let same_address = match &claimed.email {
                Some(email) => tx.find_user_by_login(email.as_str()).await?,
                None => None,
            };
            (login, user, same_address.is_some())
        };
        match (login.zip(user), signed_in) {
            (Some((login, _)), Some(member)) if login.user == member.user => Ok(FinishedLogin::Yours(next)),
            (Some(_), Some(_)) => Err(LoginError::OfAnother),
            (Some((login, user)), None) => {
                if !user.enabled {
                    let refused = Deed::refused(Action::SignIn, "the account is switched off");
                    self.record_sign_in(&user, origin, refused);
                    return Err(IdentityError::Disabled.into());
                }
                self.note_use(&login).await?;
                match self.enter(&user, origin, &provider.name).await {
                    Ok(session) => Ok(FinishedLogin::SignedIn(Box::new(session), next)),
                    Err(IdentityError::CodeNeeded { cookie }) => Ok(FinishedLogin::CodeNeeded(cookie, next)),
                    Err(error) => Err(error.into()),
                }
            }
            (None, Some(_)) => {
                let cookie = self.keep_pending(provider, claimed, next).await?;
                Ok(FinishedLogin::MayBeAdded(cookie))
            }
            (None, None) if same_address => {
                let cookie = self.keep_pending(provider, claimed, next).await?;
                Ok(FinishedLogin::AddressKnown(cookie))
            }
            (None, None) => {
                self.may_sign_up(provider, claimed.email.as_ref(), invitee)?;
                let cookie = self.keep_pending(provider, claimed, next).await?;
                Ok(FinishedLogin::MaySignUp(cookie))
            }
        }
    }

    /// Takes the attempt an answer belongs to, and returns where the browser goes afterwards.
    async fn take_attempt(
        &self,
        provider: &LoginProvider,
        cookie: &str,
        answer: &LoginAnswer,
    ) -> Result<String, LoginError> {
        if !token::is_random_token(cookie) {
            return Err(LoginError::NotBegun);
        }
        // Before the attempt is taken, so that a stranger's link cannot use it up.
        if !Ties::of(cookie).fits(answer.state.as_deref().unwrap_or_default()) {
            return Err(LoginError::WrongState);
        }
        let mut tx = self.0.store.system().await?;
        let taken = tx.take_login_attempt(&token::digest(cookie), self.0.clock.now()).await?;
        tx.commit().await?;
        match taken {
            Some((begun_at, next)) if begun_at == provider.name => Ok(next),
            Some(_) | None => Err(LoginError::NotBegun),
        }
    }

    /// Asks the provider whom its answer means.
    async fn claim(
        &self,
        known: &(LoginProvider, Discovered),
        cookie: &str,
        answer: &LoginAnswer,
    ) -> Result<Claimed, LoginError> {
        let provider = &known.0;
        let redirect = self.redirect(&provider.name);
        let conversation = self.speak(known, &redirect);
        // Before anything else of the answer is looked at, errors included (RFC 9207, section 2.4).
        if let Conversation::OpenId(openid) = &conversation {
            openid.check_issuer(answer.iss.as_deref()).await?;
        }
        if let Some(code) = &answer.error {
            return Err(provider.declined(code));
        }
        let code = answer.code.as_deref().filter(|code| code.len() <= PARAMETER_BYTES_MAX);
        let code = code.ok_or_else(|| provider.unbelievable("the answer carries no code"))?;
        let ties = Ties::of(cookie);
        match conversation {
            Conversation::OpenId(openid) => openid.exchange(code, &ties).await,
            Conversation::GitHub(github) => github.exchange(code, &ties).await,
        }
    }

    /// Says whether somebody of this address may make an account, and returns the invitation that
    /// lets them, which makes no other.
    fn may_sign_up<'a>(
        &self,
        provider: &LoginProvider,
        email: Option<&Email>,
        invitee: Option<&'a Invitee>,
    ) -> Result<Option<&'a Invitee>, LoginError> {
        let policy = &self.0.logins.sign_up;
        let of_this = |invitee: &&Invitee| invitee.email.as_ref().is_none_or(|own| Some(own) == email);
        match email {
            _ if *policy == SignUp::Closed => Err(LoginError::Stranger),
            None if *policy == SignUp::Invited && invitee.is_none() => Err(LoginError::Stranger),
            None => Err(LoginError::NoAddress { provider: provider.label.clone() }),
            Some(email) if policy.admits(email.as_str()) => Ok(None),
            Some(email) if policy.admits_invited(email.as_str()) => {
                invitee.filter(of_this).map(Some).ok_or(LoginError::Stranger)
            }
            Some(_) => Err(LoginError::Stranger),
        }
    }

    async fn keep_pending(
        &self,
        provider: &LoginProvider,
        claimed: Claimed,
        next: String,
    ) -> Result<Secret, LoginError> {
        let cookie = token::random_token()?;
        let pending = PendingLogin {
            provider: provider.name.clone(),
            issuer: claimed.issuer,
            subject: claimed.subject,
            shown: claimed.shown,
            email: claimed.email,
            next,
            expires_at: self.0.clock.now().plus(PENDING_LIFETIME),
        };
        let mut tx = self.0.store.system().await?;
        tx.add_pending_login(&token::digest(cookie.expose()), &pending).await?;
        tx.commit().await?;
        Ok(cookie)
    }

    async fn note_use(&self, login: &Login) -> Result<(), LoginError> {
        let mut tx = self.0.store.system().await?;
        tx.touch_login(login.user, login.id, self.0.clock.now()).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Records an attempt that came to nothing: for whoever is signed in, otherwise for the
    /// administrators. One of an account that is switched off is recorded already.
    async fn record_refused_login(
        &self,
        provider: &LoginProvider,
        error: &LoginError,
        signed_in: Option<&Member>,
        origin: &Origin,
    ) {
        if matches!(error, LoginError::Identity(_)) {
            return;
        }
        let Some(reason) = self.worth_recording(&error.to_string()) else { return };
        if let Some(member) = signed_in {
            let member = member.asking_from(origin.whence());
            return self.record_of(&member, Deed::refused(Action::LoginChange, reason));
        }
        let home = match self.0.store.system_read().await {
            Ok(mut tx) => home(&mut tx).await,
            Err(error) => Err(error),
        };
        match home {
            Ok(Some(home)) => self.record_by_nobody(home, &provider.name, origin, reason),
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "a refused login could not be recorded"),
        }
    }

    /// Returns where the provider sends the browser back to. Each has a path of its own, so that the
    /// answer of one is never taken for that of another.
    fn redirect(&self, provider: &str) -> String {
        format!("{}/login/{provider}/callback", self.0.logins.base_url)
    }

    fn speak<'a>(
        &'a self,
        (provider, discovered): &'a (LoginProvider, Discovered),
        redirect: &'a str,
    ) -> Conversation<'a> {
        let egress = &self.0.logins.egress;
        match &provider.kind {
            ProviderKind::OpenId { issuer } => Conversation::OpenId(OpenId {
                provider,
                issuer,
                discovered,
                egress,
                redirect,
                now: self.0.clock.now(),
            }),
            ProviderKind::GitHub { site, api } => {
                Conversation::GitHub(GitHub { provider, site, api, egress, redirect })
            }
        }
    }
}

enum Conversation<'a> {
    OpenId(OpenId<'a>),
    GitHub(GitHub<'a>),
}

impl LoginProvider {
    /// Returns who says so when this provider says who somebody is.
    pub fn issuer(&self) -> String {
        match &self.kind {
            ProviderKind::OpenId { issuer } => issuer.clone(),
            ProviderKind::GitHub { site, .. } => site.origin().ascii_serialization(),
        }
    }

    fn declined(&self, code: &str) -> LoginError {
        LoginError::Declined { provider: self.label.clone(), code: readable(code) }
    }

    fn unreachable(&self, source: EgressError) -> LoginError {
        LoginError::Unreachable { provider: self.label.clone(), source }
    }

    fn unbelievable(&self, detail: impl ToString) -> LoginError {
        LoginError::Unbelievable { provider: self.label.clone(), detail: detail.to_string() }
    }
}

/// Tells the operator what is theirs to mend; what is the person's own is on their page.
fn log(error: &LoginError) {
    match error {
        LoginError::Unreachable { provider, source } => {
            tracing::warn!(provider, "an identity provider could not be reached: {source}");
        }
        LoginError::Unbelievable { provider, detail } => {
            tracing::warn!(provider, "what an identity provider said was not believed: {detail}");
        }
        _ => {}
    }
}

/// Returns what another server wrote, fit for a page and a log.
fn readable(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(SHOWN_MAX).collect()
}
