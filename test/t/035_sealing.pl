# How credentials are sealed: the form, what it is bound to, the earlier
# application's form, keys that change and keys that are wrong.
use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use MIME::Base64;
use Test::More;

my $t = EchosyncFaults->start(conf => "echosync.uncertain_wait = '300ms'\n");

my $KEY = '0123456789abcdef' x 4;
my $NEW_KEY = 'fedcba9876543210' x 4;
my $KEY_ID = '6b8a7f7b';        # by scrypt and SHA-256 elsewhere, with the usual salt

sub sealed_of { return $t->sql("SELECT sealed FROM crm_credentials WHERE integration_id = '$_[0]'") }
sub seal { return $t->sql('SELECT echosync_encrypt(' . lit($_[0]) . ')') }
sub state_of { return $t->try_sql("SELECT string_agg(DISTINCT state, ',') FROM echosync_workers") }

sub doctor
{
	my ($check) = @_;
	my ($row) = $t->rows("SELECT * FROM echosync_doctor() WHERE check_name = '$check'");

	return $row;
}

sub test_connection
{
	my ($user, $crm) = @_;
	my ($row) = $t->rows_as($user, "SELECT * FROM echosync_test_connection('$user->{$crm}')");

	return $row;
}

sub secrets
{
	my (%changes) = @_;

	$t->write_env_file(%changes);
	$t->reload;
	return;
}

# From one key to another, whichever is in force.
sub use_key
{
	my ($key, $other) = @_;

	secrets(INTEGRATION_ENCRYPTION_KEY => $key, INTEGRATION_ENCRYPTION_KEY_PREVIOUS => $other);
	$t->sql('SELECT echosync_rotate_credentials()');
	$t->wait_until('the worker has both', sub { (state_of() || '') =~ /idle|draining/ });
	secrets(INTEGRATION_ENCRYPTION_KEY => $key);
	return;
}

$t->behaviour('the form of a sealed text: key id, and fresh random bytes each time', sub {
	my $plain = 'a text of 27 bytes, or so..';
	my @sealed = map { seal($plain) } 1 .. 50;
	my %nonces;

	like($sealed[0], qr{^es1:$KEY_ID:[A-Za-z0-9+/]+=*$}, 'es1, the key id, base64');
	is(length decode_base64((split /:/, $sealed[0])[2]), 12 + length($plain) + 16, 'nonce of 96 bits, text, tag of 128');
	$nonces{ substr decode_base64((split /:/, $_)[2]), 0, 12 } = 1 for @sealed;
	is(scalar keys %nonces, 50, 'fifty seals, fifty nonces');
	is($t->sql('SELECT echosync_decrypt(' . lit($sealed[0]) . ')'), $plain, 'it opens');
	is($t->sql('SELECT echosync_decrypt(echosync_encrypt(' . lit($_) . '))'), $_, 'so does this: ' . length) for '', 'x', 'y' x 10000;
	is($t->error_as(undef, "SELECT echosync_$_('x')")->{state}, '42501', "$_ is for superusers") for qw(encrypt decrypt);
});

$t->behaviour('what was altered, cut, or is of another key does not open', sub {
	my ($head, $id, $body) = split /:/, seal('some text');
	my $bytes = decode_base64($body);
	my %bad = ('another key id' => "es1:00000000:$body", 'another version' => "es2:$id:$body", 'no body' => "es1:$id:", 'no key id' => "es1:$body",
		'no base64' => "es1:$id:!!!!", 'a short body' => "es1:$id:" . encode_base64(substr($bytes, 0, 27), ''), 'nothing' => '', 'a colon' => ':', 'colons' => '::::',
		'cut at the end' => "es1:$id:" . encode_base64(substr($bytes, 0, -1), ''), 'longer by a byte' => "es1:$id:" . encode_base64("${bytes}x", ''));

	for my $at (0, 11, 12, length($bytes) - 17, length($bytes) - 16, length($bytes) - 1)
	{
		my $altered = $bytes;
		substr($altered, $at, 1) ^= "\x01";
		$bad{"bit of byte $at"} = "es1:$id:" . encode_base64($altered, '');
	}
	for my $name (sort keys %bad)
	{
		my $error = $t->error('SELECT echosync_decrypt(' . lit($bad{$name}) . ')');

		is("$error->{state} $error->{message}", '22023 could not open the sealed value', $name);
		like($error->{detail}, qr/malformed|altered|key that is not in force|key is not in force/, 'with the reason');
	}
});

