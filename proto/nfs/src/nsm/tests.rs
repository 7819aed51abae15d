//! Bytes written down from the specification, and values that survive.

use super::*;
use crate::xdr::{Decode, Encode};

fn host(name: &[u8]) -> HostName<'_> {
    HostName::new(name).unwrap()
}

#[test]
fn the_callback_has_the_bytes_of_the_specification() {
    let callback = StatusCallback {
        host: host(b"peer"),
        state: 3,
        private: *b"0123456789abcdef",
    };
    let expected = [
        &[0, 0, 0, 4][..],
        b"peer",
        &[0, 0, 0, 3],
        b"0123456789abcdef",
    ]
    .concat();
    assert_eq!(callback.to_bytes(), expected);
    assert_eq!(StatusCallback::from_bytes(&expected), Ok(callback));
    assert!(StatusCallback::from_bytes(&expected[..expected.len() - 1]).is_err());
}

#[test]
fn a_notification_is_a_name_and_a_state() {
    let notify = NotifyArgs {
        host: host(b"abc"),
        state: -2,
    };
    let expected = [&[0, 0, 0, 3][..], b"abc\0", &[0xff, 0xff, 0xff, 0xfe]].concat();
    assert_eq!(notify.to_bytes(), expected);
    assert_eq!(NotifyArgs::from_bytes(&expected), Ok(notify));
}

#[test]
fn requests_to_the_monitor_survive() {
    let callback = CallbackAddress {
        host: host(b"me"),
        program: 100_021,
        version: 4,
        procedure: 16,
    };
    let id = MonitorId {
        host: host(b"peer"),
        callback,
    };
    let monitor = MonitorArgs {
        id,
        private: [7; PRIVATE_LENGTH],
    };
    assert_eq!(MonitorArgs::from_bytes(&monitor.to_bytes()), Ok(monitor));
    let unmonitor = UnmonitorArgs { id };
    assert_eq!(
        UnmonitorArgs::from_bytes(&unmonitor.to_bytes()),
        Ok(unmonitor)
    );
    let all = UnmonitorAllArgs { callback };
    assert_eq!(UnmonitorAllArgs::from_bytes(&all.to_bytes()), Ok(all));
    let status = StatusResult {
        result: MonitorResult::Fail,
        state: State { number: 5 },
    };
    assert_eq!(status.to_bytes(), [0, 0, 0, 1, 0, 0, 0, 5]);
    assert_eq!(StatusResult::from_bytes(&status.to_bytes()), Ok(status));
}
