package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
)

// options are what is measured, and how long.
type options struct {
	rounds       int
	seconds      float64
	only, trials string // comma lists
	caddy, quick bool
	command      string // that says the same
}

// trials are those that -trials chooses among.
var trials = []string{"main", "bodies", "idle", "growth", "https", "h2", "h2c", "handshakes", "websocket", "start", "backends", "routes"}

func parse(args []string, stderr io.Writer) (o options, err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&o.rounds, "rounds", 5, "how often each is measured")
	flags.Float64Var(&o.seconds, "seconds", 2, "how long a measurement takes")
	flags.StringVar(&o.only, "only", "", "comma list of parts of names: proxies to measure, beside the one that they are compared with; empty is all")
	flags.StringVar(&o.trials, "trials", "", "comma list of "+strings.Join(trials, ", ")+"; empty is all")
	flags.BoolVar(&o.caddy, "caddy", true, "measure Caddy, whose first build takes minutes")
	flags.BoolVar(&o.quick, "quick", false, "two minutes: three rounds of the first table")
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	if o.quick {
		o.rounds, o.trials = min(o.rounds, 3), "main"
	}
	o.command = strings.Join(append([]string{"just bench"}, args...), " ")
	switch {
	case flags.NArg() > 0:
		return options{}, fmt.Errorf("unknown argument %q", flags.Arg(0))
	case o.rounds < 1 || o.seconds <= 0:
		return options{}, errors.New("-rounds and -seconds must be positive")
	}
	for name := range strings.SplitSeq(o.trials, ",") {
		if name != "" && !slices.Contains(trials, name) {
			return options{}, fmt.Errorf("-trials: there is no %q", name)
		}
	}
	return o, nil
}

// tries reports whether a trial was asked for.
func (o options) tries(name string) bool {
	return o.trials == "" || slices.Contains(strings.Split(o.trials, ","), name)
}

// measures reports whether a proxy was asked for.
func (o options) measures(name string) bool {
	return slices.ContainsFunc(strings.Split(o.only, ","), func(part string) bool {
		return strings.Contains(strings.ToLower(name), strings.ToLower(part))
	})
}
