//! The form of the document, and reading it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use doorward::{
    model::{
        AccessLevel, CaCertificates, CallRules, Destination, Email, EraSetting, Fingerprint, Handle,
        InstanceRole, OrgRole, Plan, PlanName, PresetStatus, Rate, RunsAs, Slug, SourceKind, SourceName,
        TunnelName, Visibility,
    },
    presets::NewGrantee,
    secret::Secret,
};
use serde::Deserialize;
use serde_saphyr::Spanned;
use url::Url;

use super::Mistake;
use crate::take::{Taken, Until, port, present};

/// The version of the form.
const VERSION: u32 = 1;

/// What an installation should hold.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    pub(super) version: Spanned<u32>,
    #[serde(default)]
    pub(super) plans: Vec<Spanned<Plan>>,
    #[serde(default)]
    pub(super) users: Vec<Spanned<UserItem>>,
    #[serde(default)]
    pub(super) organisations: Vec<Spanned<OrganisationItem>>,
    #[serde(default)]
    pub(super) tunnels: Vec<Spanned<TunnelItem>>,
    #[serde(default)]
    pub(super) sources: Vec<Spanned<SourceItem>>,
    #[serde(default)]
    pub(super) presets: Vec<Spanned<PresetItem>>,
    #[serde(default)]
    pub(super) keys: Vec<Spanned<KeyItem>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UserItem {
    pub(super) handle: Handle,
    pub(super) email: Email,
    pub(super) password: Option<Secret>,
    pub(super) password_file: Option<PathBuf>,
    pub(super) role: Option<InstanceRole>,
    pub(super) plan: Option<PlanName>,
    pub(super) enabled: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OrganisationItem {
    pub(super) handle: Handle,
    pub(super) title: Option<String>,
    pub(super) enabled: Option<bool>,
    /// What it may use beside what its members may; `null` = no plan of its own, absent = as it is.
    #[serde(default, deserialize_with = "present")]
    pub(super) plan: Option<Option<PlanName>>,
    /// Who belongs to it at least; whoever is not named stays as they are.
    #[serde(default)]
    pub(super) members: Vec<Spanned<OrgMemberItem>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OrgMemberItem {
    pub(super) user: Handle,
    pub(super) role: OrgRole,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TunnelItem {
    pub(super) owner: Handle,
    pub(super) name: TunnelName,
    /// Its servers in the order they are passed, as a whole; absent = as they are.
    pub(super) hops: Option<Vec<Spanned<HopItem>>>,
    /// The only places it leads to, as a whole; absent = as they are.
    pub(super) destinations: Option<Vec<Destination>>,
}

/// An SSH server of a tunnel. Without a key or a password it keeps what signs in there, or gets a key made here.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HopItem {
    pub(super) host: String,
    /// 22 if absent.
    #[serde(default, deserialize_with = "port")]
    pub(super) port: Option<u16>,
    pub(super) user: String,
    /// A private key that its owner has.
    pub(super) key: Option<Secret>,
    pub(super) key_file: Option<PathBuf>,
    /// What it is encrypted with.
    pub(super) passphrase: Option<Secret>,
    pub(super) passphrase_file: Option<PathBuf>,
    /// A certificate for it, the line in `…-cert.pub`.
    pub(super) certificate: Option<String>,
    pub(super) certificate_file: Option<PathBuf>,
    /// A key made here: the one there is, if it was.
    #[serde(default)]
    pub(super) generated: bool,
    pub(super) password: Option<Secret>,
    pub(super) password_file: Option<PathBuf>,
    /// Its host key, as `SHA256:…`; absent = the one confirmed.
    pub(super) host_key: Option<Fingerprint>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SourceItem {
    pub(super) owner: Handle,
    pub(super) name: SourceName,
    pub(super) kind: SourceKind,
    pub(super) url: Option<Url>,
    pub(super) command: Option<Vec<String>>,
    pub(super) working_dir: Option<PathBuf>,
    pub(super) auth: Option<AuthItem>,
    pub(super) env: Option<BTreeMap<String, Secret>>,
    pub(super) env_files: Option<BTreeMap<String, PathBuf>>,
    pub(super) era: Option<EraSetting>,
    pub(super) runs_as: Option<RunsAs>,
    pub(super) enabled: Option<bool>,
    /// A tunnel that its owner has, or that the document declares; `null` = directly.
    #[serde(default, deserialize_with = "present")]
    pub(super) tunnel: Option<Option<TunnelName>>,
    /// Whom to trust to sign its certificate, as PEM; `null` = those whom the gateway's machine trusts.
    #[serde(default, deserialize_with = "present")]
    pub(super) ca_certificates: Option<Option<CaCertificates>>,
    pub(super) ca_certificates_file: Option<PathBuf>,
    /// How fast calls may come, as a whole; absent = as it is.
    pub(super) rules: Option<CallRules>,
}

/// Exactly one of the four.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuthItem {
    pub(super) bearer: Option<Secret>,
    pub(super) bearer_file: Option<PathBuf>,
    pub(super) basic: Option<BasicItem>,
    pub(super) header: Option<HeaderItem>,
    pub(super) oauth: Option<OauthItem>,
    pub(super) jws: Option<Secret>,
    pub(super) jws_file: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BasicItem {
    pub(super) user: String,
    pub(super) password: Option<Secret>,
    pub(super) password_file: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HeaderItem {
    pub(super) name: String,
    pub(super) value: Option<Secret>,
    pub(super) value_file: Option<PathBuf>,
}

/// How Doorward is known at a source's issuer, as far as it is not found out.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OauthItem {
    pub(super) client_id: Option<String>,
    pub(super) client_secret: Option<Secret>,
    pub(super) client_secret_file: Option<PathBuf>,
    pub(super) scope: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PresetItem {
    pub(super) owner: Handle,
    pub(super) slug: Slug,
    pub(super) title: Option<String>,
    pub(super) description: Option<String>,
    pub(super) visibility: Option<Visibility>,
    pub(super) anonymous: Option<bool>,
    pub(super) status: Option<PresetStatus>,
    /// A day (it answers until its end, in UTC), a time or `never`; absent = as it is.
    pub(super) expires_at: Option<Until>,
    /// How fast calls may come, and which are made once, as a whole; absent = as it is.
    pub(super) rules: Option<CallRules>,
    pub(super) tools: Option<Vec<Spanned<ToolsItem>>>,
    /// The whole access list; absent = it is left as it is.
    pub(super) access: Option<Vec<Spanned<AccessItem>>>,
}

/// Somebody on an access list: exactly one of `user`, `email` and `organisation`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AccessItem {
    pub(super) user: Option<Handle>,
    pub(super) email: Option<Email>,
    pub(super) organisation: Option<Handle>,
    /// The least role in that organisation; `viewer` if absent.
    pub(super) role: Option<OrgRole>,
    pub(super) level: AccessLevel,
}

impl AccessItem {
    /// Returns whom it is about; `None` if that is nobody or two.
    pub(super) fn who(&self) -> Option<NewGrantee> {
        NewGrantee::one_of(self.user.clone(), self.email.clone(), self.organisation.clone(), self.role)
    }
}

/// What a preset takes from one source.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ToolsItem {
    pub(super) source: SourceName,
    pub(super) allow: Allow,
    #[serde(default)]
    pub(super) deny: BTreeSet<String>,
    #[serde(default)]
    pub(super) rename: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) describe: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) check_arguments: BTreeSet<String>,
    /// Resources and resource templates: `all`, `none` or a list of URIs and templates.
    #[serde(default)]
    pub(super) resources: Taken,
    /// Prompts: `all`, `none` or a list of names.
    #[serde(default)]
    pub(super) prompts: Taken,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Allow {
    Word(AllowWord),
    Names(BTreeSet<String>),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum AllowWord {
    All,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyItem {
    pub(super) owner: Handle,
    /// Whose key it is, of those who belong to the organisation that owns it; absent = whoever applies, and at the
    /// shell the owner, or the organisation's administrator.
    pub(super) user: Option<Handle>,
    pub(super) name: String,
    /// The key itself, when it exists already.
    pub(super) secret: Option<Secret>,
    pub(super) secret_file: Option<PathBuf>,
    /// Where `secret` was written, if it was made for this key.
    #[serde(skip)]
    pub(super) kept_in: Option<PathBuf>,
    /// The presets it may call; absent = everything its owner may.
    pub(super) presets: Option<Vec<Slug>>,
    pub(super) expires_in_days: Option<u32>,
    /// How fast calls with it may come; absent = as it is.
    pub(super) rate: Option<Rate>,
}

/// Reads a document; a mistake names its line.
pub fn read(text: &str) -> Result<Document, Mistake> {
    let document: Document = serde_saphyr::from_str(text).map_err(|error| {
        let line = error.location().map(|location| location.line());
        // The error can show the lines around it, which may hold a password.
        Mistake {
            line: line.and_then(|line| usize::try_from(line).ok()),
            reason: error.without_snippet().to_string(),
        }
    })?;
    check(&document)?;
    Ok(document)
}

fn check(document: &Document) -> Result<(), Mistake> {
    if document.version.value != VERSION {
        return Err(mistake(&document.version, format!("the form has version {VERSION}")));
    }
    unique(&document.plans, "plan", |plan| plan.name.to_string())?;
    unique(&document.users, "user", |user| user.handle.to_string())?;
    unique(&document.organisations, "organisation", |one| one.handle.to_string())?;
    for one in &document.organisations {
        unique(&one.value.members, "member", |member| member.user.to_string())?;
    }
    unique(&document.tunnels, "tunnel", |tunnel| format!("{}/{}", tunnel.owner, tunnel.name))?;
    unique(&document.sources, "source", |source| format!("{}/{}", source.owner, source.name))?;
    unique(&document.presets, "preset", |preset| format!("{}/{}", preset.owner, preset.slug))?;
    unique(&document.keys, "key", |key| match &key.user {
        Some(user) => format!("{}/{} of {user}", key.owner, key.name),
        None => format!("{}/{}", key.owner, key.name),
    })?;
    for user in &document.users {
        let item = &user.value;
        one_of(user, "password", item.password.is_some(), "password_file", item.password_file.is_some())?;
    }
    for hop in document.tunnels.iter().flat_map(|tunnel| tunnel.value.hops.iter().flatten()) {
        check_hop(hop)?;
    }
    for source in &document.sources {
        check_source(source)?;
    }
    for preset in &document.presets {
        check_access(preset)?;
        let tools = preset.value.tools.iter().flatten();
        let mut seen = BTreeSet::new();
        for item in tools {
            if !seen.insert(&item.value.source) {
                return Err(mistake(item, format!("source `{}` is named twice", item.value.source)));
            }
            if let Allow::Names(_) = item.value.allow
                && !item.value.deny.is_empty()
            {
                return Err(mistake(item, "`deny` goes with `allow: all` only".to_owned()));
            }
        }
    }
    for key in &document.keys {
        one_of(key, "secret", key.value.secret.is_some(), "secret_file", key.value.secret_file.is_some())?;
    }
    Ok(())
}

fn check_access(preset: &Spanned<PresetItem>) -> Result<(), Mistake> {
    let mut seen = BTreeSet::new();
    for item in preset.value.access.iter().flatten() {
        let Some(who) = item.value.who() else {
            let reason = "give exactly one of `user`, `email` and `organisation`; `role` goes with the last";
            return Err(mistake(item, reason.to_owned()));
        };
        if !seen.insert(who) {
            return Err(mistake(item, "the same is on the list twice".to_owned()));
        }
    }
    if preset.value.visibility == Some(Visibility::Private) && !seen.is_empty() {
        let reason = "the access list of a private preset opens nothing: say `visibility: invite_only`";
        return Err(mistake(preset, reason.to_owned()));
    }
    Ok(())
}

fn check_hop(hop: &Spanned<HopItem>) -> Result<(), Mistake> {
    let item = &hop.value;
    let key = item.key.is_some() || item.key_file.is_some();
    let password = item.password.is_some() || item.password_file.is_some();
    if [key, password, item.generated].iter().filter(|said| **said).count() > 1 {
        let reason = "a server is signed in at with one of `key_file`, `generated: true` and `password_file`";
        return Err(mistake(hop, reason.to_owned()));
    }
    one_of(hop, "key", item.key.is_some(), "key_file", item.key_file.is_some())?;
    one_of(hop, "password", item.password.is_some(), "password_file", item.password_file.is_some())?;
    one_of(hop, "passphrase", item.passphrase.is_some(), "passphrase_file", item.passphrase_file.is_some())?;
    let files = item.certificate_file.is_some();
    one_of(hop, "certificate", item.certificate.is_some(), "certificate_file", files)?;
    let beside = item.passphrase.is_some() || item.passphrase_file.is_some();
    if (beside || item.certificate.is_some() || files) && !key {
        return Err(mistake(hop, "`passphrase` and `certificate` go with `key_file`".to_owned()));
    }
    Ok(())
}

fn check_source(source: &Spanned<SourceItem>) -> Result<(), Mistake> {
    let item = &source.value;
    match item.kind {
        SourceKind::McpHttp | SourceKind::SparkHistory => {
            if item.url.is_none() {
                return Err(mistake(source, format!("a source of kind {} needs `url`", item.kind.word())));
            }
            if item.command.is_some()
                || item.working_dir.is_some()
                || item.env.is_some()
                || item.env_files.is_some()
            {
                return Err(mistake(
                    source,
                    "`command`, `working_dir`, `env` and `env_files` are for mcp_stdio".to_owned(),
                ));
            }
        }
        SourceKind::McpStdio => {
            if item.command.as_ref().is_none_or(Vec::is_empty) {
                return Err(mistake(source, "a source of kind mcp_stdio needs `command`".to_owned()));
            }
            if item.url.is_some() || item.auth.is_some() {
                return Err(mistake(source, "`url` and `auth` are not for mcp_stdio".to_owned()));
            }
        }
    }
    let (text, file) = (item.ca_certificates.is_some(), item.ca_certificates_file.is_some());
    one_of(source, "ca_certificates", text, "ca_certificates_file", file)?;
    if let Some(auth) = &item.auth {
        let bearer = auth.bearer.is_some() || auth.bearer_file.is_some();
        let jws = auth.jws.is_some() || auth.jws_file.is_some();
        let said = [bearer, auth.basic.is_some(), auth.header.is_some(), auth.oauth.is_some(), jws];
        if said.iter().filter(|said| **said).count() != 1 {
            return Err(mistake(
                source,
                "`auth` holds exactly one of bearer, basic, header, oauth and jws".to_owned(),
            ));
        }
        one_of(source, "bearer", auth.bearer.is_some(), "bearer_file", auth.bearer_file.is_some())?;
        one_of(source, "jws", auth.jws.is_some(), "jws_file", auth.jws_file.is_some())?;
        if let Some(basic) = &auth.basic {
            exactly_one(source, "password", basic.password.is_some(), basic.password_file.is_some())?;
        }
        if let Some(header) = &auth.header {
            exactly_one(source, "value", header.value.is_some(), header.value_file.is_some())?;
        }
        if let Some(oauth) = &auth.oauth {
            let (text, file) = (oauth.client_secret.is_some(), oauth.client_secret_file.is_some());
            one_of(source, "client_secret", text, "client_secret_file", file)?;
        }
    }
    Ok(())
}

fn exactly_one<T>(item: &Spanned<T>, name: &str, value: bool, file: bool) -> Result<(), Mistake> {
    if value == file {
        return Err(mistake(item, format!("give `{name}` or `{name}_file`")));
    }
    Ok(())
}

fn one_of<T>(
    item: &Spanned<T>,
    one: &str,
    has_one: bool,
    other: &str,
    has_other: bool,
) -> Result<(), Mistake> {
    if has_one && has_other {
        return Err(mistake(item, format!("`{one}` and `{other}` exclude each other")));
    }
    Ok(())
}

fn unique<T>(items: &[Spanned<T>], what: &str, name: impl Fn(&T) -> String) -> Result<(), Mistake> {
    let mut seen = BTreeSet::new();
    for item in items {
        let name = name(&item.value);
        if !seen.insert(name.clone()) {
            return Err(mistake(item, format!("{what} `{name}` is declared twice")));
        }
    }
    Ok(())
}

pub(super) fn mistake<T>(item: &Spanned<T>, reason: String) -> Mistake {
    Mistake { line: line(item), reason }
}

/// Returns the line an item begins at.
pub(super) fn line<T>(item: &Spanned<T>) -> Option<usize> {
    usize::try_from(item.defined.line()).ok().filter(|line| *line > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::take::TakenWord;

    #[test]
    fn a_mistake_names_its_line_and_never_shows_the_text_around_it() {
        let unknown = read(
            "version: 1\nusers:\n  - handle: ada\n    email: ada@example.org\n    password: hunter2\n    rolle: admin\n",
        );
        let unknown = unknown.unwrap_err();
        assert_eq!(unknown.line, Some(6), "{unknown}");
        assert!(unknown.reason.contains("rolle") && !unknown.to_string().contains("hunter2"), "{unknown}");

        let handle = read("version: 1\nusers:\n  - handle: A\n    email: ada@example.org\n").unwrap_err();
        assert_eq!(handle.line, Some(3), "{handle}");

        let twice = "version: 1\nsources:\n  - &a {owner: ada, name: x, kind: mcp_http, url: 'http://a/'}\n  - {owner: ada, name: x, kind: mcp_http, url: 'http://b/'}\n";
        let twice = read(twice).unwrap_err();
        assert_eq!(twice.line, Some(4), "{twice}");

        let kind =
            read("version: 1\nsources:\n\n  - {owner: ada, name: x, kind: mcp_stdio, url: 'http://a/'}\n")
                .unwrap_err();
        assert_eq!(kind.line, Some(4), "{kind}");
    }

    #[test]
    fn an_access_list_says_whom_it_means_and_that_it_holds() {
        for (preset, words) in [
            ("access: [{user: ada, email: a@b.example, level: viewer}]", "exactly one of"),
            ("access: [{user: ada, role: admin, level: viewer}]", "`role` goes with"),
            ("access: [{user: ada, level: viewer}, {user: ada, level: admin}]", "on the list twice"),
            ("visibility: private, access: [{user: ada, level: viewer}]", "opens nothing"),
        ] {
            let text = format!("version: 1\npresets:\n  - {{owner: ada, slug: x, {preset}}}\n");
            let wrong = read(&text).unwrap_err();
            assert!(wrong.line == Some(3) && wrong.reason.contains(words), "{preset}: {wrong}");
        }
    }

    #[test]
    fn the_form_of_the_guide_is_read() {
        let text = "version: 1\nplans: [{name: small, calls_per_month: 1000}]\npresets:\n  - owner: ada\n    slug: all\n    visibility: public\n    anonymous: true\n    tools: [{ source: everything, allow: all, resources: all, prompts: [review] }, { source: files, allow: [read, list], rename: {read: read_file}, resources: none }]\nkeys: [{owner: ada, name: bench, secret_file: bench.key}]\n";

        let document = read(text).unwrap();

        let tools = document.presets[0].value.tools.as_ref().unwrap();
        assert_eq!(tools.len(), 2);
        assert_eq!(tools[0].value.resources, Taken::Word(TakenWord::All));
        assert_eq!(tools[0].value.prompts, Taken::Names(["review".to_owned()].into()));
        assert_eq!(tools[1].value.prompts, Taken::default());
    }
}
