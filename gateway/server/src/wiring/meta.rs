//! The metadata service of a process.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use sluice_meta::kv::{EmbeddedEngine, EmbeddedOptions, Engine};
use sluice_meta::{MetaConfig, MetaService};
use sluice_types::{Clock, SystemClock, SystemRng};
use sluice_wire::links::Links;
use sluice_wire::meta::{Metadata, ServeOptions, serve};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::explain;

/// Opens the metadata of a directory, or makes a file system in it.
///
/// # Errors
/// If it is in use, damaged, or the disk refuses.
pub async fn open_meta(directory: PathBuf, config: MetaConfig) -> anyhow::Result<Arc<MetaService>> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let of_engine = Arc::clone(&clock);
    let path = directory.clone();
    let open = move || EmbeddedEngine::open(&path, EmbeddedOptions::default(), of_engine);
    // Reading the journal of an engine that was killed takes a while.
    let engine = tokio::task::spawn_blocking(open).await?;
    let failed = || format!("the metadata in {} cannot be opened", directory.display());
    let engine: Arc<dyn Engine> = Arc::new(engine.with_context(failed)?);
    let service = MetaService::open(engine, config, clock, Arc::new(SystemRng::new())).await;
    service.with_context(failed)
}

/// Closes the metadata: dropping the engine joins its threads, which may take a moment. If something else still uses
/// it, it ends with the process, as safe as in a crash.
///
/// # Errors
/// If closing panics.
pub async fn close_meta(service: Arc<MetaService>) -> anyhow::Result<()> {
    tokio::task::spawn_blocking(move || drop(service)).await?;
    Ok(())
}

/// A metadata service that others reach by gRPC; it ends when this is dropped.
#[derive(Debug)]
pub struct MetaServer {
    address: SocketAddr,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

impl MetaServer {
    /// Listens on `address` and serves from now on whoever begins as `links` says. `setting` is what changes the address.
    ///
    /// # Errors
    /// If the address cannot be listened on.
    pub async fn start(
        address: SocketAddr,
        setting: &str,
        links: Links,
        metadata: Arc<dyn Metadata>,
    ) -> anyhow::Result<Self> {
        let refused = |error| explain::listen("the metadata service", address, setting, &error);
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let serving = tokio::spawn(async move {
            let served = serve(metadata, listener, links, ServeOptions::default(), stopped).await;
            if let Err(error) = served {
                tracing::error!(%error, "the metadata service's port ended");
            }
        });
        Ok(Self {
            address,
            stop,
            serving,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no new calls, answers those in work, and closes.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        // It ends with its connections; a panic in it was reported when it happened.
        let _ended = (&mut self.serving).await;
    }
}

impl Drop for MetaServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
