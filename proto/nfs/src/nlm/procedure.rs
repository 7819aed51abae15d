//! The procedures' numbers and names.

use crate::xdr::wire_enum;

wire_enum! {
    /// A procedure of NLM v4.
    pub enum Procedure {
        /// Does nothing.
        Null = 0 => "null",
        /// Whether a lock would be granted.
        Test = 1 => "test",
        /// Takes a lock.
        Lock = 2 => "lock",
        /// Gives up waiting for a lock.
        Cancel = 3 => "cancel",
        /// Releases a lock.
        Unlock = 4 => "unlock",
        /// Server to client: a lock that was waited for is yours.
        Granted = 5 => "granted",
        /// TEST as a message.
        TestMsg = 6 => "test_msg",
        /// LOCK as a message.
        LockMsg = 7 => "lock_msg",
        /// CANCEL as a message.
        CancelMsg = 8 => "cancel_msg",
        /// UNLOCK as a message.
        UnlockMsg = 9 => "unlock_msg",
        /// GRANTED as a message.
        GrantedMsg = 10 => "granted_msg",
        /// Answer to TEST_MSG.
        TestRes = 11 => "test_res",
        /// Answer to LOCK_MSG.
        LockRes = 12 => "lock_res",
        /// Answer to CANCEL_MSG.
        CancelRes = 13 => "cancel_res",
        /// Answer to UNLOCK_MSG.
        UnlockRes = 14 => "unlock_res",
        /// Answer to GRANTED_MSG.
        GrantedRes = 15 => "granted_res",
        /// The status monitor's callback.
        StatusNotify = 16 => "sm_notify",
        /// Takes a share.
        Share = 20 => "share",
        /// Releases a share.
        Unshare = 21 => "unshare",
        /// Takes a lock without being monitored.
        NonMonitoredLock = 22 => "nm_lock",
        /// Releases everything of a client.
        FreeAll = 23 => "free_all",
    }
}
