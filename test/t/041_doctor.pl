# Each thing that the doctor looks at is broken, and the doctor says so and what
# to type.  Where that can be typed, it is typed, and cures it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use Test::More;
use Time::HiRes qw(time);

my $t = EchosyncFaults->start(conf => "echosync.connect_timeout = '2s'\n");

sub check
{
	my ($name, $before) = @_;
	my $sql = 'SELECT coalesce(json_agg(d), $$[]$$) FROM echosync_doctor() d WHERE check_name = ' . lit($name);
	my @rows = @{ JSON::PP->new->decode($t->sql(($before || '') . $sql)) };

	die "the doctor has no check named $name\n" unless @rows;
	return $rows[0];
}

# Not well, with these words; returns the hint.
sub ill
{
	my ($name, $detail, $hint, $before) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $row = check($name, $before);

	is($row->{ok}, FALSE, "$name is not well");
	like($row->{detail}, $detail, 'what is wrong');
	like($row->{hint}, $hint, 'what to type');
	return $row->{hint};
}

sub well
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $row = check($name);

	is($row->{ok} && !defined $row->{hint} ? 'well' : "$row->{detail} / " . ($row->{hint} || ''), 'well', "$name is well again");
	return;
}

sub worker_is
{
	my ($state) = @_;

	return $t->wait_until("the worker is $state", sub { ($t->worker_state || '') =~ /^(?:$state)$/ });
}

my $user = $t->user(lofty => 1);
my $oauth = $t->user;
$t->connect_fub_oauth($oauth);

$t->behaviour('an installation that is well', sub {
	$t->lead($user);
	$t->drain($user);
	$t->lead($oauth);
	$t->drain($oauth);
	is($t->sql("SELECT string_agg(check_name || ': ' || detail, ', ') FROM echosync_doctor() WHERE NOT ok OR hint IS NOT NULL"), '', 'nothing is wrong');
	is($t->sql('SELECT count(*) FROM echosync_doctor() WHERE ok IS NULL OR detail IS NULL'), '0', 'and each check says what it saw');
	like(check('reach ' . $t->$_)->{detail}, qr/^reached in \d+ ms, its certificate is good$/, "$_ is reached") for qw(lofty_url fub_url fub_app_url);
	like(check('clock')->{detail}, qr/lofty -?[01]\.\d s/, 'the clocks agree');
});

$t->behaviour('the env file and the key', sub {
	my $file = $t->env_file;

	$t->write_env_file(INTEGRATION_ENCRYPTION_KEY => 'too short');
	$t->reload;
	ill('secrets', qr/^INTEGRATION_ENCRYPTION_KEY is not 64 hexadecimal digits$/, qr/^Correct \Q$file\E, then SELECT pg_reload_conf\(\);$/);
	well('key');               # the one read before stays in force
	$t->node->restart;
	ill('key', qr/no usable encryption key/, qr/INTEGRATION_ENCRYPTION_KEY/);
	$t->write_env_file(INTEGRATION_ENCRYPTION_KEY => 'ab' x 32);
	$t->reload;
	worker_is('wrong_key');
	ill('key', qr/not the one that sealed/, qr/\Q$file\E as INTEGRATION_ENCRYPTION_KEY, or into INTEGRATION_ENCRYPTION_KEY_PREVIOUS/);
	ill('worker', qr/state wrong_key/, qr/the check "key"/);
	$t->write_env_file(INTEGRATION_ENCRYPTION_KEY => 'ab' x 32, INTEGRATION_ENCRYPTION_KEY_PREVIOUS => '0123456789abcdef' x 4);
	$t->reload;
	worker_is('idle|draining');
	well($_) for qw(secrets key worker);
	$t->write_env_file(INTEGRATION_ENCRYPTION_KEY_PREVIOUS => 'ab' x 32);
	$t->reload;
	worker_is('idle|draining');
	well('key');
});

$t->behaviour('the CA file', sub {
	my $ca = $t->{ca_file};

	$t->configure('echosync.ca_file' => '/nowhere/ca.pem');
	ill('ca_file', qr{cannot read "/nowhere/ca.pem"}, qr/ALTER SYSTEM RESET echosync.ca_file/);
	$t->configure('echosync.ca_file' => $t->env_file);
	ill('ca_file', qr/no certificate in/, qr/as PEM/);
	$t->deconfigure('echosync.ca_file');
	well('ca_file');
	like(check('ca_file')->{detail}, qr/\Q$ca\E has certificates/, 'it says which');
});

