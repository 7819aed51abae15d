//! Inode numbers: never zero, never given twice, whatever crashes.
//!
//! Numbers are reserved in blocks: a block's end is committed before its first number is used. As
//! commits become durable in their order, an inode can only survive a crash together with the
//! reservation of its number, so nobody waits for a reservation. What is left of a block at a
//! restart is skipped; 2^64 numbers outlast that.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sluice_types::InodeId;
use tokio::sync::Mutex;

use crate::error::MetaError;
use crate::kv::{Engine, Isolation, KvError};
use crate::records::{decode_number, encode_number, keys};

/// How many numbers are reserved at once.
const BLOCK: u64 = 1 << 16;

/// Gives out inode numbers.
#[derive(Debug)]
pub struct InodeNumbers {
    next: AtomicU64,
    /// Everything below is reserved.
    reserved: AtomicU64,
    reserving: Mutex<()>,
}

impl InodeNumbers {
    /// Continues where the store's reservations end.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn open(engine: &dyn Engine) -> Result<Self, MetaError> {
        let mut transaction = engine.begin(Isolation::Latest);
        let stored = transaction.get(&keys::next_inode()).await?;
        let first = match stored {
            Some(value) => decode_number("next inode", &value)?,
            None => InodeId::ROOT.raw() + 1,
        };
        Ok(Self {
            next: AtomicU64::new(first),
            reserved: AtomicU64::new(first),
            reserving: Mutex::new(()),
        })
    }

    /// A number that no inode ever had.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn next(&self, engine: &Arc<dyn Engine>) -> Result<InodeId, MetaError> {
        let number = self.next.fetch_add(1, Ordering::SeqCst);
        while number >= self.reserved.load(Ordering::SeqCst) {
            self.reserve(engine, number).await?;
        }
        InodeId::new(number).ok_or_else(|| MetaError::Damaged {
            record: "next inode",
            expected: "a number above zero",
            found: "0".into(),
        })
    }

    async fn reserve(&self, engine: &Arc<dyn Engine>, number: u64) -> Result<(), MetaError> {
        let _one_at_a_time = self.reserving.lock().await;
        if number < self.reserved.load(Ordering::SeqCst) {
            return Ok(());
        }
        let end = number.saturating_add(BLOCK);
        let mut transaction = engine.begin(Isolation::Serializable);
        transaction.put(keys::next_inode(), encode_number(end));
        match transaction.commit().await {
            // Only an engine that refuses blind writes could say so; the loop above tries again.
            Err(KvError::Conflict) => Ok(()),
            Err(error) => Err(error.into()),
            Ok(_) => {
                self.reserved.store(end, Ordering::SeqCst);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv::MemoryEngine;

    #[tokio::test]
    async fn numbers_are_never_given_twice_across_crashes() {
        let mut memory = Arc::new(MemoryEngine::new());
        let mut last = InodeId::ROOT;
        for _ in 0..5 {
            let engine: Arc<dyn Engine> = memory.clone();
            let numbers = InodeNumbers::open(&*engine).await.unwrap();
            for _ in 0..BLOCK + 10 {
                let number = numbers.next(&engine).await.unwrap();
                assert!(number > last);
                last = number;
            }
            // The inodes that got these numbers were made durable after them.
            memory.flush().unwrap();
            memory = Arc::new(memory.crash());
        }
    }
}
