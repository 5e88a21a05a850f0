# Attaching a table anew, and detaching it: what was named stays named, whoever
# attaches is told what is read and what is not, and the application's sessions
# neither fail nor lose a lead for it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use Test::More;

my $t = EchosyncFaults->start;

$t->sql('GRANT CREATE ON SCHEMA public TO app');

sub app { return $t->sql_as(undef, $_[0]) }

# What a statement says as the application, NOTICEs and their like.
sub told
{
	my ($sql) = @_;
	my $session = $t->session;

	$session->query_safe('SET ROLE app');
	$session->query($sql);
	my $said = $session->{stderr};
	$session->quit;
	return $said;
}

sub mapped { my ($table, $field) = @_; return $t->sql("SELECT coalesce(mapping->>'$field', 'none') FROM crm_lead_sources WHERE attached AND relation = '$table'::regclass") }

sub triggers { my ($table) = @_; return $t->sql("SELECT string_agg(oid || tgenabled::text, ' ' ORDER BY oid) FROM pg_trigger WHERE tgrelid = '$table'::regclass AND tgname LIKE 'echosync%'") }

$t->behaviour('opt-outs that were named stay named, until they are named otherwise', sub {
	my $user = $t->user(lofty => 1);
	my $row = sub { return app("INSERT INTO exports (user_id, first_name, phone, dnc_federal, litigator) VALUES ('$user->{id}', '$_[0]', '" . $t->new_phone . "', " . ($_[1] ? "'Yes'" : 'NULL') . ', ' . ($_[2] ? 'true' : 'false') . ')') };

	app('CREATE TABLE exports (id serial PRIMARY KEY, user_id text, first_name text, phone text, risk_score int DEFAULT 5, dnc boolean, dnc_federal text, litigator boolean)');
	my $said = told(q{SELECT echosync_attach_leads('exports')});
	like($said, qr/NOTICE:  leads of public\.exports: id = id, user_id = user_id, phone = phone, first_name = first_name, risk_score = risk_score, do_not_contact = dnc\n/, 'who attaches is told what is read');
	like($said, qr/NOTICE:  columns of public\.exports that are not read: dnc_federal, litigator \(an opt-out\?\)/, 'and what looks like an opt-out and is not');
	my ($call) = $said =~ /(SELECT echosync_attach_leads\(.*?\);)/;
	unlike(told($call), qr/are not read/, 'what the hint says has all of them read');
	app(q{SELECT echosync_attach_leads('exports')});
	is(mapped('exports', 'do_not_contact'), '["dnc", "dnc_federal", "litigator"]', 'attached anew, after some migration, they are still read');
	$row->('Ann', 1, 0);
	$row->('Bob', 0, 1);
	$row->('Cora', 0, 0);
	$t->drain($user);
	is(join(' ', map { $_->{firstName} } $t->records($user, 'lofty')), 'Cora', 'and who must not be contacted is not');

	$t->sql('UPDATE crm_lead_sources SET named = NULL');
	like(told(q{SELECT echosync_attach_leads('exports', '{"first_name": "first_name"}')}), qr/As named when it was attached before: do_not_contact\./, 'what 1.0 has attached stays as well, and that is said');
	is(mapped('exports', 'do_not_contact'), '["dnc", "dnc_federal", "litigator"]', 'as it was');
	app('ALTER TABLE exports RENAME litigator TO sues');
	my $error = $t->error_as(undef, q{SELECT echosync_attach_leads('exports')});
	is($error->{state}, '42703', 'one that is gone is an error');
	like($error->{message}, qr/"litigator"/, 'that names it');
	like($error->{detail}, qr/who must not be contacted/, 'and says why');
	app(q{SELECT echosync_attach_leads('exports', '{"do_not_contact": ["dnc", "sues"]}')});
	is(mapped('exports', 'do_not_contact'), '["dnc", "sues"]', 'named anew, that holds');
	app(q{SELECT echosync_attach_leads('exports', '{"first_name": null}')});
	is(mapped('exports', 'first_name'), 'none', 'null takes one off');
	app(q{SELECT echosync_attach_leads('exports')});
	is(mapped('exports', 'first_name'), 'none', 'for good');
	app(q{ALTER TABLE exports ADD tel text; SELECT echosync_attach_leads('exports', '{"phone": "tel"}'); ALTER TABLE exports DROP tel});
	app(q{SELECT echosync_attach_leads('exports')});
	is(mapped('exports', 'phone'), 'phone', 'another column that is gone is found by its usual name');
});

