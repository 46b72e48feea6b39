//! What roles in an organisation are called, and what they mean.

use doorward::model::OrgRole;

use crate::ui::Pick;

/// Returns what a role is called.
pub(crate) fn role_words(role: OrgRole) -> &'static str {
    match role {
        OrgRole::Viewer => "Viewer",
        OrgRole::Operator => "Operator",
        OrgRole::Admin => "Administrator",
    }
}

/// Returns the roles to choose from, with what each may do.
pub(crate) fn role_picks() -> Vec<Pick> {
    OrgRole::ALL.iter().map(|role| Pick::new(role.word(), role_words(*role)).meaning(may(*role))).collect()
}

fn may(role: OrgRole) -> &'static str {
    match role {
        OrgRole::Viewer => "Looks at everything and uses the presets.",
        OrgRole::Operator => {
            "Also tests data sources and tunnels, tries tools in the console, and runs analyses."
        }
        OrgRole::Admin => "Also manages data sources, presets, connections and people.",
    }
}
