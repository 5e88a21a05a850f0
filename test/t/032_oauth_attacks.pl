# OAuth callbacks as an attacker, an impatient user or a bad day would have
# them: states and codes of others, many at once, cut short in the middle.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use IPC::Run;
use Test::More;
use Time::HiRes qw(time);

my $t = EchosyncFaults->start(conf => <<'CONF');
echosync.request_timeout = '20s'
max_connections = 60
CONF

my $UUID = qr/^[0-9a-f]{8}-[0-9a-f-]{27}$/;

sub callback { return EchosyncTest::callback_sql(@_) }
sub connections { return $t->sql("SELECT count(*) FROM crm_integrations WHERE user_id = '$_[0]{id}'") }
sub states { return $t->sql('SELECT count(*) FROM crm_oauth_states') }
sub consent { my ($user, $settings) = @_; return $t->visit($user, $t->authorize_url($user, $settings)) }

sub exchanges
{
	my ($mark) = @_;

	return grep { $_->{raw_body} =~ /grant_type=authorization_code/ } $t->requests(undef, 'fub_app', since => $mark, path => '/oauth/token');
}

# A call that is under way, and what it has said when it ends.
sub begin
{
	my ($user, $sql) = @_;
	my $call = { in => (defined $user ? "SET echosync.user_id = '$user->{id}';\n" : '') . "$sql;\n", said => '' };

	$call->{run} = IPC::Run::start([ 'psql', '-XAtq', '-d', $t->node->connstr('postgres') . ' user=app', '-v', 'ON_ERROR_STOP=1', '-v', 'VERBOSITY=verbose', '-f', '-' ],
		'<', \$call->{in}, '>', \$call->{said}, '2>', \$call->{errors});
	$call->{run}->pump_nb;
	return $call;
}

sub end_of
{
	my ($call) = @_;

	$call->{run}->finish;
	return $call->{said} . $call->{errors};
}

# That the flow works for a user, when all is over.
sub works_for
{
	my ($user) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	return like($t->connect_fub_oauth($user), $UUID, 'a new flow works');
}

$t->behaviour('of callbacks with one state, one wins, however many come at once', sub {
	for my $begin ('BEGIN', 'BEGIN READ ONLY')
	{
		my $user = $t->user;
		my $back = consent($user);
		my $mark = $t->mark;

		$t->knob('fub_app', 'latency_ms', 300);
		my @said = map { end_of($_) } map { begin($user, "$begin;\n" . callback($back) . ";\nCOMMIT") } 1 .. 12;
		is(scalar(grep { /$UUID/m } @said), 1, "$begin: one of twelve");
		is(scalar(grep { /ERROR:  PT404: could not connect: This OAuth flow is not known, not yours, used or expired/ } @said), 11, 'the others are told that the state is used up');
		is(scalar exchanges($mark), 1, 'the code was exchanged once');
		is(connections($user), '1', 'there is one connection');
		$t->knob('fub_app', 'latency_ms');
		$t->lead($user);
		$t->drain($user);
		is(scalar $t->records($user, 'fub'), 1, 'that works');
	}
});

$t->behaviour('a state that was used is used up: after success, failure, a restart, and for the next user', sub {
	my $user = $t->user;
	my $other = $t->user;
	my $back = consent($user);

	$t->sql_as($user, callback($back));
	my $failed = consent($user);
	$t->expect_violations('bad_exchange');
	$t->error_as($user, callback({ %$failed, code => 'ac_0.invented' }));
	my $mark = $t->mark;
	$t->node->restart;
	for my $case ([ $user, $back, 'after success' ], [ $other, $back, 'for another' ], [ undef, $back, 'for nobody' ], [ $user, $failed, 'after failure' ], [ $other, $failed, 'for another' ])
	{
		my ($who, $again, $name) = @$case;

		is($t->error_as($who, "BEGIN READ ONLY;\n" . callback($again))->{state}, 'PT404', "READ ONLY, $name");
		is($t->error_as($who, callback($again))->{state}, $who ? 'PT404' : '42501', $name);
	}
	is(scalar exchanges($mark), 0, 'nothing was exchanged');
	is(connections($user), '1', 'the user has the one connection');
	is(connections($other), '0', 'the other has none');
});

