# A create whose fate is unknown: the lead is in the CRM once, whatever became
# of the reply.  Both CRMs index what was written with a lag, so that a search
# at once does not find it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use FaultScenarios;
use Test::More;

use constant { LAG => 1, UNCERTAIN_WAIT_MS => 1800 };

my $t = EchosyncFaults->start(conf => <<"CONF");
echosync.uncertain_wait = '@{[ UNCERTAIN_WAIT_MS ]}ms'
echosync.request_timeout = '1s'
CONF

my %LABEL = (lofty => 'Lofty', fub => 'Follow Up Boss');
my %CREATE = (lofty => '/v1.0/leads', fub => '/v1/people');

sub lag { $t->knob($_, 'index_lag_seconds', $_[0]) for qw(lofty fub) }

sub creates
{
	my ($user, $crm, %match) = @_;

	return grep { $_->{path} eq $CREATE{$crm} } $t->requests($user, $crm, method => 'POST', %match);
}

# How often the faults of a CRM have struck.
sub fault_hits
{
	my ($crm) = @_;
	my $n = 0;

	$n += $_->{hits} for grep { $_->{crm} eq $crm } @{ $t->control('GET', '/fault') };
	return $n;
}

sub record_id { return $_[1] eq 'lofty' ? $_[0]{leadId} : $_[0]{id} }

# What is true of every lead that has arrived after a doubt.
sub arrived_once
{
	my ($user, $crm, $lead) = @_;
	my @records = $t->records($user, $crm);

	is(scalar @records, 1, 'one record');
	is($t->link_of($user->{$crm}, $lead), record_id($records[0], $crm), 'to which the lead is linked');
	is($t->queued($user, $crm), '0', 'nothing is queued');
	is($t->attempt($user, $crm, $lead), undef, 'nothing is in doubt');
	is(scalar $t->dead_letters($user, $crm), 0, 'no dead letter');
	is(($t->log_lines($user, crm => $crm, lead => $lead))[-1], 'created success', 'logged as created');
	return $records[0];
}

# Each user's leads go to Lofty and to Follow Up Boss, one's to the latter by events.
$t->behaviour('whatever becomes of the reply to a create, there is one record', sub {
	my @cases;

	lag(LAG);
	for my $scenario (scenarios('doubt'))
	{
		push @cases, map { { scenario => $scenario, delivery => $_, user => user_by($t, $_) } } qw(lofty fub events);
	}
	order_fault($t, @$_{qw(user delivery scenario)}) for @cases;
	$_->{lead} = $t->lead($_->{user}, notes => 'Met at the fair') for @cases;
	$t->drain($_->{user}) for @cases;

	for my $case (@cases)
	{
		my ($scenario, $delivery, $user, $lead) = @$case{qw(scenario delivery user lead)};
		my $crm = crm_of($delivery);

		subtest label_of($delivery) . ": $scenario->{name}" => sub {
			my $record = arrived_once($user, $crm, $lead);
			my ($first) = $t->logs($user, crm => $crm, lead => $lead);
			my @sent = $t->requests($user, $crm, method => 'POST', path => create_path($delivery));

			is(scalar @sent, $scenario->{creates}, "creates sent: $scenario->{creates}");
			is($first->{status}, 'failed', 'the doubt is in the log');
			is($first->{error_code}, $scenario->{code}, 'with its cause');
			is_deeply([ $t->told_on($record) ], ['Met at the fair'], 'the note is there once');
			is(scalar @{ $record->{events} }, $delivery eq 'events' ? 1 : 0, 'so is the event, if there is to be one');
			is_deeply($record->{tags}, ['Echo Safe - Clean Lead'], 'and the tag');
			cmp_ok($sent[1]{time} - $sent[0]{time}, '>', LAG, 'the second create came after the lag') if @sent > 1;
			is($t->status_of($user, $crm), 'active', 'the connection is active');
		};
	}
});

$t->behaviour_across_crashes('the intent is committed before the create is sent, and outlives a crash', sub {
	my $user = $t->user(lofty => 1, fub => 1);

	# No reply comes before the crash.
	$t->configure('echosync.request_timeout' => '60s');
	lag(LAG);
	$t->fault_for($user, $_, { method => 'POST', path => $CREATE{$_} }, { type => 'hang', store => \1 }) for qw(lofty fub);
	my $lead = $t->lead($user);
	for my $crm (qw(lofty fub))
	{
		$t->wait_until("$crm has the create", sub { creates($user, $crm) });
		my $attempt = $t->attempt($user, $crm, $lead);
		ok($attempt && $attempt->{intent_at}, "$LABEL{$crm}: another session sees the intent while the create is on its way");
		is($t->link_of($user->{$crm}, $lead), undef, 'and no link');
	}
	$t->configure('echosync.enabled' => 'off');     # so that nobody is quicker than this test
	$t->kill_worker;
	for my $crm (qw(lofty fub))
	{
		my $attempt = $t->attempt($user, $crm, $lead);
		ok($attempt && $attempt->{intent_at}, "$LABEL{$crm}: the intent has outlived the crash");
	}
	$t->deconfigure('echosync.enabled');
	$t->drain($user);
	for my $crm (qw(lofty fub))
	{
		arrived_once($user, $crm, $lead);
		is(scalar creates($user, $crm), 1, "$LABEL{$crm}: one create");
	}
	$t->deconfigure('echosync.request_timeout');
});

