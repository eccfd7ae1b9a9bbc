//! Text has one form: addresses and passwords are the same however they are typed.

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use doorward::crypto;
use doorward::model::{
    AuditContext, Client, Email, Name, NewToken, NewUser, Principal, Token, TokenId, TokenKind,
    UserId,
};
use serde_json::json;

use crate::harness::{Answer, PASSWORD, Server};

/// One password, as different keyboards type it: composed, decomposed, with another blank.
const TYPED: [&str; 3] = [
    "caf\u{e9} au lait",
    "cafe\u{301} au lait",
    "caf\u{e9}\u{a0}au\u{3000}lait",
];
/// A password that looks alike and is another one: the ligature is no composed letter.
const ANOTHER: &str = "ca\u{fb01} au lait";
const LIGATURE_APART: &str = "cafi au lait";

fn sign_up(server: &Server, email: &str, password: &str) -> Answer {
    let body = json!({"name": "Ana", "email": email, "password": password});
    server.anyone().post("/v1/user", body)
}

/// The hash that an earlier version made: of the password as it was typed.
fn hash_as_typed(password: &str) -> String {
    let (salt, mut hash) = ([7; 16], [0; 32]);
    let params = Params::new(1024, 1, 1, Some(32)).unwrap();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(password.as_bytes(), &salt, &mut hash)
        .unwrap();
    let (salt, hash) = (BASE64.encode(salt), BASE64.encode(hash));
    format!("$argon2id$v=19$m=1024,t=1,p=1${salt}${hash}")
}

#[test]
fn a_password_is_one_text_however_it_is_typed() {
    let server = Server::start();
    for (number, first) in TYPED.into_iter().enumerate() {
        let email = format!("ana{number}@example.org");
        let id = sign_up(&server, &email, first)
            .gives(201)
            .string("/user_id");
        for typed in TYPED {
            server.anyone().log_in(&email, typed).gives(201);
            let core = json!({"email": email, "password": typed});
            server.anyone().post("/api/auth", core).gives(200);
            let angen = json!({"id": id, "password": typed, "user_agent": ""});
            server.anyone().post("/api/request_token", angen).gives(201);
        }
        server.anyone().log_in(&email, ANOTHER).gives(401);
    }
    sign_up(&server, "ben@example.org", ANOTHER).gives(201);
    server
        .anyone()
        .log_in("ben@example.org", LIGATURE_APART)
        .gives(401);
}

#[test]
fn a_changed_password_is_one_text_too() {
    let server = Server::start();
    let session = sign_up(&server, "ana@example.org", TYPED[0]).gives(201);
    let own = server.anyone().with_token(&session.string("/id"));
    let change = json!({"current_password": TYPED[1], "password": "th\u{e9} au lait"});
    own.patch("/v1/user/password", change).gives(204);
    server
        .anyone()
        .log_in("ana@example.org", "the\u{301} au lait")
        .gives(201);
    server.anyone().ask_reset("ana@example.org");
    let code = server.deliver_mails().remove(0).code();
    let body = json!({"token": code, "password": TYPED[0], "password_confirmation": TYPED[1]});
    server.anyone().patch("/api/password", body).gives(200);
    server
        .anyone()
        .log_in("ana@example.org", TYPED[2])
        .gives(201);
}

#[test]
fn a_password_counts_as_long_as_its_form_at_signup_and_login() {
    let server = Server::start();
    let syllables = |count| "\u{1112}\u{1161}\u{11ab}".repeat(count);
    // Seven syllables in 21 characters.
    sign_up(&server, "ana@example.org", &syllables(7)).names(400, "password: is too short");
    // 255 syllables: 765 bytes in the form that counts, 2295 as typed.
    let long = format!("{}a", syllables(254));
    sign_up(&server, "ana@example.org", &long).gives(201);
    server.anyone().log_in("ana@example.org", &long).gives(201);
}

#[test]
fn a_hash_of_the_password_as_typed_still_opens_and_is_replaced() {
    let server = Server::start();
    let session = sign_up(&server, "ana@example.org", PASSWORD).gives(201);
    let id = UserId::parse(&session.string("/user_id")).unwrap();
    let hash = || {
        let store = server.store();
        let user = server.run(async move { store.find_user(id).await });
        user.unwrap().unwrap().password_hash.clone()
    };
    let (old, made) = (hash(), hash_as_typed(TYPED[1]));
    let (store, new) = (server.store(), made.clone());
    server
        .run(async move { store.rehash_password(id, old, new).await })
        .unwrap();
    // Only who types it in the same way can know it.
    server
        .anyone()
        .log_in("ana@example.org", TYPED[0])
        .gives(401);
    assert_eq!(hash(), made);
    server
        .anyone()
        .log_in("ana@example.org", TYPED[1])
        .gives(201);
    assert_ne!(hash(), made);
    for typed in TYPED {
        server.anyone().log_in("ana@example.org", typed).gives(201);
    }
}

