# What was done in the CRM is durable before the next step: a step that fails
# afterwards, a refusal in between, a gateway's page or a failover makes
# nothing happen twice, and nobody forgets whose record it is.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use FaultScenarios;
use Test::More;
use Time::HiRes qw(time);

use constant { LAG => 2, UNCERTAIN_WAIT_MS => 2500 };

my $t = EchosyncFaults->start(conf => <<"CONF");
echosync.uncertain_wait = '@{[ UNCERTAIN_WAIT_MS ]}ms'
echosync.request_timeout = '1s'
wal_level = replica
max_wal_senders = 5
hot_standby = on
CONF

my $PAGE = { type => 'status', status => 404, body => '<html>maintenance</html>', content_type => 'text/html' };

sub matched_by
{
	my ($of, $user, $crm, $lead) = @_;

	return $of->sql("SELECT matched_by FROM crm_lead_links WHERE integration_id = '$user->{$crm}'"
		  . (defined $lead ? " AND lead_id = '$lead'" : ''));
}

sub record_id { return $_[1] eq 'lofty' ? $_[0]{leadId} : $_[0]{id} }

# ------------------------------------------------------------------------
# An event is posted, and a later step fails
# ------------------------------------------------------------------------

my $KILL = 'the worker is killed';
my %steps = (
	'500 twice' => [ { type => 'status', status => 500, body => {} }, { type => 'status', status => 500, body => {} } ],
	'502 twice' => [ map { { type => 'status', status => 502, body => '<html>', content_type => 'text/html' } } 1, 2 ],
	$KILL => [ { type => 'hang' } ],
	"500, then $KILL" => [ { type => 'status', status => 500, body => {} }, { type => 'hang' } ]);

# The agent's own contact, which the event is about.
sub contact
{
	my ($user, $phone, %more) = @_;

	return $t->seed($user, 'fub', firstName => 'Dana', lastName => 'Holt', source => 'Open House', phones => [$phone], %more);
}

# A search that does not show the contact, whom the event finds all the same and
# of whom its reply says no more than the name: the contact is read next.
sub hide_from_first_search
{
	my ($user, $phone, $id) = @_;

	$t->fault_for($user, 'fub', { path => '/v1/people/checkDuplicate' }, { type => 'status', status => 200, body => { found => FALSE } });
	$t->fault_for($user, 'fub', { method => 'GET', path => '/v1/people', query_contains => $phone },
		{ type => 'status', status => 200, body => { _metadata => { collection => 'people', total => 0 }, people => [] } }, times => 2);
	$t->fault_for($user, 'fub', { method => 'POST', path => '/v1/events' }, { type => 'ok_without_id', body => { id => $id, firstName => 'Dana', lastName => 'Holt' } });
	return;
}

$t->behaviour('an event that was posted is not posted again when what follows it fails', sub {
	my @cases;

	$t->configure('echosync.request_timeout' => '60s', 'echosync.retry_base_delay' => '300ms');
	for my $next (qw(PUT GET))
	{
		for my $name (sort keys %steps)
		{
			my $user = user_by($t, 'events');
			my $phone = $t->new_phone;
			my $id = contact($user, $phone);

			hide_from_first_search($user, $phone, $id) if $next eq 'GET';
			$t->fault_for($user, 'fub', { method => $next, path => "/v1/people/$id" }, $_) for @{ $steps{$name} };
			push @cases, { name => "$next, $name", user => $user, phone => $phone, id => $id, next => $next, name_of => $name };
		}
	}
	$_->{lead} = $t->lead($_->{user}, phone => $_->{phone}, email => 'dana@example.com', address => '1 Main St', city => 'Provo',
		notes => 'Saw the listing') for @cases;

	# All that hang do so when the worker is killed, once.
	for my $case (grep { $_->{name_of} =~ /$KILL/ } @cases)
	{
		$t->wait_until("$case->{name}: it hangs", sub {
			grep { $_->{status} == 0 } $t->requests($case->{user}, 'fub', method => $case->{next}, path => "/v1/people/$case->{id}") });
	}
	$t->kill_worker;
	$t->drain($_->{user}) for @cases;
	for my $case (@cases)
	{
		my @records = $t->records($case->{user}, 'fub');

		is(scalar @records, 1, "$case->{name}: one person");
		is_deeply([ $t->told_on(@records) ], ['Saw the listing'], 'who was told of once, by the event');
		ok((grep { $_ eq 'Echo Safe - Clean Lead' } @{ $records[0]{tags} }), 'and has the tag');
		is(scalar $t->dead_letters($case->{user}, 'fub'), 0, 'no dead letter');
		$t->change($case->{lead}, tags => ['Later']);
	}
	$t->drain($_->{user}) for @cases;
	for my $case (@cases)
	{
		my @records = $t->records($case->{user}, 'fub');

		is_deeply([ $t->told_on(@records) ], ['Saw the listing'], "$case->{name}: a later change is no event either");
		ok((grep { $_ eq 'Later' } @{ $records[0]{tags} }), 'but arrives');
	}
	$t->deconfigure('echosync.request_timeout', 'echosync.retry_base_delay');
});

