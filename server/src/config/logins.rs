//! The file of identity providers: TOML, one table for each.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use doorward::{
    egress::names_this_machine,
    identity::{LoginProvider, ProviderKind, SignUp},
    secret::Secret,
};
use serde::Deserialize;
use url::Url;

use super::{
    layer::{PREFIX, variable},
    value::Value,
};

/// The issuer of Google.
const GOOGLE: &str = "https://accounts.google.com";
/// Where GitHub is.
const GITHUB: &str = "https://github.com";
/// Where GitHub says who somebody is.
const GITHUB_API: &str = "https://api.github.com";
/// The longest name of a provider, which is part of addresses.
const NAME_MAX: usize = 32;
/// How many providers there may be: each is a button.
const PROVIDERS_MAX: usize = 16;

/// The identity providers that people may sign in with, as a file describes them.
#[derive(Clone)]
pub struct LoginsFile {
    path: PathBuf,
    /// The providers, by name.
    pub providers: Vec<LoginProvider>,
}

impl fmt::Debug for LoginsFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("LoginsFile").field(&self.path).finish()
    }
}

/// One provider as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    kind: Option<Kind>,
    label: Option<String>,
    issuer: Option<String>,
    url: Option<Url>,
    client_id: String,
    client_secret_file: Option<PathBuf>,
    client_secret_variable: Option<String>,
    #[serde(default)]
    assertions: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Openid,
    Google,
    Github,
}

impl Value for LoginsFile {
    fn read(text: &str) -> Result<Self, String> {
        let path = PathBuf::from(text);
        let failed =
            |what: &dyn fmt::Display| format!("names `{}`, which does not hold: {what}", path.display());
        let content = std::fs::read_to_string(&path).map_err(|error| failed(&error))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let providers = providers(&content, folder).map_err(|error| failed(&error))?;
        Ok(Self { path, providers })
    }

    fn write(&self) -> String {
        self.path.display().to_string()
    }
}

fn providers(content: &str, folder: &Path) -> Result<Vec<LoginProvider>, String> {
    let tables: std::collections::BTreeMap<String, Written> =
        toml::from_str(content).map_err(|error| error.to_string())?;
    if tables.len() > PROVIDERS_MAX {
        return Err(format!("there may be {PROVIDERS_MAX} providers"));
    }
    let mut providers: Vec<LoginProvider> = Vec::new();
    for (name, written) in tables {
        let provider = provider(&name, written, folder).map_err(|error| format!("[{name}] {error}"))?;
        if let Some(twin) = providers.iter().find(|other| other.issuer() == provider.issuer()) {
            return Err(format!("[{name}] and [{}] are the same issuer", twin.name));
        }
        providers.push(provider);
    }
    Ok(providers)
}

fn provider(name: &str, written: Written, folder: &Path) -> Result<LoginProvider, String> {
    let plain = name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    if name.is_empty() || name.len() > NAME_MAX || !plain {
        return Err(format!("must be 1 to {NAME_MAX} of a-z, 0-9 and -, since it is part of addresses"));
    }
    if written.client_id.trim().is_empty() {
        return Err("needs a client_id".to_owned());
    }
    let kind = written.kind.unwrap_or(match name {
        "google" => Kind::Google,
        "github" => Kind::Github,
        _ => Kind::Openid,
    });
    let client_secret = secret(&written, folder)?;
    let (label, kind) = match (kind, written.issuer, written.url) {
        (Kind::Openid, Some(issuer), None) => {
            check_address(&Url::parse(&issuer).map_err(|error| format!("issuer: {error}"))?)?;
            (name, ProviderKind::OpenId { issuer })
        }
        (Kind::Google, None, None) => ("Google", ProviderKind::OpenId { issuer: GOOGLE.to_owned() }),
        (Kind::Github, None, url) => ("GitHub", github(url)?),
        (Kind::Openid, None, _) => return Err("needs an issuer, as https://id.example.org".to_owned()),
        (Kind::Openid | Kind::Google, _, Some(_)) => {
            return Err("takes no url: that is for GitHub Enterprise".to_owned());
        }
        (Kind::Google | Kind::Github, Some(_), _) => {
            return Err("takes no issuer; name the table otherwise, or say kind = \"openid\"".to_owned());
        }
    };
    let takes_assertions = written.assertions;
    if takes_assertions && !matches!(kind, ProviderKind::OpenId { .. }) {
        return Err("takes no assertions: GitHub makes none".to_owned());
    }
    let label = written.label.unwrap_or_else(|| label.to_owned());
    let (name, client_id) = (name.to_owned(), written.client_id);
    Ok(LoginProvider { name, label, kind, client_id, client_secret, takes_assertions })
}

/// Returns where GitHub is, or the installation of GitHub Enterprise at this address.
fn github(url: Option<Url>) -> Result<ProviderKind, String> {
    let fixed = |text: &str| Url::parse(text).expect("a constant");
    let Some(site) = url else {
        return Ok(ProviderKind::GitHub { site: fixed(GITHUB), api: fixed(GITHUB_API) });
    };
    check_address(&site)?;
    let api = site.join("/api/v3").map_err(|error| format!("url: {error}"))?;
    Ok(ProviderKind::GitHub { site, api })
}

/// Refuses what people's identity must not travel over.
fn check_address(url: &Url) -> Result<(), String> {
    let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if plain && (url.scheme() == "https" || url.scheme() == "http" && names_this_machine(url)) {
        return Ok(());
    }
    Err(format!("`{url}` must be https:// and nothing behind its path"))
}

