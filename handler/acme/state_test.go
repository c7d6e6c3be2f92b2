package acme

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"spangate/handler/certificate"
	"spangate/handler/config"
)

// file returns the path of something that is kept.
func file(cfg Config, key string) string {
	return (&Dir{cfg.Dir}).file(folderOf(nil, cfg.CA).prefix + key)
}

// Instances that share a directory order once, and each answers the challenges of
// all.
func TestInstancesOrderOnce(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"http-01", "tls-alpn-01"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			a := newAuthority(t)
			a.offers = []string{way}
			cfg := a.config("a.example", "b.example")
			outsider, err := New(&cfg, true) // whom alone the authority asks
			if err != nil {
				t.Fatal(err)
			}
			by(a)(outsider)
			orders := make(chan Order, 100)
			loaded := make(chan certificate.Info, 100)
			var clients []*Client
			for range 3 {
				c, err := New(&cfg, way == "http-01")
				if err != nil {
					t.Fatal(err)
				}
				clients = append(clients, c)
			}
			ctx, cancel := context.WithCancel(t.Context())
			var running sync.WaitGroup
			defer running.Wait()
			defer cancel()
			for _, c := range clients {
				running.Go(func() {
					c.Run(ctx, Hooks{Ordered: func(o Order) { orders <- o }, Loaded: func(c certificate.Info) { loaded <- c }})
				})
			}
			for range 2 {
				if o := next(t, orders); o.Err != nil {
					t.Fatal(o.Err)
				}
			}
			for range 2 * (len(clients) - 1) {
				<-loaded
			}
			for _, name := range []string{"a.example", "b.example"} {
				for _, c := range clients {
					if got := shown(t, c, name); got != shown(t, clients[0], name) || strings.Contains(got, " ") {
						t.Error(got)
					}
				}
			}
			if got := a.count("neworder"); got != 2 || len(a.accounts) != 1 {
				t.Errorf("%d orders by %d accounts", got, len(a.accounts))
			}
		})
	}
}

// What is damaged is made anew; nothing else happens.
func TestDamagedState(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	cfg := a.config("a.example", "b.example")
	_, orders, stop := run(t, cfg, by(a))
	next(t, orders)
	next(t, orders)
	stop()
	other, err := os.ReadFile(file(cfg, "certificates/b.example.pem"))
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(file(cfg, "certificates/a.example.pem"))
	if err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string]struct {
		key  string
		text []byte
		tell string
	}{
		"empty certificate":       {"certificates/a.example.pem", nil, "PEM"},
		"half of a certificate":   {"certificates/a.example.pem", whole[:len(whole)/3], "PEM"},
		"another name's":          {"certificates/a.example.pem", other, "b.example"},
		"zeros":                   {"certificates/a.example.pem", make([]byte, 4096), "PEM"},
		"too large":               {"certificates/a.example.pem", make([]byte, maxState+1), "larger"},
		"account's key":           {"account.pem", []byte("{}"), "account.pem"},
		"order under way":         {"orders/a.example.json", []byte(`{"location":`), ""},
		"failures":                {"attempts/a.example.json", []byte("[]"), ""},
		"failures in the future":  {"attempts/a.example.json", []byte(`{"count":9,"last":"2020-01-01T00:00:00Z","next":"2222-01-01T00:00:00Z"}`), ""},
		"challenge":               {"challenges/a.example.json", []byte("\x00"), ""},
		"order of a lost account": {"orders/a.example.json", []byte(`{"location":"https://127.0.0.1:1/","key":""}`), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := cfg
			cfg.Dir = t.TempDir()
			cfg.Domains = cfg.Domains[:1]
			path := file(cfg, damage.key)
			os.MkdirAll(filepath.Dir(path), 0o700)
			if err := os.WriteFile(path, damage.text, 0o600); err != nil {
				t.Fatal(err)
			}
			told := make(chan string, 10)
			orders := make(chan Order, 10)
			c, err := New(&cfg, true)
			if err != nil {
				t.Fatal(err)
			}
			a.set(func() { a.client = nil })
			ctx, cancel := context.WithCancel(t.Context())
			var running sync.WaitGroup
			defer running.Wait()
			defer cancel()
			running.Go(func() {
				c.Run(ctx, Hooks{
					Ordered: func(o Order) { orders <- o },
					State:   func(key string, err error) { told <- key + ": " + err.Error() },
				})
			})
			if o := next(t, orders); o.Err != nil {
				t.Fatal(o.Err)
			}
			if damage.tell == "" {
				return
			}
			if len(told) == 0 {
				t.Fatal("nothing is told")
			}
			if got := <-told; !strings.Contains(got, damage.tell) || !strings.HasPrefix(got, damage.key) {
				t.Error(got)
			}
		})
	}
}

