"""Strangers at the door: no CURVE, a wrong key, garbage, an 8 GiB frame header; 100 of them for SECONDS (default 4; 10 for the record):
refused, the daemon's memory stays flat, and honest syncs go on meanwhile."""
import os, random, socket, statistics, struct, sys, threading, time
from cairn import BIN, World, check, found, main, sync

SECONDS = float(os.environ.get('STRANGER_SECONDS', '4'))


def greeting(mechanism, as_server=0):
    return b'\xff' + b'\0' * 8 + b'\x7f' + b'\x03\x01' + mechanism.ljust(20, b'\0') + bytes([as_server]) + b'\0' * 31


def command(name, body):
    data = bytes([len(name)]) + name + body
    return (b'\x04' + bytes([len(data)]) if len(data) < 256 else b'\x06' + struct.pack('>Q', len(data))) + data


def no_curve(s, rng):
    s.sendall(greeting(b'NULL'))
    s.recv(64)
    s.sendall(command(b'READY', b'\x0bSocket-Type\0\0\0\x06DEALER'))


def wrong_key(s, rng):
    s.sendall(greeting(b'CURVE'))
    s.recv(64)
    s.sendall(command(b'HELLO', b'\1\0' + b'\0' * 72 + rng.randbytes(32) + b'\0' * 8 + rng.randbytes(80)))
    s.recv(64)


def garbage(s, rng):
    s.sendall(rng.randbytes(rng.choice((1, 10, 64, 1000, 60000))))


def huge_frame(s, rng):
    s.sendall(greeting(b'CURVE'))
    s.recv(64)
    s.sendall(b'\x02' + struct.pack('>Q', 8 << 30))
    for _ in range(50):
        s.sendall(b'\0' * 65536)


def stranger(kind, port, end, rng, count):
    while time.time() < end:
        try:
            with socket.create_connection(('127.0.0.1', port), timeout=2) as s:
                s.settimeout(1)
                kind(s, rng)
                count[kind.__name__] = count.get(kind.__name__, 0) + 1
                time.sleep(rng.uniform(0, 0.5))
        except OSError:
            time.sleep(0.05)


def rss(pid):
    for line in open(f'/proc/{pid}/status'):
        if line.startswith('VmRSS'):
            return int(line.split()[1]) * 1024
    return 0


def timed_syncs(home, goal, seconds):
    times, end, i = [], time.time() + seconds, 0
    while time.time() < end or len(times) < 3:
        i += 1
        home.ok('goal', 'progress', goal, str(i % 100))
        start = time.time()
        home.ok('sync')
        times.append(time.time() - start)
    return statistics.median(times)


def test_strangers():
    with World('ann', 'bob') as (ann, bob):
        objective = found(ann, bob)
        goal = bob.json('goal', 'add', 'G', '--target', '100')['id']
        bob.ok('link', goal, objective)
        bob.ok('share', 'accept', '--yes')
        bob.ok('sync')
        status = ann.json('status')
        port, pid = status['port'], status['pid']
        quiet = timed_syncs(bob, goal, 2)
        before = rss(pid)
        end, count = time.time() + SECONDS, {}
        threads = [threading.Thread(target=stranger, args=(kind, port, end, random.Random(i), count))
                   for i in range(25) for kind in (no_curve, wrong_key, garbage, huge_frame)]
        for t in threads:
            t.start()
        busy = timed_syncs(bob, goal, SECONDS)
        for t in threads:
            t.join()
        grown = rss(pid) - before
        ann.ok('status')
        check('members', 2, len(ann.json('member', 'list')))
        print(f'     {len(threads)} strangers for {SECONDS:.0f} s, {sum(count.values())} connections; RSS {grown / 1048576:+.2f} MiB; '
              f'sync {quiet * 1e3:.0f} ms quiet, {busy * 1e3:.0f} ms meanwhile ({busy / quiet:.2f} x)')
        if 'asan' not in BIN:
            assert grown <= 2 << 20, f'RSS grew by {grown} bytes'


main(sys.modules[__name__])
