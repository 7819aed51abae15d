//! A call as it came: its header looked into, its arguments still bytes of the record.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use sluice_proto_nfs::XdrError;
use sluice_proto_nfs::nfs3::{Procedure, ReadArgs, ReaddirArgs, ReaddirPlusArgs};
use sluice_proto_nfs::rpc::{CallFault, CallHeader, Credential, Program};
use sluice_proto_nfs::xdr::{Decode, Decoder};
use sluice_types::{CallId, Credentials, SessionId};
use sluice_vfs::Export;

use crate::in_flight::CallKey;
use crate::limits::TRANSFER_LENGTH_MAX;

/// Bytes of a WRITE's arguments that tell it from others: all but most of its data.
const WRITE_CHECKSUM_LENGTH: usize = 256;

/// Where a call came in, which says what programs are offered there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// The NFS port over TCP: every program.
    Nfs,
    /// The NFS port over UDP: every program, but of NFS only NULL, which clients use to see whether it is there.
    NfsDatagrams,
    /// The port mapper's port: portmap only.
    Portmap,
}

impl Endpoint {
    /// Whether a program is offered here.
    pub(crate) fn offers(self, program: Program) -> bool {
        self != Self::Portmap || program == Program::Portmap
    }
}

/// A call whose header is good.
#[derive(Debug)]
pub(crate) struct Call {
    /// The whole record.
    pub(crate) record: Bytes,
    /// Where in it the arguments start.
    arguments_at: usize,
    /// The client's number for the call.
    pub(crate) xid: u32,
    /// Program number.
    pub(crate) program: u32,
    /// Version number.
    pub(crate) version: u32,
    /// Procedure number.
    pub(crate) procedure: u32,
    /// AUTH_SYS: the client's name and the caller. `None` for AUTH_NONE.
    pub(crate) identity: Option<(Bytes, Credentials)>,
    /// The client's address.
    pub(crate) client: IpAddr,
    /// The port that the client called from.
    pub(crate) client_port: u16,
    /// The address of this machine that the client called, if that is known.
    pub(crate) server: Option<IpAddr>,
    /// Where it came in.
    pub(crate) endpoint: Endpoint,
    /// In whose name it is carried out, if not whichever session there is.
    pub(crate) session: Option<SessionId>,
}

impl Call {
    /// Looks into a record's header.
    ///
    /// # Errors
    ///
    /// [`CallFault`]: what to answer, or that nothing can be answered.
    pub(crate) fn parse(
        record: Bytes,
        peer: SocketAddr,
        server: Option<IpAddr>,
        endpoint: Endpoint,
    ) -> Result<Self, CallFault> {
        let mut decoder = Decoder::new(&record);
        let header = CallHeader::parse(&mut decoder)?;
        let identity = match header.credential {
            Credential::Sys(sys) => {
                let credentials = Credentials {
                    uid: sys.uid,
                    gid: sys.gid,
                    groups: sys.groups.iter().copied().collect(),
                };
                Some((record.slice_ref(&sys.machine_name), credentials))
            }
            Credential::None | Credential::Unsupported(_) => None,
        };
        Ok(Self {
            arguments_at: decoder.position(),
            xid: header.xid,
            program: header.program,
            version: header.version,
            procedure: header.procedure,
            identity,
            // A client of a dual-stack socket is the same client as over IPv4.
            client: peer.ip().to_canonical(),
            client_port: peer.port(),
            server: server.map(|server| server.to_canonical()),
            endpoint,
            session: None,
            record,
        })
    }

    /// The same, to be carried out in the name of `session`.
    pub(crate) fn in_session(self, session: Option<SessionId>) -> Self {
        Self { session, ..self }
    }

    /// Whether the export is offered to who calls.
    pub(crate) fn may_use(&self, export: &Export) -> bool {
        export.allows(self.client) && export.allows_port(self.client_port)
    }

    /// The procedure's arguments; positions in them are positions in the record.
    ///
    /// # Errors
    ///
    /// [`XdrError`] when they are no such arguments, or something follows them.
    pub(crate) fn arguments<'a, A: Decode<'a>>(&'a self) -> Result<A, XdrError> {
        let mut decoder = self.arguments_decoder()?;
        let arguments = A::decode(&mut decoder)?;
        decoder.finish()?;
        Ok(arguments)
    }

    /// A decoder that stands at the arguments.
    pub(crate) fn arguments_decoder(&self) -> Result<Decoder<'_>, XdrError> {
        let mut decoder = Decoder::new(&self.record);
        decoder.take(self.arguments_at)?;
        Ok(decoder)
    }

    /// Names the call for good, so that it is recognised when it comes again.
    pub(crate) fn id(&self) -> CallId {
        let name = self.identity.as_ref().map_or(&[][..], |(name, _)| name);
        let mut client = Vec::with_capacity(name.len() + 48);
        client.extend_from_slice(name);
        client.push(b'@');
        client.extend_from_slice(self.client.to_string().as_bytes());
        CallId {
            client: client.into(),
            xid: self.xid,
            procedure: self.procedure,
            checksum: crc32c::crc32c(&self.record[self.arguments_at..]),
        }
    }

    /// Tells the call from all others in work, if it must not be in work twice at a time.
    pub(crate) fn key(&self) -> Option<CallKey> {
        if self.program != Program::Nfs.number() || self.endpoint != Endpoint::Nfs {
            return None;
        }
        let arguments = &self.record[self.arguments_at..];
        let checked = match Procedure::from_number(self.procedure)? {
            Procedure::SetAttr
            | Procedure::Create
            | Procedure::Mkdir
            | Procedure::Symlink
            | Procedure::Mknod
            | Procedure::Remove
            | Procedure::Rmdir
            | Procedure::Rename
            | Procedure::Link => arguments,
            Procedure::Write => &arguments[..arguments.len().min(WRITE_CHECKSUM_LENGTH)],
            _ => return None,
        };
        let identity = self.identity.as_ref();
        Some(CallKey {
            client: self.client,
            machine: identity.map(|(machine, _)| machine.clone()),
            uid: identity.map(|(_, credentials)| credentials.uid),
            xid: self.xid,
            procedure: self.procedure,
            checksum: crc32c::crc32c(checked),
        })
    }

    /// Bytes that the reply may bring along beyond what every call is allowed; at most what one transfer is.
    pub(crate) fn reply_length_max(&self) -> usize {
        if self.program != Program::Nfs.number() {
            return 0;
        }
        let count = match Procedure::from_number(self.procedure) {
            Some(Procedure::Read) => self.arguments::<ReadArgs>().map(|read| read.count),
            Some(Procedure::Readdir) => self.arguments::<ReaddirArgs>().map(|page| page.count),
            Some(Procedure::ReaddirPlus) => self
                .arguments::<ReaddirPlusArgs>()
                .map(|page| page.count_max),
            _ => return 0,
        };
        count.unwrap_or(0).min(TRANSFER_LENGTH_MAX) as usize
    }
}