$t->behaviour('a credential in another row does not open, and is not used', sub {
	my $user = $t->user(lofty => 1, fub => 1);
	my $thief = $t->user(lofty => 1, fub => 1);

	is($t->error("SELECT echosync_decrypt('" . sealed_of($user->{lofty}) . "')")->{state}, '22023', 'a credential is bound to its row: decrypt does not open it');
	$t->sql("UPDATE crm_credentials SET sealed = '" . sealed_of($user->{$_}) . "' WHERE integration_id = '$thief->{$_}'") for qw(lofty fub);
	my $mark = $t->mark;
	my $lead = $t->lead($thief);
	is(test_connection($thief, $_)->{message}, 'The stored credential cannot be opened with the key in force.', "$_: the user is told") for qw(lofty fub);
	is($t->queued($thief), '2', 'the lead waits');
	is(scalar(grep { $_->{seq} > $mark } $t->requests($user, $_), $t->requests($thief, $_)), 0, "$_: nobody was called") for qw(lofty fub);

	# Nor does one whose row says that it is another user's.
	my $moved = $t->user(lofty => 1);
	$t->sql("UPDATE crm_integrations SET user_id = 'somebody else' WHERE id = '$moved->{lofty}'");
	$t->node->restart;      # the worker has opened it already
	is($t->sql("SET echosync.user_id = 'somebody else'; SELECT message FROM echosync_test_connection('$moved->{lofty}')"),
		'The stored credential cannot be opened with the key in force.', "a connection that was given to another user does not work for that user");
	$t->sql("DELETE FROM crm_integrations WHERE id = '$moved->{lofty}'");
	is($t->connect_lofty($thief), $thief->{lofty}, 'connected again, it works');
	$t->connect_fub_key($thief);
	$t->drain($thief);
	is_deeply($t->tally($thief, $_), $t->all_once(1), "$_: the lead arrives") for qw(lofty fub);
});

# Sealed by the earlier application's own calls (node: scryptSync, aes-256-gcm,
# an IV of 16 bytes) with the usual key and salt.
my %EARLIER = (
	key => '74aNTC+gppCMmKSE6hi47Q==:lbVnsfXdan4qgA+b0nvb18LgLOap15Mg+IuHLpYgP8HvZDVbsJqK39TcE6OeUm/79uI=:QCYUTYzEcdcVrij3dwNOoQ==',
	tokens => 'Jv+Z2pci30m8ZgdD+uC6bA==:yiXGOEhSt4Q8y5jKuTXQb4jGnWvcLtflYjkXQHj8Ak4jcNEJnp9+Wi1Sq7/LLJ0eJMbMBnbCQEEXhbI=:JD+ftYoCm2sgnAdHpwKLwg==',
	text => 'lKLPBZkgcBqf6E2TH2VXdQ==:tXmgQU0OEj3I:Kj2XNqMYpl+Eu6xZSHivdg==');

