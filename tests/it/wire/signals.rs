//! Tests how the program stops, and which errors prevent a start.

use std::net::{TcpListener, TcpStream};

use super::line::{HEALTH, Line, post};
use super::moment::poll;
use super::process::{Process, refuses, stopped_at};

const SIGNUP: &str = r#"{"name":"Ana","email":"ana@example.org","password":"a good password"}"#;
const CHEAP: &str = "accounts = { hash_memory = \"1MiB\", hash_passes = 1 }\n";

#[test]
fn a_request_under_way_is_finished_when_the_program_is_asked_to_stop() {
    let mut process = Process::start(CHEAP);
    let request = post("/v1/user", &["Expect: 100-continue"], SIGNUP);
    let (head, body) = request.split_at(request.len() - SIGNUP.len());
    let mut line = Line::to_address(process.address);
    line.say(head).hears(100);
    let mut idle = Line::to_address(process.address);
    idle.say(HEALTH).hears(200);
    let mut silent = Line::to_address(process.address);

    process.terminate();
    idle.is_over();
    silent.is_over();
    poll(|| TcpStream::connect(process.address).err());
    line.say(body).hears(201);
    line.is_over();
    assert_eq!(process.ends().code(), Some(0), "{}", process.said());
    assert!(process.said().contains("stopped"), "{}", process.said());
}

#[test]
fn a_stop_right_after_the_first_line_about_serving_is_an_orderly_one() {
    // These are more lines than a pipe holds (64 KiB), so the program cannot have written the last
    // of them when the signal arrives.
    let addresses = vec!["\"127.0.0.1:0\""; 800].join(", ");
    let settings = format!("log.format = \"json\"\nserver.listen = [{addresses}]\n");
    let status = stopped_at("serving on", &settings);
    assert_eq!(status.code(), Some(0), "{status}");
}

#[test]
fn what_was_acknowledged_before_the_stop_is_there_after_it() {
    let mut process = Process::start(CHEAP);
    let mut line = Line::to_address(process.address);
    line.say(post("/v1/user", &[], SIGNUP)).hears(201);
    process.terminate();
    assert_eq!(process.ends().code(), Some(0));
    let again = process.again(CHEAP);
    let mut line = Line::to_address(again.address);
    line.say(post("/v1/user", &[], SIGNUP)).hears(409);
}

#[test]
fn a_second_program_on_the_same_data_says_so_and_leaves() {
    let process = Process::start("");
    let (code, said) = process.second("server.listen = \"127.0.0.1:0\"");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("another process has it open"), "{said}");
    Line::to_address(process.address).say(HEALTH).hears(200);
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let (code, said) = refuses(&format!("server.listen = \"{address}\""));
    assert_eq!(code, Some(1), "{said}");
    let sentence = format!("cannot listen on {address}");
    assert!(
        said.contains(&sentence) && said.contains("change server.listen"),
        "{said}"
    );
    assert_eq!(said.matches("cannot listen").count(), 1, "{said}");
}
