# A clock for a server that a test can move: by a small library that is loaded
# before all others, made here.
#
#   my $clock = MovedClock->new;
#   $clock->start($t->node);        # starts the server anew, under this clock
#   $clock->ahead(3600);            # the wall clock is wrong by so much
#   $clock->ahead(0);               # and has been put right
#   $clock->pass(50);               # so much time passes, on every clock
#
# Sleeps are as long as they are: who sleeps sees what has passed when woken.
package MovedClock;

use strict;
use warnings;

use PostgreSQL::Test::Utils ();

my $LIBRARY = <<'C';
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

typedef struct Moved
{
	volatile int64_t ahead;		/* of the wall clock only */
	volatile int64_t passed;	/* of all clocks */
} Moved;

static const Moved *
moved(void)
{
	static const Moved nothing = {0, 0};
	static const Moved *found = NULL;
	const char *file;
	void	   *map;
	int			fd;

	if (found != NULL)
		return found;
	file = getenv("ECHOSYNC_TEST_CLOCK");
	fd = file ? open(file, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return &nothing;
	map = mmap(NULL, sizeof(Moved), PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (map == MAP_FAILED)
		return &nothing;
	return found = map;
}

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	int			result = syscall(SYS_clock_gettime, id, ts);

	if (result != 0)
		return result;
	if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)
		ts->tv_sec += moved()->ahead + moved()->passed;
	else if (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_RAW || id == CLOCK_MONOTONIC_COARSE || id == CLOCK_BOOTTIME)
		ts->tv_sec += moved()->passed;
	return 0;
}

int
gettimeofday(struct timeval *tv, void *zone)
{
	struct timespec ts;

	(void) zone;
	clock_gettime(CLOCK_REALTIME, &ts);
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return 0;
}

time_t
time(time_t *seconds)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (seconds != NULL)
		*seconds = ts.tv_sec;
	return ts.tv_sec;
}
C

sub new
{
	my ($class) = @_;
	my $dir = PostgreSQL::Test::Utils::tempdir();
	my $self = bless { library => "$dir/clock.so", file => "$dir/clock", ahead => 0, passed => 0 }, $class;

	PostgreSQL::Test::Utils::append_to_file("$dir/clock.c", $LIBRARY);
	PostgreSQL::Test::Utils::system_or_bail('gcc', '-shared', '-fPIC', '-O1', '-o', $self->{library}, "$dir/clock.c");
	PostgreSQL::Test::Utils::append_to_file($self->{file}, pack 'q2', 0, 0);
	return $self;
}

# Programs that the test itself starts have the clock that everybody has.
sub start
{
	my ($self, $node) = @_;
	local $ENV{LD_PRELOAD} = $self->{library};
	local $ENV{ECHOSYNC_TEST_CLOCK} = $self->{file};

	$node->stop;
	return $node->start;
}

sub _write
{
	my ($self) = @_;

	open my $out, '+<', $self->{file} or die "could not write the clock: $!";
	binmode $out;
	syswrite $out, pack('q2', @$self{qw(ahead passed)});
	close $out;
	return;
}

sub ahead
{
	my ($self, $seconds) = @_;

	$self->{ahead} = $seconds;
	return $self->_write;
}

sub pass
{
	my ($self, $seconds) = @_;

	$self->{passed} += $seconds;
	return $self->_write;
}

1;
