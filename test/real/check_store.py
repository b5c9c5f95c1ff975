"""Real data through the store: nothing is lost, and no prompt stays.

What people wrote and models answered is kept in payloads alone: no text of
more than 20 characters out of a message attribute is found again in what a
reader may read. What an attribute of another kind says as well, a name or a
model, does not count.
"""
import json
import os
import re
import sys

import db
import oracle

SHORTEST = 21

# Keys of messages by their looks, apart from the extension's own list.
MESSAGE = re.compile(
    r'(^|[._:])(messages?|prompts?|completions?|input|inputs|output|outputs|'
    r'content|contents|arguments|documents|instructions|query|tool_calls|'
    r'input_messages|output_messages|tool_call_args|tool_response|'
    r'llm_request|llm_response|system_instructions|all_messages_events|'
    r'tool_arguments|toolCalls|args|result|reasoning|object|choices|value|'
    r'values|text)'
    r'(\.\d+)?(\.(value|content|text|messages?|arguments|\d+))*$')
# Looks like one, and says how, not what.
STRUCTURE = re.compile(
    r'usage|token|mime|finish|format|template_version|'
    r'(^|\.)(role|name|id|type|index|score)$')

SCRIPT = '''
select llmtrace.create_store();
{load}
call llmtrace.fold(quiet_for => '0');
'''


def strings(value):
    """All texts in a JSON value, and in JSON that is in a text."""
    stack = [value]
    while stack:
        at = stack.pop()
        if isinstance(at, dict):
            stack.extend(at.values())
        elif isinstance(at, list):
            stack.extend(at)
        elif isinstance(at, str):
            yield at
            if at[:1] in '[{' and at[-1:] in ']}':
                try:
                    stack.append(json.loads(at))
                except ValueError:
                    pass


def trajectories(query):
    """Trajectories as their text form's JSON, by trace id."""
    out = {}
    for line in filter(None, db.psql(query).split('\n')):
        trace_id, text = line.split('|', 1)
        out[trace_id] = json.loads(text)
    return out


def attribute_lists(trajectory):
    """The attributes of spans and of their events."""
    for span in trajectory['spans']:
        yield span.get('attributes', {})
        for event in span.get('events', []):
            yield event.get('attributes', {})


def same(a, b):
    """Equal, but for the spacing of JSON in texts."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, str) and isinstance(b, str) and a != b:
        try:
            return a.lstrip()[:1] == '[' and json.loads(a) == json.loads(b)
        except ValueError:
            return False
    return a == b


def check_leaks(tap, originals):
    """No text of a message in what a reader may read."""
    messages, others = set(), []
    for trajectory in originals.values():
        for attributes in attribute_lists(trajectory):
            for key, value in attributes.items():
                if MESSAGE.search(key) and not STRUCTURE.search(key):
                    messages.update(s for s in strings(value)
                                    if len(s) >= SHORTEST)
                else:
                    others.extend(s for s in strings(value)
                                  if len(s) >= SHORTEST)
        others.extend(s['name'] for s in trajectory['spans'])
        others.extend(strings(trajectory.get('resources', [])))
        others.extend(s.get('status_message', '')
                      for s in trajectory['spans'])
    visible = []
    for relation in filter(None, db.psql('''
            select oid::regclass from pg_class
            where relnamespace = 'llmtrace'::regnamespace
              and relkind in ('r', 'p', 'v') and not relispartition
              and has_table_privilege('real_reader', oid, 'select');
            ''').split('\n')):
        visible.append(db.psql(
            f'set role real_reader; select to_jsonb(x)::text'
            f' from {relation} x;'))
    visible.append(db.psql('set role real_reader; select to_otlp(trajectory)'
                           ' from trajectories;'))
    seen = set()
    for text in visible:
        for line in filter(None, text.split('\n')):
            seen.update(s for s in strings(json.loads(line))
                        if len(s) >= SHORTEST)
    seen, other = '\n'.join(seen), '\n'.join(set(others))
    # by how they begin, since a search for each would take hours
    begins = {m[:SHORTEST] for m in messages}
    found = {seen[i:i + SHORTEST] for i in range(len(seen))
             if seen[i:i + SHORTEST] in begins}
    leaks = [m for m in messages
             if m[:SHORTEST] in found and m in seen and m not in other]
    tap.ok(len(messages) > 1000,
           f'{len(messages)} texts in messages, {len(seen)} bytes to read')
    tap.ok(not leaks, 'no text of a message where a reader may read',
           f'{len(leaks)} leaks', *(repr(m[:100]) for m in leaks[:20]))


def main():
    """Check all files at once, in one store."""
    tap = db.Tap()
    folder = db.data_or_skip(tap)
    files = [p for p in oracle.data_files(folder) if not oracle.is_logs(p)]
    with db.scratch() as scratch:
        ingests, reads = [], []
        for n, path in enumerate(files):
            bodies = db.bodies_of(path)
            binary = isinstance(bodies[0], bytes)
            table = f'public.doc_{n}'
            load = db.loader(scratch, table, bodies)
            load = load.replace('create temp table', 'create table')
            call = 'ingest_otlp' + ('_protobuf' if binary else '')
            ingests.append(f'{load}select sum(accepted_spans) from {table}, '
                           f'{call}(doc) \\g /dev/null\n')
            reads.append(f'select t from {table}, {db.decoder(bodies)}(doc)'
                         ' as t')
        db.psql(SCRIPT.format(load=''.join(ingests)))
    whole = ('select trace_id(t) as id, merge_agg(t) as t from ('
             + ' union all '.join(reads) + ') x group by 1')
    db.psql(f'create table public.original as {whole};'
            'drop role if exists real_reader; create role real_reader;'
            "select grant_reader('real_reader');")
    out = db.psql('''
        select count(*), count(*) filter (where f.trace_id is null),
            count(*) filter (where span_count(o.t) <> f.span_count
                or started_at(o.t) <> f.started_at)
        from original o left join folded f on f.trace_id = o.id;
        select count(*) - count(distinct trace_id) from traces;''').split()
    traces = out[0].split('|')
    tap.ok(traces[1:] == ['0', '0'] and out[1] == '0',
           f'{traces[0]} traces, each once and whole', out)
    originals = trajectories('select id, t from original;')
    restored = trajectories(
        'select trace_id, restore_bodies(trajectory) from folded;')
    different = [i for i, t in originals.items() if not same(t, restored[i])]
    tap.ok(not different, 'with their bodies they are what was sent',
           different[:5])
    out = db.psql('''
        select count(*) from messages where content is null;
        select count(*) filter (where again is distinct from trajectory),
            count(*)
        from (select f.trajectory, with_bodies(f.trajectory, '{}', '{}')
            as again from folded f) x;''').split()
    tap.ok(out[0] == '0', 'every body is kept', out[0])
    tap.ok(out[1].startswith('0|'), 'without bodies nothing changes', out[1])
    check_leaks(tap, originals)
    tap.finish()


if __name__ == '__main__':
    main()
