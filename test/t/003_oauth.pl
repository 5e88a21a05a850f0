# Follow Up Boss by OAuth: consent, exchange, refresh, and what goes wrong.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncTest;
use MIME::Base64;
use Test::More;

my $t = EchosyncTest->start;

sub token_requests
{
	my ($since, $grant_type) = @_;

	return grep { $_->{path} eq '/oauth/token' && $_->{raw_body} =~ /grant_type=$grant_type\b/ }
	  $t->requests(undef, 'fub_app', since => $since);
}

sub refreshes { return token_requests($_[0], 'refresh_token') }
sub exchanges { return token_requests($_[0], 'authorization_code') }

sub connections { return $t->sql("SELECT count(*) FROM crm_integrations WHERE user_id = '$_[0]{id}'") }

# A user connected through the whole flow, whose worker has used the token.
sub connected_user
{
	my (%settings) = @_;
	my $user = $t->user;

	$t->connect_fub_oauth($user, \%settings);
	return $user;
}

$t->behaviour('the authorize URL is as Follow Up Boss wants it', sub {
	my $user = $t->user;
	my $url = $t->authorize_url($user);
	my ($base, $query) = split /\?/, $url, 2;
	my $asked = query_of({ query => $query });
	my $state = delete $asked->{state};

	is($base, $t->fub_app_url . '/oauth/authorize', 'host and path');
	is_deeply($asked, {
		response_type => 'auth_code',
		client_id => 'C1',
		redirect_uri => 'https://cb.example/fub',
		prompt => 'login',
	}, 'parameters: auth_code, no scope');
	like($query, qr/redirect_uri=https%3A%2F%2Fcb\.example%2Ffub/, 'percent-encoded');
	like($state, qr/^\w{32,}$/, 'a long state without a dot');
	isnt(query_of({ query => (split /\?/, $t->authorize_url($user), 2)[1] })->{state}, $state, 'another one each time');
	is($t->sql("SELECT count(*) FROM crm_oauth_states s WHERE to_jsonb(s)::text LIKE '%$state%'"), '0',
		'the table does not hold the state itself');
	is($t->sql("SELECT count(*) FROM crm_oauth_states WHERE expires_at BETWEEN now() + interval '9 min' AND now() + interval '10 min'"),
		'2', 'it is good for ten minutes');
	like($t->error_as($user, "SELECT echosync_oauth_authorize('lofty')")->{message}, qr/Lofty is connected by API key/,
		'Lofty has no OAuth here');
	like($t->error_as($user, "SELECT echosync_oauth_authorize('followupboss', '{\"colour\": 1}')")->{message}, qr/"colour"/,
		'a wrong setting is named');
});

$t->behaviour('the whole flow: consent, callback, and leads that go with the token', sub {
	my $user = $t->user;
	my $mark = $t->mark;
	my $back = $t->visit($user, $t->authorize_url($user, { tags => ['By OAuth'] }));

	is($back->{status}, 302, 'the consent page sends the browser back');
	is($back->{response}, 'approved', 'approved');
	$user->{fub} = $t->sql_as($user, EchosyncTest::callback_sql($back));
	like($user->{fub}, qr/^[0-9a-f-]{36}$/, 'the callback returns the connection');

	my @exchange = exchanges($mark);
	is(scalar @exchange, 1, 'one exchange');
	is($exchange[0]{path}, '/oauth/token', 'on the app host, without /v1');
	is(header($exchange[0], 'Authorization'), 'Basic ' . encode_base64('C1:S1', ''), 'client id and secret in Basic');
	is(header($exchange[0], 'Content-Type'), 'application/x-www-form-urlencoded', 'a form');
	is_deeply(query_of({ query => $exchange[0]{raw_body} }), {
		grant_type => 'authorization_code',
		code => $back->{code},
		redirect_uri => 'https://cb.example/fub',
		state => $back->{state},
	}, 'the four fields, state among them');

	my $row = $t->integration($user->{fub});
	is("$row->{user_id} $row->{crm_type} $row->{status} $row->{credential_kind}", "$user->{id} followupboss active oauth", 'the row');
	is($row->{crm_account}, "$user->{accounts}{fub}/" . (11 + $user->{accounts}{fub} - 777000), 'the account');
	is_deeply($row->{settings}{tags}, ['By OAuth'], 'the settings of the authorize call');

	$t->lead($user);
	$t->drain($user);
	my @records = $t->records($user, 'fub');
	is(scalar @records, 1, 'a lead arrives');
	is_deeply($records[0]{tags}, ['By OAuth'], 'with the settings');
	my ($grant) = $t->grants($user);
	my ($create) = $t->requests($user, 'fub', method => 'POST');
	is(header($create, 'Authorization'), "Bearer $grant->{access_tokens}[0]{token}", 'as Bearer, to the byte');
	cmp_ok(length $grant->{access_tokens}[0]{token}, '>', 255, 'the access token is longer than 255 characters');
	cmp_ok(length $grant->{refresh_token}, '>', 255, 'so is the refresh token');
	is(header($create, 'X-System'), 'EchoSafe', 'X-System goes along');
	my $sealed = $t->sql("SELECT sealed FROM crm_credentials WHERE integration_id = '$user->{fub}'");
	ok(index($sealed, substr($grant->{access_tokens}[0]{token}, 0, 40)) < 0, 'the tokens are sealed');
	$t->log_lacks($_, 'no code, state or token in the log')
	  for $back->{code}, $back->{state}, $grant->{refresh_token}, $grant->{access_tokens}[0]{token};
});

