//! The variants that a job makes: read from JSON, checked, and written in one canonical form.
//!
//! The same code reads requests, presets and stored jobs, so that what was accepted once can be
//! read again.

use std::fmt;
use std::sync::Arc;

use crate::hex;
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use thumbforge_imaging::variant::MAX_SIDE;
use thumbforge_imaging::{Color, Fit, Format, Formats, Gravity, JpegCoding, Variant};

/// Variants of one job at most.
pub const MOST_VARIANTS: usize = 16;
/// The format of a job's row that this version writes, and the newest that it understands. A worker
/// leaves alone what it does not understand.
pub const SPEC_VERSION: i16 = 2;
/// The version of jobs that make the one thumbnail of the settings.
pub const SPEC_VERSION_OF_THUMBNAILS: i16 = 1;

const LONGEST_NAME: usize = 32;
/// Below it there is no image.
const LEAST_BYTES: u64 = 100;
const MOST_BYTES: u64 = 1_000_000_000;

/// A rendition with the name under which the client gets it.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedVariant {
    /// 1–32 of `a-z`, `0-9`, `_` and `-`.
    pub name: String,
    /// The job completes even if this one can't be made. Never true of the first.
    pub optional: bool,
    pub variant: Variant,
}

/// The variants of one job: 1–16, each with a name of its own. Cheap to clone.
#[derive(Debug, Clone, PartialEq)]
pub struct Variants(Arc<[NamedVariant]>);

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VariantFault {
    /// The path from the list to the fault, e.g. `2`, `width`; empty: the list itself.
    pub place: Vec<String>,
    /// A sentence whose subject is the place, e.g. `must be true or false`.
    pub detail: String,
}

impl fmt::Display for VariantFault {
    /// As `variants[2].width: must be …`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("variants")?;
        for step in &self.place {
            match step.parse::<usize>() {
                Ok(index) => write!(f, "[{index}]")?,
                Err(_) => write!(f, ".{step}")?,
            }
        }
        write!(f, ": {}", self.detail)
    }
}

impl Variants {
    /// Reads a list of variants.
    ///
    /// # Errors
    /// Every fault, in the order of the list; never an empty list of them.
    pub fn read(list: &Value) -> Result<Self, Vec<VariantFault>> {
        let at_list = |detail: &str| {
            let detail = detail.to_owned();
            vec![VariantFault {
                place: Vec::new(),
                detail,
            }]
        };
        let Value::Array(items) = list else {
            return Err(at_list("must be an array"));
        };
        if items.is_empty() {
            return Err(at_list("must not be empty"));
        }
        if items.len() > MOST_VARIANTS {
            return Err(at_list("must have at most 16 items"));
        }
        let mut faults = Vec::new();
        let mut variants: Vec<NamedVariant> = Vec::with_capacity(items.len());
        let mut names: Vec<&str> = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let mut members = match Members::of(index, item) {
                Ok(members) => members,
                Err(fault) => {
                    faults.push(fault);
                    continue;
                }
            };
            let variant = members.variant();
            let name = members.name();
            if let Some(name) = name {
                if names.contains(&name) {
                    members.fault("name", "is the name of an earlier variant");
                }
                names.push(name);
            }
            let optional = members.boolean("optional");
            if optional && index == 0 {
                members.fault(
                    "optional",
                    "must be false for the first variant, which is the job's thumbnail",
                );
            }
            members.refuse_strangers();
            faults.append(&mut members.faults);
            if let (Some(name), Some(variant)) = (name, variant) {
                let name = name.to_owned();
                variants.push(NamedVariant {
                    name,
                    optional,
                    variant,
                });
            }
        }
        if faults.is_empty() {
            Ok(Self(variants.into()))
        } else {
            Err(faults)
        }
    }

    /// Reads the output of [`Self::to_json`]; `None` for anything else.
    pub fn from_json(text: &str) -> Option<Self> {
        Self::read(&serde_json::from_str(text).ok()?).ok()
    }

    /// The canonical form: variants that mean the same are written the same. Members with their
    /// default value are left out, so that a new member changes no hash.
    pub fn to_json(&self) -> String {
        let list: Vec<_> = self.iter().map(Written::of).collect();
        serde_json::to_string(&list).expect("plain members can be written")
    }

    /// SHA-256 of the canonical form, lower-case hex.
    pub fn hash(&self) -> String {
        hex(&Sha256::digest(self.to_json()))
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = &NamedVariant> {
        self.0.iter()
    }
}

