# What is tried again, how often and when; what uses up no try; what is left
# in the end, and what can be done about it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use FaultScenarios;
use Test::More;

my $t = EchosyncFaults->start(conf => <<'CONF');
echosync.uncertain_wait = '300ms'
echosync.request_timeout = '2s'
CONF

my %LABEL = (lofty => 'Lofty', fub => 'Follow Up Boss');
my %CREATE = (lofty => '/v1.0/leads', fub => '/v1/people');

sub tries { return grep { $_->{method} eq 'GET' } $t->requests($_[0], $_[1], path => $CREATE{ $_[1] }) }

sub gaps
{
	my (@requests) = @_;

	return map { $requests[ $_ ]{time} - $requests[ $_ - 1 ]{time} } 1 .. $#requests;
}

$t->behaviour('a lead is retried three times at growing gaps, then it is a dead letter', sub {
	my $user = $t->user(lofty => 1, fub => 1);
	my $base = 0.2;

	$t->configure('echosync.retry_base_delay' => '200ms');
	$t->fault_for($user, $_, { method => 'GET', path => $CREATE{$_} }, { type => 'status', status => 500, body => 'secret words' }, times => -1)
	  for qw(lofty fub);
	my $lead = $t->lead($user);
	$t->drain($user);
	for my $crm (qw(lofty fub))
	{
		my @tries = tries($user, $crm);
		my @gaps = gaps(@tries);

		is(scalar @tries, 4, "$LABEL{$crm}: four tries");
		for my $n (0 .. 2)
		{
			my $least = $base * 2**$n;

			cmp_ok($gaps[$n], '>=', $least - 0.01, sprintf 'retry %d comes after %.1f s', $n + 1, $least);
			cmp_ok($gaps[$n], '<', $least * 1.25 + 1, 'and not much later');
		}
		my ($dead) = $t->dead_letters($user, $crm);
		is($dead->{lead_id}, $lead, 'then the lead is a dead letter');
		is($dead->{attempts}, 4, 'after four tries');
		is($dead->{http_status}, 500, 'with the HTTP status');
		is($dead->{error_code}, 'http_500', 'the code');
		like($dead->{error_message}, qr/^$LABEL{$crm} reported an error of its own/, 'and a sentence');
		unlike($dead->{error_message}, qr/secret words/, "which is not the CRM's");
		my @logs = $t->logs($user, crm => $crm, lead => $lead);
		is_deeply([ map { "$_->{status} $_->{attempt} $_->{http_status} $_->{error_code}" } @logs ],
			[ map { "failed $_ 500 http_500" } 1 .. 4 ], 'each try is in the log');
		is($t->attempt($user, $crm, $lead), undef, 'nothing is left of the tries');
		is($t->queued($user, $crm), '0', 'nor in the queue');
		is($t->sql("SELECT failed FROM echosync_status WHERE integration_id = '$user->{$crm}'"), '1', 'echosync_status counts it');
		is($t->status_of($user, $crm), 'active', 'the connection is active');
	}
	$t->deconfigure('echosync.retry_base_delay');
});

$t->behaviour_across_crashes('tries and the time of the next one outlive a restart and a crash', sub {
	my $user = $t->user(lofty => 1);

	$t->configure('echosync.retry_base_delay' => '600ms');
	$t->fault_for($user, 'lofty', { method => 'GET', path => '/v1.0/leads' }, { type => 'status', status => 500 }, times => -1);
	my $lead = $t->lead($user);
	$t->wait_until('the first try is written down', sub { my $attempt = $t->attempt($user, 'lofty', $lead); $attempt && $attempt->{attempts} == 1 });
	$t->node->restart;
	$t->wait_until('the second try is written down', sub { my $attempt = $t->attempt($user, 'lofty', $lead); $attempt && $attempt->{attempts} == 2 });
	$t->kill_worker;
	$t->wait_until('it is given up', sub { $t->dead_letters($user, 'lofty') });
	my @tries = tries($user, 'lofty');
	my @gaps = gaps(@tries);

	is(scalar @tries, 4, 'four tries, as without');
	cmp_ok($gaps[0], '>=', 0.59, 'the restart has not brought the first retry forward');
	cmp_ok($gaps[1], '>=', 1.19, 'nor the crash the second');
	is_deeply([ map { $_->{attempt} } $t->logs($user, crm => 'lofty') ], [ 1 .. 4 ], 'the log counts on');
	$t->deconfigure('echosync.retry_base_delay');
});

