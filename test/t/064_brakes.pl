# Every loop has a brake: one lead that fails for ever, tokens that end at once,
# a connection that is gone, a table that cannot be written cost what they must,
# and nobody else anything.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use Test::More;
use Time::HiRes qw(sleep time);

my $t = EchosyncFaults->start(conf => <<'CONF');
echosync.uncertain_wait = '500ms'
echosync.request_timeout = '4s'
echosync.max_retries = 2
autovacuum = off
CONF

my %LABEL = (lofty => 'Lofty', fub => 'Follow Up Boss');
my %CREATE = (lofty => '/v1.0/leads', fub => '/v1/people');

# Processor time that a process has used so far, in seconds.
sub cpu_time
{
	my ($pid) = @_;
	my (undef, $rest) = split /\) /, PostgreSQL::Test::Utils::slurp_file("/proc/$pid/stat"), 2;

	return ((split / /, $rest)[11] + (split / /, $rest)[12]) / 100;
}

# How busy the worker is for so many seconds, and how many lines it adds to the log.
sub watch_worker
{
	my ($seconds) = @_;
	my $pid = $t->wait_for_worker;
	my ($log, $cpu) = (length $t->log_text, cpu_time($pid));

	sleep $seconds;
	return ((cpu_time($pid) - $cpu) / $seconds, scalar grep { !/checkpoint/ } split /\n/, substr $t->log_text, $log);
}

sub failures { return $t->sql("SELECT consecutive_failures FROM crm_integrations WHERE id = '$_[0]{$_[1]}'") }

# ------------------------------------------------------------------------
# One lead that fails for ever
# ------------------------------------------------------------------------

my %FORBIDDEN_PAGE = (type => 'status', status => 403, body => '<html>blocked</html>', content_type => 'text/html');
my %GATEWAY_PAGE = (type => 'status', status => 504, body => '<html>', content_type => 'text/html');

$t->behaviour('one lead that the way to a CRM refuses holds up no other', sub {
	my @cases;

	for my $crm (qw(lofty fub))
	{
		for my $what (qw(content search))
		{
			my $user = $t->user($crm => 1);

			for (1 .. 2)
			{
				$t->lead($user, first_name => 'Warm');
				$t->drain($user);
			}
			push @cases, { name => "$LABEL{$crm}, $what", crm => $crm, what => $what, user => $user };
		}
	}
	for my $case (@cases)
	{
		my ($user, $crm) = @$case{qw(user crm)};
		my $phone = $t->new_phone;

		$t->fault_for($user, $crm, { method => 'POST', body_contains => '<script>' }, \%FORBIDDEN_PAGE, times => -1) if $case->{what} eq 'content';
		$t->fault_for($user, $crm, { method => 'GET', query_contains => $phone }, \%GATEWAY_PAGE, times => -1) if $case->{what} eq 'search';
		$case->{bad} = $t->lead($user, first_name => 'Bad', phone => $phone, notes => 'See <script>alert(1)</script>');
	}
	for my $case (@cases)
	{
		$t->wait_until('it has failed a few times', sub {
			failures($case->{user}, $case->{crm}) >= 3 || $t->dead_letters($case->{user}, $case->{crm}) });
	}
	my $began = time;
	for my $i (1 .. 20)
	{
		$t->lead($_->{user}, first_name => 'Fine') for @cases;
	}
	for my $case (@cases)
	{
		my ($user, $crm) = @$case{qw(user crm)};
		my $n = 0;

		eval {
			$t->wait_until('they are there', sub {
				20 == ($n = grep { $_->{firstName} eq 'Fine' } $t->records($user, $crm)) }, $began + 20 - time);
		};
		is($n, 20, "$case->{name}: twenty others are there within twenty seconds");
	}
	for my $case (@cases)
	{
		my ($user, $crm) = @$case{qw(user crm)};

		eval { $t->wait_until('it is a dead letter', sub { scalar $t->dead_letters($user, $crm) }, $began + 40 - time) };
		is_deeply([ map { $_->{lead_id} } $t->dead_letters($user, $crm) ], [ $case->{bad} ], "$case->{name}: the bad one is a dead letter");
		is($t->status_of($user, $crm), 'active', 'the connection is active');
		is($t->queued($user), '0', 'nothing is queued');
		$t->sql_as($user, "SELECT echosync_disconnect('$user->{$crm}')");
	}
});

$t->behaviour('a create that always times out is not sent for ever', sub {
	my %user = map { ($_ => $t->user($_ => 1)) } qw(lofty fub);
	my %bad;

	$t->configure('echosync.request_timeout' => '500ms');
	for my $crm (qw(lofty fub))
	{
		$t->lead($user{$crm}, first_name => 'Warm');
		$t->drain($user{$crm});
		$t->fault_for($user{$crm}, $crm, { method => 'POST', body_contains => 'Hang' }, { type => 'hang' }, times => -1);
		$bad{$crm} = $t->lead($user{$crm}, first_name => 'Hang');
	}
	for my $crm (qw(lofty fub))
	{
		my $user = $user{$crm};

		eval { $t->wait_until('it is given up', sub { scalar $t->dead_letters($user, $crm) }, 40) } or fail('it is given up');
		is_deeply([ map { $_->{lead_id} } $t->dead_letters($user, $crm) ], [ $bad{$crm} ], "$LABEL{$crm}: it is a dead letter");
		cmp_ok(scalar(grep { $_->{raw_body} =~ /Hang/ } $t->requests($user, $crm, method => 'POST')), '<=', 4, 'after few creates');
		my $lead = $t->lead($user, first_name => 'Fine');
		$t->wait_until('others are sent', sub { $t->link_of($user->{$crm}, $lead) }, 20);
		is($t->status_of($user, $crm), 'active', 'the connection is active');
		$t->sql_as($user, "SELECT echosync_disconnect('$user->{$crm}')");
	}
	$t->deconfigure('echosync.request_timeout');
});

