# The main job: a lead that is committed appears in the CRMs of its user.
use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncTest;
use Test::More;

my $t = EchosyncTest->start;
my $user = $t->user(lofty => 1, fub => 1);
my %lead;

$t->behaviour('of five leads the two that may be contacted appear in each CRM', sub {
	# One statement, as applications insert.
	my $ids = $t->sql_as(undef, <<"SQL");
INSERT INTO leads (user_id, first_name, last_name, phone, email, address, city, state, zip_code, risk_score, tags, notes)
VALUES ('$user->{id}', 'Zoë', 'Núñez', '(801) 555-0142', ' Zoe.Nunez\@Example.COM ', '12 Élan St', 'Provo', 'UT', '04601', 20, '{Warm,VIP}', E'First line\\nsecond line'),
       ('$user->{id}', 'Lee', NULL, NULL, 'lee\@example.com', NULL, NULL, NULL, NULL, 0, NULL, NULL),
       ('$user->{id}', 'Max', 'High', '8015550143', NULL, NULL, NULL, NULL, NULL, 21, NULL, NULL),
       ('$user->{id}', 'Mia', 'Higher', '8015550144', NULL, NULL, NULL, NULL, NULL, 99.5, NULL, NULL),
       ('$user->{id}', 'Noa', 'None', '8015550145', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)
RETURNING id
SQL
	@lead{qw(zoe lee max mia noa)} = split /\n/, $ids;
	$t->drain($user);

	for my $crm (qw(lofty fub))
	{
		my @records = $t->records($user, $crm);
		is(scalar @records, 2, "$crm has two records");
		is_deeply([ sort map { $_->{firstName} } @records ], [ 'Lee', 'Zoë' ], 'of the right people');
		is_deeply([ map { $_->{made_by} } @records ], [ 'client', 'client' ], 'made by us');
	}
});

$t->behaviour('each refused lead has one skipped row for each connection, with its reason', sub {
	for my $crm (qw(lofty fub))
	{
		my @skipped = grep { $_->{status} eq 'skipped' } $t->logs($user, crm => $crm);

		is_deeply([ map { "$_->{lead_id} $_->{action} $_->{reason}" } @skipped ],
			[   "$lead{max} none risk_above_limit",
				"$lead{mia} none risk_above_limit",
				"$lead{noa} none risk_unscored" ], $crm);
		is(scalar(grep { defined $_->{http_status} || defined $_->{crm_record_id} } @skipped), 0,
			'and names no request');
	}
	is($t->sql('SELECT count(*) FROM crm_sync_queue'), '0', 'nothing of them is queued');
});

$t->behaviour('Lofty gets a search and one create, field by field as its API wants them', sub {
	my @search = grep { $_->{query} =~ /5550142|zoe\.nunez/i } $t->requests($user, 'lofty', method => 'GET', path => '/v1.0/leads');
	my ($create) = grep { $_->{raw_body} =~ /zoe/ } $t->requests($user, 'lofty', method => 'POST');

	is_deeply([ map { query_of($_) } @search ],
		[   { phone => '8015550142', preciseSearchFlag => 'true', limit => '10' },
			{ email => 'zoe.nunez@example.com', preciseSearchFlag => 'true', limit => '10' } ],
		'searched by ten digits, then by e-mail in lower case');
	is($create->{path}, '/v1.0/leads', 'path');
	is($create->{query}, '', 'no query');
	json_is($create->{body}, {
		firstName => 'Zoë',
		lastName => 'Núñez',
		phones => ['8015550142'],
		emails => ['zoe.nunez@example.com'],
		source => 'Echo Safe Compliance',
		tagsAdd => [ 'Echo Safe - Clean Lead', 'Warm', 'VIP' ],
		property => { streetAddress => '12 Élan St', city => 'Provo', state => 'UT', zipCode => '04601' },
		content => "First line\nsecond line",
		isPin => FALSE,
		welcomeEmail => FALSE,
		leadAlert => FALSE,
	}, 'body of a full lead');
	is(header($create, 'Authorization'), "token $user->{keys}{lofty}", 'Authorization: token KEY');
	is(header($create, 'Content-Type'), 'application/json', 'Content-Type');
	is(header($create, 'Accept'), 'application/json', 'Accept');
	like(header($create, 'User-Agent'), qr/^echosync\/\d+\.\d+\.\d+\b/, 'User-Agent names us and our version');
	is(header($create, $_), undef, "no $_") for qw(X-System X-System-Key Expect X-Source X-Team-Id Cookie);
	is(header($search[0], 'Content-Type'), 'application/json', 'Content-Type on GET too');
	is(header($search[0], 'Authorization'), "token $user->{keys}{lofty}", 'and the key');

	my ($sparse) = grep { $_->{raw_body} =~ /lee\@/ } $t->requests($user, 'lofty', method => 'POST');
	json_is($sparse->{body}, {
		firstName => 'Lee',
		emails => ['lee@example.com'],
		source => 'Echo Safe Compliance',
		tagsAdd => ['Echo Safe - Clean Lead'],
		welcomeEmail => FALSE,
		leadAlert => FALSE,
	}, 'body of a sparse lead: nothing empty is sent');
	is(scalar $t->writes($user, 'lofty'), 2, 'no other write');
});

