# Long outages, storms of 429, a resolver that hangs, and replies that kill
# whoever reads them: they cost those whom they hit, and nobody else.
#
# The server runs with a small library that is loaded before all others, made
# here.  It resolves names under slow.test after half a minute, and kills the
# process that decrypts a certain text, or leaves it without memory for more.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use FaultScenarios;
use Test::More;
use Time::HiRes qw(time);

use constant { DEADLY => 'whoever-reads-this-dies', LARGE => 'whoever-reads-this-is-short-of-memory' };

my $LIBRARY = <<'C';
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

typedef int (*Resolve) (const char *, const char *, const struct addrinfo *, struct addrinfo **);
typedef int (*Read) (void *, void *, int);

int
getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
	size_t		len = node ? strlen(node) : 0;

	if (len > 10 && strcmp(node + len - 10, ".slow.test") == 0)
	{
		sleep(30);
		return EAI_AGAIN;
	}
	return ((Resolve) dlsym(RTLD_NEXT, "getaddrinfo")) (node, service, hints, result);
}

extern void *__libc_malloc(size_t size);

static int	is_short = 0;

void *
malloc(size_t size)
{
	if (!is_short || size < 1024 * 1024)
		return __libc_malloc(size);
	errno = ENOMEM;
	return NULL;
}

int
SSL_read(void *ssl, void *data, int size)
{
	static const char deadly[] = DEADLY;
	static const char large[] = LARGE;
	int			n = ((Read) dlsym(RTLD_NEXT, "SSL_read")) (ssl, data, size);

	if (n > 0 && memmem(data, n, deadly, sizeof(deadly) - 1))
		kill(getpid(), SIGKILL);
	if (n > 0 && memmem(data, n, large, sizeof(large) - 1))
		is_short = 1;
	return n;
}
C

sub build_library
{
	my $dir = PostgreSQL::Test::Utils::tempdir();

	PostgreSQL::Test::Utils::append_to_file("$dir/preloaded.c", $LIBRARY);
	PostgreSQL::Test::Utils::system_or_bail('gcc', '-shared', '-fPIC', '-O1', '-o', "$dir/preloaded.so",
		'-DDEADLY="' . DEADLY . '"', '-DLARGE="' . LARGE . '"', "$dir/preloaded.c", '-ldl');
	return "$dir/preloaded.so";
}

my $t = EchosyncFaults->start(conf => <<'CONF');
echosync.uncertain_wait = '300ms'
echosync.request_timeout = '5s'
CONF

my %LABEL = (lofty => 'Lofty', fub => 'Follow Up Boss');
my $preloaded = build_library();

# Programs that the test itself starts do without.
sub start_with_library
{
	local $ENV{LD_PRELOAD} = $preloaded;

	return $t->node->start;
}

$t->node->stop;
start_with_library();

sub failures_of { return $t->sql("SELECT consecutive_failures FROM crm_integrations WHERE id = '$_[0]{$_[1]}'") }

sub threads
{
	my ($pid) = @_;

	return PostgreSQL::Test::Utils::slurp_file("/proc/$pid/status") =~ /^Threads:\s+(\d+)/m ? $1 : 0;
}

$t->behaviour('a resolver that hangs for one host holds up no other, nor the end of the worker', sub {
	my @users = map { $t->user(lofty => 1) } 1 .. 6;
	my $fine = $t->user(fub => 1);
	my $pid = $t->wait_for_worker;

	$t->configure('echosync.lofty_api_url' => 'https://crm.slow.test/v1.0', 'echosync.connect_timeout' => '1s');
	$t->lead($_) for @users;
	$t->wait_until('threads look the name up', sub { threads($pid) > 1 });

	# While lookups are under way, and while they are given up.
	my ($n, $slowest) = (0, 0);
	while (failures_of($users[0], 'lofty') < 3)
	{
		my $began = time;

		$n++;
		$t->lead($fine);
		$t->wait_until('Follow Up Boss has the lead', sub { $t->n_records($fine, 'fub') == $n });
		$slowest = time - $began if time - $began > $slowest;
	}
	cmp_ok($slowest, '<', 5, "$n leads of the other CRM are sent at once, one by one");
	cmp_ok($n, '>', 2, 'meanwhile');
	is(scalar $t->dead_letters($_, 'lofty'), 0, 'no lead pays for it') for @users;

	# A probe of each connection begins one, and no more.
	my $probes = $t->sql('SELECT sum(consecutive_failures) FROM crm_integrations WHERE crm_type = \'lofty\'');
	cmp_ok(threads($pid), '<=', 1 + $probes + @users, "no more than one lookup for each of $probes probes");

	my $began = time;
	$t->sql("SELECT pg_terminate_backend($pid)");
	$t->wait_until('the worker has ended', sub { !kill 0, $pid });
	cmp_ok(time - $began, '<', 3, 'SIGTERM is obeyed at once, with lookups under way');
	$pid = $t->wait_for_worker;
	$t->wait_until('threads look the name up again', sub { threads($pid) > 1 });
	$began = time;
	$t->node->stop('fast');
	cmp_ok(time - $began, '<', 5, 'so is the stop of the server');
	start_with_library();
	$t->configure('echosync.lofty_api_url' => $t->lofty_url);
	$t->deconfigure('echosync.connect_timeout');
	$t->drain($_) for @users;
	is_deeply($t->tally($_, 'lofty'), $t->all_once(1), "$_->{id}: in the end it is there, once") for @users;
});

