//! What the commands print: tables that fit the terminal, and streams.

mod file;
mod live;
mod progress;
mod sections;

use std::io::IsTerminal;

use serde_json::Value;

pub(super) use file::Output;
pub(super) use live::Live;
pub(super) use progress::Progress;
pub(super) use sections::{in_bytes, sections};

/// A column of a table: its title, and where its value is in a row.
#[derive(Clone, Copy)]
pub(super) struct Column {
    pub(super) title: &'static str,
    pub(super) key: &'static str,
}

/// A column.
pub(super) const fn column(title: &'static str, key: &'static str) -> Column {
    Column { title, key }
}

/// The narrowest that a column becomes.
const NARROWEST: usize = 8;
/// The width of what is written to a file or a program.
const UNLIMITED: usize = usize::MAX;

/// The width of the terminal on standard output; no limit where there is none.
pub(super) fn terminal_width() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stdout());
    let columns = size.map_or(0, |size| usize::from(size.ws_col));
    if columns == 0 { UNLIMITED } else { columns }
}

/// Whether standard output is a terminal whose user did not ask for plain text
/// (<https://no-color.org>).
pub(super) fn may_highlight() -> bool {
    let wants_plain = std::env::var_os("NO_COLOR").is_some_and(|it| !it.is_empty());
    std::io::stdout().is_terminal() && !wants_plain
}

/// A table whose first line is bold, if `highlight`.
pub(super) fn with_heading(table: &str, highlight: bool) -> String {
    match table.split_once('\n') {
        Some((heading, rows)) if highlight && !rows.is_empty() => {
            format!("{}\n{rows}", bold(heading))
        }
        _ => table.to_owned(),
    }
}

/// A bold text.
pub(super) fn bold(text: &str) -> String {
    format!("\x1b[1m{text}\x1b[0m")
}

/// A table with a line for each row. The widest columns are cut until the lines fit.
pub(super) fn table(rows: &[Value], columns: &[Column], width: usize) -> String {
    if rows.is_empty() {
        return "none\n".to_owned();
    }
    let titles = columns.iter().map(|it| it.title.to_owned()).collect();
    let mut lines: Vec<Vec<String>> = vec![titles];
    lines.extend(rows.iter().map(|row| {
        let cell = |column: &Column| text(row.get(column.key).unwrap_or(&Value::Null));
        columns.iter().map(cell).collect()
    }));
    let widths = widths(&lines, columns.len(), width);
    let mut table = String::new();
    for line in lines {
        let cells = line.iter().zip(&widths);
        let cells: Vec<String> = cells.map(|(cell, width)| cut(cell, *width)).collect();
        table += cells.join("  ").trim_end();
        table.push('\n');
    }
    table
}

/// A row as a line of its own, for what comes one by one.
pub(super) fn line(row: &Value, columns: &[Column]) -> String {
    let cell = |column: &Column| text(row.get(column.key).unwrap_or(&Value::Null));
    let cells: Vec<String> = columns.iter().map(cell).collect();
    cells.join("  ") + "\n"
}

/// The widths of the columns, with two blanks between them, so that a line fits if it can.
fn widths(lines: &[Vec<String>], columns: usize, width: usize) -> Vec<usize> {
    let widest = |index: usize| {
        let cells = lines.iter().filter_map(|line| line.get(index));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let mut widths: Vec<usize> = (0..columns).map(widest).collect();
    let gaps = 2 * columns.saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > width {
        match widths.iter_mut().max() {
            Some(widest) if *widest > NARROWEST => *widest -= 1,
            _ => break,
        }
    }
    widths
}

/// A text in `width` characters: filled with blanks, or cut with an ellipsis.
fn cut(text: &str, width: usize) -> String {
    let count = text.chars().count();
    if count <= width {
        return format!("{text}{}", " ".repeat(width - count));
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// A line for each field that has a value.
pub(super) fn fields(value: &Value) -> String {
    let Some(object) = value.as_object() else {
        return format!("{}\n", text(value));
    };
    let present = object.iter().filter(|(_, value)| !value.is_null());
    let line = |(key, value): (&String, &Value)| format!("{key}: {}\n", text(value));
    present.map(line).collect()
}

/// A value in one line. Control characters could move the cursor or hide text.
fn text(value: &Value) -> String {
    let text = match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(list) if list.is_empty() => "-".to_owned(),
        Value::Array(list) if list.iter().all(Value::is_string) => {
            list.iter().map(text).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    };
    text.chars()
        .map(|it| if it.is_control() { '?' } else { it })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const COLUMNS: [Column; 2] = [column("NAME", "name"), column("EMAIL", "email")];

    #[test]
    fn a_table_is_as_wide_as_it_must_be_and_no_wider_than_the_terminal() {
        let rows = [
            json!({"name": "Ana", "email": "ana@example.org"}),
            json!({"name": "A very long name", "email": null}),
        ];
        let whole = table(&rows, &COLUMNS, UNLIMITED);
        assert_eq!(
            whole,
            "NAME              EMAIL\nAna               ana@example.org\nA very long name  -\n"
        );
        let narrow = table(&rows, &COLUMNS, 24);
        assert!(
            narrow.lines().all(|line| line.chars().count() <= 24),
            "{narrow}"
        );
        assert!(narrow.contains('…'), "{narrow}");
        assert_eq!(table(&[], &COLUMNS, 24), "none\n");
    }

    #[test]
    fn a_heading_is_bold_where_it_may_be() {
        assert_eq!(with_heading("A\nb\n", true), "\x1b[1mA\x1b[0m\nb\n");
        assert_eq!(with_heading("A\nb\n", false), "A\nb\n");
        assert_eq!(with_heading("none\n", true), "none\n");
    }

    #[test]
    fn a_list_of_words_is_shown_without_its_json() {
        let row = json!({"scopes": ["events:write", "events:read"], "networks": [], "other": [1]});
        let shown = "networks: -\nother: [1]\nscopes: events:write, events:read\n";
        assert_eq!(fields(&row), shown);
    }

    #[test]
    fn what_a_client_sent_cannot_move_the_cursor() {
        let row = json!({"name": "a\u{1b}[2Jb\nc"});
        assert_eq!(fields(&row), "name: a?[2Jb?c\n");
    }
}
