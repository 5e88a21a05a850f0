# Connecting by API key, changing, testing and ending a connection.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncTest;
use Test::More;

my $t = EchosyncTest->start;

my %LABEL = (lofty => 'Lofty', fub => 'Follow Up Boss');
my %TYPE = (lofty => 'lofty', fub => 'followupboss');

sub connect_sql
{
	my ($crm, $key, $settings) = @_;

	return sprintf "SELECT echosync_connect('%s', %s, %s)", $TYPE{$crm}, lit($key), lit($settings || {});
}

# Everything that a connect could have left behind.
sub stored
{
	return $t->sql('SELECT (SELECT count(*) FROM crm_integrations) || \' \' || (SELECT count(*) FROM crm_credentials)');
}

$t->behaviour('a wrong key is refused with a message that names the CRM and why, and stores nothing', sub {
	my $user = $t->user;
	my $before = stored();

	for my $crm (qw(lofty fub))
	{
		my $error = $t->error_as($user, connect_sql($crm, 'eyJwrong.key.wrong1'));

		is($error->{state}, '22023', "$crm: SQLSTATE");
		like($error->{message}, qr/$LABEL{$crm}/, 'the message names the CRM');
		like($error->{message}, qr/does not accept/, 'and says why');
		like($error->{detail}, qr/http_401/, 'the detail has the code');
		unlike($error->{text}, qr/wrong1/, 'the key is not repeated');
		is(stored(), $before, 'nothing is stored');
	}
	for my $mode (qw(string object 200058))
	{
		$t->knob('lofty', 'unauthorized_mode', $mode);
		like($t->error_as($user, connect_sql('lofty', 'eyJwrong.key.wrong1'))->{message},
			qr/Lofty.*does not accept this API key/, "Lofty's answer in the form $mode is understood");
	}
	is(stored(), $before, 'still nothing is stored');
});

$t->behaviour('an answer that proves nothing is no connection', sub {
	my $user = $t->user;
	my $before = stored();

	for my $mode (qw(string no_id))
	{
		$t->knob('lofty', 'me_mode', $mode);
		like($t->error_as($user, connect_sql('lofty', $user->{keys}{lofty}))->{message}, qr/could not connect to Lofty/,
			"200 with $mode");
	}
	$t->fault('fub', { path => '/v1/identity' }, { type => 'status', status => 200, body => 'welcome', content_type => 'text/html' });
	like($t->error_as($user, connect_sql('fub', $user->{keys}{fub}))->{message}, qr/could not connect to Follow Up Boss/,
		'200 with a page');
	$t->knob('lofty', 'me_mode');
	for my $case (
		[ { type => 'status', status => 503 }, qr/Lofty is not available/ ],
		[ { type => 'close_before' }, qr/connection to Lofty broke/ ],
		[ { type => 'redirect' }, qr/Lofty answered with a redirect/ ],
		[ { type => 'status', status => 403, body => '<html>', content_type => 'text/html' }, qr/in front of Lofty/ ])
	{
		my ($action, $message) = @$case;

		$t->fault('lofty', { path => '/v1.0/me' }, $action, times => -1);
		like($t->error_as($user, connect_sql('lofty', $user->{keys}{lofty}))->{message}, $message, "Lofty: $action->{type}");
		$t->clear_faults;
	}
	is(stored(), $before, 'nothing is stored');
});

$t->behaviour('text that cannot be a key is refused before the CRM is asked', sub {
	my $user = $t->user;
	my $mark = $t->mark;

	for my $crm (qw(lofty fub))
	{
		for my $key ('', ' ', "$user->{keys}{$crm} ", " $user->{keys}{$crm}", "$user->{keys}{$crm}\n", "abc def", "abc\tdef",
			"abc\r\nX-Evil: 1")
		{
			my $error = $t->error_as($user, connect_sql($crm, $key));

			is($error->{state}, '22023', "$crm: " . ($key =~ s/[^ -~]/./gr) . ': SQLSTATE');
			like($error->{message}, qr/cannot be an API key of $LABEL{$crm}/, 'message');
			unlike($error->{text}, qr/\Q$user->{keys}{$crm}\E|abc.def|X-Evil/, 'the text is not repeated');
		}
		is($t->error_as($user, connect_sql($crm, undef))->{state}, '22004', "$crm: null");
	}
	my $unknown = $t->error_as($user, "SELECT echosync_connect('hubspot', 'abc')");
	is($unknown->{state}, '22023', 'unknown CRM: SQLSTATE');
	like($unknown->{message}, qr/unrecognized CRM "hubspot"/, 'message');
	like($unknown->{hint}, qr/: followupboss, lofty, kvcore\.$/, 'hint');
	is(scalar(grep { $_->{seq} > $mark } $t->requests(undef, 'lofty'), $t->requests(undef, 'fub')), 0, 'no request was sent');
});

