# Several workers share the connections of a database: each connection has one
# owner at any time, whatever becomes of the workers.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use Test::More;
use Time::HiRes qw(time);

# A lead whose create was cut off waits for longer than any test: nothing may cut
# one off but a crash, for which there is another setting.
my $t = EchosyncFaults->start(conf => <<'CONF');
echosync.uncertain_wait = '10min'
echosync.request_timeout = '20s'
max_worker_processes = 24
CONF

my %LABEL = (lofty => 'Lofty', fub => 'Follow Up Boss');

# Every lead that a worker takes into work is noted, in the worker's transaction:
# who took it, and whether another had the connection just then.
$t->sql(<<'SQL');
CREATE TABLE taken (at timestamptz DEFAULT clock_timestamp(), worker int, pid int, integration uuid);
CREATE TABLE two_owners (integration uuid);
CREATE FUNCTION note_claim() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO public.taken (worker, pid, integration)
	SELECT DISTINCT NEW.worker, pg_catalog.pg_backend_pid(), i FROM pg_catalog.unnest(NEW.integration_ids) i;
	INSERT INTO public.two_owners
	SELECT i FROM public.crm_sync_claims c, pg_catalog.unnest(c.integration_ids) i
	 WHERE c.worker <> NEW.worker AND i = ANY (NEW.integration_ids);
	RETURN NULL;
END
$$;
CREATE TRIGGER note_claim AFTER INSERT ON crm_sync_claims FOR EACH ROW EXECUTE FUNCTION note_claim();
SQL

sub workers
{
	my ($n) = @_;

	$t->configure('echosync.workers' => $n);
	return $t->wait_until("there are $n workers", sub { my @pids = $t->worker_pids; return @pids == $n ? \@pids : undef });
}

# How often a connection went from one process to another, at most.
sub changes_of_owner
{
	return $t->sql("SELECT coalesce(max(n), 0) FROM (SELECT count(*) FILTER (WHERE changed) AS n FROM ("
		  . "SELECT integration, pid <> lag(pid) OVER (PARTITION BY integration ORDER BY at) AS changed FROM taken) t GROUP BY integration) q");
}

# The index of the worker that has taken this connection's leads last.
sub owner
{
	my ($integration) = @_;

	return $t->sql("SELECT worker FROM taken WHERE integration = '$integration' ORDER BY at DESC LIMIT 1");
}

sub one_owner
{
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	return is($t->sql('SELECT count(*) FROM two_owners'), '0', 'no connection had two owners at a time');
}

# Pairs of requests of one lead that came closer together than an answer takes.
sub overlaps
{
	my ($seconds, @requests) = @_;
	my $n = 0;
	my %last;

	for my $request (sort { $a->{seq} <=> $b->{seq} } @requests)
	{
		my $text = join ' ', values %{ query_of($request) }, $request->{raw_body};
		next unless $text =~ s/[^0-9a-z]//gir =~ /(8013\d{6})/;
		my $lead = "$request->{crm} $request->{account} $1";
		$n++ if $last{$lead} && $request->{time} - $last{$lead} < $seconds;
		$last{$lead} = $request->{time};
	}
	return $n;
}

sub total_queued { return $t->sql('SELECT count(*) FROM crm_sync_queue') }

$t->behaviour('1, 3 and 2 workers by reload while leads drain: one owner each, and nothing is cut off', sub {
	my @users = map { $t->user(lofty => 1, fub => 1) } 1 .. 10;
	my $n = 40;

	$t->configure('echosync.max_in_flight' => 16);
	$t->knob($_, 'latency_ms', 50) for qw(lofty fub);
	$t->knob($_, 'index_lag_seconds', 0.3) for qw(lofty fub);
	my $mark = $t->mark;
	$t->leads($_, $n) for @users;
	for my $workers (3, 2)
	{
		my $left = total_queued();
		$t->wait_until('leads drain', sub { total_queued() < $left - 60 });
		workers($workers);
		cmp_ok(total_queued(), '>', 0, "$workers workers, and there is work left");
	}
	$t->drain($_, 120) for @users;
	for my $user (@users)
	{
		is_deeply($t->tally($user, $_), $t->all_once($n), "$user->{id}, $LABEL{$_}: each lead once") for qw(lofty fub);
	}
	one_owner();
	cmp_ok(changes_of_owner(), '<=', 2, 'who changed hands did so when the number of workers did');
	is($t->sql('SELECT count(DISTINCT worker) FROM taken'), '3', 'all three had their share');
	is(overlaps(0.045, map { $t->requests(undef, $_, since => $mark) } qw(lofty fub)), 0, 'of no lead were there two requests at a time');
	$t->deconfigure('echosync.max_in_flight');
});

