# Every lead is captured, or somebody is told; and the application's statements
# pay nothing for it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use Test::More;

my $t = EchosyncFaults->start;

$t->sql('GRANT CREATE ON SCHEMA public TO app');

sub app { return $t->sql_as(undef, $_[0]) }
sub queued { return $t->sql("SELECT count(*) FROM crm_sync_queue WHERE user_id = '$_[0]{id}'") }

$t->behaviour('a session whose transaction is older than an attach captures by the mapping of now, then and later', sub {
	my $user = $t->user(lofty => 1);
	my $row = "'$user->{id}', '8015550101', 5";

	$t->sql_as($user, "SELECT echosync_pause('$user->{lofty}')");
	app('CREATE TABLE older (id int PRIMARY KEY, user_id text, phone text, risk_score int, dnc boolean, stop_it boolean);'
		  . "SELECT echosync_attach_leads('older', '{\"do_not_contact\": \"dnc\"}'); CREATE TABLE newer (LIKE older)");
	my $session = $t->session_as(undef);

	$session->query_safe("INSERT INTO older VALUES (1, $row)");
	$session->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
	app("SELECT echosync_attach_leads('older', '{\"do_not_contact\": [\"dnc\", \"stop_it\"]}'); SELECT echosync_attach_leads('newer')");
	$session->query_safe("INSERT INTO older VALUES (2, $row); INSERT INTO newer VALUES (1, $row); COMMIT");
	is(queued($user), '3', 'of a table that was attached meanwhile, too');
	$session->query_safe('UPDATE older SET stop_it = true WHERE id = 1');
	is(queued($user), '4', 'in a later transaction of that session, a column mapped meanwhile is one');
	$session->quit;
});

$t->behaviour('an update that leaves long notes alone does not fetch them', sub {
	my $user = $t->user(lofty => 1);

	$t->sql_as($user, "SELECT echosync_pause('$user->{lofty}')");
	app('CREATE TABLE noted (id int PRIMARY KEY, user_id text, phone text, notes text, risk_score int, seen int);'
		  . 'ALTER TABLE noted ALTER notes SET STORAGE EXTERNAL;'
		  . "SELECT echosync_attach_leads('noted');"
		  . "INSERT INTO noted SELECT g, '$user->{id}', '8015550101', repeat('long ', 20000), 5, 0 FROM generate_series(1, 20) g");
	my $before = queued($user);
	my $fetched = sub { $t->sql("SELECT pg_stat_force_next_flush(); SELECT pg_stat_get_blocks_fetched(reltoastrelid) FROM pg_class WHERE relname = 'noted'") =~ s/^\s+//r };
	my $blocks = $fetched->();

	app('UPDATE noted SET seen = seen + 1; SELECT pg_stat_force_next_flush()');
	is($fetched->(), $blocks, 'no block of them was read');
	is(queued($user), $before, 'and nothing is queued');
	app("UPDATE noted SET notes = notes || '.' WHERE id = 1");
	is(queued($user), $before + 1, 'a change of them is one');
});

$t->behaviour('a table that somebody has locked holds up no session, and is named', sub {
	my $user = $t->user(lofty => 1);
	my ($free, $locked) = (1, 2);

	app("CREATE TABLE locked (id int PRIMARY KEY, user_id text, phone text, risk_score int); SELECT echosync_attach_leads('locked');"
		  . "INSERT INTO locked VALUES (990002, '$user->{id}', '8015550199', 5)");
	my $lead = $t->lead($user);

	$t->drain($user);
	my $holder = $t->session_as(undef);

	$holder->query_safe('BEGIN; LOCK TABLE locked');
	is($t->sql_as($user, "SET statement_timeout = '5s'; SELECT queued || ' ' || skipped FROM echosync_manual_sync('$user->{lofty}', ARRAY['$lead', '990002'])"), '1 1', 'manual sync takes the others');
	ok($t->sql_as($user, "SET statement_timeout = '5s'; SELECT count(*) FROM echosync_preview('$user->{lofty}', '$lead')") > 0, 'preview finds another\'s lead');
	$holder->query_safe('COMMIT');
	$holder->quit;
	$t->drain($user);
	is($t->sql("SELECT count(*) FROM crm_sync_logs WHERE user_id = '$user->{id}' AND reason = 'lead_deleted'"), '0', 'nothing in it was taken for gone');
});

$t->behaviour('a column and a trigger that somebody adds to the queue are heeded', sub {
	my $user = $t->user(lofty => 1);

	$t->sql_as($user, "SELECT echosync_pause('$user->{lofty}')");
	$t->sql('ALTER TABLE crm_sync_queue ADD tenant int NOT NULL DEFAULT 7');
	my $lead = $t->lead($user);
	is($t->sql("SELECT tenant FROM crm_sync_queue WHERE user_id = '$user->{id}'"), '7', 'the column has its default');
	is($t->sql_as($user, 'SELECT queued FROM echosync_status'), '1', 'one waits');
	$t->sql(<<'SQL');
CREATE TABLE seen (what text);
CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.seen VALUES (TG_OP); RETURN NULL; END $$;
CREATE TRIGGER see AFTER INSERT OR DELETE ON crm_sync_queue FOR EACH ROW EXECUTE FUNCTION see();
SQL
	$t->lead($user);
	is($t->sql_as($user, 'SELECT queued FROM echosync_status'), '2', 'each is counted once');
	$t->sql_as($user, "SELECT echosync_resume('$user->{lofty}')");
	$t->drain($user);
	is($t->sql('SELECT string_agg(what, $$ $$ ORDER BY what) FROM seen'), 'DELETE DELETE INSERT', 'the trigger fires for what is queued and what is done');
	is($t->sql_as($user, 'SELECT queued FROM echosync_status'), '0', 'none waits');
	is(scalar(my @all = $t->records($user, 'lofty')), 2, 'both leads are there');
	$t->sql('DROP TRIGGER see ON crm_sync_queue; ALTER TABLE crm_sync_queue DROP tenant');
	$t->change_and_drain($user, $lead, first_name => 'Later');
});

$t->behaviour('a publication of all tables changes nothing', sub {
	my $user = $t->user(lofty => 1);

	$t->sql('SET client_min_messages = error; CREATE PUBLICATION everything FOR ALL TABLES');
	$t->sql('SELECT pg_terminate_backend(pid) FROM echosync_workers');
	$t->lead($user, first_name => 'Published');
	$t->drain($user);
	is_deeply([ map { $_->{firstName} } $t->records($user, 'lofty') ], ['Published'], 'a worker that starts then sends');
	$t->sql('SELECT echosync_adopt(); SELECT echosync_accept_key()');
	$t->change_and_drain($user, $t->lead($user), first_name => 'Adopted');
	is(scalar(my @all = $t->records($user, 'lofty')), 2, 'and goes on after the database was adopted');
	is($t->sql("SELECT string_agg(c.relname, ', ') FROM pg_class c JOIN pg_depend d ON d.objid = c.oid AND d.deptype = 'e' AND d.classid = 'pg_class'::regclass"
		  . " JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'echosync' WHERE c.relkind = 'r' AND c.relreplident <> 'f'"
		  . ' AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)'), '', 'each table says which of its rows has changed');
	$t->sql('DROP PUBLICATION everything');
});

$t->done;
