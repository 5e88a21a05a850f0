# What may go wrong between us and a CRM, once, for every test that lets it: as a
# list of faults, each with a name, and no word on what is to be made of it but
# what follows from the fault itself.
#
#   for my $scenario (scenarios('doubt', 'outage')) {
#       order_fault($t, $user, 'fub', $scenario);
#   }
#
# A delivery is how leads reach a CRM: 'lofty', 'fub', or 'events' for Follow Up
# Boss by events.
package FaultScenarios;

use strict;
use warnings;

use EchosyncFaults;

use Exporter 'import';
our @EXPORT = qw(scenarios order_fault user_by crm_of create_path label_of known_contact);

my %LABEL = (lofty => 'Lofty', fub => 'Follow Up Boss', events => 'Follow Up Boss by events');
my %CREATE = (lofty => '/v1.0/leads', fub => '/v1/people', events => '/v1/events');
my %SEARCH = (lofty => '/v1.0/leads', fub => '/v1/people', events => '/v1/people');

my $PAGE = { body => '<html>', content_type => 'text/html' };
my $FOR_EVER = -1;

# Of each: what it does.
my %SCENARIOS = (

	# The reply to a create is lost, or says nothing.  creates: how many are sent in
	# all; code: what the first row of the log says.
	doubt => {
		'the connection drops after the CRM has stored the lead' =>
		  { action => { type => 'close_after_store' }, creates => 1, code => 'connection_lost' },
		'the reply has no id' => { action => { type => 'ok_without_id' }, creates => 1, code => 'no_record_id' },
		'the reply is 500 though the lead is stored' =>
		  { action => { type => 'status_after_store', status => 500 }, creates => 1, code => 'http_500' },
		'the reply is 502 though the lead is stored' =>
		  { action => { type => 'status_after_store', status => 502 }, creates => 1, code => 'http_502' },
		'the reply never comes though the lead is stored' => { action => { type => 'hang', store => TRUE }, creates => 1, code => 'timeout' },
		'the reply comes too late' => { action => { type => 'delay', ms => 1500 }, creates => 1, code => 'timeout' },
		'the reply is cut short' => { action => { type => 'truncate' }, creates => 1, code => 'connection_lost' },
		'the connection drops and nothing is stored' => { action => { type => 'close_before' }, creates => 2, code => 'connection_lost' },
		'the reply never comes and nothing is stored' => { action => { type => 'hang' }, creates => 2, code => 'timeout' },
		'the reply is 500 and nothing is stored' => { action => { type => 'status', status => 500 }, creates => 2, code => 'http_500' },
	},

	# A search fails as it may fail for one lead: that lead pays, and is tried again.
	again => {
		'500' => { action => { type => 'status', status => 500 } },
		'501' => { action => { type => 'status', status => 501 } },
		'520 of a proxy' => { action => { type => 'status', status => 520, %$PAGE } },
		'an answer that is no JSON' => { action => { type => 'status', status => 200, %$PAGE } },
		'an answer of another form' => { action => { type => 'status', status => 200, body => '[1,2]' } },
		'an answer that is too large' => { action => { type => 'huge', bytes => 6_000_000 } },
	},

	# The update of a record that was found fails: by events, after the event.
	late => {
		'500 on the update' => { action => { type => 'status', status => 500 } },
		'502 on the update' => { action => { type => 'status', status => 502 } },
		'500 on the update, which is done' => { action => { type => 'status_after_store', status => 500 } },
		'the connection drops over the update' => { action => { type => 'close_before' } },
		'no answer to the update' => { action => { type => 'hang' } },
	},

	# The account cannot be reached for a moment: no lead pays.
	outage => {
		'502' => { action => { type => 'status', status => 502 } },
		'503' => { action => { type => 'status', status => 503, %$PAGE } },
		'503 with Retry-After' => { action => { type => 'status', status => 503, headers => { 'Retry-After' => '1' } } },
		'504' => { action => { type => 'status', status => 504 } },
		'408' => { action => { type => 'status', status => 408 } },
		'a dropped connection' => { action => { type => 'close_before' } },
		'no answer' => { action => { type => 'hang' } },
		'429' => { action => { type => 'status', status => 429, headers => { 'Retry-After' => '1' } } },
	},

	# The same until somebody puts an end to it.
	lasting => {
		'down' => { action => { type => 'status', status => 503, %$PAGE } },
		'storm' => { action => { type => 'status', status => 429, headers => { 'Retry-After' => '1' } } },
	});

# Which requests of a kind it strikes, and how often.
my %STRIKES = (doubt => 'create', again => 'search', late => 'update', outage => 'any', lasting => 'any');
my %TIMES = (doubt => 1, again => 3, late => 2, outage => 2, lasting => $FOR_EVER);

# Of these kinds, or all but the lasting ones: {kind, name, action, times, ...}, in a fixed order.
sub scenarios
{
	my (@kinds) = @_;
	my @found;

	for my $kind (@kinds ? @kinds : qw(doubt again late outage))
	{
		push @found, map { { kind => $kind, name => $_, times => $TIMES{$kind}, %{ $SCENARIOS{$kind}{$_} } } } sort keys %{ $SCENARIOS{$kind} };
	}
	return @found;
}

sub crm_of { return $_[0] eq 'events' ? 'fub' : $_[0] }
sub create_path { return $CREATE{ $_[0] } }
sub label_of { return $LABEL{ $_[0] } }

# A user of the test's who is connected for this delivery.
sub user_by
{
	my ($t, $delivery, %settings) = @_;

	$settings{delivery} = 'events' if $delivery eq 'events';
	return $t->user(crm_of($delivery) => \%settings);
}

# A contact that an agent has made, who will be found by this phone; without a
# last name, so that there is something to update.
sub known_contact
{
	my ($t, $user, $delivery, $phone) = @_;

	return $t->seed($user, crm_of($delivery), firstName => 'Dana', phones => [$phone], source => 'Open House');
}

# From now on, for this user's account.
sub order_fault
{
	my ($t, $user, $delivery, $scenario) = @_;
	my %match = (
		create => { method => 'POST', path => $CREATE{$delivery} },
		search => { method => 'GET', path => $SEARCH{$delivery} },
		update => { method => 'PUT', path => $SEARCH{$delivery} },
		any => {});

	return $t->fault_for($user, crm_of($delivery), $match{ $STRIKES{ $scenario->{kind} } }, $scenario->{action}, times => $scenario->{times});
}

1;