$t->behaviour('a token that is being refreshed when the workers change is not lost', sub {
	my $user = $t->user;

	workers(1);
	$t->connect_fub_oauth($user);
	$t->lead($user);
	$t->drain($user);
	$t->agent($user, 'fub', undef, 'expire_access');
	$t->fault('fub_app', { path => '/oauth/token' }, { type => 'delay', ms => 1000 });
	my $mark = $t->mark;
	$t->lead($user);
	$t->wait_until('the refresh is under way', sub { $t->requests(undef, 'fub_app', path => '/oauth/token', since => $mark) });
	workers(2);
	$t->drain($user);
	is($t->n_records($user, 'fub'), 2, 'the lead is there');
	is($t->status_of($user, 'fub'), 'active', 'and the connection is as before');
});

$t->behaviour('the limits of a key hold while workers come and go', sub {
	my @users = map { $t->user } 1 .. 4;

	$t->knob($_, 'rate_limits_off', FALSE) for qw(lofty fub);
	$t->knob('lofty', 'rate_limit', 40);
	$t->knob('fub', 'global_limit', 40);
	$_->{lofty} = $t->connect_lofty($_), $_->{fub} = $t->connect_fub_key($_) for @users;
	my $mark = $t->mark;
	$t->leads($_, 80) for @users;
	for my $workers (3, 1, 2)
	{
		$t->wait_until('leads drain', sub { $t->requests(undef, 'fub', since => $mark) > 40 });
		$mark = $t->mark;
		workers($workers);
	}
	$t->wait_until("the budget at $LABEL{lofty} is used up", sub { !grep { $t->requests($_, 'lofty') < 38 } @users });
	for my $user (@users)
	{
		is(scalar(grep { $_->{status} == 429 } $t->requests($user, $_)), 0, "$user->{id}: $LABEL{$_} refused no call") for qw(lofty fub);
		$t->sql_as($user, "SELECT echosync_disconnect('$user->{$_}')") for qw(lofty fub);
	}
});

# What a team's account may be asked is one budget, whoever asks.
$t->behaviour('users of one account, on two workers, share its limit: no call is refused', sub {
	my %limit = (lofty => [ 'rate_limit', 40 ], fub => [ 'global_limit', 40 ]);

	workers(2);
	for my $crm (sort keys %limit)
	{
		my (@users, %owners);

		# Users of the first one's account, until both workers have some.
		$t->configure("echosync.$_" => 40) for qw(lofty_rate_limit followupboss_rate_limit);
		$t->knob($crm, 'rate_limits_off', FALSE);
		$t->knob($crm, @{ $limit{$crm} });
		while (@users < 3 || keys %owners < 2)
		{
			push @users, my $user = $t->user;
			$user->{$_} = $users[0]{$_} for qw(keys accounts);
			$user->{$crm} = $crm eq 'lofty' ? $t->connect_lofty($user) : $t->connect_fub_key($user);
			$t->lead($user);
			$t->drain($user);
			$owners{ owner($user->{$crm}) } = 1;
		}
		$t->leads($_, 30) for @users;
		$t->wait_until('the budget is used up', sub { $t->requests($users[0], $crm) >= 38 });
		$t->wait_until('and the next', sub { $t->requests($users[0], $crm) >= 76 }) if $crm eq 'fub';
		$t->error("SET echosync.user_id = '$users[1]{id}'; SELECT echosync_connect('lofty', '$users[0]{keys}{lofty}')") if $crm eq 'lofty';
		is(scalar(grep { $_->{status} == 429 } $t->requests($users[0], $crm)), 0, "$LABEL{$crm} refused no call");
		$t->sql_as($_, "SELECT echosync_disconnect('$_->{$crm}')") for @users;
		$t->deconfigure("echosync.$_") for qw(lofty_rate_limit followupboss_rate_limit);
	}
});

