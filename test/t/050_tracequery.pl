# Queries against a slow oracle, and the index against a sequential scan.
#
# The oracle is written from the documentation: a span is a hash, a set of
# spans a list of flags, a structural operator a loop over all pairs.  Random
# queries come as text and, beside it, as a closure that the oracle calls.

use strict;
use warnings FATAL => 'all';
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $queries = $ENV{LLMTRACE_QUERIES} || 10000;
my $seed = $ENV{LLMTRACE_SEED} || 20260131;
srand($seed);

my $SECOND = 1_000_000_000;
my @names = ('plan', 'search', 'fetch', 'answer', 'agent', 'a b');
my %kinds = (chat => 'llm', execute_tool => 'tool', invoke_agent => 'agent');
my @words = ('red', 'green', 'blue', 'r');

sub pick { return $_[int(rand(@_))]; }
sub chance { return rand() < $_[0]; }

# ---------------------------------------------------------------- traces ---

sub random_value
{
	my $dice = int(rand(10));
	return ['i', int(rand(6))] if $dice < 3;
	return ['d', pick(0.5, 1.5, 2.5)] if $dice < 5;
	return ['s', pick(@words)] if $dice < 8;
	return ['b', int(rand(2))] if $dice < 9;
	return ['a', [map { chance(0.7) ? ['s', pick(@words)] : ['i', int(rand(4))] } 1 .. int(rand(4))]];
}

sub random_trace
{
	my ($number, $n) = @_;
	$n //= 1 + int(rand(14));
	my @spans;
	my $start = 1_700_000_000 * $SECOND;
	for my $i (0 .. $n - 1)
	{
		my $parent = $i > 0 && chance(0.93) ? int(rand($i)) : -1;
		my $begin = $start + int(rand(8)) * $SECOND;
		my %span = (
			id => sprintf('%016x', $number * 1000 + $i + 1), parent => $parent, name => pick(@names),
			start => $begin, end => chance(0.9) ? $begin + int(rand(5)) * $SECOND : undef,
			status => pick('unset', 'unset', 'ok', 'error'), span_kind => pick('internal', 'client', 'server'),
			attributes => {}, resource => {}, scope => {}, events => [], links => []);
		$span{lost} = sprintf('%016x', 0xdead0000 + $i) if $parent < 0 && chance(0.3);
		$span{message} = pick(@words) if chance(0.2);
		for my $key ('n', 'm', 'color', 'list', 'a b')
		{
			$span{attributes}{$key} = random_value() if chance(0.35);
		}
		$span{resource}{color} = ['s', pick(@words)] if chance(0.5);
		$span{resource}{region} = ['s', pick(@words)] if chance(0.5);
		$span{resource}{'service.name'} = ['s', pick(@words)] if chance(0.5);
		$span{scope} = { name => pick(@words), version => pick('1', '2'), x => random_value() } if chance(0.5);
		push @{ $span{links} }, { trace => sprintf('%032x', 1 + int(rand(3))), span => sprintf('%016x', 1 + int(rand(3))), x => random_value() }
		  for 1 .. int(rand(1.4));
		if (chance(0.7))
		{
			my $operation = pick(keys %kinds);
			$span{attributes}{'gen_ai.operation.name'} = ['s', $operation];
			$span{kind} = $kinds{$operation};
			$span{attributes}{'gen_ai.request.model'} = ['s', pick('m1', 'm2')] if $span{kind} eq 'llm' && chance(0.8);
			$span{attributes}{'gen_ai.usage.input_tokens'} = ['i', pick(0, 10, 300, 5000)] if chance(0.5);
			$span{attributes}{'gen_ai.usage.output_tokens'} = ['i', pick(0, 10, 300)] if chance(0.4);
			$span{attributes}{'gen_ai.usage.cost'} = ['d', pick(0.5, 1.5)] if chance(0.2);
			$span{attributes}{'gen_ai.agent.name'} = ['s', pick(@words)] if chance(0.3);
			$span{attributes}{'gen_ai.provider.name'} = ['s', pick('openai', 'anthropic')] if chance(0.3);
			$span{attributes}{'gen_ai.client.operation.time_to_first_chunk'} = ['d', pick(0.5, 1.5, 2.5)] if $span{kind} eq 'llm' && chance(0.5);
			$span{attributes}{'gen_ai.tool.name'} = ['s', pick(@words)] if $span{kind} eq 'tool' && chance(0.6);
			$span{attributes}{'gen_ai.tool.call.id'} = ['s', 'call-' . int(rand(30))] if $span{kind} eq 'tool';
		}
		$span{kind} //= 'other';
		push @{ $span{events} }, { name => pick('retry', 'exception2'), after => int(rand(4)) * $SECOND, x => random_value() } for 1 .. int(rand(1.5));
		push @spans, \%span;
	}
	return { number => $number, spans => \@spans };
}

