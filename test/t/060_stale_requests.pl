# A request has an age: whether a lead may be contacted, and what is said of it,
# holds when a request leaves, not when its lead was read.  Between the two it
# may wait for a limit, for what a 429 says, for a retry, for an outage.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use Test::More;
use Time::HiRes qw(time);

# Nothing is posted later than about a second after the commit that forbids it:
# half a second more for what was on its way.
use constant PROMISE => 1.5;

my $t = EchosyncFaults->start(true_limits => 1, conf => <<'CONF');
echosync.uncertain_wait = '300ms'
CONF

my %LABEL = (lofty => 'Lofty', fub => 'Follow Up Boss');
my %CREATE = (lofty => '/v1.0/leads', fub => '/v1/people');
my %NOTE = (lofty => '/v1.0/notes', fub => '/v1/notes');
my %FORBIDS = (opt_out => { dnc => 't' }, risk => { risk_score => 95 });
my %REASON = (opt_out => 'do_not_contact', risk => 'risk_above_limit');

# A user of whom nothing is tested: when its lead has arrived, the worker has
# had a turn and seen what was committed before.
my $pacer = $t->user(fub => 1);

sub let_worker_look
{
	my $lead = $t->lead($pacer);

	$t->wait_until('the worker has had a turn', sub { $t->link_of($pacer->{fub}, $lead) });
	return;
}

# Change leads in one transaction; returns when it was committed.
sub commit_change
{
	my ($change, @leads) = @_;

	$t->sql_as(undef, sprintf 'UPDATE leads SET %s WHERE id IN (%s)',
		join(', ', map { "$_ = " . lit($change->{$_}) } sort keys %$change), join ', ', @leads);
	return time;
}

# What was posted after the promise, in words.
sub posted_late
{
	my ($user, $crm, $committed) = @_;

	return map { sprintf '%s %s +%.1f s', $_->{path}, $_->{body}{firstName} || '', $_->{time} - $committed }
	  grep { $_->{time} > $committed + PROMISE } $t->requests($user, $crm, method => 'POST');
}

