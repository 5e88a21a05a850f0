# What the TAP tests stand on: one throwaway cluster with echosync, one set of
# fake CRMs, and the few verbs in which the tests speak.
#
#   my $t = EchosyncTest->start;              # fakes, cluster, extension, leads
#   $t->behaviour('a lead appears in Lofty', sub {
#       my $user = $t->user(lofty => 1);      # a tenant with accounts of its own
#       $t->lead($user, first_name => 'Dana');
#       $t->drain($user);
#       is(scalar $t->records($user, 'lofty'), 1);
#   });
#   $t->done;
#
# Every behaviour() ends by asserting that the fakes saw no breach of a CRM's
# rules, and puts knobs and faults back.  Nothing here proves anything by
# sleeping: what takes time is waited for by wait_until().
package EchosyncTest;

use strict;
use warnings;

use File::Basename qw(dirname);
use File::Spec;
use HTTP::Tiny;
use IPC::Run;
use JSON::PP ();
use MIME::Base64 qw(encode_base64url);
use Test::More;
use Time::HiRes qw(time usleep);

my ($ROOT, @our_instances);

BEGIN
{
	$ROOT = File::Spec->rel2abs(dirname(__FILE__) . '/../..');
	my $pg_config = $ENV{PG_CONFIG} || 'pg_config';
	chomp(my $pgxs = `$pg_config --pgxs`);
	die "EchosyncTest: $pg_config says nothing of PGXS\n" if $pgxs eq '';
	my $tree = dirname(dirname(dirname($pgxs)));    # .../pgxs
	unshift @INC, "$tree/src/test/perl";
	$ENV{PG_REGRESS} ||= "$tree/src/test/regress/pg_regress";
	chomp(my $bindir = `$pg_config --bindir`);
	$ENV{PATH} = "$bindir:$ENV{PATH}";
}

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils ();

use Exporter 'import';
our @EXPORT = qw(TRUE FALSE json_is header query_of lit);

use constant { TRUE => JSON::PP::true, FALSE => JSON::PP::false };

# What the server warns of when code of ours has not let go of something.
my $LEFT_BEHIND = join('|', 'reference leak', 'temporary file leak', 'resource was not closed',
	'non-empty SPI stack', 'problem in alloc set', 'detected write past chunk end', "you don't own a lock",
	'there is (?:no|already a) transaction in progress');

my $JSON = JSON::PP->new->utf8->allow_nonref;
my $TIMEOUT = $ENV{ECHOSYNC_TEST_TIMEOUT} || 60;
my @LEAD_COLUMNS = qw(id user_id phone first_name last_name email address city
  state zip_code risk_score dnc tags notes source deleted_at seen_at);

# ------------------------------------------------------------------------
# Start and end
# ------------------------------------------------------------------------

# Options: true_limits => 1  the CRMs' own rate limits stay, and our settings
#          conf  => "..."    more lines of postgresql.conf, after ours
#          env   => {...}    other lines of the env file; undef leaves one out
#          bare  => 1        no extension, no table
#          fakes => $other   the fakes that another cluster's test has started
sub start
{
	my ($class, %options) = @_;
	my $self = bless {
		dir => PostgreSQL::Test::Utils::tempdir_short(),
		options => \%options,
		n_users => 0,
		n_leads => 0,
		reported => {},
		secrets => [],
	}, $class;

	push @our_instances, $self;
	if ($options{fakes})
	{
		$self->{$_} = $options{fakes}{$_} for qw(ports ca_file reported);
	}
	else
	{
		$self->_start_fakes;
	}
	$self->write_env_file(%{ $options{env} || {} });
	$self->_start_cluster;
	$self->install unless $options{bare};
	return $self;
}

sub _start_fakes
{
	my ($self) = @_;
	my $dir = "$self->{dir}/fakes";

	mkdir $dir or die "mkdir $dir: $!";
	# The fakes end when this pipe is closed: at our END, or when we are killed.
	open($self->{fakes_pipe}, '|-', 'python3', '-B', "$ROOT/test/crm/run.py",
		'--dir', $dir, '--with-stdin')
	  or die "could not start the fakes: $!";
	_poll(sub { -s "$dir/ports.json" }, 30) or die "the fakes did not start; see the log of this test\n";
	$self->{ports} = $JSON->decode(PostgreSQL::Test::Utils::slurp_file("$dir/ports.json"));
	$self->{ca_file} = "$dir/ca.pem";
	return if $self->{options}{true_limits};
	$self->_lift_limits;
}

