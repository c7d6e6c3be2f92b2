// Package deploy_test answers: is what a user copies from here true of the
// program?
package deploy_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"spangate/telemetry/contract"
	"spangate/telemetry/otlptest"
)

// manifest is what a platform makes of one of the files.
type manifest struct {
	platform string            // that PLATFORM=auto is to find
	given    map[string]string // variables that the platform sets by itself
	set      map[string]string // variables that the file sets
	facts    map[string]any    // attributes of the resource that come of both
	port     int
	probes   []string          // paths
	routes   map[string]string // by a path that each takes
	signal   syscall.Signal
	grace    time.Duration // from the signal to the kill
}

// TestManifests runs the program as each manifest would have it run.
func TestManifests(t *testing.T) {
	program := build(t)
	for name, m := range map[string]manifest{
		"kubernetes": kubernetes(t), "kubernetes with routes": kubernetesRoutes(t),
		"cloudrun/service.yaml": cloudRun(t, "cloudrun/service.yaml"), "cloudrun/with-collector.yaml": cloudRun(t, "cloudrun/with-collector.yaml"),
		"cloudrun/private/gate.yaml": cloudRun(t, "cloudrun/private/gate.yaml"), "cloudrun/private/app.yaml": cloudRun(t, "cloudrun/private/app.yaml"),
		"fly/fly.toml": fly(t), "fly/fly.toml with flycast": flycast(t),
		"azure/containerapp.yaml": azure(t), "ecs/task-definition.json": ecs(t), "systemd/spangate.service": systemd(t),
	} {
		t.Run(name, func(t *testing.T) {
			t.Run("config", func(t *testing.T) { m.configure(t, program) })
			t.Run("run", func(t *testing.T) { m.run(t, program) })
		})
	}
}

// TestEveryFileIsTried holds that no file which configures the program is left out above.
func TestEveryFileIsTried(t *testing.T) {
	source := read(t, "manifests_test.go")
	// Compose and kustomize have tests of their own; the others configure something else.
	others := []string{"collector.yaml", "compose", "grafana", "kubernetes", "schema"}
	err := filepath.WalkDir(".", func(file string, entry os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case slices.Contains(others, file):
			if entry.IsDir() {
				return filepath.SkipDir
			}
		case entry.IsDir() || slices.Contains([]string{".go", ".md"}, filepath.Ext(file)):
		case !strings.Contains(source, strconv.Quote(filepath.ToSlash(file))+": "):
			t.Errorf("%s is not among the manifests", file)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func build(t *testing.T) (program string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), "spangate")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "spangate")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return program
}

type variable struct{ origin, value string }

// configured returns what the program makes of its variables, of which nothing is to be
// warned of.
func configured(t *testing.T, program string, environ []string) map[string]variable {
	t.Helper()
	config := exec.CommandContext(t.Context(), program, "config")
	config.Env = environ
	var stderr bytes.Buffer
	config.Stderr = &stderr
	out, err := config.Output()
	if err != nil || stderr.Len() > 0 {
		t.Fatalf("spangate config: %v\n%s", err, &stderr)
	}
	got := map[string]variable{}
	row := regexp.MustCompile(`^([A-Z0-9_]+) +(set|file|platform|default|derived|inherited) *(.*)$`)
	for line := range strings.Lines(string(out)) {
		if match := row.FindStringSubmatch(strings.TrimRight(line, "\n")); match != nil {
			got[match[1]] = variable{match[2], match[3]}
		} else {
			t.Errorf("spangate config warns: %s", line)
		}
	}
	return got
}

