# The generator of agent traces: what it writes is what it says it wrote.

use strict;
use warnings FATAL => 'all';
use Digest::MD5 qw(md5_hex);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use JSON::PP;
use Test::More;
use Time::Local qw(timegm);

my $generate = $ENV{LLMTRACE_GENERATE} || dirname(__FILE__) . '/../../bench/generate';
plan skip_all => "no generator: make bench/generate" unless -x $generate;

my $folder = tempdir(CLEANUP => 1);
my @common = ('--traces', 400, '--until', '2026-01-31T00:00:00Z');

sub slurp
{
	my ($path) = @_;
	open(my $file, '<:raw', $path) or die "$path: $!";
	local $/;
	return <$file>;
}

# Runs it and returns the output's path and the truth.
sub generate
{
	my ($name, @options) = @_;
	my $path = "$folder/$name";
	system($generate, @common, '--output', $path, '--truth', "$path.truth", @options) == 0
	  or die "generate @options failed";
	return ($path, decode_json(slurp("$path.truth")));
}

# Protobuf by its wire format: [field, wire type, value]…
sub varint
{
	my ($bytes, $at) = @_;
	my ($value, $shift) = (0, 0);
	while (1)
	{
		my $byte = ord(substr($$bytes, $$at++, 1));
		$value |= ($byte & 127) << $shift;
		return $value if $byte < 128;
		$shift += 7;
	}
}

sub fields
{
	my ($bytes) = @_;
	my ($at, @fields) = (0);
	while ($at < length($bytes))
	{
		my $tag = varint(\$bytes, \$at);
		my $type = $tag & 7;
		my $length = $type == 1 ? 8 : $type == 5 ? 4 : 0;
		$length = varint(\$bytes, \$at) if $type == 2;
		my $value = $type == 0 ? varint(\$bytes, \$at) : substr($bytes, $at, $length);
		$at += $length;
		push @fields, [ $tag >> 3, $value ];
	}
	return @fields;
}

sub value_from_protobuf
{
	my ($field) = fields($_[0]);
	my ($number, $value) = @$field;
	return "s:$value" if $number == 1;
	return "b:$value" if $number == 2;
	return "i:$value" if $number == 3;
	return 'd:' . unpack('d<', $value) if $number == 4;
	return 'a:' . join(',', map { value_from_protobuf($_->[1]) } fields($value)) if $number == 5;
	die "unexpected value $number";
}

sub value_from_json
{
	my ($value) = @_;
	my ($type) = keys %$value;
	$value = $value->{$type};
	utf8::encode($value) if $type eq 'stringValue';
	return "s:$value" if $type eq 'stringValue';
	return 'b:' . ($value ? 1 : 0) if $type eq 'boolValue';
	return "i:$value" if $type eq 'intValue';
	return 'd:' . (0 + $value) if $type eq 'doubleValue';
	return 'a:' . join(',', map { value_from_json($_) } @{ $value->{values} }) if $type eq 'arrayValue';
	die "unexpected value $type";
}

