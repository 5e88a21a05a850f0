# Leads that another system sends: who may, what is taken, what becomes of it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use JSON::PP ();
use Test::More;
use Time::HiRes qw(time);

my $t = EchosyncFaults->start(
	conf => "echosync.uncertain_wait = '300ms'\n",
	env => { WEBHOOK_SECRET => 'first-secret-1234' });

my $SECRET = 'first-secret-1234';
my $JSON = JSON::PP->new->canonical->allow_nonref;
my %LABEL = (lofty => 'Lofty', fub => 'Follow Up Boss');
my %CREATE = (lofty => '/v1.0/leads', fub => '/v1/people');
my $CALL = 'SELECT echosync_webhook_lead_created(%s::jsonb)';

push @{ $t->{secrets} }, 'first-secret', 'second-secret', 'third-secret';

# What PostgREST does with a request: its headers and body in, status and body
# out.  Acts for nobody.
sub post
{
	my ($headers, $body) = @_;
	my $sql = 'BEGIN;' . (defined $headers ? "SELECT set_config('request.headers', " . lit($headers) . ", true) \\gset\n" : '')
	  . sprintf($CALL, lit($body)) . ";\nSELECT current_setting('response.status', true);\nCOMMIT";
	my ($json, $status) = split /\n/, $t->sql_as(undef, $sql);

	return { status => $status, body => $JSON->decode($json) };
}

sub post_with_secret
{
	my ($body) = @_;

	return post($JSON->encode({ 'x-webhook-secret' => $SECRET, 'content-type' => 'application/json' }), $JSON->encode($body));
}

sub lead
{
	my ($id, %more) = @_;

	return { id => $id, first_name => 'Wanda', last_name => 'Webb', phone => $t->new_phone, risk_score => 5, %more };
}

# Several of a user in one call, without a word on what becomes of it.
sub say
{
	my ($user, @leads) = @_;

	post_with_secret({ user_id => $user->{id}, leads => \@leads });
	return;
}

sub last_line { return ($t->log_lines($_[0], crm => $_[1], lead => $_[2]))[-1] }
sub snapshots { return $t->sql('SELECT count(*) FROM crm_sync_queue WHERE snapshot IS NOT NULL') }

$t->behaviour('one lead that is in no table is queued with its snapshot, sent, and gone with the queue row', sub {
	my $user = $t->user(lofty => 1, fub => 1);
	my $phone = $t->new_phone;

	$t->sql_as($user, "SELECT echosync_pause('$user->{$_}')") for qw(lofty fub);
	my $reply = post_with_secret({ user_id => $user->{id}, lead => lead('ext-1', phone => $phone, email => 'wanda@example.com',
		address => '1 Main St', city => 'Provo', state => 'UT', zip_code => '84601', tags => [ 'Hot', 'Web' ], notes => 'Came by the form') });
	is($reply->{status}, '202', 'response.status');
	json_is($reply->{body}, { success => TRUE, queued => 2, skipped => 0 }, 'the answer');
	is(snapshots(), '2', 'it is queued with its snapshot');
	is($t->sql("SELECT string_agg(DISTINCT concat_ws(' ', user_id, lead_id, sync_type, source_id), ',') FROM crm_sync_queue"), "$user->{id} ext-1 webhook 0",
		'for its user, as a webhook, from no table');
	$t->node->restart;      # the snapshot is all there is
	$t->sql_as($user, "SELECT echosync_resume('$user->{$_}')") for qw(lofty fub);
	$t->drain($user);
	for my $crm (qw(lofty fub))
	{
		my ($record) = $t->records($user, $crm);

		is("$record->{firstName} $record->{lastName}", 'Wanda Webb', "$LABEL{$crm}: the name");
		is_deeply([ sort @{ $record->{tags} } ], [ 'Echo Safe - Clean Lead', 'Hot', 'Web' ], 'the tags');
		is_deeply([ $t->notes_of($user, $crm) ], ['Came by the form'], 'the note');
		my @logs = $t->logs($user, crm => $crm);
		is_deeply([ map { "$_->{lead_id} $_->{sync_type} $_->{action} $_->{status}" } @logs ], ['ext-1 webhook created success'], 'the log');
	}
	is(snapshots(), '0', 'no snapshot is left');
	is($t->sql("SELECT count(*) FROM pg_class c WHERE relkind = 'r' AND relname LIKE 'crm_%'"
		  . " AND query_to_xml(format('SELECT * FROM %I', relname), true, false, '')::text ~ 'Wanda|$phone'"), '0', 'in no table of ours');
});

