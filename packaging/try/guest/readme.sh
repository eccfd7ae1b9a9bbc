# On the machine for the README: its commands, with a mail server that is smtp.example.org, wants
# TLS and a login, and delivers to a mailbox on this machine.
. /try/lib.sh

# The mail server of step 3, and Ana's mailbox.
mail_server() {
  local keys=/etc/mail-server
  mkdir -p $keys
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=try \
    -keyout $keys/ca.key -out /usr/local/share/ca-certificates/try.crt \
    -addext basicConstraints=critical,CA:TRUE
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=smtp.example.org \
    -keyout $keys/key.pem -out $keys/request.pem
  openssl x509 -req -in $keys/request.pem -days 2 -CA /usr/local/share/ca-certificates/try.crt \
    -CAkey $keys/ca.key -CAcreateserial -out $keys/cert.pem \
    -extfile <(echo "subjectAltName=DNS:smtp.example.org")
  update-ca-certificates
  echo '127.0.0.1 smtp.example.org' >>/etc/hosts
  useradd --create-home ana
  cat >$keys/server.py <<'PY'
import signal, ssl
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Mailbox
from aiosmtpd.smtp import AuthResult

context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain("/etc/mail-server/cert.pem", "/etc/mail-server/key.pem")

def login(server, session, envelope, mechanism, data):
    right = (b"doorward@example.org", b"the password of that mailbox")
    return AuthResult(success=(data.login, data.password) == right)

Controller(
    Mailbox("/home/ana/Maildir"), hostname="127.0.0.1", port=587, tls_context=context,
    require_starttls=True, auth_required=True, authenticator=login).start()
signal.pause()
PY
  systemd-run --quiet --unit=mail-server python3 $keys/server.py
  until_true 30 bash -c 'exec 3<>/dev/tcp/127.0.0.1/587'
}

# replace_section: replaces a section of the configuration by standard input.
replace_section() {
  local new section file=/etc/doorward/config.toml
  new=$(cat)
  section=${new%%$'\n'*}
  awk -v section="$section" '
    /^\[/ { inside = $0 == section }
    !inside' $file >/tmp/config.toml
  printf '\n%s\n' "$new" >>/tmp/config.toml
  cat /tmp/config.toml >$file
}

mailed() { grep -rqs -- "$1" /home/ana/Maildir/new; }

mail_server >/tmp/mail.txt 2>&1 || fail "the mail server: $(tail -n 5 /tmp/mail.txt)"
mkdir /root/download && cd /root/download
cp /try/doorward_* .

# Each command of the README is printed as it runs; if one fails, lib.sh ends the machine.
set -v
. /try/steps.sh 2>&1
set +v

until_true 120 mailed 'token='
code=$(python3 -c 'import email, pathlib, re
for file in pathlib.Path("/home/ana/Maildir/new").iterdir():
    for part in email.message_from_bytes(file.read_bytes()).walk():
        found = re.search(rb"token=([\w-]+)", part.get_payload(decode=True) or b"")
        if found and part.get_content_type() == "text/plain":
            print(found.group(1).decode())')
say "a reset mail is in the mailbox: $(grep -rhs '^Subject:' /home/ana/Maildir/new | xargs)"
request 200 PATCH /api/password -H "$json" \
  -d "{\"token\":\"$code\",\"password\":\"a better battery\",\"password_confirmation\":\"a better battery\"}"
request 201 POST /v1/auth -H "$json" -d '{"email":"ana@example.org","password":"a better battery"}'
say "its code sets a new password, which logs in"
result=fine
