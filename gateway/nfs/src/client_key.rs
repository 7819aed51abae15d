//! Whom an address counts as, where limits are shared out among clients.

use std::net::{IpAddr, Ipv6Addr};

use sluice_vfs::Exports;

/// The first half of an IPv6 address.
const SUBNET: u128 = !(u64::MAX as u128);

/// Whom limits count as one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ClientKey {
    /// An IPv4 address; of an IPv6 one the first 64 bits, because a host there can take any address it likes.
    Known(IpAddr),
    /// All whom no export allows, together: each is told so, but many of them take no more than one may.
    Stranger,
    /// A proxy of the configuration, until it has said whose connection it passes on.
    Proxy,
}

impl ClientKey {
    /// Whom a client's address counts as. This machine is never a stranger: its programs register with portmap.
    pub(crate) fn of(address: IpAddr, exports: &Exports) -> Self {
        let address = address.to_canonical();
        if !address.is_loopback() && !exports.allow(address) {
            return Self::Stranger;
        }
        Self::Known(match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & SUBNET).into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use sluice_vfs::Export;

    use super::*;

    #[test]
    fn hosts_are_told_apart_and_their_many_addresses_are_not() {
        let networks = ["10.0.0.0/8", "fd00::/8"];
        let export = Export {
            networks: networks.iter().map(|net| net.parse().unwrap()).collect(),
            ..Export::default()
        };
        let exports = Exports::new(vec![export]).unwrap();
        let key = |address: &str| ClientKey::of(address.parse().unwrap(), &exports);
        assert_ne!(key("10.0.0.1"), key("10.0.0.2"));
        assert_eq!(key("::ffff:10.0.0.1"), key("10.0.0.1"));
        assert_eq!(key("fd00::1"), key("fd00::ffff:ffff:ffff:ffff"));
        assert_ne!(key("fd00::1"), key("fd00:0:0:1::1"));
        assert_eq!(key("192.0.2.1"), ClientKey::Stranger);
        assert_eq!(key("2001:db8::1"), ClientKey::Stranger);
        assert_ne!(key("127.0.0.1"), ClientKey::Stranger);
        assert_ne!(key("::1"), ClientKey::Stranger);
    }
}
