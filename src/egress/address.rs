//! What kind of address an address is. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use url::{Host, Url};

/// The kinds of address, by what reaching one would mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddressClass {
    /// An address of the public internet, the only kind allowed without being named.
    Public,
    /// This machine.
    Loopback,
    /// A private network (RFC 1918, unique local, site local).
    Private,
    /// The shared space of carrier-grade NAT (RFC 6598).
    Shared,
    /// The local link.
    LinkLocal,
    /// A cloud's metadata service, which hands out credentials.
    Metadata,
    /// No address at all, `0.0.0.0/8` or `::`.
    Unspecified,
    /// Many machines at once.
    Multicast,
    /// Everybody on the link.
    Broadcast,
    /// Examples in books.
    Documentation,
    /// For measuring networks.
    Benchmarking,
    /// Set aside by IANA, or not assigned.
    Reserved,
    /// Written in a form that a translator or tunnel turns into another address.
    Translated,
}

impl AddressClass {
    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::Shared => "carrier-grade NAT",
            Self::LinkLocal => "link-local",
            Self::Metadata => "cloud metadata",
            Self::Unspecified => "unspecified",
            Self::Multicast => "multicast",
            Self::Broadcast => "broadcast",
            Self::Documentation => "documentation",
            Self::Benchmarking => "benchmarking",
            Self::Reserved => "reserved",
            Self::Translated => "translated",
        }
    }

    /// Returns what such an address is, in words for people.
    pub fn article(self) -> &'static str {
        match self {
            Self::Public => "an address of the public internet",
            Self::Loopback => "this machine itself",
            Self::Private => "an address of a private network",
            Self::Shared => "an address of a provider's inner network",
            Self::LinkLocal => "an address of the local link",
            Self::Metadata => "a cloud's metadata service",
            Self::Unspecified => "no address at all",
            Self::Multicast => "a group of machines",
            Self::Broadcast => "everybody on the network",
            Self::Documentation => "an address for examples",
            Self::Benchmarking => "an address for measuring networks",
            Self::Reserved => "an address nobody may use",
            Self::Translated => "an address that hides another one",
        }
    }
}

/// Returns what kind of address this is.
///
/// An IPv4 address inside an IPv6 one (mapped) is looked at as the IPv4 address it reaches. Forms
/// that depend on a translator somewhere (compatible, 6to4, NAT64, Teredo, …) are a class of their
/// own, except that one which hides a metadata service is called that.
pub fn classify(address: IpAddr) -> AddressClass {
    match address {
        IpAddr::V4(address) => classify_v4(address),
        IpAddr::V6(address) => classify_v6(address),
    }
}

/// Addresses of metadata services of clouds; the link-local ones are the best known, these are
/// refused even where their surrounding range is allowed by default.
const METADATA_V4: [Ipv4Addr; 5] = [
    // Amazon, Google, Microsoft, Oracle, DigitalOcean, OpenStack and most others.
    Ipv4Addr::new(169, 254, 169, 254),
    // Amazon: time and DNS beside it, ECS task credentials, EKS pod identity.
    Ipv4Addr::new(169, 254, 170, 2),
    Ipv4Addr::new(169, 254, 170, 23),
    // Alibaba.
    Ipv4Addr::new(100, 100, 100, 200),
    // Oracle, older.
    Ipv4Addr::new(192, 0, 0, 192),
];

const METADATA_V6: [Ipv6Addr; 3] = [
    // Amazon: instance metadata, EKS pod identity.
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),
    // Google.
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
];

/// Azure's platform channel: public by its number, the host's agent in truth.
const AZURE_WIRE_SERVER: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);

fn classify_v4(address: Ipv4Addr) -> AddressClass {
    if METADATA_V4.contains(&address) || address == AZURE_WIRE_SERVER {
        return AddressClass::Metadata;
    }
    match address.octets() {
        [0, ..] => AddressClass::Unspecified,
        [127, ..] => AddressClass::Loopback,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => AddressClass::Private,
        [100, 64..=127, ..] => AddressClass::Shared,
        [169, 254, ..] => AddressClass::LinkLocal,
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => AddressClass::Documentation,
        [198, 18..=19, ..] => AddressClass::Benchmarking,
        [192, 88, 99, _] => AddressClass::Translated,
        [192, 0, 0, _] => AddressClass::Reserved,
        [224..=239, ..] => AddressClass::Multicast,
        [255, 255, 255, 255] => AddressClass::Broadcast,
        [240..=255, ..] => AddressClass::Reserved,
        _ => AddressClass::Public,
    }
}