$t->behaviour('a batch; rules are applied to each lead', sub {
	my $user = $t->user(lofty => 1, fub => { max_risk_score => 50 });
	my $reply = post_with_secret({ user_id => $user->{id}, leads => [
		lead('b-1'), lead('b-2', risk_score => 40), lead('b-3', risk_score => undef), lead('b-4', phone => '12'),
		lead('b-5', do_not_contact => TRUE), lead('b-6', deleted_at => '2026-01-01T00:00:00Z'), lead('b-7', risk_score => 0) ] });

	# b-5 is queued for Lofty, which has flags for such people
	json_is($reply->{body}, { success => TRUE, queued => 6, skipped => 8 }, 'the answer counts connections');
	$t->drain($user);
	is($t->n_records($user, 'lofty'), 2, 'Lofty: two leads');
	is($t->n_records($user, 'fub'), 3, 'Follow Up Boss, with a higher limit: three');
	is_deeply({ map { ($_->{lead_id} => $_->{reason}) } grep { $_->{status} eq 'skipped' } $t->logs($user, crm => 'lofty') },
		{ 'b-2' => 'risk_above_limit', 'b-3' => 'risk_unscored', 'b-4' => 'no_contact_key', 'b-5' => 'do_not_contact', 'b-6' => 'lead_deleted' },
		'Lofty: the reasons');
	is_deeply({ map { ($_->{lead_id} => $_->{reason}) } grep { $_->{status} eq 'skipped' } $t->logs($user, crm => 'fub') },
		{ 'b-3' => 'risk_unscored', 'b-4' => 'no_contact_key', 'b-5' => 'do_not_contact', 'b-6' => 'lead_deleted' },
		'Follow Up Boss: the reasons');
	is($t->sql("SELECT string_agg(DISTINCT sync_type, ',') FROM crm_sync_logs WHERE user_id = '$user->{id}'"), 'webhook', 'all logged as webhook');

	json_is(post_with_secret({ user_id => $user->{id}, leads => [] })->{body}, { success => TRUE, queued => 0, skipped => 0 }, 'an empty batch is one, too');
	json_is(post_with_secret({ user_id => 'nobody-of-that-name', lead => lead('b-8') })->{body}, { success => TRUE, queued => 0, skipped => 0 },
		'a user without a connection: nothing to do');
	is($t->queued($user), '0', 'nothing is queued');
});

$t->behaviour('a connection without auto_sync is left alone, a paused one is not', sub {
	my $user = $t->user(lofty => { auto_sync => FALSE }, fub => 1);

	$t->sql_as($user, "SELECT echosync_pause('$user->{fub}')");
	json_is(post_with_secret({ user_id => $user->{id}, lead => lead('auto-1') })->{body}, { success => TRUE, queued => 1, skipped => 0 }, 'one is queued');
	is($t->queued($user, 'fub'), '1', 'for the paused one');
	$t->sql_as($user, "SELECT echosync_resume('$user->{fub}')");
	$t->drain($user);
	is($t->n_records($user, 'fub'), 1, 'which sends it when resumed');
	is($t->n_records($user, 'lofty'), 0, 'the other has nothing');
});

$t->behaviour('a wrong or missing secret is refused, and nothing is queued', sub {
	my $user = $t->user(lofty => 1);
	my $body = $JSON->encode({ user_id => $user->{id}, lead => lead('refused-1') });
	my %wrong = (
		'no headers' => undef,
		'empty headers' => '',
		'no such header' => '{"content-type": "application/json"}',
		'an empty secret' => '{"x-webhook-secret": ""}',
		'another secret' => '{"x-webhook-secret": "webhook-secret-1"}',
		'a part of it' => '{"x-webhook-secret": "first-secret-123"}',
		'more than it' => '{"x-webhook-secret": "first-secret-1234 "}',
		'another case' => '{"x-webhook-secret": "FIRST-SECRET-1234"}',
		'null' => '{"x-webhook-secret": null}',
		'a list with it' => '{"x-webhook-secret": ["first-secret-1234"]}',
		'headers that are no object' => '["x-webhook-secret", "first-secret-1234"]',
		'headers that are no JSON' => 'x-webhook-secret: first-secret-1234',
		'another header' => '{"x-webhook-secrets": "first-secret-1234"}');

	for my $name (sort keys %wrong)
	{
		my $reply = post($wrong{$name}, $body);

		is($reply->{status}, '401', "$name: response.status");
		is($reply->{body}{success}, FALSE, 'success false');
		unlike($JSON->encode($reply->{body}), qr/first-secret/, 'the answer does not help');
	}
	is(post('{"x-webhook-secret": "wrong"}', '"no body at all"')->{status}, '401', 'before the body is looked at');
	is($t->queued($user), '0', 'nothing is queued');
	is(scalar $t->logs($user), 0, 'and nothing logged');
});

