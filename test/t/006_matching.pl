# Which record in the CRM a lead is: found, made, shared, doubtful, gone.
use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncTest;
use Test::More;

my $t = EchosyncTest->start;

my %ID = (lofty => 'leadId', fub => 'id');
my %PEOPLE = (lofty => '/v1.0/leads', fub => '/v1/people');
my $TAG = 'Echo Safe - Clean Lead';

sub creates { return grep { $_->{path} eq $PEOPLE{ $_[1] } || $_->{path} eq '/v1/events' } $t->requests($_[0], $_[1], method => 'POST', @_[2 .. $#_]) }
sub searches { return grep { $_->{path} eq $PEOPLE{ $_[1] } } $t->requests($_[0], $_[1], method => 'GET', @_[2 .. $#_]) }

# Plain values, whatever the CRM's shape.
sub phones_of { return map { ref $_ ? $_->{value} : $_ } @{ $_[0]{phones} } }
sub emails_of { return map { ref $_ ? $_->{value} : $_ } @{ $_[0]{emails} } }
sub notes_of { return map { $_->{content} // $_->{body} } @{ $_[0]{notes} } }

sub matched_by
{
	my ($user, $crm, $lead) = @_;

	return $t->sql("SELECT matched_by FROM crm_lead_links WHERE integration_id = '$user->{$crm}' AND lead_id = '$lead'");
}

# A person that an agent has made, with work of the agent's own on it.
sub agents_record
{
	my ($user, $crm, %record) = @_;

	return $t->seed($user, $crm, firstName => 'Dana', lastName => 'Holt', tags => [ 'VIP', 'Buyer' ], source => 'Open House', %record);
}

for my $crm (qw(lofty fub))
{
	$t->behaviour("$crm: a lead that is linked is written to without a search", sub {
		my $user = $t->user($crm => 1);
		my $lead = $t->lead($user);

		$t->drain($user);
		my $mark = $t->mark;
		$t->change_and_drain($user, $lead, first_name => 'Known', city => 'Provo');
		is(scalar searches($user, $crm, since => $mark), 0, 'no search');
		is(scalar creates($user, $crm, since => $mark), 0, 'no create');
		is(($t->records($user, $crm))[0]{firstName}, 'Known', 'the record is written');
	});

	$t->behaviour("$crm: a record is found by its phone number, however it is written there, and keeps what the agent put on it", sub {
		my $user = $t->user($crm => 1);
		my $id = agents_record($user, $crm, phones => [ '+1 (801) 555-0300', '801.555.0399' ], emails => ['agent@example.com']);
		my $lead = $t->lead($user, phone => '801 555 0300', email => 'new@example.com', notes => 'Hello', tags => ['Mine'], source => 'Ours');

		$t->drain($user);
		my $record = $t->record($user, $crm, $id);
		is(scalar creates($user, $crm), 0, 'nothing is created');
		is($t->link_of($user->{$crm}, $lead), $id, 'linked');
		is(matched_by($user, $crm, $lead), 'phone', 'by phone');
		is_deeply([ sort @{ $record->{tags} } ], [ 'Buyer', $TAG, 'Mine', 'VIP' ], 'tags of both');
		is_deeply([ phones_of($record) ], [ '+1 (801) 555-0300', '801.555.0399' ], 'phones as they were');
		is_deeply([ emails_of($record) ], [ 'agent@example.com', 'new@example.com' ], 'e-mail added');
		is($record->{source}, 'Open House', 'source as it was');
		is_deeply([ notes_of($record) ], ['Hello'], 'note added');
		is_deeply([ $t->log_lines($user) ], ['updated success'], 'logged as updated');
	});

	$t->behaviour("$crm: a record is found by its e-mail address, whatever its case, and its name stays the agent's", sub {
		my $user = $t->user($crm => 1);
		my $id = agents_record($user, $crm, firstName => 'Danielle', lastName => 'Holt-Reyes', phones => ['8015550311'],
			emails => ['Dana+Homes@Example.com']);
		my $phone = $t->new_phone;
		my $lead = $t->lead($user, phone => $phone, email => 'dana+homes@example.com');

		$t->drain($user);
		my $record = $t->record($user, $crm, $id);
		is($t->link_of($user->{$crm}, $lead), $id, 'linked');
		is(matched_by($user, $crm, $lead), 'email', 'by e-mail');
		is("$record->{firstName} $record->{lastName}", 'Danielle Holt-Reyes', 'the name is the agent\'s');
		is_deeply([ phones_of($record) ], [ '8015550311', $phone ], 'the phone is added');
		is_deeply([ emails_of($record) ], ['Dana+Homes@Example.com'], 'the e-mail is not added again');
		is(scalar(grep { $_->{query} =~ /email=dana%2Bhomes/ } searches($user, $crm)), 1, 'the plus sign is percent-encoded');
		$t->change_and_drain($user, $lead, first_name => 'Renamed');
		is($t->record($user, $crm, $id)->{firstName}, 'Danielle', 'also later');
	});

	$t->behaviour("$crm: what a found record lacks is filled in", sub {
		my $user = $t->user($crm => 1);
		my $id = $t->seed($user, $crm, firstName => 'Dana', phones => ['8015550320']);
		my $lead = $t->lead($user, phone => '8015550320', address => '1 Main St', city => 'Provo');

		$t->drain($user);
		my $record = $t->record($user, $crm, $id);
		is($record->{lastName}, 'Holt', 'the last name');
		my ($address) = @{ $crm eq 'lofty' ? $record->{properties} : $record->{addresses} };
		is($address->{city}, 'Provo', 'the address');
	});

	$t->behaviour("$crm: a found record that has an address keeps it as the only one", sub {
		my $user = $t->user($crm => 1);
		my $id = agents_record($user, $crm, phones => ['8015550321'],
			$crm eq 'lofty' ? (properties => [ { id => 1, streetAddress => '9 Agent Rd', city => 'Ogden' } ]) :
			  (addresses => [ { type => 'home', street => '9 Agent Rd', city => 'Ogden' } ]));

		$t->lead($user, phone => '8015550321', address => '1 Main St', city => 'Provo');
		$t->drain($user);
		my $record = $t->record($user, $crm, $id);
		is(scalar @{ $crm eq 'lofty' ? $record->{properties} : $record->{addresses} }, 1, 'one address');
	});

	$t->behaviour("$crm: two records with the number and nothing to tell them apart: parked, nothing written", sub {
		my $user = $t->user($crm => 1);

		agents_record($user, $crm, phones => ['8015550330']) for 1 .. 2;
		my $lead = $t->lead($user, phone => '8015550330', notes => 'Hello');
		$t->drain($user);
		is(scalar $t->writes($user, $crm), 0, 'no write');
		is_deeply([ $t->log_lines($user) ], ['none skipped ambiguous_match'], 'skipped');
		is($t->link_of($user->{$crm}, $lead), undef, 'not linked');
		my $mark = $t->mark;
		$t->change_and_drain($user, $lead, first_name => 'Other');
		is_deeply([ $t->log_lines($user) ], [ ('none skipped ambiguous_match') x 2 ], 'a change is judged anew, with a row of its own');
	});

	$t->behaviour("$crm: phone and e-mail of different people: parked, nothing written", sub {
		my $user = $t->user($crm => 1);

		agents_record($user, $crm, phones => ['8015550340']);
		agents_record($user, $crm, firstName => 'Robin', emails => ['robin@example.com']);
		$t->lead($user, phone => '8015550340', email => 'robin@example.com');
		$t->drain($user);
		is(scalar $t->writes($user, $crm), 0, 'no write');
		is_deeply([ $t->log_lines($user) ], ['none skipped ambiguous_match'], 'skipped');
	});

	$t->behaviour("$crm: a number shared with somebody of another name: their name and addresses are not touched", sub {
		my $user = $t->user($crm => 1);
		my $id = agents_record($user, $crm, firstName => 'Robin', lastName => 'Summers', phones => ['8015550350'], emails => ['robin@example.com']);
		my $lead = $t->lead($user, phone => '8015550350', email => 'dana@example.com', address => '1 Main St', notes => 'For the household', tags => ['Mine']);

		$t->drain($user);
		my $record = $t->record($user, $crm, $id);
		is(scalar creates($user, $crm), 0, 'nothing is created');
		is(matched_by($user, $crm, $lead), 'shared_phone', 'linked as a shared phone');
		is("$record->{firstName} $record->{lastName}", 'Robin Summers', 'the name stays');
		is_deeply([ emails_of($record) ], ['robin@example.com'], 'so do the e-mails');
		is(scalar @{ $crm eq 'lofty' ? $record->{properties} : $record->{addresses} }, 0, 'no address is added');
		is_deeply([ sort @{ $record->{tags} } ], [ 'Buyer', $TAG, 'Mine', 'VIP' ], 'tags are added');
		is_deeply([ notes_of($record) ], ['For the household'], 'and the note');
		$t->change_and_drain($user, $lead, first_name => 'Daniela', email => 'daniela@example.com', tags => [ 'Mine', 'Second' ]);
		$record = $t->record($user, $crm, $id);
		is("$record->{firstName} " . join(',', emails_of($record)), 'Robin robin@example.com', 'later changes neither');
		ok((grep { $_ eq 'Second' } @{ $record->{tags} }), 'but for tags');
	});

	$t->behaviour("$crm: two of our own leads with one number make one record", sub {
		my $user = $t->user($crm => 1);

		# a connection that is warm takes up both at once, and neither is quick
		$t->lead($user, first_name => 'Warm');
		$t->drain($user);
		$t->knob($crm, 'latency_ms', 100);
		my ($one, $two) = split /\n/, $t->sql_as(undef, <<"SQL");
INSERT INTO leads (user_id, first_name, last_name, phone, risk_score)
VALUES ('$user->{id}', 'Dana', 'Holt', '8015550360', 1), ('$user->{id}', 'Dana', 'Holt', '+1 (801) 555-0360', 1) RETURNING id
SQL
		$t->drain($user);
		my @records = grep { $_->{firstName} ne 'Warm' } $t->records($user, $crm);
		is(scalar @records, 1, 'one record');
		is($t->link_of($user->{$crm}, $one), $records[0]{ $ID{$crm} }, 'the first is linked');
		is($t->link_of($user->{$crm}, $two), $records[0]{ $ID{$crm} }, 'the second too');
	});

	$t->behaviour("$crm: two of our own leads with one number and different names make one record, which keeps the first name", sub {
		my $user = $t->user($crm => 1);

		$t->lead($user, first_name => 'Dana', last_name => 'Holt', phone => '8015550361');
		$t->drain($user);
		$t->lead($user, first_name => 'Sam', last_name => 'Rivers', phone => '8015550361', notes => 'The other one');
		$t->drain($user);
		my @records = $t->records($user, $crm);
		is(scalar @records, 1, 'one record');
		is("$records[0]{firstName} $records[0]{lastName}", 'Dana Holt', 'with the first name');
		is_deeply([ notes_of($records[0]) ], ['The other one'], 'and the note of the second');
	});

	$t->behaviour("$crm: a record that the CRM does not index yet is known from our own links", sub {
		my $user = $t->user($crm => 1);

		$t->knob($crm, 'index_lag_seconds', 3600);
		$t->lead($user, phone => '8015550370', email => 'lag@example.com');
		$t->drain($user);
		my $same_phone = $t->lead($user, phone => '8015550370');
		my $same_email = $t->lead($user, email => 'LAG@example.com', phone => undef);
		if ($crm eq 'lofty')
		{
			# reads fail for as long as the index lags: the leads wait, none is made again
			$t->wait_until('both were looked at', sub {
				$t->sql("SELECT count(*) FROM crm_lead_links WHERE lead_id IN ('$same_phone', '$same_email')") eq '2' });
			$t->knob($crm, 'index_lag_seconds', 0);
		}
		$t->drain($user);
		my @records = $t->records($user, $crm);
		is(scalar @records, 1, 'one record');
		is($t->link_of($user->{$crm}, $_), $records[0]{ $ID{$crm} }, 'linked') for $same_phone, $same_email;
	});

	$t->behaviour("$crm: numbers from abroad are searched and sent with their country code", sub {
		my $user = $t->user($crm => 1);
		my $id = agents_record($user, $crm, phones => ['+44 20 7946 0958']);
		my $found = $t->lead($user, phone => '+44 (20) 7946-0958');
		my $new = $t->lead($user, first_name => 'Jean', phone => '+33 1 99 00 12 34');

		$t->drain($user);
		is($t->link_of($user->{$crm}, $found), $id, 'found');
		my ($record) = grep { $_->{firstName} eq 'Jean' } $t->records($user, $crm);
		is_deeply([ phones_of($record) ], ['+33199001234'], 'created as E.164');
	});

	for my $pair ([ '+523311112222', '+52 1 33 1111 2222' ], [ '+5213311113333', '+52 33 1111 3333' ], [ '+541112345678', '+54 9 11 1234 5678' ], [ '+5491112345679', '+54 11 1234 5679' ])
	{
		$t->behaviour("$crm: $pair->[0] is $pair->[1]", sub {
			my $user = $t->user($crm => 1);
			my $id = agents_record($user, $crm, phones => [ $pair->[0] ]);
			my $lead = $t->lead($user, phone => $pair->[1]);

			$t->drain($user);
			is($t->link_of($user->{$crm}, $lead), $id, "the agent's record is found");
			is_deeply([ phones_of($t->record($user, $crm, $id)) ], [ $pair->[0] ], 'and has one number');
			$t->change_and_drain($user, $lead, dnc => 't');
			ok($t->record($user, $crm, $id)->{cannotCall}, 'an opt-out reaches it') if $crm eq 'lofty';
		});
	}

	$t->behaviour("$crm: a lead with an unusable number and an e-mail goes by e-mail alone", sub {
		my $user = $t->user($crm => 1);

		$t->lead($user, phone => '12345', email => 'mail@example.com');
		$t->drain($user);
		my ($record) = $t->records($user, $crm);
		is_deeply([ phones_of($record) ], [], 'no phone');
		is_deeply([ emails_of($record) ], ['mail@example.com'], 'the e-mail');
		my $nothing = $t->lead($user, phone => 'call me', email => 'not an address');
		$t->drain($user);
		is_deeply([ $t->log_lines($user, lead => $nothing) ], ['none skipped no_contact_key'], 'with neither it is skipped');
	});
}

$t->behaviour('fub: of several people with the number the one of the same last name is the lead', sub {
	my $user = $t->user(fub => 1);
	my $id = agents_record($user, 'fub', phones => ['8015550331']);

	agents_record($user, 'fub', firstName => 'Robin', lastName => 'Summers', phones => ['8015550331']);
	my $lead = $t->lead($user, phone => '8015550331');
	$t->drain($user);
	is($t->link_of($user->{fub}, $lead), $id, 'linked');
});

$t->behaviour('the right record is taken from among strangers', sub {
	my $user = $t->user(lofty => 1, fub => 1);
	my %id = map { $_ => agents_record($user, $_, phones => ['8015550380']) } qw(lofty fub);

	$t->knob('lofty', 'loose_search', TRUE);
	$t->knob('fub', 'fuzzy', TRUE);
	my $lead = $t->lead($user, phone => '8015550380');
	$t->drain($user);
	is($t->link_of($user->{fub}, $lead), $id{fub}, 'in Follow Up Boss');
	my $lofty = $t->link_of($user->{lofty}, $lead);
	ok(!defined $lofty || $lofty eq $id{lofty}, 'in Lofty the right one or, since its search is in doubt, none');
	is(scalar creates($user, $_), 0, "nothing is created in $_") for qw(lofty fub);
});

for my $mode (qw(plus1_only both))
{
	$t->behaviour("fub: a search that finds numbers only with country code ($mode) finds them", sub {
		my $user = $t->user(fub => 1);
		my $id = agents_record($user, 'fub', phones => ['8015550385']);

		$t->knob('fub', 'phone_match', $mode);
		my $lead = $t->lead($user, phone => '8015550385');
		$t->drain($user);
		is($t->link_of($user->{fub}, $lead), $id, 'linked');
	});
}

for my $mode (qw(null 404))
{
	$t->behaviour("lofty: a search that says \"none\" in another way ($mode) means none", sub {
		my $user = $t->user(lofty => 1);

		$t->knob('lofty', 'none_mode', $mode);
		$t->lead($user);
		$t->drain($user);
		is(scalar $t->records($user, 'lofty'), 1, 'the lead is created');
	});
}

$t->behaviour('fub: a person in the trash is updated where it is', sub {
	my $user = $t->user(fub => 1);
	my $id = agents_record($user, 'fub', phones => ['8015550390']);

	$t->agent($user, 'fub', $id, 'trash');
	my $lead = $t->lead($user, phone => '8015550390');
	$t->drain($user);
	is($t->link_of($user->{fub}, $lead), $id, 'linked');
	is($t->record($user, 'fub', $id)->{stage}, 'Trash', 'and stays in the trash');
	is(scalar creates($user, 'fub'), 0, 'nothing is created');
});

$t->behaviour('fub: a person whom this user cannot see is not made again', sub {
	my $user = $t->user(fub => 1);
	my $id = agents_record($user, 'fub', phones => ['8015550391'], hidden => TRUE);

	my $lead = $t->lead($user, phone => '8015550391');
	$t->drain($user);
	is(scalar $t->writes($user, 'fub'), 0, 'no write');
	is_deeply([ $t->log_lines($user, lead => $lead) ], ['none skipped ambiguous_match'], 'parked');
});

$t->behaviour('do not contact: flags go up on a linked Lofty lead and never down; Follow Up Boss is not told; nobody is looked up for it', sub {
	my $user = $t->user(lofty => 1, fub => 1);

	agents_record($user, $_, phones => ['8015550400']) for qw(lofty fub);
	my $mark = $t->mark;
	my $unlinked = $t->lead($user, phone => '8015550400', dnc => 't');
	$t->drain($user);
	is(scalar $t->requests($user, $_, since => $mark), 0, "$_: no call for a lead that is not linked") for qw(lofty fub);
	is_deeply([ sort { $a cmp $b } $t->log_lines($user, lead => $unlinked) ], [ ('none skipped do_not_contact') x 2 ], 'one skipped row each');

	my $lead = $t->lead($user, first_name => 'Linked');
	$t->drain($user);
	$mark = $t->mark;
	# the score does not matter: raising a flag protects
	$t->change_and_drain($user, $lead, dnc => 't', risk_score => 99);
	my ($record) = grep { $_->{firstName} eq 'Linked' } $t->records($user, 'lofty');
	is_deeply([ map { $record->{$_} ? 1 : 0 } qw(cannotCall cannotText cannotEmail) ], [ 1, 1, 1 ], 'Lofty: flagged');
	is(scalar $t->requests($user, 'fub', since => $mark), 0, 'Follow Up Boss: no call');
	is(($t->log_lines($user, crm => 'fub', lead => $lead))[-1], 'none skipped do_not_contact', 'Follow Up Boss: skipped');

	$t->change_and_drain($user, $lead, dnc => 'f', risk_score => 1, first_name => 'Back');
	($record) = grep { $_->{firstName} eq 'Back' } $t->records($user, 'lofty');
	is_deeply([ map { $record->{$_} ? 1 : 0 } qw(cannotCall cannotText cannotEmail) ], [ 1, 1, 1 ], 'Lofty: stays flagged');
	is(scalar(grep { $_->{firstName} eq 'Back' } $t->records($user, 'fub')), 1, 'Follow Up Boss: gets changes again');
});

$t->behaviour('lofty: flags that an agent has set survive our writes', sub {
	my $user = $t->user(lofty => 1);
	my $id = agents_record($user, 'lofty', phones => ['8015550401'], cannotText => TRUE, cannotCall => TRUE);
	my $lead = $t->lead($user, phone => '8015550401', dnc => 'f');

	$t->drain($user);
	$t->change_and_drain($user, $lead, tags => ['More']);
	my $record = $t->record($user, 'lofty', $id);
	is($record->{cannotText} && $record->{cannotCall}, TRUE, 'they are set');
});

$t->behaviour('lofty: custom attributes of a found record stay as the agent has them; of our own they follow the lead', sub {
	my $user = $t->user(lofty => { custom_fields => { risk_score => 'Risk score' } });
	my $id = agents_record($user, 'lofty', phones => ['8015550410'], attributes => {
		'Echo Safe Status' => { attributeName => 'Echo Safe Status', attributeType => 'text', value => 'Mine' } });
	my $found = $t->lead($user, phone => '8015550410');
	my $own = $t->lead($user, first_name => 'Own', risk_score => 4);

	$t->drain($user);
	is($t->record($user, 'lofty', $id)->{attributes}{'Echo Safe Status'}{value}, 'Mine', "the agent's value stays");
	my ($record) = grep { $_->{firstName} eq 'Own' } $t->records($user, 'lofty');
	is($record->{attributes}{'Risk score'}{value}, '4', 'ours is set at creation');
	$t->seed($user, 'lofty', leadId => $record->{leadId}, attributes => { %{ $record->{attributes} },
		'Echo Safe Status' => { attributeName => 'Echo Safe Status', attributeType => 'text', value => 'Added' } });
	$t->change_and_drain($user, $own, risk_score => 6);
	$record = $t->record($user, 'lofty', $record->{leadId});
	is($record->{attributes}{'Risk score'}{value}, '6', 'and follows');
	is($record->{attributes}{'Echo Safe Status'}{value}, 'Added', 'what the agent added stays');
});

$t->behaviour('fub events: a new lead is one Registration with its note as the message', sub {
	my $user = $t->user(fub => { delivery => 'events', custom_fields => { risk_score => 'Echo Safe Risk Score' } });
	my $lead = $t->lead($user, phone => '8015550420', email => 'event@example.com', notes => 'Hello', tags => ['Mine']);

	$t->drain($user);
	my @writes = $t->writes($user, 'fub');
	is(scalar @writes, 1, 'one write');
	is("$writes[0]{method} $writes[0]{path}", 'POST /v1/events', 'an event');
	json_is($writes[0]{body}, {
		source => 'Echo Safe Compliance', system => 'EchoSafe', type => 'Registration', message => 'Hello',
		person => {
			firstName => 'Dana', lastName => 'Holt',
			phones => [ { value => '8015550420', type => 'mobile' } ],
			emails => [ { value => 'event@example.com', type => 'home' } ],
			tags => [ $TAG, 'Mine' ],
			customEchoSafeRiskScore => 5,
		},
	}, 'body');
	my ($record) = $t->records($user, 'fub');
	is($t->link_of($user->{fub}, $lead), $record->{id}, 'linked to the person');
	is_deeply([ $t->log_lines($user) ], ['created success'], 'logged as created');
	$t->change_and_drain($user, $lead, first_name => 'Dan');
	is(scalar @{ $t->record($user, 'fub', $record->{id})->{events} }, 1, 'a later change is no second event');
	is($t->record($user, 'fub', $record->{id})->{firstName}, 'Dan', 'but a quiet update');
});

$t->behaviour('fub events: an event for a person who is there names its id and keeps what the agent put on it', sub {
	my $user = $t->user(fub => { delivery => 'events' });
	my $id = agents_record($user, 'fub', phones => ['8015550421']);
	my $lead = $t->lead($user, phone => '8015550421', email => 'known@example.com');

	$t->drain($user);
	my ($event) = creates($user, 'fub');
	json_is($event->{body}{person}{id}, $id, 'the id, as a number');
	my $record = $t->record($user, 'fub', $id);
	is(scalar $t->records($user, 'fub'), 1, 'one person');
	is(scalar @{ $record->{events} }, 1, 'one event');
	is_deeply([ sort @{ $record->{tags} } ], [ 'Buyer', $TAG, 'VIP' ], 'tags of both');
	is_deeply([ emails_of($record) ], ['known@example.com'], 'the e-mail is added');
	is($record->{source}, 'Open House', 'the source stays');
	is_deeply([ $t->log_lines($user) ], ['updated success'], 'logged as updated');
});

$t->behaviour('fub events: 204 means that the account ignores the source: skipped, not retried', sub {
	my $user = $t->user(fub => { delivery => 'events', source => 'Archived' });

	$t->knob('fub', 'archived_sources', ['Archived']);
	my $lead = $t->lead($user);
	$t->drain($user);
	is_deeply([ $t->log_lines($user) ], ['none skipped ignored_by_crm'], 'skipped');
	is(scalar creates($user, 'fub'), 1, 'one call');
	is($t->link_of($user->{fub}, $lead), undef, 'not linked');
});

$t->behaviour('fub events: a lost reply makes no second event', sub {
	my $user = $t->user(fub => { delivery => 'events' });

	$t->lead($user, first_name => 'Before');
	$t->drain($user);
	$t->fault('fub', { method => 'POST', path => '/v1/events', account => $user->{accounts}{fub} }, { type => 'close_after_store' });
	my $lead = $t->lead($user, first_name => 'Lost', notes => 'Once');
	$t->drain($user);
	my ($record) = grep { $_->{firstName} eq 'Lost' } $t->records($user, 'fub');
	is(scalar @{ $record->{events} }, 1, 'one event');
	is(scalar @{ $record->{notes} }, 0, 'the note was its message');
	is($t->link_of($user->{fub}, $lead), $record->{id}, 'linked');
	is(($t->log_lines($user, lead => $lead))[-1], 'created success', 'logged as created');
});

$t->behaviour('fub: a record that is gone is forgotten and looked for again: merged, found; deleted, made anew', sub {
	my $user = $t->user(fub => 1);
	my $merged = $t->lead($user, first_name => 'Merged', phone => '8015550430');
	my $deleted = $t->lead($user, first_name => 'Deleted', phone => '8015550431');

	$t->drain($user);
	my %old = map { $_ => $t->link_of($user->{fub}, $_) } $merged, $deleted;
	my $survivor = agents_record($user, 'fub', firstName => 'Merged', phones => ['8015550430']);
	$t->agent($user, 'fub', 0 + $old{$merged}, 'merge_into', into => $survivor);
	$t->agent($user, 'fub', 0 + $old{$deleted}, 'delete');
	$t->change($merged, tags => ['Later']);
	$t->change($deleted, first_name => 'Anew');
	$t->drain($user);
	is($t->link_of($user->{fub}, $merged), $survivor, 'merged: linked to the survivor');
	ok((grep { $_ eq 'Later' } @{ $t->record($user, 'fub', $survivor)->{tags} }), 'which is written to');
	my ($anew) = grep { $_->{firstName} eq 'Anew' } $t->records($user, 'fub');
	ok($anew, 'deleted: there is a new one');
	is($t->link_of($user->{fub}, $deleted), $anew->{id}, 'linked');
});

$t->behaviour('lofty: a record that is gone is looked for once: merged, found; deleted, not made again', sub {
	my $user = $t->user(lofty => 1);
	my $merged = $t->lead($user, first_name => 'Merged', phone => '8015550440');
	my $deleted = $t->lead($user, first_name => 'Deleted', phone => '8015550441');

	$t->drain($user);
	my %old = map { $_ => $t->link_of($user->{lofty}, $_) } $merged, $deleted;
	my $survivor = agents_record($user, 'lofty', firstName => 'Merged', phones => ['8015550440']);
	$t->agent($user, 'lofty', 0 + $old{$merged}, 'merge_into', into => $survivor);
	$t->agent($user, 'lofty', 0 + $old{$deleted}, 'delete');
	# older than the time in which a record may be missing because it is new
	$t->sql("UPDATE crm_lead_links SET created_at = created_at - interval '10 min' WHERE integration_id = '$user->{lofty}'");
	$t->change($merged, tags => ['Later']);
	$t->change($deleted, first_name => 'Anew');
	$t->drain($user);
	is($t->link_of($user->{lofty}, $merged), $survivor, 'merged: linked to the survivor');
	ok((grep { $_ eq 'Later' } @{ $t->record($user, 'lofty', $survivor)->{tags} }), 'which is written to');
	my ($row) = ($t->logs($user, lead => $deleted))[-1];
	is("$row->{status} $row->{error_code}", 'failed lofty_20006', 'deleted: the lead has failed');
	is(scalar(grep { $_->{firstName} eq 'Anew' } $t->records($user, 'lofty')), 0, 'and is not made again');
});

$t->behaviour('lofty: a create that Lofty folds into another record is not repeated', sub {
	my $user = $t->user(lofty => 1);
	my $survivor = agents_record($user, 'lofty', emails => ['fold@example.com'], phones => ['8015550450'], hidden => TRUE);

	$t->knob('lofty', 'merge', TRUE);
	my $lead = $t->lead($user, email => 'fold@example.com');
	$t->drain($user);
	is(scalar creates($user, 'lofty'), 1, 'one create');
	$t->agent($user, 'lofty', $survivor, 'show');
	$t->sql("UPDATE crm_lead_links SET created_at = created_at - interval '10 min' WHERE integration_id = '$user->{lofty}'");
	$t->change_and_drain($user, $lead, tags => ['Later']);
	is($t->link_of($user->{lofty}, $lead), $survivor, 'the next change finds the survivor');
	is(scalar creates($user, 'lofty'), 1, 'still one create');
});

$t->behaviour('a preview says how the record is known, and shows what is then sent', sub {
	my $user = $t->user(fub => 1, lofty => 1);
	my $preview = sub { my ($crm, $lead) = @_; return $t->rows_as($user, "SELECT * FROM echosync_preview('$user->{$crm}', '$lead') ORDER BY step") };
	my $decision = sub { my @rows = $preview->(@_); return join ' ', map({ $_->{method} } @rows), $rows[-1]{body}{status}, $rows[-1]{body}{match} // 'no word' };
	my ($found) = agents_record($user, 'fub', phones => ['8015550501']);
	my $linked = $t->lead($user, first_name => 'Dana', last_name => 'Holt', phone => '8015550501');
	my $made = $t->lead($user, first_name => 'Mel', phone => '8015550502', email => 'mel@example.com');

	$t->drain($user);
	my $record = $t->link_of($user->{fub}, $made);
	my $mark = $t->mark;
	$t->sql_as($user, "SELECT echosync_pause('$user->{$_}')") for qw(fub lofty);
	like($decision->('fub', $linked), qr/^- skipped linked: the record was found by the phone number$/, 'found by phone');
	like($decision->('fub', $made), qr/^- skipped linked: the record was created for it$/, 'created');
	is(($preview->('fub', $made))[-1]{body}{linked_to}, $record, 'and which it is');

	my $new = $t->lead($user, phone => '8015550503', email => 'new@example.com');
	like($decision->('fub', $new), qr/^GET GET GET GET POST - sent not linked: the CRM is searched; /, 'a new one: searched for');
	my $same = $t->lead($user, first_name => 'Mel', email => 'mel@example.com');
	like($decision->('fub', $same), qr/^GET - not foreseen not linked: lead $made has the same e-mail address and is record $record, which is taken$/, 'one that another lead is: the record is read, and then it depends');
	my $other = $t->lead($user, first_name => 'Kim', phone => '8015550502');
	like($decision->('fub', $other), qr/^PUT - sent not linked: lead $made has the same phone number and is record $record, .*the names differ/, 'under another name');
	my $two = $t->lead($user, phone => '8015550501', email => 'mel@example.com');
	like($decision->('fub', $two), qr/^GET .*POST - sent not linked: lead $linked has its phone number and lead $made its e-mail address, /, 'two records: the search decides');
	my $dnc = $t->lead($user, phone => '8015550504', dnc => 't');
	is($decision->($_, $dnc), '- skipped no word', "$_: one who must not be contacted is not looked for") for qw(fub lofty);
	is(scalar $t->requests($user, $_, since => $mark), 0, "$_: nothing was sent") for qw(fub lofty);

	# And that is what happens.
	$t->sql_as($user, "SELECT echosync_resume('$user->{$_}')") for qw(fub lofty);
	$t->drain($user);
	is(matched_by($user, 'fub', $same), 'email', 'by e-mail');
	is(matched_by($user, 'fub', $other), 'shared_phone', 'by a shared number');
	is_deeply([ $t->log_lines($user, lead => $two, crm => 'fub') ], ['none skipped ambiguous_match'], 'two records: ambiguous');
});

$t->done;
