#!/usr/bin/env bash
# Measures starts of the real program, each with an empty store: how long it takes from starting the
# process to the first 200 of /healthz (the best of five), and how much memory is resident ten
# seconds later. And the first run on a terminal: `serve` offers to write a configuration.
#
#   tests/shell/start.sh target/release/doorward
#
# The bounds are generous, for machines that do other work too; DOORWARD_START_MS and
# DOORWARD_START_MB set others for the start with a clear password.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

python3 - "$binary" "$port" <<'END'
import os, pathlib, pty, re, select, shutil, subprocess, sys, time, urllib.error, urllib.request

binary, port = sys.argv[1], sys.argv[2]
health = f"http://127.0.0.1:{port}/healthz"
most_ms = float(os.environ.get("DOORWARD_START_MS", 100))
most_mb = float(os.environ.get("DOORWARD_START_MB", 12))
hashed = subprocess.run([binary, "hash-password"], input="a clear password\n", text=True,
                        capture_output=True, check=True).stdout.strip()

def begin(admin):
    """Starts the program with an empty store. Returns it, and the milliseconds to its answer."""
    shutil.rmtree("data", ignore_errors=True)
    pathlib.Path("start.toml").write_text(
        f'[server]\nlisten = "127.0.0.1:{port}"\n[storage]\npath = "data"\n[admin]\n{admin}\n')
    os.chmod("start.toml", 0o600)
    begun = time.perf_counter()
    server = subprocess.Popen([binary, "serve", "--config", "start.toml"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while True:
        try:
            urllib.request.urlopen(health, timeout=5).read()
            return server, (time.perf_counter() - begun) * 1000
        except (urllib.error.URLError, ConnectionError):
            if server.poll() is not None or time.perf_counter() - begun > 30:
                sys.exit("the server does not answer")
            time.sleep(0.0005)

def resident(server):
    status = pathlib.Path(f"/proc/{server.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1024

def end(server):
    server.terminate()
    if server.wait() != 0:
        sys.exit("the server did not stop in order")

figures = {}
for name, admin in [("a clear password", 'password = "a clear password"'),
                    ("a hash", f'password_hash = "{hashed}"'),
                    ("a generated password", "")]:
    times = []
    for _ in range(5):
        server, took = begin(admin)
        times.append(took)
        end(server)
    server, _ = begin(admin)
    # The time is the subject: pages that the start has touched are given back within it.
    time.sleep(10)
    figures[name] = min(times), resident(server)
    end(server)
    print(f"{name}: first answer after {min(times):.1f} ms, {figures[name][1]:.1f} MB resident")
took, memory = figures["a clear password"]
if took > most_ms or memory > most_mb:
    sys.exit(f"more than {most_ms} ms or {most_mb} MB with a clear password")

def on_terminal(answer, until):
    """Runs `serve` without a configuration on a terminal; what it says up to `until`, or to its
    end."""
    child, terminal = pty.fork()
    if child == 0:
        os.execv(binary, [binary, "serve", "--config", "first/config.toml"])
    said, ends_at = b"", time.monotonic() + 30
    answered = False
    while until not in said and time.monotonic() < ends_at:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            said += os.read(terminal, 4096)
        except OSError:  # the program has ended, and with it the terminal
            break
        if b"[y/N]" in said and not answered:
            os.write(terminal, answer)
            answered = True
    try:
        os.kill(child, 15)
    except ProcessLookupError:
        pass
    _, status = os.waitpid(child, 0)
    return said.decode(), os.waitstatus_to_exitcode(status)

shutil.rmtree("first", ignore_errors=True)
said, code = on_terminal(b"n\n", b"no such file")
if "no such file" not in said or os.path.exists("first"):
    sys.exit(f"after a no: {said}")
said, code = on_terminal(b"y\n", b"serving on http://127.0.0.1:8080")
if not re.search(r"admin / \w{20}", said) or not os.path.exists("first/config.toml"):
    sys.exit(f"after a yes: {said}")
print("a first configuration was offered, refused and accepted on a terminal")
END
