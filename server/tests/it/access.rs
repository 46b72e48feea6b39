//! The access table: every route × nobody, a stranger, the owner, an administrator.
//!
//! A route that is missing from its table fails the test. Routes that answer with a status are held
//! to it. Forms always send the browser on, so they are held to what they change: everything that
//! can be seen of the installation is compared before and after.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
    time::Duration,
};

use axum::body::Body;
use doorward::{
    clock::Ms,
    identity::NewKey,
    issuer::Asked,
    model::{
        AccessLevel, Analysis, AnalysisId, AnalysisReport, AnalysisState, CallRules, Destination, Email,
        EventId, Handle, InstanceRole, KeyScope, Member, OrgRole, Organisation, Passkey, PasskeyId, Reach,
        Slug, Source, SourceId, SourceName, Tally, TenantId, TunnelName, Visibility,
    },
    orgs::{NewOrgInvite, Whom},
    policy::operator_at_the_shell,
    presets::{NewGrantee, NewInvite, NewPreset},
    sources::{NewHop, NewHopAuth, NewTunnel},
    store::{AnalysisFilter, EventFilter},
};
use http::{Method, StatusCode, header};
use leptos_axum::generate_route_list;
use server::{
    apply::{Authority, export},
    config::MetricsListen,
    routes,
};

use uuid::Uuid;

use crate::oauth_stage::{BASE, query};
use crate::world::{Answer, PASSWORD, Person, World, request};

/// Who asks, in the order of the columns.
pub(crate) const WHO: [&str; 4] = ["nobody", "stranger", "owner", "admin"];

