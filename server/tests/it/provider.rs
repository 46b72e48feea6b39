//! A small identity provider of both shapes: OpenID Connect with discovery and signed ID tokens, and
//! GitHub. It keeps to the rules (codes that work once, PKCE, the client's secret), and forges what
//! a test asks it to.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use axum::{
    Form, Json, Router,
    extract::State,
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use doorward::clock::Clock;
use http::{HeaderMap, StatusCode, header};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use url::Url;

pub(crate) const CLIENT: &str = "doorward";
pub(crate) const SECRET: &str = "hush hush";

/// What is wrong with the next ID token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Forgery {
    #[default]
    None,
    Signature,
    StrangeKey,
    Audience,
    SecondAudience,
    Nonce,
    NoNonce,
    Issuer,
    Expired,
    AlgorithmNone,
    /// Signed with the client's secret, as everybody could who knows it.
    SharedSecret,
    NoToken,
    AccessTokenHash,
}

/// Who signs in there, and how it behaves.
#[derive(Clone, Debug)]
pub(crate) struct Behaviour {
    pub(crate) subject: &'static str,
    pub(crate) email: &'static str,
    pub(crate) verified: bool,
    pub(crate) forgery: Forgery,
    /// The address is said by the user-info endpoint alone, of this subject.
    pub(crate) user_info_of: Option<&'static str>,
    /// The name in the discovery document, where it is not its own.
    pub(crate) pretends_to_be: Option<&'static str>,
}

struct Issued {
    challenge: String,
    redirect: String,
    nonce: String,
}

pub(crate) struct Provider {
    pub(crate) address: String,
    pub(crate) behaviour: Mutex<Behaviour>,
    key: Mutex<(String, EcdsaKeyPair)>,
    codes: Mutex<BTreeMap<String, Issued>>,
}

impl Provider {
    pub(crate) async fn start() -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let behaviour = Behaviour {
            subject: "248289761001",
            email: "ada@example.org",
            verified: true,
            forgery: Forgery::None,
            user_info_of: None,
            pretends_to_be: None,
        };
        let provider = Arc::new(Self {
            address: format!("http://{}", listener.local_addr().unwrap()),
            behaviour: Mutex::new(behaviour),
            key: Mutex::new(("first".to_owned(), new_key())),
            codes: Mutex::default(),
        });
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/jwks", get(keys))
            .route("/token", post(token))
            .route("/me", get(user_info))
            .route("/login/oauth/access_token", post(github_token))
            .route("/api/v3/user", get(github_user))
            .route("/api/v3/user/emails", get(github_emails))
            .with_state(Arc::clone(&provider));
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        provider
    }

    /// Does what the provider does when a person lets a browser in that was sent to `location`:
    /// checks what the request carries, and returns a code and the state to bring back.
    pub(crate) fn let_in(&self, location: &str) -> (String, String) {
        let url = Url::parse(location).unwrap();
        assert!(location.starts_with(&self.address), "{location}");
        let query: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        assert_eq!(query["client_id"], CLIENT);
        assert_eq!(query["response_type"], "code");
        assert_eq!(query["code_challenge_method"], "S256");
        let mut codes = self.codes.lock().unwrap();
        let code = format!("code-{}", doorward::model::EventId::new());
        let issued = Issued {
            challenge: query["code_challenge"].clone(),
            redirect: query["redirect_uri"].clone(),
            nonce: query.get("nonce").cloned().unwrap_or_default(),
        };
        codes.insert(code.clone(), issued);
        (code, query["state"].clone())
    }

    /// Signs with another key from here on.
    pub(crate) fn change_key(&self) {
        *self.key.lock().unwrap() = ("second".to_owned(), new_key());
    }

    pub(crate) fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.behaviour.lock().unwrap());
    }

    /// Signs a header and claims, to which it adds the key's name.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let (kid, key) = &*self.key.lock().unwrap();
        let mut header = header.clone();
        header["kid"] = json!(kid);
        let signed = format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()));
        let signature = sign(key, &signed);
        format!("{signed}.{}", BASE64.encode(signature))
    }

    /// Takes a code, as whoever asked for it.
    fn redeem(&self, fields: &BTreeMap<String, String>) -> Option<Issued> {
        let issued = self.codes.lock().unwrap().remove(fields.get("code")?)?;
        let challenge = BASE64.encode(Sha256::digest(fields.get("code_verifier")?));
        (issued.challenge == challenge && fields.get("redirect_uri")? == &issued.redirect).then_some(issued)
    }

    fn id_token(&self, issued: &Issued, access_token: &str) -> String {
        let Behaviour { subject, email, verified, forgery, user_info_of, .. } =
            *self.behaviour.lock().unwrap();
        let now = Clock::system().now().0 / 1000;
        let (kid, key) = &*self.key.lock().unwrap();
        let half = &Sha256::digest(access_token)[..16];
        let mut claims = json!({
            "iss": self.address, "aud": CLIENT, "sub": subject, "iat": now, "exp": now + 60,
            "nonce": issued.nonce, "at_hash": BASE64.encode(half),
        });
        if user_info_of.is_none() {
            claims["email"] = json!(email);
            claims["email_verified"] = json!(verified);
        }
        match forgery {
            Forgery::Audience => claims["aud"] = json!("another"),
            Forgery::SecondAudience => claims["aud"] = json!([CLIENT, "another"]),
            Forgery::Nonce => claims["nonce"] = json!("another"),
            Forgery::NoNonce => drop(claims.as_object_mut().unwrap().remove("nonce")),
            Forgery::Issuer => claims["iss"] = json!("http://127.0.0.1:9"),
            Forgery::Expired => claims["exp"] = json!(now - 3600),
            Forgery::AccessTokenHash => claims["at_hash"] = json!(BASE64.encode([7; 16])),
            _ => {}
        }
        let algorithm = match forgery {
            Forgery::AlgorithmNone => "none",
            Forgery::SharedSecret => "HS256",
            _ => "ES256",
        };
        let kid = if forgery == Forgery::StrangeKey { "strange" } else { kid };
        let part = |value: &Value| BASE64.encode(value.to_string());
        let signed = format!("{}.{}", part(&json!({"alg": algorithm, "kid": kid})), part(&claims));
        let signature = match forgery {
            Forgery::AlgorithmNone => Vec::new(),
            Forgery::SharedSecret => {
                let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET.as_bytes());
                ring::hmac::sign(&key, signed.as_bytes()).as_ref().to_vec()
            }
            Forgery::StrangeKey => sign(&new_key(), &signed),
            Forgery::Signature => sign(&new_key(), &signed),
            _ => sign(key, &signed),
        };
        format!("{signed}.{}", BASE64.encode(signature))
    }
}

