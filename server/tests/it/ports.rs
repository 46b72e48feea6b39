//! Ports nobody listens on, for programs that cannot choose one by themselves.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// Returns an address of this machine that nobody listens on.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

/// Returns a port of the loopback address that nobody listens on.
pub(crate) fn free_port() -> u16 {
    free_address().port()
}
