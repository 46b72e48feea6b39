//! The revisions of the protocol.

use crate::model::Era;

/// A revision of the protocol, in the order they were published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are the dates")]
pub enum Revision {
    V2024_11_05,
    V2025_03_26,
    V2025_06_18,
    V2025_11_25,
    V2026_07_28,
}

impl Revision {
    /// The newest one, whose shapes messages have inside Doorward.
    pub const LATEST: Self = Self::V2026_07_28;

    /// The newest one with `initialize`.
    pub const LATEST_LEGACY: Self = Self::V2025_11_25;

    /// What a request without any version speaks.
    pub const UNNAMED: Self = Self::V2025_03_26;

    /// Those offered to callers, newest first.
    pub const SERVED: &'static [Self] =
        &[Self::V2026_07_28, Self::V2025_11_25, Self::V2025_06_18, Self::V2025_03_26];

    /// Reads a revision as on the wire; `None` if Doorward does not know it.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "2024-11-05" => Some(Self::V2024_11_05),
            "2025-03-26" => Some(Self::V2025_03_26),
            "2025-06-18" => Some(Self::V2025_06_18),
            "2025-11-25" => Some(Self::V2025_11_25),
            "2026-07-28" => Some(Self::V2026_07_28),
            _ => None,
        }
    }

    /// Returns the revision as on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V2024_11_05 => "2024-11-05",
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// Returns which half of the history it belongs to.
    pub fn era(self) -> Era {
        match self {
            Self::V2026_07_28 => Era::Modern,
            Self::V2024_11_05 | Self::V2025_03_26 | Self::V2025_06_18 | Self::V2025_11_25 => Era::Legacy,
        }
    }

    /// Returns the revision an `initialize` that asks for this text is answered with: the one asked
    /// for if it has `initialize`, the newest that has otherwise.
    pub fn negotiate(asked: &str) -> Self {
        match Self::parse(asked) {
            Some(revision) if revision.era() == Era::Legacy => revision,
            _ => Self::LATEST_LEGACY,
        }
    }
}

impl std::fmt::Display for Revision {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initialize_is_answered_with_what_was_asked_or_the_newest_legacy_revision() {
        assert_eq!(Revision::negotiate("2025-03-26"), Revision::V2025_03_26);
        assert_eq!(Revision::negotiate("2026-07-28"), Revision::V2025_11_25);
        assert_eq!(Revision::negotiate("1999-01-01"), Revision::V2025_11_25);
    }

    #[test]
    fn every_served_revision_reads_back() {
        for revision in Revision::SERVED {
            assert_eq!(Revision::parse(revision.as_str()), Some(*revision));
        }
    }
}
