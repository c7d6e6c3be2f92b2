// Package schema answers: would the platforms' APIs take the manifests as they
// are written?
package schema

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/api/run/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/json"
	strict "sigs.k8s.io/yaml"
)

// TestFields holds that each field is one of its type, spelled as there, once,
// and with a value of its kind.
func TestFields(t *testing.T) {
	for dir, types := range map[string]map[string]func() any{
		"kubernetes": {
			"apps/v1 Deployment":            func() any { return new(appsv1.Deployment) },
			"v1 Service":                    func() any { return new(corev1.Service) },
			"policy/v1 PodDisruptionBudget": func() any { return new(policyv1.PodDisruptionBudget) },
		},
		"kubernetes/routes": {"v1 Service": func() any { return new(corev1.Service) }},
		"cloudrun":          {"serving.knative.dev/v1 Service": func() any { return new(run.Service) }},
		"cloudrun/private":  {"serving.knative.dev/v1 Service": func() any { return new(run.Service) }},
	} {
		files, err := filepath.Glob("../" + dir + "/*.yaml")
		if err != nil || len(files) == 0 {
			t.Fatalf("%s has no manifests (%v)", dir, err)
		}
		for _, file := range files {
			if filepath.Base(file) == "kustomization.yaml" {
				continue
			}
			for _, document := range documents(t, file) {
				var is struct{ APIVersion, Kind string }
				if err := strict.Unmarshal(document, &is); err != nil {
					t.Fatalf("%s: %v", file, err)
				}
				object := types[is.APIVersion+" "+is.Kind]
				if object == nil {
					t.Errorf("%s: %s %s is not expected", file, is.APIVersion, is.Kind)
					continue
				}
				decode(t, file, document, object())
			}
		}
	}
}

// TestPodSecurity holds that a namespace which enforces the restricted standard
// lets the pods in.
func TestPodSecurity(t *testing.T) {
	const file = "../kubernetes/deployment.yaml"
	var deployment appsv1.Deployment
	decode(t, file, documents(t, file)[0], &deployment)
	secure(t, deployment.Spec.Template)
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