$t->behaviour('what one user of an account was told to wait holds for all, on whichever worker', sub {
	for my $crm (qw(lofty fub))
	{
		my @users = $t->user($crm => 1);

		for (1 .. 5)
		{
			push @users, my $user = $t->user;
			$user->{$_} = $users[0]{$_} for qw(keys accounts);
			$user->{$crm} = $crm eq 'lofty' ? $t->connect_lofty($user) : $t->connect_fub_key($user);
		}
		$t->lead($_) for @users;
		$t->drain($_) for @users;
		$t->fault($crm, {}, { type => 'status', status => 429, headers => { 'Retry-After' => '3' } });
		my $mark = $t->mark;
		$t->lead($users[0]);
		$t->wait_until('one is told to wait', sub { $t->requests($users[0], $crm, since => $mark) });
		$t->lead($_) for @users;
		$t->drain($_) for @users;
		my @requests = sort { $a->{seq} <=> $b->{seq} } $t->requests($users[0], $crm, since => $mark);
		cmp_ok($requests[1]{time} - $requests[0]{time}, '>=', 3, "$LABEL{$crm}: nobody called for three seconds");
		$t->sql_as($_, "SELECT echosync_disconnect('$_->{$crm}')") for @users;
	}
});

$t->behaviour('who connects by a worker that is not the owner does not break the limit', sub {
	my (@users, %owners);

	workers(2);
	$t->knob('lofty', 'rate_limits_off', FALSE);
	while (@users < 4 || keys %owners < 2)
	{
		push @users, my $user = $t->user(lofty => 1);
		$t->lead($user);
		$t->drain($user);
		$owners{ owner($user->{lofty}) } = 1;
	}
	$t->leads($_, 5) for @users;
	$t->wait_until('the minute is used up', sub { !grep { $t->requests($_, 'lofty') < 9 } @users });
	for my $user (@users)
	{
		$t->error("SET log_min_error_statement = panic; SET echosync.user_id = '$user->{id}'; SET statement_timeout = '500ms'; $_")
		  for ("SELECT * FROM echosync_test_connection('$user->{lofty}')", "SELECT echosync_connect('lofty', '$user->{keys}{lofty}')") x 2;
		is(scalar(grep { $_->{status} == 429 } $t->requests($user, 'lofty')), 0, "$user->{id}: no call was refused");
		$t->sql_as($user, "SELECT echosync_disconnect('$user->{lofty}')");
	}
});

$t->behaviour('one worker that is ended is replaced at once, the others go on', sub {
	my @users = map { $t->user(lofty => 1, fub => 1) } 1 .. 6;
	my $n = 5;
	my $began;

	$t->sql('DELETE FROM taken');
	workers(3);
	$t->configure('echosync.uncertain_wait' => '500ms');
	$t->knob($_, 'latency_ms', 20) for qw(lofty fub);
	$t->leads($_, 30) for @users;
	$t->wait_until('leads drain', sub { $t->sql('SELECT count(DISTINCT worker) FROM taken') >= 2 });
	$began = time;
	for my $i (1 .. $n)
	{
		my ($victim, @others) = $t->worker_pids;
		$t->sql("SELECT pg_terminate_backend($victim)");
		$t->wait_until('another is in its place', sub {
			my @now = $t->worker_pids;
			return @now == 3 && !grep { $_ == $victim } @now });
		my %now = map { ($_ => 1) } $t->worker_pids;
		is(scalar(grep { $now{$_} } @others), 2, 'the others are the same as before');
	}
	cmp_ok(time - $began, '<', 15, "$n times, in less than 15 s");
	$t->drain($_) for @users;
	for my $user (@users)
	{
		is_deeply($t->tally($user, $_), $t->all_once(30), "$user->{id}, $LABEL{$_}: each lead once") for qw(lofty fub);
	}
	one_owner();
});

