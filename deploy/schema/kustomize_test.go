package schema

import (
	"bytes"
	"os"
	"path"
	"path/filepath"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// TestTLS holds that the component makes of the Deployment one whose files and
// ports are there, and that what it makes is still let in.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../kubernetes")); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "kustomization.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	with := bytes.Replace(text, []byte("# components: [tls]"), []byte("components: [tls]"), 1)
	if bytes.Equal(with, text) {
		t.Fatal("kustomization.yaml does not offer the component")
	}
	if err := os.WriteFile(file, with, 0o600); err != nil {
		t.Fatal(err)
	}
	made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		t.Fatal(err)
	}
	var deployment appsv1.Deployment
	var service corev1.Service
	for _, object := range made.Resources() {
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

	container := deployment.Spec.Template.Spec.Containers[0]
	ports := map[string]int32{}
	for _, port := range container.Ports {
		ports[port.Name] = port.ContainerPort
	}
	for _, port := range service.Spec.Ports {
		if ports[port.TargetPort.String()] == 0 {
			t.Errorf("port %d of the Service leads to %s, which is none of %v", port.Port, port.TargetPort.String(), ports)
		}
	}
	env := map[string]string{}
	for _, variable := range container.Env {
		env[variable.Name] = variable.Value
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