fn new_key() -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap()
}

fn sign(key: &EcdsaKeyPair, text: &str) -> Vec<u8> {
    key.sign(&SystemRandom::new(), text.as_bytes()).unwrap().as_ref().to_vec()
}

type Shared = State<Arc<Provider>>;

async fn discovery(State(provider): Shared) -> Json<Value> {
    let at = &provider.address;
    let issuer = provider.behaviour.lock().unwrap().pretends_to_be.map_or(at.clone(), str::to_owned);
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{at}/authorize"),
        "token_endpoint": format!("{at}/token"),
        "userinfo_endpoint": format!("{at}/me"),
        "jwks_uri": format!("{at}/jwks"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256", "HS256", "none"],
        "authorization_response_iss_parameter_supported": true,
    }))
}

async fn keys(State(provider): Shared) -> Json<Value> {
    let (kid, key) = &*provider.key.lock().unwrap();
    let point = &key.public_key().as_ref()[1..];
    Json(json!({"keys": [{
        "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": kid,
        "x": BASE64.encode(&point[..32]), "y": BASE64.encode(&point[32..]),
    }]}))
}

async fn token(
    State(provider): Shared,
    headers: HeaderMap,
    Form(fields): Form<BTreeMap<String, String>>,
) -> Response {
    let expected = base64::engine::general_purpose::STANDARD.encode(format!("{CLIENT}:hush+hush"));
    let known = headers.get(header::AUTHORIZATION).is_some_and(|value| *value == format!("Basic {expected}"));
    match provider.redeem(&fields).filter(|_| known) {
        Some(issued) => {
            let mut answer = json!({"access_token": "opaque", "token_type": "Bearer"});
            if provider.behaviour.lock().unwrap().forgery != Forgery::NoToken {
                answer["id_token"] = json!(provider.id_token(&issued, "opaque"));
            }
            Json(answer).into_response()
        }
        None => (StatusCode::BAD_REQUEST, Json(json!({"error": "invalid_grant"}))).into_response(),
    }
}

async fn user_info(State(provider): Shared, headers: HeaderMap) -> Response {
    if !bears(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let behaviour = provider.behaviour.lock().unwrap().clone();
    let subject = behaviour.user_info_of.unwrap_or(behaviour.subject);
    Json(json!({"sub": subject, "email": behaviour.email, "email_verified": behaviour.verified}))
        .into_response()
}

async fn github_token(State(provider): Shared, Form(fields): Form<BTreeMap<String, String>>) -> Json<Value> {
    let known = fields.get("client_id").is_some_and(|id| id == CLIENT)
        && fields.get("client_secret").is_some_and(|secret| secret == SECRET);
    Json(match provider.redeem(&fields).filter(|_| known) {
        Some(_) => json!({"access_token": "opaque", "token_type": "bearer", "scope": "read:user,user:email"}),
        // With status 200, as GitHub does.
        None => {
            json!({"error": "bad_verification_code", "error_description": "The code is incorrect or expired."})
        }
    })
}

async fn github_user(State(provider): Shared, headers: HeaderMap) -> Response {
    if !bears(&headers) || !headers.contains_key(header::USER_AGENT) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let subject: u64 = provider.behaviour.lock().unwrap().subject.parse().unwrap();
    // Whatever a profile shows as its address, nobody has seen it.
    Json(json!({"id": subject, "login": "ada-l", "email": "root@example.org"})).into_response()
}

async fn github_emails(State(provider): Shared, headers: HeaderMap) -> Response {
    if !bears(&headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let Behaviour { email, verified, .. } = *provider.behaviour.lock().unwrap();
    Json(json!([
        {"email": "other@example.org", "primary": false, "verified": true},
        {"email": email, "primary": true, "verified": verified},
    ]))
    .into_response()
}

fn bears(headers: &HeaderMap) -> bool {
    headers.get(header::AUTHORIZATION).is_some_and(|value| value == "Bearer opaque")
}
