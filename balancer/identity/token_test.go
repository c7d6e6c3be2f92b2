package identity_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"spangate/balancer/identity"
)

// TestParseIDToken reads what JWTs may say, at midnight of 2000-01-01, when bubbles begin.
func TestParseIDToken(t *testing.T) {
	for name, test := range map[string]struct {
		claims  string
		expires int64 // in seconds, as the claim is; 0: it is refused
	}{
		"one audience":              {`{"aud":"a","exp":946688400}`, 946688400},
		"several":                   {`{"aud":["b","a"],"exp":946688400}`, 946688400},
		"an end with a fraction":    {`{"aud":"a","exp":946688400.5}`, 946688400},
		"an end in other words":     {`{"aud":"a","exp":9.466884e8}`, 946688400},
		"an end that is never":      {`{"aud":"a","exp":1e300}`, 1 << 40},
		"an end that is long ago":   {`{"aud":"a","exp":-1e300}`, 0},
		"an end that is a text":     {`{"aud":"a","exp":"946688400"}`, 0},
		"an end that is null":       {`{"aud":"a","exp":null}`, 0},
		"the beginning of another":  {`{"aud":"ab","exp":946688400}`, 0},
		"several, of which is none": {`{"aud":["b","c"],"exp":946688400}`, 0},
		"an audience that is none":  {`{"aud":{"a":"a"},"exp":946688400}`, 0},
		"more than claims":          {`{"aud":"a","exp":946688400}{}`, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				token, err := identity.ParseIDToken(jwt(test.claims), "a")
				switch {
				case err != nil && test.expires != 0:
					t.Error(err)
				case err == nil && (test.expires == 0 || token.Life() != time.Until(time.Unix(test.expires, 0))):
					t.Errorf("it is valid for %v", token.Life())
				}
			})
		})
	}
}

// FuzzParseIDToken looks for what is taken for a token and must not be sent, and for
// errors that show what was read.
func FuzzParseIDToken(f *testing.F) {
	for _, claims := range []string{`{"aud":"a","exp":4102444800}`, `{"aud":["a"],"exp":4e9}`, `{"aud":"b","exp":4102444800}`, `{"aud":"a","exp":1}`, `{"aud":[`} {
		f.Add(jwt(claims))
	}
	f.Add("..")
	f.Add("a.b.c\r\nX: y")
	f.Fuzz(func(t *testing.T, text string) {
		token, err := identity.ParseIDToken(text, "a")
		if err != nil {
			if len(text) > 16 && strings.Contains(err.Error(), text) {
				t.Errorf("the error shows what was read: %v", err)
			}
			return
		}
		if token.Value() != text || token.Life() <= 0 || strings.ContainsAny(text, " \r\n\x00,\"") || len(text) > identity.LongestToken {
			t.Errorf("%q is a token that is valid for %v", text, token.Life())
		}
	})
}

// TestNewToken makes tokens of what may stand in a field, and of nothing else.
func TestNewToken(t *testing.T) {
	for value, want := range map[string]bool{
		"a": true, "!~": true, "a.b-c_d+e/f=": true, strings.Repeat("x", identity.LongestToken): true,
		"": false, "a b": false, "a\tb": false, "a\x7f": false, "ä": false, "a\x80": false, `a"b`: false, "a,b": false, "a\r\nX: y": false, "a\x00": false,
		strings.Repeat("x", identity.LongestToken+1): false,
	} {
		if token, err := identity.NewToken(value, time.Hour); (err == nil) != want || err == nil && token.Value() != value {
			t.Errorf("%.20q: %v", value, err)
		}
	}
	if _, err := identity.NewToken("a", 0); err == nil {
		t.Error("one that is valid no more is a token")
	}
}

// TestTokensArePrintedNowhere prints one by itself and as a part of something.
func TestTokensArePrintedNowhere(t *testing.T) {
	token, err := identity.NewToken(secret, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	type part struct {
		Token identity.Token
		own   identity.Token
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, value := range []any{token, &token, part{token, token}, &part{token, token}, []identity.Token{token}, map[string]identity.Token{"a": token}} {
			text := fmt.Sprintf(verb, value)
			for _, form := range []string{secret, fmt.Sprintf("%x", secret), fmt.Sprint([]byte(secret))} {
				if strings.Contains(text, form) {
					t.Errorf("%s of a %T shows it", verb, value)
				}
			}
		}
	}
}