func TestUnusableDirectory(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	cfg := a.config("a.example")
	plain := filepath.Join(cfg.Dir, "file")
	os.WriteFile(plain, nil, 0o600)
	for _, dir := range []string{plain, filepath.Join(plain, "below"), "/proc/nothing"} {
		cfg.Dir = dir
		if _, err := New(&cfg, true); err == nil || !strings.Contains(config.Named(&cfg, err).Error(), "TLS_ACME_DIR=") {
			t.Errorf("%s: %v", dir, err)
		}
	}
}

// broken is a store that takes nothing while told so.
type broken struct {
	Store
	down atomic.Bool
	only string // the kind of what it does not take; empty: anything
}

func (b *broken) Put(ctx context.Context, key string, value []byte) error {
	if b.down.Load() && strings.Contains(key, b.only) {
		return &fs.PathError{Op: "write", Path: key, Err: errors.New("no space left on device")}
	}
	return b.Store.Put(ctx, key, value)
}

// A store that takes nothing costs no orders; one that fails for a certificate
// that has been issued gets it later.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		only string
		fail bool
	}{
		"anything":     {"", true},
		"certificates": {"/certificates/", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAuthority(t)
			a.life = 20 * time.Second // so that it is tried again each second
			cfg := a.config("a.example")
			dir, err := OpenDir(cfg.Dir)
			if err != nil {
				t.Fatal(err)
			}
			store := &broken{Store: dir, only: test.only}
			store.down.Store(true)
			orders := make(chan Order, 100)
			c, err := newClient(&cfg, store, true)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			var running sync.WaitGroup
			defer running.Wait()
			defer cancel()
			running.Go(func() { c.Run(ctx, Hooks{Ordered: func(o Order) { orders <- o }}) })
			o := next(t, orders)
			if test.fail {
				if o.ErrorType() != "store_error" || a.count("neworder") != 0 {
					t.Fatalf("%v, %d orders", o.Err, a.count("neworder"))
				}
				store.down.Store(false)
				for o.Err != nil {
					o = next(t, orders)
				}
				return
			}
			if o.Err != nil || shown(t, c, "a.example") != o.Certificate.Fingerprint {
				t.Fatalf("%+v", o)
			}
			store.down.Store(false)
			for ctx.Err() == nil {
				if again, err := New(&cfg, true); err == nil && shown(t, again, "a.example") == o.Certificate.Fingerprint {
					break
				}
				time.Sleep(10 * time.Millisecond) // until it is there
			}
			if got := a.count("finalize"); got != 1 {
				t.Errorf("%d certificates were issued", got)
			}
		})
	}
}

// A process that ends amid an order leaves it to the next one.
func TestOrderOutlivesProcess(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"authorization", "challenge", "finalize", "certificate"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			a := newAuthority(t)
			reached := make(chan struct{})
			var once sync.Once
			cfg := a.config("a.example")
			ended := make(chan struct{})
			a.set(func() {
				a.answer = func(w http.ResponseWriter, r *http.Request, count int) bool {
					if !strings.HasPrefix(r.URL.Path, "/"+at) {
						return false
					}
					select {
					case <-ended:
						return false
					default:
					}
					io.Copy(io.Discard, r.Body) // else nobody sees the client go
					once.Do(func() { close(reached) })
					<-r.Context().Done()
					return true
				}
			})
			_, _, stop := run(t, cfg, by(a))
			<-reached
			stop()
			close(ended)
			c, orders, _ := run(t, cfg, by(a))
			o := next(t, orders)
			if o.Err != nil || a.count("neworder") != 1 || shown(t, c, "a.example") != o.Certificate.Fingerprint {
				t.Errorf("%v, %d orders", o.Err, a.count("neworder"))
			}
		})
	}
}

// Certificates of an authority that is for tests are not those of another.
func TestOtherAuthority(t *testing.T) {
	t.Parallel()
	staging, production := newAuthority(t), newAuthority(t)
	cfg := staging.config("a.example")
	_, orders, stop := run(t, cfg)
	first := next(t, orders)
	stop()
	moved := production.config("a.example")
	moved.Dir = cfg.Dir
	c, orders, _ := run(t, moved)
	if got := shown(t, c, "a.example"); got == first.Certificate.Fingerprint {
		t.Error("the certificate of the other one is shown")
	}
	if o := next(t, orders); o.Err != nil {
		t.Error(o.Err)
	}
}
