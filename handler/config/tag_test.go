package config

import (
	"reflect"
	"testing"
)

func TestTag(t *testing.T) {
	for _, text := range []reflect.StructTag{
		"", `env:"A"`, `env:"A,required" doc:"what it is: \"so\", and \\ and : there"`, ` env:"" zero:"" `, `a:"b`, `a`, `a:"b\`, `env:"ä→" x:"\u00e4"`,
	} {
		parsed := appendTag(nil, text)
		for _, key := range []string{"env", "doc", "zero", "a", "x", "none"} {
			want, wantOK := text.Lookup(key)
			if got, ok := parsed.Lookup(key); got != want || ok != wantOK || parsed.Get(key) != want {
				t.Errorf("%q: %s is %q, %t, want %q, %t", text, key, got, ok, want, wantOK)
			}
		}
	}
}
