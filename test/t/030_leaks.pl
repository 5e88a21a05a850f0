# Nothing leaks: marked keys, tokens, names, numbers and notes go through all
# that echosync does, on a server that logs all it can, and are then looked for
# in all places but those where they belong.
#
# The application passes its values from a table that COPY has filled, so that
# its own statements hold none: what is found is ours.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use Test::More;

my %ENV_FILE = (
	INTEGRATION_ENCRYPTION_KEY => 'ca11ab1e' x 8,
	INTEGRATION_ENCRYPTION_SALT => 'canary-salt-5a17',
	WEBHOOK_SECRET => 'canary-webhook-5ec2e7',
	FOLLOWUPBOSS_CLIENT_SECRET => 'canary-client-5ec2e7');

my $t = EchosyncFaults->start(env => \%ENV_FILE, conf => <<'CONF');
shared_preload_libraries = 'echosync, pg_stat_statements, auto_explain'
log_min_messages = debug5
log_min_error_statement = debug5
log_error_verbosity = verbose
log_statement = all
log_min_duration_statement = 0
log_duration = on
log_parameter_max_length = -1
log_parameter_max_length_on_error = -1
track_activity_query_size = 16kB
pg_stat_statements.track = all
auto_explain.log_min_duration = 0
auto_explain.log_nested_statements = on
auto_explain.log_verbose = on
echosync.uncertain_wait = '200ms'
CONF

my $QUIET = join "\n", map { "SET $_;" } 'log_statement = none', 'log_min_duration_statement = -1', 'log_duration = off',
  'auto_explain.log_min_duration = -1', "log_min_error_statement = 'error'", 'log_parameter_max_length_on_error = 0',
  "log_min_messages = 'warning'";

# What must not be found, by what it is.
my %CANARIES = (%ENV_FILE,
	FOLLOWUPBOSS_SYSTEM_KEY => 'sk_echosafe',
	'first name' => 'Canarina', 'last name' => 'Vogelsang', email => '@nest.example', address => '77 Canary Wharf',
	city => 'Canarytown', notes => 'Canary sings at noon', tag => 'canary-tag', source => 'Canary Fair', changed => 'Vogelgesang');
my %ACTIVITY;

# At this level the end of each session is in the log, "with exit code": look
# for signals only.
$t->{crashes} = 1;

sub mark_as_canary { my ($what, @texts) = @_; $CANARIES{"$what " . keys %CANARIES} = $_ for grep { defined } @texts; return }

# Passes values without naming them: they become $1, $2 ... of the columns of given.
sub given
{
	my ($user, $sql, @values) = @_;
	my $row = join "\t", map { defined $_ ? s/([\\\t\n\r])/{ "\\" => '\\\\', "\t" => '\\t', "\n" => '\\n', "\r" => '\\r' }->{$1}/ger : '\\N' } @values, ('') x (12 - @values);

	return "TRUNCATE given;\nCOPY given FROM stdin;\n$row\n\\.\n" . $sql =~ s/\$(\d+)/(SELECT v$1 FROM given)/gr;
}

sub ask { my ($user, @rest) = @_; return $t->sql_as($user, given($user, @rest)) }
sub refused { my ($user, @rest) = @_; return $t->error_as($user, given($user, @rest)) }

# A lead with a mark on each of its values.
sub lead
{
	my ($user, %more) = @_;
	my $phone = $t->new_phone;

	mark_as_canary('phone', $phone);
	return ask($user, 'INSERT INTO leads (user_id, phone, first_name, last_name, email, address, city, notes, tags, source, risk_score)'
		  . " VALUES ('$user->{id}', \$1, \$2, \$3, \$4, \$5, \$6, \$7, ARRAY[\$8], \$9, 5) RETURNING id",
		$phone, $more{first_name} || $CANARIES{'first name'}, $CANARIES{'last name'}, "canarina.$phone$CANARIES{email}", @CANARIES{'address', 'city'},
		"$CANARIES{notes}, says $phone", @CANARIES{'tag', 'source'});
}

