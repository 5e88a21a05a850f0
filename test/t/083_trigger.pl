# The trigger remembers nothing that is no longer so, and what it cannot read
# fails nobody's statement: the lead is captured all the same, or somebody is told.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use Test::More;

my $t = EchosyncFaults->start;
my $VERSION = $t->sql("SELECT current_setting('server_version_num')::int / 10000");

# The extension is of a superuser who may go, as whoever installs it may.
$t->sql(q{CREATE ROLE founder SUPERUSER; CREATE ROLE heir SUPERUSER;
	DROP EXTENSION echosync;
	SET ROLE founder; CREATE EXTENSION echosync; SELECT echosync_grant('app'); RESET ROLE;
	GRANT CREATE ON SCHEMA public TO app});
$t->sql_as(undef, "SELECT echosync_attach_leads('leads')");

sub app { return $t->sql_as(undef, $_[0]) }

# A table of the application's own; returns its name.
sub table
{
	my ($name, $columns, $mapping) = @_;

	app("CREATE TABLE $name (id bigint PRIMARY KEY, user_id text, first_name text DEFAULT 'Dana', last_name text DEFAULT 'Holt',"
		  . " risk_score int DEFAULT 5, $columns);"
		  . "SELECT echosync_attach_leads('$name', '@{[ $mapping || '{}' ]}')");
	return $name;
}

sub insert_sql
{
	my ($table, $user, $id, %more) = @_;
	my %all = (id => $id, user_id => $user->{id}, phone => $t->new_phone, %more);
	my @names = sort keys %all;

	return sprintf "INSERT INTO $table (%s) VALUES (%s)", join(', ', @names), join(', ', map { lit($all{$_}) } @names);
}

sub flags
{
	my ($user, $name) = @_;
	my ($record) = grep { $_->{firstName} eq $name } $t->records($user, 'lofty');

	return join ' ', map { $record->{$_} ? 'yes' : 'no' } qw(cannotCall cannotText cannotEmail);
}

$t->behaviour('a table that is attached while a transaction goes on that sees nothing of it: its leads are captured', sub {
	my $user = $t->user(lofty => 1);
	my $session = $t->session_as($user);

	app('CREATE TABLE late (id int PRIMARY KEY, user_id text, phone text, first_name text, risk_score int, dnc boolean)');
	$session->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
	app("SELECT echosync_attach_leads('late')");
	$session->query_safe(insert_sql('late', $user, 1, first_name => 'Iris', risk_score => 5) . '; COMMIT');
	$t->drain($user);
	is(scalar $t->records($user, 'lofty'), 1, 'it is in the CRM');
	$session->quit;
});

$t->behaviour('a mapping that changes meanwhile holds in that session from then on', sub {
	my $user = $t->user(lofty => 1);
	my $session = $t->session_as($user);

	table('mapped', 'phone text, dnc boolean, stop_it boolean');
	app(insert_sql('mapped', $user, 1));
	$t->drain($user);
	$session->query_safe(q{UPDATE mapped SET risk_score = 6});
	$session->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
	app(q{SELECT echosync_attach_leads('mapped', '{"do_not_contact": ["dnc", "stop_it"]}')});
	$session->query_safe('UPDATE mapped SET risk_score = 7; COMMIT');
	$t->drain($user);
	$session->query_safe('UPDATE mapped SET stop_it = true');
	$t->drain($user);
	is(flags($user, 'Dana'), 'yes yes yes', 'an opt-out in a newly mapped column reaches the CRM');
	$session->quit;
});

$t->behaviour('a column that has another name: what changes in it meanwhile goes when the table is attached anew', sub {
	my $user = $t->user(lofty => 1);

	table('renamed', 'phone text, dnc boolean');
	app(insert_sql('renamed', $user, 1));
	$t->drain($user);
	app('ALTER TABLE renamed RENAME dnc TO stop_it');
	app('UPDATE renamed SET stop_it = true');
	app(q{SELECT echosync_attach_leads('renamed', '{"do_not_contact": "stop_it"}')});
	$t->drain($user);
	is(flags($user, 'Dana'), 'yes yes yes', 'the opt-out is in the CRM');
});

