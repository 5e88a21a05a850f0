# The worker as a process of the server: what kills it loses nothing, what it
# meets at its start and its end harms nobody, and neither do settings, locks
# and cancels that were meant for others.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use Test::More;
use Time::HiRes qw(time usleep);

use constant LAG => 1.5;            # a CRM finds what was written only then

# Commits that are not waited for are not written by anybody else meanwhile.
my $t = EchosyncFaults->start(conf => <<'CONF');
echosync.uncertain_wait = '2500ms'
echosync.request_timeout = '30s'
wal_writer_delay = '10s'
CONF

my %LABEL = (lofty => 'Lofty', fub => 'Follow Up Boss');
my %CREATE = (lofty => '/v1.0/leads', fub => '/v1/people');

sub end_worker
{
	my ($pid) = @_;

	$t->sql("SELECT pg_terminate_backend($pid)");
	$t->wait_until('another worker is there', sub { my ($now) = $t->worker_pids; $now && $now != $pid });
	return;
}

# A transaction left open by a superuser, who has run some statements in it.
sub open_transaction
{
	my (@statements) = @_;
	my $session = $t->session;

	$session->query_safe($_) for 'BEGIN', @statements;
	return $session;
}

sub end_transaction
{
	my ($session) = @_;

	$session->query_safe('ROLLBACK');
	$session->quit;
	return;
}

# ------------------------------------------------------------------------
# Commits that are not waited for
# ------------------------------------------------------------------------

my %COMMIT_OFF = (
	'of the server' => [ 'ALTER SYSTEM SET synchronous_commit = off', 'ALTER SYSTEM RESET synchronous_commit' ],
	'of the database' => [ 'ALTER DATABASE postgres SET synchronous_commit = off', 'ALTER DATABASE postgres RESET synchronous_commit' ],
	'of the role' => [ 'ALTER ROLE CURRENT_USER SET synchronous_commit = off', 'ALTER ROLE CURRENT_USER RESET synchronous_commit' ]);

for my $where (sort keys %COMMIT_OFF)
{
	$t->behaviour("synchronous_commit = off $where: a crash doubles no lead", sub {
		# What the test itself does is on the disk.
		local $ENV{PGOPTIONS} = '-c synchronous_commit=on';
		my $user = $t->user(lofty => 1, fub => 1);

		$t->sql($COMMIT_OFF{$where}[0]);
		$t->reload;
		end_worker($t->wait_for_worker);
		$t->knob($_, 'index_lag_seconds', LAG) for qw(lofty fub);
		$t->fault_for($user, $_, { method => 'POST', path => $CREATE{$_} }, { type => 'hang', store => \1 }) for qw(lofty fub);
		my $pid = $t->wait_for_worker;
		$t->lead($user);
		# No statement from here on: it might write the worker's commits as well.
		$t->wait_until("$_ has the create", sub { $t->requests($user, $_, method => 'POST') }) for qw(lofty fub);
		kill 9, $pid;
		$t->{crashes}++;
		$t->wait_until('the server is back', sub { my ($now) = $t->worker_pids; $now && $now != $pid });
		$t->drain($user);
		for my $crm (qw(lofty fub))
		{
			is($t->n_records($user, $crm), 1, "$LABEL{$crm}: one record");
			is(scalar $t->requests($user, $crm, method => 'POST', path => $CREATE{$crm}), 1, 'and one create');
		}
		$t->sql($COMMIT_OFF{$where}[1]);
		$t->reload;
	});
}

# ------------------------------------------------------------------------
# Start and end
# ------------------------------------------------------------------------

$t->behaviour('a worker that starts while the catalog is locked harms nobody', sub {
	my $user = $t->user(lofty => 1);
	my $pid = $t->wait_for_worker;
	my $log = length $t->log_text;
	my $session = open_transaction('LOCK TABLE pg_catalog.pg_extension IN ACCESS EXCLUSIVE MODE');

	$t->sql("SELECT pg_terminate_backend($pid)");
	$t->wait_until('it has ended', sub { !kill 0, $pid });
	# Long enough for a start, and for a second after that.
	my $until = time + 4;
	usleep(50_000) while time < $until && substr($t->log_text, $log) !~ /terminated by signal/;
	unlike(substr($t->log_text, $log), qr/terminated by signal/, 'no process crashes');
	is(eval { $session->query_safe('SELECT 1') }, '1', 'sessions go on') && end_transaction($session);
	$t->wait_for_worker(30);
	$t->lead($user);
	$t->drain($user);
	is_deeply($t->tally($user, 'lofty'), $t->all_once(1), 'when it is free again, a worker sends');
});

