#!/usr/bin/env python3
"""The values that crdt_formats.c pins, computed a second time from protocol.md and the headers alone.

Prints "name hex" lines; `CAIRN_GOLDEN=1 build/rel/tests/golden/crdt_formats` prints the same.  Own encoder, Python's BLAKE2b;
libsodium through ctypes for Ed25519 and XChaCha20-Poly1305 only.
"""
import ctypes
import ctypes.util
import hashlib
import struct

sodium = ctypes.CDLL(ctypes.util.find_library("sodium"))
sodium.sodium_init()


# ---- canonical msgpack -------------------------------------------------------------------------
class Raw(bytes):
    """Already encoded."""


def head(n, short, base, forms):
    if short is not None and n < short:
        return bytes([base + n])
    for code, size in forms:
        if n < 1 << 8 * size:
            return bytes([code]) + n.to_bytes(size, "big")
    raise ValueError(n)


def pack(v):
    if isinstance(v, Raw):
        return bytes(v)
    if v is None:
        return b"\xc0"
    if v is True or v is False:
        return b"\xc3" if v else b"\xc2"
    if isinstance(v, int) and v >= 0:
        return head(v, 128, 0, [(0xcc, 1), (0xcd, 2), (0xce, 4), (0xcf, 8)])
    if isinstance(v, int):
        if v >= -32:
            return struct.pack("b", v)
        for code, size in (0xd0, 1), (0xd1, 2), (0xd2, 4), (0xd3, 8):
            if v >= -(1 << 8 * size - 1):
                return bytes([code]) + v.to_bytes(size, "big", signed=True)
    if isinstance(v, bytes):
        return head(len(v), None, 0, [(0xc4, 1), (0xc5, 2), (0xc6, 4)]) + v
    if isinstance(v, str):
        raw = v.encode()
        return head(len(raw), 32, 0xa0, [(0xd9, 1), (0xda, 2), (0xdb, 4)]) + raw
    if isinstance(v, list):
        return head(len(v), 16, 0x90, [(0xdc, 2), (0xdd, 4)]) + b"".join(map(pack, v))
    pairs = sorted((pack(k), pack(x)) for k, x in v.items())
    return head(len(pairs), 16, 0x80, [(0xde, 2), (0xdf, 4)]) + b"".join(k + x for k, x in pairs)


# ---- hashes, keys ------------------------------------------------------------------------------
def blake(domain, data, key=b"", size=32):
    return hashlib.blake2b(bytes([len(domain)]) + domain + data, digest_size=size, key=key).digest()


def sign_keys(seed):
    public, secret = ctypes.create_string_buffer(32), ctypes.create_string_buffer(64)
    sodium.crypto_sign_seed_keypair(public, secret, seed)
    return public.raw, secret.raw


def sign(domain, digest, secret):
    out = ctypes.create_string_buffer(64)
    message = bytes([len(domain)]) + domain + digest       # framed as hashes are
    sodium.crypto_sign_detached(out, None, message, ctypes.c_ulonglong(len(message)), secret)
    return out.raw


def seal(plain, associated, nonce, key):
    out = ctypes.create_string_buffer(len(plain) + 16)
    sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(
        out, None, plain, ctypes.c_ulonglong(len(plain)), associated, ctypes.c_ulonglong(len(associated)), None, nonce, key)
    return out.raw


def show(name, data):
    print(name, data.hex())


SEED, EPOCH_KEY = bytes([1, 2, 3]).ljust(32, b"\0"), bytes([7, 8, 9]).ljust(32, b"\0")
DEVICE, SECRET = sign_keys(SEED)
SPACE, EPOCH, DOCUMENT = b"\x51" * 32, b"\xee" * 32, b"\xdd" * 16
HEADS = [b"\x44" * 32, b"\x45" * 32]
INCARNATION = 0x1122334455667788
T0 = 1700000000000 << 16


