package balancer_test

import (
	"strings"
	"testing"

	"spangate/balancer"
)

func TestOptionsOfTLS(t *testing.T) {
	sum := strings.Repeat("ab", 32)
	for text, want := range map[string]string{
		"https://a;server-name=App.Internal.;weight=2":                             "https://a;weight=2;server-name=App.Internal",
		"https://a;server-name=[::1]":                                              "https://a;server-name=::1",
		"dns+https://a;ca-file=/ca=1;cert-file=c;key-file=k":                       "dns+https://a;ca-file=/ca=1;cert-file=c;key-file=k",
		"dns+srv+https://_https._tcp.a;tls-verify=off;host=preserve":               "dns+srv+https://_https._tcp.a;host=preserve;tls-verify=off",
		"https://a;fingerprint=sha256:" + sum + ";fingerprint=sha256:00" + sum[2:]: "https://a;fingerprint=sha256:" + sum + ";fingerprint=sha256:00" + sum[2:],
		"https://a;fingerprint=sha256:" + strings.ToUpper("ab:"+sum[2:]):           "https://a;fingerprint=sha256:" + sum,
	} {
		written, err := members(t, text).MarshalText()
		if err != nil || string(written) != want {
			t.Errorf("%q is written as %q, %v", text, written, err)
		}
	}
	for text, want := range map[string]string{
		"https://a;fingerprint=" + sum:                   "must be sha256:",
		"https://a;fingerprint=sha1:" + sum:              "must be sha256:",
		"https://a;fingerprint=sha256:" + sum + "ab":     "must be sha256:",
		"https://a;fingerprint=sha256:" + sum[:63] + "g": "must be sha256:",
		"https://a;fingerprint=sha256:" + sum[:62]:       "must be sha256:",
		"https://a;server-name=":                         "must be the name of a server",
		"https://a;server-name=a:443":                    "must be the name of a server",
		"https://a;server-name=1.2.3":                    "must be the name of a server",
		"https://a;server-name=bücher.test":              "must be the name of a server",
		"https://a;weight=1;weight=2":                    "weight is given twice",
		"https://a;tls-verify=off;tls-verify=off":        "tls-verify is given twice",
		"https://a;verify=off":                           `option "verify=off" is none of`,
		"http+unix:///s;server-name=a":                   "server-name is for https alone",
		"dns+h2c://a;cert-file=c":                        "cert-file is for https alone",
	} {
		var m balancer.Members
		if err := m.UnmarshalText([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error is %v, want one with %q", text, err, want)
		}
	}
}
