//! Random domain values for tests: any variant, any field, edge values often. One seed, one value.

use std::net::IpAddr;

use bytes::Bytes;
use sluice_types::{
    Access, Attributes, BootId, CallId, ChunkId, ChunkIndex, ChunkRange, ChunkSize, ClusterMap,
    Cookie, Credentials, DataVersion, Device, FenceEpoch, FileKind, FileName, FileSystemId,
    FsError, Generation, GroupId, Inode, InodeId, Layout, LeaseTerm, LiveSessions, LockRange,
    MapVersion, Mode, PlacementGroup, ReplicaCount, SessionId, SetAttributes, SetTime, Stability,
    StripeWidth, Target, TargetId, TargetState, TargetUuid, Timestamp, WccAttributes,
};

/// A stream of pseudo-random numbers (xorshift64*).
pub(crate) struct Sampler(u64);

impl Sampler {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        (self.bits() >> 11) % bound
    }

    pub(crate) fn one_of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize].clone()
    }

    pub(crate) fn value<T: Sample>(&mut self) -> T {
        T::sample(self)
    }
}

/// A type of which a sampler makes values.
pub(crate) trait Sample {
    fn sample(sampler: &mut Sampler) -> Self;
}

macro_rules! sample_struct {
    ($($name:ident { $($field:ident),* $(,)? })*) => {$(
        impl $crate::sample::Sample for $name {
            #[allow(unused_variables, reason = "a struct may have no fields")]
            fn sample(sampler: &mut $crate::sample::Sampler) -> Self {
                Self { $($field: sampler.value()),* }
            }
        }
    )*};
}

macro_rules! sample_variant {
    ($($name:ident [$($variant:ident),* $(,)?])*) => {$(
        impl $crate::sample::Sample for $name {
            fn sample(sampler: &mut $crate::sample::Sampler) -> Self {
                sampler.one_of(&[$(Self::$variant),*])
            }
        }
    )*};
}

macro_rules! sample_number {
    ($($name:ident)*) => {$(
        impl Sample for $name {
            fn sample(sampler: &mut Sampler) -> Self {
                Self::new(sampler.value())
            }
        }
    )*};
}

pub(crate) use {sample_struct, sample_variant};

impl Sample for u64 {
    fn sample(sampler: &mut Sampler) -> Self {
        let bits = sampler.bits();
        sampler.one_of(&[0, 1, bits & 0xff, bits & 0xffff_ffff, bits, Self::MAX])
    }
}

impl Sample for u32 {
    fn sample(sampler: &mut Sampler) -> Self {
        let bits = sampler.bits() as Self;
        sampler.one_of(&[0, 1, bits & 0xff, bits, Self::MAX])
    }
}

impl Sample for i32 {
    fn sample(sampler: &mut Sampler) -> Self {
        sampler.value::<u32>().cast_signed()
    }
}

impl Sample for u128 {
    fn sample(sampler: &mut Sampler) -> Self {
        u128::from(sampler.bits()) << 64 | u128::from(sampler.bits())
    }
}

impl Sample for bool {
    fn sample(sampler: &mut Sampler) -> Self {
        sampler.below(2) == 1
    }
}

impl<T: Sample> Sample for Option<T> {
    fn sample(sampler: &mut Sampler) -> Self {
        (sampler.below(3) > 0).then(|| sampler.value())
    }
}

impl<T: Sample> Sample for Vec<T> {
    fn sample(sampler: &mut Sampler) -> Self {
        (0..sampler.below(5)).map(|_| sampler.value()).collect()
    }
}

impl<A: Sample, B: Sample> Sample for (A, B) {
    fn sample(sampler: &mut Sampler) -> Self {
        (sampler.value(), sampler.value())
    }
}

impl Sample for Bytes {
    fn sample(sampler: &mut Sampler) -> Self {
        let length = sampler.below(40);
        (0..length).map(|_| sampler.bits() as u8).collect()
    }
}

impl Sample for [u8; 8] {
    fn sample(sampler: &mut Sampler) -> Self {
        sampler.bits().to_le_bytes()
    }
}

impl Sample for String {
    fn sample(sampler: &mut Sampler) -> Self {
        sampler.one_of(&["", "storage-3:7000", "wörter"]).to_owned()
    }
}

sample_number!(BootId ChunkIndex Cookie DataVersion FenceEpoch FileSystemId Generation GroupId LeaseTerm MapVersion Mode
    SessionId TargetId TargetUuid);

impl Sample for IpAddr {
    fn sample(sampler: &mut Sampler) -> Self {
        match sampler.value() {
            true => Self::from((sampler.bits() as u32).to_be_bytes()),
            false => Self::from(sampler.value::<u128>().to_be_bytes()),
        }
    }
}

impl Sample for LockRange {
    fn sample(sampler: &mut Sampler) -> Self {
        let bounds: (u64, u64) = sampler.value();
        Self::from_bounds(bounds.0.min(bounds.1), bounds.0.max(bounds.1)).unwrap()
    }
}

