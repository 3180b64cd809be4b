//! A header's promise takes no memory: what is allocated for a file stays
//! within what the file holds. Alone in its binary, since it counts the
//! allocations of the whole process.
#![allow(clippy::unwrap_used)]
// The only way to see allocations is to implement the unsafe trait.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use dataset::{Error, Idx};
use flate2::{Compression, write::GzEncoder};

/// The system's allocator, which notes the largest request, and the most that is held.
struct Recorder;

static LARGEST: AtomicUsize = AtomicUsize::new(0);
static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on unchanged; `realloc` keeps its default,
// which goes through `alloc`.
unsafe impl GlobalAlloc for Recorder {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        let held = HELD.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(held, Ordering::Relaxed);
        // SAFETY: the caller keeps to the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: `memory` came from `System` with this layout.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Recorder = Recorder;

/// The reader's own buffers: the file's and the decompressor's.
const BUFFERS: usize = 1 << 17;

fn largest_allocation(path: &Path) -> (Result<Idx, Error>, usize) {
    LARGEST.store(0, Ordering::Relaxed);
    let result = Idx::read(path, 3);
    (result, LARGEST.load(Ordering::Relaxed))
}

fn peak(path: &Path) -> (Result<Idx, Error>, usize) {
    let before = HELD.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let result = Idx::read(path, 3);
    (result, PEAK.load(Ordering::Relaxed) - before)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn headers_that_promise_too_much_take_no_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("images");
    for dims in [[60_000_u32, 28, 28], [4, 1 << 15, 1 << 15], [u32::MAX; 3]] {
        let mut raw = vec![0, 0, 8, 3];
        raw.extend(dims.iter().flat_map(|dim| dim.to_be_bytes()));
        raw.extend([7; 1000]);
        for stored in [raw.clone(), gzip(&raw)] {
            std::fs::write(&path, stored).unwrap();
            let (result, largest) = largest_allocation(&path);
            assert!(result.is_err());
            assert!(largest <= BUFFERS, "{largest} bytes for {dims:?}");
        }
    }
    gzip_bomb_takes_no_memory(&path);
    whole_file_takes_its_own_length(&path);
    gzipped_file_takes_half_its_length_more(&path);
    gzipped_file_that_ends_early_takes_three_times_what_it_has(&path);
}

/// 64 MiB of zeros behind a header that promises one byte.
fn gzip_bomb_takes_no_memory(path: &Path) {
    let mut raw = vec![0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1];
    raw.resize(1 << 26, 0);
    std::fs::write(path, gzip(&raw)).unwrap();
    let (result, largest) = largest_allocation(path);
    assert!(result.is_err());
    assert!(largest <= BUFFERS, "{largest} bytes");
}

fn whole_file_takes_its_own_length(path: &Path) {
    let idx = Idx::new(vec![1000, 28, 28], vec![1; 784_000]).unwrap();
    artifact::write(path, |file| idx.encode(file)).unwrap();
    let (result, largest) = largest_allocation(path);
    assert_eq!(result.unwrap(), idx);
    assert_eq!(largest, 784_000);
}

/// Whether its length is a power of two, as the room of a list is, or just beyond.
fn gzipped_file_takes_half_its_length_more(path: &Path) {
    for (count, side) in [(64, 1 << 10), (33, 1 << 10), (1025, 181)] {
        let length = (count * side * side) as usize;
        let idx = Idx::new(vec![count, side, side], vec![1; length]).unwrap();
        let mut raw = Vec::new();
        idx.encode(&mut raw).unwrap();
        std::fs::write(path, gzip(&raw)).unwrap();
        let (result, peak) = peak(path);
        assert!(result.unwrap() == idx);
        assert!(
            peak <= length + length / 2 + (1 << 18),
            "{peak} for {length}"
        );
    }
}

fn gzipped_file_that_ends_early_takes_three_times_what_it_has(path: &Path) {
    let header = [[0, 0, 8, 3], [0, 0, 4, 0], [0, 0, 4, 0], [0, 0, 4, 0]].concat();
    // SHA-256 of numbers, which no gzip makes shorter.
    let noise =
        (0..160_u32 << 10).flat_map(|n| *artifact::Sha256::of_bytes(&n.to_le_bytes()).bytes());
    let raw: Vec<u8> = header.into_iter().chain(noise).collect();
    std::fs::write(path, gzip(&raw)).unwrap();
    let (result, peak) = peak(path);
    let message = result.unwrap_err().to_string();
    assert!(
        message.contains(&format!("found {}", raw.len())),
        "{message}"
    );
    assert!(peak <= 3 * raw.len() + (1 << 18), "{peak}");
}
