#!/usr/bin/env python3
"""The values that org_reports.c pins, computed a second time from gate.h, audience.h and rollup.h alone.

Prints "name hex" lines; `CAIRN_GOLDEN=1 build/rel/tests/golden/org_reports` prints the same.
"""
import hashlib

SECRET = bytes([7, 8, 9]) + bytes(29)


def head(n, short, base, forms):
    if short is not None and n < short:
        return bytes([base + n])
    for code, size in forms:
        if n < 1 << 8 * size:
            return bytes([code]) + n.to_bytes(size, "big")
    raise ValueError(n)


def pack(v):
    if v is None:
        return b"\xc0"
    if v is True or v is False:
        return b"\xc3" if v else b"\xc2"
    if isinstance(v, int):
        return head(v, 128, 0, [(0xcc, 1), (0xcd, 2), (0xce, 4), (0xcf, 8)])
    if isinstance(v, bytes):
        return head(len(v), None, 0, [(0xc4, 1), (0xc5, 2), (0xc6, 4)]) + v
    if isinstance(v, str):
        raw = v.encode()
        return head(len(raw), 32, 0xa0, [(0xd9, 1), (0xda, 2), (0xdb, 4)]) + raw
    if isinstance(v, list):
        return head(len(v), 16, 0x90, [(0xdc, 2), (0xdd, 4)]) + b"".join(map(pack, v))
    pairs = sorted((pack(k), pack(x)) for k, x in v.items())
    return head(len(pairs), 16, 0x80, [(0xde, 2), (0xdf, 4)]) + b"".join(k + x for k, x in pairs)


def blake(domain, data, key=b"", size=32):
    return hashlib.blake2b(bytes([len(domain)]) + domain + data, digest_size=size, key=key).digest()


def mac(domain, data):
    return blake(domain, data, SECRET, 16)


def show(name, data):
    print(name, data.hex())


def rule(layer, private, teams):
    return bytes([layer, private, len(teams)]) + b"".join(teams)


show("rule", rule(2, 0, [b"\x01" + bytes(15), b"\x02" + bytes(15)]))
show("rule_audience", mac(b"cairn-audience", rule(2, 0, [b"\x01" + bytes(15), b"\x02" + bytes(15)])))
show("private_audience", mac(b"cairn-audience", rule(2, 1, [])))


# ---- reports -----------------------------------------------------------------------------------
def report(time):
    audience = mac(b"cairn-audience", rule(2, 0, []))
    entries = []
    for goal, objective, weight in ((0x11, 0x0a, 10000), (0x11, 0x0b, 25000), (0x22, 0x0a, 10000)):
        e = {1: mac(b"cairn-goal", bytes([goal]) * 16), 2: bytes([objective]) * 16, 3: weight}
        if goal == 0x11:
            e |= {4: 455000, 5: 12, 6: 25, 7: 1705329000000, 9: "Development"} | ({8: 1800} if time else {})
        else:
            e |= {4: None, 5: 35, 6: 300, 7: 1705329000001} | ({8: 40} if time else {})
        entries.append(e)
    entries.sort(key=lambda e: (e[1], e[2]))
    summary = {1: 47, 2: 1, 3: {"Development": 20, "Documentation": 15, "Meetings": 12}} | ({4: 1840} if time else {})
    body = {1: 2, 2: entries, 3: summary}
    body[4] = mac(b"cairn-report-salt", audience + pack(body))
    total = 256
    while True:
        for padding in range(total):
            whole = pack(body | {15: bytes(padding)})
            if len(whole) == total:
                return audience, whole
            if len(whole) > total:
                break
        total *= 2


show("audience", report(False)[0])
show("report", report(False)[1])
show("report_with_time", report(True)[1])

# ---- roll-ups ----------------------------------------------------------------------------------
leaves = []
for member, value, weight in ((1, 750000, 10000), (2, 500000, 10000), (3, -1 << 63, 0)):
    leaves.append(blake(b"cairn-leaf-report", bytes([0x60 + member]) * 16 + bytes([0x50 + member]) * 32 + b"\x0a" * 16 +
                        value.to_bytes(8, "big", signed=True) + weight.to_bytes(8, "big")))
leaves.sort()
root = blake(b"cairn-merkle", blake(b"cairn-merkle", leaves[0] + leaves[1]) + leaves[2])
rollup = {1: b"\x0a" * 16, 2: [b"\x44" * 32], 3: 0, 4: 0, 5: 625000, 6: 625000, 7: 1, 8: 1705329000003, 9: 3, 10: 1,
          11: [[b"\x33" * 16, 700000]], 12: [], 13: 3, 14: root, 16: False}
show("rollup", pack(rollup))
show("rollup_suppressed", pack(rollup | {5: None, 6: None, 9: None, 10: None, 11: [], 16: True}))
