# Plans where SQL alone does not reach: the distance against an oracle that
# tries every matching, what holds whatever the plan, mutations of a run and
# the labels that name them, cycles of random graphs, large traces, and the SQL
# of docs/plan.md.

use strict;
use warnings FATAL => 'all';
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use JSON::PP;
use List::Util qw(max min shuffle sum0);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = abs_path(dirname(__FILE__) . '/../..');
my $json = JSON::PP->new->canonical;
srand(4711);

my $node = PostgreSQL::Test::Cluster->new('plan');
$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
$node->append_conf('postgresql.conf', "search_path = 'public, llmtrace'\nwork_mem = '4MB'");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION llmtrace');

sub quote { my $text = shift; $text =~ s/'/''/g; return "'$text'" }

# Loads cases (plan as JSON, actions) into a table and gives the rows of a query.
sub load
{
	my ($table, @cases) = @_;
	my $n = 0;

	$node->safe_psql('postgres', join("\n", "CREATE TABLE $table (n int, p plan, t trajectory);", map {
		"INSERT INTO $table VALUES (" . $n++ . ', ' . quote($json->encode($_->{plan})) . ', trajectory_from_actions('
			. quote($json->encode($_->{actions})) . '));' } @cases));
}

sub rows { return map { [ split /\|/, $_, -1 ] } split /\n/, $node->safe_psql('postgres', shift) }

# ---------------------------------------------------------------- the oracle

my %skip = (write => 1000, unknown => 500, read => 100);
my %insert = (write => 500, unknown => 250, read => 20);

# A random plan of a few tools, and what was done.
sub random_case
{
	my ($steps, $actions, $tools) = @_;
	my @tools = map { chr(ord('a') + $_) } 0 .. $tools - 1;
	my %effect = map { $_ => (keys %skip)[ int(rand(3)) ] } @tools;
	my $density = rand(1.2);
	my @plan;

	for my $i (0 .. $steps - 1)
	{
		my $tool = $tools[ rand @tools ];
		my $step = { id => "s$i", tool => $tool, effect => $effect{$tool} };
		my @after = grep { rand() < $density } 0 .. $i - 1;

		$step->{args} = { x => int(rand(2)), y => int(rand(2)) } if rand() < 0.4;
		$step->{after} = [ map { "s$_" } @after ] if @after;
		$step->{optional} = JSON::PP::true if rand() < 0.15;
		push @plan, $step;
	}
	my @actions = map {
		my $action = { tool => $tools[ rand @tools ] };
		$action->{args} = { x => int(rand(2)), y => int(rand(2)) } if rand() < 0.7;
		$action->{failed} = JSON::PP::true if rand() < 0.1;
		$action;
	} 1 .. $actions;
	return { plan => \@plan, actions => \@actions, effect => \%effect };
}

# What step and action cost as a pair; undef if they cannot be one.
sub pair_cost
{
	my ($case, $step, $action) = @_;
	my $weight = $skip{ $case->{effect}{ $step->{tool} } };
	my $differing = 0;

	return undef if $step->{tool} ne $action->{tool} || $action->{failed};
	return 0 unless $step->{args};
	$differing += !($action->{args} && $action->{args}{$_} == $step->{args}{$_}) for qw(x y);
	return $differing ? $weight * (0.5 + 0.5 * $differing / 2) : 0;
}

# Is step i somewhere before step k?
sub closure
{
	my @plan = @_;
	my @before = map { {} } @plan;

	for my $k (0 .. $#plan)
	{
		for my $i (map { substr($_, 1) } @{ $plan[$k]{after} || [] })
		{
			$before[$k]{$_} = 1 for $i, keys %{ $before[$i] };
		}
	}
	return @before;
}

# The least cost by trying every matching; order: none, that of the plan, or total.
sub least_cost
{
	my ($case, $order) = @_;
	my @plan = @{ $case->{plan} };
	my @actions = @{ $case->{actions} };
	my @before = closure(@plan);
	my @used;
	my @at;
	my $planned = $case->{effect};
	my %named = map { $_->{tool} => 1 } @plan;
	my @insert = map {
		my $a = $_;
		my $cost = $named{ $a->{tool} } ? $insert{ $planned->{ $a->{tool} } } : $insert{unknown};
		my $is_repeat = $a->{failed} ? $named{ $a->{tool} } : grep { my $c = pair_cost($case, $_, $a); defined $c && $c == 0 } @plan;
		$cost = min($cost, 20) if $a->{failed};
		$cost = min($cost, 20) if $is_repeat;
		$cost;
	} @actions;
	my $try;

	$try = sub {
		my $i = shift;

		return sum0(map { $used[$_] ? 0 : $insert[$_] } 0 .. $#actions) if $i > $#plan;
		$at[$i] = undef;
		my $best = ($plan[$i]{optional} ? 0 : $skip{ $planned->{ $plan[$i]{tool} } }) + $try->($i + 1);
		for my $a (0 .. $#actions)
		{
			my $cost = $used[$a] ? undef : pair_cost($case, $plan[$i], $actions[$a]);

			next unless defined $cost;
			next if grep { defined $at[$_] && $at[$_] > $a && ($order eq 'total' || ($order eq 'plan' && $before[$i]{$_})) } 0 .. $i - 1;
			$at[$i] = $a;
			$used[$a] = 1;
			$best = min($best, $cost + $try->($i + 1));
			$used[$a] = 0;
			$at[$i] = undef;
		}
		return $best;
	};
	return $try->(0);
}

my @cases = map { random_case(int(rand(7)), int(rand(8)), 2 + int(rand(4))) } 1 .. 400;
load('cases', @cases);
load('linear', map { { plan => { ordered => JSON::PP::true, steps => [ map { my %s = %$_; delete $s{after}; \%s } @{ $_->{plan} } ] }, actions => $_->{actions} } } @cases);
my @got = rows(q{
	SELECT free.deviation, dag.deviation, total.deviation, dag.exact AND total.exact, mixed.deviation, abs(rows.cost - mixed.deviation) < 1e-9,
		plan_distance(c.p, c.t) = mixed.distance, mixed.distance = 0, mixed.matched, mixed.skipped + mixed.substituted + mixed.inserted + mixed.reordered + mixed.retried,
		low.exact, low.distance_low <= dag.distance AND dag.distance <= low.distance_high
	FROM cases c JOIN linear l USING (n),
		plan_adherence(c.p, c.t, '{"order_weight": 0}') free, plan_adherence(c.p, c.t, '{"order_weight": 1}') dag,
		plan_adherence(l.p, l.t, '{"order_weight": 1}') total, plan_adherence(c.p, c.t) mixed,
		plan_adherence(c.p, c.t, '{"order_weight": 1, "max_states": 0}') low,
		LATERAL (SELECT coalesce(sum(cost), 0) AS cost FROM plan_alignment(c.p, c.t)) rows
	ORDER BY n});
my %wrong;
for my $n (0 .. $#cases)
{
	my ($free, $dag, $total, $exact, $mixed, $sums, $same, $zero, $matched, $others, $low_exact, $holds) = @{ $got[$n] };
	my %want = map { $_ => least_cost($cases[$n], $_) / 1000 } qw(none plan total);

	$wrong{$_}++ for grep { $_ } (
		abs($free - $want{none}) > 1e-9 && 'without order',
		abs($dag - $want{plan}) > 1e-9 && 'in the order of the plan',
		abs($total - $want{total}) > 1e-9 && 'in total order',
		($free > $dag || $dag > $total) && 'free <= plan <= total',
		abs($mixed - ($free + $dag) / 2) > 1e-9 && 'mixed',
		$exact ne 't' && 'exact',
		$sums ne 't' && 'rows add up',
		$same ne 't' && 'distance',
		# 0 exactly for those that keep to the plan: nothing to be labelled
		($zero eq 't') != ($others == 0) && 'zero',
		$holds ne 't' && 'interval');
	diag($json->encode($cases[$n]) . " got @{ $got[$n] } want @want{qw(none plan total)}") if %wrong && keys %wrong && $wrong{shown}++ < 3;
}
delete $wrong{shown};
is_deeply(\%wrong, {}, 'the distance is that of the best of all matchings, for 400 plans');
cmp_ok(scalar(grep { $_->[0] < $_->[1] } @got), '>', 30, 'order mattered in some');
cmp_ok(scalar(grep { $_->[7] eq 't' } @got), '>', 5, 'some kept to their plan');
is($node->safe_psql('postgres', q{SELECT count(DISTINCT h) FROM generate_series(1, 3) i,
	LATERAL (SELECT md5(string_agg(r::text, ' ' ORDER BY n)) FROM cases, LATERAL (SELECT array_agg(a) FROM plan_alignment(p, t) a) x(r) WHERE i > 0) y(h)}),
	'1', 'the alignment is the same every time');

# Where only the distance is asked for, and the plan is one of rows of steps,
# other code finds it (plan_chains.c).  Rows of random lengths, names that several
# steps of one have, actions in sub-agents at the same time.
my @rows_cases;
for my $n (1 .. 300)
{
	my $case = random_case(1 + int(rand(8)), int(rand(14)), 2 + int(rand(5)));
	my @last;

	for my $step (@{ $case->{plan} })
	{
		# a tool belongs to a row, mostly
		my $row = ord($step->{tool}) % 3;
		delete $step->{after};
		delete $step->{args} if rand() < 0.6;
		$row = int(rand(3)) if rand() < 0.05;
		$step->{after} = [ $last[$row] ] if $last[$row];
		$last[$row] = $step->{id};
	}
	push @rows_cases, $case;
}
# Steps that wait for themselves or for each other make no row.
for my $case (map { random_case(2 + int(rand(5)), int(rand(8)), 5) } 1 .. 100)
{
	my $step = $case->{plan}[ rand @{ $case->{plan} } ];
	my $other = $case->{plan}[ rand @{ $case->{plan} } ];
	my %after = map { $_ => 1 } @{ $step->{after} || [] }, $other->{id};

	$step->{after} = [ sort keys %after ];
	push @rows_cases, $case;
}
load('rows', @rows_cases);
is($node->safe_psql('postgres', 'SELECT count(DISTINCT n) > 40 FROM rows, plan_cycles(p) WHERE n >= 300'), 't', 'some of the plans have cycles');
my $nested = q{(SELECT trajectory_agg('00000000-0000-0000-0000-000000000001'::uuid, id, parent, name, start_ns, start_ns + 1, NULL, status, attributes)
	FROM (SELECT '1' AS id, NULL AS parent, 'run' AS name, 1000 AS start_ns, NULL AS status, '{"gen_ai.operation.name": "invoke_agent"}'::jsonb AS attributes
		UNION ALL SELECT to_hex(1 + k), '1', 'worker ' || k, 1000, NULL, '{"gen_ai.operation.name": "invoke_agent"}' FROM generate_series(1, 2) k
		UNION ALL SELECT to_hex(10 + i), to_hex(1 + i % 3), name, 1000 + (i * 7919) % 31, CASE WHEN failed THEN 'error' END,
				jsonb_build_object('gen_ai.operation.name', 'execute_tool', 'gen_ai.tool.name', name, 'gen_ai.tool.call.arguments', coalesce(arguments, '{}'))
			FROM actions(t) WITH ORDINALITY a(number, ordinal, span_id, kind, name, arguments, failed, i)) x)};
for my $options ('{}', '{"order_weight": 1}', '{"arguments": "ignore", "retry": 0.1}', '{"effects": {"a": "read", "b": 3, "c": "write"}, "insert": 0.7}')
{
	is($node->safe_psql('postgres', qq{
		SELECT count(*) FROM (SELECT p, t FROM cases UNION ALL SELECT p, t FROM linear UNION ALL SELECT p, t FROM rows
				UNION ALL SELECT p, $nested FROM rows UNION ALL SELECT p, $nested FROM linear) x
		WHERE plan_distance(p, t, '$options') IS DISTINCT FROM (SELECT distance FROM plan_adherence(p, t, '$options'))}), '0',
		"the distance alone is that of the alignment, $options");
}
is($node->safe_psql('postgres', qq{SELECT count(DISTINCT plan_distance(p, $nested)) > 100 FROM rows}), 't', 'they differ');

# The binary form, there and back, and with a damage.
my $copy = "$PostgreSQL::Test::Utils::tmp_check/plans.copy";
is($node->safe_psql('postgres', "CREATE TABLE back (p plan); COPY (SELECT p FROM cases ORDER BY n) TO '$copy' (FORMAT binary);
	COPY back FROM '$copy' (FORMAT binary); SELECT count(*) FROM back b, cases c WHERE b.p = c.p AND c.n = 1 AND c.p::text::plan = c.p") > 0, 1,
	'plans come back from COPY in binary form');
is($node->safe_psql('postgres', 'SELECT md5(string_agg(p::text, \' \')) FROM back'),
	$node->safe_psql('postgres', 'SELECT md5(string_agg(p::text, \' \' ORDER BY n)) FROM cases'), 'all of them as they were');
open(my $damaged, '>:raw', $copy) or die "$copy: $!";
print $damaged "PGCOPY\n\377\r\n\0", pack('NN', 0, 0), pack('nN/a*', 1, "\x01\x05\x01a"), pack('n', 0xffff);
close($damaged);
like(($node->psql('postgres', "COPY back FROM '$copy' (FORMAT binary)"))[2], qr/invalid binary value/, 'bytes that are cut short are refused');

# --------------------------------------------------------------- mutations

# A run that keeps to its plan, then one deviation after another: never nearer.
my @mutations;
for my $n (1 .. 120)
{
	my $steps = 3 + int(rand(4));
	my @tools = shuffle('a' .. 'j');
	my @plan = map { { id => $tools[$_], tool => $tools[$_], effect => (keys %skip)[ int(rand(3)) ] } } 0 .. $steps - 1;
	my @run = map { { tool => $_->{tool} } } @plan;
	my $i = int(rand($steps));
	my $k = int(rand($steps - 1));
	my $plan = { ordered => JSON::PP::true, steps => \@plan };
	my %change = (
		nothing => \@run,
		drop => [ @run[ grep { $_ != $i } 0 .. $#run ] ],
		swap => [ @run[ 0 .. $k - 1 ], @run[ $k + 1, $k ], @run[ $k + 2 .. $#run ] ],
		substitute => [ @run[ 0 .. $i - 1 ], { tool => 'other' }, @run[ $i + 1 .. $#run ] ],
		repeat => [ @run[ 0 .. $i ], @run[ $i .. $#run ] ],
		insert => [ @run[ 0 .. $i - 1 ], { tool => 'other' }, @run[ $i .. $#run ] ],
		reorder => [ @run[ $#run, 0 .. $#run - 1 ] ]);

	push @mutations, { plan => $plan, actions => $change{$_}, change => $_, at => $tools[$i],
		swapped => "$tools[$k] $tools[$k + 1]", last => $tools[ $steps - 1 ] } for sort keys %change;
}
load('mutations', @mutations);
my %label = (drop => 'skipped', swap => 'reordered', substitute => 'substituted', repeat => 'retried', insert => 'inserted', reorder => 'reordered');
my %missed;
my @named = rows(q{SELECT coalesce(string_agg(label || ':' || coalesce(step_id, '') || ':' || coalesce(action, ''), ' ' ORDER BY label, ordinal)
	FILTER (WHERE label <> 'matched'), ''), min(plan_distance(p, t)) FROM mutations, plan_alignment(p, t) GROUP BY n ORDER BY n});
for my $n (0 .. $#mutations)
{
	my $m = $mutations[$n];
	my ($got, $distance) = @{ $named[$n] };
	my %want = (nothing => [''], drop => ["skipped:$m->{at}:"], substitute => ["substituted:$m->{at}:other"], repeat => ["retried::$m->{at}"],
		insert => ['inserted::other'], swap => [ map { "reordered:$_:$_" } split / /, $m->{swapped} ]);

	# one step out of place costs no more than all others
	$want{reorder} = $got =~ /^reordered:\S+(?: reordered:\S+)*$/ ? [$got] : [];
	$missed{"$m->{change}: $got"}++ unless grep { $_ eq $got } @{ $want{ $m->{change} } };
	$missed{"$m->{change}: distance"}++ if ($distance == 0) != ($m->{change} eq 'nothing');
}
is_deeply(\%missed, {}, 'each mutation is named');

my @growing;
for my $n (1 .. 40)
{
	my $case = random_case(5, 0, 5);
	my @run = map { { tool => $_->{tool}, $_->{args} ? (args => $_->{args}) : () } } @{ $case->{plan} };

	for my $deviations (0 .. 6)
	{
		push @growing, { plan => $case->{plan}, actions => [@run] };
		# something else is done, or something planned is not
		if (rand() < 0.6 || !@run) { splice @run, int(rand(@run + 1)), 0, { tool => 'other' } }
		else { my @left = grep { $run[$_]{tool} ne 'other' } 0 .. $#run; splice @run, $left[ rand @left ], 1 if @left; }
	}
}
load('growing', @growing);
my @distance = map { $_->[0] } rows('SELECT plan_distance(p, t) FROM growing ORDER BY n');
is(scalar(grep { $_ % 7 && $distance[$_] < $distance[ $_ - 1 ] - 1e-12 } 0 .. $#distance), 0, 'deviations added make no run nearer');
is(scalar(grep { $_ % 7 == 0 && $distance[$_] != 0 } 0 .. $#distance), 0, 'a run as planned is at distance 0');

# ------------------------------------------------------------------ cycles

# Random graphs: components by reachability, the shortest cycle by search.
my @graphs;
my @expected;
for my $n (1 .. 150)
{
	my $size = 1 + int(rand(9));
	my $edges = int(rand($size * 2));
	my @after = map { {} } 1 .. $size;

	$after[ rand @after ]{ int(rand($size)) } = 1 for 1 .. $edges;
	push @graphs, { plan => [ map { { id => "s$_", tool => 'a', after => [ map { "s$_" } sort keys %{ $after[$_] } ] } } 0 .. $size - 1 ], actions => [], after => \@after };
	# steps on the shortest way from one to another, by repeated squaring's poor cousin
	my @far = map { my $x = $_; [ map { $after[$x]{$_} ? 1 : 999 } 0 .. $size - 1 ] } 0 .. $size - 1;
	for my $via (0 .. $size - 1)
	{
		for my $x (0 .. $size - 1) { $far[$x][$_] = min($far[$x][$_], $far[$x][$via] + $far[$via][$_]) for 0 .. $size - 1; }
	}
	my %seen;
	for my $x (0 .. $size - 1)
	{
		next if $far[$x][$x] >= 999 || $seen{$x};
		my @component = grep { $_ == $x || ($far[$x][$_] < 999 && $far[$_][$x] < 999) } 0 .. $size - 1;
		my @waiting = grep { my $s = $_; $far[$s][$x] < 999 && !grep { $_ == $s } @component } 0 .. $size - 1;

		$seen{$_} = 1 for @component;
		push @expected, join('|', $n - 1, join(',', map { "s$_" } @component), min(map { $far[$_][$_] } @component), join(',', map { "s$_" } @waiting), 't');
	}
}
load('graphs', @graphs);
my @cycles = map { join('|', @$_) } rows(q{
	SELECT n, array_to_string(steps, ','), cardinality(cycle), array_to_string(waiting, ','),
		(SELECT bool_and(EXISTS (SELECT FROM jsonb_array_elements(p::text::jsonb->'steps') s
			WHERE s->>'id' = cycle[i] AND s->'after' ? cycle[i % cardinality(cycle) + 1])) FROM generate_series(1, cardinality(cycle)) i)
	FROM graphs, plan_cycles(p) ORDER BY n, component});
is_deeply(\@cycles, \@expected, 'cycles of random graphs: components, shortest cycles, who waits for them');
cmp_ok(scalar(@expected), '>', 50, 'there were some');
is($node->safe_psql('postgres', q{SELECT count(*) FROM graphs, LATERAL (SELECT array_agg(step_id) FROM plan_alignment(p, t) WHERE label = 'blocked') b(ids)
	WHERE coalesce(cardinality(ids), 0) <> (SELECT count(DISTINCT s) FROM plan_cycles(p) c, unnest(c.steps || c.waiting) s)}),
	'0', 'what is in a cycle or behind one is blocked');

# -------------------------------------------------------------- large input

# 100,000 actions against 50 steps: every action could be every second step.
sub large
{
	my ($name, $plan, $tool) = @_;

	$node->safe_psql('postgres', "CREATE TABLE large_$name AS SELECT trajectory_from_actions(jsonb_agg(jsonb_build_object('tool', $tool))) AS t FROM generate_series(0, 99999) i");
	my ($status, $out, $err) = $node->psql('postgres', qq{
		SET statement_timeout = '120s';
		SELECT exact, distance_low <= distance, matched FROM large_$name, plan_adherence($plan, t);
		SELECT (regexp_match(pg_read_file('/proc/self/status'), 'VmHWM:\\s+(\\d+)'))[1]::int / 1024 AS megabytes});
	my ($megabytes) = $out =~ /\n(\d+)$/;

	note("$name: $megabytes MB at the most") if defined $megabytes;
	$out =~ s/\n(\d+)$/$1 < 500 ? "\nt" : "\n$1 MB"/e if defined $megabytes;
	return $status == 0 ? $out : $err;
}
my $chain = q{(SELECT string_agg('t' || i % 5, ' -> ' ORDER BY i) FROM generate_series(1, 50) i)::plan};
my $wide = q{(SELECT jsonb_agg(jsonb_build_object('id', 's' || i, 'tool', 't' || i % 5, 'after', CASE WHEN i > 3 THEN jsonb_build_array('s' || i - 3) ELSE '[]' END)) FROM generate_series(1, 50) i)::text::plan};
is(large('chain', $chain, q{'t' || i % 5}), "t|t|50\nt", '100,000 actions against a chain of 50 steps');
like(large('wide', $wide, q{'t' || i % 5}), qr/^[tf]\|t\|50\nt$/, 'against an order three wide');
is(large('one', $chain, q{'other' || i % 7}), "t|t|0\nt", 'against a plan that names none of them');
my ($status, $out, $err) = $node->psql('postgres', "SELECT plan_distance($chain, t, '{\"max_pairs\": 1000}') FROM large_chain");
like($err, qr/too many possible matches.*Raise option max_pairs/s, 'a limit that is named, and how to raise it');

# ----------------------------------------------------------------- the docs

if (-e "$top/docs/plan.md")
{
	my @blocks = slurp_file("$top/docs/plan.md") =~ /^```sql\n(.*?)^```/msg;
	my @answers = slurp_file("$top/docs/plan.md") =~ /^```text\n(.*?)^```/msg;

	$node->safe_psql('postgres', 'CREATE DATABASE docs');
	append_to_file("$PostgreSQL::Test::Utils::tmp_check/plan.sql", join("\n", @blocks));
	my ($printed, $errors) = run_command([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('docs'), '-f', "$PostgreSQL::Test::Utils::tmp_check/plan.sql" ]);
	is($errors, '', 'the SQL of docs/plan.md runs');
	$printed =~ s/ +$//mg;
	for my $answer (@answers)
	{
		chomp $answer;
		isnt(index($printed, $answer), -1, 'and prints what it says: ' . (split /\n/, $answer)[0]) or diag($printed);
	}
}

done_testing();
