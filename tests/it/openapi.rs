//! The OpenAPI document, which is computed from the tables of routes, and the page that shows it.

use std::collections::BTreeSet;
use std::path::Path;

use doorward::http::{Api, openapi};
use doorward::{api, config};
use serde_json::{Value, json};

use crate::harness::{Request, Server};

/// The id of the examples.
const ID: &str = "0b0e2c9c-5f0e-4b8e-9d55-9d0f8a6d8f10";

fn apis() -> Vec<&'static Api> {
    let config = config::parse("", Path::new("")).unwrap();
    api::served(&config.apis)
}

/// Every value of a document, the document first.
fn values(document: &Value) -> Vec<&Value> {
    let mut all = vec![document];
    let mut next = 0;
    while let Some(&value) = all.get(next) {
        match value {
            Value::Object(object) => all.extend(object.values()),
            Value::Array(items) => all.extend(items),
            _ => {}
        }
        next += 1;
    }
    all
}

#[test]
fn every_route_is_an_operation_of_the_document_that_the_server_gives() {
    let server = Server::start();
    let answer = server.anyone().get("/openapi.json").gives(200).json();
    let document = oas3::from_json(answer.to_string()).unwrap();
    let paths = document.paths.unwrap();
    let mut ids = BTreeSet::new();
    for api in apis() {
        for (mount, route) in api
            .mounts
            .iter()
            .flat_map(|mount| api.routes.iter().map(move |route| (mount, route)))
        {
            let path = format!("{mount}{}", route.path);
            let method = route.method.as_str();
            let item = paths.get(&path).unwrap_or_else(|| panic!("no {path}"));
            let mut operations = item.methods().into_iter();
            let (_, operation) = operations
                .find(|(known, _)| known.as_str() == method)
                .unwrap_or_else(|| panic!("no {method} {path}"));
            assert_eq!(operation.summary.as_deref(), Some(route.about));
            let id = operation.operation_id.clone().unwrap();
            assert!(ids.insert(id.clone()), "{id} is there twice");
        }
    }
}

