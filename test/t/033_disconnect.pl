# Disconnecting: the credential is destroyed with the transaction, what is
# queued is cancelled, and what is in flight ends within the request timeout,
# with its result in the log.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use Test::More;
use Time::HiRes qw(time);

my $t = EchosyncFaults->start(env => { WEBHOOK_SECRET => 'webhook-5ec2e7' }, conf => <<'CONF');
echosync.uncertain_wait = '300ms'
echosync.request_timeout = '3s'
max_prepared_transactions = 2
CONF

my %LABEL = (lofty => 'Lofty', fub => 'Follow Up Boss');
my %PEOPLE = (lofty => '/v1.0/leads', fub => '/v1/people');

sub disconnect { return $t->sql_as($_[0], "SELECT echosync_disconnect('$_[0]{$_[1]}')") }
sub in_flight { return $t->sql('SELECT coalesce(sum(in_flight), 0) FROM echosync_workers') }

# What is stored of a connection, but for log and links, which are kept.
sub stored
{
	my ($id) = @_;

	return $t->sql("SELECT concat_ws(' ', (SELECT count(*) FROM crm_integrations WHERE id = '$id'), (SELECT count(*) FROM crm_credentials WHERE integration_id = '$id'),"
		  . " (SELECT count(*) FROM crm_sync_queue WHERE integration_id = '$id'), (SELECT count(*) FROM crm_dead_letters WHERE integration_id = '$id'))");
}

