//! `doorward explain`: why a call would work or not, on a stopped installation or a running one.

use std::process::ExitCode;

use clap::Args;
use doorward::{
    explain::{Asker, Question},
    model::{Handle, Slug},
};
use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::{
    CommandResult, Context,
    apply::{Running, ask},
    connect::key,
    installation::Installation,
};
use crate::{config::LogFormat, logging};

/// What `doorward explain` takes.
#[derive(Debug, Args)]
pub(super) struct ExplainArguments {
    /// Whose call, by handle; `nobody` for one without a key.
    #[arg(long = "as", value_name = "WHO")]
    whom: String,
    /// The preset, as `ada/release-notes`.
    #[arg(long, value_name = "OWNER/SLUG", value_parser = read_preset)]
    preset: (Handle, Slug),
    /// The tool as callers see it; without it, any.
    #[arg(long)]
    tool: Option<String>,
    #[command(flatten)]
    running: Running,
}

/// An explanation as it is printed.
#[derive(Deserialize)]
struct Printed {
    works: bool,
    steps: Vec<PrintedStep>,
    cure: Option<PrintedCure>,
}

#[derive(Deserialize)]
struct PrintedStep {
    layer: String,
    verdict: String,
    says: String,
}

#[derive(Deserialize)]
struct PrintedCure {
    text: String,
    link: Option<String>,
}

/// Prints every layer's decision; fails if one refuses.
pub(super) async fn run(context: &Context, arguments: ExplainArguments) -> CommandResult {
    logging::start("warn", LogFormat::Text);
    let ExplainArguments { whom, preset: (owner, slug), tool, running } = arguments;
    let printed = match running.url {
        Some(url) => {
            let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
            let mut path = format!("/api/v1/explain?preset={owner}%2F{slug}&as={}", encoded(&whom));
            if let Some(tool) = &tool {
                path.push_str(&format!("&tool={}", encoded(tool)));
            }
            let answer = ask(&url, Method::GET, &path, key(running.key_file)?, String::new()).await?;
            serde_json::from_slice::<Printed>(&answer)?
        }
        None => {
            let whom = if whom == "nobody" { None } else { Some(Handle::parse(&whom)?) };
            let question = Question { whom, owner, slug, tool };
            let settings = context.load()?.settings;
            let installation = Installation::open(&settings).await?;
            let explained = installation.engine.explain.explain(&Asker::Operator, &question).await;
            installation.close().await;
            let explained = explained?;
            Printed {
                works: explained.works(),
                cure: explained.cure.map(|cure| PrintedCure {
                    text: cure.text,
                    link: cure.path.map(|path| format!("{}{path}", settings.base_url())),
                }),
                steps: explained
                    .steps
                    .into_iter()
                    .map(|step| PrintedStep {
                        layer: step.layer.to_string(),
                        verdict: step.verdict.to_string(),
                        says: step.says,
                    })
                    .collect(),
            }
        }
    };
    for step in &printed.steps {
        println!("{:<13} {:<11} {}", step.layer, step.verdict, step.says);
    }
    if let Some(cure) = &printed.cure {
        println!("\nto do: {}", cure.text);
        if let Some(link) = &cure.link {
            println!("       {link}");
        }
    }
    Ok(if printed.works { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn read_preset(text: &str) -> Result<(Handle, Slug), String> {
    let (owner, slug) = text.split_once('/').ok_or("a preset is named OWNER/SLUG, as ada/release-notes")?;
    let owner = Handle::parse(owner).map_err(|error| error.to_string())?;
    let slug = Slug::parse(slug).map_err(|error| error.to_string())?;
    Ok((owner, slug))
}
