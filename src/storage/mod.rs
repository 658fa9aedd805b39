//! Where thumbnails live.
