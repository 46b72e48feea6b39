//! The operator's file of host keys of SSH servers.

use std::path::PathBuf;

use doorward::tunnel::KnownHosts;

use super::value::Value;

/// A file in the form of OpenSSH's `known_hosts`, read when the program starts.
#[derive(Clone, Debug)]
pub struct KnownHostsFile {
    path: PathBuf,
    /// What it holds.
    pub known_hosts: KnownHosts,
}

impl Value for KnownHostsFile {
    fn read(text: &str) -> Result<Self, String> {
        let path = PathBuf::from(text);
        let content = std::fs::read_to_string(&path)
            .map_err(|error| format!("names `{}`, which could not be read: {error}", path.display()))?;
        let known_hosts = KnownHosts::read(&content)
            .map_err(|error| format!("names `{}`, which does not hold: {error}", path.display()))?;
        Ok(Self { path, known_hosts })
    }

    fn write(&self) -> String {
        self.path.display().to_string()
    }
}
