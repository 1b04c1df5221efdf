//! API keys: where they come from, and how a key file is read.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;

use crate::redact;

/// No key is longer than this, in bytes.
const MAX_KEY_BYTES: usize = 8 * 1024;

/// Where an account's key comes from.
#[derive(Clone, Debug)]
pub(crate) enum KeySource {
    /// A file, read again while the exporter runs. Relative to the working
    /// directory.
    File(PathBuf),
    /// The key itself, from the environment.
    Value(SecretString),
}

impl KeySource {
    /// The key now: the file read again, or the value from the environment.
    pub(crate) fn read(&self) -> Result<SecretString, String> {
        match self {
            Self::File(path) => read_key(path),
            Self::Value(key) => Ok(key.clone()),
        }
    }
}

/// Reads a key file: the key, and white space around it.
///
/// Bounded in size, and only regular files (through links too), so that it
/// returns promptly whatever the path names. The error is one line without the
/// key, safe to show.
pub(super) fn read_key(path: &Path) -> Result<SecretString, String> {
    let error = |what: &str| format!("key file {}: {what}", shown_path(path));
    let file = open(path).map_err(|what| error(&what))?;
    // One byte more than allowed tells a file that is too long. Reserving it
    // at once keeps the buffer from moving and leaving copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_KEY_BYTES + 1));
    file.take(MAX_KEY_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|problem| error(&reason(problem.kind())))?;
    parse_key(&bytes).map_err(error)
}

/// Opens a file that can be read again: no directory, pipe or device.
pub(super) fn open(path: &Path) -> Result<File, String> {
    let unreadable = |problem: io::Error| reason(problem.kind());
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err("not a regular file".to_owned());
    }
    File::open(path).map_err(unreadable)
}

/// Reads a key from text, without the white space around it.
pub(super) fn parse_key(bytes: &[u8]) -> Result<SecretString, &'static str> {
    if bytes.len() > MAX_KEY_BYTES {
        return Err("too long for an API key: more than 8 KiB");
    }
    // Some editors put a byte order mark in front.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let key = bytes.trim_ascii();
    if key.is_empty() {
        return Err("empty; it should hold the API key");
    }
    let key = str::from_utf8(key).ok();
    let key = key.filter(|key| key.bytes().all(|byte| byte.is_ascii_graphic()));
    let key = key.ok_or(
        "not an API key; it contains spaces, line breaks or characters other than visible ASCII",
    )?;
    if key.starts_with("KERNEL_API_KEY") || key.contains(['"', '\'', '`', '{', '}']) {
        return Err("more than an API key; write the key without a name, quotes or braces");
    }
    let key = SecretString::from(key);
    redact::remember(&key);
    Ok(key)
}

/// The path, unless it looks like a key that was put where a path belongs.
pub(crate) fn shown_path(path: &Path) -> String {
    let text = path.display().to_string();
    if redact::holds_key(&text) {
        return "(not shown, it looks like a key: give the path of a file that holds it)"
            .to_owned();
    }
    text.replace(char::is_control, "?")
}

/// What the system said, in our words: no numbers, the same on each system.
pub(super) fn reason(kind: io::ErrorKind) -> String {
    match kind {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "permission denied; the user that runs the exporter must be able to read it".to_owned()
        }
        io::ErrorKind::IsADirectory => "a directory, not a file".to_owned(),
        kind => format!("cannot be read ({kind})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    fn read(content: &[u8]) -> Result<String, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), content).unwrap();
        match read_key(file.path()) {
            Ok(key) => Ok(key.expose_secret().to_owned()),
            Err(error) => {
                let path = file.path().display().to_string();
                Err(error.replace(&path, "PATH"))
            }
        }
    }

    #[test]
    fn a_key_stands_alone_in_its_file() {
        assert_eq!(read(b"sk_live\n"), Ok("sk_live".to_owned()));
        assert_eq!(read(b" \tsk_live\r\n\n"), Ok("sk_live".to_owned()));
        assert_eq!(read(b"\xef\xbb\xbfsk_live\r\n"), Ok("sk_live".to_owned()));
        let longest = vec![b'k'; MAX_KEY_BYTES];
        assert_eq!(read(&longest).unwrap().len(), MAX_KEY_BYTES);
    }

    #[test]
    fn what_is_no_key_is_refused_without_showing_it() {
        let characters = "key file PATH: not an API key; it contains spaces, line breaks or \
                          characters other than visible ASCII";
        let around =
            "key file PATH: more than an API key; write the key without a name, quotes or braces";
        for (content, expected) in [
            (&b""[..], "key file PATH: empty; it should hold the API key"),
            (
                b" \n\t\n",
                "key file PATH: empty; it should hold the API key",
            ),
            (b"sk_a\nsk_b", characters),
            (b"sk_a sk_b", characters),
            (b"KERNEL_API_KEY=sk_a", around),
            (b"\"sk_a\"", around),
            (b"{\"api_key\":\"sk_a\"}", around),
            (b"sk_\xff", characters),
            (b"sk_\xc3\xa4", characters),
            (b"sk_\0", characters),
            (
                &[b'k'; MAX_KEY_BYTES + 1],
                "key file PATH: too long for an API key: more than 8 KiB",
            ),
        ] {
            assert_eq!(read(content), Err(expected.to_owned()));
        }
    }

    #[test]
    fn only_regular_files_are_opened() {
        let directory = tempfile::tempdir().unwrap();
        for (path, what) in [
            (directory.path().to_owned(), "not a regular file"),
            (PathBuf::from("/dev/zero"), "not a regular file"),
            (directory.path().join("missing"), "no such file"),
        ] {
            let expected = format!("key file {}: {what}", path.display());
            assert_eq!(read_key(&path).unwrap_err(), expected);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_leads_to_the_key() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("data"), "sk_live\n").unwrap();
        let link = directory.path().join("link");
        std::os::unix::fs::symlink("data", &link).unwrap();
        assert_eq!(read_key(&link).unwrap().expose_secret(), "sk_live");
    }

    #[test]
    fn a_refusal_of_the_system_says_what_to_do() {
        assert_eq!(
            reason(io::ErrorKind::PermissionDenied),
            "permission denied; the user that runs the exporter must be able to read it"
        );
    }

    #[test]
    fn a_key_in_place_of_a_path_is_not_shown() {
        for path in [
            "sk_live_abc",
            "./sk_live_abc",
            "a1b2c3d4e5f6a1b2c3d4e5f6",
            "eyJhbGciOi.x.y",
        ] {
            let shown = read_key(Path::new(path)).unwrap_err();
            assert!(!shown.contains(path), "{shown}");
        }
        for path in [
            "/run/secrets/kernel-production-2026-11-22-key",
            "kernel-production-2026-11-22-key.yml",
            "key.txt",
            "risk_key",
        ] {
            assert_eq!(shown_path(Path::new(path)), path);
        }
    }
}