$t->behaviour('generated columns that are not stored: the worker computes them, any UPDATE may have changed them', sub {
	plan skip_all => 'PostgreSQL 18 has them' if $VERSION < 18;
	my $user = $t->user(lofty => 1);

	table('computed', 'area text, local text, opted_at timestamptz,'
		  . ' phone text GENERATED ALWAYS AS (area || local) VIRTUAL,'
		  . ' do_not_contact boolean GENERATED ALWAYS AS (opted_at IS NOT NULL) VIRTUAL');
	app("INSERT INTO computed (id, user_id, area, local) VALUES (1, '$user->{id}', '801', '5550177')");
	$t->drain($user);
	is(join(',', $t->log_lines($user)), 'created success', 'a lead whose phone is one is sent');
	app('UPDATE computed SET opted_at = now()');
	$t->drain($user);
	is(flags($user, 'Dana'), 'yes yes yes', 'and its opt-out');
	for my $field (qw(id user_id))
	{
		app("CREATE TABLE by_$field (key int PRIMARY KEY, who text, phone text, risk_score int, dnc boolean,"
			  . " virtual text GENERATED ALWAYS AS (who) VIRTUAL, stored text GENERATED ALWAYS AS (who) STORED)");
		my $attach = sub { sprintf q{SELECT echosync_attach_leads('by_%s', '{"id": "key", "user_id": "who", "%s": "%s"}')}, $field, $field, $_[0] };
		my $error = $t->error_as(undef, $attach->('virtual'));
		is($error->{state}, '0A000', "none can be the lead's $field");
		like($error->{hint}, qr/STORED/, 'and the hint says what can');
		app($attach->('stored'));
	}
});

# Values that json keeps and nothing can be made of: a zero, the halves of a pair, a number beyond all bounds.
my @UNREADABLE = ('["a\u0000b@example.com"]', '["x\ud800y@example.com"]', '["\udc00@example.com"]', '[1e400000]');

$t->behaviour('json that no text can hold: the statement goes on, and the lead goes without it', sub {
	my $user = $t->user(lofty => 1);
	my $n = 0;

	app('CREATE TABLE odd (id bigint PRIMARY KEY, user_id text, first_name text, risk_score int, emails json, tags json, phone text, dnc boolean)');
	app(insert_sql('odd', $user, 99, first_name => 'Old', risk_score => 5, emails => $UNREADABLE[0]));
	app(q{SELECT echosync_attach_leads('odd', '{"email": "emails"}')});
	app(insert_sql('odd', $user, ++$n, first_name => "Odd$n", risk_score => 5, emails => $_, tags => $_)) for @UNREADABLE;
	app(insert_sql('odd', $user, ++$n, first_name => 'Whole', risk_score => 5, emails => '["wh\u006fle@example.com"]', tags => '["smile \ud83d\ude00", "no \\\\u0000"]'));
	app("UPDATE odd SET first_name = 'Older' WHERE id = 99");
	is(app('SELECT count(*) FROM odd'), 6, 'every row is there');
	$t->drain($user);
	is(join(',', $t->log_lines($user)), join(',', ('created success') x 6), 'every lead is in the CRM, by its phone');
	my ($whole) = grep { $_->{firstName} eq 'Whole' } $t->records($user, 'lofty');
	like(join(' ', @{ $whole->{emails} }), qr/whole\@example\.com/, 'what can be read is there');
	my $tags = join ' ', map { ref $_ ? values %$_ : $_ } @{ $whole->{tags} };

	like($tags, qr/\x{1F600}/, 'a pair of halves, too');
	like($tags, qr/no \\u0000/, 'and what only looks like an escape');
});

$t->behaviour('... also within arrays and rows, and where all is asked for by hand', sub {
	my $user = $t->user(lofty => 1);
	my $n = 0;

	app('CREATE TYPE place AS (street text, more json);'
		  . 'CREATE TABLE nested (id bigint PRIMARY KEY, user_id text, first_name text, risk_score int, email json[], notes place, phone text, dnc json);'
		  . q{SELECT echosync_attach_leads('nested')});
	for my $value (@UNREADABLE)
	{
		app("INSERT INTO nested SELECT @{[ ++$n ]}, '$user->{id}', 'Nested$n', 5, ARRAY[" . lit($value) . "::json], ROW('Elm St', " . lit($value) . "::json)::place, '@{[ $t->new_phone ]}', NULL");
	}
	$t->drain($user);
	is(join(',', $t->log_lines($user)), join(',', ('created success') x 4), 'every lead is in the CRM');
	app("INSERT INTO nested VALUES (50, '$user->{id}', 'Opted', 5, NULL, NULL, '@{[ $t->new_phone ]}', " . lit('[1e400000]') . ')');
	is($t->sql_as($user, "SELECT queued || ' ' || skipped FROM echosync_manual_sync('$user->{lofty}')"), '5 0', 'by hand, too, all are queued');
	$t->wait_until('one that may be opted out is a dead letter', sub { $t->sql("SELECT string_agg(lead_id || error_code, ' ') FROM crm_dead_letters WHERE user_id = '$user->{id}'") eq '50lead_unreadable' });
	is(scalar $t->records($user, 'lofty'), 4, 'the CRM has not heard of it');
	is($t->sql("SELECT count(*) FROM crm_sync_logs WHERE user_id = '$user->{id}' AND reason = 'unchanged'"), 4, 'and has all of the others');
});

