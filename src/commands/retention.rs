//! `thumbforge retention`: deletes jobs whose time is over.

use std::time::Instant;

use super::print_line;
use crate::app::Tidying;
use crate::config::Settings;
use crate::domain::retention::Standing;

pub(super) async fn run(settings: Settings, now: bool, dry_run: bool) -> anyhow::Result<()> {
    let tidying = Tidying::open(&settings).await?;
    print_line(format_args!("kept after the end: {}", tidying.rules()))?;
    if dry_run {
        for over in tidying.count_over().await? {
            let least = if over.is_exact { "" } else { "at least " };
            print_line(format_args!("{}: {least}{} would go", over.kind, over.jobs))?;
        }
        return Ok(());
    }
    let by_rules = now || may_begin(&tidying).await?;
    let began = Instant::now();
    let report = |deleted: u64| {
        let rate = deleted as f64 / began.elapsed().as_secs_f64();
        let line = format_args!("{deleted} jobs deleted so far, {rate:.0} a second");
        if let Err(error) = print_line(line) {
            // It goes on even if the reader of its lines has gone.
            tracing::debug!("{error:#}");
        }
    };
    let deleted = tidying.delete_over(by_rules, report).await?;
    print_line(format_args!("{deleted} jobs were deleted, and their files"))
}

/// Whether the hour after a change of the settings is over.
async fn may_begin(tidying: &Tidying) -> anyhow::Result<bool> {
    let standing = tidying.standing().await?;
    if let Standing::Waits(left) = standing {
        let minutes = left.as_secs().div_ceil(60);
        print_line(format_args!(
            "after a change of the settings nothing is deleted for {minutes} minutes more; --now does \
             not wait, and --dry-run counts"
        ))?;
    }
    Ok(standing == Standing::Holds)
}
