//! The client: its state, how it begins and ends.
//!
//! State: the cluster map in force, the session, and the boot each target was last heard in. A background task
//! renews the session and brings newer maps; it ends when the client is dropped, and with the session. Everything else happens
//! in the callers' own tasks.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use parking_lot::RwLock;
use sluice_fabric::{CancellationToken, Transport};
use sluice_types::{Clock, ClusterMap, FsError, Layout, LeaseTerm, Rng, SessionId, TargetId};
use sluice_wire::meta::Metadata;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;

use crate::ClientConfig;
use crate::boots::Boots;
use crate::budget::Budget;
use crate::map::Refreshed;
use crate::metrics::ClientMetrics;
use crate::session::Standing;

/// Reads and writes files' data on storage; the way to the metadata service as well.
pub struct Client {
    pub(crate) meta: Arc<dyn Metadata>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) config: ClientConfig,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) rng: Arc<dyn Rng>,
    pub(crate) map: watch::Sender<Arc<ClusterMap>>,
    /// Held by the one that asks for a newer map.
    pub(crate) refreshing: Mutex<Option<Refreshed>>,
    pub(crate) boots: Boots,
    pub(crate) budget: Budget,
    pub(crate) metrics: ClientMetrics,
    pub(crate) standing: RwLock<Standing>,
    /// Cancelled when the session has ended.
    pub(crate) ended: CancellationToken,
    pub(crate) fence_epoch: AtomicU64,
    background: RwLock<Option<JoinHandle<()>>>,
}

impl Client {
    /// Opens a session with the metadata service and loads the cluster map; waits for both up to
    /// [`ClientConfig::connect_deadline`]. Must be called within a tokio runtime, which the background task runs on.
    ///
    /// # Errors
    /// [`FsError::Unavailable`] if the service cannot be reached, or has no cluster, in time.
    pub fn connect(
        meta: Arc<dyn Metadata>,
        transport: Arc<dyn Transport>,
        config: ClientConfig,
        clock: Arc<dyn Clock>,
        rng: Arc<dyn Rng>,
    ) -> impl Future<Output = Result<Arc<Self>, FsError>> + Send {
        // Not an `async fn`, so that it is shown here that it may move between threads.
        Self::open(meta, transport, config, clock, rng)
    }

    async fn open(
        meta: Arc<dyn Metadata>,
        transport: Arc<dyn Transport>,
        config: ClientConfig,
        clock: Arc<dyn Clock>,
        rng: Arc<dyn Rng>,
    ) -> Result<Arc<Self>, FsError> {
        let budget = Budget::new(
            config.bytes_in_flight_max,
            config.bytes_in_flight_per_target_max,
        );
        let client = Arc::new(Self {
            meta,
            transport,
            clock,
            rng,
            map: watch::Sender::default(),
            refreshing: Mutex::default(),
            boots: Boots::default(),
            budget,
            metrics: ClientMetrics::new(),
            standing: RwLock::default(),
            ended: CancellationToken::new(),
            fence_epoch: AtomicU64::new(0),
            background: RwLock::new(None),
            config,
        });
        let opening = client.open_session_and_map();
        let opened = tokio::time::timeout(client.config.connect_deadline, opening).await;
        opened.unwrap_or(Err(FsError::Unavailable))?;
        let task = tokio::spawn(crate::session::keep(Arc::downgrade(&client)));
        *client.background.write() = Some(task);
        Ok(client)
    }

    /// The metadata service.
    pub fn meta(&self) -> &Arc<dyn Metadata> {
        &self.meta
    }

    /// The session with the metadata service, in whose name everything is done.
    pub fn session(&self) -> SessionId {
        self.standing.read().session
    }

    /// The term of leases in which the session was opened.
    pub fn lease_term(&self) -> LeaseTerm {
        self.standing.read().term
    }

    /// The cluster map in force.
    pub fn map(&self) -> Arc<ClusterMap> {
        Arc::clone(&self.map.borrow())
    }

    pub(crate) fn targets_of(&self, layout: &Layout) -> Result<Vec<TargetId>, FsError> {
        let targets = self.map().targets_of(layout);
        if targets.is_empty() {
            return Err(FsError::Unavailable);
        }
        Ok(targets)
    }

    /// Between 0 and 1, by chance.
    pub(crate) fn chance(&self) -> f64 {
        (self.rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Some(task) = self.background.get_mut().take() {
            task.abort();
        }
    }
}
