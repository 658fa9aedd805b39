use std::time::Instant;

use super::bits::{Input, Window};
use super::cache::TableCache;
use super::edges::repeat_whole_samples;
use super::error::JpegError;
use super::header::{ColorKind, Header, parse_restart_interval};
use super::idct::{Transform, last_needed};
use super::markers::{self, MarkerReader};
use super::plane::{Layout, Plane, Scale, check_size};
use super::progression::{Plan, PlannedScan};
use super::progressive::{Coefficients, ProgressiveScan};
use super::scan::{Progress, Scan};
use super::sequential::SequentialScan;
use super::smoothing::{Smoothing, precision};
use super::tables::{Quantization, Tables};

/// A sample that no scan has given: mid-grey, as libjpeg shows too.
const MISSING: u8 = 128;

/// Buffers that each thread keeps from picture to picture.
#[derive(Default)]
pub struct Scratch {
    window: Box<Window>,
    cache: TableCache,
    samples: Vec<u8>,
    coefficients: Coefficients,
    dc_entries: Vec<u16>,
}

/// A scaled picture. Its planes borrow from the [`Scratch`].
#[derive(Debug)]
pub struct Decoded<'s> {
    pub color: ColorKind,
    /// One to four, as [`ColorKind`] names them. Chroma planes are as small as the file has them.
    pub planes: Vec<Plane<'s>>,
    /// Rows of the full picture that were decoded, at most its height; those below are mid-grey.
    pub rows_decoded: u32,
    /// Why decoding ended before the end, if it did; or what was wrong in a restart interval after
    /// which it went on.
    pub stopped: Option<JpegError>,
    /// Low frequencies that no scan has, or only coarsely, were estimated from their neighbours.
    pub is_smoothed: bool,
}

/// Decodes the picture at `scale`. `header` is what [`super::read_header`] gave for the same bytes.
///
/// Damaged data is not an error once there is a picture: see [`Decoded::stopped`] and
/// [`Decoded::rows_decoded`].
///
/// # Errors
/// [`JpegError`] if nothing can be decoded: wrong or missing tables, headers that break the format,
/// too many scans.
pub fn decode_scaled<'s>(
    bytes: &[u8],
    header: &Header,
    scale: Scale,
    scratch: &'s mut Scratch,
) -> Result<Decoded<'s>, JpegError> {
    decode_scaled_until(bytes, header, scale, scratch, None)
}

/// As [`decode_scaled`]; looks at the clock after each row of blocks, and ends with
/// [`JpegError::TimedOut`] in [`Decoded::stopped`] once `deadline` is over.
///
/// # Errors
/// As [`decode_scaled`].
pub fn decode_scaled_until<'s>(
    bytes: &[u8],
    header: &Header,
    scale: Scale,
    scratch: &'s mut Scratch,
    deadline: Option<Instant>,
) -> Result<Decoded<'s>, JpegError> {
    let layout = Layout::new(header, scale);
    check_size(&layout)?;
    scratch.samples.clear();
    scratch.samples.resize(layout.samples, MISSING);
    let decoder = Decoder {
        bytes,
        header,
        layout: &layout,
        scale,
        tables: Tables::default(),
        transforms: [const { None }; 4],
        quantization: [None; 4],
        restart_interval: 0,
        deadline,
    };
    let progress = decoder.decode(scratch)?;
    repeat_whole_samples(&layout, &mut scratch.samples);
    let planes = layout.components.iter().map(|c| Plane {
        data: &scratch.samples[c.start..c.start + c.samples()],
        stride: c.stride(),
        width: c.width,
        height: c.height,
        exact_width: c.exact_width,
        exact_height: c.exact_height,
    });
    Ok(Decoded {
        color: header.color_kind(),
        planes: planes.collect(),
        rows_decoded: header.height.min(progress.rows as u32),
        stopped: progress.stopped.or(progress.damage),
        is_smoothed: progress.is_smoothed,
    })
}

struct Decoder<'a> {
    bytes: &'a [u8],
    header: &'a Header,
    layout: &'a Layout,
    scale: Scale,
    tables: Tables,
    transforms: [Option<Transform>; 4],
    /// Of each component, once it is latched.
    quantization: [Option<Quantization>; 4],
    restart_interval: u16,
    deadline: Option<Instant>,
}