sub connected_user
{
	my ($how) = @_;
	my $user = $t->user;

	mark_as_canary("key of $_", $user->{keys}{$_}) for qw(lofty fub);
	$user->{lofty} = ask($user, "SELECT echosync_connect('lofty', \$1)", $user->{keys}{lofty});
	if ($how eq 'key')
	{
		$user->{fub} = ask($user, "SELECT echosync_connect('followupboss', \$1)", $user->{keys}{fub});
		return $user;
	}
	$t->knob('fub_app', 'client_secret', $ENV_FILE{FOLLOWUPBOSS_CLIENT_SECRET});
	my $back = $t->visit($user, $t->authorize_url($user));
	mark_as_canary($_, $back->{$_}) for qw(code state);
	$user->{fub} = ask($user, 'SELECT echosync_oauth_callback($1, $2, $3)', @$back{qw(code state response)});
	mark_tokens($user);
	return $user;
}

sub mark_tokens
{
	my ($user) = @_;

	for my $grant ($t->grants($user))
	{
		mark_as_canary('token', $grant->{refresh_token}, map { $_->{token} } @{ $grant->{access_tokens} });
	}
	return;
}

# The header of a webhook, as a setting that no statement names.
sub headers_option { return qq(-c request.headers={"x-webhook-secret":"$_[0]"}) }

# What all sessions say that they are doing, as long as something is queued.
sub watch_until_drained
{
	my ($user) = @_;

	$t->wait_until('all is sent', sub {
		$ACTIVITY{$_} = 1 for split /\n/, $t->sql("SELECT DISTINCT replace(concat_ws(' ', application_name, query), E'\\n', ' ') FROM pg_stat_activity WHERE pid <> pg_backend_pid()");
		return !$t->queued($user);
	});
	return;
}

# Everything that is kept or shown, but the columns that are sealed, the
# snapshots of a webhook, and the application's own tables.
sub shown
{
	my %shown = ('the server log' => $t->log_text, 'pg_stat_activity' => join("\n", keys %ACTIVITY));
	my @relations = split /\n/, $t->sql("SELECT c.relname FROM pg_depend d JOIN pg_class c ON c.oid = d.objid WHERE d.classid = 'pg_class'::regclass AND d.deptype = 'e'"
		  . " AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'echosync') AND c.relkind IN ('r', 'v')");

	$shown{$_} = $t->sql("SELECT to_jsonb(r) - ARRAY['sealed', 'intent_lead', 'snapshot', 'key_check'] FROM $_ r") for @relations, 'echosync_doctor()', 'echosync_installation()';
	$shown{pg_stat_statements} = $t->sql('SELECT query FROM pg_stat_statements');
	$shown{pg_settings} = $t->sql('SELECT to_jsonb(s) FROM pg_settings s') . $t->sql_as(undef, 'SHOW ALL');
	return \%shown;
}

sub nothing_is_shown
{
	my ($name, %more) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my %shown = (%{ shown() }, %more);
	my @found;

	for my $place (sort keys %shown)
	{
		push @found, map { "$place: $_" } grep { index($shown{$place}, $CANARIES{$_}) >= 0 } sort keys %CANARIES;
	}
	return is(join("\n", @found), '', $name);
}

$t->sql(<<'SQL');
CREATE EXTENSION pg_stat_statements;
CREATE TABLE given (v1 text, v2 text, v3 text, v4 text, v5 text, v6 text, v7 text, v8 text, v9 text, v10 text, v11 text, v12 text);
ALTER TABLE given OWNER TO app;
GRANT SET ON PARAMETER log_statement, log_min_duration_statement, log_duration, auto_explain.log_min_duration, log_min_error_statement,
  log_parameter_max_length_on_error, log_min_messages TO app;
SQL

$t->behaviour('the search finds what it looks for', sub {
	my $text = 'a text for the log';

	$CANARIES{test} = $text;
	$t->sql("SELECT '$text'");
	like(join("\n", grep { index(shown()->{$_}, $text) >= 0 } sort keys %{ shown() }), qr/the server log/, 'a statement is in the log');
	delete $CANARIES{test};
	like($t->log_text, qr/auto_explain|Query Text/, 'plans are, too');
	like($t->log_text, qr/DEBUG:/, 'and so is what only developers want');
});

