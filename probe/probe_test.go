package probe_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

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
	if probe.TCP(path+"x")(t.Context(), &url.URL{Scheme: "http", Host: "localhost"}) == nil {
		t.Error("a socket that is not there is fit")
	}
}

func TestAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start, asked := time.Now(), 0
		down := errors.New("down")
		check := func(ctx context.Context, _ *url.URL) error {
			asked++
			if asked == 1 { // hangs: the timeout ends it
				<-ctx.Done()
				return ctx.Err()
			}
			if time.Since(start) < time.Minute {
				return down
			}
			return nil
		}
		if err := probe.Await(t.Context(), check, nil, time.Second); err != nil {
			t.Errorf("Await: %v", err)
		}
		if took := time.Since(start); took > 75*time.Second || asked > 30 {
			t.Errorf("a backend that came up after a minute was noticed after %v and %d questions", took, asked)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := probe.Await(ctx, func(context.Context, *url.URL) error { return down }, nil, time.Second); !errors.Is(err, down) {
			t.Errorf("Await of a backend that stays down: %v", err)
		}
	})
}