$t->behaviour('max_retries says how often', sub {
	my $user = $t->user(lofty => 1);

	$t->configure('echosync.max_retries' => 0);
	$t->fault_for($user, 'lofty', { method => 'GET', path => '/v1.0/leads' }, { type => 'status', status => 500 }, times => -1);
	$t->lead($user);
	$t->drain($user);
	is(scalar tries($user, 'lofty'), 1, 'one try and no retry');
	is(scalar $t->dead_letters($user, 'lofty'), 1, 'a dead letter at once');
	$t->deconfigure('echosync.max_retries');
});

$t->behaviour('a retry that works ends it', sub {
	my $user = $t->user(lofty => 1, fub => 1);

	$t->fault_for($user, $_, { method => 'GET', path => $CREATE{$_} }, { type => 'status', status => 500 }, times => 2) for qw(lofty fub);
	my $lead = $t->lead($user);
	$t->drain($user);
	for my $crm (qw(lofty fub))
	{
		is_deeply([ map { "$_->{status} $_->{attempt}" } $t->logs($user, crm => $crm) ], [ 'failed 1', 'failed 2', 'success 3' ],
			"$LABEL{$crm}: the log");
		is($t->n_records($user, $crm), 1, 'the lead is there');
		is($t->attempt($user, $crm, $lead), undef, 'the tries are forgotten');
	}
});

# Each is tried for ever, or never again: fault => [ tries, error_code ].
my %final = (
	lofty => {
		'400 with a code' => [ { status => 400, body => { code => 20012, message => 'Invalid parameter' } }, 'lofty_20012' ],
		'200 with a code of refusal' => [ { status => 200, body => { code => 20043, message => 'too long' } }, 'lofty_20043' ],
		'403 of Lofty' => [ { status => 403, body => { code => 20017, message => 'no' } }, 'lofty_permission' ],
		'a redirect' => [ { status => 302, headers => { Location => 'https://elsewhere.example/' } }, 'redirect' ],
	},
	fub => {
		'400' => [ { status => 400, body => { errorMessage => 'Invalid field' } }, 'http_400' ],
		'422' => [ { status => 422, body => { errorMessage => 'no' } }, 'http_422' ],
		'a redirect' => [ { status => 301, headers => { Location => 'https://elsewhere.example/' } }, 'redirect' ],
	});

$t->behaviour('what the CRM will never take is final at once', sub {
	my @cases;

	for my $crm (sort keys %final)
	{
		for my $name (sort keys %{ $final{$crm} })
		{
			my $user = $t->user($crm => 1);
			my ($answer, $code) = @{ $final{$crm}{$name} };

			$t->fault_for($user, $crm, { method => 'POST', path => $CREATE{$crm} }, { type => 'status', %$answer }, times => -1);
			push @cases, { name => "$LABEL{$crm}: $name", user => $user, crm => $crm, code => $code, lead => $t->lead($user) };
		}
	}
	$t->drain($_->{user}) for @cases;
	for my $case (@cases)
	{
		my ($dead) = $t->dead_letters($case->{user}, $case->{crm});

		is(scalar $t->requests($case->{user}, $case->{crm}, method => 'POST'), 1, "$case->{name}: one try");
		is($dead->{error_code}, $case->{code}, 'and its code');
		is($t->attempt($case->{user}, $case->{crm}, $case->{lead}), undef, 'nothing is in doubt');
	}
});

# A user for each scenario of these kinds and each delivery, with so many leads;
# of those whose records are to be found, an agent has made them.
sub struck_users
{
	my ($n_leads, @kinds) = @_;
	my @cases;

	for my $scenario (scenarios(@kinds))
	{
		for my $delivery (qw(lofty fub events))
		{
			my $user = user_by($t, $delivery);

			order_fault($t, $user, $delivery, $scenario);
			push @cases, { name => label_of($delivery) . ": $scenario->{name}", user => $user, delivery => $delivery, crm => crm_of($delivery),
				scenario => $scenario };
		}
	}
	for my $case (@cases)
	{
		my ($user, $delivery) = @$case{qw(user delivery)};
		my @phones = map { $t->new_phone } 1 .. $n_leads;

		known_contact($t, $user, $delivery, $_) for $case->{scenario}{kind} eq 'late' ? @phones : ();
		$case->{leads} = [ map { $t->lead($user, phone => $phones[ $_ - 1 ], notes => "Note $_") } 1 .. $n_leads ];
	}
	$t->drain($_->{user}) for @cases;
	return @cases;
}

