# Whose account a connection's records are in, where its CRM tells that late or
# not at all, and the key changes: no link leads to somebody else's record, and
# none is lost that is good.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use Test::More;

my $t = EchosyncFaults->start(conf => <<'CONF');
echosync.uncertain_wait = '300ms'
echosync.request_timeout = '4s'
CONF

my %ID = (fub => 'id', kvcore => 'id', lofty => 'leadId');
my $n_accounts = 0;

# The same user with another account of this CRM, whose key does not tell whose it is.
sub elsewhere
{
	my ($user, $crm) = @_;
	my $account = '' . (870000 + ++$n_accounts);
	my $key = sprintf '%s-of-nobody%06d', $crm, $n_accounts;

	$t->control('POST', '/account', { crm => $crm, key => $key, account => $account });
	push @{ $t->{secrets} }, $key;
	return { %$user, keys => { %{ $user->{keys} }, $crm => $key }, accounts => { %{ $user->{accounts} }, $crm => $account } };
}

# Follow Up Boss does not say, in one way or another, whose credential this is.
sub hide_identity
{
	my ($user, $reply, $times) = @_;

	return $t->fault_for($user, 'fub', { path => '/v1/identity' }, { type => 'status', %$reply }, times => $times);
}

my $UNKNOWN = { status => 404, body => {} };
my $BROKEN = { status => 500, body => {} };

# An agent's contact, who has the number that a record of ours has in another account.
sub seed_stranger
{
	my ($user, $crm, $id) = @_;

	$t->seed($user, $crm, id => 0 + $id, $crm eq 'kvcore' ? (first_name => 'Zoe', last_name => 'Stranger', email => "zoe$id\@example.com")
		: (firstName => 'Zoe', lastName => 'Stranger', phones => ['8015550199'], emails => ["zoe$id\@example.com"]));
	return;
}

