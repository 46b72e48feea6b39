//! API keys.

use std::{sync::Arc, time::Duration};

use doorward::{
    identity::{IdentityError, KEYS_MAX, NewKey},
    model::{ApiKeyId, Handle, KeyScope, Member, PresetId, Slug},
};
use serde_saphyr::Spanned;

use super::{Run, identity_error};
use crate::apply::{
    Action, ApplyError, Authority, Mistake, Step,
    document::{KeyItem, line, mistake},
};

const DAY: Duration = Duration::from_secs(24 * 3600);

impl Run<'_> {
    pub(super) async fn keys(&mut self) -> Result<(), ApplyError> {
        for item in &self.document.keys {
            let name = format!("{}/{}", item.value.owner, item.value.name);
            let owner = self.holder(item).await?;
            let (action, secret) = self.key(owner.as_deref(), item).await?;
            let kept = item.value.kept_in.as_ref().filter(|_| action == Action::Add);
            let detail = kept.map_or_else(String::new, |path| format!("written to {}", path.display()));
            self.done(Step { action, kind: "key".to_owned(), name, detail, secret });
        }
        Ok(())
    }

    /// Returns whose key it is, acting in the organisation that owns it; `None` while that is declared and not made yet.
    async fn holder(&mut self, item: &Spanned<KeyItem>) -> Result<Option<Arc<Member>>, ApplyError> {
        let at = line(item);
        let owner = self.owner(item, &item.value.owner).await?;
        let Some(user) = &item.value.user else { return Ok(owner) };
        if owner.as_ref().map_or(&item.value.owner, |acting| &acting.handle) == user {
            return Ok(owner);
        }
        if let Authority::Member(member) = self.authority {
            let (owner, acting) = (user.clone(), member.handle.clone());
            return Err(ApplyError::SomebodyElse { at, owner, acting });
        }
        let found = self.rooms.orgs.at_the_shell(&item.value.owner, Some(user)).await;
        match found.map_err(|source| ApplyError::Organisation { at, source })? {
            Some(found) => Ok(Some(found)),
            None if self.dry_run && self.declares_member(&item.value.owner, user) => Ok(None),
            None => Err(ApplyError::NoUser { at, handle: user.clone() }),
        }
    }

    /// Says whether the document has somebody belong to an organisation, so that they will by then.
    fn declares_member(&self, organisation: &Handle, user: &Handle) -> bool {
        let declared = self.document.organisations.iter().find(|one| one.value.handle == *organisation);
        declared.is_some_and(|one| one.value.members.iter().any(|member| member.value.user == *user))
    }

    async fn key(
        &mut self,
        owner: Option<&Member>,
        item: &Spanned<KeyItem>,
    ) -> Result<(Action, Option<String>), ApplyError> {
        let at = line(item);
        let declared = &item.value;
        let identity = self.rooms.identity.clone();
        let now = self.rooms.clock.now();
        let mut live = match owner {
            Some(owner) => identity.keys(owner).await.map_err(identity_error(at))?,
            None => Vec::new(),
        };
        live.retain(|key| key.revoked_at.is_none() && key.expires_at.is_none_or(|end| end > now));
        let present = match &declared.secret {
            Some(text) => live.iter().find(|key| text.expose().starts_with(&beginning(key.id))),
            // A key whose file is gone is of no use, so another one is made.
            None if declared.secret_file.is_some() => None,
            None => live.iter().find(|key| key.name == declared.name),
        };
        if let Some(present) = present {
            let same = declared.rate.is_none() || declared.rate == present.rate;
            if let Some(owner) = owner.filter(|_| !same && !self.dry_run) {
                identity.set_key_rate(owner, present.id, declared.rate).await.map_err(identity_error(at))?;
            }
            return Ok((if same { Action::Same } else { Action::Change }, None));
        }
        let new = NewKey {
            name: declared.name.clone(),
            scope: self.scope(owner, item).await?,
            expires_at: declared.expires_in_days.map(|days| now.plus(DAY * days)),
            rate: declared.rate,
        };
        let Some(owner) = owner.filter(|_| !self.dry_run) else {
            if live.len() + self.expected.key(&declared.owner) > KEYS_MAX {
                return Err(identity_error(at)(IdentityError::TooManyKeys { max: KEYS_MAX }));
            }
            let user = owner.map(|owner| owner.user);
            let checked = identity.check_key(user, &new, declared.secret.as_ref()).await;
            checked.map_err(identity_error(at))?;
            return Ok((Action::Add, None));
        };
        match &declared.secret {
            Some(text) => {
                identity.import_key(owner, new, text).await.map_err(identity_error(at))?;
                Ok((Action::Add, None))
            }
            None => {
                let (_, secret) = identity.create_key(owner, new).await.map_err(identity_error(at))?;
                Ok((Action::Add, Some(secret.expose().to_owned())))
            }
        }
    }

    async fn scope(&self, owner: Option<&Member>, item: &Spanned<KeyItem>) -> Result<KeyScope, ApplyError> {
        let Some(slugs) = &item.value.presets else { return Ok(KeyScope::Everything) };
        let mut presets = Vec::new();
        for slug in slugs {
            let found = match owner {
                Some(owner) => self.rooms.presets.find_by_slug(owner, slug).await,
                None => Ok(None),
            };
            match found.map_err(|source| ApplyError::Preset { at: line(item), source })? {
                Some(preset) => presets.push(preset.id),
                // It will have been made by then; any id stands for it.
                None if self.dry_run && self.expected.makes_preset(&item.value.owner, slug) => {
                    presets.push(PresetId::new());
                }
                None => return Err(no_preset(item, slug).into()),
            }
        }
        Ok(KeyScope::Presets(presets))
    }
}

fn no_preset(item: &Spanned<KeyItem>, slug: &Slug) -> Mistake {
    mistake(item, format!("`{}` has no preset `{slug}`", item.value.owner))
}

/// Returns what the text of a key begins with; the rest is its secret.
fn beginning(id: ApiKeyId) -> String {
    format!("dw_{}_", id.0.simple())
}
