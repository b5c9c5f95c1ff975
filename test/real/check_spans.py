"""spans(t), column by column, against the oracle on all real data."""
import os
import sys
from collections import Counter, defaultdict

import db
import handmade
import oracle

TEXT, INT, FLAG, FLOAT = str, int, 't'.__eq__, float
COLUMNS = {                      # name: (how psql's text is read, SQL)
    'trace_id': (lambda s: s.replace('-', ''), None),
    'span_id': (TEXT, None), 'parent_span_id': (TEXT, None),
    'ordinal': (INT, None), 'parent': (INT, None), 'depth': (INT, None),
    'subtree_count': (INT, None), 'is_orphan': (FLAG, None),
    'name': (TEXT, None), 'span_kind': (TEXT, None), 'status': (TEXT, None),
    'status_message': (TEXT, None),
    'started_us': (INT, '(extract(epoch from started_at) * 1000000)::int8'),
    'span_started_us': (
        INT, '(extract(epoch from span_started_at) * 1000000)::int8'),
    'span_ended_us': (
        INT, '(extract(epoch from span_ended_at) * 1000000)::int8'),
    'start_ms': (FLOAT, None), 'duration_ms': (FLOAT, None),
    'self_ms': (FLOAT, None),
    'kind': (TEXT, None), 'is_error': (FLAG, None),
    'error_type': (TEXT, None), 'model': (TEXT, None),
    'has_provider': (FLAG, 'provider is not null'), 'tool_name': (TEXT, None),
    'tool_call_id': (TEXT, None),
    'usage_scope': (TEXT, None), 'input_tokens': (INT, None),
    'output_tokens': (INT, None), 'reasoning_tokens': (INT, None),
    'cache_read_tokens': (INT, None), 'cache_write_tokens': (INT, None),
    'reported_input_tokens': (INT, None),
    'reported_output_tokens': (INT, None),
    'reported_cost_usd': (oracle.money, None), 'prompt_hash': (TEXT, None),
}
GROUPS = {
    'tree': 'parent_span_id ordinal parent depth subtree_count is_orphan',
    'wire': 'name span_kind status status_message',
    'times': 'started_us span_started_us span_ended_us start_ms duration_ms '
             'self_ms',
    'meaning': 'kind is_error error_type model has_provider tool_name '
               'tool_call_id',
    'usage': 'usage_scope input_tokens output_tokens reasoning_tokens '
             'cache_read_tokens cache_write_tokens reported_input_tokens '
             'reported_output_tokens reported_cost_usd',
    'prompts': 'prompt_hash',
}
QUERY = '''create temp table whole as
  select merge_agg(t) as t from piece group by id;
copy (select {columns} from whole, spans(t) as s) to stdout;
'''
SHOWN = 6                        # differences printed for a check


def ms(nanoseconds):
    """Nanoseconds as milliseconds, None kept."""
    return None if nanoseconds is None else nanoseconds / 1e6


def us(nanoseconds):
    """Nanoseconds as whole microseconds, which is what timestamptz holds."""
    return None if nanoseconds is None else nanoseconds // 1000


def wanted(span):
    """A span of the oracle as the columns of spans(t)."""
    return {
        'trace_id': span.trace_id, 'span_id': span.span_id,
        'parent_span_id': span.parent_span_id, 'ordinal': span.ordinal,
        'parent': span.up.ordinal if span.up else None, 'depth': span.depth,
        'subtree_count': span.subtree_count, 'is_orphan': span.is_orphan,
        'name': span.name, 'span_kind': span.span_kind,
        'status': span.status, 'status_message': span.status_message,
        'started_us': us(span.trace_start), 'span_started_us': us(span.start),
        'span_ended_us': us(span.end),
        'start_ms': ms(span.start - span.trace_start),
        'duration_ms': ms(span.end and span.end - span.start),
        'self_ms': ms(span.self_ns),
        'kind': span.kind, 'is_error': span.is_error,
        'error_type': span.error_type, 'model': span.model,
        'has_provider': span.provider is not None,
        'tool_name': span.tool_name, 'tool_call_id': span.tool_call_id,
        'usage_scope': span.usage_scope,
        **{f'{c}_tokens': span.own[c] for c in oracle.COUNTS},
        'reported_input_tokens': span.usage['input'],
        'reported_output_tokens': span.usage['output'],
        'reported_cost_usd': span.cost, 'prompt_hash': span.prompt_hash,
    }


def read_rows(text):
    """COPY's rows as dicts by column."""
    return [{name: None if field is None else cast(field)
             for (name, (cast, _)), field in zip(COLUMNS.items(), row)}
            for row in db.copied(text)]


def near(column, got, want):
    """Equality, to a rounding where a column is a fraction."""
    if got is None or want is None:
        return got is want
    if column.endswith('_ms'):
        return abs(got - want) <= 1e-6 + 1e-9 * abs(want)
    if column == 'reported_cost_usd':
        return abs(got - want) <= oracle.money('1e-12')
    return got == want


def undefined(column, span):
    """What no page defines: self time beside an open child."""
    return column == 'self_ms' and any(c.end is None for c in span.children)


