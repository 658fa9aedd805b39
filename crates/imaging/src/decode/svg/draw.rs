//! Drawing, by `resvg`: no files, no network, data URLs within bounds, fonts of our own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{self, ImageHrefResolver, ImageKind, Options, Tree, fontdb, roxmltree};

use super::{corrupt, layer_bytes, layers};
use crate::decode::{self, Decoded};
use crate::error::ImagingError;
use crate::formats::Format;
use crate::geometry::Size;
use crate::limits::Limits;
use crate::picture::Pixels;
use crate::raster::{Layout, Raster};

/// Elements and texts of one document. The renderer counts again after it has put in what is used
/// more than once, and takes up to a million.
const MAX_NODES: u32 = 500_000;
/// Pictures in data URLs: of all together in bytes, of each in pixels.
const MAX_DATA_BYTES: usize = 16 << 20;
const MAX_DATA_PIXELS: u64 = 16_000_000;

/// Texts are in Liberation Sans, whatever family they name: Arial's and Helvetica's widths.
const FONTS: [&[u8]; 2] = [
    include_bytes!("../../../fonts/LiberationSans-Regular.ttf"),
    include_bytes!("../../../fonts/LiberationSans-Bold.ttf"),
];
const FAMILY: &str = "Liberation Sans";

/// Draws a picture of this size in another one.
pub(super) fn draw(
    text: &str,
    size: Size,
    target: Size,
    limits: &Limits,
) -> Result<Decoded<'static>, ImagingError> {
    let tree = parse(text, size, limits)?;
    limits.check_deadline()?;
    let drawn = tree.size();
    // To the pixel, whatever was rounded.
    let transform = Transform::from_scale(
        target.width as f32 / drawn.width(),
        target.height as f32 / drawn.height(),
    );
    let needed = layers::bytes(
        tree.root(),
        layers::scale_of(transform),
        target.area() as f64,
    );
    let allowed = layer_bytes(target);
    if needed > allowed as f64 {
        return Err(ImagingError::TooMuchMemory {
            needed_bytes: needed as usize,
            max_bytes: allowed,
        });
    }
    let mut pixmap = Pixmap::new(target.width, target.height)
        .ok_or_else(|| corrupt("it can't be drawn in its size"))?;
    resvg::render(&tree, transform, &mut pixmap.as_mut());
    limits.check_deadline()?;
    // Premultiplied, as `Layout::Rgba` is.
    let raster = Raster::whole(target, Layout::Rgba, pixmap.take());
    Ok(Decoded {
        pixels: Pixels::Raster(raster),
        rows: size.height,
        truncated: false,
    })
}

fn parse(text: &str, size: Size, limits: &Limits) -> Result<Tree, ImagingError> {
    let parsing = roxmltree::ParsingOptions {
        // For the entities of Illustrator's namespaces. Their expansion is bounded.
        allow_dtd: true,
        nodes_limit: MAX_NODES,
        ..roxmltree::ParsingOptions::default()
    };
    let document = roxmltree::Document::parse_with_options(text, parsing);
    let document = document.map_err(|error| refused(&error.into()))?;
    Tree::from_xmltree(&document, &options(size, limits)).map_err(|error| refused(&error))
}

fn refused(error: &usvg::Error) -> ImagingError {
    match error {
        usvg::Error::ElementsLimitReached
        | usvg::Error::ParsingFailed(roxmltree::Error::NodesLimitReached) => {
            ImagingError::TooMany {
                what: "elements, or too many levels of them",
                max: MAX_NODES,
            }
        }
        error => corrupt(error),
    }
}

fn options(size: Size, limits: &Limits) -> Options<'_> {
    let mut fonts = fontdb::Database::new();
    for font in FONTS {
        fonts.load_font_source(fontdb::Source::Binary(Arc::new(font)));
    }
    fonts.set_serif_family(FAMILY);
    fonts.set_sans_serif_family(FAMILY);
    fonts.set_cursive_family(FAMILY);
    fonts.set_fantasy_family(FAMILY);
    fonts.set_monospace_family(FAMILY);
    let default_size = usvg::Size::from_wh(size.width as f32, size.height as f32);
    let default = Options::default();
    Options {
        font_family: FAMILY.to_owned(),
        default_size: default_size.unwrap_or(default.default_size),
        fontdb: Arc::new(fonts),
        image_href_resolver: pictures_within(limits),
        ..default
    }
}

/// Pictures in data URLs. What is elsewhere, and an SVG within this one, is not drawn.
fn pictures_within(limits: &Limits) -> ImageHrefResolver<'_> {
    let bytes_left = AtomicUsize::new(MAX_DATA_BYTES);
    ImageHrefResolver {
        resolve_string: Box::new(|_, _| None),
        resolve_data: Box::new(move |_, data, _| {
            let taken = bytes_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(data.len())
            });
            taken.ok()?;
            let limits = Limits {
                max_pixels: limits.max_pixels.min(MAX_DATA_PIXELS),
                ..limits.clone()
            };
            let header = decode::inspect(&data, &limits).ok()?;
            match header.format() {
                Format::Jpeg => Some(ImageKind::JPEG(Arc::clone(&data))),
                Format::Png => Some(ImageKind::PNG(Arc::clone(&data))),
                Format::Gif => Some(ImageKind::GIF(Arc::clone(&data))),
                Format::Webp => Some(ImageKind::WEBP(Arc::clone(&data))),
                _ => None,
            }
        }),
    }
}
