# Makes filled-by-1.0.sql: a database that version 1.0.0 has filled, with leads
# of each type of id and of user, linked, changed, waiting and out of tries.
#
# Not a test, and not run by any: version 1.0.0 has to do this.  In a checkout of
# it, with this file as test/t/099_fill.pl:
#
#   FILLED=/where/postgres/may/write.sql TESTS=099 script/check.sh tap
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use JSON::PP ();
use Test::More;

my $JSON = JSON::PP->new->canonical->allow_nonref;
my $t = EchosyncFaults->start(bare => 1, conf => "echosync.pause_after_failures = 1000\n");

# Type, and ids of leads that are linked; linked, and changed afterwards; not
# sent yet; out of tries.
my @IDS = (
	[ 'uuid', map { "5d0c0000-0000-4000-8000-00000000bee$_" } 1 .. 4 ],
	[ 'text', '0070', ' with blanks ', 'Ünï', 'text-4' ],
	[ 'varchar(20)', map { "v-$_" } 1 .. 4 ],
	[ 'char(8)', 'ab', 'full-len', 'c', 'd d' ],
	[ 'char(1)', 'a', 'b', 'c', 'd' ],
	[ 'a_code', 'xyz', 'uvwxyz', 'x', 'y' ],
	[ 'citext', 'Lead-A', 'lead-b', 'LEAD-C', 'Lead-d' ],
	[ 'text COLLATE any_case', 'Other', 'another', 'THIRD', 'Fourth' ],
	[ 'int', 42, 43, -44, 45 ],
	[ 'bigint', map { "9007199254740993$_" } 1 .. 4 ],
	[ 'smallint', 7, 8, 9, 10 ],
	[ 'a_number', 11, 12, 13, 14 ],
	[ 'numeric', '1.50', '2.500', '3', '4.0' ],
	[ 'numeric(10,2)', 77, 78, '79.5', '80.25' ],
	[ 'float8', '1e15', '0.1', '1e300', '-0.5' ],
	[ 'real', '0.5', '1e10', '0.1', '3' ],
	[ 'inet', '10.0.0.1', '10.0.0.2', '10.0.0.3', '10.1.0.0/16' ],
	[ 'cidr', '10.1/16', '10.2/16', '10.3.0.1', '10.4/16' ],
	[ 'macaddr', map { "08-00-2b-01-02-0$_" } 1 .. 4 ],
	[ 'bit(8)', '10101010', '10101011', '10101110', '10111010' ],
	[ 'varbit', '101', '1010', '10100', '1' ],
	[ 'boolean', 'true', undef, 'false', undef ],
	[ 'bytea', '\x0102', '\x0103', '\x0104', '\x' ],
	[ 'date', '2026-01-02', '2026-01-03', '2026-01-04', '2026-01-05' ],
	[ 'timestamp', map { "2026-05-06 03:04:05.$_" } 1 .. 4 ],
	[ 'timestamptz', map { "2026-05-06 03:04:0$_+02" } 1 .. 4 ],
	[ 'interval', '1 day', '24:00:01', '1 mon', '3 years' ],
	[ 'money', '1.50', '2', '3', '4' ],
	[ 'a_colour', 'green', 'red', 'blue', 'a b' ],
	[ 'a_pair', '(1,a)', '(2,"b c")', '(3,)', '(4,d)' ],
	[ 'jsonb', map { qq({"a": $_}) } 1 .. 4 ],
	[ 'xml', map { "<a>$_</a>" } 1 .. 4 ],
	[ 'point', map { "(1,$_)" } 1 .. 4 ],
	[ 'int[]', undef, undef, '{3}', undef ]);      # 1.0 could not read these: they waited

# Type of the user's column, the row's user, and as whom the user is connected.
my @USERS = (
	[ 'uuid', 'f00d0000-0000-4000-8000-00000000cafe', 'f00d0000-0000-4000-8000-00000000cafe' ],
	[ 'uuid', 'f00d0000-0000-4000-8000-00000000beef', 'F00D0000-0000-4000-8000-00000000BEEF' ],
	[ 'varchar(20)', 'varied', 'varied' ],
	[ 'char(8)', 'full-use', 'full-use' ],
	[ 'char(20)', 'padded', 'padded' ],
	[ 'citext', 'Carla', 'Carla' ],
	[ 'citext', 'Nora', 'NORA' ],
	[ 'numeric(10,2)', '7', '7.00' ],
	[ 'numeric(10,2)', '8', '8' ],
	[ 'float8', '1e16', '1e+16' ],
	[ 'int', '1009', '1009' ],
	[ 'inet', '10.9.8.7', '10.9.8.7' ],
	[ 'boolean', 'true', 't' ],
	[ 'a_colour', 'red', 'red' ]);

my @PARTS = qw(Linked Changed Waiting Dead);

sub app { return $t->sql_as(undef, $_[0]) }

