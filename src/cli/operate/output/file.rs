//! Where a stream of the admin API goes: standard output, or a new file that is there whole or not
//! at all.

use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};

use super::progress::Progress;
use crate::cli::error::CliError;
use crate::cli::new_file::Made;
use crate::world::{Clock, SystemClock};

/// An output that shows how far it is.
pub(in crate::cli::operate) struct Output {
    place: Place,
    clock: SystemClock,
    progress: Progress,
}

enum Place {
    Standard,
    File(Draft),
}

/// A file under a temporary name, beside the name that it is to have. Dropping it removes it.
struct Draft {
    made: Made,
    file: File,
    temporary: PathBuf,
    path: PathBuf,
}

impl Output {
    /// Standard output, or a file of this name, which must not be there yet.
    pub(in crate::cli::operate) fn to(path: Option<&Path>) -> Result<Output, CliError> {
        let place = match path {
            None => Place::Standard,
            Some(path) => Place::File(Draft::of(path)?),
        };
        // On a terminal that shows the bytes themselves, a bar would be in their midst.
        let is_shown_itself = path.is_none() && io::stdout().is_terminal();
        Ok(Output {
            place,
            clock: SystemClock::start(),
            progress: Progress::of_bytes(!is_shown_itself && io::stderr().is_terminal()),
        })
    }

    /// Everything is written: gives the file its name.
    pub(in crate::cli::operate) fn finish(mut self) -> Result<(), CliError> {
        self.progress.end();
        match self.place {
            Place::Standard => Ok(()),
            Place::File(draft) => draft.publish(),
        }
    }
}

impl Draft {
    fn of(path: &Path) -> Result<Draft, CliError> {
        if path.symlink_metadata().is_ok() {
            return Err(taken(path));
        }
        let mut made = Made::default();
        let drafted = made.open_draft(path);
        let (temporary, file) = drafted.map_err(|cause| cannot_write(path, cause))?;
        Ok(Draft {
            made,
            file,
            temporary,
            path: path.to_owned(),
        })
    }

    fn publish(mut self) -> Result<(), CliError> {
        let synced = self.file.sync_all();
        let published = synced.and_then(|()| self.made.publish(&self.temporary, &self.path));
        published.map_err(|cause| match cause.kind() {
            ErrorKind::AlreadyExists => taken(&self.path),
            _ => cannot_write(&self.path, cause),
        })?;
        self.made.keep();
        Ok(())
    }
}

fn taken(path: &Path) -> CliError {
    let path = path.display();
    CliError::new(format!("{path} is there already, and is not replaced"))
}

fn cannot_write(path: &Path, cause: io::Error) -> CliError {
    CliError::because(&format!("cannot write {}", path.display()), cause)
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match &mut self.place {
            Place::Standard => io::stdout().lock().write(bytes),
            Place::File(draft) => draft.file.write(bytes),
        }?;
        self.progress.add(written, self.clock.monotonic());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.place {
            Place::Standard => io::stdout().lock().flush(),
            Place::File(draft) => draft.file.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_there_whole_or_not_at_all_and_replaces_none() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("events");
        let mut broken_off = Output::to(Some(&path)).unwrap();
        broken_off.write_all(b"half").unwrap();
        assert!(!path.exists());
        drop(broken_off);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);

        let mut output = Output::to(Some(&path)).unwrap();
        output.write_all(b"whole").unwrap();
        output.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        let taken = Output::to(Some(&path)).err().unwrap().to_string();
        assert!(taken.contains("is there already"), "{taken}");
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
    }
}
