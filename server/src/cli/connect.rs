//! `doorward connect`: a preset as an MCP server on standard input and output.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use doorward::{
    egress::{Egress, EgressLimits, EgressPolicy},
    secret::Secret,
};
use http::Uri;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use tokio::io::{BufReader, stdin, stdout};

use super::{CommandResult, read_secret_file};
use crate::{
    config::{LogFormat, variable},
    connect::{self, Target},
    logging,
};

/// What `doorward connect` takes.
#[derive(Debug, Args)]
pub(super) struct ConnectArguments {
    /// The preset's address, as `https://doorward.example.org/mcp/ada/release-notes`; `DOORWARD_URL`
    /// holds one as well.
    url: Option<Uri>,
    /// The file with the API key; `DOORWARD_KEY_FILE` names one and `DOORWARD_KEY` holds a key as
    /// well.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

pub(super) async fn run(arguments: ConnectArguments) -> CommandResult {
    // Standard output belongs to the protocol; what is logged goes to standard error.
    logging::start("warn", LogFormat::Text);
    let url = match arguments.url {
        Some(url) => url,
        None => variable("DOORWARD_URL").ok_or("give the preset's address")?.parse()?,
    };
    let target = Target { url, key: key(arguments.key_file)? };
    connect::run(target, open_egress(), BufReader::new(stdin()), stdout()).await?;
    Ok(ExitCode::SUCCESS)
}

/// Returns the API key given to a command that speaks to a running installation.
pub(super) fn key(file: Option<PathBuf>) -> Result<Option<Secret>, std::io::Error> {
    match file.or_else(|| variable("DOORWARD_KEY_FILE").map(PathBuf::from)) {
        Some(path) => read_secret_file(&path).map(Some),
        None => Ok(variable("DOORWARD_KEY").map(Secret::new)),
    }
}

/// Returns an outbound door for a command whose user names the address: it may be anywhere.
pub(super) fn open_egress() -> Egress {
    let allow = vec![IpNet::V4(Ipv4Net::default()), IpNet::V6(Ipv6Net::default())];
    Egress::new(EgressPolicy { allow }, EgressLimits::default())
}