$t->behaviour('a reply that kills the worker three times makes its lead a dead letter, and no other', sub {
	my @users = map { $t->user(lofty => 1, fub => 1) } 1 .. 5;
	my $phone = $t->new_phone;
	my $log = length $t->log_text;

	$t->fault_for($users[0], 'fub', { query_contains => $phone }, { type => 'status', status => 200, body => { people => [], _metadata => DEADLY } }, times => -1);
	$t->knob($_, 'latency_ms', 20) for qw(lofty fub);      # so that others are under way with it
	$t->sql_as(undef, 'INSERT INTO leads (user_id, phone, first_name, risk_score) VALUES ' . join ', ', map { "('$_->[0]{id}', '$_->[1]', 'Lead', 1)" }
		  [ $users[0], $phone ], map { my $user = $_; map { [ $user, $t->new_phone ] } 1 .. 10 } @users);
	$t->{crashes} += 3;
	$t->wait_until('the lead is given up', sub { $t->try_sql("SELECT lead_id FROM echosync_dead_letters WHERE integration_id = '$users[0]{fub}'") });
	$t->drain($_) for @users;
	is(scalar(() = substr($t->log_text, $log) =~ /was terminated by signal 9/g), 3, 'three workers were killed, and no fourth');
	my @dead = $t->rows('SELECT * FROM echosync_dead_letters');
	is(scalar @dead, 1, 'one dead letter');
	is("$dead[0]{integration_id} $dead[0]{error_code}", "$users[0]{fub} worker_crashed", 'of the connection whose reply it was');
	for my $user (@users)
	{
		my $leads = $user == $users[0] ? 11 : 10;

		is_deeply($t->tally($user, 'lofty'), $t->all_once($leads), "$user->{id}, Lofty: all are there once");
		is_deeply($t->tally($user, 'fub'), { leads => $leads, once => 10, lost => $leads - 10, doubled => 0 }, 'Follow Up Boss: all others are there once');
	}
	$t->clear_faults;
	$t->sql_as($users[0], "SELECT echosync_retry_failed('$users[0]{fub}')");
	$t->drain($users[0]);
	is_deeply($t->tally($users[0], 'fub'), $t->all_once(11), 'when the reply is another, it is sent as well');
});

# An error where there is no transaction to take back.  (A sanitizer has a malloc
# of its own.)
$ENV{SANITIZE} or $t->behaviour('so does one over which the worker runs out of memory three times', sub {
	my ($user, $other) = map { $t->user(fub => 1) } 1 .. 2;
	my $phone = $t->new_phone;
	my $log = length $t->log_text;
	my $tries = sub { scalar grep { $_->{query} =~ /$phone/ } $t->requests($user, 'fub') };

	$t->fault_for($user, 'fub', { query_contains => $phone }, { type => 'status', status => 200,
		body => { people => [], _metadata => [ ('x' x 1_500_000) . LARGE ] } }, times => -1);
	my $deadly = $t->lead($user, phone => $phone);
	my @behind = map { $t->lead($user) } 1 .. 3;
	$t->lead($other);
	my ($dead) = $t->wait_until('the lead is given up', sub { ($t->dead_letters($user, 'fub'))[0] }, 30);
	is("$dead->{lead_id} $dead->{error_code}", "$deadly worker_crashed", 'the dead letter is the lead, and says why');
	is(scalar(() = substr($t->log_text, $log) =~ /ERROR:  out of memory/g), 3, 'three workers were short of memory, and no fourth');
	is($tries->(), 3, 'the CRM was asked for it three times');
	$t->drain($_) for $user, $other;
	is(scalar $t->dead_letters($user, 'fub'), 1, 'it is the only one');
	is($t->n_records($user, 'fub'), scalar @behind, 'the leads behind it have arrived');
	is_deeply($t->tally($other, 'fub'), $t->all_once(1), "so has another tenant's");
});

