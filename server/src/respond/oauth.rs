//! Refusals of the issuer, in the form that OAuth clients read (RFC 6749, 5.2).

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use doorward::{fault::Fault, issuer::IssuerError};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

/// An answer that says what the issuer refused.
pub struct Refused(Box<Response>);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        *self.0
    }
}

#[derive(Serialize)]
struct Body {
    error: &'static str,
    error_description: String,
}

/// Makes the answer. What failed inside is told to the log alone.
pub fn refused(error: IssuerError) -> Refused {
    let (status, description) = match &error {
        IssuerError::InvalidRequest(_)
        | IssuerError::InvalidGrant(_)
        | IssuerError::InvalidScope(_)
        | IssuerError::UnsupportedGrantType(_)
        | IssuerError::InvalidTarget(_)
        | IssuerError::InvalidRedirectUri(_)
        | IssuerError::InvalidClientMetadata(_) => (StatusCode::BAD_REQUEST, error.to_string()),
        IssuerError::Assertion(cause) if cause.fault() == Fault::Refused => {
            (StatusCode::BAD_REQUEST, error.to_string())
        }
        IssuerError::InvalidClient(_) | IssuerError::InvalidRegistrationToken => {
            (StatusCode::UNAUTHORIZED, error.to_string())
        }
        IssuerError::TooMany { .. } => (StatusCode::TOO_MANY_REQUESTS, error.to_string()),
        IssuerError::Denied(_) => (StatusCode::FORBIDDEN, error.to_string()),
        IssuerError::Assertion(_)
        | IssuerError::Identity(_)
        | IssuerError::Preset(_)
        | IssuerError::Store(_) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the issuer failed");
            (StatusCode::SERVICE_UNAVAILABLE, "try again in a moment".to_owned())
        }
    };
    let body = Body { error: error.code(), error_description: description };
    let mut response = (status, Json(body)).into_response();
    let headers = response.headers_mut();
    match &error {
        IssuerError::InvalidClient(_) => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"doorward\""));
        }
        IssuerError::InvalidRegistrationToken => {
            let challenge = "Bearer realm=\"doorward\", error=\"invalid_token\"";
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        IssuerError::TooMany { retry_after } => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_after.as_secs().max(1)));
        }
        _ => {}
    }
    Refused(Box::new(response))
}