$t->behaviour('a connect that is cancelled while the CRM is silent stores nothing, and the key is in no log', sub {
	my $user = $t->user;
	my $before = stored();

	$t->fault('lofty', { path => '/v1.0/me' }, { type => 'hang' }, times => -1);
	my $error = $t->error_as($user, "SET statement_timeout = '300ms';\n" . connect_sql('lofty', $user->{keys}{lofty}));
	is($error->{state}, '57014', 'it ends with statement_timeout');
	is(stored(), $before, 'nothing is stored');
	$t->log_lacks($user->{keys}{lofty}, 'no key in the log');
	$t->clear_faults;
	like($t->connect_lofty($user), qr/^[0-9a-f-]{36}$/, 'and the next try goes through');
});

$t->behaviour('no error of connect shows the key to the log', sub {
	my $user = $t->user;

	$t->error_as($user, connect_sql('lofty', $user->{keys}{lofty}, { colour => 1 }));
	$t->error_as($user, connect_sql('lofty', $user->{keys}{lofty}, { tags => 1 }));
	$t->error_as(undef, connect_sql('lofty', $user->{keys}{lofty}));
	$t->error_as($user, "BEGIN READ ONLY;\n" . connect_sql('lofty', $user->{keys}{lofty}));
	$t->error_as(('x' x 5000), connect_sql('lofty', $user->{keys}{lofty}));
	$t->error_as($user, "SELECT echosync_connect('hubspot', " . lit($user->{keys}{lofty}) . ')');
	$t->error_as($user, connect_sql('lofty', "$user->{keys}{lofty} "));
	$t->log_lacks($user->{keys}{lofty}, 'no key in the log');
});

$t->behaviour('the key is sealed where nobody but the worker reads it', sub {
	my $user = $t->user(lofty => 1, fub => 1);

	for my $crm (qw(lofty fub))
	{
		unlike($t->sql("SELECT sealed FROM crm_credentials WHERE integration_id = '$user->{$crm}'"),
			qr/\Q$user->{keys}{$crm}\E/, "$crm: not in clear");
		unlike($t->sql("SELECT to_jsonb(i) FROM crm_integrations i WHERE id = '$user->{$crm}'"),
			qr/\Q$user->{keys}{$crm}\E/, "$crm: not in the connection's row");
	}
	is($t->error_as($user, 'SELECT sealed FROM crm_credentials')->{state}, '42501', 'the application may not read credentials');
});

$t->behaviour('connecting again replaces the credential and keeps id, links, settings and queue', sub {
	my $user = $t->user(lofty => { tags => ['Mine'] });
	my $sent = $t->lead($user);
	my $new_key = 'eyJhbGciOiJIUzI1NiJ9.eyJuZXciOjF9.bmV3a2V5';

	$t->drain($user);
	my $record = $t->link_of($user->{lofty}, $sent);
	$t->sql_as($user, "SELECT echosync_pause('$user->{lofty}')");
	my $waiting = $t->lead($user, first_name => 'Waiting');
	$t->control('POST', '/account', { crm => 'lofty', key => $new_key, account => $user->{accounts}{lofty} });

	my $mark = $t->mark;
	is($t->connect_lofty($user, $new_key), $user->{lofty}, 'the same id');
	$t->drain($user);
	is($t->link_of($user->{lofty}, $sent), $record, 'the link is kept');
	ok($t->link_of($user->{lofty}, $waiting), 'what was queued is sent');
	my @used = map { header($_, 'Authorization') } $t->requests($user, 'lofty', since => $mark);
	is_deeply([ grep { $_ ne "token $new_key" } @used ], [], 'all with the new key');
	is($t->integration($user->{lofty})->{status}, 'active', 'the connection is active');
	is_deeply($t->integration($user->{lofty})->{settings}{tags}, ['Mine'], 'settings that were not named are kept');
	is($t->sql("SELECT count(*) FROM crm_integrations WHERE user_id = '$user->{id}'"), '1', 'one connection');
});

