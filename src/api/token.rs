//! Token API: the administrator's login. Its errors are plain text.

use crate::http::{
    Api, Call, Code, Failure, Gives, Handler, Reply, Route, Shape, Takes, Verb, Worded, answer,
    body,
};
use crate::model::{Secret, Timestamp};

/// The API.
pub static API: Api = Api {
    name: "token",
    mounts: &[""],
    routes: ROUTES,
    dialect: word,
};

const ROUTES: &[Route] = &[
    Route {
        name: "create_token",
        verb: Verb::Post,
        path: "/api/token",
        takes: Takes::Json(Credentials::FIELDS),
        gives: &[Gives::json(200, Created::FIELDS, "The token and its end.").secret()],
        fails: &[Code::BadCredentials],
        run: Handler::Open(|call| Box::pin(create(call))),
        about: "Logs the administrator in.",
    },
    Route {
        name: "validate_token",
        verb: Verb::Get,
        path: "/api/token",
        takes: Takes::Nothing,
        gives: &[Gives::json(
            200,
            Validity::FIELDS,
            "Whether the token is good.",
        )],
        fails: &[Code::BadRequest],
        run: Handler::Open(|call| Box::pin(validate(call))),
        about: "Says whether the administrator's token in the query is good.",
    },
    Route {
        name: "delete_token",
        verb: Verb::Delete,
        path: "/api/token",
        takes: Takes::Anything,
        gives: &[Gives::new(
            200,
            Shape::Empty,
            "The token is dead, if it ever was one.",
        )],
        fails: &[],
        run: Handler::Open(|call| Box::pin(delete(call))),
        about: "Ends the token in the body or, failing that, in the header. Always succeeds.",
    },
];

body! {
    /// `POST /api/token`
    struct Credentials {
        username: String,
        password: Secret,
    }
}

answer! {
    /// What a login answers; `expiry_time` is in seconds since the epoch.
    struct Created<'a> {
        token: &'a str,
        expiry_time: i64,
    }
}

answer! {
    /// What a check answers; `expiry_time` is null unless the token is good.
    struct Validity {
        valid: bool,
        expiry_time: Option<i64>,
    }
}

body! {
    /// `DELETE /api/token`
    struct Ended {
        token: Secret,
    }
}

fn word(failure: &Failure) -> Worded {
    let text = match failure.code() {
        Code::BadCredentials => "invalid credentials".to_owned(),
        _ => failure.why().to_owned(),
    };
    Worded::text(failure.status(), text)
}

async fn create(call: Call) -> Result<Reply, Failure> {
    let asked: Credentials = call.json()?;
    let issued = call
        .services
        .log_in_admin(&asked.username, &asked.password, call.client(), call.now)
        .await?;
    let expiry_time = issued.token.expires_at.seconds();
    Ok(Reply::json(
        200,
        &Created {
            token: issued.secret.reveal(),
            expiry_time,
        },
    ))
}

async fn validate(call: Call) -> Result<Reply, Failure> {
    let token = call.query("token").filter(|token| !token.is_empty());
    let token = token.ok_or_else(|| Failure::bad_request("token: is missing in the query"))?;
    let end = call.services.admin_token_expiry(&token, call.now).await?;
    let expiry_time = end.map(Timestamp::seconds);
    Ok(Reply::json(
        200,
        &Validity {
            valid: end.is_some(),
            expiry_time,
        },
    ))
}

async fn delete(call: Call) -> Result<Reply, Failure> {
    let in_body = call.json_forgiving::<Ended>().ok().map(|ended| ended.token);
    let in_header = || {
        call.token()
            .ok()
            .flatten()
            .map(|token| Secret::new(token.reveal()))
    };
    if let Some(token) = in_body.or_else(in_header) {
        call.services.log_out(&token).await?;
    }
    Ok(Reply::empty(200))
}
