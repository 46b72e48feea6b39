//! Which issuer a source believes, and where its endpoints are.

use serde::{Deserialize, Serialize};
use url::Url;

use super::{
    Challenge, Result,
    error::untrusted,
    fetch::{self, quoted},
};
use crate::egress::Egress;

/// How many issuers a source may name before the others are not looked at.
const ISSUERS_MAX: usize = 8;
/// How many scopes are asked for at most.
const SCOPES_MAX: usize = 64;

const SOURCE: &str = "the source's own metadata";
const METADATA: &str = "the issuer's metadata";

/// An issuer of tokens for one source, as it says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issuer {
    /// Its name, exactly as it writes it.
    pub name: String,
    /// What tokens are asked for: the source, as it calls itself (RFC 8707).
    pub resource: String,
    /// Where people are sent to.
    pub authorization: Url,
    /// Where tokens are given.
    pub token: Url,
    /// Where clients are registered.
    pub registration: Option<Url>,
    /// Where tokens are given back (RFC 7009).
    pub revocation: Option<Url>,
    /// The scopes that belong to the source, as far as it names them.
    pub scopes: Vec<String>,
    /// Whether `offline_access` is a scope of the issuer.
    pub offline_access: bool,
    /// Whether a document of ours is enough to be known there.
    pub takes_documents: bool,
    /// Whether its answers say whom they are from (RFC 9207).
    pub names_itself: bool,
    /// How clients prove themselves at the token endpoint; empty = not said.
    pub auth_methods: Vec<String>,
}

/// RFC 9728, section 2.
#[derive(Deserialize)]
struct ResourceMetadata {
    resource: Option<String>,
    #[serde(default)]
    authorization_servers: Vec<String>,
    #[serde(default)]
    scopes_supported: Vec<String>,
}

