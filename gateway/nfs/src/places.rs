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
            // It stands for many, and each is counted by itself in a moment.
            ClientKey::Proxy => self.limit,
        }
    }
}

impl Place {
    /// Counts it as another client's from now on, unless that has its share already: then it stays as it was.
    pub(crate) fn pass_to(&mut self, client: ClientKey) -> bool {
        let share = self.places.share(client);
        let taken = &mut *self.places.taken.lock();
        let of_client = taken.of_clients.get(&client).copied().unwrap_or(0);
        if of_client >= share {
            return false;
        }
        taken.of_clients.insert(client, of_client + 1);
        taken.leave(std::mem::replace(&mut self.client, client));
        true
    }
}

impl Taken {
    fn leave(&mut self, client: ClientKey) {
        if let Some(of_client) = self.of_clients.get_mut(&client) {
            *of_client -= 1;
            if *of_client == 0 {
                self.of_clients.remove(&client);
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let taken = &mut *self.places.taken.lock();
        taken.in_all -= 1;
        taken.leave(self.client);
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
    fn a_proxy_may_fill_all_places_but_its_clients_have_their_shares() {
        let places = Places::new(16);
        let mut passed_on = take_all(&places, ClientKey::Proxy);
        assert_eq!(passed_on.len(), 16);
        let mut passed = passed_on.iter_mut().map(|place| place.pass_to(client(1)));
        assert!(passed.by_ref().take(12).all(|passed| passed));
        assert!(!passed.any(|passed| passed), "it has its share");
        // What was not passed on is not kept.
        passed_on.truncate(12);
        assert_eq!(take_all(&places, ClientKey::Proxy).len(), 4);
        drop(passed_on);
        assert!(places.taken.lock().of_clients.is_empty());
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
