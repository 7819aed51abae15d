//! Record marking and headers.

use proptest::prelude::*;

use super::*;
use crate::XdrError;
use crate::mount::{DumpArgs, MountArgs};
use crate::xdr::{BoundedBytes, Decode, Decoder, Encode, Encoder, U32Array};

const LIMITS: RecordLimits = RecordLimits {
    record_length_max: 1000,
    fragments_max: 4,
};

fn fragment(body: &[u8], last: bool) -> Vec<u8> {
    let marker = u32::try_from(body.len()).unwrap() | u32::from(last) << 31;
    [&marker.to_be_bytes(), body].concat()
}

#[test]
fn a_claim_of_two_gigabytes_is_refused_at_its_marker() {
    for marker in [[0xff; 4], [0x7f, 0xff, 0xff, 0xff], [0x80, 0, 0x03, 0xe9]] {
        let mut parser = RecordParser::new(LIMITS);
        assert_eq!(parser.accept_marker(&marker[..3]), Ok(3));
        assert!(matches!(
            parser.accept_marker(&marker[3..]),
            Err(XdrError::RecordTooLarge { limit: 1000, .. })
        ));
    }
}

#[test]
fn fragments_count_together() {
    let mut assembler = RecordAssembler::new(LIMITS);
    let stream = [fragment(&[1; 600], false), fragment(&[2; 401], true)].concat();
    assert_eq!(
        assembler.push(&mut &stream[..]),
        Err(XdrError::RecordTooLarge {
            claimed: 1001,
            limit: 1000
        })
    );
    let mut assembler = RecordAssembler::new(LIMITS);
    let stream = fragment(&[], false).repeat(5);
    assert_eq!(
        assembler.push(&mut &stream[..]),
        Err(XdrError::TooManyFragments { limit: 4 })
    );
}

#[test]
fn an_empty_record_is_complete_at_its_marker() {
    let mut parser = RecordParser::new(LIMITS);
    assert_eq!(parser.want(), Want::Marker(4));
    assert!(parser.is_between_records());
    assert_eq!(parser.accept_marker(&[0x80, 0, 0, 0, 9]), Ok(4));
    assert_eq!(parser.want(), Want::Complete(0));
    assert_eq!(parser.accept_marker(&[9]), Ok(0));
    parser.start_next();
    assert!(parser.is_between_records());
}

#[test]
fn marker_of_a_reply() {
    assert_eq!(record_marker(0x0102), Ok([0x80, 0, 1, 2]));
    assert!(record_marker(1 << 31).is_err());
}

proptest! {
    #[test]
    fn records_survive_any_cutting(
        records in prop::collection::vec(
            prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 1..=4), 1..5),
        piece in 1..70_usize,
    ) {
        let mut stream = Vec::new();
        for record in &records {
            for (index, body) in record.iter().enumerate() {
                stream.extend(fragment(body, index + 1 == record.len()));
            }
        }
        let mut assembler = RecordAssembler::new(LIMITS);
        let mut found = Vec::new();
        for mut input in stream.chunks(piece) {
            while let Some(record) = assembler.push(&mut input).unwrap() {
                found.push(record);
            }
        }
        let expected: Vec<_> = records.iter().map(|record| record.concat()).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn headers_survive(xid: u32, program: u32, version: u32, procedure: u32,
        stamp: u32, uid: u32, gid: u32,
        name in prop::collection::vec(any::<u8>(), 0..=255),
        groups in prop::collection::vec(any::<u32>(), 0..=16),
    ) {
        let credential = Credential::Sys(AuthSys {
            stamp,
            machine_name: BoundedBytes::new(&name).unwrap(),
            uid,
            gid,
            groups: U32Array::new(&groups).unwrap(),
        });
        let header = CallHeader { xid, program, version, procedure, credential, verifier: OpaqueAuth::none() };
        let bytes = header.to_bytes();
        let mut decoder = Decoder::new(&bytes);
        prop_assert_eq!(CallHeader::parse(&mut decoder), Ok(header));
        prop_assert_eq!(decoder.remaining(), 0);
    }
}

