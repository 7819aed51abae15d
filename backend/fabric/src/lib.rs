//! sluice-fabric
