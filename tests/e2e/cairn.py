"""Homes with real daemons, for the end-to-end tests: processes, LMDB and CURVE sockets as users have them."""
import json, os, re, shutil, signal, subprocess, sys, tempfile, time

BIN = os.path.abspath(os.environ.get('CAIRN_BIN', 'build/rel'))
SLOW = 3 if 'asan' in BIN or 'tsan' in BIN else 1


class Failed(Exception):
    pass


def check(what, wanted, got):
    if wanted != got:
        raise Failed(f'{what}: expected {wanted!r}, got {got!r}')


class Home:
    def __init__(self, where, name):
        self.dir, self.name = os.path.join(where, name), name
        self.env = dict(os.environ, CAIRN_HOME=self.dir, NO_COLOR='1', TMPDIR=where)
        self.env['PATH'] = BIN + ':' + self.env['PATH']

    def run(self, *words, timeout=90, stdin=None, env=None):
        """(exit code, stdout, stderr)"""
        p = subprocess.run([os.path.join(BIN, 'cairn'), *map(str, words)], env=dict(self.env, **(env or {})), capture_output=True,
                           timeout=timeout * SLOW, input=stdin)
        return p.returncode, p.stdout.decode('utf-8', 'replace'), p.stderr.decode('utf-8', 'replace')

    def ok(self, *words, **kw):
        code, out, err = self.run(*words, **kw)
        if code != 0:
            raise Failed(f'{self.name}: cairn {" ".join(map(str, words))} → exit {code}: {err or out}')
        return out

    def json(self, *words, **kw):
        return json.loads(self.ok(*words, '--json', **kw))

    def fails(self, code, *words, **kw):
        got, out, err = self.run(*words, **kw)
        if got != code:
            raise Failed(f'{self.name}: cairn {" ".join(map(str, words))}: expected exit {code}, got {got}: {err or out}')
        return err

    def pid(self):
        return json.loads(self.ok('status', '--json'))['pid']

    def kill(self):
        try:
            os.kill(self.pid(), signal.SIGKILL)
        except (Failed, ProcessLookupError):
            pass

    def init(self, *more):
        self.ok('init', '--name', self.name.capitalize(), '--no-passphrase', *more)
        return self

    def stop(self):
        self.run('--no-autostart', 'stop')


class World:
    """with World('ann', 'bob') as (ann, bob): …  Homes are removed and daemons stopped at the end."""
    def __init__(self, *names, init=True):
        self.names, self.with_init = names, init

    def __enter__(self):
        self.where = tempfile.mkdtemp(prefix='cairn-e2e.')
        self.homes = [Home(self.where, n) for n in self.names]
        if self.with_init:
            for h in self.homes:
                h.init()
        return self.homes

    def __exit__(self, *exc):
        for h in self.homes:
            h.stop()
        for h in self.homes:  # whoever did not stop
            subprocess.run(['pkill', '-9', '-f', f'cairnd.*{re.escape(h.dir)}'], check=False)
        crashed = [os.path.join(h.dir, 'cairnd.log') for h in self.homes]
        for log in crashed:
            text = open(log, errors='replace').read() if os.path.exists(log) else ''
            if 'ERROR: AddressSanitizer' in text or 'runtime error:' in text or 'LeakSanitizer' in text:
                print(text[-4000:])
                raise Failed('a sanitizer complained: ' + log)
        shutil.rmtree(self.where, ignore_errors=True)


def found(owner, *others, roles=None):
    """owner makes an organization; the others join it.  → the objective of all tests."""
    owner.ok('org', 'create', 'Acme')
    for i, h in enumerate(others):
        code = owner.json('org', 'invite', '--role', (roles or {}).get(h.name, 'Member'))['code']
        h.ok('org', 'join', code)
    return owner.json('objective', 'add', 'Ship it', '--target', '100')['id']


def sync(*homes):
    for h in homes:
        h.ok('sync')


def until(what, condition, seconds=30):
    end = time.time() + seconds * SLOW
    while time.time() < end:
        if condition():
            return
        time.sleep(0.1)
    raise Failed('never happened: ' + what)


def main(module):
    """Run every function test_* of a module."""
    bad = 0
    for name, f in sorted(vars(module).items()):
        if not name.startswith('test_') or not callable(f) or (len(sys.argv) > 1 and sys.argv[1] not in name):
            continue
        start = time.time()
        try:
            f()
            print(f'ok   {name} ({time.time() - start:.1f} s)')
        except Exception as e:  # noqa: BLE001: whatever it is, the test failed
            bad += 1
            print(f'FAIL {name}: {type(e).__name__}: {e}')
    sys.exit(bad > 0)
