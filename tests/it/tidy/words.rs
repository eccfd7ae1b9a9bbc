//! Splits Rust code into words: names, `::`, and every other character by itself. Leaves out
//! comments, strings, character literals and lifetimes.

/// The keywords before a name in its definition.
const DEFINING: [&str; 8] = [
    "fn", "struct", "enum", "trait", "const", "static", "type", "mod",
];

/// Whether a character can be part of a name.
fn is_in_name(sign: char) -> bool {
    sign.is_alphanumeric() || sign == '_'
}

/// The length in bytes of the name at the start of a text.
fn name_length(text: &str) -> usize {
    text.find(|sign| !is_in_name(sign)).unwrap_or(text.len())
}

/// The words of a text, in order, without the `$` of macros, so that `$crate` reads as `crate`.
pub(crate) fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(sign) = rest.chars().next() {
        if let Some(length) = skipped_length(rest) {
            rest = &rest[length..];
            continue;
        }
        let length = if is_in_name(sign) {
            name_length(rest)
        } else if rest.starts_with("::") {
            2
        } else {
            sign.len_utf8()
        };
        if !sign.is_whitespace() && sign != '$' {
            words.push(&rest[..length]);
        }
        rest = &rest[length..];
    }
    words
}

/// The length in bytes of a comment, string, character literal or lifetime at the start of a text;
/// none if the text starts with none of them.
fn skipped_length(text: &str) -> Option<usize> {
    let until = |start: usize, end: &str| {
        let found = text.get(start..).and_then(|rest| rest.find(end));
        Some(found.map_or(text.len(), |at| start + at + end.len()))
    };
    if text.starts_with("//") {
        return until(0, "\n");
    }
    if text.starts_with("/*") {
        return until(2, "*/");
    }
    let prefix = ["r", "br"].into_iter().find(|it| text.starts_with(it));
    if let Some(prefix) = prefix {
        let rest = text[prefix.len()..].trim_start_matches('#');
        let hashes = text.len() - prefix.len() - rest.len();
        if rest.starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            return until(prefix.len() + hashes + 1, &end);
        }
    }
    if text.starts_with('"') {
        return Some(string_length(text));
    }
    if text.starts_with("'\\") {
        return until(3, "'");
    }
    let quoted = text.strip_prefix('\'')?;
    let sign = quoted.chars().next()?.len_utf8();
    if quoted[sign..].starts_with('\'') {
        return Some(sign + 2);
    }
    Some(1 + name_length(quoted))
}

/// The length in bytes of the string at the start of a text, with its quotes.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, sign) in text.char_indices().skip(1) {
        if sign == '"' && !escaped {
            return at + 1;
        }
        escaped = sign == '\\' && !escaped;
    }
    text.len()
}

/// Whether these words define a name or have it in the head of an `impl`.
pub(crate) fn defines(words: &[&str], name: &str) -> bool {
    let defined = |pair: &[&str]| DEFINING.contains(&pair[0]) && pair[1] == name;
    let mut heads = words.split(|word| *word == "impl").skip(1);
    words.windows(2).any(defined)
        || heads.any(|code| {
            code.iter()
                .take_while(|it| **it != "{")
                .any(|it| *it == name)
        })
}

#[test]
fn words_leave_comments_and_strings_out() {
    let code = "/// one\nfn a<'x>(b: &'x str) { /* two */ \
                c::d(\"\\\" three\", r#\"\"four\"#, '\"', '\\'') }";
    let all = "fn a < > ( b : & str ) { c :: d ( , , , ) }";
    assert_eq!(words(code), all.split(' ').collect::<Vec<_>>());
}
