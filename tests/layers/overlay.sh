#!/bin/sh
# Lets programs of reference unpack archives for overlayfs, and tells what came of it:
# overlay.sh ARCHIVES SCRATCH NAME=PROGRAM... > outcomes
# Behind "unpacked" are the lines of the directory's listing (u), those that went from (<) or came to (>) what one sees
# when it is mounted over the tree of apply.sh, and the names of the archive that docker-26.1 makes of the directory
# (p). As root; SCRATCH becomes a tmpfs, since overlayfs wants trusted attributes.
set -eu
export LC_ALL=C TZ=UTC
archives=$1 scratch=$2
shift 2

listing() {
    find . \( -type d -printf '%P d %m %U:%G\n' -o -type l -printf '%P l %m %U:%G %n -> %l\n' \
        -o -type f -printf '%P f %m %U:%G %n %s\n' -o -printf '%P %y %m %U:%G %n\n' \) | sort
    find . -exec getfattr -h -d -m - -e hex {} + 2> /dev/null |
        sed -n 's|^# file: |F |p; s|^\([a-z].*\)=0x\(.*\)$|X \1 \2|p' |
        awk '$1 == "F" { file = $2 == "." ? "" : $2 } $1 == "X" { print file, "x", $2, $3 }' | sort
}

mkdir -p "$scratch"
mount -t tmpfs tmpfs "$scratch"
mkdir -p "$scratch/root/etc" "$scratch/root/dir/sub" "$scratch/shown" "$scratch/in"
cd "$scratch/root"
echo root > etc/passwd
echo old > dir/old
echo below > dir/sub/x
ln -s /etc absolute
ln -s etc relative
ln -s ../../../.. out
ln -s loop loop
ln -s nowhere dangling
listing > ../before
for archive in "$archives"/*.tar; do
    for named in "$@"; do
        rm -rf "$scratch/in/upper" "$scratch/in/work"
        mkdir "$scratch/in/upper" "$scratch/in/work"
        echo "== $(basename "$archive" .tar) ${named%%=*}"
        if timeout 10 "${named#*=}" unpack "$scratch/in/upper" < "$archive" > /dev/null 2> "$scratch/said"; then
            echo unpacked
            cd "$scratch/in/upper"
            listing | sed 's/^/u /'
            case $named in docker-26.1=*)
                "${named#*=}" pack "$scratch/in/upper" | tar --quoting-style=literal -tf - | sed 's/^/p /' ;;
            esac
            cd /
            mount -t overlay -o lowerdir="$scratch/root",upperdir="$scratch/in/upper",workdir="$scratch/in/work" \
                overlay "$scratch/shown"
            cd "$scratch/shown"
            listing | diff ../before - | grep '^[<>]' || true
            cd /
            umount "$scratch/shown"
        else
            echo "refused $(sed "s|$scratch/in/upper|ROOT|g" "$scratch/said" | tail -n 1)"
        fi
    done
done
umount "$scratch"
