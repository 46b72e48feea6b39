//! `doorward user`: accounts, at the shell of a stopped installation.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Subcommand};
use doorward::{
    identity::{NewUser, UserChange},
    model::{Email, Handle, InstanceRole, PlanName, User},
    policy::operator_at_the_shell,
    secret::Secret,
};

use super::{CommandResult, Context, installation::Installation, read_secret_file};
use crate::{config::LogFormat, logging};

/// The most that is read of a password.
const PASSWORD_BYTES_MAX: u64 = 4096;

/// What `doorward user` does.
#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Make an account. The password is read from standard input unless a file is named.
    Add(AddArguments),
    /// List the accounts.
    List,
    /// Give an account a new password, which ends its browser sessions.
    SetPassword {
        /// The account's handle.
        #[arg(value_parser = Handle::parse)]
        handle: Handle,
        #[command(flatten)]
        password: PasswordArguments,
    },
    /// Take away the second step of an account whose person has lost it: passkeys, one-time codes and
    /// recovery codes.
    ResetSecondFactor {
        /// The account's handle.
        #[arg(value_parser = Handle::parse)]
        handle: Handle,
    },
    /// Erase from the audit log of every organisation who an account is. The log can be verified as before; what is
    /// erased does not come back.
    EraseAudit {
        /// The account's handle.
        #[arg(value_parser = Handle::parse)]
        handle: Handle,
        /// The handle once more.
        #[arg(long, value_name = "HANDLE", value_parser = Handle::parse)]
        confirm: Handle,
    },
}

/// What `doorward user add` takes.
#[derive(Debug, Args)]
pub(super) struct AddArguments {
    /// The public name, also the owner's part of addresses.
    #[arg(value_parser = Handle::parse)]
    handle: Handle,
    /// Where to write to.
    #[arg(value_parser = Email::parse)]
    email: Email,
    /// Let the account manage the instance.
    #[arg(long)]
    admin: bool,
    /// What the account may use.
    #[arg(long, value_parser = PlanName::parse)]
    plan: Option<PlanName>,
    #[command(flatten)]
    password: PasswordArguments,
}

/// Where a password is.
#[derive(Debug, Args)]
pub(super) struct PasswordArguments {
    /// The file with the password; without it, standard input.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

pub(super) async fn run(context: &Context, command: UserCommand) -> CommandResult {
    logging::start("warn", LogFormat::Text);
    let settings = context.load()?.settings;
    // Before the installation is opened, since somebody may be typing it.
    let password = match &command {
        UserCommand::Add(arguments) => read_password(arguments.password.password_file.as_deref())?,
        UserCommand::SetPassword { password, .. } => read_password(password.password_file.as_deref())?,
        UserCommand::List | UserCommand::ResetSecondFactor { .. } | UserCommand::EraseAudit { .. } => {
            Secret::default()
        }
    };
    let installation = Installation::open(&settings).await?;
    let done = act(&installation, command, password).await;
    installation.close().await;
    done
}

async fn act(installation: &Installation, command: UserCommand, password: Secret) -> CommandResult {
    let identity = &installation.engine.identity;
    let permit = operator_at_the_shell();
    match command {
        UserCommand::Add(AddArguments { handle, email, admin, plan, .. }) => {
            let role = if admin { InstanceRole::Admin } else { InstanceRole::Member };
            let user = identity.add_user(&permit, NewUser { handle, email, password, role, plan }).await?;
            println!("made the account {} ({}, plan {})", user.handle, user.role, user.plan);
        }
        UserCommand::List => {
            for user in identity.users(&permit).await? {
                let state = if user.enabled { "" } else { "  switched off" };
                println!(
                    "{:<24} {:<8} {:<12} {}{state}",
                    user.handle,
                    user.role.word(),
                    user.plan,
                    user.email
                );
            }
        }
        UserCommand::SetPassword { handle, .. } => {
            let user = find(installation, &handle).await?;
            let change = UserChange { password: Some(password), ..UserChange::default() };
            identity.update_user(&permit, user.id, change).await?;
            println!("`{handle}` has a new password");
        }
        UserCommand::ResetSecondFactor { handle } => {
            let user = find(installation, &handle).await?;
            if identity.reset_second_factor(&permit, user.id).await? {
                println!("`{handle}` signs in without a second step from now on");
            } else {
                println!("`{handle}` has no second step");
            }
        }
        UserCommand::EraseAudit { handle, confirm } => {
            if confirm != handle {
                return Err(format!("nothing was erased: --confirm is to be `{handle}`").into());
            }
            let erased = installation.engine.notary.erase(&permit, &handle).await?;
            let events = erased.ok_or_else(|| format!("there is no account `{handle}`"))?;
            println!("erased who `{handle}` is from {events} events");
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn find(
    installation: &Installation,
    handle: &Handle,
) -> Result<User, Box<dyn std::error::Error + Send + Sync>> {
    let users = installation.engine.identity.users(&operator_at_the_shell()).await?;
    let user = users.into_iter().find(|user| user.handle == *handle);
    user.ok_or_else(|| format!("there is no account `{handle}`").into())
}

/// Reads a password from a file, or the first line of standard input. Never from the command line,
/// which other users of the machine can see.
fn read_password(file: Option<&Path>) -> Result<Secret, std::io::Error> {
    if let Some(path) = file {
        return read_secret_file(path);
    }
    let mut text = String::new();
    std::io::stdin().lock().take(PASSWORD_BYTES_MAX).read_to_string(&mut text)?;
    Ok(Secret::new(text.lines().next().unwrap_or_default()))
}
