package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestResources starts the program as each platform does, and looks at who it
// says sends.
func TestResources(t *testing.T) {
	t.Parallel()
	for platform, test := range map[string]struct {
		environ []string
		want    map[string]any
	}{
		"cloudrun": {
			[]string{"K_SERVICE=shop", "K_REVISION=shop-00007", "GOOGLE_CLOUD_PROJECT=acme"},
			map[string]any{"cloud.provider": "gcp", "cloud.platform": "gcp_cloud_run", "faas.name": "shop", "faas.version": "shop-00007", "cloud.account.id": "acme"},
		},
		"fly": {
			[]string{"FLY_APP_NAME=shop", "FLY_REGION=ams", "FLY_MACHINE_ID=e286", "FLY_MACHINE_VERSION=01H", "FLY_IMAGE_REF=registry/shop:1"},
			map[string]any{"faas.name": "shop", "faas.version": "01H", "faas.instance": "e286", "cloud.region": "ams", "container.image.name": "registry/shop:1"},
		},
		"azure": {
			[]string{"CONTAINER_APP_NAME=shop", "CONTAINER_APP_REVISION=shop--1", "CONTAINER_APP_REPLICA_NAME=shop--1-x"},
			map[string]any{"cloud.provider": "azure", "cloud.platform": "azure.container_apps", "faas.name": "shop", "faas.version": "shop--1", "faas.instance": "shop--1-x"},
		},
		"ecs": {
			[]string{"ECS_CONTAINER_METADATA_URI_V4=http://169.254.170.2/v4/x", "AWS_REGION=eu-west-1"},
			map[string]any{"cloud.provider": "aws", "cloud.platform": "aws_ecs", "cloud.region": "eu-west-1"},
		},
		"kubernetes": {
			[]string{
				"KUBERNETES_SERVICE_HOST=10.0.0.1", "K8S_CLUSTER_NAME=c", "K8S_NAMESPACE_NAME=ns", "K8S_NODE_NAME=n", "K8S_DEPLOYMENT_NAME=d",
				"K8S_POD_NAME=p", "K8S_POD_UID=u", "K8S_CONTAINER_NAME=spangate",
			},
			map[string]any{
				"k8s.cluster.name": "c", "k8s.namespace.name": "ns", "k8s.node.name": "n", "k8s.deployment.name": "d",
				"k8s.pod.name": "p", "k8s.pod.uid": "u", "k8s.container.name": "spangate",
			},
		},
		"none": {[]string{"AWS_REGION=eu-west-1", "K8S_POD_NAME=p"}, map[string]any{}},
	} {
		p := start(t, append([]string{"BACKENDS=echo:a", "PROBE_MODE=off", "SHUTDOWN_DELAY=0s"}, test.environ...)...)
		p.once(t.Context(), "GET", "/", nil)
		p.stop()
		spans := p.collector.Spans()
		if len(spans) == 0 {
			t.Errorf("%s: no spans", platform)
			continue
		}
		got := map[string]any{}
		for name, value := range spans[0].Resource {
			for _, of := range []string{"cloud.", "faas.", "k8s.", "container."} {
				if strings.HasPrefix(name, of) {
					got[name] = value
				}
			}
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", platform, diff)
		}
	}
	p := start(t, "BACKENDS=echo:a", "PLATFORM=cloudrun", "K_SERVICE=shop", "OTEL_SERVICE_NAME=front", "OTEL_RESOURCE_ATTRIBUTES=faas.name=other")
	p.once(t.Context(), "GET", "/", nil)
	p.stop()
	if r := p.collector.Spans()[0].Resource; r["service.name"] != "front" || r["faas.name"] != "other" {
		t.Errorf("what is said explicitly does not count: %v", r)
	}
}

// TestServiceName checks which of the names goes before the others, of which blanks are none.
func TestServiceName(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		environ []string
		want    string
	}{
		"none":                      {nil, "spangate"},
		"its own variable":          {[]string{"OTEL_SERVICE_NAME=front", "OTEL_RESOURCE_ATTRIBUTES=service.name=other"}, "front"},
		"an attribute":              {[]string{"OTEL_RESOURCE_ATTRIBUTES=service.name=other"}, "other"},
		"an attribute, encoded":     {[]string{"OTEL_RESOURCE_ATTRIBUTES=service%2Ename=other"}, "other"},
		"empty, and an attribute":   {[]string{"OTEL_SERVICE_NAME=", "OTEL_RESOURCE_ATTRIBUTES=service.name=other"}, "other"},
		"blanks, and an attribute":  {[]string{"OTEL_SERVICE_NAME=  ", "OTEL_RESOURCE_ATTRIBUTES=service.name=other"}, "other"},
		"blanks":                    {[]string{"OTEL_SERVICE_NAME= \t"}, "spangate"},
		"an attribute without text": {[]string{"OTEL_RESOURCE_ATTRIBUTES=service.name="}, "spangate"},
		"an attribute of blanks":    {[]string{"OTEL_RESOURCE_ATTRIBUTES=service.name=%20"}, "spangate"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, append([]string{"BACKENDS=echo:a"}, test.environ...)...)
			p.once(t.Context(), "GET", "/", nil)
			p.stop()
			if got := p.collector.Spans()[0].Resource["service.name"]; got != test.want {
				t.Errorf("service.name is %q, want %q", got, test.want)
			}
		})
	}
}
