#!/bin/sh
# Layers that somebody else has destroyed.
. ./lib.sh

docker_story missing "Somebody destroys the layer of a container: it cannot be removed any more, until a \
dataset of that name is there again."
import
run docker create --network none --name one base:1 /bin/actor put /one random:80 5K
layer=$(dataset one)
note "Somebody destroys its layer."
zfs destroy "$layer"
run docker rm one
run docker ps -a
note "An empty dataset of that name."
zfs list "$layer" > /dev/null 2>&1 || zfs create -o mountpoint=legacy "$layer"
run docker rm one
run docker ps -a
run docker rmi base:1
finish

docker_story missing-parent "Somebody destroys the layer of an image with all that was made from it: no \
container can be made from that image, and the image cannot be removed either."
import
run docker create --network none --name one base:1 /bin/actor put /one random:81 5K
note "Somebody destroys the image's layer, with all clones."
zfs destroy -R "$(zfs list -H -o origin "$(dataset one)-init" | sed 's/@.*//')"
refused docker create --network none --name two base:1 /bin/actor put /two random:82 5K
run docker rm one
run docker rmi base:1
run docker ps -a
finish