# Each lead, each note and each event.
sub arrived_once
{
	my ($case) = @_;
	my ($user, $crm) = @$case{qw(user crm)};
	my @records = $t->records($user, $crm);
	my $n = @{ $case->{leads} };

	is_deeply([ $t->dead_letters($user, $crm) ], [], "$case->{name}: no dead letter");
	is_deeply($t->tally($user, $crm, @records), $t->all_once($n), 'each lead arrived once');
	is_deeply([ sort($t->told_on(@records)) ], [ map { "Note $_" } 1 .. $n ], 'each note once');
	is_deeply([ map { scalar @{ $_->{events} } } @records ], [ map { $case->{delivery} eq 'events' ? 1 : 0 } 1 .. $n ], 'in one event each, or none');
	return;
}

$t->behaviour('what may pass is tried again, and works when it has passed', sub {
	for my $case (struck_users(1, 'again'))
	{
		arrived_once($case);
		is_deeply([ map { "$_->{status} $_->{attempt}" } $t->logs($case->{user}) ], [ 'failed 1', 'failed 2', 'failed 3', 'success 4' ], 'at the fourth try');
	}
});

$t->behaviour('an update that fails is tried again, and nothing that came before it', sub {
	for my $case (struck_users(1, 'late'))
	{
		my ($record) = $t->records($case->{user}, $case->{crm});

		arrived_once($case);
		is($record->{lastName}, 'Holt', 'what was to be written is written');
		is(($t->log_lines($case->{user}))[-1], 'updated success', 'and logged');
	}
});

# Outages of one account only: they use up no try however long they last.
$t->behaviour('429 and outages use up no try, leave no dead letter, and drain by themselves', sub {

	# More often than there are tries, whichever request it hits; two may be on
	# their way when the first 429 comes.
	$t->knob($_, 'waiting_grace_ms', 200) for qw(lofty fub);
	$t->configure('echosync.max_retries' => 0, 'echosync.request_timeout' => '500ms');
	for my $case (struck_users(2, 'outage'))
	{
		arrived_once($case);
		is_deeply([ grep { $_->{status} eq 'success' && $_->{attempt} != 1 } $t->logs($case->{user}) ], [], 'at the first try');
		is($t->status_of($case->{user}, $case->{crm}), 'active', 'the connection is active');
	}
	$t->deconfigure('echosync.max_retries', 'echosync.request_timeout');
});

# Outages of the CRM as such; a trap tells if it is shown a key.  How a
# connection fails is not the CRM's, so that each sees half of the cases.
$t->behaviour('a CRM that cannot be reached costs no lead a try, and is found again', sub {
	my $closed = PostgreSQL::Test::Cluster::get_free_port();
	my %away = (
		'refused' => "localhost:$closed",
		'unresolvable' => 'no-such-host.invalid',
		'certificate expired' => "localhost:$t->{ports}{expired}",
		'certificate of another name' => "localhost:$t->{ports}{wrong_name}",
		'certificate of a stranger' => "localhost:$t->{ports}{untrusted}",
		'no TLS at all' => "localhost:$t->{ports}{plain}");
	my $user = $t->user(lofty => 1, fub => 1);

	for my $names (
		[ 'refused', 'certificate expired' ],
		[ 'certificate of another name', 'unresolvable' ],
		[ 'no TLS at all', 'certificate of a stranger' ])
	{
		my %name = (lofty => $names->[0], fub => $names->[1]);

		$t->configure('echosync.lofty_api_url' => "https://$away{$name{lofty}}/v1.0",
			'echosync.followupboss_api_url' => "https://$away{$name{fub}}/v1");
		my $lead = $t->lead($user);
		for my $crm (qw(lofty fub))
		{
			$t->wait_until("$crm is noticed to be away", sub {
				$t->sql("SELECT consecutive_failures FROM crm_integrations WHERE id = '$user->{$crm}'") >= 1 });
			is($t->queued($user, $crm), '1', "$LABEL{$crm}, $name{$crm}: the lead waits");
			is(scalar $t->logs($user, crm => $crm, lead => $lead), 0, 'no try is on record against it');
		}
		$t->configure('echosync.lofty_api_url' => $t->lofty_url, 'echosync.followupboss_api_url' => $t->fub_url);
		$t->drain($user);
		is_deeply([ $t->log_lines($user, crm => $_, lead => $lead) ], ['created success'], "$LABEL{$_}: it has arrived") for qw(lofty fub);
		is(scalar $t->dead_letters($user, $_), 0, 'no dead letter') for qw(lofty fub);
		is($t->sql("SELECT max(consecutive_failures) FROM crm_integrations WHERE user_id = '$user->{id}'"), '0', 'and all is forgotten');
	}
});

