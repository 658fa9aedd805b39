//! The guarded download: address policy, resolver, redirects, limits.
