# Rows that cannot be read, that are far too large or make no sense, and a
# worker that is short of memory: the rest is sent, and nothing is lost.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use IPC::Run;
use Test::More;
use Time::HiRes qw(time);

my $t = EchosyncFaults->start(conf => <<'CONF');
echosync.uncertain_wait = '300ms'
CONF

my %LABEL = (lofty => 'Lofty', fub => 'Follow Up Boss');

# ------------------------------------------------------------------------
# Rows
# ------------------------------------------------------------------------

# A type that can be made to refuse its value to whoever reads it as JSON.
sub attach_fragile_table
{
	$t->sql(<<'SQL');
CREATE TYPE fragile AS ENUM ('fine', 'broken');
CREATE FUNCTION fragile_json(fragile) RETURNS json IMMUTABLE LANGUAGE plpgsql AS
  $$ BEGIN IF $1 = 'broken' THEN RAISE 'broken'; END IF; RETURN to_json($1::text); END $$;
CREATE CAST (fragile AS json) WITH FUNCTION fragile_json(fragile);
CREATE TABLE fragile_leads (id bigint PRIMARY KEY, user_id text, phone text, first_name text, city fragile, risk_score int);
ALTER TABLE fragile_leads OWNER TO app;
SQL
	$t->sql_as(undef, "SELECT echosync_attach_leads('fragile_leads')");
	return;
}

sub fragile_row
{
	my ($id, $user, $city) = @_;

	return "($id, '$user->{id}', '" . $t->new_phone . "', 'Row $id', '$city', 1)";
}

$t->behaviour('a row whose reading raises an error is a dead letter in the end; those read with it are sent at once', sub {
	my $user = $t->user(lofty => 1, fub => 1);
	my $other = $t->user(lofty => 1);

	attach_fragile_table();
	$t->sql_as(undef, 'INSERT INTO fragile_leads VALUES ' . join ', ',
		map { fragile_row($_, $_ % 4 ? $user : $other, $_ == 3 || $_ == 7 ? 'broken' : 'fine') } 1 .. 12);
	$t->wait_until('the others are sent', sub { $t->n_records($user, 'lofty') == 7 && $t->n_records($user, 'fub') == 7 }, 8);
	$t->drain($_) for $user, $other;
	is($t->n_records($other, 'lofty'), 3, "another tenant's, of the same table");
	for my $crm (qw(lofty fub))
	{
		my @dead = $t->dead_letters($user, $crm);

		is_deeply([ sort map { $_->{lead_id} } @dead ], [ 3, 7 ], "$LABEL{$crm}: the two are dead letters");
		is($dead[0]{error_code}, 'lead_unreadable', 'and say why');
		like($dead[0]{error_message}, qr/could not be read from its table \(SQLSTATE P0001\)/, 'with the code of the error');
		is_deeply([ map { "$_->{status} $_->{attempt}" } $t->logs($user, crm => $crm, lead => 3) ], [ map { "failed $_" } 1 .. 4 ], 'each try is in the log');
		is($t->status_of($user, $crm), 'active', 'the connection is not to blame');
	}
	$t->sql_as(undef, "UPDATE fragile_leads SET city = 'fine' WHERE city = 'broken'");
	$t->drain($user);
	is($t->n_records($user, $_), 9, "$LABEL{$_}: put right, they are sent") for qw(lofty fub);
	is(scalar $t->dead_letters($user, $_), 0, 'and no dead letters any more') for qw(lofty fub);
});

$t->behaviour('a table that is not as it was attached holds up its own leads only, and goes on when it is put right', sub {
	my $user = $t->user(lofty => 1);

	$t->sql('ALTER TABLE fragile_leads RENAME COLUMN city TO town');
	$t->sql_as($user, "SELECT echosync_pause('$user->{lofty}')");
	$t->sql("SET session_replication_role = replica; INSERT INTO fragile_leads VALUES " . fragile_row(100, $user, 'fine'));
	$t->sql("INSERT INTO crm_sync_queue (integration_id, lead_id, user_id, source_id, sync_type)"
		  . " SELECT '$user->{lofty}', '100', '$user->{id}', id, 'auto' FROM crm_lead_sources WHERE relation = 'fragile_leads'::regclass");
	$t->sql_as($user, "SELECT echosync_resume('$user->{lofty}')");
	$t->wait_until('the worker has met it', sub { $t->sql('SELECT last_error FROM echosync_workers') =~ /reading leads: SQLSTATE 42703/ });
	$t->lead($user);
	$t->wait_until('a lead of another table is sent', sub { $t->n_records($user, 'lofty') == 1 });
	is(scalar $t->dead_letters($user, 'lofty'), 0, 'no lead pays for it');
	$t->sql('ALTER TABLE fragile_leads RENAME COLUMN town TO city');
	$t->drain($user);
	is($t->n_records($user, 'lofty'), 2, 'put right, the lead is sent');
	$t->sql_as(undef, "SELECT echosync_detach_leads('fragile_leads'); DROP TABLE fragile_leads");
});

