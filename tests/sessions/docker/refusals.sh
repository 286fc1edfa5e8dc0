#!/bin/sh
# Removals that are refused, and one by force.
. ./lib.sh

docker_story refusals "What Docker refuses before ZFS is asked, and a container that is removed by force \
while it runs."
import
run docker run -d --network none --name runs base:1 /bin/actor put /data/new random:40 3K + sleep 1000
refused docker rm runs
refused docker rmi base:1
refused docker create --network none --name runs base:1 /bin/actor
refused docker run --network none --name fails base:1 /no/such/program
run docker rm fails
run docker rm -f runs
refused docker rm runs
run docker rmi base:1
finish
