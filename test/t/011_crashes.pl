# Crashes of the worker and of the server while leads drain: each lead is in
# each CRM exactly once, and a lead that crashes workers stops doing so.
#
# The moments are random; ECHOSYNC_SEED repeats those of an earlier run.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use Test::More;
use Time::HiRes qw(usleep);

use constant { TENANTS => 3, LEADS => 45, CRASHES => 6, LOST_REPLIES => 12 };

my $t = EchosyncFaults->start(conf => <<'CONF');
echosync.uncertain_wait = '1500ms'
echosync.request_timeout = '5s'
CONF
my $seed = $ENV{ECHOSYNC_SEED} || int rand 1_000_000;

srand $seed;

sub drained { return $t->sql('SELECT count(*) FROM crm_sync_queue') == 0 }

# So many distinct numbers below a limit, ascending.
sub random_points
{
	my ($n, $limit) = @_;
	my %point;

	$point{ 1 + int rand $limit } = 1 while keys %point < $n;
	return sort { $a <=> $b } keys %point;
}

# Replies that get lost after the CRM has stored what was asked.
sub order_lost_replies
{
	my ($n) = @_;
	my @kinds = ([ 'lofty', '/v1.0/leads' ], [ 'fub', '/v1/people' ], [ 'fub', '/v1/notes' ], [ 'fub', '/v1/events' ]);

	for my $i (1 .. $n)
	{
		my ($crm, $path) = @{ $kinds[ $i % @kinds ] };

		$t->fault($crm, { method => 'POST', path => $path },
			{ type => (qw(close_after_store ok_without_id truncate))[ int rand 3 ] },
			after => int rand TENANTS * LEADS / 2);
	}
}

# What became of the leads of whose records something was told twice.
sub show_noisy
{
	my ($user, $crm, @records) = @_;

	for my $record (grep { $t->told_on($_) > 1 } @records)
	{
		my $id = $crm eq 'lofty' ? $record->{leadId} : $record->{id};

		diag("$crm $id: " . $t->sql("SELECT json_agg(l ORDER BY l.id) FROM crm_sync_logs l JOIN crm_lead_links k USING (integration_id, lead_id)"
			  . " WHERE k.integration_id = '$user->{$crm}' AND k.crm_record_id = '$id'"));
	}
}

# Leads reach Follow Up Boss quietly, but for those of one tenant, who has events.
$t->behaviour_across_crashes('crashes at random moments lose nothing and double nothing', sub {
	my @users = map { $t->user(lofty => 1, fub => $_ == TENANTS ? { delivery => 'events' } : 1) } 1 .. TENANTS;
	my %injected = (worker => 0, server => 0);
	my $gave_up = 0;
	my $changed = 0;

	$t->keep_no_requests;
	$t->knob($_, 'index_lag_seconds', 1) for qw(lofty fub);
	$t->knob($_, 'latency_ms', 40) for qw(lofty fub);
	$t->knob('fub', 'dedupe_lags', TRUE);
	order_lost_replies(LOST_REPLIES);
	$t->leads($_, LEADS, notes => 'Note %d') for @users;

	# A lead costs Lofty two calls, Follow Up Boss five; the rest of the crashes
	# comes while what was in doubt is looked for again.
	my $begin = $t->requests_so_far;
	for my $point (random_points(CRASHES, TENANTS * LEADS * 7))
	{
		$t->wait_until("request number $point", sub { $t->requests_so_far - $begin >= $point || drained() });
		last if drained();
		if (rand() < 0.6)
		{
			$t->kill_worker;
			$injected{worker}++;
		}
		else
		{
			$t->crash_server;
			$injected{server}++;
		}
		next if $changed++ != 3;
		$t->sql_as(undef, "UPDATE leads SET tags = '{Changed}' WHERE id % 2 = 0");
	}
	$t->wait_for_worker;
	$t->drain($_, 60) for @users;

	# Whoever was in work in three of them has been given up, as it should be.
	for my $user (@users)
	{
		for my $crm (qw(lofty fub))
		{
			my @dead = $t->dead_letters($user, $crm);

			is_deeply([ grep { $_->{error_code} ne 'worker_crashed' } @dead ], [], "$user->{id}, $crm: no dead letter for another reason");
			$gave_up += @dead;
			is($t->status_of($user, $crm), 'active', 'it is active') or $t->sql_as($user, "SELECT echosync_resume('$user->{$crm}')");
			$t->sql_as($user, "SELECT echosync_retry_failed('$user->{$crm}')") if @dead;
		}
		$t->drain($user, 60);
	}

	my %total = (leads => 0, once => 0, lost => 0, doubled => 0);
	for my $user (@users)
	{
		my $n_changed = $t->sql("SELECT count(*) FROM leads WHERE user_id = '$user->{id}' AND tags = '{Changed}'");

		for my $crm (qw(lofty fub))
		{
			my @records = $t->records($user, $crm);
			my $tally = $t->tally($user, $crm, @records);
			my @told = $t->told_on(@records);

			is_deeply($tally, $t->all_once(LEADS), "$user->{id}, $crm: each lead once");
			is(scalar @told, LEADS, 'each note once, or each event') or show_noisy($user, $crm, @records);
			is(scalar(grep { grep { $_ eq 'Changed' } @{ $_->{tags} } } @records), $n_changed, 'changes made meanwhile have arrived');
			$total{$_} += $tally->{$_} for keys %total;
		}
		is($t->sql("SELECT count(*) FROM crm_lead_links WHERE user_id = '$user->{id}'"), 2 * LEADS, 'each lead is linked to both');
	}
	$t->assert_nothing_left;
	my $lost_replies = 0;
	$lost_replies += $_->{hits} for @{ $t->control('GET', '/fault') };
	diag(sprintf 'seed %d: %d faults injected (worker killed %d, server crashed %d, replies lost %d); '
		  . '%d leads to be sent, %d sent once, %d lost, %d doubled; %d given up after three crashes and retried',
		$seed, $injected{worker} + $injected{server} + $lost_replies, @injected{qw(worker server)}, $lost_replies,
		@total{qw(leads once lost doubled)}, $gave_up);
});

