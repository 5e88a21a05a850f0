# What the views say, how exact it is, and what it costs to ask.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
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

$t->done;
