# Workers that start late, that many databases ask for at once, and that end by
# an error: each database has its own, and no lead ends one for ever.
#
# The server runs with a small library that is loaded before all others, made
# here.  Whoever has decrypted a certain text is short of memory from then on.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use Test::More;
use Time::HiRes qw(time);

use constant {
	TOO_MUCH => 'whoever-reads-this-is-short-of-memory',
	NAMED => 64,            # databases that can ask for a worker by name at a time
	LATE => 8,              # seconds; a launcher that was ended comes back after five
};

my $LIBRARY = <<'C';
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

typedef int (*Read) (void *, void *, int);

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
	static const char text[] = TOO_MUCH;
	int			n = ((Read) dlsym(RTLD_NEXT, "SSL_read")) (ssl, data, size);

	if (n > 0 && memmem(data, n, text, sizeof(text) - 1))
		is_short = 1;
	return n;
}
C

sub build_library
{
	my $dir = PostgreSQL::Test::Utils::tempdir();

	PostgreSQL::Test::Utils::append_to_file("$dir/preloaded.c", $LIBRARY);
	PostgreSQL::Test::Utils::system_or_bail('gcc', '-shared', '-fPIC', '-O1', '-o', "$dir/preloaded.so", '-DTOO_MUCH="' . TOO_MUCH . '"', "$dir/preloaded.c", '-ldl');
	return "$dir/preloaded.so";
}

my $t = EchosyncFaults->start(conf => <<'CONF');
echosync.uncertain_wait = '300ms'
CONF

my $preloaded = build_library();

# Programs that the test itself starts do without.
sub start_with_library
{
	local $ENV{LD_PRELOAD} = $preloaded;

	return $t->node->start;
}

$t->node->stop;
start_with_library();
$t->wait_for_worker;

# Processes of the server that call themselves so, whether or not they have got
# as far as to be seen in a view.
sub processes
{
	my ($name) = @_;
	my ($server) = split /\n/, PostgreSQL::Test::Utils::slurp_file($t->node->data_dir . '/postmaster.pid');

	return grep { is_child($_, $server, $name) } map { m{(\d+)$} } glob '/proc/[0-9]*';
}

# It may end while it is looked at.
sub is_child
{
	my ($pid, $parent, $name) = @_;
	my %text;

	for my $file (qw(stat cmdline))
	{
		open my $in, '<', "/proc/$pid/$file" or return 0;
		$text{$file} = readline $in;
		return 0 unless defined $text{$file};
	}
	return $text{stat} =~ /^\d+ \(.*\) \S $parent / && index($text{cmdline}, $name) >= 0;
}

# The launcher is replaced while a worker that it has started is on its way.
# Meanwhile the worker's place has become another's.
$t->behaviour('a worker that comes late takes no place that is another\'s by now', sub {
	my $other = $t->new_database('other');
	my $user = $other->user(lofty => 1, fub => 1);
	my $session = $t->session;

	$t->configure('echosync.databases' => 'postgres');
	$t->wait_until('there is one worker', sub { processes('echosync worker') == 1 });
	my ($former) = processes('echosync worker');

	# Who starts from now on takes long.
	my $read_at = $session->query_safe('SELECT pg_conf_load_time()');
	$session->query_safe($_) for "ALTER SYSTEM SET post_auth_delay = '" . LATE . "s'", 'SELECT pg_reload_conf()';
	$t->wait_until('the configuration is reloaded', sub { $session->query_safe('SELECT pg_conf_load_time()') ne $read_at });
	$session->query_safe("SELECT pg_terminate_backend($former)");
	my ($late) = @{ $t->wait_until('another is started', sub {
		my @now = grep { $_ != $former } processes('echosync worker 0 for database postgres');
		return @now ? \@now : undef }) };
	$session->query_safe($_) for "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'echosync launcher'",
	  'ALTER SYSTEM RESET post_auth_delay', "ALTER SYSTEM SET echosync.databases = 'other'", 'SELECT pg_reload_conf()';
	$session->quit;

	my $own = $other->wait_for_worker;
	ok(kill(0, $late), 'the next launcher has given the place to another database, and the worker has still not come');
	eval { $t->wait_until('it has come, and gone', sub { !kill 0, $late }, LATE + 5) } or fail('the late one ends');
	is($t->sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'echosync worker'"), '1', 'there is one worker');
	$t->knob($_, 'latency_ms', 20) for qw(lofty fub);
	$other->leads($user, 10);
	$other->drain($user);
	is_deeply($other->tally($user, $_), $t->all_once(10), "$_: each lead is there once") for qw(lofty fub);
	is(($other->worker_pids)[0], $own, 'by the one that has been there since');
	$t->deconfigure('echosync.databases');
	$t->wait_for_worker;
	$t->sql('DROP DATABASE other WITH (FORCE)');
});

$t->done;
