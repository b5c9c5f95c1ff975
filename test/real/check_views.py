"""The views of a store against the oracle, on handmade and all real data.

Every file is loaded into a store, read before and after it is folded, and
compared row by row and in sums; then the views with one another.
"""
import json
import os
import re
import sys
from collections import Counter, defaultdict
from decimal import Decimal

import db
import handmade
import oracle

VIEWS = ('traces', 'spans', 'model_calls', 'tool_calls', 'agent_runs')
TOKENS = tuple(f'{c}_tokens' for c in oracle.COUNTS)
SHOWN = 6                        # differences printed for a check
# US dollars a million tokens: input, output, cache read, cache write
PRICE = tuple(map(Decimal, ('3', '15', '0.3', '3.75')))

CLEAN = '''truncate llmtrace.fragments, llmtrace.folded, llmtrace.directory,
  llmtrace.payloads, llmtrace.ingest_rejected, llmtrace.price;
'''
READ = ''.join(
    f"copy (select '{view}', to_jsonb(v) from llmtrace.{view} v) to stdout;\n"
    for view in VIEWS)


# ------------------------------------------------------------------- expected

def names_of(model):
    """What a price list may call a model: whole, bare, without a date."""
    bare = re.sub('^.*/', '', model)
    return {model, bare, re.sub(r'[-@](\d{4}-\d\d-\d\d|\d{8})$', '', bare)}


def priced_models(traces):
    """Every other model of a file: the rest is to be missing."""
    models = sorted({s.model for t in traces.values() for s in t if s.model})
    return {model for n, model in enumerate(models) if n % 2 == 0}


def cost_of(span, priced):
    """(cost, source) of a span: reported, priced or missing."""
    if not span.is_billed:
        return None, None
    if span.cost is not None:
        return span.cost, 'reported'
    if not span.model or not names_of(span.model) & priced:
        return None, 'missing'
    used = {c: span.usage[c] or 0 for c in oracle.COUNTS}
    fresh = max(used['input'] - used['cache_read'] - used['cache_write'], 0)
    written = max(used['output'] - used['reasoning'], 0) + used['reasoning']
    return sum(a * b for a, b in zip(PRICE, (
        fresh, written, used['cache_read'], used['cache_write']))
    ) / 1000000, 'priced'


def wanted_traces(traces):
    """Rows of the view traces by trace id."""
    out = {}
    for key, order in traces.items():
        costs = [s.bill for s in order if s.is_billed]
        sources = {source for _, source in costs} - {'missing'}
        row = oracle.summary(order)
        row['cost_usd'] = oracle.known_sum(cost for cost, _ in costs)
        row['missing_price_count'] = sum(s == 'missing' for _, s in costs)
        row['cost_source'] = None if not costs else 'missing' \
            if not sources else 'mixed' if len(sources) > 1 else sources.pop()
        row['model'] = row['first_model']
        out[key] = row
    return out


def common(span, trace):
    """The columns with which rows of spans and calls end."""
    out = oracle.around(span)
    for column in ('tenant_id', 'user_id', 'conversation_id', 'prompt_name',
                   'prompt_version', 'prompt_hash'):
        out[column] = out[column] or trace[column]
    out['feature_source'] = 'attribute' if out['feature'] \
        else trace['feature_source']
    out['feature'] = out['feature'] or trace['feature']
    return out


def outcome(span):
    """What rows of all views of spans have, beside the common columns."""
    return {'duration_ms': None if span.end is None
            else (span.end - span.start) / 1e6,
            'status': span.status, 'is_error': span.is_error,
            'error_type': span.error_type}


def billed(span):
    """Tokens and cost of a span."""
    return {'cost_usd': span.bill[0], 'cost_source': span.bill[1],
            **{f'{c}_tokens': span.own[c] for c in oracle.COUNTS}}


def wanted_span(span):
    """A row of spans beyond what check_spans.py looks at."""
    return {**outcome(span), **billed(span), 'kind': span.kind,
            'model': span.model, 'attempt': span.attempt}


def wanted_call(span):
    """A row of model_calls, None for what is no call or wraps one."""
    if span.kind not in oracle.MODEL_KINDS or span.is_wrapper:
        return None
    return {**outcome(span), **billed(span), 'kind': span.kind,
            'model': span.model, 'attempt': span.attempt,
            'model_requested': oracle.first(
                span.attrs, 'model_requested', oracle.text_in),
            'model_responded': oracle.first(
                span.attrs, 'model_responded', oracle.text_in),
            'ttft_ms': oracle.ttft_ms(span), 'tpot_ms': oracle.tpot_ms(span),
            'finish_reason': oracle.finish_reason(span),
            'finish_reason_raw': oracle.first(
                span.attrs, 'finish_reason', oracle.text_in)}


