# From insert to delete and everything between: deletes, pauses, runs,
# failures, attaching and detaching.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncTest;
use Test::More;

my $t = EchosyncTest->start;

my %PEOPLE = (lofty => '/v1.0/leads', fub => '/v1/people');
my $SERVER_ERROR = { type => 'status', status => 500, body => { code => 20005, message => 'x' } };

sub queued { return $t->sql("SELECT count(*) FROM crm_sync_queue WHERE user_id = '$_[0]{id}'" . ($_[1] ? " AND lead_id = '$_[1]'" : '')) }
sub pause { $t->sql_as($_[0], join '', map { "SELECT echosync_pause('$_[0]{$_}');\n" } grep { $_[0]{$_} } qw(lofty fub)) }
sub resume { $t->sql_as($_[0], join '', map { "SELECT echosync_resume('$_[0]{$_}');\n" } grep { $_[0]{$_} } qw(lofty fub)) }
sub status_of { my $row = $t->integration($_[0]); return join ' ', grep { defined } @$row{qw(status status_reason)} }

sub manual_sync
{
	my ($user, $crm, @ids) = @_;
	my ($row) = $t->rows_as($user, "SELECT * FROM echosync_manual_sync('$user->{$crm}'" . (@ids ? ', ' . lit(\@ids) : '') . ')');

	return $row;
}

sub run_of
{
	my ($user, $run) = @_;
	my ($row) = $t->rows_as($user, "SELECT * FROM echosync_runs WHERE run_id = $run->{run_id}");

	return $row;
}

for my $case ([ 'deleted', 'DELETE FROM leads WHERE id = %s' ], [ 'marked deleted', 'UPDATE leads SET deleted_at = now() WHERE id = %s' ])
{
	my ($name, $sql) = @$case;

	$t->behaviour("a lead that is $name while it is queued is not sent; one that was sent stays in the CRM", sub {
		my $user = $t->user(lofty => 1, fub => 1);
		my $sent = $t->lead($user, first_name => 'Sent');

		$t->drain($user);
		pause($user);
		my $waiting = $t->lead($user, first_name => 'Waiting');
		is(queued($user, $waiting), '2', 'queued for both CRMs');
		my $mark = $t->mark;
		$t->sql_as(undef, sprintf $sql, $_) for $sent, $waiting;
		is(queued($user), '0', 'nothing is queued any more');
		is_deeply([ sort map { "$_->{crm_type} $_->{reason}" } $t->logs($user, lead => $waiting) ],
			[ 'followupboss lead_deleted', 'lofty lead_deleted' ], 'one skipped row for each CRM');
		is(scalar $t->logs($user, lead => $sent), 2, 'no row for what was not queued');
		resume($user);
		my $after = $t->lead($user, first_name => 'After');
		$t->drain($user);
		for my $crm (qw(lofty fub))
		{
			is_deeply([ map { $_->{firstName} } $t->records($user, $crm) ], [ 'Sent', 'After' ], "$crm: what is there, is there");
			is(scalar(grep { $_->{method} eq 'DELETE' } $t->requests($user, $crm)), 0, "$crm: nothing is deleted");
		}
	});
}

$t->behaviour('a lead that is deleted behind a long queue waits for the worker, is not sent either, and is in the log once', sub {
	my $user = $t->user(lofty => 1);

	pause($user);
	my ($far, $both) = map { $t->lead($user, first_name => $_) } qw(Far Both);
	# More than is looked through for a lead: rows of others, which are in no table.
	$t->sql("INSERT INTO crm_sync_queue (integration_id, lead_id, user_id, source_id, sync_type)"
		  . " SELECT '$user->{lofty}', 'other ' || i, '$user->{id}', s.id, 'auto'"
		  . " FROM generate_series(1, 11000) i, crm_lead_sources s WHERE s.relation = 'leads'::regclass");
	$t->sql_as(undef, "UPDATE leads SET last_name = 'Again' WHERE id = $both");
	my $near = $t->lead($user, first_name => 'Near');
	my $mark = $t->mark;
	$t->sql_as(undef, "DELETE FROM leads WHERE id IN ($far, $both, $near)");
	is(queued($user, $near), '0', 'what was queued last is cancelled');
	is(queued($user, $_), '1', 'what was queued long before is not') for $far, $both;
	is_deeply([ $t->log_lines($user, lead => $far) ], [], 'nor in the log');
	$t->sql("DELETE FROM crm_sync_queue WHERE lead_id LIKE 'other %'");
	resume($user);
	$t->drain($user);
	is(scalar $t->writes($user, 'lofty', since => $mark), 0, 'nothing is sent');
	is_deeply([ $t->log_lines($user, lead => $_) ], ['none skipped lead_deleted'], 'one row in the log') for $far, $both, $near;
});

