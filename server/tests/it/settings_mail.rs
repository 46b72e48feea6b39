//! What the settings of e-mail do, against a mail server on the loopback address.

use std::sync::{Arc, Mutex};

use doorward::model::InstanceRole;
use http::{Method, StatusCode};
use serde_json::json;
use server::config::Settings;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

use crate::world::{Person, World};

#[tokio::test]
async fn mail_server_and_mail_from_send_invitations_to_their_address() {
    let mail = Postbox::open().await;
    let world = World::with(&mail.settings()).await;
    let ada = world.person("ada", InstanceRole::Member).await;
    let list = preset(&world, &ada).await;

    let new = json!({"email": "grace@example.org", "level": "viewer"});
    let made = world.api(&ada, Method::POST, &list, Some(new)).await;

    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    assert_eq!(made.json().get("link"), None, "the link is for the address alone: {}", made.body);
    let letter = mail.letter();
    assert!(letter.contains("From: Doorward <d@example.org>") && letter.contains("To: grace@example.org"));
    assert!(link_token(&letter).len() >= 43, "{letter}");
}

#[tokio::test]
async fn a_mail_server_that_hangs_up_or_is_not_there_invites_nobody() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("smtp+plain://{}", listener.local_addr().unwrap());
    let hangs_up = tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    let from = ("DOORWARD_MAIL_FROM", "d@example.org");
    let world = World::with(&[("DOORWARD_MAIL_SERVER", &address), from]).await;
    let ada = world.person("ada", InstanceRole::Member).await;
    let list = preset(&world, &ada).await;
    let new = json!({"email": "grace@example.org", "level": "viewer"});

    let refused = world.api(&ada, Method::POST, &list, Some(new.clone())).await;
    hangs_up.abort();
    assert!(hangs_up.await.unwrap_err().is_cancelled());
    let gone = world.api(&ada, Method::POST, &list, Some(new)).await;

    for answer in [refused, gone] {
        assert_eq!(answer.status, StatusCode::BAD_GATEWAY, "{}", answer.body);
        assert!(answer.body.contains("mail server"), "{}", answer.body);
    }
    let open = world.api(&ada, Method::GET, &list, None).await.json();
    assert_eq!(open["items"], json!([]), "nobody is invited whose letter did not go");
    // For whoever has the link no server is needed.
    let by_link = world.api(&ada, Method::POST, &list, Some(json!({"level": "viewer"}))).await;
    assert!(by_link.json()["link"].as_str().unwrap().contains("/invitation?token="), "{}", by_link.body);
}

#[test]
fn mail_password_is_sent_over_tls_alone() {
    let load = |server: &str, more: &[(&str, &str)]| {
        let base = [("DOORWARD_MAIL_SERVER", server), ("DOORWARD_MAIL_FROM", "Doorward <d@example.org>")];
        let all = base.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Settings::load(None, all).map(|loaded| loaded.settings.mail().unwrap().unwrap())
    };
    let password = [("DOORWARD_MAIL_PASSWORD", "s3cret")];

    let mail = load("smtps://me%40here@mail.example.org", &password).unwrap();
    assert_eq!((mail.host.as_str(), mail.port), ("mail.example.org", 465));
    let (user, secret) = mail.login.unwrap();
    assert_eq!((user.as_str(), secret.expose()), ("me@here", "s3cret"));
    assert_eq!(load("smtp://mail.example.org", &[]).unwrap().port, 587);
    for (server, more, words) in [
        ("smtp+plain://me@127.0.0.1", &password[..], "without TLS"),
        ("smtp://me@mail.example.org", &[], "needs `mail_password`"),
        ("smtp://mail.example.org", &password[..], "needs a user"),
        ("smtp://me:s3cret@mail.example.org", &[], "the password is `mail_password`"),
        ("http://mail.example.org", &[], "begins with smtp://"),
    ] {
        let refused = load(server, more).unwrap_err().to_string();
        assert!(refused.contains(words) && !refused.contains("s3cret"), "{server}: {refused}");
    }
}

/// Makes a preset, and returns the path of its invitations.
pub(crate) async fn preset(world: &World, owner: &Person) -> String {
    let made = world.api(owner, Method::POST, "/api/v1/presets", Some(json!({"slug": "notes"}))).await;
    format!("/api/v1/presets/{}/invitations", made.json()["id"].as_str().unwrap())
}

/// Returns the secret of the link in a text.
pub(crate) fn link_token(text: &str) -> String {
    // As letters are written whose lines are too long.
    let text = text.replace("=\r\n", "").replace("=3D", "=");
    let (_, rest) = text.split_once("/invitation?token=").unwrap_or_else(|| panic!("{text}"));
    rest.chars().take_while(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_')).collect()
}

/// A mail server that takes every letter.
pub(crate) struct Postbox {
    address: String,
    letters: Arc<Mutex<Vec<String>>>,
}

impl Postbox {
    pub(crate) async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("smtp+plain://{}", listener.local_addr().unwrap());
        let letters = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&letters);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(take(stream, Arc::clone(&kept)));
            }
        });
        Self { address, letters }
    }

    pub(crate) fn settings(&self) -> [(&str, &str); 2] {
        [("DOORWARD_MAIL_SERVER", &self.address), ("DOORWARD_MAIL_FROM", "Doorward <d@example.org>")]
    }

    /// Returns the letter that came.
    pub(crate) fn letter(&self) -> String {
        self.letters.lock().unwrap().pop().expect("a letter that was taken")
    }
}

/// Speaks as much of RFC 5321 as taking a letter needs.
async fn take(stream: TcpStream, letters: Arc<Mutex<Vec<String>>>) {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 postbox\r\n").await.unwrap();
    let mut line = String::new();
    while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {
        let answer = match line.trim_end() {
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await.unwrap();
                let mut letter = String::new();
                while !letter.ends_with("\r\n.\r\n") {
                    assert!(stream.read_line(&mut letter).await.unwrap() > 0, "it broke off");
                }
                letters.lock().unwrap().push(letter);
                "250 taken\r\n"
            }
            "QUIT" => "221 bye\r\n",
            _ => "250 fine\r\n",
        };
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
        line.clear();
    }
}
