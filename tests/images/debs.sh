#!/bin/sh
# Makes an image with a layer for each of Debian's packages named: debs.sh OUT PACKAGE...
# Packages come from the apt sources of this machine.
set -eu
out=$1
shift
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
layers=
for package in "$@"; do
    apt-get download -qq "$package"
    dpkg-deb --fsys-tarfile "$package"_*.deb > "$package.tar"
    layers="$layers $package.tar"
done
cd - > /dev/null
# shellcheck disable=SC2086 # Names of packages have no blanks.
(cd "$work" && python3 "$here/make.py" --gzip image $layers)
mkdir -p "$(dirname "$out")"
mv "$work/image" "$out"