$t->behaviour('hosts that cannot be reached', sub {
	my %wrong = (
		expired => qr/certificate has expired/,
		wrong_name => qr/not for this host/,
		untrusted => qr/unknown CA/,
	);

	for my $port (sort keys %wrong)
	{
		my $url = $t->bad_url('lofty', $t->{ports}{$port});

		$t->configure('echosync.lofty_api_url' => $url);
		ill("reach $url", $wrong{$port}, qr{^On the server, as its user: curl -sv -o /dev/null --cacert \Q$t->{ca_file}\E \Q$url\E;});
	}
	$t->configure('echosync.lofty_api_url' => 'https://localhost:1/v1.0');
	ill('reach https://localhost:1/v1.0', qr/connecting/, qr/curl/);
	$t->configure('echosync.lofty_api_url' => 'https://nobody.invalid/v1.0');
	ill('reach https://nobody.invalid/v1.0', qr/resolving the host name/, qr/curl/);
	$t->deconfigure('echosync.lofty_api_url');
	well('reach ' . $t->lofty_url);
	$t->configure('echosync.followupboss_api_url' => 'https://localhost:1/v1');
	$t->sql("UPDATE crm_integrations SET crm_type = 'elsewhere' WHERE crm_type = 'followupboss'");
	like(check('reach https://localhost:1/v1')->{detail}, qr/; no connection uses it$/, 'a host that nobody needs is no complaint');
	well('reach https://localhost:1/v1');
	$t->sql("UPDATE crm_integrations SET crm_type = 'followupboss' WHERE crm_type = 'elsewhere'");
	$t->deconfigure('echosync.followupboss_api_url');
});

$t->behaviour('clocks that differ', sub {
	$t->knob('lofty', 'date_skew_seconds', -3600);
	$t->lead($user);
	$t->drain($user);
	ill('clock', qr/lofty -3(?:599|600)\.\d s/, qr/timedatectl set-ntp true/);
	$t->knob('lofty', 'date_skew_seconds', 0);
	$t->lead($user);
	$t->drain($user);
	well('clock');
});

$t->behaviour('sending that is switched off, and a backlog', sub {
	$t->configure('echosync.enabled' => 'off');
	worker_is('disabled');
	my $hint = ill('worker', qr/state disabled/, qr/^ALTER SYSTEM SET echosync.enabled = on; SELECT pg_reload_conf\(\);$/);
	$t->lead($user);
	$t->sql("UPDATE crm_sync_queue SET queued_at = queued_at - interval '2 hours'; UPDATE crm_sync_hours SET hour = hour - interval '3 hours'");
	ill('backlog', qr/1 queued for active connections, the oldest since/, qr/echosync_status ORDER BY oldest_queued_at/);
	my $stuck = ill('stuck', qr/1 connections are active/, qr/echosync_test_connection/);
	is(($t->rows($stuck =~ /^(SELECT .*?);/))[0]{integration_id}, $user->{lofty}, 'what it says to type finds it');
	$t->sql($hint);
	$t->drain($user);
	worker_is('idle|draining');
	well($_) for qw(worker backlog stuck);
	is(($t->rows($stuck =~ /then (SELECT .*)$/))[0]{ok}, TRUE, 'and so is the second statement');
});

$t->behaviour('a worker that does not go round: the doctor does not wait for it', sub {
	my $pid = $t->wait_for_worker;

	kill 'STOP', $pid or die "could not stop $pid\n";
	eval {
		my $start = time;

		$t->lead($user);
		$t->wait_until('the doctor notices', sub { !check('progress')->{ok} });
		my $hint = ill('progress', qr/has not gone round its loop for \d+ s although/, qr/pg_stat_activity.*pg_terminate_backend/);
		is(($t->rows($hint =~ /^(SELECT .*?);/))[0]{pid}, $pid, 'what it says to type finds it');
		$t->sql($hint =~ /then (SELECT .*?); another/);
		ill('reach ' . $t->lofty_url, qr/nobody looked: the worker did not answer in time/, qr/"progress"/);
		1;
	} or fail($@);
	kill 'CONT', $pid;
	$t->drain($user);
	isnt($t->wait_for_worker, $pid, 'and another one starts');
	$t->wait_until('it goes round', sub { check('progress')->{ok} });
	well('reach ' . $t->lofty_url);
});

