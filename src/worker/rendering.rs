//! The blocking half of the engine: a source is opened once, decoded once, and rendered for each
//! variant that is wanted.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use thumbforge_imaging::{
    ErrorKind, ImagingError, Inspected, Limits, Plan, Rendition, Scratch, Source, SourceImage,
    Variant,
};

use crate::domain::{Failure, Variants, hex};
use crate::isolation::{Decoders, Pool};

/// A variant to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    pub variant: Variant,
    /// The others count without it.
    pub optional: bool,
}

impl Wanted {
    /// Of a request, in their order.
    pub fn all<L: FromIterator<Self>>(variants: &Variants) -> L {
        let wanted = variants.iter().map(|named| Self {
            variant: named.variant.clone(),
            optional: named.optional,
        });
        wanted.collect()
    }
}

/// The results from one source.
pub struct Made {
    pub source: SourceImage,
    /// Of the source, as 64 hex digits.
    pub sha256: String,
    pub dominant_color: String,
    pub thumbhash: Vec<u8>,
    pub took: Took,
    /// One a variant, in their order; only optional ones may have failed.
    pub renditions: Vec<Result<Rendition, Failure>>,
}

/// How long the pictures took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Took {
    pub decode: Duration,
    /// All variants together.
    pub render: Duration,
}

/// Why no picture was made.
#[derive(Debug)]
pub struct VariantFailure {
    pub failure: Failure,
    /// The place of the variant that could not be made, if one caused it.
    pub variant: Option<usize>,
}

impl From<Failure> for VariantFailure {
    fn from(failure: Failure) -> Self {
        Self {
            failure,
            variant: None,
        }
    }
}

impl From<ImagingError> for VariantFailure {
    fn from(error: ImagingError) -> Self {
        Failure::from(error).into()
    }
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// A source whose variants are planned.
pub(crate) struct Opened<'a> {
    bytes: &'a [u8],
    source: Source<'a>,
    planned: Planned,
}

/// A planned source that waits for memory, apart from its bytes.
pub(super) struct Paused {
    inspected: Inspected,
    planned: Planned,
}

struct Planned {
    plan: Plan,
    /// The children that decode it; `None`: this process does.
    children: Option<Arc<Pool>>,
    /// For each variant, why it is not made; only optional ones have a reason.
    refused: Vec<Option<Failure>>,
}

impl<'a> Opened<'a> {
    /// Reads the header, and plans the variants that can be made.
    pub(crate) fn new(
        bytes: &'a [u8],
        wanted: &[Wanted],
        limits: &Limits,
        decoders: &Decoders,
    ) -> Result<Self, VariantFailure> {
        let source = decoders.read(bytes, limits)?;
        let children = decoders.of(source.format())?;
        let mut refused: Vec<Option<Failure>> = wanted.iter().map(|_| None).collect();
        loop {
            let places: Vec<usize> = (0..wanted.len())
                .filter(|place| refused[*place].is_none())
                .collect();
            let variants: Vec<Variant> = places
                .iter()
                .map(|place| wanted[*place].variant.clone())
                .collect();
            let at_fault = match source.plan(&variants, limits) {
                Ok(plan) => {
                    let planned = Planned {
                        plan,
                        children,
                        refused,
                    };
                    return Ok(Self {
                        bytes,
                        source,
                        planned,
                    });
                }
                Err(error) => error,
            };
            let at_fault_place = at_fault
                .variant
                .and_then(|index| places.get(index).copied());
            // Variants may be too much only together: then the others go on without optional ones.
            let is_shared = at_fault.error.kind() == ErrorKind::OutputTooManyPixels;
            let optional = |place: &usize| wanted[*place].optional;
            let left_out = at_fault_place.filter(optional).or_else(|| {
                let mut rest = places.iter().rev().copied().filter(|_| is_shared);
                rest.find(optional)
            });
            let Some(place) = left_out else {
                return Err(VariantFailure {
                    failure: at_fault.error.into(),
                    variant: at_fault_place,
                });
            };
            refused[place] = Some(at_fault.error.into());
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let plan = &self.planned.plan;
        match self.planned.children {
            Some(_) => self.source.confined_memory_bytes(plan),
            None => plan.memory_bytes,
        }
    }

    pub(super) fn pause(self) -> Paused {
        Paused {
            inspected: self.source.into_inspected(),
            planned: self.planned,
        }
    }

    /// Decodes, and renders each variant.
    pub(crate) fn make(self, wanted: &[Wanted], limits: &Limits) -> Result<Made, VariantFailure> {
        let Planned {
            plan,
            children,
            refused,
        } = self.planned;
        SCRATCH.with_borrow_mut(|scratch| {
            let started = Instant::now();
            let picture = match &children {
                Some(children) => children.decode(&self.source, &plan, limits)?,
                None => self.source.decode(&plan, limits, scratch)?,
            };
            let decode = started.elapsed();
            let milliseconds = decode.as_millis();
            tracing::debug!(milliseconds, variants = wanted.len(), "source decoded");
            let mut renditions = Vec::with_capacity(wanted.len());
            for (place, (wanted, refused)) in wanted.iter().zip(refused).enumerate() {
                let made = match refused {
                    Some(failure) => Err(failure),
                    // The frames of an animation would be decoded here, which is not wanted then.
                    None if children.is_some() => picture
                        .render(&wanted.variant, limits)
                        .map_err(Failure::from),
                    None => self
                        .source
                        .render(&picture, &wanted.variant, limits)
                        .map_err(Failure::from),
                };
                match made {
                    Err(failure) if !wanted.optional => {
                        return Err(VariantFailure {
                            failure,
                            variant: Some(place),
                        });
                    }
                    made => renditions.push(made),
                }
            }
            let render = started.elapsed() - decode;
            let summary = picture.summary()?;
            Ok(Made {
                took: Took { decode, render },
                source: picture.source().clone(),
                sha256: hex(&Sha256::digest(self.bytes)),
                dominant_color: summary.dominant_color,
                thumbhash: summary.thumbhash,
                renditions,
            })
        })
    }
}

impl Paused {
    pub(super) fn resume(self, bytes: &[u8]) -> Opened<'_> {
        Opened {
            bytes,
            source: Source::resume(bytes, self.inspected),
            planned: self.planned,
        }
    }
}
