//! Doing what a document declares, in the order in which one thing needs another.
//!
//! One more kind of thing: a file here with what is checked and what is done of it, and a line in
//! [`Run::go_through`].

mod keys;
mod organisations;
mod people;
mod presets;
mod sources;
mod tunnels;

use std::{collections::BTreeMap, sync::Arc};

use doorward::{
    identity::IdentityError,
    model::{Handle, Member},
    orgs::OrgError,
    policy::{self, AdminPermit, Denied},
};
use serde_saphyr::Spanned;

use super::{Action, ApplyError, Authority, Document, Plan, Rooms, Step, document::line, expected::Expected};

/// Applies a document whose files have been read, or says what applying it would do.
pub async fn apply(
    rooms: &Rooms,
    authority: &Authority,
    document: &Document,
    dry_run: bool,
) -> Result<Plan, ApplyError> {
    let plan = check(rooms, authority, document).await?;
    if dry_run { Ok(plan) } else { perform(rooms, authority, document, &mut |_| {}).await }
}

/// Goes through a document without doing anything, so that a mistake at its end is found before what
/// stands at its beginning is done. Returns what doing it will do.
pub async fn check(rooms: &Rooms, authority: &Authority, document: &Document) -> Result<Plan, ApplyError> {
    let mut nobody = |_: &Step| {};
    let mut run = Run::new(rooms, authority, document, true, &mut nobody);
    run.go_through().await?;
    Ok(Plan { dry_run: true, steps: run.steps })
}

/// Does what a document declares that was checked, and tells each step once it holds. An error says
/// which steps hold already.
pub async fn perform(
    rooms: &Rooms,
    authority: &Authority,
    document: &Document,
    tell: Tell<'_>,
) -> Result<Plan, ApplyError> {
    let mut run = Run::new(rooms, authority, document, false, tell);
    match run.go_through().await {
        Ok(()) => Ok(Plan { dry_run: false, steps: run.steps }),
        Err(error) => Err(error.after(&run.steps)),
    }
}

/// Is told each step.
pub type Tell<'a> = &'a mut (dyn FnMut(&Step) + Send + Sync);

struct Run<'a> {
    rooms: &'a Rooms,
    authority: &'a Authority,
    document: &'a Document,
    dry_run: bool,
    tell: Tell<'a>,
    steps: Vec<Step>,
    /// Of use while nothing is done.
    expected: Expected,
    /// The owners met so far; `None` = declared in the document and not made yet.
    members: BTreeMap<Handle, Option<Arc<Member>>>,
}

impl<'a> Run<'a> {
    fn new(
        rooms: &'a Rooms,
        authority: &'a Authority,
        document: &'a Document,
        dry_run: bool,
        tell: Tell<'a>,
    ) -> Self {
        let (steps, members, expected) = Default::default();
        Self { rooms, authority, document, dry_run, tell, steps, expected, members }
    }

    async fn go_through(&mut self) -> Result<(), ApplyError> {
        self.plans().await?;
        self.users().await?;
        self.organisations().await?;
        self.tunnels().await?;
        self.sources().await?;
        self.presets().await?;
        self.keys().await
    }

    fn note(&mut self, action: Action, kind: &str, name: String, detail: String) {
        self.done(Step { action, kind: kind.to_owned(), name, detail, secret: None });
    }

    fn done(&mut self, step: Step) {
        (self.tell)(&step);
        self.steps.push(step);
    }

    fn admin(&self, at: Option<usize>) -> Result<AdminPermit, ApplyError> {
        match self.authority {
            Authority::Operator => Ok(policy::operator_at_the_shell()),
            Authority::Member(member) => {
                policy::may_administer(member).map_err(|source| ApplyError::Denied { at, source })
            }
        }
    }

    /// Returns the owner of a thing; `None` while the account is declared and not made yet.
    async fn owner<T>(
        &mut self,
        item: &Spanned<T>,
        handle: &Handle,
    ) -> Result<Option<Arc<Member>>, ApplyError> {
        let at = line(item);
        if let Authority::Member(member) = self.authority {
            return match self.rooms.orgs.acting_in(member, handle).await {
                Ok(acting) => Ok(Some(acting)),
                Err(OrgError::NotFound | OrgError::Denied(Denied::KeyOrganisation)) => {
                    let (owner, acting) = (handle.clone(), member.tenant_handle.clone());
                    Err(ApplyError::SomebodyElse { at, owner, acting })
                }
                Err(source) => Err(ApplyError::Organisation { at, source }),
            };
        }
        if let Some(known) = self.members.get(handle) {
            return Ok(known.clone());
        }
        let found = match self.rooms.identity.at_the_shell(handle).await.map_err(identity_error(at))? {
            Some(person) => Some(person),
            None => {
                let team = self.rooms.orgs.at_the_shell(handle, None).await;
                team.map_err(|source| ApplyError::Organisation { at, source })?
            }
        };
        let Some(member) = found else { return Err(ApplyError::NoUser { at, handle: handle.clone() }) };
        self.members.insert(handle.clone(), Some(Arc::clone(&member)));
        Ok(Some(member))
    }
}

fn identity_error(at: Option<usize>) -> impl Fn(IdentityError) -> ApplyError {
    move |source| ApplyError::Identity { at, source }
}
