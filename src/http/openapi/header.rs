//! The headers of answers in the OpenAPI document.

use serde_json::{Value, json};

/// The headers, each described once.
pub(super) fn components() -> Value {
    let header = |about: &str, schema: Value| json!({ "description": about, "required": true, "schema": schema });
    json!({
        "X-Request-Id": header(
            "The id of the request, in the log and in the audit log.",
            json!({ "type": "string" }),
        ),
        "Retry-After": header(
            "Seconds until a repetition may succeed.",
            json!({ "type": "string", "pattern": "^[1-9][0-9]*$" }),
        ),
        "WWW-Authenticate": header("How to authenticate.", json!({ "const": "Bearer" })),
        "Cache-Control": header("The answer contains a secret.", json!({ "const": "no-store" })),
        "ETag": header(
            "The version of what is answered, for If-Match or If-None-Match.",
            json!({ "type": "string", "pattern": "^\"[!#-~]+\"$" }),
        ),
    })
}

/// References to these headers.
pub(super) fn references(names: &[&str]) -> Value {
    let reference = |name: &&str| {
        let to = format!("#/components/headers/{name}");
        ((*name).to_owned(), json!({ "$ref": to }))
    };
    Value::Object(names.iter().map(reference).collect())
}
