#!/bin/sh
# Sizes, and podman that is killed.
. ./lib.sh

podman_story sizes "A container with a size is a clone with a quota; a size that ZFS refuses leaves a clone \
behind."
import
run podman create --network none --storage-opt size=1M --name small base:1 /bin/actor put /data/much random:50 3M
run podman start -a small
run podman rm small
run podman create --network none --storage-opt size=much --name bad base:1 /bin/actor put /one random:51 5K
run podman rmi base:1
zfs list -t all -H -r -o name,origin,defer_destroy tank/storage
finish
