#!/usr/bin/env perl
# A worker in a language without an SDK: the least that docs/PROTOCOL.md asks for, and cancellation.
use strict;
use warnings;
use JSON::PP;
use Time::HiRes qw(sleep);

# Descriptor 3 is the parent speaking, 4 is us; perl keeps both from what we may start.
my ($in_fd, $out_fd) = split /,/, delete $ENV{TROUPE_PROTOCOL_FDS};
open my $in,  '<&=', $in_fd  or die "no descriptor $in_fd: $!";
open my $out, '>&=', $out_fd or die "no descriptor $out_fd: $!";
my $json = JSON::PP->new->utf8->allow_nonref;
my (%cancelled, @jobs, $shutdown);

my %handlers = (
    words => sub { my ($args) = @_; return scalar(() = $args->{text} =~ /\S+/g) },
    fail  => sub { die "nothing to be done\n" },
    # A long job listens while it works; die with a reference where it was told to stop.
    tick => sub {
        my ($args, $id) = @_;
        for (1 .. $args->{times}) {
            sleep 0.01;
            hear() while waiting();
            die \'cancelled' if $cancelled{$id} || $shutdown;
        }
        return $args->{times};
    },
);

# Exactly so many bytes: a read may give fewer.
sub take {
    my ($size) = @_;
    my $bytes = '';
    while (length $bytes < $size) {
        my $got = sysread $in, $bytes, $size - length $bytes, length $bytes;
        next if !defined $got && $!{EINTR};
        next if $got;
        exit 0 if $shutdown;
        # The parent is gone: so are we, with all that we have started.
        kill 'KILL', -$$;
    }
    return $bytes;
}

sub answer {
    my $body = $json->encode({@_});
    my $frame = pack('N', length $body) . $body;
    while (length $frame) {
        my $written = syswrite $out, $frame;
        next if !defined $written && $!{EINTR};
        exit 0 if !defined $written;
        substr($frame, 0, $written) = '';
    }
}

sub waiting { vec(my $set = '', $in_fd, 1) = 1; return select($set, undef, undef, 0) > 0 }

# Takes one message. Only jobs wait.
sub hear {
    my $message = $json->decode(take(unpack 'N', take(4)));
    my ($kind, $id) = @$message{qw(kind id)};
    if ($kind eq 'hello') {
        answer(kind => 'ready', protocol => 1, pid => $$, capabilities => [], handlers => [sort keys %handlers]);
    }
    elsif ($kind eq 'ping')     { answer(kind => 'pong', id => $id) }
    elsif ($kind eq 'cancel')   { $cancelled{$id} = 1 }
    elsif ($kind eq 'run')      { push @jobs, $message }
    elsif ($kind eq 'shutdown') { $shutdown = 1 }
}

until ($shutdown) {
    hear();
    while (my $job = shift @jobs) {
        my $id = $job->{id};
        my $value = eval { $handlers{ $job->{name} }->($job->{args}, $id) };
        my $error = $@;
        delete $cancelled{$id};
        if (ref $error)  { answer(kind => 'cancelled', id => $id) }
        elsif ($error) { answer(kind => 'error', id => $id, type => 'die', message => $error, traceback => '') }
        else           { answer(kind => 'result', id => $id, value => $value) }
    }
}