$t->behaviour_across_crashes('a crash of one frees all connections: the next workers take them up again', sub {
	my @users = map { $t->user(lofty => 1, fub => 1) } 1 .. 6;

	workers(3);
	$t->configure('echosync.uncertain_wait' => '500ms');
	$t->knob($_, 'latency_ms', 20) for qw(lofty fub);
	$t->leads($_, 30, notes => 'Note %d') for @users;
	$t->wait_until('leads drain', sub { grep { $t->n_records($_, 'lofty') > 3 } @users });
	$t->kill_worker;
	$t->wait_until('there are three again', sub { $t->worker_pids == 3 });
	$t->lead($_) for @users;
	for my $user (@users)
	{
		$t->drain($user);
		for my $crm (qw(lofty fub))
		{
			my @records = $t->records($user, $crm);

			is_deeply($t->tally($user, $crm, @records), $t->all_once(31), "$user->{id}, $LABEL{$crm}: each lead once");
			is(scalar $t->told_on(@records), 30, 'each note once');
		}
	}
	one_owner();
});

$t->behaviour('two databases, in a schema each: each has its workers, and they do not touch what is not theirs', sub {
	my %schema = (one => 'crm', two => '"Lead Sync"');
	my (%in, %user);

	workers(2);
	for my $name (sort keys %schema)
	{
		$in{$name} = $t->in_database($name);
		$t->sql("CREATE DATABASE $name ENCODING 'UTF8' TEMPLATE template0");
		$in{$name}->sql("ALTER DATABASE $name SET search_path = $schema{$name}, public");
		$in{$name}->sql(<<"SQL");
CREATE SCHEMA $schema{$name};
CREATE EXTENSION echosync SCHEMA $schema{$name};
SELECT echosync_grant('app');
CREATE TABLE public.leads (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, user_id text NOT NULL,
    phone text, first_name text, last_name text, email text, risk_score numeric, tags text[], notes text,
    deleted_at timestamptz);
ALTER TABLE public.leads OWNER TO app;
SQL
		$in{$name}->sql_as(undef, "SELECT echosync_attach_leads('leads')");
		$in{$name}->wait_until("there are two workers in $name", sub { $in{$name}->worker_pids == 2 });

		# The same user ids, and of leads.
		my $user = $in{$name}->user;
		$user->{id} = 'same';
		$user->{$_} = $_ eq 'lofty' ? $in{$name}->connect_lofty($user) : $in{$name}->connect_fub_key($user) for qw(lofty fub);
		$user{$name} = $user;
	}
	is($t->sql("SELECT string_agg(database || ' ' || n, ', ' ORDER BY database) FROM (SELECT database, count(*) AS n FROM echosync_workers GROUP BY 1) q"),
		'one 2, postgres 2, two 2', 'all databases have two workers each');

	$in{$_}->leads($user{$_}, 30) for keys %in;
	$in{$_}->drain($user{$_}) for keys %in;
	for my $name (sort keys %in)
	{
		my $n = 0;
		is_deeply($in{$name}->tally($user{$name}, $_), $t->all_once(30), "$name, $LABEL{$_}: its leads, each once") for qw(lofty fub);
		$n += $t->requests($user{$name}, $_) for qw(lofty fub);
		is($t->sql("SELECT sum(requests) FROM echosync_workers WHERE database = '$name'"), $n, 'and all of the requests are by its own workers');
	}

	$in{one}->sql_as($user{one}, "SELECT echosync_pause('$user{one}{$_}')") for qw(lofty fub);
	$in{$_}->leads($user{$_}, 10) for keys %in;
	$in{two}->drain($user{two});
	is($in{one}->queued($user{one}), '20', 'a pause in one is none in two');
	is($in{two}->queued($user{two}), '0', 'which goes on');

	my @two = $in{two}->worker_pids;
	$in{one}->sql('SELECT pg_terminate_backend(pid) FROM echosync_workers WHERE database = current_database()');
	$in{one}->sql('DROP EXTENSION echosync CASCADE');
	$in{one}->wait_until('one has no workers', sub { $t->sql("SELECT count(*) FROM echosync_workers WHERE database = 'one'") == 0 });
	$t->sql('DROP DATABASE one');
	$in{two}->leads($user{two}, 10);
	$in{two}->drain($user{two});
	is_deeply($in{two}->tally($user{two}, 'fub'), $t->all_once(50), 'one is gone, two goes on');
	is_deeply([ $in{two}->worker_pids ], \@two, 'with the same workers');
});

$t->done;
