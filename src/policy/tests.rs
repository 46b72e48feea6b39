use std::sync::Arc;

use super::*;
use crate::{
    clock::Ms,
    model::{ApiKeyId, BrowserSessionId, Handle, InstanceRole, PlanName, PresetId, Slug, UserId, Whence},
};

#[test]
fn only_the_owner_calls_a_private_preset() {
    let owner = person(InstanceRole::Member);
    let stranger = person(InstanceRole::Admin);
    let preset = preset_of(&owner, Visibility::Private, false);

    assert!(may_call(&caller(&owner), &preset).is_some());
    assert!(may_call(&caller(&stranger), &preset).is_none());
    assert!(may_call(&Principal::Anonymous, &preset).is_none());
}

#[test]
fn a_public_preset_asks_for_a_name_unless_it_is_anonymous() {
    let owner = person(InstanceRole::Member);
    let stranger = person(InstanceRole::Member);
    let named = preset_of(&owner, Visibility::Public, false);
    let anonymous = preset_of(&owner, Visibility::Public, true);

    assert!(may_call(&caller(&stranger), &named).is_some());
    assert!(may_call(&Principal::Anonymous, &named).is_none());
    assert!(may_call(&Principal::Anonymous, &anonymous).is_some());
}

#[test]
fn the_anonymous_mark_on_a_private_preset_opens_nothing() {
    let preset = preset_of(&person(InstanceRole::Member), Visibility::Private, true);

    assert!(may_call(&Principal::Anonymous, &preset).is_none());
}

#[test]
fn a_preset_that_is_switched_off_answers_nobody() {
    let owner = person(InstanceRole::Admin);
    for status in [PresetStatus::Disabled, PresetStatus::Archived] {
        let mut preset = preset_of(&owner, Visibility::Public, true);
        preset.status = status;

        assert!(may_call(&caller(&owner), &preset).is_none());
        assert!(may_call(&Principal::Anonymous, &preset).is_none());
    }
}

#[test]
fn a_key_for_one_preset_opens_no_other_and_manages_nothing() {
    let mut owner = person(InstanceRole::Admin);
    let one = preset_of(&owner, Visibility::Private, false);
    let other = preset_of(&owner, Visibility::Public, false);
    owner.via =
        Via::ApiKey { id: ApiKeyId::new(), name: "agent".into(), scope: KeyScope::Presets(vec![one.id]) };

    assert!(may_call(&caller(&owner), &one).is_some());
    assert!(may_call(&caller(&owner), &other).is_none());
    assert_eq!(may_see(&owner, owner.tenant).err(), Some(Denied::KeyScope));
    assert_eq!(may_manage(&owner, owner.tenant, OrgRole::Viewer).err(), Some(Denied::KeyScope));
    assert_eq!(may_use_account(&owner).err(), Some(Denied::KeyScope));
    assert_eq!(may_use_process(&owner).err(), Some(Denied::KeyScope));
    assert_eq!(may_administer(&owner).err(), Some(Denied::KeyScope));
}

#[test]
fn nobody_manages_another_organisation() {
    let admin = person(InstanceRole::Admin);
    let other = TenantId::new();

    assert_eq!(may_manage(&admin, other, OrgRole::Viewer).err(), Some(Denied::OtherOrganisation));
    assert_eq!(may_see(&admin, other).err(), Some(Denied::OtherOrganisation));
}

#[test]
fn a_role_includes_the_ones_before_it() {
    let mut member = person(InstanceRole::Member);
    member.org_role = OrgRole::Operator;

    assert!(may_manage(&member, member.tenant, OrgRole::Viewer).is_ok());
    assert!(may_manage(&member, member.tenant, OrgRole::Operator).is_ok());
    assert_eq!(
        may_manage(&member, member.tenant, OrgRole::Admin).err(),
        Some(Denied::Role { needs: OrgRole::Admin })
    );
}

#[test]
fn processes_are_for_instance_admins_and_the_operator() {
    let member = person(InstanceRole::Member);
    let mut at_the_shell = person(InstanceRole::Member);
    at_the_shell.via = Via::Shell;

    assert_eq!(may_use_process(&member).err(), Some(Denied::InstanceAdmin));
    assert!(may_use_process(&person(InstanceRole::Admin)).is_ok());
    assert!(may_use_process(&at_the_shell).is_ok());
}

fn person(role: InstanceRole) -> Member {
    let handle = Handle::parse("ada").unwrap();
    Member {
        user: UserId::new(),
        handle: handle.clone(),
        tenant: TenantId::new(),
        tenant_handle: handle,
        org_role: OrgRole::Admin,
        instance_role: role,
        plan: PlanName::parse("free").unwrap(),
        via: Via::BrowserSession(BrowserSessionId::new()),
        whence: Whence::default(),
    }
}

fn caller(member: &Member) -> Principal {
    Principal::Member(Arc::new(member.clone()))
}

fn preset_of(owner: &Member, visibility: Visibility, anonymous: bool) -> Preset {
    Preset {
        id: PresetId::new(),
        tenant: owner.tenant,
        slug: Slug::parse("notes").unwrap(),
        title: String::new(),
        description: String::new(),
        visibility,
        anonymous,
        status: PresetStatus::Active,
        version: 1,
        created_at: Ms(0),
        updated_at: Ms(0),
    }
}