# ------------------------------------------------------------------------
# A create is in doubt, and the lead is refused for a while
# ------------------------------------------------------------------------

my %refusals = (
	'its risk is too high' => [ [qw(lofty fub events)], { risk_score => 95 }, { risk_score => 5 } ],
	'it may not be contacted' => [ [qw(fub events)], { dnc => 't' }, { dnc => 'f' } ],
	'it is deleted' => [ [qw(lofty fub events)], { deleted_at => '2024-01-01' }, { deleted_at => undef } ]);

$t->behaviour('a doubt outlives a refusal: the lead is known again, and nothing is doubled', sub {
	my @cases;

	$t->knob($_, 'index_lag_seconds', LAG) for qw(lofty fub);
	$t->knob('fub', 'dedupe_lags', TRUE);
	for my $why (sort keys %refusals)
	{
		for my $delivery (@{ $refusals{$why}[0] })
		{
			my $user = user_by($t, $delivery);

			$t->fault_for($user, crm_of($delivery), { method => 'POST', path => create_path($delivery) }, { type => 'close_after_store' });
			push @cases, { name => label_of($delivery) . ": $why", delivery => $delivery, crm => crm_of($delivery), user => $user,
				phone => $t->new_phone, away => $refusals{$why}[1], back => $refusals{$why}[2] };
		}
	}
	$_->{lead} = $t->lead($_->{user}, phone => $_->{phone}, notes => 'Met at the fair') for @cases;
	for my $case (@cases)
	{
		$t->wait_until("$case->{name}: its create is in doubt", sub { grep { $_->{status} eq 'failed' } $t->logs($case->{user}) });
		$t->change($case->{lead}, %{ $case->{away} });
	}
	$t->drain($_->{user}) for @cases;
	for my $case (@cases)
	{
		is($t->queued($case->{user}), '0', "$case->{name}: nothing is queued while it is refused");
		$t->change($case->{lead}, %{ $case->{back} });
	}
	$t->drain($_->{user}) for @cases;
	for my $case (@cases)
	{
		my ($user, $crm) = @$case{qw(user crm)};
		my @records = $t->records($user, $crm);

		is(scalar @records, 1, "$case->{name}: one record");
		is($t->link_of($user->{$crm}, $case->{lead}), record_id($records[0], $crm), 'to which the lead is linked');
		is(matched_by($t, $user, $crm, $case->{lead}), 'created', 'as the one that we made');
		is_deeply([ $t->told_on(@records) ], ['Met at the fair'], 'which was told of it once');
		is(scalar @{ $records[0]{events} }, $case->{delivery} eq 'events' ? 1 : 0, 'in one event, or none');
		is($t->attempt($user, $crm, $case->{lead}), undef, 'nothing is in doubt any more');
	}
});

