# A database that version 1.0.0 has filled goes on after ALTER EXTENSION: leads
# of each type of id and of user that were linked, changed, waiting or out of
# tries, as 1.0.0 itself has written them (test/upgrade/fill-1.0.pl).
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use PrivateServer;
use EchosyncFaults;
use JSON::PP ();
use Test::More;

my $root = "$FindBin::RealBin/../..";
my $JSON = JSON::PP->new;
my $t = EchosyncFaults->start(bare => 1, conf => "echosync.log_retention = 0\nechosync.uncertain_wait = '300ms'\n");
my (%users, @leads, $n_logs);

$t->{n_leads} = 1000;            # new phones are not those of the leads that are there

# The accounts that 1.0.0's connections belong to, with what was in them.
sub fill
{
	PrivateServer::write_script('1.0.0', PrivateServer::read_file("$root/test/upgrade/echosync--1.0.0.sql"));
	$t->sql('CREATE ROLE app LOGIN');
	PostgreSQL::Test::Utils::run_log([ 'psql', '-q', '-X', '-v', 'ON_ERROR_STOP=1', '-d', $t->node->connstr('postgres'),
		'-f', "$root/test/upgrade/filled-by-1.0.sql" ]) or die 'could not load what 1.0.0 has filled';
	my @connections = sort { $a->{n} <=> $b->{n} } map { { %$_, n => $_->{crm_account} =~ m{/2000*(\d+)$} } } $t->rows('SELECT id, user_id, crm_account FROM crm_integrations');

	for my $connection (@connections)
	{
		my $user = $t->user;

		$user->{id} = $connection->{user_id};
		$user->{lofty} = $connection->{id};
		$users{ $connection->{user_id} } = $user;
		$t->seed($user, 'lofty', %{ $JSON->decode($_->{record}) })
		  for $t->rows("SELECT record::text FROM in_the_crm WHERE account = '$user->{accounts}{lofty}' ORDER BY (record->>'leadId')::bigint");
	}
	return;
}

# Every row of the application's tables, with the user and the text of its id.
sub rows_of_tables
{
	my @tables = $t->rows('SELECT s.relation::text AS name FROM crm_lead_sources s ORDER BY s.id');

	for my $table (map { $_->{name} } @tables)
	{
		my $type = $t->sql("SELECT format_type(a.atttypid, NULL) FROM pg_attribute a WHERE attrelid = '$table'::regclass AND attname = 'id'");
		my $text = $type =~ /^(character|a_code)$/ ? 'id::text' : 'concat(id)';

		push @leads, map { { %$_, table => $table, user => user_of($_->{user_id}) } } $t->rows("SELECT $text AS id, concat(user_id) AS user_id, phone, first_name, last_name FROM $table");
	}
	return;
}

