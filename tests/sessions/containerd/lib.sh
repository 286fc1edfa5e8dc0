# Shared by the sessions of containerd: sourced.
. ../lib.sh

root=/var/lib/containerd
socket=/run/containerd-session/socket

ctr() { command ctr --address $socket "$@"; }
snapshots() { ctr snapshots --snapshotter zfs "$@"; }

# Runs `ctr snapshots WORDS` and says so in the trace.
s() { run snapshots "$@"; }
s_refused() { refused snapshots "$@"; }

# containerd_story NAME TEXT: a pool and a fresh daemon.
containerd_story() {
    version=$(containerd --version | cut -d ' ' -f 3)
    story "$1$(edition "$version" 1.7)" "$2
Recorded from containerd $version with its zfs snapshotter; \`snapshots\` is \`ctr snapshots --snapshotter zfs\`."
    pool
    rm -rf $root /run/containerd-session
    mkdir -p /run/containerd-session
    zfs create -o mountpoint=$root/io.containerd.snapshotter.v1.zfs tank/containerd
    mountpoint -q /sys/fs/cgroup || mount -t cgroup2 cgroup2 /sys/fs/cgroup
    # Shells differ in what quotes are in ${...} in a document.
    without='"io.containerd.snapshotter.v1.overlayfs", '
    without=${overlayfs-$without}
    cat > /run/containerd-session/config.toml <<X
version = 2
root = "$root"
state = "/run/containerd-session/state"
disabled_plugins = [$without"io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.blockfile",
  "io.containerd.snapshotter.v1.aufs"]
[grpc]
address = "$socket"
[plugins."io.containerd.gc.v1.scheduler"]
deletion_threshold = 1
startup_delay = "1h"
X
    fragile
    started
    mkdir -p /mnt/layer
}

# Starts the daemon.
started() {
    note "\`containerd\` starts."
    PATH=/run/fragile:$PATH containerd -c /run/containerd-session/config.toml >> /run/containerd.log 2>&1 &
    daemon=$!
    echo $daemon > /run/daemon
    await ctr version
}

# Stops it.
stopped() {
    note "\`containerd\` is stopped."
    ended
}

# The names of all datasets, not by way of the recorder.
datasets() { /run/ztwin-capture/real/zfs list -H -o name -t all -r tank/containerd; }

# Removes a snapshot and waits for the garbage collector, which then destroys its dataset.
removed() {
    before=$(datasets)
    s remove "$@"
    settle
}

# Waits until the datasets have changed from $before and then stand still, or do not change for long.
settle() {
    last=$before quiet=0
    while [ $quiet -lt 12 ] && { [ $quiet -lt 5 ] || [ "$last" = "$before" ]; }; do
        sleep 1
        now=$(datasets)
        if [ "$now" = "$last" ]; then quiet=$((quiet + 1)); else last=$now quiet=0; fi
    done
}

# Mounts what `ctr snapshots mounts` says, as a client does.
mounted() {
    note "\`snapshots mounts /mnt/layer $1\`, and what it says."
    # mount -t zfs SOURCE TARGET -o OPTIONS
    set -- $(snapshots mounts /mnt/layer "$1")
    mount -t "$3" ${7:+-o "$7"} "$4" "$5"
}

unmounted() { umount /mnt/layer; }

# Runs the actor in the mounted layer.
act() {
    note "In the mounted layer: \`$*\`"
    (cd /mnt/layer && /run/ztwin-session/sessions/actor "$@")
}

# Ends the story and the daemon.
finish() {
    end
    ended
    for point in $(awk '$3 == "zfs" { print $2 }' /proc/mounts | grep -v '^/tank' | sort -r); do
        umount -l "$point"
    done
    zpool destroy -f tank
}
