// Package schema answers: would the platforms' APIs take the manifests as they
// are written?
package schema

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"google.golang.org/api/run/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/json"
	strict "sigs.k8s.io/yaml"
)

// kinds are those of the objects that there may be, by apiVersion and kind.
var kinds = map[string]func() any{
	"apps/v1 Deployment":                      func() any { return new(appsv1.Deployment) },
	"autoscaling/v2 HorizontalPodAutoscaler":  func() any { return new(autoscalingv2.HorizontalPodAutoscaler) },
	"gateway.networking.k8s.io/v1 Gateway":    func() any { return new(gatewayv1.Gateway) },
	"gateway.networking.k8s.io/v1 HTTPRoute":  func() any { return new(gatewayv1.HTTPRoute) },
	"monitoring.coreos.com/v1 ServiceMonitor": func() any { return new(monitoringv1.ServiceMonitor) },
	"networking.k8s.io/v1 Ingress":            func() any { return new(networkingv1.Ingress) },
	"networking.k8s.io/v1 NetworkPolicy":      func() any { return new(networkingv1.NetworkPolicy) },
	"policy/v1 PodDisruptionBudget":           func() any { return new(policyv1.PodDisruptionBudget) },
	"serving.knative.dev/v1 Service":          func() any { return new(run.Service) },
	"v1 ConfigMap":                            func() any { return new(corev1.ConfigMap) },
	"v1 Service":                              func() any { return new(corev1.Service) },
}

// TestFields holds that each field is one of its type, spelled as there, once,
// and with a value of its kind.
func TestFields(t *testing.T) {
	for _, pattern := range []string{"../cloudrun/*.yaml", "../cloudrun/*/*.yaml", "../kubernetes/base/*.yaml", "../kubernetes/components/*/*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s has no manifests (%v)", pattern, err)
		}
		for _, file := range files {
			// What kustomize reads, and the collector, they know themselves.
			if name := filepath.Base(file); name == "kustomization.yaml" || name == "collector.yaml" {
				continue
			}
			for _, document := range documents(t, file) {
				ofItsType(t, file, document)
			}
		}
	}
	// What patches put there shows only in what comes of them.
	eachBuild(t, func(t *testing.T, b build) {
		for name, text := range b {
			ofItsType(t, name, text)
		}
	})
}

func ofItsType(t *testing.T, name string, document []byte) {
	t.Helper()
	var is struct{ APIVersion, Kind string }
	if err := strict.Unmarshal(document, &is); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	object := kinds[is.APIVersion+" "+is.Kind]
	if object == nil {
		t.Errorf("%s: %s %s is not expected", name, is.APIVersion, is.Kind)
		return
	}
	decode(t, name, document, object())
}

// TestPodSecurity holds that a namespace which enforces the restricted standard
// lets all pods in.
func TestPodSecurity(t *testing.T) {
	eachBuild(t, func(t *testing.T, b build) {
		for _, deployment := range of[appsv1.Deployment](t, b, "Deployment") {
			secure(t, deployment.Spec.Template)
		}
	})
}

// secure holds that a namespace which enforces the restricted standard lets pod in.
func secure(t *testing.T, pod corev1.PodTemplateSpec) {
	t.Helper()
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	for _, result := range evaluator.EvaluatePod(restricted, &pod.ObjectMeta, &pod.Spec) {
		if !result.Allowed {
			t.Errorf("%s: %s", result.ForbiddenReason, result.ForbiddenDetail)
		}
	}
}

func documents(t *testing.T, file string) (all [][]byte) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for reader := yaml.NewDocumentDecoder(io.NopCloser(bytes.NewReader(text))); ; {
		document := make([]byte, len(text))
		n, err := reader.Read(document)
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, document[:n])
	}
}

// decode is as strict as an API server that is asked to be. Package
// encoding/json would not tell containerport from containerPort.
func decode(t *testing.T, file string, document []byte, into any) {
	t.Helper()
	text, err := strict.YAMLToJSONStrict(document)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	wrong, err := json.UnmarshalStrict(text, into)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	for _, err := range wrong {
		t.Errorf("%s: %v", file, err)
	}
}
