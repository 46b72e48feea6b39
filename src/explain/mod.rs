//! Why a call would work or not: every layer's decision in order, with the cure for the first that
//! refuses.
//!
//! Asks the rooms that decide on a call, and never decides itself: what it says of access comes from
//! `policy`. A person learns of themself only what they may know: a preset that is not shared with
//! them is explained as one that does not exist. Whoever asks for somebody else learns what concerns
//! the preset, and neither how much that person calls elsewhere nor, before it is shared with them,
//! what they sign in with. One more layer is a variant of [`Layer`], and a step in
//! [`Explain::explain`], in the order a call meets it.

mod steps;

use std::sync::Arc;

use thiserror::Error;

use crate::{
    clock::{Clock, Ms},
    fault::Fault,
    model::{Access, AccessLevel, Handle, Member, Preset, Principal, Slug, UserId, Via, words},
    policy::{self, Denied},
    presets::{PresetError, Presets, ToolStory},
    quota::{Asked, Quota, QuotaError, Standing},
    sources::{SignedIn, SourceError, Sources},
    store::{Store, StoreError},
};

/// A layer that a call passes, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// Whether there is a preset at the address.
    Address,
    /// Whether the caller has a key or token that reaches it.
    Key,
    /// Whether the preset is shared with the caller.
    Access,
    /// Whether the preset answers.
    Status,
    /// Whether the data source works.
    Health,
    /// Whether the credential that the source asks for is there.
    Credential,
    /// Whether the tool is published, or held until its owner looks.
    Hold,
    /// Whether the plan has calls left.
    Quota,
    /// How fast calls may come.
    Rate,
    /// Which revision the source speaks.
    Era,
    /// Whether clients accept the tool's name.
    Name,
}
words!(Layer {
    Address = "address",
    Key = "key or token",
    Access = "access list",
    Status = "status",
    Health = "source health",
    Credential = "credential",
    Hold = "tool",
    Quota = "quota",
    Rate = "rate",
    Era = "era",
    Name = "name length",
});

/// What a layer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The call passes.
    Passes,
    /// The call passes, and something is worth knowing.
    Warns,
    /// The call ends here.
    Refuses,
    /// Not looked at, because a layer before it refuses.
    Open,
}
words!(Verdict { Passes = "passes", Warns = "warns", Refuses = "refuses", Open = "not reached" });

/// One layer's decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The layer.
    pub layer: Layer,
    /// What it says.
    pub verdict: Verdict,
    /// Why, in a sentence.
    pub says: String,
}

/// What to do about the first refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cure {
    /// In a sentence.
    pub text: String,
    /// The page where it is done, as a path; `None` = no page of this program.
    pub path: Option<String>,
}

/// Every layer's decision.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The decisions, in the order a call meets them.
    pub steps: Vec<Step>,
    /// The cure for the first refusal; `None` if there is none.
    pub cure: Option<Cure>,
}

impl Explanation {
    /// Says whether the call would be let through.
    pub fn works(&self) -> bool {
        self.steps.iter().all(|step| step.verdict != Verdict::Refuses)
    }
}

/// Who asks.
#[derive(Clone, Debug)]
pub enum Asker {
    /// The operator at the shell, who has the database in hand.
    Operator,
    /// A person, of whom it is asked what they may know.
    Person(Arc<Member>),
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// Whose call; `None` = of somebody without a key.
    pub whom: Option<Handle>,
    /// The owner's part of the address.
    pub owner: Handle,
    /// The last part of the address.
    pub slug: Slug,
    /// The tool; `None` = any.
    pub tool: Option<String>,
}

