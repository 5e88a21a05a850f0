# Standbys, restored dumps and cloned databases: a copy must not send, until it
# takes the place of the original.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use Test::More;
use Time::HiRes qw(time);

my $t = EchosyncFaults->start(conf => <<'CONF');
echosync.uncertain_wait = '1500ms'
wal_level = logical
max_wal_senders = 5
max_replication_slots = 5
hot_standby = on
CONF

my %LABEL = (lofty => 'Lofty', fub => 'Follow Up Boss');
my @TABLES = qw(crm_integrations crm_credentials crm_lead_links crm_sync_queue crm_sync_attempts crm_dead_letters
  crm_sync_logs crm_sync_runs crm_lead_sources crm_disconnected);

# Everything that a copy has to carry over, table by table, as text.
sub contents
{
	my ($of) = @_;

	return { map {
		my $table = $_;
		my $row = $table eq 'crm_lead_sources' ? "to_jsonb(r) - 'relation' || jsonb_build_object('relation', r.relation::text)" : 'to_jsonb(r)';
		($table => $of->sql("SELECT coalesce(json_agg($row ORDER BY to_jsonb(r)::text), '[]') FROM $table r"))
	} @TABLES };
}

sub restore
{
	my ($from, $to) = @_;
	my ($source, $target) = map { $t->node->connstr($_) } $from, $to;

	$t->sql("CREATE DATABASE $to ENCODING 'UTF8' TEMPLATE template0");
	PostgreSQL::Test::Utils::system_or_bail('sh', '-c', "pg_dump -d '$source' | psql -X -q -v ON_ERROR_STOP=1 -d '$target' >/dev/null");
	return $t->in_database($to);
}

# A user with something of everything: sent leads, one that waits, one in
# doubt, a dead letter, a run, a connection that was ended.
sub furnish
{
	my ($where) = @_;
	my $user = $where->user(lofty => 1, fub => 1);
	my $former = $where->user(lofty => 1);

	$where->fault_for($user, 'lofty', { method => 'POST', body_contains => 'Refused' }, { type => 'status', status => 400, body => {} }, times => -1);
	$where->fault_for($user, 'fub', { method => 'POST', body_contains => 'Doubtful' }, { type => 'ok_without_id' });
	$user->{sent} = $where->lead($user, first_name => 'Sent', notes => 'Met at the fair');
	$user->{refused} = $where->lead($user, first_name => 'Refused');
	$where->drain($_) for $user, $former;
	$where->sql_as($user, "SELECT echosync_manual_sync('$user->{lofty}')");
	$where->sql_as($former, "SELECT echosync_disconnect('$former->{lofty}')");
	$user->{doubtful} = $where->lead($user, first_name => 'Doubtful');
	$where->wait_until('one is in doubt', sub {
		my $attempt = $where->attempt($user, 'fub', $user->{doubtful});
		return $attempt && $attempt->{error_code};
	});
	$where->sql_as($user, "SELECT echosync_pause('$user->{fub}')");
	$where->wait_until('Lofty has all', sub { !$where->queued($user, 'lofty') });
	$where->sql_as($user, "SELECT echosync_pause('$user->{lofty}')");
	$user->{waiting} = $where->lead($user, first_name => 'Waiting');
	return $user;
}

