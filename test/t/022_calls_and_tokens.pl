# Calls of backends that wait for the worker, and the refresh of tokens, when
# one of the two ends in the middle.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use Test::More;
use Time::HiRes qw(time);

my $t = EchosyncFaults->start(conf => <<'CONF');
echosync.uncertain_wait = '300ms'
echosync.request_timeout = '30s'
CONF

# A call as the application that is under way; and what it has said when it ends.
sub begin_call
{
	my ($user, $sql) = @_;
	my $session = $t->session;

	$session->query_safe('SET ROLE app');
	$session->query_safe("SET echosync.user_id = '$user->{id}'");
	$session->{stdin} .= "$sql;\n\\echo ended\n";
	$session->{run}->pump_nb;
	return $session;
}

sub end_of
{
	my ($session) = @_;

	$t->wait_until('the call has ended', sub { $session->{run}->pump_nb; $session->{stdout} =~ /ended/ }, 60);
	my $said = $session->{stdout} . $session->{stderr};
	$session->quit;
	return $said;
}

sub test_sql { return "SELECT * FROM echosync_test_connection('$_[0]{lofty}')" }

$t->behaviour('a worker that ends while a call waits: the call fails at once and says so', sub {
	my $user = $t->user(lofty => 1);

	$t->fault_for($user, 'lofty', { path => '/v1.0/me' }, { type => 'hang' }, times => -1);
	my $session = begin_call($user, test_sql($user));
	$t->wait_for_requests($user, 'lofty', 2, path => '/v1.0/me');
	my $began = time;
	$t->sql('SELECT pg_terminate_backend(pid) FROM echosync_workers');
	like(end_of($session), qr/worker/, 'what it says names the worker');
	cmp_ok(time - $began, '<', 3, 'at once');
	$t->clear_faults;
	my ($row) = $t->rows_as($user, test_sql($user));
	is($row->{ok}, TRUE, 'the next call finds the next worker');
});

$t->behaviour('a reload while a code is being exchanged: what is still to be asked goes to the right host, with the right secrets', sub {
	my $user = $t->user(lofty => 1);
	my $back = $t->visit($user, $t->authorize_url($user));

	$t->fault('fub_app', { path => '/oauth/token' }, { type => 'delay', ms => 3000 }, times => 1);
	my $mark = $t->mark;
	my $session = begin_call($user, EchosyncTest::callback_sql($back));
	$t->wait_until('the exchange is under way', sub { $t->requests(undef, 'fub_app', since => $mark, path => '/oauth/token') });
	for (1 .. 5)
	{
		# Other texts take the place of those that the settings had.
		$t->configure('echosync.app_url' => 'https://app.example/' . 'x' x (8 * $_));
		$t->rows_as($user, test_sql($user));      # the worker answers when it has reloaded
	}
	unlike(end_of($session), qr/ERROR/, 'connected');
	is(scalar $t->requests(undef, 'fub', since => $mark, path => '/v1/identity'), 1, 'the identity was asked for at the API');
	$t->deconfigure('echosync.app_url');
});

$t->behaviour('calls that are cancelled or time out take no place from others', sub {
	my $user = $t->user(lofty => 1, fub => 1);
	my $log = length $t->log_text;

	$t->fault_for($user, 'lofty', { path => '/v1.0/me' }, { type => 'hang' }, times => -1);
	for (1 .. 40)
	{
		is($t->error_as($user, "SET statement_timeout = '30ms'; " . test_sql($user))->{state}, '57014', 'timed out') if $_ % 10 == 0;
		$t->error_as($user, "SET statement_timeout = '10ms'; " . test_sql($user)) if $_ % 10;
	}
	my $began = time;
	my ($row) = $t->rows_as($user, "SELECT * FROM echosync_test_connection('$user->{fub}')");
	is($row->{ok}, TRUE, 'a call to another CRM works');
	cmp_ok(time - $began, '<', 3, 'at once');
	$t->lead($user);
	$t->wait_until('leads go on', sub { $t->n_records($user, 'fub') });
	unlike(substr($t->log_text, $log), qr/$user->{keys}{lofty}/, 'no key in the log');
	$t->clear_faults;
	$t->node->restart;
});

$t->behaviour('more calls at once than there are places: each works or says why not', sub {
	my $user = $t->user(lofty => 1);

	$t->fault_for($user, 'lofty', { path => '/v1.0/me' }, { type => 'delay', ms => 800 }, times => -1);
	my @sessions = map { begin_call($user, test_sql($user)) } 1 .. 30;
	my ($worked, $refused) = (0, 0);
	for my $said (map { end_of($_) } @sessions)
	{
		$said =~ /^t\|/m ? $worked++ : $said =~ /too many|busy|full/i ? $refused++ : diag $said;
	}
	is($worked + $refused, 30, "all have ended: $worked worked, $refused were told that there was no room");
	cmp_ok($worked, '>=', 8, 'many worked');
});