$t->behaviour('a user id that is too long is not taken for the one it begins with', sub {
	my $user = { %{ $t->user }, id => 'u' x 255 };
	my $back = consent($user);

	for my $begin ('BEGIN', 'BEGIN READ ONLY')
	{
		my $error = $t->error_as('u' x 256, "$begin;\n" . callback($back));
		is("$error->{state} $error->{message}", '22023 the user id is empty, or longer than 255 bytes', $begin);
	}
	is($t->error_as('u' x 256, 'SELECT echosync_oauth_authorize()')->{state}, '22023', 'nor does it begin a flow');
	like($t->sql_as($user, callback($back)), $UUID, 'the longest that is taken can connect');
	$t->lead($user);
	$t->drain($user);
	is(scalar $t->records($user, 'fub'), 1, 'and its lead is sent');
});

$t->behaviour("another user's try neither works nor spoils the state", sub {
	my $user = $t->user;
	my $thief = $t->user;
	my $back = consent($user);
	my $mark = $t->mark;

	is($t->error_as($thief, "$_;\n" . callback($back))->{state}, 'PT404', $_) for 'BEGIN', 'BEGIN READ ONLY';
	is(scalar exchanges($mark), 0, 'nothing was exchanged');
	like($t->sql_as($user, callback($back)), $UUID, 'the user it belongs to can use it');
	is(connections($thief), '0', 'the other has nothing');
});

$t->behaviour("another user's code is of no use with one's own state", sub {
	my $user = $t->user;
	my $thief = $t->user;
	my $back = consent($user);
	my $own = consent($thief);

	# We send the state along, so that Follow Up Boss can see that it is another's.
	$t->expect_violations('bad_exchange');
	my $error = $t->error_as($thief, callback({ %$own, code => $back->{code} }));
	is($error->{state}, '22023', 'refused');
	like($error->{message}, qr/no longer accepts the authorization code/, 'as no code for this flow');
	is(connections($thief), '0', 'nothing is stored');
	like($t->sql_as($user, callback($back)), $UUID, 'the user it was meant for can use it');
});

$t->behaviour('an expired state is refused, READ ONLY too, and removed in time', sub {
	my $user = $t->user;
	my $back = consent($user);

	$t->sql('DELETE FROM crm_oauth_states WHERE user_id <> ' . lit($user->{id}));
	$t->sql("UPDATE crm_oauth_states SET expires_at = clock_timestamp() - interval '1 ms'");
	for my $who ($user, undef)
	{
		is($t->error_as($who, "BEGIN READ ONLY;\n" . callback($back))->{state}, 'PT404', 'READ ONLY, ' . ($who ? 'for its user' : 'for nobody'));
	}
	is($t->error_as($user, callback($back))->{state}, 'PT404', 'for its user');
	is(states(), '1', 'it is still there');
	$t->authorize_url($user);
	is(states(), '1', 'and goes when the next one is made');
	is($t->sql('SELECT count(*) FROM crm_oauth_states WHERE expires_at < now()'), '0', 'which is another');
});

$t->behaviour('what the table of states holds is no state', sub {
	my $user = $t->user;
	my $back = consent($user);
	my ($hex) = split /\n/, $t->sql("SELECT encode(state_hash, 'hex') FROM crm_oauth_states WHERE user_id = '$user->{id}'");

	for my $state ($hex, "es_$hex", "\\x$hex", uc $back->{state}, substr($back->{state}, 0, -1), "$back->{state} ", " $back->{state}", "$back->{state}0", 'es_', '', '%', "' OR true --", ('x' x 255), ('x' x 256))
	{
		like($t->error_as($user, callback({ %$back, state => $state }))->{state}, qr/^(?:PT404|22023)$/, 'refused: ' . substr($state, 0, 20));
	}
	like($t->sql_as($user, callback($back)), $UUID, 'the state itself is good still');
});

