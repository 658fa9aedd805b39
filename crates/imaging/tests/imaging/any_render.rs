//! Any small source and any variants of it: what is planned is what is made.
//!
//! A file of the fuzz targets too, which draw better bytes than the test here.

use thumbforge_imaging::{
    Color, ErrorKind, Fit, Format, Formats, Gravity, ImagingError, JpegCoding, Limits, Scratch,
    Source, Variant,
};

/// Small, so that many cases a second are tried.
const LIMITS: Limits = Limits {
    max_pixels: 1 << 17,
    max_memory_bytes: 64 << 20,
    max_icc_bytes: 1 << 20,
    max_jpeg_scans: 100,
    max_chunks: 1000,
    max_output_pixels: 1 << 17,
    max_avif_pixels: 1 << 10,
    max_animation_frames: 4,
    max_animation_pixels: 1 << 12,
    deadline: None,
};

/// A source and its variants, both made of the same bytes.
pub struct Case {
    source: Vec<u8>,
    width: u32,
    height: u32,
    variants: Vec<Variant>,
}

/// Bytes to draw choices from; without end, because zeros follow.
struct Choices<'a>(std::slice::Iter<'a, u8>);

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        self.0.next().copied().unwrap_or(0)
    }

    fn below(&mut self, count: u32) -> u32 {
        u32::from(u16::from_be_bytes([self.byte(), self.byte()])) % count
    }

    fn one_of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[usize::from(self.byte()) % choices.len()].clone()
    }

    fn sometimes<T>(&mut self, choose: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.byte() % 4 == 1).then(|| choose(self))
    }

    /// Mostly short; 1 or more.
    fn side(&mut self, longest: u32) -> u32 {
        let most = self.one_of(&[8, 8, 70, longest]);
        1 + self.below(most)
    }

    /// From 0 to 1.
    fn share(&mut self) -> f32 {
        f32::from(self.byte()) / 255.0
    }

    fn color(&mut self) -> Color {
        Color {
            red: self.byte(),
            green: self.byte(),
            blue: self.byte(),
            alpha: self.one_of(&[0, 255, 77]),
        }
    }

    fn gravity(&mut self) -> Gravity {
        let point = Gravity::Point {
            x: self.share(),
            y: self.share(),
        };
        self.one_of(&[
            Gravity::Center,
            Gravity::Attention,
            point,
            Gravity::NorthWest,
            Gravity::SouthEast,
            Gravity::East,
        ])
    }

    fn formats(&mut self) -> Formats {
        let one = |format| Formats::List(vec![format]);
        self.one_of(&[
            one(Format::Jpeg),
            one(Format::Png),
            one(Format::Webp),
            Formats::Auto,
            Formats::List(vec![Format::Avif, Format::Jpeg]),
        ])
    }

    fn variant(&mut self) -> Variant {
        let fit = self.one_of(&[Fit::Inside, Fit::Cover, Fit::Contain, Fit::Fill]);
        let (mut width, mut height) = (Some(self.side(8192)), Some(self.side(8192)));
        if fit == Fit::Inside {
            match self.byte() % 8 {
                1 => width = None,
                2 => height = None,
                _ => {}
            }
        }
        Variant {
            width,
            height,
            fit,
            gravity: self.gravity(),
            formats: self.formats(),
            quality: self.sometimes(|choices| 1 + choices.byte() % 100),
            jpeg_coding: self.one_of(&[
                JpegCoding::Baseline,
                JpegCoding::Optimized,
                JpegCoding::Progressive,
            ]),
            max_bytes: self.sometimes(|choices| 100 + u64::from(choices.below(4000))),
            background: self.sometimes(Self::color),
            enlarge: self.byte() % 2 == 1,
            blur: self.sometimes(|choices| 0.3 + 99.7 * choices.share()),
            sharpen: self.sometimes(|choices| 10.0 * choices.share()),
            grayscale: self.byte() % 4 == 1,
            animated: self.byte() % 4 == 1,
        }
    }

    /// A PNG of noise, or of what a few bytes repeat.
    fn png(&mut self, width: u32, height: u32, exif: &[u8]) -> Vec<u8> {
        let (color, channels) = self.one_of(&[
            (png::ColorType::Rgb, 3),
            (png::ColorType::Rgba, 4),
            (png::ColorType::Grayscale, 1),
            (png::ColorType::GrayscaleAlpha, 2),
        ]);
        let pattern: Vec<u8> = (0..7).map(|_| self.byte()).collect();
        let count = width as usize * height as usize * channels;
        let samples: Vec<u8> = pattern.iter().copied().cycle().take(count).collect();
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(color);
        encoder.set_compression(png::Compression::Fastest);
        let mut writer = encoder.write_header().unwrap();
        writer.write_chunk(png::chunk::eXIf, exif).unwrap();
        writer.write_image_data(&samples).unwrap();
        writer.finish().unwrap();
        bytes
    }
}