sub _lift_limits
{
	my ($self) = @_;

	$self->knob($_, 'rate_limits_off', JSON::PP::true) for qw(lofty fub fub_app kvcore);
}

sub env_file { return "$_[0]{dir}/echosync.env" }

# The usual secrets, but for what is given.
sub write_env_file
{
	my ($self, %changes) = @_;
	my %env = (
		INTEGRATION_ENCRYPTION_KEY => '0123456789abcdef' x 4,
		INTEGRATION_ENCRYPTION_SALT => 'fedcba9876543210',
		WEBHOOK_SECRET => 'webhook-secret-1',
		FOLLOWUPBOSS_CLIENT_ID => 'C1',
		FOLLOWUPBOSS_CLIENT_SECRET => 'S1',
		FOLLOWUPBOSS_SYSTEM_NAME => 'EchoSafe',
		FOLLOWUPBOSS_SYSTEM_KEY => 'sk_echosafe',
		%changes);
	my $text = join '', map { "$_=$env{$_}\n" } grep { defined $env{$_} } sort keys %env;

	$self->write_raw_env_file($text);
}

sub write_raw_env_file
{
	my ($self, $text, $mode) = @_;
	my $file = $self->env_file;

	unlink $file;
	open(my $out, '>', $file) or die "could not write $file: $!";
	chmod(defined $mode ? $mode : 0600, $file) or die "chmod $file: $!";
	print $out $text;
	close $out;
}

sub lofty_url { return "https://localhost:$_[0]{ports}{lofty}/v1.0" }
sub fub_url { return "https://localhost:$_[0]{ports}{fub}/v1" }
sub fub_app_url { return "https://localhost:$_[0]{ports}{fub_app}" }
sub kvcore_url { return "https://localhost:$_[0]{ports}{kvcore}/v2/public" }

sub _start_cluster
{
	my ($self) = @_;
	my $node = PostgreSQL::Test::Cluster->new('main' . scalar @our_instances);
	my $limits = $self->{options}{true_limits} ? '' : <<'CONF';
echosync.lofty_rate_limit = 1000000
echosync.followupboss_rate_limit = 1000000
echosync.kvcore_rate_limit = 1000000
CONF

	$node->init(extra => [ '-E', 'UTF8', '--locale=C.UTF-8' ]);
	$node->append_conf('postgresql.conf', <<"CONF");
log_statement = none
shared_preload_libraries = 'echosync'
echosync.env_file = '@{[ $self->env_file ]}'
echosync.ca_file = '$self->{ca_file}'
echosync.lofty_api_url = '@{[ $self->lofty_url ]}'
echosync.followupboss_api_url = '@{[ $self->fub_url ]}'
echosync.followupboss_app_url = '@{[ $self->fub_app_url ]}'
echosync.kvcore_api_url = '@{[ $self->kvcore_url ]}'
echosync.redirect_url = 'https://cb.example/fub'
echosync.retry_base_delay = '50ms'
echosync.uncertain_wait = '200ms'
echosync.connect_timeout = '5s'
echosync.request_timeout = '5s'
$limits
@{[ defined $self->{options}{conf} ? $self->{options}{conf} : '' ]}
CONF
	$self->{node} = $node;
	$node->start;
}

sub node { return $_[0]{node} }

# Change settings of the running server; waits until the workers have read them.
sub configure
{
	my ($self, %settings) = @_;

	$self->sql("ALTER SYSTEM SET $_ = " . lit($settings{$_})) for sort keys %settings;
	$self->reload;
}

sub deconfigure
{
	my ($self, @names) = @_;

	$self->sql("ALTER SYSTEM RESET $_") for @names;
	$self->reload;
}

sub reload
{
	my ($self) = @_;
	my $before = $self->sql('SELECT pg_conf_load_time()');

	$self->sql('SELECT pg_reload_conf()');
	$self->wait_until('the configuration is reloaded',
		sub { $self->sql('SELECT pg_conf_load_time()') ne $before });
}