# A span as one text, whichever way it came.
sub span_text
{
	my ($context, $span) = @_;
	my @lines = ($context);
	push @lines, "$_=" . ($span->{$_} // '') for qw(trace id parent name kind start end code message);
	push @lines, @{ $span->{attributes} }, @{ $span->{events} }, @{ $span->{links} };
	return join("\n", @lines);
}

sub attributes_from_json
{
	return map { "$_->{key}=" . value_from_json($_->{value}) } @{ $_[0] };
}

sub spans_from_json
{
	my ($path) = @_;
	my @spans;
	for my $line (split /\n/, slurp($path))
	{
		for my $resource (@{ decode_json($line)->{resourceSpans} })
		{
			for my $scope (@{ $resource->{scopeSpans} })
			{
				my $context = join("\n", attributes_from_json($resource->{resource}{attributes}),
					$scope->{scope}{name}, $scope->{scope}{version});
				push @spans, { %$_, context => $context } for @{ $scope->{spans} };
			}
		}
	}
	return @spans;
}

sub text_from_json
{
	my ($span) = @_;
	my @events = map { join("\n", $_->{timeUnixNano}, $_->{name}, attributes_from_json($_->{attributes})) }
	  @{ $span->{events} || [] };
	return span_text(
		$span->{context},
		{
			trace => $span->{traceId}, id => $span->{spanId}, parent => $span->{parentSpanId},
			name => $span->{name}, kind => $span->{kind},
			start => $span->{startTimeUnixNano}, end => $span->{endTimeUnixNano},
			code => $span->{status}{code} || 0, message => $span->{status}{message},
			attributes => [ attributes_from_json($span->{attributes}) ],
			events => \@events,
			links => [ map { "$_->{traceId} $_->{spanId}" } @{ $span->{links} || [] } ],
		});
}

sub attribute_from_protobuf
{
	my %pair = map { @$_ } fields($_[0]);
	return "$pair{1}=" . value_from_protobuf($pair{2});
}

sub event_from_protobuf
{
	my @fields = fields($_[0]);
	my %single = map { @$_ } @fields;
	return join("\n", unpack('Q<', $single{1}), $single{2},
		map { attribute_from_protobuf($_->[1]) } grep { $_->[0] == 3 } @fields);
}

sub text_from_protobuf
{
	my ($context, $bytes) = @_;
	my @fields = fields($bytes);
	my %single = map { @$_ } @fields;
	my %status = map { @$_ } fields($single{15});
	my @links = map { { map { @$_ } fields($_->[1]) } } grep { $_->[0] == 13 } @fields;
	return span_text(
		$context,
		{
			trace => unpack('H*', $single{1}), id => unpack('H*', $single{2}),
			parent => unpack('H*', $single{4} // ''), name => $single{5}, kind => $single{6},
			start => unpack('Q<', $single{7}), end => defined $single{8} ? unpack('Q<', $single{8}) : 0,
			code => $status{3} || 0, message => $status{2},
			attributes => [ map { attribute_from_protobuf($_->[1]) } grep { $_->[0] == 9 } @fields ],
			events => [ map { event_from_protobuf($_->[1]) } grep { $_->[0] == 11 } @fields ],
			links => [ map { unpack('H*', $_->{1}) . ' ' . unpack('H*', $_->{2}) } @links ],
		});
}

sub texts_from_protobuf
{
	my ($path) = @_;
	my ($bytes, @texts) = (slurp($path));
	my $at = 0;
	while ($at < length($bytes))
	{
		my $request = unpack('N/a', substr($bytes, $at));
		$at += 4 + length($request);
		for my $resource_spans (fields($request))
		{
			my @parts = fields($resource_spans->[1]);
			my ($resource) = map { $_->[1] } grep { $_->[0] == 1 } @parts;
			my @resource = map { attribute_from_protobuf($_->[1]) } fields($resource);
			for my $scope_spans (grep { $_->[0] == 2 } @parts)
			{
				my @inner = fields($scope_spans->[1]);
				my ($scope) = map { $_->[1] } grep { $_->[0] == 1 } @inner;
				my %scope = map { @$_ } fields($scope);
				my $context = join("\n", @resource, $scope{1}, $scope{2} // '');
				push @texts, map { text_from_protobuf($context, $_->[1]) } grep { $_->[0] == 2 } @inner;
			}
		}
	}
	return @texts;
}

# What an independent reader counts, by the conventions' own rules.
sub attribute
{
	my ($span, @keys) = @_;
	my %value = map { $_->{key} => $_->{value} } @{ $span->{attributes} };
	for my $key (grep { exists $value{$_} } @keys)
	{
		return (values %{ $value{$key} })[0];
	}
	return undef;
}

sub kind_of
{
	my ($span) = @_;
	my $kind = attribute($span, 'gen_ai.operation.name', 'openinference.span.kind', 'ai.operationId',
		'traceloop.span.kind', 'llm.request.type', 'langfuse.observation.type') // '';
	return 'embedding' if $kind =~ /^embed|^ai\.embed|^EMBED/;
	return 'llm' if $kind =~ /^(chat|LLM|generation|ai\.streamText\.doStream)$/;
	return 'tool' if $kind =~ /tool/i;
	return 'agent' if $kind =~ /agent|^ai\.streamText$/i;
	return $kind;
}

# Input and output tokens, inclusive of cached and reasoning tokens.
sub usage_of
{
	my ($span) = @_;
	my $details = attribute($span, 'langfuse.observation.usage_details');
	if (defined $details)
	{
		$details = decode_json($details);
		return ($details->{input} + $details->{input_cached_tokens},
			$details->{output} + $details->{output_reasoning_tokens});
	}
	return (
		attribute($span, 'gen_ai.usage.input_tokens', 'gen_ai.usage.prompt_tokens', 'llm.token_count.prompt',
			'ai.usage.inputTokens'),
		attribute($span, 'gen_ai.usage.output_tokens', 'gen_ai.usage.completion_tokens',
			'llm.token_count.completion', 'ai.usage.outputTokens'));
}

sub is_error
{
	my ($span) = @_;
	return ($span->{status}{code} || 0) == 2
	  || (attribute($span, 'langfuse.observation.level') // '') eq 'ERROR';
}

sub count
{
	my ($spans) = @_;
	my %total = map { $_ => 0 } qw(model_calls embedding_calls tool_calls agent_runs input_tokens output_tokens
	  model_call_wrappers error_spans status_error_spans open_spans orphan_spans);
	my (%kind, %traces, %wrapper);

	$kind{ $_->{spanId} } = kind_of($_) for @$spans;
	for my $span (@$spans)
	{
		$traces{ $span->{traceId} } = 1;
		$wrapper{ $span->{parentSpanId} } = 1
		  if $kind{ $span->{spanId} } eq 'llm' && ($kind{ $span->{parentSpanId} } // '') eq 'llm';
		$total{orphan_spans}++ if $span->{parentSpanId} ne '' && !exists $kind{ $span->{parentSpanId} };
	}
	for my $span (@$spans)
	{
		my $kind = $kind{ $span->{spanId} };
		$total{open_spans}++ if $span->{endTimeUnixNano} eq '0';
		$total{error_spans}++ if is_error($span);
		$total{status_error_spans}++ if $span->{status}{code};
		$total{attributes} += @{ $span->{attributes} };
		$total{tool_calls}++ if $kind eq 'tool';
		$total{agent_runs}++ if $kind eq 'agent';
		$total{recorded_plans}++ if $kind eq 'plan';
		next if $kind ne 'llm' && $kind ne 'embedding';
		if ($wrapper{ $span->{spanId} })
		{
			$total{model_call_wrappers}++;
			next;
		}
		$total{ $kind eq 'llm' ? 'model_calls' : 'embedding_calls' }++;
		my ($input, $output) = usage_of($span);
		$total{input_tokens} += $input // 0;
		$total{output_tokens} += $output // 0;
	}
	$total{spans} = @$spans;
	$total{traces} = keys %traces;
	return \%total;
}

# A trace's tree as text: names and failures, children in time order.
sub shape
{
	my ($children, $span) = @_;
	my @below = sort { $a->{startTimeUnixNano} <=> $b->{startTimeUnixNano} } @{ $children->{ $span->{spanId} } || [] };
	return $span->{name} . (is_error($span) ? '!' : '') . '(' . join(' ', map { shape($children, $_) } @below) . ')';
}

# Without what was sent once before it had ended.
sub unique
{
	my (%seen, @unique);
	for my $span (sort { ($a->{endTimeUnixNano} eq '0') <=> ($b->{endTimeUnixNano} eq '0') } @_)
	{
		push @unique, $span unless $seen{ $span->{spanId} }++;
	}
	return @unique;
}

sub check_totals
{
	my ($spans, $truth, $name) = @_;
	my @unique = unique(@$spans);
	my $counted = count(\@unique);
	is($counted->{$_}, $truth->{totals}{$_}, "$name: $_ as in the truth file") for sort keys %$counted;
	is(@$spans - @unique, $truth->{totals}{resent_spans}, "$name: spans sent twice");
}

my ($json, $truth) = generate('a.json');
my @spans = spans_from_json($json);
check_totals(\@spans, $truth, 'bench');

my ($rich, $rich_truth) = generate('r.json', '--rich', '--traces', 60);
check_totals([ spans_from_json($rich) ], $rich_truth, 'rich');

my ($again) = generate('b.json');
my ($other) = generate('c.json', '--seed', 2);
is(md5_hex(slurp($again)), md5_hex(slurp($json)), 'the same seed gives the same bytes');
isnt(md5_hex(slurp($other)), md5_hex(slurp($json)), 'another seed gives others');

for my $options ([], ['--rich'])
{
	my ($from_json, $json_truth) = generate('d.json', @$options, '--traces', 60);
	my ($from_protobuf, $protobuf_truth) = generate('d.pb', @$options, '--traces', 60, '--format', 'protobuf');
	my @a = map { text_from_json($_) } spans_from_json($from_json);
	my @b = texts_from_protobuf($from_protobuf);
	is(scalar(@b), scalar(@a), "as many spans in protobuf as in JSON (@$options)");
	is(scalar(grep { $a[$_] ne $b[$_] } 0 .. $#a), 0, 'and the same');
	is_deeply($protobuf_truth, $json_truth, 'and the same truth');
}

mkdir "$folder/split";
generate('e.pb', '--format', 'protobuf', '--split', "$folder/split", '--batch', 100);
my @files = sort glob("$folder/split/*.pb");
my (undef, $split_truth) = generate('f.pb', '--format', 'protobuf', '--batch', 100);
is(scalar(@files), $split_truth->{totals}{requests}, 'a file a request');
is(join('', map { pack('N/a', slurp($_)) } @files), slurp("$folder/f.pb"), 'with the same requests');

# The planted truths.
my (%children, %root, %by_trace);
for my $span (@spans)
{
	push @{ $children{ $span->{parentSpanId} } }, $span;
	push @{ $by_trace{ $span->{traceId} } }, $span;
	$root{ $span->{traceId} } = $span if $span->{parentSpanId} eq '';
}

for my $group (@{ $truth->{failure_groups} })
{
	my %shapes = map { shape(\%children, $root{$_}) => 1 } @{ $group->{trace_ids} };
	is(scalar(keys %shapes), 1, "one shape: $group->{name}");
	is(scalar(grep { is_error($root{$_}) != $group->{root_fails} } @{ $group->{trace_ids} }), 0,
		'and its roots fail as said');
}

ok(@{ $truth->{left_plan} } > 0, 'some runs leave their plan');
for my $left (@{ $truth->{left_plan} })
{
	my ($plan) = grep { kind_of($_) eq 'plan' } @{ $by_trace{ $left->{trace_id} } };
	my @planned = map { $_->{tool} // $_->{name} } @{ decode_json(attribute($plan, 'gen_ai.plan'))->{steps} };
	my $inserted = grep { $_ eq $left->{inserted} } @planned;
	my $skipped = grep { $_ eq $left->{skipped} } @planned;
	ok($skipped > 0 && $inserted == 0, "$left->{trace_id}: skipped from, inserted beside the plan");
}

sub tool_of
{
	my ($span) = @_;
	return attribute($span, 'gen_ai.tool.name', 'tool.name', 'ai.toolCall.name', 'traceloop.entity.name')
	  // $span->{name};
}

# Of a time like 2026-01-31T00:00:00.000Z.
sub epoch
{
	my ($year, $month, $day, $hour, $minute, $second) = split /\D/, $_[0];
	return timegm($second, $minute, $hour, $day, $month - 1, $year);
}

sub takes { return $_[0]{endTimeUnixNano} - $_[0]{startTimeUnixNano} }

my $branch = $truth->{hidden_branch};
my ($branches, $hidden) = (0, 0);
for my $span (grep { tool_of($_) eq $branch->{longest} } @spans)
{
	my ($last) = grep { tool_of($_) eq $branch->{critical} } @{ $children{ $span->{parentSpanId} } };
	$branches++;
	$hidden++ if takes($last) < takes($span)
	  && $last->{startTimeUnixNano} > $span->{startTimeUnixNano}
	  && $last->{endTimeUnixNano} > $span->{endTimeUnixNano};
}
is($branches, $branch->{count}, 'hidden branches as in the truth file');
is($hidden, $branches, 'the longest of two tools starts and ends first');

my $swap = $truth->{swapped_model};
my %responded;
for my $span (grep { kind_of($_) eq 'llm' && $_->{name} ne 'LiteLLM.completion' } @spans)
{
	my $requested = attribute($span, 'gen_ai.request.model', 'llm.request.model_name', 'ai.model.id') // '';
	my $model = attribute($span, 'gen_ai.response.model', 'llm.response.model_name', 'ai.response.model');
	$responded{$model}++ if defined $model && $requested eq $swap->{requested};
}
is_deeply(
	\%responded,
	{ $swap->{responded_before} => $swap->{calls_before}, $swap->{responded_after} => $swap->{calls_after} },
	'calls before and after the swap');

my $failing = $truth->{failing_tool};
my $from = epoch($failing->{from}) * 1e9;
my %failing = map { $_ => 0 } qw(calls_before calls_after failed_before failed_after);
for my $span (grep { tool_of($_) eq $failing->{tool} } @spans)
{
	my $period = $root{ $span->{traceId} }{startTimeUnixNano} < $from ? 'before' : 'after';
	$failing{"calls_$period"}++;
	$failing{"failed_$period"}++ if is_error($span);
}
is($failing{$_}, $failing->{$_}, "failing tool: $_") for sort keys %failing;
cmp_ok($failing{failed_after} / $failing{calls_after}, '>', 5 * $failing{failed_before} / $failing{calls_before},
	'a tool begins to fail');

my $growth = $truth->{growing_prompts};
cmp_ok($growth->{input_tokens_after} / $growth->{calls_after}, '>',
	1.2 * $growth->{input_tokens_before} / $growth->{calls_before}, 'prompts grow');

done_testing();