$t->behaviour('a denied consent is told as such and stores nothing', sub {
	my $user = $t->user;

	$t->knob('fub_app', 'deny', TRUE);
	my $mark = $t->mark;
	my $back = $t->visit($user, $t->authorize_url($user));
	is($back->{response}, 'denied', 'denied');
	is($back->{code}, undef, 'there is no code');
	my $error = $t->error_as($user, EchosyncTest::callback_sql($back));
	is($error->{state}, '28000', 'SQLSTATE');
	like($error->{message}, qr/denied/, 'the message says denied, not that a code is missing');
	is(connections($user), '0', 'nothing is stored');
	is(scalar exchanges($mark), 0, 'nothing is exchanged');
});

$t->behaviour('a callback without code or state is an error that says so', sub {
	my $user = $t->user;
	my $back = $t->visit($user, $t->authorize_url($user));

	for my $missing (qw(code state))
	{
		my $error = $t->error_as($user, EchosyncTest::callback_sql({ %$back, $missing => undef }));

		is($error->{state}, '22023', "no $missing: SQLSTATE");
		like($error->{message}, qr/no code or no state/, 'message');
	}
	is(connections($user), '0', 'nothing is stored');
});

$t->behaviour("wrong, another's, reused and expired states are refused alike, before anything is exchanged", sub {
	my $user = $t->user;
	my $other = $t->user;
	my $back = $t->visit($user, $t->authorize_url($user));
	my $mark = $t->mark;

	my $wrong = $t->error_as($user, EchosyncTest::callback_sql({ %$back, state => 'es_' . 'ab' x 24 }));
	is($wrong->{state}, 'PT404', 'wrong state');
	my $others = $t->error_as($other, EchosyncTest::callback_sql($back));
	is($others->{state}, 'PT404', "another's state");
	is("$others->{message}|$others->{detail}|$others->{hint}", "$wrong->{message}|$wrong->{detail}|$wrong->{hint}", 'the same words');
	is(scalar exchanges($mark), 0, 'nothing was exchanged');

	like($t->sql_as($user, EchosyncTest::callback_sql($back)), qr/^[0-9a-f-]{36}$/, "another's try has not spent it");
	my $reused = $t->error_as($user, EchosyncTest::callback_sql($back));
	is($reused->{state}, 'PT404', 'a second time');
	is($reused->{message}, $wrong->{message}, 'the same words');
	is(scalar exchanges($mark), 1, 'the code was exchanged once');

	my $late = $t->visit($user, $t->authorize_url($user));
	$t->sql("UPDATE crm_oauth_states SET expires_at = clock_timestamp() - interval '1 s' WHERE user_id = '$user->{id}'");
	is($t->error_as($user, EchosyncTest::callback_sql($late))->{state}, 'PT404', 'after ten minutes');
	is(scalar exchanges($mark), 1, 'nothing more was exchanged');
	is(connections($other), '0', 'the other user has nothing');
	is(connections($user), '1', 'the user one connection');
});

