//! The words of a mail server, made fit for the log.

/// The longest text of a mail server that is repeated, in characters.
const MOST_CHARS: usize = 300;
/// A server may repeat what it was sent, and that may hold a code. So many letters and digits in a
/// row are no word, and are left out.
const SECRET_CHARS: usize = 24;

/// One line without control characters, without anything that may be a code, and not too long.
pub(super) fn fit(text: &str) -> String {
    let one_line: String = text
        .chars()
        .map(|it| if it.is_control() { ' ' } else { it })
        .collect();
    let mut shown = String::new();
    let mut run = String::new();
    for char in one_line.chars().chain(std::iter::once(' ')) {
        if char.is_ascii_alphanumeric() || char == '-' || char == '_' {
            run.push(char);
            continue;
        }
        shown += if run.len() < SECRET_CHARS {
            &run
        } else {
            "***"
        };
        run.clear();
        shown.push(char);
    }
    let cut: String = shown.trim().chars().take(MOST_CHARS).collect();
    if cut.len() < shown.trim().len() {
        cut + "…"
    } else {
        cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_server_are_one_short_line_without_codes() {
        assert_eq!(
            fit("550 5.1.1 no such\r\n user\u{1b}[2J"),
            "550 5.1.1 no such   user [2J"
        );
        let code = "AbC-_".repeat(9);
        assert_eq!(
            fit(&format!("spam: https://x.org/?token={code}!")),
            "spam: https://x.org/?token=***!"
        );
        assert_eq!(fit(&"no ".repeat(1000)).chars().count(), MOST_CHARS + 1);
    }
}
