# The application and the worker do not wait for one another, whoever holds
# what.  Every statement of the application runs with a lock_timeout, and so
# fails if it has to wait for the worker.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use Test::More;
use Time::HiRes qw(time);

my $t = EchosyncFaults->start(conf => <<'CONF');
echosync.uncertain_wait = '500ms'
echosync.request_timeout = '60s'
CONF

my %LABEL = (lofty => 'Lofty', fub => 'Follow Up Boss');

# As the application, for a user; dies if it waits for any lock.
sub at_once
{
	my ($user, $sql) = @_;

	return $t->sql_as($user, "SET lock_timeout = '100ms'; $sql");
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
	my ($session, $how) = @_;

	$session->query_safe($how || 'ROLLBACK');
	$session->quit;
	return;
}

$t->behaviour('the application does not wait for a lead that is in flight', sub {
	my $user = $t->user(lofty => 1, fub => 1);

	$t->fault_for($user, $_, { method => 'POST' }, { type => 'hang' }) for qw(lofty fub);
	my $lead = $t->lead($user);
	my $other = $t->lead($user);
	$t->wait_for_requests($user, $_, 1, method => 'POST') for qw(lofty fub);

	# twice, so that the second meets what the first has queued
	at_once($user, "UPDATE leads SET first_name = 'Changed$_' WHERE id = $lead") for 1 .. 2;
	at_once($user, "DELETE FROM leads WHERE id = $other");
	at_once($user, "UPDATE leads SET deleted_at = now() WHERE id = $lead");
	at_once($user, "UPDATE leads SET deleted_at = NULL WHERE id = $lead");
	at_once($user, "SELECT echosync_update_integration('$user->{$_}', '{\"tags\": [\"Other\"]}')") for qw(lofty fub);
	at_once($user, "SELECT * FROM echosync_manual_sync('$user->{$_}')") for qw(lofty fub);
	at_once($user, "SELECT echosync_retry_failed('$user->{$_}')") for qw(lofty fub);
	at_once($user, "SELECT echosync_pause('$user->{$_}'); SELECT echosync_resume('$user->{$_}')") for qw(lofty fub);
	at_once($user, "SELECT echosync_disconnect('$user->{$_}')") for qw(lofty fub);
	is(scalar $t->rows_as($user, 'SELECT * FROM crm_integrations'), 0, 'all of it went through, disconnecting last');
	$t->wait_until('the worker has cancelled what was queued', sub { $t->queued($user) eq '0' });
	$t->sql_as(undef, "TRUNCATE leads");
	pass('TRUNCATE of the leads goes through as well');
	$t->node->restart;
});

$t->behaviour('nor while leads drain: a thousand statements without a wait', sub {
	my @users = map { $t->user(lofty => 1, fub => 1) } 1 .. 2;
	my $failed = 0;

	$t->knob($_, 'latency_ms', 5) for qw(lofty fub);
	$t->leads($_, 100, notes => 'Note %d') for @users;
	for my $user (@users)
	{
		$t->sql_as($user, "SET lock_timeout = '1s';\n" . join '', map { <<"SQL" } 1 .. 100);
UPDATE leads SET last_name = 'Round $_' WHERE user_id = '$user->{id}' AND id % 100 = $_;
UPDATE leads SET tags = '{Round $_}' WHERE user_id = '$user->{id}' AND id % 10 = $_ % 10;
SELECT FROM echosync_update_integration('$user->{lofty}', '{"max_risk_score": 20}');
SELECT FROM echosync_manual_sync('$user->{fub}', '{$_}');
INSERT INTO leads (user_id, first_name, email, risk_score) VALUES ('$user->{id}', 'New', 'new$_.$user->{id}\@example.com', 5);
SQL
	}
	$t->drain($_) for @users;
	for my $user (@users)
	{
		is_deeply($t->tally($user, $_), $t->all_once(100), "$user->{id}, $LABEL{$_}: each lead once") for qw(lofty fub);
		is($t->n_records($user, $_), 200, 'those without a phone as well') for qw(lofty fub);
	}
	unlike($t->log_text, qr/deadlock/, 'no deadlock');
});

