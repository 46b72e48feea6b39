//! Signing in at one server.

use std::sync::Arc;

use russh::{
    MethodSet,
    client::{AuthResult, Handle, KeyboardInteractiveAuthResponse},
    keys::{Algorithm, HashAlg, PrivateKeyWithHashAlg},
};

use crate::{
    apart,
    model::Hop,
    secret::Secret,
    tunnel::{HopSecret, KeyError, KeyPair, TunnelError, TunnelLimits, certificate_for, error, guard::Guard},
};

/// How often a server may ask something else before it has let somebody in.
const QUESTIONS_MAX: usize = 4;

/// Returns the methods a server offers this user, in its own words; asks it, which counts as a failed try there.
pub(super) async fn offered(handle: &mut Handle<Guard>, hop: &Hop) -> Result<String, TunnelError> {
    match handle.authenticate_none(&hop.user).await.map_err(|error| broken(hop, &error))? {
        AuthResult::Success => Ok("anybody is let in".to_owned()),
        AuthResult::Failure { remaining_methods, .. } => Ok(names(&remaining_methods)),
    }
}

/// Signs in, or says which methods the server offers in place of the one tried.
pub(super) async fn sign_in(
    handle: &mut Handle<Guard>,
    hop: &Hop,
    secret: &HopSecret,
    limits: &TunnelLimits,
) -> Result<String, TunnelError> {
    match secret {
        HopSecret::Key { private, passphrase, certificate } => {
            let key = read_key(hop, private.clone(), passphrase.clone()).await?;
            with_key(handle, hop, &key, certificate.as_deref()).await
        }
        HopSecret::Password(_) if !limits.passwords => Err(TunnelError::NoPasswords { host: hop.address() }),
        HopSecret::Password(password) => with_password(handle, hop, password).await,
    }
}

/// Reads a key where computing does not stop anybody else.
async fn read_key(hop: &Hop, private: Secret, passphrase: Option<Secret>) -> Result<KeyPair, TunnelError> {
    let read = apart::compute(move || KeyPair::read(&private, passphrase.as_ref())).await;
    read.map_err(|reason| TunnelError::Key { host: hop.address(), reason })
}

async fn with_key(
    handle: &mut Handle<Guard>,
    hop: &Hop,
    key: &KeyPair,
    certificate: Option<&str>,
) -> Result<String, TunnelError> {
    let wrong = |reason| TunnelError::Key { host: hop.address(), reason };
    let private = key.private();
    if let Some(line) = certificate {
        let certificate = certificate_for(key, line).map_err(wrong)?;
        if matches!(certificate.algorithm(), Algorithm::Rsa { .. }) {
            // The library would sign with SHA-1, which servers refuse.
            return Err(wrong(KeyError::Kind("RSA with a certificate".to_owned())));
        }
        let done = handle.authenticate_openssh_cert(&hop.user, private, certificate).await;
        return outcome(hop, "certificate", done.map_err(|error| broken(hop, &error))?);
    }
    let hash = match private.algorithm() {
        Algorithm::Rsa { .. } => Some(rsa_hash(handle, hop).await?),
        _ => None,
    };
    let done = handle
        .authenticate_publickey(&hop.user, PrivateKeyWithHashAlg::new(Arc::clone(&private), hash))
        .await;
    outcome(hop, "key", done.map_err(|error| broken(hop, &error))?)
}

/// Returns the better of the two hashes that go with RSA (RFC 8332); SHA-1 is none of them.
async fn rsa_hash(handle: &Handle<Guard>, hop: &Hop) -> Result<HashAlg, TunnelError> {
    match handle.best_supported_rsa_hash().await.map_err(|error| broken(hop, &error))? {
        Some(Some(hash)) => Ok(hash),
        // It does not say what it takes.
        None => Ok(HashAlg::Sha512),
        Some(None) => Err(TunnelError::SignIn {
            host: hop.address(),
            user: hop.user.clone(),
            tried: "RSA key",
            offered: "RSA with SHA-1 only, which is broken; use an ed25519 key".to_owned(),
        }),
    }
}

async fn with_password(
    handle: &mut Handle<Guard>,
    hop: &Hop,
    password: &Secret,
) -> Result<String, TunnelError> {
    let tried = "password";
    let broken = |error: russh::Error| broken(hop, &error);
    match handle.authenticate_password(&hop.user, password.expose()).await.map_err(broken)? {
        AuthResult::Success => return Ok(welcome(hop, tried)),
        AuthResult::Failure { remaining_methods, .. }
            if remaining_methods.contains(&russh::MethodKind::KeyboardInteractive) => {}
        failure @ AuthResult::Failure { .. } => return outcome(hop, tried, failure),
    }
    let mut answer = handle.authenticate_keyboard_interactive_start(&hop.user, None).await.map_err(broken)?;
    for _ in 0..QUESTIONS_MAX {
        let prompts = match answer {
            KeyboardInteractiveAuthResponse::Success => return Ok(welcome(hop, tried)),
            KeyboardInteractiveAuthResponse::Failure { remaining_methods, partial_success } => {
                return outcome(hop, tried, AuthResult::Failure { remaining_methods, partial_success });
            }
            KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } => prompts,
        };
        // A question whose answer shows on the screen is not one for the password.
        if prompts.len() > 1 || prompts.iter().any(|prompt| prompt.echo) {
            return refused(hop, tried, "questions that a program cannot answer".to_owned());
        }
        let answers = prompts.iter().map(|_| password.expose().to_owned()).collect();
        answer = handle.authenticate_keyboard_interactive_respond(answers).await.map_err(broken)?;
    }
    refused(hop, tried, "ever more questions".to_owned())
}

fn outcome(hop: &Hop, tried: &'static str, result: AuthResult) -> Result<String, TunnelError> {
    match result {
        AuthResult::Success => Ok(welcome(hop, tried)),
        AuthResult::Failure { remaining_methods, partial_success: true } => refused(
            hop,
            tried,
            format!("{} as a second step, which Doorward does not take", names(&remaining_methods)),
        ),
        AuthResult::Failure { remaining_methods, .. } => refused(hop, tried, names(&remaining_methods)),
    }
}

fn welcome(hop: &Hop, with: &str) -> String {
    format!("`{}` is let in with this {with}", hop.user)
}

fn refused(hop: &Hop, tried: &'static str, offered: String) -> Result<String, TunnelError> {
    Err(TunnelError::SignIn { host: hop.address(), user: hop.user.clone(), tried, offered })
}

fn names(methods: &MethodSet) -> String {
    let names: Vec<String> = methods.iter().map(String::from).collect();
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

fn broken(hop: &Hop, error: &russh::Error) -> TunnelError {
    TunnelError::Protocol { host: hop.address(), detail: error::words(error) }
}
