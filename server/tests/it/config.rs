//! Settings: which layer wins, and what is refused.

use std::path::{Path, PathBuf};

use server::config::{ENTRIES, MetricsListen, Settings, effective, sample, table};

use crate::running::Place;

#[test]
fn a_variable_wins_over_the_file_and_the_file_over_the_default() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "doorward.toml", "drain_secs = 7\nlog = \"debug\"\n");

    let loaded = Settings::load(Some(&file), variables(&[("DOORWARD_LOG", "warn")])).unwrap();

    assert_eq!(loaded.settings.log, "warn");
    assert_eq!(loaded.settings.drain_secs, 7);
    assert_eq!(loaded.settings.request_bytes_max, 4 * 1024 * 1024);
    let shown = effective(&loaded);
    assert!(shown.contains("DOORWARD_LOG"), "{shown}");
    assert!(shown.contains("doorward.toml:1"), "{shown}");
}

#[test]
fn an_unknown_name_is_refused_with_the_nearest_known_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "doorward.toml", "\n\nlisten_ = \"127.0.0.1:1\"\n");

    let error = Settings::load(Some(&file), variables(&[("DOORWARD_EGRES_ALLOW", "none")])).unwrap_err();

    let text = error.to_string();
    assert!(
        text.contains("doorward.toml:3: there is no setting `listen_`; did you mean `listen`?"),
        "{text}"
    );
    assert!(text.contains("`DOORWARD_EGRES_ALLOW`; did you mean `DOORWARD_EGRESS_ALLOW`?"), "{text}");
}

#[test]
fn a_secret_may_come_from_a_file_and_is_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "url", "postgres://app:hunter2@localhost/doorward\n");
    let variables = [("DOORWARD_DATABASE_URL_FILE".to_owned(), file.display().to_string())];

    let loaded = Settings::load(None, variables).unwrap();

    let url = loaded.settings.database_url.as_ref().unwrap();
    assert_eq!(url.expose(), "postgres://app:hunter2@localhost/doorward");
    assert!(!effective(&loaded).contains("hunter2"));
    assert!(!format!("{:?}", loaded.settings).contains("hunter2"));
}

#[test]
fn every_mistake_is_reported_at_once_with_its_place() {
    let error = Settings::load(
        None,
        variables(&[
            ("DOORWARD_LISTEN", "8080"),
            ("DOORWARD_DRAIN_SECS", "0"),
            ("DOORWARD_LOG_FORMAT", "xml"),
            ("DOORWARD_EGRESS_ALLOW", "10.0.0.1/8"),
        ]),
    )
    .unwrap_err();

    assert_eq!(error.0.len(), 4, "{error}");
    assert!(error.to_string().contains("DOORWARD_LOG_FORMAT: `log_format` must be `text` or `json`"));
}

#[test]
fn an_address_others_can_reach_needs_a_public_url_and_an_owner() {
    let error = Settings::load(None, variables(&[("DOORWARD_LISTEN", "0.0.0.0:8080")])).unwrap_err();
    assert!(error.to_string().contains("set `public_url`"), "{error}");

    let open = [("DOORWARD_LISTEN", "0.0.0.0:8080"), ("DOORWARD_PUBLIC_URL", "https://door.example.org")];
    let settings = Settings::load(None, variables(&open)).unwrap().settings;
    assert!(settings.check_open_door(false).is_err());
    assert!(settings.check_open_door(true).is_ok());
}

#[test]
fn private_ranges_are_reachable_only_while_nobody_else_can_reach_the_program() {
    let closed = Settings::load(None, []).unwrap().settings;
    let proxied = settings(&[("DOORWARD_PUBLIC_URL", "https://door.example.org")]);
    let named = settings(&[
        ("DOORWARD_PUBLIC_URL", "https://door.example.org"),
        ("DOORWARD_EGRESS_ALLOW", "10.1.0.0/16, 192.0.2.7"),
    ]);
    let none = settings(&[("DOORWARD_EGRESS_ALLOW", "none")]);

    let holds = |settings: &Settings, address: &str| {
        settings
            .egress_ranges()
            .iter()
            .any(|range| range.contains(&address.parse::<std::net::IpAddr>().unwrap()))
    };
    assert!(holds(&closed, "127.0.0.1") && holds(&closed, "192.168.1.1"));
    assert!(!holds(&closed, "169.254.169.254"));
    assert!(proxied.egress_ranges().is_empty());
    assert!(holds(&named, "10.1.2.3") && holds(&named, "192.0.2.7") && !holds(&named, "127.0.0.1"));
    assert!(none.egress_ranges().is_empty());
}

#[test]
fn the_sample_holds_every_setting_and_loads_with_its_marks_taken_away() {
    let folder = tempfile::tempdir().unwrap();
    let sample = sample();
    let plain: String = sample
        .lines()
        .filter_map(|line| line.strip_prefix('#'))
        .filter(|line| {
            let name = line.split(" = ").next().unwrap_or_default();
            // The files beside what may be given as a value or as a file; the last is one of its own.
            let is_file = name.ends_with("_file") && name != "logins_file";
            !line.starts_with(' ') && !is_file
        })
        .map(|line| format!("{line}\n"))
        .collect();
    let file = write(folder.path(), "doorward.toml", &plain.replace("vault_key_file = \"\"\n", ""));

    let loaded = Settings::load(Some(&file), []).unwrap();

    assert_eq!(loaded.settings.metrics_listen, MetricsListen::Own("127.0.0.1:9464".parse().unwrap()));
    for entry in ENTRIES {
        assert!(sample.contains(&format!("\n#{} = ", entry.name)), "{} is missing", entry.name);
        assert!(table().contains(&entry.variable()), "{} is missing", entry.name);
    }
}

fn settings(pairs: &[(&str, &str)]) -> Settings {
    Settings::load(None, variables(pairs)).unwrap().settings
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_do_not_exist_or_do_not_fit_are_refused_by_name() {
    for (name, value, words) in [
        ("DOORWARD_LISSTEN", "127.0.0.1:0", "DOORWARD_LISSTEN"),
        ("DOORWARD_LISTEN", "0.0.0.0:0", "public_url"),
        ("DOORWARD_DRAIN_SECS", "-1", "drain_secs"),
        ("DOORWARD_PUBLIC_URL", "https://a.example/path?query", "public_url"),
        ("DOORWARD_PUBLIC_URL", "https://a.example/a//b", "public_url"),
        ("DOORWARD_EGRESS_ALLOW", "everything", "egress_allow"),
        ("DOORWARD_DATABASE_URL", "mysql://secret-pw@x/", "database_url"),
    ] {
        let place = Place::new().with(name, value);
        let said = place.try_serve().await.err().expect("a refusal");
        assert!(said.contains(words) && !said.contains("secret-pw"), "{name}: {said}");
        assert!(!place.database().exists(), "{name}: nothing is made before the settings hold");
    }
    let open =
        Place::new().with("DOORWARD_LISTEN", "0.0.0.0:0").with("DOORWARD_PUBLIC_URL", "http://a.example");
    let said = open.try_serve().await.err().expect("a refusal");
    assert!(said.contains("owner account"), "{said}");
}

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn write(folder: &Path, name: &str, content: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path
}

#[test]
fn the_readme_lists_every_setting_as_it_is() {
    let readme = include_str!("../../../README.md");

    assert!(readme.contains(&table()), "put the output of `doorward config table` into README.md");
}
