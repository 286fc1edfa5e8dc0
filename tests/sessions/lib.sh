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

# Waits for a condition, at most a minute.
await() {
    for _ in $(seq 300); do
        "$@" > /dev/null 2>&1 && return
        sleep 0.2
    done
    echo "waited in vain for: $*" >&2
    exit 1
}

# A pool for one story.
pool() {
    rm -f /v/tank
    truncate -s 1G /v/tank
    zpool create -o ashift=12 -O atime=off tank /v/tank
}
