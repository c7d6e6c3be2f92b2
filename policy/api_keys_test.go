package policy_test

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"spangate/policy"
)

func TestAPIKeys(t *testing.T) {
	d := newDoor(apiKeyConfig(), nil)
	for name, test := range map[string]struct {
		header []string
		want   passed
	}{
		"plain":                  {[]string{"X-API-Key: " + ciKey}, by("api_key", "ci")},
		"with colons":            {[]string{"x-api-key: " + opsKey}, by("api_key", "ops")},
		"hashed":                 {[]string{"X-API-Key: a key that nobody can read here"}, by("api_key", "hashed")},
		"none":                   {nil, refused("missing")},
		"empty":                  {[]string{"X-API-Key: "}, refused("unknown_key")},
		"unknown":                {[]string{"X-API-Key: 0123456789abcdeX"}, refused("unknown_key")},
		"too short by one":       {[]string{"X-API-Key: 0123456789abcde"}, refused("unknown_key")},
		"more behind it":         {[]string{"X-API-Key: " + ciKey + "0"}, refused("unknown_key")},
		"in another case":        {[]string{"X-API-Key: " + strings.ToUpper(ciKey)}, refused("unknown_key")},
		"its name":               {[]string{"X-API-Key: ci"}, refused("unknown_key")},
		"name and key":           {[]string{"X-API-Key: ci:" + ciKey}, refused("unknown_key")},
		"the digest":             {[]string{fmt.Sprintf("X-API-Key: sha256:%x", sha256.Sum256([]byte("a key that nobody can read here")))}, refused("unknown_key")},
		"very long":              {[]string{"X-API-Key: " + strings.Repeat(ciKey, 1000)}, refused("unknown_key")},
		"twice":                  {[]string{"X-API-Key: " + ciKey, "X-API-Key: " + ciKey}, refused("malformed")},
		"wrong, then right":      {[]string{"X-API-Key: x", "X-API-Key: " + ciKey}, refused("malformed")},
		"in another field":       {[]string{"X_API_Key: " + ciKey, "Api-Key: " + ciKey}, refused("missing")},
		"as a bearer":            {[]string{"Authorization: Bearer " + ciKey}, refused("missing")},
		"another's credential":   {[]string{"X-API-Key: " + ciKey, "Authorization: Bearer x, y"}, by("api_key", "ci")},
		"two of another's, even": {[]string{"X-API-Key: " + ciKey, "Authorization: a", "Authorization: b"}, by("api_key", "ci")},
	} {
		t.Run(name, func(t *testing.T) { d.want(t, test.want, test.header...) })
	}
	long := strings.Repeat("x", 257)
	tooLong := newDoor(authConfig(policy.AuthConfig{APIKeys: fmt.Sprintf("x:sha256:%x", sha256.Sum256([]byte(long)))}), nil)
	tooLong.want(t, refused("unknown_key"), "X-API-Key: "+long)
	digestOfNothing := newDoor(authConfig(policy.AuthConfig{APIKeys: fmt.Sprintf("x:sha256:%x", sha256.Sum256(nil))}), nil)
	digestOfNothing.want(t, refused("unknown_key"), "X-API-Key: ")
}

// Whoever is in a list has a name and a digest of their own, and its faults tell
// no secret.
func FuzzAPIKeys(f *testing.F) {
	f.Add(apiKeyConfig().APIKeys)
	f.Add("a:sha256:00,\n,b:" + ciKey)
	f.Fuzz(func(t *testing.T, text string) {
		keys, err := policy.ParseAPIKeys(text)
		names := map[string]bool{}
		for _, name := range keys {
			if names[name] || name == "" || strings.ContainsAny(name, ":, \r\n") {
				t.Errorf("name %q", name)
			}
			names[name] = true
		}
		if err == nil {
			if len(keys) == 0 {
				t.Error("neither a key nor an error")
			}
			return
		}
		for line := range strings.SplitSeq(err.Error(), "\n") {
			if !strings.HasPrefix(line, "item ") && line != "must have an item" || len(line) > 100 {
				t.Errorf("error %q", line)
			}
		}
	})
}