$t->behaviour('what the earlier application has sealed opens, and is brought over without reconnecting', sub {
	is($t->sql("SELECT encode(convert_to(echosync_decrypt('$EARLIER{text}'), 'UTF8'), 'hex')"), unpack('H*', do { my $x = "Zoë \x{1f3e0}"; utf8::encode($x); $x }), 'text opens, to the byte');
	my ($iv, $body, $tag) = split /:/, $EARLIER{text};
	for my $bad ("$iv:$body:" . encode_base64('x' x 16, ''), "$iv:" . encode_base64('xyz', '') . ":$tag", encode_base64('x' x 12, '') . ":$body:$tag", "$iv:$body", "$iv:$body:$tag:x", "$iv::")
	{
		is($t->error('SELECT echosync_decrypt(' . lit($bad) . ')')->{state}, '22023', "not so if it was altered: $bad");
	}
	my $user = { id => 'migrated', accounts => { lofty => '113300' } };
	$user->{lofty} = $t->sql("SELECT echosync_import_integration('migrated', 'lofty', '$EARLIER{key}', '{\"tags\": [\"Moved\"]}')");
	like(sealed_of($user->{lofty}), qr/^es1:$KEY_ID:/, 'it is sealed anew, in our form');
	is(test_connection($user, 'lofty')->{ok}, TRUE, 'and works');
	$t->lead($user);
	$t->drain($user);
	is_deeply([ map { $_->{tags} } $t->records($user, 'lofty') ], [ ['Moved'] ], 'leads go, with the settings given');
	my $oauth = $t->sql("SELECT echosync_import_integration('migrated', 'followupboss', '$EARLIER{tokens}')");
	is($t->sql("SELECT credential_kind FROM crm_integrations WHERE id = '$oauth'"), 'oauth', 'tokens are brought over, too');
	is($t->error_as($user, "SELECT echosync_import_integration('me', 'lofty', '$EARLIER{key}')")->{state}, '42501', 'by superusers only');
	is($t->error('SELECT echosync_import_integration(' . lit($_) . ", 'lofty', '$EARLIER{key}')")->{message}, 'the user id is empty, or longer than 255 bytes', 'a user id of ' . length) for '', 'u' x 256;
	$t->sql('DELETE FROM crm_integrations WHERE user_id = ' . lit('migrated'));
});

$t->behaviour('the key changes while leads flow; none is lost, doubled or refused', sub {
	my @users = map { $t->user(lofty => 1, fub => 1) } 1 .. 2;
	my $oauth = $t->user;

	$t->connect_fub_oauth($oauth);
	push @users, $oauth;
	$t->knob($_, 'latency_ms', 30) for qw(lofty fub);
	$t->leads($_, 60) for @users;
	secrets(INTEGRATION_ENCRYPTION_KEY => $NEW_KEY, INTEGRATION_ENCRYPTION_KEY_PREVIOUS => $KEY);
	my $stale = $t->sql("SELECT count(*) FROM crm_credentials WHERE sealed LIKE 'es1:$KEY_ID:%'");
	cmp_ok($stale, '>', 4, 'credentials are of the old key');
	$t->agent($oauth, 'fub', 0, 'expire_access');       # a token that is stored meanwhile
	is($t->sql('SELECT echosync_rotate_credentials()') + 1 >= $stale ? 'all' : 'not all', 'all', 'each is sealed anew');
	is($t->sql("SELECT count(*) FROM crm_credentials WHERE sealed LIKE 'es1:$KEY_ID:%'"), '0', 'none is of the old key');
	is($t->sql('SELECT echosync_rotate_credentials()'), '0', 'a second time there is nothing to do');
	secrets(INTEGRATION_ENCRYPTION_KEY => $NEW_KEY);
	$t->leads($_, 20) for @users;
	$t->drain($_) for @users;
	for my $user (@users)
	{
		is_deeply($t->tally($user, $_), $t->all_once(80), "$user->{id}: each lead once") for grep { $user->{$_} } qw(lofty fub);
		is($t->status_of($user, $_), 'active', 'the connection is active') for grep { $user->{$_} } qw(lofty fub);
	}
	$t->node->restart;
	is(test_connection($users[0], 'lofty')->{ok}, TRUE, 'without the old key, after a restart, it works');
	is($t->error("SELECT echosync_decrypt('$EARLIER{text}')")->{state}, '22023', 'the old key opens nothing any more');
	is($t->error_as($users[0], 'SELECT echosync_rotate_credentials()')->{state}, '42501', 'rotation is for superusers');
});