$t->behaviour('a lead with the phone of one that is refused while in doubt is not created', sub {
	my @cases;

	$t->knob($_, 'index_lag_seconds', LAG) for qw(lofty fub);
	$t->knob('fub', 'dedupe_lags', TRUE);
	for my $delivery (qw(lofty fub events))
	{
		my $user = user_by($t, $delivery);

		$t->fault_for($user, crm_of($delivery), { method => 'POST', path => create_path($delivery) }, { type => 'close_after_store' });
		push @cases, { name => label_of($delivery), crm => crm_of($delivery), user => $user, phone => $t->new_phone };
	}
	$_->{lead} = $t->lead($_->{user}, phone => $_->{phone}, notes => 'Met at the fair') for @cases;
	for my $case (@cases)
	{
		$t->wait_until("$case->{name}: its create is in doubt", sub { grep { $_->{status} eq 'failed' } $t->logs($case->{user}) });
		$t->change($case->{lead}, risk_score => 95);
	}
	for my $case (@cases)
	{
		$t->wait_until("$case->{name}: it is refused", sub { grep { ($_->{reason} || '') eq 'risk_above_limit' } $t->logs($case->{user}) });
		$case->{twin} = $t->lead($case->{user}, first_name => 'Robin', phone => $case->{phone});
	}
	$t->drain($_->{user}) for @cases;
	for my $case (@cases)
	{
		my ($user, $crm) = @$case{qw(user crm)};
		my @records = $t->records($user, $crm);

		is(scalar @records, 1, "$case->{name}: one record");
		is($t->link_of($user->{$crm}, $case->{twin}), record_id($records[0], $crm), 'to which the other lead is linked');
		is("$records[0]{firstName}", 'Dana', 'and which keeps its name');
		$t->change($case->{lead}, risk_score => 5);
	}
	$t->drain($_->{user}) for @cases;
	for my $case (@cases)
	{
		my ($user, $crm) = @$case{qw(user crm)};
		my @records = $t->records($user, $crm);

		is(scalar @records, 1, "$case->{name}, when it is refused no more: one record");
		is(matched_by($t, $user, $crm, $case->{lead}), 'created', 'known as the one that we made');
		is(scalar(grep { $_ eq 'Met at the fair' } $t->told_on(@records)), 1, 'with its note once');
	}
});

# ------------------------------------------------------------------------
# A record that seems to be gone
# ------------------------------------------------------------------------

# That a lead is still what it was, after a change made meanwhile; and that later
# changes arrive.
sub still_ours
{
	my ($case, @notes) = @_;
	my ($user, $lead) = @$case{qw(user lead)};
	my $phone = $t->new_phone;

	is_deeply([ $t->dead_letters($user, 'fub') ], [], "$case->{name}: no dead letter");
	is($t->link_of($user->{fub}, $lead), $case->{id}, 'the link is what it was');
	is(matched_by($t, $user, 'fub', $lead), 'created', 'to a record of our own making');
	is_deeply([ sort($t->notes_of($user, 'fub')) ], [@notes], 'each note is there once');
	$t->change_and_drain($user, $lead, last_name => 'Later', phone => $phone);
	my @records = $t->records($user, 'fub');
	is(scalar @records, 1, 'one person');
	is($records[0]{lastName}, 'Later', 'a later name arrives');
	is_deeply([ sort map { $_->{value} } @{ $records[0]{phones} } ], [ sort $case->{phone}, $phone ], 'and a later phone');
	return;
}

sub sent_leads
{
	my (@names) = @_;
	my @cases = map { { name => $_, user => user_by($t, 'fub'), phone => $t->new_phone } } @names;

	$_->{lead} = $t->lead($_->{user}, phone => $_->{phone}, notes => 'Met at the fair') for @cases;
	$t->drain($_->{user}) for @cases;
	$_->{id} = $t->link_of($_->{user}{fub}, $_->{lead}) for @cases;
	return @cases;
}

$t->behaviour('404 with a page says nothing of a record, whatever asks for it', sub {
	my %changes = (
		'a name' => { last_name => 'One' },
		'an address, which needs the record' => { address => '1 Main St', city => 'Provo' },
		'a note' => { notes => 'Call back' });
	my @cases = sent_leads(sort keys %changes);

	for my $case (@cases)
	{
		$t->fault_for($case->{user}, 'fub', { path => $case->{name} eq 'a note' ? '/v1/' : '/v1/people' }, $PAGE, times => 2);
		$t->change($case->{lead}, %{ $changes{ $case->{name} } });
	}
	for my $case (@cases)
	{
		$t->drain($case->{user});
		still_ours($case, $case->{name} eq 'a note' ? 'Call back' : (), 'Met at the fair');
	}
});

