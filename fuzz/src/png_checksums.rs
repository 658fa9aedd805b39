//! Checksums that fit: a mutated chunk would be refused for its old one, and the code after that
//! never tried.

const SIGNATURE_BYTES: usize = 8;
const LENGTH_BYTES: usize = 4;
const KIND_BYTES: usize = 4;
const CHECKSUM_BYTES: usize = 4;

/// The file with the right checksum after every chunk that is there whole (PNG, section 5.3).
pub fn with_right_checksums(file: &[u8]) -> Vec<u8> {
    let mut file = file.to_vec();
    let mut rest = file.get_mut(SIGNATURE_BYTES..).unwrap_or_default();
    while let Some((length, chunk)) = rest.split_first_chunk_mut::<LENGTH_BYTES>() {
        let checked = KIND_BYTES + u32::from_be_bytes(*length) as usize;
        if chunk.len() < checked + CHECKSUM_BYTES {
            break;
        }
        let (checked, after) = chunk.split_at_mut(checked);
        let (checksum, next) = after.split_at_mut(CHECKSUM_BYTES);
        checksum.copy_from_slice(&crc32fast::hash(checked).to_be_bytes());
        rest = next;
    }
    file
}
