//! sluice-meta
