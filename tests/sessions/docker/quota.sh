#!/bin/sh
# A container with a quota.
. ./lib.sh

docker_story quota "A container with a size is a clone with a quota, which counts what only it has."
import
run docker create --network none --storage-opt size=1M --name small base:1 /bin/actor put /data/much random:50 3M
refused docker start -a small
run docker rm small
run docker ps -a
run docker rmi base:1
finish
