use std::sync::Arc;

use super::*;
use crate::{
    clock::Ms,
    model::{
        AccessEntry, AccessId, ApiKeyId, BrowserSessionId, GrantId, Grantee, Handle, InstanceRole, PlanName,
        PresetStatus, RunEvent, Scopes, UserId, Whence, samples,
    },
};

const NOW: Ms = Ms(1_000);

#[test]
fn a_preset_that_has_come_to_its_end_answers_nobody_and_its_owner_still_opens_it() {
    let owner = person(InstanceRole::Admin);
    let stranger = person(InstanceRole::Member);
    let mut preset = preset_of(&owner, Visibility::Public, true);
    let opens = |member: &Member, preset: &Preset| {
        may_open(member, preset, &Access::default(), AccessLevel::Viewer, NOW).is_ok()
    };
    preset.expires_at = Some(Ms(NOW.0 + 1));
    assert!(may_call(&Principal::Anonymous, &preset, &Access::default(), NOW).is_some());
    assert!(opens(&stranger, &preset));

    preset.expires_at = Some(NOW);

    assert!(may_call(&Principal::Anonymous, &preset, &Access::default(), NOW).is_none());
    assert!(may_call(&caller(&owner), &preset, &Access::default(), NOW).is_none());
    assert!(opens(&owner, &preset) && !opens(&stranger, &preset));
}

#[test]
fn only_the_owner_calls_a_private_preset() {
    let owner = person(InstanceRole::Member);
    let stranger = person(InstanceRole::Admin);
    let preset = preset_of(&owner, Visibility::Private, false);

    assert!(may_call(&caller(&owner), &preset, &Access::default(), NOW).is_some());
    assert!(may_call(&caller(&stranger), &preset, &Access::default(), NOW).is_none());
    assert!(may_call(&Principal::Anonymous, &preset, &Access::default(), NOW).is_none());
}

#[test]
fn a_public_preset_asks_for_a_name_unless_it_is_anonymous() {
    let owner = person(InstanceRole::Member);
    let stranger = person(InstanceRole::Member);
    let named = preset_of(&owner, Visibility::Public, false);
    let anonymous = preset_of(&owner, Visibility::Public, true);

    assert!(may_call(&caller(&stranger), &named, &Access::default(), NOW).is_some());
    assert!(may_call(&Principal::Anonymous, &named, &Access::default(), NOW).is_none());
    assert!(may_call(&Principal::Anonymous, &anonymous, &Access::default(), NOW).is_some());
}

#[test]
fn the_anonymous_mark_on_a_private_preset_opens_nothing() {
    let preset = preset_of(&person(InstanceRole::Member), Visibility::Private, true);

    assert!(may_call(&Principal::Anonymous, &preset, &Access::default(), NOW).is_none());
}

#[test]
fn a_preset_that_is_switched_off_answers_nobody() {
    let owner = person(InstanceRole::Admin);
    for status in [PresetStatus::Disabled, PresetStatus::Archived] {
        let mut preset = preset_of(&owner, Visibility::Public, true);
        preset.status = status;

        assert!(may_call(&caller(&owner), &preset, &Access::default(), NOW).is_none());
        assert!(may_call(&Principal::Anonymous, &preset, &Access::default(), NOW).is_none());
    }
}