$t->behaviour('a code cannot add to what is sent to Follow Up Boss', sub {
	my $user = $t->user;

	for my $code ('x&grant_type=refresh_token&refresh_token=y', "x\r\nX-Evil: 1\r\n\r\nPOST / HTTP/1.1", 'x%26a=b', "a b+c=d;e\x{263a}", 'x"\\', "\x{1}")
	{
		my $back = consent($user);
		my $mark = $t->mark;

		$t->expect_violations('bad_exchange');
		is($t->error_as($user, callback({ %$back, code => $code }))->{state}, '22023', 'refused');
		my ($sent) = exchanges($mark);
		my $form = query_of({ query => $sent->{raw_body} });
		is_deeply([ sort keys %$form ], [ 'code', 'grant_type', 'redirect_uri', 'state' ], 'the form has its four fields');
		utf8::encode(my $expected = $code);
		is($form->{code}, $expected, 'the code is one of them, to the byte');
		is(header($sent, 'X-Evil'), undef, 'and no header');
	}
	my $back = consent($user);
	is($t->error_as($user, callback({ %$back, code => 'x' x 9000 }))->{message}, 'code or state is too long', 'one that is too long is refused');
	like($t->sql_as($user, callback($back)), $UUID, 'before the state is spent');
});

$t->behaviour('statement_timeout while Follow Up Boss is silent: nothing is stored by halves, and a new flow works', sub {
	for my $begin ('BEGIN', 'BEGIN READ ONLY')
	{
		my $user = $t->user;
		my $back = consent($user);
		my $mark = $t->mark;

		$t->fault('fub_app', { path => '/oauth/token' }, { type => 'delay', ms => 1500 });
		my $began = time;
		my $error = $t->error_as($user, "SET statement_timeout = '400ms';\n$begin;\n" . callback($back));
		is($error->{state}, '57014', "$begin: the call ends with its time");
		cmp_ok(time - $began, '<', 5, 'at once');
		$t->log_lacks($back->{$_}, "no $_ in the log") for qw(code state);
		is($t->error_as($user, callback($back))->{state}, 'PT404', 'the state is spent');

		# READ ONLY it is the worker that stores, in its own time.
		$t->wait_until('the worker is done with it', sub { $t->sql('SELECT sum(in_flight) FROM echosync_workers') eq '0' });
		is($t->sql("SELECT count(*) FROM crm_integrations i LEFT JOIN crm_credentials c ON c.integration_id = i.id WHERE i.user_id = '$user->{id}' AND c.sealed IS NULL"),
			'0', 'there is no connection without a credential');
		is(connections($user), $begin eq 'BEGIN' ? '0' : '1', $begin eq 'BEGIN' ? 'nothing is stored' : 'the connection that the user has consented to is there');
		works_for($user);
		is(connections($user), '1', 'one connection');
	}
});

$t->behaviour('a callback that is rolled back stores nothing', sub {
	my $user = $t->user;
	my $back = consent($user);

	like($t->sql_as($user, "BEGIN;\n" . callback($back) . ";\nROLLBACK"), $UUID, 'it worked');
	is(connections($user), '0', 'and is undone');
	is($t->error_as($user, callback($back))->{state}, 'PT404', 'but for the state');
	works_for($user);
});

