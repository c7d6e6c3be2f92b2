package telemetry_test

import (
	"bytes"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/balancer"
	"spangate/telemetry"
	"spangate/telemetry/export"
	"spangate/telemetry/logline"
)

// TestHooksWhereNothingIsRecorded holds that nobody is told of requests where nothing is
// recorded of them, and that what is no request's is told all the same.
func TestHooksWhereNothingIsRecorded(t *testing.T) {
	disabled := export.Config{Disabled: "true"}
	for _, test := range []struct {
		name             string
		cfg              telemetry.Config
		balancer, policy []string
	}{
		{
			"off", telemetry.Config{Export: disabled},
			[]string{"Probe", "ProbeRequest", "Changed", "Discovered", "Handshake", "Reloaded", "Identity", "Failed"},
			[]string{"Fetched"},
		},
		{
			"an access log", telemetry.Config{Export: disabled, Log: logline.Config{AccessLog: "text"}},
			[]string{"Picked", "Connections", "Attempt", "Attempted", "RetryWait", "RetryStopped", "Probe", "ProbeRequest", "Changed", "Discovered", "Handshake", "Reloaded", "Identity", "Failed"},
			[]string{"RequestID", "Authenticated", "Waited", "Fetched"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			tel, err := telemetry.New(test.cfg, telemetry.Process{}, new(bytes.Buffer))
			if err != nil {
				t.Fatal(err)
			}
			defer tel.Flush(time.Minute, nil)
			if diff := cmp.Diff(test.balancer, set(tel.Balancer(balancer.RoundRobin))); diff != "" {
				t.Errorf("hooks of a pool (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.policy, set(tel.Policies())); diff != "" {
				t.Errorf("hooks of policies (-want +got):\n%s", diff)
			}
			transport := &http.Transport{}
			if forwards := tel.Forward(transport) == http.RoundTripper(transport); forwards != (test.name == "off") {
				t.Errorf("attempts together are not decorated: %t", forwards)
			}
		})
	}
}

// set returns the names of the fields of a struct that are not nil.
func set(hooks any) (names []string) {
	for field, value := range reflect.ValueOf(hooks).Fields() {
		if !value.IsZero() {
			names = append(names, field.Name)
		}
	}
	return names
}