$t->behaviour('attached tables', sub {
	my $name = 'leads public.leads';
	my $as_owner = sub { $t->sql_as(undef, $_[0]) };

	$t->sql('ALTER TABLE leads DISABLE TRIGGER echosync_capture_end');
	$as_owner->(ill($name, qr/a trigger is missing or disabled/, qr/^SELECT echosync_attach_leads\('public.leads'\);$/));
	well($name);
	$t->sql('DROP TRIGGER echosync_capture ON leads');
	$as_owner->(ill($name, qr/a trigger is missing or disabled/, qr/^SELECT echosync_attach_leads\('public.leads'\);$/));
	well($name);
	$t->sql('ALTER TABLE leads RENAME notes TO remarks');
	$as_owner->(ill($name, qr/columns no longer there: notes; its leads are held back/, qr/^SELECT echosync_attach_leads\('public.leads'\);$/));
	well($name);

	# What somebody mapped by hand stays; what says who must not be contacted is not let go.
	$as_owner->(q{SELECT echosync_attach_leads('public.leads', '{"notes": "source", "source": null, "do_not_contact": ["dnc"]}')});
	$t->sql('ALTER TABLE leads RENAME dnc TO blocked; ALTER TABLE leads RENAME city TO place');
	my $hint = ill($name, qr/columns no longer there: (?:city, dnc|dnc, city);/, qr/with the new name of the column/);
	my ($statement) = $hint =~ /^(SELECT .*?;)/;
	is($t->error_as(undef, $statement)->{state}, '42703', 'typed as it is, it is refused');
	$as_owner->($statement =~ s/<the new name of dnc>/blocked/r);
	well($name);
	is($t->sql("SELECT mapping->>'notes' || (mapping->>'do_not_contact') || (mapping ? 'city')::text FROM crm_lead_sources WHERE attached"),
		'source["blocked"]false', 'with the new name it is attached as before');
	$t->sql('ALTER TABLE leads RENAME blocked TO dnc; ALTER TABLE leads RENAME place TO city');
	$as_owner->(q{SELECT echosync_attach_leads('public.leads', '{"do_not_contact": ["dnc"]}')});
	well($name);
	$t->sql('ALTER TABLE leads ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY');
	$as_owner->(ill($name, qr/forced on its owner/, qr/^ALTER TABLE public.leads NO FORCE ROW LEVEL SECURITY;$/));
	well($name);
	$t->sql('REVOKE SELECT ON leads FROM app');
	$t->sql(ill($name, qr/its owner app may not read it/, qr/^GRANT SELECT ON public.leads TO app;$/));
	well($name);

	$t->sql(<<'SQL');
CREATE SCHEMA crm AUTHORIZATION app;
CREATE TABLE crm.parts (id int, user_id text, phone text, risk_score int, dnc boolean) PARTITION BY LIST (user_id);
CREATE TABLE crm.part_a PARTITION OF crm.parts FOR VALUES IN ('a');
CREATE TABLE crm.part_b PARTITION OF crm.parts FOR VALUES IN ('b');
ALTER TABLE crm.parts OWNER TO app; ALTER TABLE crm.part_a OWNER TO app; ALTER TABLE crm.part_b OWNER TO app;
SQL
	$as_owner->("SELECT echosync_attach_leads('crm.parts')");
	well('leads crm.parts');
	$t->sql('ALTER TABLE crm.part_b DISABLE TRIGGER echosync_capture');
	$as_owner->(ill('leads crm.parts', qr/no enabled trigger on crm.part_b/, qr/^SELECT echosync_attach_leads\('crm.parts'\);$/));
	well('leads crm.parts');
	$t->sql('ALTER SCHEMA crm OWNER TO postgres; REVOKE ALL ON SCHEMA crm FROM app');
	$t->sql(ill('leads crm.parts', qr/its owner app may not use schema crm/, qr/^GRANT USAGE ON SCHEMA crm TO app;$/));
	well('leads crm.parts');
	$t->sql('DROP TABLE crm.parts');
	my ($gone) = $t->rows("SELECT * FROM echosync_doctor() WHERE check_name ~ '^leads [0-9]+\$'");
	is($gone->{detail}, 'the table no longer exists', 'a table that was dropped');
	$t->sql($gone->{hint});
	is($t->sql("SELECT string_agg(check_name, ' ') FROM echosync_doctor() WHERE check_name ~ '^leads'"), 'leads public.leads', 'what it says to type forgets it');
});