/// The statuses of routes that are neither pages nor forms.
pub(crate) const ROUTES: &[(&str, &str, [u16; 4])] = &[
    ("GET /health", "", [200, 200, 200, 200]),
    ("GET /ready", "", [200, 200, 200, 200]),
    ("GET /events", "", [401, 200, 200, 200]),
    // Nobody could read it at an address that is not public.
    ("GET /connections/client.json", "", [404, 404, 404, 404]),
    ("GET /metrics/prometheus", "", [401, 403, 403, 200]),
    ("GET /api/v1/openapi.json", "", [200, 200, 200, 200]),
    ("GET /api/v1/datasources", "", [401, 200, 200, 200]),
    (
        "POST /api/v1/datasources",
        r#"{"name":"other","kind":"mcp_stdio","command":["false"],"enabled":false}"#,
        [401, 403, 403, 201],
    ),
    ("GET /api/v1/datasources/{id}", "", [401, 404, 200, 404]),
    ("PATCH /api/v1/datasources/{id}", r#"{"version":1,"name":"renamed"}"#, [401, 404, 200, 404]),
    ("DELETE /api/v1/datasources/{id}", "", [401, 404, 200, 404]),
    ("POST /api/v1/datasources/{id}/test", "", [401, 404, 200, 404]),
    // Its source is no history server.
    ("GET /api/v1/datasources/{id}/applications", "", [401, 404, 422, 404]),
    ("GET /api/v1/analyses", "", [401, 200, 200, 200]),
    ("POST /api/v1/analyses", r#"{"source":"{history}","app_id":"app-1"}"#, [401, 404, 202, 404]),
    ("GET /api/v1/analyses/{id}", "", [401, 404, 200, 404]),
    ("DELETE /api/v1/analyses/{id}", "", [401, 404, 204, 404]),
    ("POST /api/v1/analyses/{id}/cancel", "", [401, 404, 200, 404]),
    ("POST /api/v1/analyses/{id}/again", "", [401, 404, 202, 404]),
    ("GET /api/v1/analyses/{id}/report.json", "", [401, 404, 200, 404]),
    ("GET /api/v1/analyses/{id}/report.md", "", [401, 404, 200, 404]),
    ("GET /api/v1/analyses/{id}/against/{other}", "", [401, 404, 200, 404]),
    ("GET /api/v1/tunnels", "", [401, 200, 200, 200]),
    (
        "POST /api/v1/tunnels",
        r#"{"name":"other","hops":[{"host":"127.0.0.1","port":9,"user":"u"}],"destinations":["h:80"]}"#,
        [401, 201, 201, 201],
    ),
    ("GET /api/v1/tunnels/{id}", "", [401, 404, 200, 404]),
    ("PATCH /api/v1/tunnels/{id}", r#"{"version":1,"name":"renamed"}"#, [401, 404, 200, 404]),
    ("DELETE /api/v1/tunnels/{id}", "", [401, 404, 204, 404]),
    ("POST /api/v1/tunnels/{id}/test", "", [401, 404, 200, 404]),
    (
        "POST /api/v1/tunnels/{id}/confirm",
        r#"{"hop":0,"host_key":"SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"}"#,
        [401, 404, 200, 404],
    ),
    ("POST /api/v1/tunnels/{id}/key", r#"{"hop":0}"#, [401, 404, 200, 404]),
    ("GET /api/v1/presets", "", [401, 200, 200, 200]),
    ("POST /api/v1/presets", r#"{"slug":"another"}"#, [401, 201, 201, 201]),
    ("GET /api/v1/presets/{id}", "", [401, 404, 200, 404]),
    ("PATCH /api/v1/presets/{id}", r#"{"version":1,"title":"renamed"}"#, [401, 404, 200, 404]),
    ("DELETE /api/v1/presets/{id}", "", [401, 404, 204, 404]),
    ("GET /api/v1/presets/{id}/access", "", [401, 404, 200, 404]),
    (
        "POST /api/v1/presets/{id}/access",
        r#"{"who":{"email":"grace@example.org"},"level":"viewer"}"#,
        [401, 404, 201, 404],
    ),
    ("DELETE /api/v1/presets/{id}/access/{entry}", "", [401, 404, 204, 404]),
    ("GET /api/v1/presets/{id}/invitations", "", [401, 404, 200, 404]),
    (
        "POST /api/v1/presets/{id}/invitations",
        r#"{"email":"grace@example.org","level":"viewer"}"#,
        [401, 404, 201, 404],
    ),
    ("DELETE /api/v1/presets/{id}/invitations/{invitation}", "", [401, 404, 204, 404]),
    // Says nothing of which preset.
    ("GET /api/v1/explain", "", [401, 422, 422, 422]),
    ("GET /api/v1/presets/{id}/versions", "", [401, 404, 200, 404]),
    ("GET /api/v1/presets/{id}/versions/{version}", "", [401, 404, 200, 404]),
    ("POST /api/v1/presets/{id}/versions/{version}/restore", r#"{"version":1}"#, [401, 404, 200, 404]),
    ("GET /api/v1/presets/{id}/fork", "", [401, 404, 200, 404]),
    ("POST /api/v1/presets/{id}/fork", r#"{"slug":"fork"}"#, [401, 404, 201, 404]),
    // It is offered to nobody.
    ("GET /api/v1/presets/{id}/transfer", "", [401, 404, 404, 404]),
    ("PUT /api/v1/presets/{id}/transfer", r#"{"to":"stranger"}"#, [401, 404, 200, 404]),
    ("POST /api/v1/presets/{id}/transfer", r#"{"slug":"taken"}"#, [401, 404, 404, 404]),
    ("DELETE /api/v1/presets/{id}/transfer", "", [401, 404, 404, 404]),
    ("GET /api/v1/transfers", "", [401, 200, 200, 200]),
    ("GET /api/v1/gallery", "", [401, 200, 200, 200]),
    ("GET /api/v1/keys", "", [401, 200, 200, 200]),
    ("POST /api/v1/keys", r#"{"name":"another"}"#, [401, 201, 201, 201]),
    ("PATCH /api/v1/keys/{id}", r#"{"rate":"5/minute"}"#, [401, 404, 204, 404]),
    ("DELETE /api/v1/keys/{id}", "", [401, 404, 204, 404]),
    ("GET /api/v1/organisations", "", [401, 200, 200, 200]),
    ("POST /api/v1/organisations", r#"{"handle":"{each}"}"#, [401, 201, 201, 201]),
    ("GET /api/v1/organisations/{organisation}", "", [401, 404, 200, 404]),
    ("PATCH /api/v1/organisations/{organisation}", r#"{"title":"renamed"}"#, [401, 404, 200, 404]),
    ("DELETE /api/v1/organisations/{organisation}", "", [401, 404, 204, 404]),
    ("GET /api/v1/organisations/{organisation}/members", "", [401, 404, 200, 404]),
    (
        "PATCH /api/v1/organisations/{organisation}/members/{member}",
        r#"{"role":"operator"}"#,
        [401, 404, 204, 404],
    ),
    ("DELETE /api/v1/organisations/{organisation}/members/{member}", "", [401, 404, 204, 404]),
    ("GET /api/v1/organisations/{organisation}/invitations", "", [401, 404, 200, 404]),
    ("POST /api/v1/organisations/{organisation}/invitations", r#"{"role":"viewer"}"#, [401, 404, 201, 404]),
    ("DELETE /api/v1/organisations/{organisation}/invitations/{invitation}", "", [401, 404, 204, 404]),
    ("GET /api/v1/invitations", "", [401, 200, 200, 200]),
    ("POST /api/v1/invitations/{invitation}", "", [401, 404, 200, 404]),
    ("DELETE /api/v1/invitations/{invitation}", "", [401, 404, 204, 404]),
    ("GET /api/v1/admin/organisations", "", [401, 403, 403, 200]),
    ("POST /api/v1/admin/organisations", r#"{"handle":"{each}","admin":"stranger"}"#, [401, 403, 403, 201]),
    ("GET /api/v1/admin/organisations/{organisation}", "", [401, 403, 403, 200]),
    ("PATCH /api/v1/admin/organisations/{organisation}", r#"{"enabled":false}"#, [401, 403, 403, 200]),
    ("DELETE /api/v1/admin/organisations/{organisation}", "", [401, 403, 403, 204]),
    (
        "PUT /api/v1/admin/organisations/{organisation}/members/{member}",
        r#"{"role":"operator"}"#,
        [401, 403, 403, 204],
    ),
    ("DELETE /api/v1/admin/organisations/{organisation}/members/{member}", "", [401, 403, 403, 204]),
    // Whoever posts is known by a signature, and there is no secret here to sign with.
    ("POST /api/v1/plan-changes", r#"{"id":"1","subject":"{owner}","plan":"pro"}"#, [404; 4]),
    ("GET /api/v1/usage", "", [401, 200, 200, 200]),
    ("GET /api/v1/usage/months", "", [401, 200, 200, 200]),
    ("GET /api/v1/usage/months.csv", "", [401, 200, 200, 200]),
    ("GET /api/v1/audit", "", [401, 200, 200, 200]),
    ("GET /api/v1/audit/{id}", "", [401, 404, 200, 404]),
    ("GET /api/v1/audit/export.jsonl", "", [401, 200, 200, 200]),
    ("GET /api/v1/audit/export.csv", "", [401, 200, 200, 200]),
    ("GET /api/v1/audit/proof.jsonl", "", [401, 200, 200, 200]),
    ("GET /api/v1/audit/keys", "", [401, 200, 200, 200]),
    ("GET /api/v1/audit/checkpoints", "", [401, 200, 200, 200]),
    ("POST /api/v1/audit/checkpoints", "", [401, 201, 201, 201]),
    ("POST /api/v1/admin/erasures", r#"{"handle":"{owner}","confirm":"{owner}"}"#, [401, 403, 403, 200]),
    (
        "POST /api/v1/apply",
        r#"{"version":1,"users":[{"handle":"{new}","email":"{new}@example.org","password":"correct horse battery"}]}"#,
        [401, 403, 403, 200],
    ),
    ("GET /api/v1/export", "", [401, 200, 200, 200]),
    ("GET /.well-known/oauth-authorization-server", "", [200; 4]),
    ("GET /.well-known/openid-configuration", "", [200; 4]),
    ("GET /.well-known/oauth-protected-resource", "", [200; 4]),
    ("GET /.well-known/oauth-protected-resource/mcp/{owner}/{slug}", "", [200; 4]),
    ("GET /.well-known/oauth-protected-resource/mcp/{owner}/{slug}/", "", [200; 4]),
    ("GET /oauth/jwks", "", [200; 4]),
    ("POST /oauth/register", r#"{"redirect_uris":["http://127.0.0.1/"]}"#, [201; 4]),
    // A key is no registration's token.
    ("GET /oauth/register/{client}", "", [401; 4]),
    ("DELETE /oauth/register/{client}", "", [401; 4]),
    ("POST /oauth/token", "{}", [400; 4]),
    ("POST /oauth/revoke", "{}", [400; 4]),
    ("OPTIONS /.well-known/oauth-authorization-server", "", [204; 4]),
    ("OPTIONS /.well-known/openid-configuration", "", [204; 4]),
    ("OPTIONS /.well-known/oauth-protected-resource", "", [204; 4]),
    ("OPTIONS /.well-known/oauth-protected-resource/mcp/{owner}/{slug}", "", [204; 4]),
    ("OPTIONS /.well-known/oauth-protected-resource/mcp/{owner}/{slug}/", "", [204; 4]),
    ("OPTIONS /oauth/jwks", "", [204; 4]),
    ("OPTIONS /oauth/register", "", [204; 4]),
    ("OPTIONS /oauth/register/{client}", "", [204; 4]),
    ("OPTIONS /oauth/token", "", [204; 4]),
    ("OPTIONS /oauth/revoke", "", [204; 4]),
];

/// The statuses of pages: 303 sends the browser to sign in, or on.
pub(crate) const PAGES: &[(&str, [u16; 4])] = &[
    ("/", [303, 200, 200, 200]),
    ("/setup", [303, 303, 303, 303]),
    ("/sign-in", [200, 303, 303, 303]),
    // Nobody was sent here by a provider, and none is set up.
    ("/sign-up", [303, 303, 303, 303]),
    // Nobody has shown their first factor alone.
    ("/sign-in/code", [303, 303, 303, 303]),
    ("/login/{provider}", [404, 404, 404, 404]),
    ("/login/{provider}/callback", [404, 404, 404, 404]),
    ("/sources", [303, 200, 200, 200]),
    ("/sources/new", [303, 200, 200, 200]),
    ("/sources/{id}", [303, 404, 200, 404]),
    ("/sources/{id}/tools", [303, 404, 200, 404]),
    ("/sources/{id}/resources", [303, 404, 200, 404]),
    ("/sources/{id}/prompts", [303, 404, 200, 404]),
    ("/sources/{id}/edit", [303, 404, 200, 404]),
    ("/sources/{id}/process", [303, 404, 200, 404]),
    ("/sources/{id}/delete", [303, 404, 200, 404]),
    ("/tunnels", [303, 200, 200, 200]),
    ("/tunnels/new", [303, 200, 200, 200]),
    ("/tunnels/{id}", [303, 404, 200, 404]),
    ("/tunnels/{id}/edit", [303, 404, 200, 404]),
    ("/tunnels/{id}/delete", [303, 404, 200, 404]),
    ("/connections", [303, 200, 200, 200]),
    // What was not begun in this browser ends on the page of connections.
    ("/connections/callback", [303, 303, 303, 303]),
    ("/connections/going/{id}", [303, 404, 404, 404]),
    ("/connections/{id}", [303, 404, 200, 404]),
    ("/presets", [303, 200, 200, 200]),
    ("/presets/new", [303, 200, 200, 200]),
    ("/presets/{id}", [303, 404, 200, 404]),
    ("/presets/{id}/connect", [303, 404, 200, 404]),
    ("/presets/{id}/try", [303, 404, 200, 404]),
    ("/presets/{id}/sharing", [303, 404, 200, 404]),
    ("/presets/{id}/settings", [303, 404, 200, 404]),
    ("/explain", [303, 200, 200, 200]),
    ("/presets/{id}/history", [303, 404, 200, 404]),
    // Without a link that holds there is a page that says so.
    ("/invitation", [200, 200, 200, 200]),
    ("/presets/{id}/fork", [303, 404, 200, 404]),
    ("/presets/{id}/offered", [303, 404, 404, 404]),
    // The operator has not opened it to everybody.
    ("/gallery", [303, 200, 200, 200]),
    ("/keys", [303, 200, 200, 200]),
    // Without a client there is nothing to agree to.
    ("/oauth/authorize", [303, 400, 400, 400]),
    ("/grants", [303, 200, 200, 200]),
    ("/analyses", [303, 200, 200, 200]),
    ("/analyses/new", [303, 200, 200, 200]),
    ("/analyses/{id}", [303, 404, 200, 404]),
    ("/analyses/{id}/against", [303, 404, 200, 404]),
    ("/analyses/{id}/against/{other}", [303, 404, 200, 404]),
    ("/metrics", [303, 200, 200, 200]),
    ("/usage", [303, 200, 200, 200]),
    ("/audit", [303, 200, 200, 200]),
    ("/audit/{id}", [303, 404, 200, 404]),
    ("/account", [303, 200, 200, 200]),
    ("/account/add-login", [303, 303, 303, 303]),
    ("/account/second-factor", [303, 303, 303, 303]),
    ("/account/passkeys/new", [303, 200, 200, 200]),
    ("/account/passkeys/{id}", [303, 404, 200, 404]),
    // Of the two others neither has a second step that codes could be for.
    ("/account/recovery-codes", [303, 303, 200, 303]),
    ("/organisations", [303, 200, 200, 200]),
    ("/organisations/{organisation}", [303, 404, 200, 404]),
    ("/organisations/{organisation}/remove", [303, 404, 200, 404]),
    ("/admin/organisations", [303, 403, 403, 200]),
    ("/admin/organisations/new", [303, 403, 403, 200]),
    ("/admin/organisations/{organisation}", [303, 403, 403, 200]),
    ("/admin", [303, 403, 403, 200]),
    ("/admin/users/new", [303, 403, 403, 200]),
    ("/admin/users/{id}", [303, 403, 403, 200]),
    ("/admin/plans", [303, 403, 403, 200]),
    ("/admin/plans/new", [303, 403, 403, 200]),
    ("/admin/plans/{name}", [303, 403, 403, 200]),
];

/// What forms send, and whether that changes anything of the owner's or of the instance.
pub(crate) const FORMS: &[(&str, &str, [bool; 4])] = &[
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
        "id={preset}&version=1&title=Renamed&slug=notes&access=private",
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
    ("/do/preset-offer", "id={preset}&to=stranger", [false, false, true, false]),
    ("/do/preset-take-back", "id={preset}", [false; 4]),
    ("/do/preset-turn-down", "id={preset}", [false; 4]),
    ("/do/preset-take-over", "id={preset}&slug=taken&title=", [false; 4]),
    ("/do/preset-delete", "id={preset}&confirm=notes", [false, false, true, false]),
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
    ("/do/tunnels/delete", "id={tunnel}&confirm=bastion", [false, false, true, false]),
    ("/do/analyses/begin", "source={history}&app_id=app-1", [false, false, true, false]),
    ("/do/analyses/again", "id={analysis}", [false, false, true, false]),
    ("/do/analyses/cancel", "id={running}", [false, false, true, false]),
    ("/do/analyses/remove", "id={analysis}", [false, false, true, false]),
    ("/do/sources/enable", "id={source}&enabled=true", [false, false, true, false]),
    ("/do/sources/test", "id={source}", [false; 4]),
    ("/do/sources/accept", "id={source}", [false; 4]),
    ("/do/sources/accept-prompts", "id={source}", [false; 4]),
    ("/do/sources/delete", "id={source}&confirm=docs", [false, false, true, false]),
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
    ("/do/admin/organisations/add", "handle={each}&admin=stranger", [false, false, false, true]),
    (
        "/do/admin/organisations/change",
        "organisation={organisation}&enabled=false",
        [false, false, false, true],
    ),
    (
        "/do/admin/organisations/member",
        "organisation={organisation}&member=colleague&role=operator",
        [false, false, false, true],
    ),
    (
        "/do/admin/organisations/remove-member",
        "organisation={organisation}&member=colleague",
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
        "organisation={organisation}&member=colleague&role=operator",
        [false, false, true, false],
    ),
    ("/do/organisations/expel", "organisation={organisation}&member=colleague", [false, false, true, false]),
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

#[tokio::test]
async fn every_route_answers_each_caller_as_the_table_says() {
    let stage = Stage::open().await;
    let there: BTreeSet<String> =
        routes::table(MetricsListen::Main).iter().map(|row| format!("{} {}", row.method, row.path)).collect();
    let listed: BTreeSet<String> = ROUTES.iter().map(|(route, ..)| (*route).to_owned()).collect();
    assert_eq!(there, listed);

    let mut wrong = Vec::new();
    for (route, body, expected) in ROUTES {
        let (method, path) = route.split_once(' ').unwrap();
        for (who, expected) in WHO.into_iter().zip(expected) {
            let scene = stage.scene().await;
            let request = request(method.parse().unwrap(), &scene.path(path));
            let request = match scene.person(&stage, who) {
                Some(person) => request.header(header::AUTHORIZATION, format!("Bearer {}", person.key)),
                None => request,
            };
            let request = request.header(header::CONTENT_TYPE, "application/json");
            // Without a browser's word and without a key a change is refused before anything else.
            let request = request.header("sec-fetch-site", "same-origin");
            let body = Body::from(scene.fill(body));
            let status = stage.world.open_request(request.body(body).unwrap()).await.status();
            if status.as_u16() != *expected {
                wrong.push(format!("{route} by {who}: {} and not {expected}", status.as_u16()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[tokio::test]
async fn every_page_answers_each_caller_as_the_table_says() {
    let stage = Stage::open().await;
    let mut wrong = Vec::new();
    let pages: Vec<String> =
        generate_route_list(app::App).iter().map(|route| route.path().to_owned()).collect();
    assert!(pages.contains(&"/presets/{id}".to_owned()), "{pages:?}");
    for path in pages {
        let Some((_, expected)) = PAGES.iter().find(|(listed, _)| *listed == path) else {
            wrong.push(format!("{path} is missing from the table"));
            continue;
        };
        for (who, expected) in WHO.into_iter().zip(expected) {
            let scene = stage.scene().await;
            let answer = stage.browse(&scene, who, Method::GET, &scene.path(&path), "").await;
            if answer.status.as_u16() != *expected {
                wrong.push(format!("{path} by {who}: {} and not {expected}", answer.status.as_u16()));
            }
            if *expected == 303 && who == "nobody" && path != "/setup" {
                let to = answer.headers.get(header::LOCATION).and_then(|to| to.to_str().ok());
                assert!(to.is_some_and(|to| to.starts_with("/sign-in")), "{path}: {to:?}");
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[tokio::test]
async fn every_form_changes_what_the_table_says_and_nothing_else() {
    let mut wrong = Vec::new();
    let forms: Vec<_> = leptos::server_fn::axum::server_fn_paths().collect();
    assert!(forms.iter().any(|(path, _)| *path == "/do/preset-delete"));
    for (path, method) in forms {
        let rows: Vec<_> = FORMS.iter().filter(|(listed, ..)| *listed == path).collect();
        if rows.is_empty() {
            wrong.push(format!("{path} is missing from the table"));
        }
        // Some forms end a person's session, so each has people of its own.
        let stage = Stage::open().await;
        for (_, fields, expected) in rows {
            for (who, expected) in WHO.into_iter().zip(expected) {
                let scene = stage.scene().await;
                let before = stage.snapshot(&scene).await;
                let answer = stage.browse(&scene, who, method.clone(), path, &scene.fill(fields)).await;
                let changed = stage.snapshot(&scene).await != before;
                if changed != *expected {
                    let did = if changed { "changed something" } else { "changed nothing" };
                    let flash = answer.headers.get_all(header::SET_COOKIE).iter().next();
                    wrong.push(format!("{path} by {who} {did}; {} {flash:?}", answer.status.as_u16()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_preset_answers_a_stranger_and_a_missing_one_alike() {
    let stage = Stage::open().await;
    let scene = stage.scene().await;
    let owner = scene.owner.member.tenant_handle.to_string();
    let call = async |person: &Person, path: String| {
        let request = request(Method::POST, &path)
            .header(header::AUTHORIZATION, format!("Bearer {}", person.key))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json, text/event-stream");
        let body = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#;
        stage.world.send(request.body(Body::from(body)).unwrap()).await
    };

    let own = call(&scene.owner, format!("/mcp/{owner}/notes")).await;
    let mut refusals = Vec::new();
    for (person, path) in [
        (&stage.stranger, format!("/mcp/{owner}/notes")),
        (&stage.stranger, format!("/mcp/{owner}/missing")),
        (&stage.stranger, "/mcp/nobody-at-all/notes".to_owned()),
        (&stage.admin, format!("/mcp/{owner}/notes")),
        (&scene.owner, format!("/mcp/{owner}/..%2fnotes")),
    ] {
        let refused = call(person, path).await;
        refusals.push((refused.status, refused.body));
    }

    assert_eq!(own.status, StatusCode::OK, "{}", own.body);
    assert_eq!(refusals[0].0, StatusCode::NOT_FOUND);
    assert!(refusals.iter().all(|refusal| *refusal == refusals[0]), "{refusals:#?}");
}

/// An installation with the people who stay the same.
pub(crate) struct Stage {
    pub(crate) world: World,
    stranger: Person,
    admin: Person,
    colleague: Person,
}

/// A fresh owner with one thing of each kind, for one request.
pub(crate) struct Scene {
    pub(crate) owner: Person,
    names: Vec<(&'static str, String)>,
}

impl Stage {
    pub(crate) async fn open() -> Self {
        let world = World::with(&[("DOORWARD_METRICS_LISTEN", "main")]).await;
        let admin = world.person("root-of-all", InstanceRole::Admin).await;
        let stranger = world.person("stranger", InstanceRole::Member).await;
        let colleague = world.person("colleague", InstanceRole::Member).await;
        Self { world, stranger, admin, colleague }
    }

    /// Gives somebody a history server that is not there, an analysis of it that is done, and one that runs elsewhere.
    async fn analyses(&self, owner: &Member) -> (SourceId, AnalysisId, AnalysisId) {
        let (store, now) = (&self.world.engine.store, self.world.engine.clock.now());
        let docs = self.world.engine.sources.list(owner).await.unwrap().remove(0).source;
        let history = Source {
            id: SourceId::new(),
            name: SourceName::parse("history").unwrap(),
            reach: Reach::SparkHistory { url: "http://127.0.0.1:9".parse().unwrap() },
            enabled: true,
            ..docs
        };
        let done = Analysis {
            id: AnalysisId::new(),
            tenant: owner.tenant,
            source: Some(history.id),
            source_name: history.name.clone(),
            app_id: "app-1".into(),
            attempt: None,
            app_name: "nightly".into(),
            state: AnalysisState::Running,
            begun_by: None,
            begun_by_handle: owner.handle.to_string(),
            begun_at: now,
            ended_at: None,
            steps: Vec::new(),
            tally: Tally::default(),
            failure: None,
        };
        let running = Analysis { id: AnalysisId::new(), ..done.clone() };
        let mut tx = store.tenant(owner.tenant).await.unwrap();
        tx.add_source(&history, None).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = store.system().await.unwrap();
        for analysis in [&done, &running] {
            tx.add_analysis(analysis, now.plus(Duration::from_secs(3600))).await.unwrap();
        }
        tx.commit().await.unwrap();
        let mut tx = store.tenant(owner.tenant).await.unwrap();
        let done = Analysis { ended_at: Some(now), ..done };
        assert!(tx.finish_analysis(&done, &AnalysisReport::default(), "# nightly").await.unwrap());
        tx.commit().await.unwrap();
        (history.id, done.id, running.id)
    }

    pub(crate) async fn scene(&self) -> Scene {
        let word = EventId::new().0.simple().to_string();
        let handle = format!("o{}", &word[12..]);
        let owner = self.world.person(&handle, InstanceRole::Member).await;
        self.furnish(owner, &word).await
    }

    /// Gives somebody one thing of each kind, in the organisation that they act in.
    pub(crate) async fn furnish(&self, owner: Person, word: &str) -> Scene {
        let handle = owner.member.tenant_handle.to_string();
        let engine = &self.world.engine;
        let source = self.world.source(&owner.member, "docs").await;
        let tunnel = engine.sources.add_tunnel(&owner.member, tunnel("bastion")).await.unwrap();
        let (history, done, running) = self.analyses(&owner.member).await;
        let preset = NewPreset {
            rules: CallRules::default(),
            slug: Slug::parse("notes").unwrap(),
            title: String::new(),
            description: String::new(),
            visibility: Visibility::InviteOnly,
            anonymous: false,
            expires_at: None,
            selections: Vec::new(),
        };
        let preset = engine.presets.add(&owner.member, preset).await.unwrap();
        let nobody = NewGrantee::Email(Email::parse("nobody@example.org").unwrap());
        let entry =
            engine.presets.share(&owner.member, preset.id, nobody, AccessLevel::Viewer).await.unwrap();
        let invite = NewInvite {
            email: Some(Email::parse("invited@example.org").unwrap()),
            level: AccessLevel::Viewer,
            lasts: Duration::from_secs(86_400),
        };
        let invited = engine.presets.invite(&owner.member, preset.id, invite, "http://d").await.unwrap();
        let key = NewKey { name: "laptop".into(), scope: KeyScope::Everything, expires_at: None, rate: None };
        let (key, _) = engine.identity.create_key(&owner.member, key).await.unwrap();
        let session = engine.identity.sessions(&owner.member).await.unwrap().remove(0);
        let passkey = Passkey {
            id: PasskeyId::new(),
            user: owner.member.user,
            tenant: owner.member.tenant,
            name: "telephone".into(),
            credential_id: word.as_bytes().to_vec(),
            credential: "{}".into(),
            counter: 0,
            created_at: Ms(0),
            used_at: None,
        };
        // As it lies in the database, since a table asks for many scenes and each password takes its time.
        let mut tx = engine.store.system().await.unwrap();
        tx.add_passkey(&passkey).await.unwrap();
        tx.set_recovery_codes(passkey.tenant, passkey.user, &[[1; 32]; 1]).await.unwrap();
        tx.commit().await.unwrap();
        engine.audit.flush().await;
        let event = engine.audit.search(&owner.member, &EventFilter::default()).await.unwrap().remove(0);
        let (asked, grant) = self.grant(&owner.member, &handle).await;
        let connection = engine.connections.want(owner.member.tenant, source, None).await.unwrap();
        let (organisation, org_invitation, offered) = self.teams(&owner.member, word).await;
        let names = vec![
            ("organisation", organisation),
            ("member", "colleague".to_owned()),
            ("org_invitation", org_invitation),
            ("offered", offered),
            ("asked", asked),
            ("grant", grant),
            ("slug", "notes".to_owned()),
            ("client", "0".repeat(32)),
            ("source", source.to_string()),
            ("tunnel", tunnel.id.to_string()),
            ("history", history.to_string()),
            ("analysis", done.to_string()),
            ("other", done.to_string()),
            ("running", running.to_string()),
            ("connection", connection.id.to_string()),
            ("preset", preset.id.to_string()),
            ("entry", entry.id.to_string()),
            ("version", "1".to_owned()),
            ("invitation", invited.invite.id.to_string()),
            ("token", invited.token.unwrap().expose().to_owned()),
            ("key", key.id.to_string()),
            ("event", event.id.to_string()),
            ("session", session.id.to_string()),
            ("passkey", passkey.id.to_string()),
            ("user", owner.member.user.to_string()),
            ("owner", handle),
            ("new", format!("n{}", &word[12..])),
            ("password", PASSWORD.replace(' ', "+")),
        ];
        Scene { owner, names }
    }

    /// Makes a team of the owner's with the colleague and an open invitation, and one that the owner is invited to.
    /// Returns the first, its invitation, and the other's.
    pub(crate) async fn teams(&self, owner: &Arc<Member>, word: &str) -> (String, String, String) {
        let orgs = &self.world.engine.orgs;
        let made = async |by: &Arc<Member>, name: String| {
            let mut tx = self.world.engine.store.system().await.unwrap();
            let made = Organisation {
                id: TenantId::new(),
                handle: Handle::parse(&name).unwrap(),
                title: String::new(),
                personal_of: None,
                made_by: None,
                plan: None,
                enabled: true,
                created_at: Ms(1),
            };
            // By the database, since the colleague makes one for each scene.
            tx.add_organisation(&made, by.user).await.unwrap();
            tx.commit().await.unwrap();
            orgs.acting_in(by, &made.handle).await.unwrap()
        };
        let invite = async |by: &Member, whom| {
            let lasts = Duration::from_secs(86_400);
            let new = NewOrgInvite { whom, role: OrgRole::Viewer, lasts };
            orgs.invite(by, new, "http://d").await.unwrap().invite.id
        };
        let ours = made(owner, format!("t{}", &word[12..])).await;
        let colleague = &self.colleague.member;
        let joins = invite(&ours, Whom::Account(colleague.handle.clone())).await;
        orgs.accept_offered(colleague, joins).await.unwrap();
        let open = invite(&ours, Whom::Link).await;
        let theirs = made(colleague, format!("u{}", &word[12..])).await;
        let offered = invite(&theirs, Whom::Account(owner.handle.clone())).await;
        (ours.tenant_handle.to_string(), open.to_string(), offered.to_string())
    }

    /// Has the owner let a client in. Returns what another one asks for, and what was let.
    async fn grant(&self, owner: &Arc<Member>, handle: &str) -> (String, String) {
        let issuer = &self.world.engine.issuer;
        let mut asked = Vec::new();
        for client in ["one", "another"] {
            let metadata = format!(r#"{{"client_name":"{client}","redirect_uris":["http://127.0.0.1/"]}}"#);
            // Registrations are paced by address, and a table asks for many scenes.
            let address = std::net::IpAddr::from(Uuid::new_v4().into_bytes());
            let made = issuer.register(BASE, address, metadata.as_bytes()).await.unwrap();
            let made = serde_json::to_value(made).unwrap();
            let resource = format!("{BASE}/mcp/{handle}/notes");
            asked.push(query(
                made["client_id"].as_str().unwrap(),
                &[("redirect_uri", "http://127.0.0.1/"), ("resource", &resource)],
            ));
        }
        let Asked::Request(request) = issuer.asked(BASE, &asked[0]).await.unwrap() else {
            panic!("{asked:?}")
        };
        issuer.allow(owner, &request, &HashSet::new()).await.unwrap();
        let grant = issuer.grants(owner).await.unwrap().remove(0).grant.id;
        (url::form_urlencoded::byte_serialize(asked[1].as_bytes()).collect(), grant.to_string())
    }

    /// Asks as a browser does.
    pub(crate) async fn browse(
        &self,
        scene: &Scene,
        who: &str,
        method: Method,
        path: &str,
        fields: &str,
    ) -> Answer {
        let request = request(method, path)
            .header(header::ACCEPT, "text/html")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::REFERER, "http://localhost:8080/")
            .header("sec-fetch-site", "same-origin");
        let request = match scene.person(self, who) {
            Some(person) => request.header(header::COOKIE, &person.cookie),
            None => request,
        };
        self.world.send(request.body(Body::from(fields.to_owned())).unwrap()).await
    }

    /// Says whether the people who stay the same are still signed in.
    pub(crate) async fn is_signed_in(&self, scene: &Scene) -> bool {
        let mut all = true;
        for who in ["stranger", "admin"] {
            let page = self.browse(scene, who, Method::GET, "/account", "").await;
            all &= page.status == StatusCode::OK;
        }
        all
    }

    /// Returns what can be seen of the installation that a form could change.
    pub(crate) async fn snapshot(&self, scene: &Scene) -> String {
        let engine = &self.world.engine;
        let document = export(&self.world.state.rooms(), &Authority::Operator).await.unwrap();
        let users = engine.identity.users(&operator_at_the_shell()).await.unwrap();
        let owner = scene.owner.member.as_ref();
        let sessions = engine.identity.sessions(owner).await.unwrap().len();
        let second = engine.identity.second_step(owner).await.unwrap();
        let begun = engine.identity.begun_passkey(owner).await.unwrap();
        let grants = engine.issuer.grants(owner).await.unwrap();
        let preset = scene.fill("{preset}").parse().unwrap();
        let invites = engine.presets.invites(owner, preset).await.map(|invites| invites.len()).ok();
        let offered = engine.presets.transfer(owner, preset).await.ok();
        let (mut tunnels, mut analyses, mut joining) = (Vec::new(), Vec::new(), Vec::new());
        for person in [&scene.owner, &self.stranger, &self.admin] {
            tunnels.extend(engine.sources.tunnels(&person.member).await.unwrap());
            let all = AnalysisFilter::default();
            analyses.extend(engine.analyses.list(&person.member, &all).await.unwrap());
        }
        let teams = engine.orgs.teams(&operator_at_the_shell()).await.unwrap();
        let mut tx = engine.store.system_read().await.unwrap();
        for team in &teams {
            let open = tx.list_org_invites(team.organisation.id, engine.clock.now()).await.unwrap();
            joining.extend(open.into_iter().map(|invite| invite.id));
        }
        format!(
            "{teams:?}\n{joining:?}\n{document}\n{users:?}\n{sessions}\n{second:?}\n{begun:?}\n{grants:?}\n{invites:?}\n{offered:?}\n\
             {tunnels:?}\n{analyses:?}"
        )
    }
}

/// A tunnel over a server that is not there.
fn tunnel(name: &str) -> NewTunnel {
    let hop = NewHop {
        host: "127.0.0.1".into(),
        port: 9,
        user: "doorward".into(),
        auth: NewHopAuth::Generate,
        host_key: None,
    };
    let destinations = vec![Destination::parse("history.internal:18080").unwrap()];
    NewTunnel { name: TunnelName::parse(name).unwrap(), hops: vec![hop], destinations }
}

impl Scene {
    pub(crate) fn person<'a>(&'a self, stage: &'a Stage, who: &str) -> Option<&'a Person> {
        match who {
            "stranger" => Some(&stage.stranger),
            "owner" => Some(&self.owner),
            "admin" => Some(&stage.admin),
            _ => None,
        }
    }

    pub(crate) fn fill(&self, text: &str) -> String {
        // A name that nobody has, each time another.
        let each = format!("e{}", &EventId::new().0.simple().to_string()[12..]);
        self.names.iter().fold(text.replace("{each}", &each), |text, (name, value)| {
            text.replace(&format!("{{{name}}}"), value)
        })
    }

    /// Fills in what the path is about.
    pub(crate) fn path(&self, path: &str) -> String {
        let kind = [
            // Only what runs can be cancelled.
            ("/cancel", "running"),
            ("analyses", "analysis"),
            ("connections", "connection"),
            ("datasources", "source"),
            ("sources", "source"),
            ("tunnels", "tunnel"),
            ("presets", "preset"),
            // Before the keys that its name ends with.
            ("passkeys", "passkey"),
            ("keys", "key"),
            ("audit", "event"),
            ("users", "user"),
        ];
        let kind = kind.iter().find(|(part, _)| path.contains(part)).map_or("", |(_, kind)| kind);
        let invitation = match path {
            "/api/v1/invitations/{invitation}" => "{offered}",
            _ if path.contains("organisations") => "{org_invitation}",
            _ => "{invitation}",
        };
        let path = path.replace("{invitation}", invitation);
        self.fill(&path.replace("{id}", &format!("{{{kind}}}")).replace("{name}", "free"))
    }
}
