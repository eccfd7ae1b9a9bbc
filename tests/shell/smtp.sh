#!/usr/bin/env bash
# Reset mails by a real mail server: aiosmtpd, which asks for STARTTLS and a login. The mail arrives
# in a mailbox, and the code in it works. Then the server goes away and comes back: the mail waits.
#
#   tests/shell/smtp.sh target/release/doorward
#
# Installs aiosmtpd from PyPI into a directory of its own, which stays in ~/.cache/doorward.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

tools=${XDG_CACHE_HOME:-$HOME/.cache}/doorward/aiosmtpd
if ! "$tools/bin/python" -c 'import aiosmtpd' 2>tools.txt; then
  python3 -m venv "$tools" >>tools.txt 2>&1 &&
    "$tools/bin/pip" install --quiet 'aiosmtpd==1.4.6' >>tools.txt 2>&1 ||
    { echo "SKIPPED: aiosmtpd cannot be installed:"; cat tools.txt; exit 0; }
fi

openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout mail-key.pem -out mail-cert.pem \
  -subj /CN=localhost -addext subjectAltName=DNS:localhost \
  -addext basicConstraints=critical,CA:FALSE 2>openssl.txt
cat >server.py <<'PY'
import signal, ssl, sys
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Mailbox
from aiosmtpd.smtp import AuthResult

context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain("mail-cert.pem", "mail-key.pem")

def login(server, session, envelope, mechanism, data):
    right = (data.login, data.password) == (b"doorward", b"the password of that mailbox")
    return AuthResult(success=right)

controller = Controller(
    Mailbox("mailbox"), hostname="127.0.0.1", port=int(sys.argv[1]), tls_context=context,
    require_starttls=True, auth_required=True, authenticator=login)
controller.start()
print("ready", flush=True)
signal.pause()
PY
mail_port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
mail=
trap 'kill -9 $server $mail 2>/dev/null || true; rm -rf "$work"' EXIT

# Starts the mail server and waits until it listens.
start_mail() {
  "$tools/bin/python" server.py "$mail_port" >mail.txt 2>&1 &
  mail=$!
  for _ in $(seq 200); do
    grep -q ready mail.txt && return
    sleep 0.05
  done
  echo "the mail server does not start:"
  cat mail.txt
  exit 1
}

# Prints the file of the mail with this number, once it has arrived.
mail_number() {
  for _ in $(seq 1200); do
    [ "$(find mailbox/new -type f 2>/dev/null | wc -l)" -ge "$1" ] && break
    sleep 0.05
  done
  find mailbox/new -type f -printf '%T@ %p\n' | sort -n | sed -n "$1s/.* //p" | grep . ||
    { echo "mail $1 has not arrived:" >&2; cat log.txt >&2; exit 1; }
}

cat >mail.toml <<TOML
[mail]
transport = "smtp"
host = "localhost"
port = $mail_port
security = "starttls"
username = "doorward"
password = "the password of that mailbox"
ca_file = "mail-cert.pem"
from = "doorward <doorward@example.org>"
TOML
printf '[server]\nlisten = "127.0.0.1:%s"\n' "$port" | cat - mail.toml >config.toml
chmod 600 config.toml
"$binary" check-config --config config.toml

start_mail
"$binary" mail test ana@example.org --config config.toml >trial.txt
grep -q '^message: 250' trial.txt || { echo "mail test says:"; cat trial.txt; exit 1; }
grep -q 'can send mail' "$(mail_number 1)"

start
expect 201 POST /v1/user -H "$json" -d '{"name":"Ana","email":"ana@example.org","password":"correct battery"}'
expect 201 POST /api/password -H "$json" -d '{"email":"ana@example.org"}'
code=$(python3 -c 'import email, re, sys
message = email.message_from_binary_file(open(sys.argv[1], "rb"))
text = next(it for it in message.walk() if it.get_content_type() == "text/plain")
print(re.search(r"token=([\w-]+)", text.get_payload(decode=True).decode()).group(1))' "$(mail_number 2)")
expect 200 PATCH /api/password -H "$json" \
  -d "{\"token\":\"$code\",\"password\":\"another battery\",\"password_confirmation\":\"another battery\"}"
# The report of the changed password.
mail_number 3 >third.txt

kill "$mail"
wait "$mail" 2>/dev/null || true
expect 201 POST /api/password -H "$json" -d '{"email":"ana@example.org"}'
for _ in $(seq 200); do
  grep -q 'cannot send a mail, will retry' log.txt && break
  sleep 0.05
done
grep -q 'cannot send a mail, will retry' log.txt || { echo "the log says:"; cat log.txt; exit 1; }
start_mail
# The first wait is 30 s.
mail_number 4 >fourth.txt
stop TERM
grep -F "$code" log.txt out.txt && { echo "a code is in the log"; exit 1; }
echo "smtp: fine"