$t->behaviour('the worker does not wait for a transaction that holds queue rows', sub {
	my $user = $t->user(lofty => 1);
	my $other = $t->user(lofty => 1);

	$t->sql_as($user, "SELECT echosync_pause('$user->{lofty}')");
	my $lead = $t->lead($user);
	my $holder = open_transaction("SELECT count(*) FROM (SELECT FROM crm_sync_queue WHERE integration_id = '$user->{lofty}' FOR UPDATE) q");
	$t->sql_as($user, "SELECT echosync_resume('$user->{lofty}')");
	$t->wait_until('the lead of the held row is sent', sub { $t->n_records($user, 'lofty') == 1 });
	$t->lead($other);
	$t->drain($other);
	is($t->n_records($other, 'lofty'), 1, "another tenant's lead goes on");
	my $second = $t->lead($user);
	$t->wait_until('so does the next of the same', sub { $t->n_records($user, 'lofty') == 2 });
	end_transaction($holder);
	$t->drain($user);
	is_deeply($t->tally($user, 'lofty'), $t->all_once(2), 'let go, the row goes, and each lead is there once');
	is(scalar $t->writes($user, 'lofty'), 2, 'written once each');
});

$t->behaviour('a transaction that has deleted queue rows and takes it back', sub {
	my $user = $t->user(lofty => 1);

	$t->sql_as($user, "SELECT echosync_pause('$user->{lofty}')");
	my $lead = $t->lead($user);
	my $holder = open_transaction("DELETE FROM leads WHERE id = $lead");
	$t->sql_as($user, "SELECT echosync_resume('$user->{lofty}')");
	$t->wait_until('the lead is sent all the same, since it is there', sub { $t->n_records($user, 'lofty') == 1 });
	end_transaction($holder, 'ROLLBACK');
	$t->drain($user);
	is_deeply($t->tally($user, 'lofty'), $t->all_once(1), 'it is there once');
});

$t->behaviour('the worker does not wait for a transaction that holds the connection', sub {
	my $user = $t->user(lofty => 1, fub => 1);
	my $other = $t->user(lofty => 1);
	my $holder = open_transaction("SELECT count(*) FROM (SELECT FROM crm_integrations WHERE user_id = '$user->{id}' FOR UPDATE) i");

	$t->lead($user) for 1 .. 3;
	$t->drain($user);
	is_deeply($t->tally($user, $_), $t->all_once(3), "$LABEL{$_}: its leads are sent") for qw(lofty fub);
	$t->lead($other);
	$t->drain($other);
	is($t->n_records($other, 'lofty'), 1, "and another tenant's");

	# A change of state is written when the row is let go.
	$t->fault_for($user, 'lofty', {}, { type => 'status', status => 401, body => '"Bad credentials"' }, times => -1);
	$t->lead($user);
	$t->wait_for_requests($user, 'lofty', 1, method => 'GET');
	$t->lead($other);
	$t->drain($other);
	is($t->n_records($other, 'lofty'), 2, 'a change of state that cannot be written holds nobody up');
	is($t->status_of($user, 'lofty'), 'active', 'it is not written yet');
	end_transaction($holder);
	$t->wait_until('it is written when the row is let go', sub { $t->status_of($user, 'lofty') eq 'error credential_refused' });
	isnt($t->sql("SELECT last_sync_at FROM crm_integrations WHERE id = '$user->{fub}'"), '', 'so is when it was last used');
});

