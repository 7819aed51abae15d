//! NOTIFY, by which a rebooted host says so to another's monitor, and the callback by which the monitor
//! passes it on to the program that asked: for locks, procedure 16 of NLM.

use super::{HostName, PRIVATE_LENGTH, Procedure};
use crate::rpc::call::remote_call;
use crate::xdr::wire_struct;

wire_struct! {
    /// Arguments of NOTIFY (`stat_chge`); there are no results.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct NotifyArgs<'a> {
        /// The host that rebooted.
        pub host: HostName<'a>,
        /// Its new state.
        pub state: i32,
    }
}

remote_call!(Nsm, Procedure::Notify, NotifyArgs<'_> => ());

wire_struct! {
    /// Arguments of the callback (`status`, and `nlm_sm_status` of NLM); there are no results.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct StatusCallback<'a> {
        /// The host that rebooted.
        pub host: HostName<'a>,
        /// Its new state.
        pub state: i32,
        /// As it was given to MON.
        pub private: [u8; PRIVATE_LENGTH],
    }
}

remote_call!(Nlm, crate::nlm::Procedure::StatusNotify, StatusCallback<'_> => ());
