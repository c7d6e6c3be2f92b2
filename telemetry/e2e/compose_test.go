//go:build linux && (prometheus || jaeger)

package e2e

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
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
)

// topology is what a compose file describes, with a process of this host in place of
// each container. What it says is taken as it is, but for three things:
//
//   - a service has an address of the loopback network to itself, on which its ports are
//     those that are written; NAME:PORT of a service is ADDRESS:PORT in environments,
//     commands and mounted files, and in the latter so is 0.0.0.0:PORT;
//   - mounted files and volumes are below a directory of the test, and paths that lead to
//     them in the container lead there;
//   - an image is the program that programs has for it, and its version is that one's.
type topology struct {
	project   *types.Project
	programs  map[string]program // by the image's name, without its version
	dir       string             // has mounts/SERVICE and volumes/NAME
	addresses map[string]string  // by service
	ready     map[string]bool    // services that have been started
}

// program is what runs in place of a container of an image.
type program struct {
	argv   []string // before the service's command
	env    []string // besides the service's
	flags  func(address, dir string) []string
	port   string   // it is ready once this is open; without one it runs to its end
	health []string // the image's own check, which then succeeds, too
	// run starts it in another way, if it is set.
	run func(t *testing.T, address string)
}

// startTopology returns once all services of the project and of these profiles have been
// started that have a program, in the order of their dependencies.
func startTopology(t *testing.T, jaeger func(t *testing.T, address string), profiles ...string) *topology {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{"../../compose.yaml"}, cli.WithProfiles(profiles))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	topology := &topology{
		project: project, dir: t.TempDir(),
		addresses: make(map[string]string), ready: make(map[string]bool),
		programs: map[string]program{
			"spangate":                     {argv: []string{spangateBinary}, port: "8080", health: []string{spangateBinary, "healthcheck"}},
			"otel/opentelemetry-collector": {argv: []string{collectorBinary}, port: "4318"},
			"jaegertracing/jaeger":         {run: jaeger},
			"prom/prometheus": {argv: []string{"prometheus"}, port: "9090", flags: func(address, dir string) []string {
				return []string{"--web.listen-address=" + address + ":9090", "--storage.tsdb.path=" + dir}
			}},
			"redis": {port: "6379", flags: func(address, dir string) []string { return []string{"--bind", address, "--dir", dir} }},
			// Of a compiler's image it is the compiler that is used here, with its cache.
			"golang": {env: os.Environ()},
		},
	}
	network := fmt.Sprintf("127.%d.%d", 1+rand.IntN(254), rand.IntN(256))
	for i, name := range project.ServiceNames() {
		topology.addresses[name] = fmt.Sprintf("%s.%d", network, 1+i)
	}
	for _, name := range project.ServiceNames() {
		topology.start(t, name)
	}
	return topology
}

// start starts a service, once those that it depends on have come as far as it says.
func (p *topology) start(t *testing.T, name string) {
	t.Helper()
	if p.ready[name] {
		return
	}
	p.ready[name] = true
	service := p.project.Services[name]
	for _, needed := range slices.Sorted(maps.Keys(service.DependsOn)) {
		p.start(t, needed)
	}
	image, _, _ := strings.Cut(service.Image, ":")
	program, ok := p.programs[image]
	switch {
	case !ok:
		t.Logf("%s is left out: there is no %s here", name, image)
	case program.run != nil:
		program.run(t, p.addresses[name])
	default:
		p.run(t, service, program)
	}
}

func (p *topology) run(t *testing.T, service types.ServiceConfig, program program) {
	t.Helper()
	address := p.addresses[service.Name]
	mounts := p.mount(t, service)
	there := func(text string) string { return p.resolve(mounts.Replace(text)) }

	argv := slices.Clone(program.argv)
	for _, arg := range service.Command {
		argv = append(argv, there(arg))
	}
	if program.flags != nil {
		argv = append(argv, program.flags(address, t.TempDir())...)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = there(service.WorkingDir)
	cmd.Env = append(slices.Clone(program.env), "HOST="+address) // for Spangate, which would listen everywhere
	for variable, value := range service.Environment {
		cmd.Env = append(cmd.Env, variable+"="+there(*value))
	}
	process := start(t, cmd, nil, nil)

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if program.port == "" {
		select {
		case <-process.done:
		case <-ctx.Done():
		}
		if process.err != nil || ctx.Err() != nil {
			t.Fatalf("%s ended with %v (%v)", service.Name, process.err, ctx.Err())
		}
		return
	}
	err := eventually(ctx, func() error {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(address, program.port))
		if err == nil {
			conn.Close()
		}
		return err
	})
	if err == nil && program.health != nil {
		err = eventually(ctx, func() error {
			check := exec.CommandContext(ctx, program.health[0], program.health[1:]...)
			check.Env = cmd.Env
			return check.Run()
		})
	}
	if err != nil {
		t.Fatalf("%s is not healthy: %v", service.Name, err)
	}
}

// mount puts what a service mounts below a directory, and returns what makes paths of
// the container paths of this host.
func (p *topology) mount(t *testing.T, service types.ServiceConfig) *strings.Replacer {
	t.Helper()
	var paths []string
	root := filepath.Join(p.dir, "mounts", service.Name)
	for _, volume := range service.Volumes {
		place := filepath.Join(root, volume.Target)
		if volume.Type == types.VolumeTypeVolume {
			place = filepath.Join(p.dir, "volumes", volume.Source)
			if err := os.MkdirAll(place, 0o777); err != nil {
				t.Fatal(err)
			}
		} else {
			text, err := os.ReadFile(volume.Source)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.MkdirAll(filepath.Dir(place), 0o777); err != nil {
				t.Fatal(err)
			}
			own := strings.ReplaceAll(string(text), "0.0.0.0:", p.addresses[service.Name]+":")
			if err := os.WriteFile(place, []byte(p.resolve(own)), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		paths = append(paths, path.Clean(volume.Target), place)
	}
	return strings.NewReplacer(paths...)
}

// resolve does in a text what a resolver does for services.
func (p *topology) resolve(text string) string {
	return regexp.MustCompile(`([a-z][a-z0-9-]*)(:\d+)`).ReplaceAllStringFunc(text, func(found string) string {
		name, port, _ := strings.Cut(found, ":")
		return cmp.Or(p.addresses[name], name) + ":" + port
	})
}

// url is where a service answers.
func (p *topology) url(service, port string) string {
	return "http://" + net.JoinHostPort(p.addresses[service], port)
}
