//! A client that says exactly what a test wants said.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use sluice_proto_nfs::mount::{DirectoryPath, MountArgs};
use sluice_proto_nfs::nfs3::{DirectoryEntryName, FileHandle, FileName};
use sluice_proto_nfs::rpc::{
    AuthSys, CallHeader, Credential, GroupList, MachineName, OpaqueAuth, RecordAssembler,
    RecordLimits, RemoteCall, ReplyHeader, ReplyStatus, encode_call, record_marker,
};
use sluice_proto_nfs::xdr::{Decode, Decoder, Encode, Encoder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(5);

/// Those that `bindresvport` would take.
const RESERVED_PORTS: std::ops::Range<u16> = 600..1024;

const LIMITS: RecordLimits = RecordLimits {
    record_length_max: 4 << 20,
    fragments_max: 8,
};

/// The credential of a machine's user.
pub fn machine(machine: &str, uid: u32) -> Credential<'_> {
    Credential::Sys(AuthSys {
        stamp: 1,
        machine_name: MachineName::new(machine.as_bytes()).unwrap(),
        uid,
        gid: uid,
        groups: GroupList::default(),
    })
}

pub fn root_user() -> Credential<'static> {
    machine("tester", 0)
}

pub fn name(directory: FileHandle, name: &str) -> DirectoryEntryName<'_> {
    DirectoryEntryName {
        directory,
        name: FileName::new(name.as_bytes()).unwrap(),
    }
}

/// A connection.
pub struct Client {
    pub stream: TcpStream,
    replies: RecordAssembler,
    left: Vec<u8>,
    xid: u32,
    pub credential: Credential<'static>,
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).await.unwrap())
    }

    /// From one of the machine's own addresses.
    pub async fn connect_from(from: IpAddr, address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((from, 0).into()).unwrap();
        Self::over(socket.connect(address).await.unwrap())
    }

    /// From a reserved port, as only root can.
    pub async fn connect_privileged(address: SocketAddr) -> Self {
        for port in RESERVED_PORTS.rev() {
            let socket = TcpSocket::new_v4().unwrap();
            if socket.bind((Ipv4Addr::LOCALHOST, port).into()).is_ok() {
                return Self::over(socket.connect(address).await.unwrap());
            }
        }
        panic!("no reserved port is free; is this root?");
    }

    fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            replies: RecordAssembler::new(LIMITS),
            left: Vec::new(),
            xid: 100,
            credential: root_user(),
        }
    }

    /// Sends a call and returns its xid.
    pub async fn send<C: RemoteCall>(&mut self, call: &C) -> u32 {
        self.xid += 1;
        let record = encode_call(self.xid, self.credential, call);
        self.send_record(&record).await;
        self.xid
    }

    /// Sends a call of any numbers.
    pub async fn send_numbers(
        &mut self,
        program: u32,
        version: u32,
        procedure: u32,
        arguments: &[u8],
    ) -> u32 {
        self.xid += 1;
        let header = CallHeader {
            xid: self.xid,
            program,
            version,
            procedure,
            credential: self.credential,
            verifier: OpaqueAuth::none(),
        };
        let mut encoder = Encoder::new();
        header.encode(&mut encoder);
        encoder.raw(arguments);
        self.send_record(encoder.as_bytes()).await;
        self.xid
    }

    pub async fn send_record(&mut self, record: &[u8]) {
        let marker = record_marker(record.len()).unwrap();
        self.send_bytes(&[&marker, record].concat()).await;
    }

    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// The next reply; `None` when the gateway closed the connection.
    pub async fn reply(&mut self) -> Option<Vec<u8>> {
        loop {
            let mut input = &self.left[..];
            let reply = self.replies.push(&mut input).unwrap();
            self.left = input.to_vec();
            if reply.is_some() {
                return reply;
            }
            let mut buffer = vec![0; 1 << 16];
            let read = timeout(PATIENCE, self.stream.read(&mut buffer)).await;
            match read.expect("a reply or the end") {
                Ok(length @ 1..) => self.left = buffer[..length].to_vec(),
                Ok(0) | Err(_) => return None,
            }
        }
    }

    /// The next reply's xid, status and results.
    pub async fn answer(&mut self) -> (u32, ReplyStatus, Vec<u8>) {
        let reply = self.reply().await.expect("a reply");
        split(&reply)
    }

    /// Calls, and gives the results' bytes.
    pub async fn call<C: RemoteCall>(&mut self, call: &C) -> Vec<u8> {
        let sent = self.send(call).await;
        let (xid, status, results) = self.answer().await;
        assert_eq!((xid, status), (sent, ReplyStatus::Success));
        results
    }

    /// Calls a procedure by numbers, and gives how that ended.
    pub async fn status(
        &mut self,
        program: u32,
        version: u32,
        procedure: u32,
        arguments: &[u8],
    ) -> ReplyStatus {
        let sent = self
            .send_numbers(program, version, procedure, arguments)
            .await;
        let (xid, status, _) = self.answer().await;
        assert_eq!(xid, sent);
        status
    }

    /// The handle of a directory.
    pub async fn mount(&mut self, path: &str) -> FileHandle {
        let arguments = MountArgs {
            path: DirectoryPath::new(path.as_bytes()).unwrap(),
        };
        let results = self.call(&arguments).await;
        let mounted = sluice_proto_nfs::mount::MountResult::from_bytes(&results).unwrap();
        mounted.unwrap().handle
    }

    /// Whether the gateway closes the connection, without another reply.
    pub async fn is_closed(&mut self) -> bool {
        self.reply().await.is_none()
    }
}

