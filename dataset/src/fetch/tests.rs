//! Fetching the fixture, as if it were published, from a server of the test's.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::thread;

use super::*;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/mnist")
}

/// The fixture as a published dataset.
fn manifest() -> Manifest {
    let path = |file: DatasetFile| file.find(&fixture()).unwrap();
    Manifest {
        name: "fixture",
        sha256: DatasetFile::ALL.map(|file| idx::raw_sha256(&path(file)).unwrap()),
        bytes: [16 + 600 * 784, 8 + 600, 16 + 200 * 784, 8 + 200],
    }
}

/// A mirror that answers every request with `answer(file name)`.
fn mirror(answer: impl Fn(&str) -> Option<Vec<u8>> + Send + 'static) -> Source {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            respond(stream.unwrap(), &answer);
        }
    });
    Source::mirror(format!("http://{address}/"))
}

fn respond(mut stream: TcpStream, answer: &impl Fn(&str) -> Option<Vec<u8>>) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let request = lines.next().unwrap().unwrap();
    lines.find(|line| line.as_ref().unwrap().is_empty());
    let name = request.split(' ').nth(1).unwrap().trim_start_matches('/');
    let (status, body) = match answer(name) {
        Some(body) => ("200 OK", body),
        None => ("404 Not Found", Vec::new()),
    };
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    // A client that has read enough hangs up.
    let _ = stream.write_all(&body);
}

fn good_mirror() -> Source {
    mirror(|name| fs::read(fixture().join(name)).ok())
}

fn dead_mirror() -> Source {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    Source::mirror(format!("http://{}/", listener.local_addr().unwrap()))
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn published_names() -> Vec<String> {
    let mut names: Vec<_> = DatasetFile::ALL
        .map(|file| file.names()[0].to_owned())
        .into();
    names.sort();
    names
}

#[test]
fn files_come_from_the_first_source_that_has_them() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("data/fixture");
    let sources = [dead_mirror(), mirror(|_| None), good_mirror()];

    let fetched = complete(&manifest(), &target, &sources).unwrap();

    let from: Vec<_> = fetched.files.iter().map(|file| &file.source).collect();
    assert_eq!(from, [&sources[2].to_string(); 4]);
    assert_eq!(names(&target), published_names());
    assert!(unmet(&manifest(), &target).is_empty());
}

#[test]
fn files_that_one_source_lacks_come_from_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let images_only = mirror(|name| {
        name.contains("train-images")
            .then(|| fs::read(fixture().join(name)).unwrap())
    });
    let fetched = complete(&manifest(), folder.path(), &[images_only, good_mirror()]).unwrap();
    assert_eq!(fetched.files.len(), 4);
    assert_ne!(fetched.files[0].source, fetched.files[1].source);
}

#[test]
fn files_that_are_there_are_used_without_asking_anyone() {
    let fetched = complete(&manifest(), &fixture(), &[]).unwrap();
    assert!(fetched.files.is_empty());
}

#[test]
fn altered_file_is_replaced_by_the_right_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t10k-labels-idx1-ubyte");
    fs::write(&path, "altered").unwrap();

    let fetched = complete(&manifest(), folder.path(), &[good_mirror()]).unwrap();

    let line = fetched.files.last().unwrap().to_string();
    let digest = Sha256::of_bytes(b"altered").to_string();
    assert!(
        line.contains("instead of") && line.contains(&digest),
        "{line}"
    );
    assert_eq!(fs::read(&path).unwrap().len(), 208);
}

#[test]
fn altered_file_stays_when_nothing_better_is_to_be_had() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t10k-labels-idx1-ubyte");
    fs::write(&path, "altered").unwrap();
    let lying = mirror(|_| Some(b"<html>log in first</html>".to_vec()));

    let error = complete(&manifest(), folder.path(), &[lying, dead_mirror()]).unwrap_err();

    assert_eq!(fs::read(&path).unwrap(), b"altered");
    assert_eq!(names(folder.path()), ["t10k-labels-idx1-ubyte"]);
    let message = error.to_string();
    for part in [
        Sha256::of_bytes(b"altered").to_string(),
        Sha256::of_bytes(b"<html>log in first</html>").to_string(),
        manifest().sha256(DatasetFile::TestLabels).to_string(),
        manifest().sha256(DatasetFile::TrainImages).to_string(),
    ] {
        assert!(message.contains(&part), "{part} in:\n{message}");
    }
}

#[test]
fn good_file_behind_an_altered_one_is_used() {
    let folder = tempfile::tempdir().unwrap();
    for name in names(&fixture()) {
        fs::copy(fixture().join(&name), folder.path().join(&name)).unwrap();
    }
    fs::write(folder.path().join("train-images-idx3-ubyte"), "altered").unwrap();

    let fetched = complete(&manifest(), folder.path(), &[]).unwrap();

    assert_eq!(fetched.files.len(), 1);
    assert!(unmet(&manifest(), folder.path()).is_empty());
}

#[test]
fn endless_content_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let endless = mirror(|_| Some(vec![0; 8 << 20]));
    let error = complete(&manifest(), folder.path(), &[endless]).unwrap_err();
    assert!(error.to_string().contains("training images"), "{error}");
    assert!(names(folder.path()).is_empty());
}

#[test]
fn transfer_that_breaks_off_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let cut = mirror(|name| {
        let mut content = fs::read(fixture().join(name)).unwrap();
        content.truncate(content.len() / 2);
        Some(content)
    });
    let error = complete(&manifest(), folder.path(), &[cut]).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("transfer of the training images failed"),
        "{error}"
    );
    assert!(names(folder.path()).is_empty());
}

#[test]
fn fetches_at_once_do_not_harm_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let sources = [good_mirror()];
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| complete(&manifest(), folder.path(), &sources).unwrap());
        }
    });
    assert!(unmet(&manifest(), folder.path()).is_empty());
    assert_eq!(names(folder.path()), published_names());
}

#[test]
fn folder_that_cannot_be_made_is_named_before_anyone_is_asked() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = complete(&manifest(), &file.path().join("mnist"), &[dead_mirror()]).unwrap_err();
    assert!(matches!(error, Error::File(_)), "{error}");
}
