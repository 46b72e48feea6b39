//! What is started, and where: finding the program, and the folder it runs in.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs, io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use super::UpstreamError;
use crate::secret::Secret;

/// What the owner of a source configured.
#[derive(Clone, Debug)]
pub(in crate::upstream) struct Command {
    /// Program and arguments.
    pub(in crate::upstream) arguments: Vec<String>,
    /// The folder it runs in; `None` = an empty one of its own.
    pub(in crate::upstream) working_dir: Option<PathBuf>,
    /// Its whole environment.
    pub(in crate::upstream) env: BTreeMap<String, Secret>,
}

impl Command {
    /// Checks what the system would refuse, or read in another way than it is shown.
    pub(super) fn check(&self) -> Result<(), UpstreamError> {
        if self.arguments.first().is_none_or(String::is_empty) {
            return Err(refused("it names no program"));
        }
        if self.arguments.iter().any(|argument| argument.contains('\0')) {
            return Err(refused("an argument holds a zero byte"));
        }
        for (name, value) in &self.env {
            if name.is_empty() || name.contains(['=', '\0']) || value.expose().contains('\0') {
                return Err(refused("a variable of its environment cannot be written"));
            }
        }
        Ok(())
    }

    /// Returns the file of the program. A name without `/` is looked for in the configured `PATH`
    /// if there is one, then in the gateway's own.
    pub(in crate::upstream) fn find(&self, gateway_path: &OsStr) -> Result<PathBuf, UpstreamError> {
        self.check()?;
        let name = &self.arguments[0];
        if name.contains('/') {
            let file = match &self.working_dir {
                Some(folder) => folder.join(name),
                None => PathBuf::from(name),
            };
            if !file.is_absolute() {
                return Err(refused("a program named by a path needs an absolute path"));
            }
            return match runnable(&file) {
                true => Ok(file),
                false => Err(refused(&format!("`{}` is no program that can be run here", file.display()))),
            };
        }
        let own_path = self.env.get("PATH").map(|path| OsStr::new(path.expose()));
        let folders = own_path.into_iter().chain([gateway_path]).flat_map(std::env::split_paths);
        folders
            .filter(|folder| folder.is_absolute())
            .map(|folder| folder.join(name))
            .find(|file| runnable(file))
            .ok_or_else(|| {
                refused(&format!(
                    "there is no program `{name}`; give its full path, or a PATH in its environment"
                ))
            })
    }
}

fn runnable(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

fn refused(detail: &str) -> UpstreamError {
    UpstreamError::Unreachable { detail: detail.to_owned() }
}

/// The folder a process runs in. One of its own is removed with everything in it at the end.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    own: bool,
}

impl Folder {
    /// Takes the configured folder, or makes an empty one below `parent`.
    pub(super) fn open(command: &Command, parent: &Path) -> Result<Self, UpstreamError> {
        if let Some(path) = &command.working_dir {
            if !path.is_absolute() || !path.is_dir() {
                return Err(refused(&format!("its working folder `{}` does not exist", path.display())));
            }
            return Ok(Self { path: path.clone(), own: false });
        }
        match Self::make(parent) {
            Ok(path) => Ok(Self { path, own: true }),
            Err(error) => Err(refused(&format!(
                "no working folder could be made for it in `{}`: {error}",
                parent.display()
            ))),
        }
    }

    fn make(parent: &Path) -> io::Result<PathBuf> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
        // A server in a container has the same number after each restart.
        for _ in 0..1000 {
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = parent.join(format!("process-{}-{number}", std::process::id()));
            match fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return path.canonicalize(),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Removes the folders that servers which were killed have left behind.
    pub(super) fn sweep(parent: &Path) {
        let Ok(entries) = fs::read_dir(parent) else {
            return;
        };
        let alive = |owner: u32| owner != std::process::id() && Path::new(&format!("/proc/{owner}")).exists();
        for entry in entries.flatten() {
            let owner = entry.file_name().to_str().and_then(owner_of);
            if owner.is_some_and(|owner| !alive(owner)) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Returns the number of the server that made a folder of this name.
fn owner_of(name: &str) -> Option<u32> {
    name.strip_prefix("process-")?.split_once('-')?.0.parse().ok()
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.own
            && let Err(error) = fs::remove_dir_all(&self.path)
        {
            tracing::debug!(%error, "could not remove the working folder of a process");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(arguments: &[&str]) -> Command {
        Command {
            arguments: arguments.iter().map(ToString::to_string).collect(),
            working_dir: None,
            env: BTreeMap::new(),
        }
    }

    #[test]
    fn a_program_is_found_by_name_in_the_configured_path_before_the_gateways() {
        let own = tempfile::tempdir().unwrap();
        let gateway = tempfile::tempdir().unwrap();
        for folder in [&own, &gateway] {
            let file = folder.path().join("tool");
            fs::write(&file, "").unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let mut command = command(&["tool"]);
        assert_eq!(command.find(gateway.path().as_os_str()).unwrap(), gateway.path().join("tool"));

        command.env.insert("PATH".to_owned(), Secret::new(own.path().to_str().unwrap()));
        assert_eq!(command.find(gateway.path().as_os_str()).unwrap(), own.path().join("tool"));
    }

    #[test]
    fn what_cannot_be_run_is_refused_with_its_reason() {
        let notes = tempfile::NamedTempFile::new().unwrap();
        let find = |arguments: &[&str]| command(arguments).find(OsStr::new("/usr/bin:/bin"));

        assert!(find(&[]).is_err());
        assert!(find(&["no-such-program-anywhere"]).unwrap_err().to_string().contains("PATH"));
        assert!(find(&[notes.path().to_str().unwrap()]).unwrap_err().to_string().contains("no program"));
        assert!(find(&["./sh"]).unwrap_err().to_string().contains("absolute"));
        assert!(find(&["sh", "a\0b"]).is_err());
    }

    #[test]
    fn a_folder_of_its_own_is_empty_private_and_gone_at_the_end() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::open(&command(&["x"]), &parent.path().join("run")).unwrap();
        let path = folder.path().to_owned();
        fs::write(path.join("left-over"), "x").unwrap();

        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        drop(folder);
        assert!(!path.exists());
    }

    #[test]
    fn folders_of_servers_that_are_gone_are_removed_and_others_are_not() {
        let parent = tempfile::tempdir().unwrap();
        // No process has such a number.
        for name in ["process-4294967290-0", "process-1-0", "process-x", "mine"] {
            fs::create_dir(parent.path().join(name)).unwrap();
        }

        Folder::sweep(parent.path());

        assert!(!parent.path().join("process-4294967290-0").exists());
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 3);
    }
}