$t->behaviour('Follow Up Boss gets searches, one create and one note, field by field', sub {
	my @all = $t->requests($user, 'fub');
	my ($create) = grep { $_->{method} eq 'POST' && $_->{raw_body} =~ /zoe/ } @all;
	my @searches = grep { $_->{path} eq '/v1/people' && $_->{method} eq 'GET' && $_->{query} =~ /5550142|zoe/ } @all;
	my ($note) = grep { $_->{path} eq '/v1/notes' } @all;
	my ($person) = grep { $_->{firstName} eq 'Zoë' } $t->records($user, 'fub');

	is_deeply([ map { query_of($_) } @searches ],
		[   { phone => '8015550142', includeTrash => 'true', limit => '10', fields => 'allFields' },
			{ phone => '+18015550142', includeTrash => 'true', limit => '10', fields => 'allFields' },
			{ email => 'zoe.nunez@example.com', includeTrash => 'true', limit => '10', fields => 'allFields' } ],
		'searched by ten digits, with country code, and by e-mail, trash included');
	is("$create->{path}?$create->{query}", '/v1/people?deduplicate=true', 'path and query of the create');
	json_is($create->{body}, {
		firstName => 'Zoë',
		lastName => 'Núñez',
		phones => [ { value => '8015550142', type => 'mobile' } ],
		emails => [ { value => 'zoe.nunez@example.com', type => 'home' } ],
		addresses => [ { type => 'home', street => '12 Élan St', city => 'Provo', state => 'UT', code => '04601' } ],
		tags => [ 'Echo Safe - Clean Lead', 'Warm', 'VIP' ],
		source => 'Echo Safe Compliance',
	}, 'body of a full lead');
	json_is($note->{body}, {
		personId => 0 + $person->{id},
		subject => 'Echo Safe',
		body => "First line\nsecond line",
		isHtml => FALSE,
	}, 'body of the note');
	require MIME::Base64;
	is(header($create, 'Authorization'), 'Basic ' . MIME::Base64::encode_base64("$user->{keys}{fub}:", ''),
		'Authorization: Basic of the key and no password');
	is(header($create, 'Content-Type'), 'application/json', 'Content-Type');
	for my $request (@all)
	{
		is(header($request, 'X-System'), 'EchoSafe', "X-System on $request->{method} $request->{path}")
		  && is(header($request, 'X-System-Key'), 'sk_echosafe', 'and its key')
		  && like(header($request, 'User-Agent'), qr/^echosync\/\d/, 'and a User-Agent');
	}

	my ($sparse) = grep { $_->{raw_body} =~ /lee\@/ } @all;
	json_is($sparse->{body}, {
		firstName => 'Lee',
		emails => [ { value => 'lee@example.com', type => 'home' } ],
		tags => ['Echo Safe - Clean Lead'],
		source => 'Echo Safe Compliance',
	}, 'body of a sparse lead');
	is(scalar $t->writes($user, 'fub'), 3, 'no other write');
});

$t->behaviour('each delivery has a log row with times, attempt, status and record, and no personal data', sub {
	for my $crm (qw(lofty fub))
	{
		my ($record) = grep { $_->{firstName} eq 'Zoë' } $t->records($user, $crm);
		my @rows = $t->logs($user, crm => $crm, lead => $lead{zoe});
		my $row = $rows[0];

		is(scalar @rows, 1, "$crm: one row");
		is("$row->{sync_type} $row->{action} $row->{status}", 'auto created success', 'what happened');
		is($row->{reason}, undef, 'no reason');
		is($row->{attempt}, 1, 'first attempt');
		is($row->{integration_id}, $user->{$crm}, 'connection');
		is($row->{crm_record_id}, $crm eq 'lofty' ? $record->{leadId} : $record->{id}, 'record id, exact');
		like($row->{http_status}, qr/^20[01]$/, 'HTTP status');
		is($row->{error_code}, undef, 'no error code');
		is($row->{error_message}, undef, 'no error message');
		cmp_ok($row->{duration_ms}, '>=', 0, 'duration');
		cmp_ok($row->{duration_ms}, '<', 30_000, 'of a sane length');
		is($t->sql("SELECT queued_at <= logged_at AND queued_at > now() - interval '5 min' FROM crm_sync_logs WHERE id = $row->{id}"),
			't', 'queued before logged');
	}
	unlike($t->sql("SELECT json_agg(l) FROM (SELECT to_jsonb(l) - 'queued_at' - 'logged_at' - 'integration_id' AS l FROM crm_sync_logs l) l"),
		qr/555|zoe|lee|Nú|Provo|Warm|line|\@/i, 'nobody can be recognised from the log');
});

