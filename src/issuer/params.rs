//! The parameters of a request to the issuer: each at most once (RFC 6749, 3.1).

use url::form_urlencoded;

use crate::issuer::IssuerError;

/// How many parameters a request has at most.
const PARAMS_MAX: usize = 50;

/// Parameters of a query or a form.
#[derive(Debug)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// Reads them. A parameter without a value counts as absent.
    pub(super) fn read(text: &[u8]) -> Result<Self, IssuerError> {
        let mut params: Vec<(String, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(text).take(PARAMS_MAX + 1) {
            if params.len() == PARAMS_MAX {
                return Err(IssuerError::InvalidRequest("there are too many parameters".into()));
            }
            if value.is_empty() {
                continue;
            }
            if params.iter().any(|(known, _)| *known == name) {
                return Err(IssuerError::InvalidRequest(format!("`{name}` is given twice").into()));
            }
            params.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self(params))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn need(&self, name: &'static str) -> Result<&str, IssuerError> {
        self.get(name).ok_or_else(|| IssuerError::InvalidRequest(format!("`{name}` is missing").into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_there_once_or_not_at_all() {
        let params = Params::read(b"a=1&b=&c=x%20y").unwrap();

        assert_eq!((params.get("a"), params.get("b"), params.get("c")), (Some("1"), None, Some("x y")));
        assert!(Params::read(b"a=1&a=1").is_err());
        assert!(Params::read("a=1&".repeat(60).as_bytes()).is_err());
        assert!(params.need("b").is_err());
    }
}
