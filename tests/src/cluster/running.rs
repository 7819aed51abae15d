//! A cluster as tests handle it.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use sluice_proto_nfs::nfs3::FileHandle;
use tempfile::TempDir;
use tokio::net::TcpSocket;

use super::{Daemon, HttpAnswer, Metrics, configs, http_get, program};
use crate::guest::{Guest, Network, SERVER_ADDRESS};
use crate::nfs_client::{Connection, NfsClient};
use crate::scratch::temporary_dir;

/// How a cluster is cut into processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `sluice up`.
    OneProcess,
    /// 1 `sluice meta`, 4 `sluice storage`, and as many `sluice gateway` as [`Settings::gateways`] says.
    Separate,
}

/// What a test may want different.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The port for NFS and MOUNT.
    pub nfs_port: u16,
    /// `own`, `register` or `off`.
    pub portmap: &'static str,
    /// What the gateway's config file has besides; only with separate processes.
    pub gateway_config: &'static str,
    /// How many gateways there are, at most [`GATEWAYS_MAX`], each at an address of its own; 1 in one process.
    pub gateways: usize,
    /// How much each storage target may hold, as a config file has it; only with separate processes.
    pub target_capacity: Option<&'static str>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            nfs_port: 2049,
            portmap: "off",
            gateway_config: "",
            gateways: 1,
            target_capacity: None,
        }
    }
}

/// How many gateways a cluster can have.
pub const GATEWAYS_MAX: usize = 9;

/// The address of a gateway, from 0.
pub(super) fn gateway_address(gateway: usize) -> Ipv4Addr {
    let [a, b, c, first] = SERVER_ADDRESS.octets();
    Ipv4Addr::new(a, b, c, first + gateway as u8)
}

/// A running cluster.
#[derive(Debug)]
pub struct Cluster {
    // In this order: processes end before their data and their network go.
    daemons: Vec<Daemon>,
    data: TempDir,
    network: Network,
    shape: Shape,
    settings: Settings,
}

impl Cluster {
    /// Starts a new, empty cluster and waits until it serves.
    ///
    /// # Errors
    /// If it does not come up: with the ends of its logs.
    pub fn start(shape: Shape) -> Result<Self> {
        Self::start_with(shape, Settings::default())
    }

    /// As [`Cluster::start`], with settings.
    ///
    /// # Errors
    /// As [`Cluster::start`].
    pub fn start_with(shape: Shape, settings: Settings) -> Result<Self> {
        Self::start_in(Network::create()?, shape, settings)
    }

    /// As [`Cluster::start`], in a network that is there already.
    ///
    /// # Errors
    /// As [`Cluster::start`].
    pub fn start_in(network: Network, shape: Shape, settings: Settings) -> Result<Self> {
        ensure!(
            (1..=GATEWAYS_MAX).contains(&settings.gateways),
            "{} gateways",
            settings.gateways
        );
        for gateway in 1..settings.gateways {
            network.add_server_address(gateway_address(gateway))?;
        }
        let data = temporary_dir("cluster-")?;
        let program = program()?;
        let plans = match shape {
            Shape::OneProcess => configs::one_process(data.path(), &settings),
            Shape::Separate => configs::separate(data.path(), &settings)?,
        };
        if shape == Shape::Separate {
            make_cluster_key(&program, data.path())?;
        }
        let daemons = plans.into_iter().map(|(name, arguments, http)| {
            Daemon::new(&name, &program, arguments, http, data.path())
        });
        let mut cluster = Self {
            daemons: daemons.collect(),
            data,
            network,
            shape,
            settings,
        };
        cluster.start_all()?;
        Ok(cluster)
    }

    /// The network it is in.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// How it is cut into processes.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The folder of its data.
    pub fn data_dir(&self) -> &Path {
        self.data.path()
    }

    /// Its daemons, in the order they are started.
    pub fn daemons(&self) -> &[Daemon] {
        &self.daemons
    }

    /// The daemon that serves clients; the first one if there are several.
    pub fn gateway(&self) -> &Daemon {
        &self.gateways()[0]
    }

    /// The daemons that serve clients: `gateway`, `gateway-2` and so on, or the one process.
    pub fn gateways(&self) -> &[Daemon] {
        &self.daemons[self.daemons.len() - self.settings.gateways..]
    }

    /// Where it serves NFS and MOUNT, in its network.
    pub fn nfs_address(&self) -> SocketAddr {
        self.nfs_address_of(0)
    }

    /// The same of a certain gateway, from 0.
    pub fn nfs_address_of(&self, gateway: usize) -> SocketAddr {
        SocketAddr::from((gateway_address(gateway), self.settings.nfs_port))
    }

    /// A client that has mounted `/`, and the root's handle.
    ///
    /// # Errors
    /// If it cannot connect or mount.
    pub async fn client(&self) -> Result<(NfsClient, FileHandle)> {
        self.client_of(0).await
    }