$t->behaviour('two secrets are good while they are changed', sub {
	my $user = $t->user(lofty => 1);
	my $n = 0;
	my $status = sub { post($JSON->encode({ 'x-webhook-secret' => $_[0] }), $JSON->encode({ user_id => $user->{id}, lead => lead('rotate-' . ++$n) }))->{status} };

	$t->write_env_file(WEBHOOK_SECRET => 'first-secret-1234, second-secret-5678');
	$t->reload;
	is($status->('first-secret-1234'), '202', 'the old one');
	is($status->('second-secret-5678'), '202', 'the new one');
	is($status->('first-secret-1234, second-secret-5678'), '401', 'not the list');
	is($status->(''), '401', 'nor nothing');
	$t->write_env_file(WEBHOOK_SECRET => 'second-secret-5678');
	$t->reload;
	is($status->('first-secret-1234'), '401', 'the old one, when it is taken out');
	is($status->('second-secret-5678'), '202', 'the new one still');
	for my $none (undef, '', ',', ' , ')
	{
		$t->write_env_file(WEBHOOK_SECRET => $none);
		$t->reload;
		is($status->($_), '401', 'no secret is set: refused') for '', ',', 'second-secret-5678';
	}
	$t->write_env_file(WEBHOOK_SECRET => $SECRET);
	$t->reload;
	$t->drain($user);
	is($t->n_records($user, 'lofty'), 3, 'three leads of three that were accepted');
});

$t->behaviour('a lead that is in an attached table is sent as it is there', sub {
	my $user = $t->user(lofty => 1);
	my $other = $t->user(lofty => 1);
	my $phone = $t->new_phone;
	my $id = do {
		# queued by the webhook alone
		$t->sql("SET echosync.capture = off; INSERT INTO leads (user_id, first_name, phone, risk_score) VALUES ('$user->{id}', 'Intable', '$phone', 5) RETURNING id");
	};

	$t->sql_as($user, "SELECT echosync_pause('$user->{lofty}')");
	json_is(post_with_secret({ user_id => $user->{id}, lead => { id => 0 + $id, first_name => 'Inbody', phone => $t->new_phone, risk_score => 5 } })->{body},
		{ success => TRUE, queued => 1, skipped => 0 }, 'an id as a number');
	$t->sql_as($user, "SELECT echosync_resume('$user->{lofty}')");
	$t->drain($user);
	my ($record) = $t->records($user, 'lofty');
	is("$record->{firstName} $record->{phones}[0]", "Intable $phone", 'sent as the row says, not the body');

	my $mark = $t->mark;
	post_with_secret({ user_id => $user->{id}, lead => { id => "$id", first_name => 'Again', phone => $phone, risk_score => 5 } });
	$t->drain($user);
	is(scalar $t->requests($user, 'lofty', since => $mark), 0, 'unchanged: no call');

	# The row's score counts.
	my $risky = $t->sql("SET echosync.capture = off; INSERT INTO leads (user_id, first_name, phone, risk_score) VALUES ('$user->{id}', 'Risky', '" . $t->new_phone . "', 99) RETURNING id");
	json_is(post_with_secret({ user_id => $user->{id}, lead => lead(0 + $risky) })->{body}, { success => TRUE, queued => 1, skipped => 0 }, 'the answer goes by the body');
	$t->drain($user);
	is_deeply([ $t->log_lines($user, lead => $risky) ], ['none skipped risk_above_limit'], 'the lead is refused by the score in the table');

	# Another user's id is no lead of this user.
	post_with_secret({ user_id => $other->{id}, lead => lead(0 + $id, first_name => 'Theirs') });
	$t->drain($other);
	is_deeply([ map { $_->{firstName} } $t->records($other, 'lofty') ], ['Theirs'], "another user's lead of the same id is another lead");
	is($t->n_records($user, 'lofty'), 1, 'and the first user has one');
});

