# Leads that were written while a connection began to sync, or while all leads
# were asked for, by transactions that did not see it: they are captured when
# these have ended, and nothing else is.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use Test::More;

my $t = EchosyncFaults->start;

$t->sql('GRANT CREATE ON SCHEMA public TO app');

sub app { return $t->sql_as(undef, $_[0]) }

# SQL that inserts a lead of this first name.
sub insert_sql
{
	my ($user, $name, $table) = @_;

	return sprintf "INSERT INTO %s (user_id, first_name, phone, risk_score) VALUES (%s, %s, '%s', 5)", $table || 'leads', lit($user->{id}), lit($name), $t->new_phone;
}

sub names { my ($user) = @_; return join ' ', sort map { $_->{firstName} } $t->records($user, 'lofty') }

# No connection's gap is open any more, and all that was found is sent.
sub settle
{
	my ($user) = @_;

	$t->wait_for_sql('SELECT count(*) FROM crm_sync_gaps', '0');
	return $t->drain($user);
}

$t->behaviour('a transaction that goes on while its user connects', sub {
	my $user = $t->user;
	my @sessions = map { $t->session } 1 .. 2;

	app(insert_sql($user, 'Long'));
	$sessions[0]->query_safe('BEGIN; ' . insert_sql($user, 'First') . '; SAVEPOINT s; ' . insert_sql($user, 'Second') . '; RELEASE s');
	$sessions[1]->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; ' . insert_sql($user, 'Undone'));
	$user->{lofty} = $t->connect_lofty($user);
	$sessions[0]->query_safe(insert_sql($user, 'Third'));
	app(insert_sql($user, 'After'));
	$t->wait_until('what sees the connection is sent at once', sub { names($user) eq 'After' });
	$sessions[0]->query_safe('COMMIT');
	$sessions[1]->query_safe('ROLLBACK');
	settle($user);
	is(names($user), 'After First Second Third', 'all of its leads are there, when it has ended');
	is(scalar $t->logs($user), 4, 'and each was sent once');
	$_->quit for @sessions;
});

$t->behaviour('the same transaction writes a lead and connects', sub {
	my $user = $t->user;
	my $session = $t->session_as($user);

	$session->query_safe('BEGIN; ' . insert_sql($user, 'Before') . "; SELECT echosync_connect('lofty', '$user->{keys}{lofty}')");
	$session->query_safe(insert_sql($user, 'After') . '; COMMIT');
	$session->quit;
	$user->{lofty} = $t->sql("SELECT id FROM crm_integrations WHERE user_id = '$user->{id}'");
	settle($user);
	is(names($user), 'After Before', 'both are there');
});

$t->behaviour('auto_sync is switched on while a transaction goes on', sub {
	my $user = $t->user(lofty => { auto_sync => \0 });
	my $session = $t->session;

	app(insert_sql($user, 'Off'));
	$session->query_safe('BEGIN; ' . insert_sql($user, 'Between'));
	$t->sql_as($user, "SELECT echosync_update_integration('$user->{lofty}', '{\"auto_sync\": true}')");
	$session->query_safe('COMMIT');
	$session->quit;
	settle($user);
	is(names($user), 'Between', 'what it wrote is there, and nothing from before');
});

$t->behaviour('all leads are asked for while a transaction goes on', sub {
	my $user = $t->user(lofty => { auto_sync => \0 });
	my $session = $t->session;
	my $reader = $t->session_as($user);

	app(insert_sql($user, 'There'));
	$session->query_safe('BEGIN; ' . insert_sql($user, 'Between'));
	is($t->sql_as($user, "SELECT queued FROM echosync_manual_sync('$user->{lofty}')"), '1', 'one can be seen');
	$session->query_safe('COMMIT');
	settle($user);
	is(names($user), 'Between There', 'the other is queued when it can be');

	$reader->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
	app(insert_sql($user, 'Unseen'));
	$reader->query_safe("SELECT echosync_manual_sync('$user->{lofty}'); COMMIT");
	settle($user);
	is(names($user), 'Between There Unseen', 'also what an old snapshot does not show');
	$_->quit for $session, $reader;
});

# Its writer sees the connection, and the worker does not find it any more by who wrote it.
sub touch_sql { my ($user) = @_; return "UPDATE touched SET seen = seen + 1 WHERE user_id = '$user->{id}'" }