$t->behaviour_across_crashes('after a crash the lag is counted from when the create was sent, not from when it was first meant', sub {
	my $user = $t->user(lofty => 1, fub => 1);

	# The create is put off by a 429, longer than the wait; then it is sent, stored, and the worker dies.
	$t->configure('echosync.request_timeout' => '60s');
	lag(1.5);
	for my $crm (qw(lofty fub))
	{
		$t->fault_for($user, $crm, { method => 'POST', path => $CREATE{$crm} },
			{ type => 'status', status => 429, headers => { 'Retry-After' => '2' } });
		$t->fault_for($user, $crm, { method => 'POST', path => $CREATE{$crm} }, { type => 'hang', store => \1 }, after => 0);
	}
	my $lead = $t->lead($user);
	$t->wait_until("$_ has the create", sub { creates($user, $_) >= 2 }) for qw(lofty fub);
	$t->kill_worker;
	$t->drain($user);
	for my $crm (qw(lofty fub))
	{
		is($t->n_records($user, $crm), 1, "$LABEL{$crm}: one record");
		is(scalar creates($user, $crm), 2, 'and no create after the crash');
	}
	$t->deconfigure('echosync.request_timeout');
});

$t->behaviour('a lead with the phone of one that is in doubt waits for it', sub {
	my $user = $t->user(lofty => 1, fub => 1);
	my $phone = $t->new_phone;
	my @leads;

	# Follow Up Boss may itself overlook people that it has not indexed.
	$t->knob('fub', 'dedupe_lags', TRUE);
	lag(LAG);
	$t->fault_for($user, $_, { method => 'POST', path => $CREATE{$_} }, { type => 'ok_without_id' }) for qw(lofty fub);
	push @leads, $t->lead($user, phone => $phone);
	$t->wait_until("$_ has the create", sub { $t->n_records($user, $_) }) for qw(lofty fub);
	push @leads, $t->lead($user, phone => $phone);
	$t->drain($user);
	for my $crm (qw(lofty fub))
	{
		my @records = $t->records($user, $crm);

		is(scalar @records, 1, "$LABEL{$crm}: one record");
		is($t->link_of($user->{$crm}, $_), record_id($records[0], $crm), 'to which each of the two is linked') for @leads;
	}
});

# The CRM may have begun with it only when nobody waited for its answer any more.
$t->behaviour('and for as long, which counts from when its create was given up', sub {
	my $user = $t->user(lofty => 1, fub => 1);
	my $phone = $t->new_phone;
	my @leads;

	$t->configure('echosync.request_timeout' => '3s', 'echosync.uncertain_wait' => '3s');
	$t->knob('fub', 'dedupe_lags', TRUE);
	lag(5);
	$t->fault_for($user, $_, { method => 'POST', path => $CREATE{$_} }, { type => 'hang', store => \1 }) for qw(lofty fub);
	push @leads, $t->lead($user, phone => $phone);
	$t->wait_until("$_ has the create", sub { creates($user, $_) }) for qw(lofty fub);
	push @leads, $t->lead($user, phone => $phone);
	$t->drain($user);
	for my $crm (qw(lofty fub))
	{
		my @records = $t->records($user, $crm);

		is(scalar creates($user, $crm), 1, "$LABEL{$crm}: one create");
		is(scalar @records, 1, 'and one record');
		is($t->link_of($user->{$crm}, $_), record_id($records[0], $crm), 'to which each of the two is linked') for @leads;
	}
	$t->deconfigure('echosync.request_timeout', 'echosync.uncertain_wait');
});

$t->behaviour('a lead that changes while its create is in doubt is one record, with the last values', sub {
	my $user = $t->user(lofty => 1, fub => 1);

	lag(LAG);
	$t->fault_for($user, $_, { method => 'POST', path => $CREATE{$_} }, { type => 'ok_without_id' }) for qw(lofty fub);
	my $by_phone = $t->lead($user, first_name => 'Old', last_name => 'Holt');
	my $by_email = $t->lead($user, first_name => 'Old', last_name => 'Mail', email => 'in.doubt@example.com');
	$t->wait_until("$_ has the creates", sub { $t->n_records($user, $_) == 2 }) for qw(lofty fub);
	$t->change($by_phone, first_name => 'New', last_name => 'Married');
	$t->change($by_email, first_name => 'New', phone => $t->new_phone);
	$t->drain($user);
	for my $crm (qw(lofty fub))
	{
		my @records = $t->records($user, $crm);

		is(scalar @records, 2, "$LABEL{$crm}: one record each");
		is($t->record($user, $crm, $t->link_of($user->{$crm}, $by_phone))->{$_}, { firstName => 'New', lastName => 'Married' }->{$_},
			"$_ of the one found by phone") for qw(firstName lastName);
		my $found = $t->record($user, $crm, $t->link_of($user->{$crm}, $by_email));
		is($found->{firstName}, 'New', 'firstName of the one found by e-mail');
		is(scalar @{ $found->{phones} }, 2, 'which has both phones');
		is($t->sql("SELECT string_agg(DISTINCT matched_by, ',') FROM crm_lead_links WHERE integration_id = '$user->{$crm}'"),
			'created', 'both are known as records of our own making');
	}
});

