# One tenant's backlog, outage or storm is not another's, and does not fill the
# worker's memory.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use Test::More;
use Time::HiRes qw(time);

use constant { PROMPT => 3, BACKLOG => 900_000, MEMORY_KB => 20_000 };

my $t = EchosyncFaults->start(conf => <<'CONF');
echosync.uncertain_wait = '500ms'
echosync.request_timeout = '20s'
autovacuum = on
CONF

my %LABEL = (lofty => 'Lofty', fub => 'Follow Up Boss');

# Seconds until a lead committed now is in each CRM that its user is connected to.
sub delay
{
	my ($user) = @_;
	my @crms = grep { $user->{$_} } qw(lofty fub);
	my $began = time;
	my $lead = $t->lead($user);

	$t->wait_until('the fresh lead has arrived', sub {
		$t->sql("SELECT count(*) FROM crm_lead_links WHERE user_id = '$user->{id}' AND lead_id = '$lead'") == @crms });
	return time - $began;
}

sub prompt
{
	my ($user, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	return cmp_ok(delay($user), '<', PROMPT, $name);
}

# Of keys in their order: how far the most served was ever ahead of another that
# still had some to come.
sub lead_of_the_first
{
	my (@keys) = @_;
	my $most = 0;
	my (%left, %served);

	$left{$_}++, $served{$_} = 0 for @keys;
	for my $key (@keys)
	{
		$served{$key}++;
		delete $left{$key} if --$left{$key} == 0;
		for my $other (keys %left)
		{
			$most = $served{$key} - $served{$other} if $served{$key} - $served{$other} > $most;
		}
	}
	return $most;
}

# Without its many log rows, which tell nobody anything.
sub drop_backlog
{
	my ($user) = @_;

	$t->sql_as($user, "SELECT echosync_pause('$user->{$_}')") for grep { $user->{$_} } qw(lofty fub);
	$t->sql("DELETE FROM crm_sync_queue WHERE user_id = '$user->{id}'");
	return;
}

# One user's CRMs do not answer, another's say that it is to wait for so many seconds.
sub hang_and_storm
{
	my ($hanging, $storm, $seconds) = @_;

	$t->fault_for($hanging, $_, {}, { type => 'hang' }, times => -1) for qw(lofty fub);
	$t->fault_for($storm, $_, {}, { type => 'status', status => 429, headers => { 'Retry-After' => "$seconds" } }, times => -1) for qw(lofty fub);
	return;
}

$t->behaviour('a tenant with 900,000 rows, one whose CRM hangs, one in a storm of 429: a fresh lead of another goes at once', sub {
	my ($many, $hanging, $storm, $fresh) = map { $t->user(lofty => 1, fub => 1) } 1 .. 4;

	$t->keep_no_requests;
	$t->knob($_, 'latency_ms', 20) for qw(lofty fub);
	$t->knob($_, 'waiting_grace_ms', 300) for qw(lofty fub);
	$t->lead($_) for $hanging, $storm;
	$t->drain($_) for $hanging, $storm;
	hang_and_storm($hanging, $storm, 1);

	my $pid = $t->wait_for_worker;
	my $memory = $t->own_memory($pid);
	$t->leads($_, 100) for $hanging, $storm;
	$t->sql_as(undef, "INSERT INTO leads (user_id, first_name, phone, risk_score) "
		  . "SELECT '$many->{id}', 'Many', (7013000000 + i)::text, 5 FROM generate_series(1, @{[BACKLOG / 2]}) i");
	prompt($fresh, "fresh lead $_") for 1 .. 5;
	cmp_ok($t->queued($many), '>', 0.99 * BACKLOG, 'the backlog is still there');
	cmp_ok($t->queued($_), '>=', 190, 'so is that of the hanging one, and that of the one in the storm') for $hanging, $storm;
	cmp_ok($t->n_records($many, $_), '>', 0, "$LABEL{$_}: it is being worked off") for qw(lofty fub);
	cmp_ok($t->own_memory($pid) - $memory, '<', MEMORY_KB, "with @{[BACKLOG]} rows the worker has grown by less than @{[MEMORY_KB]} kB");

	# The start takes no more at once than it does later.  No request of the storm is
	# under way: its answer would not be heard.
	$t->clear_faults;
	hang_and_storm($hanging, $storm, 20);
	$t->wait_for_sql("SELECT count(*) FROM crm_integrations WHERE user_id = '$storm->{id}' AND not_before > clock_timestamp() + interval '5 s'", '2');
	my $sent = $t->n_records($many, 'lofty');
	$t->node->restart;
	my $began = time;
	$t->wait_until('the backlog goes on', sub { $t->n_records($many, 'lofty') > $sent });
	cmp_ok(time - $began, '<', 5, 'after a restart it goes on at once');
	$pid = $t->wait_for_worker;
	prompt($fresh, 'and a fresh lead goes at once');
	cmp_ok($t->own_memory($pid), '<', $memory + MEMORY_KB, 'with as little memory');
	note sprintf 'memory of the worker: %d kB before, %d kB after', $memory, $t->own_memory($pid);
	drop_backlog($_) for $many, $hanging, $storm;
});

$t->behaviour('a CRM that hangs for all its tenants holds up none of another CRM', sub {
	my @hanging = map { $t->user(lofty => 1) } 1 .. 12;
	my $fresh = $t->user(fub => 1);

	# They have all been heard, so that each may have several leads in work.
	$t->lead($_) for @hanging;
	$t->drain($_) for @hanging;
	$t->fault('lofty', {}, { type => 'hang' }, times => -1);
	my $mark = $t->mark;
	$t->leads($_, 20) for @hanging;
	$t->wait_until('Lofty hangs', sub { $t->requests(undef, 'lofty', since => $mark) >= 24 });
	prompt($fresh, "fresh lead $_") for 1 .. 3;
	drop_backlog($_) for @hanging;
	$t->clear_faults;
	$t->node->restart;
});

$t->behaviour('a back-fill yields to live changes of its tenant and of others', sub {
	my ($user, $other) = map { $t->user } 1 .. 2;
	my $n = 300;

	$t->leads($user, $n);
	$_->{lofty} = $t->connect_lofty($_), $_->{fub} = $t->connect_fub_key($_) for $user, $other;
	$t->knob($_, 'latency_ms', 150) for qw(lofty fub);
	is($t->sql_as($user, "SELECT queued, skipped FROM echosync_manual_sync('$user->{$_}')"), "$n|0", "$LABEL{$_}: all are queued") for qw(lofty fub);
	$t->wait_until('it is under way', sub { $t->n_records($user, 'lofty') > 5 });
	prompt($user, 'a live lead goes before the rest');
	prompt($other, 'so does one of another tenant');
	cmp_ok($t->queued($user, $_), '>', $n / 4, "$LABEL{$_}: of which much is left") for qw(lofty fub);
	my ($run) = $t->rows_as($user, "SELECT * FROM echosync_runs WHERE integration_id = '$user->{lofty}'");
	cmp_ok($run->{done}, '>', 0, 'the run says how far it is');
	cmp_ok($run->{done}, '<', $run->{total}, 'and that it is not done');

	# A lead that waits in the back-fill and changes goes now, and not again later.
	my $last = $t->sql("SELECT max(id) - 1 FROM leads WHERE user_id = '$user->{id}'");
	$t->change($last, last_name => 'Hurried');
	$t->wait_until('it has arrived', sub { $t->link_of($user->{lofty}, $last) }, 5);
	cmp_ok($t->queued($user, 'lofty'), '>', 20, 'a lead that changes overtakes the others');
	$t->knob($_, 'latency_ms', 0) for qw(lofty fub);
	$t->drain($user, 60);
	is_deeply($t->tally($user, $_), $t->all_once($n + 1), "$LABEL{$_}: in the end all are there once") for qw(lofty fub);
	is($t->sql("SELECT string_agg(DISTINCT done || ' of ' || total, ',') FROM echosync_runs WHERE user_id = '$user->{id}'"), "$n of $n", 'the runs are done');
});

$t->behaviour('round-robin: no tenant is served twice before another once', sub {
	my @leads = (12, 6, 6, 2, 3, 3);
	my @users = map { $t->user($_ < 4 ? 'lofty' : 'fub', 1) } 0 .. $#leads;
	my %create = (lofty => '/v1.0/leads', fub => '/v1/people');

	# With a single place for requests they come in the order in which they were let go.
	$t->configure('echosync.max_in_flight' => 1, 'echosync.enabled' => 'off');
	$t->leads($users[$_], $leads[$_]) for 0 .. $#leads;
	my $mark = $t->mark;
	$t->configure('echosync.enabled' => 'on');
	$t->drain($_) for @users;
	for my $crm (qw(lofty fub))
	{
		my @created = map { $_->{account} } $t->requests(undef, $crm, since => $mark, method => 'POST', path => $create{$crm});
		is(scalar @created, $crm eq 'lofty' ? 26 : 6, "$LABEL{$crm}: all leads are created");
		# An intent that has waited for long is committed anew, and its lead overtaken meanwhile.
		cmp_ok(lead_of_the_first(@created), '<=', 2, 'no tenant was ahead of another by more than one that was overtaken');
	}
	my @crms = map { $_->{crm} } sort { $a->{seq} <=> $b->{seq} } map { $t->requests(undef, $_, since => $mark) } qw(lofty fub);
	cmp_ok(lead_of_the_first(@crms), '<=', 3, 'and the CRMs have had their requests in turn');
	$t->deconfigure('echosync.max_in_flight', 'echosync.enabled');
});

$t->behaviour('leads that wait take no more memory the longer they wait', sub {
	my @users = map { $t->user(lofty => 1) } 1 .. 10;
	my $phone = $t->new_phone;

	# Leads of one phone number go one after the other; the first of each tenant hangs.
	$t->lead($_) for @users;
	$t->drain($_) for @users;
	$t->fault('lofty', {}, { type => 'hang' }, times => -1);
	$t->leads($_, 80, phone => $phone) for @users;
	my $reads = sub { return $t->sql("SELECT seq_scan + coalesce(idx_scan, 0) FROM pg_stat_user_tables WHERE relname = 'leads'") };
	my $read_again = sub {
		my ($times) = @_;
		my $from = $reads->();
		$t->wait_until('those that wait are looked at again', sub { $reads->() >= $from + $times });
	};
	$read_again->(20);
	my $pid = $t->wait_for_worker;
	my $memory = $t->own_memory($pid);
	$read_again->(40);
	cmp_ok($t->own_memory($pid) - $memory, '<', 1500, 'looked at again and again, they take up no more than 1500 kB');
	drop_backlog($_) for @users;
	$t->clear_faults;
	$t->node->restart;
});

$t->behaviour('a thousand tenants with backlogs: memory for the leads that are in work, and a round for each', sub {
	my ($key, $fresh) = ($t->user(lofty => 1), $t->user(lofty => 1));
	my $n = 1000;

	# As many connections as it takes, to one account.
	$t->keep_no_requests;
	$t->lead($_) for $key, $fresh;
	$t->drain($_) for $key, $fresh;
	my $pid = $t->wait_for_worker;
	my $memory = $t->own_memory($pid);
	$t->sql("SELECT count(echosync_import_integration('small-' || i, 'lofty', echosync_encrypt('{\"api_key\": \"$key->{keys}{lofty}\"}'))) FROM generate_series(1, $n) i");
	$t->sql_as(undef, "INSERT INTO leads (user_id, first_name, phone, risk_score) "
		  . "SELECT 'small-' || 1 + i % $n, 'Small', (7023000000 + i)::text, 5 FROM generate_series(1, 20 * $n) i");
	$t->wait_until('it is under way', sub { $t->sql("SELECT EXISTS (SELECT FROM crm_lead_links WHERE user_id LIKE 'small-%')") eq 't' });
	my $from = $t->requests_so_far;
	delay($fresh);
	my $waited = $t->requests_so_far - $from;
	cmp_ok($waited, '<', 4 * $n, "a fresh lead of two calls arrives after $waited requests: each tenant had its turn or two");
	my $per_tenant = ($t->own_memory($pid) - $memory) / $n;
	cmp_ok($per_tenant, '<', $ENV{SANITIZE} ? 80 : 40, sprintf 'memory of the worker has grown by %.1f kB for each', $per_tenant);
	my $busiest = $t->sql("SELECT max(n) FROM (SELECT count(*) AS n FROM crm_lead_links WHERE user_id LIKE 'small-%' GROUP BY user_id) q");
	my $n_served = $t->sql("SELECT count(DISTINCT user_id) FROM crm_lead_links WHERE user_id LIKE 'small-%'");
	cmp_ok($n_served, '>', $n / 4, "$n_served have been served");
	cmp_ok($busiest, '<=', 8, "none more than $busiest times");
	$t->sql("DELETE FROM crm_integrations WHERE user_id LIKE 'small-%'; DELETE FROM crm_sync_queue WHERE user_id LIKE 'small-%'");
	$t->node->restart;
});

$t->behaviour('many small tenants are served while large ones drain', sub {
	my @large = map { $t->user(lofty => 1) } 1 .. 2;
	my @small = map { $t->user(lofty => 1) } 1 .. 30;

	$t->keep_no_requests;
	$t->knob('lofty', 'latency_ms', 20);
	$t->leads($_, 3000) for @large;
	$t->wait_until('they are under way', sub { !grep { $t->n_records($_, 'lofty') <= 5 } @large });
	my $began = time;
	$t->sql_as(undef, join '', map {
		"INSERT INTO leads (user_id, first_name, phone, risk_score) VALUES ('$_->{id}', 'Small', '" . $t->new_phone . "', 1);\n" } @small);
	$t->wait_until('all have theirs', sub {
		$t->sql("SELECT count(DISTINCT user_id) FROM crm_lead_links WHERE user_id IN (" . join(',', map { "'$_->{id}'" } @small) . ')') == @small });
	cmp_ok(time - $began, '<', 6, 'thirty leads of thirty tenants within 6 s');
	cmp_ok($t->queued($_), '>', 300, 'before the large ones are done') for @large;
	drop_backlog($_) for @large;
});

$t->done;