fn classify_v6(address: Ipv6Addr) -> AddressClass {
    if let Some(inner) = address.to_ipv4_mapped() {
        return classify_v4(inner);
    }
    if METADATA_V6.contains(&address) {
        return AddressClass::Metadata;
    }
    if let Some(inner) = hidden_v4(address) {
        return match classify_v4(inner) {
            AddressClass::Metadata => AddressClass::Metadata,
            _ => AddressClass::Translated,
        };
    }
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => AddressClass::Unspecified,
        [0, 0, 0, 0, 0, 0, 0, 1] => AddressClass::Loopback,
        // Unique local, and the site local addresses that came before.
        [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] => AddressClass::Private,
        [0xfe80..=0xfebf, ..] => AddressClass::LinkLocal,
        [0xff00..=0xffff, ..] => AddressClass::Multicast,
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => AddressClass::Documentation,
        [0x2001, 2, 0, ..] => AddressClass::Benchmarking,
        // IETF protocol assignments (ORCHID and others) other than those above.
        [0x2001, 0..=0x1ff, ..] => AddressClass::Reserved,
        // Everything else that is given out lies in 2000::/3.
        [0x2000..=0x3fff, ..] => AddressClass::Public,
        _ => AddressClass::Reserved,
    }
}

/// Returns the IPv4 address that a translator or a tunnel would find in this one, if it has one of
/// the forms that carry one.
fn hidden_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match address.segments() {
        // `::` and `::1` are themselves.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        // Compatible (RFC 4291, given up), IPv4-translated (RFC 2765), NAT64 (RFC 6052, RFC 8215).
        [0, 0, 0, 0, 0, 0, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x64, 0xff9b, 1, _, _, _, high, low] => Some(v4(high, low)),
        // 6to4 (RFC 3056).
        [0x2002, high, low, ..] => Some(v4(high, low)),
        // Teredo (RFC 4380): the client's address, inverted.
        [0x2001, 0, _, _, _, _, high, low] => Some(v4(!high, !low)),
        // ISATAP (RFC 5214).
        [_, _, _, _, 0 | 0x200, 0x5efe, high, low] => Some(v4(high, low)),
        _ => None,
    }
}

/// Says whether a URL names this machine: `localhost`, or an address that never leaves it.
pub fn names_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Says whether policy lets Doorward connect to this address.
///
/// A metadata service is allowed only by a range that names it so closely that it is meant: at
/// most 256 addresses (`/24`, `/120`). A wide range such as `169.254.0.0/16` does not open it.
pub fn allowed(address: IpAddr, allow: &[IpNet]) -> bool {
    let reached = match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    };
    let named = |net: &&IpNet| net.contains(&reached) || net.contains(&address);
    match classify(reached) {
        AddressClass::Public => true,
        AddressClass::Metadata => allow.iter().filter(named).any(names_closely),
        AddressClass::Loopback
        | AddressClass::Private
        | AddressClass::Shared
        | AddressClass::LinkLocal
        | AddressClass::Unspecified
        | AddressClass::Multicast
        | AddressClass::Broadcast
        | AddressClass::Documentation
        | AddressClass::Benchmarking
        | AddressClass::Reserved
        | AddressClass::Translated => allow.iter().any(|net| named(&net)),
    }
}