$t->behaviour('a row of a hundred megabytes costs the worker neither memory nor time', sub {
	my $user = $t->user(lofty => 1, fub => 1);
	my $other = $t->user(lofty => 1);

	$t->lead($user);
	$t->drain($user);
	my $pid = $t->wait_for_worker;
	my $before = $t->own_memory($pid);
	$t->sql_as(undef, "INSERT INTO leads (user_id, phone, risk_score, first_name, last_name, address, city, notes, tags, source)"
		  . " SELECT '$user->{id}', '" . $t->new_phone . "', 1, big, big, big, big, big || big, string_to_array(left(big, 1000), ' '), 'Huge'"
		  . " FROM repeat(E'x \\n', 10000000) big");
	my $began = time;
	$t->lead($other);
	$t->drain($other);
	cmp_ok(time - $began, '<', 3, "another tenant's lead is sent meanwhile");
	$t->drain($user);
	is($t->n_records($user, $_), 2, "$LABEL{$_} has it, cut to what it takes") for qw(lofty fub);
	is(($t->worker_pids)[0], $pid, 'the worker is the same');
	cmp_ok($t->own_memory($pid) - $before, '<', 20_000, 'and no 20 MB larger');
	cmp_ok($t->sql("SELECT pg_total_relation_size('crm_sync_attempts')"), '<', 4_000_000, 'nor is what it remembers of it');
	$t->sql_as(undef, "DELETE FROM leads WHERE source = 'Huge'");
});

$t->behaviour('rows of nothing, and of nonsense, between others', sub {
	my $user = $t->user(lofty => 1, fub => 1);

	# Each is refused or sent; none is a failure.
	$t->sql_as(undef, "INSERT INTO leads (user_id) VALUES ('$user->{id}')");
	$t->sql_as(undef, "INSERT INTO leads (user_id, phone, risk_score, $_->[0]) VALUES ('$user->{id}', '" . $t->new_phone . "', 1, $_->[1])")
	  for [ 'first_name', "E'\\x01\\x02\\x7f'" ], [ 'first_name', "U&'\\+01F600\\+01F468\\200D'" ], [ 'last_name', q('"\\/{}[]') ],
	  [ 'email', "'not an address'" ], [ 'tags', "ARRAY[NULL, '', ' ', 'Fine']" ], [ 'tags', "'{}'" ], [ 'notes', "E'\\n\\n\\t'" ],
	  [ 'address', "U&'\\FEFF\\200B'" ], [ 'zip_code', "repeat('9', 3000)" ], [ 'source', "''" ], [ 'tags', "array_fill('x'::text, ARRAY[10000])" ];
	$t->sql_as(undef, "INSERT INTO leads (user_id, phone, risk_score) VALUES ('$user->{id}', '" . $t->new_phone . "', $_)") for "'NaN'", "'Infinity'", '1e300', '-1e300';
	$t->lead($user);
	$t->drain($user);
	for my $crm (qw(lofty fub))
	{
		is(scalar $t->dead_letters($user, $crm), 0, "$LABEL{$crm}: no dead letter") or diag explain $t->dead_letters($user, $crm);
		is($t->n_records($user, $crm), 12, 'those that can be sent are');
		my %skipped;
		$skipped{ $_->{reason} }++ for grep { $_->{status} eq 'skipped' } $t->logs($user, crm => $crm);
		is_deeply(\%skipped, { no_contact_key => 1, risk_unreadable => 2, risk_above_limit => 2 }, 'the others are skipped, with a reason each') or diag explain \%skipped;
	}
	is($t->status_of($user, 'lofty'), 'active', 'the connection is active');
});

