//! Inodes and layouts.

use sluice_types::{Inode, Layout};

use super::message;
use crate::generated::common::v1 as common;

message!(
    Layout = common::Layout {
        chunk_size,
        stripe_width,
        replicas,
        placement_seed
    }
);

message!(
    Inode = common::Inode {
        id,
        generation,
        attributes,
        parent,
        layout,
        data_version,
        writer,
        pending_trim,
    }
);
