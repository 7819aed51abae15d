//! sluice-vfs
