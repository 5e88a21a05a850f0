# The files of doc/monitoring, with Debian's exporters and Debian's Prometheus:
# scraped, every series there, and an alert that fires.
#
# The programs are fetched and unpacked for this test alone (script/packages.sh
# --unpack); nothing is installed, and all that runs listens on the loopback.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use HTTP::Tiny;
use IO::Socket::INET;
use IPC::Run;
use JSON::PP ();
use PostgreSQL::Test::Utils ();
use Test::More;

my $ROOT = "$FindBin::RealBin/../..";
my $DOC = "$ROOT/doc/monitoring";
my $dir = PostgreSQL::Test::Utils::tempdir_short();
my @children;

END { my $status = $?; stop_children(); $? = $status; }

sub stop_children
{
	kill 'TERM', $_ for @children;
	waitpid $_, 0 for @children;
	@children = ();
	return;
}

sub free_port
{
	my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Proto => 'tcp', Listen => 1)
	  or die "no free port: $!\n";

	return $socket->sockport;
}

my %bin;

# Runs until the end of the test; its output is beside the server's log.
sub start_program
{
	my ($name, $env, @arguments) = @_;
	my $pid = fork;

	die "fork: $!\n" unless defined $pid;
	if (!$pid)
	{
		%ENV = (%ENV, %$env);
		open STDIN, '<', '/dev/null';
		open STDOUT, '>', "$PostgreSQL::Test::Utils::log_path/$name.log";
		open STDERR, '>&', \*STDOUT;
		exec $bin{$name}, @arguments or exit 127;
	}
	push @children, $pid;
	return;
}

# A file of doc/monitoring with some words replaced; each must be there.
sub configured
{
	my ($file, @changes) = @_;
	my $text = PostgreSQL::Test::Utils::slurp_file("$DOC/$file");

	while (my ($from, $to) = splice @changes, 0, 2)
	{
		$text =~ s/\Q$from\E/$to/g or die "$file has no \"$from\"\n";
	}
	PostgreSQL::Test::Utils::append_to_file("$dir/$file", $text);
	return "$dir/$file";
}

sub get
{
	my ($port, $path) = @_;

	return HTTP::Tiny->new(timeout => 10)->get("http://127.0.0.1:$port$path");
}

my $prometheus_port;

