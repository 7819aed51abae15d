//! Who has mounted what, for DUMP: a courtesy. It is what clients said since this gateway started, it
//! decides nothing, and the oldest entries make room for new ones.

use std::collections::VecDeque;
use std::net::IpAddr;

use parking_lot::Mutex;

/// Most entries; each is at most an address and a path of 1 KiB. One client's may push out all others.
const ENTRIES_MAX: usize = 1024;

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mount {
    pub(crate) client: IpAddr,
    pub(crate) path: Vec<u8>,
}

/// The mounts.
#[derive(Debug, Default)]
pub(crate) struct MountTable(Mutex<VecDeque<Mount>>);

impl MountTable {
    /// Notes a mount.
    pub(crate) fn add(&self, mount: Mount) {
        let mut mounts = self.0.lock();
        if mounts.contains(&mount) {
            return;
        }
        if mounts.len() == ENTRIES_MAX {
            mounts.pop_front();
        }
        mounts.push_back(mount);
    }

    /// Forgets a mount.
    pub(crate) fn remove(&self, mount: &Mount) {
        self.0.lock().retain(|known| known != mount);
    }

    /// Forgets all of a client.
    pub(crate) fn remove_all(&self, client: IpAddr) {
        self.0.lock().retain(|known| known.client != client);
    }

    /// The paths that a client mounted.
    pub(crate) fn of(&self, client: IpAddr) -> Vec<Vec<u8>> {
        let mounts = self.0.lock();
        let of_client = mounts.iter().filter(|mount| mount.client == client);
        of_client.map(|mount| mount.path.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(last: u16) -> Mount {
        let [high, low] = last.to_be_bytes();
        Mount {
            client: [10, 0, high, low].into(),
            path: b"/".to_vec(),
        }
    }

    #[test]
    fn the_oldest_make_room() {
        let table = MountTable::default();
        for last in 0..ENTRIES_MAX as u16 + 1 {
            table.add(mount(last));
            table.add(mount(last));
        }
        assert_eq!(table.0.lock().len(), ENTRIES_MAX);
        let first = || table.0.lock()[0].clone();
        assert_eq!(first(), mount(1));
        table.remove(&mount(1));
        table.remove_all(mount(2).client);
        assert_eq!(first(), mount(3));
        assert_eq!(table.of(mount(3).client), [mount(3).path]);
    }
}
