//! The measured figures with their goals, as a Markdown table and as a block of the guide.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::outcome::Outcome;

/// The goal of a figure.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
    /// No goal: the figure explains another one.
    Context,
}

/// One row of the table. The value is NaN if the server does not have the measured feature.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    pub(crate) what: String,
    pub(crate) goal: Goal,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    /// The inputs of the figure, or further results of the same runs.
    pub(crate) beside: String,
}

impl Goal {
    pub(crate) fn is_met(self, value: f64) -> Option<bool> {
        match self {
            Goal::AtLeast(least) => Some(value >= least),
            Goal::AtMost(most) => Some(value <= most),
            Goal::Context => None,
        }
    }

    fn text(self, unit: &str) -> String {
        match self {
            Goal::AtLeast(least) => format!("≥ {}{unit}", number(least)),
            Goal::AtMost(most) => format!("≤ {}{unit}", number(most)),
            Goal::Context => "–".into(),
        }
    }
}

/// The figures as a Markdown table.
pub(crate) fn table(figures: &[Figure]) -> String {
    let mut text =
        String::from("| what | goal | figure | met | beside it |\n|---|---|---|---|---|\n");
    for Figure {
        what,
        goal,
        value,
        unit,
        beside,
    } in figures
    {
        let met = goal
            .is_met(*value)
            .map_or("–", |met| if met { "yes" } else { "**no**" });
        let goal = goal.text(unit);
        let value = if value.is_nan() {
            "–".to_owned()
        } else {
            format!("{}{unit}", number(*value))
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| {what} | {goal} | {value} | {met} | {beside} |");
    }
    text
}

/// Writes a table into the block of the guide that has this mark.
pub(crate) fn write_into(guide: &Path, mark: &str, table: &str) -> Outcome<()> {
    let (begin, end) = (
        format!("<!-- {mark}:begin -->"),
        format!("<!-- {mark}:end -->"),
    );
    let text = fs::read_to_string(guide)?;
    let parts = text.split_once(&begin).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(&end)?;
        Some((before, after))
    });
    let (before, after) =
        parts.ok_or_else(|| format!("{} has no block marked {mark}", guide.display()))?;
    fs::write(guide, format!("{before}{begin}\n{table}{end}{after}"))?;
    Ok(())
}

/// A number for readers: digits in groups of three, and two decimal places below 100.
pub(crate) fn number(value: f64) -> String {
    if value.abs() < 100.0 {
        let text = format!("{value:.2}");
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A row of the table.
pub(crate) fn figure(
    what: &str,
    goal: Goal,
    value: f64,
    unit: &'static str,
    beside: String,
) -> Figure {
    Figure {
        what: what.to_owned(),
        goal,
        value,
        unit,
        beside,
    }
}

/// The median; NaN without values.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The least and the greatest value, as text.
pub(crate) fn spread(values: &[f64]) -> String {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(0.0, f64::max);
    format!("{} to {}", number(least), number(most))
}
