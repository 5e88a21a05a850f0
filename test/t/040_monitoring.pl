# What the views say, how exact it is, and what it costs to ask.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use IPC::Run;
use Test::More;

my $t = EchosyncFaults->start(conf => "max_prepared_transactions = 2\n");

# The counters are a worker's to make: from then on a number is a counter's.
sub wait_for_counters
{
	return $t->wait_for_sql("SELECT value = (SELECT count(*) FROM crm_integrations) FROM echosync_metrics"
		  . " WHERE name = 'echosync_connections_counted'");
}

sub status { return ($t->rows("SELECT * FROM echosync_status WHERE integration_id = '$_[0]{$_[1]}'"))[0] }

# The counter is what the table has.
sub counter_is
{
	my ($user, $crm, $expected, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $queued = status($user, $crm)->{queued};
	my $counted = $t->queued($user, $crm);

	return is("$queued of $counted", "$expected of $expected", $name);
}

sub pages_read
{
	my ($sql) = @_;
	my $plan = $t->sql("EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, COSTS OFF) $sql");
	my ($hit) = $plan =~ /Buffers: shared hit=(\d+)/;
	my ($read) = $plan =~ /Buffers: shared(?: hit=\d+)? read=(\d+)/;

	return ($hit || 0) + ($read || 0);
}

$t->behaviour('queued follows every way in and out of the queue', sub {
	my $user = $t->user(lofty => 1, fub => 1);
	my $other = $t->user(lofty => 1);

	$t->sql_as($_->[0], "SELECT echosync_pause('$_->[0]{$_->[1]}')") for [ $user, 'lofty' ], [ $user, 'fub' ], [ $other, 'lofty' ];
	wait_for_counters;
	my @ids = $t->leads($user, 50);
	counter_is($user, 'lofty', 50, 'one statement for two connections: fifty in Lofty');
	counter_is($user, 'fub', 50, 'and in Follow Up Boss');
	counter_is($other, 'lofty', 0, 'and nothing for anybody else');

	$t->sql("BEGIN; INSERT INTO leads (user_id, phone, risk_score) VALUES ('$user->{id}', '8015550001', 5); ROLLBACK");
	counter_is($user, 'lofty', 50, 'a transaction that is rolled back counts nothing');
	$t->sql(<<"SQL");
BEGIN;
INSERT INTO leads (user_id, phone, risk_score) VALUES ('$user->{id}', '8015550002', 5);
SAVEPOINT a;
INSERT INTO leads (user_id, phone, risk_score) VALUES ('$user->{id}', '8015550003', 5), ('$other->{id}', '8015550003', 5);
SAVEPOINT b;
INSERT INTO leads (user_id, phone, risk_score) VALUES ('$user->{id}', '8015550004', 5);
RELEASE b;
ROLLBACK TO a;
INSERT INTO leads (user_id, phone, risk_score) VALUES ('$user->{id}', '8015550005', 5);
SAVEPOINT c;
INSERT INTO leads (user_id, phone, risk_score) VALUES ('$user->{id}', '8015550006', 5);
RELEASE c;
COMMIT;
SQL
	counter_is($user, 'lofty', 53, 'a savepoint that is rolled back counts nothing, one that is released does');
	counter_is($other, 'lofty', 0, 'for nobody');
	$t->sql(<<"SQL");
DO \$\$ BEGIN
    FOR i IN 1 .. 40 LOOP
        BEGIN
            INSERT INTO leads (user_id, phone, risk_score) VALUES ('$user->{id}', '80155510' || 10 + i, 5);
            PERFORM 1 / (i % 4);
        EXCEPTION WHEN division_by_zero THEN NULL;
        END;
    END LOOP;
END \$\$;
SQL
	counter_is($user, 'lofty', 83, 'a loop of forty, ten of which failed');
	$t->sql("DELETE FROM leads WHERE id IN ($ids[0], $ids[1], $ids[2])");
	counter_is($user, 'lofty', 80, 'deleted leads are cancelled');
	$t->sql("UPDATE leads SET user_id = '$other->{id}' WHERE id = $ids[3]");
	counter_is($user, 'lofty', 79, 'a lead that changes hands leaves');
	counter_is($other, 'lofty', 1, 'and comes');
	$t->sql_as($user, "SELECT queued FROM echosync_manual_sync('$user->{lofty}')");
	is(status($user, 'lofty')->{queued}, $t->queued($user, 'lofty'), 'a manual sync');
	$t->sql("DELETE FROM crm_sync_queue WHERE lead_id IN ('$ids[4]', '$ids[5]')");
	is(status($user, $_)->{queued}, $t->queued($user, $_), "rows deleted by hand, $_") for qw(lofty fub);
	$t->sql_as($user, "SELECT echosync_disconnect('$user->{fub}')");
	is($t->sql("SELECT count(*) FROM echosync_status WHERE integration_id = '$user->{fub}'"), '0', 'a disconnected one has no row');
	$t->sql_as($user, "SELECT echosync_resume('$user->{lofty}')");
	$t->drain($user);
	counter_is($user, 'lofty', 0, 'and when all is delivered, none waits');
	$t->sql('TRUNCATE crm_sync_queue');
	counter_is($other, 'lofty', 0, 'TRUNCATE is noticed');
	$t->lead($other);
	counter_is($other, 'lofty', 1, 'and what comes after it');
	$t->sql_as($other, "SELECT echosync_resume('$other->{lofty}')");
	$t->drain($other);
	counter_is($other, 'lofty', 0, 'until it is delivered');
});

$t->behaviour('failed leads, retried and discarded, are counted', sub {
	my $user = $t->user(lofty => 1);

	$t->fault_for($user, 'lofty', { method => 'POST', path => '/v1.0/leads' }, { type => 'status', status => 400, body => {} }, times => -1);
	$t->leads($user, 3);
	$t->drain($user);
	is(status($user, 'lofty')->{failed}, 3, 'three dead letters');
	$t->sql_as($user, "SELECT echosync_pause('$user->{lofty}')");
	wait_for_counters;
	$t->sql_as($user, "SELECT echosync_retry_failed('$user->{lofty}')");
	counter_is($user, 'lofty', 3, 'retried: queued');
	is(status($user, 'lofty')->{failed}, 0, 'and no longer failed');
	$t->clear_faults;
	$t->sql_as($user, "SELECT echosync_resume('$user->{lofty}')");
	$t->drain($user);
	counter_is($user, 'lofty', 0, 'delivered');
	$t->lead($user, first_name => 'Skipped', risk_score => 90);
	my $status = status($user, 'lofty');
	is("$status->{synced_24h} $status->{failed_24h}", '3 3', 'the last 24 hours: three sent, three failed; what is skipped is neither');
	is("$status->{synced_24h} $status->{failed_24h}", $t->sql(
		"SELECT count(*) FILTER (WHERE status = 'success') || ' ' || count(*) FILTER (WHERE status = 'failed')"
		  . " FROM crm_sync_logs WHERE integration_id = '$user->{lofty}'"), 'as the log has it');
	$t->sql("UPDATE crm_sync_hours SET hour = hour - interval '25 hours' WHERE integration_id = '$user->{lofty}'");
	$t->lead($user);
	$t->drain($user);
	is(status($user, 'lofty')->{synced_24h}, 1, 'what is older than a day is not in it');
});

$t->behaviour('a worker that starts counts what is there, large queues in pieces, while others are served', sub {
	my $user = $t->user(lofty => 1);
	my $quick = $t->user(lofty => 1);

	$t->sql_as($user, "SELECT echosync_pause('$user->{lofty}')");
	$t->leads($user, 45_000);
	$t->sql_as($user, "SELECT queued FROM echosync_manual_sync('$user->{lofty}', ARRAY['1'])");
	$t->node->restart;
	my $lead = $t->lead($quick);
	$t->drain($quick);
	wait_for_counters;
	counter_is($user, 'lofty', 45_000, 'after a restart');
	$t->kill_worker;
	wait_for_counters;
	counter_is($user, 'lofty', 45_000, 'and after a crash');
	$t->sql("DELETE FROM crm_sync_queue WHERE ctid IN (SELECT ctid FROM crm_sync_queue WHERE integration_id = '$user->{lofty}' LIMIT 44000)");
	counter_is($user, 'lofty', 1_000, 'forty-four thousand cancelled');
});

$t->behaviour('echosync_status and echosync_metrics cost the same whatever waits', sub {
	my $user = $t->user(lofty => 1);

	$t->sql_as($user, "SELECT echosync_pause('$user->{lofty}')");
	wait_for_counters;
	$t->leads($user, 30_000);
	$t->sql('VACUUM ANALYZE crm_sync_queue');
	counter_is($user, 'lofty', 30_000, 'thirty thousand wait');
	my ($first) = $t->rows("SELECT min(queued_at) AS at FROM crm_sync_queue WHERE integration_id = '$user->{lofty}'");
	is(status($user, 'lofty')->{oldest_queued_at}, $first->{at}, 'the oldest is known');
	my $pages = $t->sql("SELECT relpages FROM pg_class WHERE relname = 'crm_sync_queue'");
	my $n = $t->sql('SELECT count(*) FROM crm_integrations');

	cmp_ok($pages, '>', 300, 'the queue has hundreds of pages');
	cmp_ok(pages_read('SELECT * FROM echosync_status'), '<', 40 * $n, 'echosync_status reads a few for each connection');
	cmp_ok(pages_read("SELECT * FROM echosync_metrics WHERE name LIKE 'echosync_queue%'"), '<', 40 * $n, 'so does echosync_metrics');
	is($t->sql("SELECT value FROM echosync_metrics WHERE name = 'echosync_queue_depth' AND labels @> '{\"crm\": \"lofty\", \"status\": \"paused\"}'"),
		$t->sql("SELECT count(*) FROM crm_sync_queue q JOIN crm_integrations i ON i.id = q.integration_id WHERE i.status = 'paused' AND i.crm_type = 'lofty'"),
		'which sums them up');
});

$t->behaviour('a prepared transaction is missed until its rows are delivered', sub {
	my $user = $t->user(lofty => 1);

	$t->sql_as($user, "SELECT echosync_pause('$user->{lofty}')");
	wait_for_counters;
	$t->sql("BEGIN; INSERT INTO leads (user_id, phone, risk_score) VALUES ('$user->{id}', '8015550091', 5); PREPARE TRANSACTION 'monitoring'");
	$t->lead($user);
	$t->sql("COMMIT PREPARED 'monitoring'");
	is($t->queued($user, 'lofty'), '2', 'two wait');
	$t->sql_as($user, "SELECT echosync_resume('$user->{lofty}')");
	$t->drain($user);
	is(scalar $t->records($user, 'lofty'), 2, 'both are delivered');
	is(status($user, 'lofty')->{queued}, 0, 'and none waits: less than none is none');
	$t->lead($user);
	$t->drain($user);
	$t->sql_as($user, "SELECT echosync_pause('$user->{lofty}')");
	$t->lead($user);
	counter_is($user, 'lofty', 1, 'from then on it is exact again');
});

sub metric
{
	my ($name, $labels) = @_;

	return $t->sql("SELECT value FROM echosync_metrics WHERE name = '$name' AND labels = '" . ($labels || '{}') . "'");
}

$t->behaviour('histograms and totals say what was done, and outlive the worker', sub {
	my $user = $t->user(lofty => 1);
	my %before = map { $_ => metric($_) } qw(echosync_requests_total echosync_synced_total);
	my $crm = '{"crm": "lofty"}';
	my ($ages, $answers, $sum) = map { metric($_, $crm) }
	  qw(echosync_queue_age_seconds_count echosync_crm_answer_seconds_count echosync_crm_answer_seconds_sum);
	my $quick = '{"crm": "lofty", "le": "0.25"}';
	my $quick_before = metric('echosync_crm_answer_seconds_bucket', $quick);
	my $mark = $t->mark;

	$t->knob('lofty', 'latency_ms', 300);
	$t->leads($user, 5);
	$t->drain($user);
	my $requests = $t->requests($user, 'lofty', since => $mark);
	is(metric('echosync_queue_age_seconds_count', $crm) - $ages, 5, 'the ages of five leads');
	is(metric('echosync_crm_answer_seconds_count', $crm) - $answers, $requests, 'an answer for each request');
	is(metric('echosync_requests_total') - $before{echosync_requests_total}, $requests, 'requests');
	is(metric('echosync_synced_total') - $before{echosync_synced_total}, 5, 'leads');
	for my $name (qw(echosync_queue_age_seconds echosync_crm_answer_seconds))
	{
		my @buckets = $t->rows("SELECT labels->>'le' AS le, value FROM echosync_metrics WHERE name = '${name}_bucket'"
			  . " AND labels->>'crm' = 'lofty' ORDER BY replace(labels->>'le', '+Inf', 'Infinity')::float8");

		is($buckets[-1]{le}, '+Inf', "$name: a bucket for all");
		is($buckets[-1]{value}, metric("${name}_count", $crm), 'which has all');
		is(scalar(grep { $buckets[$_]{value} < $buckets[ $_ - 1 ]{value} } 1 .. $#buckets), 0, 'and each has what those below have');
	}
	is(metric('echosync_crm_answer_seconds_bucket', $quick), $quick_before, 'answers that took 0.3 s are above 0.25');
	cmp_ok(metric('echosync_crm_answer_seconds_sum', $crm) - $sum, '>=', 0.3 * $requests, 'and in the sum');

	my $total = metric('echosync_requests_total');
	my $pid = $t->wait_for_worker;
	$t->sql("SELECT pg_terminate_backend($pid)");
	$t->wait_until('another worker is there', sub { my ($now) = $t->worker_pids; $now && $now != $pid });
	is($t->sql('SELECT requests FROM echosync_workers WHERE database = current_database()'), '0', 'a new worker has done nothing');
	is(metric('echosync_requests_total'), $total, 'but the total stands');
	is(metric('echosync_queue_age_seconds_count', $crm) - $ages, 5, 'and the histogram');
});

$t->behaviour('synced_24h and failed_24h are what the log says, though workers end while leads drain', sub {
	my $user = $t->user(lofty => 1);
	my $counted = "SELECT synced_24h || ' ' || failed_24h FROM echosync_status WHERE integration_id = '$user->{lofty}'";
	my $logged = "SELECT count(*) FILTER (WHERE status = 'success') || ' ' || count(*) FILTER (WHERE status = 'failed')"
	  . " FROM crm_sync_logs WHERE integration_id = '$user->{lofty}'";

	$t->configure('echosync.uncertain_wait' => '300ms');
	$t->knob('lofty', 'latency_ms', 50);
	$t->fault_for($user, 'lofty', { method => 'POST' }, { type => 'status', status => 400, body => { code => 20012, message => 'x' } }, times => 3);
	$t->leads($user, 120);
	for my $n (15, 60)
	{
		$t->wait_for_sql("SELECT count(*) >= $n FROM crm_sync_logs WHERE integration_id = '$user->{lofty}'");
		my $pid = $t->wait_for_worker;
		$t->sql("SELECT pg_terminate_backend($pid)");
		$t->wait_until('another worker is there', sub { my ($now) = $t->worker_pids; $now && $now != $pid });
	}
	$t->knob('lofty', 'latency_ms', 0);
	$t->drain($user);
	is($t->sql($counted), $t->sql($logged), 'after the last lead');
	is_deeply($t->tally($user, 'lofty'), { leads => 120, once => 117, lost => 3, doubled => 0 }, 'all were sent but the three that were refused');
	$t->deconfigure('echosync.uncertain_wait');
});

$t->behaviour('pg_stat_activity says what the worker is doing', sub {
	my $user = $t->user(fub => 1);
	my $doing = "SELECT concat_ws('|', application_name, state, wait_event_type, query) FROM pg_stat_activity"
	  . " WHERE backend_type = 'echosync worker' AND datname = current_database()";

	$t->wait_for_sql($doing, 'echosync worker|idle|Extension|echosync: waiting for queued leads');
	$t->fault_for($user, 'fub', {}, { type => 'hang' }, times => -1);
	$t->lead($user);
	$t->wait_for_sql($doing, 'echosync worker|idle|Extension|echosync: 1 requests under way');
	is($t->sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'echosync worker' AND xact_start IS NOT NULL"), '0', 'and no transaction is open meanwhile');
	$t->wait_until('it waits for its probe', sub {
		$t->sql($doing) =~ /^echosync worker\|idle\|Extension\|echosync: waiting for a limit, a retry or a probe until 20/;
	});
	$t->clear_faults;
	$t->drain($user);
	$t->configure('echosync.enabled' => 'off');
	$t->wait_for_sql($doing, 'echosync worker|idle|Extension|echosync: not sending, disabled');
	$t->deconfigure('echosync.enabled');
});

$t->behaviour('a worker that does not go round is seen', sub {
	my $user = $t->user(lofty => 1);

	cmp_ok(metric('echosync_worker_progress_seconds'), '<', 60, 'one that sleeps with nothing to do makes progress');
	my $pid = $t->wait_for_worker;
	kill 'STOP', $pid or die "could not stop $pid\n";
	eval {
		$t->lead($user);
		$t->wait_for_sql("SELECT value > 2 FROM echosync_metrics WHERE name = 'echosync_worker_progress_seconds'");
		pass('one that does not wake when it should makes none');
		is(metric('echosync_worker_up'), 1, 'although it is there');
		1;
	} or fail($@);
	kill 'CONT', $pid;
	$t->drain($user);
	$t->wait_for_sql("SELECT value < 1 FROM echosync_metrics WHERE name = 'echosync_worker_progress_seconds'");
});

$t->behaviour('echosync_runs and a manual sync say how long it will take', sub {
	# Before the user connects: what the CRM says of its limit then counts.
	$t->configure('echosync.lofty_rate_limit' => 10);
	$t->knob('lofty', 'rate_limits_off', FALSE);
	my $user = $t->user(lofty => 1);
	my $runs = "FROM echosync_runs WHERE integration_id = '$user->{lofty}'";
	my ($out, $said) = ('', '');

	$t->sql("SET echosync.capture = off; INSERT INTO leads (user_id, phone, first_name, risk_score)"
		  . " SELECT '$user->{id}', (8017000000 + i)::text, 'Run', 5 FROM generate_series(1, 60) i");
	IPC::Run::run([ 'psql', '-XAtq', '-d', $t->node->connstr('postgres') . ' user=app', '-f', '-' ],
		'<', \"SET echosync.user_id = '$user->{id}'; SELECT queued FROM echosync_manual_sync('$user->{lofty}')",
		'>', \$out, '2>', \$said);
	is($out, "60\n", 'sixty leads are queued');
	like($said, qr/NOTICE:  60 leads queued, expected to take about 19 minutes/, 'three calls each, at ten a minute');
	like($said, qr/DETAIL:  Lofty allows 10 calls in 60 s, and a new lead needs 3\./, 'it says why');
	my ($watch) = $said =~ /HINT:  (SELECT .*) \\watch 10/;
	my ($run) = $t->rows_as($user, $watch);
	is($run->{total}, 60, 'what it says to watch can be watched');
	$t->wait_for_sql("SELECT done >= 1 $runs");
	($run) = $t->rows("SELECT done, total, seconds_left, estimated_finish - clock_timestamp() BETWEEN"
		  . " make_interval(secs => seconds_left - 5) AND make_interval(secs => seconds_left + 5) AS agree $runs");
	cmp_ok(abs($run->{seconds_left} - 18.9 * (60 - $run->{done})), '<', 70, 'the run says how long what is left takes');
	is($run->{agree}, TRUE, 'and until when');
	$t->sql_as($user, "SELECT echosync_pause('$user->{lofty}')");
	is($t->sql("SELECT seconds_left IS NULL $runs"), 't', 'while it is paused nobody knows');
	$t->sql_as($user, "SELECT echosync_disconnect('$user->{lofty}')");
	is($t->sql("SELECT finished_at IS NOT NULL AND seconds_left IS NULL $runs"), 't', 'disconnected, it is over');

	# One that the limits leave alone.
	$t->configure('echosync.lofty_rate_limit' => 1000000);
	$t->knob('lofty', 'rate_limits_off', TRUE);
	my $quick = $t->user(lofty => 1);
	$t->leads($quick, 3);
	$t->drain($quick);
	$t->sql_as($quick, "SELECT echosync_manual_sync('$quick->{lofty}')");
	$t->drain($quick);
	is($t->sql("SELECT done || ' ' || total || ' ' || (finished_at IS NOT NULL AND seconds_left IS NULL)"
		  . " FROM echosync_runs WHERE integration_id = '$quick->{lofty}'"), '3 3 true', 'a run that is done has nothing left');
});

$t->behaviour('the estimate follows the limit, as it is set and as the CRM tells it', sub {
	$t->knob('lofty', 'rate_limit', 600);
	$t->knob('lofty', 'rate_header_mode', 'none');
	$t->knob('lofty', 'rate_limits_off', FALSE);
	$t->configure('echosync.lofty_rate_limit' => 10);
	my $user = $t->user(lofty => 1);
	my $other = $t->user(lofty => 1);
	my $late = $t->sql("SET echosync.capture = off; INSERT INTO leads (user_id, phone, risk_score) VALUES ('$other->{id}', '8017999999', 5) RETURNING id");
	my $run = "FROM echosync_runs WHERE integration_id = '$user->{lofty}'";
	my $seconds_a_lead = "SELECT round((seconds_left / nullif(total - done, 0))::numeric) $run";

	$t->sql("SET echosync.capture = off; INSERT INTO leads (user_id, phone, email, first_name, risk_score)"
		  . " SELECT '$user->{id}', (8017100000 + i)::text, 'run' || i || '\@example.com', 'Run', 5 FROM generate_series(1, 100) i");
	$t->sql_as($user, "SELECT queued FROM echosync_manual_sync('$user->{lofty}')");
	$t->wait_for_sql("SELECT done >= 1 $run");
	is($t->sql($seconds_a_lead), '19', 'three calls at ten a minute');
	$t->configure('echosync.lofty_rate_limit' => 20);
	is($t->sql($seconds_a_lead), '9', 'at twenty, half of that');
	$t->configure('echosync.enabled' => 'off');
	is($t->sql("SELECT seconds_left IS NULL AND estimated_finish IS NULL $run"), 't', 'while sending is switched off nobody knows');
	my ($out, $said) = ('', '');
	IPC::Run::run([ 'psql', '-XAtq', '-d', $t->node->connstr('postgres') . ' user=app', '-f', '-' ],
		'<', \"SET echosync.user_id = '$other->{id}'; SELECT queued FROM echosync_manual_sync('$other->{lofty}', ARRAY['$late'])",
		'>', \$out, '2>', \$said);
	like($said, qr/NOTICE:  1 leads queued\nDETAIL:  Sending is switched off by echosync.enabled: they wait\./, 'nor does a manual sync');
	$t->deconfigure('echosync.enabled');
	$t->knob('lofty', 'rate_header_mode', 'epoch_s');
	$t->configure('echosync.lofty_rate_limit' => 60);
	$t->wait_for_sql("SELECT finished_at IS NOT NULL OR seconds_left / (total - done) < 0.5 $run");
	pass('what the CRM tells counts, not what is set');
	$t->sql_as($user, "SELECT echosync_disconnect('$user->{lofty}')");
	$t->knob('lofty', 'rate_limits_off', TRUE);
	$t->knob('lofty', $_) for qw(rate_limit rate_header_mode);
	$t->configure('echosync.lofty_rate_limit' => 1000000);
});

$t->behaviour('old log rows go in small batches, the rest stays, and nobody waits', sub {
	my $user = $t->user(lofty => 1);
	my $old = sub { return $t->sql("SELECT count(*) FROM crm_sync_logs WHERE lead_id = 'old'") };

	$t->sql("INSERT INTO crm_sync_logs (id, integration_id, user_id, crm_type, lead_id, sync_type, action, status, logged_at)"
		  . " SELECT i - 10000, '$user->{lofty}', '$user->{id}', 'lofty', CASE WHEN i <= 5000 THEN 'old' ELSE 'young' END,"
		  . " 'auto', 'none', 'skipped', now() - make_interval(days => CASE WHEN i <= 5000 THEN 6 ELSE 3 END)"
		  . ' FROM generate_series(1, 5010) i');
	$t->sql("INSERT INTO crm_sync_hours (integration_id, hour, synced, failed) VALUES ('$user->{lofty}', now() - interval '30 hours', 1, 0)");
	my $holder = $t->session;
	$holder->query_safe('BEGIN; SELECT FROM crm_sync_logs WHERE id = -9999 FOR UPDATE');
	$t->configure('echosync.log_retention' => 5);
	$t->lead($user);
	$t->drain($user);
	pass('leads are sent meanwhile');
	$t->wait_until('the old rows are gone, but for one that somebody holds', sub { $old->() eq '1' });
	is($t->sql("SELECT count(*) FROM crm_sync_logs WHERE lead_id = 'young'"), '10', 'younger ones stay');
	is($t->sql("SELECT count(*) FROM crm_sync_logs WHERE user_id = '$user->{id}' AND status = 'success'"), '1', 'and those of today');
	$t->wait_for_sql("SELECT count(*) = 0 FROM crm_sync_hours WHERE hour < now() - interval '25 hours'");
	is($t->sql("SELECT coalesce(max(last_error), 'none') FROM echosync_workers"), 'none', 'the worker waited for no lock');
	$holder->query_safe('COMMIT');
	$holder->quit;
	$t->configure('echosync.log_retention' => 4);
	$t->wait_until('it goes the next time', sub { $old->() eq '0' });
	$t->deconfigure('echosync.log_retention');
});

$t->done;
