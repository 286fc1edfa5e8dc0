#!/usr/bin/env python3
"""How Go reads every beginning of an archive: cut.py LIST ARCHIVE > cut, where LIST is list.go, built."""

import os
import subprocess
import sys
import tempfile

program, archive = sys.argv[1:]
whole = open(archive, "rb").read()
with tempfile.TemporaryDirectory() as directory:
    names = []
    for size in range(len(whole) + 1):
        names.append(os.path.join(directory, "%06d" % size))
        with open(names[-1], "wb") as out:
            out.write(whole[:size])
    listed = subprocess.run([program], input="\n".join(names) + "\n", capture_output=True, text=True, check=True)
outcomes = []
for block in listed.stdout.split("== ")[1:]:
    *before, last = block.splitlines()[1:]
    if " error " in last:
        last = "error " + last.split(" error ")[1]
    outcomes.append("%d %s" % (len(before), last))
start = 0
for at, outcome in enumerate(outcomes):
    if at + 1 == len(outcomes) or outcomes[at + 1] != outcome:
        print("%d..%d %s" % (start, at, outcome))
        start = at + 1
