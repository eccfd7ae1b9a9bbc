//! The control socket: a unix socket in the data directory. Only the owner of the directory, and
//! root, can open it; whoever can is the administrator.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::UnixListener;

use super::listeners::Listeners;
use super::socket::{Socket, SocketFile};
use crate::store::CONTROL_SOCKET;

/// The longest path of a unix socket, in bytes (`sun_path`, unix(7)).
const PATH_BYTES: usize = 107;

/// Opens the control socket of the store in `data`, and replaces one that a killed server left. The
/// store must be open: its lock proves that no other server uses the socket. The file is removed
/// when the server stops. Needs the runtime of tokio around it.
pub fn control_socket(data: &Path) -> io::Result<Listeners> {
    let file = data.join(CONTROL_SOCKET);
    match fs::symlink_metadata(&file) {
        Ok(left) if left.file_type().is_socket() => fs::remove_file(&file)?,
        Ok(_) => return Err(io::Error::other("a file that is no socket has this name")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let socket = UnixListener::bind(ControlPath::of(data)?.path())?;
    let guard = SocketFile(file.clone());
    fs::set_permissions(file, Permissions::from_mode(0o600))?;
    Ok(Listeners {
        sockets: vec![Socket::Unix(socket)],
        tls: Arc::default(),
        file: Some(guard),
    })
}

/// A path of the control socket that is short enough for the address of a socket.
pub struct ControlPath {
    path: PathBuf,
    /// Open while the path is used, if it leads through this descriptor.
    _directory: Option<File>,
}

impl ControlPath {
    /// The path of the control socket in `data`. A path that is too long leads through
    /// `/proc/self/fd`.
    pub fn of(data: &Path) -> io::Result<ControlPath> {
        let path = data.join(CONTROL_SOCKET);
        if path.as_os_str().len() <= PATH_BYTES {
            return Ok(ControlPath {
                path,
                _directory: None,
            });
        }
        let directory = File::open(data)?;
        let descriptor = directory.as_raw_fd().to_string();
        Ok(ControlPath {
            path: Path::new("/proc/self/fd")
                .join(descriptor)
                .join(CONTROL_SOCKET),
            _directory: Some(directory),
        })
    }

    /// The path. It is valid in this process, while this value lives.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    fn mode(data: &Path) -> u32 {
        let about = fs::metadata(data.join(CONTROL_SOCKET)).unwrap();
        about.permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn a_socket_that_was_left_is_replaced_and_the_file_goes_with_the_listeners() {
        let data = tempfile::tempdir().unwrap();
        let file = data.path().join(CONTROL_SOCKET);
        drop(std::os::unix::net::UnixListener::bind(&file).unwrap());
        let listeners = control_socket(data.path()).unwrap();
        assert_eq!(mode(data.path()), 0o600);
        drop(UnixStream::connect(&file).unwrap());
        drop(listeners);
        assert!(!file.exists());
    }

    #[tokio::test]
    async fn a_file_that_is_no_socket_is_kept() {
        let data = tempfile::tempdir().unwrap();
        let file = data.path().join(CONTROL_SOCKET);
        fs::write(&file, "a note").unwrap();
        let refused = control_socket(data.path()).map(drop).unwrap_err();
        assert!(refused.to_string().contains("no socket"), "{refused}");
        assert_eq!(fs::read(&file).unwrap(), b"a note");
    }

    #[tokio::test]
    async fn a_path_of_any_length_can_be_opened() {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("d".repeat(PATH_BYTES));
        fs::create_dir(&data).unwrap();
        let listeners = control_socket(&data).unwrap();
        assert_eq!(mode(&data), 0o600);
        let path = ControlPath::of(&data).unwrap();
        drop(UnixStream::connect(path.path()).unwrap());
        drop(listeners);
        assert!(!data.join(CONTROL_SOCKET).exists());
    }
}
