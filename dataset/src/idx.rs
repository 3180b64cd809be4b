//! The IDX format: a magic number, the dimensions, the bytes.
//!
//! Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten
//! digits", section "File formats". All numbers are 32-bit big-endian; the
//! magic number is 0, 0, the type of the data (8: unsigned byte) and the
//! number of dimensions.
//!
//! Files are not trusted: the header is held against the file's length before
//! memory is taken for the data, and a gzip stream is read no further than its
//! header says, into memory that grows with what arrives.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::path::Path;

use artifact::Sha256;
use flate2::bufread::GzDecoder;

use crate::{Error, IdxError};

/// No dataset here comes near; a header that says more is not believed.
const MAX_DATA_BYTES: u64 = 1 << 32;

/// Deflate cannot make a stream shorter than its data by more than this
/// (zlib's "Technical Details": 1032 to 1).
const MAX_GZIP_RATIO: u64 = 1032;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const UNSIGNED_BYTES: u32 = 0x0800;
const BUFFER_BYTES: usize = 1 << 16;

/// The content of an IDX file of unsigned bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idx {
    dims: Vec<u32>,
    data: Vec<u8>,
}

impl Idx {
    /// `data` with the dimensions `dims`, row-major.
    ///
    /// # Errors
    ///
    /// When a dimension is zero, or the dimensions do not multiply to the
    /// length of `data`.
    pub fn new(dims: Vec<u32>, data: Vec<u8>) -> Result<Self, IdxError> {
        let expected = data_len(&dims)?;
        let found = data.len() as u64;
        if found < expected {
            return Err(IdxError::Truncated { expected, found });
        }
        if found > expected {
            return Err(IdxError::Oversized { expected, found });
        }
        Ok(Self { dims, data })
    }

    /// Reads the file at `path`, raw or gzipped, with `rank` dimensions.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened, or is not a whole IDX file of `rank`
    /// dimensions with nothing after its end.
    pub fn read(path: &Path, rank: usize) -> Result<Self, Error> {
        let file = open(path)?;
        let stored = file
            .metadata()
            .map_err(artifact::Error::new("read", path))?
            .len();
        Self::decode(BufReader::with_capacity(BUFFER_BYTES, file), stored, rank).map_err(
            |problem| Error::Idx {
                path: path.to_owned(),
                problem,
            },
        )
    }

    /// The dimensions in the header of the file at `path`, which is read no further.
    pub(crate) fn read_dims(path: &Path, rank: usize) -> Result<Vec<u32>, Error> {
        let problem = |problem| Error::Idx {
            path: path.to_owned(),
            problem,
        };
        let mut reader = BufReader::with_capacity(BUFFER_BYTES, open(path)?);
        let dims = match is_gzip(&mut reader).map_err(|error| problem(error.into()))? {
            true => decode_header(&mut GzDecoder::new(reader), rank),
            false => decode_header(&mut reader, rank),
        };
        dims.map_err(problem)
    }

    /// Reads an IDX file of `stored` bytes, raw or gzipped, from `reader`.
    pub(crate) fn decode(
        mut reader: impl BufRead,
        stored: u64,
        rank: usize,
    ) -> Result<Self, IdxError> {
        if !is_gzip(&mut reader)? {
            return decode_raw(&mut reader, Length::Exactly(stored), rank);
        }
        let mut decoder = GzDecoder::new(reader);
        let at_most = Length::AtMost(stored.saturating_mul(MAX_GZIP_RATIO));
        let idx = decode_raw(&mut decoder, at_most, rank)?;
        if decoder.into_inner().fill_buf()?.is_empty() {
            Ok(idx)
        } else {
            Err(IdxError::TrailingData)
        }
    }

    /// Writes the raw IDX file.
    ///
    /// # Errors
    ///
    /// When `writer` fails.
    pub fn encode(&self, mut writer: impl Write) -> io::Result<()> {
        writer.write_all(&self.header())?;
        writer.write_all(&self.data)
    }

    /// The digest of the raw IDX file, however it was stored.
    pub fn sha256(&self) -> Sha256 {
        let header = self.header();
        let raw = header.as_slice().chain(self.data.as_slice());
        Sha256::of_reader(raw).expect("memory can be read")
    }