impl Decoder<'_> {
    fn decode(self, scratch: &mut Scratch) -> Result<Progress, JpegError> {
        match (self.header.progressive, self.scale.eighths()) {
            (false, 1) => self.decode_sequential::<1>(scratch),
            (false, 2) => self.decode_sequential::<2>(scratch),
            (false, 3) => self.decode_sequential::<3>(scratch),
            (false, 4) => self.decode_sequential::<4>(scratch),
            (false, 5) => self.decode_sequential::<5>(scratch),
            (false, 6) => self.decode_sequential::<6>(scratch),
            (false, _) => self.decode_sequential::<8>(scratch),
            (true, 1) => self.decode_progressive::<1>(scratch),
            (true, 2) => self.decode_progressive::<2>(scratch),
            (true, 3) => self.decode_progressive::<3>(scratch),
            (true, 4) => self.decode_progressive::<4>(scratch),
            (true, 5) => self.decode_progressive::<5>(scratch),
            (true, 6) => self.decode_progressive::<6>(scratch),
            (true, _) => self.decode_progressive::<8>(scratch),
        }
    }

    /// Goes from scan to scan until each component is decoded.
    fn decode_sequential<const N: usize>(
        mut self,
        scratch: &mut Scratch,
    ) -> Result<Progress, JpegError> {
        let mut reader = MarkerReader::new(self.bytes)?;
        // Rows of each component, once its scan has been read.
        let mut rows = vec![None; self.header.components.len()];
        let mut damage = None;
        loop {
            let stopped = match self.next_scan(&mut reader) {
                Ok(Some(scan)) => {
                    if scan.components.iter().any(|c| rows[c.index].is_some()) {
                        return Err(JpegError::Corrupt("second scan of a component"));
                    }
                    self.latch_transforms(&scan)?;
                    let progress = self.decode_sequential_scan::<N>(&scan, &mut reader, scratch)?;
                    scan.components
                        .iter()
                        .for_each(|c| rows[c.index] = Some(progress.rows));
                    damage = damage.or(progress.damage);
                    progress.stopped
                }
                Ok(None) => Some(JpegError::Truncated),
                // Without any scan there is no picture; after one it is a picture that breaks off.
                Err(error) if rows.iter().all(Option::is_none) => return Err(error),
                Err(error) => Some(error),
            };
            if stopped.is_some() || rows.iter().all(Option::is_some) {
                return Ok(Progress {
                    rows: least(&rows),
                    stopped,
                    damage,
                    is_smoothed: false,
                });
            }
        }
    }

    fn decode_sequential_scan<const N: usize>(
        &self,
        scan: &Scan,
        reader: &mut MarkerReader<'_>,
        scratch: &mut Scratch,
    ) -> Result<Progress, JpegError> {
        for part in &scan.components {
            let (dc, ac) = (self.tables.dc(part.dc)?, self.tables.ac(part.ac)?);
            if N == 1 {
                scratch.cache.steps.prepare_dc(part.dc, dc);
                scratch.cache.steps.prepare_ac(part.ac, ac);
            } else {
                scratch.cache.dc.prepare(part.dc, dc);
                scratch.cache.values.prepare(part.ac, ac);
                scratch.cache.skips.prepare(part.ac, ac);
            }
        }
        let sequential = SequentialScan {
            scan,
            layout: self.layout,
            transforms: &self.transforms,
            cache: &scratch.cache,
            restart_interval: u32::from(self.restart_interval),
        };
        let mut input = Input::new(
            self.bytes,
            reader.position(),
            &mut scratch.window,
            self.deadline,
        );
        let progress = if N == 1 {
            sequential.decode_means(
                &scratch.cache.steps,
                &mut scratch.dc_entries,
                &mut input,
                &mut scratch.samples,
            )
        } else {
            sequential.decode::<N>(&mut input, &mut scratch.samples)
        };
        reader.seek(input.end_of_data());
        progress
    }

    /// Decodes the scans that matter, jumps over the others, then transforms.
    fn decode_progressive<const N: usize>(
        mut self,
        scratch: &mut Scratch,
    ) -> Result<Progress, JpegError> {
        let plan = Plan::new(self.bytes, self.header, last_needed(N) as usize)?;
        if plan.scans.is_empty() {
            return Err(plan.stopped.unwrap_or(JpegError::Corrupt("no scan")));
        }
        scratch.coefficients.reset(self.layout, N);
        let mut reader = MarkerReader::new(self.bytes)?;
        // Rows for which each component has DC coefficients.
        let mut rows = vec![None; self.header.components.len()];
        let (mut stopped, mut damage) = (plan.stopped, None);
        // Scans that were read to their end or need not be, and the rows of one that was not.
        let (mut known, mut rows_of_next) = (plan.scans.len(), 0);
        for (index, planned) in plan.scans.iter().enumerate() {
            self.next_scan(&mut reader)?;
            let scan = &planned.scan;
            if planned.needed {
                self.latch_transforms(scan)?;
                let progress = self.decode_progressive_scan::<N>(scan, &mut reader, scratch)?;
                // A refinement that breaks off leaves a coarser picture, not fewer rows.
                for part in scan
                    .components
                    .iter()
                    .filter(|_| scan.first == 0 && scan.high == 0)
                {
                    rows[part.index] = Some(progress.rows);
                }
                damage = damage.or(progress.damage);
                if progress.stopped.is_some() {
                    stopped = progress.stopped;
                    (known, rows_of_next) = (index, progress.rows);
                    break;
                }
            }
            reader.seek(planned.end);
        }
        let smoothing = self.smoothing(&plan.scans, known, rows_of_next);
        let is_smoothed = N > 1
            && stopped != Some(JpegError::TimedOut)
            && smoothing.iter().any(Smoothing::is_useful);
        let smoothing = Some(smoothing).filter(|_| is_smoothed).unwrap_or_default();
        let transformed = scratch.coefficients.transform::<N>(
            self.layout,
            &self.transforms,
            &smoothing,
            self.deadline,
            &mut scratch.samples,
        );
        let rows = least(&rows);
        // All scans and the end marker met, but not all components.
        let missing = (rows == 0).then_some(JpegError::Truncated);
        Ok(Progress {
            rows,
            stopped: transformed.err().or(stopped).or(missing),
            damage,
            is_smoothed,
        })
    }

    /// For each component, after the first `known` scans and so many rows of the next; none if a
    /// component has no scan.
    fn smoothing(&self, scans: &[PlannedScan], known: usize, rows: usize) -> Vec<Smoothing<'_>> {
        let components = self.layout.components.iter().enumerate();
        let smoothing = components.map(|(index, layout)| {
            let next = scans.len().min(known + 1);
            Some(Smoothing {
                layout,
                quantization: self.quantization[index].as_ref()?,
                precision: precision(&scans[..next], index),
                before: (
                    if next > known {
                        rows * layout.v / self.layout.mcu_rows
                    } else {
                        layout.padded_h
                    },
                    precision(&scans[..known], index),
                ),
            })
            .filter(Smoothing::has_means)
        });
        smoothing.collect::<Option<_>>().unwrap_or_default()
    }

    fn decode_progressive_scan<const N: usize>(
        &self,
        scan: &Scan,
        reader: &mut MarkerReader<'_>,
        scratch: &mut Scratch,
    ) -> Result<Progress, JpegError> {
        for part in &scan.components {
            if scan.first > 0 {
                let code = self.tables.ac(part.ac)?;
                scratch.cache.symbols.prepare(part.ac, code);
            } else if scan.high == 0 {
                let code = self.tables.dc(part.dc)?;
                scratch.cache.dc.prepare(part.dc, code);
            }
        }
        let progressive =
            ProgressiveScan::new(scan, self.layout, &scratch.cache, self.restart_interval);
        let mut input = Input::new(
            self.bytes,
            reader.position(),
            &mut scratch.window,
            self.deadline,
        );
        Ok(progressive.decode::<N>(&mut input, &mut scratch.coefficients))
    }

    /// Reads tables until the next scan header; `None` at the end of the picture.
    fn next_scan(&mut self, reader: &mut MarkerReader<'_>) -> Result<Option<Scan>, JpegError> {
        loop {
            match reader.next_marker()? {
                markers::EOI => return Ok(None),
                markers::DQT => self.tables.read_quantization(reader.segment()?)?,
                markers::DHT => self.tables.read_huffman(reader.segment()?)?,
                markers::DRI => self.restart_interval = parse_restart_interval(reader.segment()?)?,
                markers::SOS => return Scan::parse(reader.segment()?, self.header).map(Some),
                markers::SOF0..=markers::SOF2 => {
                    reader.segment()?;
                }
                code => reader.skip_segment(code)?,
            }
        }
    }

    /// A component's quantisation table is the one in force when its first scan begins.
    fn latch_transforms(&mut self, scan: &Scan) -> Result<(), JpegError> {
        for part in &scan.components {
            if self.transforms[part.index].is_none() {
                let number = usize::from(self.header.components[part.index].tq);
                let quantization = self.tables.quantization[number]
                    .as_ref()
                    .ok_or(JpegError::Corrupt("no quantisation table"))?;
                let n = self.layout.components[part.index].n;
                self.transforms[part.index] = Some(Transform::new(n, quantization));
                self.quantization[part.index] = Some(*quantization);
            }
        }
        Ok(())
    }
}

fn least(rows: &[Option<usize>]) -> usize {
    rows.iter().map(|rows| rows.unwrap_or(0)).min().unwrap_or(0)
}