#[test]
fn every_reference_leads_to_a_part_of_the_document() {
    let document = openapi::document(&apis());
    let refs = values(&document)
        .into_iter()
        .filter_map(|it| it.get("$ref")?.as_str())
        .collect::<BTreeSet<_>>();
    assert!(refs.len() > 20, "{refs:?}");
    for reference in refs {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

#[test]
fn an_operation_says_who_may_call_it_and_how_it_answers() {
    let document = openapi::document(&apis());
    let edit = &document["paths"]["/api/admin/users/{id}"]["patch"];
    assert_eq!(edit["operationId"], "edit_user");
    assert_eq!(edit["security"].as_array().unwrap().len(), 3);
    let has_header = |it: &Value| it["name"] == "If-Match" && it["in"] == "header";
    assert!(
        edit["parameters"]
            .as_array()
            .unwrap()
            .iter()
            .any(has_header)
    );
    assert!(edit["responses"]["200"]["headers"]["ETag"].is_object());
    assert!(edit["responses"]["412"].is_object());

    let list = &document["paths"]["/api/admin/users"]["get"]["responses"]["200"];
    let page = &list["content"]["application/json"]["schema"]["properties"];
    let user = &page["users"]["items"]["properties"];
    assert_eq!(user["id"], json!({"type": "string", "format": "uuid"}));
    assert_eq!(page["next"], json!({"type": ["string", "null"]}));

    let login = &document["paths"]["/login"]["post"];
    assert_eq!(login["security"], json!([]));
    let refused = &document["components"]["responses"]["hub_401"];
    assert!(refused["headers"]["WWW-Authenticate"].is_object());
    let error = &document["components"]["schemas"]["hub_error"];
    assert_eq!(error["required"], json!(["message"]));
}

#[test]
fn an_answer_says_all_that_it_may_hold() {
    let document = openapi::document(&apis());
    let schemas = values(&document["paths"]);
    let is = |schema: &Value, kind: &str| {
        let kinds = &schema["type"];
        kinds == kind || kinds.as_array().is_some_and(|it| it.contains(&json!(kind)))
    };
    let mut open = BTreeSet::new();
    for schema in schemas {
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let is_open_list = is(field, "array") && field["items"].is_null();
            let is_open_object = is(field, "object")
                && field["properties"].is_null()
                && field["additionalProperties"].is_null();
            if is_open_list || is_open_object {
                open.insert(name.as_str());
            }
        }
    }
    // What reporters make up.
    assert_eq!(open, BTreeSet::from(["details"]));

    let answer = |path: &str| {
        let answer = &document["paths"][path]["get"]["responses"]["200"]["content"];
        answer["application/json"]["schema"]["properties"].clone()
    };
    let token = &answer("/api/admin/tokens")["tokens"]["items"]["properties"];
    assert_eq!(
        token["status"]["enum"],
        json!(["live", "expired", "revoked"])
    );
    let machine = &answer("/api/admin/machine-tokens")["machine_tokens"]["items"]["properties"];
    let scopes = machine["scopes"]["items"]["enum"].as_array().unwrap();
    assert!(scopes.contains(&json!("events:write")), "{scopes:?}");
    let entry = &answer("/api/admin/audit")["entries"]["items"]["properties"];
    assert!(entry["action"]["enum"].as_array().unwrap().len() > 20);
    let bucket = &answer("/api/admin/events/summary")["buckets"]["items"]["properties"];
    assert_eq!(
        bucket["names"]["additionalProperties"],
        json!({"type": "integer"})
    );
    let introspected = &document["paths"]["/api/admin/introspect"]["post"]["responses"]["200"];
    let kind = &introspected["content"]["application/json"]["schema"]["properties"]["kind"];
    let kinds = kind["enum"].as_array().unwrap();
    assert!(
        kinds.contains(&json!("session")) && kinds.contains(&json!(null)),
        "{kinds:?}"
    );
}

#[test]
fn the_example_of_a_request_is_one_that_the_server_accepts() {
    let document = openapi::document(&apis());
    let mut tried = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let other_ids = path.replace("/users/{id}", "").contains('{');
        if !path.starts_with("/api/admin/") || other_ids {
            continue;
        }
        for (method, operation) in item.as_object().unwrap() {
            let content = &operation["requestBody"]["content"]["application/json"];
            let Some(example) = content.get("example") else {
                continue;
            };
            let server = Server::start();
            let (admin, ben) = (server.admin(), server.user("ben@example.org"));
            let path = path.replace("{id}", &ben.id);
            let body = example.to_string().replace(ID, &ben.id);
            let body: Value = serde_json::from_str(&body).unwrap();
            let method = method.to_ascii_uppercase();
            let answer = admin.send(Request::new(&method, &path).body(body));
            let (status, text) = (answer.status(), answer.text());
            assert!(status < 300, "{method} {path} {example} → {status} {text}");
            tried += 1;
        }
    }
    assert!(tried >= 6, "{tried}");
}

#[test]
fn every_answer_with_an_entity_tag_declares_it() {
    let document = openapi::document(&apis());
    let paths = document["paths"].as_object().unwrap();
    let mut tagged = BTreeSet::new();
    for (path, item) in paths {
        for (method, operation) in item.as_object().unwrap() {
            for (status, answer) in operation["responses"].as_object().unwrap() {
                if answer["headers"]["ETag"].is_object() {
                    tagged.insert(format!("{method} {path} {status}"));
                }
            }
        }
    }
    for expected in [
        "post /api/admin/users 201",
        "get /api/admin/users/{id} 200",
        "patch /api/admin/users/{id} 200",
        "post /api/admin/users/{id}/disable 200",
        "post /api/admin/users/{id}/enable 200",
        "get /openapi.json 200",
        "get /openapi.json 304",
        "get /docs 200",
        "get /.well-known/jwks.json 200",
        "get /.well-known/jwks.json 304",
    ] {
        assert!(tagged.contains(expected), "{expected} is not in {tagged:?}");
    }
    let asks = &document["paths"]["/openapi.json"]["get"]["parameters"];
    let is_asked = |it: &Value| it["name"] == "If-None-Match";
    assert!(asks.as_array().unwrap().iter().any(is_asked));
}

#[test]
fn the_page_loads_nothing_from_elsewhere() {
    let server = Server::start();
    let mut bytes = 0;
    for path in ["/docs", "/docs/page.css", "/docs/page.js"] {
        let answer = server.anyone().get(path).gives(200);
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none';"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        let text = answer.text();
        for foreign in [
            "http:",
            "https:",
            "innerHTML",
            "style=",
            "onclick",
            "<script>",
        ] {
            assert!(!text.contains(foreign), "{path} has {foreign}");
        }
        bytes += text.len();
    }
    assert!(bytes < 20_000, "{bytes}");
}
