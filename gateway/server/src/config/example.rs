//! Commented examples, one a role: what `sluice config example ROLE` prints and docs/CONFIG.md shows.

use super::Role;

/// The example of `role`: every key, with its default or a likely value.
pub fn example(role: Role) -> &'static str {
    match role {
        Role::Meta => include_str!("examples/meta.toml"),
        Role::Storage => include_str!("examples/storage.toml"),
        Role::Gateway => include_str!("examples/gateway.toml"),
    }
}