def sums(rows):
    """What plain sums over the rows give."""
    out = Counter()
    for row in rows:
        out['calls'] += row['kind'] in oracle.MODEL_KINDS
        out['errors'] += row['is_error']
        for column in oracle.COUNTS:
            out[column + '_tokens'] += row[column + '_tokens'] or 0
    return dict(out)


def call_sums(spans):
    """Tokens of the innermost model calls: the truth without agents."""
    inner = [s for s in spans if s.kind in oracle.MODEL_KINDS
             and oracle.has_usage(s) and s.usage_scope == 'own']
    return tuple(sum(s.usage[c] or 0 for s in inner)
                 for c in ('input', 'output'))


def compare(tap, label, traces, rows):
    """Rows of spans(t) against traces of the oracle."""
    spans = {(s.trace_id, s.span_id): s for t in traces.values() for s in t}
    found = {(r['trace_id'], r['span_id']): r for r in rows}
    if not tap.ok(len(rows) == len(spans) and found.keys() == spans.keys(),
                  f'{label}: the same spans',
                  f'rows {len(rows)}, expected {len(spans)}'):
        return
    for group, columns in GROUPS.items():
        bad, lines = Counter(), []
        for key, span in spans.items():
            want, got = wanted(span), found[key]
            for column in columns.split():
                if not undefined(column, span) and not near(
                        column, got[column], want[column]):
                    bad[column] += 1
                    if bad[column] <= SHOWN:
                        lines.append(
                            f'{key[0]} {key[1]} {span.name[:30]!r} {column}: '
                            f'got {got[column]!r}, '
                            f'expected {want[column]!r}')
        tap.ok(not bad, f'{label}: {group}', dict(bad), *lines)
    compare_sums(tap, label, traces, spans, found)


def compare_sums(tap, label, traces, spans, found):
    """Sums by convention, and that no total is counted twice."""
    groups = defaultdict(lambda: ([], []))
    for key, span in spans.items():
        groups[span.convention][0].append(found[key])
        groups[span.convention][1].append(wanted(span))
    for name, (got, want) in sorted(groups.items()):
        tap.ok(sums(got) == sums(want), f'{label}: sums of {name} spans',
               f'got {sums(got)}', f'expected {sums(want)}')
    wrong = [line for trace in traces.values()
             for line in miscounted(trace, found)]
    tap.ok(not wrong, f'{label}: everything is counted once', *wrong[:SHOWN])


def miscounted(trace, found):
    """Lines about tokens of a trace that plain sums count twice or never.

    Of two spans that count, one below the other, the upper one is a model
    call and the lower one is not; and what a span repeats is counted below.
    """
    counted = {id(s) for s in trace
               if found[s.trace_id, s.span_id]['input_tokens']
               or found[s.trace_id, s.span_id]['output_tokens']}
    covered = set()
    for span in trace:
        at = span.up if id(span) in counted else None
        while at:
            covered.add(id(at))
            if id(at) in counted and not (at.kind in oracle.MODEL_KINDS and
                                          span.kind not in oracle.MODEL_KINDS):
                yield f'{at.span_id} counts what {span.span_id} counts'
            at = at.up
    for span in trace:
        if oracle.has_usage(span) and id(span) not in counted | covered:
            yield f'nobody counts what {span.span_id} reports'


def compare_calls(tap, label, traces, rows):
    """Where a trace has model calls, agents and wrappers add nothing."""
    got, wrong = defaultdict(Counter), []
    for row in rows:
        for column in ('input', 'output'):
            got[row['trace_id']][column] += row[column + '_tokens'] or 0
    for key, trace in traces.items():
        want, sums_of = call_sums(trace), tuple(
            got[key][c] for c in ('input', 'output'))
        if any(want) and sums_of != want:
            wrong.append(f'{key}: sum {sums_of}, model calls {want}')
    tap.ok(not wrong, f'{label}: sums are those of the model calls',
           *wrong[:SHOWN])


def check(tap, label, bodies, traces):
    """One set of bodies; the rows of spans(t)."""
    columns = ', '.join(f'{sql} as {name}' if sql else f's.{name}'
                        for name, (_, sql) in COLUMNS.items())
    with db.scratch() as folder:
        try:
            rows = read_rows(db.psql(
                db.pieces(folder, 'piece', bodies)
                + QUERY.format(columns=columns)))
        except db.SqlError as error:
            tap.ok(False, f'{label}: spans', error)
            return []
    compare(tap, label, traces, rows)
    return rows


def main():
    """Check the files named in the arguments, else all of them."""
    only, tap = sys.argv[1:], db.Tap()
    for label, body in [] if only else handmade.cases():
        traces = oracle.traces_of(oracle.spans_of(oracle.read_json(body)))
        check(tap, label, [body], traces)
    folder = db.data_or_skip(tap)
    for path in oracle.data_files(folder):
        if not only or os.path.basename(path) in only:
            label, traces = os.path.basename(path), oracle.load(path)
            rows = check(tap, label, db.bodies_of(path), traces)
            compare_calls(tap, label, traces, rows)
    tap.finish()


if __name__ == '__main__':
    main()