$t->behaviour('dead letters are retried all or some, or discarded', sub {
	my $user = $t->user(lofty => 1, fub => 1);
	my $other = $t->user(lofty => 1);

	$t->fault_for($user, $_, { method => 'POST', path => $CREATE{$_} }, { type => 'status', status => 400, body => {} }, times => -1) for qw(lofty fub);
	$t->fault_for($other, 'lofty', { method => 'POST' }, { type => 'status', status => 400, body => {} }, times => -1);
	my @leads = map { $t->lead($user) } 1 .. 6;
	$t->lead($other);
	$t->drain($_) for $user, $other;
	$t->clear_faults;
	is(scalar $t->dead_letters($user, $_), 6, "$LABEL{$_}: six dead letters") for qw(lofty fub);

	my $mark = $t->mark;
	is($t->sql_as($user, "SELECT echosync_retry_failed('$user->{lofty}', '{$leads[0],$leads[1],no-such-lead}')"), '2', 'two of three are retried');
	$t->drain($user);
	is_deeply([ sort map { $_->{lead_id} } $t->dead_letters($user, 'lofty') ], [ sort @leads[ 2 .. 5 ] ], 'they are no dead letters any more');
	is(scalar $t->dead_letters($user, 'fub'), 6, "the other connection's stay");
	my @logs = $t->logs($user, crm => 'lofty', lead => $leads[0]);
	is_deeply([ map { "$_->{sync_type} $_->{status} $_->{attempt}" } @logs ], [ 'auto failed 1', 'retry success 1' ], 'logged as a retry, with tries anew');
	is($t->n_records($user, 'lofty'), 2, 'and have arrived');

	is($t->sql_as($user, "SELECT echosync_discard_failed('$user->{lofty}', '{$leads[2]}')"), '1', 'one is discarded');
	is(scalar $t->dead_letters($user, 'lofty'), 3, 'three are left');
	is($t->sql_as($user, "SELECT echosync_retry_failed('$user->{lofty}')"), '3', 'all of them are retried');
	$t->drain($user);
	is_deeply([ $t->dead_letters($user, 'lofty') ], [], 'none is left');
	is($t->n_records($user, 'lofty'), 5, 'the discarded one has not been sent');
	is(scalar $t->logs($user, crm => 'lofty', lead => $leads[2]), 1, 'but is still in the log');

	$t->fault_for($user, 'fub', { method => 'POST', path => '/v1/people' }, { type => 'status', status => 400, body => {} }, times => -1);
	is($t->sql_as($user, "SELECT echosync_retry_failed('$user->{fub}', '{$leads[0]}')"), '1', 'a retry that fails again');
	$t->drain($user);
	is(scalar $t->dead_letters($user, 'fub'), 6, 'is a dead letter again');
	is($t->sql_as($user, "SELECT echosync_discard_failed('$user->{fub}')"), '6', 'all can be discarded');
	is(scalar $t->dead_letters($user, 'fub'), 0, 'then there are none');
	is($t->sql_as($user, "SELECT echosync_retry_failed('$user->{fub}')"), '0', 'and nothing to retry');
	is(scalar $t->dead_letters($other, 'lofty'), 1, "another tenant's is as it was");
	is(scalar $t->rows_as($other, 'SELECT * FROM echosync_dead_letters'), 1, 'who sees that one and no other');
});

$t->behaviour('a dead letter of a lead that changes is settled when the change gets through', sub {
	my $user = $t->user(lofty => 1);

	$t->fault_for($user, 'lofty', { method => 'POST' }, { type => 'status', status => 400, body => {} });
	my $lead = $t->lead($user);
	$t->drain($user);
	is(scalar $t->dead_letters($user, 'lofty'), 1, 'refused');
	$t->change_and_drain($user, $lead, first_name => 'Put right');
	is(scalar $t->dead_letters($user, 'lofty'), 0, 'put right: no dead letter any more');
	is($t->n_records($user, 'lofty'), 1, 'and one record');
});

$t->done;
