//! Computes the OpenAPI 3.1 document of a list of APIs from their tables of routes. It knows no
//! particular API.

mod failure;
mod header;
mod operation;
mod schema;
mod vocabulary;

use serde_json::{Map, Value, json};

use super::Api;

/// The document for these APIs. An operation is named after its route; under a further mount, also
/// after the mount.
pub fn document(apis: &[&Api]) -> Value {
    let mut paths = Map::new();
    let mut tags: Vec<&str> = Vec::new();
    for &api in apis {
        if !tags.contains(&api.name) {
            tags.push(api.name);
        }
        for (index, mount) in api.mounts.iter().enumerate() {
            for route in api.routes {
                let operation = operation::of(api, route, mount, index > 0);
                let path = paths
                    .entry(format!("{mount}{}", route.path))
                    .or_insert_with(|| json!({}));
                if let Value::Object(path) = path {
                    path.insert(route.method.as_str().to_ascii_lowercase(), operation);
                }
            }
        }
    }
    let tags: Vec<Value> = tags.iter().map(|name| json!({ "name": name })).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "doorward",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Users, tokens with expiry, reset codes and events. Each API has its own \
                            format of errors. A token is accepted in each of three headers.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "tags": tags,
        "paths": paths,
        "components": {
            "headers": header::components(),
            "responses": failure::responses(apis),
            "schemas": failure::schemas(apis),
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer" },
                "x_token": { "type": "apiKey", "in": "header", "name": "X-Token" },
                "token": { "type": "apiKey", "in": "header", "name": "token" },
            },
        },
    })
}
