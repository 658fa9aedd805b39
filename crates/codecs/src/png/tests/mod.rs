//! Compares our reader with the png crate: the same rows of the same file.

mod damage;
mod files;
mod reference;
mod same_rows;

use files::File;

/// The rows that [`super::RowReader`] reads, and why they end early.
fn read(file: &File, bytes: &[u8]) -> (Vec<Vec<u8>>, Option<String>) {
    let mut reader = super::RowReader::new(bytes, file.shape).expect("its rows are not too wide");
    let mut rows = Vec::new();
    while let Some(next) = reader.next_rows() {
        rows.extend(next.map(<[u8]>::to_vec));
    }
    (rows, reader.damage().map(ToString::to_string))
}
