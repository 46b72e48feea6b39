//! What the machine has, and what may be put on it.
//!
//! Packages are installed only on Debian and its relatives, and only as root; otherwise the missing ones are named.

use std::path::Path;

use anyhow::{Result, bail};

use crate::process::{command, exists, quiet, run, target};

/// A need of the tests: how it is recognised, and which Debian packages bring it.
pub(crate) struct Need {
    pub what: &'static str,
    pub met: fn() -> bool,
    pub packages: &'static [&'static str],
}

/// What the tests need from the machine.
pub(crate) const TESTS: &[Need] = &[
    Need { what: "PostgreSQL 15 or later", met: || postgres().is_some(), packages: &["postgresql"] },
    Need { what: "Redis", met: || exists("redis-server"), packages: &["redis-server"] },
    Need { what: "Chromium", met: || chromium().is_some(), packages: &["chromium"] },
    Need {
        what: "nginx",
        met: || exists("nginx") || Path::new("/usr/sbin/nginx").exists(),
        packages: &["nginx-light"],
    },
    Need {
        what: "OpenSSH server",
        met: || Path::new("/usr/sbin/sshd").exists() && exists("ssh-keygen"),
        packages: &["openssh-server", "openssh-client"],
    },
    Need { what: "OpenSSL", met: || exists("openssl"), packages: &["openssl"] },
    Need {
        what: "nftables and ip",
        met: || ["nft", "ip"].iter().all(|name| exists(name) || Path::new("/usr/sbin").join(name).exists()),
        packages: &["nftables", "iproute2"],
    },
    Need { what: "Java 17 or later", met: || java().is_some(), packages: &["openjdk-17-jre-headless"] },
    Need { what: "npm", met: || exists("npm"), packages: &["npm"] },
];

/// The Debian packages of a compiler for WebAssembly with the library's source.
pub(crate) const WASM: &[&str] =
    &["rustc-web", "cargo-web", "rust-web-src", "libstd-rust-web-dev", "rust-web-llvm", "lld-22"];

/// Makes sure every need is met: installs packages where that is allowed, or names them all in one error.
pub(crate) fn provide(needs: &[Need]) -> Result<()> {
    let missing: Vec<&Need> = needs.iter().filter(|need| !(need.met)()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().flat_map(|need| need.packages).copied().collect();
    if may_install() {
        install(&packages)?;
    }
    let missing: Vec<&str> = missing.iter().filter(|need| !(need.met)()).map(|need| need.what).collect();
    if !missing.is_empty() {
        bail!("missing: {}. On Debian: apt-get install {}", missing.join(", "), packages.join(" "));
    }
    Ok(())
}

/// Makes sure that what is built finds room: builds that fill a disk fail in ways that do not say so.
pub(crate) fn has_room(gibibytes: u64) -> Result<()> {
    let target = target();
    std::fs::create_dir_all(&target)?;
    // Both say kibibytes; what is there already needs no room.
    let number = |said: Option<String>| said?.split_whitespace().find_map(|word| word.parse::<u64>().ok());
    let free = number(quiet(command("df").args(["--output=avail", "-k"]).arg(&target)));
    let built = number(quiet(command("du").arg("-sk").arg(&target)));
    let (Some(free), Some(built)) = (free, built) else { return Ok(()) };
    if free + built < gibibytes << 20 {
        let free = free >> 20;
        bail!("{free} GiB are free for {}, which grows to {gibibytes} GiB", target.display());
    }
    Ok(())
}

/// Whether packages may be installed here: as root, where there is apt.
pub(crate) fn may_install() -> bool {
    exists("apt-get") && quiet(command("id").arg("-u")).as_deref() == Some("0")
}

/// Installs Debian packages without asking.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    println!("    installing {}", packages.join(" "));
    let apt = || {
        let mut apt = command("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive").args(["-qq", "-o", "Dpkg::Use-Pty=0"]);
        apt.stdout(std::process::Stdio::null());
        apt
    };
    let add = || run(apt().args(["install", "-y", "--no-install-recommends"]).args(packages));
    // The lists of a fresh machine are old or absent, but fetching them is not always needed.
    add().or_else(|_| {
        run(apt().arg("update"))?;
        add()
    })
}

/// The folder of PostgreSQL's programs (`initdb`, `postgres`), the newest when there are several.
pub(crate) fn postgres() -> Option<std::path::PathBuf> {
    let packaged = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<_> = packaged
        .filter_map(|entry| {
            let version: u32 = entry.file_name().to_str()?.parse().ok()?;
            let programs = entry.path().join("bin");
            programs.join("postgres").exists().then_some((version, programs))
        })
        .collect();
    folders.sort();
    folders.pop().map(|(_, programs)| programs)
}

/// The version of Java, if it is one that Spark 4 runs on. `openjdk version "17.0.15" 2025-04-15`
fn java() -> Option<u32> {
    let said = quiet(command("java").args(["--version"]))?;
    let version = said.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    version.split('.').next()?.parse().ok().filter(|major| *major >= 17)
}

/// The browser's program.
pub(crate) fn chromium() -> Option<&'static str> {
    ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]
        .into_iter()
        .find(|path| Path::new(path).exists())
}