$t->behaviour('a lead that is undeleted goes out, one that is inserted as deleted does not', sub {
	my $user = $t->user(lofty => 1);
	my $lead = $t->lead($user, first_name => 'Lazarus', deleted_at => '2026-01-01');

	$t->drain($user);
	is(scalar $t->records($user, 'lofty'), 0, 'inserted as deleted: nothing');
	is_deeply([ $t->log_lines($user) ], ['none skipped lead_deleted'], 'but a skipped row');
	$t->change_and_drain($user, $lead, deleted_at => undef);
	is_deeply([ map { $_->{firstName} } $t->records($user, 'lofty') ], ['Lazarus'], 'undeleted: sent');
	my $mark = $t->mark;
	$t->change_and_drain($user, $lead, deleted_at => '2026-01-02');
	$t->change_and_drain($user, $lead, first_name => 'Ghost');
	is(scalar $t->requests($user, 'lofty', since => $mark), 0, 'changes of a deleted lead are not sent');
});

$t->behaviour('the rules are asked again when the lead is sent', sub {
	my $user = $t->user(lofty => 1, fub => 1);

	pause($user);
	my %lead = map { $_ => $t->lead($user, first_name => $_) } qw(Risky Unscored Keyless Blocked Gone Erased Fine);
	my $mark = $t->mark;
	# behind the trigger's back
	$t->sql(<<"SQL");
SET echosync.capture = off;
UPDATE leads SET risk_score = 21 WHERE id = $lead{Risky};
UPDATE leads SET risk_score = NULL WHERE id = $lead{Unscored};
UPDATE leads SET phone = NULL WHERE id = $lead{Keyless};
UPDATE leads SET dnc = true WHERE id = $lead{Blocked};
UPDATE leads SET deleted_at = now() WHERE id = $lead{Gone};
DELETE FROM leads WHERE id = $lead{Erased};
SQL
	resume($user);
	$t->drain($user);
	my %reason = (Risky => 'risk_above_limit', Unscored => 'risk_unscored', Keyless => 'no_contact_key', Blocked => 'do_not_contact',
		Gone => 'lead_deleted', Erased => 'lead_deleted');
	for my $crm (qw(lofty fub))
	{
		is_deeply([ $t->log_lines($user, crm => $crm, lead => $lead{$_}) ], ["none skipped $reason{$_}"], "$crm: $_") for sort keys %reason;
		is_deeply([ map { $_->{firstName} } $t->records($user, $crm) ], ['Fine'], "$crm: one record");
		is(scalar(grep { $_->{raw_body} =~ /Risky|Unscored|Keyless|Blocked|Gone|Erased/ } $t->writes($user, $crm, since => $mark)), 0,
			"$crm: no write for the others");
	}
});

$t->behaviour("a lead that changes hands goes to the new user's CRMs; the old user's record stays", sub {
	my $old = $t->user(lofty => 1);
	my $new = $t->user(lofty => 1);
	my $sent = $t->lead($old, first_name => 'Moving');

	$t->drain($old);
	pause($old);
	my $waiting = $t->lead($old, first_name => 'Waiting');
	$t->change($_, user_id => $new->{id}) for $sent, $waiting;
	is(queued($old), '0', "nothing is queued for the old user");
	resume($old);
	$t->drain($_) for $old, $new;
	is_deeply([ map { $_->{firstName} } $t->records($old, 'lofty') ], ['Moving'], 'the old account has what it had');
	is_deeply([ sort map { $_->{firstName} } $t->records($new, 'lofty') ], [ 'Moving', 'Waiting' ], 'the new one has both');
	my $mark = $t->mark;
	$t->change_and_drain($new, $sent, first_name => 'Moved');
	is(scalar $t->requests($old, 'lofty', since => $mark), 0, 'later changes go to the new one only');
	is(scalar(grep { $_->{firstName} eq 'Moved' } $t->records($new, 'lofty')), 1, 'and do arrive');
});

