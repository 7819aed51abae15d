//! What the store's tests share: seeds, a model, small stores.
#![allow(dead_code, reason = "each test program uses its own part")]

use std::collections::BTreeMap;
use std::sync::Arc;

use sluice_store::device::Device;
use sluice_store::{Store, StoreConfig, StoreError};
use sluice_types::{
    ChunkId, ChunkIndex, ChunkRange, InodeId, Payload, Rng, Stability, SystemClock,
};

/// Random numbers from a seed.
#[derive(Debug)]
pub struct Seeded(std::sync::atomic::AtomicU64);

impl Seeded {
    pub fn new(seed: u64) -> Self {
        Self(std::sync::atomic::AtomicU64::new(seed))
    }

    pub fn below(&self, limit: u64) -> u64 {
        self.next_u64() % limit
    }
}

impl Rng for Seeded {
    fn next_u64(&self) -> u64 {
        let state = self
            .0
            .fetch_add(0x9e37_79b9_7f4a_7c15, std::sync::atomic::Ordering::Relaxed);
        let mut mixed = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// Small slabs and segments, so that tests meet their borders.
pub fn small_config() -> StoreConfig {
    StoreConfig {
        slab_bytes: 1 << 20,
        log_segment_bytes: 256 << 10,
        reserve_bytes: 2 << 20,
        dirty_bytes_max: 1 << 20,
        dirty_bytes_background: 512 << 10,
        journal_bytes_max: 16 << 10,
        ..StoreConfig::default()
    }
}

pub async fn open(
    device: Arc<dyn Device>,
    config: StoreConfig,
    seed: u64,
) -> Result<Arc<Store>, StoreError> {
    Store::open(
        device,
        config,
        Arc::new(SystemClock::new()),
        Arc::new(Seeded::new(seed)),
    )
    .await
}

pub fn inode(number: u64) -> InodeId {
    InodeId::new(number).expect("not zero")
}

pub fn chunk(number: u64, index: u32) -> ChunkId {
    ChunkId {
        inode: inode(number),
        index: ChunkIndex::new(index),
    }
}

pub fn range(start: u32, length: u32) -> ChunkRange {
    ChunkRange { start, length }
}

/// Bytes that tell where they were written, and when.
pub fn pattern(seed: u64, length: usize) -> Vec<u8> {
    let rng = Seeded::new(seed);
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend_from_slice(&rng.next_u64().to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

pub async fn read_all(store: &Arc<Store>, chunk: ChunkId) -> Vec<u8> {
    let payload = store.read(chunk, range(0, u32::MAX)).await.expect("read");
    payload.to_contiguous().to_vec()
}

/// What the store should hold: chunks as byte vectors.
#[derive(Clone, Debug, Default)]
pub struct Model {
    pub chunks: BTreeMap<ChunkId, Vec<u8>>,
}

impl Model {
    pub fn write(&mut self, chunk: ChunkId, offset: u32, data: &[u8]) {
        let bytes = self.chunks.entry(chunk).or_default();
        let end = offset as usize + data.len();
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        bytes[offset as usize..end].copy_from_slice(data);
    }

    pub fn truncate(&mut self, inode: InodeId, last: ChunkIndex, length: u32) {
        self.chunks
            .retain(|id, _| id.inode != inode || id.index <= last);
        let id = ChunkId { inode, index: last };
        if length == 0 {
            self.chunks.remove(&id);
        } else if let Some(bytes) = self.chunks.get_mut(&id) {
            bytes.truncate(length as usize);
        }
    }

    pub fn remove(&mut self, inode: InodeId) {
        self.chunks.retain(|id, _| id.inode != inode);
    }
}

/// One random operation.
#[derive(Clone, Debug)]
pub enum Operation {
    Write {
        chunk: ChunkId,
        offset: u32,
        data: Vec<u8>,
        stability: Stability,
    },
    Commit(InodeId),
    Truncate {
        inode: InodeId,
        last: ChunkIndex,
        length: u32,
    },
    Remove(InodeId),
}

/// Chunks are up to 192 KiB in tests.
pub const CHUNK_BYTES: u32 = 192 * 1024;

impl Operation {
    pub fn random(rng: &Seeded, inodes: u64, removed_before: u64) -> Self {
        let number = removed_before + 1 + rng.below(inodes);
        let index = rng.below(3) as u32;
        match rng.below(20) {
            0..=12 => {
                let length = match rng.below(4) {
                    0 => 1 + rng.below(200),
                    1 => 4096,
                    2 => 1 + rng.below(20_000),
                    _ => 1 + rng.below(100_000),
                } as u32;
                let aligned = rng.below(2) == 0;
                let offset = rng.below(u64::from(CHUNK_BYTES - length)) as u32;
                let offset = if aligned { offset & !4095 } else { offset };
                Self::Write {
                    chunk: chunk(number, index),
                    offset,
                    data: pattern(rng.next_u64(), length as usize),
                    stability: [
                        Stability::Unstable,
                        Stability::Unstable,
                        Stability::FileSync,
                    ][rng.below(3) as usize],
                }
            }
            13..=16 => Self::Commit(inode(number)),
            17..=18 => Self::Truncate {
                inode: inode(number),
                last: ChunkIndex::new(index),
                length: rng.below(u64::from(CHUNK_BYTES)) as u32 * rng.below(2) as u32,
            },
            _ => Self::Remove(inode(number)),
        }
    }

    pub async fn run(&self, store: &Arc<Store>) -> Result<(), StoreError> {
        match self {
            Self::Write {
                chunk,
                offset,
                data,
                stability,
            } => {
                let payload = Payload::from(data.clone());
                store
                    .write(*chunk, *offset, payload, *stability)
                    .await
                    .map(drop)
            }
            Self::Commit(inode) => store.commit(*inode).await.map(drop),
            Self::Truncate {
                inode,
                last,
                length,
            } => store.truncate(*inode, *last, *length).await,
            Self::Remove(inode) => store.remove(*inode).await,
        }
    }

    pub fn apply(&self, model: &mut Model) {
        match self {
            Self::Write {
                chunk,
                offset,
                data,
                ..
            } => model.write(*chunk, *offset, data),
            Self::Commit(_) => {}
            Self::Truncate {
                inode,
                last,
                length,
            } => model.truncate(*inode, *last, *length),
            Self::Remove(inode) => model.remove(*inode),
        }
    }
}
