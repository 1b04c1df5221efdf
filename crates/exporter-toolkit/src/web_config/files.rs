//! Reading files with bounds, and noticing that they changed.

use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sha2::{Digest as _, Sha256};

/// Two changes within one tick of a file system's clock look like one. The
/// coarsest clocks in use tick every two seconds.
const CLOCK_TICK: Duration = Duration::from_secs(2);

/// The files a configuration was read from.
#[derive(Debug, Default)]
pub(super) struct Files {
    read: Vec<Source>,
}

#[derive(Debug)]
struct Source {
    path: PathBuf,
    limit: u64,
    stamp: Option<Stamp>,
    /// SHA-256 of the content; `None` when it could not be read.
    content: Option<[u8; 32]>,
}

/// Changes whenever the file does, but for changes within one clock tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    #[cfg(unix)]
    identity: (u64, u64, i64, i64),
}

impl Stamp {
    fn new(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt as _;
        Self {
            modified: metadata.modified().ok(),
            length: metadata.len(),
            #[cfg(unix)]
            identity: (
                metadata.dev(),
                metadata.ino(),
                metadata.ctime(),
                metadata.ctime_nsec(),
            ),
        }
    }

    fn of(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().as_ref().map(Self::new)
    }

    /// Whether a later change could carry the same stamp.
    fn is_young(&self) -> bool {
        let age = self.modified.and_then(|then| then.elapsed().ok());
        age.is_none_or(|age| age < CLOCK_TICK)
    }
}

impl Files {
    /// Reads a file of at most `limit` bytes and remembers it.
    pub(super) fn read(&mut self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        // Taken first: a change while reading is then noticed afterwards.
        let stamp = Stamp::of(path);
        let content = read(path, limit);
        self.read.push(Source {
            path: path.to_owned(),
            limit,
            stamp,
            content: content.as_deref().ok().map(digest),
        });
        content
    }

    /// Whether any of the files is not what it was when it was read.
    pub(super) fn changed(&mut self) -> bool {
        self.read.iter_mut().any(Source::changed)
    }
}

impl Source {
    fn changed(&mut self) -> bool {
        let stamp = Stamp::of(&self.path);
        if stamp == self.stamp && !stamp.is_some_and(|stamp| stamp.is_young()) {
            return false;
        }
        let content = read(&self.path, self.limit).ok();
        if content.as_deref().map(digest) != self.content {
            return true;
        }
        self.stamp = stamp;
        false
    }
}

fn digest(content: &[u8]) -> [u8; 32] {
    Sha256::digest(content).into()
}

fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    // Before opening: a FIFO would block there for ever.
    let kind = fs::metadata(path)?.file_type();
    if kind.is_dir() {
        return Err(io::Error::other("is a directory"));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt as _;
        if kind.is_fifo() || kind.is_socket() {
            return Err(io::Error::other(
                "is a pipe or socket; it could not be read again",
            ));
        }
    }
    let mut content = Vec::new();
    File::open(path)?
        .take(limit.saturating_add(1))
        .read_to_end(&mut content)?;
    if u64::try_from(content.len()).map_or(true, |length| length > limit) {
        return Err(io::Error::other(format!("is larger than {limit} bytes")));
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_change_is_noticed() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("file");
        let mut files = Files::default();
        assert!(files.read(&path, 10).is_err());
        assert!(!files.changed(), "still missing");

        fs::write(&path, "one").expect("written");
        assert!(files.changed(), "appeared");
        let mut files = Files::default();
        assert_eq!(files.read(&path, 10).expect("there"), b"one");
        assert!(!files.changed());

        // Same length and, on this machine, most likely the same clock tick.
        fs::write(&path, "two").expect("written");
        assert!(files.changed(), "rewritten in place");
        fs::write(&path, "one").expect("written");
        assert!(!files.changed(), "only content counts");

        let other = directory.path().join("other");
        fs::write(&other, "six").expect("written");
        fs::rename(&other, &path).expect("renamed");
        assert!(files.changed(), "replaced");
        fs::remove_file(&path).expect("removed");
        assert!(files.changed(), "gone");
    }

    #[test]
    fn reading_is_bounded() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("file");
        fs::write(&path, "0123456789").expect("written");
        let mut files = Files::default();
        assert!(files.read(&path, 10).is_ok());
        let error = files.read(&path, 9).expect_err("too large");
        assert_eq!(error.to_string(), "is larger than 9 bytes");
        let error = files.read(directory.path(), 9).expect_err("a directory");
        assert_eq!(error.to_string(), "is a directory");
    }
}