$t->behaviour('a paused connection queues and sends nothing; resumed, it sends all that waits', sub {
	my $user = $t->user(lofty => 1, fub => 1);

	$t->sql_as($user, "SELECT echosync_pause('$user->{lofty}')");
	is(status_of($user->{lofty}), 'paused by_user', 'status and reason');
	my $mark = $t->mark;
	my @leads = map { $t->lead($user, first_name => "N$_") } 1 .. 3;
	$t->drain($user);
	is(scalar $t->records($user, 'fub'), 3, 'the other connection goes on');
	is(scalar $t->requests($user, 'lofty', since => $mark), 0, 'the paused one is silent');
	is($t->sql("SELECT queued FROM echosync_status WHERE integration_id = '$user->{lofty}'"), '3', 'and says how many wait');
	$t->sql_as($user, "SELECT echosync_resume('$user->{lofty}')");
	is(status_of($user->{lofty}), 'active', 'resumed');
	$t->drain($user);
	is_deeply([ sort map { $_->{firstName} } $t->records($user, 'lofty') ], [ 'N1', 'N2', 'N3' ], 'all are sent');
	$t->sql_as($user, "SELECT echosync_resume('$user->{lofty}')");
	is(status_of($user->{lofty}), 'active', 'resuming twice does no harm');
});

$t->behaviour('a manual run queues what the rules allow, counts the rest, and shows its progress', sub {
	my $user = $t->user(lofty => { auto_sync => FALSE });
	my $other = $t->user;
	my @good = map { $t->lead($user, first_name => "N$_") } 1 .. 3;
	my $risky = $t->lead($user, risk_score => 50);
	my $foreign = $t->lead($other);

	is(queued($user), '0', 'auto_sync is off: nothing is queued');
	pause($user);
	my $run = manual_sync($user, 'lofty');
	is("$run->{queued} $run->{skipped}", '3 1', 'queued and skipped');
	my $progress = run_of($user, $run);
	is("$progress->{done} of $progress->{total}", '0 of 3', 'progress at the start');
	is($progress->{finished_at}, undef, 'not finished');
	resume($user);
	$t->drain($user);
	$progress = run_of($user, $run);
	is("$progress->{done} of $progress->{total}, $progress->{synced} synced, $progress->{failed} failed", '3 of 3, 3 synced, 0 failed', 'progress at the end');
	ok($progress->{finished_at}, 'finished');
	is_deeply([ map { "$_->{sync_type} $_->{action} $_->{status}" } $t->logs($user, lead => $good[0]) ], ['manual created success'], 'logged as manual');
	is_deeply([ $t->log_lines($user, lead => $risky) ], ['none skipped risk_above_limit'], 'the refused one has its reason');
	is(scalar $t->logs($other), 0, "the other user's lead has none");

	my $listed = manual_sync($user, 'lofty', $good[1], $foreign, 'no-such-lead', $good[1]);
	is("$listed->{queued} $listed->{skipped}", '1 2', "listed ids: another's and unknown ones are skipped");
	$t->drain($user);
	is($t->sql("SELECT count(*) FROM crm_sync_logs WHERE lead_id = '$foreign' AND user_id = '$other->{id}'"), '0', 'the other user learns nothing');
	is(scalar $t->rows_as($other, "SELECT * FROM echosync_runs WHERE run_id = $run->{run_id}"), 0, 'nor of the run');

	my $nobody = $t->user(lofty => 1);
	my $empty = manual_sync($nobody, 'lofty');
	is("$empty->{queued} $empty->{skipped}", '0 0', 'a run of nothing');
	ok(run_of($nobody, $empty)->{finished_at}, 'is finished at once');
});

