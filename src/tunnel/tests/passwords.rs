//! Passwords that are accepted. OpenSSH asks the accounts of the machine for them, which a test has none of, so the other
//! side is the SSH library's own server.

use std::{borrow::Cow, sync::Arc};

use russh::{
    MethodKind, MethodSet,
    keys::PrivateKey,
    server::{self, Auth, Msg, Response},
};
use tokio::net::{TcpListener, TcpStream};

use super::{Bench, web};
use crate::{
    model::{Hop, HopAuthKind},
    secret::Secret,
    tunnel::{HopSecret, KeyPair, TunnelLimits},
};

const PASSWORD: &str = "hunter2";

/// How the server asks for the password.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asks {
    /// By the method `password`.
    Plainly,
    /// As questions, each shown or not while it is typed.
    Questions(&'static [(&'static str, bool)]),
    /// As one question, over and over.
    Endlessly,
}

/// One connection.
struct Door(Asks);

impl server::Handler for Door {
    type Error = russh::Error;

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, russh::Error> {
        let is_right = self.0 == Asks::Plainly && (user, password) == ("ada", PASSWORD);
        Ok(if is_right { Auth::Accept } else { Auth::reject() })
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _user: &str,
        _submethods: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, russh::Error> {
        let prompts: &[(&str, bool)] = match (self.0, response) {
            (Asks::Plainly, _) => return Ok(Auth::reject()),
            (Asks::Questions(_), Some(mut answers)) => {
                let is_right = answers.next().is_some_and(|answer| answer == PASSWORD.as_bytes());
                return Ok(if is_right { Auth::Accept } else { Auth::reject() });
            }
            (Asks::Questions(prompts), None) => prompts,
            (Asks::Endlessly, _) => &[("Password: ", false)],
        };
        let prompts = prompts.iter().map(|(text, echo)| (Cow::Borrowed(*text), *echo)).collect();
        Ok(Auth::Partial { name: "".into(), instructions: "".into(), prompts: Cow::Owned(prompts) })
    }

    #[expect(clippy::disallowed_methods, reason = "the server under test")]
    async fn channel_open_direct_tcpip(
        &mut self,
        channel: russh::Channel<Msg>,
        host: &str,
        port: u32,
        _originator: &str,
        _originator_port: u32,
        reply: server::ChannelOpenHandle,
        _session: &mut server::Session,
    ) -> Result<(), russh::Error> {
        let mut place = TcpStream::connect((host, u16::try_from(port).unwrap())).await?;
        reply.accept().await;
        tokio::spawn(async move {
            let mut stream = channel.into_stream();
            tokio::io::copy_bidirectional(&mut stream, &mut place).await
        });
        Ok(())
    }
}

/// A tunnel over a server that asks so, with this password.
async fn tunnel(asks: Asks, password: &str) -> Bench {
    let (pair, private) = KeyPair::generate("host").unwrap();
    let mut methods = MethodSet::empty();
    methods.push(if asks == Asks::Plainly { MethodKind::Password } else { MethodKind::KeyboardInteractive });
    let config = Arc::new(server::Config {
        methods,
        keys: vec![PrivateKey::from_openssh(private.expose()).unwrap()],
        auth_rejection_time: std::time::Duration::ZERO,
        ..server::Config::default()
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let session = server::run_stream(Arc::clone(&config), stream, Door(asks)).await;
            tokio::spawn(async move { session.ok()?.await.ok() });
        }
    });
    let hop = Hop {
        host: "127.0.0.1".into(),
        port,
        user: "ada".into(),
        auth: HopAuthKind::Password,
        public_key: None,
        made_here: false,
        host_key: pair.fingerprint(),
    };
    let limits = TunnelLimits { passwords: true, ..TunnelLimits::default() };
    let web = web().await;
    Bench::to(vec![(hop, HopSecret::Password(Secret::new(password)))], limits, web, &[web]).await
}

#[tokio::test]
async fn a_password_signs_in_plainly_and_as_the_answer_to_a_question() {
    for asks in
        [Asks::Plainly, Asks::Questions(&[("Password: ", false)]), Asks::Questions(&[("Code: ", false)])]
    {
        let bench = tunnel(asks, PASSWORD).await;

        let trace = bench.tunnel.trace().await;

        assert!(trace.error().is_none(), "{:?}", trace.error());
        assert_eq!(bench.text("/hello").await.as_deref(), Ok("hello"));
    }
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_never_shown() {
    for asks in [Asks::Plainly, Asks::Questions(&[("Password: ", false)])] {
        let error = tunnel(asks, "hunter3").await.text("/hello").await.unwrap_err().to_string();

        assert!(error.contains("does not let `ada` in with this password"), "{error}");
        assert!(!error.contains("hunter"), "{error}");
    }
}

#[tokio::test]
async fn a_password_is_no_answer_to_what_shows_on_the_screen_to_several_questions_or_to_endless_ones() {
    for (asks, words) in [
        (Asks::Questions(&[("Your name: ", true)]), "questions that a program cannot answer"),
        (
            Asks::Questions(&[("Password: ", false), ("Code: ", false)]),
            "questions that a program cannot answer",
        ),
        (Asks::Endlessly, "ever more questions"),
    ] {
        let error = tunnel(asks, PASSWORD).await.text("/hello").await.unwrap_err().to_string();

        assert!(error.contains(words), "{error}");
    }
}
