package telemetry

import (
	"net/url"
	"strings"
	"testing"
)

func TestRedactQuery(t *testing.T) {
	for query, want := range map[string]string{
		"":                              "",
		"a=b":                           "a=b",
		"token":                         "token",
		"token=secret":                  "token=REDACTED",
		"a=1&Signature=secret&b=2":      "a=1&Signature=REDACTED&b=2",
		"X-Amz-Signature=a&sig=b;sig=c": "X-Amz-Signature=REDACTED&sig=REDACTED;sig=REDACTED",
		"%74oken=secret":                "%74oken=REDACTED",
		"tokens=1&%zz=2":                "tokens=1&%zz=2",
		"token=a=b&&=&c":                "token=REDACTED&&=&c",
	} {
		if got := redactQuery(query); got != want {
			t.Errorf("%q: got %q, want %q", query, got, want)
		}
	}
}

func FuzzRedactQuery(f *testing.F) {
	f.Add("a=1&token=hunter2&b")
	f.Add("to%6ben=hunter2;sig=x")
	f.Fuzz(func(t *testing.T, query string) {
		redacted := redactQuery(query)
		if again := redactQuery(redacted); again != redacted {
			t.Errorf("%q: %q, and once more %q", query, redacted, again)
		}
		// What net/url reads as a secret's value must be gone.
		values, _ := url.ParseQuery(redacted)
		for name, all := range values {
			if secretParameters[strings.ToLower(name)] && strings.Join(all, "") != strings.Repeat("REDACTED", len(all)) && strings.Join(all, "") != "" {
				t.Errorf("%q: %s is still %q", query, name, all)
			}
		}
	})
}
