//! The settings as the administrator sees them: the value of each, and where it comes from. No
//! secret is among them.

/// A setting in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownSetting {
    /// Its key with its sections.
    pub key: &'static str,
    /// Whether it needs a restart to take effect.
    pub needs_restart: bool,
    /// Whether its value is not shown.
    pub is_secret: bool,
    /// The line of the file that sets it; none: it has its default.
    pub line: Option<usize>,
    /// Its value as TOML; none: it has none, or it is a secret.
    pub value: Option<String>,
    /// Whether the file says something else by now, which waits for a restart.
    pub waits_for_restart: bool,
    /// The value that waits, as TOML; none: the setting has none then.
    pub after_restart: Option<String>,
}

/// Shows the old value of a setting as the one in force, and the new one as that of a restart.
pub(super) fn stays(key: &str, old: &[ShownSetting], new: &mut [ShownSetting]) {
    let is_it = |it: &&ShownSetting| it.key == key;
    let before = old.iter().find(is_it);
    let after = new.iter_mut().find(|it| it.key == key);
    if let (Some(before), Some(after)) = (before, after) {
        let waiting = after.value.take();
        *after = ShownSetting {
            waits_for_restart: true,
            after_restart: waiting,
            ..before.clone()
        };
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Config, parse, reloaded};
    use super::*;

    fn config(text: &str) -> Config {
        parse(text, Path::new("/etc")).unwrap()
    }

    fn shown<'a>(config: &'a Config, key: &str) -> &'a ShownSetting {
        let mut all = config.shown.iter();
        all.find(|it| it.key == key).unwrap()
    }

    #[test]
    fn a_setting_has_its_value_and_its_place_and_a_secret_only_its_place() {
        let config = config(
            "[server]\nname = 'door'\n[hub]\npasswords = ['a long secret']\n[accounts]\n\
             invites = ['another one']",
        );
        let name = shown(&config, "server.name");
        assert_eq!(
            (name.value.as_deref(), name.line),
            (Some("'door'"), Some(2))
        );
        let signup = shown(&config, "accounts.signup");
        assert_eq!((signup.value.as_deref(), signup.line), (Some("true"), None));
        for (key, line) in [("hub.passwords", 4), ("accounts.invites", 6)] {
            let secret = shown(&config, key);
            assert_eq!((secret.value.as_deref(), secret.line), (None, Some(line)));
        }
        assert_eq!(shown(&config, "server.tls.cert").value, None);
    }

    #[test]
    fn a_value_that_waits_for_a_restart_is_beside_the_one_in_force() {
        let old = config("server.listen = '127.0.0.1:1'");
        let new = config("\nserver.listen = '127.0.0.1:2'\nserver.name = 'new'");
        let (in_force, _) = reloaded(&old, new);
        let listen = shown(&in_force, "server.listen");
        assert_eq!(listen.value.as_deref(), Some("'127.0.0.1:1'"));
        assert_eq!(listen.after_restart.as_deref(), Some("'127.0.0.1:2'"));
        let name = shown(&in_force, "server.name");
        assert_eq!(
            (name.value.as_deref(), &name.after_restart),
            (Some("'new'"), &None)
        );
        assert!(listen.waits_for_restart && !name.waits_for_restart);
        // A later reload that takes the change back leaves nothing to wait for.
        let (in_force, _) = reloaded(&in_force, old);
        let listen = shown(&in_force, "server.listen");
        assert_eq!(
            (listen.waits_for_restart, &listen.after_restart),
            (false, &None)
        );
    }

    #[test]
    fn a_setting_that_the_file_leaves_out_by_now_waits_too() {
        let old = config("metrics.listen = '127.0.0.1:9464'");
        let (in_force, _) = reloaded(&old, config(""));
        let listen = shown(&in_force, "metrics.listen");
        assert!(listen.waits_for_restart && listen.value.is_some());
        assert_eq!(listen.after_restart, None);
    }
}
