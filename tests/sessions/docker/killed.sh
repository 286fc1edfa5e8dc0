#!/bin/sh
# The daemon is killed between two of its commands.
. ./lib.sh

docker_story killed-create "The daemon is killed while it makes a container: what it had made stays, and \
nobody removes it. The next container of that name gets layers of its own."
import
die_behind 'clone *-init'
refused docker create --network none --name one base:1 /bin/actor put /one random:70 5K
died
started
run docker create --network none --name one base:1 /bin/actor put /one random:70 5K
run docker start -a one
die_behind 'snapshot *-init@*'
refused docker create --network none --name two base:1 /bin/actor put /two random:71 5K
died
started
run docker ps -a
run docker rm one
refused docker rmi base:1
zfs list -t all -H -r -o name,origin,defer_destroy tank/docker
finish

docker_story killed-remove "The daemon is killed while it removes a container, behind the first of its two \
layers. The container is dead then, and its removal goes on where it stopped, or does not."
import
run docker create --network none --name one base:1 /bin/actor put /one random:72 5K
run docker start -a one
die_behind 'destroy -r *'
refused docker rm one
died
started
run docker ps -a
run docker rm one
run docker ps -a
run docker rmi base:1
zfs list -t all -H -r -o name,origin,defer_destroy tank/docker
finish
