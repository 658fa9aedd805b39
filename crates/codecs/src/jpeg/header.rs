use super::error::JpegError;
use super::markers::{self, MarkerReader};

/// How to interpret the planes of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColorKind {
    Grey,
    /// Full-range Y, Cb, Cr by ITU-R BT.601 (JFIF 1.02).
    YCbCr,
    Rgb,
    /// Four inks as Adobe stores them: 255 is none.
    Cmyk,
    /// The same, with the first three coded as Y, Cb, Cr.
    Ycck,
}

/// One component of the frame header (ITU-T T.81, B.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Component {
    pub id: u8,
    /// Horizontal and vertical sampling factor, 1 to 4.
    pub h: u8,
    pub v: u8,
    /// Number of the quantisation table, 0 to 3.
    pub tq: u8,
}

/// What a JPEG declares before its first scan. This decoder supports everything in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Pixels, at least 1.
    pub width: u32,
    pub height: u32,
    /// 1, 3 or 4.
    pub components: Vec<Component>,
    pub progressive: bool,
    pub jfif: bool,
    /// Colour transform of the Adobe marker: 0 none, 1 YCbCr, 2 YCCK. Others count as the one that
    /// the number of components allows.
    pub adobe_transform: Option<u8>,
    /// MCUs between restart markers, 0 for none.
    pub restart_interval: u16,
}

impl Header {
    /// The rules that libjpeg follows: JFIF means YCbCr, else the Adobe marker decides, else
    /// component ids `R`, `G`, `B`.
    pub fn color_kind(&self) -> ColorKind {
        match (self.components.len(), self.adobe_transform) {
            (1, _) => return ColorKind::Grey,
            (4, Some(1..)) => return ColorKind::Ycck,
            (4, _) => return ColorKind::Cmyk,
            _ => {}
        }
        let ids_are_rgb = self.components.iter().map(|c| c.id).eq(*b"RGB");
        match self.adobe_transform {
            _ if self.jfif => ColorKind::YCbCr,
            Some(0) => ColorKind::Rgb,
            None if ids_are_rgb => ColorKind::Rgb,
            _ => ColorKind::YCbCr,
        }
    }

    pub(super) fn max_h(&self) -> u8 {
        self.components.iter().map(|c| c.h).max().unwrap_or(1)
    }

    pub(super) fn max_v(&self) -> u8 {
        self.components.iter().map(|c| c.v).max().unwrap_or(1)
    }
}

/// Reads the header up to the first scan, without decoding anything.
///
/// # Errors
/// [`JpegError::Unsupported`] for a kind of JPEG that is left to another decoder,
/// [`JpegError::Corrupt`] or [`JpegError::Truncated`] for a file that breaks off or breaks the
/// format before its first scan.
pub fn read_header(bytes: &[u8]) -> Result<Header, JpegError> {
    let mut reader = MarkerReader::new(bytes)?;
    let mut header = None;
    let (mut jfif, mut adobe_transform, mut restart_interval) = (false, None, 0);
    loop {
        match reader.next_marker()? {
            markers::EOI => return Err(JpegError::Corrupt("no scan")),
            markers::SOS => break,
            code @ (markers::SOF0 | markers::SOF1 | markers::SOF2) => {
                if header.is_some() {
                    return Err(JpegError::Corrupt("second frame header"));
                }
                header = Some(parse_frame(reader.segment()?, code == markers::SOF2)?);
            }
            markers::DQT | markers::DHT => {
                reader.segment()?;
            }
            markers::DAC => return Err(JpegError::Unsupported("arithmetic coding")),
            // SOF3 and above: lossless, hierarchical, arithmetic.
            0xC3..=0xCF => return Err(JpegError::Unsupported("coding process")),
            markers::DRI => restart_interval = parse_restart_interval(reader.segment()?)?,
            markers::APP0 => jfif |= reader.loose_segment()?.starts_with(b"JFIF\0"),
            markers::APP14 => {
                if let [
                    b'A',
                    b'd',
                    b'o',
                    b'b',
                    b'e',
                    _,
                    _,
                    _,
                    _,
                    _,
                    _,
                    transform,
                    ..,
                ] = reader.loose_segment()?
                {
                    adobe_transform = Some(*transform);
                }
            }
            code => reader.skip_segment(code)?,
        }
    }
    let header = header.ok_or(JpegError::Corrupt("scan before the frame header"))?;
    Ok(Header {
        jfif,
        adobe_transform,
        restart_interval,
        ..header
    })
}

pub(super) fn parse_restart_interval(segment: &[u8]) -> Result<u16, JpegError> {
    match segment {
        &[high, low, ..] => Ok(u16::from_be_bytes([high, low])),
        _ => Err(JpegError::Corrupt("short restart interval")),
    }
}

fn parse_frame(segment: &[u8], progressive: bool) -> Result<Header, JpegError> {
    let &[precision, h1, h0, w1, w0, count, ref rest @ ..] = segment else {
        return Err(JpegError::Corrupt("short frame header"));
    };
    if precision != 8 {
        return Err(JpegError::Unsupported("sample precision other than 8 bits"));
    }
    let (width, height) = (u16::from_be_bytes([w1, w0]), u16::from_be_bytes([h1, h0]));
    if width == 0 {
        return Err(JpegError::Corrupt("width 0"));
    }
    if height == 0 {
        return Err(JpegError::Unsupported("height given after the first scan"));
    }
    if !matches!(count, 1 | 3 | 4) {
        return Err(JpegError::Unsupported(
            "number of components other than 1, 3 and 4",
        ));
    }
    let components = parse_components(rest, usize::from(count))?;
    Ok(Header {
        width: u32::from(width),
        height: u32::from(height),
        components,
        progressive,
        jfif: false,
        adobe_transform: None,
        restart_interval: 0,
    })
}

