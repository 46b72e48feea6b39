//! `doorward key`: API keys, at the shell of a stopped installation.

use std::{process::ExitCode, sync::Arc, time::Duration};

use clap::{Args, Subcommand};
use doorward::{
    identity::NewKey,
    model::{ApiKeyId, Handle, KeyScope, Member, Slug},
};

use super::{CommandResult, Context, installation::Installation};
use crate::{config::LogFormat, logging};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// What `doorward key` does.
#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Make a key, and print it once.
    Create(CreateArguments),
    /// List an account's keys.
    List {
        #[command(flatten)]
        whose: Whose,
    },
    /// Revoke a key of an account.
    Revoke {
        #[command(flatten)]
        whose: Whose,
        /// The key's id, as listed.
        id: ApiKeyId,
    },
}

/// Whose key it is, and where it acts.
#[derive(Debug, Args)]
pub(super) struct Whose {
    /// Whose key.
    #[arg(long, value_parser = Handle::parse)]
    user: Handle,
    /// The organisation it acts in; absent = the person's own.
    #[arg(long, value_parser = Handle::parse)]
    organisation: Option<Handle>,
}

impl Whose {
    async fn member(
        &self,
        installation: &Installation,
    ) -> Result<Arc<Member>, Box<dyn std::error::Error + Send + Sync>> {
        let Some(organisation) = &self.organisation else { return member(installation, &self.user).await };
        let found = installation.engine.orgs.at_the_shell(organisation, Some(&self.user)).await?;
        Ok(found
            .ok_or_else(|| format!("`{}` is no member of an organisation `{organisation}`", self.user))?)
    }
}

/// What `doorward key create` takes.
#[derive(Debug, Args)]
pub(super) struct CreateArguments {
    #[command(flatten)]
    whose: Whose,
    /// What to call it.
    #[arg(long)]
    name: String,
    /// A preset it may call, by its slug; several may be named. Without any, everything its owner
    /// may, and the REST API.
    #[arg(long = "preset", value_name = "SLUG", value_parser = Slug::parse)]
    presets: Vec<Slug>,
    /// When it stops working.
    #[arg(long, value_name = "DAYS")]
    expires_in_days: Option<u32>,
}

pub(super) async fn run(context: &Context, command: KeyCommand) -> CommandResult {
    logging::start("warn", LogFormat::Text);
    let settings = context.load()?.settings;
    let installation = Installation::open(&settings).await?;
    let done = act(&installation, command).await;
    installation.close().await;
    done
}

async fn act(installation: &Installation, command: KeyCommand) -> CommandResult {
    let engine = &installation.engine;
    match command {
        KeyCommand::Create(arguments) => {
            let member = arguments.whose.member(installation).await?;
            let mut presets = Vec::new();
            for slug in &arguments.presets {
                let found = engine.presets.find_by_slug(&member, slug).await?;
                presets.push(
                    found.ok_or_else(|| format!("`{}` has no preset `{slug}`", member.tenant_handle))?.id,
                );
            }
            let new = NewKey {
                rate: None,
                name: arguments.name,
                scope: if presets.is_empty() { KeyScope::Everything } else { KeyScope::Presets(presets) },
                expires_at: arguments.expires_in_days.map(|days| engine.clock.now().plus(DAY * days)),
            };
            let (_, secret) = engine.identity.create_key(&member, new).await?;
            println!("{}", secret.expose());
        }
        KeyCommand::List { whose } => {
            let member = whose.member(installation).await?;
            for key in engine.identity.keys(&member).await? {
                let end = match (key.revoked_at, key.expires_at) {
                    (Some(at), _) => format!("revoked {at}"),
                    (None, Some(at)) => format!("until {at}"),
                    (None, None) => "no end".to_owned(),
                };
                let used =
                    key.last_used_at.map_or_else(|| "never used".to_owned(), |at| format!("used {at}"));
                println!("{}  {:<24} {end}, {used}", key.id, key.name);
            }
        }
        KeyCommand::Revoke { whose, id } => {
            let member = whose.member(installation).await?;
            if !engine.identity.revoke_key(&member, id).await? {
                return Err(format!("`{}` has no key {id} left to revoke", whose.user).into());
            }
            println!("revoked {id}");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the person of this handle, or whoever administers the organisation of this handle, acting at the shell.
pub(super) async fn member(
    installation: &Installation,
    handle: &Handle,
) -> Result<Arc<Member>, Box<dyn std::error::Error + Send + Sync>> {
    let engine = &installation.engine;
    let found = match engine.identity.at_the_shell(handle).await? {
        Some(person) => Some(person),
        None => engine.orgs.at_the_shell(handle, None).await?,
    };
    Ok(found
        .ok_or_else(|| format!("there is no account or organisation `{handle}`, or it is switched off"))?)
}
