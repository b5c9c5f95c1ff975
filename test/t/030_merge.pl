# Merging and the tree against a slow and obvious oracle, on random small
# trajectories: spans that are open, missing, in conflict, in cycles.
#
# LLMTRACE_SEED=… repeats a run.

use strict;
use warnings FATAL => 'all';
use JSON::PP;
use List::Util qw(max min shuffle);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use constant CASES => 1000;
use constant MS => 1_000_000;

my $seed = $ENV{LLMTRACE_SEED} || time();
srand($seed);
note("seed $seed");

my $json = JSON::PP->new->canonical->allow_nonref;

sub pick { return $_[ rand @_ ]; }
sub chance { return rand() < $_[0]; }

# ------------------------------------------------------------- random cases

my @resources = ({}, { attributes => { 'service.name' => 'a' } }, { attributes => { 'service.name' => 'b' } });
my @scopes = ({}, { name => 'a' }, { name => 'a', version => '1' });

# Few ids, so that parents are found and cycles close; some have the top bit.
my @ids = map { sprintf('%016x', $_) } 1 .. 6;
push @ids, 'ffffffffffffff01', '8000000000000000';

my @values = (1, 2, 1.5, 'a', JSON::PP::true, [1], {});
my @counts = qw(flags repaired dropped_attributes_count dropped_events_count dropped_links_count);

sub random_event
{
	return { time_ns => pick(1, 2), name => pick('a', 'exception'), attributes => { x => pick(1, 2) } };
}

# Each changes one thing about a span. Times in ms here.
my @mutations = (
	sub { $_[0]{end} = undef },
	sub { $_[0]{end} = $_[0]{start} - 1 },		# open as well
	sub { $_[0]{end} = $_[0]{start} + int(rand(9)) },
	sub { $_[0]{start} = 1 + int(rand(9)) },
	sub { $_[0]{parent_span_id} = pick(@ids) },
	sub { $_[0]{parent_span_id} = 'eeee000000000000' },
	sub { delete $_[0]{parent_span_id} },
	sub { $_[0]{name} = pick('a', 'b', "\x{e9}") },
	sub { $_[0]{span_kind} = pick('server', 'client') },
	sub { $_[0]{status} = pick('ok', 'error') },
	sub { $_[0]{status_message} = pick('a', 'b') },
	sub { $_[0]{trace_state} = pick('a=1', 'b=1') },
	sub { $_[0]{ pick(@counts) } = pick(1, 2) },
	sub { $_[0]{events} = [ map { random_event() } 1 .. pick(1, 2) ] },
	sub { $_[0]{links} = [ { trace_id => '0' x 31 . pick(1, 2), span_id => pick(@ids) } ] },
	sub { $_[0]{resource} = pick(@resources) },
	sub { $_[0]{scope} = pick(@scopes) },
	(sub { $_[0]{attributes}{ pick('x', 'y', 'gen_ai.usage.input_tokens') } = pick(@values) }) x 3,
	sub { delete $_[0]{attributes}{x} });

# Where columns are derived, and keys mapped to them.
my @wild_mutations = (
	sub { pick(@mutations)->(@_) },
	sub { $_[0]{end} = undef },
	(sub { $_[0]{attributes}{ pick('m', 'gen_ai.request.model') } = pick('a', 'tool', 1) }) x 2,
	sub { delete $_[0]{attributes}{ pick('m', 'gen_ai.request.model') } },
	sub { $_[0]{attributes}{'langfuse.observation.usage_details'} = pick('{"input": 1}', '{"input": 1, "output": 2}') });

sub mutate
{
	my ($span, $times, $mutations) = @_;
	my $copy = decode_json(encode_json($span));
	pick(@$mutations)->($copy) for 1 .. $times;
	return $copy;
}

# The member of the text form, with everything said in full.
sub written
{
	my ($span) = @_;
	my %written = %$span;
	my ($start, $end) = delete @written{qw(start end)};
	$written{start_ns} = $start * MS;
	$written{end_ns} = defined $end && $end >= $start ? $end * MS : undef;
	delete $written{attributes} unless %{ $written{attributes} };
	return \%written;
}

