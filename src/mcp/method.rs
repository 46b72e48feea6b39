//! The methods of both eras: their names, the revisions that know them, and what `Mcp-Name` mirrors.

use crate::mcp::{ListKind, Revision};

macro_rules! methods {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal, $first:ident ..= $last:ident;)*) => {
        /// What a caller asks for, or Doorward asks of a source.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Method {
            $($(#[doc = $doc])+ $variant,)*
        }

        impl Method {
            /// Every method, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Reads the name; `None` if no revision has such a method.
            pub fn parse(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// Returns the name.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// Says whether a revision has this method, in its core or in an extension.
            pub fn is_known_to(self, revision: Revision) -> bool {
                match self {
                    $(Self::$variant => (Revision::$first..=Revision::$last).contains(&revision),)*
                }
            }
        }
    };
}

methods! {
    /// Runs a tool.
    ToolsCall = "tools/call", V2024_11_05..=V2026_07_28;
    /// Lists tools.
    ToolsList = "tools/list", V2024_11_05..=V2026_07_28;
    /// Opens a legacy session.
    Initialize = "initialize", V2024_11_05..=V2025_11_25;
    /// Asks a legacy peer whether it lives.
    Ping = "ping", V2024_11_05..=V2025_11_25;
    /// Asks what a modern server is.
    Discover = "server/discover", V2026_07_28..=V2026_07_28;
    /// Lists resources.
    ResourcesList = "resources/list", V2024_11_05..=V2026_07_28;
    /// Lists patterns of resources.
    TemplatesList = "resources/templates/list", V2024_11_05..=V2026_07_28;
    /// Reads a resource.
    ResourcesRead = "resources/read", V2024_11_05..=V2026_07_28;
    /// Asks for news of a resource in a legacy session.
    ResourcesSubscribe = "resources/subscribe", V2024_11_05..=V2025_11_25;
    /// Ends that.
    ResourcesUnsubscribe = "resources/unsubscribe", V2024_11_05..=V2025_11_25;
    /// Lists prompts.
    PromptsList = "prompts/list", V2024_11_05..=V2026_07_28;
    /// Fills in a prompt.
    PromptsGet = "prompts/get", V2024_11_05..=V2026_07_28;
    /// Suggests values of an argument.
    Complete = "completion/complete", V2024_11_05..=V2026_07_28;
    /// Sets the least level of log messages of a legacy session.
    SetLevel = "logging/setLevel", V2024_11_05..=V2025_11_25;
    /// Opens a stream of news.
    Listen = "subscriptions/listen", V2026_07_28..=V2026_07_28;
    /// Asks how a task is: the tasks extension (SEP-2663), and the experiment of 2025-11-25, which has
    /// the same name on another wire.
    TasksGet = "tasks/get", V2025_11_25..=V2026_07_28;
    /// Answers what a task asks.
    TasksUpdate = "tasks/update", V2026_07_28..=V2026_07_28;
    /// Gives a task up.
    TasksCancel = "tasks/cancel", V2025_11_25..=V2026_07_28;
    /// Lists tasks, in the experiment of 2025-11-25.
    TasksList = "tasks/list", V2025_11_25..=V2025_11_25;
    /// Waits for a task, in the experiment of 2025-11-25.
    TasksResult = "tasks/result", V2025_11_25..=V2025_11_25;
}

impl Method {
    /// Returns the member of `params` that the header `Mcp-Name` mirrors (2026-07-28, HTTP binding);
    /// `None` if there is none.
    pub fn name_member(self) -> Option<&'static str> {
        match self {
            Self::ToolsCall | Self::PromptsGet => Some("name"),
            Self::ResourcesRead => Some("uri"),
            Self::TasksGet | Self::TasksUpdate | Self::TasksCancel => Some("taskId"),
            _ => None,
        }
    }

    /// Says whether the answer may be a question: a result of the type `input_required`.
    pub fn may_ask(self) -> bool {
        matches!(self, Self::ToolsCall | Self::PromptsGet | Self::ResourcesRead)
    }

    /// Returns what is listed; `None` if this lists nothing that presets publish.
    pub fn list_kind(self) -> Option<ListKind> {
        ListKind::ALL.iter().copied().find(|kind| kind.method() == self)
    }

    /// Says whether its complete results carry `ttlMs` and `cacheScope` in revision 2026-07-28.
    pub fn is_cacheable(self) -> bool {
        matches!(
            self,
            Self::Discover
                | Self::ToolsList
                | Self::ResourcesList
                | Self::TemplatesList
                | Self::ResourcesRead
                | Self::PromptsList
        )
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
    /// The list of tools changed.
    pub const TOOLS_CHANGED: &str = "notifications/tools/list_changed";
    /// The list of prompts changed.
    pub const PROMPTS_CHANGED: &str = "notifications/prompts/list_changed";
    /// The list of resources, or of their templates, changed.
    pub const RESOURCES_CHANGED: &str = "notifications/resources/list_changed";
    /// A resource changed.
    pub const RESOURCE_UPDATED: &str = "notifications/resources/updated";
    /// What a listen stream will tell; its first message.
    pub const ACKNOWLEDGED: &str = "notifications/subscriptions/acknowledged";
    /// A task of the extension changed.
    pub const TASK: &str = "notifications/tasks";
    /// A task of the experiment of 2025-11-25 changed.
    pub const TASK_STATUS: &str = "notifications/tasks/status";
    /// A legacy caller's roots changed.
    pub const ROOTS_CHANGED: &str = "notifications/roots/list_changed";
    /// What a legacy caller was sent to a page for is done (2025-11-25).
    pub const ELICITATION_COMPLETE: &str = "notifications/elicitation/complete";

    /// Every name.
    pub const ALL: &[&str] = &[
        CANCELLED,
        INITIALIZED,
        PROGRESS,
        MESSAGE,
        TOOLS_CHANGED,
        PROMPTS_CHANGED,
        RESOURCES_CHANGED,
        RESOURCE_UPDATED,
        ACKNOWLEDGED,
        TASK,
        TASK_STATUS,
        ROOTS_CHANGED,
        ELICITATION_COMPLETE,
    ];
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Era;

    #[test]
    fn every_method_reads_back_and_belongs_to_an_era() {
        for method in Method::ALL {
            assert_eq!(Method::parse(method.as_str()), Some(*method));
            assert!(Revision::SERVED.iter().any(|revision| method.is_known_to(*revision)), "{method:?}");
        }
        assert_eq!(Method::parse("tools/Call"), None);
    }

    #[test]
    fn what_is_gone_is_known_to_legacy_revisions_only() {
        for gone in ["initialize", "ping", "logging/setLevel", "resources/subscribe", "tasks/list"] {
            let method = Method::parse(gone).expect("a method");
            assert!(!method.is_known_to(Revision::V2026_07_28), "{gone}");
            assert!(method.is_known_to(Revision::V2025_11_25), "{gone}");
        }
        for new in ["server/discover", "subscriptions/listen", "tasks/update"] {
            let method = Method::parse(new).expect("a method");
            let known = Revision::SERVED.iter().filter(|revision| method.is_known_to(**revision));
            assert!(known.into_iter().all(|revision| revision.era() == Era::Modern), "{new}");
        }
    }

    #[test]
    fn the_name_header_mirrors_what_each_method_is_about() {
        let of = |name: &str| Method::parse(name).expect("a method").name_member();

        assert_eq!(of("prompts/get"), Some("name"));
        assert_eq!(of("resources/read"), Some("uri"));
        assert_eq!(of("tasks/update"), Some("taskId"));
        assert_eq!(of("completion/complete"), None);
    }
}
