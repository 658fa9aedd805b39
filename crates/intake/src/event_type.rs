//! What clients can be told of.

use std::fmt;
use std::str::FromStr;

/// What happened; the words of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventType {
    ImageCompleted,
    ImageFailed,
    ImageCancelled,
    BatchFinished,
}

impl EventType {
    pub const ALL: [Self; 4] = [
        Self::ImageCompleted,
        Self::ImageFailed,
        Self::ImageCancelled,
        Self::BatchFinished,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ImageCompleted => "image.completed",
            Self::ImageFailed => "image.failed",
            Self::ImageCancelled => "image.cancelled",
            Self::BatchFinished => "batch.finished",
        }
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is no type of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown type of event")]
pub struct UnknownEventType;

impl FromStr for EventType {
    type Err = UnknownEventType;

    fn from_str(text: &str) -> Result<Self, UnknownEventType> {
        let known = Self::ALL.into_iter().find(|event| event.as_str() == text);
        known.ok_or(UnknownEventType)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_read_back_from_its_word() {
        for event_type in EventType::ALL {
            assert_eq!(event_type.as_str().parse(), Ok(event_type));
        }
        assert_eq!("image.deleted".parse::<EventType>(), Err(UnknownEventType));
    }
}
