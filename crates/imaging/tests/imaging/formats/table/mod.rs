//! The tables of `docs/FORMATS.md`: what the engine does with files of each format, as seen here,
//! and what other programs say of themselves.
//!
//! | file | thought |
//! | --- | --- |
//! | `samples` | which files are looked at, for each format |
//! | `browser`, `plain`, `rich` | how they are made |
//! | `blocks` | metadata and profiles that are put into them |
//! | `observe` | what the engine makes of a file |
//! | `peers` | what others say |

pub mod blocks;
mod browser;
mod observe;
mod peers;
mod plain;
mod rich;
mod samples;

use std::fmt::Write;
use std::path::Path;

use thumbforge_imaging::Format;

use self::observe::{Seen, has_rows_of, is_alike, seen};
use self::peers::PEERS;
use self::samples::{Sample, Samples};

/// What is seen of a format: reads, metadata, alpha, orientation, colour, truncated, animated.
struct Row {
    format: Format,
    cells: [&'static str; 7],
}

const COLUMNS: [&str; 7] = [
    "reads",
    "metadata",
    "alpha",
    "orientation",
    "colour",
    "truncated",
    "animated",
];

const fn yes(is: bool) -> &'static str {
    if is { "yes" } else { "no" }
}

fn shown(format: Format, bytes: &[u8]) -> Seen {
    let seen = seen(bytes).unwrap_or_else(|error| panic!("a sample of {}: {error}", format.name()));
    assert_eq!(seen.source.format, format);
    seen
}

/// `holds` looks at what is seen of a file that has something.
fn cell(format: Format, sample: &Sample, holds: impl Fn(&Seen) -> bool) -> &'static str {
    match sample {
        Sample::Impossible => "–",
        Sample::Of(bytes) => yes(holds(&shown(format, bytes))),
        Sample::Shows(bytes, expected) => yes(is_alike(&shown(format, bytes).picture, expected)),
        Sample::Cut(whole, length) => {
            let whole_picture = shown(format, whole).picture;
            let is_shown = seen(&whole[..*length])
                .is_ok_and(|cut| cut.source.truncated && has_rows_of(&cut.picture, &whole_picture));
            yes(is_shown)
        }
    }
}

impl Row {
    fn of(format: Format) -> Self {
        let samples = Samples::of(format);
        let plain = shown(format, &samples.plain);
        assert!(!plain.source.truncated && plain.frames == 1);
        let cell = |sample, holds: &dyn Fn(&Seen) -> bool| cell(format, sample, holds);
        let has_camera = |seen: &Seen| {
            let exif = seen.source.exif.as_ref();
            exif.is_some_and(|exif| exif.camera.is_some())
        };
        let is_translucent = |seen: &Seen| {
            let pixels = super::rgba(&seen.picture);
            seen.source.has_alpha && pixels.iter().any(|pixel| pixel[3] < 255)
        };
        // A sample of these three says what it shows.
        let unused = |_: &Seen| false;
        Self {
            format,
            cells: [
                yes(true),
                cell(&samples.metadata, &has_camera),
                cell(&samples.alpha, &is_translucent),
                cell(&samples.orientation, &unused),
                cell(&samples.colour, &unused),
                cell(&samples.truncated, &unused),
                cell(&samples.animated, &|seen| seen.frames > 1),
            ],
        }
    }

    fn animated(&self) -> &'static str {
        self.cells[6]
    }
}

fn line(out: &mut String, cells: &[&str]) {
    let _ = writeln!(out, "| {} |", cells.join(" | "));
}

fn head(out: &mut String, cells: &[&str]) {
    line(out, cells);
    line(out, &vec!["---"; cells.len()]);
}

fn our_table(rows: &[Row]) -> String {
    let mut out = String::new();
    head(&mut out, &[&["format"][..], &COLUMNS].concat());
    for row in rows {
        let name = row.format.row().prose;
        line(&mut out, &[&[name][..], &row.cells].concat());
    }
    out
}

fn their_table(rows: &[Row]) -> String {
    let mut out = String::new();
    let names = PEERS.iter().map(|peer| peer.name);
    let columns: Vec<&str> = ["what", "ThumbForge"].into_iter().chain(names).collect();
    head(&mut out, &columns);
    for row in rows {
        let theirs = PEERS.iter().map(|peer| peer.reads(row.format));
        let ours = [row.format.row().prose, row.cells[0]];
        line(
            &mut out,
            &ours.into_iter().chain(theirs).collect::<Vec<_>>(),
        );
    }
    for row in rows.iter().filter(|row| row.animated() != "–") {
        let name = format!("frames of {}", row.format.row().prose);
        let theirs = PEERS.iter().map(|peer| peer.animated(row.format));
        let ours = [&*name, row.animated()];
        line(
            &mut out,
            &ours.into_iter().chain(theirs).collect::<Vec<_>>(),
        );
    }
    let jpeg = rows.iter().find(|row| row.format == Format::Jpeg).unwrap();
    let heeded = [
        "upright by EXIF",
        "sRGB by ICC profile",
        "rows of a cut file",
    ];
    for (index, name) in heeded.into_iter().enumerate() {
        let ours = [name, jpeg.cells[3 + index]];
        let theirs = PEERS.iter().map(|peer| peer.heeds[index]);
        line(
            &mut out,
            &ours.into_iter().chain(theirs).collect::<Vec<_>>(),
        );
    }
    out.push('\n');
    for peer in &PEERS {
        let _ = writeln!(out, "- {}:", peer.name);
        for page in peer.pages {
            let _ = writeln!(out, "  <{page}>");
        }
    }
    out
}

const BETWEEN: &str = "
The same of others, by what they say of themselves; `?` where they don't. *On request*: by a call,
an option or a setting. *Plug-in*, *own libvips*: with what they do not bring along.

";
const START: &str = "<!-- formats: written by a test -->\n";
const END: &str = "<!-- end of formats -->\n";

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a variable tells whether to write the document"
)]
fn the_tables_of_formats_are_what_is_seen() {
    let rows: Vec<Row> = Format::read().map(Row::of).collect();
    let tables = [our_table(&rows), BETWEEN.to_owned(), their_table(&rows)].concat();
    let path = Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/FORMATS.md"
    ));
    let document = std::fs::read_to_string(path).unwrap();
    let (before, rest) = document.split_once(START).unwrap();
    let (found, after) = rest.split_once(END).unwrap();
    if std::env::var_os("WRITE_TABLES").is_some() {
        let written = [before, START, &tables, END, after].concat();
        std::fs::write(path, written).unwrap();
        return;
    }
    assert!(
        found == tables,
        "docs/FORMATS.md has other tables; WRITE_TABLES=1 writes these:\n{tables}"
    );
}

#[test]
fn what_the_list_of_formats_says_is_what_is_seen() {
    for row in Format::read().map(Row::of) {
        let says = row.format.row();
        assert_eq!(
            yes(says.keeps_alpha) == "yes",
            row.cells[2] == "yes",
            "{}",
            says.name
        );
        assert!(
            says.may_be_animated || row.animated() != "yes",
            "{}",
            says.name
        );
    }
}
