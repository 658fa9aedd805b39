//! The names of published files.

use crate::domain::{Claim, JobId};

/// The path of the first variant's fallback, which is the only file of most jobs.
pub fn first_path(id: JobId, extension: &str) -> String {
    format!("{id}.{extension}")
}

/// The path of another file that is made under `claim`. No other claim writes to the same path.
pub fn other_path(claim: &Claim, variant: &str, extension: &str) -> String {
    let name = other_name(variant, claim.fence, extension);
    format!("{}/{name}", folder_of(claim.id))
}

pub(super) fn other_name(variant: &str, fence: i64, extension: &str) -> String {
    format!("{variant}-{fence}.{extension}")
}

/// The folder of all a job's files but the first. Ids begin with the time: their ends spread.
pub(super) fn folder_of(id: JobId) -> String {
    let last = id.0.as_bytes()[15];
    format!("{last:02x}/{id}")
}

/// The fence in the name of a file in a job's folder; `None` for a file that is not ours.
pub(super) fn fence_of(name: &str) -> Option<i64> {
    let (stem, _) = name.rsplit_once('.')?;
    let (_, fence) = stem.rsplit_once('-')?;
    fence.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fences_are_read_back_from_names_with_dashes() {
        for variant in ["card", "a-b_c", "-", "x-7", ""] {
            assert_eq!(fence_of(&other_name(variant, 12, "webp")), Some(12));
        }
        for stranger in ["notes.txt", "card.webp", "card-x.webp", "card-7", ""] {
            assert_eq!(fence_of(stranger), None, "{stranger}");
        }
    }

    #[test]
    fn folders_spread_by_the_ends_of_ids() {
        let id: JobId = "01980a5c-7f1e-7cc3-9d7a-6a0f5b1f8e2f".parse().unwrap();
        assert_eq!(folder_of(id), format!("2f/{id}"));
    }
}