fn secret(written: &Written, folder: &Path) -> Result<Option<Secret>, String> {
    let text = match (&written.client_secret_file, &written.client_secret_variable) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => return Err("takes one client_secret_…, not two".to_owned()),
        (Some(file), None) => {
            let path = folder.join(file);
            let text = std::fs::read_to_string(&path);
            text.map_err(|error| format!("could not read `{}`: {error}", path.display()))?
        }
        (None, Some(name)) if name.starts_with(PREFIX) => {
            return Err(format!("`{name}` would be a setting of ours: name the variable otherwise"));
        }
        (None, Some(name)) => variable(name).ok_or_else(|| format!("the variable `{name}` is not set"))?,
    };
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() { Err("the client secret is empty".to_owned()) } else { Ok(Some(Secret::new(text))) }
}

impl Value for SignUp {
    fn read(text: &str) -> Result<Self, String> {
        match text.trim() {
            "closed" => Ok(Self::Closed),
            "invited" => Ok(Self::Invited),
            "open" => Ok(Self::Open),
            domains => {
                let domains: Vec<String> =
                    domains.split(',').map(|domain| domain.trim().to_lowercase()).collect();
                let fits = |domain: &String| {
                    domain.contains('.')
                        && domain.split('.').all(|label| {
                            !label.is_empty()
                                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                        })
                };
                if domains.iter().all(fits) {
                    return Ok(Self::Domains(domains));
                }
                Err(format!(
                    "must be `closed`, `invited`, `open` or domains as `example.org, example.net`, not `{text}`"
                ))
            }
        }
    }

    fn write(&self) -> String {
        match self {
            Self::Closed => "closed".to_owned(),
            Self::Invited => "invited".to_owned(),
            Self::Domains(domains) => domains.join(","),
            Self::Open => "open".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_names_issuers_google_and_github() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("google.secret"), "hush\n").unwrap();
        let content = "[google]\nclient_id = 'a'\nclient_secret_file = 'google.secret'\n\
                       [github]\nclient_id = 'b'\n[work]\nkind = 'github'\nurl = 'https://git.example.org'\nclient_id = 'c'\n\
                       [staff]\nlabel = 'Example'\nissuer = 'https://id.example.org/realms/x'\nclient_id = 'd'\n\
                       assertions = true\n";

        let found = providers(content, folder.path()).unwrap();

        let seen: Vec<_> =
            found.iter().map(|one| (one.name.as_str(), one.label.as_str(), one.issuer())).collect();
        assert_eq!(
            seen,
            [
                ("github", "GitHub", GITHUB.to_owned()),
                ("google", "Google", GOOGLE.to_owned()),
                ("staff", "Example", "https://id.example.org/realms/x".to_owned()),
                ("work", "GitHub", "https://git.example.org".to_owned()),
            ]
        );
        let taking: Vec<_> =
            found.iter().filter(|one| one.takes_assertions).map(|one| one.name.as_str()).collect();
        assert_eq!(taking, ["staff"]);
        assert_eq!(found[1].client_secret.as_ref().unwrap().expose(), "hush");
        let ProviderKind::GitHub { api, .. } = &found[3].kind else { panic!("{found:?}") };
        assert_eq!(api.as_str(), "https://git.example.org/api/v3");
    }

    #[test]
    fn what_does_not_hold_is_said() {
        for (content, word) in [
            ("[Work]\nclient_id = 'a'\nissuer = 'https://a.example'", "addresses"),
            ("[work]\nclient_id = 'a'", "issuer"),
            ("[work]\nissuer = 'https://a.example'", "client_id"),
            ("[work]\nclient_id = 'a'\nissuer = 'http://a.example'", "https://"),
            ("[work]\nclient_id = 'a'\nissuer = 'https://a.example?x=1'", "https://"),
            ("[google]\nclient_id = 'a'\nissuer = 'https://a.example'", "issuer"),
            ("[work]\nclient_id = 'a'\nissuer = 'https://a.example'\nsecret = 'x'", "secret"),
            ("[google]\nclient_id = 'a'\nclient_secret_file = 'none'", "none"),
            ("[github]\nclient_id = 'a'\nassertions = true", "assertions"),
            ("[google]\nclient_id = 'a'\nclient_secret_variable = 'DOORWARD_X'", "setting"),
            ("[google]\nclient_id = 'a'\nclient_secret_variable = 'SURELY_NOT_SET'", "not set"),
            ("[a]\nkind = 'google'\nclient_id = 'a'\n[b]\nkind = 'google'\nclient_id = 'b'", "same issuer"),
        ] {
            let error = providers(content, Path::new("/nowhere")).unwrap_err();
            assert!(error.contains(word), "{content}: {error}");
        }
    }

    #[test]
    fn who_may_sign_up_is_a_word_or_domains() {
        let read = <SignUp as Value>::read;

        assert_eq!(read("closed"), Ok(SignUp::Closed));
        assert_eq!(read("invited"), Ok(SignUp::Invited));
        assert_eq!(read("open"), Ok(SignUp::Open));
        let domains = read("Example.org, example.net").unwrap();
        assert_eq!(domains.write(), "example.org,example.net");
        for wrong in ["", "everybody", "example.org,", "@example.org", "example..org"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