#[test]
fn a_list_gives_each_their_level_and_only_while_the_preset_is_shared() {
    let owner = person(InstanceRole::Member);
    let (viewer, editor, stranger) =
        (person(InstanceRole::Member), person(InstanceRole::Member), person(InstanceRole::Admin));
    let mut shared = preset_of(&owner, Visibility::InviteOnly, false);
    let access = Access::of(&[
        entry(&viewer, AccessLevel::Viewer),
        entry(&editor, AccessLevel::Viewer),
        entry(&editor, AccessLevel::Editor),
        // An address without an account.
        AccessEntry { reaches: None, ..entry(&stranger, AccessLevel::Admin) },
    ]);
    let opens = |member: &Member, preset: &Preset, needs| may_open(member, preset, &access, needs, NOW).err();

    assert!(may_call(&caller(&owner), &shared, &access, NOW).is_some());
    assert!(may_call(&caller(&viewer), &shared, &access, NOW).is_some());
    assert!(may_call(&caller(&stranger), &shared, &access, NOW).is_none());
    assert!(may_call(&Principal::Anonymous, &shared, &access, NOW).is_none());
    assert_eq!(opens(&owner, &shared, AccessLevel::Admin), None);
    assert_eq!(opens(&editor, &shared, AccessLevel::Editor), None);
    let too_low = Some(Denied::Level { needs: AccessLevel::Editor });
    assert_eq!(opens(&viewer, &shared, AccessLevel::Editor), too_low);
    assert_eq!(opens(&stranger, &shared, AccessLevel::Viewer), Some(Denied::OtherOrganisation));
    let permit = may_open(&editor, &shared, &access, AccessLevel::Editor, NOW).unwrap();
    assert_eq!((permit.owns(), permit.owner()), (false, Err(Denied::Owner)));

    shared.visibility = Visibility::Private;
    assert!(may_call(&caller(&viewer), &shared, &access, NOW).is_none());
    assert_eq!(opens(&editor, &shared, AccessLevel::Viewer), Some(Denied::OtherOrganisation));
}

#[test]
fn a_role_on_the_list_reaches_those_who_have_it_or_a_higher_one() {
    let preset = preset_of(&person(InstanceRole::Member), Visibility::InviteOnly, false);
    let mut member = person(InstanceRole::Member);
    let team = Grantee::Members(member.tenant, member.tenant_handle.clone(), OrgRole::Operator);
    let team = AccessEntry { who: team, reaches: None, ..entry(&member, AccessLevel::Viewer) };
    let access = Access::of(&[team]);

    for (role, reached) in [(OrgRole::Viewer, false), (OrgRole::Operator, true), (OrgRole::Admin, true)] {
        member.org_role = role;
        assert_eq!(may_call(&caller(&member), &preset, &access, NOW).is_some(), reached, "{role}");
    }
    member.tenant = TenantId::new();
    assert!(may_call(&caller(&member), &preset, &access, NOW).is_none(), "of another organisation");
}

#[test]
fn a_stranger_knows_of_a_public_preset_only_while_it_answers() {
    let mut preset = preset_of(&person(InstanceRole::Member), Visibility::Public, false);
    let stranger = person(InstanceRole::Member);

    assert!(may_open(&stranger, &preset, &Access::default(), AccessLevel::Viewer, NOW).is_ok());
    preset.status = PresetStatus::Archived;
    let put_away = may_open(&stranger, &preset, &Access::default(), AccessLevel::Viewer, NOW);
    assert_eq!(put_away.err(), Some(Denied::OtherOrganisation));
}

#[test]
fn an_access_token_opens_its_preset_and_nothing_else() {
    let mut owner = person(InstanceRole::Admin);
    let one = preset_of(&owner, Visibility::Private, false);
    let other = preset_of(&owner, Visibility::Public, true);
    owner.via = Via::Grant { id: GrantId::new(), preset: one.id, scopes: Scopes::ALL, tools: None };

    assert!(may_call(&caller(&owner), &one, &Access::default(), NOW).is_some());
    assert!(may_call(&caller(&owner), &other, &Access::default(), NOW).is_none());
    assert_eq!(may_use_account(&owner).unwrap_err(), Denied::Grant);
    assert_eq!(may_administer(&owner).unwrap_err(), Denied::Grant);
    assert_eq!(may_see(&owner, owner.tenant).unwrap_err(), Denied::Grant);
    // And no more of that than its person may do.
    let mut strangers = preset_of(&person(InstanceRole::Member), Visibility::Private, false);
    strangers.id = one.id;
    assert!(may_call(&caller(&owner), &strangers, &Access::default(), NOW).is_none());
}

