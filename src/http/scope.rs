//! What a key may do.

use std::str::FromStr;

use actix_web::http::Method;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// To see jobs, thumbnails, counts, metrics and origins.
    Read,
    /// To submit images, and to cancel, retry and delete one's own.
    Submit,
    /// To pause, resume and reset, and to change what other keys submitted.
    Operate,
}

impl Scope {
    const ALL: [Self; 3] = [Self::Read, Self::Submit, Self::Operate];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Submit => "submit",
            Self::Operate => "operate",
        }
    }

    /// The scope that a request under `/v1`, or to `/metrics`, needs. A change that is not named here is for
    /// operators.
    pub fn needed(method: &Method, path: &str) -> Self {
        match (is_changing(method), path) {
            // Their URLs may hold secrets.
            (_, path) if path == "/v1/webhooks" || path.starts_with("/v1/webhooks/") => {
                Self::Operate
            }
            (false, _) => Self::Read,
            (true, "/v1/images" | "/v1/batches") => Self::Submit,
            // Of its own jobs; the handlers see to that.
            (true, path) if path.starts_with("/v1/images/") || path.starts_with("/v1/batches/") => {
                Self::Submit
            }
            (true, _) => Self::Operate,
        }
    }
}

/// True of a method that may change something (RFC 9110, section 9.2.1).
pub fn is_changing(method: &Method) -> bool {
    !matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE
    )
}

/// The scopes of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scopes([bool; Scope::ALL.len()]);

impl Scopes {
    pub const ALL: Self = Self([true; Scope::ALL.len()]);

    pub const fn include(self, scope: Scope) -> bool {
        self.0[scope as usize]
    }
}

/// The scopes of a key that names none: what a client needs.
impl Default for Scopes {
    fn default() -> Self {
        Self([true, true, false])
    }
}

#[derive(Debug)]
pub struct UnknownScope;

impl FromStr for Scopes {
    type Err = UnknownScope;

    /// Words between commas.
    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        let mut scopes = Self([false; Scope::ALL.len()]);
        for word in text.split(',') {
            let word = word.trim();
            let scope = Scope::ALL.into_iter().find(|scope| scope.as_str() == word);
            scopes.0[scope.ok_or(UnknownScope)? as usize] = true;
        }
        Ok(scopes)
    }
}
