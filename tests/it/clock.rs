//! A wrong clock destroys nothing: boards without a battery start in 1970 or in the future, and
//! their clock jumps when the network gives them the time.

use doorward::model::Timestamp;
use serde_json::{Value, json};

use crate::harness::{Actor, HandClock, Request, Server, days, hours, seconds};

/// How the server calls its clock.
fn clock(server: &Server) -> String {
    server.anyone().get("/healthz").gives(200).string("/clock")
}

fn names(server: &Server) -> Vec<String> {
    let events = server.events().into_iter();
    events.map(|event| event.name).collect()
}

/// Sweeps, lets time pass, and sweeps again: what the sweeper does in that time.
fn sweep_for(server: &Server, time: u64) {
    server.sweep();
    server.pass(seconds(time));
    server.sweep();
}

/// A server with twenty merged events, counted under one name, and a session.
fn twenty_events() -> (Server, Actor) {
    let server = Server::start();
    let ana = server.user("ana@example.org").session();
    ana.report(&["a"; 20]).gives(201);
    server.pass(hours(2));
    server.sweep();
    assert_eq!(server.events().len(), 20);
    (server, ana)
}

fn refreshed(server: &Server, actor: &Actor) -> Actor {
    server
        .anyone()
        .with_token(&actor.refresh().gives(200).string("/token"))
}

#[test]
fn a_clock_91_days_ahead_for_33_seconds_removes_no_event() {
    let (server, _) = twenty_events();
    server.clock.set_ahead(days(91));
    sweep_for(&server, 33);
    assert_eq!(clock(&server), "suspect");
    server.clock.set_right();
    server.sweep();
    assert_eq!(clock(&server), "trusted");
    assert_eq!(server.events().len(), 20);
}

#[test]
fn a_clock_100_days_ahead_for_75_seconds_ends_no_token() {
    let (server, ana) = twenty_events();
    let admin = server.admin();
    server.clock.set_ahead(days(100));
    ana.get("/v1/user").fails(404, "SessionNotFound");
    admin.get("/api/admin/events").gives(401);
    sweep_for(&server, 75);
    server.clock.set_right();
    server.sweep();
    // Both tokens open again, until their true ends.
    ana.get("/v1/user").gives(200);
    admin.get("/api/admin/events").gives(200);
    assert_eq!(server.events().len(), 20);
    server.pass(hours(24));
    admin.get("/api/admin/events").gives(401);
    server.pass(days(28));
    ana.get("/v1/user").gives(200);
    server.pass(days(30));
    ana.get("/v1/user").fails(404, "SessionNotFound");
}

#[test]
fn a_clock_six_years_ahead_removes_no_counter() {
    let (server, _) = twenty_events();
    server.clock.set_ahead(days(6 * 365));
    sweep_for(&server, 75);
    server.clock.set_right();
    server.sweep();
    assert_eq!(server.counts()["a"], 20);
}

#[test]
fn a_clock_that_goes_back_by_five_minutes_hides_no_reuse_of_a_token() {
    let server = Server::start();
    let first = server.user("ana@example.org").access();
    let second = refreshed(&server, &first);
    server.pass(seconds(60));
    server.clock.set_back(seconds(5 * 60));
    assert_eq!(clock(&server), "suspect");
    first.refresh().fails(401, "Not authorized");
    assert!(!second.is_let_in(), "the whole family is ended");
}

#[test]
fn a_jump_within_the_grace_ends_no_honest_login() {
    let server = Server::start();
    let ana = server.user("ana@example.org");
    for jump in [days(91), seconds(60), seconds(10)] {
        for set in [HandClock::set_ahead, HandClock::set_back] {
            let first = ana.access();
            let second = refreshed(&server, &first);
            server.pass(seconds(5));
            set(&server.clock, jump);
            assert_eq!(first.refresh().gives(200).string("/token"), second.token);
            server.pass(seconds(5));
            first.refresh().fails(401, "Not authorized");
            server.clock.set_right();
        }
    }
}

#[test]
fn a_login_while_the_clock_is_ahead_ends_one_token_at_most() {
    let server = Server::with("tokens.per_user = 4");
    let ana = server.user("ana@example.org");
    let sessions = [0; 3].map(|_| {
        server.pass(seconds(1));
        ana.session()
    });
    server.clock.set_ahead(days(100));
    ana.session().get("/v1/user").gives(200);
    server.clock.set_right();
    for session in &sessions {
        session.get("/v1/user").gives(200);
    }
}

/// Reports one event, with an id of this number and, if there is one, an idempotency key.
fn report_once(actor: &Actor, id: u32, key: Option<&str>) {
    let id = format!("00000000-0000-4000-8000-{id:012}");
    let mut request = Request::new("POST", "/api/events/simple_clientapp");
    if let Some(key) = key {
        request = request.header("Idempotency-Key", key);
    }
    let body = json!([{"name": "a", "id": id}]);
    actor.send(request.body(body)).gives(201);
}

