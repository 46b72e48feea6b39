//! What the forms of limits post.

use std::{collections::BTreeMap, fmt::Display};

use doorward::{
    model::{ApiKeyId, CallRules, PresetId, Rate, RetryRules, SourceId},
    presets::PresetChange,
    sources::SourceChange,
};
use leptos::{prelude::*, server_fn::ServerFn};

use crate::{
    context::console,
    form::{Form, Mistake, Onward},
    session,
    trouble::Trouble,
};

/// Where the limit of a key is posted to.
pub(super) const OF_KEY: &str = <LimitKey as ServerFn>::PATH;
/// Where the limits of a preset are posted to.
pub(super) const OF_PRESET: &str = <LimitPreset as ServerFn>::PATH;
/// Where the limits of a data source are posted to.
pub(super) const OF_SOURCE: &str = <LimitSource as ServerFn>::PATH;

/// The name of the forms, of which a page has one.
pub(crate) const FORM: &str = "limits";

/// What is said when limits were saved.
const SAVED: &str = "Saved. It holds from the next call on.";

/// Says how fast calls with a key may come.
#[server(prefix = "/do", endpoint = "limits-key")]
pub async fn limit_key(id: String, #[server(default)] rate: String) -> Result<(), ServerFnError> {
    let outcome = async {
        let member = session::member().await?;
        let key: ApiKeyId = id.parse().map_err(|_| Trouble::NotFound)?;
        if !console().identity.set_key_rate(&member, key, read_rate(&rate)?).await? {
            return Err(Trouble::NotFound.into());
        }
        Ok(Onward::to("/keys").saying(SAVED))
    };
    Form::new(FORM).keep("id", &id).keep("rate", rate.trim()).answer("/keys", outcome.await)
}

/// Says how fast calls of a preset and of its tools may come.
#[server(prefix = "/do", endpoint = "limits-preset")]
pub async fn limit_preset(
    id: String,
    version: i64,
    #[server(default)] rate: String,
    #[server(default)] tools: String,
    #[server(default)] once: String,
    #[server(default)] by_annotations: String,
) -> Result<(), ServerFnError> {
    let back = format!("/presets/{id}/settings");
    let outcome = async {
        let member = session::member().await?;
        let id: PresetId = id.parse().map_err(|_| Trouble::NotFound)?;
        let names = once.lines().map(str::trim).filter(|name| !name.is_empty());
        let retries =
            RetryRules { tools: names.map(str::to_owned).collect(), by_annotations: by_annotations == "on" };
        let rules = CallRules { rate: read_rate(&rate)?, tools: read_tools(&tools)?, retries };
        let change = PresetChange { rules: Some(rules), ..PresetChange::default() };
        console().presets.update(&member, id, change, version).await?;
        Ok(Onward::to(&back).saying(SAVED))
    };
    let form = Form::new(FORM).keep("rate", rate.trim()).keep("tools", &tools).keep("once", &once);
    form.answer(&back, outcome.await)
}

/// Says how fast calls that go to a data source and to its tools may come.
#[server(prefix = "/do", endpoint = "limits-source")]
pub async fn limit_source(
    id: String,
    version: i64,
    #[server(default)] rate: String,
    #[server(default)] tools: String,
) -> Result<(), ServerFnError> {
    let back = format!("/sources/{id}/edit");
    let outcome = async {
        let member = session::member().await?;
        let id: SourceId = id.parse().map_err(|_| Trouble::NotFound)?;
        let rules = CallRules { rate: read_rate(&rate)?, tools: read_tools(&tools)?, ..CallRules::default() };
        let change = SourceChange { rules: Some(rules), ..SourceChange::default() };
        console().sources.update(&member, id, change, version).await?;
        Ok(Onward::to(&back).saying(SAVED))
    };
    Form::new(FORM).keep("rate", rate.trim()).keep("tools", &tools).answer(&back, outcome.await)
}

/// Reads a rate as typed; nothing is no limit.
pub(crate) fn read_rate(text: &str) -> Result<Option<Rate>, Mistake> {
    match text.trim() {
        "" => Ok(None),
        text => Rate::parse(text).map(Some).map_err(|error| Mistake::field("rate", error)),
    }
}

/// Reads the rates of tools, a line each: `name = rate`.
fn read_tools(text: &str) -> Result<BTreeMap<String, Rate>, Mistake> {
    let mut tools = BTreeMap::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let wrong = |why: &dyn Display| Mistake::field("tools", format!("`{line}`: {why}"));
        let Some((name, rate)) = line.rsplit_once('=') else {
            return Err(wrong(&"write the tool's name, an equals sign and a rate, as in `send = 10/minute`"));
        };
        let rate = Rate::parse(rate).map_err(|error| wrong(&error))?;
        if tools.insert(name.trim().to_owned(), rate).is_some() {
            return Err(wrong(&"this tool has a line already"));
        }
    }
    Ok(tools)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_are_read_a_line_each() {
        let tools = read_tools("send = 10/minute\n\n  a=b = 1/second, 1 at once \n").unwrap();

        let tools: Vec<_> = tools.iter().map(|(name, rate)| (name.as_str(), rate.to_string())).collect();
        assert_eq!(tools, [("a=b", "1/second".to_owned()), ("send", "10/minute".to_owned())]);
        for wrong in ["send", "send = often", "send = 1/minute\nsend = 2/minute"] {
            assert!(read_tools(wrong).is_err(), "{wrong}");
        }
    }
}
