//! A network that loses packets: a namespace of its own whose loopback drops one in twenty.
//!
//! The test starts itself a second time in there. Machines on which nobody may make a namespace are passed over.

#![expect(clippy::disallowed_methods, reason = "the namespace is made by `unshare` and `nft`")]

use std::process::{Command, Output};

use futures::future::join_all;

use super::*;

/// Set for the test that runs in the namespace.
const INSIDE: &str = "DOORWARD_TEST_LOSES_PACKETS";

/// Makes the namespace's network and goes on as the program named.
const SCRIPT: &str = r#"
PATH="$PATH:/usr/sbin:/sbin"
ip link set lo up &&
nft add table inet loss &&
nft 'add chain inet loss in { type filter hook input priority 0; }' &&
nft add rule inet loss in meta l4proto tcp numgen random mod 20 == 0 counter drop &&
exec "$0" "$@"
"#;

fn unshared(program: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new("unshare");
    command.args(["--net", program]).args(arguments).env(INSIDE, "1");
    command.output().expect("util-linux has `unshare`")
}

/// Returns how many packets were lost so far.
fn lost() -> u64 {
    let listed = Command::new("sh").args(["-c", "PATH=$PATH:/usr/sbin nft list table inet loss"]).output();
    let listed = String::from_utf8(listed.unwrap().stdout).unwrap();
    let count = listed.split("counter packets ").nth(1).and_then(|rest| rest.split(' ').next());
    count.unwrap_or_else(|| panic!("no counter: {listed}")).parse().unwrap()
}

#[test]
fn a_network_that_loses_packets_slows_a_tunnel_down_and_breaks_nothing() {
    if std::env::var_os(INSIDE).is_some() {
        return tokio::runtime::Runtime::new().unwrap().block_on(where_packets_are_lost());
    }
    if !unshared("true", &[]).status.success() {
        println!("nobody may make a network namespace here");
        return;
    }
    let own = std::env::current_exe().unwrap();
    let this = "tunnel::tests::loss::a_network_that_loses_packets_slows_a_tunnel_down_and_breaks_nothing";

    let run = unshared("sh", &["-c", SCRIPT, own.to_str().unwrap(), "--exact", "--nocapture", this]);

    let said = [run.stdout, run.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
    assert!(run.status.success() && said.contains("1 passed"), "{said}");
}

async fn where_packets_are_lost() {
    let sshd = Sshd::start("").await;
    let bench = Bench::over(vec![sshd.hop()]).await;
    let before = lost();

    let large = async { bench.text("/answer").await.map(|answer| answer.len()) };
    let small = join_all((0..50).map(|_| bench.text("/hello")));
    let (large, small) = tokio::join!(large, small);

    assert_eq!(large, Ok(12 * MIB));
    assert!(small.iter().all(|answer| answer.as_deref() == Ok("hello")), "{small:?}");
    assert!(lost() > before, "nothing was lost, so nothing was tried");
    let status = bench.tunnel.status(SourceId::new());
    assert_eq!((status.reconnects, status.last_error), (0, None));
    assert_eq!(sshd.accepted.load(std::sync::atomic::Ordering::SeqCst), 1);
}