$t->behaviour('an id that no index takes: the statement goes on, and the log says so', sub {
	my $user = $t->user(lofty => 1);

	app("CREATE TABLE long (id text, user_id text, phone text, risk_score int, dnc boolean); SELECT echosync_attach_leads('long');"
		  . "INSERT INTO long SELECT repeat(c, n), '$user->{id}', '8015550177', 5 FROM (VALUES ('i', 1), ('j', 1025), ('k', 100000)) v(c, n)");
	$t->drain($user);
	is(app('SELECT count(*) FROM long'), 3, 'every row is there');
	is($t->sql("SELECT string_agg(left(lead_id, 1) || length(lead_id) || ' ' || status || ' ' || coalesce(reason, action), ',' ORDER BY lead_id) FROM crm_sync_logs WHERE user_id = '$user->{id}'"),
		'i1 success created,j1024 skipped id_too_long,k1024 skipped id_too_long', 'each is named');
});

$t->behaviour('the column of ids or of users is gone: the statement goes on, the session is told once, and attached anew it is captured', sub {
	my $user = $t->user(lofty => 1);
	my $session = $t->session_as($user);
	my $insert = sub { "INSERT INTO keyless VALUES ($_[0], '$user->{id}', '@{[ $t->new_phone ]}', 5)" };

	app("CREATE TABLE keyless (id int, user_id text, phone text, risk_score int, dnc boolean); SELECT echosync_attach_leads('keyless')");
	for my $column (qw(id user_id))
	{
		app("ALTER TABLE keyless RENAME $column TO new_$column");
		$session->{stderr} = '';
		$session->query($insert->(1)) for 1 .. 3;
		is(scalar(my @said = $session->{stderr} =~ /WARNING: +leads of "keyless" are not captured: the column that was their $column is gone/g), 1, "$column: told once");
		like($session->{stderr}, qr/HINT:.*echosync_attach_leads\(\) again.*echosync_manual_sync\(\)/, 'and what to do');
		app(sprintf q{SELECT echosync_attach_leads('keyless', '{"%s": "new_%s"%s}')}, $column, $column, $column eq 'id' ? '' : ', "id": "new_id"');
	}
	is(app('SELECT count(*) FROM keyless'), 6, 'every row is there');
	$session->{stderr} = '';
	$session->query_safe($insert->(9));
	$t->drain($user);
	is(join(',', $t->log_lines($user)), 'created success', 'the next one is captured');
	$session->quit;
});

$t->behaviour('where it may say that nobody is to call: the statement goes on, the lead is not sent, and the log says so', sub {
	my $user = $t->user(lofty => 1);

	table('veiled', 'phone text, dnc json');
	app(insert_sql('veiled', $user, 1, dnc => '"\u0000"'));
	is(app('SELECT count(*) FROM veiled'), 1, 'the row is there');
	$t->wait_until('it is a dead letter', sub { $t->sql("SELECT count(*) FROM crm_dead_letters WHERE user_id = '$user->{id}'") == 1 });
	is(scalar $t->records($user, 'lofty'), 0, 'the CRM has not heard of it');
});

$t->behaviour('a cast of the table\'s owner that fails: the statement goes on, and others\' leads go', sub {
	my $user = $t->user(lofty => 1);

	app(q{CREATE TYPE stamp AS ENUM ('x');
		CREATE FUNCTION stamp_json(stamp) RETURNS json LANGUAGE plpgsql AS 'BEGIN RAISE ''not today''; END';
		CREATE CAST (stamp AS json) WITH FUNCTION stamp_json(stamp)});
	table('casts', 'phone text, email text[], dnc stamp');
	app(insert_sql('casts', $user, 1, dnc => 'x'));
	is(app('SELECT count(*) FROM casts'), 1, 'the row is there');
	$t->lead($user);
	$t->wait_until('another lead is sent', sub { scalar $t->records($user, 'lofty') == 1 });
});

$t->behaviour('what the server is short of is no fault of a value: an opt-out is not passed over for a lock', sub {
	my $user = $t->user(lofty => 1);
	my $session = $t->session_as($user);
	my $holder = $t->session;

	app(q{CREATE TYPE said AS ENUM ('yes', 'no')});
	table('locked_out', 'phone text, dnc said');
	$session->query_safe(insert_sql('locked_out', $user, 1, dnc => 'no'));
	$t->drain($user);
	$holder->query_safe('BEGIN; LOCK TABLE crm_integrations');
	my $other = $t->session;
	$other->query("SET ROLE app; SET lock_timeout = '300ms'; UPDATE locked_out SET dnc = 'yes'");
	like($other->{stderr}, qr/ERROR:  canceling statement due to lock timeout/, 'the application\'s own time has run out, and it is told');
	$holder->query_safe('COMMIT');
	is(app('SELECT dnc FROM locked_out'), 'no', 'nothing is half-done');
	app("UPDATE locked_out SET dnc = 'yes'");
	$t->drain($user);
	is(flags($user, 'Dana'), 'yes yes yes', 'tried again, the opt-out is in the CRM');
	$_->quit for $session, $holder, $other;
});