    /// The dimensions, outermost first.
    pub fn dims(&self) -> &[u32] {
        &self.dims
    }

    /// The bytes, row-major.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The bytes, row-major, as an owned value.
    pub fn into_data(self) -> Vec<u8> {
        self.data
    }

    fn header(&self) -> Vec<u8> {
        let mut header = magic(self.dims.len()).to_be_bytes().to_vec();
        header.extend(self.dims.iter().flat_map(|dim| dim.to_be_bytes()));
        header
    }
}

/// What is known of a raw file's length before it is read.
#[derive(Clone, Copy)]
enum Length {
    /// It is a file as it stands.
    Exactly(u64),
    /// It comes out of a gzip stream that cannot hold more.
    AtMost(u64),
}

/// The digest of the raw file that is stored at `path`, raw or gzipped.
pub(crate) fn raw_sha256(path: &Path) -> Result<Sha256, Error> {
    let reader = BufReader::with_capacity(BUFFER_BYTES, open(path)?);
    digest_raw(reader).map_err(|problem| Error::Idx {
        path: path.to_owned(),
        problem,
    })
}

fn digest_raw(mut reader: impl BufRead) -> Result<Sha256, IdxError> {
    if !is_gzip(&mut reader)? {
        return Ok(Sha256::of_reader(reader)?);
    }
    let mut decoder = GzDecoder::new(reader);
    let digest = Sha256::of_reader(decoder.by_ref().take(MAX_DATA_BYTES))?;
    if decoder.into_inner().fill_buf()?.is_empty() {
        Ok(digest)
    } else {
        Err(IdxError::TrailingData)
    }
}

/// Whether `reader`, which stays where it is, starts as a gzip stream does.
pub(crate) fn is_gzip(reader: &mut impl BufRead) -> io::Result<bool> {
    Ok(reader.fill_buf()?.starts_with(&GZIP_MAGIC))
}

fn open(path: &Path) -> Result<File, Error> {
    Ok(artifact::open_regular(path).map_err(artifact::Error::new("open", path))?)
}

fn decode_raw(reader: &mut impl Read, length: Length, rank: usize) -> Result<Idx, IdxError> {
    let dims = decode_header(reader, rank)?;
    let data_bytes = data_len(&dims)?;
    let expected = header_len(rank) + data_bytes;
    let first = match length {
        Length::Exactly(found) | Length::AtMost(found) if found < expected => {
            return Err(IdxError::Truncated { expected, found });
        }
        Length::Exactly(found) if found > expected => {
            return Err(IdxError::Oversized { expected, found });
        }
        Length::Exactly(_) => data_bytes,
        // The stream may hold far less.
        Length::AtMost(_) => first_room(data_bytes),
    };
    let data = read_in_steps(reader, first, data_bytes)?;
    if (data.len() as u64) < data_bytes {
        let found = header_len(rank) + data.len() as u64;
        return Err(IdxError::Truncated { expected, found });
    }
    if reader.read(&mut [0])? > 0 {
        let found = expected + 1;
        return Err(IdxError::Oversized { expected, found });
    }
    Ok(Idx { dims, data })
}

/// What is a buffer at the most, and `limit` once it is doubled some times.
fn first_room(limit: u64) -> u64 {
    let mut room = limit;
    while room > BUFFER_BYTES as u64 {
        room = room.div_ceil(2);
    }
    room
}

/// Up to `limit` bytes, fewer where `reader` ends early. There is room for `first` of
/// them, and for twice as many each time that it is full: in the end for `limit`
/// exactly, beside half of it that is moved there.
fn read_in_steps(reader: &mut impl Read, first: u64, limit: u64) -> io::Result<Vec<u8>> {
    let mut data = Vec::new();
    let mut room = first;
    loop {
        let missing = room - data.len() as u64;
        // No more than `data_len` allows, which fits in memory's addresses.
        data.reserve_exact(missing as usize);
        read_up_to(reader, missing, &mut data)?;
        if room == limit || (data.len() as u64) < room {
            return Ok(data);
        }
        room = (2 * room).min(limit);
    }
}

