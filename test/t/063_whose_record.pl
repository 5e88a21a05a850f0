# A link says what the record carries, not what the lead carries; a retry goes
# by the newest word on the lead.  And what a Lofty key may not read, and a
# Retry-After by another clock, hold up nobody for long.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use JSON::PP ();
use POSIX qw(strftime);
use Test::More;
use Time::HiRes qw(time);

my $t = EchosyncFaults->start(conf => "echosync.uncertain_wait = '1500ms'\n");

my $JSON = JSON::PP->new->canonical->allow_nonref;
my %LABEL = (lofty => 'Lofty', fub => 'Follow Up Boss');
my %CREATE = (lofty => '/v1.0/leads', fub => '/v1/people');
my $TAG = 'Echo Safe - Clean Lead';

# Plain values, whatever the CRM's shape.
sub values_of { return sort map { ref $_ ? $_->{value} : $_ } @{ $_[0] } }
sub phones_of { return values_of($_[0]{phones}) }
sub emails_of { return values_of($_[0]{emails}) }
sub addresses_of { return @{ $_[0]{properties} || $_[0]{addresses} } }
sub name_of { return "$_[0]{firstName} $_[0]{lastName}" }

sub matched_by
{
	my ($user, $crm, $lead) = @_;

	return $t->sql("SELECT matched_by FROM crm_lead_links WHERE integration_id = '$user->{$crm}' AND lead_id = '$lead'");
}

sub record_of
{
	my ($user, $crm, $lead) = @_;
	my $id = $t->link_of($user->{$crm}, $lead);

	return defined $id ? $t->record($user, $crm, $id) : undef;
}

# ------------------------------------------------------------------------
# Somebody else's phone
# ------------------------------------------------------------------------

my $n_strangers = 0;

# The agent's own contact, whose phone a lead of another name has as well.
sub carl
{
	my ($user, $crm, $phone) = @_;
	my $email = sprintf 'carl%d@example.com', ++$n_strangers;

	return { id => $t->seed($user, $crm, firstName => 'Carl', lastName => 'Stone', phones => [$phone], emails => [$email], source => 'Open House'),
		phone => $phone, email => $email };
}

sub is_untouched
{
	my ($user, $crm, $carl, $when) = @_;
	my $record = $t->record($user, $crm, $carl->{id});

	is(name_of($record), 'Carl Stone', "$when: Carl's name");
	is_deeply([ phones_of($record) ], [ $carl->{phone} ], 'his phone');
	is_deeply([ emails_of($record) ], [ $carl->{email} ], 'his e-mail');
	is_deeply([ addresses_of($record) ], [], 'and that no address is known, are as before');
	return;
}

