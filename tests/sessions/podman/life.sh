#!/bin/sh
# From an import to the removal of everything.
. ./lib.sh

podman_story life "A whole life: an image is imported, a container runs from it and changes files, it is \
committed, another container runs from the result, and all of it is removed again."
import
run podman run --network none --name one base:1 /bin/actor put /data/one random:13 5K + rm /etc/motd + put /data/big random:14 8K
run podman diff one
run podman commit one two:1
run podman run --network none --name two two:1 /bin/actor put /two random:15 5K + mkdir /var + put /var/log text:16 100
run podman diff two
run podman rm two
run podman rm one
run podman rmi two:1
run podman rmi base:1
zfs list -t all -H -r -o name,origin,defer_destroy tank/storage
finish
