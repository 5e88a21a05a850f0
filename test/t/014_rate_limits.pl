# The CRMs' own limits, as the fakes hold them: nothing is refused for being too
# much, and nothing is sent while we are told to wait.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use POSIX qw(strftime);
use Test::More;
use Time::HiRes qw(time);

my $t = EchosyncFaults->start(true_limits => 1, conf => <<'CONF');
echosync.uncertain_wait = '300ms'
CONF

my %LABEL = (lofty => 'Lofty', fub => 'Follow Up Boss');
my %CREATE = (lofty => '/v1.0/leads', fub => '/v1/people');

# The most requests that fall into any window of so many seconds.
sub most_in_window
{
	my ($seconds, @requests) = @_;
	my @times = sort { $a <=> $b } map { $_->{time} } @requests;
	my ($most, $from) = (0, 0);

	for my $to (0 .. $#times)
	{
		$from++ while $times[$to] - $times[$from] >= $seconds;
		$most = $to - $from + 1 if $to - $from + 1 > $most;
	}
	return $most;
}

sub refused { return scalar grep { defined $_->{status} && $_->{status} == 429 } @_ }

# Seconds between a user's only 429 and the request after it.
sub wait_after_429
{
	my (@requests) = @_;

	for my $i (0 .. $#requests - 1)
	{
		return $requests[ $i + 1 ]{time} - $requests[$i]{time} if $requests[$i]{status} == 429;
	}
	return;
}

sub held_for
{
	my ($user, $crm) = @_;

	return $t->sql("SELECT extract(epoch FROM not_before - now()) FROM crm_integrations WHERE id = '$user->{$crm}' AND not_before IS NOT NULL");
}

# Lofty's window is a minute: this user's leads are looked at in the end.
my $patient = $t->user(lofty => 1);
my @patient_leads = $t->leads($patient, 12);

$t->behaviour('each context of Follow Up Boss keeps its own limit, and no call is refused', sub {
	my $writer = $t->user(fub => 1);
	my $changer = $t->user(fub => 1);

	# 10 notes and 25 changes in 10 seconds
	$t->leads($changer, 30);
	$t->drain($changer);
	$t->leads($writer, 20, notes => 'Note %d');
	$t->sql_as(undef, "UPDATE leads SET last_name = 'Changed' WHERE user_id = '$changer->{id}'");
	$t->wait_for_requests($writer, 'fub', 10, method => 'POST', path => '/v1/notes');
	my $began = time;
	my $lead = $t->lead($writer);
	$t->wait_until('the lead is there', sub { $t->link_of($writer->{fub}, $lead) });
	cmp_ok(time - $began, '<', 5, 'a lead without a note is sent before the notes that wait');

	$t->drain($_, 60) for $writer, $changer;
	my @notes = $t->requests($writer, 'fub', method => 'POST', path => '/v1/notes');
	my @changes = $t->requests($changer, 'fub', method => 'PUT');
	is(scalar @notes, 20, '20 notes');
	cmp_ok(most_in_window(10, @notes), '<=', 10, 'no more than 10 in 10 seconds');
	is(scalar @changes, 30, '30 changes');
	cmp_ok(most_in_window(10, @changes), '<=', 25, 'no more than 25 in 10 seconds');
	is(refused($t->requests($_, 'fub')), 0, 'no call was refused') for $writer, $changer;
	cmp_ok($notes[-1]{time} - $notes[0]{time}, '<', 20, 'nor did they wait for longer than they had to');
});

$t->behaviour('a restart or a crash makes no burst', sub {
	my %user = map { ($_ => $t->user(lofty => 1, fub => 1)) } qw(restart crash);
	my $other = $t->user(fub => 1);

	# Lofty: one call to connect, eight for these; Follow Up Boss: eight of ten notes
	for my $how (sort keys %user)
	{
		$t->leads($user{$how}, 4, notes => 'First %d');
		$t->drain($user{$how});
		$t->sql_as($user{$how}, "SELECT echosync_pause('$user{$how}{lofty}')");
		$t->leads($user{$how}, 4, notes => 'Second %d');
		$t->drain($user{$how});
	}
	for my $how (sort keys %user)
	{
		my $user = $user{$how};

		$how eq 'crash' ? $t->kill_worker : $t->node->restart;
		$t->sql_as($user, "SELECT echosync_resume('$user->{lofty}')");
		$t->leads($user, 8, notes => 'Third %d');
		$t->wait_for_requests($user, 'fub', 10, method => 'POST', path => '/v1/notes');
		$t->wait_for_requests($user, 'lofty', 10);
		$t->lead($other);
		$t->drain($other);
		is(refused($t->requests($user, $_)), 0, "$how: $LABEL{$_} refused no call") for qw(lofty fub);
		cmp_ok(most_in_window(60, $t->requests($user, 'lofty')), '<=', 10, 'Lofty: ten a minute');
		cmp_ok(most_in_window(10, $t->requests($user, 'fub', method => 'POST', path => '/v1/notes')), '<=', 10,
			'Follow Up Boss: ten notes in ten seconds');
		$t->sql_as($user, "SELECT echosync_disconnect('$user->{$_}')") for qw(lofty fub);
	}
});

$t->behaviour('nor where one context has been heard and another has not', sub {
	my $user = $t->user(fub => 1);

	# Eight of ten notes; after the start all leads come to their notes at once, and these are answered late.
	$t->leads($user, 8, notes => 'First %d');
	$t->drain($user);
	$t->node->restart;
	$t->fault_for($user, 'fub', { path => '/v1/notes' }, { type => 'delay', ms => 700 }, times => -1);
	$t->leads($user, 8, notes => 'Second %d');
	my @notes = $t->wait_for_requests($user, 'fub', 10, method => 'POST', path => '/v1/notes');
	$t->wait_until('the people are there', sub { $t->n_records($user, 'fub') == 16 });
	is(refused($t->requests($user, 'fub')), 0, 'no call was refused');
	$t->drain($user);
	is(scalar $t->notes_of($user, 'fub'), 16, 'in the end all notes are there');
	is(refused($t->requests($user, 'fub')), 0, 'and none was refused');
});

# What the 429 says => how it is to be read, in seconds from now.
my %told = (
	lofty => {
		'Retry-After in seconds' => sub { ('Retry-After' => '2') },
		'X-RateLimit-Reset as epoch seconds' => sub { ('X-RateLimit-Reset' => int(time) + 3) },
		'X-RateLimit-Reset as epoch milliseconds' => sub { ('X-RateLimit-Reset' => int(1000 * time) + 2500) },
		'X-RateLimit-Reset as milliseconds left' => sub { ('X-RateLimit-Reset' => 2500) },
		'X-RateLimit-Reset as seconds left' => sub { ('X-RateLimit-Reset' => 2) },
	},
	fub => {
		'Retry-After in seconds' => sub { ('Retry-After' => '2', 'X-RateLimit-Remaining' => '0') },
		'Retry-After while calls remain' => sub { ('Retry-After' => '2', 'X-RateLimit-Remaining' => '77', 'X-RateLimit-Context' => 'global') },
	});

$t->behaviour('Retry-After and X-RateLimit-Reset are honoured, and not overdone', sub {
	my @cases;

	for my $crm (sort keys %told)
	{
		for my $name (sort keys %{ $told{$crm} })
		{
			push @cases, { crm => $crm, name => $name, user => $t->user($crm => 1) };
		}
	}
	for my $case (@cases)
	{
		$t->fault_for($case->{user}, $case->{crm}, {}, { type => 'status', status => 429, headers => { $told{ $case->{crm} }{ $case->{name} }->() } });
		$t->lead($case->{user});
	}
	for my $case (@cases)
	{
		$t->wait_for_requests($case->{user}, $case->{crm}, 1, method => 'GET', path => $CREATE{ $case->{crm} });
		$t->lead($case->{user}) for 1 .. 2;      # wakes it, to no effect
	}
	for my $case (@cases)
	{
		$t->drain($case->{user});
		my $waited = wait_after_429($t->requests($case->{user}, $case->{crm}));
		cmp_ok($waited, '>=', 1.9, "$LABEL{$case->{crm}}, $case->{name}: waited");
		cmp_ok($waited, '<', 6, 'and not for longer than that');
	}
});

$t->behaviour('Retry-After as an HTTP date is honoured', sub {
	my $user = $t->user(lofty => 1, fub => 1);
	my $until = int(time) + 3;

	$t->fault_for($user, $_, {}, { type => 'status', status => 429,
		headers => { 'Retry-After' => strftime('%a, %d %b %Y %H:%M:%S GMT', gmtime $until) } }) for qw(lofty fub);
	$t->lead($user);
	$t->wait_until("$_ has told it to wait", sub { held_for($user, $_) ne '' }) for qw(lofty fub);
	$t->drain($user);
	for my $crm (qw(lofty fub))
	{
		my ($next) = grep { $_->{status} != 429 && $_->{path} eq $CREATE{$crm} } $t->requests($user, $crm);
		cmp_ok($next->{time}, '>=', $until, "$LABEL{$crm}: not before that time");
		cmp_ok($next->{time}, '<', $until + 3, 'and soon after it');
	}
});

$t->behaviour('without a time, or with one beyond reason, there is a wait all the same', sub {
	my %cases = (
		lofty => [ [ 'no time', {}, 50, 65 ], [ 'no number', { 'Retry-After' => 'soon' }, 50, 65 ],
			[ 'a day', { 'Retry-After' => '86400' }, 110, 3600 ], [ 'a reset in a year', { 'X-RateLimit-Reset' => int(time) + 31_536_000 }, 50, 130 ] ],
		fub => [ [ 'no time', {}, 5, 15 ], [ 'no number', { 'Retry-After' => 'soon' }, 5, 15 ], [ 'a day', { 'Retry-After' => '86400' }, 110, 3600 ],
			[ 'a negative number', { 'Retry-After' => '-5' }, 5, 15 ] ]);

	for my $crm (sort keys %cases)
	{
		for my $case (@{ $cases{$crm} })
		{
			my ($name, $headers, $least, $most) = @$case;
			my $user = $t->user($crm => 1);

			$t->fault_for($user, $crm, {}, { type => 'status', status => 429, headers => $headers });
			$t->lead($user);
			my $held = $t->wait_until('it is told to wait', sub { my $held = held_for($user, $crm); $held ne '' ? $held : undef });
			cmp_ok($held, '>', $least, "$LABEL{$crm}, $name: a wait");
			cmp_ok($held, '<', $most, 'of a sane length');
			is(scalar $t->dead_letters($user, $crm), 0, 'and no dead letter');
			$t->sql_as($user, "SELECT echosync_disconnect('$user->{$crm}')");
		}
	}
});

$t->behaviour('told to wait, nothing is sent, across restart and crash as well', sub {
	my @users = map { $t->user(lofty => 1, fub => 1) } 1 .. 2;

	for my $user (@users)
	{
		$t->fault_for($user, $_, {}, { type => 'status', status => 429, headers => { 'Retry-After' => '5' } }) for qw(lofty fub);
		$t->lead($user);
	}
	for my $user (@users)
	{
		$t->wait_until("$_ has said to wait", sub { held_for($user, $_) ne '' }) for qw(lofty fub);
	}
	$t->node->restart;
	$t->lead($_) for @users;
	$t->crash_server;
	$t->lead($_) for @users;
	$t->drain($_) for @users;
	for my $user (@users)
	{
		for my $crm (qw(lofty fub))
		{
			cmp_ok(wait_after_429($t->requests($user, $crm)), '>=', 4.9, "$user->{id}, $LABEL{$crm}: waited");
			is_deeply($t->tally($user, $crm), $t->all_once(3), 'and then all were sent');
		}
	}
});

$t->behaviour('a storm of 429 on notes holds the people up no longer than it has to', sub {
	my $user = $t->user(fub => 1);

	$t->knob('fub', 'waiting_grace_ms', 300);      # others may be on their way
	$t->fault_for($user, 'fub', { path => '/v1/notes' }, { type => 'status', status => 429, headers => { 'Retry-After' => '1' } }, times => 5);
	my @noted = $t->leads($user, 2, notes => 'Note %d');
	my @plain = $t->leads($user, 10);
	$t->wait_until('all people are there', sub { $t->n_records($user, 'fub') == 12 }, 15);
	$t->drain($user);
	is_deeply($t->tally($user, 'fub'), $t->all_once(12), 'each once');
	is(scalar $t->notes_of($user, 'fub'), 2, 'and in the end the notes');
	is(scalar $t->dead_letters($user, 'fub'), 0, 'no dead letter');
});

$t->behaviour('who connects or tests does not break the limit', sub {
	my $user = $t->user(lofty => 1);

	# The call of connect, and nine more; the key is not to be in the log.
	$t->leads($user, 6);
	$t->wait_until('the minute is used up', sub { $t->requests($user, 'lofty') >= 9 });
	for my $sql ("SELECT * FROM echosync_test_connection('$user->{lofty}')", "SELECT echosync_connect('lofty', '$user->{keys}{lofty}')")
	{
		$t->error("SET log_min_error_statement = panic; SET echosync.user_id = '$user->{id}'; SET statement_timeout = '500ms'; $sql") for 1 .. 3;
	}
	is(refused($t->requests($user, 'lofty')), 0, 'no call was refused');
	cmp_ok(most_in_window(60, $t->requests($user, 'lofty')), '<=', 10, 'ten a minute');
	$t->sql_as($user, "SELECT echosync_disconnect('$user->{lofty}')");
});

$t->behaviour('Lofty: ten calls a minute, all the while', sub {
	my @calls = $t->requests($patient, 'lofty');

	cmp_ok($calls[-1]{time} - $calls[0]{time}, '<', 200, sprintf '%d calls in %d s', scalar @calls, $calls[-1]{time} - $calls[0]{time});
	is(refused(@calls), 0, 'none was refused');
	cmp_ok(most_in_window(60, @calls), '<=', 10, 'never more than ten in a minute');
	cmp_ok(scalar @calls, '>=', 9, 'and no fewer than there may be');
	$t->sql_as($patient, "SELECT echosync_disconnect('$patient->{lofty}')");
});

$t->behaviour('limits follow what the CRM says of them', sub {
	my $fast = $t->user(lofty => 1, fub => 1);
	my $slow = $t->user(fub => 1);
	my $other = $t->user(fub => 1);

	$t->knob('lofty', 'rate_limit', 200);
	$t->knob('fub', 'notes_limit', 60);
	my $began = time;
	$t->leads($fast, 25, notes => 'Note %d');
	$t->drain($fast);
	cmp_ok(time - $began, '<', 10, 'raised: 50 calls to Lofty and 25 notes to Follow Up Boss in less than 10 s');
	is(refused($t->requests($fast, $_)), 0, "$LABEL{$_} refused none") for qw(lofty fub);

	# 30 calls in 10 s where we had thought of 250
	$t->knob('fub', 'notes_limit');
	$t->knob('fub', 'global_limit', 30);
	$t->control('POST', '/reset', { only => ['rates'] });       # the call of connect
	my $mark = $t->mark;
	$t->leads($slow, 20);
	$t->wait_for_requests($slow, 'fub', 24, since => $mark);
	$t->wait_until('it waits', sub { time - ($t->requests($slow, 'fub', since => $mark))[-1]{time} > 1.2 });
	$t->reload;
	$t->lead($other);
	$t->drain($other);
	my @calls = $t->requests($slow, 'fub', since => $mark);
	is(refused(@calls), 0, 'lowered: none refused either, nor after a reload');
	cmp_ok(scalar @calls, '<=', 30, 'no more than it said');
	cmp_ok($t->queued($slow), '>', 0, 'the rest waits');
	$t->sql_as($slow, "SELECT echosync_disconnect('$slow->{fub}')");
});

$t->done;