for my $crm (qw(lofty fub))
{
	$t->behaviour("$LABEL{$crm}: a stranger's phone makes no one else's e-mail his", sub {
		my $user = $t->user($crm => 1);
		my $carl = carl($user, $crm, $t->new_phone);
		my $bea = $t->lead($user, first_name => 'Bea', last_name => 'Holt', phone => $carl->{phone}, email => 'holt@example.com', tags => ['Hot']);

		$t->drain($user);
		is($t->link_of($user->{$crm}, $bea), $carl->{id}, 'Bea, who has his phone, is linked to Carl');
		is(matched_by($user, $crm, $bea), 'shared_phone', 'as one who shares a phone');
		is_untouched($user, $crm, $carl, 'then');
		ok((grep { $_ eq 'Hot' } @{ $t->record($user, $crm, $carl->{id})->{tags} }), 'he has the tags');

		my $phone = $t->new_phone;
		my $dan = $t->lead($user, first_name => 'Dan', last_name => 'Poe', phone => $phone, email => 'holt@example.com', address => '1 Poe Street', city => 'Provo');
		$t->drain($user);
		is_untouched($user, $crm, $carl, "when Dan comes, who has Bea's e-mail");
		isnt($t->link_of($user->{$crm}, $dan) // 'none', $carl->{id}, 'Dan is not linked to him');
		is(scalar $t->records($user, $crm), 2, 'but has a record');
		my $record = record_of($user, $crm, $dan);
		is(name_of($record), 'Dan Poe', 'of his own name');
		is_deeply([ phones_of($record), emails_of($record) ], [ $phone, 'holt@example.com' ], 'with his phone and e-mail');
		is(matched_by($user, $crm, $dan), 'created', 'which we made');

		# What Bea changes to is not Carl's either.
		$t->change_and_drain($user, $bea, email => 'bea@example.com');
		my $eve = $t->lead($user, first_name => 'Eve', last_name => 'Lake', email => 'bea@example.com', address => '2 Lake Street', city => 'Provo');
		$t->drain($user);
		is_untouched($user, $crm, $carl, "when Eve comes, who has Bea's new e-mail");
		is(matched_by($user, $crm, $eve), 'created', 'Eve has a record of her own');
	});

	$t->behaviour("$LABEL{$crm}: a second row of somebody who shares a stranger's phone writes nothing of hers to him", sub {
		my $user = $t->user($crm => 1);
		my $carl = carl($user, $crm, $t->new_phone);
		my @leads = $t->lead($user, first_name => 'Bea', last_name => 'Holt', phone => $carl->{phone});

		$t->drain($user);
		push @leads, $t->lead($user, first_name => 'Bea', last_name => 'Holt', phone => $carl->{phone}, email => 'bea@example.com',
			address => '1 Main St', city => 'Provo', tags => ['Second']);
		$t->drain($user);
		is_untouched($user, $crm, $carl, 'after two rows of Bea');
		is(scalar $t->records($user, $crm), 1, 'there is no other record with his phone');
		is(matched_by($user, $crm, $_), 'shared_phone', 'the row shares his phone, and no more') for @leads;
		ok((grep { $_ eq 'Second' } @{ $t->record($user, $crm, $carl->{id})->{tags} }), 'he has the tags of both');
		$t->change_and_drain($user, $leads[1], first_name => 'Beatrice', email => 'beatrice@example.com');
		is_untouched($user, $crm, $carl, 'when the second changes');
	});

	$t->behaviour("$LABEL{$crm}: an e-mail that was never written to a record does not lead to it", sub {
		my $user = $t->user($crm => 1);
		my $carl = carl($user, $crm, $t->new_phone);

		# Carl himself, by his phone; that his second e-mail is added is refused.
		$t->fault_for($user, $crm, { method => 'PUT' }, { type => 'status', status => 400, body => {} }, times => 2);
		my $lead = $t->lead($user, first_name => 'Carl', last_name => 'Stone', phone => $carl->{phone}, email => 'family@example.com');
		$t->drain($user);
		is(scalar $t->dead_letters($user, $crm), 1, 'the write is refused');
		my $dan = $t->lead($user, first_name => 'Dan', last_name => 'Poe', phone => $t->new_phone, email => 'family@example.com', address => '1 Poe Street', city => 'Provo');
		$t->drain($user);
		is_untouched($user, $crm, $carl, 'when Dan comes with that e-mail');
		is(matched_by($user, $crm, $dan), 'created', 'Dan has a record of his own');
	});

	$t->behaviour("$LABEL{$crm}: two leads of one person in a row are one record, which is not indexed yet", sub {
		my $user = $t->user($crm => 1);
		my ($phone, $other) = ($t->new_phone, $t->new_phone);

		$t->knob($crm, 'index_lag_seconds', 60);
		$t->knob('fub', 'dedupe_lags', TRUE);
		my @leads = $t->lead($user, phone => $phone, email => 'dana@example.com');
		$t->drain($user);
		push @leads, $t->lead($user, phone => $phone, email => 'dana@example.com', notes => 'Again');
		push @leads, $t->lead($user, phone => $other, email => 'dana@example.com');
		push @leads, $t->lead($user, phone => $phone, email => undef);
		$t->drain($user) if $crm eq 'fub';

		# Lofty tells of its lag: what is to be written to a record that is so new may wait.
		$t->wait_until('each is linked', sub { !grep { !defined $t->link_of($user->{$crm}, $_) } @leads });
		my @records = $t->records($user, $crm);
		is(scalar @records, 1, 'one record');
		is($t->link_of($user->{$crm}, $_), $records[0]{ $crm eq 'lofty' ? 'leadId' : 'id' }, 'to which the lead is linked') for @leads;
		is(scalar $t->dead_letters($user, $crm), 0, 'no dead letter');
		$t->sql_as($user, "SELECT echosync_disconnect('$user->{$crm}')");
	});
}

# ------------------------------------------------------------------------
# The newest word on a lead
# ------------------------------------------------------------------------

# What another system posts, as PostgREST hands it over.
sub webhook
{
	my ($user, $id, %more) = @_;
	my $body = { user_id => $user->{id}, lead => { id => "$id", first_name => 'Wanda', last_name => 'Webb', risk_score => 5, %more } };

	return $t->sql_as(undef, "BEGIN; SELECT set_config('request.headers', " . lit($JSON->encode({ 'x-webhook-secret' => 'webhook-secret-1' }))
		  . ', true); SELECT echosync_webhook_lead_created(' . lit($JSON->encode($body)) . '::jsonb); COMMIT');
}

sub is_not_created
{
	my ($user, $crm, $lead, $reason, $name) = @_;

	is(scalar $t->records($user, $crm), 0, "$name: it is not in $LABEL{$crm}");
	is(scalar $t->requests($user, $crm, method => 'POST', path => $CREATE{$crm}), $user->{creates} || 0, 'nor was it tried');
	is(($t->log_lines($user, crm => $crm, lead => $lead))[-1], "none skipped $reason", 'the log says why');
	is($t->queued($user, $crm), '0', 'nothing is queued');
	is(scalar $t->dead_letters($user, $crm), 0, 'and it is no dead letter any more');
	return;
}

# crm, what the newest word says, the reason
my @words = (
	[ 'fub', { do_not_contact => TRUE }, 'do_not_contact' ],
	[ 'fub', { risk_score => 95 }, 'risk_above_limit' ],
	[ 'lofty', { do_not_contact => TRUE }, 'do_not_contact' ],
	[ 'lofty', { risk_score => 95 }, 'risk_above_limit' ]);

# A lead of a webhook that has become a dead letter.
sub dead_webhook
{
	my ($user, $crm, $id, $phone) = @_;

	$t->fault_for($user, $crm, { method => 'POST', path => $CREATE{$crm} }, { type => 'status', status => 400, body => {} });
	webhook($user, $id, phone => $phone);
	$t->drain($user);
	is(scalar $t->dead_letters($user, $crm), 1, 'it is a dead letter');
	$user->{creates} = 1;
	return;
}

for my $word (@words)
{
	my ($crm, $newest, $reason) = @$word;

	$t->behaviour("$LABEL{$crm}, $reason: a newer webhook counts, not the older one that still waits", sub {
		my $user = $t->user($crm => 1);
		my $phone = $t->new_phone;

		$t->sql_as($user, "SELECT echosync_pause('$user->{$crm}')");
		webhook($user, 'w1', phone => $phone);
		webhook($user, 'w1', phone => $phone, %$newest);
		$t->sql_as($user, "SELECT echosync_resume('$user->{$crm}')");
		$t->drain($user);
		is_not_created($user, $crm, 'w1', $reason, 'resumed');
	});

	$t->behaviour("$LABEL{$crm}, $reason: a dead letter is retried by what a newer webhook says of the lead", sub {
		my $user = $t->user($crm => 1);
		my $phone = $t->new_phone;

		dead_webhook($user, $crm, 'w2', $phone);
		webhook($user, 'w2', phone => $phone, %$newest);
		$t->drain($user);
		$t->sql_as($user, "SELECT echosync_retry_failed('$user->{$crm}')");
		$t->drain($user);
		is_not_created($user, $crm, 'w2', $reason, 'retried');
	});

	$t->behaviour("$LABEL{$crm}, $reason: a dead letter of a webhook is retried by the row that the lead has by now", sub {
		my $user = $t->user($crm => 1);
		my $phone = $t->new_phone;
		my %row = map { ($_ eq 'do_not_contact' ? 'dnc' : $_) => $_ eq 'do_not_contact' ? 't' : $newest->{$_} } keys %$newest;
		my $id = 700_000 + $t->{n_leads};

		dead_webhook($user, $crm, $id, $phone);
		$t->lead($user, id => $id, first_name => 'Wanda', last_name => 'Webb', phone => $phone, %row);
		$t->drain($user);
		$t->sql_as($user, "SELECT echosync_retry_failed('$user->{$crm}')");
		$t->drain($user);
		is_not_created($user, $crm, $id, $reason, 'retried');
	});

	$t->behaviour("$LABEL{$crm}, $reason: a dead letter of a lead in a table is retried by its row as it is", sub {
		my $user = $t->user($crm => 1);
		my %row = map { ($_ eq 'do_not_contact' ? 'dnc' : $_) => $_ eq 'do_not_contact' ? 't' : $newest->{$_} } keys %$newest;

		$t->fault_for($user, $crm, { method => 'POST', path => $CREATE{$crm} }, { type => 'status', status => 400, body => {} });
		my $lead = $t->lead($user);
		$t->drain($user);
		is(scalar $t->dead_letters($user, $crm), 1, 'it is a dead letter');
		$user->{creates} = 1;
		$t->change($lead, %row);
		$t->drain($user);
		$t->sql_as($user, "SELECT echosync_retry_failed('$user->{$crm}')");
		$t->drain($user);
		is_not_created($user, $crm, $lead, $reason, 'retried');
	});
}

# Queued twice, by the webhook and by its row.
$t->behaviour('a lead of a webhook that has a row by the time it is sent is one lead, as the row says', sub {
	my $user = $t->user(lofty => 1, fub => 1);
	my $phone = $t->new_phone;
	my ($id, $risky) = map { 710_000 + $t->{n_leads} + $_ } 1 .. 2;
	my $mark = $t->mark;

	$t->knob($_, 'index_lag_seconds', 1) for qw(lofty fub);
	$t->knob('fub', 'dedupe_lags', TRUE);
	$t->sql_as($user, "SELECT echosync_pause('$user->{$_}')") for qw(lofty fub);
	webhook($user, $id, phone => $t->new_phone, notes => 'By the webhook');
	webhook($user, $risky, phone => $t->new_phone);
	$t->lead($user, id => $id, first_name => 'Rowena', phone => $phone, notes => 'By the row');
	$t->lead($user, id => $risky, first_name => 'Risky', risk_score => 95);
	is($t->queued($user), 6, 'the one is queued twice for each CRM, the other, which its row refuses, once');
	$t->sql_as($user, "SELECT echosync_resume('$user->{$_}')") for qw(lofty fub);
	$t->drain($user);
	for my $crm (qw(lofty fub))
	{
		my @records = $t->records($user, $crm);

		is(join(', ', map { $_->{firstName} } @records), 'Rowena', "$LABEL{$crm}: the one that may be sent is there, once");
		is_deeply([ phones_of($records[0]) ], [$phone], "with the row's phone");
		is_deeply([ $t->notes_of($user, $crm) ], ['By the row'], 'and its note');
		is(scalar $t->requests($user, $crm, method => 'POST', path => $CREATE{$crm}, since => $mark), 1, 'after one create');
		is($t->sql("SELECT string_agg(lead_id || ' ' || (source_id > 0), ', ') FROM crm_lead_links WHERE integration_id = '$user->{$crm}'"), "$id true",
			'and linked as the row');
	}
});

$t->behaviour('a newer webhook that says that the lead is harmless again is sent', sub {
	my $user = $t->user(lofty => 1, fub => 1);
	my $phone = $t->new_phone;

	$t->sql_as($user, "SELECT echosync_pause('$user->{$_}')") for qw(lofty fub);
	webhook($user, 'w3', phone => $phone, risk_score => $_) for 5, 95, 6;
	$t->sql_as($user, "SELECT echosync_resume('$user->{$_}')") for qw(lofty fub);
	$t->drain($user);
	is(scalar $t->records($user, $_), 1, "$LABEL{$_}: there, once") for qw(lofty fub);
});

# ------------------------------------------------------------------------
# What a key may not read
# ------------------------------------------------------------------------

$t->behaviour('a Lofty key that may not list custom fields sends leads without them', sub {
	my $user = $t->user(lofty => { custom_fields => { risk_score => 'Risk score' } });

	$t->configure('echosync.pause_after_failures' => 2);
	$t->fault_for($user, 'lofty', { path => '/v1.0/teamFeatures' },
		{ type => 'status', status => 403, body => { code => 200100, message => 'No permission' } }, times => -1);
	my @leads = map { $t->lead($user, notes => "Note $_") } 1 .. 3;
	$t->drain($user);
	is_deeply($t->tally($user, 'lofty'), $t->all_once(3), 'each lead is there once');
	is_deeply([ sort($t->notes_of($user, 'lofty')) ], [ map { "Note $_" } 1 .. 3 ], 'with its note');
	is_deeply([ map { keys %{ $_->{attributes} } } $t->records($user, 'lofty') ], [], 'without the fields');
	is(scalar $t->dead_letters($user, 'lofty'), 0, 'no dead letter');
	is($t->status_of($user, 'lofty'), 'active', 'the connection is active');
	$t->change_and_drain($user, $leads[0], last_name => 'Changed');
	is(record_of($user, 'lofty', $leads[0])->{lastName}, 'Changed', 'changes arrive as well');
	$t->deconfigure('echosync.pause_after_failures');
});

# ------------------------------------------------------------------------
# Told to wait
# ------------------------------------------------------------------------

sub http_date { return strftime('%a, %d %b %Y %H:%M:%S GMT', gmtime int $_[0]) }

# Seconds between a refusal and the next call, refused or not.
sub gaps_after
{
	my ($status, @requests) = @_;

	return map { $requests[ $_ + 1 ]{time} - $requests[$_]{time} } grep { $requests[$_]{status} == $status } 0 .. $#requests - 1;
}

# The CRM's clock, less ours; the date, less the CRM's clock; how long to wait at least.
my %dates = (
	'a date that is over' => [ 0, -2, 1 ],
	'a date that is long over' => [ 0, -86_400, 1 ],
	'a date to come by a clock that is behind' => [ -120, 4, 2.9 ],
	'a date that is over by a clock that is ahead' => [ 120, -2, 1 ]);

for my $name (sort keys %dates)
{
	my ($skew, $date, $least) = @{ $dates{$name} };

	$t->behaviour("429 with $name: no storm of calls", sub {
		my $user = $t->user(lofty => 1, fub => 1);

		$t->lead($user);
		$t->drain($user);
		my $mark = $t->mark;
		for my $crm (qw(lofty fub))
		{
			$t->knob($crm, 'date_skew_seconds', $skew);
			$t->fault_for($user, $crm, {}, { type => 'status', status => 429, headers => { 'Retry-After' => http_date(time + $skew + $date) } },
				times => $least > 1 ? 1 : 3);
		}
		$t->lead($user);
		for my $crm (qw(lofty fub))
		{
			my $calls = sub { $t->requests($user, $crm, since => $mark) };

			# more calls than that would have come within a moment
			$t->wait_until("$LABEL{$crm} is not refused any more", sub { grep { $_->{status} == 200 } $calls->() });
			my @gaps = gaps_after(429, $calls->());
			cmp_ok($_, '>=', $least - 0.05, "$LABEL{$crm}: a wait") for @gaps;
			cmp_ok($_, '<', $least + 5, 'and not a long one') for @gaps;
		}
		$t->drain($user);
		is_deeply($t->tally($user, $_), $t->all_once(2), "$LABEL{$_}: each lead is there once") for qw(lofty fub);
	});
}

# The header, by a clock that is so far from ours.
my %waits = (
	'as seconds' => [ 0, sub { '4' } ],
	'as a date' => [ 0, sub { http_date(time + 7) } ],
	'as a date by a clock that is ahead' => [ 120, sub { http_date(time + 120 + 7) } ],
	'as a date by a clock that is behind' => [ -120, sub { http_date(time - 120 + 7) } ]);

$t->behaviour('503 with Retry-After: nothing is sent before', sub {
	my %cases;

	for my $name (sort keys %waits)
	{
		my ($skew, $header) = @{ $waits{$name} };
		my $user = $t->user(lofty => 1, fub => 1);

		$t->lead($user);
		$t->drain($user);
		my $mark = $t->mark;
		for my $crm (qw(lofty fub))
		{
			$t->knob($crm, 'date_skew_seconds', $skew);
			$t->fault_for($user, $crm, {}, { type => 'status', status => 503, body => '<html>', content_type => 'text/html', headers => { 'Retry-After' => $header->() } });
		}
		$t->lead($user);
		for my $crm (qw(lofty fub))
		{
			$t->wait_until("$LABEL{$crm} is told to wait", sub { grep { $_->{status} == 503 } $t->requests($user, $crm, since => $mark) });
		}
		$t->lead($user);      # wakes it, to no effect
		$cases{$name} = [ $user, $mark ];
	}
	for my $name (sort keys %cases)
	{
		my ($user, $mark) = @{ $cases{$name} };

		$t->drain($user);
		for my $crm (qw(lofty fub))
		{
			my ($gap) = gaps_after(503, $t->requests($user, $crm, since => $mark));

			cmp_ok($gap, '>=', 3.9, "$LABEL{$crm}, $name: waited");
			cmp_ok($gap, '<', 10, 'and not for longer than that');
			is_deeply($t->tally($user, $crm), $t->all_once(3), 'each lead is there once');
			is($t->status_of($user, $crm), 'active', 'the connection is active');
		}
	}
});

$t->done;
