#!/bin/sh
# Builds the drivers' own tests: ./build.sh PROGRAM SOURCE OUT, in the source of a version; PROGRAM is docker,
# storage or containerd, OUT such as DIR/docker-20.10. GO names the compiler.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
program=$1 source=$2 out=$3
case $program in
docker) place=daemon/graphdriver/zfs ;;
storage) place=drivers/zfs ;;
containerd) place=suite ;;
esac
cd "$source"
mkdir -p "$place"
cp "$here/$program.go" "$place/suite_test.go"
if [ $program = storage ]; then
    sed -i -e '/^func writeRandomFile/,/^}/d' -e '/"math\/rand"/d' drivers/graphtest/graphtest_unix.go
    cp "$here/random.go" drivers/graphtest
fi
CGO_ENABLED=0 ${GO:-go} test -c -o "$out" ${TAGS:+-tags "$TAGS"} "./$place"
