"""Many objectives through the command line, four levels, with values above 100 and below 0: every roll-up, at the aggregator and as
members see it, equals an exact rational computation made here.  TABLE=FILE takes a CSV (id,parent,team,title,detail,progress)
instead of the made-up one; ROWS limits it."""
import csv, os, random, sys
from fractions import Fraction
from cairn import World, check, found, main, sync


def made_up(rows):
    rng = random.Random(5)
    table = []
    for i in range(1, rows + 1):
        parent = '' if i <= 4 else f'o{rng.randint(1, max(4, i // 3))}'
        progress = rng.choice(('', '', rng.randint(0, 100), rng.randint(0, 100), 105, 110, -17, round(rng.uniform(0, 100), 1)))
        table.append(dict(id=f'o{i}', parent=parent, team=f'Team {rng.randint(1, 9)}', title=f'Objective {i}', progress=str(progress)))
    return table


def half_away(x):
    """A rational to 10⁻⁴, half away from zero."""
    n, d = abs(x).numerator * 10000, abs(x).denominator
    q = (2 * n + d) // (2 * d)
    return Fraction(q if x >= 0 else -q, 10000)


def clamp(x):
    return max(Fraction(0), min(Fraction(100), x))


def exact(table, links):
    """links: {objective: {member: [(percent, weight)]}} → {objective: Fraction or None}"""
    children, own = {}, {}
    for r in table:
        children.setdefault(r['parent'], []).append(r['id'])
        own[r['id']] = Fraction(r['progress']) if r['progress'] != '' else None

    def value(o):
        items, any_items = [], False
        for entries in links.get(o, {}).values():
            any_items = True
            total = sum((w for p, w in entries), Fraction(0))
            if total:
                items.append(clamp(half_away(sum((p * w for p, w in entries), Fraction(0)) / total)))
        for c in children.get(o, ()):
            any_items = True
            v = value(c)
            if v is not None:
                items.append(clamp(v))
        if not any_items:
            return None if own[o] is None else clamp(half_away(own[o]))
        return half_away(sum(items, Fraction(0)) / len(items)) if items else None
    return {r['id']: value(r['id']) for r in table}


def test_table():
    path = os.environ.get('TABLE')
    rows = int(os.environ.get('ROWS', '1000' if path else '30'))
    table = (list(csv.DictReader(open(path, encoding='utf-8'))) if path else made_up(rows))[:rows]
    members = int(os.environ.get('MEMBERS', '4' if path else '2'))
    with World(*(['ann'] + [f'm{i}' for i in range(members)])) as homes:
        ann, others = homes[0], homes[1:]
        found(ann, *others)
        teams, ids = {}, {}
        for name in sorted({r['team'] for r in table if r['team']}):
            teams[name] = ann.json('team', 'add', name)['id']
        for r in table:
            words = ['objective', 'add', r['title']]
            if r['team']:
                words += ['--team', teams[r['team']]]
            if r['parent']:
                words += ['--parent', ids[r['parent']]]
            if r['progress'] != '':
                words += ['--current', r['progress']]
            ids[r['id']] = ann.json(*words)['id']
        sync(*others)
        rng, links = random.Random(6), {}
        leaves = [r['id'] for r in table if not any(x['parent'] == r['id'] for x in table)]
        for o in rng.sample(leaves, min(20, len(leaves))):
            for h in rng.sample(others, rng.randint(1, min(2, len(others)))):
                for _ in range(rng.randint(1, 2)):
                    percent, weight = Fraction(rng.randint(0, 1100), 10), Fraction(rng.randint(1, 40), 4)
                    goal = h.json('goal', 'add', f'Goal {rng.random()}', '--target', '100')['id']
                    h.ok('link', goal, ids[o], '--weight', str(float(weight)))
                    h.ok('goal', 'progress', goal, str(float(percent)))
                    links.setdefault(o, {}).setdefault(h.name, []).append((percent, weight))
        for h in others:
            h.ok('share', 'accept', '--yes')
        sync(*others, ann, *others)
        wanted = exact(table, links)
        for h in homes:
            seen = {o['id']: o['progressPercent'] for o in h.json('objective', 'list') if o['id'] in ids.values()}
            check('objectives at ' + h.name, len(table), len(seen))
            for o, w in wanted.items():
                got = seen[ids[o]]
                got = None if got is None else Fraction(round(got * 10000), 10000)
                check(f'{o} at {h.name}', w, got)
        print(f'     {len(table)} objectives, {len(teams)} teams, {sum(len(e) for m in links.values() for e in m.values())} links by '
              f'{members} members: all {len(homes)} homes agree with the exact computation')


main(sys.modules[__name__])
