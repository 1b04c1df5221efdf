//! The way of log lines to a reader that may not be there: whoever logs never
//! waits for it.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// Bytes of lines that wait to be written; lines beyond are dropped.
const WAITING: usize = 1024 * 1024;

/// Lines that a thread of its own writes.
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    lines: VecDeque<String>,
    bytes: usize,
    /// A line is on its way.
    writing: bool,
    dropped: u64,
    /// Of those, told in the log.
    told: u64,
}

impl Queue {
    /// Writes to `out` from now on; `tell` makes the line that says how many
    /// were dropped. Without a thread nothing is written.
    pub(super) fn start(
        mut out: impl Write + Send + 'static,
        tell: impl Fn(u64) -> String + Send + 'static,
    ) -> Arc<Self> {
        let queue = Arc::new(Self {
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let writer = Arc::clone(&queue);
        let write = move || {
            loop {
                let (line, lines) = writer.next(&tell);
                let lost = out.write_all(line.as_bytes()).map_or(lines, |()| 0);
                let mut state = writer.state.lock();
                state.writing = false;
                state.dropped += lost;
                writer.changed.notify_all();
            }
        };
        // Fails where the system has no more threads: the log is less than
        // the rest, and its lines are counted as dropped.
        let _ = thread::Builder::new().name("log".to_owned()).spawn(write);
        queue
    }

    /// What to write next, and how many lines it counts for. Once all are
    /// written, the one that tells of those that were dropped, which counts for
    /// none.
    fn next(&self, tell: impl Fn(u64) -> String) -> (String, u64) {
        let mut state = self.state.lock();
        loop {
            if let Some(line) = state.lines.pop_front() {
                state.bytes -= line.len();
                state.writing = true;
                return (line, 1);
            }
            let untold = state.dropped - state.told;
            if untold > 0 {
                state.told = state.dropped;
                state.writing = true;
                return (tell(untold), 0);
            }
            self.changed.wait(&mut state);
        }
    }

    pub(super) fn push(&self, line: String) {
        let mut state = self.state.lock();
        if state.bytes + line.len() > WAITING {
            state.dropped += 1;
            return;
        }
        state.bytes += line.len();
        state.lines.push_back(line);
        self.changed.notify_all();
    }

    /// Lines that nobody will read.
    pub(super) fn dropped(&self) -> u64 {
        self.state.lock().dropped
    }

    /// Waits until everything is written, for `most` at most.
    pub(super) fn flush(&self, most: Duration) {
        let busy = |state: &mut State| state.writing || !state.lines.is_empty();
        // Too late: there is nothing more to do.
        let _ = self
            .changed
            .wait_while_for(&mut self.state.lock(), busy, most);
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    use super::*;

    const SOON: Duration = Duration::from_mins(1);

    /// Takes a line when the other end asks for one.
    struct Pipe(SyncSender<String>);

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let line = String::from_utf8_lossy(bytes).into_owned();
            let sent = self.0.send(line);
            sent.map_err(|_| io::ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn queue() -> (Arc<Queue>, Receiver<String>) {
        let (sender, receiver) = sync_channel(0);
        let tell = |count| format!("{count} dropped");
        (Queue::start(Pipe(sender), tell), receiver)
    }

    #[test]
    fn nobody_waits_for_a_reader_and_what_is_lost_is_told() {
        let (queue, reader) = queue();
        let long = "x".repeat(WAITING / 2);
        // One is on its way and two wait, at most.
        for _ in 0..10 {
            queue.push(long.clone());
        }
        queue.flush(Duration::from_millis(1));
        let dropped = queue.dropped();
        assert!((7..=8).contains(&dropped), "{dropped}");
        for _ in dropped..10 {
            assert_eq!(reader.recv_timeout(SOON).unwrap(), long);
        }
        let told = reader.recv_timeout(SOON).unwrap();
        assert_eq!(told, format!("{dropped} dropped"));
        assert_eq!(queue.dropped(), dropped);
    }

    #[test]
    fn flushing_waits_for_what_is_read() {
        let (queue, reader) = queue();
        for number in 0..100 {
            queue.push(number.to_string());
        }
        let read = thread::spawn(move || reader.iter().take(100).count());
        queue.flush(SOON);
        assert_eq!(read.join().unwrap(), 100);
        // The reader is gone now.
        queue.push("lost".to_owned());
        queue.flush(SOON);
        assert_eq!(queue.dropped(), 1);
    }
}
