//! The addresses that may be fetched from: public ones, and those in networks that a setting
//! allows.
//!
//! After the IANA special-purpose registries
//! (<https://www.iana.org/assignments/iana-ipv4-special-registry>,
//! <https://www.iana.org/assignments/iana-ipv6-special-registry>).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::forbidden::Forbidden;

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix_len: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix_len)
}

const fn v6(a: u16, b: u16, c: u16, prefix_len: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), prefix_len)
}

/// IPv4 is allowed unless listed.
const DENIED_V4: &[Ipv4Net] = &[
    v4(0, 0, 0, 0, 8),        // "this network"
    v4(10, 0, 0, 0, 8),       // private
    v4(100, 64, 0, 0, 10),    // carrier-grade NAT
    v4(127, 0, 0, 0, 8),      // loopback
    v4(168, 63, 129, 16, 32), // the host of Azure machines, in public space
    v4(169, 254, 0, 0, 16),   // link-local: metadata services of clouds
    v4(172, 16, 0, 0, 12),    // private
    v4(192, 0, 0, 0, 24),     // IETF protocol assignments
    v4(192, 0, 2, 0, 24),     // documentation
    v4(192, 31, 196, 0, 24),  // AS112
    v4(192, 52, 193, 0, 24),  // AMT
    v4(192, 88, 99, 0, 24),   // 6to4 relays
    v4(192, 168, 0, 0, 16),   // private
    v4(192, 175, 48, 0, 24),  // AS112
    v4(198, 18, 0, 0, 15),    // benchmarks
    v4(198, 51, 100, 0, 24),  // documentation
    v4(203, 0, 113, 0, 24),   // documentation
    v4(224, 0, 0, 0, 4),      // multicast
    v4(240, 0, 0, 0, 4),      // reserved, broadcast
];

/// IPv6 is denied unless it is here: global unicast. Loopback, unique-local, link-local,
/// multicast, IPv4-compatible and NAT64 addresses are all outside.
const ALLOWED_V6: Ipv6Net = v6(0x2000, 0, 0, 3);

/// … and not here.
const DENIED_V6: &[Ipv6Net] = &[
    v6(0x2001, 0, 0, 23), // IETF protocol assignments: Teredo, ORCHID, benchmarks
    v6(0x2001, 0xdb8, 0, 32), // documentation
    v6(0x2002, 0, 0, 16), // 6to4: has an IPv4 address inside
    v6(0x2620, 0x4f, 0x8000, 48), // AS112
    v6(0x3fff, 0, 0, 20), // documentation
];

/// Judges addresses. Pure: knows no names and opens nothing.
#[derive(Debug, Clone, Default)]
pub struct AddressPolicy {
    lifted: Vec<IpNet>,
}

impl AddressPolicy {
    /// `lifted` networks may be fetched from although they are not public.
    pub fn new(lifted: Vec<IpNet>) -> Self {
        Self { lifted }
    }

    pub fn check_address(&self, address: IpAddr) -> Result<(), Forbidden> {
        let address = address.to_canonical();
        if self.lifts(address) || is_public(address) {
            Ok(())
        } else {
            Err(Forbidden::Address)
        }
    }

    /// True if this address itself is in a lifted network.
    pub(crate) fn lifts(&self, address: IpAddr) -> bool {
        self.lifted.iter().any(|network| network.contains(&address))
    }

    pub(crate) fn lifts_any(&self) -> bool {
        !self.lifted.is_empty()
    }
}

/// `address` is canonical: an IPv4-mapped IPv6 address was unwrapped.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !DENIED_V4.iter().any(|network| network.contains(&address)),
        IpAddr::V6(address) => {
            ALLOWED_V6.contains(&address)
                && !DENIED_V6.iter().any(|network| network.contains(&address))
                && !is_isatap(address)
        }
    }
}

