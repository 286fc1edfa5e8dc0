#!/bin/sh
# What Docker itself makes of image.tar, for `ztwin capture`: the space and the tree of each layer, on
# standard output. See tests/image_real_docker.rs.
# The image of bookworm has no mount(8) but that of busybox.
set -eu
export LC_ALL=C TZ=UTC
truncate -s 4G /v/image
zpool create -o ashift=12 -O atime=off -O compression=lz4 -O recordsize=128K tank /v/image
zfs create tank/docker
mountpoint -q /sys/fs/cgroup || busybox mount -t cgroup2 cgroup2 /sys/fs/cgroup
rm -rf /var/lib/docker /run/docker /run/docker.pid
dockerd --storage-driver zfs --storage-opt zfs.fsname=tank/docker --iptables=false --ip6tables=false \
    --bridge=none --exec-opt native.cgroupdriver=cgroupfs > /run/dockerd.log 2>&1 &
daemon=$!
for _ in $(seq 300); do
    docker version > /dev/null 2>&1 && break
    sleep 0.2
done
docker load -i image.tar > /dev/null
zpool sync tank
# From the lowest layer up: each is a clone of the one below.
layer=$(zfs list -H -r -d 1 -o name,origin tank/docker | awk '$2 == "-" && $1 != "tank/docker" { print $1 }')
mkdir -p /run/layer
while [ -n "$layer" ]; do
    echo "layer $(zfs list -Hp -o used,referenced,logicalused,usedbysnapshots "$layer" | tr '\t' ' ')"
    above=$(zfs list -H -r -d 1 -o name,origin tank/docker |
        awk -v layer="$layer@" 'index($2, layer) == 1 { print $1 }')
    busybox mount -t zfs -o ro "$layer" /run/layer
    cd /run/layer
    find . -printf '%P\t%y\t%m\t%U:%G\t%n\t%s\t%T@\t%l\n' | sort
    find . -type f -exec sha256sum {} + | sed 's|  \./|\t|' | sort -k 2 | sed 's/^/sum\t/'
    cd /
    busybox umount /run/layer
    layer=$above
done
kill "$daemon"
wait "$daemon" || true
zpool destroy tank
