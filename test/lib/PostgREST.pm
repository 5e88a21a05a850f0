# PostgREST as the database sees it: the SQL that it sends for a request, and
# how it answers from what comes back.  There is no HTTP here, and no routing
# but /rpc/<function> and /<table or view>.
#
#   my $rest = PostgREST->new($t, schema => 'public');      # $t: an EchosyncTest
#   my $r = $rest->request('POST', '/rpc/echosync_connect', claims => {role => 'authenticated', sub => 'u1'},
#       body => {crm_type => 'lofty', api_key => '...'}, headers => {...});
#   is($r->{status}, 200);  $r->{body}, $r->{headers}{location}, $r->{error}{code}
#
# What is copied from it: the login role with no rights of its own and SET ROLE;
# one transaction, READ ONLY for GET and for functions that are not VOLATILE;
# settings by set_config(..., true), headers with names in lower case; arguments
# by json_to_recordset from the body, or one by one from the query; a function
# with one unnamed json argument gets the whole body; response.status and
# response.headers read back in the query that calls; the map from SQLSTATE to
# HTTP status.
package PostgREST;

use strict;
use warnings;

use JSON::PP ();
use EchosyncTest qw(lit);

my $JSON = JSON::PP->new->allow_nonref->canonical;

sub new
{
	my ($class, $t, %option) = @_;

	return bless { t => $t, schema => $option{schema} || 'public', login => $option{login} || 'authenticator',
		anon => $option{anon} || 'anon' }, $class;
}

# The roles as PostgREST's documentation and Supabase have them.
sub create_roles
{
	my ($self) = @_;

	$self->{t}->sql(<<"SQL");
CREATE ROLE $self->{login} LOGIN NOINHERIT;
CREATE ROLE $self->{anon} NOLOGIN;
CREATE ROLE authenticated NOLOGIN;
GRANT $self->{anon}, authenticated TO $self->{login};
SQL
	return;
}

my %STATUS = (
	'42883' => 404, '42P01' => 404, '42P17' => 500, '25006' => 405, '23503' => 409, '23505' => 409, '53400' => 500,
	'57014' => 500, '22023' => 400, 'P0001' => 400);

sub _status_of
{
	my ($self, $state, $role) = @_;

	return $1 if $state =~ /^PT(\d{3})$/;
	return $role eq $self->{anon} ? 401 : 403 if $state =~ /^(42501|28|0L|0P)/;
	return $STATUS{$state} if $STATUS{$state};
	return 503 if $state =~ /^(53|08)/;
	return 500 if $state =~ /^(25|2D|38|39|3B|40|54|55|57|58|F0|HV|P0|XX)/;
	return 400;
}

sub _function
{
	my ($self, $name) = @_;
	my ($row) = $self->{t}->rows(<<"SQL");
SELECT p.proname AS name, p.provolatile AS volatility, p.proretset AS retset,
       t.typtype = 'c' OR p.proargmodes IS NOT NULL AS composite, t.typname = 'void' AS void,
       coalesce((SELECT json_agg(json_build_object('name', coalesce(p.proargnames[k], ''), 'type', format_type(p.proargtypes[k - 1], NULL),
                                                   'required', k <= p.pronargs - p.pronargdefaults) ORDER BY k)
                   FROM generate_series(1, p.pronargs) k), '[]') AS arguments
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_type t ON t.oid = p.prorettype
 WHERE n.nspname = '$self->{schema}' AND p.proname = ${\lit($name)}
SQL
	return $row;
}

# The call, or nothing when no function takes these arguments (404).
sub _call
{
	my ($self, $function, $method, $query, $body) = @_;
	my @arguments = @{ $function->{arguments} };
	my %known = map { $_->{name} => $_ } @arguments;
	my $name = "\"$self->{schema}\".\"$function->{name}\"";

	return "$name(${\lit($JSON->encode($body))}::$arguments[0]{type})"
	  if $method eq 'POST' && @arguments == 1 && $arguments[0]{name} eq '';
	my %given = $method eq 'POST' ? %{ $body || {} } : %$query;
	return if grep { !$known{$_} } keys %given;
	return if grep { $_->{required} && !exists $given{ $_->{name} } } @arguments;
	return "$name(" . join(', ', map { "\"$_\" := " . lit($given{$_}) . "::$known{$_}{type}" } sort keys %given) . ')'
	  if $method ne 'POST';
	return "$name()" unless %given;
	return sprintf 'json_to_recordset(%s::json) AS _(%s), LATERAL %s(%s)', lit($JSON->encode([$body])),
	  join(', ', map { "\"$_\" $known{$_}{type}" } sort keys %given), $name,
	  join(', ', map { "\"$_\" := _.\"$_\"" } sort keys %given);
}

