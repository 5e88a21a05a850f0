# What is in flight compares before it writes, and every wait ends: tokens that
# are refreshed, leads that are created and calls that wait while the user, or
# another session, does something to the same connection.
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

# What a call that asks one thing of a CRM may take: until a worker takes it,
# and the request.
use constant ONE_REQUEST => 5 + 1 + 4;

# ------------------------------------------------------------------------
# Users, calls
# ------------------------------------------------------------------------

sub oauth_user { return $t->oauth_user(@_) }
sub elsewhere { return $t->elsewhere(@_) }

my %CONNECT = (
	key => sub { $t->connect_fub_key($_[0]) },
	oauth => sub { $t->connect_fub_oauth($_[0]) });

sub test_sql { return "SELECT * FROM echosync_test_connection('$_[0]{fub}')" }

# echosync_test_connection() as a person calls it, who goes away after 20 s.
# {ok, message, seconds}; what is no answer is an error.
sub test_connection
{
	my ($user) = @_;
	local $ENV{PGOPTIONS} = '-c statement_timeout=20s';
	my $began = time;
	my ($row) = eval { $t->rows_as($user, test_sql($user)) };

	return { ok => 'none', message => $@, %{ $row || {} }, seconds => time - $began };
}

sub refreshes
{
	my (%match) = @_;

	return grep { $_->{raw_body} =~ /grant_type=refresh_token/ } $t->requests(undef, 'fub_app', path => '/oauth/token', %match);
}

sub names { return [ sort { $a cmp $b } map { $_->{firstName} } $t->records($_[0], 'fub') ] }

# Processor time that a process has used so far, in seconds.
sub cpu_time
{
	my ($pid) = @_;
	my (undef, $rest) = split /\) /, PostgreSQL::Test::Utils::slurp_file("/proc/$pid/stat"), 2;

	return ((split / /, $rest)[11] + (split / /, $rest)[12]) / 100;
}

# A lead of somebody else arrives, and how many seconds that takes.
sub arrives
{
	my ($user, $seconds) = @_;
	my $began = time;
	my $n = $t->n_records($user, 'lofty');

	$t->lead($user);
	eval { $t->wait_until('it arrives', sub { $t->n_records($user, 'lofty') > $n }, $seconds) } or return 'never';
	return time - $began;
}

# ------------------------------------------------------------------------
# A refreshed token, and a session that holds the credential
# ------------------------------------------------------------------------