# By the text, else by what is the same user in another spelling.
sub user_of
{
	my ($id) = @_;
	my %spelled = (Nora => 'NORA', 'f00d0000-0000-4000-8000-00000000beef' => 'F00D0000-0000-4000-8000-00000000BEEF', '8.00' => '8');

	$id =~ s/ +$//;
	return $users{$id} || $users{ $spelled{$id} // '' } || die "nobody is $id";
}

sub there
{
	my ($lead) = @_;

	return grep { grep { $_ eq $lead->{phone} } @{ $_->{phones} } } $t->records($lead->{user}, 'lofty');
}

sub drain_all { $t->drain($_) for map { $users{$_} } sort keys %users }
sub called { return "$_[0]{table} $_[0]{id} ($_[0]{first_name})" }

$t->behaviour('what 1.0.0 has left goes on in 1.1', sub {
	fill();
	rows_of_tables();
	$n_logs = $t->sql('SELECT count(*) FROM crm_sync_logs');
	my %waits = map { ("$_->{integration_id} $_->{lead_id}" => 1) } $t->rows('SELECT integration_id, lead_id FROM crm_sync_queue');

	$t->sql('ALTER EXTENSION echosync UPDATE');
	is($t->sql("SELECT extversion FROM pg_extension WHERE extname = 'echosync'"), $PrivateServer::version, 'updated');
	$t->sql('SELECT echosync_adopt()');
	$t->sql_as($users{$_}, "SELECT echosync_resume('$users{$_}{lofty}')") for sort keys %users;
	drain_all();
	is($t->sql("SELECT count(*) FROM crm_sync_logs WHERE logged_at < '2026-01-03'"), $n_logs, 'the log has all that it had');
	for my $lead (@leads)
	{
		my @there = there($lead);

		cmp_ok(scalar @there, '<=', 1, called($lead) . ' is not there twice');
		is("@{[ map { $_->{lastName} } @there ]}", $lead->{last_name}, 'and is as it is in its table') if $lead->{first_name} =~ /^(Linked|Changed|Waiting)$/ && $waits{"$lead->{user}{lofty} $lead->{id}"};
		is(scalar @there, 0, 'and was refused') if $lead->{first_name} eq 'Refused';
	}
	is($t->sql_as($_, "SELECT echosync_retry_failed('$_->{lofty}')") > 0, 1, "$_->{id}: dead letters are retried") for grep { $t->sql("SELECT count(*) FROM crm_dead_letters WHERE integration_id = '$_->{lofty}'") } map { $users{$_} } sort keys %users;
	drain_all();
	is($t->sql('SELECT count(*) FROM crm_dead_letters'), '0', 'none is left');

	# Nothing that was linked is unknown now.
	$t->sql_as($_, "SELECT echosync_manual_sync('$_->{lofty}')") for map { $users{$_} } sort keys %users;
	drain_all();
	for my $lead (grep { $_->{first_name} ne 'Refused' } @leads)
	{
		my @there = there($lead);

		is(scalar @there, 1, called($lead) . ' is there once');
		my $link = $t->sql("SELECT string_agg(DISTINCT l.crm_record_id, ' ') FROM crm_lead_links l JOIN crm_lead_sources s ON s.id = l.source_id"
			  . " WHERE s.relation = '$lead->{table}'::regclass AND l.integration_id = '$lead->{user}{lofty}' AND l.lead_id = " . lit($lead->{id}));
		is($link, $there[0]{leadId}, 'linked by the text that its table has');
	}
});

$t->behaviour('opt-outs find the records that 1.0.0 has made', sub {
	$t->sql(join ';', map { "UPDATE $_ SET dnc = true" } $t->sql('SELECT string_agg(relation::text, \' \') FROM crm_lead_sources') =~ /\S+/g);
	drain_all();
	for my $lead (grep { $_->{first_name} ne 'Refused' } @leads)
	{
		my ($record) = there($lead);

		is(join(' ', map { $record->{$_} ? 1 : 0 } qw(cannotCall cannotText cannotEmail)), '1 1 1', called($lead));
	}
});

# A date as a timestamp has another text.
$t->behaviour('the type of the id of a table that 1.0.0 had attached is changed after the update', sub {
	my ($lead) = grep { $_->{id} eq '2026-01-03' } @leads;
	my ($record) = there($lead);
	my $phone = $t->new_phone;
	my $mark = $t->mark;

	$t->sql("ALTER TABLE $lead->{table} ALTER id TYPE timestamp USING id::timestamp; UPDATE $lead->{table} SET phone = '$phone', dnc = false WHERE phone = '$lead->{phone}'");
	drain_all();
	is(join(', ', map { "$_->{method} $_->{path}" } $t->writes($lead->{user}, 'lofty', since => $mark)), "PUT /v1.0/leads/$record->{leadId}", 'a lead goes on with its record');
	is($t->sql("SELECT lead_id FROM crm_lead_links WHERE crm_record_id = '$record->{leadId}'"), '2026-01-03 00:00:00', 'under the text that it has now');
});

$t->done;
