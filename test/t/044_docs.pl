# What the documentation tells people to type: every SQL statement, setting and
# command of README.md, CONTRIBUTING.md and doc/*.md is run, and what they name
# is there.  A new block with a $1 that is not listed below fails.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Cwd qw(abs_path);
use EchosyncFaults;
use Test::More;

my $ROOT = abs_path("$FindBin::RealBin/../..");
my @FILES = map { s{^\Q$ROOT\E/}{}r } ("$ROOT/README.md", "$ROOT/CONTRIBUTING.md", sort glob "$ROOT/doc/*.md");
my $t = EchosyncFaults->start;

sub text_of { return PostgreSQL::Test::Utils::slurp_file("$ROOT/$_[0]") }

# The fenced blocks of one language, each {file, line, text}.
sub blocks
{
	my ($language, @files) = @_;
	my @blocks;

	for my $file (@files)
	{
		my $text = text_of($file);
		while ($text =~ /^```$language\n(.*?)^```$/msg)
		{
			push @blocks, { file => $file, line => 1 + (substr($text, 0, $-[0]) =~ tr/\n//), text => $1 };
		}
	}
	return @blocks;
}

my $user = $t->user(lofty => 1, fub => 1);
my $sealed = 'sealed by the earlier application';

# What a block's $1, $2, ... stand for, by what the block holds.
my @BINDINGS = (
	[ qr/set_config\('request\.headers'/ => 'webhook-secret-1' ],
	[ qr/INSERT INTO leads/ => undef ],    # README: each statement has its own, below
	[ qr/set_config\('echosync\.user_id'/ => $user->{id} ],
	[ qr/echosync_connect\(\$1, \$2, \$3\)/ => 'lofty', $user->{keys}{lofty}, '{}' ],
	[ qr/echosync_connect\(\$1, \$2\)/ => 'lofty', $user->{keys}{lofty} ],
	[ qr/echosync_oauth_callback/ => 'code', 'state', 'approved' ],
	[ qr/echosync_import_integration/ => 'u-imported', $sealed ]);

# Statements that say themselves that this cannot be: with made-up values.
my %EXPECTED = (
	'echosync_oauth_callback($1, $2, $3)' => qr/PT404/,
	'echosync_import_integration' => qr/22023/);

sub bind_values
{
	my ($sql) = @_;

	return $sql unless $sql =~ /\$\d/;
	for my $binding (@BINDINGS)
	{
		my ($holds, @values) = @$binding;
		next unless $sql =~ $holds && defined $values[0];
		$sql =~ s/\$(\d)/lit($values[$1 - 1])/ge;
		return $sql;
	}
	die "nothing is known to bind in: $sql\n";
}

my $BY_SUPERUSER = qr/CREATE EXTENSION|ALTER SYSTEM|ALTER ROLE|ALTER EXTENSION|GRANT SET|echosync_grant|rotate_credentials|accept_key|import_integration|crm_instance|echosync_adopt|echosync_doctor|echosync_workers|echosync_metrics|pg_stat_activity|crm_sync_queue\b|echosync\.capture/;

sub run_block
{
	my ($block) = @_;
	my $sql = bind_values($block->{text});
	my $name = "$block->{file}:$block->{line}";
	my $error = $sql =~ $BY_SUPERUSER ? $t->error($sql) : $t->error_as($user, $sql);
	my ($wanted) = map { $EXPECTED{$_} } grep { index($block->{text}, $_) >= 0 } keys %EXPECTED;

	return like($error->{state}, $wanted, "$name: refused as it should be with made-up values") if $wanted;
	return is($error->{state}, '', "$name runs") || diag $error->{text}, $sql;
}

$t->behaviour('README from the first line to the last', sub {
	my $dir = PostgreSQL::Test::Utils::tempdir();

	$t->sql('CREATE DATABASE readme');
	my $fresh = $t->in_database('readme');
	my ($env) = grep { $_->{text} =~ /echosync\.env/ } blocks('sh', 'README.md');
	my $me = getpwuid($<);
	my $script = $env->{text} =~ s{/etc/echosync}{$dir/etc}gr =~ s/-o postgres -g postgres/-o $me/r;
	my $said = '';
	IPC::Run::run([ 'bash', '-e', '-c', "sudo() { \"\$\@\"; }\n$script" ], '>', \$said, '2>&1');
	is($?, 0, 'the env file is made') or diag $said;
	is(sprintf('%o', (stat "$dir/etc/echosync.env")[2] & 07777), '600', 'private');
	$t->configure('echosync.env_file' => "$dir/etc/echosync.env");
	is($t->sql(q{SELECT string_agg(detail, ' ') FROM echosync_doctor() WHERE check_name = 'secrets' AND NOT ok}), '', 'and the server takes it');
	$t->deconfigure('echosync.env_file');
	$t->reload;

	# The rest in a database of its own, as the README's reader has it.
	my ($install, @rest) = blocks('sql', 'README.md');
	like($install->{text}, qr/^CREATE EXTENSION echosync;/, 'the first statement');
	is($fresh->error($install->{text})->{state}, '', 'runs');
	$fresh->sql(<<'SQL');
CREATE TABLE leads (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id text, first_name text, phone text, email text,
                    compliance_points numeric);
ALTER TABLE leads OWNER TO app;
SQL
	for my $block (@rest)
	{
		my $sql = $block->{text};
		$sql =~ s/set_config\('echosync.user_id', \$1/set_config('echosync.user_id', 'u-1'/;
		$sql =~ s/VALUES \(\$1, \$2, \$3, \$4, \$5\)/VALUES ('u-1', 'Ann', '801 555 0123', 'ann\@example.com', 3)/;
		$sql =~ s/= \$1;/= 'lofty';/;
		unlike($sql, qr/\$\d/, "line $block->{line}: all is bound");
		my $error = $sql =~ /ALTER SYSTEM/ ? $fresh->error($sql) : $fresh->error_as('u-1', $sql);
		is($error->{state}, '', "line $block->{line} runs") or diag $error->{text};
		if ($sql =~ /attach_leads/)
		{
			my @calls = map { $_->{text} =~ /client\.query\((?:"([^"]*)"|'([^']*)')(?:, \[(.*?)\])?\)/g } blocks('js', 'README.md');
			while (my ($double, $single, $values) = splice @calls, 0, 3)
			{
				next if ($double // $single) !~ /echosync_connect/;
				like($values, qr/^'lofty', apiKey$/, 'the JavaScript connects to Lofty by key');
			}
			$fresh->sql_as('u-1', "SELECT echosync_connect('lofty', " . lit($user->{keys}{lofty}) . ')');
		}
	}
	$t->wait_until('the lead of the README is in the CRM', sub { grep { $_->{firstName} eq 'Ann' } $t->records($user, 'lofty') });
	$t->sql('ALTER SYSTEM RESET echosync.trusted_sessions');
	$t->reload;
	$t->sql('DROP DATABASE readme');
});

$t->behaviour('every SQL block of the other pages runs', sub {
	$t->sql('ALTER TABLE leads ADD compliance_points numeric, ADD dnc_status text; CREATE ROLE authenticated');
	$t->lead($user, first_name => 'Dana');
	$t->drain($user);
	run_block($_) for blocks('sql', grep { $_ ne 'README.md' } @FILES);
	$t->write_env_file;
	$t->reload;
});

$t->behaviour('settings: all are documented, and what is documented is there', sub {
	my %there = map { $_ => 1 } split /\n/, $t->sql("SELECT name FROM pg_settings WHERE name LIKE 'echosync.%'");
	my $reference = text_of('doc/reference.md');

	for my $file (@FILES)
	{
		my %named = map { $_ => 1 } text_of($file) =~ /\b(echosync\.[a-z]+(?:_[a-z]+)*)\b(?![.(*<])/g;
		delete @named{ grep { /\.(env|so|control|c|h|sql|node)$/ } keys %named };
		is_deeply([ grep { !$there{$_} } sort keys %named ], [], "$file names no setting that is not there");
	}
	is_deeply([ grep { $reference !~ /`\Q$_\E`/ } sort keys %there ], [], 'the reference has them all');
	my ($ini) = blocks('ini', 'README.md');
	my @lines = $ini->{text} =~ /^(\S+) = ('[^']*'|\S+)/mg;
	while (my ($name, $value) = splice @lines, 0, 2)
	{
		is($t->sql('SELECT count(*) FROM pg_settings WHERE name = ' . lit($name)), '1', "postgresql.conf: $name");
	}
});

$t->behaviour('functions and views: all are in the reference', sub {
	my $reference = text_of('doc/reference.md');
	my @objects = split /\n/, $t->sql(<<'SQL');
SELECT DISTINCT coalesce(p.proname, c.relname)
  FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'echosync'
  LEFT JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
  LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid AND c.relkind IN ('r', 'v')
 WHERE d.deptype = 'e' AND coalesce(p.proname, c.relname) IS NOT NULL
SQL
	is_deeply([ grep { $reference !~ /\b\Q$_\E\b/ } sort @objects ], [], 'each is named');
});

$t->behaviour('the catalog page says what COMMENT ON says (else run script/catalog.sh)', sub {
	my $made = $t->sql(text_of('script/catalog.sql'));

	is($made, text_of('doc/catalog.md') =~ s/\n\z//r, 'doc/catalog.md');
	is($t->sql(<<'SQL'), '', 'and every function, table, view and type has a comment');
SELECT string_agg(pg_describe_object(d.classid, d.objid, 0), ', ')
  FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid AND e.extname = 'echosync'
 WHERE d.deptype = 'e' AND obj_description(d.objid, d.classid::regclass::text) IS NULL
   AND d.classid IN ('pg_class'::regclass, 'pg_proc'::regclass)
   AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = d.objid AND c.relkind IN ('S', 'i'))
SQL
});

$t->behaviour('tests that the page on security names are there, by the names that it gives', sub {
	my $page = text_of('doc/security.md') =~ s/.*^## What proves it$//msr;
	my ($n, @missing) = (0);

	for my $row ($page =~ /^\| .* \| (.*) \|$/mg)
	{
		for my $proof (split /; (?=`)/, $row)
		{
			my ($file) = $proof =~ m{`((?:test|sql)/[\w./]+)`} or next;
			my $text = -e "$ROOT/$file" ? text_of($file) : '';

			push @missing, grep { $n++; index($text, $_) < 0 } $proof =~ /"([^"]+)"/g;
			push @missing, map { "$file: no such file" } grep { !-e "$ROOT/$_" } $proof =~ m{`((?:test|sql)/[\w./]+)`}g;
		}
	}
	cmp_ok($n, '>', 40, 'it names many');
	is(join("\n", @missing), '', 'and no other');
});

$t->behaviour('links and commands lead somewhere', sub {
	for my $file (@FILES)
	{
		my $base = $file =~ m{^(.*/)} ? "$ROOT/$1" : "$ROOT/";
		my @dead = grep { !-e "$base$_" } map { s/#.*//r } grep { !/^(https?:|#|mailto:)/ } text_of($file) =~ /\]\(([^)\s]+)\)/g;
		is_deeply(\@dead, [], "$file: links");
		my @missing = grep { !-x "$ROOT/$_" } map { $_->{text} =~ m{\b((?:script|test)/[\w/]+\.sh)\b}g } blocks('sh', $file);
		is_deeply(\@missing, [], "$file: scripts");
		my %targets = map { $_ => 1 } map { $_->{text} =~ /^\s*(?:sudo )?make (?!install)([a-z][a-z-]*)/mg } blocks('sh', $file);
		is_deeply([ grep { text_of('Makefile') !~ /^\Q$_\E\b.*:/m } sort keys %targets ], [], "$file: targets of make");
	}
});

$t->done;
