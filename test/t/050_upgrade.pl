# Upgrade scripts: from the frozen install script of each released version the
# way by upgrade scripts ends where a fresh install ends, fact by fact of the
# catalog (test/upgrade/catalog.sql).  A version that is frozen does not change:
# another SQL half is another version, with an upgrade script.
#
# That this would be noticed is proved with made-up versions: a script that
# forgets something is found out, whatever it forgets.
use strict;
use warnings;

use File::Basename qw(basename);
use FindBin;
use lib "$FindBin::RealBin/../lib";
use PrivateServer;
use EchosyncTest ();
use PostgreSQL::Test::Cluster;
use Test::More;

my $root = "$FindBin::RealBin/../..";
my $catalog = PrivateServer::read_file("$root/test/upgrade/catalog.sql");
my $current = $PrivateServer::version;
my $n_databases = 0;

my $node = PostgreSQL::Test::Cluster->new('upgrade');

$node->init(extra => [ '-E', 'UTF8', '--locale=C.UTF-8' ]);
$node->start;

# ------------------------------------------------------------------------
# The comparison
# ------------------------------------------------------------------------

# The catalog of a new database in which these statements made the extension.
sub catalog_after
{
	my (@statements) = @_;
	my $database = 'upgrade' . ++$n_databases;

	$node->safe_psql('postgres', "CREATE DATABASE $database ENCODING 'UTF8' TEMPLATE template0");
	my ($status, $out, $err) = $node->psql($database, join ";\n", 'SET client_min_messages = error', @statements);
	die "could not make the extension: $err\n" if $status != 0;
	my @lines = split /\n/, $node->safe_psql($database, $catalog);
	$node->safe_psql('postgres', "DROP DATABASE $database");
	return \@lines;
}

sub fresh { return catalog_after("CREATE EXTENSION echosync VERSION '$_[0]'") }

sub upgraded
{
	my (@versions) = @_;

	return catalog_after("CREATE EXTENSION echosync VERSION '" . shift(@versions) . "'",
		map { "ALTER EXTENSION echosync UPDATE TO '$_'" } @versions);
}

# The versions on the way, as PostgreSQL finds it; empty if there is none.
sub way
{
	my ($from, $to) = @_;

	return $node->safe_psql('postgres', "SELECT path FROM pg_extension_update_paths('echosync') WHERE source = '$from' AND target = '$to'");
}

# What is in one only: lines that begin with + are missing after the upgrade.
sub differences
{
	my ($upgraded, $fresh) = @_;
	my %upgraded = map { ($_ => 1) } @$upgraded;
	my %fresh = map { ($_ => 1) } @$fresh;

	return sort { substr($a, 1) cmp substr($b, 1) }
	  ((map { "-$_" } grep { !$fresh{$_} } @$upgraded), (map { "+$_" } grep { !$upgraded{$_} } @$fresh));
}

