//! Reads the query of the list of origins, and its cursors.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use thumbforge_intake::RequestFault;
use thumbforge_intake::query::{InvalidQuery, limit, read_parameters};

use crate::db::{OriginPlace, OriginSort};

/// The parameters of `GET /v1/origins`.
#[derive(Debug, Clone)]
pub struct OriginsQuery {
    pub sort: OriginSort,
    pub after: Option<OriginPlace>,
    pub limit: u32,
}

const SORTS: [(&str, OriginSort); 4] = [
    ("origin", OriginSort::Origin),
    ("queued", OriginSort::Queued),
    ("in_flight", OriginSort::InFlight),
    ("failed", OriginSort::Failed),
];

/// Longer than the name of any stored origin.
const MAX_CURSOR_BYTES: usize = 4096;

impl OriginsQuery {
    /// A `limit` above `max_limit` is capped.
    pub fn parse(query: &str, default_limit: u32, max_limit: u32) -> Result<Self, InvalidQuery> {
        let mut asked = Self {
            sort: OriginSort::default(),
            after: None,
            limit: default_limit.min(max_limit),
        };
        let (mut sort_asked_for, mut sort_of_cursor) = (None, None);
        read_parameters(query, |name, value| {
            match name {
                "sort" => {
                    let sort = SORTS.iter().find(|(word, _)| *word == value);
                    let sort = sort.ok_or("must be origin, queued, in_flight or failed")?;
                    sort_asked_for = Some(sort.1);
                }
                "cursor" => {
                    let (sort, place) = read_cursor(value).ok_or(NO_CURSOR)?;
                    sort_of_cursor = Some(sort);
                    asked.after = Some(place);
                }
                "limit" => asked.limit = limit(value, max_limit)?,
                _ => return Err("is not known; expected sort, cursor or limit"),
            }
            Ok(())
        })?;
        let sort = sort_asked_for.or(sort_of_cursor);
        if sort_of_cursor.is_some() && sort != sort_of_cursor {
            let fault = RequestFault::in_parameter("cursor", "belongs to another sort");
            return Err(InvalidQuery(vec![fault]));
        }
        asked.sort = sort.unwrap_or_default();
        Ok(asked)
    }
}

const NO_CURSOR: &str = "must be the next_cursor of an earlier page";

/// What leads to the page after `place`. Clients must not rely on its form.
pub fn cursor(sort: OriginSort, place: &OriginPlace) -> String {
    let word = SORTS.iter().find(|(_, known)| *known == sort);
    let word = word.map_or("", |(word, _)| word);
    BASE64.encode(format!("{word} {} {}", place.measure, place.origin))
}

fn read_cursor(text: &str) -> Option<(OriginSort, OriginPlace)> {
    if text.len() > MAX_CURSOR_BYTES {
        return None;
    }
    let text = String::from_utf8(BASE64.decode(text).ok()?).ok()?;
    let mut parts = text.splitn(3, ' ');
    let (word, measure, origin) = (parts.next()?, parts.next()?, parts.next()?);
    let (_, sort) = SORTS.iter().find(|(known, _)| *known == word)?;
    let is_text = !origin.is_empty() && !origin.contains(char::is_control);
    let place = OriginPlace {
        measure: measure.parse().ok()?,
        origin: origin.to_owned(),
    };
    is_text.then_some((*sort, place))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str) -> Result<OriginsQuery, Vec<String>> {
        OriginsQuery::parse(query, 20, 100).map_err(|refused| {
            let names = refused.0.into_iter().map(|fault| fault.parameter);
            names.map(Option::unwrap).collect()
        })
    }

    #[test]
    fn a_cursor_leads_on_in_its_own_order_only() {
        let place = OriginPlace {
            measure: 7,
            origin: "https://a.example:443".to_owned(),
        };
        for (word, sort) in SORTS {
            let cursor = cursor(sort, &place);
            let asked = parse(&format!("cursor={cursor}&sort={word}&limit=7")).unwrap();
            assert_eq!(asked.after.as_ref(), Some(&place));
            assert_eq!((asked.sort, asked.limit), (sort, 7));
            let alone = parse(&format!("cursor={cursor}")).unwrap();
            assert_eq!(alone.sort, sort, "the cursor alone decides");
            let other = if word == "queued" { "failed" } else { "queued" };
            let refused = parse(&format!("sort={other}&cursor={cursor}"));
            assert_eq!(refused.unwrap_err(), ["cursor"], "{word}");
        }
    }

    #[test]
    fn every_kind_of_nonsense_names_its_parameter() {
        let encoded = |text: &str| format!("cursor={}", BASE64.encode(text));
        for query in [
            "cursor=",
            "cursor=x",
            "cursor=%00",
            "sort=",
            "sort=Origin",
            "sort=waiting",
            "limit=0",
            "limit=-1",
            "offset=1",
            "limit=1&limit=1",
            &encoded("origin"),
            &encoded("origin 0"),
            &encoded("origin 0 "),
            &encoded("origin x https://a.example:443"),
            &encoded("origin 99999999999999999999 https://a.example:443"),
            &encoded("origin 0 https://a.example\0"),
            &encoded(&format!("origin 0 {}", "a".repeat(4000))),
        ] {
            let name = query.split('=').next().unwrap();
            assert_eq!(parse(query).unwrap_err(), [name], "{query}");
        }
        assert_eq!(parse("limit=1000").unwrap().limit, 100);
    }
}
