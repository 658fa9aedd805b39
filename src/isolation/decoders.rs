//! Which formats are decoded where.

use std::sync::Arc;

use thumbforge_imaging::confined::Unmeasured;
use thumbforge_imaging::{Format, ImagingError, Limits, Source};

use super::{CannotIsolate, ChildLimits, Pool, Program};
use crate::domain::{DecodeIsolation, Failure, FailureCode};

/// What the settings say of decoders.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DecoderRules {
    pub isolation: DecodeIsolation,
    /// PDF documents are read.
    pub reads_pdf: bool,
}

impl DecoderRules {
    const fn reads(self, format: Format) -> bool {
        format.row().is_read && (self.reads_pdf || !format.is_off_by_default())
    }
}

/// Where pictures are decoded. Cheap to clone.
#[derive(Clone, Default)]
pub struct Decoders {
    rules: DecoderRules,
    pool: Option<Arc<Pool>>,
    /// Why some formats are refused, as a sentence.
    notice: Option<Arc<str>>,
}

impl Decoders {
    /// Starts a child, unless none is wanted.
    ///
    /// # Errors
    /// Everything shall be decoded in children, and there can be none.
    pub fn open(rules: DecoderRules, limits: &ChildLimits) -> Result<Self, CannotIsolate> {
        Self::of_program(rules, || Program::itself(limits))
    }

    /// The same with children of another program.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn of_program(
        rules: DecoderRules,
        program: impl FnOnce() -> Program,
    ) -> Result<Self, CannotIsolate> {
        if rules.isolation == DecodeIsolation::Off {
            let decoders = Self::without(rules, "THUMBFORGE_DECODE_ISOLATION is off");
            tracing::info!("{}", decoders.notice().unwrap_or_default());
            return Ok(decoders);
        }
        let takes_all = rules.isolation == DecodeIsolation::All;
        match Pool::open(program()) {
            Ok(pool) => {
                let landlock = pool.has_landlock();
                tracing::info!(all = takes_all, landlock, "decoders are locked down");
                Ok(Self {
                    rules,
                    pool: Some(Arc::new(pool)),
                    notice: None,
                })
            }
            Err(error) if takes_all => Err(error),
            Err(error) => {
                let decoders = Self::without(rules, "this system can't lock a decoder down");
                let notice = decoders.notice().unwrap_or_default();
                tracing::warn!(reason = %error, "{notice}");
                Ok(decoders)
            }
        }
    }

    fn without(rules: DecoderRules, reason: &str) -> Self {
        let refused = Format::read().filter(|format| rules.reads(*format));
        let refused = refused.filter(|format| format.needs_lockdown());
        let names: Vec<_> = refused.map(Format::name).collect();
        let names = match names.as_slice() {
            [first @ .., last] => format!("{} and {last}", first.join(", ")),
            [] => String::new(),
        };
        Self {
            rules,
            notice: Some(format!("{names} images are refused: {reason}.").into()),
            ..Self::default()
        }
    }

    /// What an operator should know, as a sentence.
    pub fn notice(&self) -> Option<&str> {
        self.notice.as_deref()
    }

    /// Reads the header of a source; one that only a child may read is measured there.
    ///
    /// # Errors
    /// Those of [`Source::open`]; a format that is not read here; a child that failed.
    pub(crate) fn read<'a>(&self, bytes: &'a [u8], limits: &Limits) -> Result<Source<'a>, Failure> {
        let error = match Source::open(bytes, limits) {
            Ok(source) => return Ok(source),
            Err(error) => error,
        };
        let ImagingError::NeedsLockdown { format } = error else {
            return Err(error.into());
        };
        if !self.rules.reads(format) {
            let sentence = format!(
                "{} files are not read here; THUMBFORGE_DECODE_PDF=true turns that on",
                format.name()
            );
            return Err(Failure::new(FailureCode::UnsupportedFormat, sentence));
        }
        let pool = self.pool.as_ref().ok_or(error)?;
        pool.measure(Unmeasured::new(bytes, format), limits)
    }

    /// The children that decode this format; `None`: this process does.
    ///
    /// # Errors
    /// The format needs a child, and there is none.
    pub(crate) fn of(&self, format: Format) -> Result<Option<Arc<Pool>>, ImagingError> {
        let takes_all = self.rules.isolation == DecodeIsolation::All;
        match &self.pool {
            Some(pool) if takes_all || format.needs_lockdown() => Ok(Some(Arc::clone(pool))),
            None if format.needs_lockdown() => Err(ImagingError::NeedsLockdown { format }),
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_children_what_needs_them_is_refused_and_said() {
        let nobody = || Program {
            path: "/nonexistent/program".into(),
            arguments: Vec::new(),
            memory_bytes: 0,
        };
        let rules = |isolation, reads_pdf| DecoderRules {
            isolation,
            reads_pdf,
        };
        for (isolation, reason) in [
            (DecodeIsolation::Off, "THUMBFORGE_DECODE_ISOLATION is off"),
            (
                DecodeIsolation::Risky,
                "this system can't lock a decoder down",
            ),
        ] {
            for (reads_pdf, names) in [(false, "AVIF and SVG"), (true, "AVIF, SVG and PDF")] {
                let decoders = Decoders::of_program(rules(isolation, reads_pdf), nobody).unwrap();
                let notice = format!("{names} images are refused: {reason}.");
                assert_eq!(decoders.notice(), Some(&*notice));
                assert!(decoders.of(Format::Avif).is_err());
                assert!(decoders.of(Format::Jpeg).unwrap().is_none());
            }
        }
        assert!(Decoders::of_program(rules(DecodeIsolation::All, false), nobody).is_err());
    }

    #[test]
    fn a_document_is_refused_by_the_name_of_the_setting_or_because_there_are_no_children() {
        let limits = Limits::default();
        for (reads_pdf, sentence) in [
            (false, "THUMBFORGE_DECODE_PDF=true"),
            (true, "locked-down process"),
        ] {
            let rules = DecoderRules {
                isolation: DecodeIsolation::Off,
                reads_pdf,
            };
            let nobody = || unreachable!("no child is wanted");
            let decoders = Decoders::of_program(rules, nobody).unwrap();
            let failure = decoders.read(b"%PDF-1.7\n", &limits).err().unwrap();
            assert_eq!(failure.code, FailureCode::UnsupportedFormat);
            assert!(failure.to_string().contains(sentence), "{failure}");
        }
    }
}
