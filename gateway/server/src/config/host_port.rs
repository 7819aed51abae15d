//! Where another daemon is.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// `host:port`, where the host is a name or an address (`[::1]:7400` for IPv6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort(String);

impl HostPort {
    /// As text, `host:port`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Looks the name up.
    ///
    /// # Errors
    /// If the name is not known, or the resolver fails.
    pub fn resolve(&self) -> std::io::Result<SocketAddr> {
        let none = || std::io::Error::other(format!("{} has no address", self.0));
        self.0.to_socket_addrs()?.next().ok_or_else(none)
    }
}

impl FromStr for HostPort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let good = text.rsplit_once(':').is_some_and(|(host, port)| {
            let bare_ipv6 = host.contains(':') && !(host.starts_with('[') && host.ends_with(']'));
            !host.is_empty()
                && !bare_ipv6
                && !host.contains('/')
                && port.parse::<u16>().is_ok_and(|port| port != 0)
        });
        if good {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!(
                "`{text}` is not an address: write host:port, as in 10.0.0.1:7400 or [fd00::1]:7400"
            ))
        }
    }
}

impl From<SocketAddr> for HostPort {
    fn from(address: SocketAddr) -> Self {
        Self(address.to_string())
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for HostPort {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for HostPort {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_an_address_from_what_looks_like_one() {
        for good in ["meta.example:7400", "10.0.0.1:7400", "[::1]:7400"] {
            assert!(good.parse::<HostPort>().is_ok(), "{good} was refused");
        }
        for wrong in [
            "",
            "meta",
            ":7400",
            "meta:",
            "meta:0",
            "meta:70000",
            "::1:7400",
            "http://meta:7400",
        ] {
            assert!(wrong.parse::<HostPort>().is_err(), "{wrong} was taken");
        }
    }
}
