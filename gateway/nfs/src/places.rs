//! Places for connections: so many in all, and no client may have all of them.
//!
//! A connection costs its client nothing, so one host that opens more and more would else shut out all others. A
//! client may have three quarters of the places: many hosts can be behind one address. All whom no export allows have
//! an eighth together.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::client_key::ClientKey;

/// Of the places, a client leaves this part to others.
const LEFT_TO_OTHERS: usize = 4;
/// Of the places, strangers may have this part.
const STRANGERS_SHARE: usize = 8;

/// Places for connections.
#[derive(Debug)]
pub(crate) struct Places {
    limit: usize,
    taken: Mutex<Taken>,
}

/// Who has how many: an entry for each client that has any.
#[derive(Debug, Default)]
struct Taken {
    in_all: usize,
    of_clients: HashMap<ClientKey, usize>,
}

/// A connection's place, left when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    client: ClientKey,
}

impl Places {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit: limit.max(1),
            taken: Mutex::default(),
        })
    }

    /// A place for a client, unless all are taken or it has its share.
    pub(crate) fn take(self: &Arc<Self>, client: ClientKey) -> Option<Place> {
        let share = self.share(client);
        let taken = &mut *self.taken.lock();
        let of_client = taken.of_clients.get(&client).copied().unwrap_or(0);
        if taken.in_all >= self.limit || of_client >= share {
            return None;
        }
        taken.in_all += 1;
        taken.of_clients.insert(client, of_client + 1);
        let places = Arc::clone(self);
        Some(Place { places, client })
    }

    fn share(&self, client: ClientKey) -> usize {
        match client {
            ClientKey::Known(_) => self.limit - self.limit / LEFT_TO_OTHERS,
            ClientKey::Stranger => (self.limit / STRANGERS_SHARE).max(1),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let taken = &mut *self.places.taken.lock();
        taken.in_all -= 1;
        if let Some(of_client) = taken.of_clients.get_mut(&self.client) {
            *of_client -= 1;
            if *of_client == 0 {
                taken.of_clients.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn client(last: u8) -> ClientKey {
        ClientKey::Known(IpAddr::from([10, 0, 0, last]))
    }

    fn take_all(places: &Arc<Places>, client: ClientKey) -> Vec<Place> {
        std::iter::from_fn(|| places.take(client)).collect()
    }

    #[test]
    fn a_client_gets_its_share_and_all_together_the_limit() {
        let places = Places::new(16);
        let first = take_all(&places, client(1));
        assert_eq!(first.len(), 12);
        let strangers = take_all(&places, ClientKey::Stranger);
        assert_eq!(strangers.len(), 2);
        let second = take_all(&places, client(2));
        assert_eq!(second.len(), 2);
        assert!(take_all(&places, client(3)).is_empty());
        drop(first);
        assert_eq!(take_all(&places, client(3)).len(), 12);
    }

    #[test]
    fn the_only_place_can_be_had_and_nothing_is_kept_of_those_who_left() {
        let places = Places::new(0);
        for client in [client(1), ClientKey::Stranger] {
            assert_eq!(take_all(&places, client).len(), 1);
        }
        assert!(places.taken.lock().of_clients.is_empty());
        assert_eq!(places.taken.lock().in_all, 0);
    }
}