$t->behaviour('a manual run of unchanged leads makes no call, and one row "unchanged" each', sub {
	my $user = $t->user(lofty => 1, fub => 1);
	my @leads = map { $t->lead($user, first_name => "N$_") } 1 .. 2;

	$t->drain($user);
	for my $crm (qw(lofty fub))
	{
		for my $times (1 .. 2)
		{
			my $mark = $t->mark;
			my $run = manual_sync($user, $crm);

			$t->drain($user);
			is(scalar $t->requests($user, $crm, since => $mark), 0, "$crm: no call");
			is_deeply([ ($t->log_lines($user, crm => $crm, lead => $_))[1 .. $times] ], [ ('none skipped unchanged') x $times ], "one row for run $times")
			  for @leads;
			my $progress = run_of($user, $run);
			is("$progress->{done} of $progress->{total}, $progress->{skipped_later} skipped", '2 of 2, 2 skipped', 'counted as done');
		}
	}
});

$t->behaviour('a lead that waits already is queued once more by a manual run, and makes one call', sub {
	my $user = $t->user(lofty => 1);

	pause($user);
	$t->lead($user);
	my $run = manual_sync($user, 'lofty');
	is("$run->{queued} $run->{skipped}", '1 0', 'queued: it may be in work, as it was before');
	is(queued($user), '2', 'two rows in the queue');
	resume($user);
	$t->drain($user);
	is(scalar $t->records($user, 'lofty'), 1, 'one record');
	is(scalar $t->writes($user, 'lofty'), 1, 'one call');
	is_deeply([ $t->log_lines($user) ], ['created success'], 'one row in the log');
});

$t->behaviour('the same refusal is not repeated for an unchanged lead; after a change it has a row of its own', sub {
	my $user = $t->user(lofty => 1);
	my $lead = $t->lead($user, risk_score => 90);

	manual_sync($user, 'lofty') for 1 .. 3;
	$t->drain($user);
	is_deeply([ $t->log_lines($user) ], ['none skipped risk_above_limit'], 'one row for an insert and three runs');
	$t->change_and_drain($user, $lead, first_name => 'Other');
	is_deeply([ $t->log_lines($user) ], [ ('none skipped risk_above_limit') x 2 ], 'a second row after a change');
	$t->change_and_drain($user, $lead, risk_score => undef);
	is(($t->log_lines($user))[-1], 'none skipped risk_unscored', 'another refusal has its row');
	manual_sync($user, 'lofty');
	is(scalar $t->logs($user), 3, 'and is not repeated either');
});

$t->behaviour('a refusal that only the CRM can tell is not repeated for an unchanged lead either', sub {
	my $user = $t->user(lofty => 1, fub => 1);
	my $phone = $t->new_phone;

	for my $crm (qw(lofty fub))
	{
		$t->seed($user, $crm, firstName => 'Dana', lastName => 'Holt', phones => [$phone]) for 1 .. 2;
	}
	my $lead = $t->lead($user, phone => $phone);
	my $blocked = $t->lead($user, dnc => 't');
	$t->drain($user);
	for my $crm (qw(lofty fub))
	{
		for (1 .. 2)
		{
			my $run = manual_sync($user, $crm);

			$t->drain($user);
			my $progress = run_of($user, $run);
			is($progress->{done}, $progress->{total}, "$crm: the run is done");
		}
		is_deeply([ $t->log_lines($user, crm => $crm, lead => $lead) ], ['none skipped ambiguous_match'], "$crm: one row for three times");
		is_deeply([ $t->log_lines($user, crm => $crm, lead => $blocked) ], ['none skipped do_not_contact'], "$crm: also for who must not be called");
	}
	$t->change_and_drain($user, $lead, first_name => 'Other');
	is_deeply([ $t->log_lines($user, crm => $_, lead => $lead) ], [ ('none skipped ambiguous_match') x 2 ], "$_: after a change it has a row of its own")
	  for qw(lofty fub);
});