# The connection and its credential are gone with the commit; the worker cancels
# the rest.
sub gone
{
	my ($id, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	like(stored($id), qr/^0 0 /, 'the credential is gone at once');
	eval { $t->wait_until('the rest is cancelled', sub { stored($id) eq '0 0 0 0' }, 20) };
	return is(stored($id), '0 0 0 0', $name);
}

# Waits until the worker has nothing to do, for what it was doing.
sub wait_for_end
{
	my ($began) = @_;

	$t->wait_for_sql("SELECT string_agg(DISTINCT state, ',') || ' ' || sum(in_flight) FROM echosync_workers", 'idle 0', 20);
	cmp_ok(time - $began, '<', 15, 'it has ended within the request timeout, and some');
	return;
}

# A lead that is in no table.
sub webhook
{
	my ($user) = @_;
	my $body = sprintf '{"user_id": "%s", "lead": {"id": "hook", "phone": "%s", "first_name": "Hook", "risk_score": 5}}', $user->{id}, $t->new_phone;

	return $t->sql_as(undef, qq(SET request.headers = '{"x-webhook-secret": "webhook-5ec2e7"}'; SELECT echosync_webhook_lead_created('$body')));
}

# One lead for each way to be queued, a dead letter, and a run.
sub queue_all
{
	my ($user) = @_;

	$t->fault_for($user, 'lofty', { method => 'POST' }, { type => 'status', status => 400, body => {} });
	my %lead = (dead => $t->lead($user, first_name => 'Dead'));
	$t->drain($user);
	$t->sql_as($user, "SELECT echosync_pause('$user->{lofty}')");
	$lead{auto} = $t->lead($user, first_name => 'Auto');
	$t->change($lead{auto}, first_name => 'Twice');
	$lead{manual} = $t->sql_as(undef, "SET client_min_messages = error; ALTER TABLE leads DISABLE TRIGGER USER; INSERT INTO leads (user_id, phone, first_name, risk_score)"
		  . " VALUES ('$user->{id}', '" . $t->new_phone . "', 'Manual', 5) RETURNING id; ALTER TABLE leads ENABLE TRIGGER USER");
	$t->sql_as($user, "SELECT echosync_manual_sync('$user->{lofty}', ARRAY['$lead{manual}'])");
	webhook($user);
	$lead{webhook} = 'hook';
	return \%lead;
}

$t->behaviour('in the transaction: the credential is gone with it, the queue is cancelled with a row for each lead, the log stays', sub {
	my $user = $t->user(lofty => 1);
	my $lead = queue_all($user);
	my $other = $t->user(lofty => 1);

	is(stored($user->{lofty}), '1 1 4 1', 'a credential, a queue and a dead letter');
	my $session = $t->session_as($user);
	$session->query_safe('BEGIN');
	$session->query_safe("SELECT echosync_disconnect('$user->{lofty}')");
	is($session->query_safe('SELECT count(*) FROM crm_integrations'), '0', 'within the transaction there is no connection');
	is(stored($user->{lofty}), '1 1 4 1', 'for others there is, until it commits');
	$session->query_safe('ROLLBACK');
	is(stored($user->{lofty}), '1 1 4 1', 'rolled back, all is as it was');
	$session->query_safe('BEGIN');
	$session->query_safe("SELECT echosync_disconnect('$user->{lofty}')");
	$session->query_safe('COMMIT');
	$session->quit;
	gone($user->{lofty}, 'committed, nothing is left');
	is_deeply([ map { "$_->{lead_id} $_->{sync_type} $_->{status} $_->{reason}" } grep { $_->{status} eq 'skipped' } $t->logs($user) ],
		[ map { "$lead->{$_} $_ skipped disconnected" } sort { $lead->{$a} cmp $lead->{$b} } qw(auto manual webhook) ], 'one row for each lead that was queued');
	is($t->sql("SELECT count(*) FROM crm_sync_runs WHERE user_id = '$user->{id}' AND finished_at IS NULL"), '0', 'its run is over');
	is(scalar(grep { $_->{status} eq 'failed' } $t->logs($user)), 1, 'the log keeps what was there');
	is(stored($other->{lofty}), '1 1 0 0', "another's connection is untouched");
});

$t->behaviour('rolled back, the connection works as before', sub {
	my $user = $t->user(lofty => 1);

	$t->sql_as($user, "BEGIN; SELECT echosync_disconnect('$user->{lofty}'); ROLLBACK");
	my $lead = $t->lead($user);
	$t->drain($user);
	is_deeply([ $t->log_lines($user, lead => $lead) ], ['created success'], 'a lead is sent');
});

for my $crm (qw(lofty fub))
{
	my $people = $PEOPLE{$crm};

	$t->behaviour("$LABEL{$crm}: a create that is in flight ends, its result is in the log, and nothing follows", sub {
		my $user = $t->user($crm => 1);

		$t->fault_for($user, $crm, { method => 'POST', path => $people }, { type => 'delay', ms => 1000 });
		my $lead = $t->lead($user, notes => 'Never sent');
		$t->wait_for_requests($user, $crm, 1, method => 'POST', path => $people);
		my ($began, $mark) = (time, $t->mark);
		disconnect($user, $crm);
		gone($user->{$crm}, 'the credential is gone at once');
		wait_for_end($began);
		is_deeply([ sort { $a cmp $b } $t->log_lines($user, lead => $lead) ], [ 'created success', 'none skipped disconnected' ], 'both are in the log: that it was cancelled, and that it was there');
		is($t->n_records($user, $crm), 1, 'the record is there');
		# Lofty's note goes with the create, Follow Up Boss's after it.
		is(scalar $t->notes_of($user, $crm), $crm eq 'lofty' ? 1 : 0, 'with what went along, and no more');
		is(scalar $t->requests($user, $crm, since => $mark), 0, 'no request was begun after the disconnect');
		gone($user->{$crm}, 'nothing has come back');
	});

	$t->behaviour("$LABEL{$crm}: a search that is in flight is followed by no create", sub {
		my $user = $t->user($crm => 1);

		$t->fault_for($user, $crm, { method => 'GET', path => $people }, { type => 'delay', ms => 1000 }, times => -1);
		my $lead = $t->lead($user);
		$t->wait_for_requests($user, $crm, 1, method => 'GET', path => $people);
		my ($began, $mark) = (time, $t->mark);
		disconnect($user, $crm);
		wait_for_end($began);
		is($t->n_records($user, $crm), 0, 'no record');
		is(scalar $t->requests($user, $crm, since => $mark), 0, 'no request after the disconnect');
		is(($t->log_lines($user, lead => $lead))[0], 'none skipped disconnected', 'the log says why');
		gone($user->{$crm}, 'nothing is left');
	});

	$t->behaviour("$LABEL{$crm}: a CRM that is silent holds it up no longer than the request timeout", sub {
		my $user = $t->user($crm => 1);

		$t->fault_for($user, $crm, { path => $people }, { type => 'hang' }, times => -1);
		my $lead = $t->lead($user);
		$t->wait_for_requests($user, $crm, 1, path => $people);
		my ($began, $mark) = (time, $t->mark);
		disconnect($user, $crm);
		cmp_ok(time - $began, '<', 2.5, 'disconnecting itself waits for nothing');
		wait_for_end($began);
		is(scalar $t->requests($user, $crm, since => $mark), 0, 'it is not tried again');
		is(($t->log_lines($user, lead => $lead))[0], 'none skipped disconnected', 'the log says why');
		gone($user->{$crm}, 'nothing is left');
	});

	$t->behaviour("$LABEL{$crm}: a lead that the CRM refuses after the disconnect leaves no dead letter, and no copy of itself", sub {
		my $user = $t->user($crm => 1);

		$t->fault_for($user, $crm, { method => 'POST', path => $people }, { type => 'status', status => 400, body => {} });
		$t->knob($crm, 'latency_ms', 1000);
		webhook($user);
		$t->wait_for_requests($user, $crm, 1, method => 'POST', path => $people);
		my $began = time;
		disconnect($user, $crm);
		wait_for_end($began);
		gone($user->{$crm}, 'nothing is left');
		ok((grep { $_ eq 'none failed' } $t->log_lines($user)), 'its failure is in the log');
	});
}

$t->behaviour('a token that is being refreshed is not stored', sub {
	my $user = $t->user;

	$t->connect_fub_oauth($user);
	$t->lead($user);
	$t->drain($user);
	$t->agent($user, 'fub', 0, 'expire_access');
	$t->fault('fub_app', { path => '/oauth/token' }, { type => 'delay', ms => 1000 });
	my $mark = $t->mark;
	my $lead = $t->lead($user);
	$t->wait_until('the refresh is under way', sub { $t->requests(undef, 'fub_app', since => $mark, path => '/oauth/token') });
	my $began = time;
	disconnect($user, 'fub');
	wait_for_end($began);
	gone($user->{fub}, 'nothing is left');
	is(($t->log_lines($user, lead => $lead))[0], 'none skipped disconnected', 'the lead that waited for it is cancelled');
	is(scalar $t->requests($user, 'fub', since => $mark), 1, 'and was not sent');
});

$t->behaviour('a lead that is queued by a transaction which began before is cancelled when it commits', sub {
	my $user = $t->user(lofty => 1);
	my $session = $t->session_as($user);

	$session->query_safe('BEGIN');
	my $lead = $session->query_safe("INSERT INTO leads (user_id, phone, first_name, risk_score) VALUES ('$user->{id}', '" . $t->new_phone . "', 'Late', 5) RETURNING id");
	disconnect($user, 'lofty');
	my $mark = $t->mark;
	$session->query_safe('COMMIT');
	$session->quit;
	$t->wait_for_sql("SELECT count(*) FROM crm_sync_queue WHERE integration_id = '$user->{lofty}'", '0');
	is_deeply([ $t->log_lines($user, lead => $lead) ], ['none skipped disconnected'], 'with a row in the log');
	is(scalar $t->requests($user, 'lofty', since => $mark), 0, 'and is not sent');
});

$t->behaviour('a crash right after it brings nothing back', sub {
	my $user = $t->user(lofty => 1, fub => 1);

	$t->sql_as($user, "SELECT echosync_pause('$user->{$_}')") for qw(lofty fub);
	my $lead = $t->lead($user);
	disconnect($user, $_) for qw(lofty fub);
	my $mark = $t->mark;
	$t->crash_server;
	$t->change($lead, first_name => 'After');
	$t->wait_for_sql("SELECT string_agg(DISTINCT state, ',') FROM echosync_workers", 'idle');
	is(scalar $t->requests($user, $_, since => $mark), 0, "$LABEL{$_} is not called") for qw(lofty fub);
	gone($user->{$_}, 'nothing is left') for qw(lofty fub);
});

$t->behaviour('two at once: both are told that it is gone, and it is gone once', sub {
	my $user = $t->user(lofty => 1);
	my $lead = do { $t->sql_as($user, "SELECT echosync_pause('$user->{lofty}')"); $t->lead($user) };
	my @sessions = map { $t->session_as($user) } 1 .. 2;

	$sessions[0]->query_safe('BEGIN');
	$sessions[0]->query_safe("SELECT echosync_disconnect('$user->{lofty}')");
	$sessions[1]{stdin} .= "SELECT echosync_disconnect('$user->{lofty}');\n\\echo ended\n";
	$sessions[1]{run}->pump_nb;
	$t->wait_for_sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%disconnect%'", '1');
	$sessions[0]->query_safe('COMMIT');
	$t->wait_until('the second has ended', sub { $sessions[1]{run}->pump_nb; $sessions[1]{stdout} =~ /ended/ || $sessions[1]{stderr} =~ /ERROR/ });
	unlike($sessions[1]{stderr}, qr/ERROR:(?!.*not found)/, 'no error but that it is not there');
	$_->quit for @sessions;
	gone($user->{lofty}, 'nothing is left');
	is_deeply([ $t->log_lines($user, lead => $lead) ], ['none skipped disconnected'], 'one row for its lead');
});

$t->behaviour('what was queued beside the disconnect, and nobody heard of, is cancelled when a worker starts', sub {
	my $user = $t->user(lofty => 1);
	my $id = $user->{lofty};
	my $mark = $t->mark;

	$t->queue_unseen($user, 'lofty');
	$t->sql('SELECT pg_terminate_backend(pid) FROM echosync_workers');
	eval { $t->wait_for_sql("SELECT count(*) FROM crm_sync_queue WHERE integration_id = '$id'", '0', 20) } or fail('it is gone');
	is_deeply([ $t->log_lines($user, crm => 'lofty') ], ['none skipped disconnected'], 'the log says so');
	is($t->connect_lofty($user), $id, 'connected again, it is the same connection');
	$t->lead($user, first_name => 'Later');
	$t->drain($user);
	is_deeply([ map { $_->{firstName} } $t->records($user, 'lofty') ], ['Later'], 'and what was cancelled is not sent');
	is(scalar $t->requests($user, 'lofty', since => $mark, method => 'POST', path => $PEOPLE{lofty}), 1, 'nor was it tried');
});

# Put back in SQL, as it was: the worker, which would have to ask the CRM, waits.
$t->behaviour('a user who connects again while the worker cancels loses no new lead', sub {
	my $user = $t->user(lofty => 1);
	my $phone = $t->new_phone;
	my $session = $t->session;

	$session->query_safe($_) for "CREATE TEMP TABLE integration AS SELECT * FROM crm_integrations WHERE id = '$user->{lofty}'",
	  "CREATE TEMP TABLE credential AS SELECT * FROM crm_credentials WHERE integration_id = '$user->{lofty}'";
	$t->queue_unseen($user, 'lofty');

	# The worker has seen that the connection is gone, and is about to delete.
	$session->query_safe($_) for 'BEGIN', 'LOCK TABLE crm_sync_queue IN SHARE ROW EXCLUSIVE MODE';
	$t->sql("SELECT echosync_wake('$user->{lofty}')");
	$session->query_safe(<<"SQL");
DO \$\$
BEGIN
	WHILE NOT EXISTS (SELECT FROM pg_locks WHERE relation = 'crm_sync_queue'::regclass AND NOT granted) LOOP
		PERFORM pg_sleep(0.001);
	END LOOP;
	INSERT INTO crm_integrations SELECT * FROM integration;
	INSERT INTO crm_credentials SELECT * FROM credential;
	INSERT INTO leads (user_id, first_name, phone, risk_score) VALUES ('$user->{id}', 'New', '$phone', 1);
END
\$\$;
COMMIT;
SQL
	$session->quit;
	$t->drain($user, 20);
	is(scalar(grep { $_->{firstName} eq 'New' } $t->records($user, 'lofty')), 1, 'the lead is there');
});

$t->behaviour('a session in REPEATABLE READ disconnects while the queue drains, whatever it has read before', sub {
	my $user = $t->user(lofty => 1);
	my $session = $t->session_as($user);
	my $changed = "SELECT last_sync_at FROM crm_integrations WHERE id = '$user->{lofty}'";

	$t->knob('lofty', 'latency_ms', 20);
	$session->query_safe("BEGIN; INSERT INTO leads (user_id, first_name, phone, risk_score) SELECT '$user->{id}', 'Many', '801555' || lpad(g::text, 4, '0'), 5 FROM generate_series(1, 3000) g; COMMIT");
	$t->wait_until('it drains', sub { $t->sql($changed) ne '' });
	$session->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ');
	my $seen = $session->query_safe($changed);
	$t->wait_until('the worker has written to the connection since', sub { $t->sql($changed) ne $seen });
	cmp_ok($session->query_safe('SELECT count(*) FROM crm_sync_queue'), '>', 0, 'leads wait');
	is($session->query_safe("SELECT 'done' FROM echosync_disconnect('$user->{lofty}'); COMMIT"), 'done', 'it is no error');
	$session->quit;
	$t->wait_for_sql("SELECT count(*) FROM crm_sync_queue WHERE integration_id = '$user->{lofty}'", '0');
	wait_for_end(time);
	gone($user->{lofty}, 'nothing is left');
	cmp_ok(scalar(grep { $_ eq 'none skipped disconnected' } $t->log_lines($user)), '>', 0, 'what waited is in the log');
	is($t->sql("SELECT count(*) FROM (SELECT lead_id FROM crm_sync_logs WHERE user_id = '$user->{id}' GROUP BY 1) l"), '3000', 'each lead is, one way or the other');
});

$t->behaviour('who connects again before a worker has cancelled has nothing sent that was queued before', sub {
	my $user = $t->user(lofty => 1);
	my $session = $t->session_as($user);

	$t->sql_as($user, "SELECT echosync_pause('$user->{lofty}')");
	my $lead = $t->lead($user, first_name => 'Before');
	$session->query_safe('BEGIN');
	$session->query_safe("SELECT echosync_disconnect('$user->{lofty}')");
	is($session->query_safe("SELECT echosync_connect('lofty', '$user->{keys}{lofty}')"), $user->{lofty}, 'in one transaction, it is the same connection');
	$session->query_safe('COMMIT');
	$session->quit;
	$t->lead($user, first_name => 'After');
	$t->drain($user);
	is_deeply([ map { $_->{firstName} } $t->records($user, 'lofty') ], ['After'], 'only what came after is sent');
	is_deeply([ $t->log_lines($user, lead => $lead) ], ['none skipped disconnected'], 'the other is in the log');
});

$t->done;
