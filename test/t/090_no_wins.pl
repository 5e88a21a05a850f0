# "No" wins, whatever comes with it: an opt-out reaches the record although the lead
# is deleted softly in the same breath, before or after; and a change that says
# nothing new sends nobody.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncTest;
use Test::More;

my $t = EchosyncTest->start;

sub flagged { my ($user, $lead) = @_; my $record = $t->record($user, 'lofty', $t->link_of($user->{lofty}, $lead)); return join ' ', map { $record->{$_} ? 'yes' : 'no' } qw(cannotCall cannotText cannotEmail) }
sub app { return $t->sql_as(undef, $_[0]) }

my %how = (
	'in one statement' => [ 'UPDATE leads SET dnc = true, deleted_at = now() WHERE id = %s' ],
	'the opt-out first' => [ 'UPDATE leads SET dnc = true WHERE id = %1$s; UPDATE leads SET deleted_at = now() WHERE id = %1$s' ],
	'the deletion first' => [ 'UPDATE leads SET deleted_at = now() WHERE id = %1$s', 'UPDATE leads SET dnc = true WHERE id = %1$s' ],
	'in one transaction' => [ 'BEGIN; UPDATE leads SET dnc = true WHERE id = %1$s; UPDATE leads SET deleted_at = now() WHERE id = %1$s; COMMIT' ]);

for my $how (sort keys %how)
{
	$t->behaviour("opted out and deleted softly, $how", sub {
		my $user = $t->user(lofty => 1, fub => 1);
		my $lead = $t->lead($user);
		my $other = $t->lead($user);

		$t->drain($user);
		for my $sql (@{ $how{$how} })
		{
			app(sprintf $sql, $lead);
			$t->drain($user);
		}
		is(flagged($user, $lead), 'yes yes yes', 'the flags are up');
		is(flagged($user, $other), 'no no no', 'on that record only');
		is($t->sql("SELECT reason FROM crm_sync_logs WHERE user_id = '$user->{id}' AND crm_type = 'followupboss' AND lead_id = '$lead' ORDER BY id DESC LIMIT 1"),
			'do_not_contact', 'and Follow Up Boss\'s log says why nothing is sent');
		app("UPDATE leads SET first_name = 'News', deleted_at = now() WHERE id = $other");
		$t->drain($user);
		is($t->record($user, 'lofty', $t->link_of($user->{lofty}, $other))->{firstName}, 'Dana', 'a deletion alone is no news');
	});
}

$t->behaviour('what says the same queues nothing', sub {
	my $user = $t->user(lofty => { auto_sync => \0 });

	$t->sql_as(undef, "INSERT INTO leads (user_id, first_name, phone, email, city, tags, notes, risk_score) VALUES ('$user->{id}', 'Old', '801555010$_', '', NULL, '{a,b}', ' x ', 5)") for 1 .. 5;
	$t->sql_as($user, "SELECT echosync_update_integration('$user->{lofty}', '{\"auto_sync\": true}')");
	$t->wait_for_sql('SELECT count(*) FROM crm_sync_gaps', '0');
	app("UPDATE leads SET $_ WHERE user_id = '$user->{id}'")
	  for 'dnc = false', 'dnc = NULL', "phone = '(801) ' || substr(phone, 4, 3) || '-' || substr(phone, 7)", "phone = '+1' || regexp_replace(phone, '\\D', '', 'g')",
	  "email = NULL", "first_name = ' Old '", "city = ''", "city = 'N/A'", "tags = '{b,a,a}'", "notes = 'x'", 'risk_score = 5.00', "deleted_at = 'infinity'", "deleted_at = NULL", "state = 'contacted'";
	is($t->sql("SELECT count(*) FROM crm_sync_queue WHERE user_id = '$user->{id}'") . $t->sql("SELECT count(*) FROM crm_sync_logs WHERE user_id = '$user->{id}'"), '00', 'a migration over leads that nobody asked for sends none');
	app("UPDATE leads SET first_name = 'New' WHERE phone LIKE '%0101' AND user_id = '$user->{id}'");
	$t->drain($user);
	is(scalar($t->records($user, 'lofty')), 1, 'what says something does');
});

$t->done;
