package config

import "testing"

func TestShown(t *testing.T) {
	for name, test := range map[string]struct {
		variable Variable
		want     string
	}{
		"as it is":                {Variable{text: "a, b"}, "a, b"},
		"secret":                  {Variable{text: "a:b", Secret: true}, "***"},
		"secret that is not set":  {Variable{Secret: true}, ""},
		"credentials of a URL":    {Variable{text: "http://me:s3cret@a/"}, "http://***@a/"},
		"credentials over a line": {Variable{text: "http://me:s3\ncret@a/"}, "http://***@a/"},
		"a line break":            {Variable{text: "a\nb"}, "a\uFFFDb"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.variable.Shown(); got != test.want {
				t.Errorf("shown as %q, want %q", got, test.want)
			}
		})
	}
}
