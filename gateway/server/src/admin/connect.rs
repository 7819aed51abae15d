//! Reaching a cluster.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use async_trait::async_trait;
use sluice_client::{Client, ClientConfig};
use sluice_fabric::{FabricError, Reply, Request, Transport};
use sluice_types::{
    FenceEpoch, FileName, FsError, Inode, InodeId, MapVersion, SessionId, SystemClock, SystemRng,
    Target,
};
use sluice_wire::links::Links;
use sluice_wire::meta::{
    CallContext, GetInode, GetMap, Lookup, LookupName, Metadata, MetadataExt as _, RemoteOptions,
};
use sluice_wire::storage::{StorageOperation, StorageOutcome, StorageRequest};

use super::Endpoints;
use crate::cluster_key::ClusterKey;
use crate::config::HostPort;
use crate::wiring;

/// How long the cluster may take to answer at first.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// How long a target may take to answer an administrator.
const TARGET_DEADLINE: Duration = Duration::from_secs(5);

/// A connection to a cluster's metadata service, and a way to its storage daemons.
#[derive(Clone)]
pub struct Cluster {
    /// The metadata service.
    pub meta: Arc<dyn Metadata>,
    /// The way to storage.
    pub storage: Arc<dyn Transport>,
}

impl Cluster {
    /// Reaches a cluster of daemons, over connections that begin as `links` says.
    ///
    /// # Errors
    /// If its metadata service does not answer, or has another key.
    pub async fn connect(meta: &HostPort, links: &Links) -> anyhow::Result<Self> {
        let linked = wiring::check_link(meta, links).await;
        linked.with_context(|| format!("no link with the metadata service {meta}"))?;
        let options = RemoteOptions {
            call_deadline: Duration::from_secs(5),
            connections: 1,
            ..RemoteOptions::default()
        };
        let cluster = Self {
            meta: wiring::remote_metadata(meta, links, options)?,
            storage: wiring::tcp_transport(links),
        };
        cluster.ask_map(meta.as_str()).await?;
        Ok(cluster)
    }

    /// A client with a session of its own, called `name` in lists of sessions.
    ///
    /// # Errors
    /// If the cluster does not answer.
    pub async fn client(&self, name: &str) -> anyhow::Result<Arc<Client>> {
        let config = ClientConfig {
            name: name.to_owned(),
            connect_deadline: CONNECT_DEADLINE,
            ..ClientConfig::default()
        };
        let (clock, rng) = (Arc::new(SystemClock::new()), Arc::new(SystemRng::new()));
        let (meta, storage) = (Arc::clone(&self.meta), Arc::clone(&self.storage));
        let client = Client::connect(meta, storage, config, clock, rng).await;
        client.context("the cluster does not answer")
    }

    /// Reaches the `sluice up` that serves the directory `data`.
    ///
    /// # Errors
    /// If none does, or it does not answer.
    pub async fn connect_local(data: &Path) -> anyhow::Result<Self> {
        let endpoints = Endpoints::read(data)?;
        let meta = HostPort::from(endpoints.meta);
        let key = ClusterKey::load(&data.join("cluster.key"))?;
        let reached = Self::connect(&meta, &wiring::keyed_links(&key)).await;
        let mut cluster = reached.with_context(|| {
            format!(
                "the `sluice up` of {} (process {}) does not answer: is it running?",
                data.display(),
                endpoints.process
            )
        })?;
        cluster.storage = Arc::new(InOneProcess {
            address: endpoints.storage.to_string(),
            storage: cluster.storage,
        });
        Ok(cluster)
    }

    /// Asks one target.
    ///
    /// # Errors
    /// Why it did not answer, in words.
    pub async fn ask(
        &self,
        target: &Target,
        operation: StorageOperation,
    ) -> Result<StorageOutcome, String> {
        let header = StorageRequest {
            target: target.id,
            map_version: MapVersion::new(0),
            session: SessionId::new(0),
            fence_epoch: FenceEpoch::new(0),
            operation,
        };
        let request = Request {
            header,
            payload: Default::default(),
        };
        let called = self.storage.call(&target.address, request, TARGET_DEADLINE);
        let reply = called.await.map_err(|error| error.to_string())?;
        reply.header.result.map_err(|error| error.to_string())
    }

    /// The inode of a path from the file system's root; symbolic links are not followed.
    ///
    /// # Errors
    /// If there is none.
    pub async fn resolve(&self, path: &str) -> anyhow::Result<Inode> {
        let context = CallContext::internal();
        let Some(names) = path.strip_prefix('/') else {
            bail!(
                "`{path}` does not start at the file system's root: write it as in /films/reel-7.mov"
            );
        };
        let root = GetInode {
            inode: InodeId::ROOT,
        };
        let mut node = self.meta.run(&context, root).await?;
        for name in names.split('/').filter(|name| !name.is_empty()) {
            let entry = FileName::new(name.as_bytes().to_vec())
                .map_err(|error| anyhow::anyhow!("`{name}` in {path}: {error}"))?;
            let lookup = Lookup {
                directory: node.id,
                entry: LookupName::Name(entry),
            };
            let found = self.meta.run(&context, lookup).await;
            node = found.with_context(|| format!("{path}, at `{name}`"))?.node;
        }
        Ok(node)
    }

    async fn ask_map(&self, address: &str) -> anyhow::Result<()> {
        let known = MapVersion::new(0);
        match self
            .meta
            .run(&CallContext::internal(), GetMap { known })
            .await
        {
            Ok(_) => Ok(()),
            Err(FsError::Unavailable) => bail!(
                "the metadata service {address} does not answer, or its cluster is not formed yet\n\
                 is it running, is that its address, and have all initial targets registered?"
            ),
            Err(error) => bail!("the metadata service {address} refuses: {error}"),
        }
    }
}

/// The map of a cluster in one process has no addresses: they all mean its one loopback port.
struct InOneProcess {
    address: String,
    storage: Arc<dyn Transport>,
}

#[async_trait]
impl Transport for InOneProcess {
    async fn call(
        &self,
        _address: &str,
        request: Request,
        deadline: Duration,
    ) -> Result<Reply, FabricError> {
        self.storage.call(&self.address, request, deadline).await
    }
}
