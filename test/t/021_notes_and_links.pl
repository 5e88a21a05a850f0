# A note or an event whose fate is unknown is there once; a record that the CRM
# does not show any more is found again, or not made again.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use Test::More;

my $t = EchosyncFaults->start(conf => <<'CONF');
echosync.uncertain_wait = '1500ms'
echosync.request_timeout = '1s'
CONF

my %LABEL = (lofty => 'Lofty', fub => 'Follow Up Boss');
my %CREATE = (lofty => '/v1.0/leads', fub => '/v1/people');
my %NOTES = (lofty => '/v1.0/notes', fub => '/v1/notes');

sub creates
{
	my ($user, $crm) = @_;

	return grep { $_->{path} eq $CREATE{$crm} } $t->requests($user, $crm, method => 'POST');
}

# Older than the time in which a record may be missing since it is not indexed.
sub age_links
{
	my ($user, $crm) = @_;

	return $t->sql("UPDATE crm_lead_links SET created_at = created_at - interval '1 hour', synced_at = synced_at - interval '1 hour'"
		  . " WHERE integration_id = '$user->{$crm}'");
}

$t->behaviour('a note is there once, whatever becomes of the reply to it', sub {
	my %cases = (
		'the connection drops after it is stored' => { type => 'close_after_store' },
		'the reply has no id' => { type => 'ok_without_id' },
		'the reply is 500 though it is stored' => { type => 'status_after_store', status => 500 },
		'the reply never comes though it is stored' => { type => 'hang', store => \1 },
		'the connection drops and nothing is stored' => { type => 'close_before' });
	my %user;
	my %lead;

	for my $name (sort keys %cases)
	{
		$user{$name} = $t->user(lofty => 1, fub => 1);
		$lead{$name} = $t->lead($user{$name});
	}
	$t->drain($_) for values %user;
	for my $name (sort keys %cases)
	{
		$t->fault_for($user{$name}, $_, { method => 'POST', path => $NOTES{$_} }, $cases{$name}) for qw(lofty fub);
		$t->change($lead{$name}, notes => "Call back\nafter six");
	}
	$t->drain($_) for values %user;
	for my $name (sort keys %cases)
	{
		for my $crm (qw(lofty fub))
		{
			is_deeply([ $t->notes_of($user{$name}, $crm) ], ["Call back\nafter six"], "$LABEL{$crm}: $name");
			is($t->n_records($user{$name}, $crm), 1, 'on one record');
			is(scalar $t->dead_letters($user{$name}, $crm), 0, 'no dead letter');
		}
	}
});

$t->behaviour_across_crashes('a note is there once when the worker dies over it', sub {
	my $user = $t->user(lofty => 1, fub => 1);
	my $lead = $t->lead($user);

	$t->drain($user);
	$t->configure('echosync.request_timeout' => '60s');
	$t->fault_for($user, $_, { method => 'POST', path => $NOTES{$_} }, { type => 'hang', store => \1 }) for qw(lofty fub);
	$t->change($lead, notes => 'Only once');
	$t->wait_for_requests($user, $_, 1, method => 'POST', path => $NOTES{$_}) for qw(lofty fub);
	$t->kill_worker;
	$t->drain($user);
	is_deeply([ $t->notes_of($user, $_) ], ['Only once'], $LABEL{$_}) for qw(lofty fub);
	$t->deconfigure('echosync.request_timeout');
});

$t->behaviour_across_crashes('a note stays in doubt until it was looked for, whatever else is written first', sub {
	my $user = $t->user(lofty => 1, fub => 1);
	my $lead = $t->lead($user);

	# The worker dies over the note; then, when the name was written, while it looks for the note.
	$t->drain($user);
	$t->configure('echosync.request_timeout' => '60s');
	$t->fault_for($user, $_, { method => 'POST', path => $NOTES{$_} }, { type => 'hang', store => \1 }) for qw(lofty fub);
	$t->fault_for($user, $_, { method => 'GET', path => $NOTES{$_} }, { type => 'hang' }) for qw(lofty fub);
	$t->change($lead, notes => 'Only once');
	$t->wait_for_requests($user, $_, 1, method => 'POST', path => $NOTES{$_}) for qw(lofty fub);
	$t->change($lead, last_name => 'Changed');
	$t->kill_worker;
	$t->wait_for_requests($user, $_, 1, method => 'GET', path => $NOTES{$_}) for qw(lofty fub);
	$t->kill_worker;
	$t->drain($user);
	is_deeply([ $t->notes_of($user, $_) ], ['Only once'], $LABEL{$_}) for qw(lofty fub);
	$t->deconfigure('echosync.request_timeout');
});