def wanted_tool(span):
    """A row of tool_calls, None for what is none."""
    if span.kind != 'tool':
        return None
    return {**outcome(span), 'tool_name': span.tool_name,
            'tool_call_id': span.tool_call_id, 'attempt': span.attempt}


def nearest_agent(span):
    """The agent's span that this is, or that is nearest above it."""
    while span and span.kind != 'agent':
        span = span.up
    return span


def used_by(spans):
    """What some spans used, by the names of agent_runs."""
    return {'input_tokens': oracle.known_sum(s.own['input'] for s in spans),
            'output_tokens': oracle.known_sum(s.own['output'] for s in spans),
            'cost_usd': oracle.known_sum(s.bill[0] for s in spans)}


def wanted_run(span):
    """A row of agent_runs, None for what is none."""
    if span.kind != 'agent':
        return None
    below = oracle.subtree(span)
    own = [s for s in below if nearest_agent(s) is span]
    above = nearest_agent(span.up)
    depth, at = 1, above
    while at:
        depth, at = depth + 1, nearest_agent(at.up)
    return {**outcome(span), **used_by(own),
            **{'total_' + k: v for k, v in used_by(below).items()},
            'agent_depth': depth,
            'parent_agent_name': oracle.own_text(above, 'agent_name')
            if above else None,
            'model_call_count': sum(s.kind in oracle.MODEL_KINDS
                                    and not s.is_wrapper for s in own),
            'tool_call_count': sum(s.kind == 'tool' for s in own),
            'error_count': sum(s.is_error for s in own),
            'subagent_count': sum(
                s.kind == 'agent' and nearest_agent(s.up) is span
                for s in below)}


WANTED = {'spans': wanted_span, 'model_calls': wanted_call,
          'tool_calls': wanted_tool, 'agent_runs': wanted_run}


def wanted(traces):
    """{view: {key: row}} of a file by the oracle."""
    out = {'traces': wanted_traces(traces)}
    for view, row_of in WANTED.items():
        out[view] = {}
        for key, order in traces.items():
            for span in order:
                row = row_of(span)
                if row is not None:
                    row.update(common(span, out['traces'][key]))
                    out[view][key, span.span_id] = row
    return out


# ---------------------------------------------------------------------- found

def read_views(text):
    """{view: {key: row}} of what the queries printed."""
    out = {view: {} for view in VIEWS}
    for view, document in db.copied(text):
        row = json.loads(document, parse_float=Decimal)
        key = row['trace_id'].replace('-', '')
        if view != 'traces':
            key = key, row['span_id']
        if key in out[view]:
            raise db.SqlError(f'{view} has {key} twice')
        out[view][key] = row
    return out


def near(got, want):
    """Equality, to a rounding where something is a fraction."""
    if isinstance(want, (float, Decimal)) and got is not None:
        want = Decimal(want)
        return abs(Decimal(got) - want) <= max(
            Decimal('1e-9'), abs(want) * Decimal('1e-9'))
    return got == want


def compare(tap, label, view, found, want):
    """Rows of a view, column by column."""
    if not tap.ok(found.keys() == want.keys(), f'{label}: rows of {view}',
                  f'got {len(found)}, expected {len(want)}',
                  f'too many {sorted(found.keys() - want.keys())[:SHOWN]}',
                  f'missing {sorted(want.keys() - found.keys())[:SHOWN]}'):
        return
    bad, lines = Counter(), []
    for key, row in want.items():
        for column, value in row.items():
            if not near(found[key][column], value):
                bad[column] += 1
                if bad[column] <= SHOWN:
                    lines.append(f'{key} {column}: got '
                                 f'{found[key][column]!r}, expected {value!r}')
    tap.ok(not bad, f'{label}: columns of {view}', dict(bad), *lines)


SUMMED = {'spans': TOKENS + ('cost_usd', 'is_error', 'duration_ms'),
          'model_calls': TOKENS + ('cost_usd', 'is_error', 'duration_ms'),
          'tool_calls': ('is_error', 'duration_ms'),
          'agent_runs': ('input_tokens', 'output_tokens', 'cost_usd',
                         'error_count', 'model_call_count')}


def sums(rows, columns):
    """Plain sums over rows, and how many there are."""
    return [len(rows)] + [round(sum(Decimal(row[c] or 0) for row in rows), 6)
                          for c in columns]


def compare_sums(tap, label, traces, found, want):
    """What a plain sum gives, by convention."""
    says = {(s.trace_id, s.span_id): s.convention
            for t in traces.values() for s in t}
    for view, columns in SUMMED.items():
        groups = defaultdict(lambda: ([], []))
        for side, rows in enumerate((found[view], want[view])):
            for key, row in rows.items():
                groups[says.get(key)][side].append(row)
        wrong = [f'{name} {("rows",) + columns}: got {sums(got, columns)}, '
                 f'expected {sums(due, columns)}'
                 for name, (got, due) in groups.items()
                 if sums(got, columns) != sums(due, columns)]
        tap.ok(not wrong, f'{label}: sums over {view} by convention', *wrong)