sub insert
{
	my ($table, $user, $id, $name, %more) = @_;
	my %all = (id => $id, user_id => $user, first_name => $name, phone => $t->new_phone, %more);
	my @names = sort keys %all;

	app(sprintf 'INSERT INTO %s (%s) VALUES (%s)', $table, join(', ', @names), join(', ', map { lit($all{$_}) } @names));
	return $all{phone};
}

sub webhook
{
	my ($user, @leads) = @_;

	return $t->sql_as(undef, "BEGIN; SELECT set_config('request.headers', '{\"x-webhook-secret\": \"webhook-secret-1\"}', true) \\gset\n"
		  . 'SELECT echosync_webhook_lead_created(' . lit($JSON->encode({ user_id => $user->{id}, leads => \@leads })) . "::jsonb);\nCOMMIT");
}

sub new_user
{
	my ($id) = @_;
	my $user = $t->user;

	$user->{id} = $id if defined $id;
	$user->{lofty} = $t->connect_lofty($user);
	push @{ $t->{filled} }, $user;
	return $user;
}

sub table
{
	my ($name, $id, $user_id, $more) = @_;

	app("CREATE TABLE $name (id $id, user_id $user_id, phone text, first_name text, last_name text DEFAULT 'Holt',"
		  . ' risk_score int DEFAULT 5, dnc boolean DEFAULT false' . ($more || '') . "; SELECT echosync_attach_leads('$name')");
	return $name;
}

$t->sql(q{CREATE ROLE app LOGIN;
	GRANT CREATE ON SCHEMA public TO app;
	CREATE EXTENSION echosync;
	SELECT echosync_grant('app');
	CREATE EXTENSION citext;
	CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
	CREATE DOMAIN a_number AS int CHECK (VALUE > 0);
	CREATE DOMAIN a_code AS char(6);
	CREATE TYPE a_colour AS ENUM ('red', 'green', 'blue', 'a b');
	CREATE TYPE a_pair AS (no int, part text)});

my ($ann, $bob) = map { new_user() } 1 .. 2;
my @leads;

