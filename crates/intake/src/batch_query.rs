//! Reads the queries of the lists of batches, and of the jobs of a batch.

use crate::query::{InvalidQuery, NO_CURSOR, limit, read_cursor, read_parameters};
use crate::{BatchStatus, ListPlace};

/// The parameters of `GET /v1/batches`, and without `status` of `GET /v1/batches/{id}/images`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchQuery {
    pub status: Option<BatchStatus>,
    pub limit: u32,
    /// Only what comes after it.
    pub after: Option<ListPlace>,
}

impl BatchQuery {
    /// A `limit` above `max_limit` is capped.
    ///
    /// # Errors
    /// Every fault, each with the name of its parameter.
    pub fn of_batches(query: &str, default: u32, max_limit: u32) -> Result<Self, InvalidQuery> {
        Self::parse(query, default, max_limit, |read, name, value| match name {
            "status" => {
                read.status = Some(value.parse().map_err(|_| NO_STATUS)?);
                Ok(())
            }
            _ => Err("is not known; expected status, cursor or limit"),
        })
    }

    /// Likewise, of the jobs of a batch.
    ///
    /// # Errors
    /// Every fault, each with the name of its parameter.
    pub fn of_images(query: &str, default: u32, max_limit: u32) -> Result<Self, InvalidQuery> {
        Self::parse(query, default, max_limit, |_, _, _| {
            Err("is not known; expected cursor or limit")
        })
    }

    fn parse(
        query: &str,
        default: u32,
        max_limit: u32,
        other: impl Fn(&mut Self, &str, &str) -> Result<(), &'static str>,
    ) -> Result<Self, InvalidQuery> {
        let mut read = Self {
            status: None,
            limit: default.min(max_limit),
            after: None,
        };
        read_parameters(query, |name, value| {
            match name {
                "limit" => read.limit = limit(value, max_limit)?,
                "cursor" => read.after = Some(read_cursor(value).ok_or(NO_CURSOR)?),
                _ => return other(&mut read, name, value),
            }
            Ok(())
        })?;
        Ok(read)
    }
}

const NO_STATUS: &str =
    "must be accepting, running, completed, partially_failed, failed or cancelled";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_list_knows_its_parameters() {
        let read = BatchQuery::of_batches("status=partially_failed&limit=7", 20, 100).unwrap();
        assert_eq!(read.status, Some(BatchStatus::PartiallyFailed));
        assert_eq!((read.limit, read.after), (7, None));
        assert_eq!(BatchQuery::of_images("", 20, 10).unwrap().limit, 10);
        for (query, names) in [
            ("status=done", vec!["status"]),
            (
                "limit=0&cursor=x&offset=1",
                vec!["limit", "cursor", "offset"],
            ),
        ] {
            let InvalidQuery(faults) = BatchQuery::of_batches(query, 20, 100).unwrap_err();
            let found: Vec<_> = faults
                .iter()
                .map(|fault| fault.parameter.as_deref())
                .collect();
            assert_eq!(
                found,
                names.into_iter().map(Some).collect::<Vec<_>>(),
                "{query}"
            );
        }
        assert!(BatchQuery::of_images("status=failed", 20, 100).is_err());
    }
}