my %search_fails = (
	'500' => { type => 'status', status => 500, body => {} },
	'503' => { type => 'status', status => 503, body => '<html>', content_type => 'text/html' },
	'a page with 404' => $PAGE,
	'no answer' => { type => 'hang' },
	'a dropped connection' => { type => 'close_before' },
	'an answer of another form' => { type => 'status', status => 200, body => '[1,2]' });

$t->behaviour('404 of the API: the link is kept until a search has answered', sub {
	my @cases = sent_leads(sort keys %search_fails);

	for my $case (@cases)
	{
		$t->fault_for($case->{user}, 'fub', { method => 'PUT', path => "/v1/people/$case->{id}" },
			{ type => 'status', status => 404, body => { errorMessage => 'no such record' } });
		$t->fault_for($case->{user}, 'fub', { method => 'GET', query_contains => $case->{phone} }, $search_fails{ $case->{name} });
		$t->change($case->{lead}, last_name => 'One');
	}
	for my $case (@cases)
	{
		$t->drain($case->{user});
		still_ours($case, 'Met at the fair');
	}
});

$t->behaviour('404 of the API, and a search that says "nobody": the record is made anew, once', sub {
	my @cases = sent_leads('at once', '500', 'a page with 404', 'no answer');

	for my $case (@cases)
	{
		$t->agent($case->{user}, 'fub', $case->{id}, 'delete');
		$t->fault_for($case->{user}, 'fub', { method => 'GET', query_contains => $case->{phone} }, $search_fails{ $case->{name} })
		  if $search_fails{ $case->{name} };
		$t->change($case->{lead}, last_name => 'Anew');
	}
	for my $case (@cases)
	{
		my $user = $case->{user};

		$t->drain($user);
		my @records = $t->records($user, 'fub');
		is(scalar @records, 1, "$case->{name}: one person");
		is($t->link_of($user->{fub}, $case->{lead}), @records ? $records[0]{id} : 'nobody', 'to whom the lead is linked');
		is(matched_by($t, $user, 'fub'), 'created', 'as one that we made');
		is(join(' ', (map { $_->{lastName} } @records), $t->told_on(@records)), 'Anew Met at the fair', 'with the name and the note');
		is_deeply([ $t->dead_letters($user, 'fub') ], [], 'no dead letter');
	}
});

# ------------------------------------------------------------------------
# A note that the CRM does not take yet
# ------------------------------------------------------------------------

# An account has ten notes in ten seconds.
$t->behaviour('a note that stays 404 waits longer and longer, and is in nobody\'s way', sub {
	my $user = user_by($t, 'fub');
	my $n_stuck = 6;

	$t->knob('fub', 'note_visibility_delay_seconds', 1_000_000);
	my @stuck = map { $t->lead($user, first_name => 'Stuck', notes => "Stuck $_") } 1 .. $n_stuck;
	$t->wait_for_sql("SELECT count(*) FROM crm_sync_attempts WHERE integration_id = '$user->{fub}' AND error_code = 'fub_not_visible_yet'", $n_stuck);
	$t->sql("UPDATE crm_lead_links SET created_at = now() - interval '301 seconds' WHERE integration_id = '$user->{fub}'");
	my $ids = $t->sql("SELECT string_agg(lead_id || ' ' || crm_record_id || ' ' || matched_by, ',' ORDER BY lead_id) FROM crm_lead_links WHERE integration_id = '$user->{fub}'");

	# Meanwhile other leads have notes: those of people whom an agent has made are taken.
	my $mark = $t->mark;
	my $began = time;
	my ($n, $slowest) = (0, 0);
	while (time - $began < 20)
	{
		my $phone = $t->new_phone;
		my $inserted = time;

		$n++;
		contact($user, $phone);
		$t->lead($user, phone => $phone, notes => "Other $n");
		$t->wait_until("note $n is there", sub { grep { $_ eq "Other $n" } $t->notes_of($user, 'fub') });
		$slowest = time - $inserted if time - $inserted > $slowest;
		select undef, undef, undef, 0.25 until time - $inserted >= 1;
	}
	cmp_ok($slowest, '<', 5, "the slowest of $n other notes");
	my @asked = grep { ($_->{body} && ($_->{body}{body} || '') =~ /^Stuck/) || (($_->{path} =~ m{^/v1/people/(\d+)}) && $ids =~ / $1 /) }
	  $t->requests($user, 'fub', since => $mark);
	cmp_ok(scalar @asked, '<=', 6 * $n_stuck, sprintf '%d requests for %d leads in 20 s', scalar @asked, $n_stuck);
	cmp_ok(scalar(grep { $_->{method} eq 'POST' } @asked), '<=', 3 * $n_stuck, 'few of them notes');
	is($t->sql("SELECT string_agg(lead_id || ' ' || crm_record_id || ' ' || matched_by, ',' ORDER BY lead_id) FROM crm_lead_links l WHERE integration_id = '$user->{fub}'"
			. ' AND lead_id IN (' . join(', ', map { lit("$_") } @stuck) . ')'), $ids, 'the links are what they were: of our own making');
	is(scalar(grep { $_->{made_by} eq 'client' } $t->records($user, 'fub')), $n_stuck, 'nobody was made again');
	is(scalar $t->dead_letters($user, 'fub'), 0, 'no dead letter');
	$t->sql_as($user, "SELECT echosync_disconnect('$user->{fub}')");
});

