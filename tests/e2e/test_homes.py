"""Homes that cannot be used: one clear sentence each, nothing broken."""
import os, subprocess, sys, tempfile, shutil
from cairn import BIN, Home, World, check, main


def sentence(err):
    assert err.strip() and 'Sanitizer' not in err and len(err.strip().splitlines()) <= 3, err
    return err


def test_second_daemon():
    with World('ann') as (ann,):
        pid = ann.pid()
        p = subprocess.run([BIN + '/cairnd', '--home', ann.dir], env=ann.env, capture_output=True, timeout=20)
        assert p.returncode != 0 and str(pid) in sentence(p.stderr.decode()), p.stderr


def test_long_home():
    where = tempfile.mkdtemp(prefix='cairn-e2e.')
    try:
        long = Home(os.path.join(where, 'x' * 100, 'y' * 100), 'z' * 100)
        os.makedirs(os.path.dirname(long.dir))
        code, out, err = long.run('init', '--name', 'Long', '--no-passphrase')
        if code == 0:
            long.ok('goal', 'add', 'Works')
            long.stop()
        else:
            sentence(err)
    finally:
        shutil.rmtree(where, ignore_errors=True)


def test_no_home_and_plain_locale():
    with World('ann') as (ann,):
        env = {k: v for k, v in ann.env.items() if k not in ('HOME', 'CAIRN_HOME', 'XDG_DATA_HOME')}
        p = subprocess.run([BIN + '/cairn', 'status'], env=env, capture_output=True, timeout=20)
        assert p.returncode != 0
        sentence(p.stderr.decode())
        env['CAIRN_HOME'], env['LANG'], env['LC_ALL'] = ann.dir, 'C', 'C'
        p = subprocess.run([BIN + '/cairn', 'goal', 'add', 'Größe 五'], env=env, capture_output=True, timeout=20)
        check('LANG=C', 0, p.returncode)
        assert 'Größe 五' in [g['title'] for g in ann.json('goal', 'list')]


def test_newer_format():
    with World('ann') as (ann,):
        ann.stop()
        found = False
        for root, _, files in os.walk(ann.dir):
            for f in files:
                if f == 'keystore':
                    found = True
                    path = os.path.join(root, f)
                    data = bytearray(open(path, 'rb').read())
                    open(path + '.good', 'wb').write(data)
                    data[1] = 99 if data[1] < 0x80 else data[1]
                    open(path, 'wb').write(data)
        assert found
        code, out, err = ann.run('status')
        p = subprocess.run([BIN + '/cairnd', '--home', ann.dir], env=ann.env, capture_output=True, timeout=20)
        assert p.returncode != 0
        sentence(p.stderr.decode())


def test_full_disk():
    where = tempfile.mkdtemp(prefix='cairn-e2e.')
    if os.getuid() != 0 or subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', where], capture_output=True).returncode:
        print('     test_full_disk skipped: needs a small tmpfs')
        return
    try:
        ann = Home(where, 'ann')
        ann.init()
        made = 0
        text = 'x' * 3000
        while made < 3000:
            code, out, err = ann.run('goal', 'add', f'Goal {made}', 'description=' + text)
            if code != 0:
                break
            made += 1
        assert code == 1 and 'room' in err, (code, err)
        check('all that was acknowledged', made, len(ann.json('goal', 'list')))
        subprocess.run(['mount', '-o', 'remount,size=64m', where], check=True)
        ann.ok('goal', 'add', 'After')
        check('goes on when there is room', made + 1, len(ann.json('goal', 'list')))
        ann.stop()
    finally:
        subprocess.run(['pkill', '-9', '-f', where], check=False)
        subprocess.run(['umount', '-l', where], check=False)
        shutil.rmtree(where, ignore_errors=True)


def test_read_only():
    where = tempfile.mkdtemp(prefix='cairn-e2e.')
    if os.getuid() != 0 or subprocess.run(['mount', '-t', 'tmpfs', '-o', 'ro,size=1m', 'tmpfs', where], capture_output=True).returncode:
        print('     test_read_only skipped')
        return
    try:
        ann = Home(where, 'ann')
        code, out, err = ann.run('init', '--name', 'Ann', '--no-passphrase')
        assert code != 0
        sentence(err)
    finally:
        subprocess.run(['umount', '-l', where], check=False)
        shutil.rmtree(where, ignore_errors=True)


def test_no_titles_in_files():
    with World('ann', 'bob') as (ann, bob):
        ann.ok('org', 'create', 'CANARY-org')
        bob.ok('org', 'join', ann.json('org', 'invite')['code'])
        ann.ok('objective', 'add', 'CANARY-objective')
        bob.ok('sync')
        bob.ok('goal', 'add', 'CANARY-goal', 'description=CANARY-text')
        bob.ok('link', 'CANARY-goal', 'CANARY-objective')
        bob.ok('goal', 'progress', 'CANARY-goal', '5', '-m', 'CANARY-note')
        bob.ok('share', 'accept', '--yes')
        bob.ok('sync')
        for h in (ann, bob):
            for root, _, files in os.walk(h.dir):
                for f in files:
                    try:
                        data = open(os.path.join(root, f), 'rb').read()
                    except OSError:
                        continue
                    assert b'CANARY' not in data, os.path.join(root, f)


main(sys.modules[__name__])
