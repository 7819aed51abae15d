//! A reply on its way: the bytes encoded here, and a payload that is not copied behind them.

use bytes::Bytes;
use sluice_proto_nfs::rpc::{MARKER_LENGTH, ReplyHeader, ReplyStatus, record_marker};
use sluice_proto_nfs::xdr::{Encode, Encoder, padding};
use sluice_types::Payload;

/// A whole reply.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    /// Room for the record's marker, the RPC header, and all results but the payload.
    head: Vec<u8>,
    payload: Payload,
}

impl Reply {
    /// An encoder that stands where results go.
    pub(crate) fn begin(xid: u32) -> Encoder {
        Self::begin_with(ReplyHeader::success(xid), 256)
    }

    fn begin_with(header: ReplyHeader, capacity: usize) -> Encoder {
        let mut encoder = Encoder::with_capacity(capacity);
        encoder.raw(&[0; MARKER_LENGTH]);
        header.encode(&mut encoder);
        encoder
    }

    /// A reply without results.
    pub(crate) fn without_results(header: ReplyHeader) -> Self {
        Self::from(Self::begin_with(header, 32))
    }

    /// The reply that says how a call ended outside its procedure.
    pub(crate) fn ended(xid: u32, status: ReplyStatus) -> Self {
        Self::without_results(ReplyHeader { xid, status })
    }

    /// A reply with results.
    pub(crate) fn with_results(xid: u32, results: &impl Encode) -> Self {
        let mut encoder = Self::begin(xid);
        results.encode(&mut encoder);
        Self::from(encoder)
    }

    /// Results that end with `payload`, whose length is encoded already.
    pub(crate) fn with_payload(encoder: Encoder, payload: Payload) -> Self {
        Self {
            head: encoder.into_bytes(),
            payload,
        }
    }

    /// Bytes of the record, without its marker.
    fn record_length(&self) -> usize {
        let payload = self.payload.len();
        self.head.len() - MARKER_LENGTH + payload + padding(payload).len()
    }

    /// The pieces to send over a stream. `None` if it is over 2 GiB, which only a bug can make.
    pub(crate) fn into_segments(mut self) -> Option<impl Iterator<Item = Bytes>> {
        let marker = record_marker(self.record_length()).ok()?;
        self.head[..MARKER_LENGTH].copy_from_slice(&marker);
        let pad = padding(self.payload.len());
        let pad = (!pad.is_empty()).then(|| Bytes::from_static(pad));
        let head = std::iter::once(Bytes::from(self.head));
        Some(head.chain(self.payload.into_segments()).chain(pad))
    }

    /// The bytes to send as a datagram.
    pub(crate) fn into_datagram(self) -> Vec<u8> {
        let mut bytes = self.head;
        bytes.drain(..MARKER_LENGTH);
        for segment in self.payload.segments() {
            bytes.extend_from_slice(segment);
        }
        bytes.extend_from_slice(padding(self.payload.len()));
        bytes
    }
}

impl From<Encoder> for Reply {
    fn from(encoder: Encoder) -> Self {
        Self::with_payload(encoder, Payload::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marker_counts_head_payload_and_padding() {
        let mut payload = Payload::from(b"hel".to_vec());
        payload.push(Bytes::from_static(b"lo"));
        let mut encoder = Reply::begin(7);
        encoder.u32(5);
        let reply = Reply::with_payload(encoder, payload);
        let pieces: Vec<_> = reply.into_segments().unwrap().collect();
        assert_eq!(pieces.len(), 4, "head, two segments, padding");
        let whole = pieces.concat();
        assert_eq!(whole.len() % 4, 0);
        let marker = u32::from_be_bytes(whole[..4].try_into().unwrap());
        assert_eq!(marker as usize & 0x7fff_ffff, whole.len() - 4);
        assert!(whole.ends_with(b"\0\0\0\x05hello\0\0\0"));
    }

    #[test]
    fn a_datagram_has_no_marker() {
        let reply = Reply::ended(9, ReplyStatus::ProgramUnavailable);
        assert_eq!(reply.into_datagram()[..8], [0, 0, 0, 9, 0, 0, 0, 1]);
    }
}
