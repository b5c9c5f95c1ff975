"""How bin/llmtrace-load cuts a file into documents, on random files.

Run by t/070_load.pl. Whatever form documents have and however reading cuts
them, the same come out; one that was broken off costs no other.
"""
import importlib.machinery
import importlib.util
import json
import os
import random

ROUNDS = 4000


def load_module():
    """The loader as a module."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                        '..', 'bin', 'llmtrace-load')
    loader = importlib.machinery.SourceFileLoader('llmtrace_load', path)
    spec = importlib.util.spec_from_loader('llmtrace_load', loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def value(rng, depth=0):
    """A JSON value with everything that can mislead a scanner."""
    choice = rng.randrange(8)
    if choice < 3 or depth > 3:
        return rng.choice(['a', '{"x', '}{', '\\', '"', '\\"', '}\n{', 'é',
                           '\u2028', '😀', '{"resourceSpans":[', ']']
                          ) * rng.randrange(3)
    if choice < 5:
        return [value(rng, depth + 1) for _ in range(rng.randrange(3))]
    return {rng.choice(['k', '}{', 'q"']): value(rng, depth + 1)
            for _ in range(rng.randrange(3))}


def written(rng, document):
    """A document in one of the forms that JSON has."""
    return json.dumps(document, **rng.choice([
        {}, {'ensure_ascii': False}, {'indent': 2}, {'indent': 0},
        {'separators': (',', ':')}]))


def scan(module, data, size):
    """The documents of a file that is read in blocks."""
    scanner = module.JsonScanner(0)
    out = []
    at = 0
    while at < len(data):
        length = size()
        out += scanner.feed(data[at:at + length])
        at += length
    return out + list(scanner.at_end(True))


def check_forms(module, rng):
    """Good documents in all forms, read in blocks of all sizes."""
    documents = [{'resourceSpans': [value(rng) for _ in range(3)]}
                 for _ in range(rng.randrange(1, 5))]
    between = rng.choice(['\n', '\r\n', '', '\n\n', ' '])
    text = rng.choice(['', '\ufeff', '\n']) + ''.join(
        written(rng, d) + between for d in documents)
    out = scan(module, text.encode(), lambda: rng.choice([1, 7, 30, 1000]))
    assert [json.loads(b''.join(d.body)) for d in out] == documents, text
    assert not any(d.mended for d in out), text
    assert not any(b'\n' in piece for d in out for piece in d.body), text


def check_broken(module, rng):
    """Documents beside one that was broken off."""
    good = [{'resourceSpans': [n, value(rng)]} for n in range(3)]
    bad = json.dumps({'resourceSpans': [value(rng) for _ in range(3)]},
                     indent=rng.choice([None, 2]))
    text = json.dumps(good[0]) + '\n' + bad[:rng.randrange(1, len(bad))] \
        + rng.choice(['', '\n']) \
        + json.dumps(good[1], indent=rng.choice([None, 2])) \
        + '\n' + json.dumps(good[2]) + '\n'
    found = []
    for document in scan(module, text.encode(), lambda: 10000):
        try:
            found.append(json.loads(b''.join(document.body)))
        except ValueError:
            pass
    assert all(g in found for g in good), text


def check_long(module, rng):
    """A document that is too long is left out, and no other, on any line."""
    limit, module.MAX_DOCUMENT = module.MAX_DOCUMENT, 400
    try:
        lines = [json.dumps({'resourceSpans': ['x' * rng.randrange(800)]},
                            indent=rng.choice([None, 1]))
                 for _ in range(5)]
        data = '\n'.join(lines).encode()
        found = scan(module, data, lambda: rng.randrange(1, 300))
    finally:
        module.MAX_DOCUMENT = limit
    assert [d.body is None for d in found] == [len(l) > 400 for l in lines] \
        or any(395 < len(l) <= 405 for l in lines), (lines, found)


def main():
    """Check many random files."""
    module = load_module()
    module.MAX_HELD = 50        # so that lines are cut, too
    rng = random.Random(1)
    for _ in range(ROUNDS):
        check_forms(module, rng)
        check_broken(module, rng)
        check_long(module, rng)


if __name__ == '__main__':
    main()
