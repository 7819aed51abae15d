//! The service: runs operations as transactions.
//!
//! For each call on the tree: see whether it was done before ([`crate::replies`]), wait for a place (bounded), take the locks
//! that the arguments name, run the operation in a transaction, commit, release the locks, wait until the commit is durable and
//! all gateways know, reply (see `transact`). A refusal is
//! treated like a success that writes nothing: what it was decided on is checked and made durable too, so
//! that no reply, good or bad, shows what a power cut could take back. Conflicts are rare because of the locks;
//! the transaction is then run again, a bounded number of times.
//!
//! Calls about the cluster and its sessions are few and need no place: while the disk is slow, gateways and targets must not be taken for dead.
//!
//! One service is active for a store at a time. What it keeps in memory (sessions, leases, writers, the map, which replies
//! are recorded, reserved numbers) is rebuilt when it is opened.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sluice_types::{Clock, FsError, Generation, InodeId, Rng, SessionId};
use sluice_wire::meta::{CallContext, Metadata, MetadataProblems, Operation, Outcome};
use tokio::sync::{Mutex, Semaphore};

use crate::check;
use crate::cluster::Cluster;
use crate::config::MetaConfig;
use crate::error::MetaError;
use crate::file_locks::FileLocks;
use crate::identifiers::InodeNumbers;
use crate::kv::{Engine, Isolation, KvError};
use crate::leases::Leases;
use crate::locks::Locks;
use crate::metrics::ServiceMetrics;
use crate::namespace::{NameHash, Namespace, RemovalsFront};
use crate::operations::{FreshInode, Plan};
use crate::records::keys;
use crate::replies::Replies;
use crate::sessions::Sessions;
use crate::writes::Writes;

mod bootstrap;
mod file_locks;
mod listings;
mod standing;
mod transact;

/// How often a transaction is run before its caller is told to try later.
const ATTEMPTS_MAX: u32 = 100;

/// The metadata service over one store.
#[derive(Debug)]
pub struct MetaService {
    engine: Arc<dyn Engine>,
    config: MetaConfig,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    names: NameHash,
    numbers: InodeNumbers,
    locks: Locks,
    file_locks: FileLocks,
    sessions: Sessions,
    leases: Leases,
    writes: Writes,
    cluster: Cluster,
    removals_front: RemovalsFront,
    replies: Arc<Replies>,
    /// At most so many operations on the tree at once.
    places: Semaphore,
    /// Held during a check: each takes memory, and holds back the store's merging of what it reads.
    checking: Mutex<()>,
    metrics: ServiceMetrics,
}

impl MetaService {
    /// Opens the file system in `engine`, and makes one if there is none. Metrics go to the recorder that is
    /// installed now.
    ///
    /// # Errors
    /// Those of the store; [`MetaError::Damaged`] if its format is not known.
    pub async fn open(
        engine: Arc<dyn Engine>,
        config: MetaConfig,
        clock: Arc<dyn Clock>,
        rng: Arc<dyn Rng>,
    ) -> Result<Arc<Self>, MetaError> {
        let file_system = bootstrap::open(&engine, &config, &*clock, &*rng).await?;
        let numbers = InodeNumbers::open(&*engine).await?;
        let now = clock.monotonic();
        let cluster = Cluster::open(&engine, file_system.id, &config, now).await?;
        let (lifetime, forget) = (config.session_lifetime, config.forget_sessions);
        let sessions = Sessions::open(&engine, lifetime, forget, now).await?;
        let key = file_system.hash_key;
        let replies = Replies::open(Arc::clone(&engine), key, &config, Arc::clone(&clock)).await?;
        let names = NameHash::new(file_system.hash_key);
        let file_locks = FileLocks::open(&*engine, &names, rng.next_u64()).await?;
        Ok(Arc::new(Self {
            replies,
            names,
            file_locks,
            numbers,
            locks: Locks::new(),
            sessions,
            leases: Leases::default(),
            writes: Writes::default(),
            cluster,
            removals_front: RemovalsFront::default(),
            places: Semaphore::new(config.operations_in_flight_max.max(1)),
            checking: Mutex::default(),
            metrics: ServiceMetrics::new(),
            engine,
            config,
            clock,
            rng,
        }))
    }

