//! The ways to other processes.

use std::sync::Arc;

use anyhow::Context as _;
use sluice_fabric::{SystemNetwork, TcpOptions, TcpTransport, Transport};
use sluice_types::{SystemClock, SystemRng};
use sluice_wire::meta::{Metadata, RemoteMetadata, RemoteOptions};

use crate::config::HostPort;

/// The way to storage daemons in other processes.
pub fn tcp_transport() -> Arc<dyn Transport> {
    Arc::new(TcpTransport::new(
        Arc::new(SystemNetwork),
        Arc::new(SystemClock::new()),
        Arc::new(SystemRng::new()),
        TcpOptions::default(),
    ))
}

/// The way to a metadata service in another process. It need not run yet: each call connects if need be.
///
/// # Errors
/// If the address cannot be one.
pub fn remote_metadata(
    address: &HostPort,
    options: RemoteOptions,
) -> anyhow::Result<Arc<dyn Metadata>> {
    let remote = RemoteMetadata::connect(&[address.to_string()], options);
    let failed = || format!("{address} is no address of a metadata service");
    Ok(Arc::new(remote.with_context(failed)?))
}
