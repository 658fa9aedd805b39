//! The session of a visitor: a cookie that names a key and does not contain it.
//!
//! `v1.<when>.<name>.<mac>`: the moment of signing in in microseconds, the name of the key
//! (base64url), and HMAC-SHA256 of both and of the key's hash, by a secret that the database keeps
//! for all processes. So a cookie ends when its key is removed or replaced, and neither the file of
//! keys nor the database alone is enough to make one.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use ring::hmac;

use crate::domain::Timestamp;

pub const COOKIE: &str = "thumbforge_ui";
/// How long one is signed in.
pub const LIFETIME: Duration = Duration::from_secs(12 * 60 * 60);
/// Longer than any that is made here.
const LONGEST: usize = 1024;

/// What a cookie says, before it is believed.
#[derive(Debug, PartialEq, Eq)]
pub struct Session {
    pub since: Timestamp,
    pub key_name: String,
    mac: Vec<u8>,
}

impl Session {
    pub fn read(cookie: &str) -> Option<Self> {
        let mut parts = Some(cookie)
            .filter(|cookie| cookie.len() <= LONGEST)?
            .split('.');
        let mut next = || parts.next();
        if next()? != "v1" {
            return None;
        }
        let since = Timestamp::from_unix_micros(next()?.parse().ok()?)?;
        let key_name = String::from_utf8(BASE64.decode(next()?).ok()?).ok()?;
        let mac = BASE64.decode(next()?).ok()?;
        next().is_none().then_some(Self {
            since,
            key_name,
            mac,
        })
    }

    /// True if it was made with `secret` for a key with this hash, and is not over.
    pub fn is_of(&self, secret: &str, key_hash: &[u8; 32]) -> bool {
        let signed = text(self.since, &self.key_name, key_hash);
        let is_genuine = hmac::verify(&signing_key(secret), &signed, &self.mac).is_ok();
        is_genuine && self.since.elapsed() < LIFETIME
    }
}

/// The value of the cookie for somebody who signs in with this key now.
pub fn cookie(secret: &str, now: Timestamp, key_name: &str, key_hash: &[u8; 32]) -> String {
    let mac = hmac::sign(&signing_key(secret), &text(now, key_name, key_hash));
    let name = BASE64.encode(key_name);
    let mac = BASE64.encode(mac.as_ref());
    format!("v1.{}.{name}.{mac}", now.unix_micros())
}

fn signing_key(secret: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())
}

/// The name is last: all before it has a fixed length.
fn text(since: Timestamp, key_name: &str, key_hash: &[u8; 32]) -> Vec<u8> {
    let mut text = b"dashboard v1".to_vec();
    text.extend(since.unix_micros().to_be_bytes());
    text.extend(key_hash);
    text.extend(key_name.as_bytes());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        // The far future counts as now: it is no time ago.
        "2999-01-01T00:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_cookie_holds_for_its_key_and_its_secret_alone() {
        let made = cookie("secret", now(), "Zoë.1", &[7; 32]);
        let session = Session::read(&made).unwrap();
        assert_eq!((session.since, &*session.key_name), (now(), "Zoë.1"));
        assert!(session.is_of("secret", &[7; 32]));
        assert!(!session.is_of("another", &[7; 32]));
        assert!(!session.is_of("secret", &[8; 32]));
    }

    #[test]
    fn nothing_in_a_cookie_can_be_changed() {
        let made = cookie("secret", now(), "one", &[7; 32]);
        let parts: Vec<&str> = made.split('.').collect();
        for (place, other) in [(1, "1"), (2, "dHdv"), (3, "AAAA")] {
            let mut changed = parts.clone();
            changed[place] = other;
            let session = Session::read(&changed.join(".")).unwrap();
            assert!(!session.is_of("secret", &[7; 32]), "{changed:?}");
        }
    }

    #[test]
    fn a_cookie_ends() {
        let long_ago = Timestamp::EPOCH;
        let made = cookie("secret", long_ago, "one", &[7; 32]);
        assert!(!Session::read(&made).unwrap().is_of("secret", &[7; 32]));
    }

    #[test]
    fn what_is_no_cookie_of_ours_is_nobody() {
        let long = format!("v1.1.{}.AAAA", "A".repeat(2000));
        for text in [
            "",
            "v1",
            "v1.1.b25l",
            "v2.1.b25l.AAAA",
            "v1.x.b25l.AAAA",
            "v1.1.!.AAAA",
            "v1.1.b25l.AAAA.",
            &long,
        ] {
            assert_eq!(Session::read(text), None, "{text}");
        }
    }
}
