"""Critical paths, slack and profiles of all real traces that have times."""
import os

import db
import oracle

# Each query gives how many do not hold. Ends are in the doubles of
# milliseconds, hence the tolerance.
CHECKS = {
    'paths tile each root': '''
        select count(*) from whole, lateral (
          select count(*) filter (where gap > 1e-6 or ms <= 0) as bad from (
            select ms, abs(start_ms - coalesce(lag(end_ms) over w, (
                select s.start_ms from spans(t) s where s.ordinal = p.root))) as gap
            from critical_path(t) p window w as (partition by root order by section)) q) r
        where bad > 0''',
    'paths end with the root': '''
        select count(*) from whole, lateral (
          select root, max(end_ms) as e from critical_path(t) group by root) p,
          lateral (select s.start_ms + s.duration_ms as e from spans(t) s
                   where s.ordinal = p.root and s.duration_ms is not null) r
        where abs(p.e - r.e) > 1e-6''',
    'who owns a section has no slack': '''
        select count(*) from whole, span_timing(t)
        where critical_ms > 0 and slack_ms is distinct from 0''',
    'figures are finite': '''
        select count(*) from whole, span_timing(t)
        where not (coalesce(self_ms, 0) + critical_ms + coalesce(slack_ms, 0)
                   + drag_ms between 0 and 1e12)''',
    'the figure is the sum of the path': '''
        select count(*) from whole where abs(critical_ms(t, '{}') - (
          select coalesce(sum(ms), 0) from critical_path(t))) > 1e-3''',
    'nothing changed takes what it took': '''
        select count(*) from whole, what_if(t, '{}', 1) w
        where abs(w.saved_ms) > 1e-3''',
    'no time at all takes none': '''
        select count(*) from whole, what_if(t, '{}', 0, roots => 'primary') w
        where abs(w.duration_ms) > 1e-3''',
    'shares of the cohort add up to 1': '''
        select count(*) from (
          select sum(critical_share) as one, sum(critical_ms) as ms,
                 sum(error_count) as errors from frames(
            (select profile_agg(t) from whole))) f,
          (select sum(critical_ms(t, '{}')) as ms, sum(error_count(t)) as errors
           from whole) w
        where w.ms > 0 and (abs(one - 1) > 1e-9 or abs(f.ms - w.ms) > 1e-3
                            or f.errors <> w.errors)''',
    'budgets keep their identities': '''
        select count(*) from whole, lateral (
          select max(overrun_ms) filter (where node = 'root') as over,
                 sum(created_ms) - sum(absorbed_ms) as net, sum(blame_ms) as blame
          from latency_budget(t, '{"ms": 3000, "children": [
            {"pattern": "{ kind = llm }", "ms": 1500},
            {"pattern": "{ kind = tool }", "ms": 500}]}')) b
        where abs(over - net) > 1e-3 or abs(over - blame) > 1e-3''',
    'pictures are drawn': '''
        select count(*) from whole where waterfall_svg(t) not like '<svg%</svg>\'''',
}


QUERY = """create temp table whole as
  select merge_agg(t) as t from piece group by id;
"""


def check_file(tap, path):
    """All checks of one file."""
    name = os.path.basename(path)
    with db.scratch() as folder:
        script = db.pieces(folder, 'piece', db.bodies_of(path)) + QUERY
        script += ''.join(f"select '{label}', ({sql});\n"
                          for label, sql in CHECKS.items())
        try:
            out = db.psql(script)
        except db.SqlError as error:
            tap.ok(False, f'{name}: no error', error)
            return
    for line in out.splitlines():
        label, _, bad = line.partition('|')
        tap.ok(bad == '0', f'{name}: {label}', f'{bad} do not')


def main():
    """All files that can be loaded."""
    tap = db.Tap()
    for path in oracle.data_files(db.data_or_skip(tap)):
        check_file(tap, path)
    tap.finish()


if __name__ == '__main__':
    main()
