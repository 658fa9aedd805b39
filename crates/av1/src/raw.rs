//! The calls of `rav1d`, in their order, and the samples that it hands out.

#![expect(
    unsafe_code,
    reason = "the published interface of rav1d is that of C; no safe one is released"
)]

use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

use rav1d::include::dav1d::data::Dav1dData;
use rav1d::include::dav1d::dav1d::{Dav1dContext, Dav1dSettings};
use rav1d::include::dav1d::headers::{
    DAV1D_PIXEL_LAYOUT_I400, DAV1D_PIXEL_LAYOUT_I420, DAV1D_PIXEL_LAYOUT_I422,
    DAV1D_PIXEL_LAYOUT_I444,
};
use rav1d::include::dav1d::picture::Dav1dPicture;
use rav1d::src::lib::{
    dav1d_close, dav1d_data_create, dav1d_data_unref, dav1d_default_settings, dav1d_get_picture,
    dav1d_open, dav1d_picture_unref, dav1d_send_data,
};

use super::{Av1Error, Chroma, Colors, Row};

/// Two frame contexts: with one, `rav1d` 1.1.0 aborts on any broken frame.
const FRAMES: c_int = 2;
/// Further calls for a picture after all data went in: each context may answer "again" once, and the
/// rest is reserve.
const LAST_CALLS: u32 = 4;
const AGAIN: c_int = -libc::EAGAIN;

/// An open decoder.
struct Decoder(Option<Dav1dContext>);

/// A picture that `rav1d` counts references of.
pub(super) struct Picture(Dav1dPicture);

/// The bytes that go in.
struct Data(Dav1dData);

pub(super) fn decode(stream: &[u8], max_pixels: u32) -> Result<Picture, Av1Error> {
    let decoder = Decoder::open(max_pixels)?;
    let mut data = Data::copy_of(stream)?;
    let mut last_calls = 0;
    loop {
        if data.0.sz > 0 {
            decoder.send(&mut data)?;
        } else {
            last_calls += 1;
        }
        match decoder.picture()? {
            Some(picture) => return Ok(picture),
            None if last_calls > LAST_CALLS => return Err(Av1Error::NoFrame),
            None => {}
        }
    }
}

impl Decoder {
    fn open(max_pixels: u32) -> Result<Self, Av1Error> {
        let mut settings = MaybeUninit::<Dav1dSettings>::uninit();
        // SAFETY: the place can be written, and is written whole.
        let mut settings = unsafe {
            dav1d_default_settings(NonNull::from(&mut settings).cast());
            settings.assume_init()
        };
        settings.n_threads = FRAMES;
        settings.max_frame_delay = FRAMES;
        settings.frame_size_limit = max_pixels;
        // The highest layer alone.
        settings.all_layers = 0;
        let mut context = None;
        // SAFETY: both places can be read and written for the time of the call.
        let opened = unsafe {
            dav1d_open(
                Some(NonNull::from(&mut context)),
                Some(NonNull::from(&mut settings)),
            )
        };
        match opened.0 {
            0 => Ok(Self(context)),
            _ => Err(Av1Error::NoDecoder),
        }
    }

    /// Sends what fits.
    fn send(&self, data: &mut Data) -> Result<(), Av1Error> {
        // SAFETY: the context is open until `self` is dropped; the data came from `rav1d`.
        let sent = unsafe { dav1d_send_data(self.0, Some(NonNull::from(&mut data.0))) };
        match sent.0 {
            0 | AGAIN => Ok(()),
            _ => Err(Av1Error::Broken),
        }
    }

