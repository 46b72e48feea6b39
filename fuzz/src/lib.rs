//! The protocol room, compiled alone, and what is asked of it with arbitrary bytes.

pub mod checks;

#[path = "../../src/mcp/mod.rs"]
pub mod mcp;

/// The two nouns the room takes from `model`, whose others need a database to be compiled.
pub mod model {
    /// Which half of the protocol's history a revision belongs to.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum Era {
        /// Until 2025-11-25.
        Legacy,
        /// From 2026-07-28.
        Modern,
    }

    /// A hash of a tool's definition; here its parts themselves.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct ToolHash(pub String);

    impl ToolHash {
        /// Keeps the parts.
        pub fn of(parts: &[(&str, Option<&str>)]) -> Self {
            Self(format!("{parts:?}"))
        }
    }
}
