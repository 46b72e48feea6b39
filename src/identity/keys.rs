//! API keys: making, recognising and revoking them.

use std::{
    collections::HashSet,
    sync::{Arc, atomic::AtomicI64},
};

use subtle::ConstantTimeEq;

use super::{Identity, IdentityError, KeyError, NewKey, record::Deed, remembered::Known, token};
use crate::{
    changes::Change,
    clock::Ms,
    model::{Action, ApiKey, ApiKeyId, KeyScope, Member, OrgRole, Rate, UserId},
    policy::{self, AccountPermit},
    secret::Secret,
    store::ApiKeyRow,
};

/// How many keys in use a person may have.
pub const KEYS_MAX: usize = 200;
/// The longest name of a key, in characters.
const NAME_MAX: usize = 100;
/// How many presets a key may be limited to.
const SCOPE_MAX: usize = 200;

impl Identity {
    /// Returns the person an API key acts for. Takes the text after `Bearer `.
    ///
    /// A key seen a moment ago is answered from memory; one revoked since is not, for every change
    /// is told before it is answered.
    pub async fn authenticate_key(&self, bearer: &str) -> Result<Arc<Member>, KeyError> {
        let id = token::parse_key(bearer).ok_or(KeyError::Malformed)?;
        let digest = token::digest(bearer);
        let now = self.0.clock.now();
        if let Some(known) = self.0.keys.find(&digest, &self.0.epochs, now) {
            return self.use_key(&known, now);
        }
        // Boxed, as what is rarely needed would otherwise take its room in every call.
        Box::pin(self.look_up_key(id, digest, now)).await
    }

    async fn look_up_key(&self, id: ApiKeyId, digest: [u8; 32], now: Ms) -> Result<Arc<Member>, KeyError> {
        let epoch = self.0.epochs.now();
        let row = self.0.store.find_api_key(id).await?.ok_or(KeyError::Unknown)?;
        if !bool::from(row.secret_hash.ct_eq(&digest)) {
            return Err(KeyError::Unknown);
        }
        if row.key.revoked_at.is_some() {
            return Err(KeyError::Revoked);
        }
        if !row.user_enabled {
            return Err(KeyError::Disabled);
        }
        let known = Arc::new(Known {
            id,
            member: Arc::new(row.member),
            ends_at: row.key.expires_at,
            epoch,
            read_at: now,
            noted_at: AtomicI64::new(row.key.last_used_at.map_or(0, |at| at.0)),
        });
        let member = self.use_key(&known, now)?;
        self.0.keys.insert(digest, known);
        Ok(member)
    }

    /// Returns the API keys of the person, the newest first; all keys of the organisation for those
    /// who manage it.
    pub async fn keys(&self, member: &Member) -> Result<Vec<ApiKey>, IdentityError> {
        let permit = policy::may_use_account(member)?;
        let mut keys = self.0.store.read(permit.tenant()).await?.list_api_keys().await?;
        keys.retain(|key| manages(member, key));
        Ok(keys)
    }

    /// Makes an API key. The secret returned is the whole key, and is not to be had again.
    pub async fn create_key(&self, member: &Member, new: NewKey) -> Result<(ApiKey, Secret), IdentityError> {
        let permit = policy::may_use_account(member)?;
        let id = ApiKeyId::new();
        let text = token::new_key(id)?;
        let key = self.add_key(&permit, id, new, &text).await?;
        Ok((key, text))
    }

    /// Returns the text of a key that is not made yet, for [`Identity::import_key`]: whoever keeps
    /// it first cannot lose it between the making and the keeping.
    pub fn new_key_text(&self) -> Result<Secret, IdentityError> {
        token::new_key(ApiKeyId::new())
    }

