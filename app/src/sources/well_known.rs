//! Data sources that many people have, each to begin with by one press. Beginning fills in the form that adds one; nothing
//! is kept, started or connected to by it.
//!
//! One more is a line in [`ALL`]: what its makers call it, what it gives, and how their own documentation says that it is
//! reached.

use leptos::prelude::*;

use super::new::ProcessFirst;
use crate::ui::{Icon, Panel};

/// A data source that many people have.
pub(super) struct WellKnown {
    /// What it is called in addresses, and at first in lists.
    pub(super) name: &'static str,
    title: &'static str,
    about: &'static str,
    start: Start,
}

/// How it is reached.
enum Start {
    Address(&'static str),
    Process {
        command: &'static str,
        /// What it wants to be told, one `NAME=value` a line.
        env: &'static str,
    },
}

use Start::{Address, Process};

const ALL: &[WellKnown] = &[
    WellKnown {
        name: "github",
        title: "GitHub",
        about: "Repositories, issues, pull requests and actions. Asks you to sign in.",
        start: Address("https://api.githubcopilot.com/mcp/"),
    },
    WellKnown {
        name: "atlassian",
        title: "Jira and Confluence",
        about: "Work items and pages of Atlassian's cloud. Asks you to sign in.",
        start: Address("https://mcp.atlassian.com/v1/mcp"),
    },
    WellKnown {
        name: "sentry",
        title: "Sentry",
        about: "Errors, their traces and who is affected. Asks you to sign in.",
        start: Address("https://mcp.sentry.dev/mcp"),
    },
    WellKnown {
        name: "linear",
        title: "Linear",
        about: "Issues, projects and cycles. Asks you to sign in.",
        start: Address("https://mcp.linear.app/mcp"),
    },
    WellKnown {
        name: "notion",
        title: "Notion",
        about: "Pages and databases of a workspace. Asks you to sign in.",
        start: Address("https://mcp.notion.com/mcp"),
    },
    WellKnown {
        name: "deepwiki",
        title: "DeepWiki",
        about: "Answers about public repositories. Needs no credential: good for a first try.",
        start: Address("https://mcp.deepwiki.com/mcp"),
    },
    WellKnown {
        name: "spark",
        title: "Spark History Server",
        about: "Applications of Apache Spark as tools, with what is wrong with them. Needs no other program.",
        start: Address("http://localhost:18080"),
    },
    WellKnown {
        name: "everything",
        title: "Everything",
        about: "Each feature of the protocol once, by its makers. Needs Node.",
        start: Process { command: "npx -y @modelcontextprotocol/server-everything", env: "" },
    },
    WellKnown {
        name: "files",
        title: "Files",
        about: "Reads and writes files below one folder: name yours at the end. Needs Node.",
        start: Process { command: "npx -y @modelcontextprotocol/server-filesystem /srv/docs", env: "" },
    },
    WellKnown {
        name: "time",
        title: "Time",
        about: "What time it is, and what time that is elsewhere. Needs uv.",
        start: Process { command: "uvx mcp-server-time", env: "" },
    },
    WellKnown {
        name: "kubeflow-spark",
        title: "Kubeflow's server for Spark",
        about: "The MCP server for Spark History Servers that our own tools take their names from. Needs uv and Python 3.12.",
        start: Process {
            command: "uvx --python 3.12 --from mcp-apache-spark-history-server spark-mcp",
            env: "SHS_MCP__TRANSPORT=stdio\nSHS_SERVERS__LOCAL__URL=http://localhost:18080\n\
                  SHS_SERVERS__LOCAL__DEFAULT=true",
        },
    },
];

/// Finds one by its name, among those reached by an address or those that are processes.
pub(super) fn find(name: &str, by_process: bool) -> Option<&'static WellKnown> {
    ALL.iter().find(|known| known.name == name && known.is_process() == by_process)
}

impl WellKnown {
    fn is_process(&self) -> bool {
        matches!(self.start, Process { .. })
    }

    /// Returns its address; empty if it is a process.
    pub(super) fn url(&self) -> &'static str {
        match self.start {
            Address(url) => url,
            Process { .. } => "",
        }
    }

    /// Returns what the form of a process says at first.
    pub(super) fn process(&self) -> ProcessFirst {
        match self.start {
            Address(_) => ProcessFirst::default(),
            Process { command, env } => ProcessFirst {
                name: self.name.to_owned(),
                command: command.to_owned(),
                working_dir: String::new(),
                env: env.to_owned(),
            },
        }
    }

    fn path(&self) -> String {
        let kind = if self.is_process() { "kind=process&" } else { "" };
        format!("/sources/new?{kind}known={}", self.name)
    }
}

/// Draws those that are reached in one way.
pub(super) fn choice(by_process: bool) -> impl IntoView {
    let cards = ALL.iter().filter(move |known| known.is_process() == by_process).map(|known| {
        view! {
            <li class="contents">
                <a class="panel grid content-start gap-1 px-4 py-3 hover:border-accent" href=known.path()>
                    <span class="flex items-center gap-2 font-medium">
                        {Icon::Plug.sized(tw!("size-4 text-muted"))} {known.title}
                    </span>
                    <span class="text-sm text-muted">{known.about}</span>
                </a>
            </li>
        }
    });
    view! {
        <Panel title="Or begin with one that is known" lead="It fills in the form; you still look before anything is added.">
            <ul class="grid gap-3 sm:grid-cols-2">{cards.collect_view()}</ul>
        </Panel>
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;
    use crate::sources::command;

    #[test]
    fn each_can_be_begun_with() {
        for known in ALL {
            assert!(doorward::model::SourceName::parse(known.name).is_ok(), "{}", known.name);
            assert_eq!(find(known.name, known.is_process()).unwrap().title, known.title);
            assert!(find(known.name, !known.is_process()).is_none());
            match known.start {
                Address(url) => assert!(Url::parse(url).unwrap().has_host(), "{url}"),
                Process { command, env } => {
                    assert!(command::split(command).unwrap().len() > 1, "{command}");
                    assert!(
                        command::variables(env).unwrap().iter().all(|(_, value)| value.is_some()),
                        "{env}"
                    );
                }
            }
        }
    }
}
