//! What a link offers: a preset, or belonging to an organisation.

use doorward::{
    model::{Email, Handle, Invitee},
    orgs::{OrgError, OrgOffer},
    presets::{Offer, PresetError},
    secret::Secret,
    store::StoreError,
};

use crate::{context::console, session::UnderWay, trouble::Trouble};

/// What a link offers.
#[derive(Clone, Debug)]
pub(super) enum Offered {
    /// A preset to use.
    Preset(Box<Offer>),
    /// An organisation to belong to.
    Organisation(Box<OrgOffer>),
}

impl Offered {
    /// Returns whom it is for, as far as accounts go.
    pub(super) fn invitee(&self) -> &Invitee {
        match self {
            Self::Preset(offer) => &offer.invitee,
            Self::Organisation(offer) => &offer.invitee,
        }
    }

    /// Returns whose it is alone, by address.
    pub(super) fn email(&self) -> Option<&Email> {
        self.invitee().email.as_ref()
    }

    /// Returns whose it is alone, by account.
    pub(super) fn account(&self) -> Option<&Handle> {
        match self {
            Self::Preset(_) => None,
            Self::Organisation(offer) => offer.invite.user.as_ref().map(|(_, handle)| handle),
        }
    }
}

/// Returns what a link offers; `None` if it does not hold.
pub(super) async fn find(token: &Secret) -> Result<Option<Offered>, Trouble> {
    if let Some(offer) = console().presets.offer(token).await? {
        return Ok(Some(Offered::Preset(Box::new(offer))));
    }
    Ok(console().orgs.offer(token).await?.map(|offer| Offered::Organisation(Box::new(offer))))
}

/// Returns whom the invitation is for that this browser has opened; `None` if there is none that holds.
pub(crate) async fn invitee() -> Result<Option<Invitee>, StoreError> {
    let Some(token) = UnderWay::Invited.sent() else { return Ok(None) };
    let (token, console) = (Secret::new(token), console());
    match console.presets.offer(&token).await {
        Ok(Some(offer)) => return Ok(Some(offer.invitee)),
        Err(PresetError::Store(error)) => return Err(error),
        // Nothing else keeps it from being read.
        Ok(None) | Err(_) => {}
    }
    match console.orgs.offer(&token).await {
        Ok(offer) => Ok(offer.map(|offer| offer.invitee)),
        Err(OrgError::Store(error)) => Err(error),
        Err(_) => Ok(None),
    }
}
