#!/bin/sh
# The daemon is killed while a container runs.
. ./lib.sh

docker_story killed-run "The daemon is killed while a container runs: its layer stays mounted, and is in use."
import
run docker run -d --network none --name one base:1 /bin/actor put /one random:73 5K + sleep 1000
await test -e "$(docker inspect -f '{{.GraphDriver.Data.Mountpoint}}' one)/one"
zpool sync tank
note "The daemon is killed."
kill -9 $daemon
died
started
run docker ps -a
run docker rm -f one
run docker rmi base:1
zfs list -t all -H -r -o name,origin,defer_destroy tank/docker
finish