/// RFC 8414, section 2, and OpenID Connect Discovery 1.0, section 3.
#[derive(Deserialize)]
struct IssuerMetadata {
    issuer: String,
    authorization_endpoint: Option<Url>,
    token_endpoint: Option<Url>,
    registration_endpoint: Option<Url>,
    revocation_endpoint: Option<Url>,
    #[serde(default)]
    scopes_supported: Vec<String>,
    #[serde(default)]
    code_challenge_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
    #[serde(default)]
    client_id_metadata_document_supported: bool,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// Finds the issuer of tokens for a source, which has answered with this challenge.
pub async fn discover(egress: &Egress, source: &Url, challenge: &Challenge) -> Result<Issuer> {
    let Some(resource) = resource_metadata(egress, source, challenge).await? else {
        return before_2025_06(egress, source).await;
    };
    let named = resource.resource.as_deref().unwrap_or(source.as_str());
    if !is_part_of(source, named) {
        let named = quoted(named);
        return Err(untrusted(format!("the source says it is {named}, which is another than {source}")));
    }
    if resource.authorization_servers.is_empty() {
        return Err(untrusted("the source's own metadata name no issuer"));
    }
    let mut why = None;
    for name in resource.authorization_servers.iter().take(ISSUERS_MAX) {
        match issuer(egress, source, name).await {
            Ok(metadata) => {
                let resource_scopes = resource.scopes_supported;
                return described(source, metadata, named, resource_scopes);
            }
            Err(error) => why = why.or(Some(error)),
        }
    }
    Err(why.unwrap_or_else(|| untrusted("the source's own metadata name no issuer")))
}

/// Says whether a source that has answered with this challenge has metadata of its own that name an
/// issuer.
pub async fn names_issuer(egress: &Egress, source: &Url, challenge: &Challenge) -> bool {
    let found = resource_metadata(egress, source, challenge).await;
    found.ok().flatten().is_some_and(|metadata| !metadata.authorization_servers.is_empty())
}

/// Reads the source's own metadata: where the challenge says, else at the address with the path of the
/// endpoint, else at the root. `None` if there are none.
async fn resource_metadata(
    egress: &Egress,
    source: &Url,
    challenge: &Challenge,
) -> Result<Option<ResourceMetadata>> {
    if let Some(place) = &challenge.resource_metadata {
        let place = Url::parse(place).map_err(|_| untrusted("the source's challenge names no address"))?;
        secure(source, &place, SOURCE)?;
        let got = fetch::get(egress, SOURCE, &place).await?;
        if got.status.is_success() {
            return got.json(SOURCE).map(Some);
        }
    }
    let mut places = vec![well_known(source, "oauth-protected-resource", source.path())];
    places.push(well_known(source, "oauth-protected-resource", ""));
    places.dedup();
    for place in places {
        let got = fetch::get(egress, SOURCE, &place).await?;
        if got.status.is_success()
            && let Ok(metadata) = got.json(SOURCE)
        {
            return Ok(Some(metadata));
        }
    }
    Ok(None)
}

/// Reads an issuer's metadata, at the addresses in the order of MCP 2026-07-28.
async fn issuer(egress: &Egress, source: &Url, name: &str) -> Result<IssuerMetadata> {
    let base = Url::parse(name).map_err(|_| untrusted("the source names an issuer that is no address"))?;
    secure(source, &base, "the issuer")?;
    let path = base.path().trim_end_matches('/');
    let mut places = vec![well_known(&base, "oauth-authorization-server", path)];
    places.push(well_known(&base, "openid-configuration", path));
    if !path.is_empty() {
        let mut appended = base.clone();
        appended.set_path(&format!("{path}/.well-known/openid-configuration"));
        appended.set_query(None);
        places.push(appended);
    }
    for place in places {
        let got = fetch::get(egress, METADATA, &place).await?;
        let Ok(metadata) = got.json::<IssuerMetadata>(METADATA) else { continue };
        if !got.status.is_success() {
            continue;
        }
        if metadata.issuer != name {
            let (name, other) = (quoted(name), quoted(&metadata.issuer));
            return Err(untrusted(format!(
                "the metadata of the issuer {name} are those of another: {other}"
            )));
        }
        return Ok(metadata);
    }
    Err(untrusted(format!("the issuer {} has no metadata", quoted(name))))
}

fn described(source: &Url, metadata: IssuerMetadata, resource: &str, scopes: Vec<String>) -> Result<Issuer> {
    let lacks = |what: &str| untrusted(format!("the issuer's metadata name no {what}"));
    let methods = metadata.code_challenge_methods_supported;
    if !methods.is_some_and(|methods| methods.iter().any(|method| method == "S256")) {
        return Err(untrusted("the issuer does not say that it protects codes by PKCE with S256"));
    }
    let issuer = Issuer {
        name: metadata.issuer,
        resource: resource.to_owned(),
        authorization: metadata.authorization_endpoint.ok_or_else(|| lacks("authorization endpoint"))?,
        token: metadata.token_endpoint.ok_or_else(|| lacks("token endpoint"))?,
        registration: metadata.registration_endpoint,
        revocation: metadata.revocation_endpoint,
        scopes: scopes.into_iter().take(SCOPES_MAX).collect(),
        offline_access: metadata.scopes_supported.iter().any(|scope| scope == "offline_access"),
        takes_documents: metadata.client_id_metadata_document_supported,
        names_itself: metadata.authorization_response_iss_parameter_supported,
        auth_methods: metadata.token_endpoint_auth_methods_supported,
    };
    let endpoints = [Some(&issuer.authorization), Some(&issuer.token)];
    for endpoint in
        endpoints.into_iter().chain([issuer.registration.as_ref(), issuer.revocation.as_ref()]).flatten()
    {
        secure(source, endpoint, "an endpoint of the issuer")?;
    }
    Ok(issuer)
}

/// Finds the issuer of a source that knows no metadata of its own: as of 2025-03-26, its own origin,
/// with endpoints at fixed addresses if there are no metadata of those either.
async fn before_2025_06(egress: &Egress, source: &Url) -> Result<Issuer> {
    let origin = source.origin().ascii_serialization();
    let place = well_known(source, "oauth-authorization-server", "");
    let got = fetch::get(egress, METADATA, &place).await?;
    if got.status.is_success()
        && let Ok(metadata) = got.json::<IssuerMetadata>(METADATA)
    {
        if metadata.issuer.trim_end_matches('/') != origin {
            let other = quoted(&metadata.issuer);
            return Err(untrusted(format!("the issuer at {origin} says it is another: {other}")));
        }
        return described(source, metadata, source.as_str(), Vec::new());
    }
    let at = |path: &str| {
        let mut url = source.clone();
        url.set_path(path);
        url.set_query(None);
        url
    };
    Ok(Issuer {
        name: origin,
        resource: source.to_string(),
        authorization: at("/authorize"),
        token: at("/token"),
        registration: Some(at("/register")),
        revocation: None,
        scopes: Vec::new(),
        offline_access: false,
        takes_documents: false,
        names_itself: false,
        auth_methods: Vec::new(),
    })
}

fn well_known(base: &Url, name: &str, path: &str) -> Url {
    let mut url = base.clone();
    let path = path.trim_end_matches('/');
    url.set_path(&format!("/.well-known/{name}{path}"));
    url.set_query(None);
    url
}

/// Refuses what could be listened to on its way, where the source itself cannot.
fn secure(source: &Url, url: &Url, what: &str) -> Result<()> {
    let fits = match url.scheme() {
        "https" => true,
        "http" => source.scheme() == "http",
        _ => false,
    };
    if fits {
        return Ok(());
    }
    Err(untrusted(format!("{what} must be at an https:// address")))
}

/// Says whether a source is what a name stands for: the same, or below it at the same origin.
fn is_part_of(source: &Url, named: &str) -> bool {
    let Ok(named) = Url::parse(named) else { return false };
    if named.origin() != source.origin() || named.fragment().is_some() {
        return false;
    }
    let folder = named.path().trim_end_matches('/');
    let path = source.path().trim_end_matches('/');
    path == folder || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_itself_or_what_it_lies_in() {
        let source = Url::parse("https://h.example/mcp/a").unwrap();
        for is in [
            "https://h.example/mcp/a",
            "https://h.example/mcp/a/",
            "https://h.example/mcp",
            "https://h.example",
        ] {
            assert!(is_part_of(&source, is), "{is}");
        }
        for other in [
            "https://evil.example/mcp/a",
            "http://h.example/mcp/a",
            "https://h.example:8443/mcp/a",
            "https://h.example/mc",
            "https://h.example/mcp/a/b",
            "https://h.example/mcp/a#x",
            "mcp",
            "",
        ] {
            assert!(!is_part_of(&source, other), "{other}");
        }
    }
}
