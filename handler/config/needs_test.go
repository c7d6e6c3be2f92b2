package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// limit is a part of a configuration that can stand in several places.
type limit struct {
	Most  int    `env:"LIMIT" envDefault:"0" doc:"most requests"`
	Burst int    `env:"LIMIT_BURST" envDefault:"0" needs:"LIMIT" doc:"at once"`
	Wait  int    `env:"WAIT" envDefault:"0" within:"TIMEOUT" doc:"how long"`
	Door  string `env:"LIMIT_DOOR" envDefault:"shut" needs:"LIMIT" door:"leave it out" doc:"who is let in"`
	Mode  int    `env:"LIMIT_MODE" envDefault:"0" needs:"SHARED=yes|SHARED*=may; it is not shared" doc:"how"`
}

func TestNeedsUnderAPrefix(t *testing.T) {
	for name, test := range map[string]struct {
		given []string
		want  []string
	}{
		"nothing set":        {},
		"without":            {[]string{"LIMIT_BURST=5"}, []string{"LIMIT_BURST: is of no use without LIMIT"}},
		"with":               {[]string{"LIMIT_BURST=5", "LIMIT=1"}, nil},
		"a route without":    {[]string{"LIMIT=1", "ROUTE_A_LIMIT_BURST=5"}, []string{"ROUTE_A_LIMIT_BURST: is of no use without ROUTE_A_LIMIT"}},
		"a route with":       {[]string{"ROUTE_A_LIMIT=1", "ROUTE_A_LIMIT_BURST=5"}, nil},
		"what is around it":  {[]string{"ROUTE_A_LIMIT_MODE=1"}, []string{"ROUTE_A_LIMIT_MODE: is of no use without SHARED=yes or may in SHARED: it is not shared"}},
		"and with that":      {[]string{"ROUTE_A_LIMIT_MODE=1", "SHARED=Maybe"}, nil},
		"not known":          {[]string{"ROUTE_A_LIMIT=x", "ROUTE_A_LIMIT_BURST=5"}, []string{`ROUTE_A_LIMIT="x": must be a whole number`}},
		"at fault itself":    {[]string{"LIMIT_BURST=x"}, []string{`LIMIT_BURST="x": must be a whole number`}},
		"as by default":      {[]string{"LIMIT_BURST=0"}, nil},
		"a door by default":  {[]string{"LIMIT_DOOR=shut"}, []string{"LIMIT_DOOR: is of no use without LIMIT"}},
		"above":              {[]string{"TIMEOUT=5", "WAIT=6"}, []string{`WAIT="6": must not be above TIMEOUT, which is 5`}},
		"as much":            {[]string{"TIMEOUT=5", "WAIT=5"}, nil},
		"above nothing":      {[]string{"WAIT=6"}, nil},
		"a route's, above":   {[]string{"TIMEOUT=5", "ROUTE_A_WAIT=6"}, []string{`ROUTE_A_WAIT="6": must not be above TIMEOUT, which is 5`}},
		"two that need more": {[]string{"LIMIT_BURST=5", "LIMIT_MODE=1"}, []string{"LIMIT_BURST: is of no use without LIMIT", "LIMIT_MODE: is of no use without SHARED=yes or may in SHARED: it is not shared"}},
	} {
		t.Run(name, func(t *testing.T) {
			var cfg struct {
				Shared  string `env:"SHARED" envDefault:"no" doc:"whether it is"`
				Timeout int    `env:"TIMEOUT" envDefault:"0" doc:"longest wait"`
				All     limit
				Route   struct{ Limit limit } `envPrefix:"ROUTE_A_"`
			}
			_, _, err := Load(&cfg, test.given)
			if diff := cmp.Diff(test.want, lines(err)); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

// hub needs something of one of several variables, not all of which are everywhere.
type hub struct {
	Main   string `env:"MAIN" doc:"where to"`
	Key    string `env:"KEY" needs:"MAIN*=tls:|SPARE*=tls:" doc:"shown there"`
	Orphan string `env:"ORPHAN" needs:"NOWHERE|NEVER" doc:"of what is not here"`
}

// spoke has more of them.
type spoke struct {
	One
	Spare string `env:"SPARE" doc:"where else"`
	Hub   hub
}

func TestNeedsOfWhatIsNotEverywhere(t *testing.T) {
	for name, test := range map[string]struct {
		given []string
		want  []string
	}{
		"one is enough":             {[]string{"SPOKE_A_SPARE=tls:b", "SPOKE_A_KEY=k"}, nil},
		"the other one":             {[]string{"SPOKE_A_MAIN=tls:b", "SPOKE_A_KEY=k"}, nil},
		"the other one, inherited":  {[]string{"MAIN=tls:b", "SPOKE_A_KEY=k"}, nil},
		"none":                      {[]string{"MAIN=b", "SPOKE_A_SPARE=b", "SPOKE_A_KEY=k"}, []string{"SPOKE_A_KEY: is of no use without tls: in SPOKE_A_MAIN or SPOKE_A_SPARE"}},
		"for all":                   {[]string{"KEY=k"}, []string{"KEY: is of no use without tls: in MAIN"}},
		"for all, of use for one":   {[]string{"KEY=k", "SPOKE_A_SPARE=tls:b"}, nil},
		"for all, set anew by that": {[]string{"KEY=k", "SPOKE_A_SPARE=tls:b", "SPOKE_A_KEY=l"}, []string{"KEY: is of no use without tls: in MAIN"}},
		"of nothing that there is":  {[]string{"ORPHAN=x", "SPOKE_A_ORPHAN=y"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var cfg struct {
				Hub    hub
				Names  []string `env:"SPOKES" list:"true" doc:"the spokes"`
				Spokes []spoke  `each:"Names" envPrefix:"SPOKE_"`
			}
			_, _, err := Load(&cfg, append(test.given, "SPOKES=a"))
			if diff := cmp.Diff(test.want, lines(err)); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCommas(t *testing.T) {
	for list, want := range map[string]string{
		"":               "",
		"a":              "a",
		"a,b":            "a,b",
		" a , b ":        "a,b",
		"a b\tc":         "a,b,c",
		"a\nb\r\nc\n":    "a,b,c",
		"a,\n b":         "a,b",
		"a,,b":           "a,,b",
		"a,":             "a,",
		",":              ",",
		"a, ,b":          "a,,b",
		"\u00a0a\u2003b": "a,b",
	} {
		if got := commas(list); got != want {
			t.Errorf("%q is read as %q, want %q", list, got, want)
		}
	}
}
