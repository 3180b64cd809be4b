//! Fetching the fixture, as if it were published, from a server of the test's.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
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
    server(move |stream, name| {
        let (status, body) = match answer(name) {
            Some(body) => ("200 OK", body),
            None => ("404 Not Found", Vec::new()),
        };
        let length = format!("Content-Length: {}", body.len());
        respond(stream, status, &length, &body);
    })
}

/// A server that meets every request with `serve(connection, file name)`.
fn server(serve: impl Fn(TcpStream, &str) + Send + 'static) -> Source {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            let name = requested(&stream);
            serve(stream, &name);
        }
    });
    Source::mirror(format!("http://{address}/"))
}

fn requested(stream: &TcpStream) -> String {
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next().unwrap().unwrap();
    lines.find(|line| line.as_ref().unwrap().is_empty());
    let path = request.split(' ').nth(1).unwrap();
    path.trim_start_matches('/').to_owned()
}

fn respond(mut stream: TcpStream, status: &str, header: &str, body: &[u8]) {
    let head = format!("HTTP/1.1 {status}\r\n{header}\r\nConnection: close\r\n\r\n");
    // A client that has read enough hangs up.
    let _ = stream
        .write_all(head.as_bytes())
        .and_then(|()| stream.write_all(body));
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
    assert!(missing(&manifest(), &target).unwrap().is_empty());
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

#[cfg(unix)]
#[test]
fn what_a_killed_fetch_left_is_deleted_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(DatasetFile::TrainImages.names()[0]);
    artifact::temporary_beside(&path).unwrap().keep().unwrap();
    complete(&manifest(), folder.path(), &[good_mirror()]).unwrap();
    assert_eq!(names(folder.path()), published_names());
}

#[test]
fn files_that_are_there_are_used_without_asking_anyone() {
    let fetched = complete(&manifest(), &fixture(), &[]).unwrap();
    assert!(fetched.files.is_empty());
}

#[test]
fn file_with_another_content_is_refused_and_kept_and_nothing_is_fetched() {
    for name in ["t10k-labels-idx1-ubyte", "t10k-labels.idx1-ubyte"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, "my own").unwrap();

        let error = complete(&manifest(), folder.path(), &[good_mirror()]).unwrap_err();

        assert_eq!(fs::read(&path).unwrap(), b"my own");
        assert_eq!(names(folder.path()), [name]);
        let message = error.to_string();
        for part in [
            path.display().to_string(),
            Sha256::of_bytes(b"my own").to_string(),
            manifest().sha256(DatasetFile::TestLabels).to_string(),
            "move it away".to_owned(),
        ] {
            assert!(message.contains(&part), "{part} in:\n{message}");
        }
    }
}

#[test]
fn lying_source_leaves_nothing_and_is_told_with_the_digests() {
    let folder = tempfile::tempdir().unwrap();
    let lying = mirror(|_| Some(b"<html>log in first</html>".to_vec()));

    let error = complete(&manifest(), folder.path(), &[lying, dead_mirror()]).unwrap_err();

    assert!(names(folder.path()).is_empty());
    let message = error.to_string();
    for part in [
        Sha256::of_bytes(b"<html>log in first</html>").to_string(),
        manifest().sha256(DatasetFile::TestLabels).to_string(),
        manifest().sha256(DatasetFile::TrainImages).to_string(),
    ] {
        assert!(message.contains(&part), "{part} in:\n{message}");
    }
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
fn endless_content_of_untold_length_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let endless = server(|mut stream, _| {
        let head = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        while stream.write_all(&[0; 1 << 16]).is_ok() {}
    });
    let error = complete(&manifest(), folder.path(), &[endless]).unwrap_err();
    assert!(error.to_string().contains("training images"), "{error}");
    assert!(names(folder.path()).is_empty());
}

#[test]
fn connection_that_is_cut_leaves_nothing_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let cut = server(|stream, name| {
        let content = fs::read(fixture().join(name)).unwrap();
        let length = format!("Content-Length: {}", content.len());
        respond(stream, "200 OK", &length, &content[..content.len() / 2]);
    });
    let error = complete(&manifest(), folder.path(), &[cut]).unwrap_err();
    assert!(error.to_string().contains("curl: (18)"), "{error}");
    assert!(names(folder.path()).is_empty());
}

#[test]
fn mirror_that_lacks_a_file_is_asked_once_and_its_answer_told() {
    let folder = tempfile::tempdir().unwrap();
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&requests);
    let empty = mirror(move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
        None
    });
    let error = complete(&manifest(), folder.path(), &[empty]).unwrap_err();
    assert!(error.to_string().contains("error: 404"), "{error}");
    assert_eq!(requests.load(Ordering::Relaxed), 1);
}

#[test]
fn redirection_is_followed_but_not_out_of_the_web() {
    let folder = tempfile::tempdir().unwrap();
    let Source::Mirror { base } = good_mirror() else {
        unreachable!()
    };
    let moved = server(move |stream, name| {
        respond(stream, "302 Found", &format!("Location: {base}{name}"), b"");
    });
    complete(&manifest(), folder.path(), &[moved]).unwrap();

    let other = tempfile::tempdir().unwrap();
    let local = server(|stream, name| {
        let path = fixture().join(name).display().to_string();
        respond(
            stream,
            "302 Found",
            &format!("Location: file://{path}"),
            b"",
        );
    });
    let error = complete(&manifest(), other.path(), &[local]).unwrap_err();
    assert!(error.to_string().contains("curl: (1)"), "{error}");
    assert!(names(other.path()).is_empty());
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
    assert!(missing(&manifest(), folder.path()).unwrap().is_empty());
    assert_eq!(names(folder.path()), published_names());
}

#[test]
fn folder_that_cannot_be_made_is_named_before_anyone_is_asked() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = complete(&manifest(), &file.path().join("mnist"), &[dead_mirror()]).unwrap_err();
    assert!(matches!(error, Error::File(_)), "{error}");
}
