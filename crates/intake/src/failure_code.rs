//! The stable words for why a job failed.

/// Declares the codes with their stable words, so that no code can lack one.
macro_rules! failure_codes {
    ($( $(#[$doc:meta])* $variant:ident = $word:literal, $transient:literal; )*) => {
        /// The stable word in a job's `error_code`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum FailureCode { $( $(#[$doc])* $variant, )* }

        impl FailureCode {
            /// Every code, in the order of declaration.
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )* ];

            /// The stable word, as stored and as shown in the API.
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $word, )* }
            }

            /// True if another attempt may succeed.
            pub const fn is_transient(self) -> bool {
                match self { $( Self::$variant => $transient, )* }
            }
        }
    };
}

failure_codes! {
    /// The source did not answer, or did not finish, in time.
    SourceTimeout = "source_timeout", true;
    /// The host name could not be resolved.
    DnsFailed = "dns_failed", true;
    /// The connection was refused, reset or ended early; also a failed TLS handshake.
    ConnectionFailed = "connection_failed", true;
    /// The source answered 5xx.
    SourceServerError = "source_server_error", true;
    /// The source answered 429.
    RateLimited = "rate_limited", true;
    /// The origin was unavailable for too long; the job is given up.
    OriginUnavailable = "origin_unavailable", false;
    /// The source answered with another status than 200, which a retry will not change.
    SourceClientError = "source_client_error", false;
    /// The source's answer breaks HTTP, or is framed so that it can't be trusted.
    InvalidResponse = "invalid_response", false;
    /// The URL leads to an address, port or scheme that may not be fetched.
    ForbiddenSource = "forbidden_source", false;
    /// More redirects than allowed, or a loop.
    TooManyRedirects = "too_many_redirects", false;
    /// More bytes than `MAX_SOURCE_BYTES`.
    SourceTooLarge = "source_too_large", false;
    /// The source has no bytes.
    EmptySource = "empty_source", false;
    /// The bytes are in no image format that is read here.
    UnsupportedFormat = "unsupported_format", false;
    /// More pixels than `MAX_SOURCE_PIXELS`, or more memory than the decode budget.
    ImageTooLarge = "image_too_large", false;
    /// The image breaks its format, or ends too early to show.
    CorruptImage = "corrupt_image", false;
    /// No quality makes a variant's file as small as its `max_bytes`.
    VariantTooLarge = "variant_too_large", false;
    /// The variants have more pixels than one job may make.
    OutputTooLarge = "output_too_large", false;
    /// Decoding took longer than allowed.
    DecodeTimeout = "decode_timeout", false;
    /// The process that decoded the image died, or answered nonsense.
    DecoderCrashed = "decoder_crashed", true;
    /// The thumbnail could not be stored.
    StorageFailed = "storage_failed", true;
    /// A fault of the service (a panic inside the job).
    Internal = "internal", true;
    /// The worker process died or stalled during the last attempt, after other failures.
    WorkerLost = "worker_lost", false;
    /// The worker process died or stalled in every attempt.
    Poison = "poison", false;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn words_are_unique_snake_case() {
        let words: HashSet<_> = FailureCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(words.len(), FailureCode::ALL.len());
        for word in words {
            assert!(
                word.bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
                "{word}"
            );
        }
    }
}
