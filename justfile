# `just` lists these; `.ci/run` is what must pass.

default:
    @just --list

# Format all code
fmt:
    cargo fmt --all

# What clippy says, as errors
lint:
    cargo clippy --workspace --all-targets --features faults,real-pool -- -D warnings

# All tests that need no guest
test *args:
    cargo test --workspace --features faults {{args}}

# Replay the corpus on the model
check *args:
    cargo run --release --quiet -- check {{args}}

# The corpus on the model and on real OpenZFS, side by side
diff pool="vm:trixie" *args:
    cargo run --release --quiet -- diff --pool {{pool}} {{args}}

# Build the image of a guest
vm name="trixie" *args:
    cargo run --release --quiet -- vm build {{name}} {{args}}

# The tests that need a guest
real pool="vm:trixie":
    ZTWIN_REAL_POOL={{pool}} cargo test --features faults,real-pool --test guest_real_pool

# Docker itself loads an image in a guest
image pool="vm:trixie-docker-containerd":
    ZTWIN_REAL_POOL={{pool}} cargo test --features faults,real-pool --test image_real_docker

# containerd itself plays layer traces over zfs, overlayfs, native and btrfs in a guest
snapshotters pool="vm:trixie-docker-containerd":
    ZTWIN_REAL_POOL={{pool}} cargo test --features faults,real-pool --test guest_snapshotters

# Every sequence of operations over a small world
explore *args:
    cargo run --release --quiet -- explore {{args}}

# Each planted fault is looked for anew; prints the table of docs/faults.md
faults:
    cargo test --release --features faults --test faults_found -- --ignored --nocapture

# Mutants of the model's rules, each built and tested; a day for all of them (docs/mutants.md; needs cargo-mutants)
mutants files="model/src/dsl/**" *args:
    cargo mutants -p ztwin-model -f '{{files}}' {{args}}

# Build all fuzz targets and run each for a moment
fuzz-smoke *args:
    fuzz/smoke.sh {{args}}

# Fuzz a target for a minute (needs cargo-fuzz)
fuzz target="trace" seconds="60":
    cargo fuzz run --sanitizer none {{target}} -- -max_total_time={{seconds}}

# What searches cost, beside stateright and fsx-rs; half an hour, the figures of docs/performance.md
bench-searches:
    cargo bench --bench searches -- --warm-up-time 1 --measurement-time 2
    cargo bench --features faults --bench programs
    cargo install --quiet --locked --root target/fsx --version 0.3.2 fsx
    PATH="$PWD/target/fsx/bin:$PATH" cargo run --release --locked --quiet --manifest-path benches/others/Cargo.toml

# Everything that must hold before a change lands; `just ci full` for three releases
ci *args:
    .ci/run {{args}}
