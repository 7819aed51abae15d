//! The side of a client that is called: its port mapper and its lock manager.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use parking_lot::Mutex;
use sluice_proto_nfs::nlm::{GrantedArgs, LockResult, LockStatus, Procedure};
use sluice_proto_nfs::rpc::{
    CallHeader, RecordAssembler, RecordLimits, ReplyHeader, record_marker,
};
use sluice_proto_nfs::xdr::{Decode, Decoder, Encode, Encoder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinHandle;

const LIMITS: RecordLimits = RecordLimits {
    record_length_max: 1 << 16,
    fragments_max: 8,
};

/// A call that came.
#[derive(Clone, Debug)]
pub struct Called {
    pub from: IpAddr,
    pub procedure: u32,
    pub arguments: Vec<u8>,
}

/// A client's port mapper and lock manager.
pub struct LockClient {
    pub portmap_port: u16,
    pub called: Arc<Mutex<Vec<Called>>>,
    tasks: [JoinHandle<()>; 2],
}

impl LockClient {
    /// Answers GRANTED with `status`.
    pub async fn start(address: IpAddr, status: LockStatus) -> Self {
        let called = Arc::new(Mutex::new(Vec::new()));
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        let nlm_port = listener.local_addr().unwrap().port();
        let portmap = UdpSocket::bind((address, 0)).await.unwrap();
        let portmap_port = portmap.local_addr().unwrap().port();
        let of_task = Arc::clone(&called);
        let tasks = [
            tokio::spawn(answer_portmap(portmap, nlm_port)),
            tokio::spawn(async move {
                loop {
                    let (stream, from) = listener.accept().await.unwrap();
                    tokio::spawn(answer_nlm(stream, from, status, Arc::clone(&of_task)));
                }
            }),
        ];
        Self {
            portmap_port,
            called,
            tasks,
        }
    }
}

impl Drop for LockClient {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn answer_portmap(socket: UdpSocket, nlm_port: u16) {
    let mut buffer = [0; 1024];
    while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
        let (call, _) = parse(&buffer[..length]);
        let reply = reply(call.xid, &u32::from(nlm_port));
        socket.send_to(&reply, from).await.unwrap();
    }
}

async fn answer_nlm(
    mut stream: TcpStream,
    from: SocketAddr,
    status: LockStatus,
    called: Arc<Mutex<Vec<Called>>>,
) {
    let mut assembler = RecordAssembler::new(LIMITS);
    let mut buffer = [0; 4096];
    loop {
        let length = stream.read(&mut buffer).await.unwrap_or(0);
        if length == 0 {
            return;
        }
        let mut input = &buffer[..length];
        let Some(record) = assembler.push(&mut input).unwrap() else {
            continue;
        };
        let (call, arguments) = parse(&record);
        called.lock().push(Called {
            from: from.ip(),
            procedure: call.procedure,
            arguments: arguments.to_vec(),
        });
        let reply = match call.procedure == Procedure::Granted.number() {
            true => {
                let cookie = GrantedArgs::from_bytes(arguments).unwrap().cookie;
                reply(call.xid, &LockResult { cookie, status })
            }
            false => reply(call.xid, &()),
        };
        let marker = record_marker(reply.len()).unwrap();
        let _ = stream.write_all(&[&marker[..], &reply].concat()).await;
    }
}

fn parse(record: &[u8]) -> (CallHeader<'_>, &[u8]) {
    let mut decoder = Decoder::new(record);
    let header = CallHeader::parse(&mut decoder).unwrap();
    (header, &record[decoder.position()..])
}

fn reply(xid: u32, results: &impl Encode) -> Vec<u8> {
    let mut encoder = Encoder::new();
    ReplyHeader::success(xid).encode(&mut encoder);
    results.encode(&mut encoder);
    encoder.into_bytes()
}
