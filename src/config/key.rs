//! API keys: where they come from, and how a key file is read.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;

/// No key is longer than this, in bytes.
pub const MAX_KEY_BYTES: usize = 8 * 1024;

/// Where an account's key comes from.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// A file, read again while the exporter runs. Relative to the working
    /// directory.
    File(PathBuf),
    /// The key itself, from the environment.
    Value(SecretString),
}

/// Why there is no key. Displays as one line without the key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("key file {path}: {}", reason(*.kind))]
    Unreadable {
        /// The file, safe to show.
        path: String,
        /// What the system said.
        kind: io::ErrorKind,
    },
    /// A directory, a pipe or a device: nothing that could be read again.
    #[error("key file {path}: not a regular file")]
    NotAFile {
        /// The file, safe to show.
        path: String,
    },
    /// What the file holds is no key.
    #[error("key file {path}: {text}")]
    NotAKey {
        /// The file, safe to show.
        path: String,
        /// What is wrong with it.
        text: NotAKey,
    },
}

/// Why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAKey {
    /// Nothing but white space.
    #[error("empty; put the API key there")]
    Empty,
    /// More than [`MAX_KEY_BYTES`].
    #[error("longer than 8 KiB, so not an API key")]
    TooLong,
    /// Something that no header can carry.
    #[error("not an API key: spaces, line breaks or characters other than visible ASCII inside")]
    Characters,
}

/// Reads a key file: the key, and white space around it.
///
/// Bounded in size, and only regular files (through links too), so that it
/// returns promptly whatever the path names.
pub fn read_key(path: &Path) -> Result<SecretString, KeyError> {
    let shown = || shown_path(path);
    let unreadable = |error: io::Error| KeyError::Unreadable {
        path: shown(),
        kind: error.kind(),
    };
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(KeyError::NotAFile { path: shown() });
    }
    // One byte more than allowed tells a file that is too long. Reserving it
    // at once keeps the buffer from moving and leaving copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_KEY_BYTES + 1));
    File::open(path)
        .and_then(|file| file.take(MAX_KEY_BYTES as u64 + 1).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    parse_key(&bytes).map_err(|text| KeyError::NotAKey {
        path: shown(),
        text,
    })
}

/// Reads a key from text, without the white space around it.
pub(crate) fn parse_key(bytes: &[u8]) -> Result<SecretString, NotAKey> {
    if bytes.len() > MAX_KEY_BYTES {
        return Err(NotAKey::TooLong);
    }
    let key = bytes.trim_ascii();
    if key.is_empty() {
        return Err(NotAKey::Empty);
    }
    if !key.iter().all(u8::is_ascii_graphic) {
        return Err(NotAKey::Characters);
    }
    let key = str::from_utf8(key).map_err(|_| NotAKey::Characters)?;
    Ok(SecretString::from(key))
}

/// The path, unless it looks like a key that was put where a path belongs.
pub(crate) fn shown_path(path: &Path) -> String {
    match path.to_str() {
        Some(text) if looks_like_key(text) => {
            "(not shown, it looks like a key: give the path of a file that holds it)".to_owned()
        }
        _ => path.display().to_string().replace(char::is_control, "?"),
    }
}

/// Whether a text could be a key: as keys begin, or long and random in looks.
pub(crate) fn looks_like_key(text: &str) -> bool {
    let like_a_token = text.len() >= 24
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
        && text.bytes().any(|byte| byte.is_ascii_digit());
    text.starts_with("sk_") || text.starts_with("eyJ") || like_a_token
}

/// What the system said, in our words: no numbers, the same on each system.
pub(crate) fn reason(kind: io::ErrorKind) -> String {
    match kind {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "permission denied; let the user that runs the exporter read it".to_owned()
        }
        io::ErrorKind::IsADirectory => "a directory, not a file".to_owned(),
        kind => kind.to_string(),
    }
}
