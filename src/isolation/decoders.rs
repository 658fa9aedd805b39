//! Which formats are decoded where.

use std::sync::Arc;

use thumbforge_imaging::{Format, ImagingError, formats::FORMATS};

use super::{CannotIsolate, ChildLimits, Pool, Program};
use crate::domain::DecodeIsolation;

/// Where pictures are decoded. Cheap to clone.
#[derive(Clone, Default)]
pub struct Decoders {
    pool: Option<Arc<Pool>>,
    takes_all: bool,
    /// Why some formats are refused, as a sentence.
    notice: Option<Arc<str>>,
}

impl Decoders {
    /// Starts a child, unless none is wanted.
    ///
    /// # Errors
    /// Everything shall be decoded in children, and there can be none.
    pub fn open(isolation: DecodeIsolation, limits: &ChildLimits) -> Result<Self, CannotIsolate> {
        Self::of_program(isolation, || Program::itself(limits))
    }

    /// The same with children of another program.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn of_program(
        isolation: DecodeIsolation,
        program: impl FnOnce() -> Program,
    ) -> Result<Self, CannotIsolate> {
        if isolation == DecodeIsolation::Off {
            let decoders = Self::without("THUMBFORGE_DECODE_ISOLATION is off");
            tracing::info!("{}", decoders.notice().unwrap_or_default());
            return Ok(decoders);
        }
        let takes_all = isolation == DecodeIsolation::All;
        match Pool::open(program()) {
            Ok(pool) => {
                let landlock = pool.has_landlock();
                tracing::info!(all = takes_all, landlock, "decoders are locked down");
                Ok(Self {
                    pool: Some(Arc::new(pool)),
                    takes_all,
                    notice: None,
                })
            }
            Err(error) if takes_all => Err(error),
            Err(error) => {
                let decoders = Self::without("this system can't lock a decoder down");
                let notice = decoders.notice().unwrap_or_default();
                tracing::warn!(reason = %error, "{notice}");
                Ok(decoders)
            }
        }
    }

    fn without(reason: &str) -> Self {
        let refused = FORMATS.iter().map(|row| row.format);
        let refused = refused.filter(|format| format.row().is_read && format.needs_lockdown());
        let names: Vec<_> = refused.map(Format::name).collect();
        let names = names.join(" and ");
        Self {
            notice: Some(format!("{names} images are refused: {reason}.").into()),
            ..Self::default()
        }
    }

    /// What an operator should know, as a sentence.
    pub fn notice(&self) -> Option<&str> {
        self.notice.as_deref()
    }

    /// The children that decode this format; `None`: this process does.
    ///
    /// # Errors
    /// The format needs a child, and there is none.
    pub(crate) fn of(&self, format: Format) -> Result<Option<Arc<Pool>>, ImagingError> {
        match &self.pool {
            Some(pool) if self.takes_all || format.needs_lockdown() => Ok(Some(Arc::clone(pool))),
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
            memory_bytes: None,
        };
        for (isolation, reason) in [
            (DecodeIsolation::Off, "THUMBFORGE_DECODE_ISOLATION is off"),
            (
                DecodeIsolation::Risky,
                "this system can't lock a decoder down",
            ),
        ] {
            let decoders = Decoders::of_program(isolation, nobody).unwrap();
            let notice = format!("AVIF and SVG images are refused: {reason}.");
            assert_eq!(decoders.notice(), Some(&*notice));
            assert!(decoders.of(Format::Avif).is_err());
            assert!(decoders.of(Format::Jpeg).unwrap().is_none());
        }
        assert!(Decoders::of_program(DecodeIsolation::All, nobody).is_err());
    }
}
