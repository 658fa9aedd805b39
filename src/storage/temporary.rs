//! The names of files that are being written: each names its claim.

use crate::domain::{Claim, JobId};

/// A file written under one claim; once that claim is over, it is litter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TemporaryFile {
    pub id: JobId,
    pub fence: i64,
}

impl TemporaryFile {
    pub const fn of(claim: &Claim) -> Self {
        Self {
            id: claim.id,
            fence: claim.fence,
        }
    }

    pub(super) fn name(self) -> String {
        format!("{}.{}", self.id, self.fence)
    }

    /// `None` for a file that is not ours.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let (id, fence) = name.split_once('.')?;
        Some(Self {
            id: id.parse().ok()?,
            fence: fence.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_strangers_are_not() {
        let file = TemporaryFile {
            id: JobId::generate(),
            fence: 7,
        };
        assert_eq!(TemporaryFile::parse(&file.name()), Some(file));
        for stranger in ["notes.txt", "probe.0198", ".1", ""] {
            assert_eq!(TemporaryFile::parse(stranger), None, "{stranger}");
        }
    }
}
