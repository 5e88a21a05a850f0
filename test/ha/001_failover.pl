# The leader ends again and again, in every way, while leads are inserted and
# sent: what was committed is in each CRM exactly once, and the new leader sends
# within seconds.
#
# The order and the moments are random; ECHOSYNC_SEED repeats those of an
# earlier run.  ECHOSYNC_ROUNDS=N: so many times each way.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin, "$FindBin::RealBin/../lib";
use EchosyncHA;
use List::Util qw(shuffle max);
use POSIX ();
use Test::More;
use Time::HiRes qw(time usleep);

use constant { TENANTS => 2, BURST => 30, FIRST_PHONE => 8_015_000_000, SENDS_WITHIN => 10 };

my $seed = $ENV{ECHOSYNC_SEED} || int rand 1_000_000;
my $rounds = $ENV{ECHOSYNC_ROUNDS} || 1;
my $t = EchosyncHA->start(settings => { 'echosync.uncertain_wait' => '3s' });

my $writer;

srand $seed;
$t->knob($_, 'index_lag_seconds', 1) for qw(lofty fub);
$t->knob($_, 'latency_ms', 40) for qw(lofty fub);

# ------------------------------------------------------------------------
# A writer as applications have: it goes on through every failover
# ------------------------------------------------------------------------

# It notes what was acknowledged.  A COMMIT that breaks off, or that warns, may
# have happened or not.
sub start_writer
{
	my (@users) = @_;
	my $dir = $t->{dir};
	my $pid = fork;

	die "fork: $!" unless defined $pid;
	return $pid if $pid;
	$SIG{TERM} = 'DEFAULT';
	my $n = 0;
	while (!-e "$dir/enough")
	{
		my $user = $users[ $n % @users ];
		my $phone = FIRST_PHONE + ++$n;
		my $connstr = $t->connstr('postgres') . ' user=app';
		my $said = `timeout 8 psql -XAtq -d '$connstr' -c "INSERT INTO leads (user_id, first_name, last_name, phone, risk_score, notes) VALUES ('$user->{id}', 'Writer', 'Number $n', '$phone', 5, 'Note $n')" 2>&1`;
		my $acknowledged = $? == 0 && $said eq '';

		open(my $out, '>>', $acknowledged ? "$dir/acknowledged" : "$dir/not_acknowledged") or POSIX::_exit(1);
		print $out "$phone\n";
		close $out;
		usleep(30_000);
	}
	POSIX::_exit(0);
}

END
{
	my $status = $?;

	kill 'TERM', $writer if $writer;
	$? = $status;
}

sub lines_of
{
	my ($file) = @_;

	return -e $file ? split(/\n/, PostgreSQL::Test::Utils::slurp_file($file)) : ();
}

# ------------------------------------------------------------------------
# How a leader ends, and what puts the node right again
# ------------------------------------------------------------------------

my %ways = (
	'its server is killed' => [ sub { $t->kill_server($_[0]) }, sub { } ],
	'its machine is gone' => [ sub { $t->kill_machine($_[0]) }, sub { $t->start_node($_[0]) } ],
	'its machine stands still' => [ sub { $t->freeze_machine($_[0]) }, sub { $t->thaw($_[0]) } ],
	'its Patroni stands still' => [ sub { $t->freeze_patroni($_[0]) }, sub { $t->thaw($_[0]) } ],
	'it is relieved' => [ sub { $t->switch_over($_[0]) }, sub { } ],
);

# How long until there is a leader, and from then until it has sent something.
sub one_round
{
	my ($way, @users) = @_;
	my ($end, $mend) = @{ $ways{$way} };
	my ($began, $led, $sent);

	$t->wait_for_sync_standby;
	my $old = $t->leader;
	$t->leads($_, BURST, notes => 'Burst %d') for @users;
	my $point = $t->requests_so_far + int rand 4 * TENANTS * BURST;
	$t->wait_until("request number $point", sub { $t->requests_so_far >= $point });

	$began = time;
	$end->($old);
	my $new = $t->wait_for_leader(not => $old);
	$led = time;
	$t->wait_until('the new leader sends', sub {
		my $requests = $t->try_sql_on($new, 'SELECT coalesce(sum(requests), 0) FROM echosync_workers');
		return defined $requests && $requests > 0;
	});
	$sent = time;
	$mend->($old);
	diag(sprintf '%-26s another leads after %4.1f s, and sends %.1f s later', "$way:", $led - $began, $sent - $led);
	return $sent - $led;
}

$t->behaviour('with synchronous replication nothing is lost and nothing doubled', sub {
	my @users = map { $t->user(lofty => 1, fub => 1) } 1 .. TENANTS;
	$writer = start_writer(@users);
	my @waits;

	diag("seed $seed");
	push @waits, one_round($_, @users) for shuffle((sort keys %ways) x $rounds);
	cmp_ok(max(@waits), '<', SENDS_WITHIN, 'each new leader sent within ' . SENDS_WITHIN . ' s');

	$t->wait_for_sync_standby;
	open(my $enough, '>', "$t->{dir}/enough") or die;
	waitpid $writer, 0;
	$writer = undef;
	$t->drain($_, 120) for @users;

	# Who was in work in three of the crashes has been given up, as it should be.
	for my $user (@users)
	{
		for my $crm (qw(lofty fub))
		{
			my @dead = $t->dead_letters($user, $crm) or next;

			is_deeply([ grep { $_->{error_code} ne 'worker_crashed' } @dead ], [], "$user->{id}, $crm: no dead letter for another reason");
			$t->sql_as($user, "SELECT echosync_retry_failed('$user->{$crm}')");
		}
		$t->drain($user, 120);
	}

	my %in_table = map { ($_ => 1) } split /\n/, $t->sql('SELECT phone FROM leads');
	my @acknowledged = lines_of("$t->{dir}/acknowledged");
	my @rest = lines_of("$t->{dir}/not_acknowledged");

	cmp_ok(scalar @acknowledged, '>', 10 * keys(%ways), 'the writer got through');
	is_deeply([ grep { !$in_table{$_} } @acknowledged ], [], 'each lead whose COMMIT was acknowledged is there');
	my %total = (leads => 0, once => 0, lost => 0, doubled => 0);
	for my $user (@users)
	{
		for my $crm (qw(lofty fub))
		{
			my @records = $t->records($user, $crm);
			my $tally = $t->tally($user, $crm, @records);
			my @notes = $t->notes_of($user, $crm, @records);

			is_deeply($tally, $t->all_once($tally->{leads}), "$user->{id}, $crm: each of $tally->{leads} leads once");
			is(scalar @records, $tally->{leads}, 'and none that is no lead');
			is(scalar @notes, $tally->{leads}, 'each note once');
			$total{$_} += $tally->{$_} for keys %total;
		}
	}
	$t->assert_nothing_left;
	diag(sprintf '%d ends of a leader; the writer: %d acknowledged, %d not; %d to be sent, %d sent once, %d lost, %d doubled',
		scalar @waits, scalar @acknowledged, scalar @rest, @total{qw(leads once lost doubled)});
});

$t->done;
