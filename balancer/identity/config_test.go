package identity_test

import (
	"strings"
	"testing"

	"spangate/balancer/identity"
)

func TestExposed(t *testing.T) {
	for want, hosts := range map[identity.Exposure][]string{
		identity.ThisHost: {"localhost", "LOCALHOST.", "a.localhost", "127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"},
		identity.Private: {
			"app", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "fd00::1", "fe80::1", "::ffff:10.0.0.1", "app.internal", "app.flycast",
			"app.shop.svc", "app.shop.svc.cluster.local", "App.Internal.", "metadata.google.internal",
		},
		identity.Public: {
			"app.example", "8.8.8.8", "172.32.0.1", "2001:db8::1", "internal.example", "notinternal.example", "app.notinternal", "localhost.example", "0.0.0.0", "::",
		},
	} {
		for _, host := range hosts {
			if got := identity.Exposed(host); got != want {
				t.Errorf("%s: got %d, want %d", host, got, want)
			}
		}
	}
}

// TestTokenURL says of each what a word of the complaint is, and nothing of those that
// may be used. None shows what credentials the URL had.
func TestTokenURL(t *testing.T) {
	for text, want := range map[string]string{
		"https://issuer.example/oauth2/token?tenant=1": "",
		"http://localhost:8080/token":                  "",
		"http://issuer.internal/token":                 "",
		"http://issuer.example/token":                  "must be https",
		"https://me:s3cret@issuer.example/token":       "must not carry credentials",
		"https://issuer.example/token#s3cret":          "must not have a fragment",
		"issuer.example/token":                         "must be a URL such as",
		"ftp://issuer.example/token":                   "must be a URL such as",
		"https://":                                     "must be a URL such as",
		"https://:443/token":                           "must be a URL such as",
		"https://issuer.example:s3cret":                "must be a URL such as",
		"":                                             "must be a URL such as",
	} {
		err := new(identity.TokenURL).UnmarshalText([]byte(text))
		switch {
		case want == "" && err != nil, want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: got %v, want %q", text, err, want)
		case err != nil && strings.Contains(err.Error(), "s3cret"):
			t.Errorf("%s: the complaint shows a secret: %v", text, err)
		}
	}
}

func TestTextsThatAreNone(t *testing.T) {
	for name, test := range map[string]struct {
		unmarshal    func([]byte) error
		right, wrong []string
	}{
		"Audience":     {new(identity.Audience).UnmarshalText, []string{"https://app.example", "api://x"}, []string{"", "a b", "a\n", "ä", strings.Repeat("x", 1025)}},
		"Scope":        {new(identity.Scope).UnmarshalText, []string{"orders.read", "https://x/.default"}, []string{"", "a b", `a"`, `a\`, "ä"}},
		"MetadataHost": {new(identity.MetadataHost).UnmarshalText, []string{"127.0.0.1:8181", "metadata", "[::1]:80", "::1"}, []string{"", ":80", "a:b", "a:0", "a:65536", "http://a", "a/b", "me@a"}},
		"Kind":         {new(identity.Kind).UnmarshalText, []string{"none", "google-id-token", "oauth2-client-credentials"}, []string{"", "google", "basic"}},
	} {
		for _, text := range test.right {
			if err := test.unmarshal([]byte(text)); err != nil {
				t.Errorf("%s %q: %v", name, text, err)
			}
		}
		for _, text := range test.wrong {
			if test.unmarshal([]byte(text)) == nil {
				t.Errorf("%s %q is taken", name, text)
			}
		}
	}
}
