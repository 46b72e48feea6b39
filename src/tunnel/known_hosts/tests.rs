use std::{fs, process::Command};

use proptest::prelude::*;

use super::{pattern::matches, *};
use crate::tunnel::{KeyPair, tests::sshd::keygen};

const ED25519: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILQKVYuTkNQ7yTFZ0QSIZsRZXyEfIzkStTtrWKQBJRBz";
const ECDSA: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEmKSENjQEezOmxkZMy7opKgwFB9nkt5YRrYMjNuG5N87uRgg6CLrbo5wAdT/y6v0mKV0U2w0WZ2YB/++Tpockg=";

fn known(text: &str) -> KnownHosts {
    KnownHosts::read(text).unwrap()
}

fn key(line: &str) -> PublicKey {
    PublicKey::from_openssh(line).unwrap()
}

/// Says which line lists the ed25519 key for a server.
fn listed(text: &str, host: &str, port: u16) -> bool {
    known(text).judge(host, port, &key(ED25519)) == Verdict::Listed(1)
}

#[test]
fn a_line_is_about_the_servers_it_names_and_no_others() {
    for (hosts, host, port, is_about) in [
        ("bastion", "bastion", 22, true),
        ("bastion", "BASTION", 22, true),
        ("Bastion", "bastion", 22, true),
        ("bastion", "bastion", 2222, false),
        ("bastion", "bastion2", 22, false),
        ("[bastion]:2222", "bastion", 2222, true),
        ("[bastion]:2222", "bastion", 22, false),
        ("[bastion]:22", "bastion", 22, true),
        ("a,bastion,c", "bastion", 22, true),
        ("*.example.org", "a.example.org", 22, true),
        ("*.example.org", "example.org", 22, false),
        ("*.example.org", "a.example.org", 2222, false),
        ("[*.example.org]:2222", "a.example.org", 2222, true),
        ("10.0.0.?", "10.0.0.7", 22, true),
        ("10.0.0.?", "10.0.0.77", 22, false),
        ("*.example.org,!a.example.org", "b.example.org", 22, true),
        ("*.example.org,!a.example.org", "a.example.org", 22, false),
        ("!a.example.org", "b.example.org", 22, false),
        ("fd00::1", "fd00::1", 22, true),
        ("[fd00::1]:2222", "fd00::1", 2222, true),
    ] {
        assert_eq!(
            listed(&format!("{hosts} {ED25519} comment\n"), host, port),
            is_about,
            "{hosts} {host}:{port}"
        );
    }
}

#[test]
fn comments_blanks_and_tabs_are_passed_over_and_lines_are_counted_as_an_editor_does() {
    let text = format!("# of the operator\r\n\n  \t\n\tbastion \t {ED25519}\r\n");

    assert_eq!(known(&text).judge("bastion", 22, &key(ED25519)), Verdict::Listed(4));
    assert!(known("# nothing\n").is_empty());
}

#[test]
fn what_is_not_understood_refuses_the_file_and_names_its_line() {
    let blob = ED25519.split(' ').nth(1).unwrap();
    for (line, words) in [
        ("bastion".to_owned(), "a line holds"),
        ("bastion ssh-ed25519".to_owned(), "a line holds"),
        ("bastion ssh-ed25519 nonsense".to_owned(), "`ssh-ed25519` is not followed"),
        (format!("bastion ssh-rsa {blob}"), "`ssh-rsa` is not followed"),
        ("bastion 1024 37 1234567".to_owned(), "version 1"),
        (format!("@cert-authorities * {ED25519}"), "the marker `@cert-authorities`"),
        (format!("@Revoked * {ED25519}"), "the marker `@Revoked`"),
        ("@revoked".to_owned(), "after the marker"),
        (format!("@revoked @cert-authority * {ED25519}"), "`@cert-authority` is no server"),
        (format!("bastion,,other {ED25519}"), "`` is no server"),
        (format!("[bastion {ED25519}"), "`[bastion` is no server"),
        (format!("[bastion]:0 {ED25519}"), "is no server"),
        (format!("user@bastion {ED25519}"), "is no server"),
        (format!("|2|AAAA|AAAA {ED25519}"), "a hashed name"),
        (format!("|1|AAAA|AAAA {ED25519}"), "a hashed name"),
        (format!("bastion ssh-ed25519-cert-v01@openssh.com {blob}"), "@cert-authority"),
        (format!("bastion {ED25519}\u{0}"), "control character"),
    ] {
        let refused = KnownHosts::read(&format!("# one\n{line}\n")).unwrap_err();
        assert!(refused.line == 2 && refused.reason.contains(words), "{line}: {refused}");
    }
}

