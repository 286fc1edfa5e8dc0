#!/bin/sh
# Lets programs of reference apply archives to a tree, and tells what came of it:
# apply.sh ARCHIVES SCRATCH NAME=PROGRAM... > outcomes
# Lines behind "applied" are those of the tree's listing that went (<) or came (>).
set -eu
export LC_ALL=C TZ=UTC
archives=$1 scratch=$2
shift 2

listing() {
    find . \( -type d -printf '%P d %m %U:%G\n' -o -type l -printf '%P l %m %U:%G %n -> %l\n' \
        -o -type f -printf '%P f %m %U:%G %n %s\n' -o -printf '%P %y %m %U:%G %n\n' \) | sort
    # Extended attributes.
    find . -type f -exec getfattr -d -m - -e hex {} + 2> /dev/null |
        sed -n 's|^# file: |F |p; s|^\([a-z].*\)=0x\(.*\)$|X \1 \2|p' |
        awk '$1 == "F" { file = $2 } $1 == "X" { print file, "x", $2, $3 }' | sort
}

for archive in "$archives"/*.tar; do
    for named in "$@"; do
        rm -rf "$scratch/root" "$scratch/outside"
        mkdir -p "$scratch/root/etc" "$scratch/root/dir/sub" "$scratch/outside"
        cd "$scratch/root"
        echo secret > ../outside/victim
        echo root > etc/passwd
        echo old > dir/old
        echo below > dir/sub/x
        ln -s /etc absolute
        ln -s etc relative
        ln -s ../../../.. out
        ln -s loop loop
        ln -s nowhere dangling
        listing > ../before
        echo "== $(basename "$archive" .tar) ${named%%=*}"
        if told=$(timeout 10 "${named#*=}" apply "$scratch/root" < "$archive" 2> ../said); then
            echo "applied $told"
            listing | diff ../before - | grep '^[<>]' || true
        else
            echo "refused $(sed "s|$scratch/root|ROOT|g" ../said | tail -n 1)"
        fi
        [ "$(cat ../outside/victim)" = secret ] && [ "$(ls -A ../outside)" = victim ] || echo "OUTSIDE HARMED"
        cd /
    done
done
rm -rf "$scratch/root" "$scratch/outside" "$scratch/before" "$scratch/said"