# The worker writes and deletes past the executor what it can; the rest of
# these is what it cannot.
$t->behaviour('queue rows that move while their leads are in work are deleted all the same', sub {
	my $user = $t->user(lofty => 1);
	my $places = "SELECT string_agg(ctid::text, ' ' ORDER BY id) FROM crm_sync_queue WHERE integration_id = '$user->{lofty}'";

	$t->leads($user, 30);
	$t->drain($user);
	$t->knob('lofty', 'latency_ms', 1500);
	my $mark = $t->mark;
	$t->leads($user, 4);
	$t->wait_for_requests($user, 'lofty', 1, since => $mark);
	my $before = $t->sql($places);
	$t->sql('VACUUM FULL crm_sync_queue');
	isnt($t->sql($places), $before, 'they are elsewhere');
	$t->knob('lofty', 'latency_ms', 0);
	$t->drain($user);
	is_deeply($t->tally($user, 'lofty'), $t->all_once(34), 'each lead is there once');
	is(scalar $t->logs($user, crm => 'lofty'), 34, 'and logged once');
	$t->assert_nothing_left;
});

$t->behaviour('a link that somebody writes while its lead is created gives way to the record that was made', sub {
	my $user = $t->user(lofty => 1);
	my $log = length $t->log_text;

	$t->fault_for($user, 'lofty', { method => 'POST' }, { type => 'delay', ms => 1500 });
	my $lead = $t->lead($user);
	$t->wait_for_requests($user, 'lofty', 1, method => 'POST');
	$t->sql('INSERT INTO crm_lead_links (integration_id, lead_id, source_id, user_id, crm_record_id, matched_by, crm_account)'
		  . " SELECT q.integration_id, q.lead_id, q.source_id, q.user_id, '77', 'phone', split_part(i.crm_account, '/', 1)"
		  . " FROM crm_sync_queue q JOIN crm_integrations i ON i.id = q.integration_id WHERE i.id = '$user->{lofty}'");
	$t->drain($user);
	is_deeply($t->tally($user, 'lofty'), $t->all_once(1), 'the lead is there once');
	isnt($t->link_of($user->{lofty}, $lead), '77', 'and linked to what is there');
	is(join(',', $t->log_lines($user, crm => 'lofty')), 'created success', 'logged once');
	like(substr($t->log_text, $log), qr/recording results failed with SQLSTATE 23505/, 'which took a second try');
});

$t->behaviour('triggers that a superuser puts on the log, the links and what is remembered of leads fire', sub {
	my $user = $t->user(lofty => 1);
	my @tables = qw(crm_sync_logs crm_lead_links crm_sync_attempts);

	$t->sql(<<'SQL');
CREATE TABLE public.written (name text);
CREATE FUNCTION note_written() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.written VALUES (TG_TABLE_NAME); RETURN NEW; END $$;
SQL
	$t->sql("CREATE TRIGGER note_written AFTER INSERT ON $_ FOR EACH ROW EXECUTE FUNCTION note_written()") for @tables;
	$t->leads($user, 3);
	$t->drain($user);
	is_deeply($t->tally($user, 'lofty'), $t->all_once(3), 'the leads are there once');
	is($t->sql("SELECT count(*) FROM written WHERE name = '$_'"), '3', "$_: three rows") for @tables;
	$t->sql("DROP TRIGGER note_written ON $_") for @tables;
	$t->sql('DROP FUNCTION note_written(); DROP TABLE written');
});

