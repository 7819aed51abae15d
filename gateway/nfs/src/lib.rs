//! sluice-gateway-nfs
