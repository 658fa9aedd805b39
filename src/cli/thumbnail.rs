//! `thumbforge thumbnail`: its arguments.

use std::ffi::OsString;

use clap::{Arg, ArgMatches, value_parser};

use super::CONFIG;

pub(super) const THUMBNAIL: &str = "thumbnail";
const SOURCE: &str = "in";
const TARGET: &str = "out";
const SIZE: &str = "size";
const QUALITY: &str = "quality";
const VARIANT: &str = "variant";
const PRESET: &str = "preset";

/// A local file for the image engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThumbnailArguments {
    /// A path, or `-` for standard input.
    pub source: OsString,
    /// A path, or `-` for standard output.
    pub target: OsString,
    /// Longest side in pixels.
    pub max_side: u32,
    pub jpeg_quality: u8,
    /// The members of each variant, as `name=card,width=320`; then the target is a folder.
    pub variants: Vec<String>,
    pub preset: Option<String>,
    pub config_file: Option<std::path::PathBuf>,
}

pub(super) fn command() -> clap::Command {
    let file = |name, value_name, help| {
        Arg::new(name)
            .value_name(value_name)
            .value_parser(value_parser!(OsString))
            .required(true)
            .help(help)
    };
    clap::Command::new(THUMBNAIL)
        .about("Make the thumbnail of a local file, and print its metadata as JSON")
        .arg(file(SOURCE, "IN", "The image, or - for standard input"))
        .arg(file(
            TARGET,
            "OUT",
            "The thumbnail, or - for standard output (the JSON then goes to stderr)",
        ))
        .arg(
            Arg::new(SIZE)
                .long(SIZE)
                .value_name("PIXELS")
                .value_parser(value_parser!(u32).range(16..=65_535))
                .default_value("256")
                .help("Longest side; never enlarges"),
        )
        .arg(
            Arg::new(QUALITY)
                .long(QUALITY)
                .value_name("1-100")
                .value_parser(value_parser!(u8).range(1..=100))
                .default_value("85")
                .help("JPEG quality"),
        )
        .arg(
            Arg::new(VARIANT)
                .long(VARIANT)
                .value_name("NAME=…,WIDTH=…")
                .action(clap::ArgAction::Append)
                .conflicts_with_all([SIZE, QUALITY])
                .help(
                    "A variant, e.g. name=card,width=320,height=240,fit=cover,format=webp; may be \
                     repeated. OUT is then a folder",
                ),
        )
        .arg(
            Arg::new(PRESET)
                .long(PRESET)
                .value_name("NAME")
                .conflicts_with_all([SIZE, QUALITY, VARIANT])
                .help("Variants by their name in thumbforge.toml. OUT is then a folder"),
        )
        .arg(
            Arg::new(CONFIG)
                .long(CONFIG)
                .value_name("FILE")
                .value_parser(value_parser!(std::path::PathBuf))
                .requires(PRESET)
                .help("Read this file instead of thumbforge.toml"),
        )
}

pub(super) fn read(arguments: &ArgMatches) -> ThumbnailArguments {
    ThumbnailArguments {
        source: arguments.get_one(SOURCE).cloned().unwrap_or_default(),
        target: arguments.get_one(TARGET).cloned().unwrap_or_default(),
        max_side: arguments.get_one(SIZE).copied().unwrap_or_default(),
        jpeg_quality: arguments.get_one(QUALITY).copied().unwrap_or_default(),
        variants: arguments
            .get_many(VARIANT)
            .into_iter()
            .flatten()
            .cloned()
            .collect(),
        preset: arguments.get_one(PRESET).cloned(),
        config_file: arguments.get_one(CONFIG).cloned(),
    }
}