/// Distinguishes jobs of one URL that make different things; empty for the one thumbnail of the
/// settings.
pub fn spec_hash(variants: Option<&Variants>) -> String {
    variants.map(Variants::hash).unwrap_or_default()
}

/// True of 1–32 of `a-z`, `0-9`, `_` and `-`: what names variants and presets.
pub fn is_name(text: &str) -> bool {
    let is_allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    (1..=LONGEST_NAME).contains(&text.len()) && text.bytes().all(is_allowed)
}

/// The rule for a name, as the end of a sentence.
pub const NAME_RULE: &str = "must be 1 to 32 of a-z, 0-9, _ and -";

const MEMBERS: [&str; 16] = [
    "name",
    "width",
    "height",
    "fit",
    "gravity",
    "format",
    "quality",
    "max_bytes",
    "background",
    "enlarge",
    "blur",
    "sharpen",
    "grayscale",
    "progressive",
    "animated",
    "optional",
];

/// The words of `fit`, the default first.
pub const FITS: [(&str, Fit); 4] = [
    ("inside", Fit::Inside),
    ("cover", Fit::Cover),
    ("contain", Fit::Contain),
    ("fill", Fit::Fill),
];

/// The words of `gravity`, the default first.
pub const GRAVITIES: [(&str, Gravity); 10] = [
    ("center", Gravity::Center),
    ("north", Gravity::North),
    ("northeast", Gravity::NorthEast),
    ("east", Gravity::East),
    ("southeast", Gravity::SouthEast),
    ("south", Gravity::South),
    ("southwest", Gravity::SouthWest),
    ("west", Gravity::West),
    ("northwest", Gravity::NorthWest),
    ("attention", Gravity::Attention),
];

const NO_FIT: &str = "must be inside, cover, contain or fill";
const NO_GRAVITY: &str = "must be center, north, northeast, east, southeast, south, southwest, \
    west, northwest, attention, or x,y with both from 0 to 1";
const NO_FORMAT: &str = "must be jpeg, png, webp, avif, auto, or a list of the first four";

/// One item of the list while it is read.
struct Members<'a> {
    index: usize,
    object: &'a Map<String, Value>,
    faults: Vec<VariantFault>,
}

impl<'a> Members<'a> {
    fn of(index: usize, item: &'a Value) -> Result<Self, VariantFault> {
        match item {
            Value::Object(object) => Ok(Self {
                index,
                object,
                faults: Vec::new(),
            }),
            _ => Err(VariantFault {
                place: vec![index.to_string()],
                detail: "must be an object".to_owned(),
            }),
        }
    }

    fn fault(&mut self, member: &str, detail: impl Into<String>) {
        self.faults.push(VariantFault {
            place: vec![self.index.to_string(), member.to_owned()],
            detail: detail.into(),
        });
    }