impl Sample for InodeId {
    fn sample(sampler: &mut Sampler) -> Self {
        Self::new(sampler.value()).unwrap_or(Self::ROOT)
    }
}

impl Sample for FileName {
    fn sample(sampler: &mut Sampler) -> Self {
        let length = sampler.one_of(&[1, 2, 14, sluice_types::NAME_BYTES_MAX]);
        let byte = |_| (sampler.bits() as u8).max(b'0');
        Self::new((0..length).map(byte).collect::<Bytes>()).unwrap()
    }
}

impl Sample for Access {
    fn sample(sampler: &mut Sampler) -> Self {
        let kinds = [Self::NONE, Self::READ, Self::WRITE, Self::EXECUTE];
        sampler
            .one_of(&kinds)
            .and(sampler.one_of(&kinds))
            .and(sampler.one_of(&kinds))
    }
}

impl Sample for Timestamp {
    fn sample(sampler: &mut Sampler) -> Self {
        let seconds = sampler.value::<u64>() as i64;
        Self::new(seconds, sampler.below(1_000_000_000) as u32)
    }
}

impl Sample for SetTime {
    fn sample(sampler: &mut Sampler) -> Self {
        sampler.value::<Option<_>>().map_or(Self::Now, Self::To)
    }
}

impl Sample for ChunkSize {
    fn sample(sampler: &mut Sampler) -> Self {
        Self::new(1 << (16 + sampler.below(11))).unwrap()
    }
}

impl Sample for StripeWidth {
    fn sample(sampler: &mut Sampler) -> Self {
        Self::new(1 + sampler.below(1024) as u32).unwrap()
    }
}

impl Sample for ReplicaCount {
    fn sample(sampler: &mut Sampler) -> Self {
        Self::new(1 + sampler.below(3) as u32).unwrap()
    }
}

impl Sample for ChunkRange {
    fn sample(sampler: &mut Sampler) -> Self {
        let start = sampler.below(u64::from(ChunkSize::MAX_BYTES) + 1) as u32;
        let length = sampler.below(u64::from(ChunkSize::MAX_BYTES - start) + 1) as u32;
        Self { start, length }
    }
}

impl Sample for Credentials {
    fn sample(sampler: &mut Sampler) -> Self {
        let mut credentials = Self::new(sampler.value(), sampler.value());
        let count = sampler.below(sluice_types::GROUPS_MAX as u64 + 1);
        credentials.groups = (0..count).map(|_| sampler.value()).collect();
        credentials
    }
}

impl Sample for LiveSessions {
    fn sample(sampler: &mut Sampler) -> Self {
        let mut live: Vec<SessionId> = sampler.value();
        live.sort_unstable();
        live.dedup();
        Self {
            epoch: sampler.value(),
            next_session: sampler.value(),
            live,
        }
    }
}

impl Sample for ClusterMap {
    fn sample(sampler: &mut Sampler) -> Self {
        let mut targets: Vec<Target> = sampler.value();
        targets.sort_by_key(|target| target.id);
        targets.dedup_by_key(|target| target.id);
        let ids: Vec<TargetId> = targets.iter().map(|target| target.id).collect();
        let count = if ids.is_empty() {
            0
        } else {
            sampler.below(6) as u32
        };
        let groups = (0..count).map(|index| PlacementGroup {
            id: GroupId::new(index),
            replicas: (0..=sampler.below(3))
                .map(|_| sampler.one_of(&ids))
                .collect(),
        });
        let groups = groups.collect();
        Self {
            version: sampler.value(),
            file_system: sampler.value(),
            targets,
            groups,
        }
    }
}

sample_struct! {
    Attributes {
        kind, mode, link_count, uid, gid, size_bytes, used_bytes, device, accessed, modified, changed,
    }
    CallId { client, xid, procedure, checksum }
    ChunkId { inode, index }
    Device { major, minor }
    Inode { id, generation, attributes, parent, layout, data_version, writer, pending_trim }
    Layout { chunk_size, stripe_width, replicas, placement_seed }
    SetAttributes { mode, uid, gid, size_bytes, accessed, modified }
    Target { id, uuid, address, state }
    WccAttributes { size_bytes, modified, changed }
}

sample_variant! {
    FileKind [Regular, Directory, Symlink, Fifo, Socket, BlockDevice, CharacterDevice]
    FsError [
        NotFound, Stale, Exists, NotDirectory, IsDirectory, NotEmpty, AccessDenied, NotPermitted,
        Invalid, NameTooLong, FileTooLarge, NoSpace, QuotaExceeded, TooManyLinks, ReadOnly,
        CrossDevice, GuardMismatch, NotSupported, Io, Unavailable, Busy, SessionLapsed,
        MapOutdated, Internal,
    ]
    Stability [Unstable, DataSync, FileSync]
    TargetState [Online, Syncing, Offline, Draining]
}
