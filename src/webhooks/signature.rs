//! Signs deliveries (Standard Webhooks 1.0.0, "Signature scheme").

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::hmac;
use uuid::Uuid;

/// The value of `webhook-signature`: one signature for each key.
pub(super) fn sign(keys: &[Vec<u8>], id: Uuid, unix_seconds: u64, body: &str) -> String {
    let signed = format!("{id}.{unix_seconds}.{body}");
    let signatures = keys.iter().map(|key| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        let tag = hmac::sign(&key, signed.as_bytes());
        format!("v1,{}", BASE64.encode(tag.as_ref()))
    });
    signatures.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By `printf %s ID.1700000000.{} | openssl dgst -sha256 -hmac KEY -binary | base64`.
    #[test]
    fn signatures_are_those_of_the_specification() {
        let id = Uuid::from_u128(0x0198_0a5c_7f1e_7cc3_9d7a_6a0f_5b1f_8e21);
        let keys = [b"first key".to_vec(), b"second key".to_vec()];
        assert_eq!(sign(&keys, id, 1_700_000_000, "{}"), EXPECTED);
    }

    const EXPECTED: &str = "v1,3N3EdibbnaCFhzaXLLNfwM1TOMS7PcTqOBy1K2ublpI= \
        v1,n6gXlkS3OYdICN6AlM0WR1ZI4qZvg7cJkSzElFs70wA=";
}