fn call(change: impl FnOnce(&mut Vec<u32>)) -> Result<u32, CallFault> {
    // xid, CALL, RPC version, program, version, procedure, credential, verifier
    let mut words = vec![5, 0, 2, 100_003, 3, 1, 0, 0, 0, 0];
    change(&mut words);
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
    CallHeader::parse(&mut Decoder::new(&bytes)).map(|header| header.procedure)
}

#[test]
fn bad_headers_get_the_answer_that_the_rfc_wants() {
    let rejected = |status| Err(CallFault::Rejected(ReplyHeader { xid: 5, status }));
    assert_eq!(call(|_| ()), Ok(1));
    assert!(matches!(
        call(|words| words[1] = 1),
        Err(CallFault::NotACall(_))
    ));
    assert!(matches!(
        call(|words| words.truncate(1)),
        Err(CallFault::NotACall(_))
    ));
    assert_eq!(
        call(|words| words[2] = 3),
        rejected(ReplyStatus::RpcMismatch { low: 2, high: 2 })
    );
    assert_eq!(
        call(|words| words.truncate(4)),
        rejected(ReplyStatus::GarbageArguments)
    );
    let auth = |status| rejected(ReplyStatus::AuthError(status));
    // RPCSEC_GSS is not spoken here.
    assert_eq!(
        call(|words| words[6] = 6),
        auth(AuthStatus::RejectedCredential)
    );
    // An AUTH_SYS body cannot be empty, nor a credential's body 401 bytes long.
    assert_eq!(call(|words| words[6] = 1), auth(AuthStatus::BadCredential));
    assert_eq!(
        call(|words| words[7] = 401),
        auth(AuthStatus::BadCredential)
    );
    assert_eq!(call(|words| words[9] = 401), auth(AuthStatus::BadVerifier));
}

#[test]
fn seventeen_groups_are_one_too_many() {
    let mut body = vec![0_u32, 0, 1, 1, 17];
    body.extend([0; 17]);
    let body: Vec<u8> = body.iter().flat_map(|word| word.to_be_bytes()).collect();
    let opaque = OpaqueAuth {
        flavor: AuthFlavor::SYS,
        body: BoundedBytes::new(&body).unwrap(),
    };
    assert!(matches!(
        Credential::from_opaque(opaque),
        Err(XdrError::TooLong { limit: 16, .. })
    ));
}

#[test]
fn replies_of_every_kind_survive() {
    let mut statuses = vec![
        ReplyStatus::Success,
        ReplyStatus::ProgramUnavailable,
        ReplyStatus::ProgramMismatch { low: 3, high: 3 },
        ReplyStatus::ProcedureUnavailable,
        ReplyStatus::GarbageArguments,
        ReplyStatus::SystemError,
        ReplyStatus::RpcMismatch { low: 2, high: 2 },
    ];
    statuses.extend(AuthStatus::ALL.iter().copied().map(ReplyStatus::AuthError));
    for status in statuses {
        let header = ReplyHeader { xid: 77, status };
        assert_eq!(ReplyHeader::from_bytes(&header.to_bytes()), Ok(header));
    }
}

#[test]
fn a_client_encodes_header_and_arguments() {
    let arguments = MountArgs {
        path: BoundedBytes::new(b"/").unwrap(),
    };
    let bytes = encode_call(9, Credential::None, &arguments);
    let mut decoder = Decoder::new(&bytes);
    let header = CallHeader::parse(&mut decoder).unwrap();
    assert_eq!(
        (header.program, header.version, header.procedure),
        (100_005, 3, 1)
    );
    assert_eq!(MountArgs::decode(&mut decoder), Ok(arguments));
    assert_eq!(decoder.finish(), Ok(()));
    let mut empty = Encoder::new();
    DumpArgs {}.encode(&mut empty);
    assert!(empty.is_empty());
}

#[test]
fn programs_have_their_numbers() {
    let numbers: Vec<_> = Program::ALL
        .iter()
        .map(|program| program.number())
        .collect();
    assert_eq!(numbers, [100_000, 100_003, 100_005, 100_021, 100_024]);
    assert_eq!(Program::from_number(100_227), None);
}
