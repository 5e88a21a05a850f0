# Whose lead it is, and which: in every spelling of an id and a user, in tables
# whose ids are unique in no more than their user's rows, and when an id comes
# again as another person's.  All of it ends in the CRM, not in the queue.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use JSON::PP ();
use Test::More;

my $SECRET = 'identity-secret-1';
my $t = EchosyncFaults->start(
	conf => "echosync.uncertain_wait = '300ms'\n",
	env => { WEBHOOK_SECRET => $SECRET });

my $JSON = JSON::PP->new->canonical->allow_nonref;

$t->sql(q{CREATE EXTENSION citext;
	CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
	CREATE DOMAIN a_number AS int CHECK (VALUE > 0);
	CREATE DOMAIN a_code AS char(6);
	CREATE TYPE a_colour AS ENUM ('red', 'green');
	CREATE TYPE a_pair AS (no int, part text);
	CREATE TYPE a_checked_pair AS (no a_number, part text);
	GRANT CREATE ON SCHEMA public TO app});

sub app { return $t->sql_as(undef, $_[0]) }

# A table of leads with an id of this type, owned by the application.
sub table
{
	my ($name, $id, %more) = @_;
	my $user = $more{user} || 'text';
	my $key = $more{key} || '';

	app("CREATE TABLE $name (id $id, user_id $user, phone text, email text, first_name text, last_name text DEFAULT 'Holt',"
		  . " risk_score int DEFAULT 5, dnc boolean DEFAULT false$key);"
		  . "SELECT echosync_attach_leads('$name')");
	return $name;
}

sub insert
{
	my ($table, $user, $id, %more) = @_;
	my %all = (first_name => 'Dana', phone => $t->new_phone, %more);
	my @names = sort keys %all;

	app(sprintf "INSERT INTO $table (id, user_id, %s) VALUES (%s, %s, %s)", join(', ', @names),
		lit($id), lit($user), join(', ', map { lit($all{$_}) } @names));
	return $all{phone};
}

sub webhook
{
	my ($user, @leads) = @_;
	my $body = $JSON->encode({ user_id => $user, leads => \@leads });
	my $headers = $JSON->encode({ 'x-webhook-secret' => $SECRET });

	return $JSON->decode($t->sql_as(undef, 'BEGIN;' . "SELECT set_config('request.headers', " . lit($headers) . ", true) \\gset\n"
			  . 'SELECT echosync_webhook_lead_created(' . lit($body) . "::jsonb);\nCOMMIT"));
}

sub manual_sync
{
	my ($user, $crm, @ids) = @_;

	return $t->sql_as($user, "SELECT queued || ' ' || skipped FROM echosync_manual_sync('$user->{$crm}'"
		  . (@ids ? ', ' . lit([@ids]) : '') . ')');
}

# How leads are known, by the last row of their previews.
sub known_as
{
	my ($user, $crm, @ids) = @_;

	return split /\n/, $t->sql_as($user, "SELECT p.body->>'linked_to' FROM unnest(" . lit(\@ids) . "::text[]) WITH ORDINALITY AS k(id, n),"
		  . " echosync_preview('$user->{$crm}', k.id) p WHERE p.method = '-' ORDER BY k.n");
}

sub person
{
	my ($user, $crm, $phone) = @_;
	my @found = grep { grep { (ref $_ ? $_->{value} : $_) eq $phone } @{ $_->{phones} } } $t->records($user, $crm);

	die 'more than one record has the phone' if @found > 1;
	return $found[0];
}

