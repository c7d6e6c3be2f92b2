package deploy_test

import (
	"maps"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
)

// flyApp is what may stand in fly.toml, of what ours has any part of:
// https://fly.io/docs/reference/configuration
type flyApp struct {
	App           string
	PrimaryRegion string        `toml:"primary_region"`
	KillSignal    string        `toml:"kill_signal"`
	KillTimeout   time.Duration `toml:"kill_timeout"`
	Build         struct{ Image string }
	Env           map[string]string
	HTTPService   struct {
		InternalPort       int    `toml:"internal_port"`
		ForceHTTPS         bool   `toml:"force_https"`
		AutoStopMachines   string `toml:"auto_stop_machines"`
		AutoStartMachines  bool   `toml:"auto_start_machines"`
		MinMachinesRunning int    `toml:"min_machines_running"`
		Concurrency        struct {
			Type      string
			SoftLimit int `toml:"soft_limit"`
			HardLimit int `toml:"hard_limit"`
		}
		Checks []struct {
			Path, Method, Protocol string
			GracePeriod            time.Duration `toml:"grace_period"`
			Interval, Timeout      time.Duration
		}
	} `toml:"http_service"`
	Metrics struct {
		Port int
		Path string
	}
	VM []struct{ Size, Memory string }
}

func flyFile(t *testing.T) (app flyApp) {
	t.Helper()
	meta, err := toml.Decode(read(t, "fly/fly.toml"), &app)
	if err != nil {
		t.Fatal(err)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		t.Fatalf("fly/fly.toml: unknown are %v", unknown)
	}
	return app
}

func fly(t *testing.T) manifest {
	t.Helper()
	app := flyFile(t)
	signal, ok := map[string]syscall.Signal{"SIGINT": syscall.SIGINT, "SIGTERM": syscall.SIGTERM}[app.KillSignal]
	if !ok || len(app.VM) != 1 {
		t.Fatalf("fly/fly.toml has the signal %q and %d sizes of machines", app.KillSignal, len(app.VM))
	}
	m := manifest{
		platform: "fly",
		given: map[string]string{
			"FLY_APP_NAME": app.App, "FLY_REGION": "ams", "FLY_MACHINE_ID": "e286", "FLY_MACHINE_VERSION": "01H",
			"FLY_IMAGE_REF": "spangate:1", "PRIMARY_REGION": app.PrimaryRegion,
		},
		set:    app.Env,
		facts:  map[string]any{"faas.name": app.App},
		port:   app.HTTPService.InternalPort,
		signal: signal,
		grace:  app.KillTimeout,
	}
	for _, check := range app.HTTPService.Checks {
		m.probes = append(m.probes, check.Path)
	}
	return m
}

// flycast is fly with what the file offers in comments: backends behind Fly
// Proxy, and secrets.
func flycast(t *testing.T) manifest {
	t.Helper()
	m := fly(t)
	m.set = maps.Clone(m.set)
	offered := regexp.MustCompile(`(?m)^# (?:fly secrets set )?([A-Z_]+) ?= ?(\S+)$`).FindAllStringSubmatch(read(t, "fly/fly.toml"), -1)
	for _, variable := range offered {
		m.set[variable[1]] = strings.Trim(variable[2], `"`)
	}
	if len(offered) != 4 || m.set["PROBE_MODE"] != "off" {
		t.Fatalf("fly/fly.toml offers %q", offered)
	}
	return m
}

// TestFlyMetrics holds that the platform scrapes where the program answers.
func TestFlyMetrics(t *testing.T) {
	app := flyFile(t)
	if port := app.Env["OTEL_EXPORTER_PROMETHEUS_PORT"]; port != strconv.Itoa(app.Metrics.Port) || app.Metrics.Path != "/metrics" || app.Env["OTEL_METRICS_EXPORTER"] != "prometheus" {
		t.Errorf("scraped is %+v, the variables are %v", app.Metrics, app.Env)
	}
	if app.HTTPService.InternalPort == app.Metrics.Port {
		t.Error("metrics are open to everybody")
	}
}
