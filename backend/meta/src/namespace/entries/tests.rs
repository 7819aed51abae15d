//! Probing, with a hash of so few cookies that names collide all the time.

use std::collections::BTreeMap;
use std::sync::Arc;

use sluice_types::{Cookie, FileName, InodeId, Rng};

use crate::kv::{Engine, Isolation, MemoryEngine};
use crate::namespace::{NameHash, Namespace};
use crate::records::keys;
use crate::tests::support::SeededRng;

const SPAN: u64 = 16;
const DIRECTORY: InodeId = InodeId::ROOT;

struct Directory {
    engine: Arc<MemoryEngine>,
    names: NameHash,
}

impl Directory {
    fn new(key: u128) -> Self {
        Self {
            engine: Arc::new(MemoryEngine::new()),
            names: NameHash::with_span(key, SPAN),
        }
    }

    fn begin(&self) -> Namespace<'_> {
        Namespace::begin(&*self.engine, Isolation::Serializable, &self.names)
    }

    async fn insert(&self, name: &FileName, inode: u64) -> Option<Cookie> {
        let mut namespace = self.begin();
        let inode = InodeId::new(inode).unwrap();
        let cookie = namespace.insert_entry(DIRECTORY, name, inode).await.ok()?;
        namespace.commit().await.unwrap();
        Some(cookie)
    }

    async fn remove(&self, cookie: Cookie) {
        let mut namespace = self.begin();
        namespace.remove_entry(DIRECTORY, cookie).await.unwrap();
        namespace.commit().await.unwrap();
    }

    async fn listed(&self, page: usize) -> Vec<(Cookie, FileName)> {
        let mut listed = Vec::new();
        let mut after = Cookie::START;
        loop {
            let mut namespace = self.begin();
            let page = namespace
                .list_entries(DIRECTORY, after, page)
                .await
                .unwrap();
            for (cookie, entry) in page.entries {
                after = cookie;
                listed.push((cookie, entry.name));
            }
            if page.end {
                return listed;
            }
        }
    }

    async fn key_count(&self) -> usize {
        let mut transaction = self.engine.begin(Isolation::Latest);
        let range = keys::all_entries();
        transaction.range(&range, 1000).await.unwrap().len()
    }
}

fn numbered(number: u64) -> FileName {
    FileName::new(format!("name {number}")).unwrap()
}

#[tokio::test]
async fn colliding_names_are_found_where_they_were_put() {
    for seed in 0..30 {
        let directory = Directory::new(u128::from(seed));
        let rng = SeededRng::new(seed);
        let mut model: BTreeMap<u64, Cookie> = BTreeMap::new();
        for step in 0..300 {
            let number = rng.below(20);
            let name = numbered(number);
            match model.get(&number).copied() {
                Some(cookie) => {
                    directory.remove(cookie).await;
                    model.remove(&number);
                }
                None => {
                    let cookie = directory.insert(&name, number + 1).await;
                    let full = model.len() as u64 == SPAN;
                    assert_eq!(cookie.is_none(), full, "seed {seed} step {step}");
                    model.extend(cookie.map(|cookie| (number, cookie)));
                }
            }
            let mut namespace = directory.begin();
            for number in 0..20 {
                let found = namespace
                    .find_entry(DIRECTORY, &numbered(number))
                    .await
                    .unwrap();
                let cookie = found.map(|found| found.cookie);
                assert_eq!(
                    cookie,
                    model.get(&number).copied(),
                    "seed {seed} step {step}"
                );
            }
            let mut expected: Vec<_> = model
                .iter()
                .map(|(number, cookie)| (*cookie, numbered(*number)))
                .collect();
            expected.sort();
            let page = 1 + rng.next_u64() as usize % 5;
            assert_eq!(
                directory.listed(page).await,
                expected,
                "seed {seed} step {step}"
            );
        }
        for cookie in model.into_values() {
            directory.remove(cookie).await;
        }
        assert_eq!(
            directory.key_count().await,
            0,
            "seed {seed}: no tombstone outlives its use"
        );
    }
}

#[tokio::test]
async fn a_name_is_inserted_once() {
    let directory = Directory::new(1);
    assert!(directory.insert(&numbered(1), 1).await.is_some());
    assert!(directory.insert(&numbered(1), 2).await.is_none());
    assert_eq!(directory.key_count().await, 1);
}
