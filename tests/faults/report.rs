//! The figures: a line on stderr for each fault, and a row in the document if one is named.

use std::io::Write;
use std::sync::Mutex;
use std::time::Duration;

const BEGIN: &str = "<!-- fault table: written by the fault suite -->";
const END: &str = "<!-- end of the fault table -->";

/// Tests run side by side and share the document.
static DOCUMENT: Mutex<()> = Mutex::new(());

pub struct Figures {
    pub fault: u32,
    pub name: &'static str,
    pub recovered: Duration,
    /// The longest that a job took from the end of the fault, or from its submission if that was
    /// later.
    pub slowest: Duration,
    pub outage: Duration,
    pub remark: String,
}

/// Tells what was measured; past the capture of the test harness, which hides what passes.
pub fn tell(figures: &Figures) {
    let Figures {
        fault,
        recovered,
        slowest,
        outage,
        remark,
        ..
    } = figures;
    line(&format!(
        "fault {fault}: recovered in {:.1} s, slowest job {:.1} s, API outage {:.1} s ({remark})",
        recovered.as_secs_f64(),
        slowest.as_secs_f64(),
        outage.as_secs_f64()
    ));
    write_row(
        *fault,
        &format!(
            "| {fault} | {} | {:.1} s | {:.1} s | {:.1} s | {remark} |",
            figures.name,
            recovered.as_secs_f64(),
            slowest.as_secs_f64(),
            outage.as_secs_f64()
        ),
    );
}

/// Tells that a fault could not be made here, and why.
pub fn skipped(fault: u32, name: &'static str, reason: &str) {
    line(&format!("fault {fault}: SKIPPED: {reason}"));
    write_row(
        fault,
        &format!("| {fault} | {name} | not run | | | {reason} |"),
    );
}

pub fn line(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

fn write_row(fault: u32, row: &str) {
    let Some(path) = std::env::var_os("THUMBFORGE_FAULT_REPORT") else {
        return;
    };
    let _alone = DOCUMENT.lock().expect("not poisoned");
    let text = std::fs::read_to_string(&path).expect("the document can be read");
    let (head, rest) = text.split_once(BEGIN).expect("the document has the marker");
    let (table, tail) = rest
        .split_once(END)
        .expect("the document has the end marker");
    let number = |line: &str| -> Option<u32> { line.split('|').nth(1)?.trim().parse().ok() };
    let mut rows: Vec<(u32, String)> = table
        .lines()
        .filter_map(|line| Some((number(line)?, line.to_owned())))
        .filter(|(known, _)| *known != fault)
        .collect();
    rows.push((fault, row.to_owned()));
    rows.sort_by_key(|(known, _)| *known);
    let rows: String = rows.into_iter().map(|(_, row)| row + "\n").collect();
    let header = "| # | fault | recovered in | slowest job | longest API outage | what happened |\n\
                  | --- | --- | --- | --- | --- | --- |\n";
    let written = format!("{head}{BEGIN}\n{header}{rows}{END}{tail}");
    std::fs::write(&path, written).expect("the document can be written");
}