$t->behaviour('what looks like a consent, a deletion, another phone or another user is named', sub {
	app('CREATE TABLE looks (id int, user_id text, phone text, risk_score int, dnc boolean, consent boolean, can_call boolean, unsubscribed_at timestamptz,'
		  . ' archived_at timestamptz, is_active boolean, spouse_phone text, mobile_type text, email_verified boolean, assigned_to int, colour text)');
	my $said = told(q{SELECT echosync_attach_leads('looks')});
	like($said, qr/not read: unsubscribed_at \(an opt-out\?\); consent, can_call \(an opt-in\?\); archived_at, is_active \(a deletion\?\); spouse_phone \(another phone or e-mail\?\); assigned_to \(another user\?\)\n/, 'those, and no others');
	like($said, qr/no index of public\.looks begins with id/, 'that no index serves, too');
	is($t->sql(q{SELECT detail FROM echosync_doctor() WHERE check_name = 'columns public.looks'}) =~ /not read: unsubscribed_at/ ? 'yes' : 'no', 'yes', 'the doctor says the same when it is asked');
	app('DROP TABLE looks; CREATE UNLOGGED TABLE looks (id int PRIMARY KEY, user_id text, phone text, risk_score int, dnc boolean)');
	like(told(q{SELECT echosync_attach_leads('looks')}), qr/public\.looks is unlogged/, 'and a table that a crash empties');
	app('DROP TABLE looks');
});

$t->behaviour('columns that cannot hold the field are passed over, and several phones and e-mails are read in turn', sub {
	my $user = $t->user(lofty => 1);
	my @phone = map { $t->new_phone } 1 .. 3;

	app('CREATE TABLE many (id serial PRIMARY KEY, user_id text, phone boolean, email boolean, "Mobile" text, phone_2 bigint, "Phone-1" text, "e.mail_1" text, email_2 text,'
		  . ' full_name text, source int, risk_score date, risk numeric DEFAULT 5)');
	like(told(q{SELECT echosync_attach_leads('many')}),
		qr/leads of public\.many: id = id, user_id = user_id, phone = Mobile or Phone-1 or phone_2, email = e\.mail_1 or email_2, risk_score = risk, name = full_name\n/, 'who attaches is told');
	app("INSERT INTO many (user_id, full_name, phone_2) VALUES ('$user->{id}', 'Ann One', $phone[0])");
	app("INSERT INTO many (user_id, full_name, \"Mobile\", \"Phone-1\", phone_2) VALUES ('$user->{id}', 'Bob Two', 'n/a', '$phone[1]', $phone[2])");
	app("INSERT INTO many (user_id, full_name, \"e.mail_1\", email_2) VALUES ('$user->{id}', 'Cid Three', 'none', 'cid\@example.com')");
	app("INSERT INTO many (user_id, full_name, \"Mobile\", \"e.mail_1\") VALUES ('$user->{id}', 'Dot Four', 'n/a', 'none')");
	$t->drain($user);
	is(join(' ', sort map { join '=', $_->{firstName}, @{ $_->{phones} }, @{ $_->{emails} } } $t->records($user, 'lofty')),
		"Ann=$phone[0] Bob=$phone[1] Cid=cid\@example.com", 'the first that is usable counts');
	is($t->sql("SELECT string_agg(reason, ' ') FROM crm_sync_logs WHERE user_id = '$user->{id}' AND status = 'skipped'"), 'no_contact_key', 'and one without any is refused at once');
	app(q{SELECT echosync_attach_leads('many', '{"phone": ["phone_2", "Mobile"], "email": "email_2"}')});
	is(mapped('many', 'phone') . mapped('many', 'email'), '["phone_2", "Mobile"]email_2', 'a list may be named');
	app('DROP TABLE many');
});

$t->behaviour('a state by itself is no address', sub {
	my $user = $t->user(lofty => 1, fub => 1);

	app("CREATE TABLE steps (id serial PRIMARY KEY, user_id text, phone text, state text DEFAULT 'new', risk_score int DEFAULT 5); SELECT echosync_attach_leads('steps')");
	is(mapped('steps', 'state'), 'none', 'it is not taken for one');
	app("INSERT INTO steps (user_id, phone) VALUES ('$user->{id}', '" . $t->new_phone . "')");
	$t->drain($user);
	app("ALTER TABLE steps ADD city text; SELECT echosync_attach_leads('steps')");
	is(mapped('steps', 'state'), 'state', 'beside a city it is');
	my $mark = $t->mark;
	app("UPDATE steps SET state = 'contacted'");
	$t->drain($user);
	is(scalar $t->requests($user, $_, method => $_ eq 'lofty' ? 'PUT' : 'PUT', since => $mark), 0, "but what is no state is not sent to $_") for qw(lofty fub);
	app("UPDATE steps SET state = 'Utah', city = 'Provo'");
	$t->drain($user);
	app("UPDATE steps SET state = 'UT', city = 'PROVO'");
	$t->drain($user);
	is(scalar @{ ($t->records($user, 'lofty'))[0]{properties} }, 1, 'another spelling is no other address: Lofty');
	is(scalar @{ ($t->records($user, 'fub'))[0]{addresses} }, 1, 'Follow Up Boss');
	app('DROP TABLE steps');
});

