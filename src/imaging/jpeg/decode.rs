use super::bits::{Input, Window};
use super::cache::TableCache;
use super::error::{JpegError, MAX_SCANS};
use super::header::{ColorKind, Header, parse_restart_interval};
use super::idct::Transform;
use super::markers::{self, MarkerReader};
use super::plane::{Layout, Plane, Scale, check_size};
use super::scan::Scan;
use super::sequential::{Progress, SequentialScan};
use super::tables::Tables;

/// A sample that no scan has given: mid-grey, what libjpeg shows too.
const MISSING: u8 = 128;

/// Buffers to be kept by each thread from picture to picture.
#[derive(Default)]
pub struct Scratch {
    window: Box<Window>,
    cache: TableCache,
    samples: Vec<u8>,
}

/// A scaled picture. Its planes borrow from the [`Scratch`].
#[derive(Debug)]
pub struct Decoded<'s> {
    pub color: ColorKind,
    /// One, or three: Y, Cb, Cr or R, G, B. Chroma planes are as small as the file has them.
    pub planes: Vec<Plane<'s>>,
    /// Rows of the full picture that were decoded, at most its height; those below are mid-grey.
    pub rows_decoded: u32,
    /// Why decoding ended before the end, if it did.
    pub stopped: Option<JpegError>,
}

/// Decodes the picture at `scale`. `header` is what [`super::read_header`] gave for the same bytes.
///
/// Damaged data is not an error once there is a picture: [`Decoded::stopped`] and [`Decoded::rows_decoded`] tell.
///
/// # Errors
/// [`JpegError`] if nothing can be decoded: wrong or missing tables, headers that break the format, too many scans.
pub fn decode_scaled<'s>(
    bytes: &[u8],
    header: &Header,
    scale: Scale,
    scratch: &'s mut Scratch,
) -> Result<Decoded<'s>, JpegError> {
    if header.progressive {
        return Err(JpegError::Unsupported("progressive coding"));
    }
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
        transforms: [None, None, None],
        restart_interval: 0,
    };
    let progress = decoder.decode(scratch)?;
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
        stopped: progress.stopped,
    })
}

struct Decoder<'a> {
    bytes: &'a [u8],
    header: &'a Header,
    layout: &'a Layout,
    scale: Scale,
    tables: Tables,
    transforms: [Option<Transform>; 3],
    restart_interval: u16,
}

impl Decoder<'_> {
    /// Goes from marker to marker until each component is decoded.
    fn decode(mut self, scratch: &mut Scratch) -> Result<Progress, JpegError> {
        let mut reader = MarkerReader::new(self.bytes)?;
        // Rows of each component, once its scan was met.
        let mut rows = vec![None; self.header.components.len()];
        let mut scans = 0;
        loop {
            let stopped = match self.next_scan(&mut reader) {
                Ok(Some(scan)) => {
                    scans += 1;
                    if scans > MAX_SCANS {
                        return Err(JpegError::TooManyScans);
                    }
                    if scan.components.iter().any(|c| rows[c.index].is_some()) {
                        return Err(JpegError::Corrupt("second scan of a component"));
                    }
                    self.latch_transforms(&scan)?;
                    let progress = self.decode_sequential(&scan, &mut reader, scratch)?;
                    scan.components
                        .iter()
                        .for_each(|c| rows[c.index] = Some(progress.rows));
                    progress.stopped
                }
                Ok(None) => Some(JpegError::Truncated),
                // Without any scan there is no picture; behind one it is a picture that breaks off.
                Err(error) if rows.iter().all(Option::is_none) => return Err(error),
                Err(error) => Some(error),
            };
            if stopped.is_some() || rows.iter().all(Option::is_some) {
                let rows = rows.iter().map(|rows| rows.unwrap_or(0)).min().unwrap_or(0);
                return Ok(Progress { rows, stopped });
            }
        }
    }

    /// Reads tables until the next scan header; `None` at the end of the picture.
    fn next_scan(&mut self, reader: &mut MarkerReader<'_>) -> Result<Option<Scan>, JpegError> {
        loop {
            match reader.next_marker()? {
                markers::SOI => return Err(JpegError::Corrupt("second SOI marker")),
                markers::EOI => return Ok(None),
                markers::DQT => self.tables.read_quantization(reader.segment()?)?,
                markers::DHT => self.tables.read_huffman(reader.segment()?)?,
                markers::DRI => self.restart_interval = parse_restart_interval(reader.segment()?)?,
                markers::SOS => return Scan::parse(reader.segment()?, self.header).map(Some),
                _ => {
                    reader.segment()?;
                }
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
            }
        }
        Ok(())
    }

    fn decode_sequential(
        &self,
        scan: &Scan,
        reader: &mut MarkerReader<'_>,
        scratch: &mut Scratch,
    ) -> Result<Progress, JpegError> {
        for part in &scan.components {
            // Motion JPEG frames leave the well-known tables out.
            const MISSING: JpegError = JpegError::Unsupported("no Huffman table");
            let ac = self.tables.ac[part.ac].as_ref().ok_or(MISSING)?;
            scratch
                .cache
                .prepare_dc(part.dc, self.tables.dc[part.dc].as_ref().ok_or(MISSING)?);
            scratch.cache.prepare_values(part.ac, ac);
            scratch.cache.prepare_skips(part.ac, ac);
        }
        let sequential = SequentialScan {
            scan,
            layout: self.layout,
            transforms: &self.transforms,
            cache: &scratch.cache,
            restart_interval: u32::from(self.restart_interval),
        };
        let mut input = Input::new(self.bytes, reader.position(), &mut scratch.window);
        let progress = match self.scale.eighths() {
            1 => sequential.decode::<1>(&mut input, &mut scratch.samples),
            2 => sequential.decode::<2>(&mut input, &mut scratch.samples),
            4 => sequential.decode::<4>(&mut input, &mut scratch.samples),
            _ => sequential.decode::<8>(&mut input, &mut scratch.samples),
        };
        reader.seek(input.end_of_data());
        progress
    }
}