# ---- ops ---------------------------------------------------------------------------------------
def make_op(seq, prev, hlc, heads, kind, document, epoch, plain):
    length = len(plain) + (16 if epoch else 0)
    part = [1, SPACE, DEVICE, INCARNATION, seq, prev, hlc, heads, kind, document, epoch, length]
    body = plain
    if epoch:
        key = blake(b"cairn-op-key", DEVICE + INCARNATION.to_bytes(8, "big"), key=EPOCH_KEY)
        nonce = blake(b"cairn-op-nonce", pack(part), key=key, size=24)
        body = seal(plain, pack(part), nonce, key)
    header = pack(part + [blake(b"cairn-body", body)])
    return {"part": pack(part), "header": header, "body": body, "id": blake(b"cairn-op", header)}


first = make_op(1, bytes(32), T0 + 5, HEADS, 300, DOCUMENT, EPOCH, b"plaintext")
signature = sign(b"cairn-op", first["id"], SECRET)
show("device", DEVICE)
show("sealed body", first["body"])
show("header part", first["part"])
show("header", first["header"])
show("op id", first["id"])
show("signature", signature)
show("stored op", pack([first["header"], first["body"], signature]))

second = make_op(2, first["id"], T0 + 5 + 0x10000, HEADS, 300, None, None, b"clear")
third = make_op(3, second["id"], T0 + 5 + 0x30000, HEADS[:1], 300, DOCUMENT, None, b"clear")
show("last op id", third["id"])
show("run", pack([1, SPACE, DEVICE, INCARNATION, 1, bytes(32), sign(b"cairn-op", third["id"], SECRET), [
    [1 | 2 | 4, T0 + 5, 300, first["body"], DOCUMENT, EPOCH, HEADS],
    [8, 0x10000, 300, b"clear"],
    [1 | 4 | 16, 0x20000, 300, [5, blake(b"cairn-body", b"clear")], DOCUMENT, HEADS[:1]]]]))

# ---- documents ---------------------------------------------------------------------------------
ONE, TWO = b"\1" * 32, b"\2" * 32
A, B = b"\xaa" + bytes(15), b"\xbb" + bytes(15)
show("first body", pack({1: True, 2: "Ship it", 3: [["red", "blue"], []], 4: -300,
                         5: {A: [[], {2: "x", 3: 7}], B: [[], {2: "y"}]}}))
show("second body", pack({0: [ONE[:8]], 2: None, 3: [["red"], [["red", [ONE]], ["blue", [ONE]]]],
                          5: {A: [[ONE], {3: -1}], B: [[ONE], None]}}))
one = [T0, ONE, bytes([17]).ljust(32, b"\0")]
two = [T0 + 0x10000, TWO, bytes([18]).ljust(32, b"\0")]
show("cached doc", pack([True, [one, two], two, {2: [1, None], 3: [["red", [TWO]]], 4: -300,
                         5: {A: [[TWO], {2: [0, "x"], 3: 6}], B: [[], {2: [0, "y"]}]}}]))
show("empty doc", pack([False, [], [0, bytes(32), bytes(32)], {}]))


# ---- trie --------------------------------------------------------------------------------------
def subtree(leaves, depth=0):
    if not leaves:
        return bytes(32)
    if len(leaves) == 1:
        return blake(b"cairn-leaf", leaves[0][0] + leaves[0][1])
    children = [[leaf for leaf in leaves if int(leaf[0].hex()[depth], 16) == i] for i in range(16)]
    return blake(b"cairn-branch", b"".join(subtree(c, depth + 1) for c in children))


def leaf(i):
    return (blake(b"cairn-slot", bytes([i])),
            blake(b"cairn-version", (1000 + i).to_bytes(8, "big") + bytes([i]).ljust(32, b"\0")))


for n in 0, 1, 2, 17:
    leaves = sorted(leaf(i) for i in range(n))
    show("root of %d" % n, subtree(leaves))
    if n == 2:
        bitmap = sum(1 << int(key.hex()[0], 16) for key, _ in leaves)
        show("root node of 2", struct.pack(">HH", bitmap, 0) + b"".join(key + value for key, value in leaves))
