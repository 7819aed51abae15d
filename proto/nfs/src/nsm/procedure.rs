//! The procedures' numbers and names.

use crate::xdr::wire_enum;

wire_enum! {
    /// A procedure of NSM.
    pub enum Procedure {
        /// Does nothing.
        Null = 0 => "null",
        /// Whether a host could be watched.
        Stat = 1 => "stat",
        /// Watch a host.
        Monitor = 2 => "mon",
        /// Stop watching a host.
        Unmonitor = 3 => "unmon",
        /// Stop watching all hosts for a program.
        UnmonitorAll = 4 => "unmon_all",
        /// Behave as after a reboot.
        SimulateCrash = 5 => "simu_crash",
        /// A host has rebooted.
        Notify = 6 => "notify",
    }
}