$t->behaviour('a lead out of retries is a dead letter, kept until it is retried', sub {
	my $user = $t->user(lofty => 1, fub => 1);

	for my $crm (qw(lofty fub))
	{
		$t->fault($crm, { method => 'GET', path => $PEOPLE{$crm}, account => $user->{accounts}{$crm} }, $SERVER_ERROR, times => -1);
	}
	my $lead = $t->lead($user);
	$t->drain($user);
	for my $crm (qw(lofty fub))
	{
		my $type = $crm eq 'fub' ? 'followupboss' : $crm;
		my @rows = $t->logs($user, crm => $crm);
		my $code = $rows[-1]{error_code};

		is_deeply([ map { "$_->{attempt} $_->{action} $_->{status} $_->{http_status}" } @rows ], [ map { "$_ none failed 500" } 1 .. 4 ], "$crm: four tries, each logged");
		is(scalar(grep { !$_->{error_message} } @rows), 0, 'each with a message');
		my ($dead) = $t->rows_as($user, "SELECT * FROM echosync_dead_letters WHERE crm_type = '$type'");
		is("$dead->{lead_id} $dead->{attempts} $dead->{http_status} $dead->{error_code}", "$lead 4 500 $code", 'the dead letter');
		is($t->sql("SELECT queued || ' ' || failed FROM echosync_status WHERE integration_id = '$user->{$crm}'"), '0 1', 'and in the status');
	}
	is(status_of($user->{lofty}), 'active', 'one dead letter does not pause the connection');

	$t->clear_faults;
	is($t->sql_as($user, "SELECT echosync_retry_failed('$user->{lofty}')"), '1', 'retry_failed returns how many');
	is($t->sql_as($user, "SELECT echosync_retry_failed('$user->{fub}', ARRAY['nobody'])"), '0', 'only of those listed');
	is($t->sql_as($user, "SELECT echosync_retry_failed('$user->{fub}', ARRAY['$lead'])"), '1', 'those');
	$t->drain($user);
	for my $crm (qw(lofty fub))
	{
		my $row = ($t->logs($user, crm => $crm))[-1];

		is("$row->{sync_type} $row->{attempt} $row->{action} $row->{status}", 'retry 1 created success', "$crm: sent, as a retry");
		is(scalar $t->records($user, $crm), 1, 'one record');
	}
	is($t->sql_as($user, 'SELECT count(*) FROM echosync_dead_letters'), '0', 'no dead letter is left');
	is($t->sql_as($user, "SELECT echosync_retry_failed('$user->{lofty}')"), '0', 'nothing to retry');
});

$t->behaviour('dead letters are discarded on request, and settled by a later success', sub {
	my $user = $t->user(lofty => 1);

	$t->fault('lofty', { method => 'POST', account => $user->{accounts}{lofty} },
		{ type => 'status', status => 400, body => { code => 20012, message => 'x' } }, times => 3);
	my @leads = map { my $lead = $t->lead($user, first_name => "N$_"); $t->drain($user); $lead } 1 .. 3;
	is($t->sql_as($user, 'SELECT count(*) FROM echosync_dead_letters'), '3', 'three dead letters');
	is($t->sql_as($user, "SELECT echosync_discard_failed('$user->{lofty}', ARRAY['$leads[0]'])"), '1', 'one is discarded');
	$t->change_and_drain($user, $leads[1], first_name => 'Better');
	is($t->sql_as($user, 'SELECT string_agg(lead_id, \',\') FROM echosync_dead_letters'), $leads[2], 'one is settled by its next change');
	is($t->sql_as($user, "SELECT echosync_discard_failed('$user->{lofty}')"), '1', 'the last is discarded with all');
	is($t->sql_as($user, 'SELECT count(*) FROM echosync_dead_letters'), '0', 'none is left');
	is(scalar(grep { $_->{status} eq 'failed' } $t->logs($user)), 3, 'the log keeps their rows');
	is(queued($user), '0', 'nothing is queued');
	is_deeply([ map { $_->{firstName} } $t->records($user, 'lofty') ], ['Better'], 'one record');
});

$t->behaviour('ten failed leads in a row pause the connection, with the rest of its queue', sub {
	my $user = $t->user(lofty => 1);

	pause($user);
	$t->fault('lofty', { method => 'POST', account => $user->{accounts}{lofty} },
		{ type => 'status', status => 400, body => { code => 20012, message => 'x' } }, times => -1);
	$t->sql_as(undef, "INSERT INTO leads (user_id, first_name, phone, risk_score) SELECT '$user->{id}', 'N' || i, '801555' || 1000 + i, 1 FROM generate_series(1, 40) i");
	resume($user);
	$t->wait_for_sql("SELECT status || ' ' || status_reason FROM crm_integrations WHERE id = '$user->{lofty}'", 'paused consecutive_failures');
	my $failed = $t->sql("SELECT count(*) FROM crm_dead_letters WHERE user_id = '$user->{id}'");
	cmp_ok($failed, '>=', 10, 'ten have failed');
	cmp_ok($failed, '<=', 18, 'and at most those that were under way');
	is($t->sql("SELECT count(*) FROM crm_sync_queue WHERE user_id = '$user->{id}'"), 40 - $failed, 'the others wait');
	$t->clear_faults;
	resume($user);
	$t->drain($user);
	is(scalar $t->records($user, 'lofty'), 40 - $failed, 'resumed, they are sent');
	is($t->sql_as($user, "SELECT echosync_retry_failed('$user->{lofty}')"), $failed, 'and those that failed can be retried');
	$t->drain($user);
	is(scalar $t->records($user, 'lofty'), 40, 'so that all are there');
});

