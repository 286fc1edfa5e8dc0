#!/usr/bin/env python3
"""Damages archives: mutate.py DIRECTORY[:DIRECTORY...] OUT COUNT [SEED]. COUNT copies of each *.tar, the first whole."""

import os
import random
import sys

sources, out, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
random.seed(int(sys.argv[4]) if len(sys.argv) > 4 else 1)
os.makedirs(out, exist_ok=True)


def seal(data, at):
    """Makes the checksum of a header right again."""
    block = bytearray(data[at:at + 512])
    if len(block) < 512:
        return data
    block[148:156] = b" " * 8
    total = sum(block)
    block[148:156] = b"%06o\0 " % total
    return data[:at] + bytes(block) + data[at + 512:]


def damage(data):
    if not data:
        return data
    at = random.randrange(max(len(data) // 512, 1)) * 512
    what = random.randrange(7)
    if what == 0:
        return data[:random.randrange(len(data))]
    if what == 1:
        place = random.randrange(len(data))
        return data[:place] + bytes([random.choice([0, 32, 48, 55, 56, 255, 128, random.randrange(256)])]) + data[place + 1:]
    if what in (2, 3):
        fields = list(range(100, 157)) + list(range(257, 265)) + list(range(329, 512)) + [0, 99, 99, 156, 156, 156]
        place = at + random.choice(fields)
        if place < len(data):
            value = random.choice([0, 32, 45, 48, 49, 55, 56, 255, 128, random.randrange(256)])
            if place - at == 156:
                value = random.choice(b"01234567gxLKSDMVAN\0")
            data = data[:place] + bytes([value]) + data[place + 1:]
        return seal(data, at)
    if what == 4:
        return data[:at] + data[at + 512:]
    if what == 5:
        return data[:at] + data[at:at + 512] + data[at:]
    place = at + random.randrange(512)
    if place < len(data) and 48 <= data[place] < 58:
        data = data[:place] + bytes([random.choice(b"0123456789")]) + data[place + 1:]
    return data


number = 0
for source in sources.split(":"):
    for name in sorted(os.listdir(source)):
        path = os.path.join(source, name)
        # Of files that are large for their holes the lister reads the start only.
        if not name.endswith(".tar") or "-big" in name or os.path.getsize(path) > 200000:
            continue
        whole = open(path, "rb").read()
        for copy in range(count):
            data = whole
            for _ in range(random.choice([0, 1, 1, 2, 3]) if copy else 0):
                data = damage(data)
            with open(os.path.join(out, "%06d.tar" % number), "wb") as file:
                file.write(data)
            number += 1
