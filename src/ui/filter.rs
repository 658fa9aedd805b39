//! Filters of jobs in URLs and forms, by the names that they have in the API.

use thumbforge_intake::query::ListQuery;

use crate::domain::JobFilter;
use crate::http::shared::{Problem, ProblemKind};
use crate::ui::times::When;

/// What a list has besides its filter.
const PAGING: [&str; 3] = ["limit", "offset", "cursor"];

/// As a query.
pub fn query_of(filter: &JobFilter) -> String {
    let JobFilter {
        status,
        created_after,
        created_before,
        error_code,
        host,
        tag,
        batch_id,
        submitted_by,
    } = filter;
    let members = [
        ("status", status.map(|status| status.as_str().to_owned())),
        ("error_code", error_code.clone()),
        ("host", host.clone()),
        ("tag", tag.clone()),
        ("submitted_by", submitted_by.clone()),
        ("batch_id", batch_id.map(|id| id.to_string())),
        (
            "created_after",
            created_after.map(|moment| moment.to_string()),
        ),
        (
            "created_before",
            created_before.map(|moment| moment.to_string()),
        ),
    ];
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in members {
        if let Some(value) = value {
            query.append_pair(name, &value);
        }
    }
    query.finish()
}

/// Reads what [`query_of`] wrote.
///
/// # Errors
/// If it is none, lets every job through, or asks for a page: what is done is done to all that fit.
pub fn filter_of(query: &str) -> Result<JobFilter, Problem> {
    let names = url::form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name);
    if let Some(name) = names.into_iter().find(|name| PAGING.contains(&&**name)) {
        let detail = format!("`{name}` does not belong to a filter.");
        return Err(Problem::new(ProblemKind::InvalidQuery, detail));
    }
    let filter = ListQuery::parse(query, 1, 1)?.filter;
    if filter.is_empty() {
        let detail = "Name at least one condition: nothing is done to all jobs at once.";
        return Err(Problem::new(ProblemKind::InvalidQuery, detail));
    }
    Ok(filter)
}

/// In words.
pub fn words_of(filter: &JobFilter) -> Vec<String> {
    let mut words = Vec::new();
    words.extend(filter.status.map(|status| status.as_str().to_owned()));
    words.extend(
        filter
            .error_code
            .as_ref()
            .map(|code| format!("with {code}")),
    );
    words.extend(filter.host.as_ref().map(|host| format!("from {host}")));
    words.extend(filter.tag.as_ref().map(|tag| format!("tagged {tag}")));
    words.extend(
        filter
            .submitted_by
            .as_ref()
            .map(|name| format!("submitted by {name}")),
    );
    words.extend(filter.batch_id.map(|id| format!("of batch {id}")));
    let spelled = |moment| When::from(moment).spelled();
    let since = filter.created_after.map(spelled);
    words.extend(since.map(|moment| format!("created since {moment}")));
    let until = filter.created_before.map(spelled);
    words.extend(until.map(|moment| format!("created until {moment}")));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_too() {
        let filter = filter_of("created_before=2026-01-31T12:00:00Z").unwrap();
        assert_eq!(words_of(&filter), ["created until 2026-01-31 12:00:00 UTC"]);
        let filter = filter_of("host=a&created_after=2026-01-31T12:00:00Z").unwrap();
        let said = ["from a", "created since 2026-01-31 12:00:00 UTC"];
        assert_eq!(words_of(&filter), said);
    }

    #[test]
    fn a_filter_survives_its_query() {
        let filter = JobFilter {
            status: "failed".parse().ok(),
            created_after: "2026-01-31T12:00:00.000001Z".parse().ok(),
            created_before: "2026-01-31T13:00:00Z".parse().ok(),
            error_code: Some("a&b".to_owned()),
            host: Some("a.example".to_owned()),
            tag: Some("ü =".to_owned()),
            batch_id: Some(uuid::Uuid::nil()),
            submitted_by: Some("<one>".to_owned()),
        };
        assert_eq!(filter_of(&query_of(&filter)).unwrap(), filter);
        for query in [
            "",
            "limit=3",
            "host=a&limit=3",
            "host=a&cursor=x",
            "state=x",
        ] {
            assert!(filter_of(query).is_err(), "{query}");
        }
    }
}
