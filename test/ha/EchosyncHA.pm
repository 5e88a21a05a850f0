# Two PostgreSQL servers under Patroni with etcd on loopback ports, in the place
# of the one server that EchosyncTest starts, and the ways in which a leader
# ends.
#
#   my $t = EchosyncHA->start(settings => { 'echosync.uncertain_wait' => '2s' });
#   my $old = $t->leader;
#   $t->kill_machine($old);
#   my $new = $t->wait_for_leader(not => $old);
#   $t->start_node($old);
#   $t->wait_for_sync_standby;
#
# The verbs of EchosyncTest and EchosyncFaults work: they connect as an
# application should, with both servers in the connection string and
# target_session_attrs=read-write.
package EchosyncHA;

use strict;
use warnings;

use HTTP::Tiny;
use IO::Socket::INET;
use JSON::PP ();
use POSIX qw(:sys_wait_h setsid);
use Test::More;
use Time::HiRes qw(time usleep);

use EchosyncFaults;
use PostgreSQL::Test::Utils ();

our @ISA = ('EchosyncFaults');
our @EXPORT = @EchosyncFaults::EXPORT;

use constant { TTL => 20 };    # seconds; the shortest lease that Patroni allows

my $JSON = JSON::PP->new->utf8->canonical;
my @all;

# ------------------------------------------------------------------------
# Start and end
# ------------------------------------------------------------------------

# Options: synchronous => 0, for replication that does not wait; settings => {},
# more settings of the servers.
sub _start_cluster
{
	my ($self) = @_;

	push @all, $self;
	$self->{node} = $self;
	$self->{names} = [qw(n1 n2)];
	$self->{ports}{etcd} = _free_port();
	$self->_start_etcd;
	for my $name (@{ $self->{names} })
	{
		$self->{of}{$name} = { pg => _free_port(), rest => _free_port(), data => "$self->{dir}/$name",
			log => "$PostgreSQL::Test::Utils::log_path/$name.log" };
		$self->_configure_node($name);
		$self->start_node($name);
		$self->wait_for_leader if $name eq 'n1';    # which makes the cluster
	}
	$self->wait_for_sync_standby;
	return;
}

sub _free_port
{
	my $socket = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', LocalPort => 0)
	  or die "no port: $!";

	return $socket->sockport;
}

# A child in a session of its own, with its output in a log.
sub _spawn
{
	my ($log, @command) = @_;
	my $pid = fork;

	die "fork: $!" unless defined $pid;
	return $pid if $pid;
	setsid();
	open(STDIN, '<', '/dev/null');
	open(STDOUT, '>>', $log);
	open(STDERR, '>&', \*STDOUT);
	delete @ENV{ grep { /^PG/ } keys %ENV };
	exec @command or POSIX::_exit(127);
}

# Patroni 3 renews its lease by API v3 with a plain write: a leader that stood
# still takes the lead back from the one that has it now.  By v2 it compares.
sub _etcd_api
{
	my ($major) = `patroni --version` =~ /(\d+)/;

	return $major < 4 ? 'etcd' : 'etcd3';
}

sub _start_etcd
{
	my ($self) = @_;
	my $client = "http://127.0.0.1:$self->{ports}{etcd}";
	my $peer = 'http://127.0.0.1:' . _free_port();

	$self->{etcd} = _spawn("$PostgreSQL::Test::Utils::log_path/etcd.log", 'etcd', '--name', 'e1', '--data-dir', "$self->{dir}/etcd",
		'--listen-client-urls', $client, '--advertise-client-urls', $client, '--listen-peer-urls', $peer,
		'--initial-advertise-peer-urls', $peer, '--initial-cluster', "e1=$peer", _etcd_api() eq 'etcd' ? '--enable-v2' : ());
	$self->wait_until('etcd is up', sub { HTTP::Tiny->new(timeout => 2)->get("$client/health")->{success} });
	return;
}

