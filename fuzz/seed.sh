#!/bin/sh
# Fills the corpora of the fuzz targets from traces/.
set -eu
cd "$(dirname "$0")"
mkdir -p corpus/trace corpus/programs corpus/operations corpus/tar corpus/state
for trace in ../traces/*/*.trace; do
    name=$(basename "$trace" .trace)
    cp "$trace" "corpus/trace/$name"
    # The command lines of zfs and zpool, behind the byte that says which release.
    { printf 1; sed -n 's/^  \$ \(zfs\|zpool\) /\1 /p' "$trace" | head -20; } >"corpus/programs/$name"
done
# Eight bytes an operation; those of texts are as good as any.
for trace in ../traces/clone/*.trace ../traces/promote/*.trace; do
    head -c 200 "$trace" >"corpus/operations/$(basename "$trace" .trace)"
done
for blob in ../traces/data/*; do
    # Those among them that are archives.
    if [ "$(dd if="$blob" bs=1 skip=257 count=5 2>/dev/null)" = ustar ]; then
        cp "$blob" "corpus/tar/$(basename "$blob" | head -c 16)"
    fi
done
for kind in 0 1 2; do printf "\\00$kind\\001\\002\\003" >"corpus/state/$kind"; done
