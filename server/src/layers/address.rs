//! Where a caller is: the address of the connection, or what a trusted proxy says of it.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use ipnet::IpNet;

/// The other end of the connection; every request carries it as an extension.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

const FORWARDED_FOR: &str = "x-forwarded-for";

/// Returns the caller's address.
///
/// Proxies append the address they saw, so the list is read from its end as long as each speaker is
/// trusted; what a stranger wrote before that is not believed.
pub fn client_address(trusted: &[IpNet], peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|range| range.contains(&address.to_canonical()));
    let mut address = peer.to_canonical();
    if trusted.is_empty() {
        return address;
    }
    let lines: Vec<&str> =
        headers.get_all(FORWARDED_FOR).iter().filter_map(|line| line.to_str().ok()).collect();
    for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        if !is_trusted(address) {
            break;
        }
        match hop.trim().parse::<IpAddr>() {
            Ok(before) => address = before.to_canonical(),
            Err(_) => break,
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_trusted_proxies_are_believed() {
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let mut headers = HeaderMap::new();
        headers.append(FORWARDED_FOR, HeaderValue::from_static("1.1.1.1, 198.51.100.7"));
        headers.append(FORWARDED_FOR, HeaderValue::from_static("10.0.0.9"));
        let from = |peer: &str| client_address(&trusted, peer.parse().unwrap(), &headers).to_string();

        assert_eq!(from("10.0.0.1"), "198.51.100.7");
        assert_eq!(from("203.0.113.5"), "203.0.113.5");
        assert_eq!(client_address(&[], "::ffff:10.0.0.1".parse().unwrap(), &headers).to_string(), "10.0.0.1");
    }
}