$t->behaviour('a full mailbox refuses the callback, and leaves the state', sub {
	my $user = $t->user;
	my $crowd = $t->user(lofty => 1);
	my $back = consent($user);

	$t->fault_for($crowd, 'lofty', { path => '/v1.0/me' }, { type => 'hang' }, times => -1);
	my @calls = map { begin($crowd, "SELECT * FROM echosync_test_connection('$crowd->{lofty}')") } 1 .. 16;
	$t->wait_for_sql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%test_connection%' AND wait_event_type = 'Extension'", '16');
	for my $begin ('BEGIN', 'BEGIN READ ONLY')
	{
		my $error = $t->error_as($user, "$begin;\n" . callback($back));

		is($error->{state}, '53300', "$begin: no room");
		like($error->{message}, qr/too many sessions are waiting/, 'says so');
		like($error->{hint}, qr/Try again/, 'and what to do');
		$t->log_lacks($back->{$_}, "no $_ in the log") for qw(code state);
	}
	$t->sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE '%test_connection%' AND pid <> pg_backend_pid()");
	like(end_of($_), qr/57014/, 'cancelled') for @calls;
	like($t->sql_as($user, callback($back)), $UUID, 'with room again, the same callback works');
});

$t->behaviour('without a worker the callback says so, and leaves the state', sub {
	my $user = $t->user;
	my $back = consent($user);

	$t->configure('echosync.databases' => 'none');
	$t->sql('SELECT pg_terminate_backend(pid) FROM echosync_workers');
	$t->wait_until('there is no worker', sub { !$t->worker_pids });
	for my $begin ('BEGIN', 'BEGIN READ ONLY')
	{
		my $error = $t->error_as($user, "$begin;\n" . callback($back));

		is($error->{state}, '55000', "$begin: SQLSTATE");
		like($error->{message}, qr/worker is not running/, 'the message');
		$t->log_lacks($back->{$_}, "no $_ in the log") for qw(code state);
	}
	is($t->error_as($user, "SET statement_timeout = '300ms';\n" . callback($back))->{state}, '57014', 'it can be cancelled while it waits for one');
	$t->deconfigure('echosync.databases');
	$t->wait_for_worker;
	like($t->sql_as($user, callback($back)), $UUID, 'with a worker, the same callback works');
});

$t->behaviour('a worker that ends in the middle of an exchange: the call fails, nothing is stored, a new flow works', sub {
	for my $begin ('BEGIN', 'BEGIN READ ONLY')
	{
		my $user = $t->user;
		my $back = consent($user);
		my $mark = $t->mark;

		$t->fault('fub_app', { path => '/oauth/token' }, { type => 'hang' });
		my $call = begin($user, "$begin;\n" . callback($back));
		$t->wait_until('the exchange is under way', sub { exchanges($mark) });
		$t->sql('SELECT pg_terminate_backend(pid) FROM echosync_workers');
		like(end_of($call), qr/worker/, "$begin: the error names the worker");
		is(connections($user), '0', 'nothing is stored');
		$t->wait_for_worker;
		works_for($user);
	}
});

$t->behaviour('a reload in the middle of an exchange: what was read before is not used any more, and the flow works', sub {
	my $user = $t->user;
	my $back = consent($user);
	my $mark = $t->mark;

	$t->knob('fub_app', 'latency_ms', 1000);
	my $call = begin($user, callback($back));
	$t->wait_until('the code is being exchanged', sub { scalar exchanges($mark) });
	$t->write_env_file(WEBHOOK_SECRET => 'another');
	$t->configure('echosync.app_url' => 'https://app.example/another');
	like(end_of($call), $UUID, 'the callback ends well');
	$t->deconfigure('echosync.app_url');
	$t->write_env_file;
	$t->lead($user);
	$t->drain($user);
	is(scalar $t->records($user, 'fub'), 1, 'and the connection works');
});

$t->behaviour('the settings of a flow are those it was begun with, whole', sub {
	my $user = $t->user;
	my @tags = map { sprintf '%03d %s', $_, "\x{1f3e0}" x 90 } 1 .. 20;
	my $back = consent($user, { tags => \@tags });

	like($t->sql_as($user, callback($back)), $UUID, 'settings of 8 kB');
	is($t->sql("SELECT jsonb_array_length(settings->'tags') FROM crm_integrations WHERE user_id = '$user->{id}'"), '20', 'all are there');
});

$t->done;
