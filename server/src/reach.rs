//! Where the other replicas reach this process.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs as _, UdpSocket};

use url::Url;

use crate::config::Settings;

/// PostgreSQL's port, if the address names none.
const POSTGRES_PORT: u16 = 5432;

/// Returns the address this process tells the others, of a listener at `listening`; `None` if the database is a file, so
/// that there are no others.
pub fn own_address(settings: &Settings, listening: SocketAddr) -> Option<String> {
    let database = settings.database_url.as_ref()?;
    if let Some(said) = &settings.replica_address {
        return Some(said.as_str().trim_end_matches('/').to_owned());
    }
    let ip = match listening.ip() {
        every if every.is_unspecified() => towards(database.expose()).unwrap_or(Ipv4Addr::LOCALHOST.into()),
        ip => ip,
    };
    Some(format!("http://{}", SocketAddr::new(ip, listening.port())))
}

/// Returns the address of this machine that its packets to the database come from; `None` if they come from none, as
/// through a socket in a folder.
fn towards(database: &str) -> Option<IpAddr> {
    let url = Url::parse(database).ok()?;
    let host = url.host_str().filter(|host| !host.is_empty())?;
    let database = (host.trim_matches(['[', ']']), url.port().unwrap_or(POSTGRES_PORT))
        .to_socket_addrs()
        .ok()?
        .next()?;
    let every: IpAddr = if database.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { [0; 16].into() };
    // Nothing is sent: connecting only chooses the way.
    let socket = UdpSocket::bind((every, 0)).ok()?;
    socket.connect(database).ok()?;
    socket.local_addr().ok().map(|own| own.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Settings {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Settings::load(None, variables).unwrap().settings
    }

    #[test]
    fn the_address_is_the_one_said_or_listened_on_or_the_way_to_the_database() {
        let postgres = ("DOORWARD_DATABASE_URL", "postgres://app@127.0.0.1:1/doorward");
        let every: SocketAddr = "0.0.0.0:8080".parse().unwrap();
        let one: SocketAddr = "10.0.0.7:8080".parse().unwrap();

        assert_eq!(own_address(&settings(&[]), one), None);
        assert_eq!(own_address(&settings(&[postgres]), one).as_deref(), Some("http://10.0.0.7:8080"));
        assert_eq!(own_address(&settings(&[postgres]), every).as_deref(), Some("http://127.0.0.1:8080"));
        let said = [postgres, ("DOORWARD_REPLICA_ADDRESS", "http://a.example.org:9/")];
        assert_eq!(own_address(&settings(&said), every).as_deref(), Some("http://a.example.org:9"));
        let folder = ("DOORWARD_DATABASE_URL", "postgres:///doorward?host=/run/postgresql");
        assert_eq!(own_address(&settings(&[folder]), every).as_deref(), Some("http://127.0.0.1:8080"));
    }
}
