#!/usr/bin/env python3
"""Benchmarks with real daemons; each prints one line of figures beside a reference measured in the same run.
   way.py DIR [NAME]: DIR holds cairn, cairnd and tests/bench/control."""
import http.client, json, os, socket, statistics, subprocess, sys, tempfile, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'e2e'))
DIR = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else 'build/rel')
os.environ['CAIRN_BIN'] = DIR
import cairn  # noqa: E402


class Control(http.client.HTTPConnection):
    """One kept connection to a daemon's Unix socket."""
    def __init__(self, home):
        super().__init__('localhost')
        self.path = os.path.join(home.dir, 'cairnd.sock')

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self.path)

    def ask(self, method, path, body=None):
        self.request(method, path, body=json.dumps(body) if body is not None else None, headers={'Content-Type': 'application/json'})
        r = self.getresponse()
        data = json.loads(r.read() or b'null')
        if r.status >= 300:
            raise RuntimeError(f'{method} {path}: {r.status} {data}')
        return data


def control():
    with cairn.World('ann') as (ann,):
        goal = Control(ann).ask('POST', '/api/local/goals', {'title': 'Measured', 'targetValue': 100})['id']
        with tempfile.TemporaryDirectory(dir=os.path.dirname(ann.dir)) as raw:
            subprocess.run([DIR + '/tests/bench/control', ann.dir + '/cairnd.sock', goal, raw], check=True)


def median_of(commands, rounds=150):
    """Median wall time of each command in milliseconds, taken in turns; a child that only execs is subtracted from none."""
    times = [[] for _ in commands]
    devnull = open(os.devnull, 'w')
    for _ in range(rounds):
        for t, (words, cwd, env) in zip(times, commands):
            start = time.perf_counter()
            subprocess.run(words, cwd=cwd, env=env, stdout=devnull, check=True)
            t.append((time.perf_counter() - start) * 1e3)
    return [statistics.median(t) for t in times]


def command_line():
    with cairn.World('ann') as (ann,):
        c = Control(ann)
        goal = c.ask('POST', '/api/local/goals', {'title': 'Measured', 'targetValue': 100})['id']
        for i in range(99):
            c.ask('POST', '/api/local/goals', {'title': f'Goal number {i}', 'targetValue': 100})
        repo = tempfile.mkdtemp(dir=os.path.dirname(ann.dir))
        subprocess.run('git init -q . && for i in 1 2 3 4 5; do echo $i > $i; done && git add . && git -c user.name=a -c user.email=a@b commit -qm x',
                       shell=True, cwd=repo, check=True)
        program = DIR + '/cairn'
        show, listing, git = median_of([([program, 'goal', 'show', goal], None, ann.env), ([program, 'goal', 'list'], None, ann.env),
                                        (['git', 'status'], repo, dict(os.environ))])
        print(f'command line, not on a terminal: goal show {show:.2f} ms ({show / git:.2f} x git status), list of 100 {listing:.2f} ms '
              f'({listing / git:.2f} x), git status {git:.2f} ms')


def first_sync(documents=10000):
    with cairn.World('ann', 'bob') as (ann, bob):
        ann.ok('org', 'create', 'Acme')
        c = Control(ann)
        payload = 0
        for i in range(documents):
            title = f'Objective number {i} of many'
            c.ask('POST', '/api/organizations/default/goals', {'title': title})
            payload += 4 + 1 + 18 + 6 + len(title)  # hlc step, kind, document; body: map, key 1 true, key 2 and the title
        code = ann.json('org', 'invite')['code']
        start = time.perf_counter()
        bob.ok('org', 'join', code, timeout=120)
        took = time.perf_counter() - start
        got = len(Control(bob).ask('GET', '/api/organizations/default/goals'))
        peer = bob.json('peers')[0]
        print(f'first sync of {got} documents: {got / took:.0f} documents/s ({took:.2f} s, joining included), '
              f'{peer["bytesIn"] / got:.0f} bytes a document = {peer["bytesIn"] / payload:.2f} x payload')
        cairn.sync(ann, bob)
        time.sleep(1)  # what joining led to has gone round
        peer = bob.json('peers')[0]
        before = (peer['bytesIn'], peer['bytesOut'])
        bob.ok('sync')
        peer = bob.json('peers')[0]
        print(f'nothing changed: {peer["bytesIn"] - before[0]} bytes in, {peer["bytesOut"] - before[1]} out (one ROOTS each way and what '
              'heartbeats fell into it)')


for f in (control, command_line, first_sync):
    if len(sys.argv) < 3 or sys.argv[2] == f.__name__:
        try:
            f()
        except Exception as e:  # noqa: BLE001
            print(f'{f.__name__}: no figure: {e}')
