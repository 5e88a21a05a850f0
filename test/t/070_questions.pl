# What people ask of a CRM, and nobody answers: each wait has its end, and its
# words.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use Test::More;
use Time::HiRes qw(time);

my $t = EchosyncFaults->start(conf => <<'CONF');
echosync.uncertain_wait = '300ms'
echosync.connect_timeout = '1s'
echosync.request_timeout = '4s'
CONF

# Seconds: until a worker takes a question, for its turn, for a request of it.
use constant { TAKEN => 5, TURN => 10, REPLY => 1 + 4 };

sub ask
{
	my ($session, $user, $crm) = @_;

	return { session => $t->begin_call($session, "SELECT * FROM echosync_test_connection('$user->{$crm}')"), began => time };
}

sub end_of
{
	my ($question) = @_;

	$t->wait_until('the call has ended', sub { $t->has_ended($question->{session}) }, 30);
	$question->{took} = time - $question->{began};
	return $question;
}

# The error is about what was waited for, and came when it had to.
sub is_told
{
	my ($question, $message, $seconds, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	like($t->said($question->{session}), qr/ERROR:\s+08006: $message/, "$name: what it has waited for");
	cmp_ok($question->{took}, '>=', $seconds - 0.5, 'for as long as that may take');
	cmp_ok($question->{took}, '<', $seconds + 3, 'and not for longer');
	$question->{session}->quit;
	return;
}

$t->behaviour('a worker that stands still: who has a request under way is told so, and who comes later that nobody takes theirs', sub {
	my $user = $t->user(lofty => 1, fub => 1);
	my @sessions = map { $t->app_session($user) } 1 .. 2;
	my $pid = $t->wait_for_worker;

	$t->fault_for($user, 'fub', { path => '/v1/identity' }, { type => 'delay', ms => 2000 });
	my $mark = $t->mark;
	my $sent = ask($sessions[0], $user, 'fub');
	$t->wait_for_requests($user, 'fub', 1, since => $mark);
	kill 'STOP', $pid;
	my $done = eval {
		my $posted = ask($sessions[1], $user, 'lofty');
		end_of($_) for $sent, $posted;
		is_told($sent, 'the CRM did not answer in time', REPLY, 'a request was under way');
		is_told($posted, "echosync's worker did not take the request within 5 seconds", TAKEN, 'the worker has not seen it');
		1;
	};
	my $error = $@;
	kill 'CONT', $pid;
	die $error unless $done;
	for my $crm (qw(lofty fub))
	{
		my ($row) = $t->rows_as($user, "SELECT * FROM echosync_test_connection('$user->{$crm}')");

		is($row->{ok}, TRUE, "$crm: when the worker goes on, the next is answered");
	}
	is(scalar $t->requests($user, 'lofty', since => $mark, path => '/v1.0/me'), 1, 'and what nobody waits for any more is not asked');
});

# Who asks while it is known that all have to wait is told at once.  This one
# has asked before.
$t->behaviour('a question that waits for its turn, when the account is told to wait for long, is ended', sub {
	my $user = $t->user(fub => 1);
	my $other = $t->user(lofty => 1);
	my $session = $t->app_session($user);

	$t->configure('echosync.max_in_flight' => 1);
	$t->knob('fub', 'latency_ms', 2000);
	$t->fault_for($user, 'fub', { path => '/v1/people' }, { type => 'status', status => 429, headers => { 'Retry-After' => '60' } });
	my $mark = $t->mark;
	$t->lead($user);
	$t->wait_for_requests($user, 'fub', 1, since => $mark);
	my $question = end_of(ask($session, $user, 'fub'));
	is_told($question, 'the request waited 10 seconds for its turn, and was not sent to the CRM', TURN, 'all calls of the account have to wait');
	is(scalar $t->requests($user, 'fub', since => $mark), 1, 'the CRM was asked nothing more');
	my $began = time;
	my ($row) = $t->rows_as($user, "SELECT * FROM echosync_test_connection('$user->{fub}')");
	is($row->{ok}, FALSE, 'who asks now is told no');
	cmp_ok(time - $began, '<', 2, 'at once');
	$t->lead($other);
	$t->drain($other);
	is_deeply($t->tally($other, 'lofty'), $t->all_once(1), "another's lead goes out");
	$t->deconfigure('echosync.max_in_flight');
	$t->sql_as($user, "SELECT echosync_disconnect('$user->{fub}')");
});

$t->done;
