# What is not known of a request stays not known until a search has answered,
# whatever becomes of its lead meanwhile; and then it is over.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use Test::More;

my $t = EchosyncFaults->start(conf => <<'CONF');
echosync.uncertain_wait = '300ms'
CONF

sub last_line { return ($t->log_lines($_[0], crm => $_[1], lead => $_[2]))[-1] }

# As if the lead had been written a while ago: or it would rest first.
sub age_link
{
	my ($user) = @_;

	$t->sql("UPDATE crm_lead_links SET synced_at = synced_at - interval '1 min' WHERE user_id = '$user->{id}'");
	return;
}

$t->behaviour('a doubt about a note outlives an update that was done before the lead was refused', sub {
	my $user = $t->user(fub => 1);
	my $lead = $t->lead($user);

	$t->drain($user);
	age_link($user);
	$t->fault_for($user, 'fub', { method => 'POST', path => '/v1/notes' }, { type => 'status_after_store', status => 500 });
	$t->fault_for($user, 'fub', { method => 'GET', path => '/v1/notes' }, { type => 'status', status => 429, headers => { 'Retry-After' => '2' } });
	my $mark = $t->mark;
	$t->change($lead, notes => 'Likes lakes');
	$t->wait_for_requests($user, 'fub', 1, method => 'POST', path => '/v1/notes', since => $mark);
	$t->change($lead, last_name => 'Changed');
	$t->wait_for_requests($user, 'fub', 1, method => 'GET', path => '/v1/notes', since => $mark);
	$t->change($lead, risk_score => 95);
	$t->drain($user);
	is(($t->records($user, 'fub'))[0]{lastName}, 'Changed', 'the update was done');
	is(last_line($user, 'fub', $lead), 'updated success', 'and logged, and ended there');
	age_link($user);
	$t->change_and_drain($user, $lead, risk_score => 5);
	is_deeply([ $t->notes_of($user, 'fub') ], ['Likes lakes'], 'when it may be sent again, its note is there once');
	is(scalar $t->requests($user, 'fub', method => 'POST', path => '/v1/notes'), 1, 'and was posted once');
});

$t->behaviour('a day of waiting is one day, and not that of an earlier doubt', sub {
	my $user = $t->user(fub => 1);

	$t->fault_for($user, 'fub', { method => 'POST', path => '/v1/people' }, { type => 'close_after_store' });
	my $lead = $t->lead($user, notes => 'Likes lakes');
	$t->wait_for_sql("SELECT count(*) FROM crm_sync_attempts WHERE lead_id = '$lead' AND waiting_since IS NOT NULL", '1');
	$t->change($lead, risk_score => 95);
	$t->drain($user);
	is(last_line($user, 'fub', $lead), 'none skipped risk_above_limit', 'the lead is refused while it is in doubt');
	is($t->attempt($user, 'fub', $lead)->{waiting_since}, undef, 'it does not wait any more');

	# A day later, for all that has a date.
	$t->sql("UPDATE crm_sync_attempts SET waiting_since = waiting_since - interval '25 h' WHERE lead_id = '$lead'");
	$t->fault_for($user, 'fub', { method => 'POST', path => '/v1/notes' }, { type => 'status', status => 404, body => {} });
	$t->change_and_drain($user, $lead, risk_score => 5);
	is(scalar $t->dead_letters($user, 'fub'), 0, 'a wait for its note is the first of it: no dead letter');
	is_deeply($t->tally($user, 'fub'), $t->all_once(1), 'the lead is there once');
	is_deeply([ $t->notes_of($user, 'fub') ], ['Likes lakes'], 'with its note');
	is($t->attempt($user, 'fub', $lead), undef, 'and nothing is remembered');
});

$t->behaviour('a doubt that is put into the tables while a create waits for a limit is heeded', sub {
	my $user = $t->user(lofty => 1);
	my ($phone, $other) = map { $t->new_phone } 1 .. 2;
	my $creates = sub { grep { $_->{raw_body} =~ /$phone/ } $t->requests($user, 'lofty', method => 'POST', path => '/v1.0/leads') };

	$t->configure('echosync.uncertain_wait' => '4s');
	$t->lead($user, first_name => 'Warm');
	$t->drain($user);
	$t->fault_for($user, 'lofty', { method => 'GET', query_contains => $phone }, { type => 'delay', ms => 1000 });
	$t->fault_for($user, 'lofty', { method => 'GET', query_contains => $other }, { type => 'status', status => 429, headers => { 'Retry-After' => '2' } });
	my $mark = $t->mark;
	my $lead = $t->lead($user, phone => $phone);
	$t->wait_for_requests($user, 'lofty', 1, since => $mark);
	$t->lead($user, phone => $other, first_name => 'Other');
	$t->wait_for_sql("SELECT count(*) FROM crm_sync_attempts WHERE lead_id = '$lead' AND intent_at IS NOT NULL", '1');

	# Rows of a server that sent it just now; and settings, which have it read again.
	my $id = $t->seed($user, 'lofty', hidden => TRUE, firstName => 'Dana', lastName => 'Holt', phones => [$phone]);
	$t->sql("UPDATE crm_sync_attempts SET intent_at = clock_timestamp() WHERE lead_id = '$lead'");
	$t->sql_as($user, "SELECT echosync_update_integration('$user->{lofty}', '{\"tags\": [\"New\"]}')");
	is(scalar $creates->(), 0, 'the create was not sent');
	$t->wait_until('the limit has passed', sub { grep { $_->{firstName} eq 'Other' } $t->records($user, 'lofty') });

	# A little later Lofty finds what it has.
	$t->agent($user, 'lofty', $id, 'show');
	$t->drain($user);
	is_deeply([ sort map { $_->{firstName} } $t->records($user, 'lofty') ], [qw(Dana Other Warm)], 'the lead is not made again');
	is(scalar $creates->(), 0, 'nor was that tried');
	$t->deconfigure('echosync.uncertain_wait');
});

$t->done;