$t->behaviour('a lead of which the only key changes while its create is in doubt is one record', sub {
	my $user = $t->user(lofty => 1, fub => 1);

	lag(LAG);
	$t->fault_for($user, $_, { method => 'POST', path => $CREATE{$_} }, { type => 'ok_without_id' }) for qw(lofty fub);
	my $lead = $t->lead($user);
	$t->wait_until("$_ has the create", sub { $t->n_records($user, $_) }) for qw(lofty fub);
	$t->change($lead, phone => $t->new_phone);
	$t->drain($user);
	is($t->n_records($user, $_), 1, "$LABEL{$_}: one record") for qw(lofty fub);
});

$t->behaviour('a dead letter does not forget that its create was in doubt', sub {
	my %how = (
		'when it is retried' => sub { my ($user) = @_; $t->sql_as($user, "SELECT echosync_retry_failed('$user->{$_}')") for qw(lofty fub) },
		'when the lead changes' => sub { my ($user, $lead) = @_; $t->change($lead, tags => ['Changed']) });

	for my $how (sort keys %how)
	{
		my $user = $t->user(lofty => 1, fub => 1);

		# The create is stored and its reply lost; the search after it is refused for good.
		for my $crm (qw(lofty fub))
		{
			$t->fault_for($user, $crm, { method => 'POST', path => $CREATE{$crm} }, { type => 'ok_without_id' });
			$t->fault_for($user, $crm, { method => 'GET', path => $CREATE{$crm} }, { type => 'status', status => 422, body => '{}' },
				after => $crm eq 'fub' ? 3 : 1);
		}
		my $lead = $t->lead($user, notes => 'Met at the fair');
		$t->wait_until("$_ has refused it", sub { scalar $t->dead_letters($user, $_) }) for qw(lofty fub);
		$how{$how}->($user, $lead);
		$t->drain($user);
		for my $crm (qw(lofty fub))
		{
			is($t->n_records($user, $crm), 1, "$LABEL{$crm}, $how: one record");
			is_deeply([ $t->notes_of($user, $crm) ], ['Met at the fair'], 'one note');
			is($t->sql("SELECT matched_by FROM crm_lead_links WHERE integration_id = '$user->{$crm}'"), 'created',
				'known as a record of our own making');
			is(scalar $t->dead_letters($user, $crm), 0, 'no dead letter is left');
		}
	}
});

$t->behaviour_across_crashes('nor does one that was given up because workers crashed over it', sub {
	my $user = $t->user(lofty => 1, fub => 1);

	$t->configure('echosync.request_timeout' => '60s');
	for my $crm (qw(lofty fub))
	{
		$t->fault_for($user, $crm, { method => 'POST', path => $CREATE{$crm} }, { type => 'hang', store => \1 });
		$t->fault_for($user, $crm, { method => 'GET', path => $CREATE{$crm} }, { type => 'hang' }, after => $crm eq 'fub' ? 3 : 1, times => 2);
	}
	my $lead = $t->lead($user, notes => 'Met at the fair');
	for my $n_requests (1 .. 3)
	{
		# the create, then the searches
		$t->wait_until("$_ has request $n_requests that it will not answer", sub {
			fault_hits($_) == $n_requests }) for qw(lofty fub);
		$t->kill_worker;
	}
	$t->wait_until("$_ was given up", sub { scalar $t->dead_letters($user, $_) }) for qw(lofty fub);
	$t->sql_as($user, "SELECT echosync_retry_failed('$user->{$_}')") for qw(lofty fub);
	$t->drain($user);
	for my $crm (qw(lofty fub))
	{
		is($t->n_records($user, $crm), 1, "$LABEL{$crm}: one record");
		is_deeply([ $t->notes_of($user, $crm) ], ['Met at the fair'], 'one note');
		is($t->sql("SELECT matched_by FROM crm_lead_links WHERE integration_id = '$user->{$crm}'"), 'created',
			'known as a record of our own making');
	}
	$t->deconfigure('echosync.request_timeout');
});

$t->behaviour('a lead deleted while its create is in doubt leaves nothing behind in the queue', sub {
	my $user = $t->user(lofty => 1, fub => 1);

	lag(LAG);
	$t->fault_for($user, $_, { method => 'POST', path => $CREATE{$_} }, { type => 'close_after_store' }) for qw(lofty fub);
	my $lead = $t->lead($user);
	$t->wait_until("$_ has the create", sub { $t->n_records($user, $_) }) for qw(lofty fub);
	$t->sql_as(undef, "DELETE FROM leads WHERE id = $lead");
	$t->drain($user);
	is(scalar creates($user, $_), 1, "$LABEL{$_}: no second create") for qw(lofty fub);
	is($t->queued($user), '0', 'nothing is queued');
});

$t->done;
