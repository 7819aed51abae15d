//! Addresses and networks in one list: `10.0.0.5` is the network of that one address.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use sluice_vfs::Export;

/// Reads such a list.
pub(super) fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let networks = texts.iter().map(|text| network(text));
    networks
        .collect::<Result<_, String>>()
        .map_err(D::Error::custom)
}

fn network(text: &str) -> Result<IpNet, String> {
    let address = text.parse::<IpAddr>().map(IpNet::from).ok();
    let network = address.or_else(|| text.parse().ok()).ok_or_else(|| {
        format!("`{text}` is neither an address nor a network: write it as in `10.0.0.5` or `10.0.1.0/24`")
    })?;
    Export::check_network(network).map_err(|error| error.to_string())?;
    Ok(network)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_network_of_one() {
        assert_eq!(network("10.0.0.5"), Ok("10.0.0.5/32".parse().unwrap()));
        assert_eq!(network("fd00::5"), Ok("fd00::5/128".parse().unwrap()));
        assert_eq!(network("10.0.1.0/24"), Ok("10.0.1.0/24".parse().unwrap()));
        for wrong in ["", "10.0.0", "lb.example", "10.0.0.0/33"] {
            assert!(network(wrong).unwrap_err().contains("neither"), "{wrong}");
        }
        assert!(network("::ffff:10.0.0.5").unwrap_err().contains("as IPv4"));
    }
}
