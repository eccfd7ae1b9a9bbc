//! What the machine says of a configuration: its directories, its addresses, the modes of files,
//! and the time. Nothing is changed.

use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, absolute};

use rustix::fs::{Access, access};
use toml::de::DeTable;

use super::host::host;
use super::reader::{Reader, texts};
use super::{Config, Tls, Transport, certificate, value};
use crate::model::Timestamp;

/// What the machine adds to the text of a configuration file.
#[derive(Debug, Clone, Copy)]
pub struct Machine<'a> {
    /// systemd's `$CREDENTIALS_DIRECTORY`: password files in it may have any mode.
    pub credentials: Option<&'a Path>,
    /// The time, with which certificates are compared.
    pub now: Timestamp,
}

impl Machine<'_> {
    /// Complains about what this machine cannot do, and warns of what others on it can.
    pub(super) fn check(&self, reader: &mut Reader<'_>, document: &DeTable<'_>, config: &Config) {
        check_directory(reader, document, "storage.path", &config.storage.path);
        if config.mail.transport == Transport::File {
            check_directory(reader, document, "mail.path", &config.mail.path);
        }
        warn_of_addresses(reader, document);
        if let Some(files) = config.server.tls.as_ref().filter(|it| it.is_whole()) {
            self.warn_of_certificate(reader, document, files, &config.server.public_url);
        }
    }

    fn warn_of_certificate(
        &self,
        reader: &mut Reader<'_>,
        document: &DeTable<'_>,
        files: &Tls,
        public_url: &str,
    ) {
        let chain = certificate::chain(&files.cert).unwrap_or_default();
        let cert = "server.tls.cert";
        let mut warn = |why: String| {
            let shown = files.cert.display();
            let sentence = format!(r#"`{cert}` names "{shown}", which {why}; clients refuse it"#);
            reader.warn_of(document, &[cert], sentence);
        };
        if let Some(why) = certificate::wrong_date(&chain, self.now) {
            warn(why);
        }
        let host = host(public_url).filter(|_| public_url.starts_with("https://"));
        if let Some(host) = host.filter(|host| !certificate::is_for(&chain, host)) {
            warn(format!(
                "is not for {host}, the host of `server.public_url`"
            ));
        }
        let mode = files.key.metadata().map_or(0, |it| it.permissions().mode());
        if mode & 0o007 != 0 {
            let (key, shown) = ("server.tls.key", files.key.display());
            let sentence = format!(
                r#"`{key}` names "{shown}", which every user of this machine can access; `chmod o= {shown}`"#
            );
            reader.warn_of(document, &[key], sentence);
        }
    }
}

/// Complains about a directory in which the program cannot make files.
fn check_directory(
    reader: &mut Reader<'_>,
    document: &DeTable<'_>,
    key: &'static str,
    path: &Path,
) {
    // An empty path is one that could not be read, which is a complaint already.
    if path.as_os_str().is_empty() {
        return;
    }
    if let Err(why) = writable(path) {
        reader.complain_of(document, &[key], format!("`{key}` {why}"));
    }
}

/// Whether the program can write into a directory or, if there is none yet, make it.
fn writable(path: &Path) -> Result<(), String> {
    let whole = absolute(path).unwrap_or_else(|_| path.to_owned());
    let Some(existing) = whole.ancestors().find(|it| it.exists()) else {
        return Ok(());
    };
    let (named, existing_shown) = (path.display(), existing.display());
    if !existing.is_dir() {
        return Err(format!(
            r#"names "{named}", but "{existing_shown}" is not a directory"#
        ));
    }
    access(existing, Access::WRITE_OK | Access::EXEC_OK).map_err(|cause| {
        format!(r#"names "{named}", but this user cannot write into "{existing_shown}": {cause}"#)
    })
}

/// Warns of addresses that this machine does not have now: they may still come with a network.
fn warn_of_addresses(reader: &mut Reader<'_>, document: &DeTable<'_>) {
    let key = "server.listen";
    for (item, text) in texts(document, key) {
        let Ok(address) = value::address(text) else {
            continue;
        };
        // Nobody can send to a port that is closed again at once; nothing listens on it.
        let mut any_port = address;
        any_port.set_port(0);
        let missing = UdpSocket::bind(any_port).err();
        if missing.is_some_and(|it| it.kind() == std::io::ErrorKind::AddrNotAvailable) {
            let ip = address.ip();
            let sentence = format!("`{key}` names {ip}, which this machine does not have now");
            reader.warn(&item.span(), sentence);
        }
    }
}