    /// Says why a key could not be made for this person, with this text if one is given; `None` = for
    /// somebody who has no account yet. Makes nothing.
    pub async fn check_key(
        &self,
        user: Option<UserId>,
        new: &NewKey,
        text: Option<&Secret>,
    ) -> Result<(), IdentityError> {
        check(new.name.trim(), new, self.0.clock.now())?;
        let Some(text) = text else { return Ok(()) };
        match self.0.store.find_api_key(own_key(text)?).await? {
            Some(row) if !is_that_key(&row, user, text) => Err(ANOTHER_KEY),
            Some(_) | None => Ok(()),
        }
    }

    /// Makes an API key whose text exists already, as `doorward apply` reads it from a file. Does
    /// nothing if the person has that very key.
    pub async fn import_key(
        &self,
        member: &Member,
        new: NewKey,
        text: &Secret,
    ) -> Result<ApiKey, IdentityError> {
        let permit = policy::may_use_account(member)?;
        let id = own_key(text)?;
        match self.0.store.find_api_key(id).await? {
            None => self.add_key(&permit, id, new, text).await,
            Some(row) if is_that_key(&row, Some(permit.user()), text) => Ok(row.key),
            Some(_) => Err(ANOTHER_KEY),
        }
    }

    /// Says how fast calls with an API key of the person may come; `false` if there is none of that id
    /// in use. Holds on the next call.
    pub async fn set_key_rate(
        &self,
        member: &Member,
        id: ApiKeyId,
        rate: Option<Rate>,
    ) -> Result<bool, IdentityError> {
        let permit = policy::may_use_account(member)?;
        let mut tx = self.0.store.tenant(permit.tenant()).await?;
        let is_used = |key: &ApiKey| manages(member, key) && key.revoked_at.is_none();
        let Some(key) = tx.find_api_key(id).await?.filter(is_used) else { return Ok(false) };
        tx.set_api_key_rate(id, rate).await?;
        tx.commit().await?;
        self.0.changes.announce(Change::Key(id));
        let rate = rate.map_or_else(|| "no rate of its own".to_owned(), |rate| rate.to_string());
        let what = format!("{}: {rate}", key.name);
        self.record(permit.tenant(), permit.actor(), Deed::done(Action::KeyEdit, &what));
        Ok(true)
    }

    /// Revokes an API key of the person; `false` if there is none of that id left to revoke. Holds
    /// on the next call.
    pub async fn revoke_key(&self, member: &Member, id: ApiKeyId) -> Result<bool, IdentityError> {
        let permit = policy::may_use_account(member)?;
        let mut tx = self.0.store.tenant(permit.tenant()).await?;
        let Some(key) = tx.find_api_key(id).await?.filter(|key| manages(member, key)) else {
            return Ok(false);
        };
        if !tx.revoke_api_key(id, self.0.clock.now()).await? {
            return Ok(false);
        }
        tx.commit().await?;
        self.0.changes.announce(Change::Key(id));
        self.record(permit.tenant(), permit.actor(), Deed::done(Action::KeyRevoke, &key.name));
        self.forget_client(&token::key_client(id)).await?;
        Ok(true)
    }

    /// Removes a client of the issuer, and ends every token it got. Holds on the next call.
    pub(crate) async fn forget_client(&self, client: &str) -> Result<(), IdentityError> {
        let mut tx = self.0.store.system().await?;
        let grants = tx.list_grants_of_client(client).await?;
        tx.remove_client(client).await?;
        tx.commit().await?;
        for grant in grants {
            self.0.changes.announce(Change::Grant(grant));
        }
        Ok(())
    }

    /// Writes when keys, browser sessions and grants were last used. To be called every second or so.
    pub async fn flush_used(&self) -> Result<(), IdentityError> {
        let (keys, sessions) = (self.0.keys.take_used(), self.0.sessions.take_used());
        let grants = self.0.grants.take_used();
        if keys.is_empty() && sessions.is_empty() && grants.is_empty() {
            return Ok(());
        }
        let written = async {
            let mut tx = self.0.store.system().await?;
            tx.touch_api_keys(&keys).await?;
            tx.touch_browser_sessions(&sessions).await?;
            tx.touch_grants(&grants).await?;
            tx.commit().await
        };
        if let Err(error) = written.await {
            self.0.keys.put_back(keys);
            self.0.sessions.put_back(sessions);
            self.0.grants.put_back(grants);
            return Err(error.into());
        }
        Ok(())
    }

