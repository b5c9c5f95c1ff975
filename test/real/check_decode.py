"""Decoding, merging and round trips of real data.

Every check compares trajectories with the type's own equality; the counts
come from the data's manifest and from oracle.py.
"""
import json
import os
import sys
from collections import Counter

import db
import oracle

SEEDS = (1, 2, 3)
ONE_BY_ONE = 6000               # larger files are not cut into single spans

# Separate runs of one program, once with JSON and once with protobuf. Ids,
# times and what the model answered differ between runs, so only structure is
# compared: names, kinds, statuses, keys and the types of their values.
PAIRS = [
    ('otel-js2-json-001.json', 'otel-js2-proto-001.pb'),
    ('otel-js2-json-002.json', 'otel-js2-proto-002.pb'),
    ('otel-js2-json-gzip-001.json.gz', 'otel-js2-proto-gzip-001.pb.gz'),
    ('otel-js3-json-001.json', 'otel-js3-proto-001.pb'),
    ('langchain-oi-json-001.json', 'langchain-oi-proto-001.pb'),
    ('vercel6-json-001.json', 'vercel6-proto-001.pb'),
]
# NaN and the infinities are null in these emitters' JSON, so that the value
# is a double on one way in and empty on the other (ingest.md).
NOT_COMPARABLE = {'dbl.nan', 'dbl.inf', 'dbl.neginf', 'nan'}

# Each query gives the traces for which something does not hold.
DIFFERENT = '''select '{label}', string_agg(id::text, ' ') from
  (select id, a.t as a, b.t as b from ({a}) a full join ({b}) b using (id)) x
  where a is distinct from b or a is null;
'''
MERGED = 'select trace_id(t) as id, merge_agg(t{order}) as t from {source} ' \
         'group by 1'


def merged(source, order=''):
    """SQL that merges the trajectories of a source by trace."""
    return MERGED.format(source=source, order=order and ' order by ' + order)


def file_script(folder, bodies, others):
    """The script for one file; others: {label: the bodies in other form}."""
    script = [db.pieces(folder, 'piece', bodies),
              f'create temp table whole as {merged("piece")};\n',
              "select 'counts', count(*) || ' ' || coalesce(sum("
              'span_count(t)), 0) from whole;\n']

    def same(label, source):
        script.append(DIFFERENT.format(label=label, a=source,
                                       b='select id, t from whole'))

    for seed in SEEDS:
        same(f'shuffled with seed {seed}',
             merged('piece', f"md5(n::text || '/{seed}')"))
        same(f'grouped in {seed + 1} by seed {seed}', merged(
            f'(select merge_agg(t) as t from piece group by id, '
            f'hashint4extended(n, {seed}) % {seed + 1}) p'))
    same('merged twice', merged('(select t from piece union all '
                                'select t from whole) p'))
    same('united with itself', 'select id, t || t as t from whole')
    same('through text', 'select id, t::text::trajectory as t from whole')
    same('through OTLP/JSON',
         'select id, u as t from whole, '
         'trajectories_from_otlp(to_otlp(t)::text) as u')
    path = os.path.join(folder, 'binary')
    script += [f"\\copy (select t from whole) to '{path}' (format binary)\n",
               'create temp table back (t trajectory);\n',
               f"\\copy back from '{path}' (format binary)\n"]
    same('through binary COPY', 'select trace_id(t) as id, t from back')
    for label, forms in others.items():
        table = 'other_' + label.split()[0]
        script.append(db.pieces(folder, table, forms))
        same(label, merged(table))
    return ''.join(script)


def other_forms(path, bodies):
    """The same spans as other bodies, which must give the same values."""
    requests = [oracle.read(path, body) for body in oracle.documents(path)]
    out = {}
    if isinstance(bodies[0], bytes):
        out['JSON of the protobuf'] = [
            oracle.write_json(r).decode() for r in requests]
    else:
        out['protobuf of the JSON'] = [
            oracle.write_protobuf(r) for r in requests]
    singles = [s for r in requests for s in oracle.single_spans(r)]
    if len(singles) <= ONE_BY_ONE:
        out['single spans as protobuf'] = [
            oracle.write_protobuf(s) for s in reversed(singles)]
    return out