    /// Whether all records agree with one another: entries, link counts, parents, counters, as they were durable at one
    /// moment; changes go on meanwhile, further checks wait. Gives what is wrong, in words; empty if nothing is.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn check(&self) -> Result<Vec<String>, MetaError> {
        let _one_at_a_time = self.checking.lock().await;
        check::run(&self.engine.snapshot(), &self.names).await
    }

    /// Why the store takes no more changes; `None` while all is well. Then the process should be restarted: all calls
    /// that change something, or show what is not durable, are answered with [`FsError::Unavailable`].
    pub fn failure(&self) -> Option<String> {
        self.engine.failure()
    }

    /// The open sessions: number, name, time since the last renewal.
    pub fn sessions(&self) -> Vec<(SessionId, String, Duration)> {
        self.sessions.list(self.clock.monotonic())
    }

    async fn dispatch(
        &self,
        context: &CallContext,
        operation: &Operation,
    ) -> Result<Outcome, MetaError> {
        match operation {
            Operation::GetMap(_) => {
                // Whoever watches this service asks for the map: it must not look well when it is not.
                if let Some(reason) = self.engine.failure() {
                    return Err(KvError::Failed { reason }.into());
                }
                let map = self
                    .cluster
                    .map(&self.engine, self.clock.monotonic())
                    .await?;
                Ok(Outcome::GetMap(map))
            }
            Operation::RegisterTargets(request) => {
                self.end_lapsed().await?;
                let now = self.clock.monotonic();
                let sessions = self.sessions.live();
                let registering = self.cluster.register(&self.engine, request, now, sessions);
                let registered = registering.await?;
                self.update_gauges().await?;
                Ok(Outcome::RegisterTargets(registered))
            }
            Operation::OpenSession(request) => self.open_session(request).await,
            Operation::CloseSession(close) => self.close_session(close).await,
            Operation::AwaitRecalls(wait) => self.await_recalls(context.session, wait).await,
            Operation::ListSessions(list) => Ok(Outcome::ListSessions(self.list_sessions(list))),
            Operation::ListWrites(list) => Ok(Outcome::ListWrites(self.list_writes(list).await?)),
            Operation::CheckMetadata(_) => {
                if !context.credentials.is_root() {
                    return Err(FsError::NotPermitted.into());
                }
                let problems = self.check().await?;
                Ok(Outcome::CheckMetadata(MetadataProblems { problems }))
            }
            Operation::Lock(_)
            | Operation::Unlock(_)
            | Operation::TestLock(_)
            | Operation::CancelLock(_)
            | Operation::Share(_)
            | Operation::Unshare(_)
            | Operation::FreeLocks(_)
            | Operation::ListLocks(_)
            | Operation::ClearLocks(_)
            | Operation::AwaitLockGrants(_) => {
                if !self.sessions.is_live(context.session) {
                    return Err(FsError::SessionLapsed.into());
                }
                self.serve_file_locks(context, operation).await
            }
            _ => self.transact(context, operation).await,
        }
    }

    /// What a new inode would get, or why there can be none.
    async fn fresh_inode(&self, plan: &Plan) -> Result<Result<FreshInode, FsError>, MetaError> {
        if !plan.makes_inode {
            return Ok(Err(FsError::Internal));
        }
        if self.engine.is_low_on_space() {
            return Ok(Err(FsError::NoSpace));
        }
        let id = self.numbers.next(&self.engine).await?;
        Ok(Ok(fresh_inode(id, &*self.rng)))
    }

    /// Sets the gauges that are read from the store; done with each heartbeat.
    async fn update_gauges(&self) -> Result<(), MetaError> {
        self.replies.prune_soon();
        let mut namespace = Namespace::begin(&*self.engine, Isolation::Latest, &self.names);
        let inodes = namespace.counter(&keys::inode_count()).await?;
        let removals = namespace.counter(&keys::removal_count()).await?;
        self.metrics.inodes.set(inodes as f64);
        self.metrics.removals.set(removals as f64);
        self.metrics.sessions.set(self.sessions.count() as f64);
        self.metrics.read_leases.set(self.leases.count() as f64);
        Ok(())
    }
}

/// The random parts of a new inode.
fn fresh_inode(id: InodeId, rng: &dyn Rng) -> FreshInode {
    let random = rng.next_u64();
    FreshInode {
        id,
        generation: Generation::new(random as u32),
        placement_seed: (random >> 32) as u32,
    }
}

#[async_trait]
impl Metadata for MetaService {
    async fn call(&self, context: &CallContext, operation: Operation) -> Result<Outcome, FsError> {
        let began = self.clock.monotonic();
        let _in_flight = self.metrics.in_flight(&operation);
        let result = self.dispatch(context, &operation).await;
        let elapsed = self.clock.monotonic().saturating_sub(began);
        let result = result.map_err(|error| {
            // That the store failed was told once, when it did.
            let told = matches!(
                error,
                MetaError::Refused(_) | MetaError::Store(KvError::Failed { .. })
            );
            if !told {
                tracing::error!(operation = operation.name(), %error, "a metadata operation failed");
            }
            error.to_fs_error()
        });
        let error = result.as_ref().err().copied();
        self.metrics.ended(&operation, elapsed, error);
        result
    }
}