sub name_of { return join ' ', map { $_[0]{$_} // '' } exists $_[0]{first_name} ? qw(first_name last_name) : qw(firstName lastName) }

sub stranger_is_untouched
{
	my ($user, $crm, $id, $where) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	is(name_of($t->record($user, $crm, $id)), 'Zoe Stranger', "$where: the stranger with that number is who she was");
	is_deeply([ map { "$_->{method} $_->{path}" } grep { $_->{path} =~ m{/\Q$id\E\b} } $t->writes($user, $crm) ], [], 'nobody has written to her');
	return;
}

# Records of ours, by name.
sub names { return [ sort grep { $_ ne 'Zoe Stranger' } map { name_of($_) } $t->records(@_) ] }

# A lead that was written a while ago, or it would rest first, changes.
sub change
{
	my ($user, $lead, %columns) = @_;

	$t->sql("UPDATE crm_lead_links SET synced_at = synced_at - interval '1 min' WHERE lead_id = '$lead' AND user_id = '$user->{id}'");
	return $t->change_and_drain($user, $lead, %columns);
}

sub own_id
{
	my ($user, $crm) = @_;
	my ($own) = grep { $_->{made_by} eq 'client' } $t->records($user, $crm);

	return $own->{ $ID{$crm} };
}

# ------------------------------------------------------------------------
# Keys that do not tell
# ------------------------------------------------------------------------

$t->behaviour('of keys that do not tell whose they are, each has links of its own, however often it changes', sub {
	my $user = $t->user;
	my @accounts = map { elsewhere($user, 'kvcore') } 1 .. 3;
	my $connect = sub { $user->{kvcore} = $t->connect_kvcore($_[0]) };

	$connect->($accounts[0]);
	my $lead = $t->lead($user, first_name => 'Dana', last_name => 'Holt', email => 'dana@example.com');
	$t->drain($user);
	is($t->integration($user->{kvcore})->{crm_account}, undef, 'the account is not known');
	my @ids = (own_id($accounts[0], 'kvcore'));
	ok($ids[0], 'the lead is in it');

	$connect->($accounts[0]);
	change($user, $lead, last_name => 'Again');
	is_deeply(names($accounts[0], 'kvcore'), ['Dana Again'], 'the same key again: the record is known');

	for my $i (1, 2)
	{
		seed_stranger($accounts[$i], 'kvcore', $_) for @ids;
		$connect->($accounts[$i]);
		change($user, $lead, last_name => "Change $i");
		stranger_is_untouched($accounts[$i], 'kvcore', $_, "key " . ($i + 1)) for @ids;
		is_deeply(names($accounts[$i], 'kvcore'), ["Dana Change $i"], 'the lead has a record of its own');
		push @ids, own_id($accounts[$i], 'kvcore');
	}
	$connect->($accounts[0]);
	change($user, $lead, last_name => 'Back');
	is(scalar @{ names($accounts[0], 'kvcore') }, 1, 'the first key again: there is one record');
});

$t->behaviour('a create by a key that does not tell, which ends when there is another, is no link of that one', sub {
	my $user = $t->user;
	my @accounts = map { elsewhere($user, 'kvcore') } 1 .. 2;

	$user->{kvcore} = $t->connect_kvcore($accounts[0]);
	$t->fault_for($accounts[0], 'kvcore', { method => 'POST', path => '/v2/public/contact' }, { type => 'delay', ms => 2000 });
	my $lead = $t->lead($user, first_name => 'Dana', last_name => 'Holt', email => 'dana2@example.com');
	$t->wait_for_requests($accounts[0], 'kvcore', 1, method => 'POST', path => '/v2/public/contact');
	$t->connect_kvcore($accounts[1]);
	$t->drain($user, 15);
	my $id = own_id($accounts[0], 'kvcore');
	ok($id, 'it was created');
	seed_stranger($accounts[1], 'kvcore', $id);
	change($user, $lead, last_name => 'Written');
	stranger_is_untouched($accounts[1], 'kvcore', $id, 'in the account of now');
	is_deeply(names($accounts[1], 'kvcore'), ['Dana Written'], 'where the lead has a record of its own');
});

$t->behaviour('links outlive accounts that do not tell, in between', sub {
	my $user = $t->user;
	my @others = map { elsewhere($user, 'fub') } 1 .. 2;

	$t->connect_fub_oauth($user);
	my $lead = $t->lead($user, first_name => 'Dana', last_name => 'Holt', notes => 'Likes lakes');
	$t->drain($user);
	my $record = $t->link_of($user->{fub}, $lead);
	my @ids = ($record);
	for my $i (0, 1)
	{
		hide_identity($others[$i], $UNKNOWN, -1);
		seed_stranger($others[$i], 'fub', $_) for @ids;
		$t->connect_fub_oauth($others[$i]);
		change($user, $lead, last_name => "Change $i");
		stranger_is_untouched($others[$i], 'fub', $_, 'account ' . ($i + 2)) for @ids;
		is_deeply(names($others[$i], 'fub'), ["Dana Change $i"], 'the lead has a record of its own');
		push @ids, own_id($others[$i], 'fub');
	}
	$t->connect_fub_oauth($user);
	change($user, $lead, last_name => 'Back', phone => $t->new_phone);
	is_deeply(names($user, 'fub'), ['Dana Back'], 'the first account again: there is one record, though its phone is another');
	is($t->link_of($user->{fub}, $lead), $record, 'the link is the one of before');
	is_deeply([ $t->notes_of($user, 'fub') ], ['Likes lakes'], 'and the note is there once');
});

# ------------------------------------------------------------------------
# Asked, and answered late
# ------------------------------------------------------------------------

$t->behaviour('an answer that comes when there is another credential says nothing of that one', sub {
	my $user = $t->user;
	my $new = elsewhere($user, 'fub');

	hide_identity($_, $BROKEN, 1) for $user, $new;
	$t->connect_fub_oauth($user);
	$t->fault_for($user, 'fub', { path => '/v1/identity' }, { type => 'delay', ms => 2000 });
	my $mark = $t->mark;
	my $lead = $t->lead($user, first_name => 'Dana', last_name => 'Holt');
	$t->wait_for_requests($user, 'fub', 1, path => '/v1/identity', since => $mark);
	$t->connect_fub_oauth($new);
	$t->wait_until('it has come', sub { grep { $_->{status} } $t->requests($user, 'fub', path => '/v1/identity', since => $mark) });
	$t->drain($user, 15);
	is_deeply(names($new, 'fub'), ['Dana Holt'], 'the lead is in the new account');
	like($t->integration($user->{fub})->{crm_account}, qr/^$new->{accounts}{fub}\b/, 'which the connection names');
	my $id = own_id($new, 'fub');

	# The former account has a stranger of that number.
	seed_stranger($user, 'fub', $id);
	$t->connect_fub_oauth($user);
	change($user, $lead, last_name => 'Written', phone => $t->new_phone);
	stranger_is_untouched($user, 'fub', $id, 'when the former account is connected again');
	is_deeply(names($user, 'fub'), ['Dana Written'], 'where the lead has a record of its own');
});

my %TELLS_NOTHING = (
	'404 of the API' => $UNKNOWN,
	'a refusal of the question' => { status => 400, body => { errorMessage => 'no' } },
	'an answer without an account' => { status => 200, body => { user => {} } });
my %ANSWERS_NOTHING = (
	'500' => $BROKEN,
	'404 with a page' => { status => 404, body => '<html>', content_type => 'text/html' },
	'503 with a page' => { status => 503, body => '<html>', content_type => 'text/html' });

$t->behaviour('an account that does not tell whose it is gets its leads all the same', sub {
	for my $how (sort keys %TELLS_NOTHING)
	{
		my $user = $t->user;

		hide_identity($user, $TELLS_NOTHING{$how}, -1);
		$t->connect_fub_oauth($user);
		my $lead = $t->lead($user, first_name => 'Dana');
		eval { $t->wait_until('it is sent', sub { $t->n_records($user, 'fub') }, 5) } or fail("$how: sent");
		$t->drain($user);
		change($user, $lead, last_name => 'Changed');
		is_deeply(names($user, 'fub'), ['Dana Changed'], "$how: the lead is there, once");
		is($t->status_of($user, 'fub'), 'active', 'the connection is active');
		is(scalar $t->requests($user, 'fub', path => '/v1/identity'), 2, 'it was asked when it was connected, and once more');
	}
});

$t->behaviour('one that has not answered is asked until it has, before anything is sent', sub {
	my %users = map { ($_ => $t->user) } keys %ANSWERS_NOTHING;

	for my $how (sort keys %users)
	{
		hide_identity($users{$how}, $ANSWERS_NOTHING{$how}, -1);
		$t->connect_fub_oauth($users{$how});
		$users{$how}{lead} = $t->lead($users{$how}, first_name => 'Dana');
	}
	for my $how (sort keys %users)
	{
		my $user = $users{$how};

		$t->wait_for_requests($user, 'fub', 3, path => '/v1/identity');
		is_deeply([ map { $_->{path} } grep { $_->{path} ne '/v1/identity' } $t->requests($user, 'fub') ], [], "$how: nothing else is asked or sent");
	}
	$t->clear_faults;
	for my $how (sort keys %users)
	{
		my $user = $users{$how};

		$t->drain($user, 15);
		is_deeply($t->tally($user, 'fub'), $t->all_once(1), "$how: then the lead is sent");
		is($t->sql("SELECT crm_account FROM crm_lead_links WHERE integration_id = '$user->{fub}'"), $user->{accounts}{fub}, 'and the link says where');
	}
});

# ------------------------------------------------------------------------
# Links of before accounts were kept
# ------------------------------------------------------------------------

$t->behaviour('of two links of a lead the one that names the account counts', sub {
	my $user = $t->user(lofty => 1, fub => 1);
	my $lead = $t->lead($user, first_name => 'Dana');
	my %stranger = (lofty => 990001, fub => 990002);

	$t->drain($user);
	for my $crm (qw(lofty fub))
	{
		seed_stranger($user, $crm, $stranger{$crm});
		$t->sql('INSERT INTO crm_lead_links (integration_id, lead_id, source_id, user_id, crm_record_id, matched_by)'
			  . " SELECT integration_id, lead_id, source_id, user_id, '$stranger{$crm}', 'created' FROM crm_lead_links WHERE integration_id = '$user->{$crm}'");
	}
	for my $name (qw(Once Twice))
	{
		change($user, $lead, last_name => $name);
		for my $crm (qw(lofty fub))
		{
			is_deeply(names($user, $crm), ["Dana $name"], "$crm: the lead's record is written to");
			stranger_is_untouched($user, $crm, $stranger{$crm}, $crm);
		}
	}
});

$t->done;
