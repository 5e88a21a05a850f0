# The env file: who may own and read it, how it is read, what is said of a
# mistake in it, when it is read again.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncFaults;
use Fcntl qw(:mode);
use POSIX qw(mkfifo);
use Test::More;

my $t = EchosyncFaults->start;
my $file = $t->env_file;
my $KEY = '0123456789abcdef' x 4;
my $SALT = 'fedcba9876543210';
my $GOOD = "INTEGRATION_ENCRYPTION_KEY=$KEY\nINTEGRATION_ENCRYPTION_SALT=$SALT\n";

# What the server says of the file as it is now; undef: nothing is wrong.
sub problem
{
	$t->reload;
	my ($row) = $t->rows("SELECT ok, detail FROM echosync_doctor() WHERE check_name = 'secrets'");

	return $row->{ok} ? undef : $row->{detail};
}

# The file is there, or what else goes by its name.
sub with_file
{
	my ($make) = @_;

	unlink $file;
	$make->();
	my $problem = problem();
	rmdir $file if -d $file;
	unlink $file;
	return $problem;
}

# A file that anybody could have made: it is read and found wanting, not refused.
my $READ = qr/^line 1 of ".*" is not of the form NAME=value$/;

$t->behaviour('owner and mode are those that PostgreSQL asks of its key files', sub {
	for my $mode (0600, 0400)
	{
		is(with_file(sub { $t->write_raw_env_file($GOOD, $mode) }), undef, sprintf '%04o, ours: read', $mode);
	}
	for my $mode (0640, 0604, 0660, 0606, 0644, 0666, 0610, 0601, 0620, 0602, 0700 | 0070)
	{
		like(with_file(sub { $t->write_raw_env_file($GOOD, $mode) }), qr/^"\Q$file\E" has group or world access; make it 0600, or 0640 if owned by root$/, sprintf '%04o, ours: refused', $mode);
	}

	# Files of root, as any system has them.
	my ($open) = grep { my @s = stat; @s && $s[4] == 0 && $s[2] & S_IROTH } '/etc/passwd', '/etc/os-release';
	like(with_file(sub { symlink $open, $file or die "symlink: $!" }), qr/has group or world access/, 'of root, for all to read: refused');
	my ($group) = grep { my @s = stat; @s && $s[4] == 0 && !($s[2] & (S_IRWXO | S_IWGRP | S_IXGRP)) && -r } glob '/etc/ssl/private/*.key /etc/*';
	SKIP:
	{
		skip 'no file of root that only its group, which is ours, may read', 1 unless defined $group && $> != 0;
		like(with_file(sub { symlink $group, $file or die "symlink: $!" }), $READ, 'of root, for the group to read: read');
	}
	my ($strange) = grep { my @s = stat; @s && S_ISREG($s[2]) && $s[4] != 0 && $s[4] != $> && -r } glob '/var/log/* /var/lib/*/* /var/cache/*/* /run/*/*';
	SKIP:
	{
		skip 'no file of another user that we may read', 1 unless defined $strange;
		like(with_file(sub { symlink $strange, $file or die "symlink: $!" }), qr/must be owned by the database server's user or by root/, "another user's: refused");
	}
});

$t->behaviour('what is no file is refused, without waiting for it', sub {
	like(with_file(sub { }), qr/^could not open "\Q$file\E": No such file or directory$/, 'nothing');
	like(with_file(sub { mkdir $file or die "mkdir: $!" }), qr/is not a regular file$/, 'a directory');
	like(with_file(sub { mkfifo($file, 0600) or die "mkfifo: $!" }), qr/is not a regular file$/, 'a pipe');
	like(with_file(sub { symlink '/dev/zero', $file or die "symlink: $!" }), qr/is not a regular file$/, 'a device');
	like(with_file(sub { symlink "$file.none", $file or die "symlink: $!" }), qr/No such file or directory$/, 'a link to nothing');
	is(with_file(sub { $t->write_raw_env_file($GOOD); rename $file, "$file.real"; symlink "$file.real", $file }), undef, 'a link to a good one is followed');
	like(with_file(sub { $t->write_raw_env_file($GOOD . '#' x 70_000) }), qr/is larger than 64 kB$/, 'one that is too large');
	unlink "$file.real";
});

# Text after the two good lines, and what is said; undef: it is read.
my @LINES = (
	[ 'a comment, blank lines, names of others', "\n  # NOT A NAME\n\t\nDATABASE_URL=postgres://x\nPATH = a=b=c\n", undef ],
	[ 'export, spaces, quotes', "export WEBHOOK_SECRET = \"a b\" \n  FOLLOWUPBOSS_CLIENT_ID='c d'\n", undef ],
	[ 'lines that end as on Windows', "WEBHOOK_SECRET=x\r\nFOLLOWUPBOSS_CLIENT_ID=y\r\n", undef ],
	[ 'no end of the last line', 'WEBHOOK_SECRET=x', undef ],
	[ 'an empty value', "WEBHOOK_SECRET=\n", undef ],
	[ 'half a line', "# c\ncanary-half\n", qr/^line 4 of ".*" is not of the form NAME=value$/ ],
	[ 'no name', "=canary-no-name\n", qr/^line 3 of ".*" has no name before "="$/ ],
	[ 'a quote that is open', "\n\nWEBHOOK_SECRET=\"canary-open\n", qr/^line 5 of ".*" has a quote that is not closed$/ ],
	[ 'quotes of two kinds', "WEBHOOK_SECRET='canary-kinds\"\n", qr/^line 3 of ".*" has a quote that is not closed$/ ],
	[ 'a quote alone', "WEBHOOK_SECRET='\n", qr/^line 3 of ".*" has a quote that is not closed$/ ],
	[ 'a NUL byte', "WEBHOOK_SECRET=canary\0nul\n", qr/^line 3 of ".*" holds a NUL byte$/ ],
	[ 'a name twice', "WEBHOOK_SECRET=canary-first\nX=1\nWEBHOOK_SECRET=canary-second\n", qr/^line 5 of ".*" sets a name that an earlier line has set$/ ],
	[ 'too many', 'WEBHOOK_SECRET=' . join(',', map { "canary-$_" } 1 .. 5) . "\n", qr/^line 3 of ".*" lists too many values$/ ],
	[ 'a previous key that is none', "INTEGRATION_ENCRYPTION_KEY_PREVIOUS=$KEY,canary-key\n", qr/^INTEGRATION_ENCRYPTION_KEY_PREVIOUS holds a key that is not 64 hexadecimal digits$/ ],
	[ 'half of a pair', "FOLLOWUPBOSS_SYSTEM_KEY=canary-system\n", qr/^FOLLOWUPBOSS_SYSTEM_NAME and FOLLOWUPBOSS_SYSTEM_KEY must be set together$/ ]);
my @FILES = (
	[ 'a key that is too short', "INTEGRATION_ENCRYPTION_KEY=canary\nINTEGRATION_ENCRYPTION_SALT=$SALT\n", qr/^INTEGRATION_ENCRYPTION_KEY is not 64 hexadecimal digits$/ ],
	[ 'a key with another digit', 'INTEGRATION_ENCRYPTION_KEY=' . 'g' x 64 . "\nINTEGRATION_ENCRYPTION_SALT=$SALT\n", qr/^INTEGRATION_ENCRYPTION_KEY is not 64/ ],
	[ 'a key without salt', "INTEGRATION_ENCRYPTION_KEY=$KEY\n", qr/^INTEGRATION_ENCRYPTION_SALT is not set$/ ],
	[ 'an empty file', '', qr/^INTEGRATION_ENCRYPTION_KEY is not set$/ ]);

$t->behaviour('a mistake is named with its line and never with its value', sub {
	my $user = $t->user;

	for my $case ((map { [ $_->[0], $GOOD . $_->[1], $_->[2] ] } @LINES), @FILES)
	{
		my ($name, $text, $expected) = @$case;
		my $problem = with_file(sub { $t->write_raw_env_file($text) });

		defined $expected ? like($problem, $expected, $name) : is($problem, undef, "$name: read");
	}
	$t->write_env_file(WEBHOOK_SECRET => 'in-force-1');
	$t->reload;
	is(join("\n", grep { /canary|in-force|\Q$KEY\E|\Q$SALT\E/ } split /\n/, $t->log_text), '', 'no value is in the log');
	like($t->log_text, qr/secrets not usable: line 4 of/, 'where the mistakes are');
	is($t->sql("SELECT count(*) FROM echosync_doctor() d WHERE d::text ~ 'canary|in-force|$KEY|$SALT'"), '0', 'or with the doctor');
	is($t->sql("SELECT count(*) FROM pg_settings s, pg_file_settings f WHERE concat(s, f) ~ 'canary|in-force|$KEY|$SALT'"), '0', 'or in a setting');
});

sub webhook_works
{
	my ($secret, $session) = @_;
	my $sql = qq(SET request.headers = '{"x-webhook-secret": "$secret"}'; SELECT echosync_webhook_lead_created('{"user_id": "nobody", "leads": []}')->>'success');

	return $session ? do { my ($found) = $session->query_safe($sql) =~ /(true|false)/; $found } : $t->sql_as(undef, $sql);
}

$t->behaviour('it is read again on reload, by sessions that are there and by new ones, and not before', sub {
	my $session = $t->session_as(undef);

	$t->write_env_file(WEBHOOK_SECRET => 'one');
	$t->reload;
	is(webhook_works('one', $session), 'true', 'a session knows the secret');
	$t->write_env_file(WEBHOOK_SECRET => 'two, three');
	is(webhook_works('one', $session), 'true', 'the file has changed: the old one is good until the reload');
	$t->reload;
	is(webhook_works('one', $session), 'false', 'after it, the old one is not');
	is(webhook_works($_, $session), 'true', "and $_ is") for 'two', 'three';
	is(webhook_works('one'), 'false', 'so it is for a new session');
	is(webhook_works('two'), 'true', 'with the new secret, too');
	is(webhook_works('two, three'), 'false', 'a list is not a secret');
	$session->quit;
});

$t->behaviour('turned bad at a reload: what was in force stays so, for sessions and workers that start later too, and it is said', sub {
	my $user = $t->user(lofty => 1);
	my $other = $t->user;

	$t->write_env_file(WEBHOOK_SECRET => 'good');
	$t->reload;
	my $log = length $t->log_text;
	for my $bad ([ sub { $t->write_raw_env_file("${GOOD}WEBHOOK_SECRET=canary-bad\nhalf a line\n") }, qr/^line 4 of/ ], [ sub { chmod 0644, $file }, qr/has group or world access/ ],
		[ sub { unlink $file }, qr/could not open/ ], [ sub { $t->write_env_file(INTEGRATION_ENCRYPTION_KEY => 'canary') }, qr/is not 64 hexadecimal/ ])
	{
		my ($spoil, $why) = @$bad;

		$spoil->();
		like(problem(), $why, 'the doctor says what is wrong');
		is(webhook_works('good'), 'true', 'a session that starts now has the secrets in force');
		is(webhook_works('canary-bad'), 'false', 'and none of the bad file');
		like($t->connect_lofty($other), qr/^[0-9a-f-]{36}$/, 'it can connect');
		$t->sql('SELECT pg_terminate_backend(pid) FROM echosync_workers');
		$t->wait_for_worker;
		$t->lead($user);
		$t->drain($user);
		pass('a worker that starts now sends');
	}
	is($t->n_records($user, 'lofty'), 4, 'all are there');
	like(substr($t->log_text, $log), qr/secrets not usable: $_/, 'the log says what was wrong') for 'line 4 of', '".*" has group', 'could not open', 'INTEGRATION_ENCRYPTION_KEY is not 64';
	unlike(substr($t->log_text, $log), qr/canary/, 'and quotes nothing');
	$t->write_env_file(WEBHOOK_SECRET => 'better');
	is(problem(), undef, 'put right, the doctor is content');
	is(webhook_works('better'), 'true', 'and the new secret is in force');
});

$t->behaviour('without a file the environment of the server is what counts; a name in the file goes first', sub {
	my $user = $t->user;

	local @ENV{qw(INTEGRATION_ENCRYPTION_KEY INTEGRATION_ENCRYPTION_SALT WEBHOOK_SECRET)} = ($KEY, $SALT, 'of-the-environment');
	$t->sql("ALTER SYSTEM SET echosync.env_file = ''");
	$t->node->restart;
	is($t->sql("SELECT detail FROM echosync_doctor() WHERE check_name = 'secrets'"), "read from the server's environment", 'the doctor says so');
	is(webhook_works('of-the-environment'), 'true', 'its secret is good');
	like($t->connect_lofty($user), qr/^[0-9a-f-]{36}$/, 'and its key');
	$t->write_env_file(WEBHOOK_SECRET => 'of-the-file', INTEGRATION_ENCRYPTION_KEY => undef, INTEGRATION_ENCRYPTION_SALT => undef);
	$t->sql('ALTER SYSTEM RESET echosync.env_file');
	$t->reload;
	is(webhook_works('of-the-file'), 'true', "the file's secret goes first");
	is(webhook_works('of-the-environment'), 'false', 'and the other is no longer one');
	$t->lead($user);
	$t->drain($user);
	is($t->n_records($user, 'lofty'), 1, 'what the file does not name is still of the environment');
	$t->log_lacks('of-the-environment', 'no secret of the environment is in the log');
	delete local @ENV{qw(INTEGRATION_ENCRYPTION_KEY INTEGRATION_ENCRYPTION_SALT WEBHOOK_SECRET)};
	$t->write_env_file;
	$t->node->restart;
});

# Where these bytes are in a process: how often in memory that a core dump
# leaves out, and the mappings of those that one would have.
sub found_in
{
	my ($pid, @needles) = @_;
	my ($start, $end, $what);
	my ($left_out, @dumped) = (0);

	open(my $maps, '<', "/proc/$pid/smaps") or die "smaps of $pid: $!";
	open(my $memory, '<:raw', "/proc/$pid/mem") or die "memory of $pid: $!";
	while (my $line = <$maps>)
	{
		($start, $end, $what) = (hex $1, hex $2, $line) if $line =~ /^([0-9a-f]+)-([0-9a-f]+) rw/;
		$start = undef if $line =~ /^[0-9a-f]+-[0-9a-f]+ (?!rw)/;
		next unless defined $start && $line =~ /^VmFlags:(.*)/;
		my $dumped = $1 !~ /\bdd\b/;
		next if $end - $start > 2**30;      # a sanitizer's own, terabytes of nothing
		sysseek $memory, $start, 0;
		my $got = sysread $memory, my $bytes, $end - $start;
		next unless $got;
		for my $i (grep { index($bytes, $needles[$_]) >= 0 } 0 .. $#needles)
		{
			$dumped ? push(@dumped, "secret $i in $what") : $left_out++;
		}
	}
	return ($left_out, join '', @dumped);
}

$t->behaviour('no key and no secret is in memory that a core dump would hold', sub {
	my $user = $t->user(lofty => 1);
	my $session = $t->session_as(undef);
	my $derived = `python3 -c "import hashlib; print(hashlib.scrypt(b'$KEY', salt=b'$SALT', n=16384, r=8, p=1, maxmem=1 << 26, dklen=32).hex())"`;
	my @secrets = ($KEY, 'of-the-core-dump', 'client-of-the-core-dump', pack 'H*', $derived =~ s/\s//gr);

	$t->write_env_file(WEBHOOK_SECRET => $secrets[1], FOLLOWUPBOSS_CLIENT_SECRET => $secrets[2]);
	$t->reload;
	$t->lead($user);
	$t->drain($user);
	is(webhook_works('wrong', $session), 'false', 'a session has read the secrets');
	$session->query_safe('RESET ROLE');
	$session->query_safe('SELECT echosync_decrypt(echosync_encrypt($$x$$))');
	my %pids = (worker => $t->sql('SELECT pid FROM echosync_workers'), postmaster => (split /\n/, PostgreSQL::Test::Utils::slurp_file($t->node->data_dir . '/postmaster.pid'))[0],
		session => $session->query_safe('SELECT pg_backend_pid()'));
	SKIP:
	{
		skip 'the memory of other processes may not be read', 1 unless open(my $memory, '<', "/proc/$pids{worker}/mem");
		for my $name (sort keys %pids)
		{
			my ($left_out, $dumped) = found_in($pids{$name} =~ s/\D//gr, @secrets);

			cmp_ok($left_out, '>=', $name eq 'postmaster' ? 3 : 4, "$name: it has them");
			is($dumped, '', 'where no core dump has them');
		}
	}
	$session->quit;
});

$t->done;
