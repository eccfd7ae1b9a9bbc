//! Compares doorward with the maximum of its stack (the floor) and with `PocketBase`, in one run on
//! one machine: `cargo bench --bench compare`.
//!
//! Options, after `--`: `--short` for a quick look (one round of 1 s), `--long` for a measurement
//! (five rounds of 10 s), `--write` to put the tables into `docs/performance.md` and the chart
//! beside it, `--only WORD` to run one group (idle, reads, singles, batches, logins, flood,
//! history), `--events N` for the number of events in the history. Without options: three rounds of
//! 3 s.
//!
//! `-- fill --into DIR` only fills a store; `-- ask --of DIR` only measures a filled one.
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts and sizes of a bench are far below 2^52, and positive"
)]

mod events;
mod figures;
mod fill;
mod flood;
mod floor;
mod history;
mod ingest;
mod measure;
mod options;
mod outcome;
mod pocketbase;
mod subject;
mod versus;
mod wrk;

use std::path::Path;
use std::process::ExitCode;

use figures::Figure;
use measure::{Furnished, Said};
use options::{Errand, Options};
use outcome::{Outcome, bench_directory};
use versus::Versus;

/// From this load average on, other processes take so much that even ratios mislead.
const BUSY: f64 = 0.5;

fn main() -> ExitCode {
    // cargo adds `--bench` to the arguments.
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|it| it != "--bench")
        .collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Outcome<()> {
    match options::parse(arguments)? {
        Errand::Floor { port, body_bytes } => floor::serve(port, body_bytes),
        Errand::Fill { into, mix } => {
            let filled = fill::fill(&subject::Home::at(into)?, mix)?;
            println!("{}", serde_json::to_string_pretty(&filled)?);
            Ok(())
        }
        Errand::Ask { of, pace } => {
            println!("{}", figures::table(&history::of(of, pace)?));
            Ok(())
        }
        Errand::Compare(options) => compare(&options),
    }
}

fn compare(options: &Options) -> Outcome<()> {
    if !wrk::is_there() {
        return Err(
            "wrk is not installed; `apt-get install wrk` (or your system's package) brings it"
                .into(),
        );
    }
    let load = load_average()?;
    let (figures, versus) = measure_all(options)?;
    let table = figures::table(&figures) + &about_the_load(load);
    let side_by_side = versus::table(&versus);
    println!("{table}\n{side_by_side}");
    let here = bench_directory()?;
    versus::keep(&figures, &versus, &here.join("compare.json"))?;
    std::fs::write(here.join("compare.svg"), versus::chart(&versus))?;
    if options.write {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
        let guide = docs.join("performance.md");
        figures::write_into(&guide, "figures", &table)?;
        figures::write_into(&guide, "versus", &side_by_side)?;
        std::fs::write(docs.join("performance.svg"), versus::chart(&versus))?;
    }
    Ok(())
}

fn measure_all(options: &Options) -> Outcome<Said> {
    let pace = options.pace;
    let (mut figures, mut versus): (Vec<Figure>, Vec<Versus>) = (Vec::new(), Vec::new());
    let mut note = |said: Said| {
        figures.extend(said.0);
        versus.extend(said.1);
    };
    if options.wants("idle") {
        note((measure::idle(pace)?, Vec::new()));
    }
    if ["reads", "singles", "batches", "logins", "flood"]
        .into_iter()
        .any(|group| options.wants(group))
    {
        let server = Furnished::new(pace)?;
        if options.wants("reads") {
            note(server.reads()?);
        }
        if options.wants("logins") {
            note(server.logins()?);
        }
        if options.wants("flood") {
            note((server.flood()?, Vec::new()));
        }
        if options.wants("singles") {
            note(server.singles()?);
        }
        if options.wants("batches") {
            note(server.batches()?);
        }
    }
    if options.wants("history") {
        note((history::measure(options.mix, pace)?, Vec::new()));
    }
    Ok((figures, versus))
}

/// The load average of the last minute, read before the bench starts its own processes.
fn load_average() -> Outcome<f64> {
    let text = std::fs::read_to_string("/proc/loadavg")?;
    Ok(text.split(' ').next().unwrap_or_default().parse()?)
}

/// A warning for the table if the machine was busy, because the figures alone do not show it.
fn about_the_load(load: f64) -> String {
    if load < BUSY {
        return String::new();
    }
    format!(
        "\nThe machine was not at rest (load average {load} before the run): \
         these figures, ratios included, are no measurement.\n"
    )
}