#[test]
fn a_server_that_is_known_by_other_keys_is_told_apart_from_one_that_is_not_known() {
    let known = known(&format!("bastion {ECDSA}\n"));

    let Verdict::Other(keys) = known.judge("bastion", 22, &key(ED25519)) else { panic!() };
    assert_eq!(keys, known.of("bastion", 22).unwrap().keys);
    assert_eq!(known.judge("bastion", 22, &key(ECDSA)), Verdict::Listed(1));
    assert_eq!(known.judge("other", 22, &key(ED25519)), Verdict::Unknown);
    assert_eq!(known.algorithms("bastion", 22), [key(ECDSA).algorithm()]);
}

#[test]
fn a_revoked_key_is_refused_everywhere_and_above_every_other_line() {
    let known = known(&format!("bastion {ED25519}\n@revoked elsewhere {ED25519}\n"));

    for host in ["bastion", "elsewhere", "third"] {
        assert_eq!(known.judge(host, 22, &key(ED25519)), Verdict::Revoked(2), "{host}");
    }
    assert!(!known.has_authority("elsewhere", 22));
}

#[test]
fn an_authority_is_no_host_key() {
    let known = known(&format!("@cert-authority *.example.org {ED25519}\n"));

    assert_eq!(known.judge("a.example.org", 22, &key(ED25519)), Verdict::Unknown);
    assert!(known.has_authority("a.example.org", 22) && !known.has_authority("bastion", 22));
}

#[test]
fn a_certificate_holds_for_its_servers_in_its_time_signed_by_its_authority_alone() {
    const NOW: Ms = Ms(1_795_233_963_183);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for name in ["ca", "other", "host"] {
        keygen(&["-t", "ed25519", "-N", "", "-f", &path(name)]);
    }
    let public = |name: &str| fs::read_to_string(path(&format!("{name}.pub"))).unwrap();
    let sign = |arguments: &[&str]| {
        let host = path("host.pub");
        keygen(&[&["-s", &path("ca"), "-I", "host"], arguments, &[&host]].concat());
        Certificate::from_openssh(&fs::read_to_string(path("host-cert.pub")).unwrap()).unwrap()
    };
    let good = sign(&["-h", "-n", "bastion,*.example.org", "-V", "20200101:20991231"]);
    let users = sign(&["-n", "bastion"]);
    let nobody = sign(&["-h"]);
    let past = sign(&["-h", "-n", "bastion", "-V", "20200101:20200102"]);
    let trusting = known(&format!("# one\n@cert-authority bastion,a.example.org,c {}", public("ca")));
    let judge = |file: &KnownHosts, host: &str, shown| file.judge_certificate(host, 22, shown, NOW);

    assert_eq!(judge(&trusting, "bastion", &good), Verdict::VouchedFor(2));
    assert_eq!(judge(&trusting, "A.example.org", &good), Verdict::VouchedFor(2));
    let wrong = [
        (judge(&trusting, "c", &good), "for other servers: bastion, *.example.org"),
        (judge(&trusting, "b.example.org", &good), "no authority for this server"),
        (judge(&known(&format!("@cert-authority * {}", public("other"))), "bastion", &good), "no authority"),
        (judge(&known(&format!("bastion {}", public("ca"))), "bastion", &good), "no authority"),
        (judge(&trusting, "bastion", &users), "for users"),
        (judge(&trusting, "bastion", &nobody), "for other servers: none"),
        (judge(&trusting, "bastion", &past), "not valid at this time"),
    ];
    for (verdict, words) in wrong {
        assert!(
            matches!(&verdict, Verdict::NotVouchedFor(why) if why.contains(words)),
            "{words}: {verdict:?}"
        );
    }
    for revoked in ["ca", "host"] {
        let file = format!("@cert-authority * {}@revoked * {}", public("ca"), public(revoked));
        assert_eq!(judge(&known(&file), "bastion", &good), Verdict::Revoked(2), "{revoked}");
    }
}

