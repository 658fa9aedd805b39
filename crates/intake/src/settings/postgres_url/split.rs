//! Takes a `postgres://` URL apart as libpq does, which knows several hosts in one URL.

use percent_encoding::percent_decode_str;

/// The parts of a URL, still percent-encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Split<'a> {
    pub user: Option<&'a str>,
    pub password: Option<&'a str>,
    /// Between the `@` and the `/`: hosts with their ports, separated by commas.
    pub hosts: &'a str,
    pub database: &'a str,
    /// Names and values, in their order.
    pub options: Vec<(&'a str, &'a str)>,
}

/// What is said of a URL whose parts can't be told apart.
pub(in super::super) const ENCODE: &str = "special characters in the user name or password must be \
     percent-encoded: @ as %40, / as %2F, : as %3A, ? as %3F, # as %23, % as %25";

/// `rest` is what follows `postgres://`.
///
/// # Errors
/// A sentence that quotes nothing of the URL.
pub(super) fn split(rest: &str) -> Result<Split<'_>, String> {
    let (place, query) = match rest.split_once('?') {
        Some((place, query)) => (place, Some(query)),
        None => (rest, None),
    };
    let (authority, database) = place.split_once('/').unwrap_or((place, ""));
    // An `@` further on can only belong to a password with a `/` or `?` in it.
    let options = query.map(options).transpose()?.unwrap_or_default();
    if authority.matches('@').count() > 1 || database.contains('@') {
        return Err(ENCODE.to_owned());
    }
    let (credentials, hosts) = match authority.split_once('@') {
        Some((credentials, hosts)) => (Some(credentials), hosts),
        None => (None, authority),
    };
    let (user, password) = match credentials.map(|text| text.split_once(':').ok_or(text)) {
        Some(Ok((user, password))) => (Some(user), Some(password)),
        Some(Err(user)) => (Some(user), None),
        None => (None, None),
    };
    Ok(Split {
        user,
        password,
        hosts,
        database,
        options,
    })
}

fn options(query: &str) -> Result<Vec<(&str, &str)>, String> {
    let options = query.split('&').filter(|option| !option.is_empty());
    options
        .map(|option| match option.split_once('=') {
            Some((name, value)) if !name.contains('@') => Ok((name, value)),
            _ if option.contains('@') => Err(ENCODE.to_owned()),
            _ => Err("an option after ? has no value; it is NAME=VALUE".to_owned()),
        })
        .collect()
}

/// Without its percent-encoding.
pub(in super::super) fn decoded(text: &str) -> Result<String, String> {
    percent_decode_str(text)
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| "what is percent-encoded must be UTF-8".to_owned())
}

/// The URL without its password and options; all but the scheme if it can't be taken apart.
pub(in super::super) fn redacted(url: &str) -> String {
    let split = url.split_once("://").map(|(_, rest)| split(rest));
    let Some(Ok(split)) = split else {
        return "postgres://***".to_owned();
    };
    let password = if split.password.is_some() { ":***" } else { "" };
    let user = split.user.map(|user| format!("{user}{password}@"));
    let (hosts, database) = (split.hosts, split.database);
    let slash = if database.is_empty() { "" } else { "/" };
    format!(
        "postgres://{}{hosts}{slash}{database}",
        user.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_told_apart_with_several_hosts_too() {
        let split = split("u:p:q@a:5432,[::1]:5433/n?x=1&y=a%20b").unwrap();
        assert_eq!((split.user, split.password), (Some("u"), Some("p:q")));
        assert_eq!((split.hosts, split.database), ("a:5432,[::1]:5433", "n"));
        assert_eq!(split.options, [("x", "1"), ("y", "a%20b")]);
    }

    #[test]
    fn a_password_that_should_be_encoded_is_told_without_a_word_of_it() {
        for rest in [
            "u:hunter2@x@db/n",
            "u:hunter2/x@db/n",
            "u:hunter2?x@db/n",
            "u:a@hunter2/x@db/n",
            "u:hunter2?a=b&x@db/n",
        ] {
            let sentence = split(rest).unwrap_err();
            assert!(sentence.contains("%40"), "{rest}: {sentence}");
            assert!(!sentence.contains("hunter2"), "{rest}: {sentence}");
        }
    }

    #[test]
    fn what_is_shown_has_no_password() {
        for (url, shown) in [
            (
                "postgres://u:hunter2@a:1,b:2/n?x=1",
                "postgres://u:***@a:1,b:2/n",
            ),
            ("postgres://u@db/n", "postgres://u@db/n"),
            ("postgres:///n?password=hunter2", "postgres:///n"),
            ("postgres://u:hunter2@x@db/n", "postgres://***"),
        ] {
            assert_eq!(redacted(url), shown);
        }
    }
}