$t->behaviour("ids that do not fit the table's type are ids all the same", sub {
	my $user = $t->user(lofty => 1);
	my @ids = ('ext-1', '12abc', '99999999999999999999999', '-1', '1.5', 'NaN', "o'clock", 'späť', '{}', '  padded  ', '0x10');
	my $reply = post_with_secret({ user_id => $user->{id}, leads => [ map { lead($_) } @ids ] });

	is($reply->{status}, '202', 'accepted');
	is($reply->{body}{queued}, scalar @ids, 'all of them');
	$t->drain($user);
	is($t->n_records($user, 'lofty'), scalar @ids, 'and sent');
	is($t->sql("SELECT count(*) FROM crm_lead_links WHERE integration_id = '$user->{lofty}'"), scalar @ids, 'each is linked');

	# A second table, of uuids.
	$t->sql('CREATE TABLE web_leads (id uuid PRIMARY KEY, user_id text, phone text, first_name text, risk_score int); ALTER TABLE web_leads OWNER TO app');
	$t->sql_as(undef, "SELECT echosync_attach_leads('web_leads')");
	my $uuid = '0a1b2c3d-0000-4000-8000-00000000abcd';
	$t->sql("SET echosync.capture = off; INSERT INTO web_leads VALUES ('$uuid', '$user->{id}', '" . $t->new_phone . "', 'Uuid', 1)");
	post_with_secret({ user_id => $user->{id}, leads => [ lead($uuid), lead('ext-2') ] });
	$t->drain($user);
	is(scalar(grep { $_->{firstName} eq 'Uuid' } $t->records($user, 'lofty')), 1, 'a lead of a table of another key type is found there');
	is($t->n_records($user, 'lofty'), @ids + 2, 'and one of neither is taken as it is');
	$t->sql_as(undef, "SELECT echosync_detach_leads('web_leads'); DROP TABLE web_leads");
});

$t->behaviour('the longest id that is taken is sent, logged and linked; a longer one is refused with the whole body', sub {
	my $user = $t->user(lofty => 1);
	my $id = join '', map { sprintf '%08x', int rand 2**32 } 1 .. 128;      # 1,024 bytes that no index can compress

	is(post_with_secret({ user_id => $user->{id}, lead => lead($id) })->{body}{queued}, 1, 'the longest');
	$t->drain($user);
	is_deeply([ map { $_->{lead_id} eq $id ? $_->{action} : 'another' } $t->logs($user) ], ['created'], 'is sent, and logged whole');
	is($t->link_of($user->{lofty}, $id) ? 'linked' : undef, 'linked', 'and linked');
	my $error = $t->error("SET request.headers = '{\"x-webhook-secret\": \"$SECRET\"}'; SELECT echosync_webhook_lead_created("
		  . lit({ user_id => $user->{id}, leads => [ lead('short'), lead("${id}0") ] }) . ')');
	is("$error->{state} $error->{message}", '54000 the id of a lead is 1025 bytes long, more than the 1024 that echosync takes', 'a longer one is an error that says so');
	is($t->queued($user), '0', 'and nothing of the body is queued');
});

$t->behaviour('the same lead again is an update of its record', sub {
	my $user = $t->user(lofty => 1, fub => 1);
	my $phone = $t->new_phone;

	post_with_secret({ user_id => $user->{id}, lead => lead('again-1', phone => $phone) });
	$t->drain($user);
	my $mark = $t->mark;
	post_with_secret({ user_id => $user->{id}, lead => lead('again-1', phone => $phone) });
	$t->drain($user);
	is(scalar $t->writes($user, $_, since => $mark), 0, "$LABEL{$_}: unchanged, nothing is written") for qw(lofty fub);
	post_with_secret({ user_id => $user->{id}, lead => lead('again-1', phone => $phone, last_name => 'Wed') });
	$t->drain($user);
	is_deeply([ map { $_->{lastName} } $t->records($user, $_) ], ['Wed'], "$LABEL{$_}: one record, with the change") for qw(lofty fub);

	# Three in a row before the first is sent: the last one counts.
	$t->sql_as($user, "SELECT echosync_pause('$user->{$_}')") for qw(lofty fub);
	post_with_secret({ user_id => $user->{id}, lead => lead('again-2', phone => $t->new_phone, last_name => $_) }) for qw(One Two Three);
	$t->sql_as($user, "SELECT echosync_resume('$user->{$_}')") for qw(lofty fub);
	$t->drain($user);
	is_deeply([ sort map { $_->{lastName} } $t->records($user, $_) ], [ 'Three', 'Wed' ], "$LABEL{$_}: the last of three counts") for qw(lofty fub);
	is(snapshots(), '0', 'no snapshot is left');
});