$t->behaviour('a code that Follow Up Boss refuses stores nothing', sub {
	my $user = $t->user;
	my $back = $t->visit($user, $t->authorize_url($user));

	$t->expect_violations('bad_exchange');
	my $error = $t->error_as($user, EchosyncTest::callback_sql({ %$back, code => 'ac_0.invented' }));
	is($error->{state}, '22023', 'SQLSTATE');
	like($error->{message}, qr/Follow Up Boss no longer accepts the authorization code/, 'message');
	is(connections($user), '0', 'nothing is stored');
	is($t->error_as($user, EchosyncTest::callback_sql($back))->{state}, 'PT404', 'the state is spent all the same');
});

$t->behaviour('a client secret that Follow Up Boss refuses is named as the cause', sub {
	my $user = $t->user;
	my $back = $t->visit($user, $t->authorize_url($user));

	$t->knob('fub_app', 'client_secret', 'another');
	like($t->error_as($user, EchosyncTest::callback_sql($back))->{message},
		qr/Follow Up Boss refuses the client id or client secret of the env file/, 'message');
	is(connections($user), '0', 'nothing is stored');
});

$t->behaviour('a callback in a READ ONLY transaction works, with and without a user', sub {
	my $user = $t->user;
	my $other = $t->user;

	my $back = $t->visit($user, $t->authorize_url($user, { tags => ['Read only'] }));
	my $id = $t->sql_as($user, "BEGIN READ ONLY;\n" . EchosyncTest::callback_sql($back) . ";\nCOMMIT");
	is($t->integration($id)->{user_id}, $user->{id}, "the user's connection is stored");
	is_deeply($t->integration($id)->{settings}{tags}, ['Read only'], 'with the settings');
	$t->lead($user);
	$t->drain($user);
	is(scalar $t->records($user, 'fub'), 1, 'and works');

	$back = $t->visit($other, $t->authorize_url($other));
	$id = $t->sql_as(undef, "BEGIN READ ONLY;\n" . EchosyncTest::callback_sql($back) . ";\nCOMMIT");
	is($t->integration($id)->{user_id}, $other->{id}, 'without a user the state decides whose it is');
	is($t->error_as(undef, "BEGIN READ ONLY;\n" . EchosyncTest::callback_sql($back))->{state}, 'PT404', 'and is spent');

	$back = $t->visit($other, $t->authorize_url($other));
	is($t->error_as($user, "BEGIN READ ONLY;\n" . EchosyncTest::callback_sql($back))->{state}, 'PT404',
		"another user's state is refused there too");
});

