# The binary forms of the mergeable states from outside: golden bytes of every
# released format, and damage.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use File::Basename;
use Test::More;

my $golden_dir = dirname(__FILE__) . '/../golden';
my $tmp = PostgreSQL::Test::Utils::tempdir();

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => ['--encoding=UTF8', '--locale=C']);
$node->append_conf('postgresql.conf', "search_path = 'public, llmtrace'\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION llmtrace');

# The binary form: golden bytes go in by COPY and come out the same.
sub copy_file
{
	my ($name, @fields) = @_;
	my $path = "$tmp/$name";

	open my $file, '>:raw', $path or die "$path: $!";
	print $file "PGCOPY\n\xff\r\n\0", pack('NN', 0, 0);
	print $file pack('nN', 1, length $_), $_ for @fields;
	print $file pack('n', 0xffff);
	close $file;
	return $path;
}

for my $type ('dist', 'cat', 'sample')
{
	my (@bytes, @text);

	open my $file, '<:encoding(UTF-8)', "$golden_dir/$type.txt" or die $!;
	while (<$file>)
	{
		next if /^#/ || !/\S/;
		chomp;
		my ($hex, $text) = split /\t/;
		push @bytes, pack('H*', $hex);
		push @text, $text;
	}
	close $file;

	$node->safe_psql('postgres', "CREATE TABLE golden_$type (n serial, v $type)");
	my $path = copy_file("$type.bin", @bytes);
	$node->safe_psql('postgres', "COPY golden_$type (v) FROM '$path' (FORMAT binary)");
	utf8::encode($_) for @text;
	is($node->safe_psql('postgres', "SELECT v FROM golden_$type ORDER BY n"), join("\n", @text), "golden bytes of $type read as before");
	is($node->safe_psql('postgres', "SELECT encode(${type}_send(v::text::$type), 'hex') FROM golden_$type ORDER BY n"),
		join("\n", map { unpack 'H*', $_ } @bytes), "golden text of $type has the same bytes");
	$node->safe_psql('postgres', "COPY golden_$type (v) TO '$path.out' (FORMAT binary)");
	is(slurp_file("$path.out"), slurp_file($path), "binary output of $type is the same");

	# Every cut and every changed byte is refused or is a valid other value.
	my $odd = 0;
	my $refused = 0;
	my $script = "CREATE TEMP TABLE odd (v $type);\n\\set ON_ERROR_STOP 0\n";
	my @damaged;
	for my $bytes (@bytes)
	{
		push @damaged, substr($bytes, 0, $_) for 0 .. length($bytes) - 1;
		push @damaged, $bytes . "\0";
		for my $at (0 .. length($bytes) - 1)
		{
			my $copy = $bytes;
			substr($copy, $at, 1) = chr((ord(substr($copy, $at, 1)) + 1 + $at * 37) % 256);
			push @damaged, $copy;
		}
	}
	$script .= "COPY odd FROM '" . copy_file("$type.odd.$_", $damaged[$_]) . "' (FORMAT binary);\n" for 0 .. $#damaged;
	my $stderr;
	my $stdout;
	$node->psql('postgres', $script . "SELECT count(*) FROM odd;\nSELECT bool_and(v::text::$type = v) IS NOT FALSE FROM odd;",
		stdout => \$stdout, stderr => \$stderr, on_error_stop => 0);
	$refused = () = $stderr =~ /ERROR:  invalid binary (form|value)|ERROR:  invalid byte sequence/g;
	my ($taken, $sound) = $stdout =~ /(\d+)\n([tf])/;
	is($refused + $taken, scalar @damaged, "every damaged $type is refused or taken ($refused, $taken)");
	is($sound, 't', "what is taken is sound");
	# of a sample, which keys and payloads are in it cannot be checked
	ok($refused > ($type eq 'sample' ? 0.4 : 1) * $taken, "much damage to $type is found");
}

$node->stop;
done_testing();
