#!/bin/sh
# Builds every fuzz target and runs it over its corpus and some inputs more: `fuzz/smoke.sh [RUNS]`.
set -eu
runs=${1:-2000}
cd "$(dirname "$0")"
./seed.sh
# As cargo-fuzz builds them with `--sanitizer none`: without counters nothing would be learnt.
host=$(rustc -vV | sed -n 's/^host: //p')
flags='-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Ccodegen-units=1 --cfg fuzzing'
flags="$flags -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table"
flags="$flags -Cllvm-args=-sanitizer-coverage-trace-compares"
RUSTFLAGS="$flags" cargo build --release --locked --target "$host"
for target in fuzz_targets/*.rs; do
    name=$(basename "$target" .rs)
    echo "== $name"
    # What it learns stays out of the corpus that is in use.
    new=$(mktemp -d)
    "target/$host/release/$name" -runs="$runs" -max_len=4096 -seed=1 -artifact_prefix="$new/" "$new" "corpus/$name" \
        2>"$new.log" || { tail -40 "$new.log"; exit 1; }
    tail -1 "$new.log"
    rm -r "$new" "$new.log"
done
echo "$(ls fuzz_targets/*.rs | wc -l) passed, 0 failed"