impl Case {
    pub fn of(bytes: &[u8]) -> Self {
        let mut choices = Choices(bytes.iter());
        let (width, height) = (choices.side(400), choices.side(150));
        let orientation = 1 + choices.byte() % 8;
        let exif = [
            &b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0"[..],
            &[orientation, 0, 0, 0, 0, 0, 0, 0],
        ]
        .concat();
        let png = choices.png(width, height, &exif);
        // A JPEG is decoded to planes, and at a scale.
        let source = match choices.byte() % 3 {
            0 => png,
            coding => {
                let upright = Source::open(&png, &LIMITS).unwrap().facts();
                let jpeg = render(
                    &png,
                    &Variant {
                        width: Some(upright.width),
                        height: Some(upright.height),
                        jpeg_coding: [JpegCoding::Baseline, JpegCoding::Progressive]
                            [usize::from(coding) - 1],
                        ..Variant::thumbnail(1, 85)
                    },
                );
                let exif = [b"Exif\0\0", &exif[..]].concat();
                let length = (exif.len() + 2) as u16;
                let segment = [&b"\xff\xe1"[..], &length.to_be_bytes(), &exif].concat();
                [&jpeg[..2], &segment, &jpeg[2..]].concat()
            }
        };
        let facts = Source::open(&source, &LIMITS).unwrap().facts();
        assert_eq!(facts.orientation, orientation);
        let count = 1 + choices.byte() % 3;
        Self {
            width: facts.width,
            height: facts.height,
            source,
            variants: (0..count).map(|_| choices.variant()).collect(),
        }
    }

    /// Plans, decodes and renders; returns the bytes that the plan reserves, if there is one.
    ///
    /// # Panics
    /// If anything breaks what the plan or the variant promises.
    pub fn check(&self, scratch: &mut Scratch) -> Option<usize> {
        let source = Source::open(&self.source, &LIMITS).expect("a source of our own");
        let plan = match source.plan(&self.variants, &LIMITS) {
            Ok(plan) => plan,
            Err(refused) => {
                let kind = refused.error.kind();
                assert_eq!(kind, ErrorKind::OutputTooManyPixels, "{}", refused.error);
                return None;
            }
        };
        let picture = source
            .decode(&plan, &LIMITS, scratch)
            .expect("a whole file");
        for variant in &self.variants {
            let made = match picture.render(variant, &LIMITS) {
                Ok(made) => made,
                Err(error @ ImagingError::OutputTooLarge { .. }) => {
                    assert!(variant.max_bytes.is_some(), "{error}");
                    continue;
                }
                Err(error) => panic!("{error}: {variant:?}"),
            };
            self.check_size(variant, made.width, made.height);
            assert!(!made.files.is_empty());
            for file in &made.files {
                let bytes = &file.bytes;
                let most = variant.max_bytes.unwrap_or(u64::MAX);
                assert!(bytes.len() as u64 <= most, "{variant:?}");
                if file.format == Format::Avif {
                    assert_eq!(&bytes[4..12], b"ftypavif");
                    continue;
                }
                let facts = Source::open(bytes, &LIMITS)
                    .expect("a file of our own")
                    .facts();
                assert_eq!(facts.format, file.format);
                assert_eq!((facts.width, facts.height), (made.width, made.height));
            }
        }
        picture.summary().expect("a whole picture");
        Some(plan.memory_bytes)
    }

    /// By the words of the variant, not by the engine's own geometry.
    fn check_size(&self, variant: &Variant, width: u32, height: u32) {
        let (box_width, box_height) = (
            variant.width.unwrap_or(u32::MAX),
            variant.height.unwrap_or(u32::MAX),
        );
        let made = (width, height);
        let told = || format!("{made:?} of {} × {}: {variant:?}", self.width, self.height);
        assert!(width >= 1 && height >= 1, "{}", told());
        // The shorter side of a long picture stays one pixel.
        assert!(width <= box_width && height <= box_height, "{}", told());
        let least = (box_width.min(self.width), box_height.min(self.height));
        match variant.fit {
            Fit::Contain => assert_eq!(made, (box_width, box_height), "{}", told()),
            Fit::Cover | Fit::Fill if variant.enlarge => {
                assert_eq!(made, (box_width, box_height), "{}", told());
            }
            Fit::Fill => assert_eq!(made, least, "{}", told()),
            Fit::Cover if box_width <= self.width && box_height <= self.height => {
                assert_eq!(made, (box_width, box_height), "{}", told());
            }
            Fit::Cover => assert!(width <= least.0 && height <= least.1, "{}", told()),
            Fit::Inside if variant.enlarge => {
                assert!(width == box_width || height == box_height, "{}", told());
            }
            Fit::Inside => assert!(width == least.0 || height == least.1, "{}", told()),
        }
    }
}

fn render(bytes: &[u8], variant: &Variant) -> Vec<u8> {
    let made = thumbforge_imaging::make(bytes, std::slice::from_ref(variant), &LIMITS).unwrap();
    made.renditions[0].files[0].bytes.clone()
}