# An application's way to show an agent what became of a lead.
$t->behaviour('a trigger on the log that writes outcomes back to the leads', sub {
	my $user = $t->user(lofty => 1);

	$t->sql(<<'SQL');
ALTER TABLE leads ADD COLUMN outcome text;
CREATE FUNCTION public.write_back() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE public.leads SET outcome = concat_ws(', ', outcome, coalesce(NEW.reason, NEW.action)) WHERE id::text = NEW.lead_id;
    RETURN NULL;
END $$;
CREATE TRIGGER write_back AFTER INSERT ON crm_sync_logs FOR EACH ROW EXECUTE FUNCTION public.write_back();
SQL
	$t->leads($user, 3);
	my $risky = $t->lead($user, risk_score => 90);
	$t->drain($user);
	$t->change_and_drain($user, $risky, first_name => 'Again');
	is_deeply($t->tally($user, 'lofty'), $t->all_once(3), 'the clean ones are there once');
	is($t->sql("SELECT string_agg(outcome, '; ' ORDER BY id) FROM leads WHERE user_id = '$user->{id}'"),
		'created; created; created; risk_above_limit, risk_above_limit', 'each lead says what became of it');
	is($t->sql("SELECT count(*) FROM crm_sync_logs WHERE user_id = '$user->{id}'"), '5', 'nothing was done twice');
	$t->sql('DROP TRIGGER write_back ON crm_sync_logs; DROP FUNCTION public.write_back(); ALTER TABLE leads DROP COLUMN outcome');
});

$t->behaviour('a trigger that asks the CRM, in the worker itself, or fails, holds up its own leads only', sub {
	my ($user, $other) = map { $t->user(lofty => 1) } 1 .. 2;

	$t->sql(<<"SQL");
CREATE FUNCTION public.ask() RETURNS trigger LANGUAGE plpgsql AS \$\$
BEGIN
    IF NEW.user_id = '$user->{id}' THEN PERFORM public.echosync_test_connection(NEW.integration_id); END IF;
    RETURN NULL;
END \$\$;
CREATE TRIGGER ask AFTER INSERT ON crm_sync_logs FOR EACH ROW EXECUTE FUNCTION public.ask();
SQL
	$t->leads($user, 3);
	$t->wait_until('the worker has met it', sub { $t->sql('SELECT last_error FROM echosync_workers') =~ /recording results: SQLSTATE 55006/ });
	my $began = time;
	$t->leads($other, 3);
	$t->drain($other);
	cmp_ok(time - $began, '<', 3, "another tenant's leads are sent meanwhile");
	is($t->queued($user, 'lofty'), 3, 'the leads that it holds up are still queued');
	$t->sql('DROP TRIGGER ask ON crm_sync_logs; DROP FUNCTION public.ask()');
	$t->drain($user);
	is_deeply($t->tally($_, 'lofty'), $t->all_once(3), 'in the end all are there once') for $user, $other;
});

# ------------------------------------------------------------------------
# Memory
# ------------------------------------------------------------------------

sub address_space
{
	my ($pid) = @_;
	my ($kb) = PostgreSQL::Test::Utils::slurp_file("/proc/$pid/status") =~ /^VmSize:\s+(\d+) kB/m;

	return 1024 * $kb;
}

# What the process may map in all; undef: without end again.
sub limit_memory
{
	my ($pid, $bytes) = @_;

	return IPC::Run::run([ 'prlimit', "--pid=$pid", '--as=' . (defined $bytes ? $bytes : 'unlimited') . ':' ], '>', '/dev/null', '2>', '/dev/null');
}

# (A sanitizer does not live with less memory than it asks for.)
$ENV{SANITIZE} or $t->behaviour('a worker that is short of memory loses nothing, doubles nothing, and takes nobody with it', sub {
	my @users = map { $t->user(lofty => 1, fub => 1) } 1 .. 3;

	$t->knob($_, 'index_lag_seconds', 0.2) for qw(lofty fub);
	$t->node->restart;      # what was freed earlier would do for long
	my $pid = $t->wait_for_worker;
	my $session = $t->session;
	my $log = length $t->log_text;
	ok(limit_memory($pid, address_space($pid)), 'the worker gets no more memory than it has');
	$t->leads($_, 20, notes => "\x{1F600}" x 60_000) for @users;
	$t->wait_until('it runs out of memory', sub { substr($t->log_text, $log) =~ /out of memory|SQLSTATE 53200/ });
	limit_memory($pid);
	$t->drain($_) for @users;
	is($session->query('SELECT 1'), '1', 'sessions of before are still there');
	$session->quit;
	for my $user (@users)
	{
		is_deeply($t->tally($user, $_), $t->all_once(20), "$user->{id}, $LABEL{$_}: each lead once") for qw(lofty fub);
		is(scalar $t->dead_letters($user, $_), 0, 'no dead letter') for qw(lofty fub);
	}
});

$t->done;
