# kvCORE, which is experimental: what is known of its API, and the safe reading
# of what is not (the head of src/crm/kvcore.c).
use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncTest;
use Test::More;

my $API = '/v2/public';
my $t = EchosyncTest->start;

sub creates { return $t->requests($_[0], 'kvcore', method => 'POST', path => "$API/contact", @_[1 .. $#_]) }
sub puts { return $t->requests($_[0], 'kvcore', method => 'PUT', @_[1 .. $#_]) }
sub notes { return grep { $_->{path} =~ m{/action/note$} } puts(@_) }
sub tags { return grep { $_->{path} =~ m{/tags$} } puts(@_) }
sub updates { return grep { $_->{path} =~ m{/contact/\d+$} } puts(@_) }
sub searches { return grep { $_->{path} eq "$API/contacts" && $_->{query} =~ /filter/ } $t->requests($_[0], 'kvcore', @_[1 .. $#_]) }

# Requests in short, ids left out: "PUT /contact/N/tags".
sub calls
{
	my ($user, %match) = @_;

	return map { "$_->{method} " . ($_->{path} =~ s{^\Q$API\E}{}r =~ s/\d+/N/r) } $t->requests($user, 'kvcore', %match);
}

my $n_mails = 0;
sub new_mail { return sprintf 'lead%d@example.com', ++$n_mails }

# A lead has an e-mail address here, unless told otherwise.
sub lead { return $t->lead($_[0], email => new_mail(), @_[1 .. $#_]) }

# A connected user with one lead that kvCORE has: (user, lead id).
sub user_with_lead
{
	my ($settings, %columns) = @_;
	my $user = $t->user(kvcore => $settings || 1);
	my $lead = lead($user, %columns);

	$t->drain($user);
	return ($user, $lead);
}

# As if the link had been made long ago.
sub age_link
{
	my ($user) = @_;

	$t->sql("UPDATE crm_lead_links SET created_at = created_at - interval '1 hour' WHERE integration_id = '$user->{kvcore}'");
}

sub fault_for
{
	my ($user, $match, $action, %more) = @_;

	return $t->fault('kvcore', { account => $user->{accounts}{kvcore}, %$match }, $action, %more);
}

$t->behaviour('connecting asks for one contact, and says that this is experimental', sub {
	my $user = $t->user;
	my ($status, $id, $said) = $t->_psql($t->_connstr('app'), "SET echosync.user_id = '$user->{id}';\n"
		  . 'SELECT echosync_connect($$kvcore$$, ' . lit($user->{keys}{kvcore}) . ')');

	like($id, qr/^[0-9a-f-]{36}$/, 'connected');
	like($said, qr/NOTICE:  the connection to kvCORE is experimental\nDETAIL:  \S/, 'with a notice');
	my @requests = $t->requests($user, 'kvcore');
	is_deeply([ map { "$_->{method} $_->{path}?$_->{query}" } @requests ], ["GET $API/contacts?limit=1"], 'one call');
	is(header($requests[0], 'Authorization'), "Bearer $user->{keys}{kvcore}", 'with the token');
	is(header($requests[0], 'Content-Type'), 'application/json', 'and the content type, as on every call');
	my $row = $t->integration($id);
	is("$row->{crm_account}, $row->{crm_account_label}", "$user->{accounts}{kvcore}, kvCORE user $user->{accounts}{kvcore}",
		'whose it is comes from the token');
	is($t->sql_as($user, "SELECT ok FROM echosync_test_connection('$id')"), 't', 'tested again');
});

$t->behaviour('a token that does not do is refused with a reason', sub {
	my $user = $t->user;

	for my $case ([ 'none', qr/kvCORE does not accept this API token/ ], [ 'users', qr/scope Contacts or All/ ])
	{
		my ($scope, $message) = @$case;

		$t->control('POST', '/account',
			{ crm => 'kvcore', key => $user->{keys}{kvcore}, account => $user->{accounts}{kvcore}, scope => $scope });
		like($t->error_as($user, "SELECT echosync_connect('kvcore', " . lit($user->{keys}{kvcore}) . ')')->{message}, $message, $scope);
	}
	my $opaque = 'a-token-that-is-no-jwt';
	$t->control('POST', '/account', { crm => 'kvcore', key => $opaque, account => $user->{accounts}{kvcore} });
	is($t->integration($t->connect_kvcore($user, $opaque))->{crm_account}, undef, 'one that names nobody is taken, and says nothing');
});

$t->behaviour('another token of the same user keeps the links, one of another user does not', sub {
	my ($user, $lead) = user_with_lead();
	my $record = $t->link_of($user->{kvcore}, $lead);
	my $other = $t->user;
	my $key = EchosyncTest::kvcore_key($user->{accounts}{kvcore} - 520000, 'b3RoZXI');

	$t->control('POST', '/account', { crm => 'kvcore', key => $key, account => $user->{accounts}{kvcore} });
	is($t->connect_kvcore($user, $key), $user->{kvcore}, 'the same connection');
	is($t->link_of($user->{kvcore}, $lead), $record, 'and the same link');
	$t->connect_kvcore($user, $other->{keys}{kvcore});
	is($t->link_of($user->{kvcore}, $lead), undef, "another user's contacts are others");
});

$t->behaviour('a new lead: search by e-mail, create, tags, note', sub {
	my $user = $t->user(kvcore => { assigned_user_id => 4711 });
	my $phone = $t->new_phone;
	my $mark = $t->mark;

	lead($user, phone => $phone, email => 'dana+1@example.com', address => '5 Elm', city => 'Provo', state => 'UT', zip_code => '84601',
		tags => [ 'Open house!', 'VIP' ], notes => "Apt #5\nCall back");
	$t->drain($user);
	is_deeply([ calls($user, since => $mark) ],
		[ 'GET /contacts', 'POST /contact', 'PUT /contact/N/tags', 'PUT /contact/N/action/note' ], 'four calls');
	is((searches($user))[0]{query}, 'filter%5Bemail%5D=dana%2B1%40example.com&includeArchived=1&limit=100', 'the search');
	json_is((creates($user))[0]{body}, { first_name => 'Dana', last_name => 'Holt', email => 'dana+1@example.com', cell_phone_1 => $phone,
			primary_address => '5 Elm', primary_city => 'Provo', primary_state => 'UT', primary_zip => '84601',
			source => 'Echo Safe Compliance', assigned_agent_id => '4711', email_optin => 0, text_on => 0 },
		'the create, with automated mails and texts off');
	json_is((tags($user))[0]{body}, { tags => [ map { { name => $_, locked => 0 } } qw(Echo-Safe-Clean-Lead Open-house VIP) ] },
		'tags as hashtags');
	json_is((notes($user))[0]{body}, { details => "Apt # 5\nCall back" }, 'a note that makes no hashtag');
	is_deeply([ $t->log_lines($user) ], ['created success'], 'logged');
});

$t->behaviour('names are required: a missing one is "Unknown", and follows the lead later', sub {
	my ($user, $lead) = user_with_lead(undef, first_name => undef, last_name => ' ');

	my ($create) = creates($user);
	is("$create->{body}{first_name} $create->{body}{last_name}", 'Unknown Unknown', 'both');
	$t->change_and_drain($user, $lead, first_name => 'Dana');
	is(join(' ', @{ $t->record($user, 'kvcore') }{qw(first_name last_name)}), 'Dana Unknown', 'then the name that came');
});

$t->behaviour('a lead without an e-mail address is not sent, and costs no call', sub {
	my $user = $t->user(kvcore => 1);
	my $mark = $t->mark;
	my $lead = $t->lead($user);

	$t->drain($user);
	is_deeply([ $t->log_lines($user, lead => $lead) ], ['none skipped no_contact_key'], 'skipped');
	is(scalar $t->requests($user, 'kvcore', since => $mark), 0, 'no call');
	$t->change_and_drain($user, $lead, email => new_mail());
	is(scalar $t->records($user, 'kvcore'), 1, 'with one it is sent');
});

$t->behaviour('what a change costs', sub {
	my ($user, $lead) = user_with_lead();
	my $second = $t->new_phone;

	for my $case (
		[ 'nothing that counts', { seen_at => '2026-01-01' } ],
		[ 'nothing, asked for by hand', {} ],
		[ 'a name', { first_name => 'Dan' }, 'PUT /contact/N' ],
		[ 'an address', { city => 'Orem' }, 'PUT /contact/N' ],
		[ 'a tag', { tags => ['New'] }, 'PUT /contact/N/tags' ],
		[ 'a phone number', { phone => $second }, 'GET /contact/N', 'PUT /contact/N' ],
		[ 'an e-mail address', { email => new_mail() }, 'GET /contact/N', 'PUT /contact/N' ],
		[ 'a note', { notes => 'Called' }, 'PUT /contact/N/action/note' ],
		[ 'a note taken away', { notes => undef } ],
		[ 'a source', { source => 'Fair' } ])
	{
		my ($name, $change, @wanted) = @$case;
		my $mark = $t->mark;

		if (%$change) { $t->change($lead, %$change) }
		else { $t->sql_as($user, "SELECT echosync_manual_sync('$user->{kvcore}', ARRAY['$lead'])") }
		$t->drain($user);
		is_deeply([ calls($user, since => $mark) ], \@wanted, $name);
	}
	my ($record) = $t->records($user, 'kvcore');
	is($record->{home_phone}, $second, 'the second number stands beside the first');
	is($record->{second_email}, "lead$n_mails\@example.com", 'and so does the second address');
	is_deeply([ map { $_->{details} } @{ $record->{notes} } ], ['Called'], 'the note is there once');
});

$t->behaviour("found by e-mail: an agent's contact gets what it lacks, and keeps all it has", sub {
	my $user = $t->user(kvcore => 1);
	my $mail = new_mail();
	my %before = (first_name => 'Daniela', last_name => '', email => uc $mail, cell_phone_1 => '(801) 555-0111', primary_city => 'Ogden',
		source => 'Zillow', status => 1, tags => ['vip']);
	my $id = $t->seed($user, 'kvcore', %before);
	my $phone = $t->new_phone;
	my $lead = $t->lead($user, email => $mail, phone => $phone, address => '5 Elm', tags => ['Two']);

	$t->drain($user);
	is($t->link_of($user->{kvcore}, $lead), $id, 'linked');
	is($t->sql("SELECT matched_by FROM crm_lead_links WHERE lead_id = '$lead'"), 'email', 'by the address');
	is(scalar creates($user), 0, 'nothing is created');
	json_is((updates($user))[0]{body}, { last_name => 'Holt', home_phone => $phone }, 'the blank name and the number');
	is_deeply($t->record($user, 'kvcore')->{tags}, [ 'vip', 'echo-safe-clean-lead', 'two' ], 'tags are added');
	is_deeply([ $t->log_lines($user) ], ['updated success'], 'logged as an update');

	my $mark = $t->mark;
	$t->change_and_drain($user, $lead, first_name => 'Dan', last_name => 'Hold', address => '6 Elm', tags => []);
	is_deeply([ grep { /PUT/ } calls($user, since => $mark) ], ['PUT /contact/N/tags'], 'names and address stay as they are');
	is_deeply([ grep { $_ eq 'two' } @{ $t->record($user, 'kvcore')->{tags} } ], ['two'], 'and so does a tag that the lead lost');
});

$t->behaviour('a contact whose number fields are all taken keeps them', sub {
	my $user = $t->user(kvcore => 1);
	my $mail = new_mail();

	$t->seed($user, 'kvcore', first_name => 'A', last_name => 'B', email => $mail, cell_phone_1 => '8015550131',
		home_phone => '8015550132', work_phone => '8015550133');
	$t->lead($user, email => $mail);
	$t->drain($user);
	is_deeply([ calls($user, method => 'PUT') ], ['PUT /contact/N/tags'], 'tags only');
});

$t->behaviour('only an equal address is a hit; archived contacts are hits too', sub {
	my $user = $t->user(kvcore => 1);
	my $longer = $t->seed($user, 'kvcore', first_name => 'Dana', last_name => 'Holt', email => 'eve@example.com.au');
	my $archived = $t->seed($user, 'kvcore', first_name => 'Dana', last_name => 'Holt', email => 'old@example.com', status => 6);
	my $new = $t->lead($user, email => 'eve@example.com');
	my $old = $t->lead($user, email => 'old@example.com');

	$t->drain($user);
	isnt($t->link_of($user->{kvcore}, $new), $longer, 'eve@example.com.au is somebody else');
	is($t->link_of($user->{kvcore}, $old), $archived, 'an archived contact is not made again');
	is($t->record($user, 'kvcore', $archived)->{status}, 6, 'and stays archived');
});

$t->behaviour("two leads with one phone number are one contact, the second's name is left out", sub {
	my $user = $t->user(kvcore => 1);
	my $phone = $t->new_phone;
	my $first = lead($user, phone => $phone);

	$t->drain($user);
	my $second = $t->lead($user, phone => $phone, first_name => 'Robin', last_name => 'Else', tags => ['Household']);
	$t->drain($user);
	is($t->link_of($user->{kvcore}, $second), $t->link_of($user->{kvcore}, $first), 'one record, though the second has no address');
	is(scalar creates($user), 1, 'one create');
	my ($record) = $t->records($user, 'kvcore');
	is("$record->{first_name} $record->{last_name}", 'Dana Holt', "the first's name");
	is_deeply($record->{tags}, [ 'echo-safe-clean-lead', 'household' ], 'both tags');
});

for my $case (
	[ 'two contacts with one address', sub { $t->seed($_[0], 'kvcore', first_name => $_, email => $_[1]) for 'Ann', 'Bob' } ],
	[ 'a page that does not show all', sub {
		$t->seed($_[0], 'kvcore', email => "$_[1].$_") for 1 .. 3;
		$t->knob('kvcore', 'page_cap', 2);
	} ],
	[ 'a filter that is ignored', sub {
		$t->seed($_[0], 'kvcore', email => "$_\@example.org") for 1 .. 3;
		$t->knob('kvcore', 'ignore_filters', TRUE);
		$t->knob('kvcore', 'page_cap', 2);
	} ],
	[ 'a contact that only the create knows of', sub { $t->seed($_[0], 'kvcore', first_name => 'Other', email => $_[1], hidden => TRUE) } ])
{
	my ($name, $prepare) = @$case;

	$t->behaviour("$name: nothing is guessed, nobody pays", sub {
		my $user = $t->user(kvcore => 1);
		my $mail = new_mail();

		$prepare->($user, $mail);
		my $lead = $t->lead($user, email => $mail);
		$t->drain($user);
		is_deeply([ $t->log_lines($user) ], ['none skipped ambiguous_match'], 'skipped');
		is($t->link_of($user->{kvcore}, $lead), undef, 'not linked');
		is(scalar(grep { $_->{made_by} eq 'client' } $t->all_records($user, 'kvcore')), 0, 'nothing is created');
		is($t->integration($user->{kvcore})->{consecutive_failures}, 0, 'and it is no failure');
	});
}

$t->behaviour('a small account is seen whole even where the filter is ignored', sub {
	my $user = $t->user(kvcore => 1);

	$t->seed($user, 'kvcore', email => "$_\@example.org") for 1 .. 3;
	$t->knob('kvcore', 'ignore_filters', TRUE);
	lead($user);
	$t->drain($user);
	is(scalar $t->records($user, 'kvcore'), 4, 'nobody has the address: created');
});

for my $case (
	[ '500', { type => 'status', status => 500 } ],
	[ '502 with a page', { type => 'status', status => 502, body => '<html>', content_type => 'text/html' } ],
	[ '403 with a page', { type => 'status', status => 403, body => '<html>', content_type => 'text/html' } ],
	[ '404', { type => 'status', status => 404, body => { errors => ['Not Found'] } } ],
	[ '200 with a string', { type => 'status', status => 200, body => '"later"' } ],
	[ '200 with nothing', { type => 'status', status => 200 } ],
	[ 'contacts without ids', { type => 'status', status => 200, body => { total => 1, data => [ { email => 'x@example.com' } ] } } ],
	[ 'contacts without addresses', { type => 'status', status => 200, body => { total => 1, data => [ { id => 5, name => 'X' } ] } } ],
	[ 'a closed connection', { type => 'close_before' } ])
{
	my ($name, $action) = @$case;

	$t->behaviour("a search that fails ($name) is not \"not found\"", sub {
		my $user = $t->user(kvcore => 1);
		my $mail = new_mail();
		my $id = $t->seed($user, 'kvcore', first_name => 'Dana', email => $mail);

		fault_for($user, { method => 'GET' }, $action);
		my $lead = $t->lead($user, email => $mail);
		$t->drain($user);
		is(scalar creates($user), 0, 'nothing is created');
		is($t->link_of($user->{kvcore}, $lead), $id, 'the contact is found when the search works again');
	});
}

$t->behaviour('a create whose reply is lost is looked for, not repeated', sub {
	$t->configure('echosync.request_timeout' => '700ms');
	for my $action ({ type => 'close_after_store' }, { type => 'status_after_store', status => 500 },
		{ type => 'status_after_store', status => 504, body => '<html>', content_type => 'text/html' },
		{ type => 'hang', store => TRUE }, { type => 'truncate' }, { type => 'ok_without_id', body => { success => TRUE } })
	{
		my ($user) = user_with_lead();

		fault_for($user, { method => 'POST', path => "$API/contact" }, $action);
		my $lead = lead($user, first_name => 'Lost', notes => 'One note');
		$t->drain($user);
		is(scalar(grep { $_->{raw_body} =~ /Lost/ } creates($user)), 1, "$action->{type}: one create");
		my @records = grep { $_->{first_name} eq 'Lost' } $t->records($user, 'kvcore');
		is(scalar @records, 1, 'one contact');
		is($t->link_of($user->{kvcore}, $lead), $records[0]{id}, 'linked');
		is($t->sql("SELECT matched_by FROM crm_lead_links WHERE lead_id = '$lead'"), 'created', 'as ours');
		is_deeply($records[0]{tags}, ['echo-safe-clean-lead'], 'with its tags');
		is(scalar @{ $records[0]{notes} }, 1, 'and its note');
		is(($t->log_lines($user, lead => $lead))[-1], 'created success', 'logged as created');
	}
	$t->deconfigure('echosync.request_timeout');
});

$t->behaviour('tags and notes whose replies are lost: no second contact, no second note', sub {
	for my $path ('tags', 'action/note')
	{
		my $user = $t->user(kvcore => 1);

		fault_for($user, { method => 'PUT', body_contains => $path eq 'tags' ? 'locked' : 'details' },
			{ type => 'status_after_store', status => 500 });
		lead($user, notes => 'Only once');
		$t->drain($user);
		my @records = $t->records($user, 'kvcore');
		is(scalar @records, 1, "$path: one contact");
		is_deeply([ map { $_->{details} } @{ $records[0]{notes} } ], ['Only once'], 'one note');
		is_deeply($records[0]{tags}, ['echo-safe-clean-lead'], 'its tags');
		like(($t->log_lines($user))[-1], qr/ success$/, 'and it is done');
	}
});

$t->behaviour('a new contact that is unknown for a while is waited for', sub {
	my $user = $t->user(kvcore => 1);

	$t->knob('kvcore', 'index_lag_seconds', 3);
	my $lead = lead($user, notes => 'Late');
	$t->drain($user);
	is(scalar creates($user), 1, 'one create');
	my ($record) = $t->records($user, 'kvcore');
	is_deeply($record->{tags}, ['echo-safe-clean-lead'], 'its tags arrive');
	is_deeply([ map { $_->{details} } @{ $record->{notes} } ], ['Late'], 'and its note');
	is($t->sql("SELECT count(*) FROM crm_dead_letters WHERE lead_id = '$lead'"), '0', 'no try was used up');
});

$t->behaviour('an old link whose contact is gone: looked for once, never created again', sub {
	my $mail = new_mail();
	my ($user, $lead) = user_with_lead(undef, email => $mail);
	my $old = $t->link_of($user->{kvcore}, $lead);

	age_link($user);
	$t->agent($user, 'kvcore', 0 + $old, 'delete');
	my $new = $t->seed($user, 'kvcore', first_name => 'Dana', last_name => 'Holt', email => $mail);
	$t->change_and_drain($user, $lead, first_name => 'Dan', notes => 'After');
	is($t->link_of($user->{kvcore}, $lead), $new, 'found under another id');
	is($t->record($user, 'kvcore', $new)->{first_name}, 'Dana', "the agent's name stays");
	is($t->record($user, 'kvcore', $new)->{notes}[0]{details}, 'After', 'the note is there');

	age_link($user);
	$t->agent($user, 'kvcore', $new, 'delete');
	$t->change_and_drain($user, $lead, tags => ['More']);
	is_deeply([ map { "$_->{status} " . ($_->{error_code} // '') } ($t->logs($user))[-1] ], ['failed kvcore_gone'], 'gone for good: a dead letter');
	is(scalar creates($user), 1, 'not created again');
});

$t->behaviour('a dead token: the connection says so, its leads wait for the next', sub {
	my $user = $t->user(kvcore => 1);

	for my $case ([ 'none', qr/^401$/ ], [ 'users', qr/^403$/ ])
	{
		my ($scope, $status) = @$case;
		my %account = (crm => 'kvcore', key => $user->{keys}{kvcore}, account => $user->{accounts}{kvcore});
		my $before = $t->records($user, 'kvcore');

		$t->control('POST', '/account', { %account, scope => $scope });
		my $mark = $t->mark;
		lead($user);
		$t->wait_for_sql("SELECT concat_ws(' ', status, status_reason) FROM crm_integrations WHERE id = '$user->{kvcore}'", 'error credential_refused');
		my @calls = grep { $_->{credential} eq $user->{keys}{kvcore} } $t->requests(undef, 'kvcore', since => $mark);
		is(scalar @calls, 1, "$scope: one call");
		like($calls[0]{status}, $status, 'refused');
		lead($user);
		is($t->sql("SELECT count(*) FROM crm_sync_queue WHERE integration_id = '$user->{kvcore}'"), '2', 'the leads wait');
		$t->control('POST', '/account', \%account);
		$t->connect_kvcore($user);
		$t->drain($user);
		is($t->records($user, 'kvcore') - $before, 2, 'connected again, both are sent');
	}
});

$t->behaviour('a 429 holds the connection as long as it says, and no lead pays', sub {
	my $user = $t->user(kvcore => 1);

	fault_for($user, { method => 'GET' },
		{ type => 'status', status => 429, body => { message => 'Too Many Attempts.' }, headers => { 'Retry-After' => '2' } });
	my $mark = $t->mark;
	lead($user);
	$t->drain($user);
	my @calls = $t->requests($user, 'kvcore', since => $mark);
	is($calls[0]{status}, 429, 'one 429');
	cmp_ok($calls[1]{time} - $calls[0]{time}, '>=', 2, 'nothing for two seconds');
	is_deeply([ map { "$_->{attempt} $_->{status}" } $t->logs($user) ], ['1 success'], 'then it arrives, at its first attempt');
});

$t->behaviour('what kvCORE refuses of a lead is final for that lead', sub {
	my $user = $t->user(kvcore => 1);

	fault_for($user, { method => 'POST', body_contains => 'Faulty' },
		{ type => 'status', status => 422, body => { errors => { cell_phone_1 => ['The field is invalid.'] } } });
	fault_for($user, { method => 'POST', body_contains => 'Odd' },
		{ type => 'status', status => 200, body => { errors => ['Something'] } });
	my $bad = lead($user, first_name => 'Faulty');
	my $odd = lead($user, first_name => 'Odd');
	my $good = lead($user, first_name => 'Good');
	$t->drain($user);
	is(join(' ', @{ ($t->logs($user, lead => $bad))[0] }{qw(status attempt http_status error_code)}), 'failed 1 422 http_422', '422');
	is(join(' ', @{ ($t->logs($user, lead => $odd))[0] }{qw(status http_status error_code)}), 'failed 200 http_200', '200 with errors');
	is_deeply([ $t->log_lines($user, lead => $good) ], ['created success'], 'the next is sent');

	fault_for($user, { method => 'PUT' }, { type => 'status', status => 403, body => { errors => ['Forbidden'] } });
	$t->change_and_drain($user, $good, first_name => 'Better');
	is(($t->logs($user, lead => $good))[-1]{error_code}, 'kvcore_forbidden', "a colleague's contact");
	is($t->integration($user->{kvcore})->{status}, 'active', 'and the token is not called dead');
});

$t->behaviour('who must not be contacted is not sent, and costs no call', sub {
	my ($user, $lead) = user_with_lead();
	my $mark = $t->mark;

	$t->change_and_drain($user, $lead, dnc => 't', first_name => 'Quiet');
	my $new = lead($user, dnc => 't');
	$t->drain($user);
	is_deeply([ map { ($t->log_lines($user, lead => $_))[-1] } $lead, $new ], [ ('none skipped do_not_contact') x 2 ], 'both are skipped');
	is(scalar $t->requests($user, 'kvcore', since => $mark), 0, 'no call');
	$t->change_and_drain($user, $lead, dnc => 'f');
	is($t->record($user, 'kvcore')->{first_name}, 'Quiet', 'and goes on when it is allowed again');
});

$t->behaviour('a contact in a wrapper is read as well', sub {
	$t->knob('kvcore', 'wrapped', TRUE);
	my ($user, $lead) = user_with_lead(undef, notes => 'Hello');

	$t->change_and_drain($user, $lead, phone => $t->new_phone);
	my ($record) = $t->records($user, 'kvcore');
	is($t->link_of($user->{kvcore}, $lead), $record->{id}, 'linked');
	isnt($record->{home_phone}, '', 'read and updated');
	is(scalar @{ $record->{notes} }, 1, 'noted');
});

$t->behaviour('a preview shows the requests, and that this is experimental', sub {
	my ($user, $linked) = user_with_lead();
	my $mark = $t->mark;
	$t->sql_as($user, "SELECT echosync_pause('$user->{kvcore}')");
	my $lead = lead($user, notes => 'Hello');

	my @rows = $t->rows_as($user, "SELECT * FROM echosync_preview('$user->{kvcore}', '$lead') ORDER BY step");
	is_deeply([ map { $_->{method} } @rows ], [qw(GET POST PUT PUT -)], 'search, create, tags, note, end');
	is("$rows[-1]{body}{status} $rows[-1]{body}{experimental}", 'sent 1', 'it would be sent, experimentally');
	is($rows[1]{url}, $t->kvcore_url . '/contact', 'to where');
	$t->change($linked, first_name => 'New');
	@rows = $t->rows_as($user, "SELECT * FROM echosync_preview('$user->{kvcore}', '$linked') ORDER BY step");
	is_deeply([ map { $_->{method} } @rows ], [qw(PUT -)], 'of a known one what has changed');
	is(scalar $t->requests($user, 'kvcore', since => $mark), 0, 'nothing was sent');
});

$t->behaviour('what an error echoes of a person reaches no log and no table', sub {
	my $user = $t->user(kvcore => 1);

	fault_for($user, { method => 'POST' }, { type => 'echo_error', status => 400 });
	$t->lead($user, first_name => 'Secretname', phone => '8015550178', email => 'private@example.com');
	$t->drain($user);
	is(scalar(grep { $_->{status} eq 'failed' } $t->logs($user)), 1, 'the lead has failed');
	for my $table (qw(crm_sync_logs crm_dead_letters crm_sync_attempts crm_integrations crm_lead_links))
	{
		is($t->sql("SELECT count(*) FROM $table x WHERE to_jsonb(x)::text ~* 'Secretname|5550178|private@|eyJhbGci'"), '0', "nothing in $table");
	}
	$t->log_lacks($_, "\"$_\" is not in the server log") for 'Secretname', '5550178', 'private@example.com';
});

$t->done;
