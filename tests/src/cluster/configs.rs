//! The config files of a cluster of separate processes, and the arguments of `sluice up`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::Settings;
use super::running::gateway_address;
use crate::guest::SERVER_ADDRESS;

/// How many storage targets a test cluster has.
pub(super) const TARGETS: u16 = 4;

const META_PORT: u16 = 7400;
const METRICS_PORT: u16 = 9464;

fn local(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

/// A daemon to be started: its name, arguments, and where it serves metrics.
pub(super) type Plan = (String, Vec<String>, SocketAddr);

/// Everything in one process.
pub(super) fn one_process(folder: &Path, settings: &Settings) -> Vec<Plan> {
    let arguments = [
        "up".to_owned(),
        format!("--data={}", folder.join("data").display()),
        format!("--listen={SERVER_ADDRESS}"),
        format!("--nfs-port={}", settings.nfs_port),
        format!("--metrics-port={METRICS_PORT}"),
        format!("--portmap={}", settings.portmap),
    ];
    let http = SocketAddr::from((SERVER_ADDRESS, METRICS_PORT));
    vec![("up".to_owned(), arguments.to_vec(), http)]
}

/// One metadata service, four storage daemons, the gateways; in the order to start them. All but the gateways are on loopback.
pub(super) fn separate(folder: &Path, settings: &Settings) -> Result<Vec<Plan>> {
    let mut plans = vec![("meta", meta(folder), local(METRICS_PORT + 1))];
    let names: Vec<String> = (1..=TARGETS)
        .map(|number| format!("storage-{number}"))
        .collect();
    for (name, number) in names.iter().zip(1..) {
        plans.push((
            name,
            storage(folder, number, settings),
            local(METRICS_PORT + 1 + number),
        ));
    }
    let gateways: Vec<String> = (0..settings.gateways).map(gateway_name).collect();
    for (number, name) in gateways.iter().enumerate() {
        let metrics = gateway_metrics(number);
        plans.push((name, gateway(folder, number, settings), metrics));
    }
    let write = |(name, text, http): (&str, String, SocketAddr)| -> Result<Plan> {
        let file = folder.join(format!("{name}.toml"));
        std::fs::write(&file, text)?;
        let role = name.split('-').next().unwrap_or(name).to_owned();
        let arguments = vec![role, "--config".to_owned(), file.display().to_string()];
        Ok((name.to_owned(), arguments, http))
    };
    plans.into_iter().map(write).collect()
}

fn meta(folder: &Path) -> String {
    format!(
        "role = \"meta\"\nlisten = \"{listen}\"\ndata = \"{data}\"\nmetrics_listen = \"{metrics}\"\n\
         cluster_key_file = \"{key}\"\n[cluster]\ninitial_targets = {TARGETS}\n",
        listen = local(META_PORT),
        data = folder.join("meta").display(),
        metrics = local(METRICS_PORT + 1),
        key = key_file(folder).display(),
    )
}

fn storage(folder: &Path, number: u16, settings: &Settings) -> String {
    let capacity = settings
        .target_capacity
        .map(|size| format!("capacity = \"{size}\"\n"));
    format!(
        "role = \"storage\"\nmeta = \"{meta}\"\nlisten = \"{listen}\"\nmetrics_listen = \"{metrics}\"\n\
         cluster_key_file = \"{key}\"\n[[targets]]\ndir = \"{dir}\"\n{capacity}",
        meta = local(META_PORT),
        listen = local(META_PORT + number),
        metrics = local(METRICS_PORT + 1 + number),
        key = key_file(folder).display(),
        dir = folder.join(format!("target-{number}")).display(),
        capacity = capacity.unwrap_or_default(),
    )
}

fn gateway_name(number: usize) -> String {
    match number {
        0 => "gateway".to_owned(),
        _ => format!("gateway-{}", number + 1),
    }
}

fn gateway_metrics(number: usize) -> SocketAddr {
    match number {
        0 => local(METRICS_PORT),
        _ => local(METRICS_PORT + 1 + TARGETS + number as u16),
    }
}

fn gateway(folder: &Path, number: usize, settings: &Settings) -> String {
    format!(
        "role = \"gateway\"\nmeta = \"{meta}\"\nlisten = \"{address}\"\nnfs_port = {port}\n\
         portmap = \"{portmap}\"\nmetrics_listen = \"{metrics}\"\ncluster_key_file = \"{key}\"\n\
         drain_delay = \"0s\"\n{more}",
        meta = local(META_PORT),
        port = settings.nfs_port,
        portmap = settings.portmap,
        address = gateway_address(number),
        metrics = gateway_metrics(number),
        key = key_file(folder).display(),
        more = settings.gateway_config,
    )
}

/// The cluster's key.
pub(super) fn key_file(folder: &Path) -> PathBuf {
    folder.join("cluster.key")
}

/// Where the metadata service of separate processes is.
pub(super) fn meta_address() -> SocketAddr {
    local(META_PORT)
}
