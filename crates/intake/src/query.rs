//! Reads the query of a list: every parameter is checked, all faults are reported at once.
//!
//! Unknown and repeated parameters are refused: a misspelt filter must not list everything.

use crate::{JobFilter, JobStatus, RequestFault, Timestamp};

/// Every fault of a query; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidQuery(pub Vec<RequestFault>);

/// The parameters of `GET /v1/images`.
#[derive(Debug, Clone)]
pub struct ListQuery {
    pub filter: JobFilter,
    pub limit: u32,
    pub offset: u64,
}

/// Both databases count rows in signed 64 bits; no table reaches this.
const MAX_OFFSET: u64 = i64::MAX as u64;

impl ListQuery {
    /// A `limit` above `max_limit` is capped, as is an offset beyond any table.
    ///
    /// # Errors
    /// Every fault, each with the name of its parameter.
    pub fn parse(query: &str, default_limit: u32, max_limit: u32) -> Result<Self, InvalidQuery> {
        let mut list = Self {
            filter: JobFilter::default(),
            limit: default_limit.min(max_limit),
            offset: 0,
        };
        read_parameters(query, |name, value| list.set(name, value, max_limit))?;
        Ok(list)
    }

    fn set(&mut self, name: &str, value: &str, max_limit: u32) -> Result<(), &'static str> {
        match name {
            "status" => self.filter.status = Some(status(value)?),
            "created_after" => self.filter.created_after = Some(moment(value)?),
            "created_before" => self.filter.created_before = Some(moment(value)?),
            "limit" => self.limit = limit(value, max_limit)?,
            "offset" => {
                let offset = count(value).ok_or("must be a whole number of at least 0")?;
                self.offset = offset.min(MAX_OFFSET);
            }
            _ => {
                return Err(
                    "is not known; expected status, created_after, created_before, limit or offset",
                );
            }
        }
        Ok(())
    }
}

/// Passes each parameter to `set`, which returns what is wrong with it.
///
/// # Errors
/// What `set` refused, and every parameter that is given more than once.
pub fn read_parameters(
    query: &str,
    mut set: impl FnMut(&str, &str) -> Result<(), &'static str>,
) -> Result<(), InvalidQuery> {
    let mut seen = Vec::new();
    let mut faults = Vec::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        if seen.contains(&name) {
            faults.push(RequestFault::in_parameter(name, "is given more than once"));
            continue;
        }
        if let Err(detail) = set(&name, &value) {
            faults.push(RequestFault::in_parameter(name.as_ref(), detail));
        }
        seen.push(name);
    }
    if faults.is_empty() {
        return Ok(());
    }
    Err(InvalidQuery(faults))
}

/// A value above `max_limit` is capped.
///
/// # Errors
/// What is expected, worded to follow the parameter's name.
pub fn limit(value: &str, max_limit: u32) -> Result<u32, &'static str> {
    let limit = count(value).filter(|limit| *limit > 0);
    let limit = limit.ok_or("must be a whole number of at least 1")?;
    Ok(u32::try_from(limit).map_or(max_limit, |limit| limit.min(max_limit)))
}

fn status(value: &str) -> Result<JobStatus, &'static str> {
    value
        .parse()
        .map_err(|_| "must be pending, processing, completed or failed")
}

/// In a query `+` stands for a space, so `…T12:00:00+02:00` arrives with a space where the sign
/// was.
fn moment(value: &str) -> Result<Timestamp, &'static str> {
    let mut text = value.to_owned();
    if let (Some(space), Some(colon)) = (value.rfind(' '), value.find(':'))
        && space > colon
    {
        text.replace_range(space..=space, "+");
    }
    text.parse()
        .map_err(|_| "must be an RFC 3339 date and time, e.g. 2026-01-31T12:00:00Z")
}

/// A whole number; larger numbers than 64 bits hold become the largest.
fn count(value: &str) -> Option<u64> {
    let digits_only = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    digits_only.then(|| value.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str) -> Result<ListQuery, InvalidQuery> {
        ListQuery::parse(query, 20, 100)
    }

    #[test]
    fn nothing_asked_means_the_first_default_page() {
        let list = parse("").unwrap();
        assert_eq!((list.limit, list.offset), (20, 0));
        assert!(list.filter.status.is_none());
    }

    #[test]
    fn a_limit_above_the_maximum_is_capped() {
        for query in ["limit=100", "limit=101", "limit=99999999999999999999999"] {
            assert_eq!(parse(query).unwrap().limit, 100, "{query}");
        }
        assert_eq!(ListQuery::parse("", 20, 10).unwrap().limit, 10);
    }

    #[test]
    fn every_kind_of_nonsense_names_its_parameter() {
        for query in [
            "status=done",
            "status=",
            "status=Pending",
            "limit=0",
            "limit=-1",
            "limit=ten",
            "limit=1.5",
            "limit=%2B1",
            "limit=",
            "limit=%00",
            "offset=-1",
            "offset=x",
            "created_after=yesterday",
            "created_after=",
            "created_before=2026-02-30",
            "created_before=%ff",
            "state=failed",
            "limit=1&limit=2",
        ] {
            let InvalidQuery(faults) = parse(query).expect_err(query);
            let name = query.split('=').next().unwrap();
            assert_eq!(faults.len(), 1, "{query}");
            assert_eq!(faults[0].parameter.as_deref(), Some(name), "{query}");
        }
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let refused = parse("status=x&limit=0&offset=-1&created_after=x&nope");
        assert_eq!(refused.unwrap_err().0.len(), 5);
    }

    #[test]
    fn an_offset_of_time_survives_the_query() {
        let expected = "2026-01-31T10:00:00.000000Z";
        for value in [
            "2026-01-31T12:00:00+02:00",
            "2026-01-31T12:00:00%2B02:00",
            "2026-01-31+12:00:00+02:00",
            "2026-01-31T10:00:00Z",
            "2026-01-31+10:00:00",
            "2026-01-31T08:00:00-02:00",
        ] {
            let list = parse(&format!("created_after={value}")).unwrap();
            let moment = list.filter.created_after.unwrap().to_string();
            assert_eq!(moment, expected, "{value}");
        }
    }
}
