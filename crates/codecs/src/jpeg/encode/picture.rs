/// A picture with halved chroma: `cb` and `cr` have ⌈width / 2⌉ × ⌈height / 2⌉ samples. Neither
/// side is 0.
#[derive(Debug, Clone, Copy)]
pub struct Planes<'a> {
    pub width: u16,
    pub height: u16,
    pub y: &'a [u8],
    pub cb: &'a [u8],
    pub cr: &'a [u8],
}

/// A picture without chroma. Neither side is 0.
#[derive(Debug, Clone, Copy)]
pub struct GreyPlane<'a> {
    pub width: u16,
    pub height: u16,
    pub y: &'a [u8],
}

/// What can be encoded.
#[derive(Debug, Clone, Copy)]
pub enum Picture<'a> {
    YCbCr(Planes<'a>),
    Grey(GreyPlane<'a>),
}

impl Picture<'_> {
    /// Width and height.
    pub fn size(&self) -> (u16, u16) {
        match self {
            Self::YCbCr(planes) => (planes.width, planes.height),
            Self::Grey(plane) => (plane.width, plane.height),
        }
    }

    /// For each component: its blocks across and down an MCU are 1 << this (ITU-T T.81, A.2.3).
    pub(super) fn shifts(&self) -> &'static [u32] {
        match self {
            Self::YCbCr(_) => &[1, 0, 0],
            Self::Grey(_) => &[0],
        }
    }

    /// Tables of quantisation, and pairs of Huffman tables.
    pub(super) fn tables(&self) -> usize {
        match self {
            Self::YCbCr(_) => 2,
            Self::Grey(_) => 1,
        }
    }
}

impl<'a> From<Planes<'a>> for Picture<'a> {
    fn from(planes: Planes<'a>) -> Self {
        Self::YCbCr(planes)
    }
}

impl<'a> From<GreyPlane<'a>> for Picture<'a> {
    fn from(plane: GreyPlane<'a>) -> Self {
        Self::Grey(plane)
    }
}
