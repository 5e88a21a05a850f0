# What has a lead begun again is no reason to begin for ever: slow commits, a
# lead that changes all the time, an outcome that cannot be written.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use Test::More;

my $t = EchosyncFaults->start(conf => <<'CONF');
echosync.uncertain_wait = '300ms'
echosync.request_timeout = '10s'
CONF

# A session that goes on changing a lead, each change committed; until it is ended.
sub go_on_changing
{
	my ($lead) = @_;
	my $session = $t->session;

	$session->{stdin} .= "DO \$\$ BEGIN FOR i IN 1 .. 500 LOOP UPDATE leads SET last_name = 'Number ' || i WHERE id = $lead; COMMIT;"
	  . " PERFORM pg_sleep(0.1); END LOOP; END \$\$;\n\\echo ended\n";
	$t->wait_until('it changes', sub {
		$session->{run}->pump_nb;
		return $t->sql("SELECT last_name FROM leads WHERE id = $lead") =~ /Number/;
	});
	return $session;
}

sub end_changing
{
	my ($session) = @_;

	$t->sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'DO \$\$ BEGIN FOR i%' AND state = 'active'");
	$t->wait_until('it has ended', sub { $session->{run}->pump_nb; $session->{stdout} =~ /ended/ }, 10);
	$session->quit;
	return;
}

# ------------------------------------------------------------------------
# What would begin again and again
# ------------------------------------------------------------------------

$t->behaviour('commits that take longer and longer keep no create from being sent', sub {
	my $user = $t->user(fub => 1);

	$t->sql(<<'SQL');
CREATE SEQUENCE slower;
GRANT USAGE ON SEQUENCE slower TO PUBLIC;
CREATE FUNCTION slow_down() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.6 * nextval('public.slower')); RETURN NULL; END $$;
CREATE TRIGGER slow_down AFTER INSERT OR UPDATE ON crm_sync_attempts FOR EACH STATEMENT EXECUTE FUNCTION slow_down();
SQL
	my $lead = $t->lead($user, notes => 'Likes lakes');
	eval { $t->wait_until('it is sent', sub { $t->notes_of($user, 'fub') }, 15) } or fail('the lead and its note are sent');
	$t->sql('DROP TRIGGER slow_down ON crm_sync_attempts; DROP FUNCTION slow_down(); DROP SEQUENCE slower');
	$t->drain($user);
	is_deeply($t->tally($user, 'fub'), $t->all_once(1), 'the lead is there once');
	is_deeply([ $t->notes_of($user, 'fub') ], ['Likes lakes'], 'and its note');
	is(scalar $t->requests($user, 'fub', method => 'POST', path => $_), 1, "after one request to $_") for qw(/v1/people /v1/notes);
});

$t->behaviour('a lead that changes all the time is sent at last, and then as it is when it rests', sub {
	my $user = $t->user(lofty => 1, fub => 1);

	$t->fault_for($user, $_, { method => 'GET' }, { type => 'delay', ms => 1200 }, times => -1) for qw(lofty fub);
	my $lead = $t->lead($user);
	my $session = go_on_changing($lead);
	for my $crm (qw(lofty fub))
	{
		eval { $t->wait_until('it is there', sub { $t->n_records($user, $crm) }, 12) } or fail("$crm: it is there, while it changes");
	}
	end_changing($session);
	$t->clear_faults;
	$t->drain($user);
	my $name = $t->sql("SELECT last_name FROM leads WHERE id = $lead");
	for my $crm (qw(lofty fub))
	{
		is_deeply($t->tally($user, $crm), $t->all_once(1), "$crm: it is there once");
		is(($t->records($user, $crm))[0]{lastName}, $name, 'with its last name of all');
	}
});

# ------------------------------------------------------------------------
# An outcome that cannot be written
# ------------------------------------------------------------------------

$t->behaviour('a lead whose outcome cannot be written, since somebody holds its run, keeps no new settings from the others', sub {
	my $user = $t->user(lofty => { auto_sync => FALSE });
	my $lead = $t->lead($user, first_name => 'Held');

	$t->sql_as($user, "SELECT echosync_pause('$user->{lofty}')");
	my $run = $t->sql_as($user, "SELECT run_id FROM echosync_manual_sync('$user->{lofty}')");
	my $session = $t->session;
	$session->query_safe($_) for 'BEGIN', "SELECT 1 FROM crm_sync_runs WHERE id = $run FOR UPDATE";
	$t->sql_as($user, "SELECT echosync_resume('$user->{lofty}')");
	$t->wait_until('it is sent', sub { $t->n_records($user, 'lofty') });
	$t->wait_until('its outcome is not written', sub { $t->sql('SELECT max(last_error) FROM echosync_workers') =~ /recording results/ });
	$t->sql_as($user, "SELECT echosync_update_integration('$user->{lofty}', '{\"tags\": [\"New\"], \"auto_sync\": true}')");
	$t->lead($user, first_name => 'Other');
	my $other;
	eval { $t->wait_until('another lead is sent', sub { ($other) = grep { $_->{firstName} eq 'Other' } $t->records($user, 'lofty') }, 10) }
	  or fail('another lead is sent meanwhile');
	ok((grep { $_ eq 'New' } @{ $other->{tags} }), 'by the new settings');
	is($t->sql("SELECT synced FROM crm_sync_runs WHERE id = $run"), '0', 'the run waits');
	$session->query_safe('ROLLBACK');
	$session->quit;
	$t->drain($user);
	is_deeply($t->tally($user, 'lofty'), $t->all_once(2), 'let go, each lead is there once');
	is($t->sql("SELECT synced || ' ' || (finished_at IS NOT NULL) FROM crm_sync_runs WHERE id = $run"), '1 true', 'and the run has ended');
});

$t->done;
