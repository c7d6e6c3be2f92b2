package fault_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/fault"
)

// dial is the error of package net for a dial to addr that failed in a system
// call.
func dial(call string, errno syscall.Errno, addr string) error {
	to := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(addr))
	return &net.OpError{Op: "dial", Net: "tcp", Addr: to, Err: os.NewSyscallError(call, errno)}
}

func TestExhausted(t *testing.T) {
	lookup := func(text string) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: text, Name: "app", Server: "10.0.0.2:53", IsTemporary: true}}
	}
	for _, test := range []struct {
		name string
		err  error
		want bool
	}{
		{"nothing", nil, false},
		{"EMFILE", dial("socket", syscall.EMFILE, "127.0.0.1:80"), true},
		{"ENFILE", dial("socket", syscall.ENFILE, "127.0.0.1:80"), true},
		{"ENOBUFS", dial("socket", syscall.ENOBUFS, "127.0.0.1:80"), true},
		{"ENOMEM", dial("connect", syscall.ENOMEM, "127.0.0.1:80"), true},
		{"EADDRNOTAVAIL: no local port", dial("connect", syscall.EADDRNOTAVAIL, "127.0.0.1:80"), true},
		{"EMFILE, wrapped", fmt.Errorf("probing: %w", dial("socket", syscall.EMFILE, "127.0.0.1:80")), true},
		{"EMFILE of accept", &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", syscall.EMFILE)}, true},
		{"ENOBUFS amid a connection", &net.OpError{Op: "write", Net: "tcp", Err: os.NewSyscallError("write", syscall.ENOBUFS)}, true},
		{"EMFILE of a lookup", lookup("dial udp 10.0.0.2:53: socket: too many open files"), true},
		{"ENFILE of a lookup", lookup("dial udp 10.0.0.2:53: socket: too many open files in system"), true},
		{"refused", dial("connect", syscall.ECONNREFUSED, "127.0.0.1:80"), false},
		{"a lookup that is refused", lookup("read udp 10.0.0.1:5->10.0.0.2:53: read: connection refused"), false},
		{"no such host", lookup("no such host"), false},
		{"no route", dial("connect", syscall.EHOSTUNREACH, "127.0.0.1:80"), false},
		{"the end", io.EOF, false},
		{"only named so", errors.New("too many open files"), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := fault.Exhausted(test.err); got != test.want {
				t.Errorf("%v: %v, want %v", test.err, got, test.want)
			}
		})
	}
}

func TestNoticeIsOneLineAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		n := &fault.Notice{Log: slog.New(slog.NewJSONHandler(&log, nil))}
		descriptors := dial("socket", syscall.EMFILE, "127.0.0.1:80")
		for range 3 { // seconds 0 to 89
			for range 30 {
				n.Saw(descriptors)
				n.Saw(nil)
				n.Saw(io.EOF)
				time.Sleep(time.Second)
			}
		}
		time.Sleep(time.Minute)
		n.Saw(dial("connect", syscall.EADDRNOTAVAIL, "127.0.0.1:80"))
		var got []string
		for line := range strings.Lines(log.String()) {
			var fields struct {
				Level, Msg, Advice string
				Failures           int
			}
			if err := json.Unmarshal([]byte(line), &fields); err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprint(fields.Level, ": ", fields.Msg, ", ", fields.Failures, ", ", strings.Contains(fields.Advice, "ulimit -n"), strings.Contains(fields.Advice, "ip_local_port_range")))
		}
		want := []string{
			"WARN: out of file descriptors, 1, true false",
			"WARN: out of file descriptors, 60, true false",
			"WARN: out of local ports, 30, false true",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("lines (-want +got):\n%s", diff)
		}
	})
}
