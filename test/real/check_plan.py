"""How well the distance from a plan tells failed runs from successful ones.

200 runs of the airline tasks of tau-bench, each with the reference's calls,
the calls that were made, and the reward that the environment gave. The area
under the curve is the share of pairs of a failed and a successful run in which
the failed one is further from its plan; beside it that of the metrics which
other evaluators compute.
"""
import json
import os

import db

LEAST = 0.93            # of the distance
PEERS = ('strict', 'unordered', 'superset', 'subset', 'exact', 'in_order',
         'any_order', 'precision', 'recall')
OPTIONS = {'as a set': {}, 'without order': {'order_weight': 0},
           'names alone': {'arguments': 'ignore'}}


def quoted(value):
    """JSON as a string constant of SQL."""
    return "'" + json.dumps(value).replace("'", "''") + "'"


def call(action):
    """A call of a file as one of trajectory_from_actions."""
    return {'tool': action['tool'], 'args': action['args'],
            'failed': action['err']}


def script(runs, effects):
    """SQL that gives the figures of each run: distances, then peers."""
    lines = ['create temp table run (n int, p plan, o plan, t trajectory);']
    for n, run in enumerate(runs):
        steps = [{'tool': s['tool'], 'args': s['args']} for s in run['plan']]
        ordered = {'ordered': True, 'steps': steps}
        calls = [call(a) for a in run['actual']]
        lines.append(f'insert into run values ({n}, {quoted(steps)}, '
                     f'{quoted(ordered)}, '
                     f'trajectory_from_actions({quoted(calls)}));')
    figures = [f'plan_distance(p, t, {quoted({**o, "effects": effects})})'
               for o in OPTIONS.values()]
    figures += [f'plan_distance(o, t, {quoted({"effects": effects})})']
    figures += [f"1 - plan_match(p, t, '{mode}')" for mode in PEERS]
    return '\n'.join(lines + ['select ' + ', '.join(figures)
                              + ' from run order by n;'])


def area(figures, failed):
    """The share of pairs in which the failed run's figure is the higher."""
    bad = [x for x, f in zip(figures, failed) if f]
    good = [x for x, f in zip(figures, failed) if not f]
    won = sum((x > y) + (x == y) / 2 for x in bad for y in good)
    return won / (len(bad) * len(good))


def main():
    """Compute all areas and hold the distance's against the peers'."""
    tap = db.Tap()
    folder = os.path.join(db.data_or_skip(tap), 'plans')
    if not os.path.isdir(folder):
        tap.ok(True, 'plans # skip: no plans in the real data')
        tap.finish()
    with open(os.path.join(folder, 'tau_airline.jsonl'),
              encoding='utf-8') as file:
        runs = [json.loads(line) for line in file]
    with open(os.path.join(folder, 'tau_airline_tools.json'),
              encoding='utf-8') as file:
        effects = json.load(file)
    failed = [run['reward'] < 1 for run in runs]
    rows = [[float(x) for x in line.split('|')]
            for line in db.psql(script(runs, effects)).splitlines()]
    tap.ok(len(rows) == 200 and any(failed) and not all(failed),
           'there are 200 runs, some of which failed', len(rows))
    names = list(OPTIONS) + ['as a list'] + ['peer ' + mode for mode in PEERS]
    areas = {name: area([row[k] for row in rows], failed)
             for k, name in enumerate(names)}
    for name, value in areas.items():
        print(f'# {value:.3f} {name}')
    best = max(value for name, value in areas.items() if 'peer' in name)
    tap.ok(areas['as a set'] >= LEAST,
           f'the distance separates failed runs: {areas["as a set"]:.3f}')
    tap.ok(areas['as a list'] >= LEAST, 'as an ordered plan, too')
    tap.ok(best < areas['as a set'] - 0.1,
           f'better than what others compute: {best:.3f}')
    tap.finish()


if __name__ == '__main__':
    main()
