//! Which web pages may call presets. Programs that are not browsers send no origin.

use http::{HeaderMap, header};

use crate::proxy::ProxySettings;

/// Says whether every origin the request names is ours or one the settings name.
pub(super) fn may_call(headers: &HeaderMap, settings: &ProxySettings) -> bool {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    origins.all(|origin| origin.to_str().is_ok_and(|origin| is_known(origin, headers, settings)))
}

fn is_known(origin: &str, headers: &HeaderMap, settings: &ProxySettings) -> bool {
    settings.allowed_origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin))
        || (!settings.base_url.is_empty() && settings.base_url.eq_ignore_ascii_case(origin))
        || is_same_host(origin, headers)
}

/// Says whether the page came from the name the request came to, which the server has found to be
/// ours.
fn is_same_host(origin: &str, headers: &HeaderMap) -> bool {
    let Some((scheme @ ("http" | "https"), authority)) = origin.split_once("://") else { return false };
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else { return false };
    let own_port = if scheme == "http" { ":80" } else { ":443" };
    host.strip_suffix(own_port).unwrap_or(host).eq_ignore_ascii_case(authority)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_pages_of_ours_and_of_friends_may_call() {
        let settings = ProxySettings {
            base_url: "https://door.example".to_owned(),
            allowed_origins: vec!["https://app.example".to_owned()],
            ..ProxySettings::default()
        };
        let may = |origin: &'static str| {
            let pairs = [
                (header::HOST, HeaderValue::from_static("127.0.0.1:8080")),
                (header::ORIGIN, HeaderValue::from_static(origin)),
            ];
            may_call(&pairs.into_iter().collect(), &settings)
        };

        assert!(may_call(&HeaderMap::new(), &settings));
        for ours in ["https://door.example", "https://app.example", "http://127.0.0.1:8080"] {
            assert!(may(ours), "{ours}");
        }
        for other in
            ["null", "https://evil.example", "https://door.example.evil", "http://127.0.0.1", "file://"]
        {
            assert!(!may(other), "{other}");
        }
        let mut two = HeaderMap::new();
        two.append(header::ORIGIN, HeaderValue::from_static("https://app.example"));
        two.append(header::ORIGIN, HeaderValue::from_static("https://evil.example"));
        assert!(!may_call(&two, &settings));
    }
}