$t->behaviour('a CRM that is down costs no lead a try: the connection waits, pauses, and goes on by itself', sub {
	my $user = $t->user(lofty => 1, fub => 1);

	$t->configure('echosync.pause_after_failures' => 2);
	$t->fault('lofty', { account => $user->{accounts}{lofty} }, { type => 'status', status => 503 }, times => -1);
	my $lead = $t->lead($user);
	$t->wait_for_sql("SELECT status || ' ' || status_reason FROM crm_integrations WHERE id = '$user->{lofty}'", 'paused crm_unreachable');
	is(scalar $t->records($user, 'fub'), 1, 'the other CRM has the lead');
	is($t->sql('SELECT count(*) FROM crm_dead_letters WHERE user_id = \'' . $user->{id} . '\''), '0', 'there is no dead letter');
	$t->clear_faults;
	$t->wait_for_sql("SELECT status FROM crm_integrations WHERE id = '$user->{lofty}'", 'active');
	$t->drain($user);
	my @rows = $t->logs($user, crm => 'lofty', lead => $lead);
	is("$rows[-1]{attempt} $rows[-1]{action} $rows[-1]{status}", '1 created success', 'sent at its first attempt');
	$t->deconfigure('echosync.pause_after_failures');
});

$t->behaviour('echosync.enabled = off idles the worker, the application does not notice', sub {
	my $user = $t->user(lofty => 1);

	$t->configure('echosync.enabled' => 'off');
	$t->wait_for_sql('SELECT state FROM echosync_workers', 'disabled');
	my $mark = $t->mark;
	my $lead = $t->lead($user);
	is(queued($user, $lead), '1', 'leads are queued');
	is($t->sql_as($user, 'SELECT echosync_drain(1)'), 'f', 'and not sent');
	is(scalar $t->requests($user, 'lofty', since => $mark), 0, 'there is no call');
	$t->deconfigure('echosync.enabled');
	$t->drain($user);
	is(scalar $t->records($user, 'lofty'), 1, 'on again, it is sent');
});

$t->behaviour('what is queued survives a crash of the server', sub {
	my $user = $t->user(lofty => 1, fub => 1);

	pause($user);
	my @leads = map { $t->lead($user, first_name => "N$_") } 1 .. 5;
	$t->node->stop('immediate');
	$t->node->start;
	is(queued($user), '10', 'the queue is there');
	resume($user);
	$t->drain($user);
	for my $crm (qw(lofty fub))
	{
		is(scalar $t->records($user, $crm), 5, "$crm: five records");
	}
});

$t->behaviour('with capture off a session queues nothing; the application may not switch it off', sub {
	my $user = $t->user(lofty => 1);

	$t->sql("SET echosync.capture = off; INSERT INTO leads (user_id, first_name, phone, risk_score) VALUES ('$user->{id}', 'Bulk', '8015550500', 1)");
	is(queued($user), '0', 'nothing is queued');
	is(scalar $t->logs($user), 0, 'nothing is logged');
	is($t->error_as($user, 'SET echosync.capture = off')->{state}, '42501', 'it is for superusers');
	$t->sql('GRANT SET ON PARAMETER echosync.capture TO app');
	$t->sql_as($user, "SET echosync.capture = off; UPDATE leads SET first_name = 'Load' WHERE phone = '8015550500'");
	is(queued($user), '0', 'and for those to whom it was granted');
	$t->sql('REVOKE SET ON PARAMETER echosync.capture FROM app');
	my $run = manual_sync($user, 'lofty');
	is($run->{queued}, 1, 'a manual run brings them in');
	$t->drain($user);
	is_deeply([ map { $_->{firstName} } $t->records($user, 'lofty') ], ['Load'], 'as they are now');
});

