//! Questions to a history server over `egress`, and what is kept of the answers.

use std::{fmt, io::Read, time::Duration};

use bytes::Bytes;
use flate2::read::GzDecoder;
use http::{HeaderMap, Request, StatusCode, Uri, header};
use http_body_util::Full;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use url::Url;

use super::{
    SparkError,
    keep::{Keep, Shelf},
    shapes::{Application, Attempt, Version},
    show,
    words::cut,
};
use crate::{
    apart,
    clock::Clock,
    egress::{self, Egress, EgressError},
    model::Auth,
};

/// How long one question may take. A history server reads an application's log when it is first
/// asked for it, which takes minutes for large ones.
const PATIENCE: Duration = Duration::from_secs(120);
/// The largest answer as sent, in bytes.
const SENT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The largest answer unpacked, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// From how many bytes on an answer is read beside the threads that serve requests.
const LARGE_BYTES: usize = 256 * 1024;
/// How much of a server's words is told.
const MESSAGE_MAX: usize = 300;
/// The longest id of an application.
const ID_MAX: usize = 200;

type Result<T, E = SparkError> = std::result::Result<T, E>;

/// One history server at one address.
pub(super) struct Client {
    egress: Egress,
    base: Url,
    auth: Auth,
    clock: Clock,
    shelf: Shelf,
}

/// A run of an application, as it is named in paths.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) app: Application,
    pub(super) attempt: Attempt,
}

impl Place {
    /// Finds a run of an application, the last one if none is named.
    pub(super) fn of(app: Application, attempt: Option<&str>) -> Result<Self> {
        let found = match attempt {
            Some(wanted) => app.attempts.iter().find(|attempt| attempt.attempt_id.as_deref() == Some(wanted)),
            None => app.attempts.iter().max_by_key(|attempt| {
                let number: i64 =
                    attempt.attempt_id.as_deref().and_then(|id| id.parse().ok()).unwrap_or_default();
                (number, attempt.start_time_epoch)
            }),
        };
        let Some(found) = found.cloned() else {
            let ids: Vec<_> =
                app.attempts.iter().filter_map(|attempt| attempt.attempt_id.as_deref()).collect();
            let known = if ids.is_empty() { "none, so leave it out".to_owned() } else { ids.join(", ") };
            let wanted = attempt.unwrap_or("any");
            return Err(SparkError::Argument(format!(
                "application {} has no attempt {wanted}; it has: {known}",
                app.id
            )));
        };
        Ok(Self { app, attempt: found })
    }

    fn keep(&self) -> Keep {
        // One whose driver was killed looks as one that runs.
        if self.attempt.completed { Keep::Always } else { Keep::Briefly }
    }
}

/// A query of an address.
pub(super) type Query<'a> = &'a [(&'a str, &'a str)];

impl Client {
    pub(super) fn new(egress: Egress, url: &Url, auth: Auth, clock: Clock, shelf: Shelf) -> Self {
        Self { egress, base: base(url), auth, clock, shelf }
    }

