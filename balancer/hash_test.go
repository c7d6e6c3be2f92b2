package balancer_test

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/balancer"
)

// moved returns which part of the users' picks differ between two sets, and
// which part of the moves was neither from nor to the backend in question.
func moved(before, after []*balancer.Backend, of *balancer.Backend) (all, needless float64) {
	const users = 20_000
	was, is := balancer.NewHash(userOf), balancer.NewHash(userOf)
	r := get()
	for user := range users {
		r.Header["X-User"] = []string{"user-" + strconv.Itoa(user)}
		from, to := was(r, before), is(r, after)
		if from != to {
			all++
			if from != of && to != of {
				needless++
			}
		}
	}
	return all / users, needless / users
}

func TestHashMovesFewKeys(t *testing.T) {
	for _, n := range []int{2, 3, 4, 10, 50} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			backends := numbered(slices.Repeat([]int{1}, n)...)
			most := 1/float64(n) + .05
			for i, b := range backends {
				if i == 5 {
					break
				}
				others := slices.Delete(slices.Clone(backends), i, i+1)
				for what, sets := range map[string][2][]*balancer.Backend{"leaves": {backends, others}, "joins": {others, backends}} {
					all, needless := moved(sets[0], sets[1], b)
					t.Logf("%d of %d %s: %.4f moved", i, n, what, all)
					if all > most || needless != 0 {
						t.Errorf("%d %s: %.4f of the keys moved, want at most %.4f; %.4f needlessly", i, what, all, most, needless)
					}
				}
			}
		})
	}
}

// TestHashIsTheSameEverywhere holds the picks of some keys: other instances of
// other versions must agree on them while backends are rolled over.
func TestHashIsTheSameEverywhere(t *testing.T) {
	for name, weights := range map[string][]int{"alike": {1, 1, 1, 1}, "weighted": {4, 3, 2, 1}} {
		ready, pick := numbered(weights...), balancer.NewHash(userOf)
		var got strings.Builder
		for user := range 16 {
			got.WriteString(pick(from(user), ready).Name)
		}
		reversed := slices.Clone(ready)
		slices.Reverse(reversed)
		for user := range 16 {
			if a, b := pick(from(user), ready), pick(from(user), reversed); a != b {
				t.Errorf("%s: user %d goes to %s or %s, by the order of the list", name, user, a.Name, b.Name)
			}
		}
		want := map[string]string{"alike": "0023011102031212", "weighted": "0020011002031211"}[name]
		if diff := cmp.Diff(want, got.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestHashBoundsLoad(t *testing.T) {
	tests := []struct {
		name    string
		weights []int
		most    []int64 // in flight, of 400 requests of the same user
	}{
		{"alike", []int{1, 1, 1, 1}, []int64{126, 126, 126, 126}},
		{"weighted", []int{5, 3, 1, 1}, []int64{251, 151, 51, 51}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ready, pick := numbered(test.weights...), balancer.NewHash(userOf)
			first := pick(from(1), ready)
			for i := range 400 {
				b := pick(from(1), ready)
				if i < 8 && b != first {
					t.Errorf("request %d left its backend", i)
				}
				resp, err := b.RoundTrip(get())
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
			}
			for i, b := range ready {
				if b.Active() > test.most[i] {
					t.Errorf("%d got %d in flight, want at most %d", i, b.Active(), test.most[i])
				}
			}
		})
	}
}

func TestHashWithoutAKeyIsRandom(t *testing.T) {
	pick, ready, counts := balancer.NewHash(userOf), numbered(1, 1), map[string]int{}
	for range 1000 {
		counts[pick(get(), ready).Name]++
	}
	if counts["0"] < 400 || counts["1"] < 400 {
		t.Errorf("picked %v", counts)
	}
}

func TestHashKey(t *testing.T) {
	r := get()
	r.Host = "shop.example"
	r.Header["X-User"] = []string{"ann", "bob"}
	r.Header["Cookie"] = []string{"sid=1", `session="s3"; other=2; session=s4`}
	clientIP := func(*http.Request) string { return "192.0.2.1" }
	good := map[string]string{
		"client-ip":      "192.0.2.1",
		"path":           "/path",
		"header:x-user":  "ann",
		"header:X-Other": "",
		"header:host":    "shop.example",
		"cookie:session": "s3",
		"cookie:sessio":  "",
		"cookie:none":    "",
	}
	for text, want := range good {
		var key balancer.HashKey
		if err := key.UnmarshalText([]byte(text)); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		keyOf := key.Func(clientIP)
		if got := keyOf(r); got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
		if n := testing.AllocsPerRun(100, func() { keyOf(r) }); n != 0 {
			t.Errorf("%s: %v allocations", text, n)
		}
		if written, err := key.MarshalText(); err != nil || !strings.EqualFold(string(written), text) {
			t.Errorf("%s is written as %s, %v", text, written, err)
		}
	}
	bad := map[string]string{
		"":            "must be client-ip, header:NAME, cookie:NAME or path",
		"ip":          "must be client-ip, header:NAME, cookie:NAME or path",
		"header":      `must name a header, such as header:X-User; "" cannot be one`,
		"header:":     `must name a header, such as header:X-User; "" cannot be one`,
		"header:a b":  `must name a header, such as header:X-User; "a b" cannot be one`,
		"cookie:a=b":  `must name a cookie, such as cookie:session; "a=b" cannot be one`,
		"cookie:":     `must name a cookie, such as cookie:session; "" cannot be one`,
		"path:/":      "path takes no name",
		"client-ip:4": "client-ip takes no name",
		"Path":        "must be client-ip, header:NAME, cookie:NAME or path",
	}
	for text, want := range bad {
		var key balancer.HashKey
		if err := key.UnmarshalText([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