def expected(path, manifest):
    """(traces, spans) by the manifest, else by the oracle."""
    entry = manifest.get(os.path.basename(path).split('.')[0])
    if entry:
        return entry['traces'], entry['unique_spans']
    traces = oracle.load(path)
    return len(traces), sum(map(len, traces.values()))


def check_file(tap, path, manifest):
    """All checks of one file."""
    name = os.path.basename(path)
    bodies = db.bodies_of(path)
    with db.scratch() as folder:
        try:
            out = db.psql(file_script(folder, bodies,
                                      other_forms(path, bodies)))
        except db.SqlError as error:
            tap.ok(False, f'{name}: decodes', error)
            return
    wanted = '{} {}'.format(*expected(path, manifest))
    for line in out.splitlines():
        label, _, got = line.partition('|')
        if label == 'counts':
            tap.ok(got == wanted, f'{name}: traces and spans',
                   f'got {got}, expected {wanted}')
        else:
            tap.ok(not got, f'{name}: equal {label}', f'traces {got[:500]}')


def check_logs(tap, path):
    """Logs sent to the place of traces: an error that names the signal."""
    name = os.path.basename(path)
    with db.scratch() as folder:
        try:
            db.psql(db.pieces(folder, 'piece', db.bodies_of(path)))
        except db.SqlError as error:
            tap.ok('logs' in str(error), f'{name}: the error names logs',
                   error)
        else:
            tap.ok(False, f'{name}: logs are refused')


def json_type(value):
    """The type of a value in the text form of a trajectory."""
    if isinstance(value, dict) and len(value) == 1:
        key = next(iter(value))
        if key.startswith('$'):
            return key
    return type(value).__name__


def structure(path):
    """What two runs of one program have in common, counted by span.

    From the text form of the trajectories: each span's path of names, its
    kind and status, its keys with their types, and its events' names.
    """
    with db.scratch() as folder:
        out = db.psql(db.pieces(folder, 'piece', db.bodies_of(path))
                      + merged('piece').replace('as t from', '::text from')
                      + ';')
    found = Counter()
    for line in filter(None, out.split('\n')):
        spans = {s['span_id']: s
                 for s in json.loads(line.split('|', 1)[1])['spans']}
        for span in spans.values():
            names, at = [], span
            while at:
                names.append(at['name'])
                at = spans.get(at.get('parent_span_id'))
            found[(tuple(names), span.get('span_kind'), span.get('status'),
                   tuple(sorted((k, json_type(v)) for k, v
                                in span.get('attributes', {}).items()
                                if k not in NOT_COMPARABLE)),
                   tuple(e.get('name') for e in span.get('events', [])))] += 1
    return found


def check_pair(tap, folder, pair):
    """JSON and protobuf of two runs have the same structure."""
    try:
        one, two = (structure(os.path.join(folder, 'captures', name))
                    for name in pair)
    except db.SqlError as error:
        tap.ok(False, '{} and {}: structure'.format(*pair), error)
        return
    tap.ok(one == two, '{} and {}: same structure'.format(*pair),
           *(one - two), '--', *(two - one))


def main():
    """Check the files named in the arguments, else all of them."""
    only, tap = sys.argv[1:], db.Tap()
    folder = db.data_or_skip(tap)
    with open(os.path.join(folder, 'manifest.json'), encoding='utf-8') as f:
        manifest = {entry['name']: entry for entry in json.load(f)}
    for path in oracle.data_files(folder):
        if not only or os.path.basename(path) in only:
            check_file(tap, path, manifest)
    if not only:
        check_logs(tap, os.path.join(folder, 'captures', 'openlit-002.json'))
        for pair in PAIRS:
            check_pair(tap, folder, pair)
    tap.finish()


if __name__ == '__main__':
    main()
