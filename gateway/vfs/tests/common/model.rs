//! A file as it must be, and random operations that compare.

use std::time::Duration;

use sluice_types::{InodeId, Stability};

use super::{Gateway, SeededRng, pattern};

const SIZE_MAX: u64 = 400_000;

/// A file as it must be.
#[derive(Default)]
pub struct Model {
    pub bytes: Vec<u8>,
}

impl Model {
    pub fn write(&mut self, offset: u64, data: &[u8]) {
        let (start, end) = (offset as usize, offset as usize + data.len());
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        self.bytes[start..end].copy_from_slice(data);
    }
}

/// Does something to the file, in both, and compares.
pub async fn step(
    gateway: &Gateway,
    rng: &SeededRng,
    inode: InodeId,
    model: &mut Model,
    round: u64,
) {
    let offset = rng.below(SIZE_MAX);
    match rng.below(10) {
        0..=3 => {
            let data = pattern(round, 1 + rng.below(100_000) as usize);
            let stability = match rng.below(4) {
                0 => Stability::FileSync,
                1 => Stability::DataSync,
                _ => Stability::Unstable,
            };
            let done = gateway.write(inode, offset, &data, stability).await;
            model.write(offset, &data);
            assert_eq!(done.after.attributes.size_bytes, model.bytes.len() as u64);
        }
        4..=6 => {
            let length = rng.below(150_000);
            let read = gateway.read(inode, offset, length as u32).await;
            let size = model.bytes.len();
            let end = ((offset + length) as usize).min(size);
            let expected = &model.bytes[(offset as usize).min(end)..end];
            assert!(read.payload.to_contiguous() == expected, "round {round}");
            assert_eq!(read.end_of_file, (offset + length) as usize >= size);
        }
        7 => {
            let size = match rng.below(3) {
                0 => 0,
                _ => rng.below(SIZE_MAX),
            };
            gateway.set_size(inode, size).await.unwrap();
            model.bytes.resize(size as usize, 0);
        }
        8 => {
            gateway
                .vfs
                .commit(&gateway.caller, inode, 0, 0)
                .await
                .unwrap();
        }
        _ => {
            tokio::time::sleep(Duration::from_millis(rng.below(6))).await;
        }
    }
    let size = gateway.node(inode).await.attributes.size_bytes;
    assert_eq!(size, model.bytes.len() as u64, "round {round}");
}
