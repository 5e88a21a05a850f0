# The launcher: a worker that it has started late, or that more databases ask
# for than it can be told of, is where it is wanted and nowhere else.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use Test::More;
use Time::HiRes qw(time);

use constant {
	NAMED => 64,            # databases that can ask for a worker by name at a time
	LATE => 8,              # seconds; a launcher that was ended comes back after five
};

my $t = EchosyncFaults->start(conf => <<'CONF');
echosync.uncertain_wait = '300ms'
echosync.databases = 'postgres, other, young'
CONF

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

# A signal, and all that it was told until then is there when it goes on.
sub while_launcher_stands_still
{
	my ($code) = @_;
	my $pid = $t->sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'echosync launcher'");

	kill 'STOP', $pid;
	my $done = eval { $code->(); 1 };
	my $error = $@;
	kill 'CONT', $pid;
	die $error unless $done;
	return;
}

$t->behaviour('more databases ask for workers at once than can be named: all get theirs', sub {
	my $young = $t->in_database('young');
	my @fillers = map { "filler_$_" } 1 .. NAMED;

	# That ask, and where there is nothing to do.
	$t->sql('CREATE DATABASE filler');
	$t->in_database('filler')->sql(q(CREATE FUNCTION ask(uuid) RETURNS void LANGUAGE c AS '$libdir/echosync', 'echosync_wake'));
	$t->sql(join '', map { "CREATE DATABASE $_ TEMPLATE filler STRATEGY file_copy;\n" } @fillers);

	# One of which the launcher knows that there is nothing to do.
	$t->sql("CREATE DATABASE young ENCODING 'UTF8' TEMPLATE filler");
	$young->sql('CREATE EXTENSION echosync');
	$young->wait_for_worker;
	$young->sql($_) for 'DROP EXTENSION echosync', 'SELECT ask(NULL)';
	$t->wait_for_sql("SELECT count(*) FROM echosync_workers WHERE database = 'young'", '0');
	while_launcher_stands_still(sub {
		$t->sql(join '', map { "\\connect $_\nSELECT ask(NULL);\n" } @fillers);
		$young->sql('CREATE EXTENSION echosync');
	});
	my $began = time;
	ok(eval { $young->wait_for_worker(10) }, 'whose extension was created when no more could be named has a worker');
	cmp_ok(time - $began, '<', 5, 'within 5 s');
});

$t->done;