#[test]
fn a_key_for_one_preset_opens_no_other_and_manages_nothing() {
    let mut owner = person(InstanceRole::Admin);
    let one = preset_of(&owner, Visibility::Private, false);
    let other = preset_of(&owner, Visibility::Public, false);
    owner.via = Via::ApiKey {
        id: ApiKeyId::new(),
        name: "agent".into(),
        scope: KeyScope::Presets(vec![one.id]),
        rate: None,
    };

    assert!(may_call(&caller(&owner), &one, &Access::default(), NOW).is_some());
    assert!(may_call(&caller(&owner), &other, &Access::default(), NOW).is_none());
    assert_eq!(may_see(&owner, owner.tenant).err(), Some(Denied::KeyScope));
    assert_eq!(may_manage(&owner, owner.tenant, OrgRole::Viewer).err(), Some(Denied::KeyScope));
    assert_eq!(may_use_account(&owner).err(), Some(Denied::KeyScope));
    assert_eq!(may_use_process(&owner).err(), Some(Denied::KeyScope));
    assert_eq!(may_administer(&owner).err(), Some(Denied::KeyScope));
}

#[test]
fn whoever_belongs_to_the_owner_uses_what_it_shares_and_operators_try_it() {
    let mut member = person(InstanceRole::Member);
    member.org_role = OrgRole::Viewer;
    let outsider = person(InstanceRole::Member);
    let access = Access::of(&[entry(&outsider, AccessLevel::Viewer)]);
    let tries = |member: &Member, preset: &Preset| {
        let open = may_open(member, preset, &access, AccessLevel::Viewer, NOW)?;
        may_try(&Arc::new(member.clone()), &open).map(drop)
    };

    for visibility in [Visibility::Private, Visibility::InviteOnly, Visibility::Public] {
        let preset = preset_of(&member, visibility, false);
        assert!(may_call(&caller(&member), &preset, &access, NOW).is_some(), "{visibility}");
        assert_eq!(tries(&member, &preset), Err(Denied::Role { needs: OrgRole::Operator }), "{visibility}");
    }
    let shared = preset_of(&member, Visibility::InviteOnly, false);
    assert_eq!(tries(&outsider, &shared), Ok(()));
    member.org_role = OrgRole::Operator;
    assert_eq!(tries(&member, &shared), Ok(()));
}

#[test]
fn a_key_of_a_team_acts_nowhere_else() {
    let mut owner = person(InstanceRole::Member);
    let key =
        Via::ApiKey { id: ApiKeyId::new(), name: "agent".into(), scope: KeyScope::Everything, rate: None };
    owner.via = key;
    assert!(may_act_elsewhere(&owner).is_ok());

    owner.tenant_handle = Handle::parse("acme").unwrap();
    assert_eq!(may_act_elsewhere(&owner).err(), Some(Denied::KeyOrganisation));
    owner.via = Via::BrowserSession(BrowserSessionId::new());
    assert!(may_act_elsewhere(&owner).is_ok());
}

#[test]
fn events_are_for_those_who_manage_for_whoever_caused_them_and_for_auditors() {
    let mut member = person(InstanceRole::Member);
    let other = TenantId::new();
    let event = |user| RunEvent { user, ..RunEvent::example(member.tenant) };
    let (own, anonymous) = (event(Some(member.user)), event(None));

    let all = may_audit(&member).unwrap();
    assert!(all.shows(&own) && all.shows(&anonymous));
    assert!(!all.shows(&RunEvent::example(other)));
    assert_eq!(may_audit_any(&member, other).err(), Some(Denied::Auditor));

    member.org_role = OrgRole::Operator;
    let some = may_audit(&member).unwrap();
    assert!(some.shows(&own) && !some.shows(&anonymous));

    member.instance_role = InstanceRole::Admin;
    assert_eq!(may_audit_any(&member, other).err(), Some(Denied::Auditor));
    member.instance_role = InstanceRole::Auditor;
    let any = may_audit_any(&member, other).unwrap();
    assert!(any.shows(&RunEvent::example(other)) && !any.digests());
    assert_eq!(may_administer(&member).err(), Some(Denied::InstanceAdmin));
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

fn entry(member: &Member, level: AccessLevel) -> AccessEntry {
    AccessEntry {
        id: AccessId::new(),
        who: Grantee::User(member.user, member.handle.clone()),
        level,
        reaches: Some(member.user),
        created_at: Ms(0),
    }
}

fn preset_of(owner: &Member, visibility: Visibility, anonymous: bool) -> Preset {
    Preset { visibility, anonymous, ..samples::preset(owner.tenant, "notes") }
}
