# A CRM, or whoever answers in its place, that means harm.
use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use HTTP::Tiny;
use JSON::PP ();
use MIME::Base64;
use Test::More;

my $t = EchosyncFaults->start(conf => <<'CONF');
echosync.uncertain_wait = '300ms'
echosync.request_timeout = '2s'
echosync.connect_timeout = '2s'
echosync.pause_after_failures = 1000
echosync.max_retries = 1
CONF

my %LABEL = (lofty => 'Lofty', fub => 'Follow Up Boss');
my %TYPE = (lofty => 'lofty', fub => 'followupboss');
my %URL = (lofty => 'echosync.lofty_api_url', fub => 'echosync.followupboss_api_url');
my $JSON = JSON::PP->new->utf8->canonical;
my $CANARY = qr/hostile-canary/;

# ------------------------------------------------------------------------
# The server of test/crm/hostile.py
# ------------------------------------------------------------------------

my ($hostile, $hostile_pipe);

sub start_hostile
{
	my $dir = "$t->{dir}/fakes";

	open($hostile_pipe, '|-', 'python3', '-B', "$FindBin::RealBin/../crm/hostile.py", '--dir', $dir) or die "could not start hostile.py: $!";
	$t->wait_until('the hostile server listens', sub { -s "$dir/hostile.json" });
	$hostile = $JSON->decode(PostgreSQL::Test::Utils::slurp_file("$dir/hostile.json"));
	return;
}

sub hostile_control
{
	my ($method, $path, $body) = @_;
	my $reply = HTTP::Tiny->new(timeout => 20)->request($method, "http://127.0.0.1:$hostile->{control}$path", $body ? { content => $JSON->encode($body) } : {});

	die "hostile $method $path: $reply->{status} $reply->{content}\n" unless $reply->{success};
	return $JSON->decode($reply->{content});
}

sub seen { return @{ hostile_control('GET', '/seen')->{seen} } }

# What comes after "Authorization: token " or "Basic ".
sub credential_of
{
	my ($user, $crm) = @_;

	return $crm eq 'lofty' ? $user->{keys}{lofty} : encode_base64("$user->{keys}{fub}:", '');
}

sub test_connection
{
	my ($user, $crm) = @_;
	my ($row) = $t->rows_as($user, "SELECT * FROM echosync_test_connection('$user->{$crm}')");

	return $row;
}

start_hostile();

# What the user reads, and what becomes of the lead: it fails, it is held, the
# connection waits for a limit, or wants another credential.
my %UNREADABLE = map { ($_ => [ qr/^NAME answered with something that could not be read\.$/, 'fails' ]) } 'a great exponent', 'a long number', 'cut short',
  'deep', 'deep array', 'no JSON', 'no object', 'not UTF-8', 'one answer too many', 'raw NUL', 'two documents';
my %LARGE = map { ($_ => [ qr/^The answer of NAME was too large to read\.$/, 'fails' ]) } 'a bomb', 'an endless body', 'an endless header',
  'endless headers', 'endless interim answers', 'many headers';
my %LOST = map { ($_ => [ qr/^The connection to NAME broke before its answer was complete\.$/, 'waits' ]) } 'NUL in a header', 'a length below zero',
  'an old answer', 'no HTTP';