$t->behaviour('what an overlapping transaction wrote is changed by others, in columns that are not mapped', sub {
	my $user = $t->user;
	my $asking = $t->user(lofty => { auto_sync => \0 });
	my $bystander = $t->user(lofty => 1);
	my ($writer, $holder, $toucher) = map { $t->session } 1 .. 3;
	my $table = 'CREATE TABLE touched (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id text, phone text, first_name text, risk_score int, seen int DEFAULT 0)';

	app("$table; " . join '; ', map { insert_sql($_, 'Old', 'touched') } $user, $asking, $bystander);
	app("SELECT echosync_attach_leads('touched')");
	$toucher->query_safe(touch_sql($user));
	$holder->query_safe("BEGIN; INSERT INTO touched (user_id) VALUES ('nobody')");
	$writer->query_safe('BEGIN; ' . join '; ', map { insert_sql($_, 'Missed', 'touched') } $user, $asking);
	$writer->query_safe(insert_sql($user, 'Left', 'touched'));
	$user->{lofty} = $t->connect_lofty($user);
	$t->sql_as($asking, "SELECT echosync_manual_sync('$asking->{lofty}')");
	$writer->query_safe('COMMIT');
	$t->wait_for_sql('SELECT count(*) FROM crm_sync_gaps WHERE end_xid IS NOT NULL', '2');
	$toucher->query_safe(touch_sql($_) . " AND first_name <> 'Left'") for $user, $asking, $bystander, $user;
	$toucher->query_safe('BEGIN; ' . touch_sql($user) . '; ROLLBACK');
	$t->wait_until('what was changed is sent before the last transaction has ended', sub { names($user) eq 'Missed' });
	$t->wait_until('also where all leads were asked for', sub { names($asking) eq 'Missed Old' });
	$holder->query_safe('COMMIT');
	settle($_) for $user, $asking, $bystander;
	is(names($user), 'Left Missed', 'the other one then, and none from before');
	is(names($bystander), '', 'nor any of somebody whose connection missed none');
	$toucher->query_safe(touch_sql($_)) for $user, $asking;
	settle($_) for $user, $asking;
	is($t->sql("SELECT count(*) FROM crm_sync_logs WHERE user_id IN ('$user->{id}', '$asking->{id}') AND crm_type = 'lofty'"), '4', 'and afterwards nothing is queued');
	$_->quit for $writer, $holder, $toucher;
	app('DROP TABLE touched');
});

$t->behaviour('tables of many blocks, of partitions, of another spelling, and one that is locked', sub {
	my $user = $t->user;
	my $session = $t->session;

	app("CREATE TABLE big (id int, user_id text, phone text, first_name text, risk_score int, filler text);"
		  . "INSERT INTO big SELECT n, 'nobody', '801', 'No', 5, repeat('x', 1200) FROM generate_series(1, 20000) n; SELECT echosync_attach_leads('big')");
	app('CREATE TABLE wide (id int PRIMARY KEY, user_id char(30), phone text, first_name text, risk_score int, filler text) PARTITION BY RANGE (id);'
		  . 'CREATE TABLE wide_1 PARTITION OF wide FOR VALUES FROM (0) TO (20000); CREATE TABLE wide_2 PARTITION OF wide DEFAULT;'
		  . "INSERT INTO wide SELECT n, 'nobody', '801', 'No', 5, repeat('x', 1200) FROM generate_series(1, 30000) n;"
		  . "SELECT echosync_attach_leads('wide')");
	my $blocks = $t->sql("SELECT pg_relation_size('wide_1') / 8192");
	cmp_ok($blocks, '>', 2000, 'more than is read at once');
	$session->query_safe("BEGIN; INSERT INTO wide VALUES (0, '$user->{id}', '" . $t->new_phone . "', 'W0', 5), (100001, '$user->{id}', '" . $t->new_phone . "', 'W100001', 5);"
		  . " UPDATE wide SET user_id = '$user->{id}', phone = '" . $t->new_phone . "', first_name = 'Moved' WHERE id = 19000;"
		  . " INSERT INTO big VALUES (0, '$user->{id}', '" . $t->new_phone . "', 'Big', 5)");
	my $holder = $t->session;

	$user->{lofty} = $t->connect_lofty($user);
	$session->query_safe('COMMIT');
	$holder->query_safe('BEGIN; LOCK TABLE wide');
	my $free = $t->user(lofty => 1);
	app(insert_sql($free, 'Free'));
	$t->drain($free);
	is($t->sql("SELECT count(*) > 0 FROM crm_sync_gaps g WHERE integration_id = '$user->{lofty}'"), 't', 'one that is locked is waited for, and others\' leads go');
	$holder->query_safe('COMMIT');
	$t->wait_until('then it is read', sub { $t->sql('SELECT count(*) FROM crm_sync_gaps') == 0 }, 60);
	settle($user);
	is(names($user), 'Big Moved W0 W100001', 'its leads are there');
	$_->quit for $session, $holder;
	app('DROP TABLE wide, big');
});

