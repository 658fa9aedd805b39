//! Reads the query of the list of deliveries.

use crate::ListPlace;
use crate::query::{InvalidQuery, NO_CURSOR, limit, read_cursor, read_parameters};

/// The parameters of `GET /v1/webhooks/{id}/deliveries`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryQuery {
    /// A word that is known.
    pub status: Option<&'static str>,
    pub limit: u32,
    /// Only what comes after it.
    pub after: Option<ListPlace>,
}

const STATUSES: [&str; 3] = ["pending", "delivered", "failed"];

impl DeliveryQuery {
    /// A `limit` above `max_limit` is capped.
    ///
    /// # Errors
    /// Every fault, each with the name of its parameter.
    pub fn parse(query: &str, default: u32, max_limit: u32) -> Result<Self, InvalidQuery> {
        let mut read = Self {
            status: None,
            limit: default.min(max_limit),
            after: None,
        };
        read_parameters(query, |name, value| {
            match name {
                "limit" => read.limit = limit(value, max_limit)?,
                "cursor" => read.after = Some(read_cursor(value).ok_or(NO_CURSOR)?),
                "status" => {
                    let known = STATUSES.into_iter().find(|known| *known == value);
                    read.status = Some(known.ok_or("must be pending, delivered or failed")?);
                }
                _ => return Err("is not known; expected status, cursor or limit"),
            }
            Ok(())
        })?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read() {
        let query = DeliveryQuery::parse("status=failed&limit=500", 20, 100).unwrap();
        assert_eq!((query.status, query.limit), (Some("failed"), 100));
        for query in ["status=done", "limit=0", "cursor=x", "offset=1"] {
            let InvalidQuery(faults) = DeliveryQuery::parse(query, 20, 100).expect_err(query);
            assert_eq!(faults[0].parameter.as_deref(), query.split('=').next());
        }
    }
}
