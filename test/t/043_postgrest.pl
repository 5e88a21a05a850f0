# Every route of the earlier application, as PostgREST calls it: the SQL is
# PostgREST's own (test/lib/PostgREST.pm), the roles are Supabase's.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use PostgREST;
use Test::More;

my $t = EchosyncFaults->start;
my $rest = PostgREST->new($t);
my $NOBODY = '00000000-0000-4000-8000-000000000000';

$rest->create_roles;
$t->sql(<<'SQL');
SELECT echosync_grant('authenticated');
GRANT INSERT, UPDATE, SELECT ON leads TO authenticated;
SQL
$t->configure('echosync.trusted_sessions' => 'authenticator, app, postgres');

sub claims { return { role => 'authenticated', sub => $_[0]{id} } }

sub as
{
	my ($user, $method, $path, $body, %more) = @_;

	return $rest->request($method, $path, claims => claims($user), defined $body ? (body => $body) : (), %more);
}

# Connected through the API itself.
sub new_user
{
	my $user = $t->user;
	my $r = as($user, 'POST', '/rpc/echosync_connect', { crm_type => 'lofty', api_key => $user->{keys}{lofty} });

	is($r->{status}, 200, 'POST integrations') or diag explain $r;
	$user->{lofty} = $r->{body};
	return $user;
}

$t->behaviour('integrations: connect, list, get, change, test, pause, resume, disconnect', sub {
	my $user = new_user();
	my $other = new_user();

	my $r = as($user, 'GET', '/crm_integrations');
	is_deeply([ map { $_->{id} } @{ $r->{body} } ], [ $user->{lofty} ], 'GET integrations: own rows only');
	ok(!grep({ /secret|sealed|key|token/ } keys %{ $r->{body}[0] }), 'no credential in it');
	$r = as($user, 'GET', "/rpc/echosync_get_integration?id=$user->{lofty}");
	is($r->{body}{crm_type}, 'lofty', 'GET integrations/:id');
	is(as($user, 'GET', "/rpc/echosync_get_integration?id=$_")->{status}, 404, 'GET of another or of none: 404') for $other->{lofty}, $NOBODY;
	$r = as($user, 'POST', '/rpc/echosync_update_integration', { id => $user->{lofty}, settings => { max_risk_score => 35 } });
	is($r->{body}{settings}{max_risk_score}, 35, 'PUT integrations/:id');
	$r = as($user, 'POST', '/rpc/echosync_update_integration', { id => $user->{lofty}, settings => { max_risk => 35 } });
	is($r->{status}, 400, 'an unknown setting: 400');
	like($r->{error}{message}, qr/max_risk/, 'that names it');
	is(as($user, 'POST', '/rpc/echosync_update_integration', { id => $other->{lofty}, settings => {} })->{status}, 404, "another's: 404");
	is(as($user, 'POST', '/rpc/echosync_test_connection', { id => $user->{lofty} })->{body}{ok}, TRUE, 'test');
	is(as($user, 'POST', "/rpc/echosync_$_", { id => $user->{lofty} })->{status}, 200, $_) for qw(pause resume);
	is(as($user, 'GET', "/rpc/echosync_pause?id=$user->{lofty}")->{status}, 405, 'a GET of what writes: 405');
	is(as($user, 'POST', '/rpc/echosync_disconnect', { id => $other->{lofty} })->{status}, 404, "DELETE of another's: 404");
	is(as($user, 'POST', '/rpc/echosync_disconnect', { id => $user->{lofty} })->{status}, 200, 'DELETE integrations/:id');
	is_deeply(as($user, 'GET', '/crm_integrations')->{body}, [], 'and it is gone');
});

$t->behaviour('a lead inserted through the API is sent; sync, runs, logs, preview', sub {
	my $user = new_user();
	my $id = $t->sql("SET echosync.capture = off; INSERT INTO leads (user_id, phone, first_name, risk_score)"
		. " VALUES ('$user->{id}', '" . $t->new_phone . "', 'Rest', 5) RETURNING id");

	my $r = as($user, 'GET', "/rpc/echosync_preview?id=$user->{lofty}&lead_id=$id");
	like(join(' ', map { $_->{method} } @{ $r->{body} }), qr/POST/, 'preview by GET');
	$r = as($user, 'POST', '/rpc/echosync_manual_sync', { id => $user->{lofty}, lead_ids => ["$id"] });
	is($r->{body}{queued}, 1, 'POST integrations/:id/sync');
	my $run = $r->{body}{run_id};
	$t->drain($user);
	is(scalar $t->records($user, 'lofty'), 1, 'the lead is in the CRM');
	is(as($user, 'GET', "/echosync_runs?run_id=eq.$run")->{body}[0]{done}, 1, 'the run is done');
	$r = as($user, 'GET', "/rpc/echosync_sync_logs?id=$user->{lofty}&max_rows=10");
	is_deeply([ map { "$_->{lead_id} $_->{status}" } @{ $r->{body} } ], ["$id success"], 'GET integrations/:id/logs');
	is_deeply(as($user, 'GET', "/rpc/echosync_sync_logs?id=$user->{lofty}&before_id=$r->{body}[0]{id}")->{body}, [], 'its next page');
	is(as($user, 'GET', '/rpc/echosync_sync_logs')->{body}[0]{lead_id}, "$id", 'GET logs');
	is(as($user, 'GET', '/rpc/echosync_sync_logs?status={failed,skipped}')->{body}[0], undef, 'by status');
	is(as($user, 'GET', "/echosync_status")->{body}[0]{queued}, 0, 'status');
	is(as($user, 'POST', '/rpc/echosync_retry_failed', { id => $user->{lofty} })->{body}, 0, 'retry: nothing to do');
	is(as($user, 'POST', '/rpc/echosync_discard_failed', { id => $user->{lofty} })->{body}, 0, 'discard: nothing to do');
});

