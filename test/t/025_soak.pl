# Many leads, round after round: what the worker holds (memory, descriptors,
# threads) and what its tables hold besides links and log stays as it was after
# the second.  test/bench/soak.sh does the same with a million.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use Test::More;

use constant { ROUNDS => 4, TENANTS => 4, LEADS => 150 };

# Tables are vacuumed by hand, after each round.
my $t = EchosyncFaults->start(conf => <<'CONF');
echosync.uncertain_wait = '300ms'
echosync.retry_base_delay = '5ms'
echosync.pause_after_failures = 100000
autovacuum = off
CONF

# Links, log and dead letters are meant to stay; these are not.
my @PASSING = qw(crm_sync_queue crm_sync_attempts crm_sync_claims crm_integrations crm_credentials crm_sync_runs);

sub status_of_process
{
	my ($pid, $name) = @_;
	my ($value) = PostgreSQL::Test::Utils::slurp_file("/proc/$pid/status") =~ /^$name:\s+(\d+)/m;

	return $value;
}

# Bytes in use in the worker's memory contexts but those of the server's caches.
sub bytes_in_contexts
{
	my ($pid) = @_;
	my $log = length $t->log_text;
	my $bytes = 0;
	my $said;

	$t->sql("SELECT pg_log_backend_memory_contexts($pid)");
	$t->wait_until('the worker has told its memory', sub { ($said = substr $t->log_text, $log) =~ /\[$pid\] LOG:  Grand total/ });
	$bytes += $1 while $said =~ /\[$pid\] LOG:  level: \d+; (?:TopMemoryContext|echosync[^:]*): .* (\d+) used$/mg;
	return $bytes;
}

sub descriptors
{
	my ($pid) = @_;

	opendir my $dir, "/proc/$pid/fd" or die "/proc/$pid/fd: $!";
	return scalar grep { !/^\./ } readdir $dir;
}

# Whether what is gone can be cleared away: nothing holds on to it.
sub dead_rows_after_vacuum
{
	$t->sql("VACUUM $_") for @PASSING;
	$t->sql('SELECT pg_stat_force_next_flush()');
	return $t->sql('SELECT sum(n_dead_tup) FROM pg_stat_user_tables WHERE relname IN (' . join(', ', map { lit($_) } @PASSING) . ')');
}

sub measure
{
	my ($pid) = @_;
	my %now = (
		memory => status_of_process($pid, 'RssAnon'),
		threads => status_of_process($pid, 'Threads'),
		bytes_in_contexts => bytes_in_contexts($pid),
		descriptors => descriptors($pid),
		dead_rows => dead_rows_after_vacuum());

	$now{$_} = $t->sql("SELECT pg_total_relation_size('$_') / 1024") for @PASSING;
	return \%now;
}

# Of everything something: leads that are sent, refused, changed, tried again,
# given up, in doubt, deleted, and those that are asked for by hand.
sub soak_round
{
	my ($round, @users) = @_;

	$t->fault('lofty', { method => 'POST', path => '/v1.0/leads' }, { type => 'status', status => 400, body => {} }, times => 10);
	$t->fault('lofty', { method => 'GET', path => '/v1.0/leads' }, { type => 'status', status => 500 }, times => 20, after => 10);
	$t->fault('lofty', { method => 'POST', path => '/v1.0/leads' }, { type => 'close_after_store' }, times => 10, after => 20);
	for my $user (@users)
	{
		my @leads = $t->leads($user, LEADS, notes => 'Note %d');
		$t->leads($user, LEADS / 10, risk_score => 90);
		$t->sql_as(undef, "UPDATE leads SET last_name = 'Round $round' WHERE user_id = '$user->{id}' AND id % 10 = 0");
		$t->sql_as(undef, "DELETE FROM leads WHERE user_id = '$user->{id}' AND id % 20 = 1");
		$t->sql_as($user, "SELECT * FROM echosync_manual_sync('$user->{lofty}', " . lit(\@leads) . ')');
	}
	$t->drain($_, 120) for @users;
	$t->sql_as($_, "SELECT echosync_retry_failed('$_->{lofty}')") for @users;
	$t->drain($_, 120) for @users;
	$t->clear_faults;
	return;
}

$t->behaviour('memory, descriptors and dead rows stay as they are, whatever comes and goes', sub {
	my @users = map { $t->user(lofty => 1, $_ == 1 ? (fub => 1) : ()) } 1 .. TENANTS;
	my $pid = $t->wait_for_worker;
	my @rounds;

	# Long enough that as many requests as may be are under way from the first round on.
	$t->knob($_, 'latency_ms', 30) for qw(lofty fub);
	$t->keep_no_requests;
	for my $round (1 .. ROUNDS)
	{
		soak_round($round, @users);
		push @rounds, measure($pid);
		my $now = $rounds[-1];
		diag "round $round: " . join ', ', map { "$_ $now->{$_}" } sort keys %$now;
	}
	is(($t->worker_pids)[0], $pid, 'the worker is the same');
	my ($first, $last) = @rounds[ 1, -1 ];      # by then indexes use freed pages again
	cmp_ok($last->{memory} - $first->{memory}, '<', 1500, "memory: $first->{memory} kB, then $last->{memory} kB");
	cmp_ok($last->{bytes_in_contexts} - $first->{bytes_in_contexts}, '<', 10_000, "in use: $first->{bytes_in_contexts} bytes, then $last->{bytes_in_contexts}");
	cmp_ok($last->{descriptors} - $first->{descriptors}, '<=', 8, "descriptors: $first->{descriptors}, then $last->{descriptors}");
	cmp_ok($last->{threads}, '<=', 2, 'one thread, and perhaps one that resolves a name');
	cmp_ok($last->{dead_rows}, '<', 50, "dead rows after a vacuum: $first->{dead_rows}, then $last->{dead_rows}");
	cmp_ok($last->{$_}, '<=', 1.25 * $first->{$_} + 100, "$_: $first->{$_} kB, then $last->{$_} kB") for @PASSING;
	is($t->sql('SELECT count(*) FROM crm_sync_queue'), '0', 'the queue is empty');
	is($t->sql('SELECT count(*) FROM crm_sync_attempts a JOIN leads l ON l.id::text = a.lead_id'), '0', 'nothing is remembered of leads that are sent');
	is($t->sql('SELECT count(*) FROM crm_sync_claims'), '0', 'nor of what was in work');

	my %total = (leads => 0, once => 0, lost => 0, doubled => 0);
	for my $user (@users)
	{
		for my $crm (grep { $user->{$_} } qw(lofty fub))
		{
			my $tally = $t->tally($user, $crm);

			$total{$_} += $tally->{$_} for keys %total;
		}
	}
	is($total{lost} + $total{doubled}, 0, 'and every lead is there once');
	diag sprintf '%d leads to be sent, %d sent once, %d lost, %d doubled', @total{qw(leads once lost doubled)};
});

$t->done;
