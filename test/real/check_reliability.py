"""Attempts, recoveries, cascades and handoffs against another reading.

All traces go into a store; what its views say is compared with a plain
computation from the spans as the oracle reads them, convention by
convention.
"""
import collections
import re

import db
import oracle

CALLS = ('llm', 'embedding', 'rerank', 'retrieval', 'tool')
INPUT = re.compile(
    r'(gen_ai\.input\.messages|input\.value|ai\.prompt(\.messages)?|'
    r'langfuse\.observation\.input|traceloop\.entity\.input|llm\.prompts|'
    r'gen_ai\.prompt|mlflow\.spanInputs|pydantic_ai\.all_messages|'
    r'all_messages_events|llm\.request\.messages|'
    r'(llm\.input_messages|gen_ai\.prompt)\.\d+\..*)$')
ARGUMENTS = re.compile(
    r'(gen_ai\.tool\.call\.arguments|ai\.toolCall\.args|tool\.parameters|'
    r'tool_arguments|function\.input|gen_ai\.tool\.args)$')
ATTEMPTS = (('attempt', 0), ('retry.attempt', 0), ('gen_ai.retry.attempt', 0),
            ('http.request.resend_count', 1), ('opencode.llm.retry_count', 1))
RETRIES = ('gen_ai.retry', 'retry', 'llm.retry', 'http.retry')


def given(span, *patterns):
    """What a call was given: the attributes of its input."""
    return tuple(sorted((k, repr(v)) for k, v in span.attrs.items()
                        if any(p.match(k) for p in patterns)))


def arguments(span):
    """By what attempts at one call are known: a tool's arguments first."""
    found = given(span, ARGUMENTS) if span.kind == 'tool' else ()
    return found or given(span, INPUT)


def stated_attempt(span):
    """The number that a call, or an HTTP span right below it, states."""
    for key, base in ATTEMPTS:
        value = oracle.count(span.attrs.get(key))
        if value is not None and value + base > 0:
            return value + base
    todo = [c for c in span.children if c.kind not in CALLS]
    most = 0
    while todo:
        below = todo.pop()
        most = max(most, oracle.count(
            below.attrs.get('http.request.resend_count')) or 0)
        todo += [c for c in below.children if c.kind not in CALLS]
    return most + 1 if most else None


def logical(order):
    """[(call's spans, attempts, hedges)] of a trace."""
    groups, latest, state = [], {}, {}
    for span in order:
        if span.kind not in CALLS:
            continue
        key = (id(span.up), span.kind, (span.name, oracle.first(
            span.attrs, 'tool_name', oracle.some_text)
            if span.kind == 'tool' else None), arguments(span))
        stated = stated_attempt(span)
        events = sum(name in RETRIES for name, _ in span.events)
        attempt = stated or 1 + events
        before = latest.get(key)
        overlaps = before is not None and (
            before.end is None or span.start < before.end)
        hedge = bool(overlaps and key[3])
        if before is None:
            same = False
        elif stated:
            same = stated > state[before.span_id][1]
        else:
            same = hedge or (before.is_error and not overlaps)
        if same:
            group = state[before.span_id][0]
            if not stated:
                attempt = state[before.span_id][1] + 1
            group['hedges'] += hedge
        else:
            group = {'spans': [], 'attempt': 0, 'hedges': 0}
            groups.append(group)
        group['spans'].append(span)
        group['attempt'] = max(group['attempt'], attempt)
        latest[key] = span
        state[span.span_id] = (group, attempt)
    return groups


def name_of(span):
    """What a call is called."""
    return span.tool_name or span.model or span.name


def recoveries(order, groups):
    """(failed span, its recovery or None, mechanism) of a trace."""
    call_of = {s.span_id: n for n, g in enumerate(groups) for s in g['spans']}
    for span in (s for g in groups for s in g['spans'] if s.is_error):
        best = None
        for other in order:
            if (other.ordinal <= span.ordinal or other.up is not span.up
                    or other.is_error
                    or other.kind not in CALLS + ('human',)
                    or span.end is None or other.start < span.end):
                continue
            mine, theirs = (given(s, INPUT, ARGUMENTS) for s in (span, other))
            same = call_of.get(other.span_id) == call_of[span.span_id]
            if same and (span.kind != 'llm' or not span.model
                         or not other.model or span.model == other.model):
                how = 'retry'
            elif other.kind == 'human':
                how = 'human'
            elif (other.kind == span.kind == 'llm' and span.model
                  and other.model and other.model != span.model
                  and (mine == theirs or not mine or not theirs)):
                how = 'fallback_model'
            elif (other.kind == span.kind and span.kind in ('tool', 'retrieval')
                  and name_of(other) != name_of(span) and mine
                  and mine == theirs):
                how = 'alt_tool'
            elif other.kind == span.kind and name_of(other) == name_of(span):
                how = 'replan'
            else:
                continue
            rank = (not same, other.ordinal)
            if best is None or rank < best[0]:
                best = (rank, other.span_id, how)
        yield (span.span_id,) + (best[1:] if best else (None, 'none'))


