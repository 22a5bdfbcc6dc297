//! What a memory holds when an instance begins.
use crate::{refuse, Result};

/// Zeros, but for these bytes.
#[derive(Debug)]
pub struct Image {
    /// Where `bytes` begin.
    pub offset: u64,
    pub bytes: Vec<u8>,
    /// Of the whole memory.
    pub memory_bytes: u64,
}

/// A piece of it.
pub struct Segment<'a> {
    pub offset: u64,
    pub data: &'a [u8],
}

/// The image is one piece, so it may be larger than what it is made of: that much, and that many times.
const HOLES: u64 = 1 << 20;
const SPREAD: u64 = 4;

impl Image {
    /// Later segments lie over earlier ones.
    pub fn new(memory_bytes: u64, segments: &[Segment<'_>]) -> Result<Image> {
        if segments.iter().any(|s| s.offset.saturating_add(s.data.len() as u64) > memory_bytes) {
            return refuse("its data do not fit its memory");
        }
        let filled = || segments.iter().filter(|s| !s.data.is_empty());
        let offset = filled().map(|s| s.offset).min().unwrap_or(0);
        let end = filled().map(|s| s.offset + s.data.len() as u64).max().unwrap_or(0);
        let sum: u64 = filled().map(|s| s.data.len() as u64).sum();
        if end - offset > SPREAD * sum + HOLES {
            return refuse("its data lie too far apart");
        }
        let mut bytes = vec![0; (end - offset) as usize];
        for s in filled() {
            let at = (s.offset - offset) as usize;
            bytes[at..at + s.data.len()].copy_from_slice(s.data);
        }
        Ok(Image { offset, bytes, memory_bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_segments_lie_over_earlier_ones() {
        let segments = [Segment { offset: 10, data: b"abcd" }, Segment { offset: 12, data: b"xyz" }];
        let image = Image::new(65536, &segments).unwrap();
        assert_eq!((image.offset, image.bytes.as_slice()), (10, b"abxyz".as_slice()));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(Image::new(65536, &[Segment { offset: 65535, data: b"a" }]).is_ok());
        assert!(Image::new(65536, &[Segment { offset: 65535, data: b"ab" }]).is_err());
        assert!(Image::new(65536, &[Segment { offset: 65537, data: b"" }]).is_err());
        assert!(Image::new(1 << 30, &[Segment { offset: 0, data: b"a" }, Segment { offset: 1 << 29, data: b"b" }]).is_err());
    }
}