#[test]
fn configured_passwords_are_one_text_too() {
    let clear = format!(
        "admin.password = '{}'\nhub.passwords = ['the other one', '{}']",
        TYPED[1], TYPED[2]
    );
    let (composed, decomposed) = (hash_as_typed(TYPED[0]), hash_as_typed(TYPED[1]));
    let hashed = format!(
        "# admin.password\nadmin.password_hash = {composed:?}\nhub.passwords = [{decomposed:?}]"
    );
    for (settings, admin, hub) in [
        (clear, TYPED, TYPED),
        // A hash of the password as typed, by an earlier version, opens for whoever types it so.
        (hashed, TYPED, [TYPED[1]; 3]),
    ] {
        let server = Server::with(&settings);
        for (admin, hub) in admin.into_iter().zip(hub) {
            let login = json!({"username": "admin", "password": admin});
            server.anyone().post("/api/token", login).gives(200);
            server
                .anyone()
                .post("/login", json!({"password": hub}))
                .gives(200);
        }
        server
            .anyone()
            .post("/login", json!({"password": ANOTHER}))
            .gives(401);
    }
}

#[test]
fn an_address_has_one_account_however_it_is_typed() {
    let server = Server::start();
    for spellings in [
        &[
            "ana@m\u{fc}nchen.example",
            "ana@mu\u{308}nchen.example",
            "ANA@M\u{dc}NCHEN.example",
            "ana@xn--mnchen-3ya.example",
        ][..],
        &[
            "e\u{301}@example.org",
            "\u{e9}@example.org",
            "\u{e9}@EXAMPLE.org",
        ],
        &["a@हिन्दी.भारत", "a@xn--j2bd4cyah0f.xn--h2brj9c"],
    ] {
        let session = sign_up(&server, spellings[0], PASSWORD)
            .gives(201)
            .string("/id");
        let own = server
            .anyone()
            .with_token(&session)
            .get("/v1/user")
            .gives(200);
        assert_eq!(own.string("/email"), spellings[0]);
        for spelling in spellings {
            sign_up(&server, spelling, PASSWORD).fails(409, "EmailAlreadyInUse");
            server.anyone().log_in(spelling, PASSWORD).gives(201);
            server.anyone().ask_reset(spelling);
            let mails = server.deliver_mails();
            assert_eq!(mails.len(), 1, "{spelling}");
        }
    }
}

#[test]
fn look_alike_addresses_have_accounts_of_their_own() {
    let server = Server::start();
    for address in [
        "fi4@example.org",
        "\u{fb01}4@example.org",
        "fi\u{ff14}@example.org",
    ] {
        sign_up(&server, address, PASSWORD).gives(201);
    }
}

/// Addresses that earlier versions took, and to which no mail can be sent.
fn unreachable() -> [String; 4] {
    [
        format!("{}@example.org", "a".repeat(65)),
        "ana@xn--zz.example".into(),
        "ana@x\u{661}y.example".into(),
        "\u{1f600}@example.org".into(),
    ]
}

#[test]
fn no_account_gets_an_address_to_which_no_mail_can_be_sent() {
    let server = Server::start();
    let session = server.user("ana@example.org").session();
    for address in unreachable() {
        sign_up(&server, &address, PASSWORD)
            .fails(400, "BadRequest")
            .names(400, "email");
        let profile = json!({"name": "Ana", "email": address});
        session
            .patch("/v1/user", profile)
            .fails(400, "BadRequest")
            .names(400, "email");
    }
}

/// Stores an account as an earlier version would have.
fn store_account(server: &Server, number: u8, address: &str) {
    let id = UserId::from_random([number; 16]);
    let user = NewUser {
        id,
        email: Email::parse(address).unwrap(),
        name: Name::parse("Ana").unwrap(),
        password_hash: hash_as_typed(PASSWORD),
        invite: None,
    };
    let token = Token {
        id: TokenId::from_random([number; 16]),
        family: TokenId::from_random([number; 16]),
        kind: TokenKind::Session,
        holder: Principal::User(id),
        epoch: 0,
        issued_at: server.now(),
        expires_at: server.now(),
        refreshable_until: server.now(),
        last_used_at: server.now(),
        client: Client::new([127, 0, 0, 1].into(), None),
        renewal: None,
        retired: None,
        grant: None,
    };
    let digest = crypto::digest(&[number]);
    let (store, now) = (server.store(), server.now());
    let session = NewToken { digest, token };
    server
        .run(async move {
            store
                .create_user(user, Some(session), AuditContext::server(now))
                .await
        })
        .unwrap();
}

#[test]
fn an_account_with_such_an_address_logs_in_and_changes_and_its_mails_charge_nothing() {
    let server = Server::with("limits.rates = true\nlimits.all_reset_mails = \"1, then 1 per 1h\"");
    server.user("ben@example.org");
    for (number, address) in (1..).zip(unreachable()) {
        store_account(&server, number, &address);
        let session = server
            .anyone()
            .log_in(&address, PASSWORD)
            .gives(201)
            .string("/id");
        let own = server.anyone().with_token(&session);
        let profile = json!({"name": "Anna", "email": address});
        own.patch("/v1/user", profile).gives(204);
        server.anyone().ask_reset(&address);
        assert_eq!(server.deliver_mails().len(), 0);
    }
    server.anyone().ask_reset("ben@example.org");
    assert_eq!(server.deliver_mails().len(), 1);
}
