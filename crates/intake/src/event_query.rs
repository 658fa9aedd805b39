//! Reads which events a client wants to follow, and for how long it wants to wait.

use std::time::Duration;

use crate::event_type::EventType;
use crate::query::{InvalidQuery, read_parameters, word};
use crate::request_fault::RequestFault;

/// Which events; `None` means any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// In no order, none twice.
    pub types: Option<Vec<EventType>>,
    /// A tag of the job.
    pub tag: Option<String>,
}

/// The parameters of a stream of events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventQuery {
    /// The number of the last event that the client has seen.
    pub after: Option<u64>,
    pub filter: EventFilter,
}

impl EventQuery {
    /// Of the stream of all events.
    ///
    /// # Errors
    /// Every fault, each with the name of its parameter.
    pub fn of_all(query: &str) -> Result<Self, InvalidQuery> {
        let mut read = Self::default();
        read_parameters(query, |name, value| {
            match name {
                "after" => read.after = Some(number(value)?),
                "type" => read.filter.types = Some(types(value)?),
                "tag" => read.filter.tag = Some(word(value)?),
                _ => return Err("is not known; expected after, type or tag"),
            }
            Ok(())
        })?;
        Ok(read)
    }

    /// Of the stream of a job or a batch.
    ///
    /// # Errors
    /// Every fault, each with the name of its parameter.
    pub fn of_one(query: &str) -> Result<Self, InvalidQuery> {
        let mut read = Self::default();
        read_parameters(query, |name, value| match name {
            "after" => {
                read.after = Some(number(value)?);
                Ok(())
            }
            _ => Err("is not known; expected after"),
        })?;
        Ok(read)
    }
}

/// The longest wait for the end of a job.
pub const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// For how long the query of a job asks to wait for its end. Other parameters mean nothing.
///
/// # Errors
/// If it is no whole number of seconds from 0 to 30, or given twice.
pub fn wait(query: &str) -> Result<Duration, InvalidQuery> {
    let mut given = url::form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| name == "wait")
        .map(|(_, value)| seconds(&value));
    match (given.next(), given.next()) {
        (None, _) => Ok(Duration::ZERO),
        (Some(Some(wait)), None) => Ok(wait),
        (Some(_), Some(_)) => Err(fault("is given more than once")),
        (Some(None), None) => Err(fault("must be a whole number from 0 to 30")),
    }
}

fn fault(detail: &'static str) -> InvalidQuery {
    InvalidQuery(vec![RequestFault::in_parameter("wait", detail)])
}

fn seconds(text: &str) -> Option<Duration> {
    let seconds = number(text).ok().map(Duration::from_secs);
    seconds.filter(|wait| *wait <= LONGEST_WAIT)
}

/// Digits alone; what is too large is larger than every number of an event.
fn number(text: &str) -> Result<u64, &'static str> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match digits {
        true => Ok(text.parse().unwrap_or(u64::MAX)),
        false => Err("must be a whole number"),
    }
}

fn types(text: &str) -> Result<Vec<EventType>, &'static str> {
    let mut types = Vec::new();
    for word in text.split(',') {
        let event_type = word.trim().parse().map_err(|_| NO_TYPE)?;
        if !types.contains(&event_type) {
            types.push(event_type);
        }
    }
    Ok(types)
}

const NO_TYPE: &str = "must be image.completed, image.failed, image.cancelled or batch.finished, or several of them \
     between commas";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read() {
        let query = EventQuery::of_all("after=7&type=image.failed,batch.finished&tag=a%20b");
        let filter = EventFilter {
            types: Some(vec![EventType::ImageFailed, EventType::BatchFinished]),
            tag: Some("a b".to_owned()),
        };
        assert_eq!(
            query,
            Ok(EventQuery {
                after: Some(7),
                filter
            })
        );
        assert_eq!(EventQuery::of_all(""), Ok(EventQuery::default()));
        let huge = "after=99999999999999999999999";
        assert_eq!(EventQuery::of_one(huge).unwrap().after, Some(u64::MAX));
    }

    #[test]
    fn nonsense_names_its_parameter() {
        for query in [
            "after=",
            "after=-1",
            "after=x",
            "after=1.0",
            "type=",
            "type=failed",
            "tag=",
            "tag=%00",
            "after=1&after=2",
            "status=failed",
        ] {
            let InvalidQuery(faults) = EventQuery::of_all(query).expect_err(query);
            let name = query.split('=').next();
            assert_eq!(faults[0].parameter.as_deref(), name, "{query}");
        }
        assert!(EventQuery::of_one("tag=a").is_err());
    }

    #[test]
    fn a_wait_has_at_most_half_a_minute() {
        assert_eq!(wait(""), Ok(Duration::ZERO));
        assert_eq!(wait("a=b&wait=30"), Ok(Duration::from_secs(30)));
        for query in [
            "wait=31",
            "wait=",
            "wait=-1",
            "wait=1.5",
            "wait=1&wait=1",
            "wait=x",
        ] {
            assert!(wait(query).is_err(), "{query}");
        }
    }
}
