package schema

import (
	"fmt"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/google/go-cmp/cmp"
	strict "sigs.k8s.io/yaml"
)

// root is where compose.yaml is.
const root = "../.."

// compositions are what a user can start: files, the second over the first, and profiles.
var compositions = map[string]struct{ files, profiles []string }{
	"plain":   {files: []string{"compose.yaml"}},
	"metrics": {[]string{"compose.yaml"}, []string{"metrics"}},
	"scale":   {[]string{"compose.yaml"}, []string{"scale"}},
	"tls":     {[]string{"compose.yaml"}, []string{"tls"}},
	"all":     {[]string{"compose.yaml"}, []string{"metrics", "scale", "tls"}},
	"routes":  {[]string{"compose.yaml", routes}, nil},
}

// routes is the example with routes.
const routes = "deploy/compose/routes.yaml"

// TestCompose holds that Compose would take each composition, that it has the files and
// services which it names, and that the program understands each of its variables.
func TestCompose(t *testing.T) {
	program := filepath.Join(t.TempDir(), "spangate")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	here := makeCertificate(t)
	for name, composition := range compositions {
		t.Run(name, func(t *testing.T) {
			project := compose(t, composition.files, composition.profiles)
			for _, service := range project.Services {
				checkService(t, project, service)
				if service.Image == "spangate" {
					checkVariables(t, program, here, service)
				}
			}
		})
	}
}

// compose is as strict as Compose is.
func compose(t *testing.T, files, profiles []string) *types.Project {
	t.Helper()
	var paths []string
	for _, file := range files {
		paths = append(paths, filepath.Join(root, file))
	}
	options, err := cli.NewProjectOptions(paths, cli.WithWorkingDirectory(root), cli.WithName("spangate"), cli.WithProfiles(profiles))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func checkService(t *testing.T, project *types.Project, service types.ServiceConfig) {
	if service.Build == nil && !strings.Contains(service.Image, ":") {
		t.Errorf("%s: %s is another image each day", service.Name, service.Image)
	}
	for _, volume := range service.Volumes {
		if _, err := os.Stat(volume.Source); volume.Type == types.VolumeTypeBind && err != nil {
			t.Errorf("%s: %v", service.Name, err)
		}
	}
	for variable, value := range service.Environment {
		if value == nil {
			t.Errorf("%s: %s is left to whoever starts it", service.Name, variable)
			continue
		}
		for _, host := range regexp.MustCompile(`://([a-z0-9-]+)`).FindAllStringSubmatch(*value, -1) {
			if _, ok := project.Services[host[1]]; !ok {
				t.Errorf("%s: %s names %s, which is no service", service.Name, variable, host[1])
			}
		}
	}
}

// checkVariables holds that the program starts with the variables of a service, that each
// is one of its own, and that it warns of none. Certificates are here.
func checkVariables(t *testing.T, program, here string, service types.ServiceConfig) {
	config := exec.CommandContext(t.Context(), program, "config")
	for variable, value := range service.Environment {
		config.Env = append(config.Env, variable+"="+strings.Replace(*value, certificates, here, 1))
	}
	out, err := config.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", service.Name, err, out)
	}
	var set []string
	for line := range strings.Lines(string(out)) {
		if words := strings.Fields(line); len(words) > 1 && words[1] == "set" {
			set = append(set, words[0])
		} else if !regexp.MustCompile(`^[A-Z0-9_]+ +[a-z]+`).MatchString(line) {
			t.Errorf("%s: %s", service.Name, line)
		}
	}
	slices.Sort(set)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(service.Environment)), set); diff != "" {
		t.Errorf("%s: variables (-given +understood):\n%s", service.Name, diff)
	}
}

// certificates is where services have them.
const certificates = "/certificates"

// makeCertificate does here what the service does that makes one, and returns where.
func makeCertificate(t *testing.T) (here string) {
	t.Helper()
	here = t.TempDir()
	command := compose(t, []string{"compose.yaml"}, []string{"tls"}).Services["certificate"].Command
	run := exec.CommandContext(t.Context(), command[0], command[1:]...)
	run.Dir = here
	if out, err := run.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return here
}

// TestComposeAddresses holds that the ports which just up prints, and README lists, are
// those that are published.
func TestComposeAddresses(t *testing.T) {
	published := map[string]bool{}
	for _, service := range compose(t, []string{"compose.yaml"}, []string{"metrics", "scale", "tls"}).Services {
		for _, port := range service.Ports {
			if published[port.Published] {
				t.Errorf("port %s is published twice", port.Published)
			}
			published[port.Published] = true
		}
	}
	for file, part := range map[string]string{
		"justfile":  `(?ms)^up \*profiles:.*?^$`,
		"README.md": `(?ms)^### With everything to look at.*?^#`,
	} {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		said := map[string]bool{}
		for _, port := range regexp.MustCompile(`localhost:(\d+)`).FindAllSubmatch(regexp.MustCompile(part).Find(text), -1) {
			said[string(port[1])] = true
		}
		if diff := cmp.Diff(published, said); diff != "" {
			t.Errorf("ports in %s (-published +said):\n%s", file, diff)
		}
	}
}

// TestGrafanaProvisioning holds that what Grafana is told to read is there in its
// container, and that its data source is a service.
func TestGrafanaProvisioning(t *testing.T) {
	project := compose(t, []string{"compose.yaml"}, []string{"metrics"})
	mounted := map[string]bool{}
	for _, volume := range project.Services["grafana"].Volumes {
		mounted[volume.Target] = true
	}
	var dashboards struct {
		APIVersion int `json:"apiVersion"`
		Providers  []struct {
			Name, Type     string
			AllowUIUpdates bool `json:"allowUiUpdates"`
			Options        struct{ Path string }
		}
	}
	provisioning(t, "dashboards/spangate.yaml", &dashboards)
	home := *project.Services["grafana"].Environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
	if len(dashboards.Providers) != 1 || !mounted[home] || path.Dir(home) != dashboards.Providers[0].Options.Path {
		t.Errorf("%+v provides no %s", dashboards.Providers, home)
	}

	var sources struct {
		APIVersion  int `json:"apiVersion"`
		Datasources []struct {
			Name, UID, Type, Access, URL string
			IsDefault, Editable          bool
			JSONData                     struct {
				HTTPMethod                  string `json:"httpMethod"`
				TimeInterval                string
				ExemplarTraceIDDestinations []struct {
					Name, URL       string
					URLDisplayLabel string `json:"urlDisplayLabel"`
				} `json:"exemplarTraceIdDestinations"`
			} `json:"jsonData"`
		}
	}
	provisioning(t, "datasources/prometheus.yaml", &sources)
	for _, source := range sources.Datasources {
		address, err := url.Parse(source.URL)
		if err != nil || project.Services[address.Hostname()].Image == "" {
			t.Errorf("%s is at %s, which is no service (%v)", source.Name, source.URL, err)
		}
	}
	if !strings.Contains(fmt.Sprint(sources), "http://localhost:"+project.Services["jaeger"].Ports[0].Published+"/trace/$${__value.raw}") {
		t.Error("exemplars do not lead to Jaeger")
	}
}

func provisioning(t *testing.T, file string, into any) {
	t.Helper()
	file = filepath.Join("../grafana/provisioning", file)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := strict.UnmarshalStrict(text, into); err != nil {
		t.Errorf("%s: %v", file, err)
	}
}
