//! What the room as a whole promises, on both databases.

mod analyses;
mod attempts;
mod audit;
mod connections;
mod factors;
mod gallery;
mod isolation;
mod issuer;
mod leaks;
mod logins;
mod metrics;
mod opening;
mod orgs;
mod passkeys;
mod quota;
mod schema;
mod story;
mod trouble;
mod tunnels;
mod versions;
mod warnings;

use serde_json::value::RawValue;

use crate::{
    clock::Ms,
    model::{
        Action, ApiKey, ApiKeyId, BrowserSession, BrowserSessionId, Health, KeyScope, Preset, PresetId,
        PresetStatus, Reach, ResourceKind, RunEvent, Slug, Source, SourceId, SourceName, SourceResource,
        SourceTool, TenantId, ToolHash, ToolState, User, Visibility, samples,
    },
    store::Store,
};

const NOW: Ms = Ms(1_795_233_963_183);

fn source(tenant: TenantId, name: &str) -> Source {
    Source { auth_kind: "bearer".into(), created_at: NOW, updated_at: NOW, ..samples::source(tenant, name) }
}

fn preset(tenant: TenantId, slug: &str) -> Preset {
    Preset { created_at: NOW, updated_at: NOW, ..samples::preset(tenant, slug) }
}

fn tool(source: SourceId, name: &str, definition: &str) -> SourceTool {
    SourceTool {
        source,
        name: name.into(),
        definition: RawValue::from_string(definition.into()).unwrap(),
        hash: ToolHash::of(&[("name", Some(name))]),
        accepted_definition: None,
        state: ToolState::Accepted,
        seen_at: NOW,
    }
}

fn resource(source: SourceId, kind: ResourceKind, uri: &str, definition: &str) -> SourceResource {
    SourceResource {
        source,
        kind,
        uri: uri.into(),
        definition: RawValue::from_string(definition.into()).unwrap(),
    }
}

fn key(user: &User) -> ApiKey {
    ApiKey {
        id: ApiKeyId::new(),
        tenant: user.tenant,
        user: user.id,
        name: "laptop".into(),
        scope: KeyScope::Everything,
        rate: None,
        created_at: NOW,
        expires_at: None,
        last_used_at: None,
        revoked_at: None,
    }
}

fn session(user: &User) -> BrowserSession {
    BrowserSession {
        id: BrowserSessionId::new(),
        user: user.id,
        tenant: user.tenant,
        user_agent: "a browser".into(),
        address: "192.0.2.1".into(),
        created_at: NOW,
        seen_at: NOW,
        expires_at: Ms(NOW.0 + 1000),
    }
}

fn event(user: &User, at: Ms, subject: &str) -> RunEvent {
    RunEvent {
        user: Some(user.id),
        principal: user.handle.to_string(),
        address: "192.0.2.1".into(),
        client: "tester 1.0".into(),
        revision: "2026-07-28".into(),
        preset_slug: "everything".into(),
        source_name: "files".into(),
        subject: subject.into(),
        duration_us: 1500,
        request_bytes: 10,
        response_bytes: 20,
        request_id: "r-1".into(),
        ..RunEvent::new(user.tenant, at, Action::ToolCall)
    }
}

/// Adds a source in a transaction of its own.
async fn keep_source(store: &Store, source: &Source) {
    let mut tx = store.tenant(source.tenant).await.unwrap();
    tx.add_source(source, None).await.unwrap();
    tx.commit().await.unwrap();
}

/// A sign-in that somebody has begun.
fn sign_in(user: &User, connection: crate::model::ConnectionId) -> crate::store::SignInRow {
    crate::store::SignInRow {
        id: crate::model::SignInId::new(),
        tenant: user.tenant,
        connection,
        user: user.id,
        session: BrowserSessionId::new(),
        expires_at: Ms(NOW.0 + 1000),
        sealed: r#"{"kid":"k"}"#.into(),
    }
}
