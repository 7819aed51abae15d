//! What `build.rs` made of the protobuf files. Private: nothing outside this crate sees a message.
//!
//! The nesting repeats the packages' names, because generated code refers across packages by path.

#![allow(
    clippy::all,
    missing_docs,
    unused_results,
    reason = "generated code is not held to the house style"
)]

pub(crate) mod common {
    pub(crate) mod v1 {
        tonic::include_proto!("sluice.common.v1");
    }
}

pub(crate) mod meta {
    pub(crate) mod v1 {
        tonic::include_proto!("sluice.meta.v1");
    }
}

pub(crate) mod storage {
    pub(crate) mod v1 {
        tonic::include_proto!("sluice.storage.v1");
    }
}
