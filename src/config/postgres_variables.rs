//! Variables of libpq that say how Postgres is reached, where the URL does not.

use std::ffi::OsString;

use thumbforge_intake::settings::with_defaults;

/// Variables and the options that they stand for.
const VARIABLES: [(&str, &str); 4] = [
    ("PGSSLMODE", "sslmode"),
    ("PGSSLROOTCERT", "sslrootcert"),
    ("PGSSLCERT", "sslcert"),
    ("PGSSLKEY", "sslkey"),
];

/// Those that are set: variable, option and value.
#[derive(Debug, Default)]
pub(super) struct PostgresVariables(Vec<(&'static str, &'static str, String)>);

impl PostgresVariables {
    /// An empty variable counts as unset, as it does for libpq.
    pub(super) fn of(environment: &[(OsString, OsString)]) -> Self {
        let find = |variable: &str| {
            let found = environment.iter().find(|(name, _)| name == variable)?;
            found.1.to_str().filter(|value| !value.is_empty())
        };
        let set = VARIABLES.iter().filter_map(|(variable, option)| {
            let value = find(variable)?;
            Some((*variable, *option, value.to_owned()))
        });
        Self(set.collect())
    }

    /// The URL, and what the variables add to it.
    pub(super) fn complete(&self, url: &str) -> String {
        let defaults = self
            .0
            .iter()
            .map(|(_, option, value)| (*option, value.as_str()));
        with_defaults(url, defaults)
    }

    /// For a fault of the completed URL: which variables had a part in it.
    pub(super) fn hint(&self, url: &str) -> String {
        if self.complete(url) == url {
            return String::new();
        }
        let names: Vec<_> = self.0.iter().map(|(variable, ..)| *variable).collect();
        format!(" ({} counts, too)", names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_count_where_the_url_is_silent() {
        let environment: Vec<(OsString, OsString)> = [
            ("PGSSLROOTCERT", "/ca.pem"),
            ("PGSSLMODE", "verify-full"),
            ("PGSSLKEY", ""),
            ("PGHOST", "elsewhere"),
        ]
        .iter()
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
        let variables = PostgresVariables::of(&environment);
        let url = "postgres://u@h/n?sslmode=require";
        let completed = format!("{url}&sslrootcert=%2Fca%2Epem");
        assert_eq!(variables.complete(url), completed);
        assert_eq!(
            variables.hint(url),
            " (PGSSLMODE, PGSSLROOTCERT counts, too)"
        );
        assert_eq!(variables.hint(&format!("{completed}&sslcert=c")), "");
    }
}