sub same_catalog
{
	my ($upgraded, $fresh, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	return is(join("\n", differences($upgraded, $fresh)), '', $name);
}

# ------------------------------------------------------------------------
# The versions that there are
# ------------------------------------------------------------------------

# By version, the frozen install scripts (script/freeze.sh) and the upgrade scripts.
my %frozen = map { basename($_) =~ /^echosync--(.+)\.sql$/ ? ($1 => $_) : () } glob "$root/test/upgrade/echosync--*.sql";
my @upgrades = map { basename($_) =~ /^echosync--(.+)--(.+)\.sql$/ ? { from => $1, to => $2, file => $_ } : () }
  glob "$root/src/sql/echosync--*--*.sql";

for my $version (grep { $_ ne $current } sort keys %frozen)
{
	PrivateServer::write_script($version, PrivateServer::read_file($frozen{$version}));
}

subtest "version $current" => sub {
	if ($frozen{$current})
	{
		ok(PrivateServer::script($current) eq PrivateServer::read_file($frozen{$current}), 'it is frozen, and src/sql comes to it')
		  or diag("Version $current is frozen. Raise default_version in echosync.control, and write src/sql/echosync--$current--<new>.sql.");
	}
	cmp_ok(scalar @{ fresh($current) }, '>', 500, 'its catalog has facts to compare');
	same_catalog(fresh($current), fresh($current), 'and comes to the same twice');
};

subtest 'each upgrade script comes to what a fresh install is' => sub {
	for my $upgrade (@upgrades)
	{
		my ($from, $to) = @$upgrade{qw(from to)};
		my $script = PrivateServer::read_file($upgrade->{file});

		ok(-e "$PrivateServer::extensions/" . basename($upgrade->{file}), "$from to $to is installed");
		like($script, qr/\A\\echo Use "ALTER EXTENSION echosync UPDATE TO '\Q$to\E'" to load this file\. \\quit$/m, 'it is of no use in psql');
		like($script, qr/^SELECT \@extschema\@\.echosync_wake\(\);\s*\z/m, 'at its end it wakes the workers');
		ok($frozen{$from}, "$from is frozen") or next;
		ok($frozen{$to} || $to eq $current, "$to is frozen or the current version") or next;
		same_catalog(upgraded($from, $to), fresh($to), "$from to $to");
	}
	for my $version (grep { $_ ne $current } sort keys %frozen)
	{
		ok(way($version, $current), "there is a way from $version to $current")
		  or diag("Write src/sql/echosync--$version--$current.sql.");
		same_catalog(upgraded($version, $current), fresh($current), "$version to $current") if way($version, $current);
	}
	pass('there is none yet') unless @upgrades;
};

# ------------------------------------------------------------------------
# The proof: made-up versions 90 and 91
# ------------------------------------------------------------------------

# Statements of an upgrade, and the subject of what is missing without each.
my @changes = (
	[ 'a function body', 'CREATE OR REPLACE FUNCTION @extschema@.made_up() RETURNS int LANGUAGE sql AS $$ SELECT 2 $$', qr/^.function public\.made_up/ ],
	[ 'a new function', 'CREATE FUNCTION @extschema@.made_up_too() RETURNS int LANGUAGE sql AS $$ SELECT 2 $$', qr/^\+function public\.made_up_too/ ],
	[ 'rights to a function', 'REVOKE ALL ON FUNCTION @extschema@.made_up() FROM PUBLIC', qr/rights to public\.made_up\(\): public: EXECUTE/ ],
	[ 'a column', 'ALTER TABLE @extschema@.made_up ADD COLUMN c int NOT NULL DEFAULT 7', qr/^\+column public\.made_up\.c/ ],
	[ 'a column type', 'ALTER TABLE @extschema@.made_up ALTER COLUMN b TYPE varchar(20)', qr/^.column public\.made_up\.b/ ],
	[ 'an index', 'CREATE INDEX made_up_b ON @extschema@.made_up (b)', qr/^\+index made_up_b/ ],
	[ 'a constraint', 'ALTER TABLE @extschema@.made_up ADD CONSTRAINT made_up_a CHECK (a > 0)', qr/^\+constraint made_up_a/ ],
	[ 'a policy', 'CREATE POLICY made_up_policy ON @extschema@.made_up USING (a = 1)', qr/^\+policy made_up_policy/ ],
	[ 'row security', 'ALTER TABLE @extschema@.made_up ENABLE ROW LEVEL SECURITY', qr/^.relation public\.made_up: / ],
	[ 'a grant', 'GRANT SELECT ON @extschema@.made_up TO PUBLIC', qr/^\+rights to public\.made_up: public: SELECT/ ],
	[ 'a grant on a column', 'GRANT UPDATE (a) ON @extschema@.made_up TO PUBLIC', qr/^\+rights to public\.made_up\.a: public: UPDATE/ ],
	[ 'a comment', q{COMMENT ON COLUMN @extschema@.made_up.b IS 'made up'}, qr/^\+column public\.made_up\.b: comment: made up/ ],
	[ 'what is dumped', q{SELECT pg_catalog.pg_extension_config_dump('@extschema@.made_up', 'WHERE a > 1')}, qr/^\+extension: dumps rows of made_up WHERE a > 1/ ],
	[ 'a view', 'CREATE OR REPLACE VIEW @extschema@.made_up_view AS SELECT a + 1 AS a FROM @extschema@.made_up', qr/^.view public\.made_up_view/ ],
	[ 'a trigger', 'CREATE TRIGGER made_up_trigger BEFORE UPDATE ON @extschema@.made_up FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()', qr/^\+trigger made_up_trigger/ ],
	[ 'a sequence', 'ALTER SEQUENCE @extschema@.made_up_sequence CACHE 10', qr/^.sequence public\.made_up_sequence/ ],
	[ 'that something goes', 'DROP FUNCTION @extschema@.made_up_to_go()', qr/^-function public\.made_up_to_go/ ],
);

sub write_statements
{
	my ($name, @statements) = @_;

	PrivateServer::write_script($name, join '', map { "$_;\n" } @statements);
	return;
}

subtest 'whatever an upgrade script forgets is found' => sub {
	my $old = PrivateServer::script($current) . <<'SQL';
CREATE FUNCTION @extschema@.made_up() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$;
CREATE FUNCTION @extschema@.made_up_to_go() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$;
CREATE TABLE @extschema@.made_up (a int, b text);
CREATE VIEW @extschema@.made_up_view AS SELECT a FROM @extschema@.made_up;
CREATE SEQUENCE @extschema@.made_up_sequence;
SQL
	my @all = map { $_->[1] } @changes;

	write_statements('90', $old);
	write_statements('91', $old, @all);
	my $fresh = fresh('91');

	write_statements('90--91', @all);
	same_catalog(upgraded('90', '91'), $fresh, 'a script that forgets nothing is right');
	for my $i (0 .. $#changes)
	{
		my ($what, undef, $subject) = @{ $changes[$i] };

		write_statements('90--91', @all[ grep { $_ != $i } 0 .. $#all ]);
		my @found = differences(upgraded('90', '91'), $fresh);

		ok((grep { $_ =~ $subject } @found), "one that forgets $what is found") or diag(join "\n", @found);
	}
	write_statements('90--91', grep({ !/ADD COLUMN c/ } @all), 'ALTER TABLE @extschema@.made_up DROP COLUMN b, ADD COLUMN c int NOT NULL DEFAULT 7, ADD COLUMN b varchar(20)');
	ok((grep { /^\+column public\.made_up\.b: 2\./ } differences(upgraded('90', '91'), $fresh)), 'so is another order of columns');

	write_statements('91--92');
	PrivateServer::write_script('92', PrivateServer::script('91'));
	write_statements('90--91', @all);
	same_catalog(upgraded('90', '92'), fresh('92'), 'a way of two steps is taken');
	is(way('90', '92'), '90--91--92', 'as PostgreSQL finds it');
};

$node->stop('fast');
done_testing();
