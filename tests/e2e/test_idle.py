"""Idle is idle (promise 14): a daemon with a connected peer and nothing to do wakes less than once a second, all threads counted."""
import glob, os, sys, time
from cairn import BIN, World, check, found, main, sync

SECONDS = float(os.environ.get('IDLE_SECONDS', '12'))


def switches(pid):
    total = 0
    for path in glob.glob(f'/proc/{pid}/task/*/status'):
        for line in open(path):
            if line.startswith('voluntary_ctxt_switches'):
                total += int(line.split()[1])
    return total


def test_idle():
    with World('ann', 'bob') as (ann, bob):
        found(ann, bob)
        sync(bob, ann)
        pids = [ann.pid(), bob.pid()]
        time.sleep(2)
        before = [switches(p) for p in pids]
        time.sleep(SECONDS)
        rates = [(switches(p) - b) / SECONDS for p, b in zip(pids, before)]
        rss = [int(line.split()[1]) for line in open(f'/proc/{pids[0]}/status') if line.startswith('VmRSS')][0]
        print(f'     {rates[0]:.2f} and {rates[1]:.2f} wake-ups a second over {SECONDS:.0f} s, RSS {rss / 1024:.1f} MiB')
        if 'tsan' not in BIN and 'asan' not in BIN:  # sanitizers have threads of their own
            assert max(rates) < 1, rates


main(sys.modules[__name__])
