//! Forms of the console: its server functions.

/// What forms send, and whether that changes anything of the owner's or of the instance.
pub const FORMS: &[(&str, &str, [bool; 4])] = &[
    // Somebody owns the installation already.
    ("/do/setup", "token=x&handle=eve&email=eve%40example.org&password=correct+horse+battery", [false; 4]),
    ("/do/sign-in", "login={owner}&password=wrong", [false; 4]),
    ("/do/sign-out", "", [false, false, true, false]),
    (
        "/do/account/password",
        "old={password}&new=another+horse+battery&again=another+horse+battery",
        [false; 4],
    ),
    ("/do/account/end-session", "id={session}", [false, false, true, false]),
    // No provider has recognised anybody.
    ("/do/sign-up", "handle={new}", [false; 4]),
    ("/do/account/add-login", "password={password}", [false; 4]),
    ("/do/account/remove-login", "id={session}", [false; 4]),
    ("/do/sign-in-code", "code=123456", [false; 4]),
    ("/do/sign-in-passkey", "answer=%7B%7D", [false; 4]),
    ("/do/account/begin-second-factor", "password={password}", [false, false, true, false]),
    ("/do/account/confirm-second-factor", "code=123456", [false; 4]),
    ("/do/account/remove-second-factor", "code=123456", [false; 4]),
    ("/do/account/begin-passkey", "name=key&password={password}", [false, false, true, false]),
    ("/do/account/add-passkey", "answer=%7B%7D", [false; 4]),
    ("/do/account/rename-passkey", "id={passkey}&name=renamed", [false, false, true, false]),
    ("/do/account/remove-passkey", "id={passkey}&password={password}", [false, false, true, false]),
    // The owner had one, and gets ten.
    ("/do/account/renew-recovery-codes", "password={password}", [false, false, true, false]),
    ("/do/key-create", "name=another&reach=everything&expires=never", [false, true, true, true]),
    ("/do/limits-key", "id={key}&rate=5%2Fminute", [false, false, true, false]),
    ("/do/key-revoke", "id={key}", [false, false, true, false]),
    // The preset is the owner's alone.
    ("/do/consent", "request={asked}&decision=allow", [false, false, true, false]),
    ("/do/consent", "request={asked}&decision=refuse", [false; 4]),
    ("/do/grant-revoke", "id={grant}", [false, false, true, false]),
    ("/do/preset-create", "title=Another&slug=made&access=private", [false, true, true, true]),
    (
        "/do/preset-tools",
        "id={preset}&version=1&sources[0][id]={source}&sources[0][take]=all",
        [false, false, true, false],
    ),
    (
        "/do/preset-settings",
        "id={preset}&version=1&title=Renamed&slug={slug}&access=private",
        [false, false, true, false],
    ),
    ("/do/limits-preset", "id={preset}&version=1&rate=5%2Fminute", [false, false, true, false]),
    ("/do/preset-share", "id={preset}&who=grace%40example.org&level=viewer", [false, false, true, false]),
    ("/do/preset-invite", "id={preset}&email=&level=viewer&days=7", [false, false, true, false]),
    ("/do/preset-withdraw", "id={preset}&invitation={invitation}", [false, false, true, false]),
    ("/do/invitation-accept", "token=guess", [false; 4]),
    // For an address of nobody's, which its form does not say.
    ("/do/invitation-accept", "token={token}", [false; 4]),
    ("/do/invitation-sign-up", "token=guess&handle={new}&password=correct+horse+battery", [false; 4]),
    // Made by somebody who may not make accounts.
    ("/do/invitation-sign-up", "token={token}&handle={new}&password=correct+horse+battery", [false; 4]),
    ("/do/preset-unshare", "id={preset}&entry={entry}", [false, false, true, false]),
    // What it takes is as it was: nothing but the version is another.
    ("/do/preset-roll-back", "id={preset}&to=1&version=1", [false; 4]),
    ("/do/preset-switch", "id={preset}&status=disabled", [false, false, true, false]),
    ("/do/preset-expiry", "id={preset}&last_day=2999-12-31", [false, false, true, false]),
    ("/do/preset-fork", "id={preset}&slug=fork&title=", [false, false, true, false]),
    ("/do/preset-offer", "id={preset}&to={stranger}", [false, false, true, false]),
    ("/do/preset-take-back", "id={preset}", [false; 4]),
    ("/do/preset-turn-down", "id={preset}", [false; 4]),
    ("/do/preset-take-over", "id={preset}&slug=taken&title=", [false; 4]),
    ("/do/preset-delete", "id={preset}&confirm={slug}", [false, false, true, false]),
    // Asking for what is not there leaves nothing but an event.
    ("/do/playground-call", "id={preset}&what=tool&name=none", [false; 4]),
    ("/do/playground-call", "id={preset}&what=prompt&name=none", [false; 4]),
    ("/do/playground-call", "id={preset}&what=resource&name=none%3A%2Fx", [false; 4]),
    (
        "/do/playground-call",
        "id={preset}&what=template&name=none%3A%2F{x}&fields[0][name]=x&fields[0][kind]=text&fields[0][value]=y",
        [false; 4],
    ),
    // Nothing answers there, so nobody is sent anywhere.
    ("/do/connections/begin", "id={connection}", [false; 4]),
    ("/do/connections/renew", "id={connection}", [false; 4]),
    ("/do/connections/disconnect", "id={connection}", [false; 4]),
    ("/do/connections/own", "source={source}", [false; 4]),
    // Looks, and keeps nothing.
    ("/do/sources/look", "url=http%3A%2F%2F127.0.0.1%3A9%2F", [false; 4]),
    ("/do/sources/draft", "kind=address&forget=true", [false; 4]),
    // The owner's plan holds one source, which is there.
    ("/do/sources/add", "url=http%3A%2F%2F127.0.0.1%3A9%2F&name=another", [false, true, false, true]),
    ("/do/sources/add-process", "name=process&command=false", [false, false, false, true]),
    (
        "/do/sources/edit",
        "id={source}&version=1&name=renamed&url=http%3A%2F%2F127.0.0.1%3A9%2Fmcp&era=auto",
        [false, false, true, false],
    ),
    ("/do/limits-source", "id={source}&version=1&rate=5%2Fminute", [false, false, true, false]),
    ("/do/sources/edit-process", "id={source}&version=1&name=renamed&command=false", [false; 4]),
    (
        "/do/tunnels/add",
        "name=another&hops=ada%40127.0.0.1:9&destinations=history.internal:18080",
        [false, true, true, true],
    ),
    (
        "/do/tunnels/edit",
        "id={tunnel}&version=1&name=renamed&hops=doorward%40127.0.0.1:9&destinations=h:80",
        [false, false, true, false],
    ),
    ("/do/tunnels/test", "id={tunnel}", [false; 4]),
    (
        "/do/tunnels/confirm",
        "id={tunnel}&hop=0&host_key=SHA256:47DEQpj8HBSa%2B/TImW%2B5JCeuQeRkm5NMpJWZG3hSuFU",
        [false, false, true, false],
    ),
    ("/do/tunnels/key", "id={tunnel}&hop=0", [false, false, true, false]),
    // What is typed is no key.
    ("/do/tunnels/sign-in", "id={tunnel}&version=1&hop=0&private_key=nonsense", [false; 4]),
    ("/do/tunnels/delete", "id={tunnel}&confirm={bastion}", [false, false, true, false]),
    ("/do/analyses/begin", "source={history}&app_id=app-1", [false, false, true, false]),
    ("/do/analyses/again", "id={analysis}", [false, false, true, false]),
    ("/do/analyses/cancel", "id={running}", [false, false, true, false]),
    ("/do/analyses/remove", "id={analysis}", [false, false, true, false]),
    ("/do/sources/enable", "id={source}&enabled=true", [false, false, true, false]),
    ("/do/sources/test", "id={source}", [false; 4]),
    ("/do/sources/accept", "id={source}", [false; 4]),
    ("/do/sources/accept-prompts", "id={source}", [false; 4]),
    ("/do/sources/delete", "id={source}&confirm={docs}", [false, false, true, false]),
    (
        "/do/admin/users/add",
        "handle={new}&email={new}%40example.org&password=correct+horse+battery&role=member&plan=free",
        [false, false, false, true],
    ),
    (
        "/do/admin/users/edit",
        "id={user}&email=changed-{new}%40example.org&role=admin&plan=free",
        [false, false, false, true],
    ),
    ("/do/admin/users/enable", "id={user}&enabled=false", [false, false, false, true]),
    // A new password ends the person's browser sessions.
    ("/do/admin/users/password", "id={user}&password=another+horse+battery", [false, false, false, true]),
    ("/do/admin/users/reset-second-step", "id={user}", [false, false, false, true]),
    ("/do/admin/plans/save", "name={new}&is_new=true&calls_per_month=5", [false, false, false, true]),
    ("/do/admin/organisations/add", "handle={each}&admin={stranger}", [false, false, false, true]),
    (
        "/do/admin/organisations/change",
        "organisation={organisation}&enabled=false",
        [false, false, false, true],
    ),
    (
        "/do/admin/organisations/member",
        "organisation={organisation}&member={member}&role=operator",
        [false, false, false, true],
    ),
    (
        "/do/admin/organisations/remove-member",
        "organisation={organisation}&member={member}",
        [false, false, false, true],
    ),
    (
        "/do/admin/organisations/remove",
        "organisation={organisation}&confirm={organisation}",
        [false, false, false, true],
    ),
    ("/do/organisations/rename", "organisation={organisation}&title=Renamed", [false, false, true, false]),
    (
        "/do/organisations/role",
        "organisation={organisation}&member={member}&role=operator",
        [false, false, true, false],
    ),
    ("/do/organisations/expel", "organisation={organisation}&member={member}", [false, false, true, false]),
    // The owner is its only administrator.
    ("/do/organisations/leave", "organisation={organisation}", [false; 4]),
    (
        "/do/organisations/invite",
        "organisation={organisation}&who=&role=viewer&days=7",
        [false, false, true, false],
    ),
    (
        "/do/organisations/withdraw",
        "organisation={organisation}&invitation={org_invitation}",
        [false, false, true, false],
    ),
    ("/do/organisations/decline", "invitation={offered}", [false, false, true, false]),
    (
        "/do/organisations/remove",
        "organisation={organisation}&confirm={organisation}",
        [false, false, true, false],
    ),
    // What acts elsewhere from here on owns nothing else.
    ("/do/organisations/accept", "invitation={offered}", [false, false, true, false]),
    ("/do/organisations/switch", "organisation={organisation}&next=/", [false; 4]),
    ("/do/organisations/create", "handle={each}&title=New", [false, true, true, true]),
];
