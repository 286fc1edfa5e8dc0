#!/bin/sh
# What was deleted is a whiteout in the image that is saved.
. ./lib.sh

docker_story export "A file that is deleted in a container is gone there, is still in the image below, and \
is a whiteout in the layer that a commit makes."
import
run docker create --network none --name gone base:1 /bin/actor rm /etc/motd + rm /data/big + put /data/small text:30 10
run docker start -a gone
run docker diff gone
run docker commit gone gone:1
run docker export -o /run/export.tar gone
note "The exported file system: $(tar -tf /run/export.tar | grep -v '^\(dev\|proc\|sys\)' | sort | tr '\n' ' ')"
run docker save -o /run/saved.tar gone:1
rm -rf /run/saved && mkdir /run/saved && tar -C /run/saved -xf /run/saved.tar
layer=$(ls -rt $(find /run/saved -type f -exec sh -c 'tar -tf "$1" > /dev/null 2>&1' sh {} \; -print) | tail -n 1)
for layer in $(find /run/saved -type f); do
    listed=$(tar -tf "$layer" 2> /dev/null | sort | tr '\n' ' ')
    case $listed in *.wh.*) note "The layer of the commit: $listed" ;; esac
done
run docker rm gone
run docker rmi gone:1
run docker rmi base:1
finish