$t->behaviour('a wrong key leaves the connection that was there as it was', sub {
	my $user = $t->user(lofty => 1);
	my $before = $t->sql("SELECT sealed FROM crm_credentials WHERE integration_id = '$user->{lofty}'");

	like($t->error_as($user, connect_sql('lofty', 'eyJwrong.key.wrong1'))->{message}, qr/does not accept/, 'refused');
	is($t->sql("SELECT sealed FROM crm_credentials WHERE integration_id = '$user->{lofty}'"), $before, 'the old key stays');
	$t->lead($user);
	$t->drain($user);
	is(scalar $t->records($user, 'lofty'), 1, 'and works');
});

my @BAD_SETTINGS = (
	[ { colour => 1 }, 'colour' ],
	[ { auto_sync => 'yes' }, 'auto_sync' ],
	[ { max_risk_score => 'high' }, 'max_risk_score' ],
	[ { max_risk_score => -1 }, 'max_risk_score' ],
	[ { sync_unscored => 1 }, 'sync_unscored' ],
	[ { crm_name => 5 }, 'crm_name' ],
	[ { tags => 'one' }, 'tags' ],
	[ { tags => [''] }, 'tags' ],
	[ { source => '' }, 'source' ],
	[ { custom_fields => { nonsense => 'x y' } }, 'custom_fields' ],
	[ { delivery => 'loud' }, 'delivery' ],
	[ { delivery => 'events' }, 'delivery' ],
	[ { assigned_user_id => 'me' }, 'assigned_user_id' ]);

$t->behaviour('a wrong setting is an error that names it, when connecting and when updating', sub {
	my $user = $t->user(lofty => 1);
	my $fresh = $t->user;
	my $mark = $t->mark;
	my $before = $t->sql("SELECT settings FROM crm_integrations WHERE id = '$user->{lofty}'");
	my $stored = stored();

	for my $bad (@BAD_SETTINGS)
	{
		my ($settings, $key) = @$bad;
		my $name = lit($settings);

		for my $error ($t->error_as($fresh, connect_sql('lofty', $fresh->{keys}{lofty}, $settings)),
			$t->error_as($user, "SELECT echosync_update_integration('$user->{lofty}', " . lit($settings) . ')'))
		{
			is($error->{state}, '22023', "$name: SQLSTATE");
			like($error->{message}, qr/"$key"/, 'and its name');
		}
	}
	is($t->error_as($user, "SELECT echosync_update_integration('$user->{lofty}', '[1]')")->{state}, '22023', 'not an object');
	is($t->sql("SELECT settings FROM crm_integrations WHERE id = '$user->{lofty}'"), $before, 'settings are unchanged');
	is(stored(), $stored, 'nothing was stored');
	is(scalar $t->requests($fresh, 'lofty', since => $mark), 0, 'and no request sent');
});