$t->behaviour('connections, dead letters, tokens', sub {
	$t->expect_violations('needless_refresh');    # the token's age is made up
	$t->sql_as($user, "SELECT echosync_pause('$user->{lofty}')");
	my $hint = ill('connections', qr/1 of 2 not active: by_user/, qr/^SELECT integration_id/);
	is(($t->rows($hint =~ /^(SELECT .*?);/))[0]{integration_id}, $user->{lofty}, 'what it says to type finds it');
	$t->sql($hint =~ /(SELECT echosync_resume.*)$/);
	well('connections');
	$t->sql_as($user, "SELECT echosync_pause('$user->{lofty}')");
	$t->sql("UPDATE crm_integrations SET status_reason = 'consecutive_failures' WHERE id = '$user->{lofty}'");
	$t->sql(ill('connections', qr/1 of 2 not active: consecutive_failures/, qr/when the cause is gone: SELECT/) =~ /(SELECT echosync_resume.*)$/);
	well('connections');
	$t->sql("UPDATE crm_integrations SET status = 'error', status_reason = 'credential_refused' WHERE id = '$oauth->{fub}'");
	ill('connections', qr/1 of 2 not active: credential_refused/, qr/the user connects again/);
	$t->sql("UPDATE crm_integrations SET status = 'active', status_reason = NULL, updated_at = now() WHERE id = '$oauth->{fub}'");

	$t->fault_for($user, 'lofty', { method => 'POST' }, { type => 'status', status => 400, body => {} });
	$t->lead($user);
	$t->drain($user);
	$hint = ill('dead_letters', qr/1 leads out of retries/, qr/echosync_retry_failed.*, or echosync_discard_failed\(integration_id\) in its place$/);
	is(($t->rows($hint =~ /^(SELECT .*?);/))[0]{error_code}, 'http_400', 'what it says to type says why');
	$t->sql($hint =~ /then (SELECT .*?), or/);
	$t->drain($user);
	well('dead_letters');

	$t->sql("UPDATE crm_credentials SET updated_at = now() - interval '75 days', expires_at = now() - interval '70 days' WHERE integration_id = '$oauth->{fub}'");
	$t->sql('SELECT echosync_rotate_credentials()');
	is($t->sql("SELECT floor(value / 86400) FROM echosync_metrics WHERE name = 'echosync_token_idle_seconds'"), '75', 'the metric knows, and sealing anew is no use of a token');
	$t->sql(ill('tokens', qr/1 OAuth tokens unused for 60 days, the oldest for 75; they die after 90/, qr/^As a superuser: SELECT /) =~ s/^As a superuser: //r);
	well('tokens');
	is(scalar(grep { $_->{method} eq 'POST' && $_->{path} eq '/oauth/token' } $t->control('GET', '/requests?crm=fub_app')->@*), 2, 'what it says to type has used the token');
});

$t->behaviour('what a superuser may have opened', sub {
	ill('statement_log', qr/log_statement = all/, qr/bind keys as parameters/, "SET log_statement = 'all'; ");
	well('statement_log');
	$t->sql('ALTER TABLE crm_credentials NO FORCE ROW LEVEL SECURITY; ALTER TABLE crm_sync_hours DISABLE ROW LEVEL SECURITY');
	$t->sql(ill('row_security', qr/not forced on 2 tables/, qr/ALTER TABLE public.crm_credentials ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;/));
	well('row_security');
	$t->sql('GRANT SELECT ON crm_sync_logs TO PUBLIC; GRANT EXECUTE ON FUNCTION echosync_decrypt(text) TO PUBLIC; GRANT USAGE ON SEQUENCE crm_sync_queue_id_seq TO PUBLIC');
	$t->sql(ill('grants', qr/PUBLIC holds rights on 3 objects/, qr/REVOKE ALL ON FUNCTION public.echosync_decrypt\(text\) FROM PUBLIC;/));
	well('grants');
});

$t->behaviour('no worker, and no library', sub {
	$t->configure('echosync.databases' => 'elsewhere');
	$t->node->restart;
	my $start = time;
	ill('worker', qr/no worker runs in this database/, qr/SHOW echosync.databases; SHOW max_worker_processes/);
	ill('progress', qr/no worker has gone round its loop/, qr/"worker"/) if $t->sql("SELECT now() - pg_postmaster_start_time() > interval '12 seconds'") eq 't';
	my $reach = check('reach ' . $t->lofty_url);
	like($reach->{detail}, qr/nobody looked: no worker runs in this database/, 'nobody can look whether the CRM is reached');
	cmp_ok(time - $start, '<', 20, 'and the doctor does not wait for one');
	$t->sql('ALTER SYSTEM RESET echosync.databases');
	$t->node->append_conf('postgresql.conf', "shared_preload_libraries = ''\n");
	$t->node->restart;
	ill('preload', qr/nothing is sent/, qr/^ALTER SYSTEM SET shared_preload_libraries = 'echosync'; then restart the server/);
	ill('worker', qr/no worker runs in this database/, qr/echosync.databases/);
	like(check('reach ' . $t->lofty_url)->{detail}, qr/nobody looked/, 'the rest of the checks go on');
	$t->node->append_conf('postgresql.conf', "shared_preload_libraries = 'auto_explain'\n");
	$t->node->restart;
	my $hint = ill('preload', qr/nothing is sent/, qr/^ALTER SYSTEM SET shared_preload_libraries = 'auto_explain', 'echosync'; then restart the server$/);
	$t->sql($hint =~ /^(.*?);/);
	$t->node->restart;
	$t->wait_for_worker;
	well($_) for qw(preload worker);
	is($t->sql("SELECT string_agg(check_name || ': ' || detail, ', ') FROM echosync_doctor() WHERE NOT ok"), '', 'and all is well');
});

$t->done;
