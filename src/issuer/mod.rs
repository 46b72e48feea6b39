//! The issuer for MCP clients: signs programs in that people use, so that a preset's address is all
//! anybody has to pass on.
//!
//! One issuer at the origin (RFC 8414): clients introduce themselves (RFC 7591) or are
//! described at their own address (Client ID Metadata Documents), a person agrees on
//! the consent page, and the client exchanges a code (PKCE, S256 only) for tokens that open one
//! preset (RFC 8707). Tokens are random texts kept as their SHA-256; access tokens live minutes,
//! refresh tokens are replaced with each use, and one used twice ends its sign-in.
//!
//! Never signs anything, never decides who may use a preset (`policy`), never recognises a caller
//! (`identity` does), and never picks a status code (the server does). One more way to get a token
//! is a file of its own, and a line in `token.rs`.

mod address;
mod authorize;
mod clients;
mod code;
mod consent;
mod credentials;
mod documents;
mod error;
mod exchange;
mod grants;
mod metadata;
mod params;
mod redirect;
mod refresh;
mod register;
mod revoke;
mod token;

use std::{
    net::IpAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use documents::Documents;
use zeroize::Zeroizing;

use crate::{
    audit::Audit,
    changes::Changes,
    clock::Clock,
    egress::Egress,
    identity::{Buckets, Identity},
    model::{Action, Member, Outcome, PresetId, Principal, RunEvent},
    policy,
    presets::{Presets, RouteTable},
    store::Store,
    vault::Vault,
};

pub use address::{Challenge, base_url};
pub use authorize::{Asked, AuthorizeRequest};
pub use clients::ClientMetadata;
pub use consent::{Choice, Offer, OfferedTool};
pub use error::IssuerError;
pub use grants::GrantView;
pub use metadata::{IssuerMetadata, ResourceMetadata};
pub use redirect::RedirectUri;
pub use register::{Registered, UNUSED_CLIENTS_MAX};
pub use token::TokenAnswer;

/// How long a code may wait to be redeemed.
pub const CODE_AGE_MAX: Duration = Duration::from_secs(120);
/// How long an access token holds.
pub const ACCESS_AGE_MAX: Duration = Duration::from_secs(15 * 60);
/// How long a refresh token holds if nobody uses it.
pub const REFRESH_AGE_MAX: Duration = Duration::from_secs(90 * 24 * 3600);
/// How long after its use a refresh token still leads to the same next one: clients refresh in
/// several places at once, and answers get lost.
pub const REFRESH_GRACE: Duration = Duration::from_secs(30);
/// How long it is remembered that a refresh token was used, so that using it again is noticed.
pub const REUSE_MEMORY: Duration = Duration::from_secs(7 * 24 * 3600);
/// How many access tokens of one sign-in hold at once; a further one ends the oldest.
pub const ACCESS_TOKENS_MAX: i64 = 20;
/// How long a client that nobody let in is kept.
pub const UNUSED_CLIENT_AGE_MAX: Duration = Duration::from_secs(24 * 3600);
/// How long a client is kept that may do nothing any more.
pub const IDLE_CLIENT_AGE_MAX: Duration = Duration::from_secs(90 * 24 * 3600);
/// How much is removed in one transaction.
const REMOVED_AT_ONCE: i64 = 500;

/// What the keys of the issuer are for.
const KEY_PURPOSE: &str = "issuer";

/// The issuer; cheap to clone.
#[derive(Clone)]
pub struct Issuer(Arc<Inner>);

struct Inner {
    store: Store,
    identity: Identity,
    presets: Presets,
    audit: Audit,
    changes: Changes,
    clock: Clock,
    /// Where the next refresh token follows from the one before; the first one is used.
    keys: Vec<Zeroizing<[u8; 32]>>,
    registrations: Mutex<Buckets<IpAddr>>,
    documents: Documents,
}

impl Issuer {
    /// Makes the issuer of this installation.
    #[expect(clippy::too_many_arguments, reason = "each is a part of its own, given once")]
    pub fn new(
        store: Store,
        identity: Identity,
        presets: Presets,
        audit: Audit,
        changes: Changes,
        clock: Clock,
        vault: &Vault,
        egress: Egress,
    ) -> Self {
        Self(Arc::new(Inner {
            store,
            identity,
            presets,
            audit,
            changes,
            clock,
            keys: vault.derive(KEY_PURPOSE),
            registrations: Mutex::new(Buckets::new(register::BURST, register::REFILL)),
            documents: Documents::new(egress),
        }))
    }

    /// Returns what the issuer says of itself at this address of the gateway.
    pub fn metadata(&self, base: &str) -> IssuerMetadata {
        IssuerMetadata::new(base, self.0.identity.takes_assertions())
    }

    /// Removes tokens that have ended and clients that nobody lets do anything, in small steps. To be
    /// called every hour or so.
    pub async fn remove_ended(&self) -> Result<(), IssuerError> {
        let now = self.0.clock.now();
        let (unused, idle) = (now.minus(UNUSED_CLIENT_AGE_MAX), now.minus(IDLE_CLIENT_AGE_MAX));
        loop {
            let mut tx = self.0.store.system().await?;
            let tokens = tx.remove_ended_tokens(now, REMOVED_AT_ONCE).await?;
            let clients = tx.remove_idle_clients(unused, idle, REMOVED_AT_ONCE).await?;
            let assertions = tx.remove_ended_assertions(now, REMOVED_AT_ONCE).await?;
            tx.commit().await?;
            if tokens.max(clients).max(assertions) < REMOVED_AT_ONCE.unsigned_abs() {
                return Ok(());
            }
        }
    }

    /// Returns what a preset publishes, and the person as whom they use it: acting in the organisation that owns it, if
    /// they belong to that. `None` if there is none such or they may not use it.
    async fn usable_table(
        &self,
        member: &Arc<Member>,
        owner: &str,
        slug: &str,
    ) -> Result<Option<(Arc<Member>, Arc<RouteTable>)>, IssuerError> {
        let Some(table) = self.0.presets.route_table(owner, slug).await? else { return Ok(None) };
        let owner = table.preset.tenant;
        let elsewhere = if member.tenant != owner && policy::may_act_elsewhere(member).is_ok() {
            let mut tx = self.0.store.system_read().await?;
            tx.find_member(member.user, owner, member.via.clone()).await?
        } else {
            None
        };
        let acting = match elsewhere {
            Some(acting) => Arc::new(acting.asking_from(member.whence)),
            None => Arc::clone(member),
        };
        let caller = Principal::Member(Arc::clone(&acting));
        let permit = policy::may_call(&caller, &table.preset, &table.access, self.0.clock.now());
        Ok(permit.map(|_| (acting, table)))
    }

    /// Records what happened to a person's grant.
    fn record(&self, member: &Member, action: Action, client: &str, of: Of<'_>, refused: Option<&str>) {
        let event = RunEvent {
            outcome: if refused.is_some() { Outcome::Refused } else { Outcome::Ok },
            reason: refused.unwrap_or_default().to_owned(),
            user: Some(member.user),
            principal: member.handle.to_string(),
            subject: client.to_owned(),
            preset: Some(of.preset),
            preset_slug: of.slug.to_owned(),
            address: member.whence.address_text(),
            request_id: member.whence.request_text(),
            ..RunEvent::new(member.tenant, self.0.clock.now(), action)
        };
        self.0.audit.record(event);
    }
}

/// The preset that a grant is of.
struct Of<'a> {
    preset: PresetId,
    /// Empty where it was not looked up.
    slug: &'a str,
}
