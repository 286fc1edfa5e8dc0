#!/bin/sh
# Has programs of reference write the layers of pairs of trees: export.sh DIRECTORY NAME=PROGRAM...
set -eu
pairs=$1
shift
for pair in "$pairs"/*; do
    for named in "$@"; do
        "${named#*=}" export "$pair/upper" "$pair/base" > "$pair/${named%%=*}.tar"
        "${named#*=}" export "$pair/upper" > "$pair/${named%%=*}-whole.tar"
        case $named in docker-26.1=*) "${named#*=}" size "$pair/upper" "$pair/base" > "$pair/size" ;; esac
    done
done