$t->behaviour('what is connected and sent is shown nowhere', sub {
	my @users = map { connected_user($_) } qw(key oauth);
	my $listener = $t->listener;

	nothing_is_shown('when all are connected');
	$t->knob('fub', 'latency_ms', 20);
	for my $user (@users)
	{
		my $lead = lead($user);
		watch_until_drained($user);
		ask($user, "UPDATE leads SET last_name = \$1 WHERE id = $lead", $CANARIES{changed});
		watch_until_drained($user);
		is(($t->records($user, $_))[0]{lastName}, $CANARIES{changed}, "$user->{id}: $_ has the lead as it is") for qw(lofty fub);
	}
	$t->agent($users[1], 'fub', 0, 'expire_access');
	lead($users[1]);
	watch_until_drained($users[1]);
	mark_tokens($users[1]);
	is($t->n_records($users[1], 'fub'), 2, 'the second lead went with a new token');
	$t->rows_as($_, "SELECT * FROM echosync_test_connection('$_->{lofty}')") for @users;
	cmp_ok(scalar(grep { /echosync: / } keys %ACTIVITY), '>', 0, 'the worker was seen at work');
	nothing_is_shown('when all is sent', 'channel echosync' => join '', map { %$_ } $t->heard($listener));
	$listener->{session}->quit;
});

$t->behaviour('a lead of a webhook is kept in its snapshot only', sub {
	my $user = connected_user('key');
	my $phone = $t->new_phone;
	my $body = sprintf '{"user_id": "%s", "lead": {"id": "w1", "phone": "%s", "first_name": "%s", "last_name": "%s", "email": "%s", "notes": "%s", "risk_score": 5}}',
	  $user->{id}, $phone, @CANARIES{'first name', 'last name', 'email', 'notes'};
	my @headers = map { qq({"x-webhook-secret": "$_"}) } $CANARIES{WEBHOOK_SECRET}, 'canary-wrong-one';

	mark_as_canary('phone', $phone);
	mark_as_canary('wrong secret', 'canary-wrong-one');
	$t->sql_as($user, "SELECT echosync_pause('$user->{lofty}'); SELECT echosync_pause('$user->{fub}')");
	for my $case ([ $CANARIES{WEBHOOK_SECRET}, 'true' ], [ 'canary-wrong-one', 'false' ])
	{
		local $ENV{PGOPTIONS} = headers_option($case->[0]);
		is(ask(undef, "SELECT echosync_webhook_lead_created(\$1::jsonb)->>'success'", $body), $case->[1], "success: $case->[1]");
	}
	is($t->sql("SELECT count(*) FROM crm_sync_queue WHERE snapshot::text LIKE '%' || (SELECT (v1::jsonb)#>>'{lead,phone}' FROM given) || '%'"), '2',
		'it waits with its snapshot');
	nothing_is_shown('while it waits');
	$t->fault_for($user, 'lofty', { method => 'POST' }, { type => 'echo_error', status => 400 });
	$t->sql_as($user, "SELECT echosync_resume('$user->{lofty}'); SELECT echosync_resume('$user->{fub}')");
	watch_until_drained($user);
	is($t->sql("SELECT string_agg(lead_id, ',') FROM crm_dead_letters"), 'w1', 'a dead letter keeps it');
	nothing_is_shown('when it is sent, and a dead letter');
	$t->sql_as($user, "SELECT echosync_discard_failed('$user->{lofty}')");
	is($t->sql('SELECT count(*) FROM crm_sync_queue q, crm_dead_letters d WHERE q.snapshot IS NOT NULL OR d.snapshot IS NOT NULL'), '0', 'discarded, it is nowhere');
});

