#!/bin/sh
# Somebody else's snapshots and clones of layers, and layers that are gone.
. ./lib.sh

layer() { zfs list -H -o name -r tank/storage | grep -v '^tank/storage$' | tail -n 1; }

podman_story foreign "Somebody takes snapshots of all layers and clones that of a container: the container \
cannot be removed until the clone is gone."
import
run podman create --network none --name one base:1 /bin/actor put /one random:20 5K
run podman start -a one
container=$(zfs list -H -o name,origin -r tank/storage | awk '$2 != "-" { print $1 }')
note "Somebody takes snapshots of all, and clones one of them."
zfs snapshot -r tank/storage@auto
zfs clone -o mountpoint=legacy "$container@auto" tank/copy
run podman rm one
run podman ps -a --format '{{.Names}} {{.Status}}'
note "Without the clone."
zfs destroy tank/copy
run podman rm one
run podman rmi base:1
zfs list -t all -H -r -o name,origin,defer_destroy tank
finish

podman_story missing "Somebody destroys the layer of a container: it is removed as if nothing were missing, or \
it is not."
import
run podman create --network none --name one base:1 /bin/actor put /one random:21 5K
container=$(zfs list -H -o name,origin -r tank/storage | awk '$2 != "-" { print $1 }')
note "Somebody destroys its layer."
zfs destroy -r "$container"
run podman rm one
run podman ps -a --format '{{.Names}} {{.Status}}'
run podman rmi -f base:1
zfs list -t all -H -r -o name,origin,defer_destroy tank/storage
finish
