package policy_test

import (
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"spangate/handler/config"
	"spangate/policy"
)

func TestAuthTexts(t *testing.T) {
	for text, reason := range map[string]string{
		"/*":      "everything",
		"public":  "must begin with /",
		"":        "must begin with /",
		"/a,":     "must begin with /",
		"/a/*/b":  "behind the last /",
		"/a*":     "behind the last /",
		"/a/**":   "behind the last /",
		"/a//b":   "nothing between slashes",
		"//*":     "nothing between slashes",
		"/a/../b": "nothing between slashes",
		"/a/./*":  "nothing between slashes",
		"/%61":    "must be letters",
		"/a?b":    "must be letters",
		"/a;b":    "must be letters",
		"/\u00e9": "must be letters",
	} {
		if err := new(policy.ExemptPaths).UnmarshalText([]byte(text)); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("exempt %q: %v, want %q", text, err, reason)
		}
	}
	for text, ok := range map[string]bool{
		"X-API-Key": true, "x-forwarded-user": true, "Remote-User": true, "A1": true,
		"": false, "X_Key": false, "X Key": false, "X-": false, "-X": false, "X--Y": false, "X:": false, "X-\u00e9": false,
		"Authorization": false, "HOST": false, "Connection": false, "Cookie": false, "X-Forwarded-For": false, "Transfer-Encoding": false, "Set-Cookie": false, "Cache-Control": false, "Sec-Fetch-Mode": false, "Grpc-Status": false,
	} {
		if err := new(policy.AuthField).UnmarshalText([]byte(text)); (err == nil) != ok {
			t.Errorf("field %q: %v", text, err)
		}
	}
}

func TestAuthCheck(t *testing.T) {
	const secret = "s3cret"
	good := hash(secret, bcrypt.MinCost)
	costly := strings.Replace(good, "$04$", "$15$", 1)
	jwt := func(change func(*policy.TokenConfig)) policy.AuthConfig {
		cfg := authConfig(policy.AuthConfig{Token: policy.TokenConfig{
			JWKSURL: "https://issuer.example/keys", Issuers: policy.AuthNames{"a"}, Audience: policy.AuthNames{"b"},
		}})
		change(&cfg.Token)
		return cfg
	}
	for name, test := range map[string]struct {
		cfg  policy.AuthConfig
		want []string // each of a line
	}{
		"zero":               {policy.AuthConfig{}, nil},
		"defaults":           {authConfig(policy.AuthConfig{}), nil},
		"API keys":           {apiKeyConfig(), nil},
		"users":              {basicConfig(), nil},
		"tokens":             {jwt(func(*policy.TokenConfig) {}), nil},
		"tokens for anybody": {jwt(func(c *policy.TokenConfig) { c.Audience = policy.AuthNames{"*"} }), nil},
		"bad API keys": {
			authConfig(policy.AuthConfig{APIKeys: strings.Join([]string{
				secret, "a:" + secret, ":" + ciKey, "b:", "c:" + ciKey, "c:" + opsKey, "d:" + ciKey, "e:sha256:" + secret, "f:sha256:" + strings.Repeat("g", 64),
				"", "g:" + strings.Repeat("x", 257), "h h:" + opsKey, "i:0123456789 abcdef", "j:0123456789\u00e9abcdef", strings.Repeat("k", 256) + ":" + opsKey, "l:" + opsKey,
			}, ",")}),
			[]string{
				"item 1: must be a name, a colon", "item 2: its key must have 16 to 256", "item 3: its name", "item 4: its key must have 16", "item 6: must have a name of its own",
				"item 7: must have a key of its own", "item 8: behind sha256:", "item 9: behind sha256:", "item 10: must be a name, a colon", "item 11: its key must have 16 to 256",
				"item 12: its name", "item 13: its key must be visible", "item 14: its key must be visible", "item 15: its name",
			},
		},
		"no API keys":  {authConfig(policy.AuthConfig{APIKeys: " \n\n"}), []string{"AUTH_API_KEYS: must have an item"}},
		"only a comma": {authConfig(policy.AuthConfig{APIKeys: ","}), []string{"item 1: must be a name, a colon", "item 2: must be a name, a colon"}},
		"bad users": {
			authConfig(policy.AuthConfig{BasicUsers: strings.Join([]string{
				"ann:" + good, "bob:" + secret, "ann:" + good, "cid:" + costly, "dan:" + good[:59], "eve:" + good + "x", "fay:$1$" + good[4:], "gil:" + strings.Replace(good, "$04$", "$03$", 1), "hal:",
				"ida:{SHA}" + good,
			}, "\n")}),
			[]string{
				"AUTH_BASIC_USERS: item 2: must have a bcrypt hash", "item 3: must have a name of its own", "item 4: its bcrypt cost must be 4 to 14", "item 5: must have a bcrypt",
				"item 6: must have a bcrypt", "item 7: must have a bcrypt", "item 8: its bcrypt cost", "item 9: must have a bcrypt", "item 10: must have a bcrypt",
			},
		},
		"one field for two": {
			policy.AuthConfig{APIKeyHeader: "X-Key", PrincipalHeader: "x-key", MethodHeader: "X-KEY"},
			[]string{`AUTH_PRINCIPAL_HEADER="x-key": must be another one than AUTH_API_KEY_HEADER`, `AUTH_METHOD_HEADER="X-KEY": must be another one than AUTH_PRINCIPAL_HEADER`},
		},
		"plain http":          {jwt(func(c *policy.TokenConfig) { c.JWKSURL = "http://issuer.example/" }), []string{"AUTH_JWT_JWKS_URL: must be https"}},
		"no issuer":           {jwt(func(c *policy.TokenConfig) { c.Issuers = nil }), []string{"AUTH_JWT_ISSUER: required by AUTH_JWT_JWKS_URL"}},
		"any issuer":          {jwt(func(c *policy.TokenConfig) { c.Issuers = policy.AuthNames{"*"} }), []string{"AUTH_JWT_ISSUER: must name issuers"}},
		"no audience":         {jwt(func(c *policy.TokenConfig) { c.Audience = nil }), []string{"AUTH_JWT_AUDIENCE: required by AUTH_JWT_JWKS_URL"}},
		"any audience or one": {jwt(func(c *policy.TokenConfig) { c.Audience = policy.AuthNames{"a", "*"} }), []string{"AUTH_JWT_AUDIENCE: * must stand alone"}},
		"an empty audience":   {jwt(func(c *policy.TokenConfig) { c.Audience = policy.AuthNames{"a", ""} }), []string{"AUTH_JWT_AUDIENCE: must have no empty name"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			if err := config.Named(&test.cfg, test.cfg.Check()); err != nil {
				got = strings.Split(err.Error(), "\n")
			}
			if len(got) != len(test.want) {
				t.Fatalf("faults %q, want %q", got, test.want)
			}
			for i, line := range got {
				if !strings.Contains(line, test.want[i]) || strings.Contains(line, secret) || strings.Contains(line, ciKey) {
					t.Errorf("fault %q, want %q", line, test.want[i])
				}
			}
		})
	}
}
