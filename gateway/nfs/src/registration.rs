//! Registering with the rpcbind that runs on this machine.
//!
//! rpcbind takes registrations only from the machine itself, and (unless told otherwise) only from ports below 1024, so
//! one of those is tried first. A registration is taken back at the end; one that a crash left behind names the
//! same port, and registering it again is no error.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use sluice_proto_nfs::portmap::{Mapping, SetArgs, UnsetArgs};
use sluice_proto_nfs::rpc::{
    Credential, Program, RecordAssembler, RecordLimits, RemoteCall, ReplyHeader, ReplyStatus,
    encode_call, record_marker,
};
use sluice_proto_nfs::xdr::{Decode, Decoder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::NfsError;

const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);
const PRIVILEGED_PORTS: std::ops::Range<u16> = 665..1024;
const ANSWER_LIMITS: RecordLimits = RecordLimits {
    record_length_max: 4096,
    fragments_max: 4,
};

/// What is registered, to be taken back.
#[derive(Debug)]
pub(crate) struct Registration {
    rpcbind: SocketAddr,
    mappings: Vec<Mapping>,
}

impl Registration {
    /// Registers all of `mappings`; what another server has already of NLM and NSM is left to it.
    pub(crate) async fn make(rpcbind: SocketAddr, mappings: &[Mapping]) -> Result<Self, NfsError> {
        let failed = |source| NfsError::Rpcbind {
            address: rpcbind,
            source,
        };
        let mut client = Client::connect(rpcbind).await.map_err(failed)?;
        let mut registration = Self {
            rpcbind,
            mappings: Vec::new(),
        };
        for mapping in mappings {
            let set = client.ask(&SetArgs { mapping: *mapping }).await;
            let program = Program::from_number(mapping.program).map_or("?", Program::name);
            match set {
                Ok(true) => registration.mappings.push(*mapping),
                Ok(false) if is_optional(mapping) => {
                    tracing::warn!(program, "rpcbind has another server for it");
                }
                Ok(false) => {
                    registration.take_back().await;
                    return Err(NfsError::RegistrationRefused { program });
                }
                Err(error) => {
                    registration.take_back().await;
                    return Err(failed(error));
                }
            }
        }
        Ok(registration)
    }

    /// Takes everything back, as far as that works.
    pub(crate) async fn take_back(self) {
        let unset = async {
            let mut client = Client::connect(self.rpcbind).await?;
            for mapping in &self.mappings {
                client.ask(&UnsetArgs { mapping: *mapping }).await?;
            }
            Ok(())
        };
        // A shutdown does not wait for an rpcbind that hangs, once for each program.
        let result = timeout(ANSWER_TIMEOUT, unset).await;
        if let Err(error) = result.unwrap_or_else(|elapsed| Err(io::Error::from(elapsed))) {
            tracing::warn!(%error, "registration with rpcbind could not be taken back");
        }
    }
}

fn is_optional(mapping: &Mapping) -> bool {
    [Program::Nlm, Program::Nsm]
        .iter()
        .any(|program| program.number() == mapping.program)
}

struct Client {
    stream: TcpStream,
    answers: RecordAssembler,
    xid: u32,
}

impl Client {
    async fn connect(rpcbind: SocketAddr) -> io::Result<Self> {
        let stream = timeout(ANSWER_TIMEOUT, connect_privileged(rpcbind)).await??;
        Ok(Self {
            stream,
            answers: RecordAssembler::new(ANSWER_LIMITS),
            xid: 0,
        })
    }

    async fn ask<C: RemoteCall>(&mut self, call: &C) -> io::Result<bool> {
        self.xid += 1;
        let record = encode_call(self.xid, Credential::None, call);
        let marker = record_marker(record.len()).map_err(io::Error::other)?;
        self.stream
            .write_all(&[&marker[..], &record].concat())
            .await?;
        let answer = timeout(ANSWER_TIMEOUT, self.answer()).await??;
        let mut decoder = Decoder::new(&answer);
        let header = ReplyHeader::decode(&mut decoder).map_err(io::Error::other)?;
        if header.xid != self.xid || header.status != ReplyStatus::Success {
            return Err(io::Error::other(format!("unexpected answer: {header:?}")));
        }
        decoder.bool().map_err(io::Error::other)
    }

    async fn answer(&mut self) -> io::Result<Vec<u8>> {
        let mut buffer = [0; 1024];
        loop {
            let length = self.stream.read(&mut buffer).await?;
            if length == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let mut input = &buffer[..length];
            if let Some(answer) = self.answers.push(&mut input).map_err(io::Error::other)? {
                return Ok(answer);
            }
        }
    }
}

async fn connect_privileged(rpcbind: SocketAddr) -> io::Result<TcpStream> {
    if rpcbind.is_ipv4() {
        for port in PRIVILEGED_PORTS.rev() {
            let socket = TcpSocket::new_v4()?;
            match socket.bind((Ipv4Addr::LOCALHOST, port).into()) {
                Ok(()) => return socket.connect(rpcbind).await,
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => break,
                Err(_) => {}
            }
        }
    }
    TcpStream::connect(rpcbind).await
}
