# The doctor is never content while leads are not captured or not sent: each
# state in which a lead would wait for ever is brought about, and one row at
# least is not well.  What a row says to type, where it can be typed, cures it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use Test::More;

my $t = EchosyncFaults->start(conf => "echosync.connect_timeout = '2s'\nwal_level = logical\n");
my $user = $t->user(lofty => 1);

$t->sql('GRANT CREATE ON SCHEMA public TO app');

sub app { return $t->sql_as(undef, $_[0]) }

# What is not well, a line each.
sub complaints { return $t->sql("SELECT coalesce(string_agg(check_name || ': ' || detail, E'\n'), '') FROM echosync_doctor() WHERE ok IS NOT TRUE") }

sub hint
{
	my ($check) = @_;

	return $t->sql('SELECT hint FROM echosync_doctor() WHERE NOT ok AND check_name = ' . lit($check));
}

sub content
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $last = '';

	eval { $t->wait_until('all is well', sub { ($last = complaints()) eq '' }, 8) };
	return is($last, '', $name || 'all is well again');
}

# Not content any more, as soon as it is so, and with these words.
sub discontent
{
	my ($words, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $last = '';

	eval { $t->wait_until('something is not well', sub { ($last = complaints()) =~ $words }, 8) };
	return like($last, $words, $name || 'it says so');
}

# As if it had waited for hours.
sub grow_old
{
	return $t->sql("UPDATE crm_sync_queue SET queued_at = queued_at - interval '2 hours'; UPDATE crm_sync_hours SET hour = hour - interval '3 hours'");
}

sub table
{
	my ($name, $more) = @_;

	return app("SET client_min_messages = error; CREATE TABLE $name (id int PRIMARY KEY, user_id text, phone text, risk_score int, dnc boolean)"
		  . ($more || '') . "; SELECT echosync_attach_leads('$name')");
}

# Is a lead that is written to the table captured?  While nothing is sent.
sub queued_of
{
	my ($table, $id) = @_;

	$t->sql_as($user, "SELECT echosync_pause('$user->{lofty}')");
	my $before = $t->queued($user);
	app("INSERT INTO $table (id, user_id, phone, risk_score) VALUES ($id, '$user->{id}', '" . $t->new_phone . "', 5)");
	my $n = $t->queued($user) - $before;
	$t->sql_as($user, "SELECT echosync_resume('$user->{lofty}')");
	$t->drain($user);
	return $n;
}

$t->lead($user);
$t->drain($user);
content('an installation that is well');

$t->behaviour('the worker may not send', sub {
	$t->configure('echosync.enabled' => 'off');
	discontent(qr/^worker: .*disabled/m, 'switched off');
	my $error = $t->error_as($t->user, "SELECT echosync_connect('lofty', 'eyJhbGciOiJIUzI1NiJ9.eyJ1IjoxfQ.c2ln')");
	like($error->{message}, qr/could not connect to Lofty: disabled by echosync.enabled/, 'who connects is told why not');
	like($error->{hint}, qr/ALTER SYSTEM SET echosync.enabled = on/, 'and what to do');
	$t->deconfigure('echosync.enabled');
	content();

	$t->write_env_file(INTEGRATION_ENCRYPTION_KEY => 'ab' x 32);
	$t->reload;
	discontent(qr/^worker: .*wrong_key/m, 'another key');
	$error = $t->error_as($t->user, "SELECT echosync_connect('lofty', 'eyJhbGciOiJIUzI1NiJ9.eyJ1IjoxfQ.c2ln')");
	like($error->{message}, qr/the encryption key is not the one that sealed/, 'who connects is told');
	like($error->{hint}, qr/INTEGRATION_ENCRYPTION_KEY_PREVIOUS/, 'and what to do');
	like($t->sql_as($user, "SELECT message FROM echosync_test_connection('$user->{lofty}')"), qr/not the one that sealed.*INTEGRATION_ENCRYPTION_KEY_PREVIOUS/, 'as is who tests');
	$t->write_env_file;
	$t->reload;
	content();

	$t->sql('UPDATE crm_instance SET database_oid = 1; SELECT echosync_wake_now()');
	discontent(qr/^worker: .*copy/m, 'a copy');
	$t->sql('SELECT echosync_adopt()');
	content();

	$t->sql("SET allow_system_table_mods = on; UPDATE pg_extension SET extversion = '0.9' WHERE extname = 'echosync'; SELECT echosync_wake_now()");
	discontent(qr/^version: .*0\.9.*\n.*^worker: .*other_version/ms, 'of another version');
	$t->sql("SET allow_system_table_mods = on; UPDATE pg_extension SET extversion = (SELECT default_version FROM pg_available_extensions WHERE name = 'echosync') WHERE extname = 'echosync'; SELECT echosync_wake_now()");
	content();
});

$t->behaviour('the worker cannot look: its state is unknown, and the other checks are made', sub {
	my $holder = $t->session;
	my $all = $t->sql('SELECT count(*) FROM echosync_doctor()');

	$holder->query_safe('BEGIN; LOCK TABLE crm_instance');
	$t->sql('SELECT pg_terminate_backend(pid) FROM echosync_workers');
	$t->lead($user);
	discontent(qr/^worker: .*state unknown; last error: .*55P03/m);
	is($t->worker_state, 'unknown', 'it is a state of its own');
	like(complaints(), qr/^key: it could not be looked at/m, 'what needs the table says that it could not be looked at');
	is($t->sql('SELECT count(*) FROM echosync_doctor()'), $all, 'and there are as many rows as before');
	like($t->error_as($t->user, "SELECT echosync_connect('lofty', 'eyJhbGciOiJIUzI1NiJ9.eyJ1IjoxfQ.c2ln')")->{message}, qr/could not look at the extension's tables/, 'who connects is told');
	table('beside');
	$holder->query_safe('COMMIT; BEGIN; LOCK TABLE beside');
	discontent(qr/^leads public.beside: could not be looked at: canceling statement due to lock timeout/m, 'a table of the application');
	is($t->sql("SELECT string_agg(check_name, ' ' ORDER BY check_name) FROM echosync_doctor() WHERE check_name ~ '^(leads|columns) '"),
		'columns public.leads leads public.beside leads public.leads', 'which has one row, and the others have theirs');
	$holder->query_safe('COMMIT; DROP TABLE beside; DELETE FROM crm_lead_sources s WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = s.relation)');
	$holder->query_safe('BEGIN; LOCK TABLE crm_sync_queue');
	discontent(qr/^backlog: could not be looked at: canceling statement due to lock timeout/m, 'another table');
	$holder->query_safe('COMMIT');
	$holder->quit;
	$t->drain($user);
	content();
});

$t->behaviour('the worker does not run', sub {
	my $pid = $t->wait_for_worker;

	kill 'STOP', $pid or die "could not stop $pid\n";
	eval { discontent(qr/^(?:reach|progress)/m, 'it hangs'); 1 } or fail($@);
	kill 'CONT', $pid;
	content();
	$t->configure('echosync.databases' => 'elsewhere');
	$t->node->restart;
	discontent(qr/^worker: no worker/m, 'not in this database');
	$t->deconfigure('echosync.databases');
	$t->node->restart;
	$t->wait_for_worker;
	content();
});

$t->behaviour('a connection does not send', sub {
	$t->sql_as($user, "SELECT echosync_pause('$user->{lofty}')");
	discontent(qr/^connections: 1 of 1 not active/m, 'paused');
	$t->sql_as($user, "SELECT echosync_resume('$user->{lofty}')");
	content();
	$t->sql("UPDATE crm_integrations SET crm_type = 'elsewhere'");
	discontent(qr/^connections: .*does not know: elsewhere/m, 'of a CRM that nobody knows');
	is($t->error_as($user, "SELECT echosync_preview('$user->{lofty}', '1')")->{state}, '0A000', 'a preview for it is refused');
	$t->sql("UPDATE crm_integrations SET crm_type = 'lofty'");
	content();
	my $holder = $t->session;

	$holder->query_safe("BEGIN; INSERT INTO leads (user_id, phone, risk_score) VALUES ('$user->{id}', '" . $t->new_phone . "', 5); COMMIT; BEGIN; LOCK TABLE leads");
	grow_old();
	discontent(qr/^backlog: 1 queued/m, 'its lead is in a table that somebody holds');
	$holder->query_safe('COMMIT');
	$holder->quit;
	$t->drain($user);
	content();
	$t->sql('UPDATE crm_credentials SET sealed = $$x$$; UPDATE crm_integrations SET updated_at = now()');
	$t->lead($user);
	discontent(qr/^connections: .*credential_unreadable/m, 'its credential does not open');
	$t->connect_lofty($user);
	$t->drain($user);
	content();
});

$t->behaviour('no table is attached', sub {
	app("SELECT echosync_detach_leads('leads')");
	discontent(qr/^leads: no table is attached, and no webhook has brought a lead/m);
	app("SELECT echosync_attach_leads('leads')");
	content();
});

$t->behaviour('sessions do not capture', sub {
	$t->sql('ALTER ROLE app SET echosync.capture = f');
	is(queued_of('leads', 700001), 0, 'a role: nothing is queued');
	discontent(qr/^capture: .*echosync.capture = f for role app/m);
	$t->sql(hint('capture') =~ s/ then .*//r);
	content();
	$t->sql('ALTER DATABASE postgres SET session_replication_role = replica');
	discontent(qr/^capture: .*session_replication_role = replica in database postgres/m, 'a database');
	$t->sql(hint('capture') =~ s/ then .*//r);
	content();
	$t->sql('ALTER ROLE ALL SET echosync.capture = off');
	discontent(qr/^capture: .*echosync.capture = off for all roles/m, 'all roles');
	$t->sql(hint('capture') =~ s/ then .*//r);
	content();
	$t->configure('echosync.capture' => 'off');
	discontent(qr/^capture: .*echosync.capture = off/m, 'the server');
	$t->sql(hint('capture') =~ s/ then .*//r);
	content();
});

$t->behaviour('a table is another than the one that was attached', sub {
	table('swapped');
	app('CREATE TABLE swapped_new (LIKE swapped INCLUDING ALL); ALTER TABLE swapped RENAME TO swapped_old');
	content('a table that was renamed is captured all the same');
	app('ALTER TABLE swapped_new RENAME TO swapped');
	is(queued_of('swapped', 1), 0, 'swapped under its name: nothing is queued');
	discontent(qr/^leads public.swapped_old: another table is called public.swapped now/m);
	app("BEGIN; " . hint('leads public.swapped_old') =~ s/^.*; if it is the former one that has the leads: //r . " ROLLBACK");
	app(hint('leads public.swapped_old') =~ s/ and if .*//r);
	content();
	is(queued_of('swapped', 2), 1, 'and captured');
	app('DROP TABLE swapped_old');
	$t->sql(hint($t->sql("SELECT check_name FROM echosync_doctor() WHERE NOT ok")));
	content();

	table('remade');
	app('DROP TABLE remade; CREATE TABLE remade (id int PRIMARY KEY, user_id text, phone text, risk_score int, dnc boolean)');
	discontent(qr/^leads \d+: the table no longer exists, and another one is called public.remade now/m, 'dropped and made anew');
	$t->sql(hint($t->sql('SELECT check_name FROM echosync_doctor() WHERE NOT ok')));
	content();
	is(queued_of('remade', 1), 1, 'and captured');

	table('alone');
	my $source = $t->sql("SELECT id FROM crm_lead_sources WHERE relation = 'alone'::regclass");
	app('DROP TABLE alone; CREATE TABLE alone (id int PRIMARY KEY, user_id text, phone text, risk_score int, dnc boolean)');
	$t->sql("CREATE TRIGGER echosync_capture AFTER INSERT OR UPDATE OR DELETE ON alone FOR EACH ROW EXECUTE FUNCTION echosync_capture('$source');"
		  . " CREATE TRIGGER echosync_capture_end AFTER INSERT OR UPDATE OR DELETE ON alone FOR EACH STATEMENT EXECUTE FUNCTION echosync_capture('$source')");
	discontent(qr/^leads public.alone: it has triggers of echosync and is not attached/m, 'restored alone');
	$t->sql("DELETE FROM crm_lead_sources WHERE id = $source");
	discontent(qr/^leads public.alone: it has triggers of echosync and is not attached/m, 'also when the former one is forgotten');
	app(hint('leads public.alone'));
	content();
	is(queued_of('alone', 1), 1, 'and captured');

	table('stale');
	app('CREATE TABLE archive (LIKE stale INCLUDING ALL)');
	$t->sql("UPDATE crm_lead_sources SET relation = 'archive'::regclass WHERE relation = 'stale'::regclass");
	discontent(qr/^leads public.archive: this is not the table that was attached as public.stale/m, 'a stale oid');
	$t->sql(hint('leads public.archive'));
	content();

	table('lost');
	$t->sql("UPDATE crm_lead_sources SET relation = 'archive'::regclass WHERE relation = 'lost'::regclass");
	app('DROP TABLE lost');
	discontent(qr/^leads public.archive: no trigger is on it, and what was attached was called public.lost/m, 'a stale oid of a table that was dropped');
	$t->sql(hint('leads public.archive') =~ s/^.*; if it is not: //r);
	content();
	$t->drain($user);
});

$t->behaviour('a table whose rows are written past the triggers, or are lost', sub {
	table('parent');
	app('CREATE TABLE child () INHERITS (parent)');
	is(queued_of('child', 1), 0, 'a child: nothing is queued');
	discontent(qr/^leads public.parent: public.child inherit from it/m);
	app('ALTER TABLE child NO INHERIT parent');
	content();

	table('unlogged');
	app('ALTER TABLE unlogged SET UNLOGGED');
	discontent(qr/^leads public.unlogged: it is unlogged/m);
	app(hint('leads public.unlogged'));
	content();

	table('subscribed');
	$t->sql("SET allow_system_table_mods = on; SET client_min_messages = error; CREATE SUBSCRIPTION feed CONNECTION 'dbname=nowhere' PUBLICATION p WITH (connect = false, slot_name = NONE);"
		  . " INSERT INTO pg_subscription_rel (srsubid, srrelid, srsubstate) VALUES ((SELECT oid FROM pg_subscription), 'subscribed'::regclass, 'r')");
	discontent(qr/^leads public.subscribed: its rows come by subscription feed/m);
	app(hint('leads public.subscribed') =~ s/^.*?: (ALTER TABLE .*?);.*/$1/r);
	content();
	$t->sql('DROP SUBSCRIPTION feed');

	app('CREATE TABLE heap (id text, user_id text, phone text, risk_score int, dnc boolean);'
		  . "INSERT INTO heap SELECT md5(g::text), 'nobody', repeat('x', 100), 1, false FROM generate_series(1, 60000) g; SET client_min_messages = error; SELECT echosync_attach_leads('heap')");
	discontent(qr/^leads public.heap: no index covers id in public.heap/m, 'no index on the ids of a large table');
	app('CREATE INDEX ON heap USING brin (id); CREATE INDEX ON heap (user_id)');
	discontent(qr/^leads public.heap: no index covers id/m, 'nor do these serve');
	app(hint('leads public.heap'));
	content();
});

$t->behaviour('the owner of the extension is no superuser', sub {
	my $name = $t->sql("SELECT extowner::regrole FROM pg_extension WHERE extname = 'echosync'");

	$t->sql('CREATE ROLE keeper SUPERUSER LOGIN');
	$t->sql('ALTER FUNCTION echosync_doctor() OWNER TO keeper; ALTER ROLE keeper NOSUPERUSER; GRANT USAGE ON SCHEMA public TO keeper');
	discontent(qr/^owner: keeper, who owns|^owner: could not be looked at/m);
	$t->sql("ALTER ROLE keeper SUPERUSER; ALTER FUNCTION echosync_doctor() OWNER TO $name");
	content();
	$t->sql("ALTER ROLE keeper NOSUPERUSER; SET allow_system_table_mods = on; UPDATE pg_extension SET extowner = 'keeper'::regrole WHERE extname = 'echosync'");
	discontent(qr/^owner: keeper, who owns/m, 'of the extension itself');
	$t->sql(hint('owner'));
	content();
	$t->sql("SET allow_system_table_mods = on; UPDATE pg_extension SET extowner = 424242 WHERE extname = 'echosync'");
	discontent(qr/^owner: a role that is gone \(424242\), who owns/m, 'a role that is gone');
	$t->sql("SET allow_system_table_mods = on; UPDATE pg_extension SET extowner = '$name'::regrole WHERE extname = 'echosync'");
	content();
});

$t->behaviour('a publication that carries credentials and leads', sub {
	$t->sql('CREATE PUBLICATION everything FOR ALL TABLES');
	discontent(qr/^publications: sealed credentials and snapshots .*everything carries crm_credentials, crm_dead_letters, crm_sync_attempts, crm_sync_queue/m);
	$t->sql('DROP PUBLICATION everything; CREATE PUBLICATION several FOR TABLE leads, crm_credentials');
	discontent(qr/^publications: .*several carries crm_credentials/m);
	$t->sql(hint('publications'));
	content('without it all is well');
	$t->sql('DROP PUBLICATION several; CREATE PUBLICATION ours FOR TABLES IN SCHEMA public');
	discontent(qr/^publications: .*ours carries crm_credentials/m);
	$t->sql('DROP PUBLICATION ours');
	content();
});

$t->behaviour("a subscription that brings another database's rows", sub {
	$t->sql("SET allow_system_table_mods = on; SET client_min_messages = error; CREATE SUBSCRIPTION feed CONNECTION 'dbname=nowhere' PUBLICATION p WITH (connect = false, slot_name = NONE);"
		  . " INSERT INTO pg_subscription_rel (srsubid, srrelid, srsubstate) SELECT oid, 'crm_sync_queue'::regclass, 'r' FROM pg_subscription");
	discontent(qr/^subscriptions: rows of another database come into the extension's tables: feed brings crm_sync_queue/m);
	$t->sql('DROP SUBSCRIPTION feed');
	content();
});

$t->done;