sub is_never_posted
{
	my ($user, $crm, $committed, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	return is(join(', ', posted_late($user, $crm, $committed)), '', $name);
}

sub wait_until_told
{
	my ($user, $crm) = @_;

	return $t->wait_until("$crm has said to wait", sub { grep { ($_->{status} || 0) == 429 } $t->requests($user, $crm) });
}

sub too_many
{
	my ($seconds) = @_;

	return { type => 'status', status => 429, body => {}, headers => { 'Retry-After' => "$seconds" } };
}

# ------------------------------------------------------------------------
# Limits that a burst uses up
# ------------------------------------------------------------------------

my %changes = (%FORBIDS, rename => { first_name => 'Renamed' });

sub begin_burst
{
	my ($crm, $n, $change) = @_;
	my $user = $t->user($crm => 1);

	return { crm => $crm, user => $user, change => $change, leads => [ map { $t->lead($user, first_name => "Nr$_") } 1 .. $n ] };
}

# The limit is used up: what has not been created is forbidden, or renamed.
sub change_the_rest
{
	my ($burst) = @_;
	my ($user, $crm, $leads) = @$burst{qw(user crm leads)};
	my %created = map { ($_->{firstName} => 1) } $t->records($user, $crm);

	$burst->{waiting} = [ map { $leads->[ $_ - 1 ] } grep { !$created{"Nr$_"} } 1 .. @$leads ];
	$burst->{n_created} = keys %created;
	$burst->{committed} = commit_change($burst->{change}, @{ $burst->{waiting} });
	return;
}

sub burst_leaves_as_it_is
{
	my ($burst, $seconds) = @_;
	my ($user, $crm) = @$burst{qw(user crm)};
	my $name = join ' ', "$LABEL{$crm},", %{ $burst->{change} };

	cmp_ok(scalar @{ $burst->{waiting} }, '>', 0, "$name: some leads had to wait");
	$t->drain($user, $seconds);
	if ($burst->{change}{first_name})
	{
		my @names = map { $_->{body}{firstName} }
		  grep { $_->{time} > $burst->{committed} + PROMISE } $t->requests($user, $crm, method => 'POST');

		is_deeply([ grep { $_ ne $burst->{change}{first_name} } @names ], [], 'none is created with its former name');
		is(scalar @names, scalar @{ $burst->{waiting} }, 'each is created');
		is($t->n_records($user, $crm), scalar @{ $burst->{leads} }, 'all are there');
	}
	else
	{
		is_never_posted($user, $crm, $burst->{committed}, "$name: none of them is created");
		is($t->n_records($user, $crm), $burst->{n_created}, 'only those are there that were before');
	}
	return;
}

# Ten calls a minute: what becomes of these is looked at in the end.
my @of_a_minute;

$t->behaviour('Lofty, ten calls a minute: a burst has to wait', sub {
	@of_a_minute = map { begin_burst('lofty', 7, $changes{$_}) } sort keys %changes;
	$t->wait_for_requests($_->{user}, 'lofty', 9) for @of_a_minute;
	let_worker_look() for 1 .. 2;
	for my $burst (@of_a_minute)
	{
		change_the_rest($burst);
		cmp_ok($burst->{n_created}, '>', 0, 'some leads were created at once');
		cmp_ok(scalar @{ $burst->{waiting} }, '>', 0, 'and some wait');
	}
});

$t->behaviour('a burst that waits for a limit of Follow Up Boss leaves as its leads are then', sub {
	$t->knob('fub', 'global_limit', 12);
	my @bursts = map { begin_burst('fub', 4, $changes{$_}) } sort keys %changes;
	$t->wait_for_requests($_->{user}, 'fub', 12) for @bursts;
	change_the_rest($_) for @bursts;
	burst_leaves_as_it_is($_, 40) for @bursts;
});

# Nothing but notes waits for the limit of notes, ten in ten seconds.
$t->behaviour('a note that waits for the limit of notes is not posted after the opt-out', sub {
	my %user = map { ($_ => $t->user(fub => 1)) } sort keys %FORBIDS;
	my (%lead, %committed);

	for my $how (sort keys %user)
	{
		$lead{$how} = [ map { $t->lead($user{$how}, first_name => "Nr$_", notes => "Note $_") } 1 .. 12 ];
	}
	for my $how (sort keys %user)
	{
		my $user = $user{$how};

		$t->wait_for_requests($user, 'fub', 12, method => 'POST', path => $CREATE{fub});
		$t->wait_for_requests($user, 'fub', 10, method => 'POST', path => $NOTE{fub});
		my %posted = map { ($_ => 1) } $t->notes_of($user, 'fub');
		$committed{$how} = commit_change($FORBIDS{$how}, map { $lead{$how}[ $_ - 1 ] } grep { !$posted{"Note $_"} } 1 .. 12);
	}
	for my $how (sort keys %user)
	{
		$t->drain($user{$how});
		is_never_posted($user{$how}, 'fub', $committed{$how}, "$how: nothing is posted any more");
		is(scalar $t->notes_of($user{$how}, 'fub'), 10, 'the notes are those that were posted before');
		is($t->n_records($user{$how}, 'fub'), 12, 'and the people as well');
	}
});

# ------------------------------------------------------------------------
# A CRM that says when it may be asked again
# ------------------------------------------------------------------------

$t->behaviour('a create that was told to wait is not sent after the opt-out', sub {
	my @cases;

	for my $crm (qw(lofty fub))
	{
		push @cases, map { { user => $t->user($crm => 1), crm => $crm, how => $_ } } sort keys %FORBIDS;
	}
	for my $case (@cases)
	{
		$t->fault_for($case->{user}, $case->{crm}, { method => 'POST', path => $CREATE{ $case->{crm} } }, too_many(4));
		$case->{lead} = $t->lead($case->{user}, notes => 'Wants a garden');
	}
	for my $case (@cases)
	{
		wait_until_told($case->{user}, $case->{crm});
		$case->{committed} = commit_change($FORBIDS{ $case->{how} }, $case->{lead});
	}
	for my $case (@cases)
	{
		my ($user, $crm, $how) = @$case{qw(user crm how)};

		$t->drain($user);
		is_never_posted($user, $crm, $case->{committed}, "$LABEL{$crm}, $how: nothing is posted");
		is($t->n_records($user, $crm), 0, 'there is no record');
		is(($t->log_lines($user, lead => $case->{lead}))[-1], "none skipped $REASON{$how}", 'the log says why');
	}
});

$t->behaviour('nor is a note', sub {
	my %user = map { ($_ => $t->user($_ => 1)) } qw(lofty fub);
	my (%lead, %committed);

	for my $crm (qw(lofty fub))
	{
		$lead{$crm} = $t->lead($user{$crm});
		$t->drain($user{$crm});
		$t->fault_for($user{$crm}, $crm, { method => 'POST', path => $NOTE{$crm} }, too_many(4));
		$t->change($lead{$crm}, notes => 'Wants a garden');
	}
	for my $crm (qw(lofty fub))
	{
		wait_until_told($user{$crm}, $crm);
		$committed{$crm} = commit_change($FORBIDS{opt_out}, $lead{$crm});
	}
	for my $crm (qw(lofty fub))
	{
		$t->drain($user{$crm});
		is_never_posted($user{$crm}, $crm, $committed{$crm}, "$LABEL{$crm}: nothing is posted after the opt-out");
		is_deeply([ $t->notes_of($user{$crm}, $crm) ], [], 'there is no note');
	}
	is(($t->records($user{lofty}, 'lofty'))[0]{cannotCall}, TRUE, 'the opt-out itself reaches Lofty');
});

$t->behaviour('a lead that is queued while all have to wait is looked at when the wait is over', sub {
	my @cases;

	for my $crm (qw(lofty fub))
	{
		push @cases, map { { user => $t->user($crm => 1), crm => $crm, how => $_ } } sort keys %changes;
	}
	for my $case (@cases)
	{
		$t->lead($case->{user}, first_name => 'Warm');
		$t->drain($case->{user});
	}
	for my $case (@cases)
	{
		$t->fault_for($case->{user}, $case->{crm}, { method => 'GET', path => $CREATE{ $case->{crm} } }, too_many(6));
		$t->lead($case->{user}, first_name => 'First');
	}
	for my $case (@cases)
	{
		wait_until_told($case->{user}, $case->{crm});
		$case->{lead} = $t->lead($case->{user}, first_name => 'Dana');
	}
	let_worker_look();
	$_->{committed} = commit_change($changes{ $_->{how} }, $_->{lead}) for @cases;
	for my $case (@cases)
	{
		my ($user, $crm, $how) = @$case{qw(user crm how)};

		$t->drain($user);
		my @creates = grep { $_->{path} eq $CREATE{$crm} } $t->requests($user, $crm, method => 'POST');
		my @late = grep { $_->{body}{firstName} eq 'Dana' && $_->{time} > $case->{committed} + PROMISE } @creates;

		is_deeply([ map { $_->{body} } @late ], [], "$LABEL{$crm}, $how: nothing is created of the lead as it was");
		ok((grep { $_->{body}{firstName} eq 'First' && ($_->{status} || 0) < 300 } @creates), 'what had to wait is there');
		ok((grep { $_->{firstName} eq 'Renamed' } $t->records($user, $crm)), 'with its new name') if $how eq 'rename';
	}
});

# ------------------------------------------------------------------------
# Settings that are made stricter
# ------------------------------------------------------------------------

sub make_stricter
{
	my ($user, $crm) = @_;

	$t->sql_as($user, "SELECT echosync_update_integration('$user->{$crm}', '{\"max_risk_score\": 20}')");
	return time;
}

$t->behaviour('a stricter rule holds for a lead that was told to wait', sub {
	my %user = map { ($_ => $t->user($_ => { max_risk_score => 50 })) } qw(lofty fub);
	my (%lead, %committed);

	for my $crm (qw(lofty fub))
	{
		$t->fault_for($user{$crm}, $crm, { method => 'POST', path => $CREATE{$crm} }, too_many(4));
		$lead{$crm} = $t->lead($user{$crm}, risk_score => 40);
	}
	for my $crm (qw(lofty fub))
	{
		wait_until_told($user{$crm}, $crm);
		$committed{$crm} = make_stricter($user{$crm}, $crm);
	}
	for my $crm (qw(lofty fub))
	{
		$t->drain($user{$crm});
		is_never_posted($user{$crm}, $crm, $committed{$crm}, "$LABEL{$crm}: nothing is posted");
		is($t->n_records($user{$crm}, $crm), 0, 'there is no record');
		is(($t->log_lines($user{$crm}, lead => $lead{$crm}))[-1], 'none skipped risk_above_limit', 'the log says why');
	}
});

$t->behaviour('and for those that wait for a retry or in the queue, while another is in flight', sub {
	my %user = map { ($_ => $t->user($_ => { max_risk_score => 50 })) } qw(lofty fub);
	my (%retried, %queued, %committed);

	$t->configure('echosync.retry_base_delay' => '5s');
	for my $crm (qw(lofty fub))
	{
		$t->lead($user{$crm}, first_name => 'Warm');
		$t->drain($user{$crm});
		$t->fault_for($user{$crm}, $crm, { method => 'GET' }, { type => 'status', status => 500, body => {} });
		$retried{$crm} = $t->lead($user{$crm}, first_name => 'Retried', risk_score => 40);
	}
	for my $crm (qw(lofty fub))
	{
		$t->wait_until('it is to be tried again', sub { $t->attempt($user{$crm}, $crm, $retried{$crm}) });
		$t->fault_for($user{$crm}, $crm, { method => 'POST', body_contains => 'Slow' }, { type => 'delay', ms => 4000 });
		$t->lead($user{$crm}, first_name => 'Slow', risk_score => 1);
		$t->wait_for_requests($user{$crm}, $crm, 2, method => 'POST', path => $CREATE{$crm});
		$committed{$crm} = make_stricter($user{$crm}, $crm);
		$queued{$crm} = $t->lead($user{$crm}, first_name => 'Queued', risk_score => 40);
	}
	for my $crm (qw(lofty fub))
	{
		$t->drain($user{$crm});
		is_never_posted($user{$crm}, $crm, $committed{$crm}, "$LABEL{$crm}: nothing is posted");
		is(($t->log_lines($user{$crm}, lead => $_))[-1], 'none skipped risk_above_limit', 'the log says why') for $retried{$crm}, $queued{$crm};
		is_deeply([ sort { $a cmp $b } map { $_->{firstName} } $t->records($user{$crm}, $crm) ], [qw(Slow Warm)], 'what is there');
	}
	$t->deconfigure('echosync.retry_base_delay');
});

# ------------------------------------------------------------------------
# Outages
# ------------------------------------------------------------------------

$t->behaviour('an outage is probed with one lead, whatever is queued meanwhile', sub {
	my %user = map { ($_ => $t->user($_ => 1)) } qw(lofty fub);
	my %mark;

	$t->knob($_, 'rate_limits_off', TRUE) for qw(lofty fub);
	for my $crm (qw(lofty fub))
	{
		$t->lead($user{$crm}, first_name => 'Warm');
		$t->drain($user{$crm});
		$t->fault_for($user{$crm}, $crm, {}, { type => 'status', status => 503, body => '<html>', content_type => 'text/html' }, times => -1);
		$mark{$crm} = $t->mark;
		$t->lead($user{$crm});
		$t->wait_for_requests($user{$crm}, $crm, 1, since => $mark{$crm});
		# One by one, each with its hint, in the first second.
		$t->lead($user{$crm}) for 1 .. 6;
	}
	for my $crm (qw(lofty fub))
	{
		$t->wait_until('it was probed twice', sub {
			$t->sql("SELECT consecutive_failures FROM crm_integrations WHERE id = '$user{$crm}{$crm}'") >= 3 });
		my @times = map { $_->{time} } $t->requests($user{$crm}, $crm, since => $mark{$crm});
		my @apart = map { $times[$_] - $times[ $_ - 1 ] } 1 .. $#times;

		# On a busy machine a third comes before they are counted.
		cmp_ok(scalar @times, '>=', 3, "$LABEL{$crm}: one call that failed, two probes");
		is(scalar(grep { $_ < 0.7 } @apart), 0, 'a second and more apart');
	}
	$t->clear_faults;
	for my $crm (qw(lofty fub))
	{
		$t->wait_until('all leads are there', sub { $t->n_records($user{$crm}, $crm) == 8 }, 20);
		$t->sql_as($user{$crm}, "SELECT echosync_disconnect('$user{$crm}{$crm}')");
	}
});

$t->behaviour('Lofty, ten calls a minute: a minute later the burst leaves as its leads are then', sub {
	burst_leaves_as_it_is($_, 70) for @of_a_minute;
});

$t->done;
