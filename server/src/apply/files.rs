//! Files that a document names: read beside the document, and written for keys that were made.

use std::{
    fs, io,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use doorward::{identity::Identity, model::CaCertificates, secret::Secret};
use serde_json::{Map, Value};

use super::{
    ApplyError, Document, Plan,
    document::{AuthItem, HopItem, line},
};

/// Reads every file that the document names, relative to the folder it is in.
///
/// A key's file may be absent: it is written when the key has been made.
pub fn resolve(document: &mut Document, folder: &Path) -> Result<(), ApplyError> {
    for user in &mut document.users {
        let at = line(user);
        take(&mut user.value.password, &mut user.value.password_file, folder, at)?;
    }
    for hop in document.tunnels.iter_mut().flat_map(|tunnel| tunnel.value.hops.iter_mut().flatten()) {
        let at = line(hop);
        let hop = &mut hop.value;
        take(&mut hop.key, &mut hop.key_file, folder, at)?;
        take(&mut hop.passphrase, &mut hop.passphrase_file, folder, at)?;
        take(&mut hop.password, &mut hop.password_file, folder, at)?;
        if let Some(path) = hop.certificate_file.take() {
            hop.certificate = Some(read(folder, &path, at)?.expose().to_owned());
        }
    }
    for source in &mut document.sources {
        let at = line(source);
        if let Some(AuthItem { bearer, bearer_file, basic, header, oauth, jws, jws_file }) =
            &mut source.value.auth
        {
            take(bearer, bearer_file, folder, at)?;
            take(jws, jws_file, folder, at)?;
            if let Some(basic) = basic {
                take(&mut basic.password, &mut basic.password_file, folder, at)?;
            }
            if let Some(header) = header {
                take(&mut header.value, &mut header.value_file, folder, at)?;
            }
            if let Some(oauth) = oauth {
                take(&mut oauth.client_secret, &mut oauth.client_secret_file, folder, at)?;
            }
        }
        if let Some(path) = source.value.ca_certificates_file.take() {
            let text = read(folder, &path, at)?;
            let parsed = CaCertificates::parse(text.expose()).map_err(|error| {
                let reason = format!("`ca_certificates_file`: {error}");
                super::Mistake { line: at, reason }
            })?;
            source.value.ca_certificates = Some(Some(parsed));
        }
        for (name, path) in source.value.env_files.take().into_iter().flatten() {
            let value = read(folder, &path, at)?;
            source.value.env.get_or_insert_default().insert(name, value);
        }
    }
    for key in &mut document.keys {
        let at = line(key);
        if let Some(path) = &key.value.secret_file
            && folder.join(path).exists()
        {
            key.value.secret = Some(read(folder, path, at)?);
        }
    }
    Ok(())
}

/// Makes the keys whose files are absent and writes them there, before they open anything: a process
/// that dies after that finds them the next time, and one that dies before it has made none.
pub fn make_secrets(document: &mut Document, identity: &Identity, folder: &Path) -> Result<(), ApplyError> {
    for key in &mut document.keys {
        let at = line(key);
        let key = &mut key.value;
        let Some(file) = key.secret_file.as_ref().filter(|_| key.secret.is_none()) else { continue };
        let text = identity.new_key_text().map_err(|source| ApplyError::Identity { at, source })?;
        let path = folder.join(file);
        write_private(&path, text.expose()).map_err(|source| ApplyError::File {
            at,
            deed: "write",
            path: path.clone(),
            source,
        })?;
        (key.secret, key.kept_in) = (Some(text), Some(path));
    }
    Ok(())
}

/// Writes the keys that were made into the files that the document names for them.
pub fn write_new_secrets(document: &Document, plan: &mut Plan, folder: &Path) -> Result<(), ApplyError> {
    for key in &document.keys {
        let Some(file) = &key.value.secret_file else { continue };
        let name = format!("{}/{}", key.value.owner, key.value.name);
        let step = plan.steps.iter_mut().find(|step| step.kind == "key" && step.name == name);
        let Some(step) = step else { continue };
        let Some(secret) = step.secret.take() else { continue };
        let path = folder.join(file);
        write_private(&path, &secret).map_err(|source| ApplyError::File {
            at: line(key),
            deed: "write",
            path: path.clone(),
            source,
        })?;
        step.detail = format!("written to {}", path.display());
    }
    Ok(())
}

/// Refuses a document that names files: they would be read on the gateway's machine.
pub fn refuse_files(document: &Document) -> Result<(), ApplyError> {
    let refuse = |at, name| Err(ApplyError::FileByRequest { at, name });
    for user in &document.users {
        if user.value.password_file.is_some() {
            return refuse(line(user), "password_file");
        }
    }
    for hop in document.tunnels.iter().flat_map(|tunnel| tunnel.value.hops.iter().flatten()) {
        let HopItem { key_file, passphrase_file, certificate_file, password_file, .. } = &hop.value;
        for (name, file) in [
            ("key_file", key_file),
            ("passphrase_file", passphrase_file),
            ("certificate_file", certificate_file),
            ("password_file", password_file),
        ] {
            if file.is_some() {
                return refuse(line(hop), name);
            }
        }
    }
    for source in &document.sources {
        let at = line(source);
        if source.value.env_files.is_some() {
            return refuse(at, "env_files");
        }
        if source.value.ca_certificates_file.is_some() {
            return refuse(at, "ca_certificates_file");
        }
        let Some(auth) = &source.value.auth else { continue };
        if auth.bearer_file.is_some() {
            return refuse(at, "bearer_file");
        }
        if auth.jws_file.is_some() {
            return refuse(at, "jws_file");
        }
        if auth.basic.as_ref().is_some_and(|basic| basic.password_file.is_some()) {
            return refuse(at, "password_file");
        }
        if auth.header.as_ref().is_some_and(|header| header.value_file.is_some()) {
            return refuse(at, "value_file");
        }
        if auth.oauth.as_ref().is_some_and(|oauth| oauth.client_secret_file.is_some()) {
            return refuse(at, "client_secret_file");
        }
    }
    for key in &document.keys {
        if key.value.secret_file.is_some() {
            return refuse(line(key), "secret_file");
        }
    }
    Ok(())
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{text}")
}

fn take(
    value: &mut Option<Secret>,
    file: &mut Option<PathBuf>,
    folder: &Path,
    at: Option<usize>,
) -> Result<(), ApplyError> {
    if let Some(path) = file.take() {
        *value = Some(read(folder, &path, at)?);
    }
    Ok(())
}

fn read(folder: &Path, path: &Path, at: Option<usize>) -> Result<Secret, ApplyError> {
    let path = folder.join(path);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Secret::new(text.trim_end_matches(['\r', '\n']))),
        Err(source) => Err(ApplyError::File { at, deed: "read", path, source }),
    }
}

