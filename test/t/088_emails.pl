# An e-mail address that people of different names share makes nobody another one,
# and one that a CRM refuses costs no lead.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use Test::More;

my $t = EchosyncFaults->start;
my %WRITE = (lofty => [ 'POST', '/v1.0/leads' ], fub => [ 'POST', '/v1/people' ]);

sub values_of { return sort map { ref $_ ? $_->{value} : $_ } @{ $_[0] } }
sub phones_of { return join ' ', values_of($_[0]{phones}) }
sub emails_of { return join ' ', values_of($_[0]{emails}) }
sub line_of { return join '/', $_[0]{firstName} // '', phones_of($_[0]), emails_of($_[0]) }
sub lines { my ($user, $crm) = @_; return join '; ', sort map { line_of($_) } $t->records($user, $crm) }

sub matched_by { my ($user, $crm, $lead) = @_; return $t->sql("SELECT matched_by FROM crm_lead_links WHERE integration_id = '$user->{$crm}' AND lead_id = '$lead'") }
sub reason { my ($user, $crm, $lead) = @_; return $t->sql("SELECT string_agg(concat_ws(' ', status, action, reason), ', ' ORDER BY id) FROM crm_sync_logs WHERE integration_id = '$user->{$crm}' AND lead_id = '$lead'") }

for my $crm (qw(lofty fub))
{
	$t->behaviour("$crm: a couple shares an address with the agent's own record of one of them", sub {
		my $user = $t->user($crm => 1);
		my ($his, $hers) = map { $t->new_phone } 1 .. 2;
		my $id = $t->seed($user, $crm, firstName => 'Hugo', lastName => 'Berg', phones => [$his], emails => ['bergs@example.com']);
		my $lead = $t->lead($user, first_name => 'Iris', last_name => 'Berg', phone => $hers, email => 'bergs@example.com', notes => 'For Iris');

		$t->drain($user);
		is(lines($user, $crm), "Hugo/$his/bergs\@example.com; Iris/$hers/", 'she has a record of her own, and nothing of hers is on his');
		is_deeply([ map { ref $_ ? $_->{text} // $_->{body} : $_ } @{ $t->record($user, $crm, $id)->{notes} || [] } ], [], 'not her note');
		is(reason($user, $crm, $lead), 'success created email_shared', 'and the log says why her address is not there');
		my $mary = $t->lead($user, first_name => 'Huga', last_name => 'Berg', phone => $t->new_phone, email => 'bergs@example.com');
		$t->drain($user);
		is(matched_by($user, $crm, $mary), 'created', 'a name that is only alike is another one, within a family');
		$t->change_and_drain($user, $mary, dnc => 't');
		ok(!$t->record($user, $crm, $id)->{cannotCall}, 'and her opt-out is hers') if $crm eq 'lofty';
		$t->sql_as(undef, "DELETE FROM leads WHERE id = $mary");
		$t->agent($user, $crm, $t->link_of($user->{$crm}, $mary), 'delete');
		my $mark = $t->mark;
		$t->change_and_drain($user, $lead, last_name => 'Berg-Pine');
		is($t->record($user, $crm, $t->link_of($user->{$crm}, $lead))->{lastName}, 'Berg-Pine', 'later changes are hers');
		is(lines($user, $crm), "Hugo/$his/bergs\@example.com; Iris/$hers/", 'and her address is not tried again');
		$t->change_and_drain($user, $lead, email => 'iris@example.com');
		is(lines($user, $crm), "Hugo/$his/bergs\@example.com; Iris/$hers/iris\@example.com", 'another one is');
	});

	for my $how ('in one statement', 'one after the other', 'before the CRM shows the first')
	{
		$t->behaviour("$crm: two of our own leads with one address and different names, $how", sub {
			my $user = $t->user($crm => 1);
			my ($his, $hers) = map { $t->new_phone } 1 .. 2;
			my @lead = ([ 'Otto', 'Berg', $his ], [ 'Rosa', 'Pine', $hers ]);
			my $row = sub { "('$user->{id}', '$_[0][0]', '$_[0][1]', '$_[0][2]', 'home\@example.com', 5)" };
			my $insert = 'INSERT INTO leads (user_id, first_name, last_name, phone, email, risk_score) VALUES ';

			$t->knob($crm, 'index_lag_seconds', 4) if $how =~ /before/;
			if ($how =~ /statement/)
			{
				$t->sql_as(undef, $insert . join ', ', map { $row->($_) } @lead);
			}
			else
			{
				for my $lead (@lead)
				{
					$t->sql_as(undef, $insert . $row->($lead));
					$t->drain($user);
				}
			}
			$t->drain($user);
			$t->knob($crm, 'index_lag_seconds', 0) if $how =~ /before/;
			my @records = sort { $a->{firstName} cmp $b->{firstName} } $t->records($user, $crm);
			is(join(' ', map { "$_->{firstName}=" . phones_of($_) } @records), "Otto=$his Rosa=$hers", 'are two people');
			is(scalar(grep { emails_of($_) eq 'home@example.com' } @records), 1, 'of whom one has the address');
		});
	}

	$t->behaviour("$crm: without a phone number, a stranger's record gets tags and notes only", sub {
		my $user = $t->user($crm => 1);
		my $id = $t->seed($user, $crm, firstName => 'Hugo', lastName => 'Berg', phones => ['8015550701'], emails => ['both@example.com']);
		my $lead = $t->lead($user, first_name => 'Iris', last_name => 'Berg', phone => undef, email => 'both@example.com', address => '1 Main', city => 'Provo');

		$t->drain($user);
		is(matched_by($user, $crm, $lead), 'shared_email', 'it is linked as shared');
		my $record = $t->record($user, $crm, $id);
		is(line_of($record), 'Hugo/8015550701/both@example.com', 'name, phone and e-mail stay');
		is(scalar @{ $record->{properties} || $record->{addresses} }, 0, 'and no address is added');
		my $phone = $t->new_phone;
		$t->change_and_drain($user, $lead, phone => $phone);
		is(line_of($t->record($user, $crm, $id)), 'Hugo/8015550701/both@example.com', 'later neither');
	});

	$t->behaviour("$crm: another form of one name is no stranger's", sub {
		my $user = $t->user($crm => 1);
		my $phone = $t->new_phone;
		my $id = $t->seed($user, $crm, firstName => 'Elisabeth', lastName => 'Holt', emails => ['liz@example.com']);
		my $lead = $t->lead($user, first_name => 'Elise', last_name => 'Holt-Reyes', phone => $phone, email => 'liz@example.com');

		$t->drain($user);
		is(matched_by($user, $crm, $lead), 'email', 'by the address');
		is(phones_of($t->record($user, $crm, $id)), $phone, 'which gets the number');
	});

	$t->behaviour("$crm: a name that is written in parts is the same", sub {
		my $user = $t->user($crm => 1);
		my $id = $t->seed($user, $crm, firstName => "Jir\x{30C}i", lastName => "S\x{30C}koda", phones => ['8015550721'], emails => []);
		my $lead = $t->lead($user, first_name => "Ji\x{159}i", last_name => "\x{160}koda", phone => '8015550721', email => 'jiri@example.com');

		$t->drain($user);
		is(matched_by($user, $crm, $lead), 'phone', 'by the number');
		is(emails_of($t->record($user, $crm, $id)), 'jiri@example.com', 'and gets the address');
	});

	$t->behaviour("$crm: a lead without a name is not who the record names", sub {
		my $user = $t->user($crm => 1);
		my $id = $t->seed($user, $crm, firstName => 'Rita', lastName => 'Stone', phones => ['8015550711'], emails => []);
		my $lead = $t->lead($user, first_name => 'undefined', last_name => undef, phone => '8015550711', email => 'someone@example.com');
		my $twin = $t->lead($user, first_name => undef, last_name => undef, phone => '8015550712');

		$t->drain($user);
		is(matched_by($user, $crm, $lead), 'shared_phone', 'it shares the number');
		is(emails_of($t->record($user, $crm, $id)), '', 'and its address goes to nobody');
		my $again = $t->lead($user, first_name => undef, last_name => undef, phone => '8015550712', email => 'twin@example.com');
		$t->drain($user);
		is($t->link_of($user->{$crm}, $again), $t->link_of($user->{$crm}, $twin), 'two without a name and with one number are one');
	});

	$t->behaviour("$crm: an address that the CRM refuses is left out", sub {
		my $user = $t->user($crm => 1);
		my ($method, $path) = @{ $WRITE{$crm} };
		my $phone = $t->new_phone;

		$t->fault($crm, { account => $user->{accounts}{$crm}, body_contains => 'wrong@' }, { type => 'status', status => 400, body => '{"code":20012,"message":"no"}' }, times => 1000);
		my $mark = $t->mark;
		my $lead = $t->lead($user, phone => $phone, email => 'wrong@example.com');
		$t->drain($user);
		is(lines($user, $crm), "Dana/$phone/", 'the lead is there, by its number');
		is(reason($user, $crm, $lead), 'success created email_refused', 'the log says what is missing');
		is(scalar $t->requests($user, $crm, method => 'POST', path => $path, since => $mark), 2, 'after one more try');
		$mark = $t->mark;
		$t->change_and_drain($user, $lead, last_name => 'Other');
		is(scalar $t->requests($user, $crm, method => 'PUT', since => $mark), 1, 'which is not repeated with the next change');
		$mark = $t->mark;
		$t->change_and_drain($user, $lead, email => 'wrong@example.org', first_name => 'Dee');
		is(scalar $t->requests($user, $crm, method => 'PUT', since => $mark), 2, 'another address is tried, once');
		is(lines($user, $crm), "Dee/$phone/", 'and the rest is written');
		$t->change_and_drain($user, $lead, email => 'taken@example.com');
		is(lines($user, $crm), "Dee/$phone/taken\@example.com", 'one that the CRM takes is there');
		$t->clear_faults;
	});

	$t->behaviour("$crm: what is refused for another reason fails as it did, and many refused addresses pause nothing", sub {
		my $user = $t->user($crm => 1);

		$t->fault($crm, { account => $user->{accounts}{$crm}, body_contains => 'Refused' }, { type => 'status', status => 400, body => '{"message":"no"}' }, times => 1000);
		my $lead = $t->lead($user, first_name => 'Refused', email => 'fine@example.com');
		$t->drain($user);
		is(reason($user, $crm, $lead), 'failed none', 'a dead letter');
		is(scalar $t->dead_letters($user, $crm), 1, 'of one lead');
		$t->fault($crm, { account => $user->{accounts}{$crm}, body_contains => 'wrong' }, { type => 'status', status => 400, body => '{"message":"no"}' }, times => 1000);
		$t->lead($user, email => "wrong$_\@example.com") for 1 .. 12;
		$t->drain($user);
		is($t->status_of($user, $crm), 'active', 'twelve of them: active');
		is(scalar $t->dead_letters($user, $crm), 1, 'and none is lost');
		my $bare = $t->lead($user, phone => undef, email => 'wrong@example.com');
		$t->drain($user);
		is(reason($user, $crm, $bare), 'failed none', 'one that has nothing else fails');
		$t->clear_faults;
	});
}

$t->behaviour('fub events: the address is left out of the event', sub {
	my $user = $t->user(fub => { delivery => 'events' });
	my $phone = $t->new_phone;

	$t->fault('fub', { account => $user->{accounts}{fub}, method => 'POST', path => '/v1/events', body_contains => 'wrong@' }, { type => 'status', status => 400, body => '{"errorMessage":"no"}' }, times => 10);
	my $lead = $t->lead($user, phone => $phone, email => 'wrong@example.com');
	$t->drain($user);
	is(lines($user, 'fub'), "Dana/$phone/", 'the lead is there');
	like(reason($user, 'fub', $lead), qr/^success \w+ email_refused$/, 'and the log says so');
	$t->clear_faults;
});

$t->done;