fn names_closely(net: &IpNet) -> bool {
    net.max_prefix_len() - net.prefix_len() <= 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_forbidden_address_has_its_class() {
        use AddressClass::{
            Benchmarking, Broadcast, Documentation, LinkLocal, Loopback, Metadata, Multicast, Private,
            Public, Reserved, Shared, Translated, Unspecified,
        };
        let table = [
            ("1.1.1.1", Public),
            ("192.0.1.1", Public),
            ("172.15.0.1", Public),
            ("172.32.0.1", Public),
            ("100.63.255.255", Public),
            ("100.128.0.0", Public),
            ("2606:4700::1111", Public),
            ("2a00:1450:4001::200e", Public),
            ("127.0.0.1", Loopback),
            ("127.255.255.254", Loopback),
            ("::1", Loopback),
            ("::ffff:127.0.0.1", Loopback),
            ("10.0.0.1", Private),
            ("172.16.0.1", Private),
            ("172.31.255.255", Private),
            ("192.168.1.1", Private),
            ("::ffff:192.168.1.1", Private),
            ("fc00::1", Private),
            ("fd12:3456::1", Private),
            ("fec0::1", Private),
            ("feff::1", Private),
            ("100.64.0.1", Shared),
            ("100.127.255.255", Shared),
            ("169.254.1.1", LinkLocal),
            ("fe80::1", LinkLocal),
            ("febf::1", LinkLocal),
            ("169.254.169.254", Metadata),
            ("169.254.170.2", Metadata),
            ("100.100.100.200", Metadata),
            ("192.0.0.192", Metadata),
            ("168.63.129.16", Metadata),
            ("fd00:ec2::254", Metadata),
            ("fd20:ce::254", Metadata),
            ("::ffff:169.254.169.254", Metadata),
            ("::169.254.169.254", Metadata),
            ("64:ff9b::169.254.169.254", Metadata),
            ("2002:a9fe:a9fe::", Metadata),
            ("2001:0:0:0:0:0:5601:5601", Metadata),
            ("0.0.0.0", Unspecified),
            ("0.1.2.3", Unspecified),
            ("::", Unspecified),
            ("::ffff:0.0.0.0", Unspecified),
            ("224.0.0.1", Multicast),
            ("239.255.255.255", Multicast),
            ("ff02::1", Multicast),
            ("255.255.255.255", Broadcast),
            ("192.0.2.1", Documentation),
            ("198.51.100.1", Documentation),
            ("203.0.113.1", Documentation),
            ("2001:db8::1", Documentation),
            ("3fff::1", Documentation),
            ("198.18.0.1", Benchmarking),
            ("198.19.255.255", Benchmarking),
            ("2001:2::1", Benchmarking),
            ("240.0.0.1", Reserved),
            ("192.0.0.1", Reserved),
            ("100::1", Reserved),
            ("4000::1", Reserved),
            ("2001:10::1", Reserved),
            ("::127.0.0.1", Translated),
            ("::ffff:0:127.0.0.1", Translated),
            ("64:ff9b::10.0.0.1", Translated),
            ("64:ff9b::8.8.8.8", Translated),
            ("64:ff9b:1::10.0.0.1", Translated),
            ("2002:7f00:1::", Translated),
            ("2001:0:1::1", Translated),
            ("192.88.99.1", Translated),
            ("2001:470::5efe:10.0.0.1", Translated),
        ];

        for (text, class) in table {
            assert_eq!(classify(text.parse().unwrap()), class, "{text}");
        }
    }

    #[test]
    fn only_public_addresses_are_allowed_unless_a_range_names_them() {
        let allow: Vec<IpNet> = vec!["127.0.0.0/8".parse().unwrap(), "10.0.0.0/8".parse().unwrap()];
        let may = |text: &str| allowed(text.parse().unwrap(), &allow);

        assert!(may("1.1.1.1"));
        assert!(may("127.0.0.1"));
        assert!(may("::ffff:10.1.2.3"));
        assert!(!may("192.168.0.1"));
        assert!(!may("::1"));
        assert!(!may("64:ff9b::10.0.0.1"));
        assert!(!may("::10.0.0.1"));
    }

    #[test]
    fn a_metadata_service_is_opened_only_by_a_range_that_means_it() {
        let may = |net: &str| allowed("169.254.169.254".parse().unwrap(), &[net.parse().unwrap()]);

        assert!(!may("0.0.0.0/0"));
        assert!(!may("169.254.0.0/16"));
        assert!(may("169.254.169.254/32"));
        assert!(!allowed("fd00:ec2::254".parse().unwrap(), &["fc00::/7".parse().unwrap()]));
        assert!(allowed("fd00:ec2::254".parse().unwrap(), &["fd00:ec2::254/128".parse().unwrap()]));
    }

    #[test]
    fn a_range_allows_private_addresses_but_not_the_metadata_inside_it() {
        let allow: Vec<IpNet> = vec!["100.64.0.0/10".parse().unwrap()];

        assert!(allowed("100.64.1.1".parse().unwrap(), &allow));
        assert!(!allowed("100.100.100.200".parse().unwrap(), &allow));
    }
}