sub _configure_node
{
	my ($self, $name) = @_;
	my $of = $self->{of}{$name};
	chomp(my $bindir = `pg_config --bindir`);
	my %login = map { ($_ => { username => 'postgres', password => 'unused' }) } qw(superuser replication rewind);
	my %config = (
		scope => 'echosync',
		name => $name,
		restapi => { listen => "127.0.0.1:$of->{rest}", connect_address => "127.0.0.1:$of->{rest}" },
		_etcd_api() => { host => "127.0.0.1:$self->{ports}{etcd}" },
		bootstrap => {
			dcs => {
				ttl => TTL,
				loop_wait => 1,
				retry_timeout => 5,
				synchronous_mode => defined $self->{options}{synchronous} && !$self->{options}{synchronous} ? FALSE : TRUE,
				master_start_timeout => 0,      # a leader that crashed is replaced, not started
				primary_start_timeout => 0,
				postgresql => { use_pg_rewind => TRUE, use_slots => TRUE },
			},
			initdb => [ { encoding => 'UTF8' }, { locale => 'C.UTF-8' }, 'data-checksums', 'no-sync' ],
		},
		postgresql => {
			listen => "127.0.0.1:$of->{pg}",
			connect_address => "127.0.0.1:$of->{pg}",
			data_dir => $of->{data},
			bin_dir => $bindir,
			pgpass => "$self->{dir}/pgpass.$name",
			authentication => \%login,
			pg_hba => [ 'local all all trust', 'host all all 127.0.0.1/32 trust', 'host replication all 127.0.0.1/32 trust' ],
			parameters => {
				unix_socket_directories => $self->{dir},
				shared_preload_libraries => 'echosync',
				log_line_prefix => "%m [%p] $name ",
				fsync => 'off',                 # no machine loses power here
				'echosync.env_file' => $self->env_file,
				'echosync.ca_file' => $self->{ca_file},
				'echosync.lofty_api_url' => $self->lofty_url,
				'echosync.followupboss_api_url' => $self->fub_url,
				'echosync.followupboss_app_url' => $self->fub_app_url,
				'echosync.redirect_url' => 'https://cb.example/fub',
				'echosync.lofty_rate_limit' => '1000000',
				'echosync.followupboss_rate_limit' => '1000000',
				'echosync.retry_base_delay' => '50ms',
				%{ $self->{options}{settings} || {} },
			},
		},
	);

	$of->{config} = "$self->{dir}/$name.yml";       # JSON is YAML
	open(my $out, '>', $of->{config}) or die "could not write $of->{config}: $!";
	print $out $JSON->encode(\%config);
	close $out;
	return;
}

sub start_node
{
	my ($self, $name) = @_;
	my $of = $self->{of}{$name};

	$of->{patroni} = _spawn($of->{log}, 'patroni', $of->{config});
	return;
}

# What is asked of the object that EchosyncTest has for its server.
sub connstr
{
	my ($self, $database) = @_;
	my @ports = map { $self->{of}{$_}{pg} } @{ $self->{names} };

	return 'host=' . join(',', map { '127.0.0.1' } @ports) . ' port=' . join(',', @ports)
	  . " dbname=$database connect_timeout=3 target_session_attrs=read-write user=postgres";
}

# One node alone, whether it leads or not: what a query returns, or undef.
sub try_sql_on
{
	my ($self, $name, $sql) = @_;
	my ($out, $err) = ('', '');

	IPC::Run::run([ 'timeout', '5', 'psql', '-XAtq', '-d',
			"host=127.0.0.1 port=$self->{of}{$name}{pg} dbname=postgres user=postgres connect_timeout=3", '-c', $sql ],
		'<', '/dev/null', '>', \$out, '2>', \$err)
	  or return;
	chomp $out;
	return $out;
}

sub log_text
{
	my ($self) = @_;

	return join '', map { PostgreSQL::Test::Utils::slurp_file($self->{of}{$_}{log}) } @{ $self->{names} };
}

sub stop
{
	my ($self) = @_;

	for my $name (reverse @{ $self->{names} })
	{
		my $of = $self->{of}{$name};

		kill 'CONT', $self->pids($name);
		kill 'TERM', $of->{patroni} if $of->{patroni};
		$self->wait_until("$name has stopped", sub { _is_gone($of->{patroni}) });
	}
	$self->_kill_all;
	return;
}

sub _is_gone
{
	my ($pid) = @_;

	return 1 unless $pid;
	waitpid $pid, WNOHANG;
	return !kill 0, $pid;
}

sub _kill_all
{
	my ($self) = @_;

	for my $name (@{ $self->{names} || [] })
	{
		kill 9, $self->pids($name) if $self->{of}{$name};
	}
	kill 9, $self->{etcd} if $self->{etcd};
	$self->{etcd} = undef;
	return;
}

$SIG{$_} = sub { die "ended by a signal\n" } for qw(INT TERM);

END
{
	my $status = $?;

	$_->_kill_all for @all;
	$? = $status;
}

# ------------------------------------------------------------------------
# Processes of a node
# ------------------------------------------------------------------------