    async fn add_key(
        &self,
        permit: &AccountPermit,
        id: ApiKeyId,
        new: NewKey,
        text: &Secret,
    ) -> Result<ApiKey, IdentityError> {
        let now = self.0.clock.now();
        let name = new.name.trim().to_owned();
        check(&name, &new, now)?;
        let key = ApiKey {
            id,
            tenant: permit.tenant(),
            user: permit.user(),
            name,
            scope: new.scope,
            rate: new.rate,
            created_at: now,
            expires_at: new.expires_at,
            last_used_at: None,
            revoked_at: None,
        };
        let mut tx = self.0.store.tenant(permit.tenant()).await?;
        tx.take_turn().await?;
        let live = |key: &&ApiKey| {
            key.user == permit.user()
                && key.revoked_at.is_none()
                && key.expires_at.is_none_or(|end| end > now)
        };
        if tx.list_api_keys().await?.iter().filter(live).count() >= KEYS_MAX {
            return Err(IdentityError::TooManyKeys { max: KEYS_MAX });
        }
        tx.add_api_key(&key, &token::digest(text.expose())).await?;
        tx.commit().await?;
        self.0.changes.announce(Change::Key(id));
        self.record(permit.tenant(), permit.actor(), Deed::done(Action::KeyCreate, &key.name));
        Ok(key)
    }

    fn use_key(&self, known: &Known<ApiKeyId>, now: Ms) -> Result<Arc<Member>, KeyError> {
        if known.ends_at.is_some_and(|ends_at| now >= ends_at) {
            return Err(KeyError::Expired);
        }
        self.0.keys.note_use(known, now);
        Ok(Arc::clone(&known.member))
    }
}

/// Says whether the person may see and revoke the key: it is theirs, or they manage the organisation.
fn manages(member: &Member, key: &ApiKey) -> bool {
    key.user == member.user || member.org_role == OrgRole::Admin
}

const ANOTHER_KEY: IdentityError =
    IdentityError::BadKey { why: "id belongs to another key, or to a revoked one" };

/// Says whether what is stored is this text, of this person, and not revoked.
fn is_that_key(row: &ApiKeyRow, user: Option<UserId>, text: &Secret) -> bool {
    bool::from(row.secret_hash.ct_eq(&token::digest(text.expose())))
        && Some(row.key.user) == user
        && row.key.revoked_at.is_none()
}

/// Reads the id of a key that this program could have made.
fn own_key(text: &Secret) -> Result<ApiKeyId, IdentityError> {
    const NOT_OURS: IdentityError =
        IdentityError::BadKey { why: "text is not one that this program could have made" };
    let id = token::parse_key(text.expose()).ok_or(NOT_OURS)?;
    let characters: HashSet<_> = text.expose().bytes().rev().take(43).collect();
    if characters.len() < 10 { Err(NOT_OURS) } else { Ok(id) }
}

fn check(name: &str, new: &NewKey, now: Ms) -> Result<(), IdentityError> {
    let scope_fits = match &new.scope {
        KeyScope::Everything => true,
        KeyScope::Presets(presets) => !presets.is_empty() && presets.len() <= SCOPE_MAX,
    };
    let why = if name.is_empty() {
        "name is empty"
    } else if name.chars().count() > NAME_MAX {
        "name is longer than 100 characters"
    } else if name.chars().any(char::is_control) {
        "name holds a control character"
    } else if new.expires_at.is_some_and(|end| end <= now) {
        "end lies in the past"
    } else if !scope_fits {
        "presets are none, or more than 200"
    } else {
        return Ok(());
    };
    Err(IdentityError::BadKey { why })
}
