"""The oracle against the data's own manifest; needs no server.

The manifest was counted when the data was gathered, by other code: where
both agree, a wrong reading of the wire is unlikely.
"""
import json
import os

import db
import oracle


def counts(raw):
    """The manifest's counts over all spans, duplicates included."""
    spans = [s for trace in oracle.traces_of(raw).values() for s in trace]
    seen = {(s.trace_id, s.span_id): s for s in spans}
    all_of = [seen[s.trace_id, s.span_id] for s in raw]
    unique = list(seen.values())
    return {
        'spans_with_tokens': sum(
            any(v is not None for v in s.usage.values()) for s in all_of),
        'error_spans': sum(s.status == 'error' for s in all_of),
        'exception_events': sum(name == 'exception' for s in all_of
                                for name, _ in s.events),
        'events': sum(len(s.events) for s in all_of),
        'roots': sum(s.parent_span_id is None for s in all_of),
        'orphan_parent_spans': sum(s.is_orphan for s in unique),
        'end_zero': sum(not s.raw.get('end_time_unix_nano') for s in all_of),
        'zero_duration': sum(s.end == s.start for s in all_of),
        'child_starts_before_parent': sum(
            s.up is not None and s.start < s.up.start for s in unique),
    }


def check_wire(tap, path):
    """Writing what was read gives the same again; protobuf to the byte."""
    bad = 0
    for body in oracle.documents(path):
        request = oracle.read(path, body)
        written = oracle.write_protobuf(request)
        if '.pb' in os.path.basename(path):
            bad += written != body
        again = oracle.read_protobuf(written)   # lone surrogates repaired
        written = oracle.write_protobuf(again)
        for copy in (oracle.read_protobuf(written),
                     oracle.read_json(oracle.write_json(again))):
            bad += oracle.write_protobuf(copy) != written
    tap.ok(not bad, f'{os.path.basename(path)}: the wire round trips',
           f'{bad} bodies differ')


def main():
    """Check every file."""
    tap = db.Tap()
    folder = db.data_or_skip(tap)
    with open(os.path.join(folder, 'manifest.json'), encoding='utf-8') as f:
        manifest = json.load(f)
    paths = oracle.data_files(folder)
    for path in paths:
        check_wire(tap, path)
    for entry in manifest:
        raw = [s for path in paths
               if os.path.basename(path).split('.')[0] == entry['name']
               for body in oracle.documents(path)
               for s in oracle.spans_of(oracle.read(path, body))]
        traces = oracle.traces_of(raw)
        got = {'traces': len(traces), 'spans': len(raw),
               'unique_spans': sum(map(len, traces.values())), **counts(raw)}
        want = {key: entry['counts'].get(key, entry.get(key)) for key in got}
        tap.ok(got == want, f"{entry['name']}: the manifest's counts",
               *(f'{k}: got {got[k]}, expected {want[k]}' for k in got
                 if got[k] != want[k]))
    tap.finish()


if __name__ == '__main__':
    main()
