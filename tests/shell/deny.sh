#!/usr/bin/env bash
# Checks the tree of dependencies against deny.toml: licences, versions, banned crates, sources, and
# known vulnerabilities if their database can be fetched.
#
#   tests/shell/deny.sh
set -euo pipefail
cd "$(dirname "$0")/../.."

# Installs this version if cargo-deny is missing; any installed version is fine.
version=0.20.2
cargo deny --version 2>/dev/null || cargo install cargo-deny --version "$version" --locked

# An exception that is no longer needed is an error: the list must not outlive its reasons.
cargo deny --locked check -D unmatched-skip -D unnecessary-skip bans licenses sources

# The database is a git repository on the internet: without a network only the checks above run.
fetched=$(mktemp)
trap 'rm -f "$fetched"' EXIT
if GIT_TERMINAL_PROMPT=0 timeout 120 cargo deny fetch db >"$fetched" 2>&1; then
  cargo deny --locked --offline check advisories
else
  cat "$fetched"
  echo
  echo "########################################################################"
  echo "## SKIPPED: known vulnerabilities were NOT checked, for the database  ##"
  echo "## of advisories cannot be fetched from here. Run this again where    ##"
  echo "## it can: tests/shell/deny.sh                                        ##"
  echo "########################################################################"
fi
