# Clocks: what is done now and then is done however often the worker is asked
# something, and nothing waits for as long as a clock was ahead.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use MovedClock;
use Test::More;

my $t = EchosyncFaults->start(conf => <<'CONF');
echosync.uncertain_wait = '500ms'
max_prepared_transactions = 2
CONF

my $clock = MovedClock->new;

$clock->start($t->node);
$t->wait_for_worker;

# Time passes in the server, and the worker is woken by a lead of somebody else.
my $pacer = $t->user(lofty => 1);

sub time_passes
{
	my ($seconds) = @_;

	$clock->pass($seconds);
	my $lead = $t->lead($pacer);
	return $t->wait_until('the worker has had a turn', sub { $t->link_of($pacer->{lofty}, $lead) });
}

my %ASKED = (
	'echosync_test_connection()' => sub { "SELECT ok FROM echosync_test_connection('$_[0]{lofty}')" },
	'echosync_doctor()' => sub { 'SELECT count(*) FROM echosync_doctor()' });

for my $function (sort keys %ASKED)
{
	$t->behaviour("old log rows are deleted though somebody calls $function all the time", sub {
		my $user = $t->user(lofty => 1);
		my $session = $t->session;
		my ($passed, $left) = (0, 100);

		$t->sql(<<"SQL");
INSERT INTO crm_sync_logs (integration_id, user_id, crm_type, lead_id, sync_type, action, status, logged_at)
SELECT '$user->{lofty}', '$user->{id}', 'lofty', 'old', 'auto', 'none', 'skipped', now() - interval '90 days' FROM generate_series(1, 100)
SQL
		$session->query_safe("SET echosync.user_id = '$user->{id}'");
		while ($passed < 4000 && $left != 0)
		{
			$clock->pass(55);
			$passed += 55;
			$session->query_safe($ASKED{$function}->($user));
			$left = $session->query_safe("SELECT count(*) FROM crm_sync_logs WHERE lead_id = 'old'");
		}
		is($left, 0, "none is left after $passed seconds");
		$session->quit;
	});
}

$t->behaviour('what was queued beside a disconnect, and nobody heard of, is cancelled within the hour', sub {
	my $user = $t->user(lofty => 1);
	my $mark = $t->mark;

	# By a worker that has never known the connection, and has tidied up since it started.
	$t->queue_unseen($user, 'lofty', sub {
		$t->sql("INSERT INTO crm_sync_attempts (integration_id, lead_id) VALUES (gen_random_uuid(), 'old')");
		$t->sql('SELECT pg_terminate_backend(pid) FROM echosync_workers');
		$t->wait_for_sql("SELECT count(*) FROM crm_sync_attempts WHERE lead_id = 'old'", '0');
	});
	time_passes(3700);
	eval { $t->wait_for_sql("SELECT count(*) FROM crm_sync_queue WHERE user_id = '$user->{id}'", '0', 10) } or fail('it is gone');
	is_deeply([ $t->log_lines($user) ], ['none skipped disconnected'], 'the log says so');
	is(scalar $t->writes($user, 'lofty', since => $mark), 0, 'nothing was sent');
});

$t->behaviour('when a clock that was ahead is put right, nothing waits for as long as it was ahead', sub {
	my %fault = (
		'a 429' => [ 'GET', { type => 'status', status => 429, body => {}, headers => { 'Retry-After' => '3' } } ],
		'an outage' => [ 'GET', { type => 'status', status => 503, body => '<html>', content_type => 'text/html' } ],
		'a retry' => [ 'GET', { type => 'status', status => 500, body => {} } ],
		'a doubt' => [ 'POST', { type => 'close_after_store' } ]);
	# What each may wait for at the most, in seconds.
	my %longest = ('a 429' => 300, 'an outage' => 300, 'a retry' => 60, 'a doubt' => 60);
	my %user = map { ($_ => $t->user(lofty => 1)) } sort keys %fault;
	my (%took, %queued);

	$t->configure('echosync.retry_base_delay' => '3s', 'echosync.uncertain_wait' => '3s');
	for my $user (values %user)
	{
		$t->lead($user);
		$t->drain($user);
	}
	$clock->ahead(36_000);
	time_passes(0);
	for my $what (sort keys %fault)
	{
		$t->fault_for($user{$what}, 'lofty', { method => $fault{$what}[0], path => '/v1.0/leads' }, $fault{$what}[1]);
		$t->lead($user{$what});
	}
	$t->wait_until('each has met what it was to meet', sub { !grep { !$_->{hits} } @{ $t->control('GET', '/fault') } });
	time_passes(0);
	$clock->ahead(0);
	$t->control('POST', '/reset', { only => ['rates'] });
	for (my $passed = 0; $passed <= 350; $passed += 10)
	{
		time_passes($passed ? 10 : 0);
		for my $what (sort keys %user)
		{
			$took{$what} = $passed if !defined $took{$what} && $t->queued($user{$what}) eq '0';
		}
		last if keys %took == keys %user;
	}
	for my $what (sort keys %user)
	{
		ok(defined $took{$what}, "$what: the lead goes out");
		cmp_ok(defined $took{$what} ? $took{$what} : 36_000, '<=', $longest{$what} + 50, 'in time');
		my $lead = $t->lead($user{$what});
		eval { $t->wait_until('it is there', sub { $t->link_of($user{$what}{lofty}, $lead) }, 10) } or fail('and new leads at once');
		is_deeply($t->tally($user{$what}, 'lofty'), $t->all_once(3), 'each once');
	}
	$t->deconfigure('echosync.retry_base_delay', 'echosync.uncertain_wait');
});

$t->done;