/// The real `ssh-keygen -F` says of each server whether the file knows it; so do we.
#[test]
#[expect(clippy::disallowed_methods, reason = "asks the real program")]
fn the_same_servers_are_found_as_by_openssh() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("known_hosts");
    let patterns = [
        "bastion",
        "[bastion]:2222",
        "*.example.org,!a.example.org",
        "10.0.0.?",
        "fd00::1",
        "[fd00::1]:2222",
        "b*n",
        "*",
        "!*.example.org,*",
        "[*.example.org]:2222",
        "UPPER",
        "[b?stion]:*",
    ];
    let servers = [
        ("bastion", 22),
        ("bastion", 2222),
        ("a.example.org", 22),
        ("b.example.org", 22),
        ("b.example.org", 2222),
        ("10.0.0.7", 22),
        ("10.0.0.77", 22),
        ("fd00::1", 22),
        ("fd00::1", 2222),
        ("ban", 22),
        ("upper", 22),
    ];
    for pattern in patterns {
        for hashed in [false, true] {
            fs::write(&file, format!("{pattern} {ED25519}\n")).unwrap();
            if hashed {
                // Names with wildcards are left as they are.
                keygen(&["-H", "-f", file.to_str().unwrap()]);
            }
            let text = fs::read_to_string(&file).unwrap();
            for (host, port) in servers {
                let name = if port == 22 { host.to_owned() } else { format!("[{host}]:{port}") };
                let asked = Command::new("ssh-keygen").args(["-F", &name, "-f"]).arg(&file).output().unwrap();
                assert_eq!(listed(&text, host, port), asked.status.success(), "{text} {name}");
            }
        }
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_fall_over(text in "\\PC*") {
        let _ = KnownHosts::read(&text);
    }

    #[test]
    fn a_line_that_was_damaged_lists_no_other_key(at in 0..ED25519.len(), byte in 33_u8..127) {
        let mut damaged = ED25519.as_bytes().to_vec();
        damaged[at] = byte;
        let line = format!("bastion {}\n", String::from_utf8(damaged).unwrap());
        if let Ok(read) = KnownHosts::read(&line) {
            let is_whole = line.contains(ED25519);
            prop_assert_eq!(read.judge("bastion", 22, &key(ED25519)) == Verdict::Listed(1), is_whole, "{}", line);
        }
    }

    #[test]
    fn a_pattern_without_wildcards_fits_itself_alone(one in "[a-z.]{1,12}", other in "[a-z.]{1,12}") {
        prop_assert!(matches(&one, &one));
        prop_assert_eq!(matches(&one, &other), one == other);
        let (start, end) = (format!("{one}*"), format!("*{one}"));
        prop_assert_eq!(matches(&start, &other), other.starts_with(&one));
        prop_assert_eq!(matches(&end, &other), other.ends_with(&one));
    }
}

#[test]
fn a_key_made_here_is_known_when_it_is_listed() {
    let (pair, _) = KeyPair::generate("host").unwrap();

    let known = known(&format!("bastion {}\n", pair.public_line()));

    assert_eq!(known.of("bastion", 22).unwrap().keys, [pair.fingerprint().unwrap()]);
    assert_eq!(known.of("bastion", 2222), None);
}