# The extension, a role as an application has one, and its table of leads.
sub install
{
	my ($self) = @_;

	$self->sql(<<'SQL');
CREATE ROLE app LOGIN;
CREATE EXTENSION echosync;
SELECT echosync_grant('app');
CREATE TABLE leads (
    id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    user_id text NOT NULL,
    phone text, first_name text, last_name text, email text,
    address text, city text, state text, zip_code text,
    risk_score numeric, dnc boolean, tags text[], notes text, source text,
    deleted_at timestamptz,
    seen_at timestamptz             -- means nothing to echosync
);
ALTER TABLE leads OWNER TO app;
SQL
	$self->sql_as(undef, "SELECT echosync_attach_leads('leads')");
	return;
}

# The end of every test file: of its last cluster done(), of others finish().
sub done
{
	my ($self) = @_;

	$self->finish;
	done_testing();
	return;
}

sub finish
{
	my ($self) = @_;

	$self->behaviour('nothing crashed, and the server log holds no secret',
		sub { $self->assert_log_is_clean });
	$self->{node}->stop('fast');
	return;
}

sub assert_log_is_clean
{
	my ($self) = @_;
	my $log = $self->log_text;
	my @found;

	$self->assert_no_crash($log);
	unlike($log, qr/WARNING:.*(?:$LEFT_BEHIND)/, 'and none left behind what it held');
	push @found, "'" . substr($_, 0, 12) . "...'"
	  for grep { index($log, $_) >= 0 } @{ $self->{secrets} };
	is("@found", '', 'no key, token or phone number in the server log');
	return;
}

sub assert_no_crash
{
	my ($self, $log) = @_;

	unlike($log, qr/PANIC|TRAP:|terminated by signal|server process .* exited with exit code/,
		'no process crashed');
	return;
}

# The server log so far, and whether a text is in it (without showing the log).
sub log_text { return PostgreSQL::Test::Utils::slurp_file($_[0]{node}->logfile) }