$t->behaviour('the newest word of a webhook counts, however far behind in the queue it is', sub {
	my $user = $t->user(lofty => 1, fub => 1);

	$t->sql_as($user, "SELECT echosync_pause('$user->{$_}')") for qw(lofty fub);
	say($user, lead('far-1', phone => '8015557001'), lead('far-2', phone => '8015557002'));
	say($user, map { lead("other$_") } 1 .. 60);
	say($user, lead('far-1', phone => '8015557001', risk_score => 95, do_not_contact => TRUE),
		lead('far-2', phone => '8015557002', first_name => 'Renamed'));
	$t->sql_as($user, "SELECT echosync_resume('$user->{$_}')") for qw(lofty fub);
	$t->drain($user);
	for my $crm (qw(lofty fub))
	{
		my %times;

		$times{ $_->{firstName} }++ for $t->records($user, $crm);
		is_deeply(\%times, { Wanda => 60, Renamed => 1 }, "$crm: the refused one is not there, the renamed one has its new name, the others are there");
		is(scalar $t->requests($user, $crm, method => 'POST', path => $CREATE{$crm}), 61, 'nor was it tried');
		like(last_line($user, $crm, 'far-1'), qr/^none skipped /, 'the log says why');
	}
});

$t->behaviour('and so it does for one that is told to wait meanwhile', sub {
	my $user = $t->user(lofty => 1, fub => 1);

	$t->fault_for($user, $_, { method => 'POST', path => $CREATE{$_} }, { type => 'status', status => 429, headers => { 'Retry-After' => '2' } }) for qw(lofty fub);
	say($user, lead('far-3', phone => '8015557003'));
	$t->wait_for_requests($user, $_, 1, method => 'POST', path => $CREATE{$_}) for qw(lofty fub);
	say($user, map { lead("more$_") } 1 .. 40);
	say($user, lead('far-3', phone => '8015557003', risk_score => 95));
	$t->drain($user);
	for my $crm (qw(lofty fub))
	{
		is($t->n_records($user, $crm), 40, "$crm: it is not there, the others are");
		is(last_line($user, $crm, 'far-3'), 'none skipped risk_above_limit', 'the log says why');
	}
});

$t->behaviour('a row that says nothing of a lead that is in no table takes no word back, and alone it is a lead that is gone', sub {
	my $user = $t->user(lofty => 1);

	$t->sql_as($user, "SELECT echosync_pause('$user->{lofty}')");
	say($user, lead('far-4', phone => '8015557004'));
	$t->sql("INSERT INTO crm_sync_queue (integration_id, lead_id, user_id, source_id, sync_type) VALUES ('$user->{lofty}', '$_', '$user->{id}', 0, 'auto')")
	  for qw(far-4 far-nobody);
	say($user, lead('far-5', phone => '8015557005'));
	$t->sql_as($user, "SELECT echosync_resume('$user->{lofty}')");
	$t->drain($user);
	is($t->n_records($user, 'lofty'), 2, 'the lead is there, once, and so is the next');
	is_deeply([ $t->log_lines($user, lead => 'far-4') ], ['created success'], 'by what the webhook said');
	is_deeply([ $t->log_lines($user, lead => 'far-nobody') ], ['none skipped lead_deleted'], 'the other is gone');
});

$t->behaviour('a dead letter keeps the snapshot, until it is sent or discarded', sub {
	my $user = $t->user(lofty => 1);

	$t->fault_for($user, 'lofty', { method => 'POST' }, { type => 'status', status => 400, body => {} }, times => 2);
	post_with_secret({ user_id => $user->{id}, leads => [ lead('dead-1'), lead('dead-2') ] });
	$t->drain($user);
	is(scalar $t->dead_letters($user, 'lofty'), 2, 'two dead letters');
	is($t->sql_as($user, "SELECT echosync_retry_failed('$user->{lofty}', '{dead-1}')"), '1', 'one is retried');
	$t->drain($user);
	is($t->n_records($user, 'lofty'), 1, 'and sent');
	$t->sql_as($user, "SELECT echosync_discard_failed('$user->{lofty}')");
	is($t->sql('SELECT count(*) FROM crm_dead_letters'), '0', 'the other is discarded');
	is(snapshots(), '0', 'no snapshot is left');
	post_with_secret({ user_id => $user->{id}, lead => lead('gone-1') });
	$t->sql_as($user, "SELECT echosync_pause('$user->{lofty}')");
	post_with_secret({ user_id => $user->{id}, lead => lead('gone-2') });
	$t->sql_as($user, "SELECT echosync_disconnect('$user->{lofty}')");
	is(snapshots(), '0', 'nor after disconnecting');
});

