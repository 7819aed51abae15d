//! No independent implementation to compare with: bytes written down from the specification, and values
//! that survive.

use proptest::prelude::*;

use super::*;
use crate::xdr::{BoundedBytes, Decode, Decoder, Encode};

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn bounded<const LIMIT: usize>(bytes: &[u8]) -> BoundedBytes<'_, LIMIT> {
    BoundedBytes::new(bytes).unwrap()
}

const LOCK_WORDS: [u32; 11] = [
    1,
    0x6300_0000, // caller_name "c"
    1,
    0x6600_0000, // fh "f"
    1,
    0x6f00_0000, // oh "o"
    7,           // svid
    0,
    16, // l_offset
    0,
    32, // l_len
];

fn lock() -> Lock<'static> {
    Lock {
        caller: bounded(b"c"),
        file: bounded(b"f"),
        owner: bounded(b"o"),
        process: 7,
        offset: 16,
        length: 32,
    }
}

#[test]
fn lock_arguments_have_the_bytes_of_the_specification() {
    let arguments = LockArgs {
        cookie: bounded(b"k"),
        block: true,
        exclusive: false,
        lock: lock(),
        reclaim: true,
        state: -1,
    };
    let expected = words(&[&[1, 0x6b00_0000, 1, 0][..], &LOCK_WORDS, &[1, 0xffff_ffff]].concat());
    assert_eq!(arguments.to_bytes(), expected);
    assert_eq!(LockArgs::from_bytes(&expected), Ok(arguments));
}

#[test]
fn a_test_answer_names_the_holder_only_when_denied() {
    let granted = TestResult {
        cookie: bounded(b""),
        reply: TestReply::Other(LockStatus::Granted),
    };
    assert_eq!(granted.to_bytes(), words(&[0, 0]));
    let denied = TestResult {
        cookie: bounded(b""),
        reply: TestReply::Denied(Holder {
            exclusive: true,
            process: 3,
            owner: bounded(b"o"),
            offset: 1,
            length: 2,
        }),
    };
    let expected = words(&[0, 1, 1, 3, 1, 0x6f00_0000, 0, 1, 0, 2]);
    assert_eq!(denied.to_bytes(), expected);
    assert_eq!(TestResult::from_bytes(&expected), Ok(denied));
}

#[test]
fn messages_go_with_their_procedures() {
    let result = LockResult {
        cookie: bounded(b"k"),
        status: LockStatus::DeniedNoLocks,
    };
    for message in [
        Message::Test(TestArgs {
            cookie: bounded(b"k"),
            exclusive: true,
            lock: lock(),
        }),
        Message::Cancel(CancelArgs {
            cookie: bounded(b"k"),
            block: true,
            exclusive: true,
            lock: lock(),
        }),
        Message::Unlock(UnlockArgs {
            cookie: bounded(b"k"),
            lock: lock(),
        }),
        Message::Granted(GrantedArgs {
            cookie: bounded(b"k"),
            exclusive: true,
            lock: lock(),
        }),
        Message::LockResult(result),
        Message::CancelResult(result),
        Message::UnlockResult(result),
        Message::GrantedResult(result),
    ] {
        let bytes = message.to_bytes();
        let mut decoder = Decoder::new(&bytes);
        let decoded = Message::decode(message.procedure(), &mut decoder);
        assert_eq!(decoded, Ok(Some(message)));
        assert_eq!(decoder.remaining(), 0);
    }
    for procedure in Procedure::ALL {
        let is_message = (6..=15).contains(&procedure.number());
        let decoded = Message::decode(*procedure, &mut Decoder::new(&[]));
        assert_eq!(decoded != Ok(None), is_message, "{}", procedure.name());
    }
}

#[test]
fn an_opaque_of_1025_bytes_is_refused() {
    let mut bytes = 1025_u32.to_be_bytes().to_vec();
    bytes.resize(4096, 0);
    assert!(matches!(
        LockResult::from_bytes(&bytes),
        Err(crate::XdrError::TooLong { limit: 1024, .. })
    ));
}

proptest! {
    #[test]
    fn shares_survive(
        cookie in prop::collection::vec(any::<u8>(), 0..40),
        caller in prop::collection::vec(any::<u8>(), 0..40),
        mode in prop::sample::select(ShareMode::ALL),
        access in prop::sample::select(ShareAccess::ALL),
        reclaim: bool, sequence: i32,
        status in prop::sample::select(LockStatus::ALL),
    ) {
        let arguments = ShareArgs {
            cookie: bounded(&cookie),
            share: Share { caller: bounded(&caller), file: bounded(b"f"), owner: bounded(b""), mode, access },
            reclaim,
        };
        let bytes = arguments.to_bytes();
        prop_assert_eq!(ShareArgs::from_bytes(&bytes), Ok(arguments));
        let result = ShareResult { cookie: bounded(&cookie), status, sequence };
        let bytes = result.to_bytes();
        prop_assert_eq!(ShareResult::from_bytes(&bytes), Ok(result));
    }
}