/// An ISATAP interface identifier `::[02]00:5efe:a.b.c.d` tunnels to the IPv4 address in it
/// (RFC 5214 §6.1).
fn is_isatap(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    segments[4] & !0x0200 == 0 && segments[5] == 0x5efe
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_allowed(policy: &AddressPolicy, address: IpAddr) -> bool {
        policy.check_address(address).is_ok()
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn denied_ipv4_networks_are_denied_up_to_their_edges() {
        // network, and whether the neighbours below and above are public
        let networks = [
            ("0.0.0.0/8", false, true),
            ("10.0.0.0/8", true, true),
            ("100.64.0.0/10", true, true),
            ("127.0.0.0/8", true, true),
            ("168.63.129.16/32", true, true),
            ("169.254.0.0/16", true, true),
            ("172.16.0.0/12", true, true),
            ("192.0.0.0/24", true, true),
            ("192.0.2.0/24", true, true),
            ("192.31.196.0/24", true, true),
            ("192.52.193.0/24", true, true),
            ("192.88.99.0/24", true, true),
            ("192.168.0.0/16", true, true),
            ("192.175.48.0/24", true, true),
            ("198.18.0.0/15", true, true),
            ("198.51.100.0/24", true, true),
            ("203.0.113.0/24", true, true),
            ("224.0.0.0/4", true, false),
            ("240.0.0.0/4", false, false),
        ];
        assert_eq!(networks.len(), DENIED_V4.len());
        let policy = AddressPolicy::default();
        let allowed = |bits: u32| is_allowed(&policy, IpAddr::V4(Ipv4Addr::from_bits(bits)));
        for (network, below, above) in networks {
            let network: Ipv4Net = network.parse().unwrap();
            let (first, last) = (network.network().to_bits(), network.broadcast().to_bits());
            assert!(!allowed(first), "{network}");
            assert!(!allowed(first + (last - first) / 2), "{network}");
            assert!(!allowed(last), "{network}");
            assert_eq!(allowed(first.wrapping_sub(1)), below, "below {network}");
            assert_eq!(allowed(last.wrapping_add(1)), above, "above {network}");
        }
    }

    #[test]
    fn ipv6_is_denied_unless_it_is_global_unicast() {
        let policy = AddressPolicy::default();
        for (text, expected) in [
            ("::", false),
            ("::1", false),
            ("::8.8.8.8", false),
            ("64:ff9b::8.8.8.8", false),
            ("64:ff9b:1::8.8.8.8", false),
            ("100::1", false),
            ("1fff:ffff::1", false),
            ("2000::1", true),
            ("2001::1", false),
            ("2001:1ff:ffff::1", false),
            ("2001:200::1", true),
            ("2001:db7:ffff::1", true),
            ("2001:db8::1", false),
            ("2001:db8:ffff::1", false),
            ("2001:db9::1", true),
            ("2001:4860:4860::8888", true),
            ("2002:7f00:1::", false),
            ("2002:808:808::1", false),
            ("2003::1", true),
            ("2606:4700:4700::1111", true),
            ("2620:4f:7fff::1", true),
            ("2620:4f:8000::1", false),
            ("2620:4f:8001::1", true),
            ("3ffe:ffff::1", true),
            ("3fff::1", false),
            ("3fff:fff:ffff::1", false),
            ("3fff:1000::1", true),
            ("4000::1", false),
            ("5f00::1", false),
            ("fc00::1", false),
            ("fd00:ec2::254", false),
            ("fe80::1", false),
            ("fec0::1", false),
            ("ff02::1", false),
            // ISATAP, both identifiers, whatever is inside
            ("2606:4700::5efe:7f00:1", false),
            ("2606:4700::200:5efe:808:808", false),
            ("2606:4700::100:5efe:808:808", true),
            // IPv4-mapped is judged as IPv4
            ("::ffff:8.8.8.8", true),
            ("::ffff:127.0.0.1", false),
            ("::ffff:169.254.169.254", false),
        ] {
            assert_eq!(is_allowed(&policy, address(text)), expected, "{text}");
        }
    }

    #[test]
    fn a_lifted_network_may_be_fetched_and_nothing_beside_it() {
        let networks = ["10.1.0.0/16", "fd00::/64"].map(|network| network.parse().unwrap());
        let policy = AddressPolicy::new(networks.to_vec());
        for (text, expected) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("10.2.0.1", false),
            ("127.0.0.1", false),
            ("fd00::5", true),
            ("fd00:0:0:1::5", false),
            ("8.8.8.8", true),
        ] {
            assert_eq!(is_allowed(&policy, address(text)), expected, "{text}");
        }
    }
}
