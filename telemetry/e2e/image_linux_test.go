package e2e

import (
	"bufio"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The last stage of the Containerfile is carried out by hand: what it copies,
// and nothing else, becomes the root directory of the process that it names,
// under the user that it names. So no file is missing in the image, without an
// engine to build one.
func TestImageHasAllItNeeds(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("chroot takes root")
	}
	image := readContainerfile(t, "../../Containerfile")

	backend := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(w, r.Body)
	}))
	// A probe that only connects is an error to a server that waits for TLS.
	backend.Config.ErrorLog = log.New(t.Output(), "", 0)
	backend.StartTLS()
	defer backend.Close()
	// The authority that signed the backend's certificate takes the place of
	// all public ones, so that only a bundle found where it is copied to will do.
	authorities := filepath.Join(t.TempDir(), "ca-certificates.crt")
	bundle := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: backend.Certificate().Raw})
	if err := os.WriteFile(authorities, bundle, 0o644); err != nil {
		t.Fatal(err)
	}

	root := t.TempDir()
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	// The directory that is copied has what the stage before puts into it.
	if diff := cmp.Diff([]struct{ from, to string }{{"/out/", "/"}}, image.copies, cmp.AllowUnexported(struct{ from, to string }{})); diff != "" {
		t.Fatalf("this test does not know what the image copies (-want +got):\n%s", diff)
	}
	text, err := os.ReadFile("../../Containerfile")
	if err != nil {
		t.Fatal(err)
	}
	for to, from := range map[string]string{"/spangate": spangateBinary, "/etc/ssl/certs/ca-certificates.crt": authorities} {
		if put := "-o /out" + to + " "; !strings.Contains(string(text), put) && !strings.Contains(string(text), path.Base(to)+" /out"+path.Dir(to)+"/ ") {
			t.Fatalf("nothing puts %s into what the image copies", to)
		}
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		at := filepath.Join(root, to)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, data, 0o755); err != nil {
			t.Fatal(err)
		}
	}

	// The port stays the one that the image exposes and its health check asks; an
	// address of this process's own keeps others off it.
	pid := os.Getpid()
	host := netip.AddrFrom4([4]byte{127, byte(pid >> 16), byte(pid >> 8), byte(pid)}).String()
	command := func(args []string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
		cmd.Dir = "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &image.user}
		cmd.Env = []string{
			"HOST=" + host,
			"BACKENDS=" + backend.URL,
			"OTEL_TRACES_EXPORTER=none", "OTEL_METRICS_EXPORTER=none", "OTEL_LOGS_EXPORTER=none",
		}
		return cmd
	}

	spangate := launch(t, command(image.entrypoint))
	if want := ":" + image.port; !strings.HasSuffix(spangate.url, want) {
		t.Errorf("listening on %s, want %s", spangate.url, want)
	}
	if err := post(t.Context(), http.DefaultClient, spangate.url, 1, false); err != nil {
		t.Error(err)
	}
	if out, err := command(image.healthcheck).CombinedOutput(); err != nil {
		t.Errorf("%q while it runs: %v\n%s", image.healthcheck, err, out)
	}
	if err := spangate.terminate(t); err != nil {
		t.Errorf("spangate ended: %v", err)
	}
	if out, err := command(image.healthcheck).CombinedOutput(); err == nil {
		t.Errorf("%q succeeds after the end: %s", image.healthcheck, out)
	}
}

// containerfile is what the last stage of one says.
type containerfile struct {
	copies      []struct{ from, to string }
	user        syscall.Credential
	port        string
	healthcheck []string
	entrypoint  []string
}

func readContainerfile(t *testing.T, name string) containerfile {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()

	var c containerfile
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := lines.Text()
		for strings.HasSuffix(line, `\`) && lines.Scan() {
			line = strings.TrimSuffix(line, `\`) + strings.TrimSpace(lines.Text())
		}
		instruction, rest, _ := strings.Cut(line, " ")
		args := strings.Fields(rest)
		switch instruction {
		case "FROM":
			c = containerfile{}
		case "COPY":
			// --from=stage source target
			c.copies = append(c.copies, struct{ from, to string }{args[len(args)-2], args[len(args)-1]})
		case "USER":
			uid, gid, _ := strings.Cut(rest, ":")
			c.user.Uid, c.user.Gid = number(t, uid), number(t, gid)
		case "EXPOSE":
			c.port = rest
		case "HEALTHCHECK":
			_, command, _ := strings.Cut(rest, "CMD ")
			c.healthcheck = exact(t, command)
		case "ENTRYPOINT":
			c.entrypoint = exact(t, rest)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return c
}

func number(t *testing.T, s string) uint32 {
	t.Helper()
	// A name would need a passwd file, which an image from scratch has not.
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		t.Fatalf("user: %v", err)
	}
	return uint32(n)
}

func exact(t *testing.T, command string) []string {
	t.Helper()
	// A command as text would need a shell, which it has not either.
	var args []string
	if err := json.Unmarshal([]byte(command), &args); err != nil {
		t.Fatalf("command %s: %v", command, err)
	}
	return args
}