# Of a node: its postmaster and what that has started; none without a server.
sub server_pids
{
	my ($self, $name) = @_;
	my $file = "$self->{of}{$name}{data}/postmaster.pid";
	my ($postmaster) = -e $file ? split(/\n/, eval { PostgreSQL::Test::Utils::slurp_file($file) } || '') : ();

	return () unless $postmaster && kill 0, $postmaster;
	return ($postmaster, grep { _parent_of($_) == $postmaster } map { m|/proc/(\d+)$| ? $1 : () } glob '/proc/[0-9]*');
}

sub _parent_of
{
	my ($pid) = @_;

	open(my $in, '<', "/proc/$pid/stat") or return 0;
	my $line = <$in>;
	return defined $line && $line =~ /\) \S (\d+)/ ? $1 : 0;
}

# Patroni first: it must not look on while its server goes.
sub pids
{
	my ($self, $name) = @_;
	my $patroni = $self->{of}{$name}{patroni};

	return ($patroni && !_is_gone($patroni) ? $patroni : (), $self->server_pids($name));
}

# ------------------------------------------------------------------------
# Who leads
# ------------------------------------------------------------------------

sub rest
{
	my ($self, $name, $method, $path, $body) = @_;
	my $reply = HTTP::Tiny->new(timeout => 15)->request($method, "http://127.0.0.1:$self->{of}{$name}{rest}$path",
		{ $body ? (content => $JSON->encode($body), headers => { 'Content-Type' => 'application/json' }) : () });

	return $reply;
}

# The one node whose Patroni says that it leads, and whose server takes writes.
sub leader
{
	my ($self) = @_;
	my @leaders = grep { $self->{of}{$_} && $self->{of}{$_}{patroni} && $self->rest($_, 'GET', '/primary')->{success} }
	  grep { !$self->{unheard}{$_} } @{ $self->{names} };

	return @leaders == 1 ? $leaders[0] : undef;
}

# wait_for_leader(not => $old): one that is another.
sub wait_for_leader
{
	my ($self, %option) = @_;

	return $self->wait_until('there is a leader', sub {
		my $leader = $self->leader;
		return $leader && (!$option{not} || $leader ne $option{not}) ? $leader : undef;
	}, 120);
}

sub other
{
	my ($self, $name) = @_;

	return (grep { $_ ne $name } @{ $self->{names} })[0];
}

# Until the other node has all that the leader has, and may take its place.
sub wait_for_sync_standby
{
	my ($self) = @_;
	my $state = $self->{options}{synchronous} // 1 ? 'sync' : 'async';

	$self->wait_until("there is a standby, $state", sub {
		my $leader = $self->leader or return;
		my $members = $self->rest($self->other($leader), 'GET', '/' . ($state eq 'sync' ? 'sync' : 'replica'));

		return $members->{success}
		  && ($self->try_sql("SELECT count(*) FROM pg_stat_replication WHERE sync_state = '$state' AND state = 'streaming'") || '') eq '1';
	}, 120);
	return;
}

# ------------------------------------------------------------------------
# How a leader ends
# ------------------------------------------------------------------------

# Its server crashes; Patroni lives and gives the lead away.
sub kill_server
{
	my ($self, $name) = @_;

	$self->{crashes}++;
	kill 9, $self->server_pids($name);
	return;
}

# All of it is gone at once; the lease has to run out.
sub kill_machine
{
	my ($self, $name) = @_;

	$self->{crashes}++;
	kill 9, $self->pids($name);
	$self->wait_until('Patroni is gone', sub { _is_gone($self->{of}{$name}{patroni}) });
	$self->{of}{$name}{patroni} = undef;
	return;
}

# All of it stands still, as a virtual machine that is moved does.
sub freeze_machine
{
	my ($self, $name) = @_;

	$self->{unheard}{$name} = 1;
	kill 'STOP', $self->pids($name);
	return;
}

# Patroni alone stands still, and its server goes on as if it led.
sub freeze_patroni
{
	my ($self, $name) = @_;

	$self->{unheard}{$name} = 1;
	kill 'STOP', $self->{of}{$name}{patroni};
	return;
}

sub thaw
{
	my ($self, $name) = @_;

	kill 'CONT', $self->pids($name);
	delete $self->{unheard}{$name};
	return;
}

sub switch_over
{
	my ($self, $from) = @_;
	my $reply = $self->rest($from, 'POST', '/switchover', { leader => $from, candidate => $self->other($from) });

	die "switchover: $reply->{status} $reply->{content}\n" unless $reply->{success};
	return;
}

1;