/// Reads the magic number and `rank` dimensions.
fn decode_header(reader: &mut impl Read, rank: usize) -> Result<Vec<u32>, IdxError> {
    let mut header = Vec::new();
    read_up_to(reader, header_len(rank), &mut header)?;
    let mut words = header.chunks_exact(4).map(be_u32);
    let expected = magic(rank);
    match words.next() {
        Some(found) if found != expected => return Err(IdxError::Magic { expected, found }),
        _ => {}
    }
    let dims: Vec<u32> = words.collect();
    if dims.len() == rank {
        Ok(dims)
    } else {
        Err(IdxError::Truncated {
            expected: header_len(rank),
            found: header.len() as u64,
        })
    }
}

/// Appends up to `limit` bytes to `bytes`; fewer where `reader` ends early,
/// be it in the midst of a gzip stream.
fn read_up_to(reader: &mut impl Read, limit: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
    match reader.take(limit).read_to_end(bytes) {
        Err(error) if error.kind() != ErrorKind::UnexpectedEof => Err(error),
        _ => Ok(()),
    }
}

/// The number of bytes that `dims` call for, from 1 to [`MAX_DATA_BYTES`].
fn data_len(dims: &[u32]) -> Result<u64, IdxError> {
    dims.iter()
        .try_fold(1_u64, |n, &dim| n.checked_mul(dim.into()))
        .filter(|n| (1..=MAX_DATA_BYTES).contains(n) && usize::try_from(*n).is_ok())
        .ok_or_else(|| IdxError::Dimensions {
            found: dims.to_vec(),
            limit: MAX_DATA_BYTES,
        })
}

fn header_len(rank: usize) -> u64 {
    4 + 4 * rank as u64
}

fn magic(rank: usize) -> u32 {
    UNSIGNED_BYTES | rank as u32
}