fn parse_components(bytes: &[u8], count: usize) -> Result<Vec<Component>, JpegError> {
    let mut components: Vec<Component> = bytes
        .chunks_exact(3)
        .take(count)
        .map(|c| Component {
            id: c[0],
            h: c[1] >> 4,
            v: c[1] & 15,
            tq: c[2],
        })
        .collect();
    if components.len() < count {
        return Err(JpegError::Corrupt("short frame header"));
    }
    for component in &components {
        if !(1..=4).contains(&component.h) || !(1..=4).contains(&component.v) {
            return Err(JpegError::Corrupt("sampling factor not in 1 to 4"));
        }
        if component.tq > 3 {
            return Err(JpegError::Corrupt("quantisation table number above 3"));
        }
    }
    if let [only] = components.as_mut_slice() {
        // A single component is never interleaved: its sampling factors have no meaning (A.2.2).
        (only.h, only.v) = (1, 1);
    }
    Ok(components)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(frame: &[u8], sof: u8) -> Vec<u8> {
        let mut bytes = vec![0xFF, markers::SOI, 0xFF, sof, 0, frame.len() as u8 + 2];
        bytes.extend_from_slice(frame);
        bytes.extend_from_slice(&[0xFF, markers::SOS]);
        bytes
    }

    #[test]
    fn a_colour_frame_is_read_whole() {
        let header = read_header(&file(
            &[8, 0, 9, 1, 2, 3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1],
            0xC2,
        ))
        .unwrap();
        assert_eq!(
            (header.width, header.height, header.progressive),
            (258, 9, true)
        );
        assert_eq!(
            header.components[2],
            Component {
                id: 3,
                h: 1,
                v: 1,
                tq: 1
            }
        );
        assert_eq!(header.color_kind(), ColorKind::YCbCr);
    }

    #[test]
    fn any_adobe_transform_but_0_means_ycck_or_ycbcr() {
        let kind = |count: usize, transform| {
            let mut frame = vec![8, 0, 9, 0, 9, count as u8];
            frame.extend((1..=count as u8).flat_map(|id| [id, 0x11, 0]));
            let mut bytes = file(&frame, 0xC0);
            let marker = [0xFF, markers::APP14, 0, 14];
            let adobe = [&marker[..], b"Adobe\0\x64\0\0\0\0", &[transform]].concat();
            bytes.splice(2..2, adobe);
            read_header(&bytes).unwrap().color_kind()
        };
        assert_eq!(kind(4, 0), ColorKind::Cmyk);
        assert_eq!([1, 2, 5].map(|t| kind(4, t)), [ColorKind::Ycck; 3]);
        assert_eq!(kind(3, 0), ColorKind::Rgb);
        assert_eq!([1, 2, 5].map(|t| kind(3, t)), [ColorKind::YCbCr; 3]);
    }

    #[test]
    fn segments_too_short_for_their_own_length_are_stepped_over() {
        for length in [0, 1] {
            for code in [markers::APP0, 0xE1, markers::APP14, markers::COM] {
                let mut bytes = file(&[8, 0, 9, 0, 9, 1, 1, 0x11, 0], 0xC0);
                bytes.splice(2..2, [0xFF, code, 0, length]);
                assert!(read_header(&bytes).is_ok(), "{code:x} of length {length}");
            }
        }
    }

    #[test]
    fn component_ids_r_g_b_mean_rgb() {
        let header = read_header(&file(
            &[
                8, 0, 9, 0, 9, 3, b'R', 0x11, 0, b'G', 0x11, 0, b'B', 0x11, 0,
            ],
            0xC0,
        ));
        assert_eq!(header.unwrap().color_kind(), ColorKind::Rgb);
    }

    #[test]
    fn sampling_factors_of_a_single_component_are_ignored() {
        let header = read_header(&file(&[8, 0, 9, 0, 9, 1, 1, 0x22, 0], 0xC0)).unwrap();
        assert_eq!((header.components[0].h, header.components[0].v), (1, 1));
    }

    #[test]
    fn what_another_decoder_must_do_is_unsupported() {
        let unsupported = |frame: &[u8], sof| {
            matches!(
                read_header(&file(frame, sof)),
                Err(JpegError::Unsupported(_))
            )
        };
        let grey = [8, 0, 9, 0, 9, 1, 1, 0x11, 0];
        assert!(unsupported(&grey, 0xC3), "lossless");
        assert!(unsupported(&grey, 0xC9), "arithmetic");
        assert!(
            unsupported(&[12, 0, 9, 0, 9, 1, 1, 0x11, 0], 0xC1),
            "12 bit"
        );
        assert!(
            unsupported(&[8, 0, 0, 0, 9, 1, 1, 0x11, 0], 0xC0),
            "height by DNL"
        );
        let two = [8, 0, 9, 0, 9, 2, 1, 0x11, 0, 2, 0x11, 0];
        assert!(unsupported(&two, 0xC0), "two components");
    }
}
