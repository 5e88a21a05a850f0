# Settings that change under a running worker, one by one and all at once, and
# a server that has no connection left.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use Test::More;

my $t = EchosyncFaults->start(conf => <<'CONF');
echosync.uncertain_wait = '300ms'
CONF

my %LABEL = (lofty => 'Lofty', fub => 'Follow Up Boss');

# What texts may be; of numbers the least and the greatest are tried.
my %TEXTS = (
	'echosync.databases' => [ 'postgres, other', 'other', '' ],
	'echosync.trusted_sessions' => [ 'nobody', 'app, nobody' ],
	'echosync.user_id' => ['user-1'],
	'echosync.env_file' => [ '/nonexistent/echosync.env', '' ],
	'echosync.ca_file' => [ '/nonexistent/ca.pem', '' ],
	'echosync.redirect_url' => ['https://elsewhere.example/callback'],
	'echosync.app_url' => ['https://app.example/'],
	map { ("echosync.$_" => ['https://no-such-host.invalid/v9']) } qw(lofty_api_url followupboss_api_url followupboss_app_url kvcore_api_url));

sub settings { return $t->rows("SELECT name, vartype, min_val, max_val, context, setting FROM pg_settings WHERE name LIKE 'echosync.%' ORDER BY name") }

sub values_of
{
	my ($setting) = @_;

	return $setting->{setting} eq 'on' ? 'off' : 'on' if $setting->{vartype} eq 'bool';
	return @$setting{qw(min_val max_val)} if $setting->{vartype} eq 'integer';
	return @{ $TEXTS{ $setting->{name} } || die "no values are known for $setting->{name}\n" };
}

$t->behaviour('every setting changes by a reload, and by another back: the worker goes on and sends', sub {
	my $user = $t->user(lofty => 1, fub => 1);
	my @settings = settings();

	cmp_ok(scalar @settings, '>=', 23, scalar @settings . ' settings');
	for my $setting (@settings)
	{
		for my $value (values_of($setting))
		{
			$t->configure($setting->{name} => $value);
			is($t->sql("SELECT setting FROM pg_settings WHERE name = '$setting->{name}'"), $value, "$setting->{name} = '$value'");
			is($t->sql("SELECT count(*) FROM pg_file_settings WHERE error IS NOT NULL"), '0', 'accepted');
			$t->lead($user) if $setting->{name} ne 'echosync.capture';      # off: there is nothing to be queued
		}
		$t->deconfigure($setting->{name});
		$t->wait_for_worker;
		$t->drain($user);
	}
	my $leads = $t->sql("SELECT count(*) FROM leads WHERE user_id = '$user->{id}'");
	is_deeply($t->tally($user, $_), $t->all_once($leads), "$LABEL{$_}: each of $leads leads once") for qw(lofty fub);
});

$t->behaviour('what no reload can take leaves in force what was', sub {
	my $user = $t->user(lofty => 1);
	my $pid = $t->wait_for_worker;
	my $file = $t->node->data_dir . '/postgresql.conf';
	my $good = PostgreSQL::Test::Utils::slurp_file($file);
	my $log = length $t->log_text;

	$t->node->append_conf('postgresql.conf', <<'CONF');
echosync.workers = 99
echosync.request_timeout = '1ms'
echosync.lofty_api_url = 'http://plain.example'
echosync.databases = ','
echosync.enabled = maybe
echosync.max_retries = -1
CONF
	$t->reload;
	my $said = substr $t->log_text, $log;
	like($said, qr/$_/, "$_ is refused") for qw(echosync.workers echosync.request_timeout echosync.lofty_api_url echosync.databases echosync.enabled echosync.max_retries);
	$t->lead($user);
	$t->drain($user);
	is($t->n_records($user, 'lofty'), 1, 'the worker goes on as before');
	is(($t->worker_pids)[0], $pid, 'and is the same');
	open my $out, '>', $file or die "could not write $file: $!";
	print $out $good;
	close $out;
	$t->reload;
});

$t->behaviour('a database that is taken from the list has no worker, and one again when it is put back', sub {
	my $user = $t->user(lofty => 1);

	$t->configure('echosync.databases' => 'other');
	$t->wait_until('the worker has ended', sub { !$t->worker_pids });
	my $lead = $t->lead($user);
	is($t->queued($user), '1', 'leads are queued');
	$t->configure('echosync.databases' => 'other, postgres');
	$t->drain($user);
	is($t->n_records($user, 'lofty'), 1, 'and sent when the database is on the list again');
	$t->deconfigure('echosync.databases');
});

# What keeps a lead from being sent at all is left out.
$t->behaviour('a restart with every setting at its least, and at its greatest', sub {
	my $user = $t->user(lofty => 1);
	# A request in 10 ms is too much to ask of a test; and what then fails would pause the connection.
	my %skip = map { ("echosync.$_" => 1) } qw(enabled capture connect_timeout request_timeout);
	my @numbers = grep { $_->{vartype} eq 'integer' && !$skip{ $_->{name} } } settings();

	$t->sql('ALTER SYSTEM SET max_worker_processes = 20');
	for my $end (qw(min_val max_val))
	{
		$t->sql("ALTER SYSTEM SET $_->{name} = '$_->{$end}'") for @numbers;
		$t->node->restart;
		ok($t->wait_for_worker, "$end: there is a worker");
		is($t->sql("SELECT count(*) FROM pg_settings WHERE name LIKE 'echosync.%' AND name NOT LIKE '%timeout' AND vartype = 'integer' AND setting <> $end"), '0', 'all are in force');
		$t->lead($user);
		$t->drain($user);
		is_deeply($t->tally($user, 'lofty'), $t->all_once($end eq 'min_val' ? 1 : 2), 'it sends');
	}
	$t->sql("ALTER SYSTEM RESET $_") for 'max_worker_processes', map { $_->{name} } @numbers;
	$t->node->restart;
	$t->lead($user);
	$t->drain($user);
	is_deeply($t->tally($user, 'lofty'), $t->all_once(3), 'all are there once');
});

$t->behaviour('no connection is left for the application, nor for the worker\'s role: it works', sub {
	my $user = $t->user(lofty => 1);

	# Of eight connections three are for superusers.  One session asks all that
	# is asked: short ones would be in each other's way for as long as they end.
	$t->sql('ALTER SYSTEM SET max_connections = 8');
	$t->sql('ALTER ROLE postgres CONNECTION LIMIT 0');
	$t->node->restart;
	my $dba = $t->node->background_psql('postgres');
	my @sessions = map { $t->node->background_psql('postgres', extra_params => [ '-U', 'app' ]) } 1 .. 4;
	my $worker = sub { $dba->query_safe('SELECT pid FROM echosync_workers WHERE database = current_database()') };

	like($t->error_as($user, 'SELECT 1')->{text}, qr/too many clients|remaining connection slots/, 'the application gets no fifth connection');
	my $pid = $t->wait_until('there is a worker', $worker);
	$dba->query_safe("SELECT pg_terminate_backend($pid)");
	$t->wait_until('there is another worker', sub { my $now = $worker->(); $now && $now != $pid });
	$sessions[0]->query_safe("INSERT INTO leads (user_id, first_name, phone, risk_score) VALUES ('$user->{id}', 'Dana', '" . $t->new_phone . "', 1)");
	$t->wait_until('it sends', sub { $t->n_records($user, 'lofty') == 1 });
	$_->quit for @sessions, $dba;
	$t->sql('ALTER SYSTEM RESET max_connections');
	$t->sql('ALTER ROLE postgres CONNECTION LIMIT -1');
	$t->node->restart;
	$t->drain($user);
});

$t->done;
