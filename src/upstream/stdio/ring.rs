//! The last lines a process wrote to its standard error.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::io::{AsyncRead, AsyncReadExt};

use super::super::wire;
use crate::secret::Secret;

/// The longest line kept, in characters.
const LINE_CHARACTERS_MAX: usize = 1000;

/// How many of the last lines may say why a process ended.
const LAST_LINES: usize = 20;

/// The shortest secret looked for: anything shorter occurs by chance.
const SECRET_BYTES_MIN: usize = 6;

/// Keeps the last lines. A secret that the process was given, and prints, is not kept.
#[derive(Debug)]
pub(super) struct Ring {
    lines_max: usize,
    secrets: Vec<Secret>,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<String>,
    /// How many lines have been pushed since the beginning.
    pushed: u64,
}

impl Ring {
    pub(super) fn new(lines_max: usize, secrets: impl Iterator<Item = Secret>) -> Self {
        let secrets = secrets.filter(|secret| secret.expose().len() >= SECRET_BYTES_MIN).collect();
        Self { lines_max, secrets, kept: Mutex::default() }
    }

    pub(super) fn push(&self, line: &[u8]) {
        let mut line = String::from_utf8_lossy(line).trim_end().to_owned();
        if line.is_empty() {
            return;
        }
        for secret in &self.secrets {
            if line.contains(secret.expose()) {
                line = line.replace(secret.expose(), "***");
            }
        }
        let mut kept = self.lock();
        if kept.lines.len() >= self.lines_max {
            kept.lines.pop_front();
        }
        kept.lines.push_back(wire::clip(&line, LINE_CHARACTERS_MAX));
        kept.pushed += 1;
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.lock().lines.iter().cloned().collect()
    }

    /// Returns how many lines there have been, to ask for those after it.
    pub(super) fn pushed(&self) -> u64 {
        self.lock().pushed
    }

    /// Returns the line that most likely says why a process ended, of those after the first so many
    /// lines: the last that speaks of an error, or else the last.
    pub(super) fn last_words(&self, after: u64) -> Option<String> {
        let kept = self.lock();
        let own = usize::try_from(kept.pushed.saturating_sub(after)).unwrap_or(usize::MAX);
        let own = kept.lines.iter().rev().take(own.min(LAST_LINES));
        let speaks_of_error = |line: &&String| line.to_ascii_lowercase().contains("error");
        own.clone().find(speaks_of_error).or_else(|| own.clone().next()).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads until the end; a line without end is cut into pieces.
    pub(super) async fn fill(&self, mut from: impl AsyncRead + Unpin) {
        let mut buffer = Vec::with_capacity(4096);
        while let Ok(1..) = from.read_buf(&mut buffer).await {
            while let Some(end) = memchr::memchr(b'\n', &buffer) {
                self.push(&buffer[..end]);
                buffer.drain(..=end);
            }
            if buffer.len() > LINE_CHARACTERS_MAX * 4 {
                self.push(&buffer);
                buffer.clear();
            }
        }
        self.push(&buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_lines_are_kept_and_secrets_are_not() {
        let ring = Ring::new(2, [Secret::new("s3cr3t-token"), Secret::new("a")].into_iter());

        ring.fill(&b"one\ntwo\n\nusing s3cr3t-token\nlast without end"[..]).await;

        assert_eq!(ring.lines(), ["using ***", "last without end"]);
        assert_eq!(ring.last_words(0).as_deref(), Some("last without end"));
    }

    #[tokio::test]
    async fn the_last_words_are_the_processs_own_and_rather_an_error() {
        let ring = Ring::new(10, std::iter::empty());
        ring.fill(&b"Error: of an earlier process"[..]).await;
        let before = ring.pushed();
        assert_eq!(ring.last_words(before), None);

        ring.fill(&b"ready\n"[..]).await;
        assert_eq!(ring.last_words(before).as_deref(), Some("ready"));

        ring.fill(&b"Error: no such module\n\nNode.js v22\n"[..]).await;
        assert_eq!(ring.last_words(before).as_deref(), Some("Error: no such module"));
    }

    #[tokio::test]
    async fn an_endless_line_does_not_grow_without_bound() {
        let ring = Ring::new(3, std::iter::empty());

        ring.fill(&vec![b'x'; 100_000][..]).await;

        assert!(ring.lines().iter().all(|line| line.chars().count() <= LINE_CHARACTERS_MAX + 1));
        assert_eq!(ring.lines().len(), 3);
    }
}
