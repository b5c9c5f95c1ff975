"""Every file of real data through llmtrace-load, with the manifest's counts.

The store is empty at first; each file is loaded, counted before and after it
is folded, and loaded once more, which must change nothing.
"""
import json
import os
import re
import subprocess

import db
import oracle

LOAD = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                    '..', '..', 'bin', 'llmtrace-load')
EMPTY = '''truncate fragments, folded, directory, payloads, ingest_rejected,
  load_progress, annotation;
'''
WAITING = '''select count(distinct trace_id), coalesce(sum(span_count(t)), 0)
  from (select trace_id, merge_agg(fragment) as t from fragments group by 1) x;
'''
FOLDED = '''select count(*), coalesce(sum(span_count), 0) from folded;
'''
CONTENT = '''select md5(string_agg(md5(trajectory::text), '' order by trace_id))
  from folded;
'''


def load(path, *options):
    """(status, summary, complaints) of a run."""
    done = subprocess.run([LOAD, *options, path], encoding='utf-8',
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          check=False)
    return done.returncode, done.stdout.replace(',', ''), done.stderr


def number(summary, noun):
    """What the summary says of something."""
    found = re.search(rf'(\d+) {noun}', summary)
    return int(found[1]) if found else 0


def expected(path, manifest):
    """(traces, unique spans, spans sent) by the manifest, else the oracle."""
    sent = sum(len(list(oracle.spans_of(oracle.read(path, body))))
               for body in oracle.documents(path))
    entry = manifest.get(os.path.basename(path).split('.')[0])
    if entry:
        return entry['traces'], entry['unique_spans'], entry.get('spans', sent)
    traces = oracle.load(path)
    return len(traces), sum(map(len, traces.values())), sent


def check_file(tap, path, manifest):
    """All checks of one file."""
    name = os.path.basename(path)
    traces, unique, sent = expected(path, manifest)
    wanted = f'{traces}|{unique}'
    db.psql(EMPTY)
    status, summary, complaints = load(path, '--no-fold')
    tap.ok(status == 0 and not complaints, f'{name}: loads',
           f'status {status}', summary, complaints)
    tap.ok(number(summary, 'spans? accepted') == sent,
           f'{name}: every span is accepted', summary, f'expected {sent}')
    _, counted, _ = load(path, '--dry-run')
    tap.ok(number(counted, 'spans?') == sent, f'{name}: dry run', counted)
    got = db.psql(WAITING).strip()
    tap.ok(got == wanted, f'{name}: traces and spans before folding',
           f'got {got}, expected {wanted}')

    status, _, complaints = load(path, '--fold-now')
    tap.ok(status == 0 and 'loaded already' in complaints,
           f'{name}: is known to be loaded', complaints)
    got = db.psql(FOLDED).strip()
    tap.ok(got == wanted, f'{name}: traces and spans when folded',
           f'got {got}, expected {wanted}')
    before = db.psql(CONTENT)
    status, summary, _ = load(path, '--again', '--fold-now')
    tap.ok(number(summary, 'spans? accepted') == sent,
           f'{name}: loads again', summary)
    tap.ok(db.psql(CONTENT + FOLDED) == before + wanted + '\n',
           f'{name}: loading again changes nothing')


def check_logs(tap, path):
    """Logs are told as what they are."""
    db.psql(EMPTY)
    status, _, complaints = load(path, '--no-fold')
    tap.ok(status == 1 and 'holds logs' in complaints,
           f'{os.path.basename(path)}: logs are told', complaints)


def main():
    """Check every file."""
    tap = db.Tap()
    folder = db.data_or_skip(tap)
    with open(os.path.join(folder, 'manifest.json'), encoding='utf-8') as f:
        manifest = {entry['name']: entry for entry in json.load(f)}
    db.psql('create extension if not exists llmtrace;\n'
            "select create_store() from (select 1) x "
            "where to_regclass('llmtrace.otlp') is null;\n")
    for path in oracle.data_files(folder):
        check_file(tap, path, manifest)
    captures = os.path.join(folder, 'captures')
    for name in sorted(os.listdir(captures)):
        path = os.path.join(captures, name)
        if not name.endswith('.meta.json') and oracle.is_logs(path):
            check_logs(tap, path)
    tap.finish()


if __name__ == '__main__':
    main()
