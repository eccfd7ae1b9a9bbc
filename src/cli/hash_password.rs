//! `doorward hash-password`: hashes a password for the configuration file. It reads the password
//! from the terminal, without showing it, or from a pipe; never from the command line, which other
//! users can read.

use std::io::{BufRead, IsTerminal, Read};
use std::path::Path;

use zeroize::Zeroizing;

use super::console::print_line;
use super::error::CliError;
use crate::config::{self, Accounts};
use crate::crypto::{HashCost, PasswordHasher, SystemRandom};
use crate::model::{Password, PasswordRules, Secret, limits};
use crate::world::Random;

/// The rules for a password that the command accepts.
const RULES: PasswordRules = PasswordRules {
    min_chars: 8,
    refuse_common: false,
};

/// Asks for a password and prints its hash.
pub(super) fn run() -> Result<(), CliError> {
    let secret = read_password()?;
    let password =
        Password::parse(&secret, RULES).map_err(|wrong| CliError::new(format!("this {wrong}")))?;
    print_line(&hash(password.secret(), &default_accounts()?)?)
}

/// A password: asked for twice on a terminal, else the first line of standard input.
pub(super) fn read_password() -> Result<Secret, CliError> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        from_terminal()
    } else {
        from_pipe(&mut stdin.lock())
    }
}

/// The rules for accounts in the default configuration.
pub(super) fn default_accounts() -> Result<Accounts, CliError> {
    let config = config::parse("", Path::new("")).map_err(CliError::Configuration)?;
    Ok(config.accounts)
}

/// Hashes a password at the cost of these rules.
pub(super) fn hash(password: &Secret, accounts: &Accounts) -> Result<String, CliError> {
    let mut salt = [0; 16];
    SystemRandom::default().fill(&mut salt);
    let cost = HashCost {
        memory_bytes: accounts.hash_memory,
        passes: accounts.hash_passes,
    };
    let hash = PasswordHasher::new(cost).hash(password, salt);
    hash.map_err(|cause| CliError::because("cannot hash the password", cause))
}

fn from_terminal() -> Result<Secret, CliError> {
    let ask = |prompt: &str| {
        let answer = rpassword::prompt_password(prompt).map(Secret::new);
        answer.map_err(|cause| CliError::because("cannot read from the terminal", cause))
    };
    let password = ask("Password: ")?;
    if ask("Again: ")?.normalized() != password.normalized() {
        return Err(CliError::new(
            "the two passwords differ; nothing was changed",
        ));
    }
    Ok(password)
}

/// The first line, without the line break at its end.
fn from_pipe(input: &mut impl BufRead) -> Result<Secret, CliError> {
    // Read more than the longest password, so that a longer one is recognized as too long.
    let most = limits::PASSWORD_BYTES as u64 + 3;
    let mut line = Zeroizing::new(Vec::new());
    input
        .take(most)
        .read_until(b'\n', &mut line)
        .map_err(|cause| CliError::because("cannot read the password", cause))?;
    let text =
        std::str::from_utf8(&line).map_err(|_| CliError::new("this password is not UTF-8 text"))?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    Ok(Secret::new(text.strip_suffix('\r').unwrap_or(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_brings_its_first_line() {
        for (input, expected) in [
            ("a good one\nand more\n", "a good one"),
            ("a good one\r\n", "a good one"),
            (" blanks stay ", " blanks stay "),
            ("", ""),
        ] {
            assert_eq!(from_pipe(&mut input.as_bytes()).unwrap().reveal(), expected);
        }
    }

    #[test]
    fn an_endless_line_is_cut_and_too_long() {
        let endless = "a".repeat(1_000_000);
        let secret = from_pipe(&mut endless.as_bytes()).unwrap();
        assert!(Password::parse(&secret, RULES).is_err());
    }
}
