//! What a call of a simulated program costs: starting it, asking the server, and its answer.
//!
//! `cargo bench --bench sim_calls`; docs/sim.md has the figures of the real programs beside it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// A machine that lives for as long as its standard input is open.
struct Machine {
    sim: Child,
    program: String,
}

impl Machine {
    fn new(args: &[&str]) -> Self {
        let mut sim = Command::new(env!("CARGO_BIN_EXE_ztwin"));
        sim.args(["sim", "--pool", "tank=10G"]).args(args);
        // The datasets that are listed: as many as a machine with some containers has.
        let script = "for i in $(seq 50); do zfs create tank/$i; done; command -v zfs; read line";
        sim.args(["--", "sh", "-c", script]);
        let sim = sim.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut sim = sim.expect("ztwin runs");
        let mut program = String::new();
        let out = sim.stdout.take().expect("piped");
        BufReader::new(out).read_line(&mut program).expect("a line");
        Machine {
            sim,
            program: program.trim_end().to_owned(),
        }
    }

    fn zfs(&self, args: &str) {
        let mut zfs = Command::new(&self.program);
        let output = zfs.args(args.split(' ')).output().expect("zfs runs");
        assert!(output.status.success(), "zfs {args}: {output:?}");
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // It ends when it has read the line.
        let mut input = self.sim.stdin.take().expect("piped");
        input.write_all(b"\n").expect("it reads");
        self.sim.wait().expect("it ends");
    }
}

fn calls(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a directory");
    let state = directory.path().join("state");
    let state = state.to_str().expect("UTF-8");
    let mut group = criterion.benchmark_group("a call of zfs");
    group.throughput(Throughput::Elements(1));
    let machine = Machine::new(&[]);
    group.bench_function("list, of one", |bench| {
        bench.iter(|| machine.zfs("list -H -o name tank"));
    });
    group.bench_function("list, of fifty", |bench| {
        bench.iter(|| machine.zfs("list -H -o name"));
    });
    drop(machine);
    group.throughput(Throughput::Elements(2));
    for (name, args) in [
        ("create and destroy", &[][..]),
        ("create and destroy, --state", &["--state", state]),
    ] {
        let machine = Machine::new(args);
        group.bench_function(name, |bench| {
            bench.iter(|| {
                machine.zfs("create tank/a");
                machine.zfs("destroy tank/a");
            });
        });
    }
    group.finish();
}

criterion_group!(benches, calls);
criterion_main!(benches);
