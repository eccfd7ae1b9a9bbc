//! Reads the configured invites: a code alone, or a table with the number of uses and an end. A
//! code opens an account, so no complaint repeats it.

use chrono::DateTime;
use toml::de::{DeTable, DeValue};

use super::Config;
use super::reader::{Reader, Value, integer};
use super::value::{Wrong, because};
use crate::model::{InviteTerms, Timestamp, limits};

/// Reads the list of invites into `config`, or complains.
pub(super) fn read(
    reader: &mut Reader<'_>,
    key: &'static str,
    value: &Value<'_>,
    config: &mut Config,
) {
    let Some(list) = value.get_ref().as_array() else {
        return reader.note(key, value, because("must be a list of invites"));
    };
    for item in list {
        if let DeValue::Table(table) = item.get_ref() {
            find_unknown(reader, table);
        }
        let outcome = invite(item.get_ref()).and_then(|(code, terms)| {
            if config
                .accounts
                .invites
                .iter()
                .any(|(known, _)| *known == code)
            {
                return because("holds the same code twice");
            }
            config.accounts.invites.push((code, terms));
            Ok(())
        });
        reader.clear_secrets.push(key);
        reader.note(key, item, outcome);
    }
}

fn find_unknown(reader: &mut Reader<'_>, table: &DeTable<'_>) {
    let known = ["code", "uses", "expires"];
    for name in table.keys() {
        if !known.contains(&name.get_ref().as_ref()) {
            let what = "key of an invite";
            reader.unknown(&name.span(), what, name.get_ref(), known.into_iter());
        }
    }
}

/// The code of an invite and its terms. A code alone opens one account and never expires.
fn invite(value: &DeValue<'_>) -> Result<(String, InviteTerms), Wrong> {
    let DeValue::Table(table) = value else {
        let code = value.as_str().map_or_else(
            || because("must hold codes in quotes or tables such as { code = \"…\", uses = 10 }"),
            invite_code,
        )?;
        return Ok((
            code,
            InviteTerms {
                uses: 1,
                expires_at: None,
            },
        ));
    };
    let Some(code) = table.get("code").and_then(|it| it.get_ref().as_str()) else {
        return because("holds an invite without a `code` in quotes");
    };
    let uses = table
        .get("uses")
        .map_or(Some(1), |it| integer(it.get_ref()).filter(|it| *it > 0));
    let Some(uses) = uses else {
        return because("holds an invite whose `uses` is not a whole number from 1 on");
    };
    let expires_at = table
        .get("expires")
        .map(|it| moment(it.get_ref()))
        .transpose()?;
    Ok((invite_code(code)?, InviteTerms { uses, expires_at }))
}

fn invite_code(code: &str) -> Result<String, Wrong> {
    let fits = (1..=limits::INVITE_CHARS).contains(&code.chars().count());
    if fits && code.trim() == code && !code.chars().any(char::is_control) {
        return Ok(code.to_owned());
    }
    let most = limits::INVITE_CHARS;
    because(format!(
        "holds a code that is not one line of 1 to {most} characters without blanks around it"
    ))
}

fn moment(value: &DeValue<'_>) -> Result<Timestamp, Wrong> {
    let time = value.as_datetime().map(ToString::to_string);
    let time = time.and_then(|it| DateTime::parse_from_rfc3339(&it).ok());
    let help =
        "holds an invite whose `expires` is not a time such as 2027-01-01T00:00:00Z (no quotes)";
    time.map_or_else(
        || because(help),
        |it| Ok(Timestamp::from_millis(it.timestamp_millis())),
    )
}