$t->behaviour('a CRM that repeats the request in its errors is quoted nowhere', sub {
	my $user = connected_user('oauth');
	my $stranger = $t->user;
	my %echo = (type => 'echo_error');

	mark_as_canary('key of lofty', $stranger->{keys}{lofty});
	for my $status (400, 401, 403, 404, 422, 500)
	{
		$t->fault($_, { path => $_ eq 'lofty' ? '/v1.0/me' : '/v1/identity' }, { %echo, status => $status }) for qw(lofty fub);
		for my $crm (qw(lofty fub))
		{
			my $error = refused($stranger, "SELECT echosync_connect('" . ($crm eq 'fub' ? 'followupboss' : $crm) . "', \$1)", $stranger->{keys}{$crm});
			isnt($error->{state}, '', "$crm: connect fails with $status");
			unlike($error->{text}, qr/could not process|\Q$stranger->{keys}{$crm}\E/, 'and does not say what the CRM said');
		}
		$t->fault_for($user, 'lofty', { path => '/v1.0/me' }, { %echo, status => $status });
		my ($row) = $t->rows_as($user, "SELECT * FROM echosync_test_connection('$user->{lofty}')");
		is($row->{ok}, FALSE, "test_connection fails with $status");
		unlike($row->{message}, qr/could not process|Bearer|token/, 'in our words');
		$t->clear_faults;
	}
	my $back = $t->visit($stranger, $t->authorize_url($stranger));
	mark_as_canary($_, $back->{$_}) for qw(code state);
	$t->fault('fub_app', { path => '/oauth/token' }, { %echo, status => 400 });
	my $error = refused($stranger, 'SELECT echosync_oauth_callback($1, $2, $3)', @$back{qw(code state response)});
	is($error->{state}, '22023', 'an exchange that is refused with an echo');

	for my $status (400, 403, 404, 409, 500)
	{
		$t->fault_for($user, 'lofty', { method => $_ }, { %echo, status => $status }) for qw(GET POST);
		$t->fault_for($user, 'fub', { method => $_ }, { %echo, status => $status }) for qw(GET POST);
		lead($user, first_name => "Canary$status");
		mark_as_canary('first name', "Canary$status");
		watch_until_drained($user);
		$t->clear_faults;
	}
	$t->agent($user, 'fub', 0, 'expire_access');
	$t->fault('fub_app', { path => '/oauth/token' }, { %echo, status => $_ }) for 500, 401;
	lead($user);
	watch_until_drained($user);
	mark_tokens($user);
	is($t->sql("SELECT count(*) FROM crm_sync_logs WHERE error_message ~* 'could not process|canary|bearer|basic '"), '0', 'no row of the log quotes the CRM');
	cmp_ok($t->sql("SELECT count(*) FROM crm_sync_logs WHERE status = 'failed' AND error_message <> '' AND http_status >= 400"), '>', 4, 'although many say what failed');
	nothing_is_shown('nor does anything else');
});

