//! The fields of a head, by name.

/// The fields of a head by name in any case, without blanks around the values.
pub(super) struct Fields<'a>(&'a [httparse::Header<'a>]);

impl<'a> Fields<'a> {
    pub(super) fn new(fields: &'a [httparse::Header<'a>]) -> Self {
        Self(fields)
    }

    pub(super) fn all(&self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        self.0
            .iter()
            .filter(move |field| field.name.eq_ignore_ascii_case(name))
            .map(|field| field.value.trim_ascii())
    }

    /// The first value of `name`, if it is visible ASCII.
    pub(super) fn text(&self, name: &'static str) -> Option<&'a str> {
        self.all(name)
            .next()
            .and_then(|value| std::str::from_utf8(value).ok())
            .filter(|value| value.bytes().all(|byte| (b' '..=b'~').contains(&byte)))
    }

    /// The comma-separated values of all `name` fields, in lower case.
    pub(super) fn tokens(&self, name: &'static str) -> impl Iterator<Item = String> {
        self.all(name)
            .flat_map(|value| value.split(|byte| *byte == b','))
            .map(|token| String::from_utf8_lossy(token.trim_ascii()).to_ascii_lowercase())
    }
}
