use std::time::Duration;

use thiserror::Error;
use webauthn_rs::prelude::WebauthnError;

use crate::{
    fault::Fault, model::PlanName, policy::Denied, secret::Secret, store::StoreError, vault::VaultError,
};

/// Says why a person was not let in, or an account not changed.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// The account or the password is wrong; which of them is not told.
    #[error("the name or the password is wrong")]
    WrongCredentials,
    /// The password was right and the account is switched off.
    #[error("this account is switched off")]
    Disabled,
    /// The account has no password to confirm by, and the sign-in is too long ago to do so.
    #[error("this needs a fresh sign-in: sign out, sign in again and repeat it within ten minutes")]
    SignInAgain,
    /// The first factor was right, and the second has to be shown.
    #[error("the second step is needed")]
    CodeNeeded {
        /// The cookie to show it with.
        cookie: Secret,
    },
    /// The code of the second factor is wrong, or was used.
    #[error("this code is wrong, or was used already")]
    WrongCode,
    /// The first factor was shown too long ago.
    #[error("this took too long: please sign in again")]
    CodeTooLate,
    /// A passkey did not answer what it was asked for.
    #[error("this passkey was not accepted: try again, or take another way")]
    WrongPasskey,
    /// The authenticator has signed less often than it had before.
    #[error(
        "this passkey was refused, as there may be a copy of it: take another way, and remove it on your account page"
    )]
    PasskeyCopied,
    /// What the passkey was asked for was answered, or has ended.
    #[error("this took too long, or was answered already: please try again")]
    PasskeyTooLate,
    /// The authenticator's credential belongs to an account already.
    #[error("this passkey belongs to an account already")]
    PasskeyTaken,
    /// The person has too many passkeys.
    #[error("you have {max} passkeys: remove one first")]
    TooManyPasskeys {
        /// How many there may be.
        max: usize,
    },
    /// The passkey to be made is called something that it cannot be.
    #[error("the {why}")]
    BadPasskeyName {
        /// What is wrong with it.
        why: &'static str,
    },
    /// Browsers have no passkeys at the address people use.
    #[error("passkeys need an address that begins with https and a name")]
    NoPasskeysHere,
    /// What a passkey is to be asked for could not be made.
    #[error("could not ask for a passkey: {0}")]
    Ceremony(WebauthnError),
    /// The person has no second factor of the kind asked about.
    #[error("there is no second step to do this with")]
    NoFactor,
    /// The second factor is switched on already.
    #[error("the second step is on: switch it off first")]
    FactorIsOn,
    /// A second factor cannot be shown.
    #[error("the second step cannot be written as an address")]
    BadFactor,
    /// Too many failed attempts.
    #[error("too many attempts: try again in {} seconds", retry_after.as_secs().max(1))]
    Throttled {
        /// When the next attempt may be made.
        retry_after: Duration,
    },
    /// The set-up token is wrong.
    #[error("the set-up link is not valid: take the one the program printed last")]
    WrongSetupToken,
    /// The owner account exists.
    #[error("this installation is set up already")]
    AlreadySetUp,
    /// The password is not good enough.
    #[error("the password {why}")]
    WeakPassword {
        /// What is wrong with it.
        why: &'static str,
    },
    /// The handle or the e-mail address belongs to another account.
    #[error("the {what} is taken")]
    Taken {
        /// Which of them.
        what: &'static str,
    },
    /// The invitation makes no account.
    #[error(
        "this invitation makes no account: it was withdrawn, has ended, made one before, or asks for one"
    )]
    NotInvited,
    /// There is no such plan.
    #[error("there is no plan `{plan}`")]
    NoPlan {
        /// The plan asked for.
        plan: PlanName,
    },
    /// A plan holds a number below zero.
    #[error("a plan's numbers are zero or more")]
    BadPlan,
    /// Nobody would be left to manage the instance.
    #[error("this is the last administrator: make another one first")]
    LastAdmin,
    /// The API key to be made is not usable.
    #[error("the key's {why}")]
    BadKey {
        /// What is wrong with it.
        why: &'static str,
    },
    /// The person has too many keys.
    #[error("there are {max} keys in use: revoke one first")]
    TooManyKeys {
        /// How many there may be.
        max: usize,
    },
    /// The person may not do it.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// Too many passwords are being checked at this moment.
    #[error("too many people are signing in at this moment")]
    Busy,
    /// The system gave no random bytes.
    #[error("the system gave no random bytes: {0}")]
    Random(getrandom::Error),
    /// The password could not be hashed, or its hash could not be read.
    #[error("could not hash a password: {0}")]
    Hash(argon2::password_hash::Error),
    /// The secret of a second factor could not be sealed or opened.
    #[error("could not use the vault")]
    Vault(#[from] VaultError),
    /// The database failed.
    #[error("could not read or write accounts")]
    Store(#[from] StoreError),
}

impl IdentityError {
    /// Returns whose fault this is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::WrongCredentials
            | Self::Disabled
            | Self::SignInAgain
            | Self::CodeNeeded { .. }
            | Self::WrongCode
            | Self::CodeTooLate
            | Self::WrongPasskey
            | Self::PasskeyCopied
            | Self::PasskeyTooLate
            | Self::PasskeyTaken
            | Self::TooManyPasskeys { .. }
            | Self::NoPasskeysHere
            | Self::NoFactor
            | Self::FactorIsOn
            | Self::Throttled { .. }
            | Self::WrongSetupToken
            | Self::NotInvited
            | Self::LastAdmin
            | Self::TooManyKeys { .. } => Fault::Refused,
            Self::AlreadySetUp
            | Self::WeakPassword { .. }
            | Self::Taken { .. }
            | Self::NoPlan { .. }
            | Self::BadPlan
            | Self::BadPasskeyName { .. }
            | Self::BadKey { .. } => Fault::Caller,
            Self::Denied(denied) => denied.fault(),
            Self::Busy | Self::BadFactor | Self::Ceremony(_) | Self::Random(_) | Self::Hash(_) => {
                Fault::Gateway
            }
            Self::Vault(error) => error.fault(),
            Self::Store(error) => error.fault(),
        }
    }
}

/// Says why an API key does not open.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The text does not look like a key.
    #[error("this is not an API key")]
    Malformed,
    /// There is no such key.
    #[error("there is no such API key")]
    Unknown,
    /// The key was good until its end.
    #[error("the API key has expired")]
    Expired,
    /// Its owner took it back.
    #[error("the API key was revoked")]
    Revoked,
    /// Its owner's account is switched off.
    #[error("the account behind the API key is switched off")]
    Disabled,
    /// The database failed.
    #[error("could not look up the API key")]
    Store(#[from] StoreError),
}

impl KeyError {
    /// Returns whose fault this is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Malformed => Fault::Caller,
            Self::Unknown | Self::Expired | Self::Revoked | Self::Disabled => Fault::Refused,
            Self::Store(error) => error.fault(),
        }
    }
}
