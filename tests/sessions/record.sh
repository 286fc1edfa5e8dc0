#!/bin/sh
# Records every session anew: ./record.sh POOL, such as vm:trixie-docker-containerd, from the root of
# the repository. Wants gcc. ZTWIN names the program, `cargo run --release --` without.
set -eu
pool=$1
shift
sessions=$(dirname "$0")
gcc -Os -static -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -mno-sse \
    -s -Wl,-z,noseparate-code -Wl,--build-id=none -o "$sessions/actor" "$sessions/actor.c"
[ $# -gt 0 ] || case $pool in
*podman*) set -- "$sessions"/podman/*.sh ;;
*) set -- "$sessions"/docker/*.sh "$sessions"/containerd/*.sh ;;
esac
for script; do
    driver=$(basename "$(dirname "$script")")
    name=$(basename "$script")
    [ "$name" != lib.sh ] || continue
    ${ZTWIN:-cargo run --release --} capture --pool "$pool" -o "traces/$driver" --files "$sessions" -- \
        sh -c "cd sessions/$driver && ./$name"
done
# Data of recordings that are gone.
for data in traces/data/*; do
    grep -rqF "$(basename "$data")" traces --include='*.trace' || rm "$data"
done