sub name_of { return defined $_[0] ? join(' ', grep { length($_ // "") } $_[0]{firstName}, $_[0]{lastName}) : undef }
sub is_flagged { return join ' ', map { $_[0]{$_} ? 1 : 0 } qw(cannotCall cannotText cannotEmail) }

sub reasons
{
	my ($user, $crm, $lead) = @_;

	return join ', ', map { $_->{reason} // "$_->{action} $_->{status}" } $t->logs($user, crm => $crm, lead => $lead);
}

# ------------------------------------------------------------------------
# Types of ids
# ------------------------------------------------------------------------

# Type, a value, its text, and other spellings of the value.
my @TYPES = (
	[ 'uuid', '5d0c0000-0000-4000-8000-00000000beef', '5d0c0000-0000-4000-8000-00000000beef',
		'5D0C0000-0000-4000-8000-00000000BEEF', '{5d0c000000004000800000000000beef}' ],
	[ 'text', '0070', '0070' ],
	[ 'text', ' with blanks ', ' with blanks ' ],
	[ 'varchar(20)', 'v-1', 'v-1' ],
	[ 'char(36)', '0b2c3d4e-0000-4000-8000-00000000abcd', '0b2c3d4e-0000-4000-8000-00000000abcd', '0b2c3d4e-0000-4000-8000-00000000abcd  ' ],
	[ 'char(8)', 'ab', 'ab', 'ab      ' ],
	[ 'a_code', 'xyz', 'xyz', 'xyz ' ],
	[ 'citext', 'Lead-A', 'Lead-A', 'LEAD-a' ],
	[ 'text COLLATE any_case', 'Other', 'Other', 'OTHER' ],
	[ 'int', '42', '42', '0042', ' 42' ],
	[ 'bigint', '90071992547409931', '90071992547409931', '+90071992547409931' ],
	[ 'smallint', '7', '7', '07' ],
	[ 'a_number', '11', '11', '011' ],
	[ 'numeric', '1.50', '1.50', '1.5', '1.500' ],
	[ 'numeric(10,2)', '77', '77.00', '77', '77.0' ],
	[ 'float8', '1e15', '1e+15', '1000000000000000' ],
	[ 'real', '0.5', '0.5', '5e-1' ],
	[ 'inet', '10.0.0.1', '10.0.0.1', '10.0.0.1/32' ],
	[ 'cidr', '10.1', '10.1.0.0/16', '10.1/16' ],
	[ 'macaddr', '08-00-2b-01-02-03', '08:00:2b:01:02:03', '08002b010203' ],
	[ 'bit(8)', '10101010', '10101010', 'xAA' ],
	[ 'varbit', '101', '101' ],
	[ 'boolean', 'true', 't', 'yes' ],
	[ 'bytea', '\x0102', '\x0102', '\001\002' ],
	[ 'date', '2026-01-02', '2026-01-02', '20260102' ],
	[ 'timestamptz', '2026-05-06 03:04:05+00', '2026-05-06 03:04:05+00', '2026-05-06T04:04:05+01:00' ],
	[ 'interval', '1 day', '1 day', '24:00:00' ],
	[ 'a_colour', 'green', 'green' ],
	[ 'a_pair', '(1,a)', '(1,a)' ],
	[ 'int[]', '{1,2}', '{1,2}' ],
	[ 'jsonb', '{"a": 1}', '{"a": 1}' ],
	[ 'xml', '<a/>', '<a/>' ],
	[ 'point', '(1,2)', '(1,2)' ]);

$t->behaviour('a lead goes out and stays one record, whatever type its id is of and however it is written', sub {
	my $user = $t->user(lofty => 1);
	my (@leads, @asked);

	for my $i (0 .. $#TYPES)
	{
		my ($type, $value, $text, @others) = @{ $TYPES[$i] };
		my $lead = { table => table("by_type_$i", $type), type => $type, value => $value, text => $text, others => \@others };

		$lead->{phone} = insert($lead->{table}, $user->{id}, $value, first_name => "N$i");
		push @leads, $lead;
	}
	$t->drain($user);
	for my $lead (@leads)
	{
		my $record = person($user, 'lofty', $lead->{phone});

		ok($record, "$lead->{type} $lead->{value} is in the CRM") or next;
		$lead->{record} = $record->{leadId} // $record->{id};
		is($t->sql("SELECT string_agg(lead_id, ' | ') FROM crm_lead_links WHERE crm_record_id = " . lit($lead->{record})), $lead->{text}, 'linked by the text of its type');
		push @asked, map { { lead => $lead, id => $_ } } $lead->{text}, @{ $lead->{others} };
	}

	# By whatever spelling it is asked for: preview, and manual sync.
	my @known = known_as($user, 'lofty', map { $_->{id} } @asked);
	is($known[$_], $asked[$_]{lead}{record}, "$asked[$_]{lead}{type}: preview knows it as $asked[$_]{id}") for 0 .. $#asked;
	is($t->sql_as($user, 'SELECT string_agg(k.id, \' | \') FROM unnest(' . lit([ map { $_->{id} } @asked ]) . '::text[]) k(id),'
			  . " echosync_manual_sync('$user->{lofty}', ARRAY[k.id, k.id]) m WHERE m.skipped > 0 OR m.queued <> 1"), '', 'manual sync finds each, once');
	$t->drain($user);
	is($t->sql("SELECT string_agg(DISTINCT reason, ' ') FROM crm_sync_logs WHERE user_id = '$user->{id}'"), 'unchanged', 'nothing was missing, and nothing changed');

	# An opt-out finds its record.
	app(join ';', map { "UPDATE $_->{table} SET dnc = true" } @leads);
	$t->drain($user);
	is(is_flagged(person($user, 'lofty', $_->{phone})), '1 1 1', "$_->{type}: the opt-out has reached the record") for @leads;
	is(scalar(my @all = $t->records($user, 'lofty')), scalar @TYPES, 'each is one record');
});

$t->behaviour('an opted-out lead is not sent by a webhook that spells its id otherwise', sub {
	my $user = $t->user(lofty => 1, fub => 1);
	my @phones;

	for my $i (grep { @{ $TYPES[$_] } > 3 } 0 .. $#TYPES)
	{
		my ($type, $value, $text, @others) = @{ $TYPES[$i] };

		insert("by_type_$i", $user->{id}, $value, dnc => 'true');
		push @phones, my $phone = $t->new_phone;
		webhook($user->{id}, map { { id => $_, phone => $phone, risk_score => 1, first_name => 'Wanda' } } @others);
	}
	$t->drain($user);
	is(scalar(my @there = $t->records($user, $_)), 0, "nobody is in $_") for qw(lofty fub);
	is($t->sql("SELECT string_agg(DISTINCT reason, ' ') FROM crm_sync_logs WHERE user_id = '$user->{id}'"), 'do_not_contact', 'and the log says why');
});

$t->behaviour('a type that runs code of its own when it is read or compared is refused as id and as user', sub {
	for my $column (qw(id user_id))
	{
		my $types = $column eq 'id' ? 'id a_checked_pair, user_id text' : 'id int, user_id a_checked_pair';

		app("CREATE TABLE checked_$column ($types, phone text)");
		my $error = $t->error_as(undef, "SELECT echosync_attach_leads('checked_$column')");
		is($error->{state}, '0A000', "as $column");
		like($error->{message}, qr/^column "$column" cannot be the lead's $column$/, 'the error names the column');
		like($error->{hint}, qr/Name another column/, 'the hint says what to do');
	}
});

$t->behaviour('a type that runs code of its own, which the id has got after it was attached, holds nobody up', sub {
	my $user = $t->user(lofty => 1);
	my $other = $t->user(lofty => 1);
	my $table = table('turned', 'numrange');
	my $phone = $t->new_phone;

	insert($table, $user->{id}, '[1,2)');
	$t->drain($user);
	app(q{CREATE FUNCTION sleeps(int) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN
			BEGIN PERFORM pg_sleep(3600); EXCEPTION WHEN query_canceled THEN NULL; END; RETURN true; END$$;
		CREATE DOMAIN sleepy AS int CHECK (sleeps(VALUE));
		CREATE TYPE sleepy_range AS RANGE (subtype = sleepy);} .
		"DELETE FROM $table; ALTER TABLE $table ALTER id TYPE sleepy_range USING 'empty'");
	insert($table, $user->{id}, 'empty', phone => $phone);
	$t->lead($other);
	$t->drain($other);
	$t->drain($user);
	is(name_of(person($user, 'lofty', $phone)), 'Dana Holt', 'its leads go on, by the texts of their ids');
	webhook($user->{id}, { id => '[3,4)', phone => $t->new_phone, risk_score => 1, first_name => 'Wanda' });
	$t->drain($user);
	is(scalar(my @all = $t->records($user, 'lofty')), 3, 'and so do those of webhooks');
	app("DROP TABLE $table");
});

$t->behaviour('a type that has a name of its own for what is no value of it fails nobody', sub {
	my $user = $t->user(lofty => 1);
	my @odd = (table('odd_ids', 'tsvector'), table('odd_users', 'int', user => 'regrole'));
	my ($phone, $other) = map { $t->new_phone } 1 .. 2;

	webhook($user->{id}, { id => q{a 1:('}, phone => $phone, risk_score => 1, first_name => 'Wanda' });
	app("INSERT INTO odd_users (id, user_id, phone) VALUES (1, 'app', '$other')");
	$t->drain($user);
	ok(person($user, 'lofty', $phone), 'a lead of a webhook goes, and the application writes');
	app("DROP TABLE $_") for @odd;
});

$t->behaviour('an id that is longer than its type is another one', sub {
	my $user = $t->user(lofty => 1);
	my @tables = (table('cut_names', 'name'), table('cut_letters', '"char"'));
	my $long = 'n' x 63;
	my @phones = map { $t->new_phone } 1 .. 4;

	insert('cut_names', $user->{id}, $long, phone => $phones[0], dnc => 'true');
	insert('cut_letters', $user->{id}, 'c', phone => $phones[1], dnc => 'true');
	webhook($user->{id}, { id => "${long}n", phone => $phones[2], risk_score => 1 }, { id => 'cc', phone => $phones[3], risk_score => 1 });
	$t->drain($user);
	is(join(' ', map { person($user, 'lofty', $_) ? 1 : 0 } @phones), '0 0 1 1', 'each is judged for itself');
	app("DROP TABLE $_") for @tables;
});

# ------------------------------------------------------------------------
# Users
# ------------------------------------------------------------------------

# A user that is connected under another id than the test's own.
sub user_called
{
	my ($id) = @_;
	my $user = $t->user;

	$user->{id} = $id;
	$user->{lofty} = $t->connect_lofty($user);
	return $user;
}

# Type of the column, the row's user, and as whom the session acts.
my @USERS = (
	[ 'uuid', 'f00d0000-0000-4000-8000-00000000cafe', 'F00D0000-0000-4000-8000-00000000CAFE' ],
	[ 'char(20)', 'padded', 'padded' ],
	[ 'citext', 'Carla', 'CARLA' ],
	[ 'text COLLATE any_case', 'Nora', 'NORA' ],
	[ 'numeric(10,2)', '7', '7' ],
	[ 'float8', '1e16', '10000000000000000' ],
	[ 'int', '1009', '01009' ],
	[ 'inet', '10.9.8.7', '10.9.8.7/32' ],
	[ 'a_colour', 'red', 'red' ]);

$t->behaviour('a user is known in every spelling of the column\'s type', sub {
	for my $i (0 .. $#USERS)
	{
		my ($type, $in_row, $acting) = @{ $USERS[$i] };
		my $table = table("of_users_$i", 'int', user => $type);
		my $user = user_called($acting);
		my $phone = insert($table, $in_row, 1);
		my $second = insert($table, $in_row, 2);

		$t->drain($user);
		ok(person($user, 'lofty', $phone) && person($user, 'lofty', $second), "$type: a row of $in_row is of the user $acting");
		is((known_as($user, 'lofty', 1))[0], (person($user, 'lofty', $phone) // {})->{leadId}, 'preview finds it');
		is(manual_sync($user, 'lofty', 1), '1 0', 'and manual sync');
		app("UPDATE $table SET dnc = true WHERE id = 1");
		$t->drain($user);
		is(is_flagged(person($user, 'lofty', $phone)), '1 1 1', 'an opt-out arrives');
		is(webhook($in_row, { id => 2, phone => $t->new_phone, risk_score => 1 })->{queued}, 1, 'a webhook that names the row\'s user is the same user\'s');
		$t->drain($user);
		is(scalar(my @all = $t->records($user, 'lofty')), 2, 'and the lead is the one of the table');
	}
});

$t->behaviour('where two users are equal by the column\'s type, the exact text counts', sub {
	my $table = table('of_equals', 'int', user => 'citext');
	my ($lower, $upper) = map { user_called($_) } qw(equal EQUAL);
	my ($to_lower, $to_upper) = (insert($table, 'equal', 1), insert($table, 'EQUAL', 2));
	my $to_nobody = insert($table, 'Equal', 3);

	$t->drain($_) for $lower, $upper;
	is_deeply([ map { scalar(my @all = $t->records($_, 'lofty')) } $lower, $upper ], [ 1, 1 ], 'one each');
	ok(person($lower, 'lofty', $to_lower), 'each its own');
	ok(person($upper, 'lofty', $to_upper), 'of exactly its text');
	is(manual_sync($lower, 'lofty'), '1 0', 'manual sync of everything goes by the same rule');
	is(manual_sync($upper, 'lofty', 1, 2, 3), '1 2', 'and that of some');
	$t->drain($_) for $lower, $upper;
	is_deeply([ map { scalar(my @all = $t->records($_, 'lofty')) } $lower, $upper ], [ 1, 1 ], 'still one each');
});

$t->behaviour('an id that is unique only with its user is the user\'s', sub {
	my ($ann, $bob) = map { $t->user(lofty => 1, fub => 1) } 1 .. 2;
	my $many = 20000;

	for my $partitioned (0, 1)
	{
		my $table = "composite_$partitioned";

		app("CREATE TABLE $table (tenant text, no int, phone text, first_name text, risk_score int, dnc boolean DEFAULT false, PRIMARY KEY (tenant, no))"
			  . ($partitioned ? ' PARTITION BY HASH (tenant);' . join(';', map { "CREATE TABLE ${table}_$_ PARTITION OF $table FOR VALUES WITH (MODULUS 4, REMAINDER $_)" } 0 .. 3) : '')
			  . ";INSERT INTO $table SELECT 'nobody-' || g, 1, '8015550000', 'Nobody', 5, false FROM generate_series(1, $many) g;"
			  . "SELECT echosync_attach_leads('$table', '{\"user_id\": \"tenant\", \"id\": \"no\"}')");
		my ($a, $b) = map { $t->new_phone } 1 .. 2;

		app("INSERT INTO $table VALUES ('$ann->{id}', 1, '$a', 'Ana', 5, false), ('$bob->{id}', 1, '$b', 'Ben', 5, false)");
		$t->drain($_) for $ann, $bob;
		is(name_of(person($ann, $_, $a)), 'Ana', "Ana is in Ann's $_") for qw(lofty fub);
		is(name_of(person($bob, $_, $b)), 'Ben', "Ben is in Bob's $_") for qw(lofty fub);
		app("UPDATE $table SET dnc = true, first_name = first_name || 'x' WHERE no = 1 AND tenant = '$ann->{id}';"
			  . "UPDATE $table SET first_name = 'Benno' WHERE no = 1 AND tenant = '$bob->{id}'");
		$t->drain($_) for $ann, $bob;
		is(is_flagged(person($ann, 'lofty', $a)), '1 1 1', 'Ana\'s opt-out is hers');
		is(is_flagged(person($bob, 'lofty', $b)), '0 0 0', 'not Ben\'s');
		is(name_of(person($bob, 'lofty', $b)), 'Benno', 'whose name is new');
		is($t->sql("SELECT count(*) FROM crm_sync_logs WHERE reason = 'lead_deleted' AND user_id IN ('$ann->{id}', '$bob->{id}')"), '0', 'nobody was taken for gone');
	}
});

$t->behaviour('a table without an index on its ids is read once for leads that go together', sub {
	my $user = $t->user(lofty => 1);
	my $table = table('without_index', 'uuid');

	app("INSERT INTO $table SELECT gen_random_uuid(), 'nobody', '8015550000' FROM generate_series(1, 80000)");
	$t->sql_as($user, "SELECT echosync_pause('$user->{lofty}')");
	insert($table, $user->{id}, "b0000000-0000-4000-8000-00000000000$_") for 1 .. 8;
	my $copied = sub { $t->sql("SELECT pg_stat_get_db_temp_bytes(oid) FROM pg_database WHERE datname = 'postgres'") };
	my $scanned = "SELECT pg_stat_get_tuples_returned('$table'::regclass)";
	my ($before, $read) = ($copied->(), $t->sql($scanned));

	$t->sql_as($user, "SELECT echosync_resume('$user->{lofty}')");
	$t->drain($user);
	is(scalar(my @all = $t->records($user, 'lofty')), 8, 'all are there');
	$t->wait_for_sql("SELECT ($scanned) > $read");
	cmp_ok($t->sql($scanned) - $read, '<', 8 * 80000, 'the table was not read for each of them');
	is($copied->(), $before, 'nor copied, to be looked through for each');
});

$t->behaviour('a table that takes long to read has no more than its share of the worker, and its leads go', sub {
	my $user = $t->user(lofty => 1);
	my $other = $t->user(lofty => 1);
	my $table = table('slow', 'int');

	# Reading one row takes 0.8 s.
	app(q{CREATE TYPE slow_note AS ENUM ('x');
		CREATE FUNCTION slow_json(slow_note) RETURNS json LANGUAGE plpgsql AS $$BEGIN PERFORM pg_sleep(0.8); RETURN to_json('slow'::text); END$$;
		CREATE CAST (slow_note AS json) WITH FUNCTION slow_json(slow_note);}
		  . "ALTER TABLE $table ADD notes slow_note; SELECT echosync_attach_leads('$table')");
	my @phones = map { $t->new_phone } 1 .. 3;
	app("INSERT INTO $table (id, user_id, first_name, phone, notes) VALUES ($_, '$user->{id}', 'Slow', '$phones[$_ - 1]', 'x')") for 1 .. 3;
	my $began = time;
	my $n = 0;

	while (scalar(my @there = $t->records($user, 'lofty')) < 3)
	{
		die 'its leads do not go' if time - $began > 50;
		$t->lead($other);
		$t->drain($other);
		$n++;
	}
	cmp_ok($n, '>', 3, 'others are sent all the while');
	app("DROP TABLE $table");
});

# ------------------------------------------------------------------------
# A webhook's lead, and the table that may have it
# ------------------------------------------------------------------------

$t->behaviour('a webhook\'s lead is held while a table that may have it cannot be read', sub {
	my $user = $t->user(lofty => 1);
	my $table = table('may_have', 'bigint');
	my $phone = insert($table, $user->{id}, 501, dnc => 'true');
	my @stories = (
		[ 'a column has another name', "ALTER TABLE $table RENAME dnc TO renamed", "ALTER TABLE $table RENAME renamed TO dnc" ],
		[ 'row-level security is forced', "ALTER TABLE $table ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY", "ALTER TABLE $table NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY" ]);

	$t->drain($user);
	my ($other) = $t->user(lofty => 1);
	for my $story (@stories)
	{
		my ($name, $break, $mend) = @$story;
		my $lead = { id => '0501', phone => $phone, risk_score => 1, first_name => 'Wanda' };

		app($break);
		webhook($user->{id}, $lead);
		$t->lead($other);
		$t->drain($other);
		is($t->sql("SELECT count(*) FROM crm_sync_queue WHERE user_id = '$user->{id}'"), '1', "$name: it waits, and others' leads go");
		app($mend);
		$t->drain($user);
		is(scalar(my @there = $t->records($user, 'lofty')), 0, 'the table said no');
	}
	like(reasons($user, 'lofty', '501'), qr/^do_not_contact(, do_not_contact)*$/, 'which the log has, under the table\'s id');
	my ($id, $stranger) = ('502', $t->new_phone);

	webhook($user->{id}, { id => $id, phone => $stranger, risk_score => 1, first_name => 'Willa' });
	$t->drain($user);
	is(name_of(person($user, 'lofty', $stranger)), 'Willa', 'one that no table has goes as it was sent');
});

# ------------------------------------------------------------------------
# Ids that come again
# ------------------------------------------------------------------------

$t->behaviour('an id that comes again is another person', sub {
	my $user = $t->user(lofty => 1, fub => 1);

	app('CREATE TABLE again (id serial PRIMARY KEY, user_id text, first_name text, last_name text, phone text, email text, notes text, risk_score int DEFAULT 5, dnc boolean DEFAULT false);'
		  . "SELECT echosync_attach_leads('again')");
	my ($vera, $cora, $olaf, $dan) = map { $t->new_phone } 1 .. 4;

	app("INSERT INTO again (user_id, first_name, last_name, phone, email, notes) VALUES ('$user->{id}', 'Vera', 'Moss', '$vera', 'vera\@example.com', 'one'), ('$user->{id}', 'Cora', 'Fern', '$cora', NULL, 'two')");
	$t->drain($user);
	app("TRUNCATE again RESTART IDENTITY; INSERT INTO again (user_id, first_name, last_name, phone, email, notes, dnc)"
		  . " VALUES ('$user->{id}', 'Olaf', 'Lund', '$olaf', 'olaf\@example.com', 'three', false), ('$user->{id}', 'Dan', 'Oak', '$dan', NULL, 'four', true)");
	$t->drain($user);
	for my $crm (qw(lofty fub))
	{
		is_deeply([ sort map { name_of($_) } $t->records($user, $crm) ], [ 'Cora Fern', 'Olaf Lund', 'Vera Moss' ], "$crm: Olaf is somebody new, and nobody was renamed");
		my $record = person($user, $crm, $vera);

		is(scalar @{ $record->{phones} } . scalar @{ $record->{emails} }, '11', 'Vera has what she had');
		is_deeply([ sort($t->notes_of($user, $crm)) ], [ 'one', 'three', 'two' ], 'each note is there once');
	}
	is(is_flagged(person($user, 'lofty', $cora)), '0 0 0', 'Dan\'s opt-out is not Cora\'s');
	is(reasons($user, 'fub', 2), 'created success, do_not_contact', 'Dan was refused');

	# And from there on it is Olaf's.
	app("UPDATE again SET first_name = 'Olav' WHERE id = 1");
	$t->drain($user);
	is(name_of(person($user, $_, $olaf)), 'Olav Lund', "$_: the id is his now") for qw(lofty fub);
});

$t->behaviour('a lead that has lost what it was known by stays who it was', sub {
	my $user = $t->user(lofty => 1);
	my $phone = $t->new_phone;
	my $id = $t->lead($user, phone => $phone, email => 'sue@example.com', first_name => 'Sue', last_name => 'Birch');

	$t->drain($user);
	$t->change_and_drain($user, $id, phone => $t->new_phone);
	$t->change_and_drain($user, $id, email => 'sue.b@example.com', last_name => 'Larch');
	$t->change_and_drain($user, $id, phone => undef, email => undef, first_name => undef, last_name => undef, dnc => 'true');
	is(scalar(my @all = $t->records($user, 'lofty')), 1, 'one record');
});

$t->behaviour('a table attached anew with another id column: nobody takes another\'s record, and nothing that waits is lost', sub {
	my $user = $t->user(lofty => 1);
	my ($one, $two, $three) = map { $t->new_phone } 1 .. 3;

	app('CREATE TABLE two_ids (id int, other_id int, user_id text, phone text, first_name text, risk_score int DEFAULT 5, dnc boolean DEFAULT false);'
		  . "SELECT echosync_attach_leads('two_ids');"
		  . "INSERT INTO two_ids VALUES (1, 2, '$user->{id}', '$one', 'One'), (2, 1, '$user->{id}', '$two', 'Two')");
	$t->drain($user);
	$t->sql_as($user, "SELECT echosync_pause('$user->{lofty}')");
	app("INSERT INTO two_ids VALUES (3, 1, '$user->{id}', '$three', 'Three')");
	app("SELECT echosync_attach_leads('two_ids', '{\"id\": \"other_id\"}')");
	$t->sql_as($user, "SELECT echosync_resume('$user->{lofty}')");
	$t->drain($user);
	ok(person($user, 'lofty', $three), 'what waited has gone, by its former id');
	app("UPDATE two_ids SET dnc = true WHERE phone = '$one'");
	$t->drain($user);
	is(is_flagged(person($user, 'lofty', $one)), '1 1 1', 'One\'s opt-out is One\'s');
	is(is_flagged(person($user, 'lofty', $two)), '0 0 0', 'and not of who has that id in the other column');
	app("SELECT echosync_attach_leads('two_ids', '{\"id\": \"id\"}')");
	is((known_as($user, 'lofty', 1))[0], person($user, 'lofty', $one)->{leadId}, 'attached as it was, it knows its leads by their first ids again');
});

$t->behaviour('a new id column gets the name of the one before: its leads go on with their records', sub {
	my $user = $t->user(lofty => 1);
	my $uuid = '0b6e2c3a-5d0f-4c1b-9a57-3f1d8e2a7c10';
	my @phones = map { $t->new_phone } 1 .. 2;

	app('CREATE TABLE migrated (id int PRIMARY KEY, user_id text, phone text, email text, first_name text, risk_score int, dnc boolean);'
		  . "SELECT echosync_attach_leads('migrated');"
		  . "INSERT INTO migrated VALUES (1, '$user->{id}', '$phones[0]', 'cid\@example.com', 'Cid', 1, false)");
	$t->drain($user);
	app("ALTER TABLE migrated ADD uid uuid; UPDATE migrated SET uid = '$uuid'; SELECT echosync_attach_leads('migrated', '{\"id\": \"uid\"}'); UPDATE migrated SET risk_score = 2");
	$t->drain($user);
	app('ALTER TABLE migrated DROP id; ALTER TABLE migrated RENAME uid TO id');
	app("SELECT echosync_attach_leads('migrated'); UPDATE migrated SET phone = '$phones[1]', email = 'cid.b\@example.com'");
	$t->drain($user);
	is(scalar(my @all = $t->records($user, 'lofty')), 1, 'who changed phone and e-mail is still one record');

	app("ALTER TABLE migrated ADD n int; UPDATE migrated SET n = 1; SELECT echosync_attach_leads('migrated', '{\"id\": \"n\"}');"
		  . "ALTER TABLE migrated DROP n; SELECT echosync_attach_leads('migrated')");
	is((known_as($user, 'lofty', $uuid))[0], $all[0]{leadId}, 'a column that is dropped again leaves the one before, of its own type');
});

$t->behaviour('what waits for an id column that is gone for good is no lead any more', sub {
	my $user = $t->user(lofty => 1);

	app('CREATE TABLE left_behind (id int PRIMARY KEY, uid uuid DEFAULT gen_random_uuid(), user_id text, phone text, risk_score int);'
		  . "SELECT echosync_attach_leads('left_behind')");
	$t->sql_as($user, "SELECT echosync_pause('$user->{lofty}')");
	app("INSERT INTO left_behind (id, user_id, phone, risk_score) VALUES (4711, '$user->{id}', '" . $t->new_phone . "', 1);"
		  . "SELECT echosync_attach_leads('left_behind', '{\"id\": \"uid\"}'); ALTER TABLE left_behind DROP id");
	$t->sql_as($user, "SELECT echosync_resume('$user->{lofty}')");
	$t->drain($user);
	is(reasons($user, 'lofty', 4711), 'lead_deleted', 'the log says so');
});

$t->behaviour('the type of the id is changed while leads wait and are linked', sub {
	my $user = $t->user(lofty => 1);
	my ($known, $waits) = map { $t->new_phone } 1 .. 2;

	app('CREATE TABLE retyped (id text PRIMARY KEY, user_id text, phone text, first_name text, risk_score int DEFAULT 5, dnc boolean DEFAULT false);'
		  . "SELECT echosync_attach_leads('retyped');"
		  . "INSERT INTO retyped VALUES ('007', '$user->{id}', '$known', 'James')");
	$t->drain($user);
	$t->sql_as($user, "SELECT echosync_pause('$user->{lofty}')");
	app("INSERT INTO retyped VALUES ('008', '$user->{id}', '$waits', 'Bill')");
	app('ALTER TABLE retyped ALTER id TYPE int USING id::int');
	$t->sql_as($user, "SELECT echosync_resume('$user->{lofty}')");
	$t->drain($user);
	ok(person($user, 'lofty', $waits), 'a lead that waited is the row that has its value');
	app("UPDATE retyped SET first_name = 'Jim' WHERE id = 7");
	$t->drain($user);
	is(name_of(person($user, 'lofty', $known)), 'Jim', 'a linked one goes on with its record');
	is($t->sql("SELECT string_agg(lead_id, ' ' ORDER BY lead_id) FROM crm_lead_links WHERE user_id = '$user->{id}'"), '7 8', 'under the text that it has now');
	is(scalar(my @all = $t->records($user, 'lofty')), 2, 'nobody is there twice');

	$t->sql_as($user, "SELECT echosync_pause('$user->{lofty}')");
	app("INSERT INTO retyped VALUES (9, '$user->{id}', '" . $t->new_phone . "', 'Moneypenny'), (10, '$user->{id}', '" . $t->new_phone . "', 'Q')");
	app('ALTER TABLE retyped DROP CONSTRAINT retyped_pkey, ALTER id TYPE uuid USING gen_random_uuid()');
	$t->sql_as($user, "SELECT echosync_resume('$user->{lofty}')");
	$t->drain($user);
	is(reasons($user, 'lofty', $_), 'lead_deleted', "$_: no row can have that id, which is said once") for 9, 10;
	is($t->sql("SELECT count(*) FROM echosync_dead_letters WHERE user_id = '$user->{id}'"), '0', 'and is no failure');
});

# ------------------------------------------------------------------------
# Dead letters, and leads in work
# ------------------------------------------------------------------------

$t->behaviour('a lead whose id is written otherwise now goes on with its record, also where it had several texts', sub {
	my $user = $t->user(lofty => 1);
	my $table = table('rewritten', 'citext');
	my $phone = insert($table, $user->{id}, 'mixed');

	$t->drain($user);
	$t->sql('INSERT INTO crm_lead_links SELECT (jsonb_populate_record(l, \'{"lead_id": "MIXED"}\')).* FROM crm_lead_links l' . " WHERE l.user_id = '$user->{id}'");
	app("UPDATE $table SET id = 'Mixed', first_name = 'Mona'");
	$t->drain($user);
	is(name_of(person($user, 'lofty', $phone)), 'Mona Holt', 'the change is there');
	is(scalar(my @all = $t->records($user, 'lofty')), 1, 'in the one record');
	is($t->sql("SELECT count(*) FROM crm_lead_links WHERE user_id = '$user->{id}' AND lead_id = 'Mixed'"), '1', 'which is linked by the text of now');
	my $other = insert($table, $user->{id}, 'held');

	$t->drain($user);
	$t->sql("UPDATE crm_lead_links SET lead_id = 'HELD' WHERE user_id = '$user->{id}' AND lead_id = 'held'");
	my $keeper = $t->node->background_psql('postgres', on_error_stop => 1);
	$keeper->query_safe("BEGIN; SELECT FROM crm_lead_links WHERE lead_id = 'HELD' FOR UPDATE");
	app("UPDATE $table SET first_name = 'Hilda' WHERE id = 'held'");
	my $free = $t->lead($user);
	$t->wait_for_sql("SELECT EXISTS (SELECT FROM crm_lead_links WHERE user_id = '$user->{id}' AND lead_id = '$free')");
	is(name_of(person($user, 'lofty', $other)), 'Dana Holt', 'one whose link is held waits, and others go');
	$keeper->query_safe('COMMIT');
	$keeper->quit;
	$t->drain($user);
	is(name_of(person($user, 'lofty', $other)), 'Hilda Holt', 'until it is let go');
});

$t->behaviour('the links of a big connection are not looked through for each new lead, and still found', sub {
	my $user = $t->user(lofty => 1);
	my $table = table('many', 'citext');
	my $links = sub { return $t->sql("SELECT pg_stat_force_next_flush(); SELECT idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = 'crm_lead_links_key'") =~ s/\s//gr };

	insert($table, $user->{id}, 'Seed');
	$t->drain($user);
	$t->sql("INSERT INTO crm_lead_links SELECT (jsonb_populate_record(l, jsonb_build_object('lead_id', 'Old-' || n, 'crm_record_id', 'x' || n, 'phone_hash', null))).*"
		  . " FROM crm_lead_links l, generate_series(1, 12000) n WHERE l.user_id = '$user->{id}'; ANALYZE crm_lead_links");
	my @phones = map { insert($table, $user->{id}, "New-$_") } 1 .. 30;

	$t->drain($user);
	my $before = $links->();

	push @phones, map { insert($table, $user->{id}, "Newer-$_") } 1 .. 30;
	$t->drain($user);
	cmp_ok($links->() - $before, '<', 12000, 'thirty new leads do not read 12,000 links');
	app("DELETE FROM $table WHERE id = 'new-7'");
	$t->drain($user);
	insert($table, $user->{id}, 'NEW-7', first_name => 'Nina', phone => $phones[6]);
	insert($table, $user->{id}, 'OLD-7', first_name => 'Otto');
	$t->drain($user);
	is($t->sql("SELECT string_agg(lead_id, ' ' ORDER BY lead_id) FROM crm_lead_links WHERE user_id = '$user->{id}' AND lower(lead_id) IN ('new-7', 'old-7')"),
		'NEW-7 OLD-7', 'one that comes in another spelling has its link, however it was made');
	is(name_of(person($user, 'lofty', $phones[6])), 'Nina Holt', 'and its record');
});

$t->behaviour('dead letters are retried and discarded by ids in any spelling', sub {
	my $user = $t->user(lofty => 1);
	my $table = table('of_dead', 'uuid');
	my @ids = map { "a0000000-0000-4000-8000-00000000000$_" } 1 .. 3;

	$t->fault('lofty', { method => 'POST', path => '/v1.0/leads' }, { type => 'status', status => 400 }, times => 3);
	insert($table, $user->{id}, $_) for @ids;
	$t->drain($user);
	is($t->sql("SELECT count(*) FROM crm_dead_letters WHERE user_id = '$user->{id}'"), '3', 'three are out of tries');
	$t->clear_faults;
	is($t->sql_as($user, "SELECT echosync_retry_failed('$user->{lofty}', ARRAY['" . uc($ids[0]) . "', 'no uuid at all'])"), '1', 'one is retried by its id in capitals');
	is($t->sql_as($user, "SELECT echosync_discard_failed('$user->{lofty}', ARRAY['{$ids[1]}'])"), '1', 'another is discarded by its id in braces');
	is($t->sql_as($user, "SELECT echosync_retry_failed('$user->{lofty}', ARRAY['1'])"), '0', 'nobody has this one');
	$t->drain($user);
	is(scalar(my @all = $t->records($user, 'lofty')), 1, 'one was brought');
	is($t->sql("SELECT lead_id FROM crm_dead_letters WHERE user_id = '$user->{id}'"), $ids[2], 'one is left');
});

$t->behaviour('a lead in work is no lead that waits: what is asked for meanwhile is sent', sub {
	my $user = $t->user(lofty => 1);
	my $phone = $t->new_phone;
	my $id = $t->lead($user, phone => $phone, first_name => 'Before');

	$t->drain($user);
	$t->fault('lofty', { method => 'PUT' }, { type => 'delay', seconds => 2 }, times => 1);
	my $mark = $t->mark;
	$t->change($id, first_name => 'During');
	$t->wait_until('the write is under way', sub { $t->requests($user, 'lofty', method => 'PUT', since => $mark) > 0 });
	$t->sql("SET echosync.capture = off; UPDATE leads SET dnc = true WHERE id = $id");
	is(manual_sync($user, 'lofty', $id), '1 0', 'it is queued');
	$t->drain($user);
	is(is_flagged(person($user, 'lofty', $phone)), '1 1 1', 'and what was loaded meanwhile, an opt-out, is there');
});

$t->behaviour('both halves of a row that moves to another partition are one change', sub {
	my $user = $t->user(lofty => 1);

	app('CREATE TABLE moving (id int, user_id text, phone text, first_name text, region int, risk_score int DEFAULT 5, dnc boolean DEFAULT false, deleted_at timestamptz) PARTITION BY LIST (region);'
		  . 'CREATE TABLE moving_1 PARTITION OF moving FOR VALUES IN (1); CREATE TABLE moving_2 PARTITION OF moving FOR VALUES IN (2);'
		  . "SELECT echosync_attach_leads('moving')");
	$t->sql_as($user, "SELECT echosync_pause('$user->{lofty}')");
	app("INSERT INTO moving SELECT g, '$user->{id}', '8015550100', 'M', 1 FROM generate_series(1, 6001) g");
	$t->sql_as($user, "SELECT echosync_update_integration('$user->{lofty}', '{\"auto_sync\": false}')");
	app("BEGIN; UPDATE moving_1 SET first_name = 'Odd', user_id = 'somebody' WHERE id = 6001; UPDATE moving SET region = 2 WHERE region = 1; COMMIT");
	is($t->sql("SELECT count(*) FROM crm_sync_logs WHERE user_id = '$user->{id}' AND reason = 'lead_deleted'"), '1', 'only the lead that was given away is gone');
	is($t->sql("SELECT count(*) FROM crm_sync_queue WHERE user_id = '$user->{id}'"), '6000', 'the others wait');
	app('DROP TABLE moving');
	$t->sql_as($user, "SELECT echosync_disconnect('$user->{lofty}')");
});

$t->done;