$t->behaviour('a column that calls every lead deleted is named', sub {
	app("CREATE TABLE gone (id serial PRIMARY KEY, user_id text, phone text, deleted_at timestamptz NOT NULL DEFAULT 'epoch')");
	like(told(q{SELECT echosync_attach_leads('gone')}), qr/column deleted_at of public\.gone says of leads that are there that they are deleted\n.*Its default is '1970-01-01/, 'by its default');
	app('ALTER TABLE gone ALTER deleted_at DROP DEFAULT');
	like(told(q{SELECT echosync_attach_leads('gone')}), qr/column deleted_at of public\.gone says.*\n.*It is NOT NULL/, 'or for want of one');
	app("ALTER TABLE gone ALTER deleted_at SET DEFAULT 'infinity'");
	unlike(told(q{SELECT echosync_attach_leads('gone')}), qr/column deleted_at/, 'infinity is none');
	app("ALTER TABLE gone DROP deleted_at, ADD deleted varchar(10) DEFAULT 'active'");
	like(told(q{SELECT echosync_attach_leads('gone')}), qr/column deleted of public\.gone says.*\n.*Its default is 'active'/, 'a word');
	app('DROP TABLE gone');
});

$t->behaviour('a session that has read the table and then writes is nobody\'s victim', sub {
	my $user = $t->user(lofty => 1);
	my $insert = sub { return "INSERT INTO busy (user_id, phone, first_name) VALUES ('$user->{id}', '" . $t->new_phone . "', '$_[0]')" };

	app("CREATE TABLE busy (id serial PRIMARY KEY, user_id text, phone text, first_name text, risk_score int DEFAULT 5, dnc boolean, stop_it boolean, other serial); SELECT echosync_attach_leads('busy')");
	my $before = triggers('busy');

	for my $call (q{SELECT echosync_attach_leads('busy', '{"do_not_contact": ["dnc", "stop_it"]}')}, q{SELECT echosync_attach_leads('busy', '{"id": "other"}')}, q{SELECT echosync_detach_leads('busy')})
	{
		my $session = $t->app_session($user);
		my $attaching = $t->session;

		$session->query_safe('BEGIN; SELECT count(*) FROM busy');
		my $is_done = sub { $attaching->{run}->pump_nb; return $attaching->{stdout} =~ /ended/ };

		$attaching->query_safe('SET ROLE app');
		$t->begin_call($attaching, $call);
		$t->wait_until('it waits for a lock or is done', sub {
			$is_done->() || $t->sql(q{SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'busy'::regclass)}) eq 't' });
		$session->query($insert->('During'));
		is($session->{stderr} =~ /ERROR:.*/ ? $& : '', '', "$call: the insert goes through");
		$session->query_safe('COMMIT');
		$t->wait_until('it is done', $is_done);
		$_->quit for $session, $attaching;
		is(triggers('busy'), $before, 'a mapping that changes leaves the triggers alone') if $call =~ /stop_it/;
	}
	app('DROP TABLE busy');
});

$t->behaviour('a mapping that changes holds for every session and partition, and triggers that fire ALWAYS stay so', sub {
	my $user = $t->user(lofty => 1);
	my $session = $t->app_session($user);

	app('CREATE TABLE parts (id int PRIMARY KEY, user_id text, phone text, first_name text, risk_score int DEFAULT 5, dnc boolean, stop_it boolean) PARTITION BY RANGE (id);'
		  . "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10); SELECT echosync_attach_leads('parts');"
		  . 'ALTER TABLE parts ENABLE ALWAYS TRIGGER echosync_capture; ALTER TABLE parts_1 ENABLE ALWAYS TRIGGER echosync_capture');
	my $before = triggers('parts');
	$session->query_safe("INSERT INTO parts_1 VALUES (1, '$user->{id}', '" . $t->new_phone . "', 'Ann'), (2, '$user->{id}', '" . $t->new_phone . "', 'Bob')");
	$t->drain($user);
	app(q{SELECT echosync_attach_leads('parts', '{"do_not_contact": ["dnc", "stop_it"]}')});
	is(triggers('parts'), $before, 'they are as they were');
	$session->query_safe('UPDATE parts_1 SET stop_it = true WHERE id = 1');
	$t->drain($user);
	my ($ann) = grep { $_->{firstName} eq 'Ann' } $t->records($user, 'lofty');
	is($ann->{cannotCall} ? 'yes' : 'no', 'yes', 'a session that knew the former one passes an opt-out on');
	app('ALTER TABLE parts_1 DISABLE TRIGGER echosync_capture');
	app(q{SELECT echosync_attach_leads('parts')});
	is($t->sql(q{SELECT count(*) FROM pg_trigger WHERE tgrelid = 'parts_1'::regclass AND tgname = 'echosync_capture' AND tgenabled = 'D'}), '0', 'one that somebody has disabled is made anew');
	$session->quit;
	app('DROP TABLE parts');
});