$t->behaviour('a create that is in doubt when the key changes is found by what was sent', sub {
	my $user = $t->user(lofty => 1);

	use_key($KEY, $NEW_KEY);
	$t->configure('echosync.uncertain_wait' => '3s');
	$t->fault_for($user, 'lofty', { method => 'POST', path => '/v1.0/leads' }, { type => 'ok_without_id' });
	my $lead = $t->lead($user);
	$t->wait_until('the CRM has the create', sub { $t->n_records($user, 'lofty') });
	$t->sql_as($user, "SELECT echosync_pause('$user->{lofty}')");
	$t->change($lead, phone => $t->new_phone);
	like($t->sql("SELECT intent_lead FROM crm_sync_attempts WHERE integration_id = '$user->{lofty}'"), qr/^es1:$KEY_ID:/, 'what was sent is sealed');
	use_key($NEW_KEY, $KEY);
	like($t->sql("SELECT intent_lead FROM crm_sync_attempts WHERE integration_id = '$user->{lofty}'"), qr/^es1:(?!$KEY_ID)/, 'and sealed anew');
	$t->node->restart;
	$t->sql_as($user, "SELECT echosync_resume('$user->{lofty}')");
	$t->drain($user);
	is($t->n_records($user, 'lofty'), 1, 'one record');
	$t->deconfigure('echosync.uncertain_wait');
});

$t->behaviour('a wrong key is found at start, said once with what to do, and does no harm', sub {
	use_key($NEW_KEY, $KEY);
	my $user = $t->user(lofty => 1);
	my $sealed = sealed_of($user->{lofty});

	$t->write_env_file(INTEGRATION_ENCRYPTION_KEY => 'a' x 64);
	my $log = length $t->log_text;
	$t->node->restart;
	$t->wait_until('the worker has found it', sub { (state_of() || '') eq 'wrong_key' });
	my $mark = $t->mark;
	my $lead = $t->lead($user);
	is(doctor('key')->{ok}, FALSE, 'the doctor complains');
	like(doctor('key')->{hint}, qr/INTEGRATION_ENCRYPTION_KEY_PREVIOUS/, 'and says what to do');
	like($t->error_as($user, "SELECT echosync_connect('lofty', '$user->{keys}{lofty}')")->{message}, qr/could not connect/, 'nothing is sealed with the wrong key');
	$t->sql('SELECT pg_reload_conf()');
	is($t->sql_as($user, 'SELECT echosync_drain(1)'), 'f', 'the lead waits');
	is(scalar $t->requests($user, 'lofty', since => $mark), 0, 'nobody was called');
	is(sealed_of($user->{lofty}), $sealed, 'the credential is as it was');
	my @said = grep { /LOG:.*echosync: .*\bkey\b/ } split /\n/, substr $t->log_text, $log;
	is(scalar @said, 1, 'the log says it once');
	like(substr($t->log_text, $log), qr/HINT:.*INTEGRATION_ENCRYPTION_KEY/, 'with what to do');
	secrets(INTEGRATION_ENCRYPTION_KEY => $NEW_KEY);
	$t->drain($user);
	is_deeply($t->tally($user, 'lofty'), $t->all_once(1), 'with the right key again, the lead is sent');
});

$t->behaviour('an old key that is taken away before rotation: the doctor says so, nothing is harmed, and it can come back', sub {
	use_key($NEW_KEY, $KEY);
	my $user = $t->user(lofty => 1);
	my $sealed = sealed_of($user->{lofty});

	secrets(INTEGRATION_ENCRYPTION_KEY => $KEY, INTEGRATION_ENCRYPTION_KEY_PREVIOUS => $NEW_KEY);
	$t->wait_until('the worker goes on', sub { (state_of() || '') =~ /idle|draining/ });
	$t->lead($user);
	$t->drain($user);
	secrets(INTEGRATION_ENCRYPTION_KEY => $KEY);
	my $lead = $t->lead($user);
	is(test_connection($user, 'lofty')->{message}, 'The stored credential cannot be opened with the key in force.', 'the user is told');
	$t->wait_until('the connection says why', sub { $t->status_of($user, 'lofty') eq 'error credential_unreadable' });
	is($t->queued($user), '1', 'the lead waits');
	my $check = doctor('connections');
	is($check->{ok}, FALSE, 'the doctor complains');
	like($check->{detail}, qr/credential_unreadable/, 'of what it is');
	like($check->{hint}, qr/INTEGRATION_ENCRYPTION_KEY_PREVIOUS/, 'and says what to do');
	is($t->sql('SELECT echosync_rotate_credentials()'), '0', 'rotation cannot help');
	is(sealed_of($user->{lofty}), $sealed, 'and leaves the credential as it is');
	secrets(INTEGRATION_ENCRYPTION_KEY => $KEY, INTEGRATION_ENCRYPTION_KEY_PREVIOUS => " $NEW_KEY , " . 'b' x 64);
	cmp_ok($t->sql('SELECT echosync_rotate_credentials()'), '>', 0, 'with the old key in the list again, it can be rotated');
	$t->wait_until('the connection works again, without being connected anew', sub { $t->status_of($user, 'lofty') eq 'active' });
	$t->drain($user);
	is_deeply($t->tally($user, 'lofty'), $t->all_once(2), 'and the lead is sent');
});

