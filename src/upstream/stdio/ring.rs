//! The last lines a process wrote to its standard error.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use tokio::io::{AsyncRead, AsyncReadExt};

use super::super::wire;
use crate::secret::Secret;

/// The longest line kept, in characters.
const LINE_CHARACTERS_MAX: usize = 1000;

/// The shortest secret looked for: anything shorter occurs by chance.
const SECRET_BYTES_MIN: usize = 6;

/// Keeps the last lines. A secret that the process was given, and prints, is not kept.
#[derive(Debug)]
pub(super) struct Ring {
    lines_max: usize,
    secrets: Vec<Secret>,
    lines: Mutex<VecDeque<String>>,
}

impl Ring {
    pub(super) fn new(lines_max: usize, secrets: impl Iterator<Item = Secret>) -> Self {
        let secrets = secrets.filter(|secret| secret.expose().len() >= SECRET_BYTES_MIN).collect();
        Self { lines_max, secrets, lines: Mutex::default() }
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
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() >= self.lines_max {
            lines.pop_front();
        }
        lines.push_back(wire::clip(&line, LINE_CHARACTERS_MAX));
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Returns the last line, which usually says why a process ended.
    pub(super) fn last(&self) -> Option<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).back().cloned()
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
        assert_eq!(ring.last().as_deref(), Some("last without end"));
    }

    #[tokio::test]
    async fn an_endless_line_does_not_grow_without_bound() {
        let ring = Ring::new(3, std::iter::empty());

        ring.fill(&vec![b'x'; 100_000][..]).await;

        assert!(ring.lines().iter().all(|line| line.chars().count() <= LINE_CHARACTERS_MAX + 1));
        assert_eq!(ring.lines().len(), 3);
    }
}
