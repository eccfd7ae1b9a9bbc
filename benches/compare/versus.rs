//! The same work done by the floor, by doorward and by `PocketBase`: as a table, as JSON and as a
//! chart.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use serde_json::json;

use crate::figures::{Figure, Goal, number};
use crate::outcome::Outcome;

/// One kind of work, and how often per second each server did it.
#[derive(Debug, Clone)]
pub(crate) struct Versus {
    pub(crate) what: &'static str,
    /// The bare server; `None` for work that it cannot do.
    pub(crate) floor: Option<f64>,
    pub(crate) ours: f64,
    /// `None` if `PocketBase` was not available or completed nothing.
    pub(crate) pocketbase: Option<f64>,
}

/// As a Markdown table.
pub(crate) fn table(all: &[Versus]) -> String {
    let mut text = String::from(
        "| per second | floor | doorward | PocketBase | doorward ÷ floor | doorward ÷ PocketBase |\n\
         |---|---|---|---|---|---|\n",
    );
    let or_dash = |value: Option<f64>| value.map_or("–".into(), number);
    for it in all {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} |",
            it.what,
            or_dash(it.floor),
            number(it.ours),
            or_dash(it.pocketbase),
            or_dash(it.floor.map(|floor| it.ours / floor)),
            or_dash(it.pocketbase.map(|other| it.ours / other)),
        );
    }
    text
}

/// Writes everything as JSON.
pub(crate) fn keep(figures: &[Figure], versus: &[Versus], path: &Path) -> Outcome<()> {
    let figure = |it: &Figure| {
        let (at_least, at_most) = match it.goal {
            Goal::AtLeast(least) => (Some(least), None),
            Goal::AtMost(most) => (None, Some(most)),
            Goal::Context => (None, None),
        };
        json!({
            "what": it.what, "value": it.value, "unit": it.unit.trim(), "beside": it.beside,
            "at_least": at_least, "at_most": at_most, "met": it.goal.is_met(it.value),
        })
    };
    let side_by_side = |it: &Versus| {
        json!({
            "what": it.what, "floor": it.floor, "doorward": it.ours, "pocketbase": it.pocketbase,
        })
    };
    let all = json!({
        "figures": figures.iter().map(figure).collect::<Vec<_>>(),
        "per_second": versus.iter().map(side_by_side).collect::<Vec<_>>(),
    });
    fs::write(path, serde_json::to_string_pretty(&all)?)?;
    Ok(())
}

const WIDTH: f64 = 760.0;
/// The left end of the bars, and the length of the longest bar in a group.
const BARS_AT: f64 = 110.0;
const BAR_MOST: f64 = 420.0;
const BAR_HIGH: f64 = 18.0;
const LINE: f64 = 22.0;
const HEADING: f64 = 30.0;

/// Colours with enough contrast on white and on black; the text follows the reader's colour scheme.
const STYLE: &str = "<style>\n\
    text{font:13px system-ui,sans-serif;fill:#24292f}\n\
    .what{font-weight:600}\n\
    .floor{fill:#8b949e}.doorward{fill:#2f81f7}.pocketbase{fill:#db6d28}\n\
    @media(prefers-color-scheme:dark){text{fill:#e6edf3}}\n\
    </style>\n";

/// As an SVG chart: a group of bars for each kind of work. Each group has its own scale, from zero.
pub(crate) fn chart(all: &[Versus]) -> String {
    let (mut drawn, mut y) = (String::new(), 4.0);
    for it in all {
        y += HEADING;
        let what = it.what;
        // Writing to a string cannot fail.
        let _ = writeln!(
            drawn,
            "<text class=\"what\" x=\"4\" y=\"{}\">{what}, per second</text>",
            y - 9.0
        );
        let bars = [
            ("floor", it.floor),
            ("doorward", Some(it.ours)),
            ("PocketBase", it.pocketbase),
        ];
        let bars = bars
            .into_iter()
            .filter_map(|(who, value)| Some((who, value?)));
        let most = bars.clone().map(|(_, value)| value).fold(1.0, f64::max);
        for (who, value) in bars {
            drawn += &bar(who, value, value / most, it.pocketbase, y);
            y += LINE;
        }
    }
    let high = y + 8.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {high}\" role=\"img\" \
         aria-label=\"Requests and events a second: floor, doorward and PocketBase\">\n{STYLE}{drawn}</svg>\n"
    )
}

fn bar(who: &str, value: f64, share: f64, pocketbase: Option<f64>, y: f64) -> String {
    let long = (share * BAR_MOST).max(1.5);
    let (middle, beside) = (y + 13.5, BARS_AT + long + 6.0);
    let times = pocketbase.filter(|_| who == "doorward");
    let times = times.map_or(String::new(), |other| {
        format!(" ({} × PocketBase)", number(value / other))
    });
    let class = who.to_lowercase();
    format!(
        "<text x=\"4\" y=\"{middle}\">{who}</text>\
         <rect class=\"{class}\" x=\"{BARS_AT}\" y=\"{y}\" width=\"{long:.1}\" height=\"{BAR_HIGH}\" rx=\"2\"/>\
         <text x=\"{beside:.1}\" y=\"{middle}\">{}{times}</text>\n",
        number(value)
    )
}
