# Encryption keys: a rotation while leads are sent, and one that went wrong.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use Test::More;

my $t = EchosyncFaults->start;
my $OLD = '0123456789abcdef' x 4;
my $NEW = 'fedcba9876543210' x 4;

sub use_keys
{
	my ($key, $previous) = @_;

	$t->write_env_file(INTEGRATION_ENCRYPTION_KEY => $key, INTEGRATION_ENCRYPTION_KEY_PREVIOUS => $previous);
	$t->reload;
}

sub sealed { return $t->sql('SELECT integration_id, sealed FROM crm_credentials ORDER BY 1') }

$t->behaviour('a rotation online: nobody connects again, nothing waits', sub {
	my @users = map { $t->user(lofty => 1, fub => 1) } 1 .. 3;
	my $before = sealed();

	use_keys($NEW, $OLD);
	$t->lead($_, first_name => 'Between') for @users;
	$t->drain($_) for @users;
	is(scalar $t->records($_, 'lofty'), 1, 'a lead is sent with both keys in force') for @users;

	is($t->sql('SELECT echosync_rotate_credentials()'), 6, 'all credentials are sealed anew');
	is($t->sql('SELECT echosync_rotate_credentials()'), 0, 'once');
	my %seen = map { $_ => 1 } split /\n/, $before;
	is(scalar(grep { $seen{$_} } split /\n/, sealed()), 0, 'none is as it was');

	use_keys($NEW, undef);
	$t->node->restart;
	$t->lead($_, first_name => 'After') for @users;
	$t->drain($_) for @users;
	is(scalar $t->records($_, 'lofty'), 2, 'and the old key is not needed any more') for @users;
	is($t->sql("SELECT count(*) FROM crm_integrations WHERE status <> 'active'"), 0, 'all active');
});

$t->behaviour('a key taken away too early: the connection says so, and goes on when it is back', sub {
	my $user = $t->user(lofty => 1);
	my $listener = $t->listener;

	use_keys($OLD, $NEW);      # the worker's check value follows, the credential does not
	$t->wait_until('the new key is in force', sub { $t->sql('SELECT echosync_decrypt(echosync_encrypt($$x$$))') eq 'x' });
	$t->lead($user, first_name => 'One');
	$t->drain($user);
	use_keys($OLD, undef);
	$t->lead($user, first_name => 'Two');
	$t->wait_for_sql("SELECT status || ' ' || status_reason FROM crm_integrations WHERE id = '$user->{lofty}'", 'error credential_unreadable');
	is(scalar $t->records($user, 'lofty'), 1, 'nothing more is sent');
	is($t->queued($user, 'lofty'), 1, 'the lead waits');
	my $error = $t->error_as($user, "SELECT echosync_resume('$user->{lofty}')");
	like($error->{message}, qr/sealed with a key that is not in force/, 'resuming says why not');
	like($error->{hint}, qr/Connect again/, 'and what to do');

	use_keys($OLD, $NEW);
	$t->wait_until('with the key back the connection is active', sub { $t->status_of($user, 'lofty') eq 'active' });
	$t->drain($user);
	is(scalar $t->records($user, 'lofty'), 2, 'and the lead is sent');
	is_deeply([ $t->changes_heard($listener, $user->{lofty}) ],
		[ 'active>error credential_unreadable', 'error>active' ], 'both changes were told');
});

$t->done;
