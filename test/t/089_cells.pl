# What a cell means: the examples of doc/reference.md, each as a row of a table,
# by what the CRMs are given and the log says.
use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use EchosyncTest;
use Test::More;

my $t = EchosyncTest->start;

$t->sql('GRANT CREATE ON SCHEMA public TO app');

sub unescaped
{
	my ($text) = @_;

	$text =~ s/\\u([0-9A-F]{4})/chr hex $1/ge;
	$text =~ s/\\n/\n/g;
	return $text =~ s/\\\|/|/gr;
}

# The table's rows: field, what goes with it, cell, outcome.
sub examples
{
	open my $doc, '<:encoding(UTF-8)', "$FindBin::RealBin/../../doc/reference.md" or die "reference.md: $!";
	my @rows;

	while (<$doc>)
	{
		next unless my ($field, $with, $cell, $outcome) = /^\| (\w+)(?: \((.*?)\))? \| (.*) \| (.*) \|$/;
		next unless $cell =~ /^`.*`$/ || $cell eq '';
		$cell =~ s/^`(.*)`$/$1/;
		push @rows, { field => $field, with => $with, cell => unescaped($cell), outcome => $outcome, line => $. };
	}
	return @rows;
}

my @columns = qw(phone name first_name last_name email address city state zip_code risk_score do_not_contact may_contact tags deleted_at);
my @examples = examples();
my $user = $t->user(lofty => 1, fub => 1);

# The values of an example's row, and what finds its record.
sub row
{
	my ($example, $n) = @_;
	my $field = $example->{field};
	my %row = (risk_score => 5, first_name => $field eq 'name' ? undef : "Lead$n", $field eq 'phone' ? (email => "lead$n\@example.com") : (phone => $t->new_phone));

	$row{address} = "$n Main" if $field =~ /^(?:state|zip_code)$/;
	$row{$1} = $2 if ($example->{with} // '') =~ /^(\w+) (.*)$/;
	$row{$field} = $example->{cell};
	return \%row;
}

sub log_of
{
	my ($n, $crm) = @_;

	return $t->sql("SELECT status || ' ' || coalesce(reason, action) || ' ' || coalesce(crm_record_id, '') FROM crm_sync_logs WHERE user_id = '$user->{id}' AND crm_type = '"
		  . ($crm eq 'fub' ? 'followupboss' : $crm) . "' AND lead_id = '$n'");
}

# A field of the record, as it is in Lofty and in Follow Up Boss.
sub value
{
	my ($record, $crm, $field) = @_;
	my $address = $crm eq 'lofty' ? $record->{properties}[0] : $record->{addresses}[0];
	my @own = @{ $record->{tags} };
	my %value = (
		phone => $crm eq 'lofty' ? $record->{phones}[0] : $record->{phones}[0]{value},
		email => $crm eq 'lofty' ? $record->{emails}[0] : $record->{emails}[0]{value},
		name => join(', ', map { ($record->{$_} // '') =~ /^(?:Unknown)?$/ ? 'none' : $record->{$_} } qw(firstName lastName)),
		first_name => $record->{firstName},
		last_name => $record->{lastName},
		state => $address->{state},
		zip_code => $address->{ $crm eq 'lofty' ? 'zipCode' : 'code' },
		tags => join('; ', grep { !/^Echo Safe/ } @own));
	my $found = $value{$field};

	return !defined $found || $found eq '' || ($crm eq 'lofty' && $field eq 'first_name' && $found eq 'Unknown') ? 'none' : $found;
}

sub check
{
	my ($example, $n, $crm) = @_;
	my ($status, $what, $id) = split ' ', log_of($n, $crm);
	my $name = "$crm: line $example->{line}, $example->{field} $example->{cell}";

	if ($example->{field} =~ /^(?:risk_score|deleted_at|do_not_contact|may_contact)$/)
	{
		return is($status eq 'success' ? 'sent' : $what, $example->{outcome}, $name);
	}
	return is("$status $what", 'success created', "$name: sent") && is(value($t->record($user, $crm, $id), $crm, $example->{field}), $example->{outcome}, $name);
}

cmp_ok(scalar @examples, '>', 120, 'the examples are found');

$t->behaviour('each example is what it says', sub {
	$t->sql_as(undef, 'CREATE TABLE cells (id int PRIMARY KEY, user_id text, ' . join(', ', map { "$_ text" } @columns) . "); SELECT echosync_attach_leads('cells', '{\"may_contact\": [\"may_contact\"]}')");
	for my $n (1 .. @examples)
	{
		my $row = row($examples[ $n - 1 ], $n);

		$t->sql_as(undef, "INSERT INTO cells (id, user_id, " . join(', ', sort keys %$row) . ") VALUES ($n, '$user->{id}', "
			  . join(', ', map { defined $row->{$_} ? lit($row->{$_}) : 'NULL' } sort keys %$row) . ')');
	}
	$t->drain($user);
	for my $crm (qw(lofty fub))
	{
		check($examples[ $_ - 1 ], $_, $crm) for 1 .. @examples;
	}
});

$t->done;
