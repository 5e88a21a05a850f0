# When a connection stops, why, who is told, and how it goes on.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use Test::More;

my $t = EchosyncFaults->start(conf => <<'CONF');
echosync.uncertain_wait = '300ms'
echosync.request_timeout = '1s'
CONF

my %LABEL = (lofty => 'Lofty', fub => 'Follow Up Boss');
my %CREATE = (lofty => '/v1.0/leads', fub => '/v1/people');

sub failures { return $t->sql("SELECT consecutive_failures FROM crm_integrations WHERE id = '$_[0]{$_[1]}'") }

sub wait_for_status
{
	my ($user, $crm, $status) = @_;

	return $t->wait_until("the status is $status", sub { $t->status_of($user, $crm) eq $status });
}

# The changes that were heard, once there are so many.
sub changes
{
	my ($listener, $user, $crm, $n) = @_;
	my @changes;

	$t->wait_until("$n changes are heard of", sub { @changes = $t->changes_heard($listener, $user->{$crm}); @changes >= $n });
	return @changes;
}

my $listener = $t->listener;

$t->behaviour('ten failed leads in a row pause a connection; resume drains the queue in order', sub {
	for my $crm (qw(lofty fub))
	{
		my $user = $t->user($crm => 1);

		$t->fault_for($user, $crm, { method => 'POST', path => $CREATE{$crm} }, { type => 'status', status => 400, body => {} }, times => -1);
		$t->lead($user) for 1 .. 9;
		$t->drain($user);
		is($t->status_of($user, $crm), 'active', "$LABEL{$crm}: nine failed leads, still active");
		is(failures($user, $crm), 9, 'and counted');
		$t->lead($user);
		wait_for_status($user, $crm, 'paused consecutive_failures');
		is(failures($user, $crm), 10, 'the tenth pauses it');
		is_deeply([ changes($listener, $user, $crm, 1) ], ['active>paused consecutive_failures'], 'listeners are told');
		is(scalar $t->dead_letters($user, $crm), 10, 'the ten are dead letters');
		my ($status) = $t->rows_as($user, "SELECT * FROM echosync_status WHERE integration_id = '$user->{$crm}'");
		is("$status->{status} $status->{status_reason} $status->{consecutive_failures} $status->{failed}", 'paused consecutive_failures 10 10',
			'echosync_status says so');
		my ($check) = $t->rows("SELECT * FROM echosync_doctor() WHERE check_name = 'connections'");
		is($check->{ok}, FALSE, 'so does the doctor');
		like($check->{hint}, qr/echosync_resume/, 'and what to do');

		$t->clear_faults;
		my $mark = $t->mark;
		$t->lead($user, last_name => sprintf 'Number%02d', $_) for 1 .. 24;
		is($t->queued($user, $crm), '24', 'the queue goes on filling');
		is($t->sql_as($user, 'SELECT echosync_drain(5)'), 't', 'which echosync_drain does not wait for');
		is(scalar $t->requests($user, $crm, since => $mark), 0, 'nothing is sent');
		$t->node->restart;
		is($t->status_of($user, $crm), 'paused consecutive_failures', 'a restart does not resume it');
		$listener = $t->listener;

		$t->sql_as($user, "SELECT echosync_resume('$user->{$crm}')");
		$t->drain($user);
		is($t->status_of($user, $crm), 'active', 'resume does');
		is(failures($user, $crm), 0, 'and forgets the failures');
		is_deeply([ changes($listener, $user, $crm, 1) ], ['paused>active'], 'listeners are told');

		# Eight leads of a connection are in work at once: that far they may overtake one another.
		my @order = map { $_->{body}{lastName} =~ /Number(\d+)/ ? $1 : () } $t->requests($user, $crm, since => $mark, method => 'POST', path => $CREATE{$crm});
		is(scalar @order, 24, 'all 24 are sent');
		is(scalar(grep { abs($order[$_] - $_ - 1) >= 8 } 0 .. $#order), 0, 'in the order of the queue') or diag "@order";
		is(scalar $t->dead_letters($user, $crm), 10, 'the dead letters stay until they are retried');
	}
});

$t->behaviour('a lead that gets through ends the row of failures', sub {
	my $user = $t->user(lofty => 1);

	$t->fault_for($user, 'lofty', { method => 'POST', body_contains => 'Refused' }, { type => 'status', status => 400, body => {} }, times => -1);
	for my $round (1 .. 3)
	{
		$t->lead($user, first_name => 'Refused') for 1 .. 6;
		$t->drain($user);
		$t->lead($user, first_name => 'Fine');
		$t->drain($user);
		is(failures($user, 'lofty'), 0, "forgotten, $round");
	}
	is($t->status_of($user, 'lofty'), 'active', '18 failures, and still active');
	is(scalar $t->dead_letters($user, 'lofty'), 18, 'each a dead letter');
});

$t->behaviour('the row of failures outlives a restart, and its length is a setting', sub {
	my $user = $t->user(lofty => 1);

	$t->configure('echosync.pause_after_failures' => 3);
	$t->fault_for($user, 'lofty', { method => 'POST' }, { type => 'status', status => 400, body => {} }, times => -1);
	$t->lead($user) for 1 .. 2;
	$t->drain($user);
	is(failures($user, 'lofty'), 2, 'two failures');
	$t->node->restart;
	$t->lead($user);
	wait_for_status($user, 'lofty', 'paused consecutive_failures');
	is(failures($user, 'lofty'), 3, 'a restart, and the third');
	$t->deconfigure('echosync.pause_after_failures');
	$listener = $t->listener;
});

# 503 until it is taken back; two failed probes are enough here.
$t->behaviour('a CRM that cannot be reached pauses its connection, and lifts that by itself', sub {
	my $user = $t->user(lofty => 1, fub => 1);
	my $other = $t->user(lofty => 1, fub => 1);

	$t->configure('echosync.pause_after_failures' => 2);
	$t->fault_for($user, $_, {}, { type => 'status', status => 503 }, times => -1) for qw(lofty fub);
	$t->lead($user) for 1 .. 3;
	wait_for_status($user, $_, 'paused crm_unreachable') for qw(lofty fub);
	$t->lead($user);
	is($t->queued($user, $_), '4', "$LABEL{$_}: the leads wait") for qw(lofty fub);
	is(scalar $t->dead_letters($user, $_), 0, "$LABEL{$_}: none is a dead letter") for qw(lofty fub);
	$t->lead($other);
	$t->drain($other);
	is($t->n_records($other, $_), 1, "$LABEL{$_}: another tenant's are sent") for qw(lofty fub);

	$t->clear_faults;
	$t->wait_until('it has lifted itself', sub { !$t->queued($user) }, 40);
	for my $crm (qw(lofty fub))
	{
		is_deeply($t->tally($user, $crm), $t->all_once(4), "$LABEL{$crm}: all are sent once");
		wait_for_status($user, $crm, 'active');
		is_deeply([ changes($listener, $user, $crm, 2) ], [ 'active>paused crm_unreachable', 'paused>active' ], 'listeners are told of both');
		is(failures($user, $crm), 0, 'the failures are forgotten');
	}
	$t->deconfigure('echosync.pause_after_failures');
});

$t->behaviour('an outage pause outlives a restart, and is lifted after it', sub {
	my $user = $t->user(lofty => 1);

	$t->configure('echosync.pause_after_failures' => 1);
	$t->fault_for($user, 'lofty', {}, { type => 'close_before' }, times => -1);
	$t->lead($user);
	wait_for_status($user, 'lofty', 'paused crm_unreachable');
	$t->node->restart;
	is($t->status_of($user, 'lofty'), 'paused crm_unreachable', 'still paused');
	$t->clear_faults;
	$t->wait_until('it has lifted itself', sub { !$t->queued($user) }, 40);
	wait_for_status($user, 'lofty', 'active');
	is($t->n_records($user, 'lofty'), 1, 'the lead is sent');
	$t->deconfigure('echosync.pause_after_failures');
	$listener = $t->listener;
});

$t->behaviour('an outage pause can be resumed by hand, without waiting for the probe', sub {
	my $user = $t->user(lofty => 1);

	$t->configure('echosync.pause_after_failures' => 3);
	$t->fault_for($user, 'lofty', {}, { type => 'status', status => 503 }, times => -1);
	$t->lead($user);
	wait_for_status($user, 'lofty', 'paused crm_unreachable');
	$t->clear_faults;
	$t->sql_as($user, "SELECT echosync_resume('$user->{lofty}')");
	$t->wait_until('the lead is sent at once', sub { $t->n_records($user, 'lofty') }, 2);
	pass('the lead is sent at once');
	$t->deconfigure('echosync.pause_after_failures');
});

$t->behaviour('a dead credential is an error; connecting again goes on where it stopped', sub {
	my %refusals = (
		lofty => [ { status => 401, body => '"Bad credentials"' }, { status => 401, body => { code => 'BAD_CREDENTIALS' } },
			{ status => 400, body => { code => 200058, message => 'User in token does not exist.' } } ],
		fub => [ { status => 401, body => { errorMessage => 'authentication needed' } }, { status => 401, body => '' } ]);

	for my $crm (qw(lofty fub))
	{
		for my $refusal (@{ $refusals{$crm} })
		{
			my $user = $t->user($crm => 1);
			my $known = $t->lead($user);

			$t->drain($user);
			$t->fault_for($user, $crm, {}, { type => 'status', %$refusal }, times => -1);
			$t->lead($user) for 1 .. 2;
			wait_for_status($user, $crm, 'error credential_refused');
			$t->lead($user);
			$t->change($known, last_name => 'Changed');
			is($t->queued($user, $crm), '4', "$LABEL{$crm}, $refusal->{status}: the leads wait, the one that met it as well");
			is(scalar $t->dead_letters($user, $crm), 0, 'none is a dead letter');
			my $mark = $t->mark;
			my $error = $t->error_as($user, "SELECT echosync_resume('$user->{$crm}')");
			like($error->{message}, qr/refuses the credential/, 'it cannot be resumed');
			like($error->{hint}, qr/onnect again/, 'but connected again');
			$t->sql_as($user, "SELECT echosync_pause('$user->{$crm}')");
			is($t->status_of($user, $crm), 'error credential_refused', 'nor paused');
			is(scalar $t->requests($user, $crm, since => $mark), 0, 'a refused key is not shown again');

			$t->clear_faults;
			my $id = $crm eq 'lofty' ? $t->connect_lofty($user) : $t->connect_fub_key($user);
			is($id, $user->{$crm}, 'connecting again keeps the connection');
			$t->drain($user);
			is_deeply($t->tally($user, $crm), $t->all_once(4), 'all are sent once');
			is(scalar(grep { $_->{lastName} eq 'Changed' } $t->records($user, $crm)), 1, 'the change of the known one as well');
			is_deeply([ changes($listener, $user, $crm, 2) ], [ 'active>error credential_refused', 'error>active' ], 'listeners are told');
		}
	}
});

$t->behaviour('pause and resume by hand', sub {
	my $user = $t->user(lofty => 1);

	# The rest of what is in flight is sent, and nothing new.
	$t->fault_for($user, 'lofty', { method => 'GET' }, { type => 'delay', ms => 500 });
	$t->lead($user);
	$t->wait_for_requests($user, 'lofty', 1, method => 'GET');
	$t->sql_as($user, "SELECT echosync_pause('$user->{lofty}')");
	is($t->status_of($user, 'lofty'), 'paused by_user', 'paused, by whom it was');
	$t->lead($user) for 1 .. 3;
	$t->node->restart;
	$t->wait_for_worker;
	cmp_ok($t->n_records($user, 'lofty'), '<=', 1, 'nothing new is sent');
	cmp_ok($t->queued($user), '>=', 3, 'what comes is queued');
	$listener = $t->listener;
	$t->sql_as($user, "SELECT echosync_pause('$user->{lofty}')");
	is_deeply([ $t->changes_heard($listener, $user->{lofty}) ], [], 'paused twice is no change');
	$t->sql_as($user, "SELECT echosync_resume('$user->{lofty}')");
	$t->drain($user);
	is_deeply($t->tally($user, 'lofty'), $t->all_once(4), 'resumed, all are sent once');
	is_deeply([ changes($listener, $user, 'lofty', 1) ], ['paused>active'], 'listeners are told once');
});

$t->behaviour('paused in the middle of a lead, a connection goes on when it is resumed', sub {
	my $user = $t->user(lofty => 1, fub => 1);

	$t->knob($_, 'latency_ms', 400) for qw(lofty fub);
	$t->lead($user, email => 'middle@example.com');
	$t->wait_for_requests($user, $_, 1, method => 'GET') for qw(lofty fub);
	$t->sql_as($user, "SELECT echosync_pause('$user->{$_}')") for qw(lofty fub);
	$t->wait_for_sql('SELECT in_flight = 0 FROM echosync_workers WHERE database = current_database()');
	is($t->queued($user), '2', 'the lead waits, in both');
	$t->knob($_, 'latency_ms', 0) for qw(lofty fub);
	$t->sql_as($user, "SELECT echosync_resume('$user->{$_}')") for qw(lofty fub);
	$t->drain($user, 20);
	is_deeply($t->tally($user, $_), $t->all_once(1), "$LABEL{$_}: it is sent, once") for qw(lofty fub);
});

$t->behaviour('a change that is taken back is not told of', sub {
	my $user = $t->user(lofty => 1);

	$t->sql_as($user, "BEGIN; SELECT echosync_pause('$user->{lofty}'); ROLLBACK");
	$t->lead($user);
	$t->drain($user);
	is($t->n_records($user, 'lofty'), 1, 'it is active');
	is_deeply([ $t->changes_heard($listener, $user->{lofty}) ], [], 'and nothing was heard');
});

$t->done;
