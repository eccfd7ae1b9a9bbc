//! Accounts in the admin API.

use serde::Serialize;

use super::query;
use super::table::table;
use crate::http::{
    Api, BodySchema, Error, ErrorCode, Field, Handler, JsonKind, Method, QueryString, Reply,
    RequestBody, RequestContext, RequestQuery, ResponseSpec, Route, json_request, json_response,
};
use crate::model::{
    Email, Invalid, Name, Order, Scope, Secret, Timestamp, User, UserEdit, UserId, UserNumber,
    UserPlace, UserQuery, UserSort,
};
use crate::service::Administrator;

/// The table of routes.
pub(super) static API: Api = table(&[LIST, ADD, SHOW, EDIT, DELETE, DISABLE, ENABLE]);

const PAGE: &[Field] = &[
    Field::list("users", Account::FIELDS),
    Field::optional("next", JsonKind::Text),
];

const NOT_FOUND: &[ErrorCode] = &[ErrorCode::UnknownId];
const EDITED: &[ErrorCode] = &[
    ErrorCode::UnknownId,
    ErrorCode::EmailTaken,
    ErrorCode::Outdated,
];

const LIST: Route = Route {
    name: "list_users",
    method: Method::Get,
    path: "/users",
    query: RequestQuery::Closed(&["q", "disabled", "sort", "order", "limit", "cursor"]),
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::new(
        200,
        BodySchema::Json(PAGE),
        "A page of accounts.",
    )],
    errors: &[],
    run: Handler::AdminOr(Scope::UsersRead, |request, _| Box::pin(list(request))),
    about: "Lists accounts by signup, address or name, or those whose address or name begins with q.",
};

const ADD: Route = Route {
    name: "add_user",
    method: Method::Post,
    path: "/users",
    query: RequestQuery::Closed(&[]),
    body: RequestBody::Json(NewAccount::FIELDS),
    responses: &[ResponseSpec::json(201, Account::FIELDS, "The new account.").versioned()],
    errors: &[ErrorCode::EmailTaken],
    run: Handler::Admin(|request, admin| Box::pin(add(request, admin))),
    about: "Creates an account. Without a password it can be used after a reset.",
};

const SHOW: Route = Route {
    name: "show_user",
    method: Method::Get,
    path: "/users/{id}",
    query: RequestQuery::Closed(&[]),
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::json(200, Shown::FIELDS, "The account.").versioned()],
    errors: NOT_FOUND,
    run: Handler::AdminOr(Scope::UsersRead, |request, _| Box::pin(show(request))),
    about: "Shows an account, with its ETag and the use of its tokens.",
};

const EDIT: Route = Route {
    name: "edit_user",
    method: Method::Patch,
    path: "/users/{id}",
    query: RequestQuery::Closed(&[]),
    body: RequestBody::Json(Change::FIELDS),
    responses: &[ResponseSpec::json(200, Account::FIELDS, "The account as it is now.").versioned()],
    errors: EDITED,
    run: Handler::Admin(|request, admin| Box::pin(edit(request, admin))),
    about: "Changes name, address or state of an account, if it still has the ETag in If-Match.",
};

const DELETE: Route = Route {
    name: "delete_user_of_id",
    method: Method::Delete,
    path: "/users/{id}",
    query: RequestQuery::Closed(&[]),
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::empty(
        204,
        "The account and its tokens are gone.",
    )],
    errors: &[ErrorCode::UnknownId, ErrorCode::Outdated],
    run: Handler::Admin(|request, admin| Box::pin(delete(request, admin))),
    about: "Deletes an account, if it still has the ETag in If-Match.",
};

const DISABLE: Route = Route {
    name: "disable_user",
    path: "/users/{id}/disable",
    run: Handler::Admin(|request, admin| Box::pin(set_disabled(request, admin, true))),
    about: "Disables an account, which ends its tokens.",
    ..ENABLE
};

const ENABLE: Route = Route {
    name: "enable_user",
    method: Method::Post,
    path: "/users/{id}/enable",
    query: RequestQuery::Closed(&[]),
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::json(200, Account::FIELDS, "The account as it is now.").versioned()],
    errors: &[ErrorCode::UnknownId, ErrorCode::Outdated],
    run: Handler::Admin(|request, admin| Box::pin(set_disabled(request, admin, false))),
    about: "Enables an account again.",
};

json_request! {
    /// `POST /users`
    struct NewAccount {
        name: String,
        email: String,
        password: Option<Secret>,
    }
}

json_request! {
    /// `PATCH /users/{id}`
    struct Change {
        name: Option<String>,
        email: Option<String>,
        disabled: Option<bool>,
        notify: Option<bool>,
    }
}

json_response! {
    /// An account.
    struct Account {
        id: UserId,
        email: String,
        name: String,
        disabled: bool,
        created_at: String,
        updated_at: String,
    }
}

json_response! {
    /// An account with the use of its tokens.
    struct Shown {
        id: UserId,
        email: String,
        name: String,
        disabled: bool,
        created_at: String,
        updated_at: String,
        live_tokens: usize,
        last_used_at: Option<String>,
    }
}

#[derive(Serialize)]
struct Page {
    users: Vec<Account>,
    next: Option<String>,
}