/// Says why nothing was explained.
#[derive(Debug, Error)]
pub enum ExplainError {
    /// Only whoever may share the preset asks for others.
    #[error("you may ask for yourself, or for others where you may share the preset")]
    NotYours,
    /// There is no such account.
    #[error("there is no account `{0}`")]
    Nobody(Handle),
    /// The account is switched off.
    #[error("the account `{0}` is switched off, and none of its calls is let through")]
    SwitchedOff(Handle),
    /// The person may not ask at all.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The presets could not be read.
    #[error(transparent)]
    Preset(#[from] PresetError),
    /// The sources could not be read.
    #[error(transparent)]
    Source(SourceError),
    /// The quota could not be read.
    #[error(transparent)]
    Quota(#[from] QuotaError),
    /// The database failed.
    #[error("could not read what is needed for an explanation")]
    Store(#[from] StoreError),
}

impl ExplainError {
    /// Returns whose fault this is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::NotYours => Fault::Refused,
            Self::Nobody(_) | Self::SwitchedOff(_) => Fault::Caller,
            Self::Denied(denied) => denied.fault(),
            Self::Preset(error) => error.fault(),
            Self::Source(error) => error.fault(),
            Self::Quota(error) => error.fault(),
            Self::Store(error) => error.fault(),
        }
    }
}

/// Explains; cheap to clone.
#[derive(Clone)]
pub struct Explain {
    store: Store,
    sources: Sources,
    presets: Presets,
    quota: Quota,
    clock: Clock,
}

/// A preset with who may use it.
struct Found {
    preset: Preset,
    access: Access,
}

/// A tool's story with the credential that a call of it would run with.
struct Told {
    story: ToolStory,
    credential: Showing,
}

/// What a call shows to a source.
enum Showing {
    /// Nothing, or what is entered with the source.
    Kept,
    /// Somebody's sign-in.
    SignedIn(SignedIn),
    /// Somebody has to sign in first.
    Missing(SignedIn),
    /// What is kept cannot be opened.
    Sealed,
    /// It was not looked for: the source is switched off.
    Open,
}

impl Explain {
    /// Begins with the rooms it asks.
    pub fn new(store: Store, sources: Sources, presets: Presets, quota: Quota, clock: Clock) -> Self {
        Self { store, sources, presets, quota, clock }
    }

    /// Explains what would become of a call.
    pub async fn explain(&self, asker: &Asker, question: &Question) -> Result<Explanation, ExplainError> {
        let (found, now) = (self.find(question).await?, self.clock.now());
        let (may_share, owns) = match (asker, &found) {
            (Asker::Operator, _) => (true, true),
            (Asker::Person(member), Some(found)) => {
                let permit = policy::may_open(member, &found.preset, &found.access, AccessLevel::Admin, now);
                (permit.is_ok(), permit.is_ok_and(|permit| permit.owns()))
            }
            (Asker::Person(_), None) => (false, false),
        };
        let whom = self.whom(asker, question, may_share).await?;
        let knows = match asker {
            Asker::Operator => true,
            Asker::Person(asker) => whom.member().is_some_and(|whom| whom.user == asker.user),
        };
        let mut steps = steps::Steps::new(question, owns, knows);
        let Some(found) = found.filter(|found| may_share || opens(&whom, found, now)) else {
            steps.missing();
            return Ok(steps.end());
        };
        steps.passes(Layer::Address, "there is a preset at this address".to_owned());
        let is_shared = steps.access(&whom, &found.preset, &found.access, now);
        steps.status(&found.preset, now);
        // What is held or left out is nobody's business but the owner's: it is not there.
        let tool = question.tool.as_deref();
        let stories = self.presets.stories(&found.preset, tool, !may_share).await?;
        if knows || is_shared {
            self.key(&mut steps, &whom, &found, stories.first()).await?;
        } else {
            steps.key_unseen(&whom);
        }
        let told = self.showing(stories, is_shared.then(|| whom.member().map(|member| member.user))).await?;
        steps.sources(&told);
        steps.tools(&told);
        self.usage(&mut steps, &whom, &found).await?;
        self.rate(&mut steps, &whom, &found, &told).await?;
        steps.rest(&told);
        Ok(steps.end())
    }

    async fn find(&self, question: &Question) -> Result<Option<Found>, ExplainError> {
        let preset = self.store.find_preset_by_address(&question.owner, &question.slug).await?;
        let Some(preset) = preset else { return Ok(None) };
        let entries = self.store.read(preset.tenant).await?.list_access(preset.id).await?;
        Ok(Some(Found { preset, access: Access::of(&entries) }))
    }

