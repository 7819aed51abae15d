#!/usr/bin/perl
# Takes and releases locks of a file as it is told on standard input, and says how that ended:
#
#   lock r|w START LENGTH try|wait    fcntl(2)
#   unlock START LENGTH
#   test r|w START LENGTH             who is in the way
#   flock try|wait                    flock(2), which is a lock of all on NFS
#   funlock
use strict;
use warnings;
use Fcntl qw(:DEFAULT :flock :seek);

# struct flock of 64-bit Linux.
my $flock = 's s x4 q q i x4';
my %types = (r => F_RDLCK, w => F_WRLCK, u => F_UNLCK);

$| = 1;
sysopen(my $file, $ARGV[0], O_RDWR | O_CREAT) or die "$ARGV[0]: $!";

sub set {
    my ($type, $start, $length, $how) = @_;
    my $command = $how eq 'wait' ? F_SETLKW : F_SETLK;
    return fcntl($file, $command, pack($flock, $types{$type}, SEEK_SET, $start, $length, 0));
}

print "ready\n";
while (my $line = <STDIN>) {
    my ($what, @rest) = split ' ', $line;
    my $done;
    if ($what eq 'lock') {
        $done = set(@rest);
    } elsif ($what eq 'unlock') {
        $done = set('u', @rest, 'try');
    } elsif ($what eq 'flock') {
        $done = flock($file, $rest[0] eq 'wait' ? LOCK_EX : LOCK_EX | LOCK_NB);
    } elsif ($what eq 'funlock') {
        $done = flock($file, LOCK_UN);
    } elsif ($what eq 'test') {
        my $asked = pack($flock, $types{$rest[0]}, SEEK_SET, $rest[1], $rest[2], 0);
        if (fcntl($file, F_GETLK, $asked)) {
            my ($type, undef, $start, $length) = unpack($flock, $asked);
            print $type == F_UNLCK ? "answer: free\n" : "answer: held $start $length\n";
            next;
        }
    } else {
        last;
    }
    print $done ? "answer: done\n" : "answer: failed: $!\n";
}
