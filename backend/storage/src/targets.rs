//! The targets of one process: opened side by side, so that one bad disk does not keep the
//! others from serving.
//!
//! A target serves once the metadata service has said, since the process started, that it belongs to the file system
//! whose chunks it holds. Until then its chunks could be taken for those of other files: of another file
//! system, whose inodes have the same numbers.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;
use sluice_store::device::{DeviceOptions, open_directory};
use sluice_store::{Membership, Store, StoreConfig, StoreError};
use sluice_types::{BootId, Clock, FileSystemId, Rng, TargetId, TargetUuid};
use tokio::task::JoinSet;

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
    state: RwLock<State>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    /// As the superblock has it.
    membership: Membership,
    standing: Standing,
}

/// What the metadata service has said of a target since the process started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Nothing yet, or its file system is not formed.
    Unconfirmed,
    /// It belongs to its file system.
    Member,
    /// The metadata service is that of another file system.
    Foreign(FileSystemId),
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
        let state = State {
            membership: store.membership().await,
            standing: Standing::Unconfirmed,
        };
        self.open.push(OpenTarget {
            directory,
            store,
            state: RwLock::new(state),
        });
        Ok(())
    }

    /// The store of target `number`, or why it does not serve, as a metric's label.
    pub(crate) fn store(&self, number: TargetId) -> Result<&Arc<Store>, &'static str> {
        let mut refusal = "unknown_target";
        // A process has a handful of targets: a walk is faster than a hash.
        for open in &self.open {
            let State {
                membership,
                standing,
            } = *open.state.read();
            if membership.target != number {
                continue;
            }
            // One of another file system can have the same number there.
            match standing {
                Standing::Member => return Ok(&open.store),
                Standing::Unconfirmed => refusal = "unconfirmed_target",
                Standing::Foreign(_) => refusal = "foreign_target",
            }
        }
        Err(refusal)
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
            failure: open.store.failed().or_else(|| open.foreign()),
        });
        let broken = self.broken.iter().map(|(directory, failure)| TargetHealth {
            directory: directory.clone(),
            target: TargetId::UNREGISTERED,
            uuid: None,
            failure: Some(failure.clone()),
        });
        open.chain(broken).collect()
    }

    /// Writes everything to disk and closes all stores, at the same time.
    ///
    /// # Errors
    /// The first error; all are closed all the same.
    pub async fn close(&self) -> Result<(), StorageError> {
        let mut closing = JoinSet::new();
        for open in &self.open {
            let store = Arc::clone(&open.store);
            closing.spawn(async move { store.close().await });
        }
        let closed: Result<(), StoreError> = closing.join_all().await.into_iter().collect();
        Ok(closed?)
    }
}

impl OpenTarget {
    pub(crate) fn number(&self) -> TargetId {
        self.state.read().membership.target
    }

    /// The file system whose chunks it holds.
    pub(crate) fn file_system(&self) -> Option<FileSystemId> {
        self.state.read().membership.file_system
    }

    pub(crate) fn boot(&self) -> BootId {
        self.store.boot()
    }

    /// Whether it serves.
    pub(crate) fn is_member(&self) -> bool {
        self.state.read().standing == Standing::Member
    }

    /// Compares the metadata service's file system with the target's own; a target of another one serves nothing from
    /// now on. Whether it may register there.
    pub(crate) fn may_register(&self, asked: FileSystemId) -> bool {
        let is_foreign = self.file_system().is_some_and(|own| own != asked);
        if is_foreign {
            let standing = Standing::Foreign(asked);
            let before = std::mem::replace(&mut self.state.write().standing, standing);
            if before != standing {
                tracing::error!(
                    "{}: {}",
                    self.directory.display(),
                    self.foreign().unwrap_or_default()
                );
            }
        }
        !is_foreign
    }

    /// Takes the number that the metadata service gave, and its file system once that is formed; durable when it returns.
    /// From then on the target serves.
    pub(crate) async fn join(&self, membership: Membership) -> Result<(), StoreError> {
        let standing = match membership.file_system {
            Some(_) => Standing::Member,
            None => Standing::Unconfirmed,
        };
        let State {
            membership: before, ..
        } = *self.state.read();
        if before != membership {
            self.store.join(membership).await?;
            tracing::info!(
                directory = %self.directory.display(), uuid = %self.store.uuid(), number = %membership.target,
                file_system = membership.file_system.map(tracing::field::display), boot = %self.boot(),
                "the target has its number"
            );
        }
        *self.state.write() = State {
            membership,
            standing,
        };
        Ok(())
    }

    /// Why it serves nothing, and what to do, if the metadata service is that of another file system.
    fn foreign(&self) -> Option<String> {
        let State {
            membership,
            standing,
        } = *self.state.read();
        let (Some(own), Standing::Foreign(asked)) = (membership.file_system, standing) else {
            return None;
        };
        Some(format!(
            "this directory belongs to file system {own}, but the metadata service is that of file system {asked}, so \
             it serves nothing. Either give it the metadata service of {own} again; or, if the data of {own} is not \
             needed any more, stop, delete everything in the directory, and start: it then becomes a new target of {asked}"
        ))
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