sub _settings
{
	my ($self, $role, $method, $path, %option) = @_;
	my %headers = map { lc $_ => $option{headers}{$_} } keys %{ $option{headers} || {} };
	my @settings = ([ 'search_path', "\"$self->{schema}\", \"public\"" ], [ 'role', $role ],
		[ 'request.jwt.claims', $JSON->encode({ role => $role, %{ $option{claims} || {} } }) ],
		[ 'request.method', $method ], [ 'request.path', $path ],
		[ 'request.headers', $JSON->encode(\%headers) ], [ 'request.cookies', '{}' ]);

	return 'SELECT ' . join(', ', map { 'set_config(' . lit($_->[0]) . ', ' . lit($_->[1]) . ', true)' } @settings);
}

sub _run
{
	my ($self, $read_only, $settings, $source, $single, $role) = @_;
	my $body = $single ? q{coalesce((json_agg(_postgrest_t)->0)::text, 'null')} : q{coalesce(json_agg(_postgrest_t)::text, '[]')};
	my $sql = join(";\n", 'BEGIN ISOLATION LEVEL READ COMMITTED ' . ($read_only ? 'READ ONLY' : 'READ WRITE'),
		'\o /dev/null' . "\n$settings", '\o' . "\nWITH pgrst_source AS ($source) SELECT json_build_object('body', $body,"
		. q{ 'headers', nullif(current_setting('response.headers', true), ''), 'status', nullif(current_setting('response.status', true), ''))}
		. ' FROM (SELECT * FROM pgrst_source) _postgrest_t', 'COMMIT');
	my ($t) = $self->{t};
	my ($status, $out, $err) = $t->_psql($t->_connstr($self->{login}), $sql, '-v', 'VERBOSITY=verbose');

	if ($status != 0)
	{
		my ($state, $message) = $err =~ /(?:ERROR|FATAL):\s+(\w{5}): (.*)/ or die "PostgREST: $sql\n$err";
		my ($hint) = $err =~ /^HINT:\s+(.*)/m;
		return { status => $self->_status_of($state, $role), headers => {}, error => { code => $state, message => $message, hint => $hint } };
	}
	my $answer = $JSON->decode($out);
	my %headers = map { my ($k) = keys %$_; (lc $k => $_->{$k}) } @{ $JSON->decode($answer->{headers} || '[]') };
	return { status => $answer->{status} || 200, headers => \%headers, body => $JSON->decode($answer->{body}) };
}

# method, path (with its query unescaped), claims, headers, body.
sub request
{
	my ($self, $method, $path, %option) = @_;
	my $role = $option{claims}{role} || $self->{anon};
	my ($where, $rest) = split /\?/, $path, 2;
	my %query = map { my ($k, $v) = split /=/, $_, 2; $k => $v } split /&/, $rest || '';
	my $settings = $self->_settings($role, $method, $where, %option);

	if ($where !~ m{^/rpc/})
	{
		my $order = delete $query{order};
		my $source = 'SELECT * FROM "' . $self->{schema} . '"."' . substr($where, 1) . '"'
		  . join('', map { ($_ eq (sort keys %query)[0] ? ' WHERE ' : ' AND ') . "\"$_\" = " . lit($query{$_} =~ s/^eq\.//r) } sort keys %query)
		  . ($order ? " ORDER BY \"$order\"" : '');
		return $self->_run(1, $settings, $source, 0, $role);
	}
	my $function = $self->_function(substr($where, 5));
	my $call = $function && $self->_call($function, $method, \%query, $option{body});
	return { status => 404, headers => {}, error => { code => 'PGRST202' } } unless $call;
	my $scalar = !$function->{composite};
	my $result = $self->_run($method eq 'GET' || $function->{volatility} ne 'v', $settings,
		'SELECT ' . ($scalar ? 'pgrst_scalar' : 'pgrst_call.*') . ' FROM ' . $call
		. ($scalar ? ' AS pgrst_call(pgrst_scalar)' : ' AS pgrst_call'), !$function->{retset}, $role);

	$result->{body} = ref $result->{body} eq 'HASH' ? $result->{body}{pgrst_scalar} : $result->{body} if $scalar && !$function->{retset};
	return $result;
}

1;