$t->behaviour('a lead that was in work in three crashes becomes a dead letter, and the rest goes on', sub {
	my $user = $t->user(fub => 1);
	my $other = $t->user(fub => 1);
	my $phone = $t->new_phone;
	my $seen = $t->mark;
	my $tries = sub { scalar grep { $_->{query} =~ /$phone/ } $t->requests($user, 'fub', since => $seen) };

	$t->configure('echosync.request_timeout' => '60s', 'echosync.pause_after_failures' => 1);
	$t->fault_for($user, 'fub', { query_contains => $phone }, { type => 'hang' }, times => -1);
	my $deadly = $t->lead($user, phone => $phone, notes => 'Deadly');
	my @behind = map { $t->lead($user) } 1 .. 3;
	for my $crash (1 .. 3)
	{
		$t->wait_until("the lead is in work, $crash", sub { $tries->() == $crash });
		$t->lead($other);
		$t->drain($other);
		$t->kill_worker;
	}
	my ($dead) = $t->wait_until('the lead is given up', sub { my @dead = $t->dead_letters($user, 'fub'); @dead ? $dead[0] : undef });
	is($dead->{lead_id}, $deadly, 'the dead letter is the lead');
	is($dead->{error_code}, 'worker_crashed', 'and says why');
	is($t->status_of($user, 'fub'), 'active', 'the connection is not to blame');
	$t->sql_as($user, "SELECT echosync_resume('$user->{fub}')");
	$t->drain($user);
	is(scalar $t->dead_letters($user, 'fub'), 1, 'it is the only one');
	is($t->n_records($user, 'fub'), scalar @behind, 'the leads behind it have arrived');
	is($t->n_records($other, 'fub'), 3, "so had another tenant's, between the crashes");
	is($tries->(), 3, 'the CRM was asked for it three times, not a fourth');

	$t->clear_faults;
	is($t->sql_as($user, "SELECT echosync_retry_failed('$user->{fub}')"), '1', 'retry_failed takes it up');
	$t->drain($user);
	is_deeply([ $t->dead_letters($user, 'fub') ], [], 'it is not given up again');
	is($t->n_records($user, 'fub'), @behind + 1, 'but sent');
	$t->deconfigure('echosync.request_timeout', 'echosync.pause_after_failures');
});

$t->behaviour('orderly ends of the worker do not count as crashes', sub {
	my $user = $t->user(lofty => 1);
	my $phone = $t->new_phone;
	my $seen = $t->mark;

	$t->configure('echosync.request_timeout' => '60s');
	$t->fault_for($user, 'lofty', { query_contains => $phone }, { type => 'hang' }, times => -1);
	my $lead = $t->lead($user, phone => $phone);
	for my $end (
		sub { $t->node->restart },
		sub { $t->sql('SELECT pg_terminate_backend(pid) FROM echosync_workers') },
		sub { $t->configure('echosync.workers' => 2) },
		sub { $t->node->stop('smart'); $t->node->start },
		sub { $t->configure('echosync.workers' => 1) })
	{
		$t->wait_until('the lead is in work', sub { $t->requests($user, 'lofty', since => $seen) });
		$seen = $t->mark;
		$end->();
	}
	$t->wait_until('the lead is in work again', sub { $t->requests($user, 'lofty', since => $seen) });
	is_deeply([ $t->dead_letters($user, 'lofty') ], [], 'five ends later it is no dead letter');
	$t->clear_faults;
	$t->node->restart;
	$t->drain($user);
	is($t->n_records($user, 'lofty'), 1, 'and is sent when the CRM answers');
	is($t->sql("SELECT count(*) FROM crm_sync_claims"), '0', 'no claim is left');
	$t->deconfigure('echosync.request_timeout', 'echosync.workers');
});

$t->done;
