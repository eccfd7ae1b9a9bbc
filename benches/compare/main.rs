//! doorward beside what its stack can do at most and beside `PocketBase`, in one run on one
//! machine: `cargo bench --bench compare`.
//!
//! `-- --short` is a look (1 s, one round), `-- --long` a measurement (10 s, five rounds), `--
//! --write` puts the tables into `docs/performance.md` and the chart beside it, `-- --only WORD`
//! runs one group: idle, reads, singles, batches, logins, history; `-- --events N` says how many
//! events the history has.
//!
//! `-- fill --into DIR` fills a store, `-- ask --of DIR` asks one that was filled.
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

/// A load average from which on others take so much that even ratios mislead.
const BUSY: f64 = 0.5;

fn main() -> ExitCode {
    // cargo adds `--bench` to whatever it was told.
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
    if ["reads", "singles", "batches", "logins"]
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

/// How many processes wanted a core in the last minute, before there was any of ours.
fn load_average() -> Outcome<f64> {
    let text = std::fs::read_to_string("/proc/loadavg")?;
    Ok(text.split(' ').next().unwrap_or_default().parse()?)
}

/// Figures of a busy machine look like any others, so the table says it itself.
fn about_the_load(load: f64) -> String {
    if load < BUSY {
        return String::new();
    }
    format!(
        "\nThe machine was not at rest (load average {load} before the run): \
         these figures, ratios included, are no measurement.\n"
    )
}