    /// `null` means the same as leaving a member out.
    fn get(&self, member: &str) -> Option<&'a Value> {
        self.object.get(member).filter(|value| !value.is_null())
    }

    fn name(&mut self) -> Option<&'a str> {
        match self.get("name") {
            None => self.fault("name", "is required"),
            Some(Value::String(name)) if is_name(name) => return Some(name),
            Some(_) => self.fault("name", NAME_RULE),
        }
        None
    }

    /// `None` if there was a fault that leaves no variant.
    fn variant(&mut self) -> Option<Variant> {
        let width = self.whole("width", 1, MAX_SIDE.into());
        let height = self.whole("height", 1, MAX_SIDE.into());
        let fit = self.fit();
        self.require_sides(fit);
        let gravity = self.gravity();
        let formats = self.formats();
        let quality = self.whole("quality", 1, 100);
        let max_bytes = self.whole("max_bytes", LEAST_BYTES, MOST_BYTES);
        let background = self.background();
        let enlarge = self.boolean("enlarge");
        let blur = self.number("blur", 0.3, 100.0);
        let sharpen = self.number("sharpen", 0.0, 10.0);
        let grayscale = self.boolean("grayscale");
        let animated = self.boolean("animated");
        let jpeg_coding = if self.boolean("progressive") {
            JpegCoding::Progressive
        } else {
            JpegCoding::Optimized
        };
        Some(Variant {
            width: width.and_then(|side| u32::try_from(side).ok()),
            height: height.and_then(|side| u32::try_from(side).ok()),
            fit,
            gravity,
            formats: formats?,
            quality: quality.and_then(|quality| u8::try_from(quality).ok()),
            jpeg_coding,
            max_bytes,
            background,
            enlarge,
            blur,
            sharpen: sharpen.filter(|strength| *strength > 0.0),
            grayscale,
            animated,
        })
    }

    fn require_sides(&mut self, fit: Fit) {
        let missing: Vec<&str> = ["width", "height"]
            .into_iter()
            .filter(|side| self.get(side).is_none())
            .collect();
        match fit {
            Fit::Inside if missing.len() == 2 => self.faults.push(VariantFault {
                place: vec![self.index.to_string()],
                detail: "must have a width or a height".to_owned(),
            }),
            Fit::Inside => {}
            Fit::Cover | Fit::Contain | Fit::Fill => {
                for side in missing {
                    self.fault(
                        side,
                        format!("is required with the fit {}", word(&FITS, fit)),
                    );
                }
            }
        }
    }

    fn fit(&mut self) -> Fit {
        let Some(value) = self.get("fit") else {
            return Fit::default();
        };
        let known = value.as_str().and_then(|text| meaning(&FITS, text));
        known.unwrap_or_else(|| {
            self.fault("fit", NO_FIT);
            Fit::default()
        })
    }

    fn gravity(&mut self) -> Gravity {
        let Some(value) = self.get("gravity") else {
            return Gravity::default();
        };
        let text = value.as_str();
        let known = text.and_then(|text| meaning(&GRAVITIES, text).or_else(|| focal_point(text)));
        known.unwrap_or_else(|| {
            self.fault("gravity", NO_GRAVITY);
            Gravity::default()
        })
    }

    fn formats(&mut self) -> Option<Formats> {
        let formats = match self.get("format") {
            None => return Some(Formats::List(vec![Format::Jpeg])),
            Some(Value::String(word)) if word == "auto" => return Some(Formats::Auto),
            Some(Value::String(word)) => Format::written_as(word).map(|format| vec![format]),
            Some(Value::Array(words)) if !words.is_empty() => words
                .iter()
                .map(|word| word.as_str().and_then(Format::written_as))
                .collect::<Option<Vec<Format>>>(),
            Some(_) => None,
        };
        let Some(formats) = formats else {
            self.fault("format", NO_FORMAT);
            return None;
        };
        let is_repeated = |(index, format)| formats[..index].contains(format);
        if formats.iter().enumerate().any(is_repeated) {
            self.fault("format", "must not name a format twice");
            return None;
        }
        Some(Formats::List(formats))
    }

    fn background(&mut self) -> Option<Color> {
        let value = self.get("background")?;
        let color = value.as_str().and_then(Color::parse);
        if color.is_none() {
            self.fault("background", "must be #rgb, #rgba, #rrggbb or #rrggbbaa");
        }
        color
    }

    /// JSON knows one kind of number: 5.0 is 5.
    fn whole(&mut self, member: &str, least: u64, most: u64) -> Option<u64> {
        let value = self.get(member)?;
        let number = value.as_f64().filter(|number| number.fract() == 0.0);
        let number = number.filter(|number| (least as f64..=most as f64).contains(number));
        if number.is_none() {
            self.fault(
                member,
                format!("must be a whole number from {least} to {most}"),
            );
        }
        number.map(|number| number as u64)
    }

    fn number(&mut self, member: &str, least: f64, most: f64) -> Option<f32> {
        let value = self.get(member)?;
        let number = value
            .as_f64()
            .filter(|number| (least..=most).contains(number));
        if number.is_none() {
            self.fault(member, format!("must be a number from {least} to {most}"));
        }
        number.map(|number| number as f32)
    }

    fn boolean(&mut self, member: &str) -> bool {
        match self.get(member) {
            None => false,
            Some(Value::Bool(value)) => *value,
            Some(_) => {
                self.fault(member, "must be true or false");
                false
            }
        }
    }

    fn refuse_strangers(&mut self) {
        let known = |name: &str| MEMBERS.contains(&name);
        let strangers = self.object.keys().filter(|name| !known(name));
        let mut strangers: Vec<_> = strangers.cloned().collect();
        strangers.sort();
        for name in strangers {
            self.fault(&name, "is not known");
        }
    }
}