fn be_u32(word: &[u8]) -> u32 {
    word.iter().fold(0, |n, &byte| n << 8 | u32::from(byte))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use flate2::{Compression, write::GzEncoder};
    use proptest::prelude::*;

    use super::*;

    fn raw(idx: &Idx) -> Vec<u8> {
        let mut bytes = Vec::new();
        idx.encode(&mut bytes).unwrap();
        bytes
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn decode(bytes: &[u8], rank: usize) -> Result<Idx, IdxError> {
        Idx::decode(bytes, bytes.len() as u64, rank)
    }

    fn sample() -> Idx {
        Idx::new(vec![2, 3, 2], (0..12).collect()).unwrap()
    }

    #[test]
    fn layout_is_the_one_of_the_description() {
        let labels = Idx::new(vec![3], vec![5, 0, 4]).unwrap();
        assert_eq!(raw(&labels), [0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4]);
    }

    #[test]
    fn digest_is_that_of_the_raw_file_however_it_is_stored() {
        let bytes = raw(&sample());
        let expected = Sha256::of_bytes(&bytes);
        assert_eq!(sample().sha256(), expected);
        assert_eq!(digest_raw(&bytes[..]).unwrap(), expected);
        assert_eq!(digest_raw(&gzip(&bytes)[..]).unwrap(), expected);
    }

    #[test]
    fn truncated_header_is_rejected() {
        let bytes = raw(&sample());
        for length in 0..16 {
            for stored in [bytes[..length].to_vec(), gzip(&bytes[..length])] {
                let error = decode(&stored, 3).unwrap_err();
                assert!(
                    matches!(error, IdxError::Truncated { expected: 16, found } if found == length as u64),
                    "{length}: {error}"
                );
            }
        }
    }

    #[test]
    fn truncated_data_is_rejected_with_both_lengths() {
        let bytes = raw(&sample());
        for stored in [bytes[..20].to_vec(), gzip(&bytes[..20])] {
            let error = decode(&stored, 3).unwrap_err();
            assert_eq!(error.to_string(), "truncated: expected 28 bytes, found 20");
        }
    }

    #[test]
    fn oversized_file_is_rejected() {
        let mut bytes = raw(&sample());
        bytes.push(0);
        for stored in [bytes.clone(), gzip(&bytes)] {
            let error = decode(&stored, 3).unwrap_err();
            assert!(
                matches!(
                    error,
                    IdxError::Oversized {
                        expected: 28,
                        found: 29
                    }
                ),
                "{error}"
            );
        }
    }

    #[test]
    fn labels_are_not_taken_for_images() {
        let labels = Idx::new(vec![3], vec![5, 0, 4]).unwrap();
        let error = decode(&raw(&labels), 3).unwrap_err();
        assert_eq!(
            error.to_string(),
            "wrong magic number: expected 0x00000803, found 0x00000801"
        );
    }

    #[test]
    fn dimensions_that_are_zero_or_overflow_are_rejected() {
        for dims in [[0, 28, 28], [u32::MAX; 3], [u32::MAX, 2, 1]] {
            let mut bytes = magic(3).to_be_bytes().to_vec();
            bytes.extend(dims.iter().flat_map(|dim| dim.to_be_bytes()));
            let error = decode(&bytes, 3).unwrap_err();
            assert!(matches!(error, IdxError::Dimensions { found, .. } if found == dims));
        }
    }

    #[test]
    fn gzip_that_cannot_hold_what_its_header_says_is_rejected_unread() {
        let mut bytes = magic(1).to_be_bytes().to_vec();
        bytes.extend((1_u32 << 30).to_be_bytes());
        let error = decode(&gzip(&bytes), 1).unwrap_err();
        assert!(matches!(error, IdxError::Truncated { expected, .. } if expected == (1 << 30) + 8));
    }

    #[test]
    fn gzip_bomb_is_read_no_further_than_its_header_says() {
        let mut bytes = raw(&sample());
        bytes.resize(1 << 24, 0);
        let error = decode(&gzip(&bytes), 3).unwrap_err();
        assert!(matches!(error, IdxError::Oversized { expected: 28, .. }));
    }

    #[test]
    fn bytes_after_the_gzip_stream_are_rejected() {
        let mut stored = gzip(&raw(&sample()));
        stored.extend(stored.clone());
        assert!(matches!(
            decode(&stored, 3).unwrap_err(),
            IdxError::TrailingData
        ));
        assert!(matches!(
            digest_raw(&stored[..]).unwrap_err(),
            IdxError::TrailingData
        ));
    }

    #[test]
    fn gzip_with_a_wrong_crc_is_rejected() {
        let mut stored = gzip(&raw(&sample()));
        let crc = stored.len() - 8;
        stored[crc] ^= 1;
        assert!(matches!(decode(&stored, 3).unwrap_err(), IdxError::Read(_)));
    }

    fn any_idx() -> impl Strategy<Value = Idx> {
        prop::collection::vec(1_u32..6, 1..4).prop_flat_map(|dims| {
            let length = dims.iter().product::<u32>() as usize;
            prop::collection::vec(any::<u8>(), length)
                .prop_map(move |data| Idx::new(dims.clone(), data).unwrap())
        })
    }

    proptest! {
        #[test]
        fn encoded_files_decode_to_themselves(idx in any_idx()) {
            let bytes = raw(&idx);
            let rank = idx.dims().len();
            prop_assert_eq!(&decode(&bytes, rank).unwrap(), &idx);
            prop_assert_eq!(&decode(&gzip(&bytes), rank).unwrap(), &idx);
        }

        #[test]
        fn every_proper_prefix_is_rejected(idx in any_idx(), cut in any::<prop::sample::Index>()) {
            let bytes = raw(&idx);
            let rank = idx.dims().len();
            for stored in [bytes.clone(), gzip(&bytes)] {
                prop_assert!(decode(&stored[..cut.index(stored.len())], rank).is_err());
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..64),
            start in prop::sample::select(vec![&[][..], &[0, 0, 8, 3], &[0x1f, 0x8b, 8]]),
            rank in 1_usize..4,
        ) {
            let stored = [start, &bytes].concat();
            if let Ok(idx) = decode(&stored, rank) {
                prop_assert_eq!(idx.dims().len(), rank);
            }
        }
    }
}