    /// The same through a certain gateway, from 0.
    ///
    /// # Errors
    /// As [`Cluster::client`].
    pub async fn client_of(&self, gateway: usize) -> Result<(NfsClient, FileHandle)> {
        let client = NfsClient::new(self.connect_to(gateway).await?);
        let root = client.mount("/").await?;
        Ok((client, root))
    }

    /// A connection to the NFS port.
    ///
    /// # Errors
    /// If the port does not accept.
    pub async fn connect(&self) -> Result<Connection> {
        self.connect_to(0).await
    }

    /// The same to a certain gateway, from 0. The client's address is the same whichever it is.
    ///
    /// # Errors
    /// As [`Cluster::connect`].
    pub async fn connect_to(&self, gateway: usize) -> Result<Connection> {
        let socket = self.network.enter(|| {
            let socket = TcpSocket::new_v4()?;
            // Else it would be that of the gateway, as both are on one machine.
            socket.bind(SocketAddr::from((SERVER_ADDRESS, 0)))?;
            std::io::Result::Ok(socket)
        })??;
        let stream = socket.connect(self.nfs_address_of(gateway)).await?;
        Ok(Connection::over(stream)?)
    }

    /// A new guest on its network.
    ///
    /// # Errors
    /// If none can be added.
    pub fn guest(&self) -> Result<Guest<'_>> {
        Guest::new(&self.network)
    }

    /// Starts every daemon that does not run, and waits until all serve.
    ///
    /// # Errors
    /// If one does not come up.
    pub fn start_all(&mut self) -> Result<()> {
        for daemon in &mut self.daemons {
            if daemon.pid().is_none() {
                daemon.launch(&self.network)?;
            }
        }
        for daemon in &mut self.daemons {
            daemon.await_ready(&self.network)?;
        }
        Ok(())
    }

    /// Kills every process with SIGKILL.
    pub fn kill9(&mut self) {
        self.daemons.iter_mut().for_each(Daemon::kill9);
    }

    /// Kills one daemon with SIGKILL.
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn kill9_one(&mut self, name: &str) -> Result<()> {
        self.named(name)?.kill9();
        Ok(())
    }

    /// Stops every process with SIGTERM, gateway first; each must exit with 0.
    ///
    /// # Errors
    /// If one does not stop, or not with 0.
    pub fn terminate(&mut self) -> Result<()> {
        for daemon in self.daemons.iter_mut().rev() {
            daemon.request_stop()?;
            let status = daemon.await_stop()?;
            ensure!(
                status.success(),
                "{} ended with {status}\n{}",
                daemon.name(),
                daemon.log_ending()
            );
        }
        Ok(())
    }

    /// Asks every daemon for its metrics: all of them together.
    ///
    /// # Errors
    /// If one does not answer.
    pub fn metrics(&self) -> Result<Metrics> {
        let mut all = Metrics::default();
        for daemon in &self.daemons {
            let answer = self.http(daemon, "/metrics")?;
            ensure!(
                answer.status == 200,
                "/metrics of {}: {answer:?}",
                daemon.name()
            );
            all.extend(Metrics::parse(&answer.body));
        }
        Ok(all)
    }

    /// GETs `path` from a daemon's HTTP port.
    ///
    /// # Errors
    /// If it does not answer.
    pub fn http(&self, daemon: &Daemon, path: &str) -> Result<HttpAnswer> {
        http_get(&self.network, daemon.http, path)
    }

    /// Runs `sluice admin` with these arguments: what it printed.
    ///
    /// # Errors
    /// If it fails: with what it said.
    pub fn admin(&self, arguments: &[&str]) -> Result<String> {
        let whom: Vec<OsString> = match self.shape {
            Shape::OneProcess => vec![
                "--data".into(),
                self.data.path().join("data").into_os_string(),
            ],
            Shape::Separate => vec![
                "--meta".into(),
                configs::meta_address().to_string().into(),
                "--key".into(),
                configs::key_file(self.data.path()).into_os_string(),
            ],
        };
        let output = self
            .network
            .server_command(program()?)
            .arg("admin")
            .args(whom)
            .args(arguments)
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(
            output.status.success(),
            "sluice admin {arguments:?}: {text}{said}"
        );
        Ok(text)
    }

    /// Panics, with the log, if a daemon died by itself.
    pub fn assert_alive(&mut self) {
        for daemon in &mut self.daemons {
            assert!(
                daemon.is_running(),
                "{} died\n{}",
                daemon.name(),
                daemon.log_ending()
            );
        }
    }

    fn named(&mut self, name: &str) -> Result<&mut Daemon> {
        let found = self.daemons.iter_mut().find(|daemon| daemon.name() == name);
        found.with_context(|| format!("no daemon is called {name}"))
    }
}

fn make_cluster_key(program: &Path, folder: &Path) -> Result<()> {
    let output = Command::new(program)
        .args(["config", "new-key"])
        .arg(configs::key_file(folder))
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "making a cluster key: {said}");
    Ok(())
}
