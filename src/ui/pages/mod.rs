//! The pages, one file each.

pub mod actions;
pub mod batches;
pub mod errors;
pub mod failures;
pub mod flow;
pub mod job;
pub mod job_changes;
pub mod jobs;
pub mod origins;
pub mod overview;
pub mod sign_in;
pub mod submit;
pub mod webhooks;
