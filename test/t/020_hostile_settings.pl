# What a database or a role may set for its own sessions does not reach the
# worker.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use Test::More;

my $t = EchosyncFaults->start(conf => <<'CONF');
echosync.uncertain_wait = '500ms'
CONF

my %LABEL = (lofty => 'Lofty', fub => 'Follow Up Boss');

# All at once, in a database of its own; then one lead through everything that
# the worker does: create, note, refusal, retry, dead letter, update, run.
sub works_under
{
	my ($name, @settings) = @_;

	$t->behaviour($name, sub {
		my $other = $t->new_database('hostile');
		my $user = $other->user(lofty => 1, fub => 1);

		$t->sql("ALTER DATABASE hostile $_") for @settings;
		$t->sql("ALTER ROLE postgres IN DATABASE hostile $_") for grep { !/^SET log_/ } @settings;
		$other->kill_connections;
		ok($other->wait_for_worker, 'there is a worker');
		like($other->worker_state, qr/^(idle|draining)$/, 'that works');

		$t->fault_for($user, $_, { method => 'GET', body_contains => '' }, { type => 'status', status => 500 }) for qw(lofty fub);
		$t->fault_for($user, $_, { method => 'POST', body_contains => 'Refused' }, { type => 'status', status => 400, body => {} }) for qw(lofty fub);
		$t->fault_for($user, $_, { method => 'POST' }, { type => 'delay', ms => 1500 }) for qw(lofty fub);
		$other->friendly("INSERT INTO leads (id, user_id, first_name, phone, risk_score, notes) VALUES "
			  . join ', ', map { my ($id, $first, $score) = @$_; "($id, '$user->{id}', '$first', '" . $other->new_phone . "', $score, 'Note $first')" }
			  [ 1, 'Fine', 5 ], [ 2, 'Refused', 5 ], [ 3, 'Risky', 90 ]);
		$other->wait_until('the queue is empty', sub { $other->friendly('SELECT count(*) FROM crm_sync_queue') eq '0' });
		for my $crm (qw(lofty fub))
		{
			is_deeply([ map { $_->{firstName} } $other->records($user, $crm) ], ['Fine'], "$LABEL{$crm}: the one that is fine");
			is_deeply([ $other->notes_of($user, $crm) ], ['Note Fine'], 'with its note');
		}
		is($other->friendly("SELECT string_agg(DISTINCT lead_id, ',') FROM crm_dead_letters"), '2', 'the refused one is a dead letter');
		is($other->friendly("SELECT string_agg(DISTINCT reason, ',') FROM crm_sync_logs WHERE status = 'skipped'"), 'risk_above_limit', 'the risky one is skipped');
		$other->friendly("UPDATE leads SET last_name = 'Changed' WHERE id = 1");
		$other->friendly("SET echosync.user_id = '$user->{id}'; SELECT count(*) FROM echosync_manual_sync('$user->{lofty}')");
		$other->wait_until('the queue is empty', sub { $other->friendly('SELECT count(*) FROM crm_sync_queue') eq '0' });
		is(($other->records($user, $_))[0]{lastName}, 'Changed', "$LABEL{$_}: the change has arrived") for qw(lofty fub);
		is($other->friendly("SELECT count(*) FROM echosync_workers WHERE database = 'hostile' AND last_error IS NOT NULL"), '0', 'the worker has met no error');
		$t->sql('DROP DATABASE hostile');
	});
	return;
}

# Sessions of the test itself, which the settings are not to reach.
sub EchosyncFaults::friendly
{
	my ($self, $sql) = @_;
	local $ENV{PGOPTIONS} = '-c default_transaction_read_only=off -c statement_timeout=0 -c lock_timeout=0'
	  . ' -c search_path=public -c idle_in_transaction_session_timeout=0 -c default_transaction_isolation=read\ committed'
	  . ' -c row_security=on -c log_statement=none -c session_replication_role=origin -c DateStyle=ISO';

	return $self->sql($sql);
}

# The workers of this database start anew, with its settings.
sub EchosyncFaults::kill_connections
{
	my ($self) = @_;
	my ($pid) = split /\n/, $self->friendly("SELECT pid FROM echosync_workers WHERE database = '$self->{database}'");

	$self->friendly("SELECT pg_terminate_backend($pid)");
	$self->wait_until('another worker is there', sub {
		my $now = $self->friendly("SELECT pid FROM echosync_workers WHERE database = '$self->{database}'");
		return $now ne '' && $now ne $pid;
	});
	return;
}

works_under('timeouts of a second and less', "SET statement_timeout = '1s'", "SET lock_timeout = '1s'",
	"SET idle_in_transaction_session_timeout = '1s'", "SET idle_session_timeout = '1s'");

works_under('read-only transactions by default', 'SET default_transaction_read_only = on', 'SET default_transaction_deferrable = on',
	"SET default_transaction_isolation = 'serializable'");

