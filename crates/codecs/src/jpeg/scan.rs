use super::error::JpegError;
use super::header::Header;

/// A component's part in a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScanComponent {
    /// Index into [`Header::components`].
    pub index: usize,
    /// Numbers of the DC and AC Huffman tables.
    pub dc: usize,
    pub ac: usize,
}

/// A scan header (ITU-T T.81, B.2.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    pub components: Vec<ScanComponent>,
    /// First and last coefficient in zigzag order.
    pub first: usize,
    pub last: usize,
    /// Bit position of the scan before (0 for a first scan) and of this one.
    pub high: u32,
    pub low: u32,
}

impl Scan {
    pub fn parse(segment: &[u8], header: &Header) -> Result<Self, JpegError> {
        const CORRUPT: JpegError = JpegError::Corrupt("scan header");
        let (&count, rest) = segment.split_first().ok_or(CORRUPT)?;
        let count = usize::from(count);
        if count == 0 || count > header.components.len() || rest.len() < 2 * count + 3 {
            return Err(CORRUPT);
        }
        let mut components: Vec<ScanComponent> = Vec::with_capacity(count);
        for pair in rest[..2 * count].chunks_exact(2) {
            // Some writers give all components one id: they are meant in their order.
            let is_free = |index: usize| components.iter().all(|c| c.index != index);
            let mut ids = header.components.iter().map(|c| c.id).enumerate();
            let (index, _) = ids
                .find(|(index, id)| *id == pair[0] && is_free(*index))
                .ok_or(CORRUPT)?;
            let (dc, ac) = (usize::from(pair[1] >> 4), usize::from(pair[1] & 15));
            if dc > 3 || ac > 3 {
                return Err(CORRUPT);
            }
            components.push(ScanComponent { index, dc, ac });
        }
        // B.2.3: an MCU has no more than 10 blocks. Readers of MCUs rely on it.
        let blocks = |c: &ScanComponent| {
            let component = header.components[c.index];
            u32::from(component.h) * u32::from(component.v)
        };
        if count > 1 && components.iter().map(blocks).sum::<u32>() > 10 {
            return Err(JpegError::Corrupt("too many blocks in an MCU"));
        }
        let [first, last, approximation] = [0, 1, 2].map(|i| rest[2 * count + i]);
        let scan = Self {
            components,
            first: usize::from(first),
            last: usize::from(last),
            high: u32::from(approximation >> 4),
            low: u32::from(approximation & 15),
        };
        if header.progressive {
            scan.check_progression()?;
        }
        Ok(scan)
    }

    /// The rules of table B.3 for progressive scans.
    fn check_progression(&self) -> Result<(), JpegError> {
        let band = if self.first == 0 {
            self.last == 0
        } else {
            self.first <= self.last && self.last <= 63 && self.components.len() == 1
        };
        let refines = self.high == 0 || self.high == self.low + 1;
        if band && refines && self.low <= 13 {
            Ok(())
        } else {
            Err(JpegError::Corrupt("progressive scan header"))
        }
    }
}

/// A scan that may have ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Whole rows of the full picture, in pixels, for which the scan's components have samples.
    pub rows: usize,
    pub stopped: Option<JpegError>,
    /// What was wrong in restart intervals after which it went on.
    pub damage: Option<JpegError>,
    /// What no scan had was estimated.
    pub is_smoothed: bool,
}
