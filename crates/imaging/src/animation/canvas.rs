//! What is seen when frames are laid on each other: GIF 89a (disposal methods), APNG
//! (`dispose_op`, `blend_op`) and WebP (RFC 9649, section 2.7.1.1) mean the same by it.

use super::frames::{Disposal, Frame};
use crate::geometry::Size;

/// RGBA with straight alpha; transparent at first.
pub(crate) struct Canvas {
    pub size: Size,
    pub pixels: Vec<u8>,
    undo: Option<Undo>,
}

/// What is done before the next frame.
enum Undo {
    Clear(Place),
    Restore(Vec<u8>),
}

/// The part of the canvas that a frame covers.
#[derive(Clone, Copy)]
struct Place {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
}

impl Canvas {
    pub(crate) fn new(size: Size) -> Self {
        Self {
            size,
            pixels: vec![0; size.area() * 4],
            undo: None,
        }
    }

    pub(crate) fn lay(&mut self, frame: &Frame) {
        match self.undo.take() {
            Some(Undo::Clear(place)) => self.clear(place),
            Some(Undo::Restore(pixels)) => self.pixels = pixels,
            None => {}
        }
        let place = self.place(frame);
        self.undo = match frame.disposal {
            Disposal::Keep => None,
            Disposal::Clear => Some(Undo::Clear(place)),
            Disposal::Restore => Some(Undo::Restore(self.pixels.clone())),
        };
        let stride = frame.size.width as usize * 4;
        for row in 0..place.height {
            let above = &frame.pixels[row * stride..][..place.width * 4];
            let range = self.row(place, row);
            let below = &mut self.pixels[range];
            if frame.blends {
                let (above, _) = above.as_chunks::<4>();
                let (below, _) = below.as_chunks_mut::<4>();
                for (below, above) in below.iter_mut().zip(above) {
                    *below = over(*above, *below);
                }
            } else {
                below.copy_from_slice(above);
            }
        }
    }

    /// What of the frame lies on the canvas.
    fn place(&self, frame: &Frame) -> Place {
        let left = frame.left.min(self.size.width);
        let top = frame.top.min(self.size.height);
        Place {
            left: left as usize,
            top: top as usize,
            width: frame.size.width.min(self.size.width - left) as usize,
            height: frame.size.height.min(self.size.height - top) as usize,
        }
    }

    fn row(&self, place: Place, row: usize) -> std::ops::Range<usize> {
        let start = ((place.top + row) * self.size.width as usize + place.left) * 4;
        start..start + place.width * 4
    }

    fn clear(&mut self, place: Place) {
        for row in 0..place.height {
            let range = self.row(place, row);
            self.pixels[range].fill(0);
        }
    }
}

/// Straight alpha over straight alpha (PNG, 13.16 and APNG's `APNG_BLEND_OP_OVER`).
fn over(above: [u8; 4], below: [u8; 4]) -> [u8; 4] {
    match (above[3], below[3]) {
        (255, _) | (_, 0) => return above,
        (0, _) => return below,
        _ => {}
    }
    let (alpha, rest) = (u32::from(above[3]), 255 - u32::from(above[3]));
    // In 255ths of 255ths.
    let covered = u32::from(below[3]) * rest;
    let sum = alpha * 255 + covered;
    let mixed = |above: u8, below: u8| {
        let weighted = u32::from(above) * alpha * 255 + u32::from(below) * covered;
        ((weighted + sum / 2) / sum) as u8
    };
    [
        mixed(above[0], below[0]),
        mixed(above[1], below[1]),
        mixed(above[2], below[2]),
        ((sum + 127) / 255) as u8,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    const RED: [u8; 4] = [255, 0, 0, 255];
    const BLUE: [u8; 4] = [0, 0, 255, 255];
    const CLEAR: [u8; 4] = [0; 4];

    fn frame(left: u32, colour: [u8; 4], blends: bool, disposal: Disposal) -> Frame {
        Frame {
            left,
            top: 0,
            size: Size::new(2, 1),
            pixels: [colour, CLEAR].concat(),
            blends,
            disposal,
            milliseconds: 100,
        }
    }

    fn pixels(canvas: &Canvas) -> Vec<[u8; 4]> {
        canvas.pixels.as_chunks::<4>().0.to_vec()
    }

    #[test]
    fn each_disposal_leaves_what_it_says() {
        for (disposal, first) in [
            (Disposal::Keep, RED),
            (Disposal::Clear, CLEAR),
            (Disposal::Restore, CLEAR),
        ] {
            let mut canvas = Canvas::new(Size::new(3, 1));
            canvas.lay(&frame(0, RED, true, disposal));
            assert_eq!(pixels(&canvas), [RED, CLEAR, CLEAR]);
            canvas.lay(&frame(1, BLUE, true, Disposal::Keep));
            assert_eq!(pixels(&canvas), [first, BLUE, CLEAR], "{disposal:?}");
        }
        let mut canvas = Canvas::new(Size::new(3, 1));
        canvas.lay(&frame(0, RED, true, Disposal::Keep));
        canvas.lay(&frame(0, BLUE, true, Disposal::Restore));
        canvas.lay(&frame(1, BLUE, true, Disposal::Keep));
        assert_eq!(pixels(&canvas), [RED, BLUE, CLEAR]);
    }

    #[test]
    fn what_does_not_blend_replaces_and_what_lies_outside_is_cut_off() {
        let mut canvas = Canvas::new(Size::new(3, 1));
        canvas.lay(&frame(1, RED, true, Disposal::Keep));
        canvas.lay(&frame(0, BLUE, false, Disposal::Keep));
        assert_eq!(pixels(&canvas), [BLUE, CLEAR, CLEAR]);
        canvas.lay(&frame(2, RED, true, Disposal::Clear));
        canvas.lay(&frame(9, RED, true, Disposal::Clear));
        canvas.lay(&frame(9, RED, true, Disposal::Clear));
        assert_eq!(pixels(&canvas), [BLUE, CLEAR, CLEAR]);
    }

    #[test]
    fn alphas_add_up() {
        assert_eq!(over([255, 0, 0, 128], [0, 0, 255, 255]), [128, 0, 127, 255]);
        assert_eq!(over([255, 0, 0, 128], [255, 0, 0, 128])[3], 192);
    }
}