$t->behaviour('a worker that is to end does so though its tables are locked', sub {
	my $user = $t->user(lofty => 1);

	$t->fault_for($user, 'lofty', { method => 'POST' }, { type => 'delay', ms => 500 });
	$t->lead($user);
	$t->wait_for_requests($user, 'lofty', 1, method => 'POST');
	my $pid = $t->wait_for_worker;
	my $session = open_transaction('LOCK TABLE crm_sync_claims IN ACCESS EXCLUSIVE MODE');
	my $began = time;
	$t->sql("SELECT pg_terminate_backend($pid)");
	eval { $t->wait_until('it has ended', sub { !kill 0, $pid }, 10) };
	cmp_ok(time - $began, '<', 3, 'within three seconds');
	end_transaction($session);
	$t->drain($user);
	is_deeply($t->tally($user, 'lofty'), $t->all_once(1), 'the lead is there once');
});

# ------------------------------------------------------------------------
# Cancels
# ------------------------------------------------------------------------

sub activity { return $t->sql("SELECT state FROM pg_stat_activity WHERE pid = $_[0]") }

$t->behaviour('a cancel ends no worker, which looks idle while it waits', sub {
	my $user = $t->user(lofty => 1, fub => 1);
	my $pid = $t->wait_for_worker;

	$t->wait_until('it is idle', sub { activity($pid) eq 'idle' }, 10);
	$t->fault_for($user, $_, { method => 'POST', path => $CREATE{$_} }, { type => 'delay', ms => 3000 }) for qw(lofty fub);
	my $lead = $t->lead($user);
	$t->wait_for_requests($user, $_, 1, method => 'POST') for qw(lofty fub);
	eval { $t->wait_until('it is idle', sub { activity($pid) eq 'idle' }, 2) } or fail('idle, with requests under way');
	is($t->sql("SELECT pg_cancel_backend($pid)"), 't', 'cancelled') for 1 .. 3;
	$t->drain($user);
	is(($t->worker_pids)[0], $pid, 'the same process goes on');
	for my $crm (qw(lofty fub))
	{
		is(scalar $t->requests($user, $crm, method => 'POST'), 1, "$LABEL{$crm}: one create");
		is_deeply([ $t->log_lines($user, crm => $crm, lead => $lead) ], ['created success'], 'that was in no doubt');
	}

	# And when it has nothing to do.
	$t->wait_until('it is idle', sub { activity($pid) eq 'idle' }, 10);
	$t->sql("SELECT pg_cancel_backend($pid)");
	$t->lead($user);
	$t->drain($user);
	is(($t->worker_pids)[0], $pid, 'nor does one when it rests');
	$t->assert_nothing_left;
});

# ------------------------------------------------------------------------
# Settings of a database and a role
# ------------------------------------------------------------------------

my $version = $t->sql("SELECT current_setting('server_version_num')::int / 10000");
my %SETTINGS = (
	'a role that may nothing, by the database' => 'ALTER DATABASE masked SET role = harmless',
	'a role that may nothing, by the role' => 'ALTER ROLE CURRENT_USER IN DATABASE masked SET role = harmless',
	# transactions have a time limit of their own from 17 on
	$version >= 17 ? ('transactions that may last a millisecond' => "ALTER DATABASE masked SET transaction_timeout = '1ms'") : ());

for my $name (sort keys %SETTINGS)
{
	$t->behaviour("a setting for sessions does not reach the worker: $name", sub {
		my $other = $t->new_database('masked');
		# Sessions of the test itself are as they were.
		local $ENV{PGOPTIONS} = '-c role=none' . ($version >= 17 ? ' -c transaction_timeout=0' : '');
		my $user = $other->user(lofty => 1);
		my ($pid) = $other->worker_pids;

		$t->sql('CREATE ROLE harmless') if $t->sql("SELECT count(*) FROM pg_roles WHERE rolname = 'harmless'") eq '0';
		$t->sql($SETTINGS{$name});
		$t->sql("SELECT pg_terminate_backend($pid)");
		$t->wait_until('it has ended', sub { !kill 0, $pid });
		$other->lead($user);
		eval { $other->wait_until('it is sent', sub { $other->n_records($user, 'lofty') }, 20) } or fail('a lead is sent');
		eval { $other->wait_until('and done', sub { $other->queued($user) eq '0' }, 10) } or fail('and done with');
		is($other->sql("SELECT string_agg(last_error, '') FROM echosync_workers WHERE database = 'masked'"), '', 'the worker has met no error');
		$t->sql('DROP DATABASE masked WITH (FORCE)');
	});
}

# ------------------------------------------------------------------------
# Rows that others hold, and counters
# ------------------------------------------------------------------------

sub refuse_creates
{
	my ($user, $times) = @_;

	return $t->fault_for($user, 'lofty', { method => 'POST', path => $CREATE{lofty} },
		{ type => 'status', status => 400, body => { code => 20012, message => 'no' } }, times => $times);
}

