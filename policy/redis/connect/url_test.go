package connect

import (
	"crypto/tls"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

func TestURL(t *testing.T) {
	for text, want := range map[URL]string{
		"redis://h":                                  "[h:6379]",
		"redis://h:1/2":                              "[h:1] db=2",
		"redis://h/?db=2":                            "[h:6379] db=2",
		"redis://me:p%40ss@[::1]":                    "[[::1]:6379] me:p@ss",
		"rediss://:pw@h":                             "[h:6379] :pw TLS=h",
		"unix:///run/redis.sock?db=1":                "[/run/redis.sock] db=1",
		"unix://me:pw@/run/redis.sock":               "[/run/redis.sock] me:pw",
		"redis+cluster://:pw@a,b:1":                  "cluster [a:6379 b:1] :pw",
		"rediss+cluster://a":                         "cluster [a:6379] TLS=a",
		"redis+sentinel://:pw@a,b:1/2?master_name=m": "sentinel [a:26379 b:1] :pw db=2 m",
		"redis+sentinel://a?master_name=m&sentinel_username=u&sentinel_password=p": "sentinel [a:26379] m u:p",
	} {
		kind, o, err := text.options()
		got := strings.TrimSpace(fmt.Sprint(kind, " ", o.Addrs))
		if o.Username+o.Password != "" {
			got += " " + o.Username + ":" + o.Password
		}
		if o.DB != 0 {
			got += fmt.Sprint(" db=", o.DB)
		}
		if o.TLSConfig != nil {
			got += " TLS=" + o.TLSConfig.ServerName
			if o.TLSConfig.MinVersion != tls.VersionTLS12 {
				t.Errorf("%s allows old TLS", string(text))
			}
		}
		if o.MasterName != "" {
			got += " " + o.MasterName
		}
		if o.SentinelUsername != "" {
			got += " " + o.SentinelUsername + ":" + o.SentinelPassword
		}
		if err != nil || got != want {
			t.Errorf("%s: got %s, %v; want %s", string(text), got, err, want)
		}
	}
}

func FuzzURL(f *testing.F) {
	f.Add("redis", "me", "p/w?#@:%", "h:1,[::1]", "/1?db=2&master_name=m")
	f.Fuzz(func(t *testing.T, scheme, user, password, hosts, rest string) {
		raw := URL(scheme + "://" + user + ":" + password + "@" + hosts + rest)
		if _, _, err := raw.options(); err != nil && len(password) > 5 && !strings.Contains(hosts+rest+scheme, password) && !strings.Contains(errSecret.Error(), password) && strings.Contains(err.Error(), password) {
			t.Errorf("%q tells its password: %v", string(raw), err)
		}
		right := URL("redis://" + url.UserPassword(user, password).String() + "@h")
		if _, opt, err := right.options(); err != nil || opt.Username != user || opt.Password != password {
			t.Errorf("%q: %q %q, %v", string(right), opt.Username, opt.Password, err)
		}
	})
}
