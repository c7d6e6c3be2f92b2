package config

import (
	"errors"
	"io/fs"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// door is a part of a configuration that can stand in several places, and does not
// know in which.
type door struct {
	Most  int           `env:"MOST" envDefault:"1" doc:"most requests"`
	Wait  time.Duration `env:"WAIT" envDefault:"0s" doc:"how long"`
	Names []string      `env:"NAMES" doc:"who"`
	Key   string        `env:"KEY" secret:"true" doc:"what to show"`
}

func (d *door) Check() error {
	return errors.Join(
		Wrong(&d.Most, "must not be above %d", 2),
		Wrong(&d.Wait, "must be less than %s, which is %d", &d.Most, d.Most),
		Wrong(Fields{&d.Names, &d.Key}, "need %s", &d.Wait),
		Wrong(&d.Key, "holds %q", "nothing"),
		WrongFor(&d.Names, errors.Join(errors.New("x"), errors.New("y"))),
		WrongFor(&d.Key, nil),
	)
}

func TestWrong(t *testing.T) {
	var cfg struct {
		All   door
		Route struct{ Door door } `envPrefix:"ROUTE_A_"`
	}
	given := []string{"MOST=3", "ROUTE_A_MOST=4", "ROUTE_A_WAIT=25h", "ROUTE_A_NAMES=a,b", "ROUTE_A_KEY=s3cret"}
	_, _, err := Load(&cfg, given, cfg.All.Check, cfg.Route.Door.Check)
	want := []string{
		`MOST="3": must not be above 2`,
		`WAIT="0s": must be less than MOST, which is 3`,
		"NAMES, KEY: need WAIT",
		`KEY: holds "nothing"`,
		`NAMES="": x`,
		`NAMES="": y`,
		`ROUTE_A_MOST="4": must not be above 2`,
		`ROUTE_A_WAIT="25h0m0s": must be less than ROUTE_A_MOST, which is 4`,
		"ROUTE_A_NAMES, ROUTE_A_KEY: need ROUTE_A_WAIT",
		`ROUTE_A_KEY: holds "nothing"`,
		`ROUTE_A_NAMES="a,b": x`,
		`ROUTE_A_NAMES="a,b": y`,
	}
	if diff := cmp.Diff(want, lines(err)); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

// What a variable says whose value cannot be read is not known: whoever compares
// it compares a zero.
func TestWrongOfWhatIsNotKnown(t *testing.T) {
	for name, test := range map[string]struct {
		given []string
		want  []string
	}{
		"known":              {nil, []string{"MOST, WAIT: x", `WAIT="0s": not with MOST`}},
		"not what is meant":  {[]string{"MOST=x"}, []string{`MOST="x": must be a whole number`}},
		"nor what is beside": {[]string{"WAIT=x"}, []string{`WAIT="x": must be a duration such as 500ms, 10s or 1m30s`}},
		"told twice":         {[]string{"KEY=x"}, []string{"MOST, WAIT: x", `WAIT="0s": not with MOST`}},
	} {
		t.Run(name, func(t *testing.T) {
			var cfg door
			check := func() error {
				return errors.Join(Wrong(Fields{&cfg.Most, &cfg.Wait}, "x"), Wrong(&cfg.Wait, "not with %s", &cfg.Most))
			}
			_, _, err := Load(&cfg, test.given, check, check)
			if diff := cmp.Diff(test.want, lines(err)); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNamed(t *testing.T) {
	cfg := door{Most: 5}
	err := Named(&cfg, errors.Join(Wrong(&cfg.Most, "%w", fs.ErrExist), Wrong(&cfg.Most, "%w", fs.ErrExist), fs.ErrClosed))
	want := []string{`MOST="5": file already exists`, "file already closed"}
	if diff := cmp.Diff(want, lines(err)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !errors.Is(err, fs.ErrExist) {
		t.Error("its cause is lost")
	}
	if err := Named(&cfg, nil); err != nil {
		t.Errorf("nothing is wrong, and it returns %v", err)
	}
}