# What the oracle asks again and again.
sub prepare
{
	my ($trace) = @_;
	my $spans = $trace->{spans};
	my ($first, $last);
	for my $span (@$spans)
	{
		$first = $span->{start} if !defined $first || $span->{start} < $first;
		my $end = $span->{end} // $span->{start};
		$last = $end if !defined $last || $end > $last;
		$span->{children} = grep { $_->{parent} >= 0 && $spans->[ $_->{parent} ] == $span } @$spans;
		$span->{trace} = $trace;
	}
	$trace->{duration} = $last - $first;
	my @roots = sort { order($a, $b) } grep { $_->{parent} < 0 } @$spans;
	my @proper = grep { !$_->{lost} } @roots;
	$trace->{root} = @proper ? $proper[0] : $roots[0];
	$trace->{duration} = undef if grep { !defined $_->{end} } @roots;

	for my $i (0 .. $#$spans)
	{
		my $span = $spans->[$i];
		my ($in, $out, $cost) = map { $span->{attributes}{"gen_ai.usage.$_"} } 'input_tokens', 'output_tokens', 'cost';
		my $repeats = ($in || $out) && grep {
			reports_tokens($spans->[$_]) && is_below($spans, $_, $i)
			  && ($span->{kind} ne 'llm' || $spans->[$_]{kind} eq 'llm')
		} 0 .. $#$spans;
		@$span{ 'in', 'out', 'cost' } = ($in, $out, $cost) unless $repeats;
	}
}

sub reports_tokens
{
	my ($span) = @_;
	return grep { $_ && $_->[1] > 0 } map { $span->{attributes}{"gen_ai.usage.${_}_tokens"} } 'input', 'output';
}

sub order
{
	my ($x, $y) = @_;
	return $x->{start} <=> $y->{start} || ($x->{end} // 9e18) <=> ($y->{end} // 9e18) || $x->{id} cmp $y->{id};
}

sub is_below
{
	my ($spans, $i, $above) = @_;
	for ($i = $spans->[$i]{parent}; $i >= 0; $i = $spans->[$i]{parent})
	{
		return 1 if $i == $above;
	}
	return 0;
}

sub json_value
{
	my ($v) = @_;
	my ($type, $value) = @$v;
	return JSON::PP->new->allow_nonref->encode("$value") if $type eq 's';
	return $value ? 'true' : 'false' if $type eq 'b';
	return '[' . join(',', map { json_value($_) } @$value) . ']' if $type eq 'a';
	return $value;
}

sub json_object
{
	my ($attributes) = @_;
	return '{' . join(',', map { "\"$_\":" . json_value($attributes->{$_}) } sort keys %$attributes) . '}';
}

sub otlp_value
{
	my ($v) = @_;
	my ($type, $value) = @$v;
	return '{"stringValue":' . json_value($v) . '}' if $type eq 's';
	return '{"boolValue":' . json_value($v) . '}' if $type eq 'b';
	return "{\"intValue\":\"$value\"}" if $type eq 'i';
	return "{\"doubleValue\":$value}" if $type eq 'd';
	return '{"arrayValue":{"values":[' . join(',', map { otlp_value($_) } @$value) . ']}}';
}

sub otlp_attributes
{
	my ($attributes) = @_;
	return '[' . join(',', map { "{\"key\":\"$_\",\"value\":" . otlp_value($attributes->{$_}) . '}' } sort keys %$attributes) . ']';
}

# OTLP/JSON, a resource for each span.
sub otlp
{
	my ($trace) = @_;
	my @resources;
	my %kind_number = (internal => 1, server => 2, client => 3);
	my %status_number = (unset => 0, ok => 1, error => 2);
	for my $span (@{ $trace->{spans} })
	{
		my $parent = $span->{parent} >= 0 ? $trace->{spans}[ $span->{parent} ]{id} : $span->{lost} // '';
		my $end = $span->{end} // 0;
		my $message = defined $span->{message} ? ",\"message\":\"$span->{message}\"" : '';
		my $events = join(',', map {
			my $time = $span->{start} + $_->{after};
			"{\"name\":\"$_->{name}\",\"timeUnixNano\":\"$time\",\"attributes\":" . otlp_attributes({ x => $_->{x} }) . '}'
		} @{ $span->{events} });
		my $links = join(',', map {
			"{\"traceId\":\"$_->{trace}\",\"spanId\":\"$_->{span}\",\"attributes\":" . otlp_attributes({ x => $_->{x} }) . '}'
		} @{ $span->{links} });
		my $scope = $span->{scope};
		my $scope_json = %$scope ?
		  "\"scope\":{\"name\":\"$scope->{name}\",\"version\":\"$scope->{version}\",\"attributes\":" . otlp_attributes({ x => $scope->{x} }) . '},' : '';
		push @resources, '{"resource":{"attributes":' . otlp_attributes($span->{resource}) . '},"scopeSpans":[{' . $scope_json . '"spans":[{'
		  . sprintf('"traceId":"%032x",', $trace->{number} + 1)
		  . "\"spanId\":\"$span->{id}\",\"parentSpanId\":\"$parent\",\"name\":\"$span->{name}\","
		  . "\"kind\":$kind_number{$span->{span_kind}},\"startTimeUnixNano\":\"$span->{start}\",\"endTimeUnixNano\":\"$end\","
		  . "\"status\":{\"code\":$status_number{$span->{status}}$message},\"events\":[$events],\"links\":[$links],"
		  . '"attributes":' . otlp_attributes($span->{attributes}) . '}]}]}';
	}
	return '{"resourceSpans":[' . join(',', @resources) . ']}';
}

# --------------------------------------------------------------- queries ---

# Elements of a value; none of a missing one.
sub elements
{
	my ($v) = @_;
	return () unless defined $v;
	return $v->[0] eq 'a' ? @{ $v->[1] } : ($v);
}

sub is_number { return $_[0][0] eq 'i' || $_[0][0] eq 'd'; }

sub compare_one
{
	my ($op, $x, $y) = @_;
	my $order;
	if (is_number($x) && is_number($y)) { $order = $x->[1] <=> $y->[1]; }
	elsif ($x->[0] ne $y->[0]) { return 0; }
	elsif ($x->[0] eq 's') { $order = $x->[1] cmp $y->[1]; }
	else { $order = $x->[1] <=> $y->[1]; return 0 unless $op eq '=' || $op eq '!='; }
	return $op eq '=' ? $order == 0 : $op eq '!=' ? $order != 0 : $op eq '<' ? $order < 0
	  : $op eq '<=' ? $order <= 0 : $op eq '>' ? $order > 0 : $order >= 0;
}

# Any pair, or for != every pair.
sub compare
{
	my ($op, $x, $y) = @_;
	my @x = elements($x);
	my @y = elements($y);
	return 0 unless @x && @y;
	my $holds = grep { my $one = $_; grep { compare_one($op, $one, $_) } @y } @x;
	return $holds > 0 unless $op eq '!=';
	my $pairs = 0;
	for my $one (@x) { $pairs += grep { compare_one($op, $one, $_) } @y; }
	return $pairs == @x * @y;
}

# A field: its text, and what it is of a span.
my @fields = (
	['name', sub { ['s', $_[0]{name}] }, 's'],
	['span:name', sub { ['s', $_[0]{name}] }, 's'],
	['statusMessage', sub { defined $_[0]{message} ? ['s', $_[0]{message}] : undef }, 's'],
	['duration', sub { defined $_[0]{end} ? ['i', $_[0]{end} - $_[0]{start}] : undef }, 't'],
	['traceDuration', sub { defined $_[0]{trace}{duration} ? ['i', $_[0]{trace}{duration}] : undef }, 't'],
	['childCount', sub { ['i', $_[0]{children}] }, 'i'],
	['rootName', sub { ['s', $_[0]{trace}{root}{name}] }, 's'],
	['model', sub { $_[0]{attributes}{'gen_ai.request.model'} }, 's'],
	['tool', sub { $_[0]{kind} eq 'tool' ? $_[0]{attributes}{'gen_ai.tool.name'} // ['s', $_[0]{name}] : undef }, 's'],
	['inputTokens', sub { $_[0]{in} }, 'i'],
	['outputTokens', sub { $_[0]{out} }, 'i'],
	['costUsd', sub { $_[0]{cost} }, 'i'],
	['agent', sub { $_[0]{attributes}{'gen_ai.agent.name'} }, 's'],
	['provider', sub { $_[0]{attributes}{'gen_ai.provider.name'} }, 's'],
	['ttft', sub { my $v = $_[0]{attributes}{'gen_ai.client.operation.time_to_first_chunk'}; $v && ['i', $v->[1] * $SECOND] }, 't'],
	['rootServiceName', sub { $_[0]{trace}{root}{resource}{'service.name'} }, 's'],
	['instrumentation:name', sub { defined $_[0]{scope}{name} ? ['s', $_[0]{scope}{name}] : undef }, 's'],
	['instrumentation:version', sub { defined $_[0]{scope}{version} ? ['s', $_[0]{scope}{version}] : undef }, 'version'],
	['instrumentation.x', sub { $_[0]{scope}{x} }, 'any'],
	['span:id', sub { ['s', $_[0]{id}] }, 'span'],
	['trace:id', sub { ['s', sprintf('%032x', $_[0]{trace}{number} + 1)] }, 'trace'],
	['link:spanID', sub { my @l = @{ $_[0]{links} }; @l ? ['a', [map { ['s', $_->{span}] } @l]] : undef }, 'span'],
	['link:traceID', sub { my @l = @{ $_[0]{links} }; @l ? ['a', [map { ['s', $_->{trace}] } @l]] : undef }, 'trace'],
	['link.x', sub { my @l = @{ $_[0]{links} }; @l ? ['a', [map { elements($_->{x}) } @l]] : undef }, 'any'],
	['event:timeSinceStart', sub { my @e = @{ $_[0]{events} }; @e ? ['a', [map { ['i', $_->{after}] } @e]] : undef }, 't'],
	['event:name', sub { my @e = @{ $_[0]{events} }; @e ? ['a', [map { ['s', $_->{name}] } @e]] : undef }, 's'],
	['event.x', sub { my @e = @{ $_[0]{events} }; @e ? ['a', [map { elements($_->{x}) } @e]] : undef }, 'any'],
	['resource.color', sub { $_[0]{resource}{color} }, 'any'],
	['resource.region', sub { $_[0]{resource}{region} }, 'any'],
	['.region', sub { $_[0]{attributes}{region} // $_[0]{resource}{region} }, 'any'],
	['.color', sub { $_[0]{attributes}{color} // $_[0]{resource}{color} }, 'any'],
	['span.color', sub { $_[0]{attributes}{color} }, 'any'],
	['.n', sub { $_[0]{attributes}{n} }, 'any'],
	['span.m', sub { $_[0]{attributes}{m} }, 'any'],
	['.list', sub { $_[0]{attributes}{list} }, 'any'],
	['."a b"', sub { $_[0]{attributes}{'a b'} }, 'any'],
	['.gen_ai.usage.input_tokens', sub { $_[0]{attributes}{'gen_ai.usage.input_tokens'} }, 'any'],
	['.gen_ai.tool.call.id', sub { $_[0]{attributes}{'gen_ai.tool.call.id'} }, 'id'],
	['.missing', sub { undef }, 'any']);

sub random_literal
{
	my ($type) = @_;
	my $number = pick(0, 1, 2, 3, 0.5, 1.5, -1, 10, 299, 300, 4000);
	my %one = (id => 'call-' . int(rand(35)), version => pick('1', '2', '3'),
		span => sprintf('%016x', pick(1, 2, 3, 1002, 2003)), trace => sprintf('%032x', pick(1, 2, 3, 7)));
	return ["\"$one{$type}\"", ['s', $one{$type}]] if $one{$type};
	$type = pick('s', 's', 'i', 'b') if $type eq 'any';
	if ($type eq 's') { my $s = chance(0.5) ? pick(@words) : pick(@names, 'm1', 'retry', 'nope'); return ["\"$s\"", ['s', $s]]; }
	if ($type eq 'b') { my $b = int(rand(2)); return [$b ? 'true' : 'false', ['b', $b]]; }
	if ($type eq 't') { my $s = int(rand(9)); return [pick("${s}s", ($s * 1000) . 'ms'), ['i', $s * $SECOND]]; }
	return [$number, [$number =~ /\./ ? 'd' : 'i', $number]];
}

my %regexes = ('r.*' => qr/\Ar.*\z/s, 'e' => qr/\Ae\z/, '.*e.*' => qr/\A.*e.*\z/s, 'blue|plan' => qr/\A(?:blue|plan)\z/,
	'(?i)RED' => qr/\Ared\z/i, 's[a-e]+rch' => qr/\As[a-e]+rch\z/,
	# of which the index makes keys
	'red' => qr/\Ared\z/, 'red|green|m2' => qr/\A(?:red|green|m2)\z/, '(search|r|nope)' => qr/\A(?:search|r|nope)\z/,
	'(?:answer|m1|a b)' => qr/\A(?:answer|m1|a b)\z/, 'call-1|call-29|call-7' => qr/\Acall-(?:1|29|7)\z/,
	'agent|re\\\\-try|fetch' => qr/\A(?:agent|re-try|fetch)\z/);

sub random_comparison
{
	my ($text, $get, $type) = @{ pick(@fields) };
	my $dice = rand();
	if ($dice < 0.08)
	{
		my $op = pick('=', '!=');
		return ["$text $op nil", sub { my $there = defined $get->($_[0]); ($op eq '=') != $there }];
	}
	if ($dice < 0.18 && ($type eq 's' || $type eq 'any' || $type eq 'id'))
	{
		my $re = pick(sort keys %regexes);
		my $op = pick('=~', '!~');
		return ["$text $op \"$re\"", sub {
			my @v = elements($get->($_[0]));
			return 0 unless @v;
			my @good = grep { $_->[0] eq 's' && (($_->[1] =~ $regexes{$re}) xor $op eq '!~') } @v;
			return $op eq '=~' ? @good > 0 : @good == @v;
		}];
	}
	my $op = pick('=', '=', '=', '!=', '<', '<=', '>', '>=');
	if ($dice < 0.26 && $type =~ /^(?:i|t|any)$/)
	{
		# arithmetic: of single numbers
		my $sign = pick('+', '-', '*', '/', '%', '^');
		my $by = pick(0, 1, 2, 4);
		my $limit = pick(0, 1, 2, 3, 0.5);
		return ["$text $sign $by $op $limit", sub {
			my @v = elements($get->($_[0]));
			return 0 unless @v == 1 && is_number($v[0]) && ($by != 0 || $sign !~ m{[/%]});
			my $x = $v[0][1];
			my $r = $sign eq '+' ? $x + $by : $sign eq '-' ? $x - $by : $sign eq '*' ? $x * $by
			  : $sign eq '/' ? $x / $by : $sign eq '^' ? $x**$by : $x - $by * int($x / $by);
			return compare($op, ['d', $r], ['d', $limit]);
		}];
	}
	if ($dice < 0.32 && $type eq 'any')
	{
		my ($other, $get_other, $other_type) = @{ pick(grep { $_->[2] eq 'any' } @fields) };
		return ["$text $op $other", sub { compare($op, $get->($_[0]), $get_other->($_[0])) }];
	}
	my ($literal, $value) = @{ random_literal($type) };
	$op = pick('=', '!=') if $value->[0] eq 'b';
	if (chance(0.15))
	{
		my %mirror = ('<' => '>', '>' => '<', '<=' => '>=', '>=' => '<=');
		return ["$literal " . ($mirror{$op} // $op) . " $text", sub { compare($op, $get->($_[0]), $value) }];
	}
	return ["$text $op $literal", sub { compare($op, $get->($_[0]), $value) }];
}

sub random_atom
{
	my $dice = rand();
	if ($dice < 0.15)
	{
		my ($op, $word) = (pick('=', '!='), pick('llm', 'tool', 'agent', 'other', 'internal', 'client', 'server'));
		my $is_span_kind = $word =~ /internal|client|server/;
		return ["kind $op $word", sub { (($is_span_kind ? $_[0]{span_kind} : $_[0]{kind}) eq $word) == ($op eq '=') }];
	}
	if ($dice < 0.25)
	{
		my ($op, $word) = (pick('=', '!='), pick('unset', 'ok', 'error'));
		return ["status $op $word", sub { ($_[0]{status} eq $word) == ($op eq '=') }];
	}
	if ($dice < 0.29)
	{
		return [pick('isError', 'isError = true', 'isError != false'), sub { $_[0]{status} eq 'error' }];
	}
	if ($dice < 0.33)
	{
		my ($field, $get) = @{ pick(grep { $_->[2] eq 'any' } @fields) };
		my $not = int(rand(2));
		return [($not ? '!' : '') . $field, sub {
			scalar grep { $_->[0] eq 'b' && $_->[1] == 1 - $not } elements($get->($_[0]))
		}];
	}
	if ($dice < 0.36)
	{
		return ['span:parentID = nil', sub { $_[0]{parent} < 0 && !$_[0]{lost} }];
	}
	return random_comparison();
}

# && and || have one level and go from left to right.
sub random_condition
{
	my ($depth) = @_;
	my ($text, $code);
	for my $i (1 .. pick(1, 1, 1, 2, 2, 3))
	{
		my ($more_text, $more);
		if ($depth > 0 && chance(0.2))
		{
			my ($inner_text, $inner) = @{ random_condition($depth - 1) };
			my $not = int(rand(2));
			$more_text = ($not ? '!' : '') . "($inner_text)";
			# what is a bare attribute is negated as such
			if ($not && $inner_text =~ /^\(*(?:[a-z]*\.[^ ]+|\."a b"\)*)$/) { $more_text = "($inner_text)"; $not = 0; }
			if ($not && $inner_text =~ /^\(*!/) { $more_text = "($inner_text)"; $not = 0; }
			$more = $not ? sub { !$inner->($_[0]) } : $inner;
		}
		else { ($more_text, $more) = @{ random_atom() }; }
		if (!defined $text) { ($text, $code) = ($more_text, $more); next; }
		my $op = pick('&&', '||');
		my ($left, $right) = ($code, $more);
		$text .= " $op $more_text";
		$code = $op eq '&&' ? sub { $left->($_[0]) && $right->($_[0]) } : sub { $left->($_[0]) || $right->($_[0]) };
	}
	return [$text, $code];
}

# A set: text, and a closure from trace and input flags to flags.
sub random_filter
{
	return ['{ }', sub { [@{ $_[1] }] }] if chance(0.06);
	my ($text, $code) = @{ random_condition(2) };
	return ["{ $text }", sub {
		my ($trace, $input) = @_;
		return [map { $input->[$_] && $code->($trace->{spans}[$_]) ? 1 : 0 } 0 .. $#$input];
	}];
}

my %relations = (
	'>' => sub { my ($s, $a, $b) = @_; $s->[$b]{parent} == $a },
	'<' => sub { my ($s, $a, $b) = @_; $s->[$a]{parent} == $b },
	'>>' => sub { my ($s, $a, $b) = @_; is_below($s, $b, $a) },
	'<<' => sub { my ($s, $a, $b) = @_; is_below($s, $a, $b) },
	'~' => sub { my ($s, $a, $b) = @_; $a != $b && $s->[$a]{parent} >= 0 && $s->[$a]{parent} == $s->[$b]{parent} },
	'->' => sub {
		my ($s, $a, $b) = @_;
		$a != $b && $s->[$a]{parent} >= 0 && $s->[$a]{parent} == $s->[$b]{parent}
		  && defined $s->[$a]{end} && $s->[$b]{start} >= $s->[$a]{end};
	});

sub any { return scalar grep { $_ } @{ $_[0] }; }

sub random_relation
{
	my ($depth) = @_;
	my ($text, $code) = @{ random_operand($depth) };
	for (1 .. pick(0, 1, 1, 2))
	{
		my $relation = pick(sort keys %relations);
		my $mode = pick('', '', '', '!', '&');
		my ($right_text, $right) = @{ random_operand($depth) };
		my $left = $code;
		my $holds = $relations{$relation};
		$text = "$text $mode$relation $right_text";
		$code = sub {
			my ($trace, $input) = @_;
			my ($x, $y) = ($left->($trace, $input), $right->($trace, $input));
			my @out = (0) x @$input;
			for my $b (grep { $y->[$_] } 0 .. $#$y)
			{
				my @from = grep { $x->[$_] && $holds->($trace->{spans}, $_, $b) } 0 .. $#$x;
				$out[$b] = 1 if $mode eq '!' ? !@from : @from;
				if ($mode eq '&') { $out[$_] = 1 for @from; }
			}
			return \@out;
		};
	}
	return [$text, $code];
}

sub random_set
{
	my ($depth) = @_;
	my ($text, $code) = @{ random_relation($depth) };
	for (1 .. pick(0, 0, 0, 1, 2))
	{
		my $op = pick('&&', '||');
		my ($right_text, $right) = @{ random_relation($depth) };
		my $left = $code;
		$text = "$text $op $right_text";
		$code = sub {
			my ($x, $y) = ($left->(@_), $right->(@_));
			return [map { 0 } @$x] if $op eq '&&' && !(any($x) && any($y));
			return [map { $x->[$_] || $y->[$_] ? 1 : 0 } 0 .. $#$x];
		};
	}
	return [$text, $code];
}

sub random_stage
{
	my ($depth) = @_;
	return random_set($depth) if chance(0.4);
	my ($name, $field) = @{ pick(['count', ''], ['count', ''], ['max', 'duration'], ['min', 'childCount'], ['sum', 'inputTokens'], ['sum', 'outputTokens'], ['max', 'costUsd'], ['avg', '.n']) };
	my ($get) = map { $_->[1] } grep { $_->[0] eq $field } @fields;
	my $op = pick('>', '>=', '<', '=', '!=');
	my $limit = $field eq 'duration' ? int(rand(5)) : pick(0, 1, 2, 3, 10, 300);
	return ["$name($field) $op $limit" . ($field eq 'duration' ? 's' : ''), sub {
		my ($trace, $input) = @_;
		my @spans = map { $trace->{spans}[$_] } grep { $input->[$_] } 0 .. $#$input;
		my $empty = [map { 0 } @$input];
		return $empty unless @spans;
		my $value = @spans;
		if ($get)
		{
			my @v = map { my @e = elements($get->($_)); @e == 1 && is_number($e[0]) ? $e[0][1] : () } @spans;
			return $empty unless @v;
			my @sorted = sort { $a <=> $b } @v;
			my $sum = 0;
			$sum += $_ for @v;
			$value = $name eq 'max' ? $sorted[-1] : $name eq 'min' ? $sorted[0] : $name eq 'sum' ? $sum : $sum / @v;
		}
		my $bound = $field eq 'duration' ? $limit * $SECOND : $limit;
		return compare($op, ['d', $value], ['d', $bound]) ? [@$input] : $empty;
	}];
}

sub random_pipeline
{
	my ($depth) = @_;
	my ($text, $code) = @{ random_set($depth) };
	for (1 .. pick(0, 0, 0, 0, 1, 2))
	{
		my ($stage_text, $stage) = @{ random_stage($depth) };
		my $first = $code;
		$text = "$text | $stage_text";
		$code = sub {
			my ($trace, $input) = @_;
			my $set = $first->($trace, $input);
			return any($set) ? $stage->($trace, $set) : $set;
		};
	}
	return [$text, $code];
}

sub random_operand
{
	my ($depth) = @_;
	return random_filter() if $depth == 0 || chance(0.8);
	my ($text, $code) = @{ random_pipeline($depth - 1) };
	return ["($text)", $code];
}

# ----------------------------------------------------------------- tests ---

my $node = PostgreSQL::Test::Cluster->new('tracequery');
$node->init(extra => ['--locale=C', '--encoding=UTF8']);
$node->append_conf('postgresql.conf', "autovacuum = off\njit = off\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION llmtrace; ALTER DATABASE postgres SET search_path = llmtrace, public');

sub sql_file
{
	my ($name, @lines) = @_;
	my $path = PostgreSQL::Test::Utils::tempdir() . "/$name";
	open(my $file, '>', $path) or die "$path: $!";
	print $file @lines;
	close $file;
	return $path;
}

sub run_file { return $node->safe_psql('postgres', "\\i $_[0]"); }
sub quote { my ($s) = @_; $s =~ s/'/''/g; return "'$s'"; }

my @traces = map { random_trace($_) } 0 .. 199;
prepare($_) for @traces;
my @long = map { random_trace($_, 120 + int(rand(500))) } 500 .. 509;
my @sample = @traces[0 .. 39];
my @cases = map { random_pipeline(1) } 1 .. $queries;

run_file(sql_file('load.sql',
	"CREATE TABLE source (id int, t trajectory);\nCREATE TABLE long (id int, t trajectory);\nCREATE TABLE queries (id int, q text);\n",
	(map { "INSERT INTO long SELECT $_->{number}, t FROM trajectories_from_otlp(" . quote(otlp($_)) . ") t;\n" } @long),
	(map { "INSERT INTO source SELECT $_->{number}, t FROM trajectories_from_otlp(" . quote(otlp($_)) . ") t;\n" } @traces),
	"COPY queries FROM stdin;\n",
	(map { my $q = $cases[$_][0]; $q =~ s/\\/\\\\/g; "$_\t$q\n" } 0 .. $#cases), "\\.\n"));
is($node->safe_psql('postgres', 'SELECT count(*), sum(span_count(t)) FROM source'),
	scalar(@traces) . '|' . eval { my $n = 0; $n += @{ $_->{spans} } for @traces; $n }, 'traces are loaded');

is($node->safe_psql('postgres', 'SELECT count(*) FROM queries WHERE q::tracequery::text::tracequery::text <> q::tracequery::text'),
	0, 'canonical text is a fixed point');

# Against the oracle: a fifth of the queries, on a fifth of the traces.
my %answers = map { my ($case, $rest) = split(/\|/, $_, 2); $case => $rest }
  split(/\n/, $node->safe_psql('postgres', <<"SQL"));
SELECT q.id, string_agg(s.id || ':' || s.found || CASE WHEN s.t \@\@ q.q::tracequery THEN '+' ELSE '-' END || match_count(s.t, q.q::tracequery), ' ' ORDER BY s.id)
FROM queries q, LATERAL (
	SELECT id, t, coalesce((SELECT string_agg(span_id, ',' ORDER BY span_id) FROM find_spans(t, q.q::tracequery)), '') AS found
	FROM source WHERE id < 40 OFFSET 0) s
WHERE q.id % 5 = 0 GROUP BY q.id
SQL
my @wrong;
my $found = 0;
for my $case (grep { $_ % 5 == 0 } 0 .. $#cases)
{
	my ($text, $code) = @{ $cases[$case] };
	my @expected;
	for my $trace (@sample)
	{
		my $set = $code->($trace, [map { 1 } @{ $trace->{spans} }]);
		my @ids = sort map { $trace->{spans}[$_]{id} } grep { $set->[$_] } 0 .. $#$set;
		$found += @ids > 0;
		push @expected, "$trace->{number}:" . join(',', @ids) . (@ids ? '+' : '-') . scalar(@ids);
	}
	my @got = split(/ /, $answers{$case});
	for my $i (grep { $got[$_] ne $expected[$_] } 0 .. $#expected)
	{
		push @wrong, "$text\n  trace $expected[$i]\n  found $got[$i]";
		last;
	}
}
is(scalar(@wrong), 0, 'queries find what the oracle finds') or diag(join("\n", @wrong[0 .. ($#wrong < 4 ? $#wrong : 4)]), "\nseed $seed");
cmp_ok($found, '>', @sample, 'and find something');

# Of long traces, the first spans may be enough to match: all must say the same.
is($node->safe_psql('postgres', 'SELECT count(*), min(span_count(t)) > 100 FROM long'), '10|t', 'there are long traces');
is($node->safe_psql('postgres', 'SELECT q FROM queries, LATERAL (SELECT count(*) AS wrong FROM long WHERE (t @@ q::tracequery) <> (match_count(t, q::tracequery) > 0)) l WHERE id % 10 = 0 AND wrong > 0 LIMIT 3'),
	'', 'long traces match if spans are found');

# Regular expressions against Perl's: whole words of a few letters, for which
# the two languages mean the same.
sub random_regex
{
	my ($depth) = @_;
	my $dice = int(rand($depth > 0 ? 9 : 4));
	return pick('a', 'b', 'c') if $dice < 2;
	return pick('.', '[ab]', '[^a]', '[a-c]') if $dice < 3;
	return pick('a', 'bc', '') if $dice < 4;
	my ($left, $right) = (random_regex($depth - 1), random_regex($depth - 1));
	return "$left$right" if $dice < 6;
	return "($left|$right)" if $dice < 7;
	return "(?:$left)" . pick('*', '+', '?', '{2}', '{1,3}');
}
my @subjects = map { join('', map { pick('a', 'b', 'c', 'A') } 1 .. int(rand(6))) } 1 .. 60;
my @patterns = map { pick('', '', '', '(?i)') . random_regex(4) } 1 .. 1000;
run_file(sql_file('regexes.sql', "CREATE TABLE subjects (n int, t trajectory);\nCREATE TABLE patterns (n int, p text);\n",
	(map { "INSERT INTO subjects VALUES ($_, '{\"trace_id\":\"1\",\"spans\":[{\"span_id\":\"1\",\"name\":\"$subjects[$_]\",\"start_ns\":1,\"end_ns\":2}]}');\n" } 0 .. $#subjects),
	(map { "INSERT INTO patterns VALUES ($_, " . quote($patterns[$_]) . ");\n" } 0 .. $#patterns)));
my @matched = split(/\n/, $node->safe_psql('postgres', <<'SQL'));
SELECT n || ':' || coalesce((SELECT string_agg(s.n::text, ',' ORDER BY s.n) FROM subjects s
	WHERE t @@ format('{ name =~ "%s" }', p)::tracequery AND NOT t @@ format('{ name !~ "%s" }', p)::tracequery), '')
FROM patterns ORDER BY n
SQL
my @differing;
for my $i (0 .. $#patterns)
{
	no warnings 'regexp';		# of nothing repeated
	my $expected = "$i:" . join(',', grep { $subjects[$_] =~ /\A(?:$patterns[$i])\z/ } 0 .. $#subjects);
	push @differing, "$patterns[$i]\n  perl $expected\n  found $matched[$i]" if $matched[$i] ne $expected;
}
is(scalar(@differing), 0, 'regular expressions match what they do in Perl') or diag(join("\n", @differing[0 .. ($#differing < 4 ? $#differing : 4)]));

# Nonsense is refused as what it is, or means something.
$node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION answer(q text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN (SELECT count(*) FROM subjects WHERE t @@ q::tracequery);
EXCEPTION WHEN syntax_error OR invalid_regular_expression OR statement_too_complex OR invalid_text_representation THEN
	RETURN SQLSTATE;
END $$;
SQL
my @marks = ('(', ')', '[', ']', '{', '}', '*', '+', '?', '|', '^', '$', '.', '-', ',', '1', '9', 'a', '(?', '(?=', '(?!', '[:alpha:]', '[.a.]', '\\1', '\\d', '\\m', '\\x41', '***', ':');
my @nonsense = map { '{ name =~ `' . join('', map { pick(@marks) } 1 .. 1 + int(rand(8))) . '` }' } 1 .. 1000;
my $answers = $node->safe_psql('postgres', 'SELECT answer(q) FROM unnest(ARRAY[' . join(',', map { quote($_) } @nonsense) . ']) q');
is(scalar(split(/\n/, $answers)), scalar(@nonsense), 'patterns without sense are answered or refused');

# The index against a sequential scan.
$node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION differences(relation regclass, part int, parts int) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	c record;
	by_scan int[];
	by_index int[];
	plan text;
	indexed int := 0;
BEGIN
	FOR c IN SELECT * FROM queries WHERE id % parts = part LOOP
		SET LOCAL enable_seqscan = on;
		SET LOCAL enable_bitmapscan = off;
		EXECUTE format('SELECT array_agg(id ORDER BY id) FROM %s WHERE t @@ %L', relation, c.q) INTO by_scan;
		SET LOCAL enable_seqscan = off;
		SET LOCAL enable_bitmapscan = on;
		EXECUTE format('SELECT array_agg(id ORDER BY id) FROM %s WHERE t @@ %L', relation, c.q) INTO by_index;
		IF by_scan IS DISTINCT FROM by_index THEN
			RETURN NEXT c.q;
		END IF;
	END LOOP;
	EXECUTE format('EXPLAIN (COSTS OFF, FORMAT JSON) SELECT FROM %s WHERE t @@ ''{ name = "plan" }''', relation) INTO plan;
	IF plan NOT LIKE '%Bitmap Index Scan%' THEN
		RETURN NEXT 'no index: ' || plan;
	END IF;
END $$;
CREATE TABLE pending (id int, t trajectory);
CREATE INDEX pending_t ON pending USING gin (t) WITH (fastupdate = on);
CREATE TABLE direct (id int, t trajectory);
CREATE INDEX direct_t ON direct USING gin (t) WITH (fastupdate = off);
CREATE TABLE parted (id int, t trajectory) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (70);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (70) TO (1000);
CREATE INDEX parted_t ON parted USING gin (t);
INSERT INTO pending SELECT * FROM source;
INSERT INTO direct SELECT * FROM source;
INSERT INTO parted SELECT * FROM source;
SQL

sub same_answers
{
	my ($relation, $part, $what) = @_;
	is($node->safe_psql('postgres', "SELECT differences('$relation', $part, 6) LIMIT 3"), '', "the index and a scan answer alike $what");
}
same_answers('pending', 0, 'with entries that are pending');
same_answers('direct', 1, 'without fast updates');
same_answers('parted', 2, 'on partitions');
$node->safe_psql('postgres', 'DELETE FROM pending WHERE id % 7 = 0; DELETE FROM direct WHERE id % 5 = 0; UPDATE direct SET id = id + 1000 WHERE id % 3 = 0');
$node->safe_psql('postgres', 'VACUUM pending; VACUUM direct');
same_answers('pending', 3, 'after a vacuum');
$node->safe_psql('postgres', 'INSERT INTO pending SELECT id + 500, t FROM source; INSERT INTO direct SELECT id + 500, t FROM source WHERE id < 50');
$node->stop('immediate');
$node->start;
same_answers('pending', 4, 'after a crash, with fast updates');
same_answers('direct', 5, 'after a crash, without');

# A policy leaves the index in use, since @@ does not leak.
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE reader;
GRANT USAGE ON SCHEMA llmtrace, public TO reader;
GRANT SELECT ON pending TO reader;
ALTER TABLE pending ENABLE ROW LEVEL SECURITY;
CREATE POLICY even ON pending USING (id % 2 = 0);
SQL
my $explain = $node->safe_psql('postgres', q{SET ROLE reader; SET enable_seqscan = off; EXPLAIN (COSTS OFF) SELECT FROM pending WHERE t @@ '{ name = "plan" }'});
like($explain, qr/Bitmap Index Scan on pending_t/, 'row-level security keeps the index');
my $asked = q{SELECT string_agg(id::text, ' ' ORDER BY id) FROM pending WHERE t @@ '{ name = "plan" } > { status = error }'};
is($node->safe_psql('postgres', "SET ROLE reader; SET enable_seqscan = off; $asked"),
	$node->safe_psql('postgres', "SET enable_bitmapscan = off; $asked AND id % 2 = 0"), 'and its rows are those of the policy');

# A cancel reaches a long evaluation.
my $slow = '{ ' . join(' || ', map { ".nope$_ =~ \"(a|b|ab)*c$_\"" } 1 .. 16) . ' }';
my ($code, $out, $err) = $node->psql('postgres',
	"SET statement_timeout = '50ms'; SELECT count(*) FROM generate_series(1, 100000000) g, source WHERE t @@ " . quote($slow));
like($err, qr/statement timeout/, 'a query can be cancelled');
($code, $out, $err) = $node->psql('postgres',
	q[SET statement_timeout = '50ms'; SELECT ('{ name =~ "' || repeat('(a|b)?', 4000) || '" }')::tracequery]);
like($err, qr/statement timeout/, 'and a regular expression that takes long to compile');

$node->stop;
done_testing();
