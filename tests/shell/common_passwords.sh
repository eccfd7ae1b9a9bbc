#!/usr/bin/env bash
# Makes the list of common passwords that doorward refuses, src/model/common_passwords/list.zst,
# from the list of a Django release: django/contrib/auth/common-passwords.txt.gz, 20,000 passwords
# in lower case, collected by Royce Williams from those that stolen databases hold most often. The
# list in this repository is that of Django 5.2.19. Sorted, it takes a third less.
#
#   tests/shell/common_passwords.sh <directory of django>/contrib/auth/common-passwords.txt.gz
set -euo pipefail
cd "$(dirname "$0")/../.."
list=src/model/common_passwords/list.zst
sorted=$(mktemp)
trap 'rm -f "$sorted"' EXIT
# From a file, not from a pipe: the size is then in the head of the result. Without it every reader
# reserves the largest window, 128 MiB.
gzip -dc "$1" | LC_ALL=C sort -u >"$sorted"
zstd --ultra -22 -q -f -o "$list" "$sorted"
echo "$(wc -l <"$sorted") passwords in $(wc -c <"$list") bytes; unpacked $(wc -c <"$sorted") bytes"