    /// `None` if it needs more data, or another call.
    fn picture(&self) -> Result<Option<Picture>, Av1Error> {
        let mut picture = Picture(Dav1dPicture::default());
        // SAFETY: the context is open until `self` is dropped; the place can be written, and the
        // empty picture in it holds nothing.
        let got = unsafe { dav1d_get_picture(self.0, Some(NonNull::from(&mut picture.0))) };
        match got.0 {
            0 => Ok(Some(picture)),
            AGAIN => Ok(None),
            _ => Err(Av1Error::Broken),
        }
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: it was opened, and nobody uses it any more. Pictures outlive it.
        unsafe { dav1d_close(Some(NonNull::from(&mut self.0))) }
    }
}

impl Data {
    fn copy_of(stream: &[u8]) -> Result<Self, Av1Error> {
        if stream.is_empty() {
            return Err(Av1Error::NoFrame);
        }
        let mut data = Self(Dav1dData::default());
        // SAFETY: the place can be written; the empty data in it hold nothing.
        let place = unsafe { dav1d_data_create(Some(NonNull::from(&mut data.0)), stream.len()) };
        let place = NonNull::new(place).ok_or(Av1Error::NoDecoder)?;
        // SAFETY: `rav1d` just allocated so many bytes there, and nobody else has them.
        unsafe { place.copy_from_nonoverlapping(NonNull::from(stream).cast(), stream.len()) };
        Ok(data)
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        // SAFETY: they came from `rav1d`; what it took over is no longer in them.
        unsafe { dav1d_data_unref(Some(NonNull::from(&mut self.0))) }
    }
}

impl Picture {
    pub(super) fn size(&self) -> Option<(u32, u32)> {
        let side = |side: c_int| u32::try_from(side).ok().filter(|side| *side > 0);
        Some((side(self.0.p.w)?, side(self.0.p.h)?))
    }

    pub(super) fn bits(&self) -> Option<u8> {
        let bits = u8::try_from(self.0.p.bpc).ok()?;
        matches!(bits, 8 | 10 | 12).then_some(bits)
    }

    pub(super) fn chroma(&self) -> Option<Chroma> {
        match self.0.p.layout {
            DAV1D_PIXEL_LAYOUT_I400 => Some(Chroma::None),
            DAV1D_PIXEL_LAYOUT_I420 => Some(Chroma::Quarter),
            DAV1D_PIXEL_LAYOUT_I422 => Some(Chroma::Half),
            DAV1D_PIXEL_LAYOUT_I444 => Some(Chroma::Full),
            _ => None,
        }
    }

    pub(super) fn colors(&self) -> Option<Colors> {
        let header = self.0.seq_hdr?;
        // SAFETY: the picture holds a reference to its sequence header.
        let header = unsafe { header.as_ref() };
        let number = |number: u32| u8::try_from(number).ok();
        Some(Colors {
            primaries: number(header.pri)?,
            transfer: number(header.trc)?,
            matrix: number(header.mtrx)?,
            full_range: header.color_range != 0,
        })
    }

    /// So many samples of a row that lies within the plane.
    pub(super) fn row(&self, plane: usize, row: usize, width: usize, bits: u8) -> Row<'_> {
        let start = self.0.data.get(plane).copied().flatten();
        let (Some(start), Ok(row)) = (start.filter(|_| width > 0), isize::try_from(row)) else {
            return Row::Bytes(&[]);
        };
        let stride = self.0.stride[usize::from(plane > 0)];
        // SAFETY: `rav1d` made each plane of a picture so large that it holds rows of its width,
        // `stride` bytes apart, in samples of one or two bytes; they are written no more, and live
        // as long as the picture. `Frame` asks for no row or width beyond the plane's.
        unsafe {
            let start = start.byte_offset(row * stride);
            if bits == 8 {
                Row::Bytes(NonNull::slice_from_raw_parts(start.cast(), width).as_ref())
            } else {
                Row::Words(NonNull::slice_from_raw_parts(start.cast(), width).as_ref())
            }
        }
    }
}

impl Drop for Picture {
    fn drop(&mut self) {
        // SAFETY: it came from `rav1d`, or is empty.
        unsafe { dav1d_picture_unref(Some(NonNull::from(&mut self.0))) }
    }
}
