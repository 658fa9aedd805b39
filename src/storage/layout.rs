//! The names of published files.

use thumbforge_imaging::formats::Format;

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

/// The job whose first file has this name, at the storage's root; `None` for a file that is not
/// ours.
pub(super) fn job_of_first(name: &str) -> Option<JobId> {
    let (stem, extension) = name.split_once('.')?;
    if !is_written(extension) {
        return None;
    }
    job_of(stem)
}

/// True of the folders at the root that hold those of jobs.
pub(super) fn is_folder_of_folders(name: &str) -> bool {
    name.len() == 2 && name.bytes().all(|byte| b"0123456789abcdef".contains(&byte))
}

/// The job to which a folder belongs, if it is in the right one.
pub(super) fn job_of_folder(parent: &str, name: &str) -> Option<JobId> {
    job_of(name).filter(|id| folder_of(*id).split_once('/') == Some((parent, name)))
}

/// True of a file in a job's folder whose name is wholly as [`other_path`] makes it.
pub(super) fn is_other_name(name: &str) -> bool {
    let is_ours = || {
        let (stem, extension) = name.split_once('.')?;
        let (variant, fence) = stem.rsplit_once('-')?;
        let is_plain = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
        let is_variant = (1..=32).contains(&variant.len()) && variant.bytes().all(is_plain);
        let number: u64 = fence.parse().ok()?;
        Some(is_variant && number.to_string() == fence && is_written(extension))
    };
    is_ours().unwrap_or(false)
}

/// Only the spelling that we write.
fn job_of(text: &str) -> Option<JobId> {
    let id = text.parse::<JobId>().ok()?;
    (id.to_string() == text).then_some(id)
}

fn is_written(extension: &str) -> bool {
    Format::written().any(|format| format.extension() == extension)
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
