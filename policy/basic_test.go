package policy_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"

	"spangate/policy"
)

func TestBasic(t *testing.T) {
	d := newDoor(basicConfig(), nil)
	for name, test := range map[string]struct {
		header []string
		want   passed
	}{
		"right":                    {[]string{basic("ann:wonder")}, by("basic", "ann")},
		"right again":              {[]string{basic("ann:wonder")}, by("basic", "ann")},
		"password with a colon":    {[]string{basic("bob:pass:word")}, by("basic", "bob")},
		"scheme in small letters":  {[]string{strings.Replace(basic("ann:wonder"), "Basic", "bASIC", 1)}, by("basic", "ann")},
		"several spaces":           {[]string{strings.Replace(basic("ann:wonder"), "Basic", "Basic  ", 1)}, by("basic", "ann")},
		"none":                     {nil, refused("missing")},
		"wrong password":           {[]string{basic("ann:wonde")}, refused("bad_password")},
		"wrong password again":     {[]string{basic("ann:wonde")}, refused("bad_password")},
		"no password":              {[]string{basic("ann:")}, refused("bad_password")},
		"a password with a NUL":    {[]string{basic("ann:wonder\x00wonder")}, refused("malformed")},
		"another's password":       {[]string{basic("bob:wonder")}, refused("bad_password")},
		"unknown user":             {[]string{basic("eve:wonder")}, refused("bad_password")},
		"unknown user, other one":  {[]string{basic("eve:pass:word")}, refused("bad_password")},
		"user in another case":     {[]string{basic("Ann:wonder")}, refused("bad_password")},
		"empty user":               {[]string{basic(":wonder")}, refused("bad_password")},
		"password too long":        {[]string{basic("ann:" + strings.Repeat("x", 73))}, refused("password_too_long")},
		"user too long":            {[]string{basic(strings.Repeat("x", 256) + ":x")}, refused("bad_password")},
		"without a colon":          {[]string{basic("ann")}, refused("malformed")},
		"scheme alone":             {[]string{"Authorization: Basic"}, refused("malformed")},
		"empty":                    {[]string{"Authorization: "}, refused("malformed")},
		"no base64":                {[]string{"Authorization: Basic ann:wonder"}, refused("malformed")},
		"no padding":               {[]string{"Authorization: Basic YW5uOndvbmRlcg"}, refused("malformed")},
		"stray bits":               {[]string{"Authorization: Basic YW5uOndvbmRlch=="}, refused("malformed")},
		"url alphabet":             {[]string{"Authorization: Basic _-_-"}, refused("malformed")},
		"two schemes":              {[]string{basic("ann:wonder") + ", Bearer x"}, refused("malformed")},
		"two lines":                {[]string{basic("ann:wonder"), basic("ann:wonder")}, refused("malformed")},
		"a tab behind the scheme":  {[]string{"Authorization: Basic\tYW5uOndvbmRlcg=="}, refused("malformed")},
		"scheme that is not known": {[]string{"Authorization: Digest username=ann"}, refused("missing")},
		"an API key":               {[]string{"X-API-Key: " + ciKey}, refused("missing")},
	} {
		t.Run(name, func(t *testing.T) { d.want(t, test.want, test.header...) })
	}
}

// A password that bcrypt would cut is not the one that it is cut to.
func TestBasicPasswordIsNotCut(t *testing.T) {
	password := strings.Repeat("x", 72)
	d := newDoor(authConfig(policy.AuthConfig{BasicUsers: "ann:" + hash(password, bcrypt.MinCost)}), nil)
	d.want(t, by("basic", "ann"), basic("ann:"+password))
	d.want(t, refused("password_too_long"), basic("ann:"+password+"y"))
}

func TestBasicIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, err := policy.NewBasicUsers("ann:" + hash("wonder", bcrypt.MinCost))
		if err != nil {
			t.Fatal(err)
		}
		ann := policy.Principal{Name: "ann", Method: "basic"}
		want := func(credentials string, p policy.Principal, reason string, after time.Duration) {
			t.Helper()
			start := time.Now()
			if got, why := u.Verify(t.Context(), credentials); got != p || why != reason || time.Since(start) != after {
				t.Errorf("%s: %+v %s after %v; want %+v %s after %v", credentials, got, why, time.Since(start), p, reason, after)
			}
		}
		want("ann:wonder", ann, "", 0)
		want("ann:blunder", policy.Principal{}, "bad_password", 0)
		want("eve:wonder", policy.Principal{}, "bad_password", 0)
		free := u.Occupy()
		want("ann:wonder", ann, "", 0)
		want("ann:blunder", policy.Principal{}, "bad_password", 0)
		want("eve:wonder", policy.Principal{}, "bad_password", 0)
		want("ann:thunder", policy.Principal{}, "busy", time.Second)
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, reason := u.Verify(gone, "ann:thunder"); reason != "busy" {
			t.Errorf("a client that is gone gets %s", reason)
		}

		// The turn comes in time.
		time.AfterFunc(900*time.Millisecond, free)
		want("ann:thunder", policy.Principal{}, "bad_password", 900*time.Millisecond)

		// What is remembered ends.
		time.Sleep(5 * time.Minute)
		free = u.Occupy()
		want("ann:wonder", policy.Principal{}, "busy", time.Second)
		want("ann:blunder", policy.Principal{}, "busy", time.Second)
		free()
		want("ann:wonder", ann, "", 0)
	})
}

// One client that guesses does not keep others from having their passwords
// checked.
func TestBasicTurnsOfOneClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, err := policy.NewBasicUsers("ann:" + hash("wonder", bcrypt.MinCost))
		if err != nil {
			t.Fatal(err)
		}
		guesser, other := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8:0:1::1")
		free := u.Occupy()
		var all sync.WaitGroup
		var refused atomic.Int32
		for i := range 100 {
			all.Go(func() {
				if u.VerifyFrom(t.Context(), guesser, fmt.Sprintf("ann:guess %d", i)) == "busy" {
					refused.Add(1)
				}
			})
		}
		synctest.Wait()
		if n := refused.Load(); n != 98 {
			t.Errorf("%d of 100 guesses were refused at once", n)
		}
		all.Go(func() {
			if reason := u.VerifyFrom(t.Context(), other, "ann:wonder"); reason != "" {
				t.Errorf("a user gets %s", reason)
			}
		})
		synctest.Wait()
		free()
		all.Wait()
		if reason := u.VerifyFrom(t.Context(), guesser, "ann:one more"); reason != "bad_password" {
			t.Errorf("the next guess gets %s", reason)
		}
	})
}

// Those who wait behind one with the same password need not have it compared.
func TestBasicIsComparedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, err := policy.NewBasicUsers("ann:" + hash("wonder", bcrypt.MinCost))
		if err != nil {
			t.Fatal(err)
		}
		free := u.Occupy()
		var all sync.WaitGroup
		var in atomic.Int32
		for range 100 {
			all.Go(func() {
				if _, reason := u.Verify(t.Context(), "ann:wonder"); reason == "" {
					in.Add(1)
				}
			})
		}
		synctest.Wait()
		free()
		all.Wait()
		if right, wrong := u.Remembered(); in.Load() != 100 || right != 1 || wrong != 0 {
			t.Errorf("%d of 100 came in, %d right and %d wrong passwords are remembered", in.Load(), right, wrong)
		}
	})
}

func TestBasicRemembersNoMoreThanItHasRoomFor(t *testing.T) {
	u, err := policy.NewBasicUsers("ann:" + hash("wonder", bcrypt.MinCost))
	if err != nil {
		t.Fatal(err)
	}
	u.MakeRoomFor(3)
	u.Verify(t.Context(), "ann:wonder")
	for i := range 9 {
		u.Verify(t.Context(), fmt.Sprint("ann:", i))
	}
	if right, wrong := u.Remembered(); right != 1 || wrong != 3 {
		t.Errorf("%d right and %d wrong passwords are remembered, want 1 and 3", right, wrong)
	}
}

// An attacker must not tell by the time which users there are, also when their
// hashes do not cost the same.
func TestUnknownUsersCostWhatKnownOnesDo(t *testing.T) {
	ann, bob := hash("a", bcrypt.MinCost), hash("b", bcrypt.MinCost+1)
	u, err := policy.NewBasicUsers("ann:" + ann + ",bob:" + bob)
	if err != nil {
		t.Fatal(err)
	}
	if u.HashFor("ann") != ann || u.HashFor("bob") != bob {
		t.Error("a user is compared with another's hash")
	}
	like := map[string]int{}
	for i := range 64 {
		name := fmt.Sprint("user", i)
		cost := u.HashFor(name)
		like[cost]++
		if u.HashFor(name) != cost {
			t.Errorf("%s costs what one user does, and then what another does", name)
		}
	}
	if len(like) != 2 || like[ann] == 0 || like[bob] == 0 {
		t.Errorf("unknown users do not cost what those that are known do: %v", like)
	}
}