works_under('row security on, an evil search_path, strange formats',
	'SET row_security = on',
	"SET search_path = evil, pg_temp, public, pg_catalog",
	"SET DateStyle = 'SQL, DMY'", "SET IntervalStyle = 'sql_standard'", "SET TimeZone = 'Asia/Kathmandu'",
	"SET bytea_output = 'escape'", 'SET extra_float_digits = -15', "SET lc_numeric = 'C'", 'SET standard_conforming_strings = off',
	"SET backslash_quote = on", "SET quote_all_identifiers = on", "SET xmlbinary = 'hex'", "SET client_encoding = 'SQL_ASCII'",
	'SET array_nulls = off', 'SET transform_null_equals = on');

works_under('plans that nobody would choose',
	'SET enable_indexscan = off', 'SET enable_bitmapscan = off', 'SET enable_nestloop = off', 'SET jit = on', 'SET jit_above_cost = 0',
	"SET plan_cache_mode = 'force_generic_plan'", "SET work_mem = '64kB'", 'SET default_statistics_target = 1');

works_under('commits that are not waited for, and replication roles',
	'SET synchronous_commit = off', "SET session_replication_role = 'replica'", 'SET check_function_bodies = off');

$t->behaviour('log_statement = all: what the worker does is in no log', sub {
	my $other = $t->new_database('loud');
	my $user = $other->user(lofty => 1, fub => 1);
	my $phone = $other->new_phone;

	$t->sql("ALTER DATABASE loud SET $_") for "log_statement = 'all'", 'log_min_duration_statement = 0', "log_min_messages = 'debug5'",
	  "log_parameter_max_length = -1", "log_parameter_max_length_on_error = -1", "log_min_error_statement = 'debug5'", 'log_duration = on';
	$other->kill_connections;
	$other->wait_for_worker;
	my $log = length $t->log_text;
	my $name = 'Zebulon';
	{
		local $ENV{PGOPTIONS} = '-c log_statement=none -c log_min_duration_statement=-1 -c log_min_messages=warning -c log_duration=off -c log_min_error_statement=panic';
		$other->sql("INSERT INTO leads (user_id, first_name, phone, email, notes, risk_score) VALUES ('$user->{id}', '$name', '$phone', 'zebulon\@example.com', 'Zebulon is rich', 1)");
		$other->wait_until('it is sent', sub { $other->n_records($user, 'lofty') && $other->n_records($user, 'fub') && $other->sql('SELECT count(*) FROM crm_sync_queue') eq '0' });
		$other->sql("UPDATE leads SET last_name = 'Zebulonson'");
		$other->wait_until('and the change', sub { ($other->records($user, 'fub'))[0]{lastName} eq 'Zebulonson' });
	}
	my $said = substr $t->log_text, $log;
	unlike($said, qr/$name/i, 'no name, address or note in the log');
	ok(index($said, $phone) < 0, 'no phone number');
	ok(index($said, $user->{keys}{$_}) < 0, "no key of $LABEL{$_}") for qw(lofty fub);
	unlike($said, qr/Authorization|Basic [A-Za-z0-9]|token ey/, 'and no header');
	$t->sql('DROP DATABASE loud');
});

$t->behaviour('functions and operators that an application has put in the way are not called', sub {
	my $other = $t->new_database('trapped');
	my $user = $other->user(lofty => 1);

	# Anything that the worker calls by an unqualified name ends up here.
	$other->sql(<<'SQL');
CREATE SCHEMA evil;
CREATE TABLE evil.caught (what text);
CREATE FUNCTION evil.unnest(uuid[], text[]) RETURNS TABLE (a uuid, b text) LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO evil.caught VALUES ('unnest'); END $$;
CREATE FUNCTION evil.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO evil.caught VALUES ('clock_timestamp'); RETURN 'infinity'; END $$;
CREATE FUNCTION evil.eq(uuid, uuid) RETURNS boolean LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO evil.caught VALUES ('='); RETURN true; END $$;
CREATE OPERATOR evil.= (LEFTARG = uuid, RIGHTARG = uuid, FUNCTION = evil.eq);
CREATE TABLE evil.crm_sync_queue (x int);
CREATE TABLE evil.crm_integrations (x int);
CREATE VIEW evil.pg_extension AS SELECT 'echosync'::name AS extname, '0'::text AS extversion;
SQL
	$t->sql('ALTER DATABASE trapped SET search_path = evil, public, pg_catalog');
	$other->kill_connections;
	$other->wait_for_worker;
	$other->friendly("INSERT INTO leads (user_id, first_name, phone, risk_score) VALUES ('$user->{id}', 'Dana', '" . $other->new_phone . "', 1)");
	$other->wait_until('the lead is sent', sub { $other->n_records($user, 'lofty') });
	is($other->friendly('SELECT count(*) FROM evil.caught'), '0', 'none was called');
	$t->sql('DROP DATABASE trapped');
});

$t->done;
