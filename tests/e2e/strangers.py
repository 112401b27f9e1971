#!/usr/bin/env python3
"""What a stranger without a key can do to a listening daemon (design §2.11): nothing that lasts.

usage: strangers.py HOST PORT PID

Sends garbage, half greetings, announcements of 8 GiB, connections that say nothing and ones that say a byte now and then.
The daemon must end those that break the protocol, keep its memory, close their descriptors, and go on accepting.  Prints one
line per attack; exit 0 when all held.  Importable: attack(host, port, pid) -> list of complaints."""
import os
import random
import socket
import sys
import time

GREETING = b'\xff' + bytes(8) + b'\x7f\x03\x01' + b'CURVE' + bytes(15) + bytes(32)
NULL = GREETING.replace(b'CURVE', b'NULL\0')
MIB = 1 << 20


def resident(pid):
    with open(f'/proc/{pid}/statm') as f:
        return int(f.read().split()[1]) * os.sysconf('SC_PAGESIZE')


def descriptors(pid):
    return len(os.listdir(f'/proc/{pid}/fd'))


def dial(address, timeout=5):
    s = socket.create_connection(address, timeout)
    s.settimeout(timeout)
    return s


def ended(s, within=8):
    """Does the other side end it?"""
    s.settimeout(within)
    try:
        while s.recv(65536):
            pass
        return True
    except (ConnectionResetError, BrokenPipeError):
        return True
    except OSError:
        return False
    finally:
        s.close()


def pour(s, data, limit):
    """Send until the other side stops taking it; how much went."""
    sent = 0
    s.settimeout(2)
    try:
        while sent < limit:
            sent += s.send(data)
    except OSError:
        pass
    return sent


def garbage(address):
    openings = [b'GET / HTTP/1.1\r\nHost: x\r\n\r\n', b'\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03', b'SSH-2.0-x\r\n', b'\xff', b'',
                b'\x01\0', GREETING[:11], GREETING[:63], GREETING, NULL, GREETING.replace(b'\x03\x01', b'\x01\0')]
    rng = random.Random(1)
    last = []
    for i in range(300):
        s = dial(address)
        try:
            s.sendall(openings[i % len(openings)] + rng.randbytes(rng.randrange(4000)))
        except OSError:
            pass
        if i >= 290:
            last.append(s)
        else:
            s.close()
    return all([ended(s) for s in last]) or 'garbage is kept connected'


def announcement(address):
    """A frame of 8 GiB, as message or command, after a greeting of either mechanism."""
    for greeting in (GREETING, NULL):
        for flags in (b'\x02', b'\x06', b'\x03'):
            s = dial(address)
            s.sendall(greeting)
            s.recv(64)
            sent = pour(s, flags + (8 << 30).to_bytes(8, 'big') + bytes(MIB), 64 * MIB)
            if sent >= 64 * MIB:
                return f'{sent // MIB} MiB of an 8 GiB frame were taken'
            if not ended(s):
                return 'an 8 GiB frame does not end the connection'
    return True


def silence(address):
    """Connections that say nothing end after the handshake interval."""
    crowd = [dial(address) for _ in range(200)]
    time.sleep(0.2)
    return all([ended(s) for s in crowd]) or 'silent connections are kept'


def drip(address):
    """A byte now and then does not buy more time."""
    crowd = [dial(address) for _ in range(50)]
    alive, end = set(crowd), time.monotonic() + 12
    at = 0
    while alive and time.monotonic() < end:
        for s in list(alive):
            try:
                s.send(GREETING[at % 64:at % 64 + 1])
                s.settimeout(0)
                try:
                    if not s.recv(64):
                        raise ConnectionResetError
                except BlockingIOError:
                    pass
            except OSError:
                alive.discard(s)
                s.close()
        at += 1
        time.sleep(0.1)
    for s in alive:
        s.close()
    return not alive or f'{len(alive)} of 50 dripping connections are kept'


def churn(address):
    for _ in range(3000):
        dial(address).close()
    return True


def attack(host, port, pid):
    address, complaints = (host, int(port)), []
    churn(address)                      # what is allocated once is not a leak
    time.sleep(1)
    files = descriptors(pid)
    for f in (garbage, announcement, silence, drip, churn):
        before, start = resident(pid), time.monotonic()
        try:
            verdict = f(address)
        except OSError as e:
            verdict = f'{f.__name__}: {e}'
        grown = (resident(pid) - before) / MIB
        if grown > 64:
            verdict = f'{f.__name__}: {grown:.0f} MiB more'
        print(f'{f.__name__}: {verdict if verdict is not True else "held"} ({time.monotonic() - start:.1f} s, {grown:+.1f} MiB)')
        if verdict is not True:
            complaints.append(verdict)
    for _ in range(50):
        if descriptors(pid) <= files:
            break
        time.sleep(0.1)
    else:
        complaints.append(f'{descriptors(pid) - files} descriptors are left')
        print(complaints[-1])
    return complaints


if __name__ == '__main__':
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    sys.exit(1 if attack(sys.argv[1], sys.argv[2], int(sys.argv[3])) else 0)
