# The mistakes that common client code makes with Lofty, none of which is made
# here.  Numbers are the rows of section 8 of the reference for Lofty.
use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncTest;
use Test::More;

my $t = EchosyncTest->start;

sub creates { return $t->requests($_[0], 'lofty', method => 'POST', path => '/v1.0/leads', @_[1 .. $#_]) }
sub updates { return $t->requests($_[0], 'lofty', method => 'PUT', path => '/v1.0/leads', @_[1 .. $#_]) }
sub searches { return grep { $_->{path} eq '/v1.0/leads' } $t->requests($_[0], 'lofty', method => 'GET', @_[1 .. $#_]) }
sub notes { return $t->requests($_[0], 'lofty', method => 'POST', path => '/v1.0/notes', @_[1 .. $#_]) }

# A connected user with one lead that Lofty has: (user, lead id).
sub user_with_lead
{
	my ($settings, %columns) = @_;
	my $user = $t->user(lofty => $settings);
	my $lead = $t->lead($user, %columns);

	$t->drain($user);
	return ($user, $lead);
}

$t->behaviour('1: the base is /v1.0', sub {
	my ($user) = user_with_lead({}, notes => 'Hello');

	is_deeply([ grep { $_->{path} !~ m{^/v1\.0/} } $t->requests($user, 'lofty') ], [], 'of every request');
	is($t->sql("SELECT boot_val FROM pg_settings WHERE name = 'echosync.lofty_api_url'"), 'https://api.lofty.com/v1.0',
		'and of the default setting');
});

$t->behaviour('2: the key goes as "token", not as Bearer', sub {
	my ($user) = user_with_lead({}, notes => 'Hello');

	is_deeply([ grep { header($_, 'Authorization') ne "token $user->{keys}{lofty}" } $t->requests($user, 'lofty') ], [],
		'in every request');
});

$t->behaviour('3: no headers or team id that Lofty does not know', sub {
	my ($user) = user_with_lead({});
	my %seen = map { lc $_->[0] => 1 } map { @{ $_->{headers} } } $t->requests($user, 'lofty');

	is_deeply([ grep { /^x-|team/ } sort keys %seen ], [], 'no such header');
	is($t->sql("SELECT count(*) FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid WHERE relname LIKE 'crm%' AND attname LIKE '%team%'"),
		'0', 'no such column');
});

$t->behaviour('4: leads are at /leads', sub {
	my ($user, $lead) = user_with_lead({}, notes => 'Hello');

	$t->change_and_drain($user, $lead, first_name => 'New', notes => 'Other');
	my %paths = map { ($_->{path} =~ s/\d{6,}/N/r) => 1 } $t->requests($user, 'lofty');
	is_deeply([ sort keys %paths ], [ '/v1.0/leads', '/v1.0/leads/N', '/v1.0/me', '/v1.0/notes' ], 'and nowhere else');
});

$t->behaviour('5: replies are bare objects; a create is sent once', sub {
	my ($user, $lead) = user_with_lead({});

	is(scalar creates($user), 1, 'one create');
	is_deeply([ $t->log_lines($user) ], ['created success'], 'logged as such');
	is($t->link_of($user->{lofty}, $lead), ($t->records($user, 'lofty'))[0]{leadId}, 'with the id of the reply');
});

$t->behaviour('5: a reply without a usable id is not posted again, but looked for', sub {
	for my $body ({}, { leadId => 0 }, { success => TRUE, data => {} }, 'ok')
	{
		my $user = $t->user(lofty => 1);

		$t->fault('lofty', { method => 'POST', path => '/v1.0/leads', account => $user->{accounts}{lofty} },
			{ type => 'ok_without_id', body => $body });
		my $lead = $t->lead($user);
		$t->drain($user);
		is(scalar creates($user), 1, lit(ref $body ? $body : $body) . ': one create');
		my @records = $t->records($user, 'lofty');
		is(scalar @records, 1, 'one record');
		is($t->link_of($user->{lofty}, $lead), $records[0]{leadId}, 'found and linked');
		is(($t->log_lines($user))[-1], 'created success', 'and logged as created');
	}
});

$t->behaviour('6: a hit that does not carry the number asked for is not taken', sub {
	my $user = $t->user(lofty => 1);

	$t->knob('lofty', 'loose_search', TRUE);
	my $lead = $t->lead($user);
	$t->drain($user);
	is(scalar $t->writes($user, 'lofty'), 0, 'nothing is written to the stranger, nothing created');
	is_deeply([ $t->log_lines($user, lead => $lead) ], ['none skipped ambiguous_match'], 'the lead is parked');
	is($t->link_of($user->{lofty}, $lead), undef, 'and not linked');
});

for my $case (
	[ '500', { type => 'status', status => 500, body => { message => 'BaseApplicationException:errorCode=20005,errorMsg=x' } } ],
	[ '502 with a page', { type => 'status', status => 502, body => '<html>', content_type => 'text/html' } ],
	[ '503', { type => 'status', status => 503 } ],
	[ '429', { type => 'status', status => 429, body => { message => 'Too Many Requests' }, headers => { 'Retry-After' => '1' } } ],
	[ '200 that is an error', { type => 'status', status => 200, body => { code => 20005, message => 'x' } } ],
	[ '200 with a string', { type => 'status', status => 200, body => '"later"' } ],
	[ '200 with nothing', { type => 'status', status => 200 } ],
	[ 'a truncated body', { type => 'truncate' } ],
	[ 'a closed connection', { type => 'close_before' } ])
{
	my ($name, $action) = @$case;

	$t->behaviour("7: a search that fails ($name) is not \"not found\"", sub {
		my $user = $t->user(lofty => 1);
		my $phone = $t->new_phone;
		my $id = $t->seed($user, 'lofty', firstName => 'Dana', lastName => 'Holt', phones => [$phone]);

		$t->fault('lofty', { method => 'GET', path => '/v1.0/leads', account => $user->{accounts}{lofty} }, $action);
		my $lead = $t->lead($user, phone => $phone);
		$t->drain($user);
		is(scalar creates($user), 0, 'nothing is created');
		is($t->link_of($user->{lofty}, $lead), $id, 'the record is found when the search works again');
	});
}

$t->behaviour('8: the search is by ten digits, however the number is written', sub {
	my $user = $t->user(lofty => 1);
	my @wanted;

	for my $form ('+1 (%s) %s-%s', '1%s%s%s', '%s.%s.%s', '(%s)%s %s', '+1%s%s%s')
	{
		my ($area, $exchange, $line) = my @parts = $t->new_phone =~ /^(...)(...)(....)$/;
		my $id = $t->seed($user, 'lofty', firstName => 'Dana', lastName => 'Holt', phones => [ sprintf '+1 (%s) %s-%s', @parts ]);
		my $lead = $t->lead($user, phone => sprintf($form, @parts));

		push @wanted, [ $form, join('', @parts), $lead, $id ];
	}
	$t->drain($user);
	my %asked = map { (query_of($_)->{phone} || '') => 1 } searches($user);
	for my $wanted (@wanted)
	{
		my ($form, $digits, $lead, $id) = @$wanted;

		ok($asked{$digits}, "$form is asked for as ten digits");
		is($t->link_of($user->{lofty}, $lead), $id, 'and found');
	}
	is(scalar creates($user), 0, 'nothing is created');
});

$t->behaviour('9: phones and emails are arrays of strings', sub {
	my ($user) = user_with_lead({}, phone => '8015550109', email => 'nine@example.com');
	my ($create) = creates($user);

	json_is($create->{body}{phones}, ['8015550109'], 'phones');
	json_is($create->{body}{emails}, ['nine@example.com'], 'emails');
	is_deeply([ grep { exists $create->{body}{$_} } qw(phone email phoneType) ], [], 'no scalars');
	is_deeply(($t->records($user, 'lofty'))[0]{phones}, ['8015550109'], 'which Lofty stores');
});

$t->behaviour('10: the address is a property block without a country, or none at all', sub {
	my ($user, $lead) = user_with_lead({}, address => '1 Main St', city => 'Provo', state => 'UT', zip_code => '04601');
	my ($create) = creates($user);

	json_is($create->{body}{property}, { streetAddress => '1 Main St', city => 'Provo', state => 'UT', zipCode => '04601' }, 'block');
	is(exists $create->{body}{address}, '', 'no address');
	my $mark = $t->mark;
	$t->lead($user, first_name => 'Homeless', address => '  ', city => '', state => undef);
	$t->lead($user, first_name => 'Partial', city => 'Ogden');
	$t->drain($user);
	my %body = map { $_->{body}{firstName} => $_->{body} } creates($user, since => $mark);
	is(exists $body{Homeless}{property}, '', 'blank parts: no block');
	json_is($body{Partial}{property}, { city => 'Ogden' }, 'one part: that part');
});

$t->behaviour('11: firstName is always there, and names are cut at 30 characters', sub {
	my $user = $t->user(lofty => 1);

	$t->lead($user, first_name => undef, last_name => 'A');
	$t->lead($user, first_name => '  ', last_name => 'B');
	$t->lead($user, first_name => 'é' x 40, last_name => 'ü' x 31);
	$t->drain($user);
	my %body = map { substr($_->{body}{lastName}, 0, 1) => $_->{body} } creates($user);
	is($body{A}{firstName}, 'Unknown', 'null');
	is($body{B}{firstName}, 'Unknown', 'blank');
	is($body{'ü'}{firstName}, 'é' x 30, 'cut by characters');
	is($body{'ü'}{lastName}, 'ü' x 30, 'the last name too');
	is(scalar(grep { $_->{rule} eq 'silently_cut' } @{ $t->control('GET', '/warnings') }), 0, 'before Lofty cuts them');
});

$t->behaviour('12: tags are added; those of the agent survive', sub {
	my ($user, $lead) = user_with_lead({}, tags => ['One']);
	my ($record) = $t->records($user, 'lofty');

	$t->seed($user, 'lofty', id => $record->{leadId}, tags => [ @{ $record->{tags} }, 'Agent' ]);
	$t->change_and_drain($user, $lead, tags => [ 'One', 'Two' ]);
	my ($create) = creates($user);
	my ($update) = updates($user);
	json_is($create->{body}{tagsAdd}, [ 'Echo Safe - Clean Lead', 'One' ], 'tagsAdd on create');
	ok((grep { $_ eq 'Two' } @{ $update->{body}{tagsAdd} }), 'tagsAdd on update');
	is_deeply([ grep { exists $_->{body}{tags} || exists $_->{body}{clearAllTags} } $t->writes($user, 'lofty') ], [], 'never tags');
	is_deeply([ sort @{ ($t->records($user, 'lofty'))[0]{tags} } ], [ 'Agent', 'Echo Safe - Clean Lead', 'One', 'Two' ],
		'the record has all');

	$t->change_and_drain($user, $lead, tags => []);
	is_deeply([ sort @{ ($t->records($user, 'lofty'))[0]{tags} } ], [ 'Agent', 'Echo Safe - Clean Lead', 'One', 'Two' ],
		'a tag removed from the lead stays on the record');
});

$t->behaviour('13: custom fields are a list of strings, for fields that the team has', sub {
	my ($user) = user_with_lead({ custom_fields => { risk_score => 'risk SCORE', state => 'Echo Safe Status', city => 'No such field' } },
		risk_score => '7.50', state => 'UT', city => 'Provo');
	my ($create) = creates($user);

	json_is([ sort { $a->{attributeName} cmp $b->{attributeName} } @{ $create->{body}{customAttributeList} } ],
		[   { attributeName => 'Echo Safe Status', attributeType => 'text', value => 'UT' },
			{ attributeName => 'Risk score', attributeType => 'number', value => '7.5' } ],
		'name as the team spells it, type, value as a string');
	is(exists $create->{body}{customFields}, '', 'no customFields');
	is(scalar $t->requests($user, 'lofty', method => 'POST', path => '/v1.0/teamFeatures'), 0, 'no field is defined');
});

$t->behaviour('14: notes go to /notes, with the lead as a number', sub {
	my ($user, $lead) = user_with_lead({});

	$t->change_and_drain($user, $lead, notes => "Called.\nWill call back.");
	my @notes = notes($user);
	my ($record) = $t->records($user, 'lofty');
	is(scalar @notes, 1, 'one note');
	json_is($notes[0]{body}, { leadId => $record->{leadId}, content => "Called.\nWill call back.", isPin => FALSE }, 'body');
	like($notes[0]{raw_body}, qr/"leadId": ?$record->{leadId}\b/, 'the id as a bare number, to the last digit');
});

$t->behaviour('15: the note of a new lead goes along with it, and each note is sent once', sub {
	my ($user, $lead) = user_with_lead({}, notes => 'First');

	is((creates($user))[0]{body}{content}, 'First', 'content in the create');
	is(scalar notes($user), 0, 'no second call');
	$t->change_and_drain($user, $lead, notes => 'Second');
	$t->change_and_drain($user, $lead, first_name => 'Dan');
	is_deeply([ map { $_->{content} } @{ ($t->records($user, 'lofty'))[0]{notes} } ], [ 'First', 'Second' ], 'both notes, once each');
	my $long = 'ä' x 2500;
	$t->change_and_drain($user, $lead, notes => $long);
	is((notes($user))[-1]{body}{content}, 'ä' x 2000, 'cut at 2000 characters, not bytes');
});

$t->behaviour('16: an update is partial and never names source, stage or assignee', sub {
	my ($user, $lead) = user_with_lead({ assigned_user_id => 400900000200999 }, source => 'Fair', email => 'sixteen@example.com');

	$t->change_and_drain($user, $lead, first_name => 'Other', source => 'Elsewhere');
	my @updates = updates($user);
	is(scalar @updates, 1, 'one update');
	json_is($updates[0]{body}, { firstName => 'Other' }, 'with the one change');
	is(($t->records($user, 'lofty'))[0]{source}, 'Fair', 'the source is that of the create');
});

$t->behaviour('17: the connection is tested by GET /me', sub {
	my $user = $t->user(lofty => 1);
	my @requests = $t->requests($user, 'lofty');

	is_deeply([ map { "$_->{method} $_->{path}" } @requests ], ['GET /v1.0/me'], 'one call');
});

$t->behaviour('18: custom fields come from listCustomField, and its failure is not hidden', sub {
	my $user = $t->user(lofty => { custom_fields => { risk_score => 'Risk score' } });

	$t->fault('lofty', { path => '/v1.0/teamFeatures', account => $user->{accounts}{lofty} }, { type => 'status', status => 500 });
	$t->lead($user);
	$t->drain($user);
	my ($create) = creates($user);
	json_is($create->{body}{customAttributeList}, [ { attributeName => 'Risk score', attributeType => 'number', value => '5' } ],
		'after a 500 the lead waits for the definitions');
	my @lists = $t->requests($user, 'lofty', path => '/v1.0/teamFeatures/listCustomField');
	is_deeply([ map { $_->{status} } @lists ], [ 500, 200 ], 'which are asked for again');
	$t->lead($user);
	$t->drain($user);
	is(scalar $t->requests($user, 'lofty', path => '/v1.0/teamFeatures'), 2, 'and then kept');
});

$t->behaviour('20: 400 with 200058 means a dead key; it is not tried again', sub {
	my $user = $t->user(lofty => 1);

	$t->control('POST', '/account', { crm => 'lofty', key => $user->{keys}{lofty}, account => $user->{accounts}{lofty}, expired => TRUE });
	$t->knob('lofty', 'unauthorized_mode', '200058');
	my $mark = $t->mark;
	my $lead = $t->lead($user);
	$t->wait_for_sql("SELECT status || ' ' || status_reason FROM crm_integrations WHERE id = '$user->{lofty}'", 'error credential_refused');
	is(scalar $t->requests($user, 'lofty', since => $mark), 1, 'one call');
	is($t->sql("SELECT count(*) FROM crm_sync_queue WHERE lead_id = '$lead'"), '1', 'the lead waits');
	$t->lead($user);
	is(scalar $t->requests($user, 'lofty', since => $mark), 1, 'later leads cost no call');

	$t->control('POST', '/account', { crm => 'lofty', key => $user->{keys}{lofty}, account => $user->{accounts}{lofty} });
	$t->connect_lofty($user);
	$t->drain($user);
	is(scalar $t->records($user, 'lofty'), 2, 'connected again, both are sent');
});

$t->behaviour('20: 400 on the data of a lead is final at once, and the next lead goes on', sub {
	my $user = $t->user(lofty => 1);

	$t->fault('lofty', { method => 'POST', body_contains => 'Faulty' },
		{ type => 'status', status => 400, body => { code => 20012, message => 'Invalid parameter' } }, times => -1);
	my $bad = $t->lead($user, first_name => 'Faulty');
	my $good = $t->lead($user, first_name => 'Good');
	$t->drain($user);
	is(scalar(grep { $_->{raw_body} =~ /Faulty/ } creates($user)), 1, 'one try');
	my ($row) = $t->logs($user, lead => $bad);
	is("$row->{action} $row->{status} $row->{attempt} $row->{http_status} $row->{error_code}", 'none failed 1 400 lofty_20012', 'logged');
	is($t->sql("SELECT lead_id FROM crm_dead_letters WHERE integration_id = '$user->{lofty}'"), $bad, 'a dead letter');
	is_deeply([ $t->log_lines($user, lead => $good) ], ['created success'], 'the other is sent');
	is($t->integration($user->{lofty})->{status}, 'active', 'the connection is active');
});

$t->behaviour('20: 403 by permission is final; 403 with a page waits and spares the key', sub {
	my $user = $t->user(lofty => 1);

	$t->fault('lofty', { method => 'POST', body_contains => 'Forbidden' },
		{ type => 'status', status => 403, body => { code => 200100, message => 'no permission' } }, times => -1);
	my $lead = $t->lead($user, first_name => 'Forbidden');
	$t->drain($user);
	is_deeply([ map { "$_->{status} $_->{error_code}" } $t->logs($user, lead => $lead) ], ['failed lofty_permission'], 'permission');
	is($t->integration($user->{lofty})->{status}, 'active', 'the key is not called dead');

	$t->fault('lofty', { method => 'GET', path => '/v1.0/leads' }, { type => 'status', status => 403, body => '<html>', content_type => 'text/html' });
	$lead = $t->lead($user, first_name => 'Walled');
	$t->drain($user);
	is_deeply([ $t->log_lines($user, lead => $lead) ], ['created success'], 'a firewall is waited for');
});

$t->behaviour('20: a 429 holds the whole connection as long as it says, and no lead pays', sub {
	my $user = $t->user(lofty => 1);

	$t->sql_as($user, "SELECT echosync_pause('$user->{lofty}')");
	$t->lead($user) for 1 .. 4;
	$t->fault('lofty', { method => 'GET', path => '/v1.0/leads', account => $user->{accounts}{lofty} },
		{ type => 'status', status => 429, body => { message => 'Too Many Requests' }, headers => { 'Retry-After' => '2' } });
	# calls that are on their way together with the refused one are not judged
	$t->knob('lofty', 'waiting_grace_ms', 500);
	my $mark = $t->mark;
	$t->sql_as($user, "SELECT echosync_resume('$user->{lofty}')");
	$t->drain($user);
	my @calls = $t->requests($user, 'lofty', since => $mark);
	my ($refused) = grep { $_->{status} == 429 } @calls;
	is(scalar(grep { $_->{status} == 429 } @calls), 1, 'one 429');
	my ($next) = grep { $_->{time} > $refused->{time} + 0.5 } @calls;
	cmp_ok($next->{time} - $refused->{time}, '>=', 2, 'nothing for two seconds');
	is(scalar $t->records($user, 'lofty'), 4, 'then all arrive');
	is_deeply([ map { $_->{attempt} } $t->logs($user) ], [ (1) x 4 ], 'at their first attempt');
});

$t->behaviour('21: ids are exact beyond what a double can hold', sub {
	my ($user, $lead) = user_with_lead({});
	my $id = $t->link_of($user->{lofty}, $lead);

	cmp_ok(length $id, '>=', 16, 'an id of 16 digits or more');
	is($id, ($t->records($user, 'lofty'))[0]{leadId}, 'linked to the last digit');
	$t->change_and_drain($user, $lead, first_name => 'Exact');
	is((updates($user))[0]{path}, "/v1.0/leads/$id", 'and written to');
	is(($t->logs($user))[0]{crm_record_id}, $id, 'and logged');

	my $big = $t->seed($user, 'lofty', leadId => 9223372036854700001, firstName => 'Dana', lastName => 'Holt', phones => ['8015550121']);
	my $other = $t->lead($user, phone => '8015550121');
	$t->drain($user);
	is($t->link_of($user->{lofty}, $other), '9223372036854700001', 'also near the end of 64 bits');
});

$t->behaviour('22: keys are JWS strings, with dots, and may be long', sub {
	my $user = $t->user;
	my $key = 'eyJ' . 'aB3-_' x 700 . '.eyJ1IjoxfQ.c2ln+/=~';

	$t->control('POST', '/account', { crm => 'lofty', key => $key, account => $user->{accounts}{lofty} });
	like($t->connect_lofty($user, $key), qr/^[0-9a-f-]{36}$/, length($key) . ' characters');
	my ($me) = $t->requests($user, 'lofty');
	is(header($me, 'Authorization'), "token $key", 'sent as it is');
});

$t->behaviour('23: who must not be called is flagged where known, never unflagged, and not made known', sub {
	my ($user, $lead) = user_with_lead({}, notes => 'Hello');
	my $mark = $t->mark;

	$t->change_and_drain($user, $lead, dnc => 't', first_name => 'Quiet', tags => ['New']);
	my @updates = updates($user, since => $mark);
	is(scalar @updates, 1, 'one update');
	json_is($updates[0]{body}, { cannotCall => TRUE, cannotText => TRUE, cannotEmail => TRUE }, 'the flags, nothing else');
	$t->change_and_drain($user, $lead, dnc => 'f');
	is_deeply([ grep { $_->{raw_body} =~ /"(?:cannot\w+|unsubscription)": ?false/ } $t->writes($user, 'lofty') ], [], 'never lowered');
	my ($record) = $t->records($user, 'lofty');
	is($record->{cannotCall} && $record->{cannotText} && $record->{cannotEmail}, TRUE, 'the record stays flagged');

	my $new = $t->lead($user, dnc => 't');
	$mark = $t->mark;
	$t->drain($user);
	is_deeply([ $t->log_lines($user, lead => $new) ], ['none skipped do_not_contact'], 'a new one is skipped');
	is(scalar $t->requests($user, 'lofty', since => $mark), 0, 'without a call');
});

$t->behaviour('24: a create sends no mail, and its assignee is the one of the settings or nobody', sub {
	my ($user) = user_with_lead({});
	my ($assigned) = user_with_lead({ assigned_user_id => 400900000200123 });

	for my $who ($user, $assigned)
	{
		my ($create) = creates($who);

		json_is([ @{ $create->{body} }{qw(welcomeEmail leadAlert)} ], [ FALSE, FALSE ], 'no mail');
	}
	is(exists +(creates($user))[0]{body}{assignedUserId}, '', 'no assignee by default');
	like((creates($assigned))[0]{raw_body}, qr/"assignedUserId": ?400900000200123\b/, 'as a number, where set');
});

$t->behaviour('25: what an error body echoes of a person reaches no log and no table', sub {
	my $user = $t->user(lofty => 1);

	$t->fault('lofty', { method => 'POST', path => '/v1.0/leads', account => $user->{accounts}{lofty} },
		{ type => 'echo_error', status => 400 }, times => -1);
	$t->lead($user, first_name => 'Secretname', phone => '8015550177', email => 'private@example.com', notes => 'Confidential');
	$t->drain($user);
	is(scalar(grep { $_->{status} eq 'failed' } $t->logs($user)), 1, 'the lead has failed');
	for my $table (qw(crm_sync_logs crm_dead_letters crm_sync_attempts crm_integrations crm_lead_links))
	{
		is($t->sql("SELECT count(*) FROM $table x WHERE to_jsonb(x)::text ~* 'Secretname|5550177|private@|Confidential|eyJhbGci'"),
			'0', "nothing in $table");
	}
	$t->log_lacks($_, "\"$_\" is not in the server log") for 'Secretname', '5550177', 'private@example.com', 'Confidential';
});

$t->behaviour('26: a note that fails does not repeat the write before it', sub {
	my ($user, $lead) = user_with_lead({});
	my $mark = $t->mark;

	$t->fault('lofty', { method => 'POST', path => '/v1.0/notes', account => $user->{accounts}{lofty} },
		{ type => 'status', status => 500, body => { code => 20005, message => 'x' } }, times => 2);
	$t->change_and_drain($user, $lead, first_name => 'Once', notes => 'Finally');
	is(scalar updates($user, since => $mark), 1, 'one update');
	is_deeply([ map { $_->{content} } @{ ($t->records($user, 'lofty'))[0]{notes} } ], ['Finally'], 'and one note in the end');
});

$t->behaviour('26: a create whose reply is lost is looked for, not repeated', sub {
	for my $action ({ type => 'close_after_store' }, { type => 'status_after_store', status => 500 },
		{ type => 'status_after_store', status => 504, body => '<html>', content_type => 'text/html' },
		{ type => 'hang', store => TRUE }, { type => 'truncate' })
	{
		my $user = $t->user(lofty => 1);

		$t->configure('echosync.request_timeout' => '700ms');
		# a connection that is in use already: libcurl would like to repeat on a fresh one
		$t->lead($user, first_name => 'Before');
		$t->drain($user);
		$t->fault('lofty', { method => 'POST', path => '/v1.0/leads', account => $user->{accounts}{lofty} }, $action);
		my $lead = $t->lead($user, first_name => 'Lost', notes => 'One note');
		$t->drain($user);
		is(scalar(grep { $_->{raw_body} =~ /Lost/ } creates($user)), 1, "$action->{type}: one create");
		my @records = grep { $_->{firstName} eq 'Lost' } $t->records($user, 'lofty');
		is(scalar @records, 1, 'one record');
		is($t->link_of($user->{lofty}, $lead), $records[0]{leadId}, 'linked');
		is(scalar @{ $records[0]{notes} }, 1, 'with its note');
		is(($t->log_lines($user, lead => $lead))[-1], 'created success', 'logged as created');
	}
	$t->deconfigure('echosync.request_timeout');
});

$t->finish;

# Row 19 needs the CRM's true limits.
my $slow = EchosyncTest->start(true_limits => 1);

$slow->behaviour('19: ten calls a minute for one key, and another key does not wait', sub {
	my $user = $slow->user(lofty => 1);
	my $other = $slow->user(lofty => 1);

	# so that several calls are under way at once, and no answer is there to warn of the last place
	$slow->knob('lofty', 'latency_ms', 100);
	$slow->sql_as(undef, "INSERT INTO leads (user_id, first_name, phone, risk_score)"
		  . " SELECT '$user->{id}', 'N' || i, '801555020' || i, 1 FROM generate_series(0, 9) i");
	$slow->wait_until('the key has used up its calls', sub { $slow->requests($user, 'lofty') >= 10 });
	$slow->lead($other, first_name => 'Quick');
	$slow->drain($other);
	is(scalar $slow->records($other, 'lofty'), 1, "the other tenant's lead is there");
	my @calls = $slow->requests($user, 'lofty');
	is(scalar @calls, 10, 'the first key has made ten calls, that of its connect among them');
	is(scalar(grep { $_->{status} == 429 } @calls), 0, 'and met no 429');
	cmp_ok($slow->sql("SELECT count(*) FROM crm_sync_queue WHERE user_id = '$user->{id}'"), '>', 0, 'its other leads wait');
	is($slow->integration($user->{lofty})->{status}, 'active', 'without harm');
});
$slow->done;
