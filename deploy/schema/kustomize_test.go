package schema

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// with returns the Deployment and the Service of the program that come of a component.
func with(t *testing.T, component string) (deployment appsv1.Deployment, service corev1.Service) {
	t.Helper()
	for _, object := range built(t, component) {
		text, err := object.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case object.GetKind() == "Deployment":
			decode(t, "the Deployment", text, &deployment)
		case object.GetKind() == "Service" && object.GetName() == "spangate":
			decode(t, "the Service", text, &service)
		}
	}
	secure(t, deployment.Spec.Template)
	return deployment, service
}

// built returns all objects that come of a component.
func built(t *testing.T, component string) []*resource.Resource {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../kubernetes")); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "kustomization.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	offered := regexp.MustCompile(`(?m)^# components: \[(.*)\]$`).FindSubmatch(text)
	if offered == nil || !slices.Contains(strings.Split(string(offered[1]), ", "), component) {
		t.Fatalf("kustomization.yaml does not offer %s", component)
	}
	text = bytes.Replace(text, offered[0], []byte("components: ["+component+"]"), 1)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return made.Resources()
}

// variables returns those of a container, and its ports by their names.
func variables(container corev1.Container) (env map[string]string, ports map[string]int32) {
	env, ports = map[string]string{}, map[string]int32{}
	for _, port := range container.Ports {
		ports[port.Name] = port.ContainerPort
	}
	for _, variable := range container.Env {
		env[variable.Name] = variable.Value
	}
	return env, ports
}

// TestPrometheus holds that what scrapes are told is where the program answers them, and
// that the Service leads to the same port as before.
func TestPrometheus(t *testing.T) {
	deployment, service := with(t, "prometheus")
	template := deployment.Spec.Template
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
	deployment, service := with(t, "tls")

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
	deployment, _ := with(t, "routes")
	var routes corev1.ConfigMap
	services := map[string]bool{}
	for _, object := range built(t, "routes") {
		text, err := object.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		switch object.GetKind() {
		case "ConfigMap":
			decode(t, "the ConfigMap", text, &routes)
		case "Service":
			var service corev1.Service
			decode(t, "a Service", text, &service)
			if service.Spec.ClusterIP == corev1.ClusterIPNone {
				services[fmt.Sprintf("dns+http://%s:%d", service.Name, service.Spec.Ports[0].Port)] = true
			}
		}
	}
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