sub api
{
	my ($path) = @_;
	my $reply = get($prometheus_port, "/api/v1/$path");

	return unless $reply->{status} =~ /^[24]00$/ && $reply->{content} =~ /^\{/;
	return JSON::PP->new->decode($reply->{content});
}

# The series that an expression gives: rows of {labels, value}.
sub query
{
	my ($expression) = @_;
	my $answer = api('query?query=' . ($expression =~ s/([^A-Za-z0-9_.~-])/sprintf '%%%02X', ord $1/ger));

	return unless $answer;
	die "Prometheus does not take $expression: $answer->{error}\n" unless $answer->{status} eq 'success';
	return map { { labels => $_->{metric}, value => $_->{value}[1] } } @{ $answer->{data}{result} };
}

sub firing
{
	my $answer = api('alerts') or return;

	return map { $_->{labels}{alertname} } grep { $_->{state} eq 'firing' } @{ $answer->{data}{alerts} };
}

sub promtool
{
	my (@arguments) = @_;
	my $out = '';
	my $ok = IPC::Run::run([ $bin{promtool}, @arguments ], '>&', \$out);

	return ok($ok, "promtool @arguments[0, 1]") || diag $out;
}

my $t = EchosyncFaults->start;
my $user = $t->user(lofty => 1, fub => 1);

$t->behaviour('the programs are there', sub {
	is(system("$ROOT/script/packages.sh", '--unpack', $dir), 0, 'fetched and unpacked');
	%bin = map { $_ => "$dir/tree/usr/bin/$_" } qw(prometheus promtool prometheus-sql-exporter prometheus-postgres-exporter);
	ok(-x $bin{$_}, $_) for sort keys %bin;
});

$t->behaviour('the exporters and Prometheus take our files', sub {
	my ($sql_port, $postgres_port) = (free_port(), free_port());
	my ($host, $port) = ($t->node->host, $t->node->port);

	$prometheus_port = free_port();
	# As doc/monitoring/README.md says.
	$t->sql('CREATE ROLE exporter LOGIN IN ROLE pg_monitor');
	start_program('prometheus-sql-exporter', {},
		'-config.file', configured('sql_exporter.yml', "interval: '15s'" => "interval: '1s'",
			'postgres://exporter@/app?host=/var/run/postgresql&sslmode=disable' => "postgres://exporter\@/postgres?host=$host&port=$port&sslmode=disable"),
		'-web.listen-address', "127.0.0.1:$sql_port");
	start_program('prometheus-postgres-exporter', { DATA_SOURCE_NAME => "user=exporter host=$host port=$port dbname=postgres sslmode=disable" },
		'--extend.query-path', configured('postgres_exporter.yml'), '--web.listen-address', "127.0.0.1:$postgres_port");
	my $rules = configured('echosync_rules.yml');
	my $config = configured('prometheus.yml', 'localhost:9237' => "127.0.0.1:$sql_port", 'localhost:9187' => "127.0.0.1:$postgres_port",
		'scrape_interval: 15s' => 'scrape_interval: 1s', 'evaluation_interval: 15s' => 'evaluation_interval: 1s');

	promtool('check', 'config', $config);
	promtool('check', 'rules', $rules);
	PostgreSQL::Test::Utils::append_to_file("$dir/tests.yml", PostgreSQL::Test::Utils::slurp_file("$FindBin::RealBin/../monitoring/rules_test.yml"));
	promtool('test', 'rules', "$dir/tests.yml");

	# What takes minutes to be sure of takes none here.
	my $text = PostgreSQL::Test::Utils::slurp_file($rules);
	$text =~ s/for: \d+m/for: 0s/g;
	unlink $rules;
	PostgreSQL::Test::Utils::append_to_file($rules, $text);
	start_program('prometheus', {}, "--config.file=$config", "--storage.tsdb.path=$dir/data",
		"--web.listen-address=127.0.0.1:$prometheus_port", '--log.level=warn');
	$t->wait_until('both jobs are scraped', sub {
		my @up = eval { query('echosync_worker_up') };
		return @up == 2 && !grep { $_->{value} != 1 } @up;
	});
	pass('both jobs have the series of the worker');
});

$t->behaviour('every number of echosync_metrics is a series, by either exporter', sub {
	$t->lead($user);
	$t->drain($user);
	my @names = map { $_->{name} } $t->rows('SELECT DISTINCT name FROM echosync_metrics ORDER BY 1');

	cmp_ok(scalar @names, '>', 15, 'there are many');
	for my $job (qw(sql_exporter postgres_exporter))
	{
		$t->wait_until("$job has them all", sub {
			my %seen = map { $_->{labels}{__name__} => 1 } query("{job=\"$job\", __name__=~\"echosync_.*\"}");
			return !grep { !$seen{$_} } @names;
		});
		$t->wait_until("$job has their values", sub {
			my ($synced) = query("echosync_synced_total{job=\"$job\"}");
			return $synced && $synced->{value} == 2;
		});
		my ($row) = query("echosync_connections{job=\"$job\", crm=\"lofty\"}");
		is_deeply([ sort keys %{ $row->{labels} } ],
			[ sort qw(__name__ crm instance job status), $job eq 'sql_exporter' ? 'database' : 'server' ],
			"$job: the labels are the metric's own, and where it comes from");
		my ($count) = query("echosync_crm_answer_seconds_bucket{job=\"$job\", crm=\"lofty\", le=\"+Inf\"} - ignoring(le) echosync_crm_answer_seconds_count{job=\"$job\"}");
		is($count->{value}, 0, "$job: a histogram is one to Prometheus");
	}
});

$t->behaviour('the dashboard asks for what is there', sub {
	my $dashboard = JSON::PP->new->decode(PostgreSQL::Test::Utils::slurp_file("$DOC/grafana.json"));
	my @empty;

	for my $panel (@{ $dashboard->{panels} })
	{
		for my $target (@{ $panel->{targets} })
		{
			my $expression = $target->{expr} =~ s/\$job/.*/gr =~ s/\[5m\]/[30s]/gr;
			my $found = $t->wait_until("\"$panel->{title}\" has something", sub {
				return 1 if query($expression);
				return $panel->{title} =~ /^Clock/;
			});
			push @empty, $panel->{title} unless $found;
		}
	}
	is("@empty", '', 'every panel has something to show');
});

$t->behaviour('no alert fires while all is well; one does when the worker is stopped', sub {
	my %known = map { $_ => 1 } qw(EchosyncWorkerNotProgressing EchosyncLeadsWait EchosyncConnectionsStopped EchosyncDeadLetters EchosyncTokenNearDeath EchosyncNotMonitored);
	my @rules = map { @{ $_->{rules} } } @{ api('rules')->{data}{groups} };

	is_deeply([ sort map { $_->{name} } @rules ], [ sort keys %known ], 'the rules are loaded');
	$t->wait_until('they have been evaluated', sub { !grep { $_->{health} ne 'ok' } map { @{ $_->{rules} } } @{ api('rules')->{data}{groups} } });
	is(join(' ', firing()), '', 'and none fires');

	my $pid = $t->wait_for_worker;
	$t->configure('echosync.databases' => 'elsewhere');
	$t->sql("SELECT pg_terminate_backend($pid)");
	$t->wait_until('the alert fires', sub { grep { $_ eq 'EchosyncWorkerNotProgressing' } firing() });
	pass('the worker is gone: EchosyncWorkerNotProgressing fires');
	$t->sql_as($user, "SELECT echosync_pause('$user->{fub}')");
	$t->lead($user);
	$t->sql("UPDATE crm_sync_queue SET queued_at = now() - interval '1 hour'");
	$t->sql("INSERT INTO crm_dead_letters (integration_id, lead_id, user_id, queued_at, attempts) VALUES ('$user->{lofty}', 'x', '$user->{id}', now(), 4)");
	$t->sql("UPDATE crm_credentials SET expires_at = now(), updated_at = now() - interval '80 days' WHERE integration_id = '$user->{fub}'");
	for my $alert (qw(EchosyncLeadsWait EchosyncConnectionsStopped EchosyncDeadLetters EchosyncTokenNearDeath))
	{
		$t->wait_until("$alert fires", sub { grep { $_ eq $alert } firing() });
		pass("$alert fires");
	}
	$t->sql("DELETE FROM crm_dead_letters; UPDATE crm_credentials SET expires_at = NULL");
	$t->sql_as($user, "SELECT echosync_resume('$user->{fub}')");
	$t->deconfigure('echosync.databases');
	$t->drain($user);
	$t->wait_until('all is well again', sub { !firing() });
	pass('none fires when all is well again');
});

$t->behaviour('an exporter that can read nothing is noticed', sub {
	$t->sql('REVOKE SELECT ON echosync_metrics FROM pg_monitor');
	$t->wait_until('it is told', sub {
		my %told = map { $_->{labels}{job} => 1 } query('ALERTS{alertname="EchosyncNotMonitored", alertstate="firing", job!=""}');
		return $told{sql_exporter} && $told{postgres_exporter};
	});
	pass('EchosyncNotMonitored fires for each exporter');
	$t->sql('GRANT SELECT ON echosync_metrics TO pg_monitor');
	$t->wait_until('all is well again', sub { !firing() });
	pass('and stops');
});

stop_children();
$t->done;
