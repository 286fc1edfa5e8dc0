#!/bin/sh
# A removal that fails half way.
. ./lib.sh

docker_story half-removed "Somebody clones the second one of a container's two layers: the removal destroys \
the first and is refused the second. When the clone is gone, it is refused the first, which is not there any more."
import
run docker create --network none --name one base:1 /bin/actor put /data/one random:96 5K
run docker start -a one
layer=$(dataset one)
note "Somebody clones its layer of initial files."
zfs snapshot "$layer-init@mine"
zfs clone -o mountpoint=legacy "$layer-init@mine" tank/copy
run docker rm one
run docker ps -a
run docker rmi base:1
zfs list -t all -H -r -o name,origin,defer_destroy tank
note "The clone goes."
zfs destroy tank/copy
run docker rm one
run docker rmi base:1
zfs list -t all -H -r -o name,origin,defer_destroy tank
finish

docker_story held "Somebody holds a snapshot of a container's layer: the layer cannot be removed while the \
hold is there."
import
run docker create --network none --name one base:1 /bin/actor put /data/one random:97 5K
run docker start -a one
note "A backup takes a snapshot and holds it."
zfs snapshot "$(dataset one)@backup"
zfs hold keep "$(dataset one)@backup"
layer=$(dataset one)
refused docker rm one
zfs release keep "$layer@backup"
run docker rm one
run docker rmi base:1
finish
