//! Calling the lock manager of a client's machine.
//!
//! Its port is asked for each time: it changes when the machine restarts. TCP is tried first, as clients of today mount over
//! it, then UDP. What matters to the caller besides the reply is whether a call may have arrived.
//!
//! The longest that it takes: the search over UDP and TCP, twice 2.4 s and 2 s and more, the call over TCP 4 s, over UDP 2.4 s;
//! 15.2 s in all. A machine that is gone is known as such after 4.4 s.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use sluice_proto_nfs::nlm::Procedure;
use sluice_proto_nfs::portmap::{GetPortArgs, Mapping, Transport};
use sluice_proto_nfs::rpc::{
    CallHeader, Credential, OpaqueAuth, Program, RecordAssembler, RecordLimits, ReplyHeader,
    ReplyStatus, encode_call, record_marker,
};
use sluice_proto_nfs::xdr::{Decode, Decoder, Encode, Encoder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, UdpSocket};
use tokio::time::timeout;

/// How long each datagram is waited for; the last one for longer.
const DATAGRAM_WAITS: [Duration; 3] = [
    Duration::from_millis(400),
    Duration::from_millis(800),
    Duration::from_millis(1200),
];
/// How long a connection may take to be made, and its reply to come.
const STREAM_WAIT: Duration = Duration::from_secs(2);

/// The longest answer: a lock's result has a cookie of at most 1 KiB.
const ANSWER_LENGTH_MAX: usize = 4096;
const ANSWER_LIMITS: RecordLimits = RecordLimits {
    record_length_max: ANSWER_LENGTH_MAX,
    fragments_max: 4,
};

/// One call at a time over each socket: any number does.
const XID: u32 = 0x736c_0001;

/// A client's machine.
#[derive(Debug, Clone, Copy)]
pub(super) struct Machine {
    pub(super) client: IpAddr,
    /// The address to call from; any if it is not known.
    pub(super) server: Option<IpAddr>,
    pub(super) portmap_port: u16,
}

/// A reply.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) results: Vec<u8>,
    /// Another call like it was sent before, and not answered.
    pub(super) was_sent_before: bool,
}

/// No reply came.
#[derive(Debug)]
pub(super) struct CallFault {
    /// The client may have got the call.
    pub(super) may_have_arrived: bool,
}

impl CallFault {
    pub(super) const fn before_sending() -> Self {
        Self {
            may_have_arrived: false,
        }
    }

    pub(super) const fn after_sending() -> Self {
        Self {
            may_have_arrived: true,
        }
    }
}

impl Machine {
    /// Calls a procedure of its lock manager.
    pub(super) async fn call_nlm(
        self,
        procedure: Procedure,
        arguments: &[u8],
    ) -> Result<Answered, CallFault> {
        let record = nlm_call(procedure, arguments);
        if let Some(address) = self.find_nlm(Transport::TCP).await? {
            match self.over_stream(address, &record).await {
                Err(CallFault {
                    may_have_arrived: false,
                }) => {}
                answered => return answered,
            }
        }
        match self.find_nlm(Transport::UDP).await? {
            Some(address) => self.over_datagrams(address, &record).await,
            None => Err(CallFault::before_sending()),
        }
    }

    /// Where its lock manager is; `None` if it has none over that transport.
    async fn find_nlm(self, transport: Transport) -> Result<Option<SocketAddr>, CallFault> {
        let wanted = GetPortArgs {
            mapping: Mapping {
                program: Program::Nlm.number(),
                version: Program::Nlm.version(),
                transport,
                port: 0,
            },
        };
        let record = encode_call(XID, Credential::None, &wanted);
        let portmap = SocketAddr::new(self.client, self.portmap_port);
        let answered = match self.over_datagrams(portmap, &record).await {
            Ok(answered) => answered,
            Err(_) => {
                let answered = self.over_stream(portmap, &record).await;
                answered.map_err(|_| CallFault::before_sending())?
            }
        };
        let port = u32::from_bytes(&answered.results);
        let port = port.map_err(|_| CallFault::before_sending())?;
        let port = u16::try_from(port).ok().filter(|port| *port != 0);
        Ok(port.map(|port| SocketAddr::new(self.client, port)))
    }

