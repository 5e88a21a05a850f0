# All faults again, with more leads than the CRMs' limits let through at once:
# what is tried again, looked for again or put off waits for the limit, too, and
# arrives once all the same.
#
# Lofty's window is a third of the real one here, so that the test is as much
# shorter.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use FaultScenarios;
use Test::More;
use Time::HiRes qw(time);

# Lofty lets through ten calls: a new lead takes two, one that is found four.  Of
# Follow Up Boss's contexts that of the notes is the narrowest, with ten as well.
use constant { LOFTY_WINDOW => 20, LOFTY_LEADS => 5, LOFTY_LEADS_FOUND => 3, FUB_LEADS => 11, LAG => 1, PROBES => 4, PATIENCE => 240 };

my $t = EchosyncFaults->start(true_limits => 1, conf => <<'CONF');
echosync.lofty_rate_limit = 10
echosync.uncertain_wait = '1800ms'
echosync.request_timeout = '1s'
CONF

my %NO_LEAD_PAYS = (outage => 1, lasting => 1);

sub cases_of
{
	my (@kinds) = @_;
	my @cases;

	for my $scenario (scenarios(@kinds))
	{
		for my $delivery (qw(lofty fub events))
		{
			push @cases, { name => label_of($delivery) . ", $scenario->{kind}: $scenario->{name}", scenario => $scenario, delivery => $delivery,
				crm => crm_of($delivery), user => user_by($t, $delivery),
				n => $delivery ne 'lofty' ? FUB_LEADS : $scenario->{kind} eq 'late' ? LOFTY_LEADS_FOUND : LOFTY_LEADS };
		}
	}
	return @cases;
}

sub begin
{
	my ($case) = @_;
	my ($user, $delivery, $scenario, $n) = @$case{qw(user delivery scenario n)};
	my @leads = map { { phone => $t->new_phone, notes => "Note $_" } } 1 .. $n;

	known_contact($t, $user, $delivery, $_->{phone}) for $scenario->{kind} eq 'late' ? @leads : ();
	order_fault($t, $user, $delivery, $scenario->{kind} eq 'lasting' ? { %$scenario, times => PROBES } : $scenario);

	# in one transaction: all at once
	return $t->sql_as(undef, 'INSERT INTO leads (user_id, first_name, last_name, risk_score, phone, notes) VALUES '
		  . join ', ', map { '(' . join(', ', map { lit($_) } $user->{id}, 'Dana', 'Holt', 5, $_->{phone}, $_->{notes}) . ')' } @leads);
}

# Live records of all accounts, by account.
sub records_by_account
{
	my ($crm) = @_;
	my %found;

	push @{ $found{ $_->{account} } }, $_ for grep { $_->{state} eq 'live' } @{ $t->control('GET', "/records?crm=$crm") };
	return \%found;
}

sub arrived
{
	my ($case, $records) = @_;
	my ($user, $crm, $n) = @$case{qw(user crm n)};
	my @records = @{ $records->{$crm}{ $user->{accounts}{$crm} } || [] };
	my @logs = $t->logs($user);

	is_deeply([ map { $_->{error_code} } $t->dead_letters($user, $crm) ], [], "$case->{name}: no dead letter");
	is_deeply($t->tally($user, $crm, @records), $t->all_once($n), 'each lead once');
	is_deeply([ sort($t->told_on(@records)) ], [ sort map { "Note $_" } 1 .. $n ], 'each note once');
	is_deeply([ map { scalar @{ $_->{events} } } @records ], [ map { $case->{delivery} eq 'events' ? 1 : 0 } 1 .. $n ], 'in an event each, or none');
	is($t->status_of($user, $crm), 'active', 'the connection is active');
	is_deeply([ grep { $_->{status} eq 'success' && $_->{attempt} != 1 } @logs ], [], 'no lead paid for it') if $NO_LEAD_PAYS{ $case->{scenario}{kind} };
	return;
}

# Calls that a CRM has refused, less those that were refused on order.
sub refused_by_limit
{
	my ($crm) = @_;
	my $n = 0;

	$n += $_->{count} for grep { $_->{crm} eq $crm && $_->{status} == 429 } @{ $t->control('GET', '/stats')->{requests} };
	$n -= $_->{hits} for grep { $_->{crm} eq $crm && ($_->{action}{status} || 0) == 429 } @{ $t->control('GET', '/fault') };
	return $n;
}

# How many calls there were at most in so many seconds.
sub most_in_window
{
	my ($seconds, @requests) = @_;
	my ($most, $first) = (0, 0);

	for my $last (0 .. $#requests)
	{
		$first++ while $requests[$last]{time} - $requests[$first]{time} >= $seconds;
		$most = $last - $first + 1 if $last - $first + 1 > $most;
	}
	return $most;
}

$t->behaviour('whatever goes wrong while the limits are used up, each lead, note and event is there once', sub {
	$t->knob('lofty', 'window_seconds', LOFTY_WINDOW);
	$t->knob($_, 'index_lag_seconds', LAG) for qw(lofty fub);
	$t->knob('fub', 'dedupe_lags', TRUE);
	$t->knob($_, 'waiting_grace_ms', 200) for qw(lofty fub);      # others may be on their way when a 429 comes
	my @cases = cases_of(qw(doubt again late outage lasting));
	my $began = time;

	begin($_) for @cases;
	$t->drain($_->{user}, PATIENCE) for @cases;
	diag sprintf '%d accounts, %.0f s', scalar @cases, time - $began;
	my $records = { map { ($_ => records_by_account($_)) } qw(lofty fub) };
	arrived($_, $records) for @cases;
	is(refused_by_limit($_), 0, "$_ was never called more often than its limits allow") for qw(lofty fub);

	# There was a limit, and it was in the way.  What went down with its connection
	# has not come to be counted.
	for my $case (grep { $_->{delivery} eq 'lofty' } @cases)
	{
		my @calls = grep { $_->{status} != 0 } $t->requests($case->{user}, 'lofty');

		cmp_ok(scalar @calls, '>', 10, "$case->{name}: more calls than are let through at once");
		cmp_ok(most_in_window(LOFTY_WINDOW, @calls), '<=', 10, 'which came one after the other');
	}
});

$t->done;
