//! How this process's connections inside the cluster begin.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sluice_types::{SystemClock, SystemRng};
use sluice_wire::links::{LinkError, LinkService, Links};
use tokio::net::TcpStream;

use crate::cluster_key::ClusterKey;
use crate::config::HostPort;

/// How long a metadata service may take to prove its key when that is all it is asked for.
const CHECK_DEADLINE: Duration = Duration::from_secs(2);

/// Connections that begin with mutual proof of `key`.
pub fn keyed_links(key: &ClusterKey) -> Links {
    let (clock, rng) = (Arc::new(SystemClock::new()), Arc::new(SystemRng::new()));
    Links::keyed(key.link_key(), clock, rng)
}

/// As a daemon's config has it: with the key in `file`, or without any.
///
/// # Errors
/// If the key cannot be used.
pub fn links(file: Option<&Path>) -> anyhow::Result<Links> {
    match file {
        Some(file) => Ok(keyed_links(&ClusterKey::load(file)?)),
        None => Ok(insecure_links()),
    }
}

/// Connections without proof, as somebody asked for.
pub fn insecure_links() -> Links {
    tracing::warn!(
        "insecure links: whoever reaches the ports of metadata and storage can read and change everything"
    );
    Links::Open
}

/// Makes a link to a metadata service and ends it again: why there is none is said here in words, which an operation's
/// error has no place for. A service that cannot be reached is no error of the link.
///
/// # Errors
/// Why the two do not belong together.
pub async fn check_link(meta: &HostPort, links: &Links) -> Result<(), LinkError> {
    let address = meta.as_str();
    let check = async {
        let Ok(mut socket) = TcpStream::connect(address).await else {
            return Ok(());
        };
        links
            .begin(&mut socket, LinkService::Metadata, address)
            .await
    };
    match tokio::time::timeout(CHECK_DEADLINE, check).await {
        Ok(Err(error)) if error.is_lasting() => Err(error),
        _ => Ok(()),
    }
}