    /// Returns whose call is explained.
    async fn whom(
        &self,
        asker: &Asker,
        question: &Question,
        may_share: bool,
    ) -> Result<Principal, ExplainError> {
        if let Asker::Person(member) = asker {
            policy::may_see(member, member.tenant)?;
            if question.whom.as_ref() == Some(&member.handle) {
                return Ok(Principal::Member(Arc::clone(member)));
            }
            if !may_share {
                return Err(ExplainError::NotYours);
            }
        }
        let Some(handle) = &question.whom else { return Ok(Principal::Anonymous) };
        let mut tx = self.store.system_read().await?;
        let found = tx.find_user_by_login(handle.as_str()).await?;
        let (user, _) = found.ok_or_else(|| ExplainError::Nobody(handle.clone()))?;
        let owner = tx.find_organisation_by_handle(&question.owner).await?;
        let of = owner.map_or(user.tenant, |owner| owner.id);
        let member = tx.find_caller(user.id, of, Via::Shell).await?;
        let member = member.ok_or_else(|| ExplainError::SwitchedOff(handle.clone()))?;
        Ok(Principal::Member(Arc::new(member)))
    }

    async fn key(
        &self,
        steps: &mut steps::Steps<'_>,
        whom: &Principal,
        found: &Found,
        tool: Option<&ToolStory>,
    ) -> Result<(), ExplainError> {
        let (mut keys, mut grants) = (Vec::new(), Vec::new());
        if let Principal::Member(member) = whom {
            keys = self.store.read(member.tenant).await?.list_api_keys().await?;
            keys.retain(|key| key.user == member.user);
            let named = self.store.system_read().await?.list_grants(member.user).await?;
            grants = named.into_iter().map(|named| named.grant).collect();
            grants.retain(|grant| grant.preset == found.preset.id);
        }
        steps.key(whom, &found.preset, &keys, &grants, tool, self.clock.now());
        Ok(())
    }

    /// Asks what a call of these tools would show to their sources; for whom is `None` if the preset
    /// is not shared with whoever calls.
    async fn showing(
        &self,
        stories: Vec<ToolStory>,
        caller: Option<Option<UserId>>,
    ) -> Result<Vec<Told>, ExplainError> {
        let mut told = Vec::with_capacity(stories.len());
        for story in stories {
            let source = &story.source;
            let credential = match caller {
                Some(caller) => match self.sources.way(source.tenant, source.id, caller).await {
                    Ok(way) => way.signed_in.map_or(Showing::Kept, Showing::SignedIn),
                    Err(SourceError::SignIn { signed_in, .. }) => Showing::Missing(signed_in),
                    Err(SourceError::Vault { .. } | SourceError::Credential { .. }) => Showing::Sealed,
                    Err(SourceError::Disabled { .. }) => Showing::Open,
                    Err(error) => return Err(ExplainError::Source(error)),
                },
                None => Showing::Open,
            };
            told.push(Told { story, credential });
        }
        Ok(told)
    }

    async fn usage(
        &self,
        steps: &mut steps::Steps<'_>,
        whom: &Principal,
        found: &Found,
    ) -> Result<(), ExplainError> {
        let usage = match whom {
            Principal::Member(member) => self.quota.usage(member.user).await?,
            // Calls without a key count for the owner.
            Principal::Anonymous => {
                let owner = self.quota.owner_of(found.preset.tenant).await?;
                self.quota.usage(owner.user).await?
            }
        };
        let owner = self.store.system_read().await?.find_organisation(found.preset.tenant).await?;
        let team = match owner.filter(|owner| !owner.is_personal()) {
            Some(team) => Some(self.quota.usage(team.id).await?),
            None => None,
        };
        steps.quota(whom, &usage, team.as_ref());
        Ok(())
    }

    /// Asks how full the buckets are that a call would take from. Without a tool the answer is of every
    /// source that the preset has.
    async fn rate(
        &self,
        steps: &mut steps::Steps<'_>,
        whom: &Principal,
        found: &Found,
        told: &[Told],
    ) -> Result<(), ExplainError> {
        let mut all: Vec<Standing> = Vec::new();
        for Told { story, .. } in told {
            let asked = Asked {
                caller: whom,
                preset: &found.preset,
                source: story.source.id,
                source_rules: Some(&story.source.rules),
                tool: steps.tool().map(|tool| (tool, story.source_tool.as_str())),
            };
            let more = self.quota.standing(&asked).await?;
            all.extend(more.into_iter().filter(|one| !all.contains(one)).collect::<Vec<_>>());
        }
        steps.rate(&all);
        Ok(())
    }
}

fn opens(whom: &Principal, found: &Found, now: Ms) -> bool {
    match whom {
        Principal::Anonymous => false,
        Principal::Member(member) => {
            policy::may_open(member, &found.preset, &found.access, AccessLevel::Viewer, now).is_ok()
        }
    }
}

#[cfg(test)]
mod tests;