$t->behaviour('a lead that is given up while somebody holds the row of its connection is in one table at any time', sub {
	my $user = $t->user(lofty => 1);

	refuse_creates($user, -1);
	my $session = open_transaction("SELECT 1 FROM crm_integrations WHERE id = '$user->{lofty}' FOR UPDATE");
	my $lead = $t->lead($user);
	$t->wait_for_requests($user, 'lofty', 1, method => 'POST');
	my ($began, $in_no_table) = (time, 0);
	while (time - $began < 3)
	{
		$in_no_table++ if $t->sql(<<"SQL") eq '0';
SELECT (SELECT count(*) FROM crm_sync_queue WHERE integration_id = '$user->{lofty}') + (SELECT count(*) FROM crm_dead_letters WHERE integration_id = '$user->{lofty}')
SQL
		usleep(100_000);
	}
	is($in_no_table, 0, 'in the queue or a dead letter, all the while');
	end_transaction($session);
	eval { $t->wait_until('it is a dead letter', sub { scalar $t->dead_letters($user, 'lofty') }, 65) };
	is_deeply([ map { $_->{lead_id} } $t->dead_letters($user, 'lofty') ], [$lead], 'when the row is free, a dead letter');
	is($t->queued($user), '0', 'and not queued');
	cmp_ok(scalar $t->requests($user, 'lofty', method => 'POST'), '<=', 2, 'it was not sent again and again');
	$t->clear_faults;
	is($t->sql_as($user, "SELECT echosync_retry_failed('$user->{lofty}')"), '1', 'it can be retried');
	$t->drain($user);
	is_deeply($t->tally($user, 'lofty'), $t->all_once(1), 'and arrives');
});

$t->behaviour('a run of which somebody holds the row counts each lead, and ends', sub {
	my $user = $t->user(lofty => 1);

	$t->sql_as($user, "SELECT echosync_pause('$user->{lofty}')");
	$t->sql("SET echosync.capture = off; INSERT INTO leads (user_id, first_name, phone, risk_score) VALUES ('$user->{id}', 'Dana', '" . $t->new_phone . "', 1)") for 1 .. 3;
	my $run = $t->sql_as($user, "SELECT run_id FROM echosync_manual_sync('$user->{lofty}')");
	my $session = open_transaction("SELECT 1 FROM crm_sync_runs WHERE id = $run FOR UPDATE");
	$t->sql_as($user, "SELECT echosync_resume('$user->{lofty}')");
	$t->wait_until('all are there', sub { $t->n_records($user, 'lofty') == 3 });
	$t->wait_until('what became of them waits, or is written', sub {
		$t->queued($user) eq '0' || $t->sql('SELECT last_error FROM echosync_workers') =~ /SQLSTATE 55P03/ });
	end_transaction($session);
	$t->drain($user);
	is($t->sql("SELECT concat_ws(' ', queued, synced, failed, finished_at IS NOT NULL) FROM crm_sync_runs WHERE id = $run"), '3 3 0 t',
		'when it is free, the run has counted all, and ended');
	is_deeply($t->tally($user, 'lofty'), $t->all_once(3), 'each is there once');
	is(scalar $t->writes($user, 'lofty'), 3, 'written once each');
});

$t->behaviour('who connects again has no failures behind them', sub {
	my $user = $t->user(lofty => 1);

	$t->configure('echosync.pause_after_failures' => 3);
	refuse_creates($user, 3);
	for (1 .. 2)
	{
		$t->lead($user);
		$t->drain($user);
	}
	is($t->integration($user->{lofty})->{consecutive_failures}, 2, 'two failures');
	$t->connect_lofty($user);
	$t->lead($user);
	$t->drain($user);
	$t->wait_for_sql("SELECT count(*) FROM crm_dead_letters WHERE integration_id = '$user->{lofty}'", '3');
	$t->wait_until('the third is counted', sub { $t->integration($user->{lofty})->{consecutive_failures} > 0 }, 10);
	is($t->integration($user->{lofty})->{consecutive_failures}, 1, 'after connecting again, one is one');
	is($t->status_of($user, 'lofty'), 'active', 'and the connection is not paused');
	$t->deconfigure('echosync.pause_after_failures');
});

$t->behaviour('a lead that changes hundreds of times while it is in flight holds up no other', sub {
	my $user = $t->user(lofty => 1);
	my $lead = $t->lead($user, first_name => 'Often');

	$t->drain($user);
	$t->fault_for($user, 'lofty', { method => 'PUT' }, { type => 'delay', ms => 5000 });
	$t->change($lead, first_name => 'Slow');
	$t->wait_for_requests($user, 'lofty', 1, method => 'PUT');
	$t->sql_as(undef, join '', map { "UPDATE leads SET last_name = 'Number $_' WHERE id = $lead;\n" } 1 .. 400);
	my $began = time;
	my $other = $t->lead($user, first_name => 'Other');
	$t->wait_until('the other is there', sub { grep { $_->{firstName} eq 'Other' } $t->records($user, 'lofty') }, 20);
	cmp_ok(time - $began, '<', 2, 'another lead of the connection is there at once');
	$t->drain($user);
	is(($t->records($user, 'lofty'))[0]{lastName}, 'Number 400', 'in the end the last change is there');
	is_deeply($t->tally($user, 'lofty'), $t->all_once(2), 'each once');
});

$t->done;
