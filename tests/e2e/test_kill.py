"""kill -9 at random moments during a stream of commands over three daemons: every command that exited 0 is there, every store
opens, all converge.  KILLS (default 12) kills."""
import os, random, sys, threading, time
from cairn import World, check, found, main, until

KILLS = int(os.environ.get('KILLS', '12'))


def test_kill_9():
    rng = random.Random(int(os.environ.get('SEED', '7')))
    with World('ann', 'bob', 'dan') as homes:
        ann, bob, dan = homes
        found(ann, bob, dan, roles={'bob': 'Admin', 'dan': 'Admin'})
        kept = {h.name: [] for h in homes}
        shared = []
        done = threading.Event()

        def killer():
            for i in range(KILLS):
                time.sleep(rng.uniform(0.02, 0.4))
                h = rng.choice(homes)
                try:
                    pid = int(open(os.path.join(h.dir, 'cairnd.lock')).read().split()[0])
                    os.kill(pid, 9)
                except (OSError, ValueError, IndexError):
                    pass
            done.set()
        thread = threading.Thread(target=killer)
        thread.start()
        i = 0
        while not done.is_set():
            h = rng.choice(homes)
            i += 1
            kind = rng.choice(('goal', 'objective'))
            title = f'{kind} {h.name} {i}'
            if h.run(kind, 'add', title)[0] == 0:
                (kept[h.name] if kind == 'goal' else shared).append(title)
        thread.join()
        for h in homes:
            titles = {g['title'] for g in h.json('goal', 'list')}
            lost = [t for t in kept[h.name] if t not in titles]
            check('lost goals', [], lost)
            h.ok('check')
        until('all converge', lambda: all(h.run('sync')[0] == 0 for h in homes), 120)
        for h in homes:
            titles = {o['title'] for o in h.json('objective', 'list')}
            check('lost objectives at ' + h.name, [], [t for t in shared if t not in titles])
        hashes = {str(h.json('debug', 'state-hash')) for h in homes}
        check('states', 1, len(hashes))
        print(f'     {KILLS} kills, {i} commands, {sum(map(len, kept.values())) + len(shared)} acknowledged, none lost')


main(sys.modules[__name__])
