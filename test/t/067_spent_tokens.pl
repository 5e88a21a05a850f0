# A token that was refreshed is the connection: its successor is stored over the
# credential that was spent for it and over no other, and is not lost with the
# worker that has it in memory.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use Test::More;
use Time::HiRes qw(time);

use constant LEAVES_WITHIN => 5;        # a worker that ends for a reload, but for tokens

my $t = EchosyncFaults->start(conf => <<'CONF');
echosync.uncertain_wait = '300ms'
echosync.request_timeout = '4s'
CONF

sub oauth_user { return $t->oauth_user(@_) }
sub elsewhere { return $t->elsewhere(@_) }

sub refreshes
{
	my (%match) = @_;

	return grep { $_->{raw_body} =~ /grant_type=refresh_token/ } $t->requests(undef, 'fub_app', path => '/oauth/token', %match);
}

sub names { return [ sort map { $_->{firstName} } $t->records($_[0], 'fub') ] }
sub sealed { return $t->sql("SELECT md5(sealed) FROM crm_credentials WHERE integration_id = '$_[0]{fub}'") }

# How the user connects while a refresh is under way, and as whom.
my %CONNECT = (
	'another account by key' => sub { my $new = elsewhere($_[0]); $t->connect_fub_key($new); return $new },
	'another account by OAuth' => sub { my $new = elsewhere($_[0]); $t->connect_fub_oauth($new); return $new },
	'the same account by OAuth' => sub { $t->connect_fub_oauth($_[0]); return $_[0] });

$t->behaviour('a refresh that brings no refresh token keeps the one that was spent, and not over a credential that is there by then', sub {
	my %users = map { ($_ => { old => oauth_user() }) } keys %CONNECT;
	my @refreshes;

	$t->knob('fub_app', 'refresh_mode', 'omit');
	$t->agent($_->{old}, 'fub', 0, 'expire_access') for values %users;
	$t->fault('fub_app', { path => '/oauth/token', body_contains => 'grant_type=refresh_token' }, { type => 'delay', ms => 3000 }, times => 3);
	my $mark = $t->mark;
	# One after the other, so that each credential is replaced before its refresh ends.
	for my $how (sort keys %users)
	{
		my $n = refreshes(since => $mark);

		$t->lead($users{$how}{old}, first_name => 'During');
		$t->wait_until('the refresh is under way', sub { refreshes(since => $mark) > $n });
		$users{$how}{new} = $CONNECT{$how}->($users{$how}{old});
		$users{$how}{sealed} = sealed($users{$how}{new});
	}
	$t->wait_until('they have ended', sub { 3 == grep { $_->{status} } @refreshes = refreshes(since => $mark) });
	$t->drain($_->{old}, 15) for values %users;
	for my $how (sort keys %users)
	{
		my ($old, $new) = @{ $users{$how} }{qw(old new)};

		is_deeply(names($new), $new == $old ? [qw(During Warm)] : ['During'], "$how: the lead is in the account that is connected");
		is($t->status_of($old, 'fub'), 'active', 'the connection is active');
		is(sealed($new), $users{$how}{sealed}, 'it has the credential that the user gave it');
	}

	# What a worker reads that starts anew.
	$t->sql('SELECT pg_terminate_backend(pid) FROM echosync_workers');
	$t->lead($_->{old}, first_name => 'Restarted') for values %users;
	$t->drain($_->{old}, 15) for values %users;
	is((grep { $_ eq 'Restarted' } @{ names($users{$_}{new}) }), 1, "$_: so it is for the next worker") for sort keys %users;
	is(scalar refreshes(since => $mark), 3, 'no token was refreshed without need');
});

# ------------------------------------------------------------------------
# Refreshed, and not stored yet
# ------------------------------------------------------------------------

# A session holds the credential, and the token was refreshed, which has a lead wait.
sub held_refresh
{
	my ($user) = @_;
	my $session = $t->session;
	my $mark = $t->mark;

	$session->query_safe($_) for 'BEGIN', "SELECT 1 FROM crm_credentials WHERE integration_id = '$user->{fub}' FOR UPDATE";
	$t->agent($user, 'fub', 0, 'expire_access');
	$t->lead($user, first_name => 'Dana');
	$t->wait_until('the token has been refreshed', sub { grep { $_->{status} } refreshes(since => $mark) });
	return ($session, $mark);
}

sub end_session
{
	my ($session) = @_;

	$session->query_safe('ROLLBACK');
	$session->quit;
	return;
}

$t->behaviour('workers that are divided anew take a token with them that could not be stored, for as long as that takes', sub {
	my $user = oauth_user();
	my ($pid) = $t->worker_pids;
	my ($session, $mark) = held_refresh($user);
	my $began = time;

	$t->configure('echosync.workers' => 2);
	$t->wait_until('that takes longer than leads are waited for', sub { time - $began > LEAVES_WITHIN + 0.5 });
	is(join(' ', $t->worker_pids), $pid, 'the worker is there');
	end_session($session);
	$t->wait_until('when the session lets go there are two others', sub { 2 == grep { $_ != $pid } $t->worker_pids }, 15);
	$t->drain($user, 15);
	is_deeply(names($user), [qw(Dana Warm)], 'the lead is sent, once');
	is($t->status_of($user, 'fub'), 'active', 'the connection is active');
	is(scalar refreshes(since => $mark), 1, 'with the token that was refreshed then');
	$t->deconfigure('echosync.workers');
	$t->wait_until('there is one worker', sub { 1 == $t->worker_pids }, 15);
});

$t->behaviour('a worker that is ended when the session has let go stores the token before', sub {
	my $user = oauth_user();
	my ($session, $mark) = held_refresh($user);

	$session->query_safe('ROLLBACK');
	$t->sql('SELECT pg_terminate_backend(pid) FROM echosync_workers');
	$session->quit;
	$t->drain($user, 15);
	is($t->status_of($user, 'fub'), 'active', 'the connection is active');
	is_deeply(names($user), [qw(Dana Warm)], 'the lead is sent, once');
	is(scalar refreshes(since => $mark), 1, 'with the token that was refreshed then');
});

$t->behaviour('one that is ended while the session holds the credential loses the token, and no lead', sub {
	my $user = oauth_user();
	my ($pid) = $t->worker_pids;
	my ($session) = held_refresh($user);

	# Its successor has what is stored.
	$t->expect_violations('refresh_token_spent_twice');
	$t->sql('SELECT pg_terminate_backend(pid) FROM echosync_workers');
	$t->wait_until('another worker is there', sub { my ($now) = $t->worker_pids; $now && $now != $pid });
	end_session($session);
	$t->wait_until('the user is asked to connect again', sub { $t->status_of($user, 'fub') eq 'error credential_refused' }, 15);
	is($t->queued($user), '1', 'the lead is queued');
	$t->connect_fub_oauth($user);
	$t->drain($user, 15);
	is_deeply(names($user), [qw(Dana Warm)], 'and sent, once');
	is(scalar $t->dead_letters($user, 'fub'), 0, 'no dead letter');
});

$t->done;