$t->behaviour('a standby is silent; promoted it goes on, with nothing lost or doubled', sub {
	my @users = map { $t->user(lofty => 1, fub => 1) } 1 .. 2;

	$t->node->backup('base');
	my $node = PostgreSQL::Test::Cluster->new('standby');
	$node->init_from_backup($t->node, 'base', has_streaming => 1);
	$node->start;
	my $standby = $t->beside($node);
	$t->node->wait_for_catchup($node, 'replay', $t->node->lsn('write'));

	$t->knob($_, 'index_lag_seconds', 1) for qw(lofty fub);
	$t->knob($_, 'latency_ms', 100) for qw(lofty fub);
	$t->leads($_, 40, notes => 'Note %d') for @users;
	$t->wait_until('some are sent', sub { $t->n_records($users[0], 'lofty') > 8 });
	is($standby->sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'echosync%'"), '0', 'the standby has no worker');
	is($standby->sql('SELECT count(*) FROM echosync_workers'), '0', 'and says so');
	is($standby->sql("SELECT string_agg(check_name, ' ') FROM echosync_doctor() WHERE NOT ok AND check_name ~ '^(preload|worker|progress|reach)'"), '', 'which is no complaint of the doctor');
	is($standby->sql("SELECT count(*) FROM echosync_metrics WHERE name ~ '^echosync_worker'"), '0', 'and fires no alert');
	is($standby->sql('SELECT sum(queued) = (SELECT count(*) FROM crm_sync_queue) FROM echosync_status'), 't', 'what waits is known');
	cmp_ok($standby->sql('SELECT count(*) FROM crm_sync_logs'), '>', 0, 'its rows can be read');
	like($standby->error_as($users[0], "SELECT * FROM echosync_test_connection('$users[0]{lofty}')")->{message}, qr/worker|recovery|read-only/,
		'a call that needs a worker fails');

	# All that is committed has arrived when the original dies.
	$t->configure('synchronous_standby_names' => '*');
	$t->leads($_, 5) for @users;
	$t->kill_postmaster;
	my $began = time;
	$standby->node->promote;
	ok($standby->wait_for_worker, 'promoted, there is a worker');
	cmp_ok(time - $began, '<', 5, 'within 5 s');
	is($standby->worker_state =~ /^(idle|draining)$/, 1, 'which does not take itself for one of a copy');
	$standby->sql('SET synchronous_commit = local; ALTER SYSTEM RESET synchronous_standby_names');
	$standby->sql('SELECT pg_reload_conf()');
	$standby->drain($_, 60) for @users;
	for my $user (@users)
	{
		for my $crm (qw(lofty fub))
		{
			my @records = $standby->records($user, $crm);

			is_deeply($standby->tally($user, $crm, @records), $t->all_once(45), "$user->{id}, $LABEL{$crm}: each lead once");
			is(scalar $standby->notes_of($user, $crm, @records), 40, 'each note once');
		}
	}
	$standby->assert_nothing_left;
	$standby->node->stop('fast');
	$t->start_again;
	$t->sql('SET synchronous_commit = local; ALTER SYSTEM RESET synchronous_standby_names');     # the worker waits for one, too
	$t->reload;
	$t->sql('DELETE FROM crm_sync_queue; DELETE FROM crm_sync_attempts');       # the promoted one has sent these
});

$t->behaviour('promoted without what the original committed last, a standby does not create twice', sub {
	my $user = $t->user(lofty => 1, fub => 1);
	my $node = PostgreSQL::Test::Cluster->new('lagging');

	$t->node->backup('second');
	$node->init_from_backup($t->node, 'second', has_streaming => 1);
	$node->start;
	my $standby = $t->beside($node);

	# The leads arrive there; the intents and what became of them do not.
	$t->knob($_, 'index_lag_seconds', 8) for qw(lofty fub);
	$t->fault_for($user, $_, { method => 'GET' }, { type => 'delay', ms => 8000 }, times => -1) for qw(lofty fub);
	$t->leads($user, 4);
	my $queued = $t->queued($user);
	$t->node->wait_for_catchup($node, 'replay', $t->node->lsn('insert'));
	is($standby->queued($user), $queued, 'the leads are there');
	$node->append_conf('postgresql.auto.conf', "primary_conninfo = ''\nechosync.uncertain_wait = '9s'");
	$node->reload;
	$t->wait_for_sql('SELECT count(*) FROM pg_stat_replication', '0');
	is($standby->sql('SELECT count(*) FROM crm_sync_attempts WHERE intent_at IS NOT NULL'), '0', 'and no intent');
	$t->clear_faults;
	$t->wait_until('leads are created', sub { $t->n_records($user, 'lofty') > 0 && $t->n_records($user, 'fub') > 0 });
	$t->kill_postmaster;
	$node->promote;
	$standby->wait_for_worker;
	my $began = time;
	my $new = $standby->lead($user);
	$standby->wait_until('a new lead is sent', sub { $standby->sql("SELECT count(*) FROM crm_lead_links WHERE lead_id = '$new'") == 2 });
	cmp_ok(time - $began, '<', 8, 'without a wait');
	$standby->drain($user);
	is_deeply($standby->tally($user, $_), $t->all_once(5), "$LABEL{$_}: each lead once") for qw(lofty fub);
	$standby->assert_nothing_left;
	$node->stop('fast');
	$t->start_again;
	$t->sql('DELETE FROM crm_sync_queue; DELETE FROM crm_sync_attempts');
});

$t->behaviour('pg_dump | psql: the copy has everything, sends nothing and says so, until it is adopted', sub {
	my $original = $t->new_database('original');
	my $user = furnish($original);
	my $before = contents($original);
	my $log = length $t->log_text;
	my $copy = restore('original', 'restored');
	my $mark = $t->mark;

	ok($copy->wait_for_worker, 'the copy has a worker');
	$t->wait_until('that knows where it is', sub { $copy->worker_state eq 'copy' });
	my $after = contents($copy);
	is($after->{$_}, $before->{$_}, "$_ is the same") for @TABLES;
	is($copy->sql("SELECT count(*) FROM pg_trigger WHERE tgrelid = 'leads'::regclass AND NOT tgisinternal"),
		$original->sql("SELECT count(*) FROM pg_trigger WHERE tgrelid = 'leads'::regclass AND NOT tgisinternal"), 'so are the triggers');

	my $new = $copy->lead($user, first_name => 'New', id => 5000);
	$copy->change($user->{sent}, last_name => 'Changed');
	is($copy->sql("SELECT count(*) FROM crm_sync_queue WHERE lead_id = '$new'"), '2', 'it goes on queueing');
	$copy->sql("UPDATE crm_integrations SET status = 'active', status_reason = NULL");
	$copy->sql('SELECT echosync_wake()');
	my ($test) = $copy->rows_as($user, "SELECT * FROM echosync_test_connection('$user->{lofty}')");
	is($test->{ok}, FALSE, 'a call to the CRM is refused');
	is(scalar $t->requests($user, $_, since => $mark), 0, "$LABEL{$_} has heard nothing of it") for qw(lofty fub);
	is($copy->worker_state, 'copy', 'echosync_workers says so');
	my ($check) = $copy->rows("SELECT * FROM echosync_doctor() WHERE check_name = 'worker'");
	is($check->{ok}, FALSE, 'so does the doctor');
	like($check->{hint}, qr/echosync_adopt/, 'and what to do');
	like(substr($t->log_text, $log), qr/this database is a copy of another; nothing is sent/, 'and the log');
	like($copy->error_as($user, 'SELECT echosync_adopt()')->{state}, qr/42501/, 'not everybody may adopt');

	$t->node->restart;
	$t->wait_until('it knows after a restart', sub { ($copy->worker_state || '') eq 'copy' });
	is(scalar $t->requests($user, $_, since => $mark), 0, "$LABEL{$_} has still heard nothing") for qw(lofty fub);

	# Now it takes the place of the original.
	$t->sql('DROP DATABASE original');
	$copy->sql('SELECT echosync_adopt()');
	$copy->drain($user);
	for my $crm (qw(lofty fub))
	{
		my %seen;

		$seen{ $_->{firstName} }++ for $t->records($user, $crm);
		is_deeply(\%seen, { Sent => 1, Doubtful => 1, Waiting => 1, New => 1, $crm eq 'fub' ? (Refused => 1) : () },
			"$LABEL{$crm}: adopted, all are there once");
		is($t->record($user, $crm, $copy->link_of($user->{$crm}, $user->{sent}))->{lastName}, 'Changed', 'the link was of use');
		is_deeply([ $t->notes_of($user, $crm) ], ['Met at the fair'], 'the note is there once');
	}
	is(scalar $copy->dead_letters($user, 'lofty'), 1, 'the dead letter is still one');
	$t->clear_faults;
	is($copy->sql_as($user, "SELECT echosync_retry_failed('$user->{lofty}')"), '1', 'and can be retried');
	$copy->drain($user);
	is_deeply($copy->tally($user, $_), $t->all_once(5), "$LABEL{$_}: then all five are there once") for qw(lofty fub);
	$t->sql('DROP DATABASE restored');
});

$t->behaviour('CREATE DATABASE ... TEMPLATE, ALTER DATABASE RENAME and DROP DATABASE are not held up', sub {
	my $other = $t->new_database('busy');
	my $user = $other->user(lofty => 1);
	my $took = sub {
		my ($name, $sql) = @_;
		my $began = time;

		$t->sql($sql);
		return cmp_ok(time - $began, '<', 4, "$name is not held up");
	};

	$t->knob('lofty', 'latency_ms', 100);
	$other->leads($user, 60);
	$t->wait_until('it is busy', sub { $t->n_records($user, 'lofty') > 2 });
	$took->('CREATE DATABASE ... TEMPLATE', 'CREATE DATABASE cloned TEMPLATE busy');
	$t->wait_until('it is busy again', sub { ($other->worker_state || '') eq 'draining' });
	my $clone = $t->in_database('cloned');
	ok($clone->wait_for_worker, 'the clone has a worker');
	$t->wait_until('that knows where it is', sub { $clone->worker_state eq 'copy' });
	$took->('DROP DATABASE of a copy', 'DROP DATABASE cloned');

	$took->('ALTER DATABASE ... RENAME', 'ALTER DATABASE busy RENAME TO busier');
	$other->{database} = 'busier';
	$other->drain($user);
	is_deeply($other->tally($user, 'lofty'), $t->all_once(60), 'each lead is there once');
	isnt($other->worker_state, 'copy', 'a new name makes no copy');

	$other->leads($user, 60);
	$t->wait_until('it is busy', sub { $t->n_records($user, 'lofty') > 62 });
	$took->('DROP DATABASE', 'DROP DATABASE busier');
	$t->wait_for_sql("SELECT count(*) FROM echosync_workers WHERE database = 'busier'", '0');
	is($t->sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'echosync worker' AND datname IS DISTINCT FROM 'postgres'"), '0',
		'and no worker is left behind');

	# A command that fails leaves the database as it was, worker and all.
	my $stays = $t->new_database('stays');
	my $session = $stays->session;
	like($t->error('DROP DATABASE stays')->{message}, qr/is being accessed by other users/, 'a database in use is not dropped');
	ok($stays->wait_for_worker, 'and has its worker back');
	$session->quit;
	$took->('DROP DATABASE', 'DROP DATABASE stays');
});

$t->behaviour("a subscriber of another database's rows sends nothing, whatever came without the stamp, until it takes that one's place", sub {
	my ($publisher, $subscriber) = map { $t->new_database($_) } qw(publisher subscriber);
	my $tables = 'leads, crm_integrations, crm_credentials, crm_lead_sources, crm_lead_links, crm_sync_queue';

	$subscriber->wait_until('the subscriber has its own stamp', sub { ($subscriber->worker_state || '') eq 'idle' });
	my $user = $publisher->user(lofty => 1);
	$publisher->lead($user);
	$publisher->drain($user);

	# From here on the original is silent: what is sent, the subscriber sends.
	$publisher->sql('UPDATE crm_instance SET database_oid = 1; SELECT echosync_wake_now()');
	$publisher->wait_until('the original is silent', sub { $publisher->worker_state eq 'copy' });
	my $lead = $publisher->lead($user, first_name => 'Waiting');
	my $mark = $t->mark;

	$publisher->sql("CREATE PUBLICATION p FOR TABLE $tables");
	$publisher->sql("SELECT pg_create_logical_replication_slot('copies', 'pgoutput')");
	$subscriber->sql('DELETE FROM crm_lead_sources');
	$subscriber->sql("CREATE SUBSCRIPTION s CONNECTION " . lit($t->node->connstr('publisher')) . " PUBLICATION p WITH (create_slot = false, slot_name = copies)");
	$subscriber->wait_for_sql("SELECT count(*) FROM crm_sync_queue WHERE user_id = '$user->{id}'", '1');
	$subscriber->sql("SELECT echosync_wake('$user->{lofty}')");
	$subscriber->wait_until('it knows', sub { $subscriber->worker_state eq 'copy' });
	$publisher->lead($user, first_name => 'Later');
	$subscriber->wait_for_sql("SELECT count(*) FROM crm_sync_queue WHERE user_id = '$user->{id}'", '2');
	$subscriber->wait_for_sql("SELECT count(*) FROM leads WHERE user_id = '$user->{id}'", '3');
	$subscriber->wait_for_sql('SELECT count(*) FROM crm_lead_sources', '1');
	like($subscriber->sql_as($user, "SELECT message FROM echosync_test_connection('$user->{lofty}')"), qr/this database is a copy of another. When the original no longer sends/, 'who tests is told');
	is(scalar $t->requests($user, 'lofty', since => $mark), 0, 'nothing was sent');
	like($subscriber->sql("SELECT string_agg(detail, ' ') FROM echosync_doctor() WHERE NOT ok AND check_name IN ('subscriptions', 'worker')"),
		qr/state copy.*s brings crm_credentials, crm_integrations/, 'the doctor says so');

	$subscriber->sql('ALTER SUBSCRIPTION s DISABLE; ALTER SUBSCRIPTION s SET (slot_name = NONE); DROP SUBSCRIPTION s');
	$publisher->sql("SELECT pg_drop_replication_slot('copies')");
	$subscriber->sql('SELECT echosync_adopt()');
	$subscriber->drain($user);
	is_deeply([ $subscriber->log_lines($user) ], [ ('created success') x 2 ], 'the log');
	is_deeply([ sort map { $_->{firstName} } grep { $_->{firstName} =~ /Waiting|Later/ } $t->records($user, 'lofty') ], [qw(Later Waiting)], 'adopted, it sends what waited, once');
	$_->assert_nothing_left for $subscriber;
});

$t->done;
