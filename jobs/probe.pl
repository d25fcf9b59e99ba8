#!/usr/bin/perl
# Health check of a database: asks it something in its own protocol, without credentials.
#   perl probe.pl mysql|redis|mongodb|cassandra|bolt HOST PORT
# Exits 0 when the server answered as it should, 2 with one line of reason when not, as Nomad and Consul expect.
# Perl, with nothing beyond Debian's perl-base, because it starts in a few milliseconds: see jobs/README.md for costs.
use strict;
use warnings;
use Socket;

my %probes = (
    mysql     => \&mysql,
    redis     => \&redis,
    mongodb   => \&mongodb,
    cassandra => \&cassandra,
    bolt      => \&bolt,
);

my ($protocol, $host, $port) = @ARGV;
my $probe = $probes{ $protocol // '' };
fail('usage: probe.pl ' . join('|', sort keys %probes) . ' HOST PORT') unless $probe && @ARGV == 3 && $port =~ /^\d+$/;

$SIG{ALRM} = sub { fail("no answer within 3 s") };
$SIG{PIPE} = 'IGNORE';
alarm 3;

my $address = inet_aton($host) or fail("unknown host $host");
socket(my $socket, PF_INET, SOCK_STREAM, 0) or fail("socket: $!");
connect($socket, pack_sockaddr_in($port, $address)) or fail("connect: $!");
binmode $socket;
print "$protocol on $host:$port: ", $probe->(), "\n";
exit 0;

sub fail {
    my ($reason) = @_;
    print join(' ', grep { defined } $protocol && "$protocol:", $reason), "\n";
    exit 2;
}

sub ask {
    my ($bytes) = @_;
    (syswrite($socket, $bytes) // 0) == length $bytes or fail("write: $!");
    return;
}

sub answer {
    my ($length) = @_;
    my $bytes = '';
    while (length $bytes < $length) {
        my $read = sysread $socket, $bytes, $length - length $bytes, length $bytes;
        fail("read: $!") unless defined $read;
        fail('the server closed the connection') unless $read;
    }
    return $bytes;
}

# https://mariadb.com/kb/en/connection/ : a packet is a length (3 bytes), a number and a payload.
sub mysql_packet {
    my ($low, $high, $number) = unpack 'vCC', answer(4);
    return ($number, answer($low + ($high << 16)));
}

sub mysql_error {
    my ($payload) = @_;
    my ($code, $text) = unpack 'x v a*', $payload;
    $text =~ s/^#.....//;
    return "error $code: $text";
}

# A login as a user that does not exist. The server looks it up and refuses (1045): then it answers requests.
# The connection ends by the server's own refusal, which is no aborted one.
sub mysql {
    my (undef, $greeting) = mysql_packet();
    my $version = ord $greeting;
    fail(mysql_error($greeting)) if $version == 0xff;
    fail("protocol $version instead of 10") if $version != 10;
    my ($name) = unpack 'x Z*', $greeting;
    # CLIENT_PROTOCOL_41, CLIENT_SECURE_CONNECTION, CLIENT_PLUGIN_AUTH; utf8mb4; no password.
    my $login = pack 'VVCx23Z*CZ*', 0x200 | 0x8000 | 0x80000, 1 << 24, 45, 'probe', 0, 'mysql_native_password';
    ask(substr(pack('V', length $login), 0, 3) . "\1" . $login);
    my ($number, $payload) = mysql_packet();
    if (ord $payload == 0xfe) {    # Asked to use another method: answer with no password again.
        ask("\0\0\0" . chr($number + 1));
        ($number, $payload) = mysql_packet();
    }
    return $name if ord $payload == 0;
    my $code = ord $payload == 0xff ? unpack('x v', $payload) : 0;
    return $name if $code == 1045 || $code == 1698;
    fail($code ? mysql_error($payload) : 'an unknown answer to a login');
}

# https://redis.io/docs/latest/develop/reference/protocol-spec/
sub redis {
    ask("PING\r\n");
    my $line = '';
    $line .= answer(1) until $line =~ /\r\n\z/ || length $line > 500;
    $line =~ s/\r\n\z//;
    # Refused for want of a login, by a server that has read its data: -LOADING would come first.
    return $line if $line eq '+PONG' || $line =~ /^-NOAUTH /;
    fail($line);
}

# https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/ : {hello: 1, $db: "admin"} as OP_MSG.
sub mongodb {
    my $fields   = "\x10hello\0" . pack('V', 1) . "\x02\$db\0" . pack('V', 6) . "admin\0";
    my $document = pack('V', 4 + length($fields) + 1) . $fields . "\0";
    ask(pack('VVVVVC', 21 + length $document, 1, 0, 2013, 0, 0) . $document);
    my ($length, undef, undef, $code) = unpack 'V4', answer(16);
    fail("opcode $code instead of OP_MSG") if $code != 2013;
    fail("an answer of $length bytes") if $length < 26 || $length > 1 << 20;
    my $reply = answer($length - 16);
    fail('hello was refused') unless index($reply, "\x01ok\0" . pack('d<', 1)) > 0;
    return 'hello is ok';
}

# https://cassandra.apache.org/doc/latest/cassandra/_attachments/native_protocol_v4.html : OPTIONS, then SUPPORTED.
sub cassandra {
    ask(pack 'CCnCN', 4, 0, 0, 5, 0);
    my ($version, undef, undef, $opcode, $length) = unpack 'CCnCN', answer(9);
    fail(sprintf 'version %#x, opcode %d instead of SUPPORTED', $version, $opcode) if $version != 0x84 || $opcode != 6;
    fail("an answer of $length bytes") if $length > 1 << 20;
    answer($length);
    return 'SUPPORTED';
}

# https://neo4j.com/docs/bolt/current/bolt/ : the handshake (version 5.1 or 4.4), HELLO, then GOODBYE.
sub bolt {
    ask("\x60\x60\xb0\x17" . pack('N4', 0x0105, 0x0404, 0, 0));
    my $version = unpack 'N', answer(4);
    fail('no common version of Bolt') if $version != 0x0105 && $version != 0x0404;
    my ($minor, $major) = ($version >> 8 & 0xff, $version & 0xff);
    return "Bolt $major.$minor" if $version != 0x0105;    # In 4.4 HELLO wants a login.
    my $hello = "\xb1\x01\xa1\x8auser_agent\x8cprobe.pl/1.0";
    ask(pack('n', length $hello) . $hello . "\0\0");
    my $length = 0;
    $length = unpack 'n', answer(2) until $length;        # Empty chunks keep a connection alive.
    my $tag = unpack 'x C', answer($length);
    fail(sprintf 'HELLO was answered by %#x', $tag) if $tag != 0x70;
    ask("\0\2\xb0\2\0\0");
    return "Bolt $major.$minor SUCCESS";
}
