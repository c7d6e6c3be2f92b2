package redis

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/config"
)

func TestCheck(t *testing.T) {
	const schemes = "RATE_LIMIT_REDIS_URL: must begin with redis://, rediss://, unix://, redis+sentinel://, rediss+sentinel://, redis+cluster:// or rediss+cluster://"
	const unreadable = "RATE_LIMIT_REDIS_URL: must be a URL; if a user or password has one of / ? # @ : % in it, write that as %2F %3F %23 %40 %3A %25"
	const host = "RATE_LIMIT_REDIS_URL: must name hosts like host, host:6379 or [::1]:6379"
	for name, test := range map[string]struct {
		cfg  Config
		want string
	}{
		"off":                   {},
		"right":                 {cfg: Config{RedisURL: "redis://h"}},
		"no scheme":             {Config{RedisURL: "s3cret"}, schemes},
		"another scheme":        {Config{RedisURL: "http://s3cret"}, schemes},
		"a kind of unix":        {Config{RedisURL: "unix+cluster:///s"}, schemes},
		"slash in password":     {Config{RedisURL: "redis://:s3/cret@h"}, unreadable},
		"question mark in it":   {Config{RedisURL: "redis://:s3?cret@h"}, unreadable},
		"hash in it":            {Config{RedisURL: "redis://:s3#cret@h"}, unreadable},
		"at in it":              {Config{RedisURL: "redis://:s3@cret@h"}, unreadable},
		"percent in it":         {Config{RedisURL: "redis://:s3%zz@h"}, unreadable},
		"space in it":           {Config{RedisURL: "redis://:s3 cret@h"}, unreadable},
		"no host":               {Config{RedisURL: "redis://"}, host},
		"no host among several": {Config{RedisURL: "redis+cluster://a,,b"}, host},
		"not a host":            {Config{RedisURL: "redis://a b"}, host},
		"port":                  {Config{RedisURL: "redis://h:70000"}, "RATE_LIMIT_REDIS_URL: must have ports from 1 to 65535"},
		"several hosts":         {Config{RedisURL: "redis://a,b"}, "RATE_LIMIT_REDIS_URL: must be redis+sentinel:// or redis+cluster:// for several hosts"},
		"database":              {Config{RedisURL: "redis://h/x"}, "RATE_LIMIT_REDIS_URL: must have a number for a database"},
		"database of a cluster": {Config{RedisURL: "redis+cluster://h/1"}, "RATE_LIMIT_REDIS_URL: must name no database, as a cluster has none"},
		"no socket":             {Config{RedisURL: "unix://"}, "RATE_LIMIT_REDIS_URL: must name a socket, such as unix:///run/redis.sock"},
		"no master":             {Config{RedisURL: "redis+sentinel://h"}, "RATE_LIMIT_REDIS_URL: must tell the name by which the sentinels know the master: ?master_name=name"},
		"option":                {Config{RedisURL: "redis://h?b=1&a=2"}, "RATE_LIMIT_REDIS_URL: must have no option that redis:// does not know: a, b"},
		"files without TLS":     {Config{RedisURL: "redis://h", CAFile: "x"}, "RATE_LIMIT_REDIS_CA_FILE, RATE_LIMIT_REDIS_CERT_FILE, RATE_LIMIT_REDIS_KEY_FILE: need a RATE_LIMIT_REDIS_URL with TLS, such as rediss://host"},
		"files":                 {Config{RedisURL: "rediss://h", CAFile: "/none", CertFile: "x"}, "RATE_LIMIT_REDIS_CA_FILE=\"/none\": no such file or directory\nRATE_LIMIT_REDIS_CERT_FILE: needs RATE_LIMIT_REDIS_KEY_FILE"},
		"not a certificate":     {Config{RedisURL: "rediss://h", CAFile: "config.go", KeyFile: "x"}, "RATE_LIMIT_REDIS_CA_FILE=\"config.go\": holds no PEM certificate\nRATE_LIMIT_REDIS_KEY_FILE: needs RATE_LIMIT_REDIS_CERT_FILE"},
		"not a pair":            {Config{RedisURL: "rediss://h", CertFile: "config.go", KeyFile: "config.go"}, "RATE_LIMIT_REDIS_CERT_FILE, RATE_LIMIT_REDIS_KEY_FILE: tls: failed to find any PEM data in certificate input"},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if err := config.Named(&test.cfg, test.cfg.Check()); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("fault (-want +got):\n%s", diff)
			}
			if _, err := New(test.cfg, rated, 1, nil); test.cfg.RedisURL != "" && (err != nil) != (test.want != "") {
				t.Errorf("New says %v", err)
			}
		})
	}
}

func TestOnError(t *testing.T) {
	for _, text := range []string{"local", "allow", "deny"} {
		var o OnError
		if err := o.UnmarshalText([]byte(text)); err != nil || string(o) != text {
			t.Errorf("%s: %v, %v", text, o, err)
		}
	}
	var o OnError
	if err := o.UnmarshalText([]byte("Local")); err == nil || err.Error() != "must be local, allow or deny" {
		t.Error(err)
	}
}

func TestURLDoesNotPrintItself(t *testing.T) {
	cfg := Config{RedisURL: "redis://:s3cret@h"}
	if text := fmt.Sprintf("%v %+v %#v %s %q", cfg, cfg, cfg, cfg.RedisURL, cfg.RedisURL); strings.Contains(text, "s3cret") {
		t.Error(text)
	}
}
