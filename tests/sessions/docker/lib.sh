# Shared by the sessions of Docker: sourced.
. ../lib.sh
export DOCKER_BUILDKIT=0

# docker_story NAME TEXT: a pool, a fresh daemon, a base image's files in ./base.
docker_story() {
    version=$(docker --version | sed 's/Docker version \([^,]*\),.*/\1/')
    story "$1$(edition "$version" 26.1)" "$2
Recorded from dockerd $version with --storage-driver zfs --storage-opt zfs.fsname=tank/docker."
    pool
    zfs create tank/docker
    mountpoint -q /sys/fs/cgroup || mount -t cgroup2 cgroup2 /sys/fs/cgroup
    rm -rf /var/lib/docker /run/docker /run/docker.pid
    fragile
    started
    rm -rf base context
    mkdir -p base/bin base/etc base/data context
    cp ../actor base/bin/actor
    # Times would make the tar, and so the layer's digest, another one every time.
    ../actor put base/etc/motd text:1 200 + put base/etc/name random:2 30 + chmod 600 base/etc/name \
        + put base/data/big random:3 300K + put base/data/words text:4 20K \
        + ln base/data/words base/data/more + symlink ../etc/motd base/data/link
    find base -exec touch -h -d @1700000000 {} +
}

# Starts the daemon.
started() {
    note "\`dockerd\` starts."
    rm -f /run/docker.pid
    PATH=/run/fragile:$PATH dockerd --storage-driver zfs --storage-opt zfs.fsname=tank/docker \
        --iptables=false --ip6tables=false --bridge=none \
        --exec-opt native.cgroupdriver=cgroupfs >> /run/dockerd.log 2>&1 &
    daemon=$!
    echo $daemon > /run/daemon
    await docker version
}

# Stops it.
stopped() {
    note "\`dockerd\` is stopped."
    ended
}

# The dataset of a container's layer.
dataset() { docker inspect -f '{{.GraphDriver.Data.Dataset}}' "$1"; }

# Imports the base image.
import() {
    (cd base && tar --sort=name --owner=0 --group=0 -cf ../base.tar .)
    run docker import base.tar base:1
}

# Ends the story and the daemon.
finish() {
    end
    docker ps -q | xargs -r docker kill > /dev/null
    ended
    awk '$3 ~ /docker/ { print $2 }' /proc/mounts | sort -r | xargs -r umount -l
    zpool destroy -f tank
}
