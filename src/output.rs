//! What commands write: to stdout, and to files that others read meanwhile.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

/// Prints. A reader that went away (`| head`) is no failure.
pub(crate) fn print(text: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    unless_gone(stdout.write_all(text).and_then(|()| stdout.flush()))
}

/// A reader that went away is no failure.
pub(crate) fn unless_gone(written: io::Result<()>) -> io::Result<()> {
    written.or_else(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Ok(()),
        _ => Err(error),
    })
}

/// Writes a file so that its readers see the old text or the new one and never
/// a part. Links are followed, and an existing file keeps its mode and its
/// owner; a new one is as the umask wants it. Devices and pipes, which cannot be
/// replaced, are written to, as stdout is by whatever name.
pub(crate) fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let before = match fs::metadata(path) {
        Ok(found) if is_stdout(&found) => return print(text),
        Ok(found) if !found.is_file() => {
            let mut device = OpenOptions::new().write(true).open(path)?;
            return unless_gone(device.write_all(text));
        }
        Ok(found) => Some(found),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let path = followed(path);
    let mut file = tempfile::Builder::new()
        .prefix(".kernel-auth-")
        // Less what the umask takes away.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(directory_of(&path))
        .map_err(|error| match error.kind() {
            kind @ io::ErrorKind::NotFound => no_directory(kind),
            _ => error,
        })?;
    file.write_all(text)?;
    if let Some(before) = before {
        keep(&before, file.as_file())?;
    }
    file.as_file().sync_all()?;
    file.persist(&path)?;
    Ok(())
}

/// Whether there is a directory to write `path` in: better said before what is to
/// be written is asked for.
pub(crate) fn has_directory(path: &Path) -> io::Result<()> {
    if directory_of(path).is_dir() {
        return Ok(());
    }
    Err(no_directory(io::ErrorKind::NotFound))
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The system's own words name a file that nobody asked for.
fn no_directory(kind: io::ErrorKind) -> io::Error {
    io::Error::new(kind, "there is no such directory")
}

fn is_stdout(found: &Metadata) -> bool {
    let own = io::stdout().as_fd().try_clone_to_owned();
    let own = own.and_then(|own| File::from(own).metadata());
    own.is_ok_and(|own| (own.dev(), own.ino()) == (found.dev(), found.ino()))
}

/// Where it leads, also where nothing is there yet.
fn followed(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    // As many as the system follows.
    for _ in 0..40 {
        let Ok(to) = fs::read_link(&path) else {
            break;
        };
        path = path.parent().unwrap_or(Path::new("")).join(to);
    }
    path
}

/// Gives `file` the owner and the mode of `before`; the mode last, because a new
/// owner takes some of it away.
fn keep(before: &Metadata, file: &File) -> io::Result<()> {
    let now = file.metadata()?;
    if (now.uid(), now.gid()) != (before.uid(), before.gid()) {
        fchown(file, Some(before.uid()), Some(before.gid())).map_err(|error| {
            let advice = "the owner of the file that is there cannot be kept; run as that owner, \
                          or remove the file";
            io::Error::new(error.kind(), format!("{advice}: {error}"))
        })?;
    }
    file.set_permissions(before.permissions())
}
