//! The log lines of a start: the addresses and, while there is no account, what to do next.

use crate::config::{Config, Mail, Transport};

/// Logs the addresses that are served and, for a server without accounts, the next steps.
pub(super) fn log(config: &Config, addresses: &[String], has_accounts: bool) {
    for line in lines(config, addresses, has_accounts) {
        log::info!("{line}");
    }
}

fn lines(config: &Config, addresses: &[String], has_accounts: bool) -> Vec<String> {
    let scheme = if config.server.tls.is_some() {
        "https"
    } else {
        "http"
    };
    let mut lines: Vec<String> = addresses
        .iter()
        .map(|address| match address.strip_prefix("unix:") {
            Some(_) => format!("serving on {address}"),
            None => format!("serving on {scheme}://{address}"),
        })
        .collect();
    if !has_accounts {
        lines.push(format!("there is no account yet: {}", sign_up(config)));
        lines.push(administrator(config));
        lines.push(mail(&config.mail));
    }
    lines
}

/// How the first account is made.
fn sign_up(config: &Config) -> String {
    if !config.apis.ephemeride {
        return "`apis.ephemeride`, which has the sign-up, is switched off".to_owned();
    }
    if !config.accounts.signup {
        return "set `accounts.signup = true` to let people sign up".to_owned();
    }
    let invite = if config.accounts.invite_required {
        r#","invite":"a code of accounts.invites""#
    } else {
        ""
    };
    format!(
        "curl {}/v1/user -H 'Content-Type: application/json' \
         -d '{{\"name\":\"NAME\",\"email\":\"ADDRESS\",\"password\":\"PASSWORD\"{invite}}}'",
        config.server.public_url
    )
}

fn administrator(config: &Config) -> String {
    let next = if config.apis.token {
        "logs in at POST /api/token"
    } else {
        "cannot log in while `apis.token` is switched off"
    };
    format!(
        "the administrator \"{}\" {next}; `doorward admin reset-password` makes a new password",
        config.admin.username
    )
}

fn mail(mail: &Mail) -> String {
    match mail.transport {
        Transport::Log => "mail.transport is \"log\": no mail is sent, so nobody can reset a \
                           password; docs/configuration.md says how to send mail"
            .to_owned(),
        Transport::File => {
            let path = mail.path.display();
            format!("mails are written into {path} and not sent")
        }
        Transport::Smtp => format!(
            "mails leave by {}; try it: doorward mail test ADDRESS",
            mail.smtp.host
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config;

    fn said(settings: &str, has_accounts: bool) -> Vec<String> {
        let config = config::parse(settings, Path::new("")).unwrap();
        let addresses = ["127.0.0.1:80".to_owned(), "unix:/run/door.sock".to_owned()];
        lines(&config, &addresses, has_accounts)
    }

    #[test]
    fn a_server_with_accounts_says_only_where_it_serves() {
        let expected = [
            "serving on http://127.0.0.1:80",
            "serving on unix:/run/door.sock",
        ];
        assert_eq!(said("", true), expected);
    }

    #[test]
    fn a_server_without_accounts_says_what_to_do_next() {
        for (settings, line, words) in [
            (
                "",
                2,
                "yet: curl http://127.0.0.1:8080/v1/user -H 'Content-Type: application/json' -d '{\"name\"",
            ),
            ("accounts.signup = false", 2, "`accounts.signup = true`"),
            ("apis.ephemeride = false", 2, "`apis.ephemeride`"),
            (
                "accounts.invite_required = true\naccounts.invites = [\"welcome\"]",
                2,
                "\"invite\":\"a code of accounts.invites\"}'",
            ),
            (
                "admin.username = \"root\"",
                3,
                "the administrator \"root\" logs in at",
            ),
            ("apis.token = false", 3, "`apis.token` is switched off"),
            ("", 4, "mail.transport is \"log\": no mail is sent"),
            (
                "mail.transport = \"file\"\nmail.path = \"out\"",
                4,
                "written into out",
            ),
        ] {
            let said = said(settings, false);
            assert_eq!(said.len(), 5, "{said:#?}");
            assert!(said[line].contains(words), "{said:#?}");
        }
    }
}