# ------------------------------------------------------------------------
# Tokens
# ------------------------------------------------------------------------

for my $life (240, 8)
{
	$t->behaviour("tokens that live for $life seconds are used before they are refreshed", sub {
		my $user = $t->user;
		my $mark = $t->mark;

		$t->knob('fub_app', 'access_ttl', $life);
		$t->connect_fub_oauth($user);
		my $began = time;
		$t->lead($user) for 1 .. 5;
		eval { $t->drain($user, 10) } or fail('the leads are sent');
		is_deeply($t->tally($user, 'fub'), $t->all_once(5), 'the leads arrive, once each');
		my @refreshes = grep { $_->{raw_body} =~ /refresh_token/ } $t->requests(undef, 'fub_app', since => $mark, path => '/oauth/token');
		cmp_ok(scalar @refreshes, '<=', 2 + 2 * (time - $began) / $life, 'with few refreshes');
		$t->sql_as($user, "SELECT echosync_disconnect('$user->{fub}')");
	});
}

# ------------------------------------------------------------------------
# What cannot be written
# ------------------------------------------------------------------------

# Commits that the server has counted, but for those of the test's two looks at them.
sub commits_in
{
	my ($seconds) = @_;
	my $count = sub { $t->sql("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()") };
	my $before = $count->();

	sleep $seconds;
	return $count->() - $before;
}

$t->behaviour('a connection that ends while a lead is in flight leaves nothing that goes on for ever', sub {
	for my $i (1 .. 3)
	{
		my $user = $t->user(lofty => 1);

		$t->fault_for($user, 'lofty', { method => 'POST' }, { type => 'delay', ms => 800 });
		$t->lead($user);
		$t->wait_for_requests($user, 'lofty', 1, method => 'POST');
		$t->sql_as($user, "SELECT echosync_disconnect('$user->{lofty}')");
		$t->wait_until('it has ended', sub { grep { $_->{status} } $t->requests($user, 'lofty', method => 'POST') });
	}
	my $n;
	eval { $t->wait_until('the worker rests', sub { ($n = commits_in(5)) <= 4 }, 15) };
	cmp_ok($n, '<=', 4, 'commits in five seconds in which nothing happens');
});

sub break_table
{
	my ($table, $events, $state) = @_;

	$t->sql(<<"SQL");
CREATE FUNCTION break_$table() RETURNS trigger LANGUAGE plpgsql AS
  \$\$ BEGIN RAISE EXCEPTION 'no more' USING ERRCODE = '$state'; END \$\$;
CREATE TRIGGER broken BEFORE $events ON $table FOR EACH STATEMENT EXECUTE FUNCTION break_$table();
SQL
	return;
}

sub mend_table { return $t->sql("DROP TRIGGER broken ON $_[0]; DROP FUNCTION break_$_[0]()") }

my %BROKEN = (
	'the table of leads in work' => { crm_sync_claims => [ 'DELETE OR INSERT', '54000' ] },
	'the table of connections' => { crm_integrations => [ 'UPDATE', '53100' ] },
	'both of them, each for a reason of its own' => { crm_sync_claims => [ 'DELETE OR INSERT', '54000' ], crm_integrations => [ 'UPDATE', '53100' ] });

for my $name (sort keys %BROKEN)
{
	$t->behaviour("a table that cannot be written makes no worker spin: $name", sub {
		my $broken = $BROKEN{$name};
		my @users = map { $t->user(lofty => 1) } 1 .. 2;

		for my $user (@users)
		{
			$t->lead($user);
			$t->drain($user);
		}
		# One in flight while it breaks, and one that comes later.
		$t->fault_for($users[0], 'lofty', { method => 'POST' }, { type => 'delay', ms => 1500 });
		$t->lead($users[0]);
		$t->wait_for_requests($users[0], 'lofty', 2, method => 'POST');
		break_table($_, @{ $broken->{$_} }) for sort keys %$broken;
		$t->wait_until('it has ended', sub { !grep { !$_->{status} } $t->requests($users[0], 'lofty') });
		my ($busy, $lines) = watch_worker(4);
		cmp_ok($busy, '<', 0.25, 'the worker is not busy');
		cmp_ok($lines, '<=', 8, 'nor does it fill the log');
		$t->lead($users[1]);
		($busy, $lines) = watch_worker(4);
		cmp_ok($busy, '<', 0.25, 'the same when another lead waits');
		cmp_ok($lines, '<=', 8, 'with its log');
		mend_table($_) for sort keys %$broken;
		for my $user (@users)
		{
			eval { $t->wait_until('all is done', sub { $t->queued($user) eq '0' }, 65) } or fail('it goes on when the table can be written');
			is_deeply($t->tally($user, 'lofty'), $t->all_once(2), 'each lead is there once');
		}
	});
}

$t->done;
