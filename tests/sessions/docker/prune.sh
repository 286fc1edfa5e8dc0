#!/bin/sh
# Many containers and images go at once.
. ./lib.sh

docker_story prune "Three containers of two images run and end, one image is made from another, and everything \
that nobody uses goes at once: the daemon finds an order in which ZFS lets it."
import
run docker create --network none --name one base:1 /bin/actor put /data/one random:110 5K
run docker start -a one
run docker commit one two:1
run docker create --network none --name two two:1 /bin/actor rm /data/one + put /two random:111 5K
run docker start -a two
run docker commit two three:1
run docker create --network none --name three three:1 /bin/actor over /data/big 64K random:112 4K
run docker start -a three
refused docker rmi two:1
run docker container prune -f
run docker tag three:1 four:1
run docker rmi three:1
run docker image prune -af
zfs list -t all -H -r -o name,origin,defer_destroy tank/docker
finish
