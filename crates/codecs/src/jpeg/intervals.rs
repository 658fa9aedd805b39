//! The restart intervals of a scan, also where their markers are damaged: as in libjpeg, an
//! interval that can't be read costs itself alone (ITU-T T.81, B.1.1.5 and E.1.4, which leaves the
//! recovery open).

use super::bits::{Bits, Input, Restart};
use super::error::JpegError;

/// Where a scan is among its restart intervals, and what was wrong on the way.
pub struct Intervals {
    /// MCUs in each; 0 if the scan is one.
    length: usize,
    /// MCUs that the current one still has.
    left: usize,
    /// How many markers lie behind.
    passed: u32,
    /// Nothing more can be read of the current one.
    is_lost: bool,
    /// Whether reading can go on after the current one; looked for once something is wrong.
    restart_follows: Option<bool>,
    damage: Option<JpegError>,
}

/// MCUs of one interval that lie in one row.
pub struct Run {
    pub mcus: usize,
    /// They begin the interval: predictions are forgotten.
    pub is_new: bool,
    /// There is no data for them.
    pub is_lost: bool,
}

impl Intervals {
    pub fn new(length: u32) -> Self {
        Self {
            length: length as usize,
            left: length as usize,
            passed: 0,
            is_lost: false,
            restart_follows: None,
            damage: None,
        }
    }

    /// What was wrong in intervals after which the scan went on.
    pub fn damage(&self) -> Option<JpegError> {
        self.damage
    }

    /// The next MCUs, at most `wanted`; steps over a restart marker where one is due.
    ///
    /// # Errors
    /// [`JpegError::Truncated`] if no interval follows.
    #[inline(always)]
    pub fn next_run(
        &mut self,
        wanted: usize,
        input: &mut Input<'_>,
        bits: &mut Bits,
    ) -> Result<Run, JpegError> {
        if self.length == 0 {
            return Ok(Run {
                mcus: wanted,
                is_new: false,
                is_lost: false,
            });
        }
        let is_new = self.left == 0;
        if is_new {
            *bits = self.begin(input, *bits)?;
        }
        let mcus = wanted.min(self.left);
        self.left -= mcus;
        Ok(Run {
            mcus,
            is_new,
            is_lost: self.is_lost,
        })
    }

    #[inline(never)]
    fn begin(&mut self, input: &mut Input<'_>, bits: Bits) -> Result<Bits, JpegError> {
        let overran = !self.is_lost && input.check_overrun(bits).is_err();
        let restart = input.restart(self.passed)?;
        (self.left, self.restart_follows) = (self.length, None);
        self.passed += 1;
        self.is_lost = restart == Restart::Later;
        if overran {
            self.damage.get_or_insert(JpegError::Truncated);
        }
        if self.is_lost {
            self.damage
                .get_or_insert(JpegError::Corrupt("lost restart marker"));
        }
        Ok(Bits::default())
    }

    /// Notes damage after which the current interval is read on, right or wrong: the next one
    /// begins anew.
    ///
    /// # Errors
    /// `error`, if there is no next one.
    #[cold]
    #[inline(never)]
    pub fn tolerate(&mut self, error: JpegError, input: &Input<'_>) -> Result<(), JpegError> {
        let follows = self.length > 0
            && *self
                .restart_follows
                .get_or_insert_with(|| input.restart_follows());
        if !follows {
            return Err(error);
        }
        self.damage.get_or_insert(error);
        Ok(())
    }

    /// As [`tolerate`](Self::tolerate), but the current interval has no more data.
    ///
    /// # Errors
    /// `error`, if there is no next one.
    #[cold]
    #[inline(never)]
    pub fn lose(&mut self, error: JpegError, input: &Input<'_>) -> Result<(), JpegError> {
        self.tolerate(error, input)?;
        self.is_lost = true;
        Ok(())
    }

    /// Call after each row of MCUs: looks at the clock, and whether the row took bits that are not
    /// there.
    ///
    /// # Errors
    /// [`JpegError::TimedOut`], or [`JpegError::Truncated`] if no interval follows.
    pub fn end_row(&mut self, input: &Input<'_>, bits: Bits) -> Result<(), JpegError> {
        input.check_deadline()?;
        match input.check_overrun(bits) {
            Err(error) if !self.is_lost => self.lose(error, input),
            _ => Ok(()),
        }
    }
}
