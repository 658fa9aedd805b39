//! What reads requests, opened for the fuzz target: it stands in the place of `mod.rs` there, and is
//! not in any other build.
#![allow(dead_code, reason = "the service around it is left out")]

mod dto;
mod members;
mod problem;
mod problem_kind;
mod query;
mod requests;
mod unique_value;
mod variant_schema;

use problem::Problem;

/// A refusal: its status and its document.
pub type Refusal = (u16, String);

/// The URL of a submission's body.
///
/// # Errors
/// The refusal that the client reads.
pub fn submission(body: &[u8]) -> Result<String, Refusal> {
    members::parse::<requests::SubmitBody>(body)
        .map(|body| body.url)
        .map_err(refusal)
}

/// The limit and the offset of a list's query.
///
/// # Errors
/// The refusal that the client reads.
pub fn list_query(query: &str, max_limit: u32) -> Result<(u32, u64), Refusal> {
    query::ListQuery::parse(query, 20, max_limit)
        .map(|list| (list.limit, list.offset))
        .map_err(refusal)
}

fn refusal(problem: Problem) -> Refusal {
    (problem.kind.status(), problem.to_json())
}