# Here the statements hold the values, as an application's that does not bind
# them; statements are not logged, but for those of errors.
$t->behaviour('calls that fail do not repeat what they were given', sub {
	my $user = connected_user('key');
	my @texts;
	my %calls = (
		'connect, refused key' => "SELECT echosync_connect('lofty', 'canary-refused-key')",
		'connect, impossible key' => "SELECT echosync_connect('lofty', 'canary impossible key')",
		'connect, unknown CRM' => "SELECT echosync_connect('hubspot', 'canary-hubspot-key')",
		'connect, bad settings' => "SELECT echosync_connect('lofty', 'canary-settings-key', '{\"max_risk_score\": \"some-value\"}')",
		'connect, read only' => "BEGIN READ ONLY; SELECT echosync_connect('lofty', 'canary-read-only-key')",
		'connect, settings that are no JSON' => "SELECT echosync_connect('lofty', 'canary-json-key', to_jsonb('json text'::text))",
		'connect, a key that is too long' => "SELECT echosync_connect('lofty', 'canary-long-key' || repeat('x', 9000))",
		'callback, unknown state' => "SELECT echosync_oauth_callback('canary-code-1', 'canary-state-1')",
		'callback, too long' => "SELECT echosync_oauth_callback('canary-code-2' || repeat('x', 9000), 'canary-state-2')",
		'callback, denied' => "SELECT echosync_oauth_callback('canary-code-3', 'canary-state-3', 'denied')",
		'callback, no state' => "SELECT echosync_oauth_callback('canary-code-4', NULL)",
		'authorize, bad settings' => "SELECT echosync_oauth_authorize('followupboss', '{\"tags\": \"tag that is no list\"}')",
		'update, bad settings' => "SELECT echosync_update_integration('$user->{lofty}', '{\"assigned_user_id\": \"someone\"}')",
		'webhook, no user' => "SELECT echosync_webhook_lead_created('{\"lead\": {\"id\": 1, \"phone\": \"canary-webhook-phone-1\"}}')",
		'webhook, no id' => "SELECT echosync_webhook_lead_created('{\"user_id\": \"$user->{id}\", \"lead\": {\"phone\": \"canary-webhook-phone-2\"}}')",
		'webhook, an id that is too long' => "SELECT echosync_webhook_lead_created(jsonb_build_object('user_id', '$user->{id}', 'lead',"
		  . " jsonb_build_object('phone', '8015550177', 'first_name', 'canary-webhook-name', 'risk_score', 1, 'id', (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 200) i))))",
		'webhook, cancelled' => "SET statement_timeout = '500ms'; SELECT echosync_webhook_lead_created('{\"user_id\": \"$user->{id}\","
		  . " \"lead\": {\"id\": \"w2\", \"phone\": \"8015550178\", \"first_name\": \"canary-webhook-name\", \"risk_score\": 1}}')",
		'manual sync, no such' => "SELECT echosync_manual_sync('$user->{fub}', ARRAY['x', NULL], 1)",
		'preview, no such' => "SELECT echosync_preview('$user->{fub}', 'no-such-lead')");
	my %by_superuser = (
		'import, cannot be opened' => "SELECT echosync_import_integration('u', 'lofty', 'canary-sealed-1')",
		'import, unknown CRM' => "SELECT echosync_import_integration('u', 'canary-crm', 'canary-sealed-2')",
		'import, no credential' => "SELECT echosync_import_integration('u', 'lofty', echosync_encrypt('{\"canary\": \"canary-sealed-3\"}'))",
		'decrypt, cannot be opened' => "SELECT echosync_decrypt('canary-sealed-4')");

	my $lock = $t->session;
	for my $name (sort keys %calls)
	{
		local $ENV{PGOPTIONS} = headers_option($ENV_FILE{WEBHOOK_SECRET});
		$lock->query_safe('BEGIN; LOCK crm_sync_queue') if $name =~ /cancelled/;
		my $error = $t->error_as($user, "$QUIET $calls{$name}");
		$lock->query_safe('ROLLBACK') if $name =~ /cancelled/;
		isnt($error->{state}, '', "$name: $error->{message}");
		push @texts, $error->{text};
	}
	$lock->quit;
	for my $name (sort keys %by_superuser)
	{
		my $error = $t->error("$QUIET $by_superuser{$name}");
		isnt($error->{state}, '', "$name: $error->{message}");
		push @texts, $error->{text};
	}
	$t->write_env_file(%ENV_FILE, INTEGRATION_ENCRYPTION_KEY => undef);
	$t->node->restart;
	for my $sql ("SELECT echosync_encrypt('canary-plain-text')", "SELECT echosync_decrypt('canary-sealed-5')", "SELECT echosync_import_integration('u', 'lofty', 'canary-sealed-6')")
	{
		my $error = $t->error("$QUIET $sql");
		isnt($error->{state}, '', "without a key: $error->{message}");
		push @texts, $error->{text};
	}
	my $error = $t->error_as($user, "$QUIET SELECT echosync_connect('lofty', 'canary-without-key')");
	push @texts, $error->{text};
	$t->write_env_file(%ENV_FILE);
	$t->reload;
	# the mistakes that are named are a setting's value and a CRM's name
	is(join("\n", grep { /canary/ && !/unrecognized CRM "canary-crm"/ } split /\n/, join '', @texts), '', 'no message, detail, hint or context repeats them');
	is(join("\n", grep { /canary-(?!crm)/ } split /\n/, $t->log_text), '', 'nor does the log');
	nothing_is_shown('or anything else');
});

# What pgbench sends, as drivers do.
sub call_bound
{
	my ($user, $sql, %values) = @_;
	my $script = PostgreSQL::Test::Utils::tempdir_short() . '/bound.sql';

	open(my $out, '>', $script) or die "could not write $script: $!";
	print $out "$sql;\n";
	close $out;
	local $ENV{PGOPTIONS} = "-c echosync.user_id=$user->{id}" . join '', map { " -c $_" } qw(log_statement=none log_min_duration_statement=-1
	  log_duration=off auto_explain.log_min_duration=-1 log_min_messages=warning log_min_error_statement=error);
	IPC::Run::run([ 'pgbench', '-n', '-t', '1', '-M', 'extended', (map { ('-D', "$_=$values{$_}") } sort keys %values), '-f', $script, $t->node->connstr('postgres') ],
		'&>', \my $said);
	return $said;
}

$t->behaviour('what was bound to a call that fails is not logged with the error', sub {
	my $user = $t->user;
	my $log = length $t->log_text;

	like(call_bound($user, "SELECT echosync_connect('lofty', :key)", key => 'canary-bound-key'), qr/could not connect to Lofty/, 'connect fails');
	like(call_bound($user, 'SELECT echosync_oauth_callback(:code, :state)', code => 'canary-bound-code', state => 'canary-bound-state'),
		qr/could not connect/, 'so does the callback');
	my $said = substr $t->log_text, $log;
	is(scalar(() = $said =~ /could not connect/g), 2, 'both errors are in the log');
	is(join("\n", grep { /canary/ } split /\n/, $said), '', 'without what was bound, although log_parameter_max_length_on_error is -1');
});