$t->behaviour('settings are changed one by one, have defaults, and hold from the next lead on', sub {
	my $user = $t->user(lofty => 1);

	json_is($t->integration($user->{lofty})->{settings}, {
		auto_sync => TRUE, max_risk_score => 20, sync_unscored => FALSE, crm_name => undef,
		tags => ['Echo Safe - Clean Lead'], source => 'Echo Safe Compliance', custom_fields => {},
		delivery => 'quiet', assigned_user_id => undef,
	}, 'defaults');
	my ($row) = $t->rows_as($user, "SELECT * FROM echosync_update_integration('$user->{lofty}', '{\"max_risk_score\": 50, \"tags\": [\"A\", \"B\"], \"source\": \"Fair\"}')");
	is($row->{id}, $user->{lofty}, 'the row is returned');
	is($row->{settings}{max_risk_score}, 50, 'with the change');
	is($row->{settings}{sync_unscored}, FALSE, 'and what was not named');
	$t->lead($user, risk_score => 50);
	$t->lead($user, risk_score => 51);
	$t->drain($user);
	my @records = $t->records($user, 'lofty');
	is(scalar @records, 1, 'the new limit is in force');
	is_deeply($records[0]{tags}, [ 'A', 'B' ], 'so are the tags');
	is($records[0]{source}, 'Fair', 'and the source');

	$t->sql_as($user, "SELECT echosync_update_integration('$user->{lofty}', '{\"max_risk_score\": null, \"tags\": null}')");
	$t->lead($user, risk_score => 99, first_name => 'Risky');
	$t->lead($user, risk_score => undef, first_name => 'Refused');
	$t->drain($user);
	$t->sql_as($user, "SELECT echosync_update_integration('$user->{lofty}', '{\"sync_unscored\": true}')");
	$t->lead($user, risk_score => undef, first_name => 'Unscored');
	$t->drain($user);
	is_deeply([ sort map { $_->{firstName} } $t->records($user, 'lofty') ], [ 'Dana', 'Risky', 'Unscored' ],
		'without a limit risky leads go, and where it is said so those without a score');

	$t->sql_as($user, "SELECT echosync_update_integration('$user->{lofty}', '{\"auto_sync\": false}')");
	my $mark = $t->mark;
	my $quiet = $t->lead($user);
	is($t->sql("SELECT count(*) FROM crm_sync_queue WHERE lead_id = '$quiet'"), '0', 'auto_sync off: nothing is queued');
	is_deeply([ $t->logs($user, lead => $quiet) ], [], 'or logged');
	is(scalar $t->requests($user, 'lofty', since => $mark), 0, 'or sent');
});

$t->behaviour('unscored leads go where sync_unscored is set, below the limit', sub {
	my $user = $t->user(lofty => { sync_unscored => TRUE });

	$t->lead($user, risk_score => undef, first_name => 'Unscored');
	$t->lead($user, risk_score => 21, first_name => 'Risky');
	$t->drain($user);
	is_deeply([ map { $_->{firstName} } $t->records($user, 'lofty') ], ['Unscored'], 'one record');
});

$t->behaviour('disconnecting destroys the credential, cancels the queue and keeps the log', sub {
	my $user = $t->user(lofty => 1);
	my $sent = $t->lead($user);

	$t->drain($user);
	$t->sql_as($user, "SELECT echosync_pause('$user->{lofty}')");
	my $waiting = $t->lead($user);
	my $mark = $t->mark;
	$t->sql_as($user, "SELECT echosync_disconnect('$user->{lofty}')");

	is($t->sql("SELECT count(*) FROM crm_credentials WHERE integration_id = '$user->{lofty}'"), '0', 'no credential');
	is($t->integration($user->{lofty}), undef, 'no connection');
	is($t->sql("SELECT count(*) FROM crm_sync_queue WHERE integration_id = '$user->{lofty}'"), '0', 'no queue');
	is_deeply([ $t->log_lines($user, lead => $waiting) ], ['none skipped disconnected'], 'what was queued is logged as skipped');
	is_deeply([ $t->log_lines($user, lead => $sent) ], ['created success'], 'the log is kept');
	is(scalar($t->rows_as($user, 'SELECT * FROM echosync_sync_logs()')), 2, 'and the user can read it');
	$t->lead($user);
	$t->change($sent, first_name => 'Changed');
	is($t->sql("SELECT count(*) FROM crm_sync_queue WHERE user_id = '$user->{id}'"), '0', 'later leads are not queued');
	is(scalar $t->requests($user, 'lofty', since => $mark), 0, 'and Lofty is not called');
	is($t->error_as($user, "SELECT echosync_get_integration('$user->{lofty}')")->{state}, 'PT404', 'the id is unknown now');
});

$t->behaviour('connecting the same account again takes id and links over', sub {
	my $user = $t->user(lofty => 1, fub => 1);
	my $lead = $t->lead($user);

	$t->drain($user);
	for my $crm (qw(lofty fub))
	{
		my $id = $user->{$crm};
		my $record = $t->link_of($id, $lead);

		$t->sql_as($user, "SELECT echosync_disconnect('$id')");
		is($crm eq 'lofty' ? $t->connect_lofty($user) : $t->connect_fub_key($user), $id, "$crm: the same id");
		my $mark = $t->mark;
		$t->change_and_drain($user, $lead, first_name => "Again $crm");
		is($t->link_of($id, $lead), $record, "$crm: the same record");
		is_deeply([ map { $_->{method} } $t->requests($user, $crm, since => $mark) ], ['PUT'], "$crm: one update, no search");
	}
});

