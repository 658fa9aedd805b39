//! The figures: a line on stderr for each fault, and an item in the document if one is named.

use std::io::Write;
use std::sync::Mutex;
use std::time::Duration;

const BEGIN: &str = "<!-- faults: written by the fault suite -->";
const END: &str = "<!-- end of the faults -->";

/// Lines of the document are no longer than this.
const COLUMNS: usize = 100;

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

/// Reports what was measured, past the test harness, which captures the output of passing tests.
pub fn tell(figures: &Figures) {
    let Figures {
        fault,
        recovered,
        slowest,
        outage,
        remark,
        ..
    } = figures;
    let times = format!(
        "recovered in {:.1} s, slowest job {:.1} s, API outage {:.1} s",
        recovered.as_secs_f64(),
        slowest.as_secs_f64(),
        outage.as_secs_f64()
    );
    line(&format!("fault {fault}: {times} ({remark})"));
    write_item(*fault, &format!("**{}**: {times}; {remark}", figures.name));
}

/// Reports that a fault could not be made here, and why.
pub fn skipped(fault: u32, name: &'static str, reason: &str) {
    line(&format!("fault {fault}: SKIPPED: {reason}"));
    write_item(fault, &format!("**{name}**: not run; {reason}"));
}

pub fn line(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

fn write_item(fault: u32, text: &str) {
    let Some(path) = std::env::var_os("THUMBFORGE_FAULT_REPORT") else {
        return;
    };
    let _alone = DOCUMENT.lock().expect("not poisoned");
    let document = std::fs::read_to_string(&path).expect("the document can be read");
    let (head, rest) = document
        .split_once(BEGIN)
        .expect("the document has the marker");
    let (list, tail) = rest
        .split_once(END)
        .expect("the document has the end marker");
    let mut items = read_items(list);
    items.retain(|(known, _)| *known != fault);
    items.push((fault, item(fault, text)));
    items.sort_by_key(|(known, _)| *known);
    let items: String = items.into_iter().map(|(_, item)| item).collect();
    let written = format!("{head}{BEGIN}\n{items}{END}{tail}");
    std::fs::write(&path, written).expect("the document can be written");
}

/// The items of a numbered list with their numbers.
fn read_items(list: &str) -> Vec<(u32, String)> {
    let number = |line: &str| -> Option<u32> { line.split_once(". ")?.0.parse().ok() };
    let mut items: Vec<(u32, String)> = Vec::new();
    for line in list.lines() {
        match (number(line), items.last_mut()) {
            (Some(fault), _) => items.push((fault, format!("{line}\n"))),
            (None, Some((_, item))) => *item += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    items
}

/// An item of a numbered list, wrapped as the rest of the document is.
fn item(fault: u32, text: &str) -> String {
    let mut lines = vec![format!("{fault}.")];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is a first line");
        if line.chars().count() + 1 + word.chars().count() <= COLUMNS {
            *line += " ";
            *line += word;
        } else {
            lines.push(format!("    {word}"));
        }
    }
    lines.join("\n") + "\n"
}
