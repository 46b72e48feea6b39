//! Things with nothing special about them, for tests to change what they are about.

use crate::{
    clock::Ms,
    model::{
        CallRules, EraSetting, Health, Preset, PresetId, PresetStatus, Reach, RunsAs, Slug, Source, SourceId,
        SourceName, TenantId, Visibility,
    },
};

/// Makes a private preset of version 1.
pub(crate) fn preset(tenant: TenantId, slug: &str) -> Preset {
    Preset {
        id: PresetId::new(),
        tenant,
        slug: Slug::parse(slug).expect("a slug"),
        title: "A preset".to_owned(),
        description: String::new(),
        visibility: Visibility::Private,
        anonymous: false,
        status: PresetStatus::Active,
        expires_at: None,
        rules: CallRules::default(),
        version: 1,
        created_at: Ms(0),
        updated_at: Ms(0),
    }
}

/// Makes a source of version 1 that is an MCP server without a credential, and that nobody has looked at.
pub(crate) fn source(tenant: TenantId, name: &str) -> Source {
    Source {
        id: SourceId::new(),
        tenant,
        name: SourceName::parse(name).expect("a name"),
        reach: Reach::McpHttp { url: "https://example.org/mcp".parse().expect("an address") },
        tunnel: None,
        ca_certificates: None,
        auth_kind: "none".to_owned(),
        env_names: Vec::new(),
        era: EraSetting::Auto,
        runs_as: RunsAs::default(),
        verdict: None,
        enabled: true,
        health: Health::default(),
        rules: CallRules::default(),
        version: 1,
        created_at: Ms(0),
        updated_at: Ms(0),
    }
}
