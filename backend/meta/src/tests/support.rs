//! A service to test: time and chance of its own, and short words for operations.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use sluice_types::{
    Clock, Credentials, FileName, FsError, Inode, InodeId, Mode, Rng, SessionId, SetAttributes,
    Timestamp,
};
use sluice_wire::meta::{
    CallContext, CloseSession, Create, CreateHow, GetInode, Link, Listing, Lookup, LookupName,
    Made, MakeDirectory, MakeSymlink, MetaOperation, MetadataExt, OpenSession, ReadDirectory,
    Remove, RemoveDirectory, Removed, Rename, Renamed, SetInode,
};

use crate::kv::{Engine, MemoryEngine};
use crate::{MetaConfig, MetaService};

pub(crate) const ROOT: InodeId = InodeId::ROOT;

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub(crate) struct ManualClock {
    nanoseconds: AtomicU64,
}

impl ManualClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            nanoseconds: AtomicU64::new(1_000_000_000_000),
        })
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.nanoseconds
            .fetch_add(by.as_nanos() as u64, Ordering::SeqCst);
    }

    pub(crate) fn set(&self, seconds: u64) {
        self.nanoseconds
            .store(seconds * 1_000_000_000, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::default().plus(self.monotonic())
    }

    fn monotonic(&self) -> Duration {
        Duration::from_nanos(self.nanoseconds.load(Ordering::SeqCst))
    }
}

/// SplitMix64: the same numbers for the same seed.
#[derive(Debug)]
pub(crate) struct SeededRng(AtomicU64);

impl SeededRng {
    pub(crate) fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(seed)))
    }

    /// A number below `bound`.
    pub(crate) fn below(&self, bound: u64) -> u64 {
        self.next_u64() % bound
    }

    pub(crate) fn pick<'a, T>(&self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }
}

impl Rng for SeededRng {
    fn next_u64(&self) -> u64 {
        let state = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::SeqCst);
        let mut mixed = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// A service over an engine in memory.
pub(crate) struct Fixture {
    pub(crate) engine: Arc<MemoryEngine>,
    pub(crate) service: Arc<MetaService>,
    pub(crate) clock: Arc<ManualClock>,
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        Self::over(Arc::new(MemoryEngine::new()), ManualClock::new()).await
    }

    pub(crate) async fn over(engine: Arc<MemoryEngine>, clock: Arc<ManualClock>) -> Self {
        let service = open(engine.clone(), clock.clone()).await;
        Self {
            engine,
            service,
            clock,
        }
    }

    /// Cuts the power and starts again.
    pub(crate) async fn crash(self) -> Self {
        let survived = Arc::new(self.engine.crash());
        Self::over(survived, self.clock).await
    }

    pub(crate) fn root(&self) -> User {
        self.user(0, 0)
    }

    pub(crate) fn user(&self, uid: u32, gid: u32) -> User {
        User::new(self.service.clone(), Credentials::new(uid, gid))
    }

    /// Nothing is wrong with what is stored.
    pub(crate) async fn assert_sound(&self) {
        let problems = self.service.check().await.unwrap();
        assert!(problems.is_empty(), "{problems:#?}");
    }
}

/// A service that has sessions 1 and 2, which end only when they are closed.
pub(crate) async fn open(engine: Arc<dyn Engine>, clock: Arc<dyn Clock>) -> Arc<MetaService> {
    let rng = SeededRng::new(7);
    let config = MetaConfig {
        session_lifetime: Duration::from_secs(1 << 30),
        ..MetaConfig::default()
    };
    let service = MetaService::open(engine, config, clock, rng).await.unwrap();
    let internal = CallContext::internal();
    while service.sessions().is_empty() || service.sessions().len() == 1 {
        let open = OpenSession::new("test");
        service.run(&internal, open).await.unwrap();
    }
    service
}

/// Somebody who calls the service.
#[derive(Clone)]
pub(crate) struct User {
    pub(crate) service: Arc<MetaService>,
    pub(crate) context: CallContext,
}

pub(crate) fn name(name: &str) -> FileName {
    FileName::new(name.as_bytes().to_vec()).unwrap()
}

