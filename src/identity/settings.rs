use std::{num::NonZeroUsize, time::Duration};

use super::{LoginProvider, SignUp};

/// How people are recognised.
#[derive(Clone, Debug)]
pub struct IdentitySettings {
    /// How much work a password's hash takes.
    pub password_cost: PasswordCost,
    /// How many passwords are hashed at the same time. Each takes the memory of one hash.
    pub hashes_at_once: NonZeroUsize,
    /// A browser session ends when it was not used for this long.
    pub session_idle: Duration,
    /// A browser session ends this long after the sign-in, used or not.
    pub session_age_max: Duration,
    /// The identity providers people may sign in with, in the order of their buttons.
    pub login_providers: Vec<LoginProvider>,
    /// Who may make an account for themself.
    pub sign_up: SignUp,
    /// The address people use, without a slash at the end: providers send browsers back there.
    pub base_url: String,
}

impl Default for IdentitySettings {
    fn default() -> Self {
        const MOST_AT_ONCE: NonZeroUsize = NonZeroUsize::new(4).expect("four is not zero");
        Self {
            password_cost: PasswordCost::default(),
            hashes_at_once: std::thread::available_parallelism()
                .map_or(NonZeroUsize::MIN, |cores| cores.min(MOST_AT_ONCE)),
            session_idle: Duration::from_secs(7 * 24 * 3600),
            session_age_max: Duration::from_secs(30 * 24 * 3600),
            login_providers: Vec::new(),
            sign_up: SignUp::default(),
            base_url: "http://127.0.0.1:8080".to_owned(),
        }
    }
}

/// The parameters of Argon2id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordCost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over that memory.
    pub passes: u32,
    /// Lanes. They are computed one after the other, so more than one only helps an attacker.
    pub lanes: u32,
}

impl Default for PasswordCost {
    /// 32 MiB, three passes, one lane: two and a half times the work of OWASP's least (19 MiB, two
    /// passes), about 65 ms on one core of a small server, and four at once stay under 128 MiB.
    fn default() -> Self {
        Self { memory_kib: 32 * 1024, passes: 3, lanes: 1 }
    }
}
