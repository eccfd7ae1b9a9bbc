#!/usr/bin/env bash
# Traces the real program while it creates its database and writes a mail, and checks that it syncs
# to the disk:
#
# * before it accepts a connection: the database's files, the data directory (it holds their names)
#   and its parent (it holds the name of the data directory);
# * for a mail: the file before it gets its final name, and the mail directory after that.
#
#   tests/shell/syncs.sh target/release/doorward
#
# Needs root. Installs the Debian package strace if it is missing. If tracing is not permitted, the
# script prints the reason and exits with status 0.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

skip() {
  printf '%s\n' '*' "* SKIPPED: the syncs were not traced: $1" '*' >&2
  exit 0
}

# The program makes itself undumpable: only root can see its strings and the paths of its files.
[ "$(id -u)" = 0 ] || skip 'this needs root'
if ! command -v strace >tools.txt; then
  apt-get -q update >tools.txt && apt-get -qy install strace >tools.txt
fi
strace -o trace.txt true 2>tools.txt || skip "ptrace is not permitted: $(cat tools.txt)"

# With -D the started process, which later gets the stop signal, is the server and not the tracer.
calls=fsync,fdatasync,accept,accept4,?rename,?renameat,renameat2
cat >traced <<END
#!/bin/sh
exec strace -D -f -y -o trace.txt -e trace=$calls "$binary" "\$@"
END
chmod +x traced
binary=$work/traced

sed -i 's/^transport = .*/transport = "file"/' config.toml
start
expect 201 POST /v1/user -H "$json" \
  -d '{"name":"Ana","email":"ana@example.org","password":"correct battery"}'
expect 201 POST /api/password -H "$json" -d '{"email":"ana@example.org"}'
for _ in $(seq 200); do ls mail/*.eml >mails.txt 2>&1 && break; sleep 0.05; done
stop TERM
for _ in $(seq 200); do grep -q "^$server *+++ exited" trace.txt && break; sleep 0.05; done

python3 - "$(pwd -P)" <<'END'
import re, sys

home = sys.argv[1]
# Each call that succeeded: the lines in which it begins and ends, its name, and the paths in it.
calls, begun = [], {}
for number, line in enumerate(open("trace.txt")):
    thread, said = line.split(maxsplit=1)
    start = number
    if resumed := re.match(r"<\.\.\. \w+ resumed>", said):
        start, head = begun.pop(thread)
        said = head + said[resumed.end():]
    if said.endswith("<unfinished ...>\n"):
        begun[thread] = number, said.removesuffix("<unfinished ...>\n")
    elif succeeded := re.match(r"(\w+)\((.*)\) += \d", said):
        paths = re.findall(r'[<"](/?[^<>":]+)[>"]', succeeded[2])
        calls.append((start, number, succeeded[1], paths))

def synced(path, after=-1, before=float("inf")):
    """Whether a sync of this path begins after one line of the trace and ends before another."""
    syncs = (call for call in calls if call[2] in ("fsync", "fdatasync") and call[3] == [path])
    return any(after < start and end < before for start, end, *_ in syncs)

accepts = [start for start, _, name, _ in calls if name.startswith("accept")]
renames = [call for call in calls if call[2].startswith("rename") and call[3][-1].endswith(".eml")]
if not accepts or len(renames) != 1:
    sys.exit(f"there are {len(accepts)} connections and {len(renames)} mails in the trace")
for path in (f"{home}/data/db", f"{home}/data/conf", f"{home}/data", home):
    if not synced(path, before=min(accepts)):
        sys.exit(f"{path} is not synced before the first connection is accepted")

renamed, named, _, paths = renames[0]
part, mails = f"{home}/mail/{paths[-2].rsplit('/', 1)[-1]}", f"{home}/mail"
if not synced(part, before=renamed):
    sys.exit(f"{part} is not synced before it is renamed")
if not synced(mails, after=named):
    sys.exit(f"{mails} is not synced after {part} is renamed")
END
echo "syncs: fine"
