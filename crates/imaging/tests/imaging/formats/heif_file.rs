//! Writes HEIF files around coded pictures (ISO/IEC 23008-12).

/// An item: its kind, its data, and which properties it has.
pub struct Item {
    pub kind: &'static [u8; 4],
    pub data: Vec<u8>,
    /// By their places in the list, from 0.
    pub properties: Vec<u8>,
}

/// Boxes `ispe`, `irot` and so on, the items from number 1 on, and references among them.
#[derive(Default)]
pub struct Container {
    pub properties: Vec<Vec<u8>>,
    pub items: Vec<Item>,
    /// Kind, from, to.
    pub references: Vec<(&'static [u8; 4], u16, Vec<u16>)>,
}

pub fn media_box(kind: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let data = parts.concat();
    [&(data.len() as u32 + 8).to_be_bytes()[..], kind, &data].concat()
}

/// The first box of a kind in a file, wherever it is.
pub fn box_of(bytes: &[u8], kind: &[u8; 4]) -> Vec<u8> {
    let at = bytes.windows(4).position(|four| four == kind).unwrap() - 4;
    let length = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    bytes[at..at + length].to_vec()
}

/// What makes a sequence of a file (clause 7): a track of so many pictures, a second each. It says
/// that they lie at the beginning of the file.
pub fn track_of(pictures: u32) -> Vec<u8> {
    let longs = |numbers: &[u32]| -> Vec<u8> {
        numbers
            .iter()
            .flat_map(|number| number.to_be_bytes())
            .collect()
    };
    let table = [
        full_box(
            b"stsd",
            0,
            &[&longs(&[1]), &media_box(b"hvc1", &[&[0; 78]])],
        ),
        full_box(b"stts", 0, &[&longs(&[1, pictures, 1000])]),
        full_box(b"stsc", 0, &[&longs(&[1, 1, pictures, 1])]),
        full_box(b"stsz", 0, &[&longs(&[8, pictures])]),
        full_box(b"stco", 0, &[&longs(&[1, 0])]),
    ];
    let handler = full_box(b"hdlr", 0, &[&[0; 4], b"pict", &[0; 13]]);
    let table = media_box(b"minf", &[&media_box(b"stbl", &[&table.concat()])]);
    let track = media_box(b"trak", &[&media_box(b"mdia", &[&handler, &table])]);
    media_box(b"moov", &[&track])
}

fn full_box(kind: &[u8; 4], version: u8, parts: &[&[u8]]) -> Vec<u8> {
    media_box(kind, &[&[version, 0, 0, 0], &parts.concat()])
}

pub fn size(width: u32, height: u32) -> Vec<u8> {
    full_box(b"ispe", 0, &[&width.to_be_bytes(), &height.to_be_bytes()])
}

pub fn rotation(quarters: u8) -> Vec<u8> {
    media_box(b"irot", &[&[quarters]])
}

pub fn mirror(axis: u8) -> Vec<u8> {
    media_box(b"imir", &[&[axis]])
}

/// Sides, and how far the middle lies from the picture's, in halves.
pub fn aperture(width: u32, height: u32, halves: (i32, i32)) -> Vec<u8> {
    let numbers = [width, 1, height, 1, halves.0 as u32, 2, halves.1 as u32, 2];
    media_box(b"clap", &[&numbers.map(u32::to_be_bytes).concat()])
}

pub fn numbers(primaries: u16, transfer: u16, matrix: u16) -> Vec<u8> {
    let numbers = [primaries, transfer, matrix].map(u16::to_be_bytes).concat();
    media_box(b"colr", &[b"nclx", &numbers, &[0x80]])
}

pub fn grid(rows: u8, columns: u8, width: u16, height: u16) -> Vec<u8> {
    let sides = [width, height].map(u16::to_be_bytes).concat();
    [&[0, 0, rows - 1, columns - 1][..], &sides].concat()
}

impl Container {
    /// The file, with its data in `idat`; its first item is the primary one.
    pub fn file(&self, brand: &[u8; 4]) -> Vec<u8> {
        let (head, data) = self.parts(brand, None);
        let meta_at = head.len() - box_of(&head, b"meta").len();
        let meta = [&head[meta_at + 8..], &media_box(b"idat", &[&data])].concat();
        [&head[..meta_at], &media_box(b"meta", &[&meta])].concat()
    }

    /// The same with the data behind all else, as phones write it.
    pub fn file_with_data_last(&self, brand: &[u8; 4]) -> Vec<u8> {
        let (head, _) = self.parts(brand, Some(0));
        let (head, data) = self.parts(brand, Some(head.len() as u32 + 8));
        [head, media_box(b"mdat", &[&data])].concat()
    }

    /// The boxes before the data, which begins at this place in the file, or lies in `idat`.
    fn parts(&self, brand: &[u8; 4], data_at: Option<u32>) -> (Vec<u8>, Vec<u8>) {
        let count = (self.items.len() as u16).to_be_bytes();
        let (mut infos, mut places, mut kinds, mut data) = (vec![], vec![], vec![], vec![]);
        for (number, item) in (1_u16..).zip(&self.items) {
            let id = number.to_be_bytes();
            infos.extend(full_box(b"infe", 2, &[&id, &[0, 0], item.kind, &[0]]));
            kinds.extend(id);
            kinds.push(item.properties.len() as u8);
            kinds.extend(item.properties.iter().map(|place| place + 1));
            // In one piece.
            let method = u8::from(data_at.is_none());
            places.extend([&id[..], &[0, method, 0, 0, 0, 1]].concat());
            places.extend((data_at.unwrap_or(0) + data.len() as u32).to_be_bytes());
            places.extend((item.data.len() as u32).to_be_bytes());
            data.extend(&item.data);
        }
        let mut references = Vec::new();
        for (kind, from, to) in &self.references {
            let ids = [&[*from, to.len() as u16][..], to].concat();
            let ids: Vec<u8> = ids.into_iter().flat_map(u16::to_be_bytes).collect();
            references.extend(media_box(kind, &[&ids]));
        }
        let items = u32::from(self.items.len() as u16).to_be_bytes();
        let properties = media_box(
            b"iprp",
            &[
                &media_box(b"ipco", &[&self.properties.concat()]),
                &full_box(b"ipma", 0, &[&items, &kinds]),
            ],
        );
        let meta = full_box(
            b"meta",
            0,
            &[
                &full_box(b"hdlr", 0, &[&[0; 4], b"pict", &[0; 13]]),
                &full_box(b"pitm", 0, &[&[0, 1]]),
                &full_box(b"iinf", 0, &[&count, &infos]),
                &full_box(b"iref", 0, &[&references]),
                &properties,
                &full_box(b"iloc", 1, &[&[0x44, 0x00], &count, &places]),
            ],
        );
        let kind = media_box(b"ftyp", &[brand, &[0; 4], b"mif1", brand]);
        ([kind, meta].concat(), data)
    }
}
