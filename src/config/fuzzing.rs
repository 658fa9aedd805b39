//! The settings of files that exist only as texts, opened for the fuzz target; not in any other build.

use std::ffi::OsString;
use std::path::Path;

use super::sources::{Findings, dot_env_layer, environment, toml_text};
use super::{ConfigErrors, Loaded, check};

/// As [`super::load`] on a folder with these two files, in an environment with these variables.
///
/// # Errors
/// As [`super::load`].
pub fn load_texts(
    toml: &str,
    dot_env: &str,
    variables: &[(OsString, OsString)],
) -> Result<Loaded, ConfigErrors> {
    let mut findings = Findings::default();
    let layers = vec![
        toml_text(toml, Path::new("thumbforge.toml"), &mut findings),
        dot_env_layer(super::dot_env::parse(dot_env), &mut findings),
        environment(variables, &mut findings),
    ];
    check(layers, findings, 2)
}
