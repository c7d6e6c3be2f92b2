package schema

import (
	"fmt"
	"maps"
	"path"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// TestPrometheus holds that what scrapes are told is where the program answers them, and
// that the Service leads to the same port as before.
func TestPrometheus(t *testing.T) {
	b := with(t, "prometheus")
	template, service := b.deployment(t).Spec.Template, b.service(t)
	env, ports := variables(template.Spec.Containers[0])
	want := map[string]string{"prometheus.io/scrape": "true", "prometheus.io/port": env["OTEL_EXPORTER_PROMETHEUS_PORT"], "prometheus.io/path": "/metrics"}
	if !maps.Equal(template.Annotations, want) {
		t.Errorf("annotations are %v, want %v", template.Annotations, want)
	}
	if fmt.Sprint(ports["metrics"]) != env["OTEL_EXPORTER_PROMETHEUS_PORT"] || ports["http"] != 8080 || env["OTEL_METRICS_EXPORTER"] != "prometheus" || env["BACKENDS"] == "" || len(service.Spec.Ports) != 1 {
		t.Errorf("variables are %v, ports %v, those of the Service %v", env, ports, service.Spec.Ports)
	}
}

// TestTLS holds that the component makes of the Deployment one whose files and
// ports are there, and that what it makes is still let in.
func TestTLS(t *testing.T) {
	b := with(t, "tls")
	deployment, service := b.deployment(t), b.service(t)
	container := deployment.Spec.Template.Spec.Containers[0]
	env, ports := variables(container)
	for _, port := range service.Spec.Ports {
		if ports[port.TargetPort.String()] == 0 {
			t.Errorf("port %d of the Service leads to %s, which is none of %v", port.Port, port.TargetPort.String(), ports)
		}
	}
	if env["BACKENDS"] == "" || env["TLS_PORT"] != "8443" || ports["https"] != 8443 || len(service.Spec.Ports) != 2 {
		t.Errorf("variables are %v, ports %v, those of the Service %v", env, ports, service.Spec.Ports)
	}
	for _, name := range []string{"TLS_CERT_FILE", "TLS_KEY_FILE"} {
		mount := container.VolumeMounts[0]
		if path.Dir(env[name]) != mount.MountPath || mount.Name != deployment.Spec.Template.Spec.Volumes[0].Name || mount.SubPath != "" {
			t.Errorf("%s is %s, mounted is %+v", name, env[name], mount)
		}
	}
}

// TestRoutes holds that the container gets the variables of the routes, and that the
// backends which these name are Services whose pods are asked one by one.
func TestRoutes(t *testing.T) {
	b := with(t, "routes")
	routes := of[corev1.ConfigMap](t, b, "ConfigMap")[0]
	services := map[string]bool{}
	for _, service := range of[corev1.Service](t, b, "Service") {
		if service.Spec.ClusterIP == corev1.ClusterIPNone {
			services[fmt.Sprintf("dns+http://%s:%d", service.Name, service.Spec.Ports[0].Port)] = true
		}
	}
	deployment := b.deployment(t)
	container := deployment.Spec.Template.Spec.Containers[0]
	if len(container.EnvFrom) != 1 || container.EnvFrom[0].ConfigMapRef.Name != routes.Name {
		t.Errorf("variables are from %v, want %s", container.EnvFrom, routes.Name)
	}
	env, _ := variables(container)
	named := 0
	for name, value := range routes.Data {
		if _, ok := env[name]; ok {
			t.Errorf("%s of the Deployment goes before that of the routes", name)
		}
		if strings.HasSuffix(name, "_BACKENDS") {
			named++
			if !services[value] {
				t.Errorf("%s=%s is none of the headless Services %v", name, value, services)
			}
		}
	}
	if named != 2 || env["BACKENDS"] == "" {
		t.Errorf("%d routes have backends, and what they do not take goes to %q", named, env["BACKENDS"])
	}
}
