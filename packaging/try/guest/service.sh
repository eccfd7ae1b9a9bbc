# On the machine for the service: what systemd does with it.
. /try/lib.sh

# drop_in UNIT LINE...: changes a unit as its owner does.
drop_in() {
  local unit=$1
  shift
  mkdir -p "/etc/systemd/system/$unit.d"
  printf '%s\n' "$@" >"/etc/systemd/system/$unit.d/try.conf"
  systemctl daemon-reload
}
# A new process serves.
restarted() { [ "$(property MainPID)" != "$1" ] && [ "$(property MainPID)" != 0 ] && answers; }
is() { [ "$(property "$1")" = "$2" ]; }

# A version before is there, with an account and an edited configuration.
dpkg --install /try/older.deb >/tmp/dpkg.txt 2>&1 || fail "dpkg: $(cat /tmp/dpkg.txt)"
until_true 60 answers
request 201 POST /v1/user -H "$json" -d "{\"name\":\"Ana\",$ana}"
sed -i 's/^\[server\]/[server]\nname = "before"/' /etc/doorward/config.toml
old=$(property MainPID)
installed
[ "$(property MainPID)" != "$old" ] || fail "the upgrade did not restart the service"
request 201 POST /v1/auth -H "$json" -d "{$ana}"
grep -q '^name = "before"' /etc/doorward/config.toml || fail "the upgrade replaced the configuration"
say "upgraded: restarted, account and configuration kept"
exposure 1.1

sed -i 's/^name = "before"/name = "after"/' /etc/doorward/config.toml
pid=$(property MainPID)
systemctl reload doorward.service
until_true 30 logged 'the configuration was reloaded'
is MainPID "$pid" || fail "a reload started another process"
until_true 30 sh -c "curl --silent $base/ | grep -q '\"after\"'"
say "reload: $(logged 'the configuration was reloaded')"

drop_in doorward.service '[Service]' WatchdogSec=3s RestartSec=100ms
systemctl restart doorward.service
pid=$(property MainPID)
kill -STOP "$pid"
until_true 60 restarted "$pid"
is NRestarts 1 || fail "$(property NRestarts) restarts by the watchdog"
say "watchdog: $(logged 'Watchdog timeout')"

pid=$(property MainPID)
kill -KILL "$pid"
until_true 60 restarted "$pid"
request 201 POST /v1/auth -H "$json" -d "{$ana}"
say "killed: restarted, account kept"

# A mistake ends the start at once, for good, with a line that says it.
cp /etc/doorward/config.toml /root/config.toml
echo 'nonsense = 1' >>/etc/doorward/config.toml
systemctl reload doorward.service
until_true 30 logged mail.nonsense
answers || fail "a broken file ended the service at a reload"
if systemctl restart doorward.service 2>/dev/null; then fail "started with a broken configuration"; fi
is ActiveState failed && is ExecMainStatus 2 && is NRestarts 0 ||
  fail "a broken configuration: $(property ActiveState), status $(property ExecMainStatus), $(property NRestarts) restarts"
line=$({ systemctl status --no-pager --full doorward.service || true; } | grep nonsense) ||
  fail "systemctl status does not say what is wrong"
say "broken configuration: status 2, not restarted; systemctl status: ${line#*: }"
cp /root/config.toml /etc/doorward/config.toml
systemctl reset-failed doorward.service

# The socket on port 80; connections that arrive during restarts wait.
systemctl enable --now --quiet doorward.socket
systemctl start doorward.service
base=http://127.0.0.1
until_true 30 answers
request 201 POST /v1/auth -H "$json" -d "{$ana}"
say "socket: port 80 is served ($(systemctl show --value --property=Listen doorward.socket | xargs))"
: >/tmp/loaded
for client in 1 2 3 4; do
  while [ ! -e /tmp/enough ]; do
    curl --silent --max-time 60 --output /dev/null --write-out '%{http_code}\n' "$base/" ||
      echo "curl: $?"
  done >"/tmp/loaded.$client" &
done
for round in 1 2 3 4 5; do systemctl restart doorward.service; done
touch /tmp/enough
wait $(jobs -p)
sort /tmp/loaded.? | uniq -c >/tmp/load
[ "$(awk '$2 != "200"' /tmp/load | wc -l)" = 0 ] || fail "five restarts under load: $(xargs </tmp/load)"
say "five restarts under load: $(cat /tmp/loaded.? | wc -l) connections, all answered, none refused"

dpkg --remove doorward >/tmp/dpkg.txt 2>&1 || fail "dpkg: $(cat /tmp/dpkg.txt)"
if answers; then fail "served after its removal"; fi
[ -d /var/lib/private/doorward ] && [ -e /etc/doorward/config.toml ] || fail "a removal took data"
dpkg --purge doorward >/tmp/dpkg.txt 2>&1 || fail "dpkg: $(cat /tmp/dpkg.txt)"
left=$(find / -xdev -path /root -prune -o -path '*doorward*' -not -path '/etc/systemd/system/doorward.service.d*' -print | head)
[ -z "$left" ] || fail "a purge left $left"
say "removed and purged: nothing is left"
result=fine
