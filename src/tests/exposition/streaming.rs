//! The body: the same bytes as the text at once, a bounded piece at a time.

use std::io::Read as _;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake};

use crate::exposition::{CHUNK_BYTES, Chunks, Exposition, Format, Options, Own, render};
use crate::model::Fleet;
use bytes::Bytes;
use http_body::Body;
use proptest::prelude::*;

use super::fixture::{self, FORMATS, NOW, gzip, options, own, stream};
use super::random;

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Reads a body to its end. Every pause must have asked to be woken.
fn chunks(mut body: Chunks<Exposition>) -> (Vec<Bytes>, usize) {
    let woken = Arc::new(Wakes::default());
    let waker = Arc::clone(&woken).into();
    let mut context = Context::from_waker(&waker);
    let (mut chunks, mut pauses) = (Vec::new(), 0);
    loop {
        match Pin::new(&mut body).poll_frame(&mut context) {
            Poll::Ready(Some(frame)) => chunks.push(frame.unwrap().into_data().unwrap()),
            Poll::Ready(None) => break,
            Poll::Pending => {
                pauses += 1;
                assert_eq!(woken.0.load(Ordering::SeqCst), pauses);
            }
        }
    }
    assert!(body.is_end_stream());
    assert!(chunks.iter().all(|chunk| !chunk.is_empty()));
    (chunks, pauses)
}

fn unzipped(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(bytes)
        .read_to_end(&mut text)
        .unwrap();
    text
}

#[test]
fn streams_what_render_writes() {
    let (fleet, own) = (Arc::new(fixture::large(2_000)), own());
    for format in FORMATS {
        for options in [options(format), fixture::active(format)] {
            let whole = render(&fleet, &own, NOW, options);
            let (chunks, pauses) = chunks(stream(fleet.clone(), own.clone(), options));
            assert!(chunks.concat() == whole, "{options:?}");
            let longest = chunks.iter().map(Bytes::len).max().unwrap();
            assert!(longest < CHUNK_BYTES + 4096, "{longest}");
            assert!(chunks.len() >= whole.len() / (CHUNK_BYTES + 4096));
            assert!(pauses >= whole.len() / (2 * 1024 * 1024), "{pauses}");
        }
    }
}

#[test]
fn compressed_is_the_same_text() {
    let (fleet, own) = (Arc::new(fixture::large(700)), own());
    let plain = render(&fleet, &own, NOW, options(FORMATS[2]));
    let options = gzip(options(FORMATS[2]));
    let (chunks, pauses) = chunks(stream(fleet.clone(), own.clone(), options));
    let streamed = chunks.concat();
    assert!(unzipped(&streamed) == plain);
    assert!(streamed.len() * 8 < plain.len(), "{}", streamed.len());
    assert!(chunks.len() > 1 && chunks.iter().all(|chunk| chunk.len() < 2 * CHUNK_BYTES));
    assert!(pauses >= plain.len() / (2 * 1024 * 1024), "{pauses}");
}

#[test]
fn nothing_is_made_before_it_is_asked_for_nor_kept_after_it_is_dropped() {
    let fleet = Arc::new(fixture::large(2_000));
    let mut body = stream(fleet.clone(), own(), Options::default());
    assert_eq!(Arc::strong_count(&fleet), 2);
    let waker = Arc::new(Wakes::default()).into();
    let mut context = Context::from_waker(&waker);
    let Poll::Ready(Some(Ok(first))) = Pin::new(&mut body).poll_frame(&mut context) else {
        panic!("no first chunk");
    };
    assert!(first.into_data().unwrap().len() < CHUNK_BYTES + 4096);
    assert!(!body.is_end_stream());
    drop(body);
    assert_eq!(Arc::strong_count(&fleet), 1);
}

#[test]
fn an_empty_answer_ends() {
    for (options, length) in [
        (options(Format::Text004), 0),
        (options(FORMATS[2]), "# EOF\n".len()),
    ] {
        let (chunks, _) = chunks(stream(Arc::default(), Own::default(), options));
        assert_eq!(chunks.concat().len(), length);
        let (compressed, _) = self::chunks(stream(Arc::default(), Own::default(), gzip(options)));
        assert_eq!(unzipped(&compressed.concat()).len(), length);
    }
}

#[test]
fn the_longest_names_stay_within_the_bound() {
    let scope = crate::model::Scope::new(Some(&"\"".repeat(300)), None);
    let long = |index| format!("{index:03}{}", "\"".repeat(300));
    let connections = (0..40)
        .map(|index| fixture::sparse(&scope, &long(index), &long(index), Some(&long(index))))
        .collect();
    let fleet = Arc::new(Fleet {
        scopes: vec![fixture::scope_of(scope, connections)],
        ..Fleet::default()
    });
    let (chunks, _) = chunks(stream(fleet.clone(), Own::default(), Options::default()));
    assert!(chunks.concat() == render(&fleet, &Own::default(), NOW, Options::default()));
    assert!(chunks.iter().all(|chunk| chunk.len() < 2 * CHUNK_BYTES));
}

#[test]
fn many_projects_are_written_in_pieces_too() {
    let scope = |index| {
        let scope = crate::model::Scope::new(None, Some(&format!("proj_{index}")));
        fixture::scope_of(scope, Vec::new())
    };
    let fleet = Arc::new(Fleet {
        scopes: (0..5_000).map(scope).collect(),
        ..Fleet::default()
    });
    let (chunks, _) = chunks(stream(fleet.clone(), Own::default(), Options::default()));
    assert!(chunks.concat() == render(&fleet, &Own::default(), NOW, Options::default()));
    assert!(chunks.len() > 5);
    assert!(chunks.iter().all(|chunk| chunk.len() < CHUNK_BYTES + 4096));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_fleet_streams_as_it_renders(world in random::world()) {
        let (fleet, own) = (Arc::new(world.fleet()), own());
        for format in FORMATS {
            let whole = render(&fleet, &own, NOW, options(format));
            let (plain, _) = chunks(stream(fleet.clone(), own.clone(), options(format)));
            prop_assert!(plain.concat() == whole);
            let (zipped, _) = chunks(stream(fleet.clone(), own.clone(), gzip(options(format))));
            prop_assert!(unzipped(&zipped.concat()) == whole);
        }
    }
}
