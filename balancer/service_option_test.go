package balancer

import (
	"strings"
	"testing"
)

// TestServiceOption checks which names a backend's service may have, and that one reads
// as it was written.
func TestServiceOption(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("a", 255)
	for text, want := range map[string]string{
		"http://a;service=cart":                            "cart",
		"echo:a;service=cart;weight=2":                     "cart",
		"dns+http://a:80;service=shop.cart_v2-EU/1":        "shop.cart_v2-EU/1",
		"https://a;service=The-Cart=1":                     "The-Cart=1",
		"http+unix:///run/a.sock;service=Käse":             "Käse",
		"http://a;service=" + longest:                      longest,
		"h2c://a;host=backend;service=a;proxy-protocol=v1": "a",
		"https://a;service=a;server-name=b;tls-verify=off": "a",
	} {
		var members, again Members
		if err := members.UnmarshalText([]byte(text)); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := members[0].service; got != want {
			t.Errorf("%s: service %q", text, got)
		}
		rendered, _ := members.MarshalText()
		if err := again.UnmarshalText(rendered); err != nil || again[0].service != want {
			t.Errorf("%s: renders as %s: %v", text, rendered, err)
		}
	}
	const rule = "must be the service.name of the backend's own telemetry: 1 to 255 bytes that can be printed, without blanks"
	for text, want := range map[string]string{
		"http://a;service":                  rule,
		"http://a;service=":                 rule,
		"http://a;service=a b":              rule,
		"http://a;service=a\tb":             rule,
		"http://a;service=a\u202eb":         rule,
		"http://a;service=\xff":             rule,
		"http://a;service=" + longest + "a": rule,
		"http://a;service=a;service=b":      "service is given twice",
	} {
		var members Members
		if err := members.UnmarshalText([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
