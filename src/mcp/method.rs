//! The methods callers may ask for.

/// What a caller asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// `server/discover`, modern.
    Discover,
    /// `initialize`, legacy.
    Initialize,
    /// `ping`, legacy.
    Ping,
    /// `tools/list`.
    ToolsList,
    /// `tools/call`.
    ToolsCall,
}

impl Method {
    /// Reads the name; `None` if Doorward does not serve it.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "server/discover" => Some(Self::Discover),
            "initialize" => Some(Self::Initialize),
            "ping" => Some(Self::Ping),
            "tools/list" => Some(Self::ToolsList),
            "tools/call" => Some(Self::ToolsCall),
            _ => None,
        }
    }

    /// Returns the name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Discover => "server/discover",
            Self::Initialize => "initialize",
            Self::Ping => "ping",
            Self::ToolsList => "tools/list",
            Self::ToolsCall => "tools/call",
        }
    }
}

/// Names of notifications.
pub mod notifications {
    /// The sender gives up a request.
    pub const CANCELLED: &str = "notifications/cancelled";
    /// The legacy handshake is over.
    pub const INITIALIZED: &str = "notifications/initialized";
    /// How far a request has come.
    pub const PROGRESS: &str = "notifications/progress";
    /// A log message.
    pub const MESSAGE: &str = "notifications/message";
}
