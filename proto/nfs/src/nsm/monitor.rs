//! STAT, MON, UNMON, UNMON_ALL and SIMU_CRASH: what local programs ask of their monitor.

use super::{HostName, PRIVATE_LENGTH, Procedure};
use crate::rpc::call::remote_call;
use crate::xdr::{wire_enum, wire_struct};

wire_enum! {
    /// Whether a host is, or can be, watched (`sm_res`).
    pub enum MonitorResult {
        /// Yes.
        Success = 0 => "stat_succ",
        /// No.
        Fail = 1 => "stat_fail",
    }
}

wire_struct! {
    /// A host's state: odd while it is up, even while it is down, larger after each change (`sm_stat`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct State {
        /// The number.
        pub number: i32,
    }
}

wire_struct! {
    /// Arguments of STAT.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct StatArgs<'a> {
        /// The host.
        pub host: HostName<'a>,
    }
}

wire_struct! {
    /// Result of STAT and MON (`sm_stat_res`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct StatusResult {
        /// Whether the host is or can be watched.
        pub result: MonitorResult,
        /// The monitor's own state.
        pub state: State,
    }
}

remote_call!(Nsm, Procedure::Stat, StatArgs<'_> => StatusResult);

wire_struct! {
    /// Whom to call when a host changes its state (`my_id`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct CallbackAddress<'a> {
        /// Host to call.
        pub host: HostName<'a>,
        /// Program to call.
        pub program: u32,
        /// Its version.
        pub version: u32,
        /// Its procedure.
        pub procedure: u32,
    }
}

wire_struct! {
    /// Who watches whom (`mon_id`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct MonitorId<'a> {
        /// The host that is watched.
        pub host: HostName<'a>,
        /// Whom to call.
        pub callback: CallbackAddress<'a>,
    }
}

wire_struct! {
    /// Arguments of MON.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct MonitorArgs<'a> {
        /// Who watches whom.
        pub id: MonitorId<'a>,
        /// Comes back with the callback.
        pub private: [u8; PRIVATE_LENGTH],
    }
}

remote_call!(Nsm, Procedure::Monitor, MonitorArgs<'_> => StatusResult);

wire_struct! {
    /// Arguments of UNMON; the result is the monitor's own state.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct UnmonitorArgs<'a> {
        /// Who watched whom.
        pub id: MonitorId<'a>,
    }
}

remote_call!(Nsm, Procedure::Unmonitor, UnmonitorArgs<'_> => State);

wire_struct! {
    /// Arguments of UNMON_ALL; the result is the monitor's own state.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct UnmonitorAllArgs<'a> {
        /// Who watched.
        pub callback: CallbackAddress<'a>,
    }
}

remote_call!(Nsm, Procedure::UnmonitorAll, UnmonitorAllArgs<'_> => State);

wire_struct! {
    /// Arguments of SIMU_CRASH: none; there are no results.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct SimulateCrashArgs {}
}

remote_call!(Nsm, Procedure::SimulateCrash, SimulateCrashArgs => ());
