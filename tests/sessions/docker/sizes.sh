#!/bin/sh
# Sizes that ZFS refuses.
. ./lib.sh

docker_story sizes "A container with a size that ZFS refuses is not made, but its layers are, and they keep the \
image from being removed."
import
refused docker create --network none --storage-opt size=much --name bad base:1 /bin/actor put /one random:83 5K
run docker ps -a
refused docker create --network none --storage-opt sise=1M --name bad base:1 /bin/actor put /one random:83 5K
run docker create --network none --storage-opt size=20M --name good base:1 /bin/actor put /one random:83 5K
run docker start -a good
run docker rm good
run docker rmi base:1
zfs list -t all -H -r -o name,origin,defer_destroy tank/docker
finish
