# Shared by the sessions of podman: sourced.
. ../lib.sh

podman() { /usr/bin/env PATH=/run/fragile:$PATH podman --storage-driver zfs --storage-opt zfs.fsname=tank/storage \
    --cgroup-manager cgroupfs --events-backend file --runtime runc "$@"; }

# podman_story NAME TEXT: a pool, an empty store, a base image's files in ./base.
podman_story() {
    version=$(/usr/bin/podman --version | sed 's/podman version //')
    story "$1$(edition "$version" 5.4)" "$2
Recorded from podman $version with --storage-driver zfs --storage-opt zfs.fsname=tank/storage."
    pool
    zfs create tank/storage
    mountpoint -q /sys/fs/cgroup || mount -t cgroup2 cgroup2 /sys/fs/cgroup
    rm -rf /var/lib/containers /run/containers /run/libpod
    mkdir -p /etc/containers
    echo '{"default":[{"type":"insecureAcceptAnything"}]}' > /etc/containers/policy.json
    fragile
    rm -rf base context
    # Unpacking makes a directory in the root for a moment, which no trace has: with so many names the
    # root's table has the same size with it.
    mkdir -p base/bin base/etc base/data base/opt base/srv context
    cp ../actor base/bin/actor
    ../actor put base/etc/motd text:1 200 + put base/etc/name random:2 30 + chmod 600 base/etc/name \
        + put base/data/big random:3 300K + put base/data/words text:4 20K \
        + ln base/data/words base/data/more + symlink ../etc/motd base/data/link
    find base -exec touch -h -d @1700000000 {} +
}

# Imports the base image.
import() {
    (cd base && tar --sort=name --owner=0 --group=0 -cf ../base.tar .)
    run podman import base.tar base:1
}

# Ends the story.
finish() {
    end
    podman kill -a > /dev/null 2>&1
    awk '$3 == "zfs" && $2 ~ /containers/ { print $2 }' /proc/mounts | sort -r | xargs -r umount -l
    zpool destroy -f tank
}