#[test]
fn an_id_that_is_sent_again_when_moments_went_back_over_midnight_is_stored_once() {
    let server = Server::start();
    let ana = server.user("ana@example.org").session();
    let day = 24 * 3600;
    let to_midnight = day - u64::try_from(server.now().seconds()).unwrap() % day;
    server.pass(seconds(to_midnight + 1800));
    report_once(&ana, 1, None);
    server.clock.set_back(hours(3));
    // The clock is suspect at first, and moments go back when it has kept step for an hour.
    sweep_for(&server, 3601);
    assert_eq!(clock(&server), "trusted");
    report_once(&ana, 1, None);
    report_once(&ana, 2, None);
    server.restart();
    report_once(&ana, 1, None);
    report_once(&ana, 2, None);
    assert_eq!(server.events().len(), 2);
    // The first day is over for a day: its ids are forgotten, those of the next are not.
    server.pass(hours(26));
    server.sweep();
    report_once(&ana, 1, None);
    assert_eq!(server.events().len(), 2);
    server.pass(hours(24));
    server.sweep();
    report_once(&ana, 1, None);
    assert_eq!(server.events().len(), 3);
}

#[test]
fn ids_and_keys_that_were_sent_while_the_clock_was_ahead_are_known_when_it_is_right() {
    let server = Server::start();
    let ana = server.user("ana@example.org").session();
    report_once(&ana, 1, None);
    server.clock.set_ahead(days(3));
    sweep_for(&server, 33);
    // What was sent before is known too.
    report_once(&ana, 1, None);
    report_once(&ana, 2, None);
    report_once(&ana, 3, Some("key"));
    server.clock.set_right();
    server.sweep();
    for _ in 0..2 {
        report_once(&ana, 2, None);
        report_once(&ana, 3, Some("key"));
        assert_eq!(server.events().len(), 3);
        server.restart();
    }
    let other = json!([{"name": "b"}]);
    let keyed = ana.with_header("Idempotency-Key", "key");
    keyed.post("/api/events/simple_clientapp", other).gives(422);
}

#[test]
fn a_promise_is_kept_across_a_wrong_clock() {
    let server = Server::start();
    let ana = server.user("ana@example.org").session();
    let body = json!([{"name": "a", "id": "00000000-0000-4000-8000-000000000001"}]);
    let report = || {
        let request = Request::new("POST", "/api/events/simple_clientapp");
        ana.send(request.header("Idempotency-Key", "key").body(body.clone()))
    };
    report().gives(201);
    server.clock.set_ahead(days(100));
    sweep_for(&server, 75);
    server.clock.set_right();
    report().gives(201);
    ana.post("/api/events/simple_clientapp", body.clone())
        .gives(201);
    assert_eq!(server.events().len(), 1);
}

#[test]
fn a_reset_code_and_a_mail_outlive_a_wrong_clock() {
    let server = Server::start();
    server.user("ana@example.org");
    server.anyone().ask_reset("ana@example.org");
    let code = server.deliver_mails().remove(0).code();
    server.clock.set_ahead(days(100));
    server
        .anyone()
        .redeem(&code, "a better password")
        .gives(401);
    server.anyone().ask_reset("nobody@example.org");
    server.user("ben@example.org");
    server.anyone().ask_reset("ben@example.org");
    sweep_for(&server, 75);
    server.clock.set_right();
    assert_eq!(server.deliver_mails().len(), 1, "the mail of ben was due");
    server
        .anyone()
        .redeem(&code, "a better password")
        .gives(200);
}

#[test]
fn a_start_in_1970_continues_from_the_newest_moment_and_loses_nothing() {
    let (server, ana) = twenty_events();
    server.restart_after(days(3), HandClock::set_to_1970, "");
    assert_eq!(clock(&server), "suspect");
    server.pass(seconds(40));
    ana.report(&["early"]).gives(201);
    let session = server
        .anyone()
        .log_in("ana@example.org", crate::harness::PASSWORD);
    let session = server
        .anyone()
        .with_token(&session.gives(201).string("/id"));
    let moments: Vec<Timestamp> = server.events().iter().map(|event| event.at).collect();
    assert!(moments.is_sorted() && moments[20].since(moments[0]) >= hours(2) + seconds(40));

    // The network gives it the time.
    server.clock.set_right();
    session.report(&["late"]).gives(201);
    sweep_for(&server, 3599);
    assert_eq!(clock(&server), "suspect");
    server.pass(seconds(1));
    server.sweep();
    assert_eq!(clock(&server), "trusted");
    assert_eq!(names(&server)[20..], ["early", "late"]);
    session.get("/v1/user").gives(200);
    server.restart();
    assert_eq!(clock(&server), "trusted");
}