/// Returns the text of a document as it is sent to a running installation: every file it names
/// replaced by its contents.
pub fn for_a_running_installation(text: &str, folder: &Path) -> Result<String, ApplyError> {
    let mut tree: Value = serde_saphyr::from_str(text)
        .map_err(|error| super::Mistake { line: None, reason: error.without_snippet().to_string() })?;
    embed(&mut tree, folder)?;
    Ok(tree.to_string())
}

fn embed(tree: &mut Value, folder: &Path) -> Result<(), ApplyError> {
    match tree {
        Value::Array(items) => items.iter_mut().try_for_each(|item| embed(item, folder)),
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                // What is named in these is the user's, not ours.
                if !matches!(name.as_str(), "env" | "env_files" | "rename" | "describe") {
                    embed(member, folder)?;
                }
            }
            embed_members(members, folder)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

fn embed_members(members: &mut Map<String, Value>, folder: &Path) -> Result<(), ApplyError> {
    if let Some(Value::Object(files)) = members.remove("env_files") {
        let env = members.entry("env").or_insert_with(|| Value::Object(Map::new()));
        for (name, path) in files {
            if let (Value::String(path), Some(env)) = (path, env.as_object_mut()) {
                env.insert(name, read(folder, Path::new(&path), None)?.expose().into());
            }
        }
    }
    for name in [
        "password",
        "bearer",
        "jws",
        "value",
        "client_secret",
        "key",
        "passphrase",
        "certificate",
        "secret",
        "ca_certificates",
    ] {
        let Some(Value::String(path)) = members.remove(&format!("{name}_file")) else { continue };
        if name == "secret" && !folder.join(&path).exists() {
            continue;
        }
        members.insert(name.to_owned(), read(folder, Path::new(&path), None)?.expose().into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_to_a_running_installation_names_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let parts =
            ["key", "passphrase", "certificate", "password", "bearer", "jws", "value", "client_secret"];
        for part in parts {
            fs::write(folder.path().join(part), format!("{part} of a file\n")).unwrap();
        }
        let text = "version: 1
tunnels: [{owner: ada, name: t, hops: [{host: b, user: c, key_file: key, passphrase_file: passphrase, certificate_file: certificate}, {host: b, user: c, password_file: password}], destinations: ['a:1']}]
sources:
  - {owner: ada, name: a, kind: mcp_http, url: 'http://a/', auth: {bearer_file: bearer}}
  - {owner: ada, name: b, kind: mcp_http, url: 'http://a/', auth: {jws_file: jws}}
  - {owner: ada, name: c, kind: mcp_http, url: 'http://a/', auth: {header: {name: X, value_file: value}}}
  - {owner: ada, name: d, kind: mcp_http, url: 'http://a/', auth: {oauth: {client_secret_file: client_secret}}}
";

        let sent = for_a_running_installation(text, folder.path()).unwrap();

        refuse_files(&super::super::read(&sent).unwrap()).unwrap();
        assert!(
            parts.iter().all(|part| sent.contains(&format!("\"{part}\":\"{part} of a file\""))),
            "{sent}"
        );
    }
}