    /// Returns where the server's pages begin, without a slash at the end.
    pub(super) fn base(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Returns the version, asked for anew.
    pub(super) async fn version(&self) -> Result<String> {
        let url = self.url(&["version"], &[]);
        let version: Version = parse(url.path(), Box::pin(self.fetch(&url)).await?).await?;
        if version.spark.is_empty() {
            return Err(foreign(url.path(), "JSON that names no version of Spark"));
        }
        Ok(version.spark)
    }

    /// Gets what belongs to no application.
    pub(super) async fn get<T>(&self, path: &[&str], query: Query<'_>) -> Result<T>
    where
        T: DeserializeOwned + Send + 'static,
    {
        self.read(&self.url(path, query), Keep::Briefly).await
    }

    /// Gets what belongs to a run of an application.
    pub(super) async fn of<T>(&self, place: &Place, path: &[&str], query: Query<'_>) -> Result<T>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let mut whole = vec!["applications", place.app.id.as_str()];
        whole.extend(place.attempt.attempt_id.as_deref());
        whole.extend(path);
        self.read(&self.url(&whole, query), place.keep()).await
    }

    /// Finds a run of an application, the last one if none is named. A server that knows runs wants
    /// one in every path, and says otherwise that there is no such application.
    pub(super) async fn place(&self, app_id: &str, attempt: Option<&str>) -> Result<Place> {
        let id = checked_id("app_id", app_id)?;
        let app: Application = self.get(&["applications", id], &[]).await?;
        Place::of(app, attempt)
    }

    fn url(&self, path: &[&str], query: Query<'_>) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", "v1"]).extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    async fn read<T>(&self, url: &Url, keep: Keep) -> Result<T>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let now = self.clock.now();
        let body = match self.shelf.find(url.as_str(), now) {
            Some(body) => body,
            None => {
                // Boxed, as it would otherwise take its room in each of the many questions of an analysis.
                let body = Box::pin(self.fetch(url)).await?;
                self.shelf.put(url.as_str(), &body, keep, self.clock.now());
                body
            }
        };
        parse(url.path(), body).await
    }

    async fn fetch(&self, url: &Url) -> Result<Bytes> {
        self.egress.check_url(url)?;
        let uri: Uri =
            url.as_str().parse().map_err(|_| foreign(url.path(), "an address that cannot be read"))?;
        let headers = show::headers(&self.auth, self.clock.now())?;
        let make = |uri: &Uri| {
            let mut request = Request::new(Full::new(Bytes::new()));
            *request.uri_mut() = uri.clone();
            *request.headers_mut() = headers.clone();
            request
        };
        let answered = self.egress.request(&uri, make, PATIENCE).await?;
        let (parts, body) = answered.response.into_parts();
        if matches!(parts.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return Err(SparkError::Credential { status: parts.status.as_u16() });
        }
        let reading = tokio::time::timeout(PATIENCE, egress::read_body(body, SENT_BYTES_MAX)).await;
        let host = || url.host_str().unwrap_or_default().to_owned();
        let late = || EgressError::Timeout { host: host(), step: EgressError::ANSWER, after: PATIENCE };
        let body = match reading.map_err(|_| late())? {
            Ok(body) => unpacked(&parts.headers, body).await?,
            Err(EgressError::TooLarge { limit_bytes }) => return Err(SparkError::TooLarge { limit_bytes }),
            Err(error) => return Err(error.into()),
        };
        if parts.status.is_success() {
            return Ok(body);
        }
        Err(refused(parts.status, &body))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Client").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

/// Returns where a server's pages begin, from what somebody copied out of a browser.
fn base(url: &Url) -> Url {
    let mut base = url.clone();
    base.set_query(None);
    base.set_fragment(None);
    let path = base.path().trim_end_matches('/');
    let path = path.strip_suffix("/api/v1").unwrap_or(path).to_owned();
    base.set_path(&path);
    base
}

/// Checks an id that becomes a part of a path.
pub(super) fn checked_id<'a>(name: &str, id: &'a str) -> Result<&'a str> {
    let fits = !id.is_empty()
        && id.len() <= ID_MAX
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
        && !id.bytes().all(|byte| byte == b'.');
    if fits { Ok(id) } else { Err(SparkError::Argument(format!("`{name}` is no id of an application"))) }
}

async fn unpacked(headers: &HeaderMap, body: Bytes) -> Result<Bytes> {
    let is_packed = headers
        .get(header::CONTENT_ENCODING)
        .is_some_and(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"gzip"));
    if !is_packed {
        return Ok(body);
    }
    if body.len() < LARGE_BYTES / 8 {
        return unpack(&body);
    }
    apart::compute(move || unpack(&body)).await
}

fn unpack(body: &[u8]) -> Result<Bytes> {
    let mut out = Vec::with_capacity(body.len() * 8);
    let limit = u64::try_from(ANSWER_BYTES_MAX).unwrap_or(u64::MAX) + 1;
    GzDecoder::new(body)
        .take(limit)
        .read_to_end(&mut out)
        .map_err(|_| foreign("its answer", "something that is said to be gzip and is not"))?;
    if out.len() > ANSWER_BYTES_MAX {
        return Err(SparkError::TooLarge { limit_bytes: ANSWER_BYTES_MAX });
    }
    Ok(out.into())
}

async fn parse<T>(path: &str, body: Bytes) -> Result<T>
where
    T: DeserializeOwned + Send + 'static,
{
    let path = path.to_owned();
    let is_large = body.len() >= LARGE_BYTES;
    let read = move || {
        serde_json::from_slice(&body).map_err(|_| {
            let said = plain(&String::from_utf8_lossy(&body[..body.len().min(4096)]));
            foreign(&path, &format!("“{}”", cut(&said, 120)))
        })
    };
    if is_large { apart::compute(read).await } else { read() }
}

/// Returns what an answer means that is no success. Its body is text or a page, never JSON.
fn refused(status: StatusCode, body: &[u8]) -> SparkError {
    let text = String::from_utf8_lossy(body);
    let is_page = text.trim_start().starts_with('<');
    match status.as_u16() {
        502 | 504 => SparkError::Down { status: status.as_u16() },
        503 if is_page => SparkError::Down { status: 503 },
        number => {
            let message = cut(&plain(&text), MESSAGE_MAX);
            let message = if message.is_empty() { "nothing more".to_owned() } else { message };
            SparkError::Refused { status: number, message }
        }
    }
}

/// Returns a text without markup and without what does not show.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut in_tag = false;
    for letter in text.chars() {
        match letter {
            '<' => in_tag = true,
            '>' if in_tag => {
                in_tag = false;
                out.push(' ');
            }
            _ if in_tag => {}
            letter if letter.is_control() => out.push(' '),
            letter => out.push(letter),
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn foreign(path: &str, answer: &str) -> SparkError {
    SparkError::Foreign { path: path.to_owned(), answer: answer.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_as_it_is_copied() {
        for typed in [
            "http://h:1/shs",
            "http://h:1/shs/",
            "http://h:1/shs/api/v1",
            "http://h:1/shs/api/v1/?showIncomplete=x",
        ] {
            assert_eq!(base(&Url::parse(typed).unwrap()).as_str(), "http://h:1/shs", "{typed}");
        }
        assert_eq!(base(&Url::parse("http://h:1").unwrap()).as_str(), "http://h:1/");
    }

    #[test]
    fn an_id_stays_in_its_place_of_the_path() {
        assert!(checked_id("app_id", "application_1795233000000_0001").is_ok());
        for wrong in ["", "..", ".", "a/b", "a?b", "a%2fb", "ä", &"a".repeat(201)] {
            assert!(checked_id("app_id", wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_page_of_an_error_becomes_its_words() {
        let page =
            b"<html><head><title>Error 403</title></head>\n<body><h2>HTTP ERROR 403</h2></body></html>";
        assert_eq!(plain(&String::from_utf8_lossy(page)), "Error 403 HTTP ERROR 403");
        let refused = refused(StatusCode::NOT_FOUND, b"unknown app: nope");
        assert!(refused.to_string().contains("404: unknown app: nope"), "{refused}");
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        use std::io::Write;
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        let zeros = vec![0; 1 << 20];
        for _ in 0..65 {
            packer.write_all(&zeros).unwrap();
        }
        let packed = packer.finish().unwrap();

        assert!(packed.len() < SENT_BYTES_MAX);
        assert!(matches!(unpack(&packed), Err(SparkError::TooLarge { .. })));
        assert!(matches!(unpack(b"no gzip"), Err(SparkError::Foreign { .. })));
    }
}