# ----------------------------------------------------------------- identities

def total(rows, column, **having):
    """A sum, None if nothing is known; as SQL does it."""
    return oracle.known_sum(
        row[column] for row in rows
        if all(row[c] == value for c, value in having.items()))


def identities(traces, found):
    """What must be equal between views: (what, one side, the other)."""
    below = defaultdict(lambda: {view: [] for view in VIEWS})
    for view in VIEWS[1:]:
        for (trace, _), row in found[view].items():
            below[trace][view].append(row)
    for key, trace in found['traces'].items():
        rows = below[key]
        spans, calls, runs = (rows[v] for v in (
            'spans', 'model_calls', 'agent_runs'))
        for column in TOKENS + ('cost_usd',):
            yield f'{key} {column}', trace[column], total(spans, column)
        yield f'{key} spans', trace['span_count'], len(spans)
        yield (f'{key} errors', trace['error_count'],
               sum(s['is_error'] for s in spans))
        yield f'{key} calls', trace['model_call_count'], len(calls)
        yield (f'{key} tools', trace['tool_call_count'],
               len(rows['tool_calls']))
        yield f'{key} runs', trace['agent_run_count'], len(runs)
        yield (f'{key} missing', trace['missing_price_count'],
               sum(s['cost_source'] == 'missing' for s in spans))
        if all(nearest_agent(s) for s in traces[key]):
            for column in ('input_tokens', 'output_tokens', 'cost_usd'):
                yield (f'{key} {column} of root agents', trace[column],
                       total(runs, 'total_' + column, agent_depth=1))
                yield (f'{key} {column} of agents', trace[column],
                       total(runs, column))


def check(tap, label, bodies, traces):
    """One file, or one set of bodies."""
    priced = priced_models(traces)
    for order in traces.values():
        for span in order:
            span.bill = cost_of(span, priced)
    is_binary = isinstance(bodies[0], bytes)
    ingest = 'ingest_otlp_protobuf(doc)' if is_binary else \
        "ingest_otlp_json(convert_to(doc, 'utf8'))"
    models = ', '.join("('" + m.replace("'", "''") + "')" for m in priced)
    prices = f'''insert into llmtrace.price (model_pattern,
        input_usd_per_million, output_usd_per_million,
        cache_read_usd_per_million, cache_write_usd_per_million)
        select m, {', '.join(map(str, PRICE))}
        from (values {models}) x (m);''' if models else ''
    with db.scratch() as folder:
        try:
            db.psql(CLEAN + prices + db.loader(folder, 'body', bodies)
                    + f'do $$ begin perform llmtrace.{ingest} from body '
                      'order by n; end $$;')
            before = read_views(db.psql(READ))
            db.psql("call llmtrace.fold(quiet_for => '0');")
            found = read_views(db.psql(READ))
            left = db.psql('select count(*) from llmtrace.fragments')
        except db.SqlError as error:
            tap.ok(False, f'{label}: is loaded', error)
            return
    tap.ok(left.strip() == '0', f'{label}: all is folded', left)
    wrong = [f'{view} {key}: before {before[view].get(key)}, after {row}'
             for view in VIEWS for key, row in found[view].items()
             if before[view].get(key) != row]
    tap.ok(not wrong and all(before[v].keys() == found[v].keys()
                             for v in VIEWS),
           f'{label}: the same before and after folding', *wrong[:SHOWN])
    want = wanted(traces)
    for view in VIEWS:
        compare(tap, label, view, found[view], want[view])
    compare_sums(tap, label, traces, found, want)
    wrong = [f'{what}: {a!r} and {b!r}'
             for what, a, b in identities(traces, found) if a != b]
    tap.ok(not wrong, f'{label}: the views agree', *wrong[:SHOWN])


def main():
    """Check the files named in the arguments, else all of them."""
    only, tap = sys.argv[1:], db.Tap()
    db.psql('create extension if not exists llmtrace;\n'
            "do $$ begin if to_regclass('llmtrace.store') is null then "
            'perform llmtrace.create_store(); end if; end $$;')
    for label, body in [] if only else handmade.cases():
        check(tap, label, [body], oracle.traces_of(
            oracle.spans_of(oracle.read_json(body))))
    folder = db.data_or_skip(tap)
    for path in oracle.data_files(folder):
        if not only or os.path.basename(path) in only:
            check(tap, os.path.basename(path), db.bodies_of(path),
                  oracle.load(path))
    tap.finish()


if __name__ == '__main__':
    main()
