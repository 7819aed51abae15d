//! What the engine is started with.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ipnet::IpNet;

use crate::Limits;

/// The key that file handles are signed with, the same on all gateways of a cluster.
#[derive(Clone, PartialEq, Eq)]
pub struct ClusterKey([u8; 16]);

impl ClusterKey {
    /// Wraps 16 secret bytes.
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for ClusterKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ClusterKey(..)")
    }
}

/// How clients find the ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PortmapMode {
    /// Answer on the port mapper's port.
    Own,
    /// Register with the rpcbind that runs on this machine.
    Register,
    /// The first of these two that works, or else neither.
    #[default]
    Auto,
    /// Neither: clients name the port.
    Off,
}

/// What the engine is started with.
#[derive(Debug, Clone)]
pub struct NfsConfig {
    /// The address to serve on.
    pub listen: IpAddr,
    /// The port of NFS and MOUNT; 0 for any.
    pub port: u16,
    /// How clients find it.
    pub portmap: PortmapMode,
    /// The port mapper's port: 111, but in tests.
    pub portmap_port: u16,
    /// The port of clients' port mappers, which say where their lock managers are: 111, but in tests.
    pub client_portmap_port: u16,
    /// Where the machine's rpcbind is.
    pub rpcbind: SocketAddr,
    /// Signs file handles.
    pub cluster_key: ClusterKey,
    /// Proxies and load balancers before the gateway: a TCP connection to the NFS port from one of these has to begin with
    /// a header of the PROXY protocol, version 2, and counts as its client's. From others such a header is not taken.
    pub proxy_protocol_from: Vec<IpNet>,
    /// How much may be going on at once.
    pub limits: Limits,
}

impl NfsConfig {
    /// Everything at its default, but for the address and the key.
    pub fn new(listen: IpAddr, cluster_key: ClusterKey) -> Self {
        Self {
            listen,
            port: 2049,
            portmap: PortmapMode::default(),
            portmap_port: sluice_proto_nfs::portmap::PORT,
            client_portmap_port: sluice_proto_nfs::portmap::PORT,
            rpcbind: (Ipv4Addr::LOCALHOST, sluice_proto_nfs::portmap::PORT).into(),
            cluster_key,
            proxy_protocol_from: Vec::new(),
            limits: Limits::default(),
        }
    }
}
