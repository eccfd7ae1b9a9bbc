# Shared by the shell tests: a real server in an empty directory, and requests with curl that state
# the expected answer.
# Source this file with the binary as the first argument. Needs bash, curl and python3.

binary=$(realpath "$1")
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
cd "$work"
server=
trap 'kill -9 $server 2>/dev/null || true; rm -rf "$work"' EXIT

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
base=http://127.0.0.1:$port
sed "s/^listen = .*/listen = \"127.0.0.1:$port\"/" "$here/../../config.example.toml" >config.toml

# Starts the server and waits until it answers.
start() {
  "$binary" serve --config config.toml >>out.txt 2>>log.txt &
  server=$!
  for _ in $(seq 200); do
    curl --silent --fail --output health.txt "$base/healthz" && return
    kill -0 $server 2>/dev/null || break
    sleep 0.05
  done
  echo "the server does not answer:"
  cat log.txt
  exit 1
}

# stop SIGNAL: ends the server; after any signal but KILL it must exit with status 0.
stop() {
  kill "-$1" $server
  wait $server 2>/dev/null || [ "$1" = KILL ]
}

# expect STATUS METHOD PATH [more arguments for curl]: sends a request and checks the status. Leaves
# the body in body.txt and the headers in head.txt.
expect() {
  local status=$1 method=$2 path=$3 got
  shift 3
  got=$(curl --silent --output body.txt --dump-header head.txt --write-out '%{http_code}' \
    -X "$method" "$base$path" "$@") || got="$got and error $? of curl"
  if [ -n "${SHOW:-}" ]; then
    printf '%s %s -> %s %s\n' "$method" "$path" "$got" "$(cat body.txt)"
  fi
  [ "$got" = "$status" ] || { echo "$method $path: $got instead of $status: $(cat body.txt)"; exit 1; }
}

# field KEY: prints the value of a key of the JSON in body.txt; dots separate nested keys.
field() {
  python3 -c 'import functools, json, sys
print(functools.reduce(lambda value, key: value[key], sys.argv[1].split("."), json.load(open("body.txt"))))' "$1"
}

# says TEXT: checks that the body is exactly this.
says() {
  [ "$(cat body.txt)" = "$1" ] || { echo "the body is $(cat body.txt), not $1"; exit 1; }
}

# holds KEY...: checks that the body is a JSON object with exactly these keys.
holds() {
  python3 -c 'import json, sys
have, want = sorted(json.load(open("body.txt"))), sorted(sys.argv[1:])
sys.exit(0 if have == want else f"the body has the keys {have}, not {want}")' "$@"
}

json='Content-Type: application/json'
