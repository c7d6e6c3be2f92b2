package conformance

import (
	"bytes"
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// features are what an endpoint can do for which the runner has cases: all but
// HTTP/3. The codecs and compressions are to a proxy bytes like others.
const features = `features:
  versions: [HTTP_VERSION_1, HTTP_VERSION_2]
  protocols: [PROTOCOL_CONNECT, PROTOCOL_GRPC, PROTOCOL_GRPC_WEB]
  codecs: [CODEC_PROTO]
  compressions: [COMPRESSION_IDENTITY, COMPRESSION_GZIP]
  supportsH2c: true
  supportsTls: true
  supportsTlsClientCerts: true
  supportsTrailers: true
  supportsConnectGet: true
  supportsMessageReceiveLimit: true
  supportsHalfDuplexBidiOverHttp1: true
`

// moreCodecs adds the codecs and compressions that are left.
var moreCodecs = strings.NewReplacer(
	"CODEC_PROTO", "CODEC_PROTO, CODEC_JSON",
	"COMPRESSION_GZIP", "COMPRESSION_GZIP, COMPRESSION_BR, COMPRESSION_ZSTD, COMPRESSION_DEFLATE, COMPRESSION_SNAPPY",
)

// overHTTP1 leaves what no server of HTTP/1.1 can do: gRPC, and answers amid a
// request.
var overHTTP1 = strings.NewReplacer(
	"PROTOCOL_GRPC, ", "",
	"  supportsH2c", "  streamTypes: [STREAM_TYPE_UNARY, STREAM_TYPE_CLIENT_STREAM, STREAM_TYPE_SERVER_STREAM, STREAM_TYPE_HALF_DUPLEX_BIDI_STREAM]\n  supportsH2c",
)

var only = flag.String("cases", "", "of Connect's `cases`, run those that the pattern matches: **/bidi-stream/**")

// TestConnect lets the runner's reference client talk to its reference server
// through the program: as the server that it tests, and as the client. Some
// thousand of the cases of features are over TLS, some hundred of them with a
// certificate of the client's.
func TestConnect(t *testing.T) {
	for _, c := range []struct {
		name     string
		party    string
		backend  string
		features string
		cases    int // that the runner has of these features
		long     bool
	}{
		{"server/alike", "server", alike, features, 2194, false},
		{"server/cleartext", "server", cleartext, features, 2194, true},
		{"server/http", "server", http1, overHTTP1.Replace(features), 1540, true},
		{"server/h2c", "server", h2c, features, 2194, true},
		{"server/https", "server", https, features, 2194, true},
		{"server/codecs", "server", alike, moreCodecs.Replace(features), 10756, true},
		{"client/alike", "client", alike, features, 2916, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.long && testing.Short() {
				t.Skip("left out with -short")
			}
			started := time.Now()
			out := runConnect(t, c.party, c.backend, c.features)
			passed, failed := outcome(out)
			summary.add(t.Name(), passed, failed, started)
			if passed != c.cases && *only == "" || failed != 0 {
				t.Errorf("%d cases passed and %d failed, of %d\n%s", passed, failed, c.cases, failures(out))
			}
		})
	}
}

// runConnect returns what the runner says of the party, which is this test's
// binary, run again.
func runConnect(t *testing.T, party, backend, features string) string {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "features.yaml")
	if err := os.WriteFile(config, []byte(features), 0o600); err != nil {
		t.Fatal(err)
	}
	certificate, key := certificateFiles(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	args := []string{"--mode", party, "--conf", config}
	if *only != "" {
		args = append(args, "--run", *only)
	}
	cmd := exec.CommandContext(ctx, connectconformance, append(args, "--", os.Args[0])...)
	cmd.Env = append(os.Environ(),
		partyVariable+"="+party,
		spangateVariable+"="+spangate,
		referenceVariable+"="+map[string]string{"server": referenceServer, "client": referenceClient}[party],
		backendVariable+"="+backend,
		certificateVariable+"="+certificate,
		keyVariable+"="+key,
		directoryVariable+"="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil && !bytes.Contains(out, []byte("Total cases: ")) {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

var total = regexp.MustCompile(`(?m)^(\d+) passed, (\d+) failed`)

func outcome(out string) (passed, failed int) {
	if found := total.FindStringSubmatch(out); found != nil {
		passed, _ = strconv.Atoi(found[1])
		failed, _ = strconv.Atoi(found[2])
	}
	return passed, failed
}

// failures returns what the runner says from its first failed case on, at most
// some hundred lines.
func failures(out string) string {
	if at := strings.Index(out, "FAILED: "); at >= 0 {
		out = out[at:]
	}
	all := strings.SplitAfter(out, "\n")
	return strings.Join(all[:min(len(all), 60)], "")
}
