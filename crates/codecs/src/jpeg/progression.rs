//! Finds the scans of a progressive picture that must be decoded for its lowest frequencies.

use super::error::{JpegError, MAX_SCANS};
use super::header::Header;
use super::markers::{self, MarkerReader};
use super::scan::Scan;

/// A scan of the file, and whether it is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedScan {
    pub scan: Scan,
    pub needed: bool,
    /// Where in the file the marker after its data is.
    pub end: usize,
}

/// All scans of the file, from marker to marker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub scans: Vec<PlannedScan>,
    /// Why the file could not be followed to its EOI marker.
    pub stopped: Option<JpegError>,
}

impl Plan {
    /// Plans for the coefficients up to `last_needed` (in zigzag order).
    ///
    /// A scan is needed if it carries one of them. A scan that refines needed AC coefficients also
    /// holds correction bits of all others in its band that are not zero yet. To read over those,
    /// the scans that show which they are, are needed too.
    pub fn new(bytes: &[u8], header: &Header, last_needed: usize) -> Result<Self, JpegError> {
        let mut plan = Self {
            scans: Vec::new(),
            stopped: None,
        };
        let mut progression = vec![Progression::default(); header.components.len()];
        let mut reader = MarkerReader::new(bytes)?;
        let mut in_order = Ok(());
        loop {
            match next_scan(&mut reader, header) {
                Ok(Some(scan)) if plan.scans.len() < MAX_SCANS => {
                    let mut parts = scan.components.iter();
                    in_order = in_order
                        .and_then(|()| parts.try_for_each(|c| progression[c.index].advance(&scan)));
                    let end = reader.end_of_data();
                    reader.seek(end);
                    plan.scans.push(PlannedScan {
                        scan,
                        needed: false,
                        end,
                    });
                }
                Ok(Some(_)) => return Err(JpegError::TooManyScans),
                Ok(None) => break,
                Err(error) => {
                    plan.stopped = Some(error);
                    break;
                }
            }
        }
        in_order?;
        let mut limits = vec![last_needed; header.components.len()];
        for planned in plan.scans.iter_mut().rev() {
            let scan = &planned.scan;
            planned.needed = scan
                .components
                .iter()
                .any(|c| scan.first <= limits[c.index]);
            if planned.needed && scan.first > 0 && scan.high > 0 {
                let limit = &mut limits[scan.components[0].index];
                *limit = scan.last.max(*limit);
            }
        }
        Ok(plan)
    }
}

fn next_scan(reader: &mut MarkerReader<'_>, header: &Header) -> Result<Option<Scan>, JpegError> {
    loop {
        match reader.next_marker()? {
            markers::EOI => return Ok(None),
            markers::SOS => return Scan::parse(reader.segment()?, header).map(Some),
            markers::SOF2 | markers::DQT | markers::DHT | markers::DRI => {
                reader.segment()?;
            }
            code => reader.skip_segment(code)?,
        }
    }
}

/// How far each coefficient of a component has come: bit position of its last scan.
#[derive(Debug, Clone)]
struct Progression([Option<u32>; 64]);

impl Default for Progression {
    fn default() -> Self {
        Self([None; 64])
    }
}

impl Progression {
    /// The order that T.81, G.1.1 requires. It also bounds how much work a small file can make.
    fn advance(&mut self, scan: &Scan) -> Result<(), JpegError> {
        const UNUSUAL: JpegError = JpegError::Unsupported("order of progressive scans");
        if scan.first > 0 && self.0[0].is_none() {
            return Err(UNUSUAL);
        }
        for low in &mut self.0[scan.first..=scan.last] {
            if *low != (scan.high > 0).then_some(scan.high) {
                return Err(UNUSUAL);
            }
            *low = Some(scan.low);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::header::read_header;
    use super::*;

    /// A grey file with these scans: first, last, high, low.
    fn file(scans: &[[u8; 4]]) -> Vec<u8> {
        let mut bytes = vec![
            0xFF,
            markers::SOI,
            0xFF,
            markers::SOF2,
            0,
            11,
            8,
            0,
            8,
            0,
            8,
            1,
            1,
            0x11,
            0,
        ];
        for [first, last, high, low] in scans {
            bytes.extend([
                0xFF,
                markers::SOS,
                0,
                8,
                1,
                1,
                0,
                *first,
                *last,
                high << 4 | low,
                0x55,
                0xFF,
                0x00,
            ]);
        }
        bytes.extend([0xFF, markers::EOI]);
        bytes
    }

    fn needed(scans: &[[u8; 4]], last_needed: usize) -> Vec<bool> {
        let bytes = file(scans);
        let plan = Plan::new(&bytes, &read_header(&bytes).unwrap(), last_needed).unwrap();
        assert_eq!(plan.stopped, None);
        plan.scans.iter().map(|planned| planned.needed).collect()
    }

    /// The order that libjpeg writes by default.
    const USUAL: [[u8; 4]; 6] = [
        [0, 0, 0, 1],
        [1, 5, 0, 2],
        [6, 63, 0, 2],
        [1, 63, 2, 1],
        [0, 0, 1, 0],
        [1, 63, 1, 0],
    ];

    #[test]
    fn the_dc_coefficients_need_the_dc_scans_only() {
        assert_eq!(needed(&USUAL, 0), [true, false, false, false, true, false]);
    }

    #[test]
    fn a_refinement_needs_the_scans_that_tell_what_it_refines() {
        assert_eq!(needed(&USUAL, 4), [true; 6]);
        assert_eq!(
            needed(&[[0, 0, 0, 0], [1, 5, 0, 0], [6, 63, 0, 0]], 4),
            [true, true, false]
        );
    }

    #[test]
    fn scans_out_of_order_and_too_many_scans_are_refused() {
        let plan = |scans: &[[u8; 4]]| {
            let bytes = file(scans);
            Plan::new(&bytes, &read_header(&bytes).unwrap(), 0).map(|_| ())
        };
        assert!(matches!(
            plan(&[[0, 0, 0, 0], [0, 0, 0, 0]]),
            Err(JpegError::Unsupported(_))
        ));
        assert!(matches!(
            plan(&[[0, 0, 0, 2], [0, 0, 1, 0]]),
            Err(JpegError::Unsupported(_))
        ));
        assert!(matches!(
            plan(&[[1, 5, 0, 0]]),
            Err(JpegError::Unsupported(_))
        ));
        assert_eq!(
            plan(&[[0, 0, 0, 0]; MAX_SCANS + 1]),
            Err(JpegError::TooManyScans)
        );
    }
}