$t->behaviour('an event is posted once, whatever becomes of the reply to it', sub {
	my %cases = (
		'the connection drops after it is stored' => { type => 'close_after_store' },
		'the reply has no id' => { type => 'ok_without_id' },
		'the reply is 500 though it is stored' => { type => 'status_after_store', status => 500 },
		'the connection drops and nothing is stored' => { type => 'close_before' });
	my %user;

	$t->knob('fub', 'index_lag_seconds', 1);
	for my $name (sort keys %cases)
	{
		$user{$name} = $t->user(fub => { delivery => 'events' });
		$t->fault_for($user{$name}, 'fub', { method => 'POST', path => '/v1/events' }, $cases{$name});
		$t->lead($user{$name}, notes => 'Saw the listing');
	}
	$t->drain($_) for values %user;
	for my $name (sort keys %cases)
	{
		my @records = $t->records($user{$name}, 'fub');

		is(scalar @records, 1, "$name: one person");
		is(scalar @{ $records[0]{events} }, 1, 'with one event');
		is_deeply([ $t->notes_of($user{$name}, 'fub') ], [], 'whose message the note is');
	}
});

# Lofty may fold a new lead into one that the search did not show; the id that
# it replies with is then never found again.
$t->behaviour('a lead whose Lofty id is a ghost finds the record that it was merged into', sub {
	my $user = $t->user(lofty => 1);
	my $email = 'merged@example.com';

	$t->knob('lofty', 'merge', TRUE);
	my $survivor = $t->seed($user, 'lofty', firstName => 'Agent', lastName => 'Own', emails => [$email], hidden => TRUE);
	my $lead = $t->lead($user, first_name => 'Ghost', email => $email);
	$t->drain($user);
	my ($ghost) = grep { $_->{state} eq 'ghost' } $t->all_records($user, 'lofty');
	ok($ghost, 'the create was folded into a record that the search did not show');
	is($t->link_of($user->{lofty}, $lead), $ghost->{leadId}, 'the lead is linked to the id of the reply');

	$t->agent($user, 'lofty', $survivor, 'show');
	age_links($user, 'lofty');
	$t->change_and_drain($user, $lead, tags => ['Fresh']);
	is($t->link_of($user->{lofty}, $lead), $survivor, 'at the next change it is linked to the survivor');
	ok((grep { $_ eq 'Fresh' } @{ $t->record($user, 'lofty', $survivor)->{tags} }), 'which has the change');
	is($t->record($user, 'lofty', $survivor)->{firstName}, 'Agent', "and the agent's name");
	is(scalar creates($user, 'lofty'), 1, 'no second create');
});

$t->behaviour('a lead that Lofty does not show any more is not created again', sub {
	my $user = $t->user(lofty => 1);
	my $lead = $t->lead($user);

	$t->drain($user);
	$t->agent($user, 'lofty', $t->link_of($user->{lofty}, $lead), 'trash');
	age_links($user, 'lofty');
	$t->change_and_drain($user, $lead, last_name => 'Again');
	is(scalar creates($user, 'lofty'), 1, 'no second create');
	my ($dead) = $t->dead_letters($user, 'lofty');
	is($dead->{lead_id}, $lead, 'the change is a dead letter');
	is($dead->{error_code}, 'lofty_20006', 'that says why');
});

$t->behaviour('a new lead that Lofty does not show yet waits, at no cost of a try', sub {
	my $user = $t->user(lofty => 1);
	my $lead = $t->lead($user);

	$t->drain($user);
	$t->agent($user, 'lofty', $t->link_of($user->{lofty}, $lead), 'hide');
	$t->change($lead, last_name => 'Early');
	my $attempt = $t->wait_until('the change was tried', sub { $t->attempt($user, 'lofty', $lead) });
	is($attempt->{error_code}, 'lofty_not_indexed_yet', 'the reason');
	is($attempt->{attempts}, 0, 'no try is used up');
	is(scalar creates($user, 'lofty'), 1, 'no second create');
	$t->sql_as($user, "SELECT echosync_disconnect('$user->{lofty}')");
});

$t->behaviour('404 on a stored Follow Up Boss id: unlink, search, relink', sub {
	my $user = $t->user(fub => 1);
	my $phone = $t->new_phone;
	my $lead = $t->lead($user, phone => $phone, notes => 'Met at the fair');

	$t->drain($user);
	my $old = $t->link_of($user->{fub}, $lead);
	my $survivor = $t->seed($user, 'fub', firstName => 'Dana', lastName => 'Holt', phones => [$phone]);
	$t->agent($user, 'fub', $old, 'merge_into', into => $survivor);
	$t->change_and_drain($user, $lead, tags => ['Fresh']);
	is($t->link_of($user->{fub}, $lead), $survivor, 'merged: linked to the survivor');
	ok((grep { $_ eq 'Fresh' } @{ $t->record($user, 'fub', $survivor)->{tags} }), 'which has the change');
	is(scalar creates($user, 'fub'), 1, 'no second create');

	$t->agent($user, 'fub', $survivor, 'delete');
	$t->change_and_drain($user, $lead, tags => [ 'Fresh', 'Again' ]);
	my @records = $t->records($user, 'fub');
	is(scalar @records, 1, 'deleted: created again, once');
	is($t->link_of($user->{fub}, $lead), $records[0]{id}, 'and linked');
});

$t->done;
