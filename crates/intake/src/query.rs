//! Reads the query of a list: every parameter is checked, all faults are reported at once.
//!
//! Unknown and repeated parameters are refused: a misspelt filter must not list everything.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;

use crate::{JobFilter, JobStatus, ListPlace, RequestFault, Timestamp};

/// Every fault of a query; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidQuery(pub Vec<RequestFault>);

/// The parameters of `GET /v1/images`.
#[derive(Debug, Clone)]
pub struct ListQuery {
    pub filter: JobFilter,
    pub limit: u32,
    pub offset: u64,
    /// Only jobs that come after it.
    pub after: Option<ListPlace>,
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
            after: None,
        };
        read_parameters(query, |name, value| list.set(name, value, max_limit))?;
        if list.after.is_some() && list.offset > 0 {
            let fault = RequestFault::in_parameter("offset", "can't be given with a cursor");
            return Err(InvalidQuery(vec![fault]));
        }
        Ok(list)
    }

    fn set(&mut self, name: &str, value: &str, max_limit: u32) -> Result<(), &'static str> {
        match name {
            "limit" => self.limit = limit(value, max_limit)?,
            "offset" => {
                let offset = count(value).ok_or("must be a whole number of at least 0")?;
                self.offset = offset.min(MAX_OFFSET);
            }
            "cursor" => self.after = Some(read_cursor(value).ok_or(NO_CURSOR)?),
            _ => {
                return set_filter(&mut self.filter, name, value).unwrap_or(Err(
                    "is not known; expected status, created_after, created_before, error_code, \
                     host, tag, batch_id, submitted_by, cursor, limit or offset",
                ));
            }
        }
        Ok(())
    }
}

/// Sets the member of a filter that has this name; `None` if there is no such member. The error is
/// worded to follow the name.
pub(crate) fn set_filter(
    filter: &mut JobFilter,
    name: &str,
    value: &str,
) -> Option<Result<(), &'static str>> {
    let text = |place: &mut Option<String>| word(value).map(|word| *place = Some(word));
    Some(match name {
        "status" => status(value).map(|status| filter.status = Some(status)),
        "created_after" => moment(value).map(|moment| filter.created_after = Some(moment)),
        "created_before" => moment(value).map(|moment| filter.created_before = Some(moment)),
        "error_code" => text(&mut filter.error_code),
        // Hosts are stored in lower case.
        "host" => word(value).map(|word| filter.host = Some(word.to_ascii_lowercase())),
        "tag" => text(&mut filter.tag),
        "batch_id" => match value.parse() {
            Ok(id) => {
                filter.batch_id = Some(id);
                Ok(())
            }
            Err(_) => Err("must be a UUID"),
        },
        "submitted_by" => text(&mut filter.submitted_by),
        _ => return None,
    })
}

pub(super) const NO_CURSOR: &str = "must be the next_cursor of an earlier page";

/// What leads to the page after `place`. Clients must not rely on its form.
pub fn cursor(place: ListPlace) -> String {
    let mut bytes = [0; CURSOR_BYTES];
    let (moment, id) = bytes.split_at_mut(8);
    moment.copy_from_slice(&place.created_at.unix_micros().to_be_bytes());
    id.copy_from_slice(place.id.as_bytes());
    BASE64.encode(bytes)
}

/// A moment in microseconds and an id.
const CURSOR_BYTES: usize = 8 + 16;

/// Reads what [`cursor`] wrote.
pub fn read_cursor(text: &str) -> Option<ListPlace> {
    let bytes: [u8; CURSOR_BYTES] = BASE64.decode(text).ok()?.try_into().ok()?;
    let (moment, id) = bytes.split_at(8);
    let micros = i64::from_be_bytes(moment.try_into().ok()?);
    Some(ListPlace {
        created_at: Timestamp::from_unix_micros(micros)?,
        id: uuid::Uuid::from_slice(id).ok()?,
    })
}

/// The longest text that a filter compares with, as JSON Schema counts it.
const MAX_WORD_CHARS: usize = 512;

/// Neither database stores the character 0.
pub(super) fn word(value: &str) -> Result<String, &'static str> {
    match value {
        "" => Err("must not be empty"),
        long if long.chars().count() > MAX_WORD_CHARS => Err("may have at most 512 characters"),
        strange if strange.contains('\0') => Err("must not contain the character U+0000"),
        word => Ok(word.to_owned()),
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
        .map_err(|_| "must be pending, processing, completed, failed or cancelled")
}

/// In a query `+` stands for a space, so `…T12:00:00+02:00` arrives with a space where the sign
/// was.
pub(crate) fn moment(value: &str) -> Result<Timestamp, &'static str> {
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
    fn a_cursor_leads_to_its_place_and_excludes_an_offset() {
        let place = ListPlace {
            created_at: Timestamp::from_unix_micros(1_700_000_000_123_456).unwrap(),
            id: uuid::Uuid::from_u128(7),
        };
        let cursor = cursor(place);
        let list = parse(&format!("cursor={cursor}&limit=3")).unwrap();
        assert_eq!((list.after, list.limit), (Some(place), 3));
        let refused = parse(&format!("cursor={cursor}&offset=1")).unwrap_err();
        assert_eq!(refused.0[0].parameter.as_deref(), Some("offset"));
        assert!(parse(&format!("cursor={cursor}&offset=0")).is_ok());
        let early = [0x80, 0, 0, 0, 0, 0, 0, 0].iter().chain(&[0; 16]);
        assert_eq!(
            read_cursor(&BASE64.encode(early.copied().collect::<Vec<u8>>())),
            None
        );
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
            "host=",
            "tag=%00",
            "error_code=",
            "batch_id=1",
            "submitted_by=",
            "cursor=",
            "cursor=AAAA",
            "cursor=%00",
            "limit=1&limit=2",
        ] {
            let InvalidQuery(faults) = parse(query).expect_err(query);
            let name = query.split('=').next().unwrap();
            assert_eq!(faults.len(), 1, "{query}");
            assert_eq!(faults[0].parameter.as_deref(), Some(name), "{query}");
        }
    }

    #[test]
    fn a_word_has_at_most_512_characters() {
        let longest = "%C3%A9".repeat(512);
        assert!(parse(&format!("tag={longest}")).is_ok());
        assert!(parse(&format!("tag={longest}x")).is_err());
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