# The place of a value in a list.
sub index_of
{
	my ($value, @list) = @_;
	return (grep { $json->encode($list[$_]) eq $json->encode($value) } 0 .. $#list)[0];
}

# A trajectory's text, its lists and spans in any order.
sub text_of
{
	my ($case, $spans, $canonical) = @_;
	my %trajectory = (
		trace_id => sprintf('%x', $case), canonical => $canonical,
		resources => [ shuffle(@resources) ], scopes => [ shuffle(@scopes) ]);
	for my $span (shuffle(@$spans))
	{
		my %written = %{ written($span) };
		$written{resource} = index_of($span->{resource}, @{ $trajectory{resources} });
		$written{scope} = index_of($span->{scope}, @{ $trajectory{scopes} });
		$written{end_ns} = $span->{end} * MS if defined $span->{end};
		push @{ $trajectory{spans} }, \%written;
	}
	return $json->encode(\%trajectory);
}

# Parts of one trace: versions of the same few spans.
sub random_case
{
	my ($case) = @_;
	my $is_wild = $case % 2;
	my $mutations = $is_wild ? \@wild_mutations : \@mutations;
	my $most = $is_wild ? 2 : @ids;
	my @spans = map {
		mutate(
			{
				span_id => $_, name => 'a', start => 1 + int(rand(6)), end => 6 + int(rand(6)),
				parent_span_id => pick(@ids), resource => {}, scope => {}, attributes => {}
			},
			pick(0, 1, 4), $mutations)
	} (shuffle(@ids))[ 0 .. rand $most ];

	my @parts;
	for (1 .. pick(2, 3, 3))
	{
		my @versions = map { mutate($_, pick(0, 0, 1, 2), $mutations) } grep { chance(0.7) } @spans;
		push @parts, @versions ? \@versions : [ $spans[0] ];
	}
	my @texts = map {
		my %mapped = map { $_ => pick('kind', 'feature', 'error_type') } grep { chance(0.5) } 'm', 'gen_ai.request.model';
		text_of($case, $_, $is_wild ? \%mapped : {})
	} @parts;
	return { is_wild => $is_wild, parts => \@parts, texts => \@texts };
}

# Of the first version of a span nothing stays but that its key is mapped.
sub lost_key_case
{
	my ($case) = @_;
	my %span = (span_id => $ids[0], name => 'a', start => 1, end => 2, resource => {}, scope => {}, attributes => {});
	my @parts = (
		[ { %span, end => undef, attributes => { m => 'a' } } ],
		[ \%span ],
		[ { %span, span_id => $ids[1], attributes => { m => 'a' } } ]);
	my @texts = map { text_of($case, $parts[$_], $_ == 0 ? { m => 'feature' } : {}) } 0 .. $#parts;
	return { is_wild => 0, parts => \@parts, texts => \@texts };
}

# ------------------------------------------------------------------- oracle

# A span of the text form as one text, to compare.
sub span_text
{
	my ($trajectory, $span) = @_;
	my %full = %$span;
	$full{resource} = $trajectory->{resources}[ $full{resource} || 0 ];
	$full{scope} = $trajectory->{scopes}[ $full{scope} || 0 ];
	delete $full{derived};
	return $json->encode(\%full);
}

# Closed beats open, then more attributes beat fewer.
sub merge_rank
{
	my ($span) = @_;
	return (defined $span->{end_ns} ? 1000 : 0) + keys %{ $span->{attributes} || {} };
}

# For each span id, the texts of those versions that may win. Where columns
# are derived, they count too, so there any version may.
sub expected_union
{
	my ($case) = @_;
	my (%versions, %may_win);
	for my $span (map { written($_) } map { @$_ } @{ $case->{parts} })
	{
		push @{ $versions{ $span->{span_id} } }, $span;
	}
	for my $id (keys %versions)
	{
		my $best = max(map { merge_rank($_) } @{ $versions{$id} });
		my @may_win = grep { $case->{is_wild} || merge_rank($_) == $best } @{ $versions{$id} };
		$may_win{$id} = { map { $json->encode($_) => 1 } @may_win };
	}
	return \%may_win;
}

sub by_sibling_order
{
	return $a->{start_ns} <=> $b->{start_ns}
	  || ($a->{end_ns} // 9e18) <=> ($b->{end_ns} // 9e18)
	  || $a->{span_id} cmp $b->{span_id};
}

# The spans of the cycle that a span is on, if it is on one.
sub cycle_of
{
	my ($by_id, $span) = @_;
	my @walk = ($span);
	while (@walk <= keys %$by_id)
	{
		my $up = $by_id->{ $walk[-1]{parent_span_id} // '' } or return;
		return @walk if $up == $span;
		push @walk, $up;
	}
	return;
}

# Time of a span in which no child ran, a millisecond at a time.
sub self_ms
{
	my ($span, @children) = @_;
	return 'null' unless defined $span->{end_ns};
	return 'any' if grep { !defined $_->{end_ns} } @children;
	my $self = 0;
	for (my $at = $span->{start_ns}; $at < $span->{end_ns}; $at += MS)
	{
		$self++ unless grep { $_->{start_ns} <= $at && $at < $_->{end_ns} } @children;
	}
	return $self;
}

# The rows that spans() should give, as texts.
sub expected_rows
{
	my (@spans) = @_;
	my %by_id = map { $_->{span_id} => $_ } @spans;
	my (%children, @roots, @rows);
	my $begin = min(map { $_->{start_ns} } @spans);

	for my $span (sort by_sibling_order @spans)
	{
		my ($earliest) = sort by_sibling_order cycle_of(\%by_id, $span);
		my $parent = $by_id{ $span->{parent_span_id} // '' };
		$parent = undef if $earliest && $earliest == $span;
		push @{ $parent ? $children{ $parent->{span_id} } ||= [] : \@roots }, $span;
	}

	my $visit;
	$visit = sub {
		my ($span, $parent, $depth) = @_;
		my @below = @{ $children{ $span->{span_id} } || [] };
		my $ordinal = @rows + 1;
		push @rows, undef;
		$visit->($_, $ordinal, $depth + 1) for @below;
		$rows[ $ordinal - 1 ] = join(' ', $ordinal, $parent // 'root', $depth, @rows - $ordinal + 1,
			$span->{span_id}, $span->{parent_span_id} // 'none',
			!$parent && defined $span->{parent_span_id} ? 'orphan' : 'ok',
			($span->{start_ns} - $begin) / MS,
			defined $span->{end_ns} ? ($span->{end_ns} - $span->{start_ns}) / MS : 'open',
			self_ms($span, @below));
	};
	$visit->($_, undef, 1) for @roots;
	return @rows;
}

# -------------------------------------------------------------------- tests

my @cases = map { random_case($_) } 1 .. CASES;
push @cases, lost_key_case(CASES + 1);

my $node = PostgreSQL::Test::Cluster->new('merge');
$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION llmtrace');

sub query
{
	my ($sql) = @_;
	return split /\n/, $node->safe_psql('postgres', "SET search_path = llmtrace, public; $sql");
}

# Cases are numbered from 1, as their trace ids.
sub no_case_fails
{
	my ($name, @failing) = @_;
	return if ok(@failing == 0, $name);
	diag(scalar(@failing) . " of " . @cases . " cases fail with LLMTRACE_SEED=$seed, the first is $failing[0]:");
	diag($_) for @{ $cases[ $failing[0] - 1 ]{texts} };
}

sub holds
{
	my ($name, $failing_cases) = @_;
	no_case_fails($name, query("SELECT DISTINCT n FROM ($failing_cases) x ORDER BY n"));
}

my $file = $node->basedir . '/parts';
my @lines;
for my $n (1 .. @cases)
{
	my @texts = @{ $cases[ $n - 1 ]{texts} };
	push @lines, map { s/\\/\\\\/gr } map { "$n\t$_\t$texts[$_]\n" } 0 .. $#texts;
}
append_to_file($file, join('', map { utf8::encode($_); $_ } @lines));
query(qq{
CREATE TABLE part (n int, part int, t trajectory);
COPY part FROM '$file';
CREATE TABLE merged AS SELECT n, merge_agg(t ORDER BY part) AS t FROM part GROUP BY n});

holds('merge is idempotent', 'SELECT n FROM part WHERE t || t <> t');
holds('merge is commutative', 'SELECT n FROM part a JOIN part b USING (n) WHERE a.t || b.t <> b.t || a.t');
holds('merge is associative',
	'SELECT n FROM part a JOIN part b USING (n) JOIN part c USING (n)
	 WHERE (a.t || b.t) || c.t <> a.t || (b.t || c.t)');
holds('what was merged absorbs its parts', 'SELECT n FROM part JOIN merged m USING (n) WHERE m.t || part.t <> m.t');

sub merged_twice { return "SELECT n, merge_agg(t) AS t FROM ($_[0]) x GROUP BY n"; }

my %same = (
	'backwards' => 'SELECT n, merge_agg(t ORDER BY part DESC) AS t FROM part GROUP BY n',
	'in any order' => "SELECT n, merge_agg(t ORDER BY md5(n || ' ' || part)) AS t FROM part GROUP BY n",
	'in two groups' => merged_twice('SELECT n, merge_agg(t) AS t FROM part GROUP BY n, part % 2'),
	'in other groups' => merged_twice('SELECT n, merge_agg(t) AS t FROM part GROUP BY n, part > 0'),
	'twice' => merged_twice('SELECT * FROM part UNION ALL SELECT * FROM part'),
	'by way of text' => 'SELECT n, merge_agg(t::text::trajectory)::text::trajectory AS t FROM part GROUP BY n',
	'from subtrees' => merged_twice('SELECT n, subtree(t, k) AS t FROM part, generate_series(1, span_count(t)::int) k'));
holds("merged $_", "SELECT n FROM merged JOIN ($same{$_}) o USING (n) WHERE o.t <> merged.t") for sort keys %same;

my %merged = map { split /\|/, $_, 2 } query('SELECT n, t FROM merged');
my @rows = query(q{
SELECT n, ordinal, coalesce(parent::text, 'root'), depth, subtree_count, span_id, coalesce(parent_span_id, 'none'),
	CASE WHEN is_orphan THEN 'orphan' ELSE 'ok' END,
	start_ms, coalesce(duration_ms::text, 'open'), coalesce(self_ms::text, 'null')
FROM merged, spans(t) ORDER BY n, ordinal});
my %rows;
for my $row (@rows)
{
	my ($n, @values) = split /\|/, $row;
	push @{ $rows{$n} }, join(' ', @values);
}

my @facts = query('SELECT n, depth(t), span_count(t), is_complete(t) FROM merged');
my %facts = map { split /\|/, $_, 2 } @facts;

my (@not_union, @not_tree, @not_facts);
my ($open, $orphans, $cycles, $conflicts) = (0, 0, 0, 0);
for my $n (1 .. @cases)
{
	my $trajectory = decode_json($merged{$n});
	my @spans = @{ $trajectory->{spans} };
	my $may_win = expected_union($cases[ $n - 1 ]);
	push @not_union, $n
	  if join(' ', sort map { $_->{span_id} } @spans) ne join(' ', sort keys %$may_win)
	  || grep { !$may_win->{ $_->{span_id} }{ span_text($trajectory, $_) } } @spans;
	$conflicts += grep { keys %$_ > 1 } values %$may_win;

	# of a child that is open, how long it ran is not known
	my @expected = expected_rows(@spans);
	my @got = @{ $rows{$n} };
	for (grep { $expected[$_] =~ / any$/ } 0 .. min($#expected, $#got))
	{
		$got[$_] =~ s/ [\d.]+$/ any/;
	}
	push @not_tree, $n if "@got" ne "@expected";

	my $depth = max(map { (split)[2] } @expected);
	my $is_open = grep { / open / } @expected;
	my $is_orphan = grep { / orphan / } @expected;
	push @not_facts, $n
	  if $facts{$n} ne join('|', $depth, scalar(@spans), $is_open || $is_orphan ? 'f' : 't');

	my %by_id = map { $_->{span_id} => $_ } @spans;
	$open += $is_open;
	$orphans += $is_orphan;
	$cycles += grep { cycle_of(\%by_id, $_) } @spans;
}
no_case_fails('merge keeps the closed version, then the one with more attributes', @not_union);
no_case_fails('spans are in preorder, with their depths, subtrees and own times', @not_tree);
no_case_fails('the header agrees', @not_facts);
cmp_ok($_->[1], '>', 50, "there were $_->[0] to try") for [ 'open spans', $open ], [ 'orphans', $orphans ],
  [ 'spans on cycles', $cycles ], [ 'conflicts without a rule', $conflicts ];

done_testing();