# Of each CRM one account is down, one is refused, and all others are there; then
# the CRMs as such are away.  Long is what outlasts all retries of a lead, and
# the probes that pause a connection.
$t->behaviour('an outage that outlasts every retry leaves no dead letter, and what waited drains by itself', sub {
	my %user = map { ($_ => $t->user(lofty => 1, fub => $_ eq 'down' ? { delivery => 'events' } : 1)) } qw(down storm fine);
	my $url = sub { $t->bad_url($_[0], $t->{ports}{ $_[1] }) };
	my $wait_for_probes = sub {
		my ($n, @users) = @_;

		for my $user (@users)
		{
			$t->wait_until("$_ has been probed $n times", sub { failures_of($user, $_) >= $n }) for qw(lofty fub);
		}
	};

	$t->configure('echosync.pause_after_failures' => 2, 'echosync.max_retries' => 1);
	$t->knob($_, 'waiting_grace_ms', 200) for qw(lofty fub);
	for my $scenario (scenarios('lasting'))
	{
		order_fault($t, $user{ $scenario->{name} }, $_, $scenario) for qw(lofty fub);
	}
	$t->leads($user{$_}, 5, notes => 'Note %d') for qw(down storm);
	for my $n (1 .. 2)
	{
		$wait_for_probes->($n, $user{down});
		my $began = time;
		$t->lead($user{fine}, notes => "Note $n");
		$t->drain($user{fine});
		cmp_ok(time - $began, '<', 5, "another tenant's lead is sent at once, $n");
		$t->leads($user{$_}, 5, notes => 'Note %d') for qw(down storm);
	}
	is($t->status_of($user{down}, $_), 'paused crm_unreachable', "$LABEL{$_}, 503: paused") for qw(lofty fub);
	is($t->status_of($user{storm}, $_), 'active', "$LABEL{$_}, 429: active") for qw(lofty fub);
	$t->wait_for_sql('SELECT rate_limited >= 10 FROM echosync_workers');     # one at a time, a second apart
	$t->clear_faults;
	$t->drain($user{storm});
	$t->wait_until('the outage is found to be over', sub { !$t->queued($user{down}) });

	# Names that do not resolve, then certificates that are no good.
	for my $away ([ 'https://no-such-host.invalid/v1.0', $url->('fub', 'expired') ], [ $url->('lofty', 'wrong_name'), 'https://no-such-host.invalid/v1' ])
	{
		$t->configure('echosync.lofty_api_url' => $away->[0], 'echosync.followupboss_api_url' => $away->[1]);
		$t->leads($user{$_}, 5, notes => 'Note %d') for qw(down storm);
		$wait_for_probes->(2, @user{qw(down storm)});
		is($t->status_of($user{down}, $_), 'paused crm_unreachable', "$LABEL{$_}, away: paused") for qw(lofty fub);
		$t->configure('echosync.lofty_api_url' => $t->lofty_url, 'echosync.followupboss_api_url' => $t->fub_url);
		$t->wait_until('it is over', sub { !$t->queued($user{$_}) }) for qw(down storm);
	}
	my %total = (leads => 0, once => 0, lost => 0, doubled => 0);
	for my $name (sort keys %user)
	{
		for my $crm (qw(lofty fub))
		{
			my @records = $t->records($user{$name}, $crm);
			my $tally = $t->tally($user{$name}, $crm, @records);
			my $leads = $name eq 'fine' ? 2 : 25;

			is_deeply($tally, $t->all_once($leads), "$name, $LABEL{$crm}: each lead once");
			is(scalar $t->told_on(@records), $leads, 'each note once, or each event');
			is(scalar $t->dead_letters($user{$name}, $crm), 0, 'no dead letter');
			$t->wait_until('it is active', sub { $t->status_of($user{$name}, $crm) eq 'active' });
			is_deeply([ grep { $_->{status} eq 'failed' } $t->logs($user{$name}, crm => $crm) ], [], 'no lead paid for it');
			$total{$_} += $tally->{$_} for keys %total;
		}
	}
	diag sprintf '%d leads to be sent, %d sent once, %d lost, %d doubled', @total{qw(leads once lost doubled)};
	$t->deconfigure('echosync.pause_after_failures', 'echosync.max_retries');
});

$t->done;
