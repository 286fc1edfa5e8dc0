#!/bin/sh
# Two containers from one image do not see each other.
. ./lib.sh

docker_story siblings "Two containers from one image write and delete the same files: neither sees the \
other's, and the image keeps its own."
import
run docker create --network none --name left base:1 /bin/actor over /data/big 0 random:20 4K + rm /etc/motd + put /etc/new random:21 10
run docker create --network none --name right base:1 /bin/actor over /data/big 128K random:22 4K + rm /data/words + put /etc/new random:23 20
run docker start -a left
run docker start -a right
run docker diff left
run docker diff right
note "Each goes on where it stopped."
run docker start -a left
run docker cp right:/etc/new /run/new
run docker rm left right
run docker create --network none --name third base:1 /bin/actor rmdir /nothing
run docker start -a third
run docker rm third
run docker rmi base:1
finish
