//! A browser of one person: it keeps cookies, posts forms, and does not follow where it is sent.

use std::collections::BTreeMap;

use axum::body::Body;
use http::{Method, Request, header};

use crate::{
    running::Door,
    world::{Answer, World, request},
};

/// Whatever answers a browser.
pub(crate) trait Site {
    async fn answer(&self, request: Request<Body>) -> Answer;
}

impl Site for World {
    async fn answer(&self, request: Request<Body>) -> Answer {
        self.send(request).await
    }
}

impl Site for Door {
    async fn answer(&self, request: Request<Body>) -> Answer {
        self.send(request).await.unwrap()
    }
}

pub(crate) struct Browser<'a, S = World> {
    site: &'a S,
    pub(crate) cookies: BTreeMap<String, String>,
}

impl<'a, S: Site> Browser<'a, S> {
    pub(crate) fn new(site: &'a S) -> Self {
        Self { site, cookies: BTreeMap::new() }
    }

    /// Goes on elsewhere with the same cookies, as behind a balancer.
    pub(crate) fn go_to(&mut self, site: &'a S) {
        self.site = site;
    }

    /// Returns its cookies as one header.
    pub(crate) fn cookie_line(&self) -> String {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        cookies.join("; ")
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.ask(Method::GET, path, String::new()).await
    }

    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let fields = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.ask(Method::POST, path, fields).await
    }

    async fn ask(&mut self, method: Method, path: &str, body: String) -> Answer {
        let request = request(method, path)
            .header(header::ACCEPT, "text/html")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::REFERER, "http://localhost:8080/")
            .header("sec-fetch-site", "same-origin")
            .header(header::COOKIE, self.cookie_line());
        let answer = self.site.answer(request.body(Body::from(body)).unwrap()).await;
        for line in answer.headers.get_all(header::SET_COOKIE) {
            let line = line.to_str().unwrap();
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            if line.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                assert!(line.contains("HttpOnly") && line.contains("SameSite=Lax"), "{line}");
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    /// Signs in with the password that everybody has.
    pub(crate) async fn sign_in(&mut self, handle: &str) -> Answer {
        self.post("/do/sign-in", &[("login", handle), ("password", crate::world::PASSWORD)]).await
    }

    /// Returns whose pages it sees; `None` if it is sent to sign in.
    pub(crate) async fn handle(&mut self) -> Option<String> {
        let page = self.get("/account").await;
        if page.status != http::StatusCode::OK {
            return None;
        }
        let (_, rest) = page.body.split_once("truncate\">").unwrap();
        Some(rest.split('<').next().unwrap().to_owned())
    }
}

impl Answer {
    /// Returns where the browser is sent; empty if nowhere.
    pub(crate) fn location(&self) -> &str {
        self.headers.get(header::LOCATION).map_or("", |value| value.to_str().unwrap())
    }
}
