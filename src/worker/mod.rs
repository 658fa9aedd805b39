//! The workers: claim, process one job, pool, reconciler.
