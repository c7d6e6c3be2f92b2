package field_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/field"
)

func ExampleAnswer() {
	var a field.Answer
	a.Vary("Origin")
	a.Forbid("Access-Control-Allow-Origin", "Access-Control-Max-Age")
	a.Set("Access-Control-Allow-Origin", "https://app.example.com")

	header := http.Header{"Vary": {"Cookie"}, "Access-Control-Allow-Origin": {"*"}, "Access-Control-Max-Age": {"60"}, "Etag": {"x"}}
	a.Apply(header)
	fmt.Println(header)
	// Output: map[Access-Control-Allow-Origin:[https://app.example.com] Etag:[x] Vary:[Origin Cookie]]
}

func TestAnswer(t *testing.T) {
	var none *field.Answer
	for name, test := range map[string]struct {
		answer *field.Answer
		say    func(*field.Answer)
		want   http.Header
	}{
		"none":                 {none, func(*field.Answer) {}, http.Header{"A": {"backend"}, "Vary": {"Cookie"}}},
		"nothing":              {&field.Answer{}, func(*field.Answer) {}, http.Header{"A": {"backend"}, "Vary": {"Cookie"}}},
		"the last word counts": {&field.Answer{}, func(a *field.Answer) { a.Set("A", "1"); a.Set("A", "2", "3") }, http.Header{"A": {"2", "3"}, "Vary": {"Cookie"}}},
		"set, then forbidden":  {&field.Answer{}, func(a *field.Answer) { a.Set("B", "1"); a.Forbid("B"); a.Forbid("A", "C") }, http.Header{"B": {"1"}, "Vary": {"Cookie"}}},
		"Vary of two":          {&field.Answer{}, func(a *field.Answer) { a.Vary("Origin"); a.Vary("Accept", "X") }, http.Header{"A": {"backend"}, "Vary": {"Origin", "Accept", "X", "Cookie"}}},
		"where nobody else speaks": {&field.Answer{}, func(a *field.Answer) {
			a.Set("B", "1")
			a.Default(http.Header{"A": {"2"}, "B": {"2"}, "C": {"2"}})
		}, http.Header{"A": {"backend"}, "B": {"1"}, "C": {"2"}, "Vary": {"Cookie"}}},
		"more than it has room": {&field.Answer{}, func(a *field.Answer) { say(a, "A", "B", "C", "D", "E", "F") }, http.Header{"A": {"A"}, "B": {"B"}, "C": {"C"}, "D": {"D"}, "E": {"E"}, "F": {"F"}, "Vary": {"Cookie"}}},
	} {
		t.Run(name, func(t *testing.T) {
			header := http.Header{"A": {"backend"}, "Vary": {"Cookie"}}
			test.say(test.answer)
			test.answer.Apply(header)
			if diff := cmp.Diff(test.want, header); diff != "" {
				t.Errorf("header (-want +got):\n%s", diff)
			}
		})
	}
}

func say(a *field.Answer, names ...string) {
	for _, name := range names {
		a.Set(name, name)
	}
}

// What many answers share stays as it is when one of them is added to.
func TestAnswerChangesNothingShared(t *testing.T) {
	shared := []string{"Origin", "of another answer"}
	var a field.Answer
	a.Vary(shared[:1]...)
	a.Vary("Accept")
	a.Forbid(shared[:1]...)
	a.Forbid("Accept")
	header := http.Header{"Vary": {"Cookie"}}
	a.Apply(header)
	header.Add("Vary", "more")
	if diff := cmp.Diff([]string{"Origin", "of another answer"}, shared); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What most configurations have policies say costs no allocation.
func TestAnswerAllocatesNothing(t *testing.T) {
	a, header := &field.Answer{}, http.Header{}
	names, value := []string{"A", "B"}, []string{"1"}
	if n := testing.AllocsPerRun(100, func() {
		*a = field.Answer{}
		a.Forbid(names...)
		a.Vary(value...)
		for _, name := range []string{"A", "B", "C"} {
			a.Set(name, value...)
		}
		clear(header)
		a.Apply(header)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
