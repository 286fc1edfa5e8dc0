#!/bin/sh
# The daemon stops and starts again.
. ./lib.sh

docker_story restart "The daemon stops and starts again: what it knew of layers it asks ZFS for, and a \
container goes on where it stopped."
import
run docker create --network none --name one base:1 /bin/actor over /data/big 0 random:60 4K + put /one random:61 5K
run docker start -a one
run docker info -f '{{.DriverStatus}}'
stopped
started
run docker start -a one
run docker diff one
run docker run --network none --rm base:1 /bin/actor put /two random:62 5K
run docker rm one
run docker rmi base:1
finish
