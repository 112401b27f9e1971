"""Two homes apart: different fields both survive, the same field has one winner, and both end equal."""
import sys
from cairn import World, check, found, main, sync, until


def hashes(home):
    h = home.json('debug', 'state-hash')
    return [(x['replica'], x['state']) for x in (h if isinstance(h, list) else [h])]


def test_concurrent_edits():
    with World('ann', 'bob') as (ann, bob):
        objective = found(ann, bob, roles={'bob': 'Admin'})
        bob.ok('sync')
        ann.ok('offline')
        bob.ok('offline')
        ann.ok('objective', 'edit', objective, 'description=from ann', 'unit=km')
        bob.ok('objective', 'edit', objective, 'targetValue=250', 'unit=miles')
        ann.fails(8, 'sync')
        ann.ok('online')
        bob.ok('online')
        until('both connect again', lambda: ann.run('sync')[0] == 0 and bob.run('sync')[0] == 0, 60)
        a, b = ann.json('objective', 'show', objective), bob.json('objective', 'show', objective)
        check('ann’s field', 'from ann', b['description'])
        check('bob’s field', 250, a['targetValue'])
        check('the same winner', a['unit'], b['unit'])
        assert a['unit'] in ('km', 'miles')
        check('state hashes', hashes(ann), hashes(bob))


def test_kept_over_restart():
    with World('ann', 'bob') as (ann, bob):
        found(ann, bob)
        bob.ok('offline')
        bob.ok('stop')
        check('still offline', True, bob.json('status')['offline'])
        bob.ok('goal', 'add', 'Alone')
        bob.ok('online')
        until('back', lambda: bob.run('sync')[0] == 0, 60)


def test_status_of_an_unreachable_peer():
    with World('ann', 'bob') as (ann, bob):
        found(ann, bob)
        ann.ok('sync')
        bob.ok('stop')
        until('ann notices', lambda: any(p['state'] != 'connected' for p in ann.json('peers')), 60)
        peer = ann.json('peers')[0]
        for key in ('displayName', 'since', 'why', 'todo'):
            assert peer[key], (key, peer)
        text = ann.ok('status')
        assert 'Bob' in text, text


main(sys.modules[__name__])
