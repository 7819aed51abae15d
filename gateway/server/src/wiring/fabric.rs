//! The ways to other processes.

use std::sync::Arc;

use anyhow::Context as _;
use sluice_fabric::{LinkedNetwork, SystemNetwork, TcpOptions, TcpTransport, Transport};
use sluice_types::{SystemClock, SystemRng};
use sluice_wire::links::Links;
use sluice_wire::meta::{Metadata, RemoteMetadata, RemoteOptions};

use crate::config::HostPort;

/// The way to storage daemons in other processes, over connections that begin as `links` says.
pub fn tcp_transport(links: &Links) -> Arc<dyn Transport> {
    let network = LinkedNetwork::new(Arc::new(SystemNetwork), links.clone());
    Arc::new(TcpTransport::new(
        Arc::new(network),
        Arc::new(SystemClock::new()),
        Arc::new(SystemRng::new()),
        TcpOptions::default(),
    ))
}

/// The way to a metadata service in another process, over connections that begin as `links` says. It need not run yet:
/// each call connects if need be.
///
/// # Errors
/// If the address cannot be one.
pub fn remote_metadata(
    address: &HostPort,
    links: &Links,
    options: RemoteOptions,
) -> anyhow::Result<Arc<dyn Metadata>> {
    let remote = RemoteMetadata::connect(&[address.to_string()], links, options);
    let failed = || format!("{address} is no address of a metadata service");
    Ok(Arc::new(remote.with_context(failed)?))
}
