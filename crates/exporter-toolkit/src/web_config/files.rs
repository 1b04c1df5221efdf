//! Reading files with bounds, and noticing that they changed.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// The files a configuration was read from.
#[derive(Debug, Default)]
pub(super) struct Files {
    read: Vec<Source>,
    without_pem: bool,
}

#[derive(Debug)]
struct Source {
    path: PathBuf,
    limit: u64,
    /// SHA-256 of the content, since that may be a private key; `None` when it
    /// could not be read.
    content: Option<[u8; 32]>,
}

impl Files {
    /// Where only the file itself is to be read.
    pub(super) fn without_pem() -> Self {
        Self {
            without_pem: true,
            ..Self::default()
        }
    }

    /// Whether certificates and keys are left out.
    pub(super) fn is_without_pem(&self) -> bool {
        self.without_pem
    }

    /// Reads a file of at most `limit` bytes and remembers it.
    pub(super) fn read(&mut self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let content = read(path, limit);
        self.read.push(Source {
            path: path.to_owned(),
            limit,
            content: digest(&content),
        });
        content
    }

    /// Whether any of the files is not what it was when it was read. They are
    /// small, so they are read again: no time stamp tells two changes apart
    /// that come within a tick of the file system's clock.
    pub(super) fn changed(&self) -> bool {
        let mut sources = self.read.iter();
        sources.any(|source| digest(&read(&source.path, source.limit)) != source.content)
    }
}

fn digest(content: &io::Result<Vec<u8>>) -> Option<[u8; 32]> {
    let content = content.as_ref().ok()?;
    Some(Sha256::digest(content).into())
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
                "is a pipe or socket, which cannot be read again",
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