$t->behaviour('no key at all is said once, and holds up nothing but sending', sub {
	use_key($NEW_KEY, $KEY);
	my $user = $t->user(lofty => 1);

	$t->write_env_file(INTEGRATION_ENCRYPTION_KEY => undef);
	my $log = length $t->log_text;
	$t->node->restart;
	$t->wait_until('the worker has found it', sub { (state_of() || '') eq 'no_key' });
	$t->lead($user);
	like($t->error_as($user, "SELECT echosync_connect('lofty', '$user->{keys}{lofty}')")->{message}, qr/^credentials cannot be sealed$/, 'nobody connects');
	is($t->error('SELECT echosync_accept_key()')->{message}, 'no encryption key is set', 'there is no key to accept');
	my @said = grep { /LOG:.*no usable encryption key; nothing is sent/ } split /\n/, substr $t->log_text, $log;
	is(scalar @said, 1, 'the log says it once');
	is($t->queued($user), '1', 'the lead waits');
	secrets(INTEGRATION_ENCRYPTION_KEY => $NEW_KEY);
	$t->drain($user);
	is_deeply($t->tally($user, 'lofty'), $t->all_once(1), 'with the key it is sent');
});

$t->behaviour('a key that is lost for good: the new one is accepted, and who connects again loses nothing', sub {
	use_key($NEW_KEY, $KEY);
	$t->sql('DELETE FROM crm_integrations');
	my ($first, $second) = map { $t->user(lofty => 1) } 1 .. 2;

	secrets(INTEGRATION_ENCRYPTION_KEY => 'c' x 64);
	$t->wait_until('the worker has found it', sub { (state_of() || '') eq 'wrong_key' });
	$t->lead($_) for $first, $second;
	like(doctor('key')->{hint}, qr/If it is lost for good: SELECT echosync_accept_key\(\)/, 'the doctor says what to type');
	like($t->log_text, qr/HINT:.*echosync_accept_key\(\)/, 'so does the log');
	is($t->error_as($first, 'SELECT echosync_accept_key()')->{state}, '42501', 'not an application');
	is($t->sql('SELECT echosync_accept_key()'), '2', 'it returns how many must connect again');
	$t->wait_until('their connections say so', sub { $t->status_of($_, 'lofty') eq 'error credential_unreadable' }) for $first, $second;
	is(doctor('key')->{ok}, TRUE, 'the key is content');
	is($t->queued($_), '1', 'the leads wait') for $first, $second;
	is($t->connect_lofty($first), $first->{lofty}, 'one connects again');
	$t->drain($first);
	is_deeply($t->tally($first, 'lofty'), $t->all_once(1), 'and the lead is sent');
	is($t->sql('SELECT echosync_accept_key()'), '1', 'one is left');
	secrets(INTEGRATION_ENCRYPTION_KEY => 'c' x 64, INTEGRATION_ENCRYPTION_KEY_PREVIOUS => $NEW_KEY);
	$t->wait_until('the key is found after all', sub { $t->status_of($second, 'lofty') eq 'active' });
	$t->drain($second);
	is_deeply($t->tally($second, 'lofty'), $t->all_once(1), 'and the other needs not connect again');
});

$t->done;