// configure holds that the program understands the variables, and that what it
// makes of them agrees with the rest of the manifest.
func (m manifest) configure(t *testing.T, program string) {
	got := configured(t, program, m.environ(nil))
	for name := range m.set {
		// Those of the resource are not in the table.
		of, ok := strings.CutSuffix(name, "_FILE")
		if got[name].origin != "set" && !strings.HasPrefix(name, "K8S_") && !(ok && got[of].origin == "file") {
			t.Errorf("%s is no variable of the program", name)
		}
	}
	if want := (variable{"platform", m.platform}); got["PLATFORM"] != want {
		t.Errorf("PLATFORM is %v, want %v", got["PLATFORM"], want)
	}
	if port := strconv.Itoa(m.port); got["PORT"].value != port {
		t.Errorf("the platform sends to port %s, and the program listens on %s", port, got["PORT"].value)
	}
	// SHUTDOWN_DELAY is a part of it.
	if timeout, err := time.ParseDuration(got["SHUTDOWN_TIMEOUT"].value); err != nil || timeout >= m.grace {
		t.Errorf("SHUTDOWN_TIMEOUT is %v, and the platform kills after %v (%v)", timeout, m.grace, err)
	}
}

// run holds that the program answers the probes itself, says where it runs and
// leaves when told to. Only the network around it is another one.
func (m manifest) run(t *testing.T, program string) {
	collector := otlptest.NewServer(t)
	// It has nothing to say, so that what is said comes from the program.
	backend := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(backend.Close)
	spangate := exec.CommandContext(t.Context(), program)
	changed := map[string]string{
		"BACKENDS": backend.URL, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL(), "HOST": "127.0.0.1", "PORT": "0",
		"SHUTDOWN_DELAY": "0s", // nobody here goes on to send
	}
	m.set = maps.Clone(m.set)
	for name := range m.set {
		switch {
		case strings.HasSuffix(name, "_BACKENDS"):
			changed[name] = backend.URL
		case strings.HasPrefix(name, "AUTH_"):
			delete(m.set, name) // nobody has a key here
		case name == "BACKEND_AUTH":
			delete(m.set, name) // nobody gives it a token here
		case name == "OTEL_EXPORTER_PROMETHEUS_PORT":
			changed[name], changed["OTEL_EXPORTER_PROMETHEUS_HOST"] = freePort(t), "127.0.0.1"
		}
	}
	spangate.Env = m.environ(changed)
	var stderr bytes.Buffer
	spangate.Stderr = &stderr
	stdout, err := spangate.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := spangate.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(stdout)
	address := listening(lines)
	if address == "" {
		t.Fatalf("it does not listen: %v\n%s", spangate.Wait(), &stderr)
	}
	// Once a backend has answered, it is ready too.
	asked := append([]string{"/"}, slices.Sorted(maps.Keys(m.routes))...)
	for _, test := range append(slices.Clip(asked), m.probes...) {
		want := http.StatusOK
		if slices.Contains(asked, test) {
			want = http.StatusNotFound
		}
		resp, err := http.Get("http://" + address + test)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s is answered %s, want %d", test, resp.Status, want)
		}
	}
	if err := spangate.Process.Signal(m.signal); err != nil {
		t.Fatal(err)
	}
	rest, _ := io.ReadAll(lines)
	if err := spangate.Wait(); err != nil {
		t.Fatalf("after %v: %v\n%s%s", m.signal, err, rest, &stderr)
	}

	spans := collector.Spans()
	if len(spans) == 0 {
		t.Fatalf("no spans\n%s", rest)
	}
	for path, route := range m.routes {
		if !slices.ContainsFunc(spans, func(s otlptest.Span) bool {
			return s.Attributes["url.path"] == path && s.Attributes["spangate.route"] == route
		}) {
			t.Errorf("no request to %s is told as one of %s", path, route)
		}
	}
	resource := spans[0].Resource
	got := map[string]any{}
	for name := range m.facts {
		got[name] = resource[name]
	}
	if diff := cmp.Diff(m.facts, got); diff != "" {
		t.Errorf("resource (-want +got):\n%s", diff)
	}
	for name := range m.set {
		if attribute := strings.ReplaceAll(strings.ToLower(name), "_", "."); strings.HasPrefix(name, "K8S_") && resource[attribute] == nil {
			t.Errorf("%s says nothing: there is no %s in the resource", name, attribute)
		}
	}
}

// environ is what the program finds there, but for what is changed.
func (m manifest) environ(changed map[string]string) (all []string) {
	variables := maps.Clone(m.given)
	maps.Copy(variables, m.set)
	maps.Copy(variables, changed)
	for name, value := range variables {
		all = append(all, name+"="+value)
	}
	return all
}

