//! The settings that stay as they are until a restart, whatever a reload reads.

use std::fmt::Debug;

use super::{Config, shown};

/// Puts the value of the configuration in force into a new one. If the values differ, returns the
/// one in force.
type Keep = fn(&Config, &mut Config) -> Option<String>;

/// Keys with the fields that they set.
macro_rules! fixed {
    ($($section:ident . $field:ident),* $(,)?) => {
        &[$((
            concat!(stringify!($section), ".", stringify!($field)),
            |old, new| keep(&old.$section.$field, &mut new.$section.$field),
        )),*]
    };
}

/// Every key that needs a restart: open sockets, the open store and its bounds, the routes, the
/// memory of the hashing threads, and the judgement of the clock.
const FIXED: &[(&str, Keep)] = fixed! {
    server.listen,
    storage.path,
    storage.memory_budget,
    storage.commit_delay,
    storage.open_damaged,
    apis.angen,
    apis.token,
    apis.hub,
    apis.ephemeride,
    apis.core,
    accounts.hash_memory,
    accounts.hash_passes,
    events.max_bytes,
    events.max_names,
    events.names_per_reporter,
    clock.tolerance,
    clock.longest_off,
    clock.trusted_after,
    metrics.listen,
};

/// Whether a key takes effect only with a restart.
pub(super) fn needs_restart(key: &str) -> bool {
    FIXED.iter().any(|(fixed, _)| *fixed == key)
}

/// The configuration that a reload puts in force in place of `old`: `new`, but with the values of
/// `old` under the keys that need a restart. Also a sentence for each of them that differs.
pub fn reloaded(old: &Config, mut new: Config) -> (Config, Vec<String>) {
    let stays = |(key, keep): &(&str, Keep)| {
        let in_force = keep(old, &mut new)?;
        shown::stays(key, &old.shown, &mut new.shown);
        Some(format!("`{key}` stays {in_force} until a restart"))
    };
    let mut sentences: Vec<String> = FIXED.iter().filter_map(stays).collect();
    sentences.extend(keep_protocol(old, &mut new));
    (new, sentences)
}

/// The files of the certificate may change, but a socket that speaks HTTPS goes on doing so: a
/// section that is lost by mistake must not send passwords in clear.
fn keep_protocol(old: &Config, new: &mut Config) -> Option<String> {
    let (before, after) = (&old.server.tls, &mut new.server.tls);
    if before.is_some() == after.is_some() {
        return None;
    }
    after.clone_from(before);
    for key in ["server.tls.cert", "server.tls.key"] {
        shown::stays(key, &old.shown, &mut new.shown);
    }
    let protocol = if before.is_some() { "HTTPS" } else { "HTTP" };
    Some(format!(
        "`server.tls` cannot begin or end: the server speaks {protocol} until a restart"
    ))
}

fn keep<T: PartialEq + Clone + Debug>(old: &T, new: &mut T) -> Option<String> {
    let differs = old != new;
    new.clone_from(old);
    differs.then(|| format!("{old:?}"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{parse, settings};
    use super::*;

    fn config(text: &str) -> Config {
        parse(text, Path::new("/etc")).unwrap()
    }

    #[test]
    fn a_key_that_needs_a_restart_keeps_its_value_and_is_named() {
        let old = config("server.listen = '127.0.0.1:1'\nserver.name = 'old'");
        let new = config(
            "server.listen = '127.0.0.1:2'\nserver.name = 'new'\nstorage.commit_delay = '50ms'",
        );
        let (in_force, sentences) = reloaded(&old, new);
        assert_eq!(in_force.server.name, "new");
        assert_eq!(in_force.server.listen, old.server.listen);
        assert!(in_force.storage.commit_delay.is_zero());
        assert_eq!(
            sentences,
            [
                "`server.listen` stays [127.0.0.1:1] until a restart",
                "`storage.commit_delay` stays 0ns until a restart",
            ]
        );
    }

    #[test]
    fn a_socket_keeps_its_protocol() {
        let fixture = |name| format!("{}/tests/it/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
        let (cert, key) = (fixture("cert.pem"), fixture("key.pem"));
        let tls = format!("server.tls.cert = {cert:?}\nserver.tls.key = {key:?}");
        let (encrypted, plain) = (config(&tls), config(""));
        let (in_force, sentences) = reloaded(&encrypted, plain.clone());
        assert_eq!(in_force.server.tls, encrypted.server.tls);
        assert!(sentences[0].contains("speaks HTTPS"), "{sentences:?}");
        let (in_force, sentences) = reloaded(&plain, encrypted);
        assert!(in_force.server.tls.is_none() && sentences[0].contains("speaks HTTP "));
    }

    #[test]
    fn every_key_that_needs_a_restart_is_a_setting() {
        for (key, _) in FIXED {
            assert!(settings().any(|it| it.key == *key), "{key}");
        }
    }
}
