# The life of the server: start, stop, kill, workers that come and go, the
# extension dropped under them, and what keeps them from running.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use Test::More;
use Time::HiRes qw(time);

my $t = EchosyncFaults->start(conf => <<'CONF');
echosync.uncertain_wait = '500ms'
max_prepared_transactions = 5
# without senders no commit waits for a standby
wal_level = replica
max_wal_senders = 2
CONF

# A call in the log of the server since a place in it, as often as it is there.
sub said { return scalar(() = substr($t->log_text, $_[0]) =~ /$_[1]/g) }

sub ok_soon
{
	my ($began, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	return cmp_ok(time - $began, '<', 5, "$name: within 5 s");
}

$t->behaviour('a worker is up within 5 s of CREATE EXTENSION, restart, crash and rename', sub {
	my $other = $t->in_database('young');
	my $began;

	$t->sql("CREATE DATABASE young ENCODING 'UTF8' TEMPLATE template0");
	$other->sql('CREATE TABLE leads (id bigint PRIMARY KEY, user_id text, phone text, first_name text, last_name text, risk_score int);'
		  . ' ALTER TABLE leads OWNER TO app');
	$began = time;
	$other->create_extension;
	ok($other->wait_for_worker, 'CREATE EXTENSION');
	ok_soon($began, 'CREATE EXTENSION');

	# A call that needs a worker waits for it.
	my $user = $other->user(lofty => 1);
	ok($user->{lofty}, 'connect');
	for my $mode (qw(fast immediate))
	{
		$t->{node}->stop($mode);
		$t->{node}->start;
		$began = time;
		ok($other->wait_for_worker, "restart after stop -m $mode");
		ok_soon($began, $mode);
	}
	$t->kill_worker;
	$began = time;
	ok($other->wait_for_worker, 'crash of the worker of another database');
	ok_soon($began, 'crash');
	$t->sql("ALTER DATABASE young RENAME TO old");
	$began = time;
	$other->{database} = 'old';
	ok($other->wait_for_worker, 'rename');
	ok_soon($began, 'rename');
	$other->sql_as(undef, "INSERT INTO leads VALUES (1, '$user->{id}', '" . $other->new_phone . "', 'Dana', 'Holt', 1)");
	$other->drain($user);
	is($other->n_records($user, 'lofty'), 1, 'and it sends');
	$t->sql('DROP DATABASE old');
	is($t->sql("SELECT count(*) FROM echosync_workers WHERE database = 'old'"), '0', 'the database dropped: no worker');
});

$t->behaviour('a database without the extension has no worker', sub {
	$t->sql("CREATE DATABASE plain ENCODING 'UTF8' TEMPLATE template0");
	$t->node->restart;
	$t->wait_for_worker;
	$t->wait_for_sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'echosync worker'", '1');
	is($t->sql("SELECT string_agg(database, ',') FROM echosync_workers"), 'postgres', 'there is one worker, where the extension is');
	$t->sql('DROP DATABASE plain');
});

$t->behaviour('DROP EXTENSION with work in flight; CREATE again', sub {
	my $other = $t->new_database('dropped');
	my $user = $other->user(lofty => 1, fub => 1);
	my $log = length $t->log_text;

	$t->knob($_, 'latency_ms', 100) for qw(lofty fub);
	$other->leads($user, 30);
	$t->wait_until('some are there and some are not', sub { my $n = $t->n_records($user, 'lofty'); $n > 2 && $n < 25 });
	my $began = time;
	$other->sql('DROP EXTENSION echosync');
	cmp_ok(time - $began, '<', 2, 'DROP EXTENSION does not wait for the CRM');
	is($other->sql('SELECT count(*) FROM leads'), '30', "the application's rows are there");
	my $lead = $other->lead($user, phone => undef);
	$other->change($lead, first_name => 'Still');
	is($other->sql("SELECT first_name FROM leads WHERE id = $lead"), 'Still', 'and its table is of use');
	$t->wait_for_sql("SELECT count(*) FROM echosync_workers WHERE database = 'dropped'", '0');
	cmp_ok(said($log, 'LOG:  echosync'), '<=', 3, 'the worker goes without many words');

	my $before = $t->n_records($user, 'lofty');
	$began = time;
	$other->create_extension;
	ok($other->wait_for_worker, 'created again, there is a worker');
	ok_soon($began, 'CREATE EXTENSION');
	$user->{lofty} = $other->connect_lofty($user);
	$other->sql_as(undef, 'UPDATE leads SET risk_score = 4');
	$other->drain($user);
	is_deeply($other->tally($user, 'lofty'), $t->all_once(30), 'all are sent, and those that were there are found again');
	$t->sql('DROP DATABASE dropped');
});

$t->behaviour('enabled off: what is in flight finishes, the rest waits; on: it goes on', sub {
	my $user = $t->user(lofty => 1);

	$t->fault_for($user, 'lofty', { method => 'POST' }, { type => 'delay', ms => 1000 });
	my $first = $t->lead($user);
	$t->wait_for_requests($user, 'lofty', 1, method => 'POST');
	$t->configure('echosync.enabled' => 'off');
	$t->wait_until('the worker says so', sub { $t->worker_state eq 'disabled' });
	my $second = $t->lead($user);
	$t->wait_until('what was in flight is written down', sub { $t->link_of($user->{lofty}, $first) });
	my $mark = $t->mark;
	is($t->queued($user), '1', 'the second lead is queued');
	is($t->sql_as($user, 'SELECT echosync_drain(1)'), 'f', 'and stays so');
	is(scalar $t->requests($user, 'lofty', since => $mark), 0, 'nothing is sent');
	my ($test) = $t->rows_as($user, "SELECT * FROM echosync_test_connection('$user->{lofty}')");
	is($test->{ok}, FALSE, 'a call that needs the CRM fails');
	like($test->{message}, qr/disabled by echosync.enabled. ALTER SYSTEM SET echosync.enabled = on/, 'and says why');
	$t->configure('echosync.enabled' => 'on');
	$t->wait_until('on again: the second goes out by itself', sub { $t->link_of($user->{lofty}, $second) }, 20);
	my $third = $t->lead($user);
	$t->wait_until('and so does the next, at once', sub { $t->link_of($user->{lofty}, $third) }, 20);
	is_deeply($t->tally($user, 'lofty'), $t->all_once(3), 'all are there once');
	$t->deconfigure('echosync.enabled');
});

$t->behaviour('two workers share the connections, then one has them all, while leads drain', sub {
	my @users = map { $t->user(lofty => 1) } 1 .. 4;
	my $log = length $t->log_text;

	$t->knob('lofty', 'latency_ms', 30);
	$t->leads($_, 20) for @users;
	$t->configure('echosync.workers' => 2);
	$t->wait_until('there are two workers', sub { $t->worker_pids == 2 });
	$t->wait_until('both have something to do', sub {
		my $user = $t->user(lofty => 1);
		push @users, $user;
		$t->leads($user, 20);
		return $t->sql('SELECT count(*) FROM echosync_workers WHERE requests > 0') == 2;
	});
	$t->leads($_, 10) for @users;
	$t->configure('echosync.workers' => 1);
	$t->wait_until('there is one', sub { $t->worker_pids == 1 });
	$t->drain($_) for @users;
	my %total = (leads => 0, once => 0, lost => 0, doubled => 0);
	for my $user (@users)
	{
		my $tally = $t->tally($user, 'lofty');
		$total{$_} += $tally->{$_} for keys %total;
	}
	is_deeply(\%total, $t->all_once($total{leads}), "each of $total{leads} leads once");
	$t->deconfigure('echosync.workers');
	unlike(substr($t->log_text, $log), qr/ERROR/, 'without an error');
});

$t->behaviour('without a free worker slot leads are queued, it is said once, and sent when there is one', sub {
	my $user = $t->user(lofty => 1);

	# the launcher and that of logical replication take two
	$t->sql('ALTER SYSTEM SET max_worker_processes = 2');
	my $log = length $t->log_text;
	$t->node->restart;
	$t->wait_until('it is said', sub { said($log, 'no free background worker slot') });
	$t->lead($user) for 1 .. 5;       # each looks for a worker
	is($t->queued($user), '5', 'leads are queued');
	like($t->error_as($user, "SELECT * FROM echosync_test_connection('$user->{lofty}')")->{message}, qr/worker/, 'a call that needs a worker says so');
	my ($check) = $t->rows("SELECT * FROM echosync_doctor() WHERE check_name = 'worker'");
	is($check->{ok}, FALSE, 'so does the doctor');
	like($check->{hint}, qr/max_worker_processes/, 'and what to look at');
	is(said($log, 'no free background worker slot'), 1, 'it is said once');
	$t->sql('ALTER SYSTEM RESET max_worker_processes');
	$t->node->restart;
	$t->drain($user);
	is_deeply($t->tally($user, 'lofty'), $t->all_once(5), 'with a slot they are sent');
});

$t->behaviour('no connection left for the worker: it has one all the same', sub {
	my $other = $t->new_database('crowded');
	my $user = $other->user(lofty => 1);

	$t->sql('ALTER DATABASE crowded CONNECTION LIMIT 0');
	$t->node->restart;
	ok($other->wait_for_worker, 'a worker');
	$other->sql("INSERT INTO leads (user_id, first_name, phone, risk_score) VALUES ('$user->{id}', 'Dana', '" . $other->new_phone . "', 1)");
	$other->wait_for_sql('SELECT count(*) FROM crm_sync_queue', '0');
	is($other->n_records($user, 'lofty'), 1, 'that sends');
	$t->sql('DROP DATABASE crowded');
});

$t->behaviour('prepared transactions are sent when they are committed, and not before', sub {
	my $user = $t->user(lofty => 1);
	my ($kept, $undone) = ($t->new_phone, $t->new_phone);

	for my $case ([ 'kept', $kept ], [ 'undone', $undone ])
	{
		$t->sql_as(undef, "BEGIN; INSERT INTO leads (user_id, first_name, phone, risk_score) VALUES ('$user->{id}', '$case->[0]', '$case->[1]', 1);"
			  . " PREPARE TRANSACTION '$case->[0]'");
	}
	$t->lead($user, first_name => 'Plain');
	$t->drain($user);
	is_deeply([ map { $_->{firstName} } $t->records($user, 'lofty') ], ['Plain'], 'prepared: not sent');
	$t->kill_worker;
	$t->sql("ROLLBACK PREPARED 'undone'");
	$t->sql("COMMIT PREPARED 'kept'");
	is($t->queued($user), '1', 'committed: queued');
	$t->lead($user, first_name => 'Waker');         # who commits it wakes nobody
	$t->drain($user);
	is_deeply([ sort map { $_->{firstName} } $t->records($user, 'lofty') ], [ 'Plain', 'Waker', 'kept' ], 'and sent with the next one, at the latest');
});

$t->behaviour('a schema of another version: the worker waits, says so once, and goes on', sub {
	my $user = $t->user(lofty => 1);
	my $version = $t->sql("SELECT extversion FROM pg_extension WHERE extname = 'echosync'");
	my $log = length $t->log_text;
	my $set = sub { $t->sql("UPDATE pg_extension SET extversion = '$_[0]' WHERE extname = 'echosync'; SELECT echosync_wake()") };

	$set->('9.9');
	$t->wait_until('the worker has noticed', sub { $t->worker_state eq 'other_version' });
	my $mark = $t->mark;
	my $lead = $t->lead($user);
	$t->reload;
	$t->sql('SELECT echosync_wake()');
	$t->wait_until('it is said', sub { said($log, "the extension's version in this database is not the library's") });
	is($t->queued($user), '1', 'the lead is queued');
	my ($check) = $t->rows("SELECT * FROM echosync_doctor() WHERE check_name = 'version'");
	is($check->{ok}, FALSE, 'the doctor says so');
	is(scalar $t->requests($user, 'lofty', since => $mark), 0, 'nothing is sent');
	$set->($version);
	$t->drain($user);
	is($t->n_records($user, 'lofty'), 1, 'when they agree again it is sent');
	is(said($log, "the extension's version in this database is not the library's"), 1, 'it was said once');
});

$t->behaviour('a standby that must confirm and is away holds the worker up, not the server', sub {
	my $user = $t->user(lofty => 1);

	$t->configure('synchronous_standby_names' => 'nobody');
	$t->sql_as(undef, "SET synchronous_commit = local; INSERT INTO leads (user_id, first_name, phone, risk_score) VALUES ('$user->{id}', 'Dana', '"
		  . $t->new_phone . "', 1)");
	$t->sql('SET synchronous_commit = local; ALTER SYSTEM RESET synchronous_standby_names');
	my $began = time;
	$t->node->restart;
	cmp_ok(time - $began, '<', 20, 'the server stops and starts');
	$t->drain($user);
	is_deeply($t->tally($user, 'lofty'), $t->all_once(1), 'the lead is sent once');
});

$t->behaviour('a worker with a lead in work ends without a standby that is away', sub {
	my $user = $t->user(lofty => 1);

	$t->fault_for($user, 'lofty', {}, { type => 'hang' }, times => -1);
	$t->lead($user);
	$t->wait_for_requests($user, 'lofty', 1, method => 'GET', path => '/v1.0/leads');
	$t->sql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'; SELECT pg_reload_conf()");
	$t->wait_until('commits wait', sub { $t->sql('SHOW synchronous_standby_names') eq 'nobody' });
	my $began = time;
	$t->node->stop('fast');
	cmp_ok(time - $began, '<', 20, 'the server stops');
	$t->clear_faults;
	$t->node->append_conf('postgresql.auto.conf', "synchronous_standby_names = ''");
	$t->node->start;
	$t->sql('ALTER SYSTEM RESET synchronous_standby_names');
	$t->reload;
	$t->drain($user);
	is_deeply($t->tally($user, 'lofty'), $t->all_once(1), 'the lead is sent once');
});

$t->behaviour('an intent that waited for a standby counts from when its create was sent', sub {
	my $user = $t->user(lofty => 1);

	$t->fault_for($user, 'lofty', { method => 'GET' }, { type => 'delay', ms => 1500 });
	$t->fault_for($user, 'lofty', { method => 'POST' }, { type => 'delay', ms => 3000 });
	my $lead = $t->lead($user);
	$t->wait_for_requests($user, 'lofty', 1, method => 'GET', path => '/v1.0/leads');
	$t->sql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'; SELECT pg_reload_conf()");
	$t->wait_for_sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'echosync worker' AND wait_event = 'SyncRep'", '1');
	my $waited = time;
	$t->wait_until('that takes longer than the doubt', sub { time - $waited > 1 });
	$t->sql('SET synchronous_commit = local; ALTER SYSTEM RESET synchronous_standby_names; SELECT pg_reload_conf()');
	my $released = $t->sql('SELECT clock_timestamp()');
	$t->wait_for_requests($user, 'lofty', 1, method => 'POST');
	is($t->sql("SELECT intent_at >= '$released'::timestamptz - interval '500 ms' FROM crm_sync_attempts WHERE lead_id = '$lead'"), 't',
		'it is not dated before the wait');
	$t->drain($user);
	is_deeply($t->tally($user, 'lofty'), $t->all_once(1), 'the lead is sent once');
});

$t->behaviour('a worker that ends in order leaves no doubt about what it has not sent', sub {
	my ($user, $other) = map { $t->user(lofty => 1) } 1 .. 2;

	$t->configure('echosync.uncertain_wait' => '10min', 'echosync.max_in_flight' => 1);
	$t->fault_for($user, 'lofty', { method => 'GET' }, { type => 'delay', ms => 500 });
	$t->fault_for($other, 'lofty', {}, { type => 'hang' }, times => -1);
	my $lead = $t->lead($user);
	$t->wait_for_requests($user, 'lofty', 1, method => 'GET', path => '/v1.0/leads');
	$t->lead($other);
	$t->wait_for_requests($other, 'lofty', 1);
	$t->wait_for_sql("SELECT count(*) FROM crm_sync_attempts WHERE lead_id = '$lead' AND intent_at IS NOT NULL", '1');
	is(scalar $t->requests($user, 'lofty', method => 'POST'), 0, 'a create is about to be sent');
	$t->clear_faults;
	$t->sql('SELECT pg_terminate_backend(pid) FROM echosync_workers');
	$t->drain($_) for $user, $other;
	is_deeply($t->tally($_, 'lofty'), $t->all_once(1), 'the lead is sent once, without a wait') for $user, $other;
	$t->configure('echosync.uncertain_wait' => '500ms');
	$t->deconfigure('echosync.max_in_flight');
});

$t->behaviour_across_crashes('the postmaster killed: no worker is left behind, and nothing lost', sub {
	my $user = $t->user(lofty => 1, fub => 1);

	$t->knob($_, 'latency_ms', 50) for qw(lofty fub);
	$t->leads($user, 40, notes => 'Note %d');
	$t->wait_until('some are there', sub { $t->n_records($user, 'lofty') > 3 });
	my @pids = split /\n/, $t->sql("SELECT pid FROM pg_stat_activity WHERE backend_type LIKE 'echosync%'");
	cmp_ok(scalar @pids, '>=', 2, 'a launcher and a worker');
	$t->kill_postmaster;
	is(scalar(grep { kill 0, $_ } @pids), 0, 'both are gone with it');
	$t->start_again;
	$t->drain($user);
	for my $crm (qw(lofty fub))
	{
		my @records = $t->records($user, $crm);

		is_deeply($t->tally($user, $crm, @records), $t->all_once(40), "$crm: each lead once");
		is(scalar $t->told_on(@records), 40, 'each note once');
	}
});

$t->done;