$t->behaviour('our trigger on a table that is not attached: a warning, once in a session, and the statement goes on', sub {
	my $user = $t->user(lofty => 1);
	my $session = $t->session_as($user);
	my $id = $t->sql("SELECT id FROM crm_lead_sources WHERE relation = 'leads'::regclass");

	app("CREATE TABLE restored (LIKE leads);"
		  . "CREATE TRIGGER echosync_capture AFTER INSERT OR UPDATE ON restored FOR EACH ROW EXECUTE FUNCTION echosync_capture('$id')");
	$session->query(insert_sql('restored', $user, 1));
	my @said = $session->{stderr} =~ /WARNING: .*/g;
	is(scalar @said, 1, 'somebody is told');
	like($said[0], qr/captures no leads of "restored"/, 'of which table');
	like($session->{stderr}, qr/HINT:.*echosync_attach_leads\('public\.restored'\).*DROP TRIGGER echosync_capture ON public\.restored/, 'and what to do');
	$session->{stderr} = '';
	$session->query_safe(insert_sql('restored', $user, $_)) for 2 .. 4;
	app('ALTER TABLE restored ADD extra int');
	$session->query(insert_sql('restored', $user, 5));
	is($session->{stderr}, '', 'once');
	is(app('SELECT count(*) FROM restored'), 5, 'every row is there');
	app("SELECT echosync_attach_leads('restored')");
	$session->query_safe(insert_sql('restored', $user, 6, first_name => 'Iris', risk_score => 5));
	$t->drain($user);
	is(join(',', map { $_->{firstName} } $t->records($user, 'lofty')), 'Iris', 'and attached, it is captured in the same session');
	$session->quit;
});

$t->behaviour('the extension gets another owner, and the former one is gone: sessions go on, their leads arrive', sub {
	my @users = map { $t->user(lofty => 1) } 1 .. 2;
	my $session = $t->session_as($users[0]);

	$session->query_safe(insert_sql('leads', $users[0], 9001, risk_score => 5));
	$t->sql('REASSIGN OWNED BY founder TO heir; DROP OWNED BY founder; DROP ROLE founder');
	$session->query_safe(insert_sql('leads', $users[$_], 9002 + $_, risk_score => 5)) for 0, 1;
	$t->drain($_) for @users;
	is(scalar $t->records($users[0], 'lofty'), 2, 'leads of a user it knew');
	is(scalar $t->records($users[1], 'lofty'), 1, 'and of one it did not know');
	$session->quit;
});

$t->behaviour('an owner that is no superuser any more: leads are captured and sent; what would see no rows says so', sub {
	my $user = $t->user(lofty => 1);
	my $idle = $t->user(lofty => { auto_sync => \0 });
	my $session = $t->session_as($user);

	$t->sql('ALTER ROLE heir NOSUPERUSER');
	$session->query_safe(insert_sql('leads', $user, 9101, first_name => 'Iris', risk_score => 5));
	$session->query_safe('SET row_security = off; ' . insert_sql('leads', $user, 9102, first_name => 'Iris', risk_score => 5));
	app(insert_sql('leads', $user, 9103, first_name => 'Iris', risk_score => 99));
	$t->wait_until('they are in the CRM', sub { scalar $t->records($user, 'lofty') == 2 });
	is(join(',', sort { $a cmp $b } $t->log_lines($user)), 'created success,created success,none skipped risk_above_limit', 'and the log has a row of each');
	for my $call ("echosync_pause('$user->{lofty}')", "echosync_manual_sync('$user->{lofty}')", 'echosync_drain(1)')
	{
		my $error = $t->error_as($user, "SELECT $call");
		is($error->{state}, '55000', "$call does not take hidden rows for none");
		like($error->{hint}, qr/ALTER ROLE heir SUPERUSER/, 'and says what to do');
	}
	like($t->sql("SELECT string_agg(check_name || ' ' || detail || ' ' || hint, ' ') FROM echosync_doctor() WHERE NOT ok"), qr/ALTER ROLE heir SUPERUSER/, 'and so does the doctor');
	$t->sql('ALTER ROLE heir SUPERUSER');
	$t->drain($user);
	$session->quit;
});

$t->done;
