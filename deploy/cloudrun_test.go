package deploy_test

import (
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

func cloudRun(t *testing.T, file string) manifest {
	t.Helper()
	service := objects(t, file)[0]
	m := service.manifest(t)
	m.platform = "cloudrun"
	name, revision := service.Metadata.Name, service.Metadata.Name+"-00001-abc"
	m.given = map[string]string{"PORT": strconv.Itoa(m.port), "K_SERVICE": name, "K_REVISION": revision, "K_CONFIGURATION": name}
	m.facts = map[string]any{"faas.name": name, "faas.version": revision}
	if project := m.set["GOOGLE_CLOUD_PROJECT"]; project != "" {
		m.facts["cloud.account.id"] = project
	}
	m.grace = 10 * time.Second // https://docs.cloud.google.com/run/docs/container-contract
	return m
}

// TestCloudRunCollector holds that the program and the collector beside it mean
// the same port, start in order, and that the platform asks the collector where
// it answers.
func TestCloudRunCollector(t *testing.T) {
	const file = "cloudrun/with-collector.yaml"
	service := objects(t, file)[0]
	spangate := service.manifest(t)
	var collector container
	for _, c := range service.Spec.Template.Spec.Containers {
		if c.Name == "collector" {
			collector = c
		}
	}
	configuration := ""
	for _, variable := range collector.Env {
		if len(collector.Args) == 1 && collector.Args[0] == "--config=env:"+variable.Name {
			configuration = variable.Value
		}
	}
	c := collectorOf(t, file, configuration)

	endpoint, err := url.Parse(spangate.set["OTEL_EXPORTER_OTLP_ENDPOINT"])
	if err != nil || c.Receivers["otlp"].Protocols.HTTP.Endpoint != endpoint.Host {
		t.Errorf("the program sends to %v, the collector listens on %+v (%v)", endpoint, c.Receivers["otlp"], err)
	}
	if _, port, _ := strings.Cut(c.Extensions["health_check"].Endpoint, ":"); collector.StartupProbe == nil || collector.StartupProbe.HTTPGet.Port != port {
		t.Errorf("the collector is asked at %+v, and answers on port %s", collector.StartupProbe, port)
	}
	if got, want := service.Spec.Template.Metadata.Annotations["run.googleapis.com/container-dependencies"], `{"spangate":["collector"]}`; got != want {
		t.Errorf("containers depend as in %s, want %s", got, want)
	}
	if got, want := spangate.set["OTEL_RESOURCE_ATTRIBUTES"], "gcp.project_id="+spangate.set["GOOGLE_CLOUD_PROJECT"]; got != want {
		t.Errorf("telemetry is of %s, want %s", got, want)
	}
}

// TestCloudRunPrivate holds that one service asks the other, as whom that lets in.
func TestCloudRunPrivate(t *testing.T) {
	gate, app := objects(t, "cloudrun/private/gate.yaml")[0], objects(t, "cloudrun/private/app.yaml")[0]
	if got := gate.manifest(t).set["BACKENDS"]; !strings.HasPrefix(got, "https://"+app.Metadata.Name+"-") {
		t.Errorf("BACKENDS is %s, want the service %s", got, app.Metadata.Name)
	}
	account := gate.Spec.Template.Spec.ServiceAccountName
	if text := read(t, "cloudrun/private/app.yaml"); account == "" || !strings.Contains(text, "--role roles/run.invoker --member serviceAccount:"+account) {
		t.Errorf("app.yaml does not say how %q is let in", account)
	}
}