$t->behaviour("connecting another account does not take the old one's links for its own", sub {
	my $user = $t->user(lofty => 1);
	my $other = $t->user;
	my $lead = $t->lead($user);

	$t->drain($user);
	my $old = $t->link_of($user->{lofty}, $lead);
	$t->connect_lofty($user, $other->{keys}{lofty});
	$t->change_and_drain($user, $lead, first_name => 'Moved');
	is_deeply([ map { $_->{firstName} } $t->records($user, 'lofty') ], ['Dana'], 'the old account is left alone');
	my @records = $t->records($other, 'lofty');
	is_deeply([ map { $_->{firstName} } @records ], ['Moved'], 'the new one has the lead');
	is($t->link_of($user->{lofty}, $lead), $records[0]{leadId}, 'which is linked there');
});

$t->behaviour('test_connection says whether the credential works and whose it is, and changes nothing', sub {
	my $user = $t->user(lofty => 1, fub => 1);
	my $state = sub { $t->sql("SELECT jsonb_agg(to_jsonb(i) ORDER BY crm_type) FROM crm_integrations i WHERE user_id = '$user->{id}'") };
	my $before = $state->();

	for my $crm (qw(lofty fub))
	{
		my ($row) = $t->rows_as($user, "SELECT * FROM echosync_test_connection('$user->{$crm}')");

		is($row->{ok}, TRUE, "$crm works");
		like($row->{crm_account}, $crm eq 'lofty' ? qr/Ana Reyes/ : qr/Pat Agent/, 'the account is named');
		ok($row->{message}, 'and there is a message');
	}
	$t->control('POST', '/account', { crm => 'lofty', key => $user->{keys}{lofty}, account => $user->{accounts}{lofty}, expired => TRUE });
	my ($row) = $t->rows_as($user, "SELECT * FROM echosync_test_connection('$user->{lofty}')");
	is($row->{ok}, FALSE, 'an expired key does not work');
	like($row->{message}, qr/Lofty does not accept this API key/, 'with the reason');
	$t->knob('fub', 'locked', TRUE);
	($row) = $t->rows_as($user, "SELECT * FROM echosync_test_connection('$user->{fub}')");
	is($row->{ok}, FALSE, 'nor does a locked account');
	like($row->{message}, qr/Follow Up Boss account is locked/, 'with the reason');
	is($state->(), $before, 'nothing has changed');
});