sub log_lacks
{
	my ($self, $text, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	return ok(index($self->log_text, $text) < 0, $name);
}

END
{
	my $status = $?;

	for my $self (@our_instances)
	{
		close $self->{fakes_pipe} if $self->{fakes_pipe};
	}
	$? = $status;
}

# ------------------------------------------------------------------------
# Waiting
# ------------------------------------------------------------------------

sub _poll
{
	my ($condition, $seconds) = @_;
	my $deadline = time + $seconds;

	for (;;)
	{
		my $found = $condition->();
		return $found if $found;
		return if time > $deadline;
		usleep(20_000);
	}
}

# Returns what the condition returned, or fails the behaviour.
sub wait_until
{
	my ($self, $what, $condition, $seconds) = @_;
	my $found = _poll($condition, $seconds || $TIMEOUT);

	die "waited in vain until $what\n" unless $found;
	return $found;
}

sub wait_for_sql
{
	my ($self, $sql, $expected, $seconds) = @_;

	$expected = 't' unless defined $expected;
	my $last = '';
	_poll(sub { ($last = $self->sql($sql)) eq $expected }, $seconds || $TIMEOUT)
	  or die "waited in vain for \"$expected\" from: $sql\nlast was: $last\n";
	return 1;
}

# ------------------------------------------------------------------------
# SQL
# ------------------------------------------------------------------------

# A value as an SQL literal: undef, text, number, or an array of texts.
sub lit
{
	my ($value) = @_;

	return 'NULL' unless defined $value;
	if (ref $value eq 'ARRAY')
	{
		return "'{}'::text[]" unless @$value;
		return 'ARRAY[' . join(', ', map { lit($_) } @$value) . ']::text[]';
	}
	$value = $JSON->canonical->encode($value) if ref $value eq 'HASH';
	$value =~ s/'/''/g;
	return $value =~ /\\/ ? "E'" . ($value =~ s/\\/\\\\/gr) . "'" : "'$value'";
}

sub _psql
{
	my ($self, $connstr, $sql, @more) = @_;
	my ($out, $err) = ('', '');

	utf8::encode($sql) if utf8::is_utf8($sql);
	IPC::Run::run([ 'psql', '-XAtq', '-d', $connstr, '-v', 'ON_ERROR_STOP=1', @more, '-f', '-' ],
		'<', \$sql, '>', \$out, '2>', \$err);
	my $status = $? >> 8;
	chomp $out;
	return ($status, $out, $err);
}

sub _connstr
{
	my ($self, $role) = @_;

	return $self->{node}->connstr($self->{database} || 'postgres') . ($role ? " user=$role" : '');
}

sub _run
{
	my ($self, $role, $sql) = @_;
	my ($status, $out, $err) = $self->_psql($self->_connstr($role), $sql);

	die "SQL failed: $sql\n$err" if $status != 0;
	print STDERR $err if $err ne '';
	return $out;
}

# As superuser, acting for nobody.
sub sql { return $_[0]->_run(undef, $_[1]) }

sub _acting_for
{
	my ($user, $sql) = @_;
	my $id = ref $user ? $user->{id} : $user;

	return $sql unless defined $id;
	return 'SET echosync.user_id = ' . lit($id) . ";\n$sql";
}

# As the application, acting for one of its users.
sub sql_as
{
	my ($self, $user, $sql) = @_;

	return $self->_run('app', _acting_for($user, $sql));
}

# The error that this ends with: {state, message, detail, hint, text}.
sub error_as
{
	my ($self, $user, $sql) = @_;

	return $self->_error('app', _acting_for($user, $sql));
}

sub error { return $_[0]->_error(undef, $_[1]) }

sub _error
{
	my ($self, $role, $sql) = @_;
	my ($status, $out, $err) = $self->_psql($self->_connstr($role), $sql, '-v', 'VERBOSITY=verbose');
	my %error = (text => $err, state => '', message => '', detail => '', hint => '');

	return { %error, message => "no error, but: $out" } if $status == 0;
	@error{qw(state message)} = ($1, $2) if $err =~ /(?:ERROR|FATAL):\s+(\w{5}): (.*)/;
	$error{detail} = $1 if $err =~ /^DETAIL:\s+(.*)/m;
	$error{hint} = $1 if $err =~ /^HINT:\s+(.*)/m;
	return \%error;
}

# The rows of a query as hashes.
sub rows
{
	my ($self, $sql) = @_;

	return @{ $JSON->decode($self->sql("SELECT coalesce(json_agg(q), '[]') FROM ($sql) q")) };
}

sub rows_as
{
	my ($self, $user, $sql) = @_;

	return @{ $JSON->decode($self->sql_as($user, "SELECT coalesce(json_agg(q), '[]') FROM ($sql) q")) };
}

# A psql that stays, as the application: has query() and query_safe().
sub session_as
{
	my ($self, $user) = @_;
	my $session = $self->{node}->background_psql($self->{database} || 'postgres');

	$session->query_safe('SET ROLE app');
	$session->query_safe('SET echosync.user_id = ' . lit(ref $user ? $user->{id} : $user)) if defined $user;
	return $session;
}

# ------------------------------------------------------------------------
# The fakes
# ------------------------------------------------------------------------

sub control
{
	my ($self, $method, $path, $body) = @_;
	my %request = ();

	%request = (content => $JSON->encode($body), headers => { 'Content-Type' => 'application/json' })
	  if defined $body;
	my $reply = HTTP::Tiny->new(timeout => 20)
	  ->request($method, "http://127.0.0.1:$self->{ports}{control}$path", \%request);
	die "control $method $path: $reply->{status} $reply->{content}\n" unless $reply->{success};
	return $JSON->decode($reply->{content});
}

sub knob
{
	my ($self, $crm, $name, @value) = @_;

	return $self->control('POST', '/knob', { crm => $crm, name => $name, @value ? (value => $value[0]) : () });
}

# fault('lofty', {method => 'POST', path => '/v1.0/leads'}, {type => 'status', status => 500}, times => -1)
sub fault
{
	my ($self, $crm, $match, $action, %more) = @_;

	return $self->control('POST', '/fault', { crm => $crm, match => $match, action => $action, %more });
}

sub clear_faults { return $_[0]->control('DELETE', '/fault') }

# A record that an agent makes, or an edit when the record has an id.
sub seed
{
	my ($self, $user, $crm, %record) = @_;

	return $self->control('POST', '/seed',
		{ crm => $crm, account => "$user->{accounts}{$crm}", record => \%record })->{id};
}

sub agent
{
	my ($self, $user, $crm, $id, $action, %more) = @_;

	return $self->control('POST', '/agent',
		{ crm => $crm, account => "$user->{accounts}{$crm}", id => $id, action => $action, %more });
}

sub advance_clock { return $_[0]->control('POST', '/clock', { advance_seconds => $_[1] }) }

# Records of a user's account, oldest first; all states.
sub all_records
{
	my ($self, $user, $crm) = @_;
	my $id = $crm eq 'lofty' ? 'leadId' : 'id';

	return sort { $a->{$id} <=> $b->{$id} }
	  grep { $_->{account} eq "$user->{accounts}{$crm}" } @{ $self->control('GET', "/records?crm=$crm") };
}

sub records
{
	my ($self, $user, $crm) = @_;

	return grep { $_->{state} eq 'live' && !$_->{made_up} } $self->all_records($user, $crm);
}

sub record
{
	my ($self, $user, $crm, $id) = @_;
	my $name = $crm eq 'lofty' ? 'leadId' : 'id';
	my ($found) = grep { !defined $id || $_->{$name} == $id } $self->all_records($user, $crm);

	return $found;
}

# Requests of one account: requests($user, 'lofty', method => 'PUT', path => '/v1.0/leads', since => $mark)
sub requests
{
	my ($self, $user, $crm, %match) = @_;
	my $query = join '&', "crm=$crm", $user ? "account=$user->{accounts}{$crm}" : (),
	  map { "$_=$match{$_}" } sort keys %match;

	return @{ $self->control('GET', "/requests?$query") };
}

# Every write (POST, PUT, DELETE) among them.
sub writes
{
	my ($self, $user, $crm, %match) = @_;

	return grep { $_->{method} ne 'GET' } $self->requests($user, $crm, %match);
}

# The number of the last request so far, for since => ...
sub mark
{
	my ($self) = @_;
	my @all = @{ $self->control('GET', '/requests?since=' . ($self->{last_mark} || 0)) };

	$self->{last_mark} = $all[-1]{seq} if @all;
	return $self->{last_mark} || 0;
}

# A header of a recorded request; undef when absent.
sub header
{
	my ($request, $name) = @_;
	my ($found) = grep { lc $_->[0] eq lc $name } @{ $request->{headers} };

	return $found ? $found->[1] : undef;
}

sub query_of
{
	my ($request) = @_;

	return { map { my ($k, $v) = split /=/, $_, 2; ($k => _url_decode($v)) } split /&/, $request->{query} };
}

sub _url_decode
{
	my ($text) = @_;

	$text = '' unless defined $text;
	$text =~ tr/+/ /;
	$text =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ge;
	return $text;
}

# Equal as JSON: the types count, so that 5 is not "5".
sub json_is
{
	my ($got, $expected, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $json = JSON::PP->new->canonical->allow_nonref->ascii;

	return is($json->encode($got), $json->encode($expected), $name);
}

# What the fakes found wrong since this was last asked.
sub new_violations
{
	my ($self) = @_;
	my @new;

	for my $violation (@{ $self->control('GET', '/violations') })
	{
		my $text = JSON::PP->new->canonical->encode($violation);
		push @new, $violation unless $self->{reported}{$text}++;
	}
	return @new;
}

# Rules named in `expected` must have been broken (the test made them be).
sub assert_no_violations
{
	my ($self, %expected) = @_;
	my @found = grep { !$expected{ $_->{rule} } } $self->new_violations;

	is(join("\n", map { "$_->{crm} $_->{rule}: $_->{detail}" } @found), '',
		'no rule of a CRM was broken');
	return;
}

# ------------------------------------------------------------------------
# Behaviours
# ------------------------------------------------------------------------

# A subtest that leaves knobs, faults and settings as it found them.
sub behaviour
{
	my ($self, $name, $code) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	return if $ENV{ECHOSYNC_ONLY} && $name !~ /$ENV{ECHOSYNC_ONLY}/;
	subtest $name => sub {
		$self->{expected} = {};
		eval { $code->(); 1 } or fail("died: $@");
		eval {
			$self->assert_no_violations(%{ $self->{expected} });
			$self->control('POST', '/reset', { only => [ 'knobs', 'faults', 'clock' ] });
			$self->_lift_limits unless $self->{options}{true_limits};
			1;
		} or fail("the fakes did not answer: $@");
	};
	return;
}

# In a behaviour: these rules are broken on purpose, by the test itself.
sub expect_violations
{
	my ($self, @rules) = @_;

	$self->{expected}{$_} = 1 for @rules;
	return;
}

# ------------------------------------------------------------------------
# Users, connections, leads
# ------------------------------------------------------------------------

# A user with accounts of its own in all CRMs: {id, keys, accounts, lofty, fub, kvcore}.
# user(lofty => 1, fub => {settings}) connects it by API key to each one named.
sub user
{
	my ($self, %connect) = @_;
	my $n = ++$self->{n_users};
	my $user = { id => "user-$n" };

	$user->{keys} = {
		lofty => sprintf('eyJhbGciOiJIUzI1NiJ9.eyJ1IjoxMDAw%04d.c2lnbmF0dXJl', $n),
		fub => sprintf('fka_test%012d', $n),
		kvcore => kvcore_key($n),
	};
	push @{ $self->{secrets} }, values %{ $user->{keys} };
	$user->{accounts} = {
		lofty => $self->control('POST', '/account',
			{ crm => 'lofty', key => $user->{keys}{lofty}, user => { id => 200000 + $n } })->{account},
		fub => $self->control('POST', '/account',
			{ crm => 'fub', key => $user->{keys}{fub}, account => '' . (780000 + $n) })->{account},
		kvcore => $self->control('POST', '/account',
			{ crm => 'kvcore', key => $user->{keys}{kvcore}, account => '' . (520000 + $n) })->{account},
	};
	$user->{lofty} = $self->connect_lofty($user, undef, _settings($connect{lofty})) if $connect{lofty};
	$user->{fub} = $self->connect_fub_key($user, undef, _settings($connect{fub})) if $connect{fub};
	$user->{kvcore} = $self->connect_kvcore($user, undef, _settings($connect{kvcore})) if $connect{kvcore};
	return $user;
}

# A token of the n-th user: a JSON Web Token that names the account.
sub kvcore_key
{
	my ($n, $signature) = @_;

	return join '.', 'eyJhbGciOiJIUzI1NiJ9', encode_base64url(sprintf '{"sub":"%d"}', 520000 + $n), $signature || 'c2lnbmF0dXJl';
}

sub _settings { return ref $_[0] ? $_[0] : {} }

sub connect_lofty
{
	my ($self, $user, $key, $settings) = @_;

	return $self->sql_as($user, sprintf "SELECT echosync_connect('lofty', %s, %s)",
		lit(defined $key ? $key : $user->{keys}{lofty}), lit($settings || {}));
}

sub connect_fub_key
{
	my ($self, $user, $key, $settings) = @_;

	return $self->sql_as($user, sprintf "SELECT echosync_connect('followupboss', %s, %s)",
		lit(defined $key ? $key : $user->{keys}{fub}), lit($settings || {}));
}

# Without the notice that this is experimental.
sub connect_kvcore
{
	my ($self, $user, $key, $settings) = @_;

	return $self->sql_as($user, sprintf "SET client_min_messages = warning; SELECT echosync_connect('kvcore', %s, %s)",
		lit(defined $key ? $key : $user->{keys}{kvcore}), lit($settings || {}));
}

sub authorize_url
{
	my ($self, $user, $settings) = @_;

	return $self->sql_as($user,
		"SELECT echosync_oauth_authorize('followupboss', " . lit($settings || {}) . ')');
}

# What the browser comes back with: {status, location, code, state, response}.
sub visit
{
	my ($self, $user, $url) = @_;
	my $head = '';

	$self->knob('fub_app', 'authorize_account', $user->{accounts}{fub}) if $user;
	IPC::Run::run([ 'curl', '-sS', '--cacert', $self->{ca_file}, '-o', '/dev/null', '-D', '-', $url ],
		'>', \$head) or die "curl failed for $url\n";
	my %result;
	($result{status}) = $head =~ m{^HTTP/\S+ (\d+)};
	($result{location}) = $head =~ /^Location: (\S+)/mi;
	if (defined $result{location} && $result{location} =~ /\?(.*)/)
	{
		%result = (%result, %{ query_of({ query => $1 }) });
	}
	return \%result;
}

sub callback_sql
{
	my ($back) = @_;

	return sprintf 'SELECT echosync_oauth_callback(%s, %s, %s)', map { lit($_) } @$back{qw(code state response)};
}

sub connect_fub_oauth
{
	my ($self, $user, $settings) = @_;
	my $back = $self->visit($user, $self->authorize_url($user, $settings));

	return $user->{fub} = $self->sql_as($user, callback_sql($back));
}

# The tokens that the fake has given out to a user's account, newest last.
sub grants
{
	my ($self, $user) = @_;

	return grep { $_->{account} eq "$user->{accounts}{fub}" } @{ $self->control('GET', '/records?crm=fub_app') };
}

sub new_phone
{
	my ($self) = @_;
	my $phone = sprintf '801%07d', 2_000_000 + 7 * ++$self->{n_leads};

	push @{ $self->{secrets} }, $phone;
	return $phone;
}

# One lead, in a transaction of its own; returns its id.  What is not given is
# a scored lead with a name and a phone number of its own.
sub lead
{
	my ($self, $user, %columns) = @_;
	my %all = (
		user_id => $user->{id},
		first_name => 'Dana',
		last_name => 'Holt',
		risk_score => 5,
		exists $columns{phone} ? () : (phone => $self->new_phone),
		%columns);
	my @names = grep { exists $all{$_} } @LEAD_COLUMNS;

	die 'no such column of leads' if @names != keys %all;
	return $self->sql_as(undef, sprintf 'INSERT INTO leads (%s) VALUES (%s) RETURNING id',
		join(', ', @names), join(', ', map { lit($all{$_}) } @names));
}

sub change
{
	my ($self, $lead_id, %columns) = @_;

	return $self->sql_as(undef, sprintf 'UPDATE leads SET %s WHERE id = %s',
		join(', ', map { "$_ = " . lit($columns{$_}) } sort keys %columns), lit($lead_id));
}

# Waits until nothing of the user's is queued any more.
sub drain
{
	my ($self, $user, $seconds) = @_;

	$seconds ||= $TIMEOUT;
	my $empty = $self->sql_as($user, "SELECT echosync_drain($seconds)");
	return 1 if $empty eq 't';
	die "not drained in $seconds s: " . $self->sql(
		"SELECT json_agg(q) FROM (SELECT q.*, a.attempts, a.due_at, a.error_code FROM crm_sync_queue q"
		  . " LEFT JOIN crm_sync_attempts a USING (integration_id, lead_id) LIMIT 5) q") . "\n";
}

# Change a lead, and wait until the CRMs have it.
sub change_and_drain
{
	my ($self, $user, $lead_id, %columns) = @_;

	$self->change($lead_id, %columns);
	return $self->drain($user);
}

# Log rows of a user, oldest first: logs($user, crm => 'lofty', lead => $id).
sub logs
{
	my ($self, $user, %match) = @_;
	my @where = ('user_id = ' . lit($user->{id}));
	my %crm_types = (lofty => 'lofty', fub => 'followupboss', kvcore => 'kvcore');

	push @where, 'crm_type = ' . lit($crm_types{ $match{crm} }) if $match{crm};
	push @where, 'lead_id = ' . lit($match{lead}) if defined $match{lead};
	return $self->rows('SELECT * FROM crm_sync_logs WHERE ' . join(' AND ', @where) . ' ORDER BY id');
}

# Each row in short: "created success", "none skipped do_not_contact".
sub log_lines
{
	my ($self, $user, %match) = @_;

	return map { join ' ', grep { defined } @$_{qw(action status reason)} } $self->logs($user, %match);
}

# The record id that a lead is linked to in the account that is connected, as
# text; undef when to none.
sub link_of
{
	my ($self, $integration, $lead_id) = @_;
	my ($row) = $self->rows('SELECT l.*, l.crm_record_id AS id FROM crm_lead_links l'
		  . ' JOIN crm_integrations i ON i.id = l.integration_id'
		  . " AND (l.crm_account IS NULL OR l.crm_account = split_part(i.crm_account, '/', 1))"
		  . ' WHERE i.id = ' . lit($integration) . ' AND l.lead_id = ' . lit($lead_id));

	return $row ? $row->{crm_record_id} : undef;
}

sub integration
{
	my ($self, $id) = @_;
	my ($row) = $self->rows('SELECT * FROM crm_integrations WHERE id = ' . lit($id));

	return $row;
}

1;
