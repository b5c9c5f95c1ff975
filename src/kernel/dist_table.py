#!/usr/bin/env python3
"""Writes dist_table.h: the constants of dist_index.h, in exact arithmetic.

    python3 src/kernel/dist_table.py > src/kernel/dist_table.h

With --check it also walks all 2^20 boundaries of scale 20 and prints how
near the nearest of them comes to a float8 (2^-n of an octave's start), and
the largest error of the quadratic, which must stay below DIST_LOG_ERROR.
"""
import sys
from decimal import Decimal, getcontext

getcontext().prec = 80
TWO = Decimal(2)
LOG2E = 1 / TWO.ln()


def log_row(j):
    """log2 around the middle of slice j of 256: constant, slope, curvature."""
    c = 1 + (Decimal(j) + Decimal("0.5")) / 256
    return (round(c.ln() * LOG2E * 2**62),
            round(LOG2E / c * 2**30),
            round(LOG2E / (2 * c * c) * 2**30))


def power_row(digit, a):
    """2^(a / 2^(5 * digit)) in units of 2^-127."""
    return round(TWO ** (Decimal(a) / 2 ** (5 * digit)) * 2**127)


def header():
    print("/*\n * dist_table.h\n *\t\tThe constants of dist_index.h. Written by dist_table.py: do not edit.\n */")
    print("const DistLogRow dist_log_rows[256] = {")
    for j in range(256):
        a, b, c = log_row(j)
        print("\t{INT64CONST(0x%016x), 0x%08x, 0x%08x}," % (a, b, c))
    print("};\n")
    print("static const DistPower dist_power_table[4][32] = {")
    for digit in range(1, 5):
        print("\t{")
        for a in range(32):
            p = power_row(digit, a)
            print("\t\t{UINT64CONST(0x%016x), UINT64CONST(0x%016x)}," % (p >> 64, p & (2**64 - 1)))
        print("\t},")
    print("};")


def check():
    one = 2**300
    getcontext().prec = 110
    step = int(TWO ** (Decimal(1) / 2**20) * Decimal(one))
    x, nearest = one, None
    grid = one >> 52
    for k in range(1, 2**20):
        x = x * step >> 300
        d = x % grid
        d = min(d, grid - d)
        nearest = d if nearest is None else min(nearest, d)
    print("nearest boundary: 2^-%d" % (301 - nearest.bit_length()))
    worst = Decimal(0)
    for j in range(256):
        a, b, c = log_row(j)
        for t in (-(2**31), -(2**30), -12345, 0, 2**30, 2**31 - 1):
            got = a + (t * b >> 8) - ((t * t >> 32) * c >> 16)
            true = (1 + (Decimal(j) + Decimal("0.5")) / 256 + Decimal(t) / 2**40).ln() * LOG2E
            worst = max(worst, abs(Decimal(got) / 2**62 - true))
    print("largest error of the quadratic: 2^%.2f" % float(worst.ln() * LOG2E))


header() if "--check" not in sys.argv else check()
