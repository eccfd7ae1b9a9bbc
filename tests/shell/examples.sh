#!/usr/bin/env bash
# Sends every example of the five APIs' documents with curl, as it is printed there, and compares
# the answer with the printed one.
# SHOW=1 prints the transcript.
#
#   tests/shell/examples.sh target/release/doorward
set -euo pipefail
. "$(dirname "$0")/lib.sh"

# The settings that the documents assume: passwords, name and description; mails go to files. One of
# the documents signs up with the password "password", which is a common one.
sed -i '/^\[admin\]/,/^\[hub\]/s/^# password = .*/password = "admin"/; s/^passwords = \[\]/passwords = ["USER_PASSWORD"]/;
        s/^name = .*/name = "Test Server"/; s/^# description = .*/description = "Example hub server showing basic functionality."/;
        s/^transport = .*/transport = "file"/
        s/^refuse_common_passwords = .*/refuse_common_passwords = false/' config.toml
start

echo "Ephemeride"
expect 200 GET /api/
holds name version
expect 201 POST /v1/user -H "$json" -d '{"name":"string","email":"user@email.com","password":"password"}'
holds id user_id created_at accessed_at ip_address user_agent
user=$(field user_id)
expect 409 POST /v1/user -H "$json" -d '{"name":"string","email":"user@email.com","password":"password"}'
says '{"code":"EmailAlreadyInUse","message":"Email already in use"}'
expect 400 POST /v1/user -H "$json" -d '{"name":"string","email":"string","password":"string"}'
[ "$(field code)" = BadRequest ]
expect 201 POST /v1/auth -H "$json" -d '{"email":"user@email.com","password":"password"}'
holds id user_id created_at accessed_at ip_address user_agent
session=$(field id)
expect 401 POST /v1/auth -H "$json" -d '{"email":"user@email.com","password":"string"}'
says '{"code":"InvalidPassword","message":"Invalid password"}'
expect 200 GET /v1/user -H "Authorization: Bearer $session"
holds id created_at name email invite
expect 404 GET /v1/user -H "Authorization: Bearer 1234-ffff-5678-aaaa"
says '{"code":"SessionNotFound","message":"Session not found"}'
expect 204 PATCH /v1/user -H "$json" -H "Authorization: Bearer $session" -d '{"name":"string","email":"user@email.com"}'
expect 200 GET /v1/auth/config
says '{"invite_required":false}'

echo "Core"
expect 200 POST /api/auth -H "$json" -d '{"email":"user@email.com","password":"password"}'
holds token
access=$(field token)
expect 401 POST /api/auth -H "$json" -d '{"email":"user@email.com","password":"wrong"}'
says '{"error":"Not authorized"}'
expect 401 POST /api/graphql -H "$json" -H "Authorization: <token>"
says '{"error":"Not authorized"}'
expect 501 POST /api/graphql -H "$json" -H "Authorization: $access"
expect 200 POST /api/auth/refresh -H "$json" -H "Authorization: $access"
holds token
access=$(field token)
expect 204 DELETE /api/auth -H "$json" -H "Authorization: $access"
expect 401 POST /api/graphql -H "$json" -H "Authorization: $access"
expect 201 POST /api/password -H "$json" -d '{"email":"nobody@email.com"}'
says ''
expect 201 POST /api/password -H "$json" -d '{"email":"user@email.com"}'
says ''
for _ in $(seq 100); do ls mail/*.eml >mails.txt 2>&1 && break; sleep 0.05; done
code=$(python3 -c 'import email, email.policy, glob, re
message = email.message_from_binary_file(open(glob.glob("mail/*.eml")[0], "rb"), policy=email.policy.default)
print(re.search(r"token=([\w-]+)", message.get_body(("plain",)).get_content())[1])')
expect 422 PATCH /api/password -H "$json" -d "{\"token\":\"$code\",\"password\":\"new_password\",\"password_confirmation\":\"other\"}"
says '{"errors":["Password confirmation doesn'"'"'t match Password"]}'
expect 401 PATCH /api/password -H "$json" -d '{"token":"<token>","password":"new_password","password_confirmation":"new_password"}'
expect 200 PATCH /api/password -H "$json" -d "{\"token\":\"$code\",\"password\":\"new_password\",\"password_confirmation\":\"new_password\"}"
says ''

echo "Angen"
expect 201 POST /v1/user -H "$json" -d '{"name":"Battery","email":"horse@email.com","password":"correct battery horse staple"}'
other=$(field user_id)
expect 201 POST /api/request_token -H "$json" \
  -d "{\"id\":\"$other\",\"password\":\"correct battery horse staple\",\"user_agent\":\"some client\"}"
holds result token
token=$(field token.identifier_code)
renewal=$(field token.renewal_code)
expect 201 POST /api/renew_token -H "$json" -H "token: $token" -d "{\"renewal_code\":\"$renewal\"}"
token=$(field token.identifier_code)
# The document prints Elixir's %{, and made-up user ids, which are replaced here.
expect 201 POST /api/events/simple_clientapp -H "$json" -H "token: $token" -d "{
  \"events\": [
    %{\"name\": \"event type 1\"},
    %{\"name\": \"event type 2\"},
    %{\"name\": \"event type 1\", \"user_id\": \"$user\"}
  ]
}"
says '{"result":"Event(s) created","count":3}'
expect 201 POST /api/events/complex_clientapp -H "$json" -H "token: $token" -d "{
  \"events\": [
    %{\"name\": \"event type 1\", \"details\": {\"count\": 12}},
    %{\"name\": \"event type 2\", \"details\": {\"count\": 14}},
    %{\"name\": \"event type 1\", \"user_id\": \"$user\", \"details\": {\"count\": 9}}
  ]
}"
says '{"result":"Event(s) created","count":3}'

echo "Token API"
expect 200 POST /api/token -H "$json" -d '{
    "username": "admin",
    "password": "admin"
}'
holds token expiry_time
token=$(field token)
[ ${#token} = 64 ]
expect 401 POST /api/token -H "$json" -d '{"username":"admin","password":"wrong"}'
says 'invalid credentials'
expect 200 GET "/api/token?token=$token"
[ "$(field valid)" = True ]
expect 200 DELETE /api/token -d "{
    \"token\": \"$token\",
}"
expect 200 GET "/api/token?token=$token"
says '{"valid":false,"expiry_time":null}'

echo "Hub"
expect 200 GET /
holds name description version
expect 200 POST /login -H "$json" -d '{ "password": "USER_PASSWORD" }'
holds token expires
token=$(field token)
expect 401 POST /login -H "$json" -d '{ "password": "OTHER_PASSWORD" }'
holds message
expect 200 GET /renew -H "Authorization: $token"
holds token expires
expect 401 GET /renew
holds message

echo "Ephemeride, once more: leaving"
expect 201 POST /v1/auth -H "$json" -d '{"email":"user@email.com","password":"new_password"}'
expect 204 DELETE /v1/user -H "Authorization: Bearer $(field id)"
stop TERM
echo "examples: fine"
