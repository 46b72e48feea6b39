//! Problem details (RFC 9457).

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

/// The situations an address of ours can answer with, other than success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// The request is not what the address takes.
    BadRequest,
    /// Nobody is signed in and no key was given, or it does not hold.
    Unauthenticated,
    /// Whoever asks may not.
    Forbidden,
    /// There is nothing here, or nothing that the one who asks may see.
    NotFound,
    /// The address does not take this method.
    MethodNotAllowed,
    /// Something of the same name is there, or the thing was edited in between.
    Conflict,
    /// The body is larger than the address takes.
    TooLarge,
    /// The body was not there in time.
    TooSlow,
    /// The body is not of the type that the address takes.
    UnsupportedType,
    /// The request came to a name that is not ours.
    WrongHost,
    /// The request holds what cannot be accepted.
    Unprocessable,
    /// A limit is reached.
    TooMany,
    /// Doorward failed.
    Internal,
    /// A source failed.
    Upstream,
    /// Doorward cannot answer at the moment.
    Unavailable,
}

impl ProblemKind {
    /// Returns the status code, the last part of the problem's type, and the title.
    fn parts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::BadRequest => (StatusCode::BAD_REQUEST, "bad-request", "The request is not understood"),
            Self::Unauthenticated => {
                (StatusCode::UNAUTHORIZED, "unauthenticated", "Sign in or give an API key")
            }
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden", "This is not allowed"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found", "There is nothing here"),
            Self::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                "method-not-allowed",
                "This address does not take that method",
            ),
            Self::Conflict => {
                (StatusCode::CONFLICT, "conflict", "It is there already, or was edited in between")
            }
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The body is too large"),
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, "too-slow", "The body took too long"),
            Self::UnsupportedType => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-type", "The body is of another type")
            }
            Self::WrongHost => {
                (StatusCode::MISDIRECTED_REQUEST, "wrong-host", "This name is not one of this installation")
            }
            Self::Unprocessable => {
                (StatusCode::UNPROCESSABLE_ENTITY, "unprocessable", "This cannot be accepted")
            }
            Self::TooMany => (StatusCode::TOO_MANY_REQUESTS, "too-many", "A limit is reached"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Doorward failed"),
            Self::Upstream => (StatusCode::BAD_GATEWAY, "upstream", "A data source failed"),
            Self::Unavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Doorward cannot answer at the moment")
            }
        }
    }
}

/// A situation with its particulars.
#[derive(Clone, Debug)]
pub struct Problem {
    kind: ProblemKind,
    detail: String,
    retry_after_secs: Option<u64>,
}

/// A problem as sent.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemBody {
    /// Names the situation, as `urn:doorward:problem:not-found`.
    #[serde(rename = "type")]
    kind: String,
    /// The situation in words.
    title: String,
    /// The status code.
    status: u16,
    /// What is particular about this one.
    #[serde(skip_serializing_if = "str::is_empty")]
    detail: String,
}

impl Problem {
    /// Describes a situation.
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), retry_after_secs: None }
    }

    /// Says more of what is particular about it.
    #[must_use]
    pub fn adding(mut self, words: &str) -> Self {
        self.detail = format!("{words}: {}", self.detail);
        self
    }

    /// Says when to try again.
    #[must_use]
    pub fn retry_after_secs(mut self, secs: u64) -> Self {
        self.retry_after_secs = Some(secs);
        self
    }

    /// Returns the situation.
    pub fn kind(&self) -> ProblemKind {
        self.kind
    }

    /// Returns the status code.
    pub fn status(&self) -> StatusCode {
        self.kind.parts().0
    }

    /// Returns the situation in words.
    pub fn title(&self) -> &'static str {
        self.kind.parts().2
    }

    /// Returns what is particular about this one.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Returns the answer for a program.
    pub fn to_response(&self) -> Response {
        let (status, name, title) = self.kind.parts();
        let body = ProblemBody {
            kind: format!("urn:doorward:problem:{name}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: self.detail.clone(),
        };
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let mut response =
            (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
        self.add_headers(&mut response);
        response
    }

    pub(super) fn add_headers(&self, response: &mut Response) {
        let headers = response.headers_mut();
        if let Some(secs) = self.retry_after_secs {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(secs));
        }
        if self.kind == ProblemKind::Unauthenticated {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"doorward\""));
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.to_response()
    }
}
