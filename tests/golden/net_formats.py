#!/usr/bin/env python3
"""The values that net_formats.c pins, computed a second time from protocol.md, act.h, statement.h and wire.h alone.

Prints "name hex" lines; `CAIRN_GOLDEN=1 build/rel/tests/golden/net_formats` prints the same.  Own encoder, Python's BLAKE2b;
libsodium through ctypes for Ed25519 and XChaCha20-Poly1305 only.
"""
import ctypes
import ctypes.util
import hashlib

sodium = ctypes.CDLL(ctypes.util.find_library("sodium"))
sodium.sodium_init()


def head(n, short, base, forms):
    if short is not None and n < short:
        return bytes([base + n])
    for code, size in forms:
        if n < 1 << 8 * size:
            return bytes([code]) + n.to_bytes(size, "big")
    raise ValueError(n)


class Raw(bytes):
    """Already encoded."""


def pack(v):
    if isinstance(v, Raw):
        return bytes(v)
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


def sign_keys(seed):
    public, secret = ctypes.create_string_buffer(32), ctypes.create_string_buffer(64)
    sodium.crypto_sign_seed_keypair(public, secret, seed)
    return public.raw, secret.raw


def sign(domain, digest):
    out = ctypes.create_string_buffer(64)
    message = bytes([len(domain)]) + domain + digest
    sodium.crypto_sign_detached(out, None, message, ctypes.c_ulonglong(len(message)), SECRET)
    return out.raw


def seal(plain, associated, nonce, key):
    out = ctypes.create_string_buffer(len(plain) + 16)
    sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(
        out, None, plain, ctypes.c_ulonglong(len(plain)), associated, ctypes.c_ulonglong(len(associated)), None, nonce, key)
    return out.raw


def show(name, data):
    print(name, data.hex())


DEVICE, SECRET = sign_keys(bytes([1, 2, 3]).ljust(32, b"\0"))
EPOCH_KEY = bytes([7, 8, 9]).ljust(32, b"\0")
T0 = 1700000000000 << 16
INCARNATION = 0x1122334455667788


def of(n, size=32):
    return bytes([n]) * size


# ---- acts --------------------------------------------------------------------------------------
def act(space, author_type, cites, kind, body):
    part = [1, space, author_type, DEVICE, cites, kind, body]
    ident = blake(b"cairn-authority", pack(part))
    return ident, pack(part + [sign(b"cairn-authority", ident)])


SPACE, genesis = act(bytes(32), 1, [], 1, {1: of(9), 2: "role"})
SECOND, second = act(SPACE, 0, [SPACE, of(0xff)], 300, {})
show("space", SPACE)
show("genesis", genesis)
show("second act id", SECOND)
show("second act", second)


# ---- statements --------------------------------------------------------------------------------
def statement(kind, index, counter, epoch, consent, audience, plain):
    nonce = of(0x4e, 24)
    header = [1, SPACE, DEVICE, kind, index, counter, T0, epoch, consent, audience, nonce]
    body = plain
    if epoch:
        body = seal(plain, pack(header), nonce, blake(b"cairn-statement", b"", key=EPOCH_KEY))
    ident = blake(b"cairn-statement", pack(header + [body]))
    return ident, pack(header + [body, sign(b"cairn-statement", ident)])


REPORT, report = statement(1, (5).to_bytes(16, "big"), 77, of(0xee), 3, of(0xaa, 16), b"the body")
ADDRESS, address = statement(3, bytes(16), 2 ** 40, None, 0, None, b"in clear")
show("report id", REPORT)
show("report", report)
show("address id", ADDRESS)
show("address", address)


# ---- runs --------------------------------------------------------------------------------------
def run(hlc, body):
    header = pack([1, SPACE, DEVICE, INCARNATION, 1, bytes(32), hlc, [SPACE], 3, None, None, len(body), blake(b"cairn-body", body)])
    ident = blake(b"cairn-op", header)
    return ident, pack([1, SPACE, DEVICE, INCARNATION, 1, bytes(32), sign(b"cairn-op", ident), [[4, hlc, 3, body, [SPACE]]]])


A, run_a = run(T0 + 1, b"one way")
B, run_b = run(T0 + 2, b"or the other")
if A > B:
    A, run_a, B, run_b = B, run_b, A, run_a

# ---- slots -------------------------------------------------------------------------------------
act_key = b"A" + SECOND
log_key = b"L" + DEVICE + INCARNATION.to_bytes(8, "big")
fork_key = b"F" + DEVICE + INCARNATION.to_bytes(8, "big")
statement_key = b"S" + DEVICE + b"\1" + (5).to_bytes(16, "big")
log_slot, fork_slot, statement_slot = [log_key, 9, A], [fork_key, 1, A], [statement_key, 77, REPORT]

# ---- frames ------------------------------------------------------------------------------------
EMPTY = [None] * 16
node = list(EMPTY)
node[3], node[15] = of(3), log_slot
leaf = list(EMPTY)
leaf[0] = statement_slot
show("HELLO", pack([1, 1, of(9, 16), [[of(1), of(2, 16), 300]], ["tcp://10.0.0.1:7411", "tcp://[::1]:7411"], "cairn 0.1.0"]))
show("ROOTS", pack([2, SPACE, of(1), of(2), True, 70000, False]))
show("ASK_NODES", pack([3, SPACE, 1, [b"", b"\1", b"\1\x0f"]]))
show("NODES", pack([4, SPACE, 1, [[b"", node], [b"\1\x0f", leaf]]]))
show("WANT", pack([5, SPACE, [[act_key, 0], [log_key, 9], [fork_key, 1], [statement_key, 77]]]))
show("ACTS", pack([6, SPACE, 5, [genesis, second]]))
show("RUN", pack([7, None, run_a]))
show("STATEMENTS", pack([8, SPACE, 2 ** 32, [report, address]]))
show("HEARTBEAT", pack([9, [[SPACE, 12], [of(0xfe), 2 ** 64 - 1]]]))
show("SINCE", pack([10, SPACE, 12345678901]))
show("SLOTS", pack([11, SPACE, 1, [log_slot, fork_slot, statement_slot], 99, True]))
show("JOIN", pack([12, SPACE, of(8), of(7, 16), of(6), b"certificate", of(5, 64)]))
show("JOINED", pack([13, of(7, 16), 0, of(3), of(4)]))
show("JOINED waiting", pack([13, of(7, 16), 1, None, of(4)]))
show("REFUSE", pack([14, 3, SPACE]))
show("REFUSE all", pack([14, 1, None]))
show("CREDIT", pack([15, 1 << 20]))
show("FORK", pack([16, SPACE, run_a, run_b]))