#[test]
fn a_first_start_in_1970_continues_from_the_age_of_the_program() {
    let server = Server::starting("", HandClock::set_to_1970);
    let ana = server.user("ana@example.org").session();
    ana.report(&["early"]).gives(201);
    assert_eq!(server.events()[0].at.rfc3339(), "2026-01-01T00:00:00Z");
    // It never gets the time: moments go on, and nothing is removed.
    server.pass(days(40));
    ana.report(&["much later"]).gives(401);
    sweep_for(&server, 3600);
    assert_eq!(clock(&server), "suspect");
    server.clock.set_right();
    sweep_for(&server, 3600);
    assert_eq!(clock(&server), "trusted");
    assert_eq!(
        names(&server),
        Vec::<String>::new(),
        "they are older than 90 days by now"
    );
    assert_eq!(server.counts()["early"], 1);
    server
        .anyone()
        .log_in("ana@example.org", crate::harness::PASSWORD)
        .gives(201);
}

#[test]
fn a_box_that_was_off_for_months_reclaims_one_hour_after_its_start() {
    let (server, _) = twenty_events();
    server.restart_after(days(100), |_| (), "");
    sweep_for(&server, 3599);
    assert_eq!(
        (clock(&server).as_str(), server.events().len()),
        ("suspect", 20)
    );
    server.pass(seconds(1));
    server.sweep();
    assert_eq!(
        (clock(&server).as_str(), server.events().len()),
        ("trusted", 0)
    );
}

#[test]
fn a_start_with_a_clock_ahead_that_is_put_right_within_the_hour_loses_nothing() {
    let (server, ana) = twenty_events();
    server.restart_after(hours(1), |clock| clock.set_ahead(days(100)), "");
    sweep_for(&server, 3599);
    server.clock.set_right();
    sweep_for(&server, 2 * 3600);
    sweep_for(&server, 2 * 3600);
    assert_eq!(
        (clock(&server).as_str(), server.events().len()),
        ("trusted", 20)
    );
    ana.get("/v1/user").gives(200);
}

#[test]
fn the_bounds_of_a_suspect_clock_are_settings() {
    let server = Server::with("clock.tolerance = \"10s\"\nclock.trusted_after = \"5m\"");
    server.clock.set_ahead(seconds(11));
    assert_eq!(clock(&server), "suspect");
    sweep_for(&server, 5 * 60);
    assert_eq!(clock(&server), "trusted");
    server.restart_after(days(2), |_| (), "clock.longest_off = \"1d\"");
    assert_eq!(clock(&server), "suspect");
}

#[test]
fn no_expired_token_comes_back_when_the_clock_goes_back() {
    let server = Server::start();
    let session = server.user("ana@example.org").session();
    let expired = |session: &Actor| session.get("/v1/user").fails(404, "SessionNotFound");
    server.pass(days(30));
    expired(&session);
    server.clock.set_back(days(1));
    expired(&session);
    server.restart();
    assert_eq!(clock(&server), "suspect");
    expired(&session);
    server.pass(hours(1));
    expired(&session);
    server.sweep();
    assert_eq!(clock(&server), "trusted");
    expired(&session);
    server.restart();
    assert_eq!(clock(&server), "trusted");
    expired(&session);
}

/// The events between two moments, counted from the right time that the server began with.
fn between(server: &Server, from: Timestamp, to: Timestamp) -> Value {
    let (from, to) = (from.rfc3339(), to.rfc3339());
    let path = format!("/api/admin/events?order=asc&from={from}&to={to}");
    server.admin().get(&path).gives(200).json()["events"].clone()
}

#[test]
fn moments_ahead_of_the_corrected_clock_drag_no_new_ones_with_them() {
    let (server, ana) = twenty_events();
    server.clock.set_ahead(days(20));
    ana.report(&["ahead"]).gives(201);
    server.clock.set_right();
    let right = server.now();
    ana.report(&["right"]).gives(201);
    assert_eq!(server.events()[21].at, right);
    for _ in 0..2 {
        let found = between(&server, right, right.after(hours(1)));
        assert_eq!(found.as_array().unwrap().len(), 1);
        let hour = server.hourly_counts()[&(right.hour(), "right".to_owned())];
        assert_eq!(hour, 1);
        // They are merged like all others.
        server.pass(hours(3));
        server.sweep();
    }
    assert_eq!(names(&server)[20..], ["ahead", "right"]);
}

#[test]
fn retention_reaches_behind_events_dated_in_the_future() {
    let (server, ana) = twenty_events();
    server.clock.set_ahead(days(20));
    ana.report(&["ahead"]).gives(201);
    server.clock.set_right();
    ana.report(&["right"]).gives(201);
    server.pass(days(91));
    server.sweep();
    assert_eq!(names(&server), ["ahead"]);
}