def cascades(order):
    """(first span, number of steps) of a trace's questions to models."""
    routes = collections.defaultdict(list)
    for span in order:
        if span.kind == 'llm' and span.model and given(span, INPUT):
            routes[id(span.up), given(span, INPUT)].append(span)
    for spans in routes.values():
        spans.sort(key=lambda s: (s.start // 1000, s.ordinal))
        chain, ended = [], 0
        for span in spans:
            if chain and (span.start // 1000 < ended
                          or span.model == chain[-1].model):
                yield chain[0].span_id, len(chain)
                chain = []
            chain.append(span)
            ended = max(ended, float('inf') if span.end is None
                        else span.end // 1000)
        yield chain[0].span_id, len(chain)


def handoffs(order):
    """(above, below, is error, is origin) of a trace."""
    for span in order:
        above, passed = span.up, 0
        while above is not None and above.kind == 'other' and passed < 3:
            above, passed = above.up, passed + 1
        if span.kind == 'other' or above is None or above.kind == 'other':
            continue
        below = order[span.ordinal:span.ordinal - 1 + span.subtree_count]
        yield (above.span_id, span.span_id, span.is_error, span.is_error
               and not any(s.is_error and s.kind != 'other' for s in below))


def wanted(traces):
    """By view: rows as the views give them, with their convention."""
    rows = {'logical_call': {}, 'recovery': {}, 'cascade_route': {},
            'handoff': {}}
    for key, order in traces.items():
        by_id = {s.span_id: s for s in order}

        def put(view, first, row, key=key, by_id=by_id):
            """Remember a row under its convention."""
            rows[view][(key, first) + row] = by_id[first].convention
        groups = logical(order)
        for group in groups:
            put('logical_call', group['spans'][0].span_id, (
                str(max(group['attempt'] - group['hedges'], 1)),
                str(group['hedges']),
                'ok' if not all(s.is_error for s in group['spans'])
                else 'error'))
        for failed, recovered, how in recoveries(order, groups):
            put('recovery', failed, (recovered, how))
        for first, steps in cascades(order):
            put('cascade_route', first, (str(steps),))
        for above, below, error, origin in handoffs(order):
            put('handoff', below, (above, 't' if error else 'f',
                                   't' if origin else 'f'))
    return rows


QUERIES = {
    'logical_call': 'logical_id, attempt_count, hedge_count, final_status',
    'recovery': 'fail_span_id, recover_span_id, mechanism',
    'cascade_route': 'first_span_id, step_count',
    'handoff': 'to_span_id, from_span_id, is_error, is_origin',
}


def main():
    """Load everything, compare view by view."""
    tap = db.Tap()
    folder = db.data_or_skip(tap)
    spans, script = [], 'select create_store();\n'
    with db.scratch() as place:
        for number, path in enumerate(oracle.data_files(folder)):
            bodies = db.bodies_of(path)
            spans += [s for body in oracle.documents(path)
                      for s in oracle.spans_of(oracle.read(path, body))]
            table = f'doc{number}'
            script += db.loader(place, table, bodies)
            script += f'select count(*) from {table}, ' + (
                'ingest_otlp_protobuf(doc)' if isinstance(bodies[0], bytes)
                else "ingest_otlp_json(convert_to(doc, 'UTF8'))") + ';\n'
        script += "call fold('0');\n"
        db.psql(script)
    traces = oracle.traces_of(spans)
    tap.ok(db.psql('select count(*), sum(span_count) from folded').strip()
           == f'{len(traces)}|{sum(map(len, traces.values()))}',
           'all traces are in the store')
    for view, want in wanted(traces).items():
        got = set(tuple(row) for row in db.copied(db.psql(
            f"copy (select replace(trace_id::text, '-', ''), {QUERIES[view]} "
            f'from {view}) to stdout')))
        for convention in sorted(set(want.values())):
            mine = {row for row, c in want.items() if c == convention}
            tap.ok(mine <= got, f'{view}, {convention}: {len(mine)} rows',
                   f'missing: {sorted(mine - got, key=repr)[:5]}',
                   'there: ' + repr([r for r in got if r[:2] in {
                       m[:2] for m in sorted(mine - got, key=repr)[:5]}]))
        tap.ok(len(got) == len(want), f'{view}: no row more',
               f'{len(got)} rows, {len(want)} wanted',
               f'{sorted(got - set(want), key=repr)[:5]}')
    tap.finish()


main()