fn meaning<T: Copy>(words: &[(&str, T)], text: &str) -> Option<T> {
    let found = words.iter().find(|(word, _)| *word == text);
    found.map(|(_, meaning)| *meaning)
}

fn word<T: PartialEq>(words: &[(&'static str, T)], meaning: T) -> &'static str {
    let found = words.iter().find(|(_, known)| *known == meaning);
    found.map_or("", |(word, _)| word)
}

/// `x,y`, both from 0 to 1, in digits.
fn focal_point(text: &str) -> Option<Gravity> {
    let (x, y) = text.split_once(',')?;
    Some(Gravity::Point {
        x: share(x)?,
        y: share(y)?,
    })
}

/// `0`, `1`, `0.25`, `.25`; no sign and no exponent.
fn share(text: &str) -> Option<f32> {
    let (whole, digits) = text.split_once('.').unwrap_or((text, "0"));
    let is_whole = matches!(whole, "0" | "1") || (whole.is_empty() && text.len() > 1);
    let has_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let share = (is_whole && has_digits).then(|| text.parse::<f32>().ok())??;
    (share <= 1.0).then_some(share)
}

/// The canonical form of one variant; its members stand in the order of [`MEMBERS`].
#[derive(Serialize)]
struct Written<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    width: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fit: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gravity: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quality: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    background: Option<String>,
    #[serde(skip_serializing_if = "is_false")]
    enlarge: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    blur: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sharpen: Option<f32>,
    #[serde(skip_serializing_if = "is_false")]
    grayscale: bool,
    #[serde(skip_serializing_if = "is_false")]
    progressive: bool,
    #[serde(skip_serializing_if = "is_false")]
    animated: bool,
    #[serde(skip_serializing_if = "is_false")]
    optional: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_false(value: &bool) -> bool {
    !value
}

impl<'a> Written<'a> {
    fn of(named: &'a NamedVariant) -> Self {
        let NamedVariant {
            name,
            optional,
            variant,
        } = named;
        let gravity = match variant.gravity {
            Gravity::Center => None,
            Gravity::Point { x, y } => Some(format!("{x},{y}")),
            gravity => Some(word(&GRAVITIES, gravity).to_owned()),
        };
        let words = |formats: &[Format]| {
            let words = formats.iter().map(|format| Value::from(format.row().word));
            Value::Array(words.collect())
        };
        Self {
            name,
            width: variant.width,
            height: variant.height,
            fit: (variant.fit != Fit::default()).then(|| word(&FITS, variant.fit)),
            gravity,
            format: match &variant.formats {
                Formats::Auto => Some(Value::from("auto")),
                Formats::List(formats) if formats[..] == [Format::Jpeg] => None,
                Formats::List(formats) => Some(words(formats)),
            },
            quality: variant.quality,
            max_bytes: variant.max_bytes,
            background: variant.background.map(|color| {
                let Color {
                    red,
                    green,
                    blue,
                    alpha,
                } = color;
                format!("#{red:02x}{green:02x}{blue:02x}{alpha:02x}")
            }),
            enlarge: variant.enlarge,
            blur: variant.blur,
            sharpen: variant.sharpen,
            grayscale: variant.grayscale,
            progressive: variant.jpeg_coding == JpegCoding::Progressive,
            animated: variant.animated,
            optional: *optional,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn faults(list: &Value) -> Vec<String> {
        let faults = Variants::read(list).expect_err(&list.to_string());
        faults.iter().map(|fault| fault.place.join("/")).collect()
    }

    /// One variant with these members beside its name.
    fn one(members: &Value) -> Value {
        let mut variant = json!({"name": "card"});
        let object = variant.as_object_mut().unwrap();
        object.extend(members.as_object().unwrap().clone());
        json!([variant])
    }

    #[test]
    fn each_fault_is_pointed_at() {
        for (members, expected) in [
            (json!({}), "0"),
            (json!({"width": null}), "0"),
            (json!({"width": 0}), "0/width"),
            (json!({"width": 9000}), "0/width"),
            (json!({"width": -1}), "0/width"),
            (json!({"width": 1.5}), "0/width"),
            (json!({"width": "320"}), "0/width"),
            (json!({"width": 1e300}), "0/width"),
            (json!({"height": 0}), "0/height"),
            (json!({"height": 8193}), "0/height"),
            (json!({"width": 9, "fit": "cover"}), "0/height"),
            (json!({"height": 9, "fit": "contain"}), "0/width"),
            (json!({"width": 9, "fit": "fill"}), "0/height"),
            (json!({"width": 9, "fit": "outside"}), "0/fit"),
            (json!({"width": 9, "fit": 7}), "0/fit"),
            (json!({"width": 9, "gravity": "up"}), "0/gravity"),
            (json!({"width": 9, "gravity": "0.5"}), "0/gravity"),
            (json!({"width": 9, "gravity": "0.5,"}), "0/gravity"),
            (json!({"width": 9, "gravity": "0.5,1.01"}), "0/gravity"),
            (json!({"width": 9, "gravity": "-0.1,0"}), "0/gravity"),
            (json!({"width": 9, "gravity": "NaN,0"}), "0/gravity"),
            (json!({"width": 9, "gravity": "0,inf"}), "0/gravity"),
            (json!({"width": 9, "gravity": "0,0,0"}), "0/gravity"),
            (json!({"width": 9, "gravity": [0, 0]}), "0/gravity"),
            (json!({"width": 9, "format": "gif"}), "0/format"),
            (json!({"width": 9, "format": "JPEG"}), "0/format"),
            (json!({"width": 9, "format": []}), "0/format"),
            (json!({"width": 9, "format": ["auto"]}), "0/format"),
            (json!({"width": 9, "format": ["png", "png"]}), "0/format"),
            (json!({"width": 9, "format": ["png", 7]}), "0/format"),
            (json!({"width": 9, "format": true}), "0/format"),
            (json!({"width": 9, "quality": 0}), "0/quality"),
            (json!({"width": 9, "quality": 101}), "0/quality"),
            (json!({"width": 9, "max_bytes": 1}), "0/max_bytes"),
            (json!({"width": 9, "max_bytes": 99}), "0/max_bytes"),
            (json!({"width": 9, "max_bytes": 1e15}), "0/max_bytes"),
            (json!({"width": 9, "background": "red"}), "0/background"),
            (json!({"width": 9, "background": "#12345"}), "0/background"),
            (json!({"width": 9, "background": 0}), "0/background"),
            (json!({"width": 9, "enlarge": 1}), "0/enlarge"),
            (json!({"width": 9, "blur": 0.2}), "0/blur"),
            (json!({"width": 9, "blur": 101}), "0/blur"),
            (json!({"width": 9, "blur": "1"}), "0/blur"),
            (json!({"width": 9, "sharpen": -1}), "0/sharpen"),
            (json!({"width": 9, "sharpen": 10.5}), "0/sharpen"),
            (json!({"width": 9, "grayscale": "yes"}), "0/grayscale"),
            (json!({"width": 9, "optional": 0}), "0/optional"),
            (json!({"width": 9, "optional": true}), "0/optional"),
            (json!({"width": 9, "name": "../x"}), "0/name"),
            (json!({"width": 9, "name": ""}), "0/name"),
            (json!({"width": 9, "name": "A"}), "0/name"),
            (json!({"width": 9, "name": "a b"}), "0/name"),
            (json!({"width": 9, "name": "é"}), "0/name"),
            (json!({"width": 9, "name": 7}), "0/name"),
            (json!({"width": 9, "name": null}), "0/name"),
            (json!({"width": 9, "name": "a".repeat(33)}), "0/name"),
            (json!({"width": 9, "colour": 1}), "0/colour"),
        ] {
            assert_eq!(faults(&one(&members)), [expected], "{members}");
        }
    }

    #[test]
    fn all_faults_of_all_variants_are_told() {
        let list = json!([
            {"name": "a", "fit": "cover", "quality": 101, "blur": 0},
            7,
            {"name": "a", "width": 9},
            {"name": "b", "width": 9, "more": 1, "again": 2},
        ]);
        assert_eq!(
            faults(&list),
            [
                "0/width",
                "0/height",
                "0/quality",
                "0/blur",
                "1",
                "2/name",
                "3/again",
                "3/more"
            ]
        );
        for list in [json!([]), json!({}), json!("gallery"), json!(null)] {
            assert_eq!(faults(&list), [""], "{list}");
        }
        let named = |count: usize| {
            let list = (0..count).map(|number| json!({"name": format!("v{number}"), "width": 9}));
            Value::Array(list.collect())
        };
        assert_eq!(Variants::read(&named(16)).unwrap().iter().len(), 16);
        assert_eq!(faults(&named(17)), [""]);
    }

    #[test]
    fn a_fault_in_a_file_names_its_place() {
        let list = json!([{"name": "a", "width": 9}, {"name": "b", "width": 0}]);
        let faults = Variants::read(&list).unwrap_err();
        let expected = "variants[1].width: must be a whole number from 1 to 8192";
        assert_eq!(faults[0].to_string(), expected);
    }

    #[test]
    fn what_means_the_same_has_one_form_and_is_read_back() {
        let spellings = [
            json!([{"name": "a", "width": 320}]),
            json!([{"width": 320.0, "name": "a", "height": null, "fit": "inside",
                "gravity": "center", "format": ["jpeg"], "enlarge": false, "sharpen": 0}]),
        ];
        for list in &spellings {
            let variants = Variants::read(list).unwrap();
            assert_eq!(variants.to_json(), "[{\"name\":\"a\",\"width\":320}]");
        }
        let rich = json!([
            {"name": "a", "width": 1, "height": 8192, "fit": "cover", "gravity": "attention",
                "format": "auto", "quality": 1, "max_bytes": 100},
            {"name": "b_-0", "width": 8192, "height": 1, "fit": "contain", "gravity": "0.1,1",
                "format": ["avif", "webp", "png"], "background": "#FFF8", "enlarge": true,
                "blur": 0.3, "sharpen": 0.7, "grayscale": true, "optional": true},
        ]);
        let variants = Variants::read(&rich).unwrap();
        let text = variants.to_json();
        assert!(text.contains("\"background\":\"#ffffff88\""), "{text}");
        assert!(
            text.contains("\"gravity\":\"0.1,1\",") && text.contains("\"blur\":0.3,"),
            "{text}"
        );
        assert_eq!(Variants::from_json(&text), Some(variants.clone()));
        assert_eq!(Variants::from_json("[]"), None);
        let second = variants.iter().nth(1).unwrap();
        assert_eq!(second.variant.gravity, Gravity::Point { x: 0.1, y: 1.0 });
    }

    #[test]
    fn hashes_tell_specs_apart() {
        let hash = |list: Value| spec_hash(Some(&Variants::read(&list).unwrap()));
        let first = hash(json!([{"name": "a", "width": 320}]));
        assert_eq!(first.len(), 64);
        assert_eq!(
            first,
            hash(json!([{"name": "a", "width": 320, "format": "jpeg"}]))
        );
        for other in [
            json!([{"name": "b", "width": 320}]),
            json!([{"name": "a", "width": 321}]),
            json!([{"name": "a", "width": 320, "format": "webp"}]),
            json!([{"name": "a", "width": 320}, {"name": "b", "width": 320}]),
        ] {
            assert_ne!(first, hash(other.clone()), "{other}");
        }
        assert_eq!(spec_hash(None), "");
    }
}
