#!/usr/bin/env bash
# Has Prometheus itself judge the metrics, the alerts and the dashboard: promtool checks and runs
# the alert rules, and a Prometheus scrapes a server and answers every query of the dashboard.
#
#   tests/shell/metrics.sh target/release/doorward
set -euo pipefail
. "$(dirname "$0")/lib.sh"

packaging=$here/../../packaging

# The tools: those of the system or, on Debian, those of its package, which is unpacked and not
# installed.
find_tools() {
  if command -v prometheus promtool >tools.txt; then
    tools=$(dirname "$(head -n 1 tools.txt)")
    return
  fi
  mkdir package
  (cd package && apt-get download prometheus && dpkg-deb -x prometheus_*.deb .) >tools.txt 2>&1 &&
    tools=$work/package/usr/bin
}

if ! find_tools; then
  cat tools.txt
  echo
  echo "########################################################################"
  echo "## SKIPPED: Prometheus did NOT judge the metrics, the alerts and the  ##"
  echo "## dashboard: it is not installed, and Debian's package cannot be had ##"
  echo "## from here. Run this again where it can: tests/shell/metrics.sh     ##"
  echo "########################################################################"
  exit 0
fi

echo "The rules"
cp "$packaging"/prometheus/*.yml .
"$tools/promtool" check rules alerts.yml
"$tools/promtool" test rules alerts.test.yml

echo "The metrics"
free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
metrics=127.0.0.1:$(free_port)
sed -i "/^\[metrics\]/,\$s/^# listen = .*/listen = \"$metrics\"/" config.toml
start
expect 401 GET /metrics
expect 201 POST /v1/user -H "$json" -d '{"name":"ana","email":"ana@example.org","password":"a good password"}'
curl --silent --fail "http://$metrics/metrics" >metrics.txt
"$tools/promtool" check metrics <metrics.txt
grep -q '^doorward_http_requests_total{api="ephemeride",route="sign_up",method="POST",status="201"} 1$' metrics.txt

echo "A Prometheus, with and without a token"
"$binary" machine-token make prometheus --scope metrics:read --config config.toml >doorward.token
cp alerts.yml doorward-alerts.yml
# The second example, under another name.
sed -n '/^  # - job_name: doorward$/,$s/^  # /  /p' prometheus.yml >second.yml
sed -i "s/job_name: doorward/job_name: token/; s/scheme: https/scheme: http/
        s|/etc/prometheus/|$work/|; s/door.example.org:443/127.0.0.1:$port/" second.yml
grep -q "127.0.0.1:$port" second.yml
sed -i "s/127.0.0.1:9464/$metrics/" prometheus.yml
cat second.yml >>prometheus.yml
printf 'global:\n  scrape_interval: 1s\n  evaluation_interval: 1s\n' >>prometheus.yml
"$tools/promtool" check config prometheus.yml
own=127.0.0.1:$(free_port)
"$tools/prometheus" --config.file=prometheus.yml --storage.tsdb.path=tsdb \
  --web.listen-address="$own" >prometheus.txt 2>&1 &
prometheus=$!
trap 'kill -9 $server $prometheus 2>/dev/null || true; rm -rf "$work"' EXIT

python3 - "$own" "$packaging/grafana/doorward.json" <<'PYTHON' || { tail -n 20 prometheus.txt; exit 1; }
import json, re, sys, time, urllib.error, urllib.parse, urllib.request

own, dashboard = sys.argv[1:]

def ask(what, **query):
    url = f"http://{own}/api/v1/{what}?{urllib.parse.urlencode(query)}"
    with urllib.request.urlopen(url) as answer:
        return json.load(answer)["data"]

def value(query):
    try:
        found = ask("query", query=query)["result"]
    except (urllib.error.URLError, ConnectionError):
        return None
    return float(found[0]["value"][1]) if found else None

for _ in range(300):
    # Three scrapes of each, so that there are rates.
    scrapes = [value('sum_over_time(up{job="%s"}[1m])' % job) for job in ("doorward", "token")]
    if all((it or 0) >= 3 for it in scrapes):
        break
    time.sleep(0.1)
else:
    sys.exit("Prometheus cannot scrape the server: " + json.dumps(ask("targets")))

panels = json.load(open(dashboard))["panels"]
queries = [target["expr"] for panel in panels for target in panel.get("targets", [])]
unanswered = []
for query in queries:
    asked = query.replace("$__rate_interval", "1m").replace("$instance", ".*")
    # Those that ask only for what is not ordinary.
    if not ask("query", query=asked)["result"] and not query.endswith(" > 0"):
        unanswered.append(query)
if unanswered:
    sys.exit("the dashboard has queries without an answer: " + json.dumps(unanswered, indent=1))
rules = [rule for group in ask("rules")["groups"] for rule in group["rules"]]
wrong = [rule for rule in rules if rule["health"] == "err" or rule["state"] == "firing"]
if wrong or not rules:
    sys.exit("the rules: " + json.dumps(wrong))
print(f"{len(queries)} queries of the dashboard have an answer, and {len(rules)} alerts are silent")
PYTHON
stop TERM
kill $prometheus
wait $prometheus 2>/dev/null || true
echo "Prometheus takes the metrics, the alerts and the dashboard"
