package config

import (
	"fmt"
	"testing"
)

func TestOneOf(t *testing.T) {
	type rule string
	for _, test := range []struct {
		text  string
		names []rule
		want  string
	}{
		{"a", []rule{"a"}, "a <nil>"},
		{"b", []rule{"a", "b"}, "b <nil>"},
		{"B", []rule{"a", "b"}, "as before must be a or b"},
		{"", []rule{"a", "b", "c"}, "as before must be a, b or c"},
		{"a,b", []rule{"a", "b"}, "as before must be a or b"},
	} {
		got := rule("as before")
		err := OneOf(&got, []byte(test.text), test.names...)
		if line := fmt.Sprint(got, " ", err); line != test.want {
			t.Errorf("%q gives %q, want %q", test.text, line, test.want)
		}
	}
}
