//! The refusals of a policy.

/// Why a URL may not be fetched. Contains no address: callers must not learn what a name resolves
/// to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    #[error("port {0} may not be fetched: it is not in THUMBFORGE_ALLOWED_SOURCE_PORTS")]
    Port(u16),
    #[error(
        "the host is not a public host name; local names need a network in THUMBFORGE_ALLOWED_SOURCE_NETWORKS"
    )]
    Name,
    #[error(
        "the host leads to an address that may not be fetched: it is neither public nor in THUMBFORGE_ALLOWED_SOURCE_NETWORKS"
    )]
    Address,
}
