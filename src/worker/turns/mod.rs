//! Whose turn it is: which origins have jobs waiting, how much of each may be begun, and in which
//! order. What is known here is a hint; the database decides at each claim.
//!
//! Origins that may have work stand in one order, by the priority of their first job and then by
//! the longest wait for a turn; each turn is one job. So an origin with a million jobs and one with
//! a single job alternate, and an origin that is alone takes everything. One that has no room (its
//! window is full, or it is parked) leaves the order until it has.
//!
//! | file | thought |
//! | --- | --- |
//! | `shared` | the state behind its lock, and the signals that it changed |
//! | `state` | all origins: which wait, in which order, and which sleep |
//! | `ready` | which origins wait for a turn, and which loop may claim |
//! | `shares` | the taking of turns, and what came of them |
//! | `limits` | what the records of origins allow |
//! | `reports` | what was seen of origins, and what their records say |
//! | `visit` | one job's download, and what its hops report |
//! | `known` | one origin |
//! | `window`, `served` | what an origin bears at once, and what it gave lately |

mod known;
mod limits;
mod ready;
mod reports;
mod served;
mod shared;
mod shares;
mod state;
#[cfg(test)]
mod tests;
mod visit;
mod window;

pub(super) use ready::Claimant;
pub(super) use shared::Turns;
pub(super) use shares::Turn;
pub use state::CapsOf;
pub(super) use visit::Visit;
