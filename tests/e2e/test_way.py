"""The whole way: invites, consent, sealed reports, roll-ups, as each role sees them."""
import sys
from cairn import World, check, found, main, sync, until


def test_defaults_of_an_organization():
    with World('ann') as (ann,):
        org = ann.json('org', 'create', 'Acme')
        for key, wanted in dict(name='Acme', description=None, logoUrl=None, fiscalYearStartMonth=1, mission=None, vision=None,
                                allowMemberGoalCreation=True, requireGoalApproval=False, scoringMethod='Percentage', externalId=None,
                                status='Active').items():
            check(key, wanted, org[key])


def test_invites():
    with World('ann', 'bob', 'cleo', 'dan', 'eve') as (ann, bob, cleo, dan, eve):
        ann.ok('org', 'create', 'Acme')
        invite = ann.json('org', 'invite', '--role', 'Member')
        for key in ('code', 'id', 'role', 'teams', 'uses', 'expiresAt', 'addresses'):
            assert key in invite, key
        check('uses', 1, invite['uses'])
        bob.ok('org', 'join', invite['code'])
        check('members at bob', 2, len(bob.json('member', 'list')))
        code, out, err = bob.run('org', 'join', invite['code'])
        check('joining again', 0, code)
        assert 'already a member' in out + err
        assert 'already used' in cleo.fails(4, 'org', 'join', invite['code'])
        late = ann.json('org', 'invite', '--expires', '1s')['code']
        import time
        time.sleep(1.2)
        assert 'expired' in cleo.fails(4, 'org', 'join', late)
        good = ann.json('org', 'invite')['code']
        changed = good[:40] + ('a' if good[40] != 'a' else 'b') + good[41:]
        cleo.fails(2, 'org', 'join', changed)
        ann.ok('stop')
        bob.ok('stop')
        dan.fails(8, 'org', 'join', good)
        ann.ok('status')
        until('dan joins by itself once the inviter runs again', lambda: dan.run('member', 'list')[0] == 0, 90)


def test_consent_and_roles():
    with World('ann', 'bob', 'dan', 'vic') as (ann, bob, dan, vic):
        objective = found(ann, bob, dan, vic, roles={'vic': 'Viewer'})
        sync(bob, dan, vic)
        bob.ok('goal', 'add', 'Ship v2', '--target', '100')
        bob.ok('link', 'Ship v2', objective, '--weight', '2')
        bob.ok('goal', 'progress', 'Ship v2', '45.5')
        bob.ok('sync')
        check('before consent', None, ann.json('progress', objective)['overallProgress'])
        assert bob.run('share', 'accept')[0] == 4, 'without a terminal it needs --yes'
        bob.ok('share', 'accept', '--yes')
        bob.ok('sync')
        seen = ann.json('progress', objective)
        check('after consent', 45.5, seen['overallProgress'])
        check('contributors', ['Bob'], [c['displayName'] for c in seen['contributors']])
        check('trend', None, seen['trend'])
        for h in (bob, dan, vic):
            h.ok('sync')
            check(h.name + ' sees', 45.5, h.json('progress', objective)['overallProgress'])
        check('a member sees itself', ['Bob'], [c['displayName'] for c in bob.json('progress', objective)['contributors']])
        check('a fellow member sees nobody else', [], [c['displayName'] for c in dan.json('progress', objective)['contributors']])
        check('a viewer sees nobody', [], vic.json('progress', objective)['contributors'])
        # what the preview shows is byte for byte what a reader opened
        raw = bob.run('share', 'preview', '--raw')
        check('preview --raw', 0, raw[0])
        import subprocess, os
        from cairn import BIN
        a = subprocess.run([BIN + '/cairn', 'share', 'preview', '--raw'], env=bob.env, capture_output=True).stdout
        b = subprocess.run([BIN + '/cairn', 'debug', 'report', '--raw'], env=ann.env, capture_output=True).stdout
        assert len(a) >= 256 and a == b, (len(a), len(b))
        # and what is withdrawn is gone
        bob.ok('unlink', 'Ship v2')
        bob.ok('sync')
        check('after unlinking', None, ann.json('progress', objective)['overallProgress'])


def test_golden_62_5():
    with World('alice', 'bob') as (alice, bob):
        objective = found(alice, bob)
        bob.ok('sync')
        for home, goals in ((alice, ('A1', 'A2')), (bob, ('B1',))):
            for g in goals:
                home.ok('goal', 'add', g, '--target', '100')
                home.ok('link', g, objective)
                home.ok('goal', 'progress', g, '75' if home is alice else '50')
            home.ok('share', 'accept', '--yes')
        sync(bob, alice, bob)
        for home in (alice, bob):
            seen = home.json('progress', objective)
            check('overallProgress', 62.5, seen['overallProgress'])
            check('contributorCount', 2, seen['contributorCount'])


def test_removal():
    with World('ann', 'bob') as (ann, bob):
        found(ann, bob)
        bob.ok('sync')
        ann.ok('member', 'remove', 'Bob', '--yes')
        ann.ok('objective', 'add', 'Not for Bob')
        until('bob learns of it', lambda: bob.run('objective', 'add', 'x')[0] != 0)
        titles = bob.run('objective', 'list', '--json')[1]
        assert 'Not for Bob' not in titles


main(sys.modules[__name__])
