# What tests/guest_snapshotters.rs plays in a guest: sourced by the steps of the traces, as root.
# Each step is told as `@ ID`, what it printed, and `= CODE`.
set -u
export LC_ALL=C
# Traces speak of mount(2).
export LIBMOUNT_FORCE_MOUNT2=always

root=/var/lib/containerd
socket=/run/snapshotters/socket
answers=/run/snapshotters/answers

# started SNAPSHOTTER...: one daemon for all of them. Garbage is collected where a step asks for it, and at no other time.
started() {
    mkdir -p $root $answers /v /mnt
    # Overlayfs has no layers on overlayfs, which is what the guest's root is.
    mount -t tmpfs tmpfs $root
    for snapshotter; do
        mkdir -p "$(place)"
        case $snapshotter in
        zfs)
            truncate -s 1G /v/tank
            zpool create -o ashift=12 -O atime=off tank /v/tank
            zfs create -o mountpoint="$(place)" tank/containerd
            ;;
        btrfs)
            truncate -s 1G /v/btrfs
            mkfs.btrfs -q /v/btrfs || {
                echo "an image from before btrfs-progs: build it with --force" >&2
                exit 1
            }
            mount -o loop /v/btrfs "$(place)"
            ;;
        esac
    done
    cat > /run/snapshotters/config.toml <<Y
version = 2
root = "$root"
state = "/run/snapshotters/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.blockfile", "io.containerd.snapshotter.v1.aufs"]
[grpc]
address = "$socket"
[timeouts]
"io.containerd.timeout.bolt.open" = "60s"
[plugins."io.containerd.gc.v1.scheduler"]
pause_threshold = 0.000001
deletion_threshold = 1000000
startup_delay = "24h"
Y
    containerd -c /run/snapshotters/config.toml > /run/snapshotters/log 2>&1 &
    daemon=$!
    for _ in $(seq 300); do
        ctr --address $socket version > /dev/null 2>&1 && return
        sleep 0.2
    done
    cat /run/snapshotters/log >&2
    exit 1
}

ended() {
    kill "$daemon"
    wait "$daemon" || true
}

# Where the snapshotter keeps what it has.
place() { echo "$root/io.containerd.snapshotter.v1.$snapshotter"; }

# Names are those of the trace: each has its own namespace.
client() { ctr --address $socket --connect-timeout 60s --timeout 600s --namespace "$trace" "$@"; }
snapshots() { client snapshots --snapshotter "$snapshotter" "$@"; }

at() {
    echo "@ $snapshotter/$trace/$1"
    shift
    "$@" 2>&1
    echo "= $?"
}

# made prepare|view KEY [PARENT]: also says, and keeps, how to mount it.
made() {
    snapshots "$1" --target /mnt/it "$2" ${3+"$3"} > $answers.new || return
    mv $answers.new "$answers/$2"
    cat "$answers/$2"
    # Nothing else holds a view.
    [ "$1" = prepare ] || snapshots label "$2" containerd.io/gc.root=view > /dev/null
}

# mounted KEY TARGET: mounts what the daemon said. Options of mount(2) have a page at most: as containerd does,
# layers are named from where they are.
mounted() (
    mkdir -p "$2"
    cd "$(place)"
    target=$2
    # mount -t TYPE SOURCE TARGET -o OPTIONS
    set -- $(sed "s|$PWD/snapshots/|snapshots/|g" "$answers/$1")
    mount -t "$3" ${7:+-o "$7"} "$4" "$target"
)

# removed KEY: with its garbage.
removed() { snapshots remove "$1" && client content prune references > /dev/null; }

# written FILE OFFSET PATH: what is in the file of /work is written there.
written() { dd if="/work/$1" of="$3" bs=64K seek="$2" oflag=seek_bytes conv=notrunc status=none; }

# rename(2), and what mv(1) does when that leads from one filesystem to another.
renamed() {
    perl -e 'rename $ARGV[0], $ARGV[1] or die "$!\n"' "$@" && return
    [ "$?" = 18 ] && mv -T "$@"
    return 1
}

# Whether two names are those of one file.
same() { [ "$1" -ef "$2" ] && echo same || echo others; }

told() { find "$1" -maxdepth 0 -printf '%y\t%m\t%U:%G\t%n\t%s\t\t%l\n'; }

# What is in a directory.
tree() (
    cd "$1"
    find . -printf '%y\t%m\t%U:%G\t%n\t%s\t/%P\t%l\n'
    find . -type f -exec sha256sum {} + | sed 's|^\([^ ]*\)  \.|sum\t\1\t|'
)

# look KEY: what is in an active one or a view.
look() {
    mounted "$1" /mnt/look && tree /mnt/look && umount /mnt/look
}

# look_committed NAME: what is in a committed one.
look_committed() {
    made view ztwin-look "$1" > /dev/null && look ztwin-look && snapshots remove ztwin-look
}

# How many the snapshotter still has, besides those that it had when the trace began.
count() {
    case $snapshotter in
    zfs) zfs list -H -r -t all -o name tank/containerd | sed 1d | wc -l ;;
    btrfs) find "$(place)"/active "$(place)"/view "$(place)"/snapshots -mindepth 1 -maxdepth 1 | wc -l ;;
    *) find "$(place)/snapshots" -mindepth 1 -maxdepth 1 | wc -l ;;
    esac
}
left() { echo $(($(count) - before)); }