$t->behaviour('a table that cannot be read keeps its gap open, and the leads of others go once', sub {
	my $user = $t->user;
	my $session = $t->session;

	app("CREATE TABLE broken (id int PRIMARY KEY, user_id text, phone text, first_name text, risk_score int); SELECT echosync_attach_leads('broken')");
	$session->query_safe('BEGIN; ' . insert_sql($user, 'Healthy') . "; INSERT INTO broken VALUES (1, '$user->{id}', '" . $t->new_phone . "', 'Broken', 5)");
	$user->{lofty} = $t->connect_lofty($user);
	$session->query_safe('COMMIT');
	$session->query_safe('ALTER TABLE broken RENAME user_id TO whose');
	$t->wait_until('the other is sent', sub { names($user) eq 'Healthy' });
	$t->wait_until('the log names the table', sub { $t->log_text =~ /leads of attached table \d+ that were written while connections began to sync cannot be looked for: SQLSTATE 42703/ }, 40);
	is(scalar $t->logs($user), 1, 'once');
	is($t->sql('SELECT count(*) FROM crm_sync_gaps'), '1', 'it stays open');
	my $other = $t->user;
	$session->query_safe('BEGIN; ' . insert_sql($other, 'Other'));
	$other->{lofty} = $t->connect_lofty($other);
	$session->query_safe('COMMIT');
	$t->wait_until('another connection does not wait for it', sub { names($other) eq 'Other' }, 40);
	$session->query_safe('ALTER TABLE broken RENAME whose TO user_id');
	$t->wait_until('mended, it is read', sub { $t->sql('SELECT count(*) FROM crm_sync_gaps') eq '0' }, 100);
	settle($user);
	is(names($user), 'Broken Healthy', 'and nothing was lost');
	is(scalar $t->logs($user), 2, 'or sent twice');
	$session->quit;
	app('DROP TABLE broken');
});

$t->behaviour('a statement that is under way while its user connects, in a session that knows that nobody is', sub {
	my $user = $t->user;
	my $session = $t->session;

	$session->query_safe(insert_sql($user, 'Old'));
	$t->begin_call($session, "UPDATE leads SET first_name = 'New' FROM (SELECT pg_sleep(3)) s WHERE user_id = '$user->{id}'");
	$t->wait_until('it is under way', sub { $t->sql("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep')") eq 't' });
	$user->{lofty} = $t->connect_lofty($user);
	$t->wait_until('it has ended', sub { $session->{run}->pump_nb; $session->{stdout} =~ /ended/ });
	settle($user);
	is(names($user), 'New', 'its lead is there');
	$session->quit;
});

$t->behaviour('a lead that can never be sent is in the log', sub {
	my $user = $t->user;
	my $session = $t->session;

	app("CREATE TABLE long_ids (id text PRIMARY KEY, user_id text, phone text, first_name text, risk_score int); SELECT echosync_attach_leads('long_ids')");
	$session->query_safe("BEGIN; INSERT INTO long_ids VALUES (repeat('i', 1025), '$user->{id}', '" . $t->new_phone . "', 'Long', 5)");
	$user->{lofty} = $t->connect_lofty($user);
	$session->query_safe('COMMIT');
	$t->wait_for_sql("SELECT string_agg(reason, ' ') FROM crm_sync_logs WHERE user_id = '$user->{id}'", 'id_too_long');
	$t->wait_for_sql('SELECT count(*) FROM crm_sync_gaps', '0');
	$session->quit;
	app('DROP TABLE long_ids');
});

$t->behaviour('nothing is left of it where nobody wants to know any more, and another worker forgets nothing', sub {
	my $user = $t->user;
	my $session = $t->session;

	$session->query_safe('BEGIN; ' . insert_sql($user, 'Lost'));
	$user->{lofty} = $t->connect_lofty($user);
	$t->wait_until('it waits', sub { $t->sql('SELECT count(*) FROM crm_sync_gaps') == 1 });
	$t->sql('SELECT pg_terminate_backend(pid) FROM echosync_workers');
	$session->query_safe('COMMIT');
	settle($user);
	is(names($user), 'Lost', 'it was the next worker that waited');
	$t->sql_as($user, "SELECT echosync_update_integration('$user->{lofty}', '{\"auto_sync\": false}')");
	$session->query_safe('BEGIN; ' . insert_sql($user, 'Never'));
	$t->sql_as($user, "SELECT echosync_update_integration('$user->{lofty}', '{\"auto_sync\": true}')");
	$t->sql_as($user, "SELECT echosync_update_integration('$user->{lofty}', '{\"auto_sync\": false}')");
	$session->query_safe('COMMIT');
	settle($user);
	$t->sql_as($user, "SELECT echosync_disconnect('$user->{lofty}')");
	$t->wait_for_sql('SELECT count(*) FROM crm_sync_gaps', '0');
	is(names($user), 'Lost', 'nothing more was sent');
	$session->quit;
});

$t->done;
