//! `thumbforge orphans`: files in the storage that belong to no job.

use super::print_line;
use crate::app::Tidying;
use crate::config::Settings;

pub(super) async fn run(settings: Settings, remove: bool, force: bool) -> anyhow::Result<()> {
    let tidying = Tidying::open(&settings).await?;
    let found = match remove {
        true => tidying.remove_orphans(force).await?,
        false => tidying.find_orphans().await?,
    };
    for path in &found.first {
        print_line(path)?;
    }
    let unnamed = found.orphans.saturating_sub(found.first.len() as u64);
    if unnamed > 0 {
        print_line(format_args!("… and {unnamed} more"))?;
    }
    let done = match remove {
        true => "belonged to no job and were removed",
        false => "belong to no job",
    };
    print_line(format_args!(
        "{} of {} files {done} ({} bytes)",
        found.orphans, found.files, found.bytes
    ))
}