$t->behaviour('an error that quotes a lead, raised while the worker or a call reads it, is not repeated', sub {
	my $user = connected_user('key');

	$t->sql(<<'SQL');
CREATE SCHEMA app AUTHORIZATION app;
SET SESSION AUTHORIZATION app;
CREATE TYPE app.quoted AS ENUM ('canary-quoted-number');
CREATE FUNCTION app.quote(app.quoted) RETURNS json LANGUAGE plpgsql AS $$BEGIN
    RAISE EXCEPTION 'cannot read %', $1 USING DETAIL = $1, HINT = $1, SCHEMA = $1, TABLE = $1, COLUMN = $1;
END$$;
CREATE CAST (app.quoted AS json) WITH FUNCTION app.quote(app.quoted) AS IMPLICIT;
CREATE TABLE app.leads (id int, user_id text, phone app.quoted, email text, risk_score int, do_not_contact boolean);
SELECT echosync_attach_leads('app.leads');
SQL
	my $log = length $t->log_text;
	ask($user, "INSERT INTO app.leads SELECT 1, '$user->{id}', enum_first(NULL::app.quoted), 'a\@b.example', 5");
	$t->wait_until('the worker has tried to read it', sub { substr($t->log_text, $log) =~ /reading leads failed with SQLSTATE P0001/ });
	$t->sql_as($user, "$QUIET SELECT echosync_manual_sync('$user->{lofty}')");
	$t->error_as($user, "$QUIET SELECT echosync_preview('$user->{lofty}', '1')");
	is(join("\n", grep { /canary-quoted/ } split /\n/, substr $t->log_text, $log), '', 'the log names the SQLSTATE, and quotes nothing');
	nothing_is_shown('nor does anything else');
	$t->sql('SET echosync.capture = off; DELETE FROM app.leads');
	$t->sql('DELETE FROM crm_sync_queue WHERE user_id = ' . lit($user->{id}));
});

$t->behaviour('no key, code or token is in any file of the server, but sealed', sub {
	my $user = $t->user;
	my $data = $t->node->data_dir;

	# by statements that hold them; given() would leave them in the table's file
	$t->knob('fub_app', 'client_secret', $ENV_FILE{FOLLOWUPBOSS_CLIENT_SECRET});
	$t->sql_as($user, "$QUIET SELECT echosync_connect('lofty', '$user->{keys}{lofty}')");
	my $back = $t->visit($user, $t->authorize_url($user));
	$t->sql_as($user, "$QUIET " . EchosyncTest::callback_sql($back));
	$t->sql('CHECKPOINT');
	my ($grant) = $t->grants($user);
	my %secret = (key => $user->{keys}{lofty}, code => $back->{code}, state => $back->{state}, 'refresh token' => $grant->{refresh_token},
		'access token' => $grant->{access_tokens}[0]{token}, map { ($_ => $ENV_FILE{$_}) } keys %ENV_FILE);
	my $sealed = $t->sql("SELECT max(sealed) FROM crm_credentials WHERE integration_id = (SELECT id FROM crm_integrations WHERE user_id = '$user->{id}' LIMIT 1)");
	my %found = map { ($_ => in_files($data, $secret{$_})) } keys %secret;

	ok(in_files($data, substr $sealed, 0, 40), 'the sealed credential is found');
	is(join(' ', grep { $found{$_} } sort keys %found), '', 'no secret is');
});

sub in_files
{
	my ($dir, $text) = @_;

	IPC::Run::run([ 'grep', '-rlaFe', $text, $dir ], '>', \my $out, '2>', \my $err);
	return $out ne '';
}

$t->behaviour('our processes may not leave larger core files than the server', sub {
	my ($postmaster) = PostgreSQL::Test::Utils::slurp_file($t->node->data_dir . '/postmaster.pid') =~ /^(\d+)/;
	my $of = sub {
		my ($pid) = @_;
		my ($limit) = PostgreSQL::Test::Utils::slurp_file("/proc/$pid/limits") =~ /^(Max core file size.*)/m;
		return $limit . PostgreSQL::Test::Utils::slurp_file("/proc/$pid/coredump_filter");
	};

	for my $pid (split /\n/, $t->sql("SELECT pid FROM pg_stat_activity WHERE backend_type LIKE 'echosync%'"))
	{
		is($of->($pid), $of->($postmaster), "process $pid is as the postmaster");
	}
});

$t->done;