$t->behaviour('the worker does not wait for one that retries, discards or runs and has not committed', sub {
	my $user = $t->user(lofty => 1, fub => 1);
	my $other = $t->user(lofty => 1);

	# In doubt and given up, so that retrying writes all there is to write.
	$t->fault_for($user, $_, { method => 'POST' }, { type => 'ok_without_id', body => {} }) for qw(lofty fub);
	$t->fault_for($user, 'lofty', { method => 'GET' }, { type => 'status', status => 400, body => {} }, times => -1, after => 1);
	$t->fault_for($user, 'fub', { method => 'GET' }, { type => 'status', status => 400, body => {} }, times => -1, after => 3);
	my $lead = $t->lead($user);
	$t->drain($user);
	is(scalar $t->dead_letters($user, $_), 1, "$LABEL{$_}: a dead letter") for qw(lofty fub);

	my $holder = $t->session_as($user);
	$holder->query_safe($_) for 'BEGIN', "SELECT echosync_retry_failed('$user->{lofty}')", "SELECT echosync_discard_failed('$user->{fub}')",
	  "SELECT echosync_manual_sync('$user->{lofty}')", "SELECT echosync_manual_sync('$user->{fub}')";
	my $mark = $t->mark;
	$t->change($lead, last_name => 'Changed');
	$t->wait_for_requests($user, $_, 1, since => $mark) for qw(lofty fub);      # refused again: a dead letter once more
	for my $n (1 .. 5)
	{
		my $began = time;

		$t->lead($other);
		$t->drain($other);
		cmp_ok(time - $began, '<', 3, "another tenant's lead is sent at once, $n");
	}
	$t->clear_faults;
	$holder->query_safe('COMMIT');
	$holder->quit;
	my $began = time;
	$t->drain($user, 90);
	cmp_ok(time - $began, '<', 10, 'let go, the lead goes on soon');
	is_deeply($t->tally($user, $_), $t->all_once(1), "$LABEL{$_}: it is there once") for qw(lofty fub);
});

$t->behaviour('a table that somebody is altering holds only its own leads up', sub {
	my $user = $t->user(lofty => 1);
	my $other = $t->user(lofty => 1);

	$t->sql('CREATE TABLE more_leads (LIKE leads INCLUDING ALL); ALTER TABLE more_leads OWNER TO app');
	$t->sql_as(undef, "SELECT echosync_attach_leads('more_leads')");
	$t->sql_as($user, "SELECT echosync_pause('$user->{lofty}')");
	$t->sql_as(undef, "INSERT INTO more_leads (id, user_id, first_name, phone, risk_score) VALUES (900001, '$user->{id}', 'More', '" . $t->new_phone . "', 1)");
	my $holder = open_transaction('LOCK more_leads IN ACCESS EXCLUSIVE MODE');
	$t->sql_as($user, "SELECT echosync_resume('$user->{lofty}')");
	$t->lead($user);
	$t->lead($other);
	$t->drain($other);
	is($t->n_records($other, 'lofty'), 1, "another tenant's lead is sent");
	$t->wait_until('so is one of the same tenant, of another table', sub { $t->n_records($user, 'lofty') == 1 });
	end_transaction($holder);
	$t->drain($user);
	is($t->n_records($user, 'lofty'), 2, 'let go, its leads are sent');
	$t->sql_as(undef, "SELECT echosync_detach_leads('more_leads'); DROP TABLE more_leads");
});

$t->behaviour('old transactions neither hide leads nor slow them', sub {
	my $user = $t->user(lofty => 1);
	my $reader = open_transaction('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ', 'SELECT count(*) FROM leads');
	my $writer = $t->session_as($user);

	# Its ids are drawn first, and committed last.
	$writer->query_safe('BEGIN');
	$writer->query_safe("INSERT INTO leads (user_id, first_name, phone, risk_score) VALUES ('$user->{id}', 'Late', '" . $t->new_phone . "', 1)");
	$t->leads($user, 50);
	$t->drain($user);
	is($t->n_records($user, 'lofty'), 50, 'those that came later and committed earlier are sent');
	$writer->query_safe('COMMIT');
	$writer->quit;
	$t->drain($user);
	is($t->n_records($user, 'lofty'), 51, 'and the late one, when it is committed');
	my $began = time;
	$t->lead($user);
	$t->drain($user);
	cmp_ok(time - $began, '<', 3, 'the old snapshot slows nothing');
	end_transaction($reader);
});

$t->done;
