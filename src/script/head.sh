#
# It makes the pools that stand in it, on files of its own, and removes them. It needs root, and no pool of these
# names. Exit code 0: ZFS does what stands here; 1: it does something else; 2: it cannot be run.

LC_ALL=C TZ=UTC
export LC_ALL TZ
umask 022

cannot() {
    echo "$*" >&2
    exit 2
}

[ "$(id -u)" = 0 ] || cannot 'this needs root'
command -v zpool >/dev/null || cannot 'there is no ZFS'

work=$(mktemp -d) || cannot 'there is no room for files'
pools= mounts= differs=0

clean_up() {
    exec 3<&- 4<&- 5<&- 6<&- 7<&- 8<&- 9<&-
    for path in $mounts; do umount -l "$path" 2>/dev/null; rmdir "$path" 2>/dev/null; done
    for pool in $pools; do zpool destroy -f "$pool" 2>/dev/null; done
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 2' HUP INT TERM

# A pool of this name is only touched if it is made here.
own_pool() {
    case " $pools " in *" $1 "*) return ;; esac
    zpool list "$1" >/dev/null 2>&1 && cannot "there is a pool $1 already"
    pools="$pools $1"
}

# Runs a step; its first word says what it is.
run() {
    step=$1
    shift
    "$@" >"$work/out" 2>"$work/err"
    ended=$?
    sed -i "s|$work||g" "$work/out" "$work/err"
}

differ() {
    differs=1
    echo "$ $step"
    cat
}

out() { cat >"$work/expected"; diff "$work/expected" "$work/out" >"$work/diff" || differ <"$work/diff"; }
err() { cat >"$work/expected"; diff "$work/expected" "$work/err" >"$work/diff" || differ <"$work/diff"; }
end() { [ "$ended" = "$1" ] || echo "exit code $ended instead of $1" | differ; }

# Where a path in a dataset is.
at() {
    where=$(awk -v dataset="$1" '$1 == dataset { print $2; exit }' /proc/mounts)
    [ -n "$where" ] || where=$work/not-mounted
    printf '%s%s' "$where" "$2"
}

# Runs a program, and tells an error by its name, as ztwin does.
call() {
    "$@" >"$work/said" 2>&1 && return 0
    case $(cat "$work/said") in
    *'Operation not permitted'*) echo EPERM ;;
    *'No such file or directory'*) echo ENOENT ;;
    *'File exists'*) echo EEXIST ;;
    *'Not a directory'*) echo ENOTDIR ;;
    *'Is a directory'*) echo EISDIR ;;
    *'Directory not empty'*) echo ENOTEMPTY ;;
    *'busy'*) echo EBUSY ;;
    *'Read-only file system'*) echo EROFS ;;
    *'Disk quota exceeded'*) echo EDQUOT ;;
    *'No space left'*) echo ENOSPC ;;
    *'Invalid argument'* | *'not mounted'*) echo EINVAL ;;
    *'Permission denied'*) echo EACCES ;;
    *) cat "$work/said" ;;
    esac >&2
    return 1
}

vdev() { mkdir -p "$(dirname "$work$1")" && truncate -s "$2" "$work$1"; }

# Bytes of a seed: the same ones each time, and no longer than asked for.
random() { [ -e "$work/random-$1" ] || head -c 16M /dev/urandom >"$work/random-$1"; head -c "$2" "$work/random-$1"; }
lines() { yes "line $1" | head -c "$2"; }
zero() { head -c "$1" /dev/zero; }

# Writes standard input to a file, from an offset on.
put() { call dd of="$1" oflag=seek_bytes seek="$2" bs=1M iflag=fullblock conv=notrunc status=none; }

# Mounts a dataset at a directory that is made for it.
put_on() {
    case " $mounts " in *" $3 "*) ;; *)
        [ -e "$3" ] && cannot "there is $3 already"
        mounts="$mounts $3" ;;
    esac
    mkdir -p "$3" && call mount -t zfs -o "$1" "$2" "$3"
}

# write_at FILE OFFSET DATA...: what makes the data is run, and written.
write_at() {
    file=$1 offset=$2
    shift 2
    "$@" | put "$file" "$offset"
}