pub(crate) fn mode(bits: u32) -> SetAttributes {
    SetAttributes {
        mode: Some(Mode::new(bits)),
        ..SetAttributes::default()
    }
}

impl User {
    pub(crate) fn new(service: Arc<MetaService>, credentials: Credentials) -> Self {
        let context = CallContext {
            credentials,
            session: SessionId::new(1),
            call: None,
            lease: false,
        };
        Self { service, context }
    }

    pub(crate) fn in_group(mut self, gid: u32) -> Self {
        self.context.credentials.groups.push(gid);
        self
    }

    pub(crate) fn with_session(mut self, session: u64) -> Self {
        self.context.session = SessionId::new(session);
        self
    }

    /// Ends a session.
    pub(crate) async fn end_session(&self, session: u64) {
        let session = SessionId::new(session);
        self.run(CloseSession { session }).await.unwrap();
    }

    pub(crate) async fn run<O: MetaOperation>(&self, operation: O) -> Result<O::Outcome, FsError> {
        self.service.run(&self.context, operation).await
    }

    pub(crate) async fn inode(&self, inode: InodeId) -> Result<Inode, FsError> {
        self.run(GetInode { inode }).await
    }

    pub(crate) async fn lookup(&self, directory: InodeId, of: &str) -> Result<Inode, FsError> {
        let entry = LookupName::Name(name(of));
        let looked = self.run(Lookup { directory, entry }).await?;
        Ok(looked.node)
    }

    pub(crate) async fn create(
        &self,
        directory: InodeId,
        of: &str,
        bits: u32,
    ) -> Result<Inode, FsError> {
        let how = CreateHow::Guarded(mode(bits));
        Ok(self.create_how(directory, of, how).await?.node)
    }

    pub(crate) async fn create_how(
        &self,
        directory: InodeId,
        of: &str,
        how: CreateHow,
    ) -> Result<Made, FsError> {
        let name = name(of);
        self.run(Create {
            directory,
            name,
            how,
        })
        .await
    }

    pub(crate) async fn mkdir(
        &self,
        directory: InodeId,
        of: &str,
        bits: u32,
    ) -> Result<Inode, FsError> {
        let make = MakeDirectory {
            directory,
            name: name(of),
            attributes: mode(bits),
        };
        Ok(self.run(make).await?.node)
    }

    pub(crate) async fn symlink(
        &self,
        directory: InodeId,
        of: &str,
        target: &str,
    ) -> Result<Inode, FsError> {
        let make = MakeSymlink {
            directory,
            name: name(of),
            attributes: SetAttributes::default(),
            target: Bytes::copy_from_slice(target.as_bytes()),
        };
        Ok(self.run(make).await?.node)
    }

    pub(crate) async fn link(
        &self,
        inode: InodeId,
        directory: InodeId,
        of: &str,
    ) -> Result<Made, FsError> {
        let name = name(of);
        self.run(Link {
            inode,
            directory,
            name,
        })
        .await
    }

    pub(crate) async fn remove(&self, directory: InodeId, of: &str) -> Result<Removed, FsError> {
        let name = name(of);
        self.run(Remove { directory, name }).await
    }

    pub(crate) async fn rmdir(&self, directory: InodeId, of: &str) -> Result<Removed, FsError> {
        let name = name(of);
        self.run(RemoveDirectory { directory, name }).await
    }

    pub(crate) async fn rename(
        &self,
        from: (InodeId, &str),
        to: (InodeId, &str),
    ) -> Result<Renamed, FsError> {
        self.run(Rename {
            from_directory: from.0,
            from_name: name(from.1),
            to_directory: to.0,
            to_name: name(to.1),
        })
        .await
    }

    pub(crate) async fn set(
        &self,
        inode: InodeId,
        changes: SetAttributes,
    ) -> Result<Inode, FsError> {
        let guard = None;
        let set = SetInode {
            inode,
            changes,
            guard,
            data_version: None,
        };
        Ok(self.run(set).await?.after)
    }

    pub(crate) async fn list(
        &self,
        directory: InodeId,
        after: u64,
        entries_max: u32,
    ) -> Result<Listing, FsError> {
        self.run(ReadDirectory {
            directory,
            after: sluice_types::Cookie::new(after),
            entries_max,
            with_nodes: false,
        })
        .await
    }
}
