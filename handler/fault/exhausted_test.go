//go:build unix

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
	"os/exec"
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
		n := fault.NewNotice(slog.New(slog.NewJSONHandler(&log, nil)))
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

// alone says that this process is one of its own, which may run out of things.
const alone = "FAULT_TEST_ALONE"

// TestExhaustedForReal checks that it is told from what package net makes of it
// that no descriptor is left.
func TestExhaustedForReal(t *testing.T) {
	if os.Getenv(alone) == "" {
		cmd := exec.Command("sh", "-c", `ulimit -n 32 && exec "$0" -test.run "^TestExhaustedForReal$"`, os.Args[0])
		cmd.Env = append(os.Environ(), alone+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused := fault.Exhausted(func() error { _, err := net.Dial("tcp", "127.0.0.1:1"); return err }())
	net.LookupHost("some-name.invalid") // package net reads the resolver's configuration once
	var held []*os.File
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		held = append(held, f)
	}
	for what, try := range map[string]func() error{
		"dial":              func() error { _, err := net.Dial("tcp", "127.0.0.1:1"); return err },
		"dial, by name":     func() error { _, err := net.Dial("tcp", "some-name.invalid:80"); return err },
		"dial, of IPv6":     func() error { _, err := net.Dial("tcp", "[::1]:1"); return err },
		"dial, of a socket": func() error { _, err := net.Dial("unix", "/no/such/socket"); return err },
		"listen":            func() error { _, err := net.Listen("tcp", "127.0.0.1:0"); return err },
	} {
		if err := try(); !fault.Exhausted(err) {
			t.Errorf("%s: %v is not taken for exhaustion", what, err)
		}
	}
	for _, f := range held {
		f.Close()
	}
	ln.Close()
	if refused {
		t.Error("a refused connection is taken for exhaustion")
	}
}

// TestNoAddressIsNoWantOfPorts checks that a host without IPv6, of which the
// kernel says the same as of one without free ports, does not seem exhausted.
func TestNoAddressIsNoWantOfPorts(t *testing.T) {
	if os.Getenv(alone) == "" {
		cmd := exec.Command("unshare", "-rn", "sh", "-c",
			`ip link set lo up && echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6 && exec "$0" -test.run "^TestNoAddressIsNoWantOfPorts$"`, os.Args[0])
		cmd.Env = append(os.Environ(), alone+"=1")
		out, err := cmd.CombinedOutput()
		if text := string(out); err != nil && !strings.Contains(text, "FAIL") {
			t.Skipf("no namespaces here: %v %s", err, text)
		} else if err != nil {
			t.Error(text)
		}
		return
	}
	_, err := net.Dial("tcp", "[::1]:80")
	if !errors.Is(err, syscall.EADDRNOTAVAIL) || fault.Exhausted(err) {
		t.Errorf("%v: exhausted is %v", err, fault.Exhausted(err))
	}
}
