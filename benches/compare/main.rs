//! doorward beside what its stack can do at most, in one run on one machine: `cargo bench --bench compare`.
//!
//! `-- --short` is a look (1 s, one round), `-- --long` a measurement (10 s, five rounds), `-- --write` puts the table into
//! `docs/performance.md`, and `-- --only WORD` runs one group: idle, reads, singles, batches, logins, weight.
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts and sizes of a bench are far below 2^52, and positive"
)]

mod events;
mod figures;
mod floor;
mod measure;
mod subject;
mod wrk;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use figures::Figure;
use measure::{Furnished, Pace};

pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

/// A load average from which on others take so much that even ratios mislead.
const BUSY: f64 = 0.5;
const GROUPS: [&str; 6] = ["idle", "reads", "singles", "batches", "logins", "weight"];

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
    if let [word, port, body_bytes] = arguments
        && word == floor::WORD
    {
        return floor::serve(port.parse()?, body_bytes.parse()?);
    }
    let mut pace = Pace {
        rounds: 3,
        seconds: 3,
    };
    let (mut only, mut write) = (None, false);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--short" => {
                pace = Pace {
                    rounds: 1,
                    seconds: 1,
                }
            }
            "--long" => {
                pace = Pace {
                    rounds: 5,
                    seconds: 10,
                }
            }
            "--write" => write = true,
            "--only" => only = rest.next().cloned(),
            other => return Err(format!("no such option: {other}").into()),
        }
    }
    if only
        .as_ref()
        .is_some_and(|group| !GROUPS.contains(&group.as_str()))
    {
        return Err(format!("--only wants one of: {}", GROUPS.join(", ")).into());
    }
    if write && only.is_some() {
        return Err("--write wants the whole table: leave --only out".into());
    }
    if !wrk::is_there() {
        return Err(
            "wrk is not installed; `apt-get install wrk` (or your system's package) brings it"
                .into(),
        );
    }
    let load = load_average()?;
    let figures = measure_all(pace, only.as_deref())?;
    let table = figures::table(&figures) + &about_the_load(load);
    println!("{table}");
    figures::keep(&figures, &bench_directory()?.join("compare.json"))?;
    if write {
        figures::write_into(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/performance.md"),
            &table,
        )?;
    }
    Ok(())
}

fn measure_all(pace: Pace, only: Option<&str>) -> Outcome<Vec<Figure>> {
    let wanted = |group: &str| only.is_none_or(|only| only == group);
    let mut figures = Vec::new();
    if wanted("idle") {
        figures.extend(measure::idle(pace)?);
    }
    if ["reads", "singles", "batches", "logins"]
        .into_iter()
        .any(wanted)
    {
        let server = Furnished::new("load", pace)?;
        if wanted("reads") {
            figures.extend(server.reads()?);
        }
        if wanted("logins") {
            figures.extend(server.logins()?);
        }
        if wanted("singles") {
            figures.extend(server.singles()?);
        }
        if wanted("batches") {
            figures.extend(server.batches()?);
        }
    }
    if wanted("weight") {
        figures.extend(Furnished::new("weight", pace)?.weight()?);
    }
    Ok(figures)
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

/// Where everything that a run leaves behind lies.
pub(crate) fn bench_directory() -> Outcome<PathBuf> {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench");
    std::fs::create_dir_all(&directory)?;
    Ok(directory)
}