my %REDIRECT = map { ("redirect $_" => [ qr/^NAME (?:answered with a redirect, which is never followed|did not say whose credential this is)\.$/, 'fails' ]) } 301, 303, 307, 308;
my %EXPECTED = (%UNREADABLE, %LARGE, %LOST, %REDIRECT,
	'a length too long' => [ qr/^NAME did not answer in time\.$/, 'waits' ],
	'another protocol' => [ qr/^NAME did not answer in time\.$/, 'waits' ],
	# libcurl takes one of them (7.88), or ends the connection (8.23).
	'two lengths' => [ qr/^(?:NAME answered with something that could not be read|The connection to NAME broke before its answer was complete)\.$/, 'either' ],
	'a status of its own' => [ qr/^NAME answered in a way that HTTP does not know\.$/, 'fails' ],
	'asks for a login' => [ qr/^NAME does not accept (?:this API key|the credential)\b/, 'error' ],
	'limits out of range' => [ qr/^The CRM's rate limit for this key is used up/, 'limit' ],
	'lures' => [ qr/^NAME reported an error of its own\.$/, 'fails' ]);

# A condition on a connection i, by which one sees that.
my %SEEN = (
	fails => "EXISTS (SELECT FROM crm_sync_logs l WHERE l.integration_id = i.id AND l.status = 'failed')",
	waits => "i.status = 'active' AND i.consecutive_failures > 0",
	either => "i.status = 'active' AND (i.consecutive_failures > 0 OR EXISTS (SELECT FROM crm_sync_logs l WHERE l.integration_id = i.id AND l.status = 'failed'))",
	error => "i.status = 'error' AND i.status_reason = 'credential_refused'",
	limit => "i.status = 'active' AND i.not_before BETWEEN now() AND now() + interval '301 s'");

# Each case with a user of its own, all at once.
for my $crm (qw(lofty fub))
{
	my $other = $crm eq 'lofty' ? 'fub' : 'lofty';

	$t->behaviour("$LABEL{$crm} answers what no CRM does: users read our words, leads wait or fail, and all arrive in the end", sub {
		my @cases = map { { name => $_, user => $t->user(lofty => 1, fub => 1) } } @{ hostile_control('GET', '/seen')->{cases} };
		my $pid = $t->wait_for_worker;
		my $memory = $t->own_memory($pid);
		my $log = length $t->log_text;

		is(join(', ', map { $_->{name} } @cases), join(', ', sort keys %EXPECTED), 'we know what to expect of each case');
		hostile_control('POST', '/case', { key => credential_of($_->{user}, $crm), case => $_->{name} }) for @cases;
		$t->configure($URL{$crm} => $t->bad_url($crm, $hostile->{tls}));
		$_->{lead} = $t->lead($_->{user}, first_name => 'Steady') for @cases;
		for my $case (@cases)
		{
			my ($words, $fate) = @{ $EXPECTED{ $case->{name} } };
			my $row = test_connection($case->{user}, $crm);
			my $expected = "$words" =~ s/NAME/$LABEL{$crm}/gr;

			is($row->{ok}, FALSE, "$case->{name}: it does not work");
			like($row->{message}, qr/$expected/, 'in our words');
			$t->wait_for_sql("SELECT $SEEN{$fate} FROM crm_integrations i WHERE id = '$case->{user}{$crm}'");
			$t->wait_until("the lead is in $LABEL{$other}", sub { $t->n_records($case->{user}, $other) });
			pass("the lead $fate, and is in $LABEL{$other}");
		}
		my %of_case = map { (credential_of($_->{user}, $crm) => $_->{name}) } @cases;
		my @requests = grep { $of_case{ (split ' ', $_->{authorization} || ' -')[-1] } } seen();
		cmp_ok(scalar @requests, '>=', 2 * @cases, 'the server was asked');
		is(scalar(grep { defined $_->{cookie} } @requests), 0, 'no cookie came back');
		is(scalar(grep { $_->{port} ne 'tls' } seen()), 0, 'nobody went where it pointed');
		is($t->sql("SELECT count(*) FROM crm_lead_links WHERE crm_record_id = '666'"), '0', 'an answer that nobody asked for is nobody\'s');
		is($t->sql("SELECT count(*) FROM crm_sync_logs WHERE to_jsonb(crm_sync_logs)::text ~ 'canary'"), '0', 'no row of the log quotes it');
		unlike(substr($t->log_text, $log), $CANARY, 'nor does the server log');
		is(($t->worker_pids)[0], $pid, 'the worker is the one that it was');
		cmp_ok($t->own_memory($pid) - $memory, '<', 100_000, 'and has not grown by 100 MB');

		# The CRM itself is back.
		$t->deconfigure($URL{$crm});
		for my $case (@cases)
		{
			my ($user, $fate) = ($case->{user}, $EXPECTED{ $case->{name} }[1]);

			$t->sql_as($user, "SELECT echosync_disconnect('$user->{$crm}')") if $fate eq 'limit';
			next if $fate eq 'limit';
			$crm eq 'lofty' ? $t->connect_lofty($user) : $t->connect_fub_key($user) if $fate eq 'error';
			# Its next probe may be minutes away by now: who asks ends the outage.
			is(test_connection($user, $crm)->{ok}, TRUE, "$case->{name}: it works again") if $fate eq 'waits' || $fate eq 'either';
			$t->drain($user);
			$t->sql_as($user, "SELECT echosync_retry_failed('$user->{$crm}')");
			$t->drain($user);
			is_deeply($t->tally($user, $crm), $t->all_once(1), "$case->{name}: the lead arrives, once");
		}
	});
}

# ------------------------------------------------------------------------
# Who answers
# ------------------------------------------------------------------------

$t->behaviour('a server with a wrong certificate, or that speaks old TLS or none, is told no key, code or secret', sub {
	my $user = $t->user;
	my $connected = $t->user(lofty => 1, fub => 1);
	my %port = (%{ $t->{ports} }, old => $hostile->{old});
	my $out = '';

	# A client of yesterday would get through.
	IPC::Run::run([ 'curl', '-sS', '--cacert', $t->{ca_file}, '--tls-max', '1.1', '--ciphers', 'ALL:@SECLEVEL=0', '-o', '/dev/null', '-w', '%{http_code}',
		"https://localhost:$port{old}/" ], '>', \$out);
	is($out, '404', 'the old server does answer who speaks its TLS');
	my $handshakes = grep { $_->{port} eq 'old' } seen();
	for my $bad (qw(old expired wrong_name untrusted plain))
	{
		my $why = $bad eq 'plain' ? qr/secure connection|did not answer in time/ : qr/No secure connection to .* could be made/;

		$t->configure((map { ($URL{$_} => $t->bad_url($_, $port{$bad})) } qw(lofty fub)), 'echosync.followupboss_app_url' => "https://localhost:$port{$bad}");
		for my $crm (qw(lofty fub))
		{
			like($t->error_as($user, "SELECT echosync_connect('$TYPE{$crm}', '$user->{keys}{$crm}')")->{message},
				qr/could not connect to $LABEL{$crm}: .*(?:$why)/, "$bad: connecting to $LABEL{$crm}");
			like(test_connection($connected, $crm)->{message}, $why, 'testing');
		}
		my $state = query_of({ query => (split /\?/, $t->authorize_url($user), 2)[1] })->{state};
		like($t->error_as($user, "SELECT echosync_oauth_callback('a-code', '$state')")->{message}, $why, 'exchanging a code');
	}
	$t->deconfigure(values %URL, 'echosync.followupboss_app_url');
	is(scalar(grep { $_->{port} eq 'old' } seen()), $handshakes, 'no handshake with the old server was completed');
	is($t->sql("SELECT count(*) FROM crm_integrations WHERE user_id = '$user->{id}'"), '0', 'nothing is stored');
	# and the fakes on the other ports have seen no request, or there were a violation
});

$t->behaviour('only https is spoken, whatever the settings say', sub {
	my $user = $t->user(lofty => 1, fub => 1);

	for my $url ("http://localhost:$t->{ports}{plain}/v1.0", 'file:///etc/passwd', "ftp://localhost:$t->{ports}{plain}", "//localhost:$t->{ports}{plain}", 'localhost')
	{
		my $error = $t->error("ALTER SYSTEM SET echosync.lofty_api_url = '$url'");

		is($error->{state}, '22023', "$url is refused as a setting");
		unlike($error->{message}, qr/root:/, 'and not read');
	}
	is(test_connection($user, 'lofty')->{ok}, TRUE, 'what was set before is in force');
});

# ------------------------------------------------------------------------
# What an answer holds
# ------------------------------------------------------------------------

my %CREATED = (
	lofty => { method => 'POST', path => '/v1.0/leads', key => 'leadId' },
	fub => { method => 'POST', path => '/v1/people', key => 'id' });

$t->behaviour('an id that no record can have is not linked; the lead is looked for, and sent once', sub {
	my @ids = ('-1', '0', '1.5', '99999999999999999999', '1e308', '-9223372036854775809', '"12abc"', '"1\\u00002"', '"../people/1"', 'true', 'null', '{"id": 1}', '[1]', '""');
	my @cases = map { { id => $_, user => $t->user(lofty => 1, fub => 1) } } @ids;

	for my $case (@cases)
	{
		for my $crm (qw(lofty fub))
		{
			my $create = $CREATED{$crm};
			$t->fault_for($case->{user}, $crm, { method => $create->{method}, path => $create->{path} },
				{ type => 'status', status => 201, body => qq({"$create->{key}": $case->{id}, "firstName": "hostile-canary"}) });
		}
		$case->{lead} = $t->lead($case->{user});
	}
	for my $case (@cases)
	{
		my $user = $case->{user};

		$t->drain($user);
		for my $crm (qw(lofty fub))
		{
			my ($record) = $t->records($user, $crm);

			is_deeply($t->tally($user, $crm), $t->all_once(1), "$case->{id}: $LABEL{$crm} has the lead once");
			is($t->link_of($user->{$crm}, $case->{lead}), $record->{ $CREATED{$crm}{key} }, 'to which it is linked');
		}
	}
	is($t->sql("SELECT count(*) FROM crm_lead_links WHERE crm_record_id !~ '^[1-9][0-9]{0,18}\$'"), '0', 'links hold numbers only');
	unlike($t->log_text, $CANARY, 'the server log does not quote the answers');
});

$t->behaviour('a search that answers with records of others, without ids or by the thousand touches none of them', sub {
	my $user = $t->user(lofty => 1, fub => 1);
	my $stranger = $t->user;
	my %theirs = map { ($_ => $t->seed($user, $_, firstName => 'Stranger', lastName => 'Canary', phones => ['8015559999'])) } qw(lofty fub);
	my %list = (lofty => sub { { leads => $_[0], _metadata => { total => scalar @{ $_[0] } } } },
		fub => sub { { people => $_[0], _metadata => { collection => 'people', total => scalar @{ $_[0] } } } });
	my %record = (lofty => sub { { leadId => $_[0], firstName => 'Stranger', phones => ['8015559999'] } }, fub => sub { { id => $_[0], firstName => 'Stranger', phones => [ { value => '8015559999' } ] } });

	for my $crm (qw(lofty fub))
	{
		my @answers = ([ $record{$crm}->($theirs{$crm} + 0) ], [ map { $record{$crm}->($_) } 1 .. 5000 ], [ {} ], [ undef, 1, 'text' ], [ $record{$crm}->('../1') ]);

		for my $answer (@answers)
		{
			$t->fault_for($user, $crm, { method => 'GET', path => $CREATED{$crm}{path} }, { type => 'status', status => 200, body => $list{$crm}->($answer) });
			$t->lead($user, first_name => 'Own');
			$t->drain($user);
		}
		my ($record) = grep { $_->{firstName} eq 'Stranger' } $t->records($user, $crm);
		is($record->{lastName}, 'Canary', "$LABEL{$crm}: the stranger's record is as it was");
		is(scalar(grep { $_->{made_by} eq 'client' } @{ $record->{notes} }), 0, 'without a note');
		is(scalar $t->writes($user, $crm, method => 'PUT'), 0, 'nothing was updated');
		is($t->sql("SELECT count(*) FROM crm_lead_links WHERE integration_id = '$user->{$crm}' AND crm_record_id = '$theirs{$crm}'"), '0', 'or linked');
	}
});

$t->behaviour('names that the CRM gives an account are shown without what is not seen, and whole characters', sub {
	my %says = (
		'NUL and control characters' => [ "Pat\x{0}\x{7}\x{1b}[31m\r\nAgent\x{7f}\x{85}", qr/^Pat[^\p{Cc}]*Agent[^\p{Cc}]*$/ ],
		'directions turned round' => [ "Pat\x{202e}tnegA\x{202c}\x{2066}\x{2069}\x{200f}\x{feff}\x{200b}", qr/^PattnegA/ ],
		'longer than there is room for' => [ "\x{43f}\x{430}" x 400, qr/^(?:\x{43f}\x{430})+\x{43f}?/ ],
		'of four bytes each' => [ "\x{1f3e0}" x 300, qr/^\x{1f3e0}+/ ]);

	for my $name (sort keys %says)
	{
		my ($text, $shown) = @{ $says{$name} };
		my $user = $t->user;
		my $json = JSON::PP->new->ascii->encode([$text]) =~ s/^\[|\]$//gr;

		$t->fault('lofty', { path => '/v1.0/me' }, { type => 'status', status => 200, body => qq({"id": 5, "teamId": 6, "firstName": $json, "roleName": $json}) });
		$t->fault('fub', { path => '/v1/identity' }, { type => 'status', status => 200, body => qq({"account": {"id": 5, "domain": $json}, "user": {"id": 6, "name": $json}}) });
		$user->{lofty} = $t->connect_lofty($user);
		$user->{fub} = $t->connect_fub_key($user);
		for my $crm (qw(lofty fub))
		{
			my ($row) = $t->rows_as($user, "SELECT crm_account_label AS label, char_length(crm_account_label) AS length FROM crm_integrations WHERE id = '$user->{$crm}'");

			like($row->{label}, $shown, "$LABEL{$crm}, $name: stored");
			unlike($row->{label}, qr/[\p{Cc}\p{Cf}\x{fffd}]/, 'nothing in it is invisible');
			cmp_ok($row->{length}, '<=', 255, 'nor is it long');
		}
	}
});

$t->done;
close $hostile_pipe;