$t->behaviour('each lead is linked to its record', sub {
	for my $crm (qw(lofty fub))
	{
		for my $record ($t->records($user, $crm))
		{
			my $who = $record->{firstName} eq 'Lee' ? 'lee' : 'zoe';

			is($t->link_of($user->{$crm}, $lead{$who}),
				$crm eq 'lofty' ? $record->{leadId} : $record->{id}, "$crm: $who");
		}
	}
	is($t->sql("SELECT count(*) FROM crm_lead_links"), '4', 'and no other');
	is($t->sql("SELECT string_agg(DISTINCT matched_by, ',') FROM crm_lead_links"), 'created', 'as created by us');
});

$t->behaviour('an update of what is not mapped, or to the same values, makes no call', sub {
	my $mark = $t->mark;

	$t->change($lead{zoe}, seen_at => '2026-01-01');
	$t->sql_as(undef, "UPDATE leads SET first_name = first_name, phone = phone, tags = tags, notes = notes");
	$t->drain($user);
	is(scalar $t->requests($user, $_, since => $mark), 0, "nothing for $_") for qw(lofty fub);
});

$t->behaviour('a phone number spelt differently is no change', sub {
	my $mark = $t->mark;

	$t->change_and_drain($user, $lead{zoe}, phone => '+1 801.555.0142', email => 'ZOE.nunez@example.com');
	is(scalar $t->requests($user, $_, since => $mark), 0, "nothing for $_") for qw(lofty fub);
});

$t->behaviour('an update sends what changed and nothing else', sub {
	my $mark = $t->mark;
	my ($lofty) = grep { $_->{firstName} eq 'Zoë' } $t->records($user, 'lofty');
	my ($fub) = grep { $_->{firstName} eq 'Zoë' } $t->records($user, 'fub');

	$t->change_and_drain($user, $lead{zoe}, last_name => 'Young');
	my @lofty = $t->requests($user, 'lofty', since => $mark);
	my @fub = $t->requests($user, 'fub', since => $mark);
	is(scalar @lofty, 1, 'one call to Lofty');
	is("$lofty[0]{method} $lofty[0]{path}", "PUT /v1.0/leads/$lofty->{leadId}", 'a PUT of the record');
	json_is($lofty[0]{body}, { lastName => 'Young' }, 'with the one field');
	is(scalar @fub, 1, 'one call to Follow Up Boss');
	is("$fub[0]{method} $fub[0]{path}?$fub[0]{query}", "PUT /v1/people/$fub->{id}?mergeTags=true", 'a PUT of the record');
	json_is($fub[0]{body}, { lastName => 'Young' }, 'with the one field');
	is_deeply([ ($t->log_lines($user, crm => $_, lead => $lead{zoe}))[-1] ], ['updated success'], "$_: logged")
	  for qw(lofty fub);
});

$t->behaviour('100 updates of one lead in a second make at most three writes, and the last one wins', sub {
	my $mark = $t->mark;

	# a hundred transactions, spread over a second, each time for the CRMs to be called
	$t->sql_as(undef, join '', map { "UPDATE leads SET first_name = 'Name $_' WHERE id = $lead{lee};\nSELECT pg_sleep(0.009);\n" } 1 .. 100);
	$t->drain($user);
	for my $crm (qw(lofty fub))
	{
		my @writes = $t->writes($user, $crm, since => $mark);
		my ($record) = grep { $_->{firstName} =~ /^Name/ } $t->records($user, $crm);

		cmp_ok(scalar @writes, '>=', 1, "$crm: written");
		cmp_ok(scalar @writes, '<=', 3, "$crm: at most three times");
		is($record->{firstName}, 'Name 100', "$crm: the last value won");
	}
	is($t->sql('SELECT count(*) FROM crm_sync_queue'), '0', 'nothing is left in the queue');
});

$t->behaviour('a lead that is not committed is never sent', sub {
	my $mark = $t->mark;

	$t->sql_as(undef, <<"SQL");
BEGIN;
INSERT INTO leads (user_id, first_name, phone, risk_score) VALUES ('$user->{id}', 'Never', '8015550190', 1);
ROLLBACK;
BEGIN;
SAVEPOINT a;
INSERT INTO leads (user_id, first_name, phone, risk_score) VALUES ('$user->{id}', 'Undone', '8015550191', 1);
ROLLBACK TO a;
INSERT INTO leads (user_id, first_name, phone, risk_score) VALUES ('$user->{id}', 'Kept', '8015550192', 1);
COMMIT;
SQL
	$t->drain($user);
	for my $crm (qw(lofty fub))
	{
		is_deeply([ map { $_->{body}{firstName} } $t->writes($user, $crm, since => $mark) ], ['Kept'],
			"$crm: only the committed one");
	}
});

$t->behaviour("another tenant's leads stay out of this one's CRMs", sub {
	my $other = $t->user(lofty => 1, fub => 1);
	my $mark = $t->mark;

	$t->lead($other, first_name => 'Theirs');
	$t->drain($other);
	is(scalar $t->requests($user, $_, since => $mark), 0, "$_: no call with the first tenant's key") for qw(lofty fub);
	is_deeply([ map { $_->{firstName} } $t->records($other, $_) ], ['Theirs'], "$_: one record of the other's")
	  for qw(lofty fub);
});

$t->done;
