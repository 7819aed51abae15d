//! Who asks.

use sluice_types::{CallId, Credentials, GROUPS_MAX};

use super::CallContext;
use super::message;
use crate::WireError;
use crate::convert::{message, message_field};

/// The longest client name of a call, in bytes: a machine name and an address.
const CLIENT_BYTES_MAX: usize = 1024;

message!(
    CallContext = message::Context {
        credentials,
        session,
        call,
        lease,
    }
);

impl From<Credentials> for message::Credentials {
    fn from(credentials: Credentials) -> Self {
        Self {
            uid: credentials.uid,
            gid: credentials.gid,
            groups: credentials.groups.to_vec(),
        }
    }
}

impl TryFrom<message::Credentials> for Credentials {
    type Error = WireError;

    fn try_from(message: message::Credentials) -> Result<Self, WireError> {
        let count = message.groups.len();
        if count > GROUPS_MAX {
            return Err(WireError::invalid("groups", "at most 16 groups", count));
        }
        Ok(Self {
            uid: message.uid,
            gid: message.gid,
            groups: message.groups.into_iter().collect(),
        })
    }
}

message_field!(Credentials = message::Credentials);

impl From<CallId> for message::CallId {
    fn from(call: CallId) -> Self {
        Self {
            client: call.client,
            xid: call.xid,
            procedure: call.procedure,
            checksum: call.checksum,
        }
    }
}

impl TryFrom<message::CallId> for CallId {
    type Error = WireError;

    fn try_from(message: message::CallId) -> Result<Self, WireError> {
        let length = message.client.len();
        if length > CLIENT_BYTES_MAX {
            return Err(WireError::invalid("client", "at most 1024 bytes", length));
        }
        Ok(Self {
            client: message.client,
            xid: message.xid,
            procedure: message.procedure,
            checksum: message.checksum,
        })
    }
}

message_field!(CallId = message::CallId);