# ------------------------------------------------------------------------
# Another server takes over and has not heard
# ------------------------------------------------------------------------

$t->behaviour('a standby that takes over without the last commits doubles nothing, and takes nobody else\'s record for its own', sub {
	my $node = PostgreSQL::Test::Cluster->new('behind');
	my @cases;

	for my $whose (qw(created agents))
	{
		for my $delivery (qw(lofty fub events))
		{
			my ($user, $phone) = (user_by($t, $delivery), $t->new_phone);

			$t->seed($user, crm_of($delivery), firstName => 'Dana', lastName => 'Holt', phones => [$phone], source => 'Open House')
			  if $whose eq 'agents';
			push @cases, { name => label_of($delivery) . ($whose eq 'agents' ? ", the agent's own contact" : ', a new lead'), whose => $whose,
				crm => crm_of($delivery), user => $user, phone => $phone };
		}
	}
	$t->configure('echosync.enabled' => 'off');
	$_->{lead} = $t->lead($_->{user}, phone => $_->{phone}, notes => 'Likes lakes') for @cases;
	$t->node->backup('before');
	$node->init_from_backup($t->node, 'before');
	$node->append_conf('postgresql.auto.conf', "echosync.enabled = on");

	# The first one sends all, and dies; what it has written down dies with it.
	$t->deconfigure('echosync.enabled');
	$t->drain($_->{user}) for @cases;
	$t->kill_postmaster;
	$node->set_standby_mode;
	$node->start;
	my $standby = $t->beside($node);
	is($standby->sql('SELECT count(*) FROM crm_lead_links WHERE lead_id IN (' . join(', ', map { lit("$_->{lead}") } @cases) . ')'), '0', 'it has no link');
	$node->promote;
	$standby->wait_for_worker;
	$standby->drain($_->{user}) for @cases;
	for my $case (@cases)
	{
		my ($user, $crm) = @$case{qw(user crm)};
		my @records = $t->records($user, $crm);

		is(scalar @records, 1, "$case->{name}: one record");
		is_deeply([ $t->told_on(@records) ], ['Likes lakes'], 'which was told of it once');
		is($standby->link_of($user->{$crm}, $case->{lead}), record_id($records[0], $crm), 'the lead is linked to it');
		if ($case->{whose} eq 'created')
		{
			is(matched_by($standby, $user, $crm), 'created', 'as one that we made');
		}
		else
		{
			isnt(matched_by($standby, $user, $crm), 'created', 'as one that somebody else made');
		}
		$standby->change($case->{lead}, first_name => 'Daniela');
	}
	$standby->drain($_->{user}) for @cases;
	for my $case (@cases)
	{
		my ($record) = $t->records(@$case{qw(user crm)});

		is($record->{firstName}, $case->{whose} eq 'created' ? 'Daniela' : 'Dana', "$case->{name}: whose name follows the lead's, or stays");
	}
	$standby->assert_nothing_left;
	$node->stop('fast');
	$t->start_again;
});

$t->done;
