//! Who is looking: the cookie of a browser session, and nothing else, says it.

use std::sync::Arc;

use doorward::{identity::Origin, model::Member, secret::Secret};

use crate::{
    context::{caller_address, console, cookie, header, respond_with, whence},
    trouble::Trouble,
};

/// Returns who is signed in; `None` if nobody is.
pub(crate) async fn find() -> Result<Option<Arc<Member>>, Trouble> {
    let Some(cookie) = cookie(cookie_name()) else { return Ok(None) };
    let found = console().identity.find_session(&cookie).await?;
    Ok(found.map(|member| Arc::new(member.asking_from(whence()))))
}

/// Returns who is signed in, and refuses if nobody is. Every server function begins with it.
pub(crate) async fn member() -> Result<Arc<Member>, Trouble> {
    find().await?.ok_or(Trouble::SignIn)
}

/// Says where the request comes from, for the list of browser sessions and the throttle.
pub(crate) fn origin() -> Origin {
    Origin {
        address: caller_address(),
        user_agent: header(http::header::USER_AGENT).unwrap_or_default(),
        request: whence().request,
    }
}

/// Returns the cookie of the browser session as sent.
pub(crate) fn sent() -> Option<String> {
    cookie(cookie_name())
}

/// Gives the browser its cookie.
pub(crate) fn begin(secret: &Secret) {
    let cookie = format!("{}={}; {}", cookie_name(), secret.expose(), attributes());
    respond_with(http::header::SET_COOKIE, &cookie);
}

/// Gives the browser its cookie, and ends the session that it had before.
pub(crate) async fn replace(secret: &Secret) -> Result<(), Trouble> {
    if let Some(replaced) = sent() {
        console().identity.sign_out(&replaced, &origin()).await?;
    }
    begin(secret);
    Ok(())
}

/// Takes the browser's cookie away.
pub(crate) fn end() {
    respond_with(http::header::SET_COOKIE, &format!("{}=; Max-Age=0; {}", cookie_name(), attributes()));
}

/// What a browser carries beside its session while a sign-in is under way.
#[derive(Clone, Copy, Debug)]
pub(crate) enum UnderWay {
    /// It was sent to a provider.
    Login,
    /// A provider has recognised somebody, who has yet to say whose account that is.
    Unclaimed,
    /// Its person has opened an invitation, which they accept once they are signed in.
    Invited,
    /// Somebody has shown their first factor and not the second yet.
    Half,
}

/// How long a browser keeps such a cookie, in seconds; the engine forgets all but an invitation sooner.
const UNDER_WAY_SECS: u32 = 1800;

impl UnderWay {
    /// Returns the cookie as sent.
    pub(crate) fn sent(self) -> Option<String> {
        cookie(self.name())
    }

    /// Gives the browser the cookie.
    pub(crate) fn begin(self, secret: &Secret) {
        let (name, value) = (self.name(), secret.expose());
        let cookie = format!("{name}={value}; Max-Age={UNDER_WAY_SECS}; {}", attributes());
        respond_with(http::header::SET_COOKIE, &cookie);
    }

    /// Takes the cookie away.
    pub(crate) fn end(self) {
        respond_with(http::header::SET_COOKIE, &format!("{}=; Max-Age=0; {}", self.name(), attributes()));
    }

    fn name(self) -> &'static str {
        match (self, console().settings.https) {
            (Self::Login, true) => "__Host-doorward-login",
            (Self::Login, false) => "doorward-login",
            (Self::Invited, true) => "__Host-doorward-invited",
            (Self::Invited, false) => "doorward-invited",
            (Self::Half, true) => "__Host-doorward-half",
            (Self::Half, false) => "doorward-half",
            (Self::Unclaimed, true) => "__Host-doorward-unclaimed",
            (Self::Unclaimed, false) => "doorward-unclaimed",
        }
    }
}

/// The cookie's name. Over TLS its prefix makes browsers refuse one that another host set.
fn cookie_name() -> &'static str {
    if console().settings.https { "__Host-doorward" } else { "doorward" }
}

fn attributes() -> &'static str {
    if console().settings.https {
        "Path=/; HttpOnly; SameSite=Lax; Secure"
    } else {
        "Path=/; HttpOnly; SameSite=Lax"
    }
}
