package probe_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"spangate/handler/wire/wiretest"
	"spangate/probe"
)

func ExampleTCP() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer ln.Close()
	check := probe.TCP("")
	fmt.Println(check(context.Background(), &url.URL{Scheme: "http", Host: ln.Addr().String()}))
	// Output: <nil>
}

func TestTCP(t *testing.T) {
	path := t.TempDir() + "/s"
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if err := probe.TCP(path)(t.Context(), &url.URL{Scheme: "http", Host: "localhost"}); err != nil {
		t.Error(err)
	}
	over, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	for _, test := range []struct {
		name, socket, host string
		ctx                context.Context
		want               string
	}{
		{"no such socket", path + "x", "localhost", t.Context(), "connection_refused"},
		{"nobody listens", "", "127.0.0.1:" + wiretest.FreePort(t), t.Context(), "connection_refused"},
		{"no such name", "", "name.invalid:80", t.Context(), "dns_error"},
		{"no time left", "", "127.0.0.1:80", over, "connect_timeout"},
		{"no such port", "", "127.0.0.1:http-", t.Context(), "dns_error"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := probe.TCP(test.socket)(test.ctx, &url.URL{Scheme: "http", Host: test.host})
			if got := errorType(err); got != test.want {
				t.Errorf("error.type %q of %v, want %q", got, err, test.want)
			}
			if err == nil || !strings.HasPrefix(err.Error(), "probing ") {
				t.Errorf("%v does not say what was probed", err)
			}
		})
	}
}

func errorType(err error) string {
	if typed, ok := errors.AsType[interface {
		error
		ErrorType() string
	}](err); ok {
		return typed.ErrorType()
	}
	return ""
}
