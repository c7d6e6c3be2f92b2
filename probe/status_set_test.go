package probe_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/probe"
)

func ExampleStatusSet() {
	var healthy probe.StatusSet
	fmt.Println(healthy.UnmarshalText([]byte("200,204,300-399")), healthy.Contains(204), healthy.Contains(404))
	fmt.Println(healthy.UnmarshalText([]byte("200,400-300")))
	// Output:
	// <nil> true false
	// "400-300" must begin with its lesser status
}

func TestStatusSet(t *testing.T) {
	for text, want := range map[string]probe.StatusSet{
		"200":              {{200, 200}},
		"200-399":          {{200, 399}},
		" 200 , 300-399":   {{200, 200}, {300, 399}},
		"100,599":          {{100, 100}, {599, 599}},
		"204-204,200, 404": {{204, 204}, {200, 200}, {404, 404}},
	} {
		var got probe.StatusSet
		if err := got.UnmarshalText([]byte(text)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
	for _, text := range []string{"", "200,", "99", "600", "400-300", "200-", "-200", "2xx", "200-300-400", "0200", "+200", "200 - 300", "20"} {
		got := probe.StatusSet{{201, 201}}
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		}
		if diff := cmp.Diff(probe.StatusSet{{201, 201}}, got); diff != "" {
			t.Errorf("%q changed the set (-want +got):\n%s", text, diff)
		}
	}
}

func TestStatusSetContains(t *testing.T) {
	for _, test := range []struct {
		name    string
		set     probe.StatusSet
		in, out []int
	}{
		{"zero value", nil, []int{200, 301, 399}, []int{101, 199, 400, 503}},
		{"one", probe.StatusSet{{204, 204}}, []int{204}, []int{200, 203, 205}},
		{"several", probe.StatusSet{{500, 599}, {200, 200}}, []int{200, 500, 599}, []int{201, 499, 600}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, status := range test.in {
				if !test.set.Contains(status) {
					t.Errorf("%d is not in it", status)
				}
			}
			for _, status := range test.out {
				if test.set.Contains(status) {
					t.Errorf("%d is in it", status)
				}
			}
		})
	}
}

func FuzzStatusSet(f *testing.F) {
	f.Add("200,204,300-399")
	f.Add("99")
	f.Add("400-300")
	f.Fuzz(func(t *testing.T, text string) {
		var set, again probe.StatusSet
		if err := set.UnmarshalText([]byte(text)); err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("an error of two lines: %v", err)
			}
			return
		}
		written, _ := set.MarshalText()
		if err := again.UnmarshalText(written); err != nil {
			t.Fatalf("%q written as %q: %v", text, written, err)
		}
		if diff := cmp.Diff(set, again); diff != "" {
			t.Errorf("%q written as %q and read again (-want +got):\n%s", text, written, diff)
		}
		if set.Contains(99) || set.Contains(600) || !set.Contains(set[0].First) || !set.Contains(set[0].Last) {
			t.Errorf("%q is %v", text, set)
		}
	})
}
