//! Compressed blocks that are kept: the answer stays the text, whatever was
//! there before.

use std::io::Read as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use flate2::read::GzDecoder;
use http_body::Body as _;

use super::fixture::{FORMATS, NOW, active, gzip, large};
use crate::exposition::{Blocks, Exposition, Options, Own, render};
use crate::model::{AuthStatus, Fleet, Timestamp};

/// The whole answer.
fn answer(fleet: &Fleet, now: Timestamp, options: Options, blocks: &Arc<Blocks>) -> Vec<u8> {
    let fleet = Arc::new(fleet.clone());
    let mut body = Exposition::body(fleet, Own::default(), now, options, blocks);
    let mut whole = Vec::new();
    let mut context = Context::from_waker(Waker::noop());
    loop {
        match Pin::new(&mut body).poll_frame(&mut context) {
            Poll::Ready(Some(Ok(frame))) => whole.extend(frame.into_data().unwrap()),
            Poll::Ready(Some(Err(never))) => match never {},
            Poll::Ready(None) => return whole,
            Poll::Pending => {}
        }
    }
}

/// One gzip member, with nothing behind it.
fn unpacked(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    let mut decoder = GzDecoder::new(bytes);
    decoder.read_to_end(&mut text).unwrap();
    assert!(decoder.into_inner().is_empty());
    text
}

#[test]
fn the_text_is_the_same_whatever_is_kept() {
    let blocks = Arc::default();
    let mut fleet = large(2_400);
    let mut now = NOW;
    let check = |fleet: &Fleet, now| {
        for format in [FORMATS[0], FORMATS[2]] {
            let options = active(format);
            let text = render(fleet, &Own::default(), now, options);
            let packed = answer(fleet, now, gzip(options), &blocks);
            assert!(unpacked(&packed) == text, "{format:?}");
        }
        // A second scraper of the same snapshot.
        let options = active(FORMATS[0]);
        let again = answer(fleet, now, gzip(options), &blocks);
        assert_eq!(again, answer(fleet, now, gzip(options), &blocks));
    };
    check(&fleet, now);
    let snapshot = |fleet: &mut Fleet| fleet.scopes[0].snapshot.clone().unwrap();
    for round in 0..6 {
        now = Timestamp::from_micros(now.as_micros() + 15_000_000);
        let mut next = Arc::unwrap_or_clone(snapshot(&mut fleet));
        next.fetched_at = now;
        match round {
            0 => {}
            1 => next.connections[1_234].status = AuthStatus::Unknown,
            2 => drop(next.connections.remove(17)),
            3 => drop(next.connections.drain(100..200)),
            4 => next.connections.reverse(),
            _ => next.connections.truncate(10),
        }
        fleet.scopes[0].snapshot = Some(Arc::new(next));
        check(&fleet, now);
    }
}

#[test]
fn little_is_larger_than_without_blocks_and_little_comes_anew() {
    let fleet = large(4_000);
    let options = gzip(Options::default());
    let blocks = Arc::default();
    let first = answer(&fleet, NOW, options, &blocks);
    let text = render(&fleet, &Own::default(), NOW, Options::default());
    let mut stream = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut stream, &text).unwrap();
    let stream = stream.finish().unwrap();
    let (now, before) = (first.len(), stream.len());
    assert!(now * 100 <= before * 103, "{now} bytes, not {before}");
    // A fleet that has lost one connection has nearly all of the blocks.
    let kept = blocks.hashes();
    let mut fewer = fleet.clone();
    let mut snapshot = (**fewer.scopes[0].snapshot.as_ref().unwrap()).clone();
    snapshot.connections.remove(2_000);
    snapshot.fetched_at = Timestamp::from_micros(NOW.as_micros() + 1);
    fewer.scopes[0].snapshot = Some(Arc::new(snapshot));
    answer(&fewer, NOW, options, &blocks);
    let now = blocks.hashes();
    let same = now.intersection(&kept).count();
    assert!(same * 10 > now.len() * 9, "{same} of {}", now.len());
}
