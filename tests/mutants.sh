#!/usr/bin/env bash
# Changes the code in small ways (mutants) and prints the changes that no test notices (survivors):
# each shows a missing test, or code that does nothing. Survivors do not fail the run. A failure of
# the tool does, and so do tests that fail on the unchanged code.
#
#   tests/mutants.sh                  a sample of the mutants of src/service, src/http and src/store
#   tests/mutants.sh --in-diff BASE   every mutant of the changes in src since the branch left BASE
#                                     (a new file counts from `git add` on)
#
# DOORWARD_MUTANTS       mutants in a sample (default 30): each takes a build and a run of the tests
# DOORWARD_MUTANTS_SEED  the number that chooses the sample (default: the number of the day, so that
#                        every day takes another sample and all get their turn)
#
# Leaves out the crash tests, which take too long, and `tidy`, which reads the text of the code.
# Installs cargo-mutants if it is missing, works in a copy below $TMPDIR, and leaves its logs in
# target/mutants/mutants.out.
set -euo pipefail
cd "$(dirname "$0")/.."

version=27.1.0
size=${DOORWARD_MUTANTS:-30}
seed=${DOORWARD_MUTANTS_SEED:-$(($(date +%s) / 86400))}
output=target/mutants

fail() {
    printf '%s\n' "$1" >&2
    exit 1
}
[[ $size =~ ^[1-9][0-9]*$ ]] || fail "DOORWARD_MUTANTS is no number above zero: $size"
[[ $seed =~ ^[0-9]+$ ]] || fail "DOORWARD_MUTANTS_SEED is no number: $seed"

cargo mutants --version >/dev/null 2>&1 ||
    cargo install cargo-mutants --locked --version "$version"
mkdir -p "$output"

case ${1:-} in
'')
    which=(--file 'src/service/**' --file 'src/http/**' --file 'src/store/**')
    count=$(cargo mutants --list "${which[@]}" | wc -l)
    shards=$(((count + size - 1) / size))
    [ "$shards" -gt 0 ] || fail 'there are no mutants: have the folders been renamed?'
    # Round-robin spreads the mutants of each file over all samples.
    shard=$((10#$seed % shards))
    which+=(--sharding round-robin --shard "$shard/$shards")
    printf 'sample %s of 0 to %s, of %s mutants in all\n' "$shard" "$((shards - 1))" "$count"
    ;;
--in-diff)
    base=${2:?the commit to compare with}
    git diff --no-ext-diff --no-color --merge-base "$base" -- src >"$output/diff"
    which=(--in-diff "$output/diff")
    ;;
*) fail "unknown argument: $1" ;;
esac

# The copy uses its own target directory, so that no mutant stays in ours.
unset CARGO_TARGET_DIR
export CARGO_PROFILE_DEV_DEBUG=false
rm -rf "$output/mutants.out" "$output/mutants.out.old"
status=0
cargo mutants "${which[@]}" --output "$output" --jobs 1 --cargo-arg=--locked \
    --build-timeout 900 --minimum-test-timeout 60 --timeout-multiplier 3 \
    -- --lib --test it -- --skip tidy:: || status=$?
case $status in
# 2: some mutants survive; 3: some make the tests hang, which counts as noticed.
0 | 2 | 3) ;;
*) exit "$status" ;;
esac

# Without a mutant there is no such folder, and nothing to report.
[ -d "$output/mutants.out" ] || exit 0
missed=$output/mutants.out/missed.txt
printf '\nsurvivors: %s\n' "$(wc -l <"$missed")"
cat "$missed"