// freePort is one that nobody listened on a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return strconv.Itoa(ln.Addr().(*net.TCPAddr).Port)
}

// secret is what a platform may put in the place of one that a file names.
func secret(t *testing.T, variable string) string {
	t.Helper()
	value := map[string]string{"OTEL_EXPORTER_OTLP_HEADERS": "api-key=0123456789abcdef"}[variable]
	if value == "" {
		t.Fatalf("%s is none that is known to be secret", variable)
	}
	return value
}

// read returns a file's text.
func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// listening returns the address in the log, or nothing when that ends.
func listening(lines *bufio.Reader) string {
	for {
		text, err := lines.ReadBytes('\n')
		if err != nil {
			return ""
		}
		var line struct{ Msg, Message, Address string }
		if json.Unmarshal(text, &line) == nil && (line.Msg == "listening" || line.Message == "listening") {
			return line.Address
		}
	}
}

func kubernetes(t *testing.T) manifest {
	deployment := objects(t, "kubernetes/base/deployment.yaml")[0]
	m := deployment.manifest(t)
	m.platform = "kubernetes"
	// Also without service links.
	m.given = map[string]string{"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443", "KUBERNETES_PORT": "tcp://10.0.0.1:443", "HOSTNAME": "spangate-0"}
	m.grace = time.Duration(deployment.Spec.Template.Spec.TerminationGracePeriodSeconds) * time.Second
	m.facts = map[string]any{
		"k8s.cluster.name": m.set["K8S_CLUSTER_NAME"], "k8s.namespace.name": "metadata.namespace", "k8s.node.name": "spec.nodeName",
		"k8s.deployment.name": deployment.Metadata.Name, "k8s.pod.name": "metadata.name", "k8s.pod.uid": "metadata.uid",
		"k8s.container.name": deployment.Spec.Template.Spec.Containers[0].Name,
	}
	for _, attribute := range contract.Resource {
		if strings.HasPrefix(attribute.Name, "k8s.") && (m.facts[attribute.Name] == nil || m.facts[attribute.Name] == "") {
			t.Errorf("nothing provides %s", attribute.Name)
		}
	}
	return m
}

// kubernetesRoutes is kubernetes with the component that has routes.
func kubernetesRoutes(t *testing.T) manifest {
	text, err := os.ReadFile("kubernetes/components/routes/kustomization.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var component struct {
		ConfigMapGenerator []struct{ Literals []string } `yaml:"configMapGenerator"`
	}
	if err := yaml.Unmarshal(text, &component); err != nil {
		t.Fatal(err)
	}
	m := kubernetes(t)
	m.routes = map[string]string{"/": "default", "/api/hello": "api", "/docs/hello": "docs"}
	for _, literal := range component.ConfigMapGenerator[0].Literals {
		name, value, _ := strings.Cut(literal, "=")
		m.set[name] = value
	}
	return m
}

// object is what is read here of one in YAML: a Service of Cloud Run has the
// form of a Deployment. Whether all else is right is the question of
// deploy/schema.
type object struct {
	Kind     string
	Metadata struct{ Name string }
	Spec     struct {
		Selector  map[string]any
		ClusterIP string `yaml:"clusterIP"`
		Ports     []struct {
			Port       int
			TargetPort string `yaml:"targetPort"`
		}
		Template struct {
			Metadata struct {
				Labels      map[string]any
				Annotations map[string]string
			}
			Spec struct {
				ServiceAccountName            string `yaml:"serviceAccountName"`
				TerminationGracePeriodSeconds int    `yaml:"terminationGracePeriodSeconds"`
				Containers                    []container
			}
		}
	}
}

type container struct {
	Name, Image string
	Args        []string
	Ports       []struct {
		Name          string
		ContainerPort int `yaml:"containerPort"`
	}
	Env []struct {
		Name, Value string
		ValueFrom   struct {
			FieldRef struct {
				FieldPath string `yaml:"fieldPath"`
			} `yaml:"fieldRef"`
			SecretKeyRef struct{ Name, Key string } `yaml:"secretKeyRef"`
		} `yaml:"valueFrom"`
	}
	Resources      struct{ Limits struct{ Memory string } }
	StartupProbe   *probe `yaml:"startupProbe"`
	LivenessProbe  *probe `yaml:"livenessProbe"`
	ReadinessProbe *probe `yaml:"readinessProbe"`
}

