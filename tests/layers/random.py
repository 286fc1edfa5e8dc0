#!/usr/bin/env python3
"""Makes pairs of trees drawn at random, DIRECTORY/N/base and DIRECTORY/N/upper, as root:
random.py DIRECTORY COUNT SEED."""

import os
import random
import shutil
import subprocess
import sys

root, count, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
NAMES = ["a", "b", "c", "a-b", "a.b", "B", "caf\u00e9", "x" * 60, "y" * 110, "with space", "z=1"]
TIMES = [1700000000, 1700000000.5, 1700000001, 1700000001.25, -5, 0, 9000000000]
CAPABILITIES = ["0100000200200000000000000000000000000000", "010000030020000000000000000000000000000000000100"]


def touch(path):
    time = random.choice(TIMES)
    os.utime(path, ns=(int(time * 1e9), int(time * 1e9)), follow_symlinks=False)


def everything(tree):
    found = []
    for above, directories, files in os.walk(tree):
        found += [os.path.join(above, it) for it in directories + files]
    return found


def directories(tree):
    return [tree] + [it for it in everything(tree) if os.path.isdir(it) and not os.path.islink(it)]


def files(tree):
    return [it for it in everything(tree) if os.path.isfile(it) and not os.path.islink(it)]


def step(tree):
    path = os.path.join(random.choice(directories(tree)), random.choice(NAMES))
    if len(path) - len(tree) > 700:
        return
    there = os.path.lexists(path)
    what = random.randrange(16)
    if what < 4 and not os.path.isdir(path):
        if os.path.lexists(path) and not os.path.isfile(path):
            os.remove(path)
        with open(path, "w") as out:
            out.write(random.choice(["", "one", "two", "three" * 400]))
        touch(path)
    elif what < 6 and not there:
        os.mkdir(path, random.choice([0o755, 0o700, 0o1777]))
    elif what == 6 and not there:
        os.symlink(random.choice(["a", "../b", "/etc/passwd", "t" * 120]), path)
        touch(path)
    elif what == 7 and not there:
        kind = random.choice(["p", "c", "b", "s"])
        if kind == "s":
            import socket
            if len(path) < 100:
                socket.socket(socket.AF_UNIX).bind(path)
        else:
            subprocess.run(["mknod", path, kind] + (["1", str(random.randrange(300))] if kind in "cb" else []), check=True)
            touch(path)
    elif what == 8 and not there:
        others = [it for it in everything(tree) if not os.path.isdir(it) or os.path.islink(it)]
        if others:
            os.link(random.choice(others), path, follow_symlinks=False)
    elif what == 9 and there:
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.remove(path)
    elif what == 10 and there and not os.path.islink(path):
        os.chmod(path, random.choice([0o644, 0o4755, 0o600, 0o2711]))
    elif what == 11 and there:
        os.chown(path, random.choice([0, 1000, 2097151, 2097152, 4000000]), random.choice([0, 5]), follow_symlinks=False)
    elif what == 12 and files(tree):
        os.setxattr(random.choice(files(tree)), "security.capability", bytes.fromhex(random.choice(CAPABILITIES)))
    elif what == 13 and there:
        touch(path)
    elif what == 14 and there and (os.path.isdir(path) or os.path.isfile(path)) and not os.path.islink(path):
        os.setxattr(path, "user.note", random.choice([b"one", b"two"]))
    elif what == 15 and os.path.islink(path):
        # Another link of the same length and time.
        was, at = os.readlink(path), os.lstat(path).st_mtime_ns
        os.remove(path)
        os.symlink("x" * len(was), path)
        os.utime(path, ns=(at, at), follow_symlinks=False)


random.seed(seed)
for number in range(count):
    base = os.path.join(root, str(number), "base")
    os.makedirs(base)
    for _ in range(random.randrange(40)):
        step(base)
    upper = os.path.join(root, str(number), "upper")
    subprocess.run(["cp", "-a", base, upper], check=True)
    for _ in range(random.randrange(30)):
        step(upper)
