#!/bin/sh
# Somebody else's snapshots on layers.
. ./lib.sh

docker_story foreign "An auto-snapshotter takes snapshots of every layer, and somebody clones one: the \
layer that has such a clone cannot be removed."
import
run docker create --network none --name one base:1 /bin/actor put /data/one random:60 5K
run docker start -a one
note "Somebody takes snapshots of all, and clones one of them."
zfs snapshot -r tank/docker@auto
container=$(docker inspect -f '{{.GraphDriver.Data.Dataset}}' one)
zfs clone -o mountpoint=legacy "$container@auto" tank/copy
refused docker rm one
note "Without the clone it is removed, with the snapshots."
zfs destroy tank/copy
run docker rm one
run docker rmi base:1
zfs list -t all -H -o name,origin,defer_destroy,userrefs
finish