$t->behaviour('OAuth: authorize by POST, callback by POST and by GET', sub {
	my $user = $t->user;
	my $r = as($user, 'POST', '/rpc/echosync_oauth_authorize', {});
	my $back = $t->visit($user, $r->{body});

	$r = as($user, 'POST', '/rpc/echosync_oauth_callback', { %$back{qw(code state response)} });
	is($t->integration($r->{body})->{user_id}, $user->{id}, 'the page of the application posts what it got');

	# The browser comes straight from the CRM: no JWT, so role anon, and READ ONLY.
	$back = $t->visit($user, as($user, 'POST', '/rpc/echosync_oauth_authorize', {})->{body});
	my $path = "/rpc/echosync_oauth_callback?response=$back->{response}&code=$back->{code}&state=$back->{state}";
	is($rest->request('GET', $path)->{status}, 401, 'anon needs the level');
	$t->sql("SELECT echosync_grant('anon')");
	$r = $rest->request('GET', $path);
	is($t->integration($r->{body})->{user_id}, $user->{id}, 'then the state says whose it is');
	is($rest->request('GET', $path)->{status}, 404, 'once');
	$t->configure('echosync.app_url' => 'https://app.example/crm');
	is_deeply([ @{ $rest->request('GET', $path) }{qw(status)} ], [303], 'with echosync.app_url: a redirect');
	is($rest->request('GET', '/rpc/echosync_oauth_callback?response=denied')->{headers}{location},
		'https://app.example/crm?echosync=error&reason=denied', 'also when consent was denied');
	$t->deconfigure('echosync.app_url');
});

$t->behaviour('the webhook: by anon, with the secret in a header', sub {
	my $user = new_user();
	my $lead = { id => 'w-1', phone => $t->new_phone, first_name => 'Hook', risk_score => 3 };
	my $post = sub { $rest->request('POST', '/rpc/echosync_webhook_lead_created',
		body => { user_id => $user->{id}, lead => $lead }, headers => { 'X-Webhook-Secret' => $_[0] }) };

	my $r = $post->('wrong');
	is($r->{status}, 401, 'a wrong secret: 401');
	is($r->{body}{success}, FALSE, 'success: false');
	$r = $post->('webhook-secret-1');
	is($r->{status}, 202, 'accepted');
	is($r->{body}{queued}, 1, 'queued');
	$t->drain($user);
	is(scalar $t->records($user, 'lofty'), 1, 'and sent');
});

$t->behaviour('who is nobody, and who has not been granted anything', sub {
	my $user = new_user();

	for my $claims ({ role => 'authenticated' }, { role => 'authenticated', sub => '' })
	{
		is($rest->request('GET', "/rpc/echosync_get_integration?id=$user->{lofty}", claims => $claims)->{status}, 403, 'no sub: 403');
		is_deeply($rest->request('GET', '/crm_integrations', claims => $claims)->{body}, [], 'and no rows');
	}
	$t->sql(q{CREATE ROLE bystander NOLOGIN; GRANT bystander TO authenticator});
	is($rest->request('GET', '/crm_integrations', claims => { role => 'bystander', sub => $user->{id} })->{status}, 403, 'a role without a level: 403');
	is($rest->request('POST', '/rpc/echosync_connect', claims => claims($user), body => { crm_type => 'lofty', key => 'x' })->{status}, 404,
		'an argument that the function does not have: 404');
	is($rest->request('GET', '/echosync_metrics', claims => claims($user))->{body}[0], undef, 'metrics: not for users');
	$t->sql(q{CREATE ROLE watcher NOLOGIN; GRANT watcher TO authenticator; SELECT echosync_grant('watcher', 'monitor')});
	my $metrics = $rest->request('GET', '/echosync_metrics', claims => { role => 'watcher' });
	is_deeply([ map { $_->{value} } grep { $_->{name} eq 'echosync_worker_up' } @{ $metrics->{body} } ], [1], 'metrics: for level monitor');
	is(scalar(grep { !$_->{ok} } @{ $rest->request('GET', '/rpc/echosync_doctor', claims => { role => 'watcher' })->{body} }), 0, 'the doctor too, by GET');
});

$t->done;
