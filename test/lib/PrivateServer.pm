# A copy of the installation, in which a test may put install scripts of other
# versions beside the extension's own: no other test sees them.
#
#   use PrivateServer;        # before EchosyncTest, which asks PG_CONFIG
#   PrivateServer::write_script('0.9--1.0.0', 'ALTER TABLE ...');
#
# A server that was moved looks for its files beside its own program: programs
# are copied, all else is links.
package PrivateServer;

use strict;
use warnings;

use File::Temp qw(tempdir);

our ($extensions, $version);
my $pg_config = $ENV{PG_CONFIG} || 'pg_config';
my %dir = map { ($_ => scalar `$pg_config --$_`) } qw(bindir pkglibdir sharedir);
my $tree = tempdir(CLEANUP => 1);

chomp %dir;
for my $name (sort keys %dir)
{
	my $how = $name eq 'bindir' ? '-rL' : '-rs';

	system('sh', '-c', "mkdir -p '$tree$dir{$name}' && cp ${how}T '$dir{$name}' '$tree$dir{$name}'") == 0
	  or die "could not copy $dir{$name}\n";
}
$ENV{PG_CONFIG} = "$tree$dir{bindir}/pg_config";
$extensions = "$tree$dir{sharedir}/extension";
($version) = read_file("$extensions/echosync.control") =~ /default_version *= *'(.*)'/;

sub read_file
{
	my ($file) = @_;

	open my $in, '<', $file or die "could not read $file: $!";
	local $/ = undef;
	return scalar <$in>;
}

# The install script of a version, as it is installed.
sub script { return read_file("$extensions/echosync--$_[0].sql") }

sub write_script
{
	my ($name, $sql) = @_;

	open my $out, '>', "$extensions/echosync--$name.sql" or die "could not write the script $name: $!";
	print $out $sql;
	close $out;
	return;
}

1;
