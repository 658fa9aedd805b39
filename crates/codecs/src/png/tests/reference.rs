//! The png crate.

use std::io::Cursor;

/// The rows that the crate reads, and why they end early. None if it gives up before the first.
pub fn read(bytes: &[u8]) -> Option<(Vec<Vec<u8>>, Option<String>)> {
    let mut reader = png::Decoder::new(Cursor::new(bytes)).read_info().ok()?;
    let mut row = vec![0; reader.output_line_size(reader.info().width)?];
    let mut rows = Vec::new();
    loop {
        match reader.read_row(&mut row) {
            Ok(Some(_)) => rows.push(row.clone()),
            Ok(None) => return Some((rows, None)),
            // All rows may be there, and what follows them broken.
            Err(_) if rows.len() == reader.info().height as usize => return Some((rows, None)),
            Err(error) => return Some((rows, Some(error.to_string()))),
        }
    }
}
