package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTable(t *testing.T) {
	var cfg struct {
		Backends string `env:"BACKENDS,required" doc:"whom to forward to"`
		Token    string `env:"TOKEN" secret:"true" doc:"what to show"`
		Shutdown struct {
			Delay string `env:"DELAY" envDefault:"0s" doc:"how long|short to go on"`
		} `envPrefix:"SHUTDOWN_"`
		A timeouts `envPrefix:"A_" alike:"of one part"`
		B timeouts `envPrefix:"B_" alike:"of one part"`
	}
	want := "| variable | default | meaning |\n|---|---|---|\n" +
		"| **stop** |  | *how it ends* |\n" +
		"| `SHUTDOWN_DELAY` | `0s`, kubernetes: `5s` | how long\\|short to go on |\n" +
		"| `BACKENDS` | required | whom to forward to |\n" +
		"| `TOKEN` |  | what to show; `TOKEN_FILE` names a file to read it from |\n" +
		"| `A_*`, `B_*` |  | of one part |\n"
	if diff := cmp.Diff(want, Table(&cfg, []Group{{"stop", "how it ends", []string{"SHUTDOWN_*"}}, {"none", "nothing", []string{"X"}}})); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}