    async fn over_datagrams(self, to: SocketAddr, record: &[u8]) -> Result<Answered, CallFault> {
        let socket = self.datagram_socket(to).await;
        let socket = socket.map_err(|_| CallFault::before_sending())?;
        let mut buffer = vec![0; ANSWER_LENGTH_MAX];
        for (tries, wait) in DATAGRAM_WAITS.into_iter().enumerate() {
            if let Err(fault) = socket.send(record).await {
                return Err(fault_of(&fault, tries > 0));
            }
            match timeout(wait, socket.recv(&mut buffer)).await {
                Ok(Ok(length)) => return answered(&buffer[..length], tries > 0),
                Ok(Err(fault)) => return Err(fault_of(&fault, tries > 0)),
                Err(_) => {}
            }
        }
        Err(CallFault::after_sending())
    }

    async fn datagram_socket(self, to: SocketAddr) -> io::Result<UdpSocket> {
        let socket = UdpSocket::bind((self.source(), 0)).await?;
        socket.connect(to).await?;
        Ok(socket)
    }

    async fn over_stream(self, to: SocketAddr, record: &[u8]) -> Result<Answered, CallFault> {
        let socket = match to {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        };
        let connect = async {
            let socket = socket?;
            socket.bind((self.source(), 0).into())?;
            socket.connect(to).await
        };
        let stream = timeout(STREAM_WAIT, connect).await;
        let Ok(Ok(mut stream)) = stream else {
            return Err(CallFault::before_sending());
        };
        let marker = record_marker(record.len()).map_err(|_| CallFault::before_sending())?;
        let exchange = async {
            stream.write_all(&[&marker[..], record].concat()).await?;
            let mut assembler = RecordAssembler::new(ANSWER_LIMITS);
            let mut buffer = [0; 1024];
            loop {
                let length = stream.read(&mut buffer).await?;
                if length == 0 {
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
                }
                let mut input = &buffer[..length];
                let answer = assembler.push(&mut input).map_err(io::Error::other)?;
                if let Some(answer) = answer {
                    return Ok(answer);
                }
            }
        };
        match timeout(STREAM_WAIT, exchange).await {
            Ok(Ok(answer)) => answered(&answer, false),
            Ok(Err(_)) | Err(_) => Err(CallFault::after_sending()),
        }
    }

    /// The address to call from.
    fn source(self) -> IpAddr {
        let any = match self.client {
            IpAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::from(Ipv6Addr::UNSPECIFIED),
        };
        self.server.unwrap_or(any)
    }
}

/// Nobody is there: the network says that no datagram was taken.
fn fault_of(error: &io::Error, was_sent_before: bool) -> CallFault {
    let is_refused = error.kind() == io::ErrorKind::ConnectionRefused;
    CallFault {
        may_have_arrived: was_sent_before && !is_refused,
    }
}

fn nlm_call(procedure: Procedure, arguments: &[u8]) -> Vec<u8> {
    let header = CallHeader {
        xid: XID,
        program: Program::Nlm.number(),
        version: Program::Nlm.version(),
        procedure: procedure.number(),
        credential: Credential::None,
        verifier: OpaqueAuth::none(),
    };
    let mut encoder = Encoder::with_capacity(256);
    header.encode(&mut encoder);
    encoder.raw(arguments);
    encoder.into_bytes()
}

/// The results in a reply; one that says the call was not carried out is none.
fn answered(reply: &[u8], was_sent_before: bool) -> Result<Answered, CallFault> {
    let mut decoder = Decoder::new(reply);
    let header = ReplyHeader::decode(&mut decoder).map_err(|_| CallFault::after_sending())?;
    if header.xid != XID {
        return Err(CallFault::after_sending());
    }
    if header.status != ReplyStatus::Success {
        return Err(CallFault {
            may_have_arrived: was_sent_before,
        });
    }
    let results = reply[decoder.position()..].to_vec();
    Ok(Answered {
        results,
        was_sent_before,
    })
}