fn split(reply: &[u8]) -> (u32, ReplyStatus, Vec<u8>) {
    let mut decoder = Decoder::new(reply);
    let header = ReplyHeader::decode(&mut decoder).unwrap();
    (
        header.xid,
        header.status,
        reply[decoder.position()..].to_vec(),
    )
}

/// One call over UDP.
pub async fn datagram<C: RemoteCall>(to: SocketAddr, call: &C) -> (ReplyStatus, Vec<u8>) {
    exchange(to, &encode_call(5, root_user(), call)).await
}

/// One call over UDP from a reserved port, as only root can.
pub async fn datagram_privileged<C: RemoteCall>(
    to: SocketAddr,
    call: &C,
) -> (ReplyStatus, Vec<u8>) {
    for port in RESERVED_PORTS.rev() {
        if let Ok(socket) = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).await {
            return exchange_over(socket, to, &encode_call(5, root_user(), call)).await;
        }
    }
    panic!("no reserved port is free; is this root?");
}

/// One call over UDP, by numbers.
pub async fn datagram_program(
    to: SocketAddr,
    program: u32,
    version: u32,
    procedure: u32,
) -> ReplyStatus {
    let header = CallHeader {
        xid: 5,
        program,
        version,
        procedure,
        credential: Credential::None,
        verifier: OpaqueAuth::none(),
    };
    exchange(to, &header.to_bytes()).await.0
}

async fn exchange(to: SocketAddr, record: &[u8]) -> (ReplyStatus, Vec<u8>) {
    let any: SocketAddr = match to {
        SocketAddr::V4(_) => (Ipv4Addr::LOCALHOST, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::LOCALHOST, 0).into(),
    };
    exchange_over(UdpSocket::bind(any).await.unwrap(), to, record).await
}

async fn exchange_over(socket: UdpSocket, to: SocketAddr, record: &[u8]) -> (ReplyStatus, Vec<u8>) {
    // So that an answer from another address is not taken.
    socket.connect(to).await.unwrap();
    socket.send(record).await.unwrap();
    let mut buffer = vec![0; 1 << 16];
    let received = timeout(PATIENCE, socket.recv(&mut buffer)).await;
    let length = received.expect("an answer").unwrap();
    let (xid, status, results) = split(&buffer[..length]);
    assert_eq!(xid, 5);
    (status, results)
}
