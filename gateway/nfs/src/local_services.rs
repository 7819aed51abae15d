//! Where other programs of this machine are, as they told our port mapper: whoever has port 111 has to take their
//! registrations. It is what they said since this gateway started, never of the gateway's own programs.

use parking_lot::RwLock;
use sluice_proto_nfs::portmap::{Mapping, Transport};

/// Most mappings; with the gateway's own they are a short reply.
const MAPPINGS_MAX: usize = 64;

/// The mappings of other programs.
#[derive(Debug, Default)]
pub(crate) struct LocalServices(RwLock<Vec<Mapping>>);

impl LocalServices {
    /// Notes a mapping. Refused if there is another port for it (RFC 1833 section 3.2), if it is none, or if there are
    /// too many.
    pub(crate) fn set(&self, mapping: Mapping) -> bool {
        let is_port = u16::try_from(mapping.port).is_ok_and(|port| port != 0);
        if !is_port || ![Transport::TCP, Transport::UDP].contains(&mapping.transport) {
            return false;
        }
        let mut mappings = self.0.write();
        let known = mappings.iter().find(|known| {
            is_of(known, mapping.program, mapping.version) && known.transport == mapping.transport
        });
        match known {
            Some(known) => known.port == mapping.port,
            None if mappings.len() < MAPPINGS_MAX => {
                mappings.push(mapping);
                true
            }
            None => false,
        }
    }

    /// Forgets a program's version, over all transports; whether there was anything.
    pub(crate) fn unset(&self, program: u32, version: u32) -> bool {
        let mut mappings = self.0.write();
        let before = mappings.len();
        mappings.retain(|known| !is_of(known, program, version));
        mappings.len() < before
    }

    /// All.
    pub(crate) fn all(&self) -> Vec<Mapping> {
        self.0.read().clone()
    }
}

fn is_of(mapping: &Mapping, program: u32, version: u32) -> bool {
    mapping.program == program && mapping.version == version
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn mapping(program: u32, transport: Transport, port: u32) -> Mapping {
        Mapping {
            program,
            version: 1,
            transport,
            port,
        }
    }

    #[test]
    fn a_mapping_is_kept_until_it_is_unset() {
        let services = LocalServices::default();
        assert!(services.set(mapping(7, Transport::TCP, 700)));
        assert!(services.set(mapping(7, Transport::TCP, 700)));
        assert!(services.set(mapping(7, Transport::UDP, 701)));
        assert!(!services.set(mapping(7, Transport::TCP, 999)));
        assert_eq!(services.all().len(), 2);
        assert!(!services.unset(7, 2));
        assert!(services.unset(7, 1));
        assert!(!services.unset(7, 1));
        assert!(services.set(mapping(7, Transport::TCP, 999)));
    }

    #[test]
    fn what_is_no_port_is_refused_and_so_are_too_many() {
        let services = LocalServices::default();
        assert!(!services.set(mapping(7, Transport::TCP, 0)));
        assert!(!services.set(mapping(7, Transport::TCP, 65_536)));
        assert!(!services.set(mapping(7, Transport(1), 700)));
        let taken = (0..).take_while(|&program| services.set(mapping(program, Transport::TCP, 9)));
        assert_eq!(taken.count(), MAPPINGS_MAX);
        assert!(services.unset(5, 1));
        assert!(services.set(mapping(1000, Transport::TCP, 9)));
    }
}
