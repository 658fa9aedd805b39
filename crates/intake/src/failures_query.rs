//! Reads the query of the groups of failures.

use crate::query::{InvalidQuery, limit, read_parameters, set_filter};
use crate::{JobFilter, JobStatus};

/// The parameters of `GET /v1/failures`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailuresQuery {
    /// Only failed jobs.
    pub filter: JobFilter,
    /// Most groups.
    pub limit: u32,
}

impl FailuresQuery {
    /// A `limit` above `max_limit` is capped.
    ///
    /// # Errors
    /// Every fault, each with the name of its parameter.
    pub fn parse(query: &str, default: u32, max_limit: u32) -> Result<Self, InvalidQuery> {
        let mut read = Self {
            filter: JobFilter {
                status: Some(JobStatus::Failed),
                ..JobFilter::default()
            },
            limit: default.min(max_limit),
        };
        read_parameters(query, |name, value| match name {
            "limit" => {
                read.limit = limit(value, max_limit)?;
                Ok(())
            }
            "status" => Err(NOT_KNOWN),
            _ => set_filter(&mut read.filter, name, value).unwrap_or(Err(NOT_KNOWN)),
        })?;
        Ok(read)
    }
}

const NOT_KNOWN: &str = "is not known; expected created_after, created_before, error_code, host, \
                         tag, batch_id, submitted_by or limit";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_are_those_of_lists_without_the_status() {
        let read = FailuresQuery::parse("host=A.example&error_code=poison&limit=7", 20, 100);
        let read = read.unwrap();
        assert_eq!(read.filter.host.as_deref(), Some("a.example"));
        assert_eq!(read.filter.error_code.as_deref(), Some("poison"));
        assert_eq!(read.filter.status, Some(JobStatus::Failed));
        assert_eq!(read.limit, 7);
        assert_eq!(FailuresQuery::parse("limit=99", 20, 10).unwrap().limit, 10);
    }

    #[test]
    fn every_kind_of_nonsense_names_its_parameter() {
        for query in [
            "status=failed",
            "limit=0",
            "offset=1",
            "cursor=x",
            "created_after=yesterday",
            "batch_id=1",
            "host=",
            "tag=%00",
            "host=a&host=b",
        ] {
            let InvalidQuery(faults) = FailuresQuery::parse(query, 20, 100).expect_err(query);
            let name = query.split('=').next().unwrap();
            assert_eq!(faults.len(), 1, "{query}");
            assert_eq!(faults[0].parameter.as_deref(), Some(name), "{query}");
        }
    }
}
