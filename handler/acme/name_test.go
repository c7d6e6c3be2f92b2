package acme

import (
	"crypto/x509"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"spangate/handler/config"
)

func TestName(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"example.com":                        "example.com",
		"Example.COM.":                       "example.com",
		"bücher.example":                     "xn--bcher-kva.example",
		"xn--bcher-kva.EXAMPLE":              "xn--bcher-kva.example",
		"a-1.example":                        "a-1.example",
		"proxy":                              "proxy",
		"*.example.com":                      "! wildcard",
		"*":                                  "! wildcard",
		"192.0.2.1":                          "! addresses",
		"[2001:db8::1]":                      "! addresses",
		"2001:db8::1":                        "! addresses",
		"https://example.com":                "! scheme",
		"example.com:443":                    "! port",
		"example.com/a":                      "! path",
		"a..example":                         "! names of hosts",
		"..":                                 "! names of hosts",
		".":                                  "! a name between",
		"":                                   "! a name between",
		"a b":                                "! names of hosts",
		"../../etc":                          "! names of hosts",
		"a_b.example":                        "! names of hosts",
		"-a.example":                         "! names of hosts",
		strings.Repeat("a", 64) + ".example": "! names of hosts",
	} {
		var n Name
		err := n.UnmarshalText([]byte(text))
		if part, fails := strings.CutPrefix(want, "! "); fails {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%q: %q, %v; want an error with %q", text, n, err, part)
			}
		} else if err != nil || string(n) != want {
			t.Errorf("%q: %q, %v; want %q", text, n, err, want)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	right := map[string]string{"TLS_ACME_DOMAINS": "a.example", "TLS_ACME_DIR": t.TempDir()}
	for name, test := range map[string]struct {
		with map[string]string
		want string
	}{
		"right":        {nil, ""},
		"no directory": {map[string]string{"TLS_ACME_DIR": ""}, "TLS_ACME_DOMAINS: needs TLS_ACME_DIR or TLS_ACME_REDIS_URL"},
		"two places":   {map[string]string{"TLS_ACME_REDIS_URL": "redis://h"}, "TLS_ACME_DIR: is of no use with TLS_ACME_REDIS_URL"},
		"Redis":        {map[string]string{"TLS_ACME_DIR": "", "TLS_ACME_REDIS_URL": "redis://h"}, ""},
		"no Redis":     {map[string]string{"TLS_ACME_DIR": "", "TLS_ACME_REDIS_URL": "h"}, "TLS_ACME_REDIS_URL: must begin with"},
		"http":         {map[string]string{"TLS_ACME_CA": "http://ca.example/dir"}, "https://"},
		"no URL":       {map[string]string{"TLS_ACME_CA": "letsencrypt"}, "https://"},
		"no such file": {map[string]string{"TLS_ACME_CA_FILE": "/none"}, "TLS_ACME_CA_FILE="},
		"half of EAB":  {map[string]string{"TLS_ACME_EAB_KEY_ID": "k"}, "need each other"},
		"padded key":   {map[string]string{"TLS_ACME_EAB_KEY_ID": "k", "TLS_ACME_EAB_HMAC_KEY": "YQ=="}, ""},
		"bad key":      {map[string]string{"TLS_ACME_EAB_KEY_ID": "k", "TLS_ACME_EAB_HMAC_KEY": "a+b!"}, "base64url"},
		"two emails":   {map[string]string{"TLS_ACME_EMAIL": "a@b.example,c@d.example"}, "TLS_ACME_EMAIL="},
		"email's URL":  {map[string]string{"TLS_ACME_EMAIL": "mailto:a@b.example"}, "TLS_ACME_EMAIL="},
		"no wait":      {map[string]string{"TLS_ACME_RETRY_AFTER": "0s"}, "TLS_ACME_RETRY_AFTER"},
		"without":      {map[string]string{"TLS_ACME_DOMAINS": "", "TLS_ACME_EMAIL": "a@b.example"}, "TLS_ACME_DOMAINS"},
	} {
		var environ []string
		for _, set := range []map[string]string{right, test.with} {
			for name, value := range set {
				environ = append(environ, name+"="+value)
			}
		}
		var cfg Config
		_, _, err := config.Load(&cfg, environ, cfg.Check)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

func TestComeAgain(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for field, want := range map[string]time.Duration{
		"": -1, "x": -1, "-5": -1, "120": 2 * time.Minute, "99999999999": maxPatience,
		now.Add(time.Hour).UTC().Format(http.TimeFormat):        time.Hour,
		now.Add(1000 * time.Hour).UTC().Format(http.TimeFormat): maxPatience,
	} {
		at := comeAgain(field)
		if want < 0 {
			if !at.IsZero() {
				t.Errorf("%q: %v", field, at)
			}
			continue
		}
		if d := at.Sub(now); d < want-2*time.Second || d > want+10*time.Second {
			t.Errorf("%q: in %v, want %v", field, d, want)
		}
	}
}

func TestRenewalTimes(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	from := time.Now()
	leaf := func(life time.Duration) *x509.Certificate {
		return &x509.Certificate{NotBefore: from, NotAfter: from.Add(life)}
	}
	for life, latest := range map[time.Duration]time.Duration{90 * day: 60 * day, 45 * day: 30 * day, 6 * day: 3 * day, time.Minute: 30 * time.Second} {
		for range 100 {
			at := ownTime(leaf(life)).Sub(from)
			if at > latest || at < latest-life/20-time.Second {
				t.Errorf("of a certificate for %v: after %v", life, at)
			}
		}
	}
	for name, test := range map[string]struct{ life, start, end, earliest, latest time.Duration }{
		"as it says":        {90 * day, 10 * day, 11 * day, 10 * day, 11 * day},
		"past":              {90 * day, -10 * day, -9 * day, 3 * time.Hour, 3 * time.Hour},
		"past, short":       {6 * day, -10 * day, -9 * day, 3 * time.Hour, 3 * time.Hour},
		"past, a minute":    {time.Minute, -day, -day, 2500 * time.Millisecond, 2500 * time.Millisecond},
		"after expiry":      {90 * day, 100 * day, 101 * day, 81 * day, 81 * day},
		"turned round":      {90 * day, 11 * day, 10 * day, 11 * day, 11 * day},
		"a point":           {90 * day, 11 * day, 11 * day, 11 * day, 11 * day},
		"nearly everything": {90 * day, 0, 90 * day, 3 * time.Hour, 81 * day},
	} {
		for range 100 {
			at := suggestedTime(leaf(test.life), from.Add(test.start), from.Add(test.end)).Sub(from)
			if at < test.earliest || at > test.latest {
				t.Errorf("%s: after %v", name, at)
			}
		}
	}
}

func TestWaits(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	var f failures
	for i, want := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 16 * time.Minute, 32 * time.Minute, 64 * time.Minute, 128 * time.Minute, longestWait, longestWait} {
		f.add(errors.New("no"), time.Minute, longestWait, time.Time{})
		if d := f.Next.Sub(f.Last); d < want || d > want+want/5 || f.Count != i+1 {
			t.Errorf("after %d failures: %v, want %v", i+1, d, want)
		}
	}
	for life, want := range map[time.Duration]time.Duration{90 * day: longestWait, day: 72 * time.Minute, time.Minute: 3 * time.Second} {
		if got := patience(&x509.Certificate{NotBefore: f.Last, NotAfter: f.Last.Add(life)}); got != want {
			t.Errorf("with a certificate for %v the longest wait is %v, want %v", life, got, want)
		}
	}
	f.Count = 1000
	if f.add(errors.New("no"), time.Minute, longestWait, time.Time{}); f.Next.Sub(f.Last) < longestWait {
		t.Error(f)
	}
	if anew := f.anew(time.Minute); anew.Next.Sub(f.Last) != time.Minute {
		t.Errorf("a new process waits for %v", anew.Next.Sub(f.Last))
	}
	told := time.Now().Add(20 * time.Hour)
	f.add(errors.New("no"), time.Minute, longestWait, told)
	if anew := f.anew(time.Minute); f.Next.Before(told) || anew.Next.Before(told) {
		t.Error("the authority's word is not heeded")
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	one, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	text, err := encodeKey(one)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := decodeKey(text); err != nil || !again.Equal(one) {
		t.Error(err)
	}
	seen := map[string]bool{}
	for _, ca := range []DirectoryURL{LetsEncrypt, "https://acme-v02.api.letsencrypt.org/directory/", "https://localhost:14000/dir", "https://localhost:14000/dir?x", "https://h/../../../etc", DirectoryURL("https://h/" + strings.Repeat("a", 500))} {
		prefix := folderOf(nil, ca).prefix
		if seen[prefix] || strings.Count(prefix, "/") != 1 || len(prefix) > 120 {
			t.Error(prefix)
		}
		seen[prefix] = true
	}
}
