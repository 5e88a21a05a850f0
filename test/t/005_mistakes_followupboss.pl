# The mistakes that common client code makes with Follow Up Boss, none of which
# is made here.  Numbers are the rows of section 8 of the reference for it.
use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncTest;
use MIME::Base64;
use Test::More;

my $t = EchosyncTest->start;

my @TWO_FIELDS = (
	{ id => 3, label => 'Echo Safe Risk Score', name => 'customEchoSafeRiskScore', type => 'number' },
	{ id => 4, label => 'Echo Safe Status', name => 'customEchoSafeStatus', type => 'dropdown', choices => [ 'Clean', 'Risky' ] });

sub creates { return $t->requests($_[0], 'fub', method => 'POST', path => '/v1/people', @_[1 .. $#_]) }
sub updates { return $t->requests($_[0], 'fub', method => 'PUT', path => '/v1/people', @_[1 .. $#_]) }
sub searches { return grep { $_->{path} eq '/v1/people' } $t->requests($_[0], 'fub', method => 'GET', @_[1 .. $#_]) }
sub notes { return $t->requests($_[0], 'fub', method => 'POST', path => '/v1/notes', @_[1 .. $#_]) }
sub tokens { return $t->requests(undef, 'fub_app', method => 'POST', since => $_[0]) }

sub user_with_lead
{
	my ($settings, %columns) = @_;
	my $user = $t->user(fub => $settings);
	my $lead = $t->lead($user, %columns);

	$t->drain($user);
	return ($user, $lead);
}

$t->behaviour('1 to 5: the OAuth flow has the right URL, parameters, client authentication and state', sub {
	my $user = $t->user;
	my $mark = $t->mark;
	my $url = $t->authorize_url($user);
	my $asked = query_of({ query => (split /\?/, $url, 2)[1] });

	is($t->sql("SELECT boot_val FROM pg_settings WHERE name = 'echosync.followupboss_app_url'"), 'https://app.followupboss.com',
		'1: tokens come from the app host');
	is($t->sql("SELECT boot_val FROM pg_settings WHERE name = 'echosync.followupboss_api_url'"), 'https://api.followupboss.com/v1',
		'1: and not from the API host');
	is($asked->{response_type}, 'auth_code', '2: response_type');
	is($asked->{scope}, undef, '3: no scope');
	my $back = $t->visit($user, $url);
	$t->sql_as($user, EchosyncTest::callback_sql($back));
	my ($exchange) = tokens($mark);
	is($exchange->{path}, '/oauth/token', '1: path of the exchange');
	is(header($exchange, 'Authorization'), 'Basic ' . encode_base64('C1:S1', ''), '4: client in a Basic header');
	unlike($exchange->{raw_body}, qr/client_id|client_secret|S1/, '4: and not in the form');
	is(query_of({ query => $exchange->{raw_body} })->{state}, $asked->{state}, '5: state in the exchange');
	is_deeply([ grep { $_->{path} =~ /oauth/ } $t->requests($user, 'fub') ], [], '1: the API host is not asked for tokens');
});

$t->behaviour('6: a denial is told as a denial', sub {
	my $user = $t->user;

	$t->knob('fub_app', 'deny', TRUE);
	like($t->error_as($user, EchosyncTest::callback_sql($t->visit($user, $t->authorize_url($user))))->{message}, qr/access was denied/, 'message');
});

$t->behaviour('7: there is no default redirect, least of all to localhost', sub {
	my $user = $t->user;

	is($t->sql("SELECT boot_val FROM pg_settings WHERE name = 'echosync.redirect_url'"), '', 'no default');
	$t->configure('echosync.redirect_url' => '');
	my $error = $t->error_as($user, 'SELECT echosync_oauth_authorize()');
	is($error->{state}, '55000', 'without one, authorize is an error');
	like($error->{hint}, qr/echosync\.redirect_url/, 'that says what to set');
	$t->deconfigure('echosync.redirect_url');
});

$t->behaviour('8: refreshes do not overtake each other', sub {
	my $user = $t->user;

	$t->connect_fub_oauth($user);
	$t->sql_as($user, "SELECT echosync_pause('$user->{fub}')");
	$t->lead($user, first_name => "N$_") for 1 .. 5;
	$t->agent($user, 'fub', undef, 'expire_access');
	$t->knob('fub_app', 'latency_ms', 200);
	my $mark = $t->mark;
	$t->sql_as($user, "SELECT echosync_resume('$user->{fub}')");
	$t->drain($user);
	is(scalar tokens($mark), 1, 'five leads, one refresh');
});

$t->behaviour('9: X-System and its key go together or not at all', sub {
	my ($user) = user_with_lead({}, notes => 'Hello');

	is_deeply([ grep { header($_, 'X-System') ne 'EchoSafe' || header($_, 'X-System-Key') ne 'sk_echosafe' } $t->requests($user, 'fub') ],
		[], 'both in every request');
	$t->write_env_file(FOLLOWUPBOSS_SYSTEM_NAME => undef, FOLLOWUPBOSS_SYSTEM_KEY => '');
	$t->reload;
	my $mark = $t->mark;
	$t->lead($user);
	$t->drain($user);
	my @calls = $t->requests($user, 'fub', since => $mark);
	cmp_ok(scalar @calls, '>', 0, 'without a system there are calls');
	is_deeply([ grep { defined header($_, 'X-System') || defined header($_, 'X-System-Key') } @calls ], [], 'with neither header');
	$t->write_env_file;
	$t->reload;
});

$t->behaviour('10: a hit without the number asked for is not taken', sub {
	my $user = $t->user(fub => 1);

	$t->knob('fub', 'fuzzy', TRUE);
	my $lead = $t->lead($user);
	$t->drain($user);
	my @records = $t->records($user, 'fub');
	is(scalar @records, 1, 'a person is made');
	is($t->link_of($user->{fub}, $lead), $records[0]{id}, 'and linked');
	is(scalar updates($user), 0, 'the stranger is left alone');
});

$t->behaviour('10: a person in the trash is found and not made again', sub {
	my $user = $t->user(fub => 1);
	my $phone = $t->new_phone;
	my $id = $t->seed($user, 'fub', firstName => 'Dana', lastName => 'Holt', phones => [$phone]);

	$t->agent($user, 'fub', $id, 'trash');
	my $lead = $t->lead($user, phone => $phone);
	$t->drain($user);
	is(scalar creates($user), 0, 'nothing is created');
	is($t->link_of($user->{fub}, $lead), $id, 'the trashed one is linked');
	is_deeply([ grep { (query_of($_)->{includeTrash} || '') ne 'true' } searches($user) ], [], 'each search includes the trash');
});

for my $case (
	[ '400', { type => 'status', status => 400, body => { errorMessage => 'x' } }, 'dead' ],
	[ '500', { type => 'status', status => 500, body => '<html>', content_type => 'text/html' } ],
	[ '502 with a page', { type => 'status', status => 502, body => '<html>', content_type => 'text/html' } ],
	[ '503', { type => 'status', status => 503 } ],
	[ '429', { type => 'status', status => 429, body => {}, headers => { 'Retry-After' => '1' } } ],
	[ '200 with nothing', { type => 'status', status => 200 } ],
	[ '200 with another object', { type => 'status', status => 200, body => { ok => TRUE } } ],
	[ 'a truncated body', { type => 'truncate' } ],
	[ 'a closed connection', { type => 'close_before' } ])
{
	my ($name, $action, $dead) = @$case;

	$t->behaviour("11: a search that fails ($name) is not \"not found\"", sub {
		my $user = $t->user(fub => 1);
		my $phone = $t->new_phone;
		my $id = $t->seed($user, 'fub', firstName => 'Dana', lastName => 'Holt', phones => [$phone]);

		$t->fault('fub', { method => 'GET', path => '/v1/people', account => $user->{accounts}{fub} }, $action);
		my $lead = $t->lead($user, phone => $phone);
		$t->drain($user);
		is(scalar creates($user), 0, 'nothing is created');
		if ($dead)
		{
			is_deeply([ $t->log_lines($user) ], ['none failed'], 'the lead has failed');
			return;
		}
		is($t->link_of($user->{fub}, $lead), $id, 'the person is found when the search works again');
	});
}

$t->behaviour('11: a failing checkDuplicate does not mean that nobody is there', sub {
	my $user = $t->user(fub => 1);

	$t->fault('fub', { path => '/v1/people/checkDuplicate', account => $user->{accounts}{fub} }, { type => 'status', status => 500 });
	$t->lead($user);
	$t->drain($user);
	my @checks = $t->requests($user, 'fub', path => '/v1/people/checkDuplicate');
	is(scalar @checks, 2, 'it is asked again');
	is(scalar creates($user), 1, 'before the create');
	cmp_ok($checks[1]{seq}, '<', (creates($user))[0]{seq}, 'not after');
});

$t->behaviour('12: people are created with deduplicate=true, in the query', sub {
	my ($user) = user_with_lead({});
	my ($create) = creates($user);

	is($create->{query}, 'deduplicate=true', 'query');
	is(exists $create->{body}{deduplicate}, '', 'and not in the body');
});

$t->behaviour('12: an existing person that a create returns is updated, since the create changed nothing', sub {
	my $user = $t->user(fub => 1);

	# invisible to the search for a moment, known to deduplicate
	my $phone = $t->new_phone;
	my $id = $t->seed($user, 'fub', firstName => 'Dana', lastName => 'Holt', phones => [$phone], tags => ['VIP'], source => 'Open House');
	$t->fault('fub', { method => 'GET', path => '/v1/people/checkDuplicate' }, { type => 'status', status => 200, body => { found => FALSE } }, times => -1);
	$t->fault('fub', { method => 'GET', path => '/v1/people' },
		{ type => 'status', status => 200, body => { _metadata => { collection => 'people', total => 0 }, people => [] } }, times => -1);
	my $lead = $t->lead($user, phone => $phone);
	$t->drain($user);
	is($t->link_of($user->{fub}, $lead), $id, 'linked');
	is_deeply([ sort @{ $t->record($user, 'fub', $id)->{tags} } ], [ 'Echo Safe - Clean Lead', 'VIP' ], 'and tagged');
	is_deeply([ $t->log_lines($user) ], ['updated success'], 'logged as updated');
});

$t->behaviour('13: the body of a create is the person itself; nothing is repeated', sub {
	for my $status (200, 201)
	{
		$t->knob('fub', 'post_people_status', $status);
		my ($user, $lead) = user_with_lead({});

		is(scalar creates($user), 1, "$status: one create");
		is($t->link_of($user->{fub}, $lead), ($t->records($user, 'fub'))[0]{id}, 'linked to the id of the reply');
		is_deeply([ $t->log_lines($user) ], ['created success'], 'logged once, as created');
	}
});

$t->behaviour('13: a create whose reply is lost is looked for, not repeated', sub {
	$t->configure('echosync.request_timeout' => '700ms');
	for my $action ({ type => 'close_after_store' }, { type => 'status_after_store', status => 500 },
		{ type => 'status_after_store', status => 504, body => '<html>', content_type => 'text/html' },
		{ type => 'hang', store => TRUE }, { type => 'truncate' }, { type => 'ok_without_id' })
	{
		my $user = $t->user(fub => 1);

		$t->lead($user, first_name => 'Before');
		$t->drain($user);
		$t->fault('fub', { method => 'POST', path => '/v1/people', account => $user->{accounts}{fub} }, $action);
		my $lead = $t->lead($user, first_name => 'Lost', notes => 'One note');
		$t->drain($user);
		is(scalar(grep { $_->{raw_body} =~ /Lost/ } creates($user)), 1, "$action->{type}: one create");
		my @records = grep { $_->{firstName} eq 'Lost' } $t->records($user, 'fub');
		is(scalar @records, 1, 'one record');
		is($t->link_of($user->{fub}, $lead), $records[0]{id}, 'linked');
		is_deeply([ map { $_->{body} } @{ $records[0]{notes} } ], ['One note'], 'with its note, once');
		is(($t->log_lines($user, lead => $lead))[-1], 'created success', 'logged as created');
	}
	$t->deconfigure('echosync.request_timeout');
});

$t->behaviour('14: tags are merged; those of the agent survive', sub {
	my ($user, $lead) = user_with_lead({}, tags => ['One']);
	my ($record) = $t->records($user, 'fub');

	$t->seed($user, 'fub', id => $record->{id}, tags => [ @{ $record->{tags} }, 'Agent' ]);
	$t->change_and_drain($user, $lead, tags => [ 'One', 'Two' ]);
	my @updates = updates($user);
	is_deeply([ map { $_->{query} } @updates ], ['mergeTags=true'], 'mergeTags in the query');
	is_deeply([ sort @{ ($t->records($user, 'fub'))[0]{tags} } ], [ 'Agent', 'Echo Safe - Clean Lead', 'One', 'Two' ], 'the record has all');
	$t->knob('fub', 'tag_objects', TRUE);
	$t->change_and_drain($user, $lead, tags => ['Three'], phone => $t->new_phone);
	is_deeply([ sort @{ ($t->records($user, 'fub'))[0]{tags} } ], [ 'Agent', 'Echo Safe - Clean Lead', 'One', 'Three', 'Two' ],
		'also when they are read as objects');
});

$t->behaviour('15: phones, emails and addresses are added to, never replaced', sub {
	my ($user, $lead) = user_with_lead({}, phone => '8015550115', email => 'one@example.com', address => '1 Main St', city => 'Provo',
		state => 'UT', zip_code => '84601');
	my ($record) = $t->records($user, 'fub');

	# what the agent adds
	$t->seed($user, 'fub', id => $record->{id},
		phones => [ @{ $record->{phones} }, { value => '801-555-0177', type => 'home' } ],
		emails => [ @{ $record->{emails} }, { value => 'agent@example.com', type => 'work' } ],
		addresses => [ @{ $record->{addresses} }, { type => 'work', street => '9 Agent Rd', city => 'Ogden', state => 'UT', code => '84401' } ]);
	$t->change_and_drain($user, $lead, phone => '8015550116', email => 'two@example.com', address => '2 Main St');
	($record) = $t->records($user, 'fub');
	is_deeply([ map { "$_->{value} $_->{type}" } @{ $record->{phones} } ],
		[ '8015550115 mobile', '801-555-0177 home', '8015550116 mobile' ], 'phones: all, types kept, the primary one first');
	is_deeply([ map { "$_->{value} $_->{type}" } @{ $record->{emails} } ],
		[ 'one@example.com home', 'agent@example.com work', 'two@example.com home' ], 'emails');
	is_deeply([ map { $_->{street} } @{ $record->{addresses} } ], [ '1 Main St', '9 Agent Rd', '2 Main St' ], 'addresses');

	my $mark = $t->mark;
	$t->change_and_drain($user, $lead, phone => '(801) 555-0177', email => 'AGENT@example.com');
	is_deeply([ map { sort keys %{ $_->{body} } } updates($user, since => $mark) ], [], 'what the record has already is not written');
});

$t->behaviour('16: an update never names the source', sub {
	my ($user, $lead) = user_with_lead({}, source => 'Fair');

	$t->change_and_drain($user, $lead, source => 'Elsewhere', first_name => 'Other');
	my @updates = updates($user);
	is(scalar @updates, 1, 'one update');
	json_is($updates[0]{body}, { firstName => 'Other' }, 'with the name only');
	is(($t->records($user, 'fub'))[0]{source}, 'Fair', 'the source is that of the create');
});

$t->behaviour('17: notes go to /notes, with personId as a number', sub {
	my ($user, $lead) = user_with_lead({});
	my ($record) = $t->records($user, 'fub');

	$t->change_and_drain($user, $lead, notes => 'Called.');
	my @notes = notes($user);
	is(scalar @notes, 1, 'one note');
	json_is($notes[0]{body}, { personId => $record->{id}, subject => 'Echo Safe', body => 'Called.', isHtml => FALSE }, 'body');
});

$t->behaviour('18: new leads have their notes, each once', sub {
	my ($user, $lead) = user_with_lead({}, notes => 'First');

	$t->change_and_drain($user, $lead, notes => 'Second');
	$t->change_and_drain($user, $lead, first_name => 'Dan');
	is_deeply([ map { $_->{body} } @{ ($t->records($user, 'fub'))[0]{notes} } ], [ 'First', 'Second' ], 'two notes');
});

$t->behaviour('18: a new person that is not shown to /notes yet gets its note later, and is not made again', sub {
	my $user = $t->user(fub => 1);

	$t->knob('fub', 'note_visibility_delay_seconds', 60);
	my $lead = $t->lead($user, notes => 'Patience');
	$t->wait_until('the note was refused', sub { grep { $_->{status} == 404 } notes($user) });
	$t->advance_clock(120);
	$t->drain($user);
	is(scalar creates($user), 1, 'one create');
	my ($record) = $t->records($user, 'fub');
	is_deeply([ map { $_->{body} } @{ $record->{notes} } ], ['Patience'], 'one note');
	is($t->link_of($user->{fub}, $lead), $record->{id}, 'the link stays');
	is_deeply([ grep { $_->{status} eq 'success' } $t->logs($user) ]->[-1]{status}, 'success', 'success in the end');
});

$t->behaviour('19: custom fields are flat members, by the name that belongs to the label', sub {
	my ($user, $lead) = user_with_lead(
		{ custom_fields => { risk_score => 'echo safe RISK score', notes => 'Echo Safe Status', city => 'No such field' } },
		risk_score => '7.50', notes => 'clean', city => 'Provo');
	my ($create) = creates($user);

	json_is({ map { $_ => $create->{body}{$_} } grep { /custom/ } keys %{ $create->{body} } },
		{ customEchoSafeRiskScore => 7.5, customEchoSafeStatus => 'Clean' }, 'number as a number, choice as it is spelt, unknown left out');
	like($create->{raw_body}, qr/"customEchoSafeRiskScore": ?7\.5\b/, 'the number is not quoted');
	$t->change_and_drain($user, $lead, risk_score => 9);
	json_is((updates($user))[-1]{body}, { customEchoSafeRiskScore => 9 }, 'an update writes the one that changed');
	is(scalar $t->requests($user, 'fub', method => 'POST', path => '/v1/customFields'), 0, 'no field is defined');
});

$t->behaviour('19: a field that was renamed meanwhile is looked up again', sub {
	my $settings = { custom_fields => { risk_score => 'Echo Safe Risk Score' } };
	my ($user, $lead) = user_with_lead($settings);

	$t->expect_violations('unknown_key');
	$t->knob('fub', 'custom_fields', [ { id => 3, label => 'Echo Safe Risk Score', name => 'customRisk2', type => 'number' } ]);
	$t->change_and_drain($user, $lead, risk_score => 3);
	is(($t->records($user, 'fub'))[0]{customRisk2}, 3, 'the value is in the renamed field');
	is(($t->log_lines($user))[-1], 'updated success', 'and the lead has not failed');
});

$t->behaviour('19: a custom field fed by source has the connection\'s source where the lead has none', sub {
	my $user = $t->user(fub => { source => 'Partner list', custom_fields => { source => 'List' } });

	$t->knob('fub', 'custom_fields', [ @TWO_FIELDS, { id => 5, label => 'List', name => 'customList', type => 'text' } ]);
	$t->lead($user, source => undef);
	$t->lead($user, source => 'Open house');
	$t->drain($user);
	is_deeply([ sort map { $_->{body}{customList} } creates($user) ], [ 'Open house', 'Partner list' ], 'both have one');
});

$t->behaviour('20: dates are YYYY-MM-DD, and what does not fit its field is left out', sub {
	my $user = $t->user(fub => { custom_fields => { source => 'Sync date', city => 'Count', state => 'Echo Safe Status' } });

	$t->knob('fub', 'custom_fields', [ @TWO_FIELDS,
		{ id => 5, label => 'Sync date', name => 'customSyncDate', type => 'date' },
		{ id => 6, label => 'Count', name => 'customCount', type => 'number' } ]);
	$t->lead($user, source => '2026-11-23T10:11:12Z', city => 'Provo', state => 'Utah');
	$t->drain($user);
	my ($create) = creates($user);
	json_is({ map { $_ => $create->{body}{$_} } grep { /custom/ } keys %{ $create->{body} } }, { customSyncDate => '2026-11-23' }, 'fields');
});

$t->behaviour('21: the connection is tested by /identity, and /me is never called', sub {
	my $user = $t->user(fub => 1);

	is_deeply([ map { "$_->{method} $_->{path}" } $t->requests($user, 'fub') ], ['GET /v1/identity'], 'one call');
	for my $table (qw(crm_integrations crm_credentials crm_sync_logs))
	{
		is($t->sql("SELECT count(*) FROM $table x WHERE to_jsonb(x)::text LIKE '%CANARY%'"), '0', "no canary in $table");
	}
	$t->log_lacks('CANARY', 'nor in the log');
});

$t->behaviour('22: a 401 is answered by a refresh', sub {
	my $user = $t->user;

	$t->connect_fub_oauth($user);
	$t->agent($user, 'fub', undef, 'expire_access');
	$t->lead($user);
	$t->drain($user);
	is($t->integration($user->{fub})->{status}, 'active', 'the connection stays');
	is(scalar $t->records($user, 'fub'), 1, 'the lead arrives');
});

$t->behaviour('22: an API key that is refused needs a new one', sub {
	my $user = $t->user(fub => 1);

	$t->fault('fub', { account => $user->{accounts}{fub} }, { type => 'status', status => 401, body => { errorMessage => 'x' } }, times => -1);
	my $mark = $t->mark;
	$t->lead($user);
	$t->wait_for_sql("SELECT status || ' ' || status_reason FROM crm_integrations WHERE id = '$user->{fub}'", 'error credential_refused');
	is(scalar $t->requests($user, 'fub', since => $mark), 1, 'one call');
	$t->clear_faults;
	$t->connect_fub_key($user);
	$t->drain($user);
	is(scalar $t->records($user, 'fub'), 1, 'connected again, the lead arrives');
});

$t->behaviour('23: a 429 holds the whole connection as long as it says, and no lead pays', sub {
	my $user = $t->user(fub => 1);

	$t->sql_as($user, "SELECT echosync_pause('$user->{fub}')");
	$t->lead($user) for 1 .. 4;
	$t->fault('fub', { method => 'GET', path => '/v1/people', account => $user->{accounts}{fub} },
		{ type => 'status', status => 429, body => {}, headers => { 'Retry-After' => '2' } });
	$t->knob('fub', 'waiting_grace_ms', 500);
	my $mark = $t->mark;
	$t->sql_as($user, "SELECT echosync_resume('$user->{fub}')");
	$t->drain($user);
	my @calls = $t->requests($user, 'fub', since => $mark);
	my ($refused) = grep { $_->{status} == 429 } @calls;
	my ($next) = grep { $_->{time} > $refused->{time} + 0.5 } @calls;
	is(scalar(grep { $_->{status} == 429 } @calls), 1, 'one 429');
	cmp_ok($next->{time} - $refused->{time}, '>=', 2, 'nothing for two seconds');
	is(scalar $t->records($user, 'fub'), 4, 'then all arrive');
	is_deeply([ map { $_->{attempt} } $t->logs($user) ], [ (1) x 4 ], 'at their first attempt');
});

$t->behaviour('24: 400 is final at once, and the next lead goes on', sub {
	my $user = $t->user(fub => 1);

	$t->fault('fub', { method => 'POST', body_contains => 'Faulty' }, { type => 'status', status => 400, body => { errorMessage => 'x' } }, times => -1);
	my $bad = $t->lead($user, first_name => 'Faulty');
	my $good = $t->lead($user, first_name => 'Good');
	$t->drain($user);
	is(scalar(grep { $_->{raw_body} =~ /Faulty/ } creates($user)), 1, 'one try');
	my ($row) = $t->logs($user, lead => $bad);
	is("$row->{action} $row->{status} $row->{attempt} $row->{http_status} $row->{error_code}", 'none failed 1 400 http_400', 'logged');
	is_deeply([ $t->log_lines($user, lead => $good) ], ['created success'], 'the other is sent');
});

$t->behaviour('24: 403 asks whether the account is locked: then it waits, else the lead alone has failed', sub {
	my $user = $t->user(fub => 1);

	$t->fault('fub', { method => 'POST', body_contains => 'Forbidden' }, { type => 'status', status => 403, body => { errorMessage => 'x' } }, times => -1);
	my $bad = $t->lead($user, first_name => 'Forbidden');
	$t->drain($user);
	is_deeply([ map { "$_->{status} $_->{error_code}" } ($t->logs($user, lead => $bad))[-1] ], ['failed fub_forbidden'], 'a forbidden record');
	is($t->integration($user->{fub})->{status}, 'active', 'does not stop the connection');

	$t->knob('fub', 'locked', TRUE);
	my $mark = $t->mark;
	my $lead = $t->lead($user, first_name => 'Locked');
	$t->wait_until('the lock was met', sub { grep { $_->{status} == 403 } $t->requests($user, 'fub', since => $mark) });
	is_deeply([ $t->log_lines($user, lead => $lead) ], [], 'a locked account is not the failure of the lead');
	isnt($t->integration($user->{fub})->{status}, 'error', 'nor of the credential');
	$t->knob('fub', 'locked', FALSE);
	$t->drain($user);
	is_deeply([ $t->log_lines($user, lead => $lead) ], ['created success'], 'unlocked, the lead is sent');
});

$t->behaviour('25: an empty body on a 2xx is success', sub {
	my ($user, $lead) = user_with_lead({});

	for my $status (200, 204)
	{
		$t->fault('fub', { method => 'PUT', account => $user->{accounts}{fub} }, { type => 'status_after_store', status => $status });
		$t->change_and_drain($user, $lead, first_name => "Empty $status");
		is(($t->log_lines($user))[-1], 'updated success', "PUT: $status without a body");
		$t->fault('fub', { method => 'POST', path => '/v1/notes', account => $user->{accounts}{fub} }, { type => 'status_after_store', status => $status });
		$t->change_and_drain($user, $lead, notes => "Note $status");
		is(($t->log_lines($user))[-1], 'updated success', "note: $status without a body");
	}
	is(scalar updates($user), 2, 'each PUT was sent once');
	is(scalar notes($user), 2, 'each note too');
});

$t->behaviour('26: no isPrimary and no country are invented', sub {
	my ($user) = user_with_lead({}, email => 'a@example.com', address => '1 Main St', city => 'Provo');
	my ($create) = creates($user);

	unlike($create->{raw_body}, qr/isPrimary|country|"US"/, 'in a create');
	my ($record) = $t->records($user, 'fub');
	is($record->{phones}[0]{isPrimary}, 1, 'the one phone is primary by its place');
});

$t->behaviour('27: what an error body echoes of a person reaches no log and no table', sub {
	my $user = $t->user(fub => 1);

	$t->fault('fub', { method => 'POST', path => '/v1/people', account => $user->{accounts}{fub} }, { type => 'echo_error', status => 400 }, times => -1);
	$t->lead($user, first_name => 'Secretname', phone => '8015550178', email => 'private@example.com', notes => 'Confidential');
	$t->drain($user);
	is(scalar(grep { $_->{status} eq 'failed' } $t->logs($user)), 1, 'the lead has failed');
	for my $table (qw(crm_sync_logs crm_dead_letters crm_sync_attempts crm_integrations crm_lead_links))
	{
		is($t->sql("SELECT count(*) FROM $table x WHERE to_jsonb(x)::text ~* 'Secretname|5550178|private@|Confidential|fka_|sk_echo'"),
			'0', "nothing in $table");
	}
	$t->log_lacks($_, "\"$_\" is not in the server log") for 'Secretname', '5550178', 'private@example.com', 'Confidential', 'sk_echosafe';
});

$t->done;
