//! Plain arrays.

mod bytes;
mod floats;

pub(crate) use bytes::Bytes;
pub(crate) use floats::F4;
