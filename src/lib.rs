//! ThumbForge: image URLs in, thumbnails and metadata out, nothing lost.
//!
//! Data walks one way: `http → queue → worker → {fetch → imaging → storage} → db`.
//!
//! | part | holds |
//! | --- | --- |
//! | [`domain`] | pure rules: jobs and their transitions, source URLs, failures, retry delays |
//! | [`config`] | every setting, its default and check; the only reader of the environment |
//! | [`cli`], [`commands`] | the command line, and one file a command |
//! | [`app`] | the composition root: settings become parts |
//! | [`lifecycle`], [`telemetry`] | signals and drain; logging |
//! | [`db`] | the truth: Postgres or SQLite, every query written once |
//! | [`queue`] | the hint: job ids in a Redis list or in this process |
//! | [`storage`] | where thumbnails live |
//! | [`fetch`] | the guarded download: address policy, resolver, redirects, limits |
//! | [`worker`] | claim, process one job, pool, reconciler |
//! | [`http`] | routes, DTOs, problem details, OpenAPI |

pub mod config;
pub mod domain;
pub mod fetch;

// The fuzz targets (fuzz/) need what reads, and none of the service around it, which takes most of
// an hour to compile with their instruments.
#[cfg(fuzzing)]
#[path = "http/fuzzing.rs"]
pub mod http;

#[cfg(not(fuzzing))]
pub mod app;
#[cfg(not(fuzzing))]
pub mod cli;
#[cfg(not(fuzzing))]
pub mod commands;
#[cfg(not(fuzzing))]
pub mod db;
#[cfg(not(fuzzing))]
pub mod http;
#[cfg(not(fuzzing))]
pub mod lifecycle;
#[cfg(not(fuzzing))]
pub mod queue;
#[cfg(not(fuzzing))]
pub mod storage;
#[cfg(not(fuzzing))]
pub mod telemetry;
#[cfg(not(fuzzing))]
pub mod worker;