$t->behaviour('a key that is given while the worker is away is in no log', sub {
	my $user = $t->user;
	my $log = length $t->log_text;

	$t->configure('echosync.databases' => 'none');
	$t->sql('SELECT pg_terminate_backend(pid) FROM echosync_workers');
	$t->wait_until('there is no worker', sub { !$t->worker_pids });
	my $error = $t->error_as($user, "SELECT echosync_connect('lofty', '$user->{keys}{lofty}')");
	like($error->{message}, qr/worker is not running/, 'connect says that there is no worker');
	$t->error_as($user, "SET statement_timeout = '200ms'; SELECT echosync_connect('lofty', '$user->{keys}{lofty}')");
	ok(index(substr($t->log_text, $log), $user->{keys}{lofty}) < 0, 'without the statement');
	$t->deconfigure('echosync.databases');
	$t->wait_for_worker;
	$t->fault_for($user, 'lofty', { path => '/v1.0/me' }, { type => 'hang' });
	$t->error_as($user, "SET statement_timeout = '200ms'; SELECT echosync_connect('lofty', '$user->{keys}{lofty}')");
	ok(index(substr($t->log_text, $log), $user->{keys}{lofty}) < 0, 'nor when it is cancelled');
});

# Whether Follow Up Boss ends a refresh token when it is used is not known.
$t->behaviour('a crash while a token is refreshed loses no lead, and the connection only if its token is spent', sub {
	my %status = (same => 'active', omit => 'active', rotate => 'error credential_refused');

	for my $mode (sort keys %status)
	{
		my $user = $t->user;

		$t->knob('fub_app', 'refresh_mode', $mode);
		$t->connect_fub_oauth($user);
		$t->lead($user);
		$t->drain($user);
		$t->agent($user, 'fub', 0, 'expire_access');
		my $mark = $t->mark;
		$t->fault('fub_app', { path => '/oauth/token' }, { type => 'delay', ms => 3000 });
		$t->lead($user);
		$t->wait_until('the refresh is on its way', sub { $t->requests(undef, 'fub_app', since => $mark, path => '/oauth/token') });
		$t->kill_worker;
		$t->lead($user);
		$t->drain($user);
		is($t->status_of($user, 'fub'), $status{$mode}, "$mode: the connection");
		is(scalar $t->dead_letters($user, 'fub'), 0, 'no dead letter');
		$t->connect_fub_oauth($user) if $mode eq 'rotate';
		$t->drain($user);
		is_deeply($t->tally($user, 'fub'), $t->all_once(3), 'all leads arrived once');
	}
});

$t->behaviour('a refusal of the old credential that comes when the user has connected again is not one of the new', sub {
	for my $crm (qw(lofty fub))
	{
		my $user = $t->user($crm => 1);
		my $mark = $t->mark;

		$t->knob($crm, 'latency_ms', 1500);
		$t->fault_for($user, $crm, { method => 'GET' }, { type => 'status', status => 401, body => {} });
		$t->lead($user);
		$t->wait_for_requests($user, $crm, 1, since => $mark);
		$t->knob($crm, 'latency_ms');
		$crm eq 'lofty' ? $t->connect_lofty($user) : $t->connect_fub_key($user);
		$t->drain($user);
		is($t->status_of($user, $crm), 'active', "$crm: the connection");
		is($t->n_records($user, $crm), 1, 'and the lead is sent');
	}
});

$t->behaviour('a refresh whose reply is lost is tried again', sub {
	my $user = $t->user;

	$t->knob('fub_app', 'refresh_mode', 'same');
	$t->connect_fub_oauth($user);
	for my $fault ({ type => 'close_after_store' }, { type => 'close_before' }, { type => 'status', status => 503 }, { type => 'status', status => 500 },
		{ type => 'status', status => 429, headers => { 'Retry-After' => '1' } }, { type => 'status', status => 200, body => '<html>', content_type => 'text/html' })
	{
		my $name = join ' ', map { ref $fault->{$_} ? () : $fault->{$_} } sort keys %$fault;

		$t->agent($user, 'fub', 0, 'expire_access');
		$t->fault('fub_app', { path => '/oauth/token' }, $fault);
		my $lead = $t->lead($user);
		$t->drain($user);
		ok($t->link_of($user->{fub}, $lead), "$name: the lead has arrived");
		is($t->status_of($user, 'fub'), 'active', 'the connection is active');
	}
});

$t->done;
