//! How severe a log message is.

macro_rules! levels {
    ($($(#[doc = $doc:literal])+ $variant:ident = $word:literal,)*) => {
        /// A level of RFC 5424, the least severe first, as `notifications/message`,
        /// `logging/setLevel` and `_meta["io.modelcontextprotocol/logLevel"]` name it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum LogLevel {
            $($(#[doc = $doc])+ $variant,)*
        }

        impl LogLevel {
            /// Every level, the least severe first.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Reads a level; `None` if it is none.
            pub fn parse(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// Returns the level as on the wire.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }
    };
}

levels! {
    /// Details for who looks for a mistake.
    Debug = "debug",
    /// What happens.
    Info = "info",
    /// Normal, but worth a look.
    Notice = "notice",
    /// Something may go wrong.
    Warning = "warning",
    /// Something went wrong.
    Error = "error",
    /// A part does not work.
    Critical = "critical",
    /// Somebody must act at once.
    Alert = "alert",
    /// Nothing works.
    Emergency = "emergency",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_read_back_and_are_ordered_by_severity() {
        for level in LogLevel::ALL {
            assert_eq!(LogLevel::parse(level.as_str()), Some(*level));
        }
        assert!(LogLevel::ALL.is_sorted());
        assert_eq!(LogLevel::parse("Debug"), None);
    }
}