$t->behaviour('without a user there is 42501 and how to set one', sub {
	my $user = $t->user(lofty => 1);

	for my $sql (connect_sql('lofty', $user->{keys}{lofty}), "SELECT echosync_oauth_authorize()",
		"SELECT echosync_oauth_callback('a', 'b')", "SELECT echosync_get_integration('$user->{lofty}')",
		"SELECT echosync_update_integration('$user->{lofty}', '{}')", "SELECT echosync_disconnect('$user->{lofty}')",
		"SELECT * FROM echosync_test_connection('$user->{lofty}')", "SELECT * FROM echosync_manual_sync('$user->{lofty}')",
		"SELECT echosync_pause('$user->{lofty}')", "SELECT echosync_resume('$user->{lofty}')",
		"SELECT echosync_retry_failed('$user->{lofty}')", "SELECT echosync_discard_failed('$user->{lofty}')",
		'SELECT * FROM echosync_sync_logs()', 'SELECT echosync_drain(1)')
	{
		my $error = $t->error_as(undef, $sql);

		is($error->{state}, '42501', $sql =~ s/\(.*//r);
		like($error->{hint}, qr/echosync\.user_id/, 'with a hint');
	}
	is($t->sql_as(undef, 'SELECT count(*) FROM crm_integrations'), '0', 'and no row is seen');
	is($t->sql_as('', 'SELECT count(*) FROM crm_integrations'), '0', 'nor by the user of no name');
});

$t->behaviour("another's id and no id are not told apart", sub {
	my $user = $t->user(lofty => 1);
	my $other = $t->user(lofty => 1);
	my $calls = sub {
		my ($id) = @_;
		return ("SELECT echosync_get_integration('$id')", "SELECT echosync_update_integration('$id', '{}')",
			"SELECT echosync_disconnect('$id')", "SELECT * FROM echosync_test_connection('$id')",
			"SELECT * FROM echosync_manual_sync('$id')", "SELECT echosync_pause('$id')", "SELECT echosync_resume('$id')",
			"SELECT echosync_retry_failed('$id')", "SELECT echosync_discard_failed('$id')");
	};
	my @theirs = $calls->($user->{lofty});
	my @nobodys = $calls->('00000000-1111-4222-8333-444444444444');
	my $before = $t->sql("SELECT to_jsonb(i) FROM crm_integrations i WHERE id = '$user->{lofty}'");

	for my $i (0 .. $#theirs)
	{
		my $theirs = $t->error_as($other, $theirs[$i]);
		my $nobodys = $t->error_as($other, $nobodys[$i]);

		delete $_->{text} for $theirs, $nobodys;
		is($theirs->{state}, 'PT404', $theirs[$i] =~ s/\(.*//r);
		is_deeply($theirs, $nobodys, 'the same words');
	}
	is($t->sql("SELECT to_jsonb(i) FROM crm_integrations i WHERE id = '$user->{lofty}'"), $before, 'and nothing happened to it');
	is(scalar $t->rows_as($other, "SELECT * FROM crm_integrations WHERE id = '$user->{lofty}'"), 0, 'the row is not seen');
	is(scalar $t->rows_as($other, "SELECT * FROM echosync_sync_logs('$user->{lofty}')"), 0, 'nor its log');
});

$t->behaviour('an env file that turns bad at a reload: the secrets in force are kept, and the log says what is wrong', sub {
	my $user = $t->user(lofty => 1);
	my $log_start = length $t->log_text;

	$t->write_env_file(INTEGRATION_ENCRYPTION_KEY => 'abc');
	$t->reload;
	$t->lead($user);
	$t->drain($user);
	is(scalar $t->records($user, 'lofty'), 1, 'leads go on');
	$t->wait_until('the worker has logged the problem', sub {
		substr($t->log_text, $log_start) =~ /INTEGRATION_ENCRYPTION_KEY is not 64 hex/ });
	pass('the log names the mistake');
	unlike(substr($t->log_text, $log_start), qr/=abc/, 'and not the value');

	$t->write_env_file;
	$t->reload;
	is($t->connect_lofty($user), $user->{lofty}, 'put right, it works again');
});

for my $case (
	[ 'no env file', sub { unlink $_[0]->env_file }, qr/could not open/ ],
	[ 'an env file that others can read', sub { chmod 0644, $_[0]->env_file }, qr/group or world access/ ],
	[ 'an env file without the key', sub { $_[0]->write_env_file(INTEGRATION_ENCRYPTION_KEY => undef) }, qr/KEY is not set/ ],
	[ 'an env file with half a line', sub { $_[0]->write_raw_env_file("WHAT IS THIS\n") }, qr/line 1 .* is not of the form NAME=value/ ],
	[ 'a system name without its key', sub { $_[0]->write_env_file(FOLLOWUPBOSS_SYSTEM_KEY => undef) }, qr/must be set together/ ])
{
	my ($name, $spoil, $why) = @$case;

	$t->behaviour("$name at start: nothing is sent, connect says so, the application works", sub {
		my $user = $t->user(lofty => 1);

		$spoil->($t);
		$t->node->restart;
		my $mark = $t->mark;
		my $error = $t->error_as($user, connect_sql('lofty', $user->{keys}{lofty}));
		is($error->{state}, '55000', 'SQLSTATE of connect');
		like($error->{detail}, $why, 'its detail says why');
		like($error->{hint}, qr/INTEGRATION_ENCRYPTION_KEY|env_file/, 'its hint what to do');
		my $lead = $t->lead($user);
		is($t->sql("SELECT count(*) FROM crm_sync_queue WHERE lead_id = '$lead'"), '1', 'the lead is inserted and queued');
		$t->wait_for_sql("SELECT state FROM echosync_workers", 'no_key');
		is(scalar $t->requests($user, 'lofty', since => $mark), 0, 'nothing is sent');

		$t->write_env_file;
		$t->reload;
		$t->drain($user);
		is(scalar $t->records($user, 'lofty'), 1, 'put right, the lead is sent without more ado');
	});
}

$t->done;