$t->behaviour('detached, a table is left alone; attached again, its leads flow', sub {
	my $user = $t->user(lofty => 1);
	my $known = $t->lead($user, first_name => 'Known');

	$t->drain($user);
	pause($user);
	$t->change($known, first_name => 'Changed');
	is(queued($user), '1', 'a change is queued');
	$t->sql_as($user, "SELECT echosync_detach_leads('leads')");
	is(queued($user), '0', 'detaching cancels it');
	is($t->sql("SELECT count(*) FROM pg_trigger WHERE tgrelid = 'leads'::regclass AND NOT tgisinternal"), '0', 'no trigger is left');
	resume($user);
	my $mark = $t->mark;
	my $silent = $t->lead($user, first_name => 'Silent');
	$t->drain($user);
	is(scalar $t->requests($user, 'lofty', since => $mark), 0, 'no call');
	is($t->error_as($user, "SELECT echosync_detach_leads('leads')")->{state}, '42704', 'detaching twice is an error');

	$t->sql_as($user, "SELECT echosync_attach_leads('leads', '{\"first_name\": \"last_name\", \"last_name\": null}')");
	$t->change_and_drain($user, $silent, last_name => 'Mapped');
	my ($record) = grep { $_->{firstName} eq 'Mapped' } $t->records($user, 'lofty');
	ok($record, 'attached with another mapping, leads flow by it');
	$t->sql_as($user, "SELECT echosync_attach_leads('leads', '{\"first_name\": \"first_name\", \"last_name\": \"last_name\"}')");
	is($t->sql("SELECT count(*) FROM pg_trigger WHERE tgrelid = 'leads'::regclass AND NOT tgisinternal"), '2', 'attaching anew does not double the triggers');
	$mark = $t->mark;
	$t->change_and_drain($user, $known, first_name => 'Again');
	is(scalar $t->writes($user, 'lofty', since => $mark), 1, 'one write for one change');
	is(($t->records($user, 'lofty'))[0]{firstName}, 'Again', 'and the link is still known');
});

$t->behaviour("only a table's owner may attach it", sub {
	my $user = $t->user;

	$t->sql('CREATE TABLE not_yours (id int PRIMARY KEY, user_id text, phone text)');
	is($t->error_as($user, "SELECT echosync_attach_leads('not_yours')")->{state}, '42501', 'refused');
	is($t->sql("SELECT count(*) FROM pg_trigger WHERE tgrelid = 'not_yours'::regclass"), '0', 'no trigger');
});

$t->behaviour("dropping the extension leaves the application's table as it was, and it can come back", sub {
	my $user = $t->user(lofty => 1);
	my $lead = $t->lead($user);

	$t->drain($user);
	my $rows = $t->sql('SELECT count(*) FROM leads');
	$t->sql('DROP EXTENSION echosync');
	is($t->sql('SELECT count(*) FROM leads'), $rows, 'the rows are there');
	is($t->sql("SELECT count(*) FROM pg_trigger WHERE tgrelid = 'leads'::regclass AND NOT tgisinternal"), '0', 'without triggers');
	$t->change($lead, first_name => 'Alone');
	my $new = $t->lead($user, first_name => 'New');
	$t->sql_as(undef, "DELETE FROM leads WHERE id = $new");
	pass('insert, update and delete work');
	is($t->sql("SELECT count(*) FROM pg_class WHERE relname LIKE 'crm\\_%' OR relname LIKE 'echosync%'"), '0', 'no relation is left');
	is($t->sql("SELECT count(*) FROM pg_proc WHERE proname LIKE 'echosync%'"), '0', 'no function either');

	$t->sql("CREATE EXTENSION echosync; SELECT echosync_grant('app')");
	$t->sql_as(undef, "SELECT echosync_attach_leads('leads')");
	$t->connect_lofty($user);
	$t->lead($user, first_name => 'Return');
	$t->drain($user);
	is(scalar(grep { $_->{firstName} eq 'Return' } $t->records($user, 'lofty')), 1, 'created again, it works');
});

$t->done;
