//! `thumbforge check`: whether the kept counts are those of the jobs.

use anyhow::bail;

use super::print_line;
use crate::app::Tidying;
use crate::config::Settings;

pub(super) async fn run(settings: Settings, repair: bool) -> anyhow::Result<()> {
    let faults = Tidying::open(&settings).await?.check(repair).await?;
    for fault in &faults {
        let place = fault.place.as_deref().unwrap_or("-");
        print_line(format_args!(
            "{} {place}, {}: {:+} missing",
            fault.kind, fault.status, fault.missing
        ))?;
    }
    match faults.len() {
        0 => print_line("all counts are right"),
        wrong if repair => print_line(format_args!("{wrong} counts were wrong and are repaired")),
        wrong => bail!("{wrong} counts are wrong; `thumbforge check --repair` repairs them"),
    }
}
