package config

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// site is a configuration with parts, each of which has what is there for all.
type site struct {
	Shared shared
	Names  []string `env:"PARTS" list:"true" doc:"the parts"`
	Parts  []part   `each:"Names" envPrefix:"PART_"`
	Port   int      `env:"PORT" envDefault:"8080" doc:"where"`
}

type part struct {
	One
	Match  string `env:"MATCH,required" example:"/a" doc:"what it takes"`
	Mode   string `env:"MODE" envDefault:"slow" doc:"how"`
	Shared shared
}

// shared is what a part inherits.
type shared struct {
	Most    int           `env:"MOST" envDefault:"0" min:"0" zero:"no limit" doc:"most requests"`
	Wait    time.Duration `env:"WAIT" envDefault:"0s" needs:"MOST" within:"LONGEST" doc:"how long they wait"`
	Names   []string      `env:"WHO" list:"true" zero:"nobody" doc:"who"`
	Key     string        `env:"KEY" secret:"true" door:"leave it out" zero:"none" doc:"what to show"`
	Limit   onlyOff       `env:"LIMIT" envDefault:"off" door:"write off" doc:"a limit"`
	Store   string        `env:"STORE" whole:"true" doc:"where they are counted"`
	Longest time.Duration `env:"LONGEST" envDefault:"0s" doc:"longest wait"`
	Probe   string        `env:"PROBE_MODE" envDefault:"auto" auto:"active" doc:"by what"`
}

// onlyOff is off or one.
type onlyOff string

func (o *onlyOff) UnmarshalText(text []byte) error { return OneOf(o, text, "off", "one") }

func (s *site) check() error {
	var wrong []error
	for i := range s.Parts {
		wrong = append(wrong, s.Parts[i].Shared.check())
	}
	return errors.Join(append(wrong, s.Shared.check())...)
}

func (s *shared) check() error {
	if s.Most > 9 && s.Key != "" {
		return Wrong(&s.Most, "not with %s", &s.Key)
	}
	return nil
}

func TestEach(t *testing.T) {
	var s site
	_, warnings, err := Load(&s, []string{
		"MOST=5", "WHO=a,b", "PARTS=one,two-b", "PART_ONE_MATCH=/one", "PART_TWO_B_MATCH=/two", "PART_TWO_B_MOST=7", "PART_TWO_B_WAIT=2s", "PART_ONE_WHO=c d", "PART_TWO_B_WHO=none", "PART_ONE_MODE=fast",
	}, s.check)
	if err != nil || warnings != nil {
		t.Fatal(err, warnings)
	}
	type row struct {
		Name, Match, Mode string
		Most              int
		Wait              time.Duration
		Who               []string
		Own               bool
	}
	var got []row
	for _, p := range s.Parts {
		got = append(got, row{p.Name, p.Match, p.Mode, p.Shared.Most, p.Shared.Wait, p.Shared.Names, p.Own("MOST") != nil})
	}
	want := []row{
		{"one", "/one", "fast", 5, 0, []string{"c", "d"}, false},
		{"two-b", "/two", "slow", 7, 2 * time.Second, nil, true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a", "b"}, s.Shared.Names); diff != "" {
		t.Errorf("what a part sets changes what is there for all (-want +got):\n%s", diff)
	}
}
