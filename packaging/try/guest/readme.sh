# On the machine for the README: its commands, with a mail server that is smtp.example.org, wants
# TLS and a login, and delivers to a mailbox on this machine.
. /try/lib.sh

# The mail server of step 3, and Ana's mailbox.
mail_server() {
  local keys=/etc/smtpd
  mkdir -p $keys
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=try \
    -keyout $keys/ca.key -out /usr/local/share/ca-certificates/try.crt \
    -addext basicConstraints=critical,CA:TRUE
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=smtp.example.org \
    -keyout $keys/key.pem -out $keys/request.pem
  openssl x509 -req -in $keys/request.pem -days 2 -CA /usr/local/share/ca-certificates/try.crt \
    -CAkey $keys/ca.key -CAcreateserial -out $keys/cert.pem \
    -extfile <(echo "subjectAltName=DNS:smtp.example.org")
  chmod 600 $keys/*.pem
  update-ca-certificates
  echo '127.0.0.1 smtp.example.org' >>/etc/hosts
  useradd --create-home ana
  printf 'doorward@example.org %s\n' "$(smtpctl encrypt 'the password of that mailbox')" >$keys/logins
  chmod 640 $keys/logins && chgrp opensmtpd $keys/logins
  cat >/etc/smtpd.conf <<'CONF'
pki here cert "/etc/smtpd/cert.pem"
pki here key "/etc/smtpd/key.pem"
table logins file:/etc/smtpd/logins
listen on lo port 587 tls-require pki here auth <logins> hostname smtp.example.org
action "deliver" maildir "~/Maildir"
match auth from any for domain "example.org" action "deliver"
CONF
  smtpd -n
  systemctl start opensmtpd.service
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
code=$(grep -rhos 'token=[A-Za-z0-9_-]*' /home/ana/Maildir/new | head -n 1)
say "a reset mail is in the mailbox: $(grep -rhs '^Subject:' /home/ana/Maildir/new | xargs)"
request 200 PATCH /api/password -H "$json" \
  -d "{\"token\":\"${code#token=}\",\"password\":\"a better battery\",\"password_confirmation\":\"a better battery\"}"
request 201 POST /v1/auth -H "$json" -d '{"email":"ana@example.org","password":"a better battery"}'
say "its code sets a new password, which logs in"
result=fine
