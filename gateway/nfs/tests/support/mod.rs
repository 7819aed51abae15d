//! What the engine's tests share: a file service in memory, a raw client, a gateway that uses one.

#![allow(dead_code, unused_imports, reason = "each test program uses a part")]

mod client;
mod lock_client;
mod locks;
mod memory;
mod tree;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use sluice_gateway_nfs::{ClusterKey, Gateway, Limits, NfsConfig, PortmapMode};
use sluice_types::{FileSystemId, SystemClock};
use sluice_vfs::{Export, Exports};

pub use client::{
    Client, datagram, datagram_privileged, datagram_program, machine, name, root_user,
};
pub use lock_client::LockClient;
pub use memory::{GATED_NAME, GATED_OFFSET, MemoryFiles};

pub const FILE_SYSTEM: FileSystemId = FileSystemId::new(77);

pub fn key() -> ClusterKey {
    ClusterKey::new(*b"0123456789abcdef")
}

/// A gateway on a port of its own.
pub struct Served {
    pub gateway: Gateway,
    pub files: Arc<MemoryFiles>,
}

impl Served {
    pub async fn start() -> Self {
        Self::with(Limits::default(), Exports::default()).await
    }

    pub async fn with_limits(limits: Limits) -> Self {
        Self::with(limits, Exports::default()).await
    }

    pub async fn with_exports(exports: Vec<Export>) -> Self {
        Self::with(Limits::default(), Exports::new(exports).unwrap()).await
    }

    pub async fn with(limits: Limits, exports: Exports) -> Self {
        let mut config = config();
        config.limits = limits;
        Self::with_config(config, exports).await
    }

    pub async fn with_config(config: NfsConfig, exports: Exports) -> Self {
        Self::of_files(Arc::new(MemoryFiles::new()), config, exports).await
    }

    /// Another gateway to files that there are.
    pub async fn of_files(files: Arc<MemoryFiles>, config: NfsConfig, exports: Exports) -> Self {
        let clock = Arc::new(SystemClock::new());
        let service = Arc::clone(&files);
        let gateway = Gateway::start(config, service, Arc::new(exports), FILE_SYSTEM, clock);
        Self {
            gateway: gateway.await.unwrap(),
            files,
        }
    }

    pub async fn client(&self) -> Client {
        Client::connect(self.gateway.address()).await
    }
}

pub fn config() -> NfsConfig {
    let mut config = NfsConfig::new(IpAddr::V4(Ipv4Addr::LOCALHOST), key());
    config.port = 0;
    config.portmap = PortmapMode::Off;
    config
}

/// Waits until `condition` holds, but not for ever.
pub async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    for _ in 0..500 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("did not happen in 5 s: {what}");
}