$t->behaviour('a token that cannot be stored, since a session holds the credential, costs nobody else', sub {
	my $user = oauth_user();
	my $other = $t->user(lofty => 1);
	my $pid = $t->wait_for_worker;
	my $session = $t->app_session($user);

	arrives($other, 10);
	$session->query_safe('BEGIN');
	$session->query_safe("SELECT echosync_connect('followupboss', '$user->{keys}{fub}')");
	$t->agent($user, 'fub', 0, 'expire_access');
	my $mark = $t->mark;
	my $lead = $t->lead($user, first_name => 'Dana');
	$t->wait_until('the token has been refreshed', sub { grep { $_->{status} } refreshes(since => $mark) });

	my ($cpu, $began, $slowest) = (cpu_time($pid), time, 0);
	while (time - $began < 3)
	{
		my $took = arrives($other, 10);
		$slowest = $took eq 'never' ? 10 : $took > $slowest ? $took : $slowest;
	}
	cmp_ok($slowest, '<', 2, 'leads of others go out at once');
	cmp_ok((cpu_time($pid) - $cpu) / (time - $began), '<', 0.25, 'and the worker is not busy');

	$began = time;
	$t->begin_call($session, test_sql($user));
	eval { $t->wait_until('the call has ended', sub { $t->has_ended($session) }, 30) };
	cmp_ok(time - $began, '<', 25, 'in the same transaction, a call that needs the token ends');
	like($t->said($session), qr/ERROR:\s+08006: the request waited 10 seconds for a refreshed access token to be stored, and was not sent to the CRM/,
		'with the error for what cannot be reached, that says what it has waited for');
	$t->sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%echosync_test_connection(%' AND pid <> pg_backend_pid()");
	$t->wait_until('it has ended', sub { $t->has_ended($session) });
	$session->{stdout} = $session->{stderr} = '';
	$session->query_safe('ROLLBACK');
	$t->wait_until('the lead goes out when the session lets go', sub { $t->link_of($user->{fub}, $lead) }, 20);
	is(scalar refreshes(since => $mark), 1, 'with the token that was refreshed then');
	is($t->status_of($user, 'fub'), 'active', 'the connection is active');
	my ($row) = $t->rows_as($user, test_sql($user));
	is($row->{ok}, TRUE, 'and works');
	$t->kill_worker;
	ok($t->lead($user) && $t->drain($user), 'also with the token as it is stored');
	is(scalar refreshes(since => $mark), 1, 'which needs no refresh');
	$session->quit;
});

# ------------------------------------------------------------------------
# Calls that wait
# ------------------------------------------------------------------------

$t->behaviour('a test of a paused connection whose token has ended is answered', sub {
	my $user = oauth_user();

	$t->sql_as($user, "SELECT echosync_pause('$user->{fub}')");
	$t->agent($user, 'fub', 0, 'expire_access');
	my $mark = $t->mark;
	my $answer = test_connection($user);
	is($answer->{ok}, TRUE, 'it works') or diag $answer->{message};
	cmp_ok($answer->{seconds}, '<', 5, 'at once');
	is(scalar refreshes(since => $mark), 1, 'after one refresh');
	my $lead = $t->lead($user, first_name => 'Dana');
	is($t->status_of($user, 'fub'), 'paused by_user', 'the connection is paused as before');
	$t->sql_as($user, "SELECT echosync_resume('$user->{fub}')");
	$t->wait_until('and goes on when it is resumed', sub { $t->link_of($user->{fub}, $lead) }, 10);
});

$t->behaviour('so is one of a connection whose credential was refused, and the user who connects again is served', sub {
	my $user = oauth_user();

	$t->agent($user, 'fub', 0, 'revoke_app');
	$t->lead($user, first_name => 'Dana');
	$t->wait_until('the credential is refused', sub { $t->status_of($user, 'fub') eq 'error credential_refused' });
	my $answer = test_connection($user);
	is($answer->{ok}, FALSE, 'it does not work') or diag $answer->{message};
	cmp_ok($answer->{seconds}, '<', 5, 'says the answer at once');
	is($t->status_of($user, 'fub'), 'error credential_refused', 'the connection is as it was');

	my ($old) = map { $_->{refresh_token} } grep { $_->{gone} } $t->grants($user);
	my $mark = $t->mark;
	$t->connect_fub_oauth($user);
	eval { $t->drain($user, 10) } or fail('the queue is sent');
	is_deeply(names($user), [qw(Dana Warm)], 'all leads are there');
	$t->lead($user, first_name => 'Later');
	eval { $t->drain($user, 10) } or fail('and later ones');
	is($t->status_of($user, 'fub'), 'active', 'the connection is active');
	is(scalar(grep { $_->{credential} && $_->{credential} eq $old } refreshes(since => $mark)), 0, 'the old refresh token is never tried again');
});

$t->behaviour('while an outage lasts a test is answered long before the next probe', sub {
	my $user = oauth_user();
	my %away = (type => 'status', status => 503, body => '<html>', content_type => 'text/html');

	$t->fault_for($user, 'fub', {}, \%away, times => -1);
	$t->lead($user, first_name => 'Dana');
	$t->wait_until('it was probed twice', sub {
		$t->sql("SELECT consecutive_failures FROM crm_integrations WHERE id = '$user->{fub}'") >= 3 });
	# It is back, but for what the probes ask.
	$t->clear_faults;
	$t->fault_for($user, 'fub', { path => '/v1/people' }, \%away, times => -1);
	$t->agent($user, 'fub', 0, 'expire_access');
	my $answer = test_connection($user);
	is($answer->{ok}, TRUE, 'it works') or diag $answer->{message};
	cmp_ok($answer->{seconds}, '<', 2.5, 'though the next probe is in four seconds');
	$t->clear_faults;
	$t->drain($user);
});

$t->behaviour('people who lose patience take no place from others', sub {
	my $user = oauth_user();
	my @sessions = map { $t->app_session($user) } 1 .. 16;

	$t->sql_as($user, "SELECT echosync_pause('$user->{fub}')");
	$t->agent($user, 'fub', 0, 'expire_access');
	$t->fault('fub_app', { path => '/oauth/token' }, { type => 'delay', ms => 3500 });
	$t->begin_call($_, "SET statement_timeout = '1s'; " . test_sql($user)) for @sessions;
	$t->wait_until('all have given up', sub { !grep { !$t->has_ended($_) } @sessions });
	is(scalar(grep { $t->said($_) =~ /57014/ } @sessions), 16, 'sixteen sessions have waited in vain');
	$_->quit for @sessions;

	my $other = eval { $t->user(lofty => 1) };
	ok($other, 'another user can connect') or diag $@;
	$other ||= { id => 'nobody', lofty => '' };
	cmp_ok(arrives($other, 10), '<', 3, 'and a lead of theirs goes out at once');

	# All workers end before the new ones start.
	my @users = map { $t->user(lofty => 1) } 1 .. 4;
	$t->configure('echosync.workers' => 2);
	eval { $t->wait_until('there are two workers', sub { 2 == $t->worker_pids }, 15) } or fail('connections are divided anew');
	$t->lead($_) for @users;
	eval { $t->wait_until('all leads are there', sub { !grep { !$t->n_records($_, 'lofty') } @users }, 10) } or fail('all send');
	$t->deconfigure('echosync.workers');
	eval { $t->wait_until('there is one worker', sub { 1 == $t->worker_pids }, 15) } or fail('and anew');
	$t->sql_as($user, "SELECT echosync_resume('$user->{fub}')");
	my $lead = $t->lead($user);
	eval { $t->wait_until('it is sent', sub { $t->link_of($user->{fub}, $lead) }, 10) } or fail('the connection in question sends as well');
});

$t->behaviour('a worker that stands still keeps nobody for ever', sub {
	my $user = oauth_user();
	my $session = $t->app_session($user);
	my $pid = $t->wait_for_worker;
	my $mark = $t->mark;

	$t->fault_for($user, 'fub', { path => '/v1/identity' }, { type => 'delay', ms => 2000 });
	$t->begin_call($session, test_sql($user));
	$t->wait_for_requests($user, 'fub', 1, path => '/v1/identity', since => $mark);
	kill 'STOP', $pid;
	my $began = time;
	eval { $t->wait_until('the call has ended', sub { $t->has_ended($session) }, 30) };
	kill 'CONT', $pid;
	cmp_ok(time - $began, '<', ONE_REQUEST + 2, 'the call ends when its request must have ended');
	like($t->said($session), qr/ERROR:\s+08006:/, 'with an error');
	$t->wait_until('the call has ended', sub { $t->has_ended($session) });
	$session->quit;
	is(test_connection($user)->{ok}, TRUE, 'and when the worker goes on, the next is answered');
});

# ------------------------------------------------------------------------
# Connecting again, meanwhile
# ------------------------------------------------------------------------

for my $how (sort keys %CONNECT)
{
	$t->behaviour("a refresh that ends after the user has connected another account (by $how) changes nothing", sub {
		my $user = oauth_user();
		my $new = elsewhere($user);

		$t->agent($user, 'fub', 0, 'expire_access');
		$t->fault('fub_app', { path => '/oauth/token', body_contains => 'grant_type=refresh_token' }, { type => 'delay', ms => 2500 });
		my $mark = $t->mark;
		$t->lead($user, first_name => 'During');
		$t->wait_until('a refresh is under way', sub { refreshes(since => $mark) });
		$CONNECT{$how}->($new);
		my $stored = $t->sql("SELECT md5(sealed) FROM crm_credentials WHERE integration_id = '$user->{fub}'");
		$t->wait_until('it has ended', sub { grep { $_->{status} } refreshes(since => $mark) });
		$t->lead($user, first_name => 'After');
		eval { $t->drain($user, 15) } or fail('all leads are sent');
		is_deeply(names($new), [qw(After During)], 'they are in the new account');
		is_deeply(names($user), ['Warm'], 'and not in the former one');
		is($t->status_of($user, 'fub'), 'active', 'the connection is active');
		is($t->integration($user->{fub})->{credential_kind}, $how eq 'key' ? 'api_key' : 'oauth', 'it has the credential that the user gave it');
		is($t->sql("SELECT md5(sealed) FROM crm_credentials WHERE integration_id = '$user->{fub}'"), $stored, 'and no other');

		# What a worker reads that starts anew.
		$t->kill_worker;
		$t->lead($user, first_name => 'Restarted');
		eval { $t->drain($user, 15) } or fail('after a restart leads are sent');
		is_deeply(names($new), [qw(After During Restarted)], 'to the new account as well');
	});
}

# A stranger in an account has the number that the lead's record has in another.
sub seed_stranger
{
	my ($user, $id) = @_;

	$t->seed($user, 'fub', id => 0 + $id, firstName => 'Zoe', lastName => 'Stranger', phones => ['8015550199'], emails => []);
	return;
}

sub stranger_is_untouched
{
	my ($user, $id) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $zoe = $t->record($user, 'fub', $id);

	is("$zoe->{firstName} $zoe->{lastName}", 'Zoe Stranger', 'the stranger with that number is who she was');
	is_deeply([ map { ref $_ ? $_->{value} : $_ } @{ $zoe->{phones} } ], ['8015550199'], 'with her own phone');
	is_deeply([ grep { $_->{path} =~ m{/people/$id\b} } $t->writes($user, 'fub') ], [], 'nobody has written to her');
	return;
}

$t->behaviour('a create for the former account that ends after another was connected is no link in the new one', sub {
	my $user = $t->user(fub => 1);
	my $new = elsewhere($user);

	$t->fault_for($user, 'fub', { method => 'POST', path => '/v1/people' }, { type => 'delay', ms => 2500 });
	my $lead = $t->lead($user, first_name => 'Dana');
	$t->wait_for_requests($user, 'fub', 1, method => 'POST', path => '/v1/people');
	$t->connect_fub_key($new);
	$t->wait_until('the create has ended', sub {
		grep { $_->{status} } $t->requests($user, 'fub', method => 'POST', path => '/v1/people') });
	$t->drain($user, 15);
	my ($former) = $t->records($user, 'fub');
	seed_stranger($new, $former->{id});
	$t->change($lead, last_name => 'Overwritten', phone => $t->new_phone);
	$t->drain($user, 15);
	stranger_is_untouched($new, $former->{id});
	my @own = grep { $_->{lastName} eq 'Overwritten' } $t->records($new, 'fub');
	is(scalar @own, 1, 'the lead has a record of its own in the new account');
	is($t->link_of($user->{fub}, $lead), $own[0]{id}, 'to which it is linked');
	is_deeply([ map { $_->{crm_record_id} } $t->rows("SELECT l.crm_record_id FROM crm_lead_links l JOIN crm_integrations i ON i.id = l.integration_id"
		  . " WHERE i.id = '$user->{fub}' AND l.lead_id = '$lead' AND l.crm_account = split_part(i.crm_account, '/', 1)") ],
		[ "$own[0]{id}" ], 'the link names the account');
	is($t->sql("SELECT count(*) FROM crm_lead_links WHERE crm_record_id = '$former->{id}' AND integration_id = '$user->{fub}'"), '1',
		'the link into the former account is kept for its return');
});

sub hide_identity
{
	my ($user, $times) = @_;

	return $t->fault_for($user, 'fub', { path => '/v1/identity' }, { type => 'status', status => 500, body => {} }, times => $times);
}

$t->behaviour('connecting the same account again keeps the links, though it will not say at first whose it is', sub {
	my $user = $t->user;

	$t->connect_fub_oauth($user);
	my $lead = $t->lead($user, notes => 'Likes lakes');
	$t->drain($user);
	my $record = $t->link_of($user->{fub}, $lead);
	hide_identity($user, 1);
	$t->connect_fub_oauth($user);
	$t->change($lead, last_name => 'Changed');
	$t->drain($user, 15);
	my @records = $t->records($user, 'fub');
	is(scalar @records, 1, 'there is one record');
	is($records[0]{lastName}, 'Changed', 'which has the new name');
	is_deeply([ $t->notes_of($user, 'fub') ], ['Likes lakes'], 'and its note once');
	is($t->link_of($user->{fub}, $lead), $record, 'the link is the one of before');
	is($t->sql("SELECT matched_by FROM crm_lead_links WHERE integration_id = '$user->{fub}'"), 'created', 'it is known as of our own making');
	like($t->integration($user->{fub})->{crm_account}, qr/^$user->{accounts}{fub}\b/, 'whose it is has been found out');
});

for my $times (1, -1)
{
	my $how_long = $times == 1 ? 'at first' : 'for as long as it was connected';

	$t->behaviour("an account that did not say whose it is $how_long: its links are none in the next", sub {
		my $user = $t->user;
		my $new = elsewhere($user);

		hide_identity($user, $times);
		$t->connect_fub_oauth($user);
		my $lead = $t->lead($user, first_name => 'Dana', notes => 'Likes lakes');
		# Whether anything is sent to an account that nobody knows is not said here.
		my $record = eval { $t->wait_until('it is sent', sub { $t->link_of($user->{fub}, $lead) }, $times == 1 ? 15 : 5) };
		ok($record, 'the lead is there') if $times == 1;
		$record ||= 4711;
		$t->drain($user, 15) if $times == 1;
		seed_stranger($new, $record);
		$t->connect_fub_oauth($new);
		$t->change($lead, last_name => 'Written', phone => $t->new_phone);
		$t->drain($user, 15);
		stranger_is_untouched($new, $record);
		is(scalar(grep { $_->{lastName} eq 'Written' } $t->records($new, 'fub')), 1, 'the lead has a record of its own in the new account');
	});
}

$t->done;