$t->behaviour('bodies that are none', sub {
	my $user = $t->user(lofty => 1);
	my $id = $user->{id};
	my %bad = (
		'null' => 'null', 'a number' => '5', 'a text' => '"x"', 'a list' => '[]', 'an empty object' => '{}',
		'no user' => $JSON->encode({ lead => lead('x') }),
		'an empty user' => $JSON->encode({ user_id => '', lead => lead('x') }),
		'a user that is null' => $JSON->encode({ user_id => undef, lead => lead('x') }),
		'no lead' => $JSON->encode({ user_id => $id }),
		'lead and leads' => $JSON->encode({ user_id => $id, lead => lead('x'), leads => [ lead('y') ] }),
		'a lead that is a text' => $JSON->encode({ user_id => $id, lead => 'x' }),
		'a lead that is a list' => $JSON->encode({ user_id => $id, lead => [ lead('x') ] }),
		'a lead without an id' => $JSON->encode({ user_id => $id, lead => { first_name => 'x' } }),
		'a lead with an empty id' => $JSON->encode({ user_id => $id, lead => lead('') }),
		'leads that are an object' => $JSON->encode({ user_id => $id, leads => lead('x') }),
		'one that is none among leads' => $JSON->encode({ user_id => $id, leads => [ lead('x'), 5 ] }));

	for my $name (sort keys %bad)
	{
		my $error = $t->error_as(undef, "SELECT set_config('request.headers', '{\"x-webhook-secret\": \"$SECRET\"}', false) \\gset\n" . sprintf $CALL, lit($bad{$name}));

		like($error->{state}, qr/^22/, "$name: SQLSTATE") or diag $error->{text};
		unlike($error->{message}, qr/Wanda|801/, 'the message names no data');
	}
	is($t->queued($user), '0', 'nothing is queued');
	my $many = $t->error_as(undef, "SELECT set_config('request.headers', '{\"x-webhook-secret\": \"$SECRET\"}', false) \\gset\n"
		  . "SELECT echosync_webhook_lead_created(jsonb_build_object('user_id', '$id', 'leads', (SELECT jsonb_agg(jsonb_build_object('id', i)) FROM generate_series(1, 10001) i)))");
	is($many->{state}, '54000', 'more leads than fit');
});

$t->behaviour('a thousand leads in one call; one that is rolled back', sub {
	my $user = $t->user(lofty => 1);
	my $sql = "SELECT set_config('request.headers', '{\"x-webhook-secret\": \"$SECRET\"}', true) \\gset\n"
	  . "SELECT echosync_webhook_lead_created(jsonb_build_object('user_id', '$user->{id}', 'leads', (SELECT jsonb_agg("
	  . "jsonb_build_object('id', '%s-' || i, 'first_name', 'Many', 'phone', (8015000000 + i)::text, 'risk_score', 1)) FROM generate_series(1, 1000) i)));\n";

	$t->sql_as(undef, 'BEGIN;' . sprintf($sql, 'undone') . 'ROLLBACK');
	is($t->queued($user), '0', 'rolled back: nothing is queued');
	$t->keep_no_requests;
	my $began = time;
	$t->sql_as(undef, 'BEGIN;' . sprintf($sql, 'many') . 'COMMIT');
	cmp_ok(time - $began, '<', 3, 'a thousand are queued within 3 s');
	$t->drain($user, 60);
	is($t->n_records($user, 'lofty'), 1000, 'and sent');
	is(snapshots(), '0', 'no snapshot is left');
});

$t->behaviour('who has no level may not call it', sub {
	$t->sql('CREATE ROLE stranger LOGIN; CREATE ROLE watcher LOGIN');
	$t->sql("SELECT echosync_grant('watcher', 'monitor')");
	for my $role (qw(stranger watcher))
	{
		my $error = $t->_error($role, "SELECT set_config('request.headers', '{\"x-webhook-secret\": \"$SECRET\"}', false) \\gset\nSELECT echosync_webhook_lead_created('{}')");
		is($error->{state}, '42501', $role);
	}
});

$t->done;