# What a browser is told that the CRM sends straight to the callback: a GET.
sub browser_callback
{
	my ($call, %option) = @_;
	my @lines = split /\n/, $t->sql_as($option{user}, join ";\n", 'BEGIN READ ONLY', $option{before} // (),
		q{SELECT 'set ' || set_config('request.method', 'GET', true)}, $call,
		q{SELECT current_setting('response.status') || ' ' || current_setting('response.headers')}, 'COMMIT');
	my ($status, $headers) = $lines[-1] =~ /^(\d+) (.*)$/;
	my ($location) = map { $_->{Location} // () } @{ JSON::PP::decode_json($headers) };
	return { status => $status, location => $location, id => $lines[1] };
}

$t->behaviour('a browser that comes straight from the CRM is sent on to the application', sub {
	my $user = $t->user;
	my $url = 'https://app.example/settings?tab=crm#connections';

	$t->configure('echosync.app_url' => $url);
	my $back = $t->visit($user, $t->authorize_url($user));
	my $answer = browser_callback(EchosyncTest::callback_sql($back));
	is($answer->{status}, 303, 'a redirect');
	is($t->integration($answer->{id})->{user_id}, $user->{id}, 'the connection is stored');
	is($answer->{location}, "https://app.example/settings?tab=crm&echosync=connected&integration=$answer->{id}#connections",
		'with the outcome, before the fragment');

	my $failed = sub { my $got = browser_callback(@_); return "$got->{status} " . ($got->{location} =~ /[?&](echosync=[^#]*)/)[0] };
	is($failed->(EchosyncTest::callback_sql($back)), '303 echosync=error&reason=oauth_state', 'the same again: the state is spent');
	is($failed->(q{SELECT echosync_oauth_callback(response => 'denied')}), '303 echosync=error&reason=denied', 'no consent');
	is($failed->('SELECT echosync_oauth_callback()'), '303 echosync=error&reason=incomplete', 'nothing at all');
	is($failed->(sprintf 'SELECT echosync_oauth_callback(%s, %s)', lit('c' x 9000), lit('s')), '303 echosync=error&reason=incomplete', 'far too much');

	$back = $t->visit($user, $t->authorize_url($user));
	$t->fault('fub_app', { path => '/oauth/token' }, { type => 'delay', ms => 2500 }, times => 1);
	is($failed->(EchosyncTest::callback_sql($back), before => "SET LOCAL statement_timeout = '2s'"), '303 echosync=pending',
		'a CRM that takes longer than the statement may');
	$t->wait_until('the worker has stored it all the same', sub {
		$t->sql("SELECT connected_at > now() - interval '10 s' FROM crm_integrations WHERE user_id = '$user->{id}'") eq 't' });

	$t->configure('echosync.app_url' => '');
	is($t->error_as(undef, "BEGIN READ ONLY;\nSELECT set_config('request.method', 'GET', true);\nSELECT echosync_oauth_callback(response => 'denied')")->{state},
		'28000', 'without the setting: an error');
});

$t->behaviour('connecting again by OAuth keeps id, links and queue', sub {
	my $user = connected_user();
	my $id = $user->{fub};
	my $lead = $t->lead($user);

	$t->drain($user);
	my $record = $t->link_of($id, $lead);
	$t->sql_as($user, "SELECT echosync_pause('$id')");
	$t->change($lead, first_name => 'Later');
	is($t->connect_fub_oauth($user), $id, 'the same id');
	$t->drain($user);
	is($t->link_of($id, $lead), $record, 'the link is kept');
	is(($t->records($user, 'fub'))[0]{firstName}, 'Later', 'what was queued is sent');
});

$t->behaviour('an access token is refreshed five minutes before its end, not before that', sub {
	my $user = connected_user();

	# What the token has left, by the clocks of both sides.
	my $leave = sub {
		my ($seconds) = @_;

		$t->control('POST', '/reset', { only => ['clock'] });
		$t->advance_clock(3600 - $seconds);
		$t->sql("UPDATE crm_credentials SET expires_at = clock_timestamp() + interval '$seconds s' WHERE integration_id = '$user->{fub}'");
	};

	$leave->(330);
	my $mark = $t->mark;
	$t->lead($user);
	$t->drain($user);
	is(scalar refreshes($mark), 0, '5½ minutes left: no refresh');

	$leave->(270);
	$mark = $t->mark;
	$t->lead($user);
	$t->drain($user);
	my @refresh = refreshes($mark);
	my @api = $t->requests($user, 'fub', since => $mark);
	is(scalar @refresh, 1, '4½ minutes left: one refresh');
	cmp_ok($refresh[0]{seq}, '<', $api[0]{seq}, 'before the first call');
	is(scalar(grep { $_->{status} == 401 } @api), 0, 'so that there is no 401');
	is_deeply([ sort keys %{ query_of({ query => $refresh[0]{raw_body} }) } ], [ 'grant_type', 'refresh_token' ], 'two fields');
	is(header($refresh[0], 'Authorization'), 'Basic ' . encode_base64('C1:S1', ''), 'client in Basic');
	is($t->sql("SELECT expires_at > now() + interval '55 min' FROM crm_credentials WHERE integration_id = '$user->{fub}'"),
		't', 'the new end is stored');
	is(scalar $t->records($user, 'fub'), 2, 'both leads arrived');
});

$t->behaviour('a 401 is answered by one refresh and one repetition, and the lead does not pay for it', sub {
	my $user = connected_user();
	my $first = $t->lead($user);

	$t->drain($user);
	my ($old) = $t->grants($user);
	$t->agent($user, 'fub', undef, 'expire_access');
	my $mark = $t->mark;
	my $lead = $t->lead($user, first_name => 'Second');
	$t->drain($user);
	my @api = $t->requests($user, 'fub', since => $mark);
	is(scalar refreshes($mark), 1, 'one refresh');
	is($api[0]{status}, 401, 'the first call was refused');
	is("$api[1]{method} $api[1]{path} $api[1]{query}", "$api[0]{method} $api[0]{path} $api[0]{query}", 'and repeated as it was');
	is(scalar(grep { $_->{status} == 401 } @api), 1, 'there was one 401 only');
	my ($row) = $t->logs($user, lead => $lead);
	is("$row->{action} $row->{status} $row->{attempt}", 'created success 1', 'the log shows a first attempt');
	my ($new) = $t->grants($user);
	isnt($new->{refresh_token}, $old->{refresh_token}, 'the refresh token was rotated');

	# the rotated one is the one used next
	$t->agent($user, 'fub', undef, 'expire_access');
	$t->change_and_drain($user, $first, first_name => 'Third');
	is(scalar refreshes($mark), 2, 'and the next refresh works with the new one');
	is($t->integration($user->{fub})->{status}, 'active', 'the connection is active');
});

for my $mode (qw(same omit))
{
	$t->behaviour("refresh tokens that are not rotated ($mode) go on being used", sub {
		my $user = connected_user();
		my $mark = $t->mark;

		$t->knob('fub_app', 'refresh_mode', $mode);
		for my $n (1 .. 2)
		{
			$t->agent($user, 'fub', undef, 'expire_access');
			$t->lead($user);
			$t->drain($user);
		}
		is(scalar refreshes($mark), 2, 'two refreshes');
		is(scalar $t->records($user, 'fub'), 2, 'two records');
	});
}

$t->behaviour('eight leads at once share one refresh', sub {
	my $user = connected_user();

	# Leads go one at a time until the CRM has told its limits.
	$t->lead($user, first_name => 'First');
	$t->drain($user);
	$t->sql_as($user, "SELECT echosync_pause('$user->{fub}')");
	$t->lead($user, first_name => "Lead $_") for 1 .. 8;
	$t->agent($user, 'fub', undef, 'expire_access');
	$t->knob('fub_app', 'latency_ms', 300);
	$t->knob('fub', 'latency_ms', 50);
	my $mark = $t->mark;
	$t->sql_as($user, "SELECT echosync_resume('$user->{fub}')");
	$t->drain($user);
	my @api = $t->requests($user, 'fub', since => $mark);
	cmp_ok(scalar(grep { $_->{status} == 401 } @api), '>', 1, 'several calls met the dead token');
	is(scalar refreshes($mark), 1, 'one refresh');
	is(scalar $t->records($user, 'fub'), 9, 'the first and eight records');
	is_deeply([ map { $_->{attempt} } $t->logs($user) ], [ (1) x 9 ], 'each at its first attempt');
});

$t->behaviour('rotated tokens are stored before they are used, so that a crash does not lose them', sub {
	my $user = connected_user();
	my $sealed = sub { $t->sql("SELECT sealed FROM crm_credentials WHERE integration_id = '$user->{fub}'") };

	$t->lead($user);
	$t->drain($user);
	my $before = $sealed->();
	$t->agent($user, 'fub', undef, 'expire_access');
	$t->knob('fub', 'latency_ms', 2000);
	my $mark = $t->mark;
	$t->lead($user, first_name => 'Crash');
	my ($new_token) = @{ $t->wait_until('a call with the new token is under way', sub {
		my ($grant) = $t->grants($user);
		my $token = $grant->{access_tokens}[-1]{token};
		return unless @{ $grant->{access_tokens} } == 2;
		return (grep { (header($_, 'Authorization') || '') eq "Bearer $token" } $t->requests($user, 'fub', since => $mark)) ? [$token] : undef;
	}) };
	isnt($sealed->(), $before, 'the new tokens are in the table by then');
	$t->node->stop('immediate');
	$t->knob('fub', 'latency_ms', 0);
	$t->node->start;
	$t->drain($user);
	is(scalar refreshes($mark), 1, 'after the crash no other refresh was needed');
	is(scalar $t->records($user, 'fub'), 2, 'both leads arrived, once');
});

$t->behaviour('a refused refresh token puts the connection in error and keeps its queue, until connected again', sub {
	my $user = connected_user();

	$t->lead($user);
	$t->drain($user);
	$t->agent($user, 'fub', undef, 'revoke_app');
	my $mark = $t->mark;
	my $lead = $t->lead($user, first_name => 'Waits');
	$t->wait_for_sql("SELECT status || ' ' || status_reason FROM crm_integrations WHERE id = '$user->{fub}'", 'error credential_refused');
	is(scalar refreshes($mark), 1, 'one refresh was tried');
	is($t->sql("SELECT count(*) FROM crm_sync_queue WHERE lead_id = '$lead'"), '1', 'the lead waits');
	is_deeply([ $t->log_lines($user, lead => $lead) ], [], 'and has not failed');
	my $error = $t->error_as($user, "SELECT echosync_resume('$user->{fub}')");
	is($error->{state}, '55000', 'resume is refused');
	like($error->{hint}, qr/echosync_oauth_authorize/, 'with what to do');
	$t->connect_fub_oauth($user);
	$t->drain($user);
	is_deeply([ $t->log_lines($user, lead => $lead) ], ['created success'], 'connected again, it is sent');
});

$t->behaviour('a 401 that a refresh does not cure ends in error, after one refresh', sub {
	my $user = connected_user();

	$t->fault('fub', { path => '/v1/people' }, { type => 'status', status => 401, body => { errorMessage => 'no' } }, times => -1);
	my $mark = $t->mark;
	$t->lead($user);
	$t->wait_for_sql("SELECT status FROM crm_integrations WHERE id = '$user->{fub}'", 'error');
	is(scalar refreshes($mark), 1, 'one refresh');
	$t->clear_faults;
	$t->connect_fub_oauth($user);
	$t->drain($user);
	is(scalar $t->records($user, 'fub'), 1, 'connected again, it is sent');
});

$t->behaviour('an outage of the token service is waited for; the tokens are kept', sub {
	my $user = connected_user();

	$t->agent($user, 'fub', undef, 'expire_access');
	$t->knob('fub_app', 'token_outage', TRUE);
	my $mark = $t->mark;
	my $lead = $t->lead($user);
	$t->wait_until('a refresh was tried', sub { scalar refreshes($mark) });
	is($t->integration($user->{fub})->{status}, 'active', 'the connection is not in error');
	$t->knob('fub_app', 'token_outage', FALSE);
	$t->drain($user);
	is_deeply([ $t->log_lines($user, lead => $lead) ], ['created success'], 'the lead is sent when it is over');
});

$t->behaviour('an account that is gone puts the connection in error', sub {
	my $user = connected_user();

	$t->agent($user, 'fub', undef, 'expire_access');
	$t->knob('fub_app', 'account_gone', TRUE);
	$t->lead($user);
	$t->wait_for_sql("SELECT status FROM crm_integrations WHERE id = '$user->{fub}'", 'error');
	is($t->sql("SELECT count(*) FROM crm_sync_queue WHERE user_id = '$user->{id}'"), '1', 'the lead waits');
});

$t->behaviour('without client id and secret OAuth is an error that says what to set', sub {
	my $user = $t->user;

	$t->write_env_file(FOLLOWUPBOSS_CLIENT_ID => undef);
	$t->reload;
	my $error = $t->error_as($user, 'SELECT echosync_oauth_authorize()');
	is($error->{state}, '55000', 'SQLSTATE');
	like($error->{hint}, qr/FOLLOWUPBOSS_CLIENT_ID.*echosync\.redirect_url/, 'hint');
	$t->write_env_file;
	$t->reload;
	like($t->authorize_url($user), qr/client_id=C1/, 'put right, it works');
});

$t->done;