$t->behaviour('tables that inherit are refused', sub {
	app('CREATE TABLE parent (id int PRIMARY KEY, user_id text, phone text); CREATE TABLE child () INHERITS (parent)');
	for my $table (qw(parent child))
	{
		my $error = $t->error_as(undef, "SELECT echosync_attach_leads('$table')");
		is("$error->{state} $error->{message}", $table eq 'parent' ? '42809 other tables inherit from "parent"' : '42809 "child" inherits from another table', "$table: with words");
		like($error->{hint}, qr/NO INHERIT/, 'and what to do');
	}
	app("ALTER TABLE child NO INHERIT parent; SELECT echosync_attach_leads('parent')");
	app('DROP TABLE parent, child');
});

$t->behaviour('what has become of a table keeps nobody from detaching it; its run ends, and what waited is in the log', sub {
	my $user = $t->user(lofty => 1);

	app("CREATE TABLE forced (id int PRIMARY KEY, user_id text, phone text, risk_score int, dnc boolean); SELECT echosync_attach_leads('forced'); ALTER TABLE forced ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY");
	app("SELECT echosync_detach_leads('forced')");
	app("CREATE TABLE joined (id int PRIMARY KEY, user_id text, phone text, risk_score int, dnc boolean); SELECT echosync_attach_leads('joined'); CREATE TABLE whole (LIKE joined) PARTITION BY RANGE (id); ALTER TABLE whole ATTACH PARTITION joined FOR VALUES FROM (0) TO (10)");
	app("SELECT echosync_detach_leads('joined')");
	is($t->sql(q{SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'echosync_capture%' AND tgrelid IN ('joined'::regclass, 'forced'::regclass)}), '0', 'their triggers are gone');

	app("CREATE TABLE leaving (id serial PRIMARY KEY, user_id text, phone text, risk_score int, dnc boolean); SELECT echosync_attach_leads('leaving')");
	$t->sql_as($user, "SELECT echosync_pause('$user->{lofty}')");
	app("INSERT INTO leaving (user_id, phone, risk_score) SELECT '$user->{id}', '801555' || to_char(n, 'FM0000'), 5 FROM generate_series(1, 20) n");
	my $run = $t->sql_as($user, "SELECT run_id FROM echosync_manual_sync('$user->{lofty}')");
	app("SELECT echosync_detach_leads('leaving')");
	$t->sql_as($user, "SELECT echosync_resume('$user->{lofty}')");
	$t->wait_for_sql("SELECT finished_at IS NOT NULL FROM crm_sync_runs WHERE id = $run", 't');
	is($t->sql("SELECT count(*) FROM crm_sync_queue WHERE user_id = '$user->{id}'"), '0', 'nothing waits');
	is($t->sql("SELECT count(DISTINCT lead_id) FROM crm_sync_logs WHERE user_id = '$user->{id}' AND reason = 'lead_deleted'"), '20', 'each lead has its row in the log');
	is(scalar(my @none = $t->records($user, 'lofty')), 0, 'and none was sent');
	app('DROP TABLE whole, forced, leaving');
});

$t->behaviour('a table that is gone is not dumped as a number that may be another one\'s', sub {
	app("CREATE TABLE going (id int PRIMARY KEY, user_id text, phone text); SELECT echosync_attach_leads('going')");
	app('DROP TABLE going');
	my $number = $t->sql("SELECT relation::oid FROM crm_lead_sources s WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = s.relation) ORDER BY id DESC LIMIT 1");
	my $dump = `pg_dump -d '@{[ $t->node->connstr('postgres') ]}' --data-only`;
	my ($rows) = $dump =~ /^COPY public\.crm_lead_sources .*?\n(.*?)^\\\.$/ms;
	like($rows, qr/\tpublic\.exports\t/, 'a table that is there is, by its name');
	unlike($rows, qr/\t$number\t/, 'the other is not');
});

$t->done;
