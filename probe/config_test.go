package probe_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/config"
	"spangate/probe"
)

func TestConfigDefaults(t *testing.T) {
	var got probe.Config
	if _, _, err := config.Load(&got, nil); err != nil {
		t.Fatal(err)
	}
	want := probe.Config{
		Mode: probe.ModeActive, Type: probe.TypeAuto, Status: probe.StatusSet{{First: 200, Last: 399}},
		Interval: 10 * time.Second, Timeout: 2 * time.Second, Rise: 1, Fall: 2,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestConfigFaults(t *testing.T) {
	for variable, want := range map[string]string{
		"PROBE_MODE=sometimes": `PROBE_MODE="sometimes": must be auto, active, on-demand or off`,
		"PROBE_TYPE=icmp":      `PROBE_TYPE="icmp": must be auto, http, tcp or grpc`,
		"PROBE_PATH=healthz":   `PROBE_PATH="healthz": must begin with /`,
		"PROBE_PATH=/a#b":      `PROBE_PATH="/a#b": must not have a fragment`,
		"PROBE_PATH=/%zz":      `PROBE_PATH="/%zz": must be a path, in which a % that is meant as such is written %25, and what is not visible ASCII as % and two digits`,
		"PROBE_STATUS=99":      `PROBE_STATUS="99": "99" must be a status from 100 to 599, or a range such as 200-399`,
		"PROBE_STATUS=400-300": `PROBE_STATUS="400-300": "400-300" must begin with its lesser status`,
		"PROBE_INTERVAL=0":     `PROBE_INTERVAL="0": must be at least 10ms`,
		"PROBE_TIMEOUT=2":      `PROBE_TIMEOUT="2": must be a duration such as 500ms, 10s or 1m30s`,
		"PROBE_RISE=0":         `PROBE_RISE="0": must be at least 1`,
		"PROBE_FALL=0":         `PROBE_FALL="0": must be at least 1`,
	} {
		t.Run(variable, func(t *testing.T) {
			_, _, err := config.Load(&probe.Config{}, []string{variable})
			if err == nil {
				t.Fatal("no fault")
			}
			if diff := cmp.Diff(want, err.Error()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// An API that answers 404 at / must work out of the box.
func TestConfigCheck(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	u, _ := url.Parse(server.URL)
	for _, test := range []struct {
		name string
		cfg  probe.Config
		want string
	}{
		{"zero value", probe.Config{}, ""},
		{"a path", probe.Config{Path: "/up"}, "404"},
		{"http", probe.Config{Type: probe.TypeHTTP}, "404"},
		{"http content with 404", probe.Config{Type: probe.TypeHTTP, Status: probe.StatusSet{{First: 404, Last: 404}}}, ""},
		{"grpc", probe.Config{Type: probe.TypeGRPC}, "malformed_response"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := test.cfg.Check(&http.Transport{}, "", "", nil)(t.Context(), u)
			if got := errorType(err); got != test.want {
				t.Errorf("got %v, want error.type %q", err, test.want)
			}
		})
	}
}
