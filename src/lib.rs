//! ThumbForge: image URLs in, thumbnails and metadata out, nothing lost.
//!
//! Data flows in one direction: `http → queue → worker → {fetch → imaging → storage} → db`.
//!
//! | part | holds |
//! | --- | --- |
//! | [`domain`] | pure rules: jobs and how they end, records of origins, retry delays |
//! | [`config`] | finds the settings; the only reader of the environment |
//! | [`cli`], [`commands`] | the command line, and one file a command |
//! | [`app`] | the composition root: settings become parts |
//! | [`lifecycle`], [`telemetry`] | signals and drain; logging |
//! | [`tls`] | which certificates clients of TLS trust |
//! | [`observe`] | what a process counts about itself |
//! | [`traces`] | spans of attempts, for OpenTelemetry |
//! | [`db`] | the truth: Postgres or SQLite, and every query |
//! | [`queue`] | the hint: job ids in a Redis list or in this process |
//! | [`storage`] | where thumbnails live |
//! | [`fetch`] | the guarded download: resolver, redirects, limits |
//! | [`isolation`] | decoding in locked-down processes |
//! | [`webhooks`] | reports to receivers what ended |
//! | [`worker`] | claim, process one job, pool, reconciler |
//! | [`http`] | routes, DTOs, problem details, OpenAPI |
//! | [`ui`] | the dashboard: pages for people, over the same handlers |
//!
//! [`thumbforge_intake`] reads what strangers write, and [`thumbforge_imaging`] their images.

pub mod app;
pub mod cli;
pub mod commands;
pub mod config;
pub mod db;
pub mod domain;
pub mod fetch;
pub mod http;
pub mod isolation;
pub mod lifecycle;
pub mod observe;
pub mod queue;
pub mod storage;
pub mod telemetry;
pub mod tls;
pub mod traces;
pub mod ui;
pub mod upkeep;
pub mod webhooks;
pub mod worker;