for my $i (0 .. $#IDS)
{
	my ($type, @ids) = @{ $IDS[$i] };
	my $table = table("by_id_$i", $type, 'text', ', PRIMARY KEY ' . ($type =~ /^(xml|point)$/ ? '(phone)' : '(id)') . ')');

	push @leads, map { defined $ids[$_] ? [ $table, $ann, $ann->{id}, $ids[$_], $PARTS[$_] ] : () } 0 .. 3;
}
for my $i (0 .. $#USERS)
{
	my ($type, $in_row, $acting) = @{ $USERS[$i] };
	my $table = table("by_user_$i", 'int', $type, ', PRIMARY KEY (id))');
	my $user = new_user($acting);

	push @leads, map { [ $table, $user, $in_row, $_ + 1, $PARTS[$_] ] } 0 .. 3;
}
table('composite', 'int', 'text', ', PRIMARY KEY (user_id, id))');
table('partitioned', 'int', 'text', ', PRIMARY KEY (user_id, id)) PARTITION BY HASH (user_id);'
	  . 'CREATE TABLE partitioned_0 PARTITION OF partitioned FOR VALUES WITH (MODULUS 2, REMAINDER 0);'
	  . 'CREATE TABLE partitioned_1 PARTITION OF partitioned FOR VALUES WITH (MODULUS 2, REMAINDER 1)');
for my $table (qw(composite partitioned))
{
	for my $user ($ann, $bob)
	{
		push @leads, map { [ $table, $user, $user->{id}, $_ + 1, $PARTS[$_] ] } 0 .. 3;
	}
}

sub insert_part
{
	my ($part, $of) = @_;

	insert(@$_[ 0, 2, 3, 4 ]) for grep { $_->[4] eq $part && $_->[1] == $of } @leads;
	return;
}

$t->behaviour('filled', sub {
	$t->fault('lofty', { method => 'POST', body_contains => 'Dead' }, { type => 'status', status => 400, body => {} }, times => -1);
	for my $user (@{ $t->{filled} })
	{
		insert_part($_, $user) for qw(Dead Linked Changed);
		$t->drain($user);
		# Some came only by this way.
		$t->sql_as($user, "SELECT echosync_manual_sync('$user->{lofty}')");
		$t->drain($user);
	}
	# Two that a webhook brings: one that no table has, and one in capitals that a table has.
	my $linked = $t->sql("SELECT phone FROM by_id_0 WHERE first_name = 'Linked'");
	webhook($ann, { id => 'w-1', phone => $t->new_phone, first_name => 'Webhook', last_name => 'Linked', risk_score => 1 },
		{ id => uc $IDS[0][1], phone => $linked, first_name => 'Linked', last_name => 'Holt', risk_score => 1 });
	$t->drain($ann);

	# A create of which nobody knows what became.
	$t->configure('echosync.uncertain_wait' => '20s');
	$t->fault('lofty', { method => 'POST', body_contains => 'Doubtful' }, { type => 'ok_without_id' });
	insert('by_id_0', $ann->{id}, '5d0c0000-0000-4000-8000-00000000bee5', 'Doubtful');
	$t->wait_until('one is in doubt', sub { my $attempt = $t->attempt($ann, 'lofty', '5d0c0000-0000-4000-8000-00000000bee5'); $attempt && $attempt->{error_code} });

	for my $user (@{ $t->{filled} })
	{
		$t->sql_as($user, "SELECT echosync_pause('$user->{lofty}')");
		insert_part('Waiting', $user);
		app("UPDATE $_->[0] SET last_name = 'Birch' WHERE first_name = 'Changed' AND user_id = " . lit($_->[2])) for grep { $_->[1] == $user && $_->[4] eq 'Changed' } @leads;
	}
	# Manual sync and a webhook ask for what waits already, in their own spellings.
	$t->sql_as($ann, "SELECT echosync_manual_sync('$ann->{lofty}', "
		  . lit([ map { $_->[0] =~ /by_id_(\d+)/ ? $t->sql("SELECT id::text FROM $_->[0] WHERE first_name = 'Waiting'") : () } grep { $_->[4] eq 'Waiting' } @leads ]) . ')');
	insert('by_id_0', $ann->{id}, '5d0c0000-0000-4000-8000-00000000bee6', 'Refused', dnc => 'true');
	webhook($ann, { id => uc '5d0c0000-0000-4000-8000-00000000bee6', phone => $t->sql("SELECT phone FROM by_id_0 WHERE first_name = 'Refused'"), first_name => 'Refused', risk_score => 1 },
		{ id => uc $IDS[0][3], phone => $t->sql("SELECT phone FROM by_id_0 WHERE first_name = 'Waiting'"), first_name => 'Waiting', risk_score => 1 },
		{ id => $IDS[1][3], phone => $t->sql("SELECT phone FROM by_id_1 WHERE first_name = 'Waiting'"), first_name => 'Waiting', risk_score => 1 },
		{ id => 'w-1', phone => $t->new_phone, first_name => 'Webhook', last_name => 'Changed', risk_score => 1 },
		{ id => 'w-2', phone => $t->new_phone, first_name => 'Webhook', last_name => 'Waiting', risk_score => 1 });
	is($t->sql_as($ann, "SELECT echosync_retry_failed('$ann->{lofty}', ARRAY['$IDS[0][4]'])"), '1', 'one is to be retried');

	# What the CRM has, for a test to put into another.
	$t->sql('CREATE TABLE in_the_crm (account text, record jsonb)');
	for my $record (@{ $t->control('GET', '/records?crm=lofty') })
	{
		my %kept = map { $_ => $record->{$_} } qw(leadId firstName lastName phones emails tags);

		$t->sql('INSERT INTO in_the_crm VALUES (' . lit($record->{account}) . ', ' . lit($JSON->encode(\%kept)) . ')');
	}
	dump_to($ENV{FILLED});
	diag($t->sql("SELECT source_id, string_agg(lead_id || '=' || coalesce(matched_by, ''), ' ') FROM crm_lead_links GROUP BY 1 ORDER BY 1"));
	diag($t->sql("SELECT source_id, string_agg(lead_id || '=' || sync_type, ' ') FROM crm_sync_queue GROUP BY 1 ORDER BY 1"));
	diag($t->sql("SELECT source_id, string_agg(lead_id || '=' || error_code, ' ') FROM crm_dead_letters GROUP BY 1 ORDER BY 1"));
});

# As pg_dump has it, but for the lines that say nothing, the version, and what
# is of this server alone.  All of it happened on one day.
sub dump_to
{
	my ($file) = @_;
	local $ENV{PGTZ} = 'UTC';
	my ($out, $skip) = ('', 0);

	$t->node->stop('fast');
	$t->node->append_conf('postgresql.conf', "shared_preload_libraries = ''");
	$t->node->start;
	my ($dump) = PostgreSQL::Test::Utils::run_command([ 'pg_dump', '-d', $t->node->connstr('postgres') ]);
	my @lines = split /\n/, $dump;
	my $today = $t->sql("SELECT (now() AT TIME ZONE 'UTC')::date");

	for my $line (@lines)
	{
		$skip = 1 if $line =~ /^COPY public\.crm_(instance|sync_claims|oauth_states) /;
		if (!$skip && $line !~ /^(\\(un)?restrict .*|--.*|SET .*|SELECT pg_catalog\.set_config.*|COMMENT ON EXTENSION.*|\s*)$/)
		{
			$line =~ s/\Q$today\E (\d\d:)/2026-01-02 $1/g;
			$line =~ s/(CREATE EXTENSION IF NOT EXISTS echosync WITH SCHEMA public)/$1 VERSION '1.0.0'/;
			$out .= "$line\n";
		}
		$skip = 0 if $line eq '\.';
	}
	open my $to, '>', $file or die "could not write $file: $!";
	print $to "-- A database as version 1.0.0 has left it; made by fill-1.0.pl.\n$out";
	close $to;
	return;
}

done_testing();