fn account(user: &User) -> Account {
    Account {
        id: user.id,
        email: user.email.shown().to_owned(),
        name: user.name.as_str().to_owned(),
        disabled: user.disabled,
        created_at: user.created_at.rfc3339_millis(),
        updated_at: user.updated_at.rfc3339_millis(),
    }
}

/// An account as an answer, with its version.
fn reply(status: u16, user: &User) -> Reply {
    Reply::json(status, &account(user)).version(user.version())
}

async fn list(request: RequestContext) -> Result<Reply, Error> {
    let asked = &request.query;
    let query = UserQuery {
        prefix: asked.get("q").map(str::to_owned),
        disabled: query::flag(asked, "disabled")?,
        sort: sort(asked)?,
        order: query::order(asked, Order::Ascending)?,
        after: cursor(asked)?,
        limit: query::limit(asked)?,
    };
    let page = request.services.list_users(query).await?;
    let page = Page {
        users: page.users.iter().map(account).collect(),
        next: page.next.map(|place| place_text(&place)),
    };
    Ok(Reply::json(200, &page))
}

fn sort(asked: &QueryString) -> Result<UserSort, Invalid> {
    let refused = |why| Err(Invalid::new("sort", why));
    match asked.get("sort") {
        Some(_) if asked.get("q").is_some() => refused("cannot be combined with q"),
        None | Some("created") => Ok(UserSort::Created),
        Some("email") => Ok(UserSort::Email),
        Some("name") => Ok(UserSort::Name),
        Some(_) => refused("must be created, email or name"),
    }
}

fn place_text(place: &UserPlace) -> String {
    let place = match place {
        UserPlace::Number(number) => format!("n{}", number.0),
        UserPlace::Email(key) => format!("e{key}"),
        UserPlace::Name(text, user) => format!("w{user}{text}"),
    };
    query::cursor_text(place.as_bytes())
}

/// The place that `cursor` names, which must be of the list that is asked for.
fn cursor(asked: &QueryString) -> Result<Option<UserPlace>, Invalid> {
    let (has_prefix, sort) = (asked.get("q").is_some(), sort(asked)?);
    let is_by = |of| has_prefix || sort == of;
    query::place(asked, |text| match text.split_at_checked(1) {
        Some(("n", number)) if !has_prefix && sort == UserSort::Created => {
            number.parse().ok().map(UserNumber).map(UserPlace::Number)
        }
        Some(("e", key)) if is_by(UserSort::Email) => Some(UserPlace::Email(key.to_owned())),
        Some(("w", rest)) if is_by(UserSort::Name) => {
            let parts = rest.split_at_checked(36);
            parts.and_then(|(user, text)| {
                Some(UserPlace::Name(text.to_owned(), UserId::parse(user)?))
            })
        }
        _ => None,
    })
}

async fn add(request: RequestContext, admin: Administrator) -> Result<Reply, Error> {
    let asked: NewAccount = request.json()?;
    let (name, email) = (Name::parse(&asked.name)?, Email::parse(&asked.email)?);
    let by = request.by(&admin);
    let password = asked.password.as_ref();
    let user = request.services.add_user(name, email, password, by).await?;
    Ok(reply(201, &user))
}

async fn show(request: RequestContext) -> Result<Reply, Error> {
    let user = request.services.user(request.id(UserId::parse)?).await?;
    let tokens = request.services.token_use(user.id, request.now).await?;
    let Account {
        id,
        email,
        name,
        disabled,
        created_at,
        updated_at,
    } = account(&user);
    let shown = Shown {
        id,
        email,
        name,
        disabled,
        created_at,
        updated_at,
        live_tokens: tokens.live,
        last_used_at: tokens.last_used_at.map(Timestamp::rfc3339_millis),
    };
    Ok(Reply::json(200, &shown).version(user.version()))
}

async fn edit(request: RequestContext, admin: Administrator) -> Result<Reply, Error> {
    let asked: Change = request.json()?;
    let edit = UserEdit {
        name: asked.name.as_deref().map(Name::parse).transpose()?,
        email: asked.email.as_deref().map(Email::parse).transpose()?,
        disabled: asked.disabled,
    };
    apply(request, admin, edit, asked.notify.unwrap_or(true)).await
}

async fn set_disabled(
    request: RequestContext,
    admin: Administrator,
    disabled: bool,
) -> Result<Reply, Error> {
    let edit = UserEdit {
        disabled: Some(disabled),
        ..UserEdit::default()
    };
    apply(request, admin, edit, true).await
}

async fn apply(
    request: RequestContext,
    admin: Administrator,
    edit: UserEdit,
    notify: bool,
) -> Result<Reply, Error> {
    let (id, version) = (request.id(UserId::parse)?, request.if_match()?);
    let by = request.by(&admin);
    let services = &request.services;
    let user = services.edit_user(id, edit, version, notify, by).await?;
    Ok(reply(200, &user))
}

async fn delete(request: RequestContext, admin: Administrator) -> Result<Reply, Error> {
    let (id, version) = (request.id(UserId::parse)?, request.if_match()?);
    let by = request.by(&admin);
    request.services.remove_user(id, version, by).await?;
    Ok(Reply::empty(204))
}
