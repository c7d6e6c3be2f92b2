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

func TestEachAtFault(t *testing.T) {
	parts := []string{"PARTS=one,two-b", "PART_ONE_MATCH=/one", "PART_TWO_B_MATCH=/two"}
	for name, test := range map[string]struct {
		given []string
		want  []string
	}{
		"nothing":                  {},
		"missing":                  {[]string{"PART_ONE_MATCH="}, []string{"PART_ONE_MATCH: required, e.g. /a"}},
		"no value":                 {[]string{"PART_ONE_MOST=x", "PART_TWO_B_WAIT=5"}, []string{`PART_ONE_MOST="x": must be a whole number`, `PART_TWO_B_WAIT="5": must be a duration such as 500ms, 10s or 1m30s`}},
		"too little":               {[]string{"PART_ONE_MOST=-1"}, []string{`PART_ONE_MOST="-1": must be at least 0`}},
		"an empty door":            {[]string{"PART_ONE_LIMIT="}, []string{"PART_ONE_LIMIT: is set but empty, which must not open the door by mistake; write off"}},
		"empty, and no door":       {[]string{"PART_ONE_MOST=", "PART_ONE_NOTHING="}, nil},
		"without what it needs":    {[]string{"PART_ONE_WAIT=1s"}, []string{"PART_ONE_WAIT: is of no use without PART_ONE_MOST"}},
		"with what is inherited":   {[]string{"MOST=1", "PART_ONE_WAIT=1s"}, nil},
		"where it is switched off": {[]string{"MOST=1", "PART_ONE_MOST=off", "PART_ONE_WAIT=1s"}, []string{"PART_ONE_WAIT: is of no use without PART_ONE_MOST"}},
		"of use to one":            {[]string{"WAIT=1s", "PART_ONE_MOST=1"}, nil},
		"of use to none":           {[]string{"WAIT=1s"}, []string{"WAIT: is of no use without MOST"}},
		"above what is inherited":  {[]string{"MOST=1", "LONGEST=1s", "PART_ONE_WAIT=2s"}, []string{`PART_ONE_WAIT="2s": must not be above LONGEST, which is 1s`}},
		"above its own":            {[]string{"MOST=1", "LONGEST=3s", "PART_ONE_LONGEST=1s", "PART_ONE_WAIT=2s"}, []string{`PART_ONE_WAIT="2s": must not be above PART_ONE_LONGEST, which is 1s`}},
		"both its own":             {[]string{"PART_ONE_MOST=10", "PART_ONE_KEY=k"}, []string{`PART_ONE_MOST="10": not with PART_ONE_KEY`}},
		"one inherited":            {[]string{"MOST=10", "PART_ONE_KEY=k"}, []string{`MOST="10": not with PART_ONE_KEY`}},
		"all inherited, once":      {[]string{"MOST=10", "KEY=k"}, []string{`MOST="10": not with KEY`}},
		"of what is not known":     {[]string{"PART_ONE_MOST=10", "PART_ONE_KEY=k", "PART_ONE_KEY_FILE=/none"}, []string{`PART_ONE_KEY_FILE="/none": PART_ONE_KEY is set too`}},
		"inherits what is not":     {[]string{"MOST=x", "PART_ONE_KEY=k"}, []string{`MOST="x": must be a whole number`}},
		"not for one alone":        {[]string{"PART_ONE_STORE=s", "PART_TWO_B_PORT=1"}, []string{"PART_ONE_STORE: STORE holds for the whole program", "PART_TWO_B_PORT: PORT holds for the whole program"}},
		"no such part":             {[]string{"PART_ONEE_MATCH=/a", "PART_OTHER_MATCH=/a"}, []string{`PART_ONEE_MATCH: no part is called "onee"; did you mean "one" (PART_ONE_MATCH)?`, `PART_OTHER_MATCH: no part is called "other"; PARTS lists those that there are`}},
		"no such variable":         {[]string{"PART_ONE_MACH=/a", "PART_ONE_COLOUR=red"}, []string{"PART_ONE_COLOUR: unknown; spangate help parts says what a part has", "PART_ONE_MACH: unknown; did you mean PART_ONE_MATCH?"}},
		"neither":                  {[]string{"PART_ONEE_MACH=/a"}, []string{"PART_ONEE_MACH: unknown; did you mean PART_ONE_MATCH?"}},
		"nothing of ours":          {[]string{"PART_TIME=yes", "PARTNER_ONE_MATCH=/a", "PART_NUMBER_ELEVEN=1"}, nil},
		"no list":                  {[]string{"PARTS=", "PART_TWO_B_MATCH=", "PART_TABLE_PORT=1"}, []string{`PART_ONE_MATCH: no part is called "one", as PARTS is not set`}},
	} {
		t.Run(name, func(t *testing.T) {
			var s site
			_, _, err := Load(&s, append(parts, test.given...), s.check)
			if diff := cmp.Diff(test.want, lines(err)); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

// What Kubernetes and Docker tell of neighbours is no part's, unless it could be.
func TestLinksOfEach(t *testing.T) {
	var s site
	_, warnings, err := Load(&s, []string{
		"PARTS=one,env", "PART_ONE_MATCH=/one", "PART_ENV_MATCH=/env", "PART_ENV_MOST=3",
		"PART_ONE_PORT=tcp://10.0.0.7:80", "PART_ONE_SERVICE_HOST=10.0.0.7", "PART_ONE_PORT_80_TCP_ADDR=10.0.0.7", "PART_ONE_NAME=/web/one", "PART_X_PORT=tcp://10.0.0.8:80",
	})
	want := []string{`PART_ONE_PORT="tcp://10.0.0.7:80": ignored, looks like a Kubernetes service link`}
	if diff := cmp.Diff(want, warnings); err != nil || diff != "" {
		t.Errorf("%v, warnings (-want +got):\n%s", err, diff)
	}
	if s.Parts[1].Shared.Most != 3 {
		t.Error("a variable of a part called env is taken for a link")
	}
}

func TestOwn(t *testing.T) {
	var s site
	if _, _, err := Load(&s, []string{"PARTS=one,two", "PART_ONE_MATCH=/1", "PART_TWO_MATCH=/2", "PART_TWO_MOST=0", "PART_TWO_PROBE_MODE=auto", "PART_TWO_MODE="}); err != nil {
		t.Fatal(err)
	}
	two := &s.Parts[1]
	if diff := cmp.Diff([]string{"PART_TWO_MATCH", "PART_TWO_MOST", "PART_TWO_PROBE_MODE"}, two.Own("*")); diff != "" {
		t.Errorf("its own (-want +got):\n%s", diff)
	}
	if s.Parts[0].Sets("MOST", "PROBE_*") || !two.Sets("NOTHING", "PROBE_*") || two.Sets("MODE") || two.Shared.Probe != "active" {
		t.Errorf("%+v", s.Parts)
	}
}
