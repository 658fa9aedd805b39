//! The truth: jobs in Postgres or SQLite, every query written once.