type probe struct {
	HTTPGet struct{ Path, Port string } `yaml:"httpGet"`
}

// objects reads the documents of a file.
func objects(t *testing.T, file string) (all []object) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for decoder := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var o object
		switch err := decoder.Decode(&o); {
		case err == io.EOF:
			return all
		case err != nil:
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, o)
	}
}

// manifest is what is in the object's only container of the program. What the
// downward API fills in is the path of its field.
func (o object) manifest(t *testing.T) manifest {
	t.Helper()
	containers := slices.DeleteFunc(slices.Clone(o.Spec.Template.Spec.Containers), func(c container) bool { return c.Image != "spangate" })
	if len(containers) != 1 || len(containers[0].Ports) != 1 {
		t.Fatalf("%s %s has not one container of the program with one port", o.Kind, o.Metadata.Name)
	}
	c := containers[0]
	m := manifest{set: map[string]string{}, port: c.Ports[0].ContainerPort, signal: syscall.SIGTERM}
	for _, variable := range c.Env {
		m.set[variable.Name] = variable.Value + variable.ValueFrom.FieldRef.FieldPath
		if variable.ValueFrom.SecretKeyRef.Name != "" {
			m.set[variable.Name] = secret(t, variable.Name)
		}
	}
	for _, p := range []*probe{c.StartupProbe, c.LivenessProbe, c.ReadinessProbe} {
		if p == nil {
			continue
		}
		if p.HTTPGet.Port != "" && p.HTTPGet.Port != c.Ports[0].Name {
			t.Errorf("%s is probed at port %s, which there is not", p.HTTPGet.Path, p.HTTPGet.Port)
		}
		m.probes = append(m.probes, p.HTTPGet.Path)
	}
	return m
}

// TestKubernetesObjectsAgree holds that the names by which one object means
// another are theirs.
func TestKubernetesObjectsAgree(t *testing.T) {
	deployment := objects(t, "kubernetes/base/deployment.yaml")[0]
	services := objects(t, "kubernetes/base/service.yaml")
	front, backends := services[0], services[1]
	budget := objects(t, "kubernetes/base/poddisruptionbudget.yaml")[0]

	labels := deployment.Spec.Template.Metadata.Labels
	for _, o := range []object{deployment, budget} {
		if diff := cmp.Diff(map[string]any{"matchLabels": labels}, o.Spec.Selector); diff != "" {
			t.Errorf("selector of the %s (-labels +got):\n%s", o.Kind, diff)
		}
	}
	if diff := cmp.Diff(labels, front.Spec.Selector); diff != "" {
		t.Errorf("selector of the Service (-labels +got):\n%s", diff)
	}
	if got, want := front.Spec.Ports[0].TargetPort, deployment.Spec.Template.Spec.Containers[0].Ports[0].Name; got != want {
		t.Errorf("the Service sends to port %s, want %s", got, want)
	}
	want := "dns+http://" + backends.Metadata.Name + ":" + strconv.Itoa(backends.Spec.Ports[0].Port)
	if got := deployment.manifest(t).set["BACKENDS"]; got != want || backends.Spec.ClusterIP != "None" {
		t.Errorf("BACKENDS is %s, want %s, which has to be headless", got, want)
	}

	text, err := os.ReadFile("kubernetes/base/kustomization.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var kustomization struct{ Resources []string }
	if err := yaml.Unmarshal(text, &kustomization); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("kubernetes/base/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for i := range files {
		files[i] = filepath.Base(files[i])
	}
	files = slices.DeleteFunc(files, func(name string) bool { return name == "kustomization.yaml" })
	if diff := cmp.Diff(files, kustomization.Resources); diff != "" {
		t.Errorf("resources of the kustomization (-files +got):\n%s", diff)
	}
}
