"""psql and the test protocol for the checks beside this file."""
import csv
import os
import re
import subprocess
import sys
import tempfile

import oracle

csv.field_size_limit(2 ** 31 - 1)


class Tap:
    """Counts and prints "ok - …" and "not ok - …" lines."""

    def __init__(self):
        """Nothing has failed yet."""
        self.failed = self.done = 0

    def ok(self, good, description, *diagnostics):
        """One check; the diagnostics are printed when it failed."""
        self.done += 1
        self.failed += not good
        print(('ok' if good else 'not ok') + ' - ' + description)
        for line in [] if good else diagnostics:
            print('# ' + str(line).replace('\n', '\n# '))
        sys.stdout.flush()
        return good

    def finish(self):
        """End the program with what the checks came to."""
        print(f'1..{self.done}')
        sys.exit(1 if self.failed else 0)


class SqlError(Exception):
    """What psql said when a script failed."""


def psql(script):
    """Run a script with psql, stopping at its first error."""
    done = subprocess.run(
        ['psql', '-XAtq', '-v', 'ON_ERROR_STOP=1'], encoding='utf-8',
        input="set client_encoding = 'utf8';\n"
              'set search_path = llmtrace, public;\n' + script,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
        env={**os.environ, 'PGOPTIONS': os.environ.get('PGOPTIONS', '')
             + ' -c client_min_messages=warning'})
    if done.returncode:
        raise SqlError(done.stderr.strip() or f'psql ended '
                       f'with {done.returncode}')
    return done.stdout


UNESCAPE = {'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t',
            'v': '\v'}


def copied(text):
    """Rows of COPY's text format as lists, NULL as None."""
    for line in text.split('\n'):
        if line:
            yield [None if field == '\\N' else re.sub(
                r'\\(.)', lambda m: UNESCAPE.get(m[1], m[1]), field)
                for field in line.split('\t')]


def loader(folder, table, bodies):
    """SQL that fills a table (n int, doc) with bodies (text or bytes)."""
    path = os.path.join(folder, table + '.csv')
    binary = any(isinstance(body, bytes) for body in bodies)
    with open(path, 'w', encoding='utf-8', newline='') as file:
        csv.writer(file).writerows(
            (n, '\\x' + body.hex() if binary else body)
            for n, body in enumerate(bodies))
    return (f'create temp table {table} '
            f'(n int, doc {"bytea" if binary else "text"});\n'
            f"\\copy {table} from '{path}' with (format csv)\n")


def decoder(bodies):
    """The function that decodes such bodies: bytes are protobuf."""
    return 'trajectories_from_otlp' + (
        '_protobuf' if isinstance(bodies[0], bytes) else '')


def bodies_of(path):
    """A file's bodies: str where they are JSON, bytes where protobuf."""
    bodies = oracle.documents(path)
    return bodies if '.pb' in os.path.basename(path) else \
        [body.decode('utf-8', 'replace') for body in bodies]


def pieces(folder, table, bodies):
    """SQL for a temporary table (n, id, t): each body's trajectories."""
    return (loader(folder, table + '_doc', bodies)
            + f'create temp table {table} as select n, trace_id(t) as id, t '
              f'from {table}_doc, {decoder(bodies)}(doc) as t;\n')


def data_or_skip(tap):
    """The data folder; where there is none, say so and finish."""
    folder = oracle.data_folder()
    if folder is None:
        tap.ok(True, 'real data # skip: not here (set LLMTRACE_DATA)')
        tap.finish()
    return folder


def scratch():
    """A temporary folder for what psql copies from."""
    return tempfile.TemporaryDirectory(prefix='llmtrace-real-')
