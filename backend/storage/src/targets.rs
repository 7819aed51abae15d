//! The targets of one process: opened side by side, so that one bad disk does not keep the
//! others from serving.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;
use sluice_store::device::{DeviceOptions, open_directory};
use sluice_store::{Store, StoreConfig, StoreError};
use sluice_types::{BootId, Clock, Rng, TargetId, TargetUuid};

use crate::StorageError;

/// Where a target is and how its store is set up.
#[derive(Clone, Debug)]
pub struct TargetConfig {
    /// Its directory.
    pub directory: PathBuf,
    /// Its store.
    pub store: StoreConfig,
    /// Its disk.
    pub device: DeviceOptions,
}

/// How a target is, for people and for readiness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetHealth {
    /// Its directory.
    pub directory: PathBuf,
    /// Its number; [`TargetId::UNREGISTERED`] until the metadata service gave one.
    pub target: TargetId,
    /// Its own name; `None` if it could not be opened.
    pub uuid: Option<TargetUuid>,
    /// Why it serves nothing; `None` if it serves.
    pub failure: Option<String>,
}

/// The targets of one process.
#[derive(Debug)]
pub struct Targets {
    open: Vec<OpenTarget>,
    broken: Vec<(PathBuf, String)>,
}

/// A target that was opened.
#[derive(Debug)]
pub(crate) struct OpenTarget {
    pub(crate) directory: PathBuf,
    pub(crate) store: Arc<Store>,
    number: RwLock<TargetId>,
}

impl Targets {
    /// Opens all targets at once. Those that cannot be opened are logged and listed in [`Targets::health`].
    ///
    /// # Errors
    /// [`StorageError::NoTarget`] if none opens, [`StorageError::SameTarget`] if one is there twice.
    pub async fn open(
        configs: Vec<TargetConfig>,
        clock: Arc<dyn Clock>,
        rng: Arc<dyn Rng>,
    ) -> Result<Self, StorageError> {
        let opening: Vec<_> = configs
            .into_iter()
            .map(|config| {
                let directory = config.directory.clone();
                let opened = open_store(config, Arc::clone(&clock), Arc::clone(&rng));
                (directory, tokio::spawn(opened))
            })
            .collect();
        let mut targets = Self::from_stores(Vec::new()).await?;
        for (directory, opened) in opening {
            let opened = opened.await.map_err(|error| error.to_string());
            match opened.and_then(|opened| opened) {
                Ok(store) => targets.add(directory, store).await?,
                Err(failure) => {
                    tracing::error!(
                        directory = %directory.display(), failure,
                        "a storage target could not be opened and serves nothing"
                    );
                    targets.broken.push((directory, failure));
                }
            }
        }
        match targets.broken.first() {
            Some((directory, first)) if targets.open.is_empty() => Err(StorageError::NoTarget {
                count: targets.broken.len(),
                directory: directory.clone(),
                first: first.clone(),
            }),
            _ => Ok(targets),
        }
    }

    /// Targets whose stores are open already, each with a name for its directory.
    ///
    /// # Errors
    /// [`StorageError::SameTarget`].
    pub async fn from_stores(stores: Vec<(PathBuf, Arc<Store>)>) -> Result<Self, StorageError> {
        let mut targets = Self {
            open: Vec::new(),
            broken: Vec::new(),
        };
        for (directory, store) in stores {
            targets.add(directory, store).await?;
        }
        Ok(targets)
    }

    async fn add(&mut self, directory: PathBuf, store: Arc<Store>) -> Result<(), StorageError> {
        let twin = self
            .open
            .iter()
            .find(|open| open.store.uuid() == store.uuid());
        if let Some(twin) = twin {
            return Err(StorageError::SameTarget {
                one: twin.directory.clone(),
                other: directory,
            });
        }
        let number = RwLock::new(store.target().await);
        self.open.push(OpenTarget {
            directory,
            store,
            number,
        });
        Ok(())
    }

    /// The store of target `number`.
    pub(crate) fn store(&self, number: TargetId) -> Option<&Arc<Store>> {
        // A process has a handful of targets: a walk is faster than a hash.
        let asked = |open: &&OpenTarget| open.number() == number;
        self.open.iter().find(asked).map(|open| &open.store)
    }

    /// Targets that were opened, in the order of the configuration.
    pub(crate) fn open_targets(&self) -> &[OpenTarget] {
        &self.open
    }

    /// How each target is.
    pub fn health(&self) -> Vec<TargetHealth> {
        let open = self.open.iter().map(|open| TargetHealth {
            directory: open.directory.clone(),
            target: open.number(),
            uuid: Some(open.store.uuid()),
            failure: open.store.failed(),
        });
        let broken = self.broken.iter().map(|(directory, failure)| TargetHealth {
            directory: directory.clone(),
            target: TargetId::UNREGISTERED,
            uuid: None,
            failure: Some(failure.clone()),
        });
        open.chain(broken).collect()
    }

    /// Writes everything to disk and closes all stores.
    ///
    /// # Errors
    /// The first error; all are closed all the same.
    pub async fn close(&self) -> Result<(), StorageError> {
        let mut result = Ok(());
        for open in &self.open {
            result = result.and(open.store.close().await);
        }
        Ok(result?)
    }
}

impl OpenTarget {
    pub(crate) fn number(&self) -> TargetId {
        *self.number.read()
    }

    pub(crate) fn boot(&self) -> BootId {
        self.store.boot()
    }

    /// Takes the number that the metadata service gave; durable when it returns.
    pub(crate) async fn set_number(&self, number: TargetId) -> Result<(), StoreError> {
        self.store.set_target(number).await?;
        *self.number.write() = number;
        Ok(())
    }
}

async fn open_store(
    config: TargetConfig,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
) -> Result<Arc<Store>, String> {
    let device = open_device(&config.directory, config.device).await?;
    let opened = Store::open(device, config.store, clock, rng).await;
    opened.map_err(|error| error.to_string())
}

async fn open_device(
    directory: &Path,
    options: DeviceOptions,
) -> Result<Arc<dyn sluice_store::device::Device>, String> {
    let device = open_directory(directory, options).await;
    device.map_err(|error| format!("the directory cannot be opened: {error}"))
}
