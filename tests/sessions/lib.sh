# Shared by the recorded sessions: sourced, as root, where `ztwin capture` runs them. `story`, `note`
# and `end` are the recorder's.

# Runs a command and says so in the trace. One that fails says how it ended; it never ends the session.
run() {
    note "\`$*\`"
    { "$@" 2>&1 < /dev/null; echo $? > /run/code; } | tee /run/said
    code=$(cat /run/code)
    [ "$code" = 0 ] || note "It fails ($code): $(tail -n 1 /run/said)"
}

# The same for a command that must fail.
refused() {
    run "$@"
    [ "$code" != 0 ] || { echo "expected a failure of: $*" >&2; exit 1; }
}

# Debian 12's image has these of busybox only.
command -v mount > /dev/null || {
    mount() { busybox mount "$@"; }
    umount() { busybox umount "$@"; }
}

# Waits for a condition, at most a minute.
await() {
    for _ in $(seq 300); do
        "$@" > /dev/null 2>&1 && return
        sleep 0.2
    done
    echo "waited in vain for: $*" >&2
    exit 1
}

# Puts a program in place of `zfs` for the daemon: it runs the real one, and then kills the daemon (whose
# process is in /run/daemon) if its arguments are what `die_behind` was told.
fragile() {
    mkdir -p /run/fragile
    rm -f /run/fragile/die
    cat > /run/fragile/zfs <<'X'
#!/bin/sh
/usr/sbin/zfs "$@"
code=$?
if read -r pattern 2> /dev/null < /run/fragile/die; then
    case "$*" in
    $pattern)
        rm /run/fragile/die
        kill -9 "$(cat /run/daemon)"
        ;;
    esac
fi
exit $code
X
    chmod 755 /run/fragile/zfs
}

# The next call of `zfs` with arguments like these is the last one of the daemon.
die_behind() {
    note "The daemon is killed behind \`zfs $*\`."
    echo "$*" > /run/fragile/die
}

# Waits until the daemon is dead.
died() {
    await sh -c '! kill -0 "$(cat /run/daemon)"'
    wait "$(cat /run/daemon)" || true
}

# Ends the daemon, by force if it takes more than half a minute.
ended() {
    kill $daemon
    for _ in $(seq 100); do
        case $(cat /proc/$daemon/stat 2> /dev/null) in
        '' | *') Z '*) break ;;
        esac
        sleep 0.3
    done
    kill -9 $daemon 2> /dev/null
    wait $daemon || true
}

# What sets a recording apart from that of the release that needs no name: `-20.10` for docker 20.10.
edition() {
    case $1 in
    $2.*) ;;
    *) echo "$1" | sed 's/^v\{0,1\}\([0-9]*\.[0-9]*\).*/-\1/' ;;
    esac
}

# A pool for one story.
pool() {
    rm -f /v/tank
    truncate -s 1G /v/tank
    zpool create -o ashift=12 -O atime=off tank /v/tank
}
