package conformance

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
)

// partyVariable makes this test's binary a party of the runner's, which starts
// the server or client under test as a process that reads what is asked of it.
const partyVariable = "CONFORMANCE_PARTY"

// What a party has to know: the program, the reference server or client, and
// what the reference server is to speak behind the program.
const (
	spangateVariable  = "CONFORMANCE_SPANGATE"
	referenceVariable = "CONFORMANCE_REFERENCE"
	backendVariable   = "CONFORMANCE_BACKEND"
)

var parties = map[string]func() error{
	"server": serverUnderTest,
	"client": clientUnderTest,
}

// What a backend speaks.
const (
	alike     = "alike"     // what the client speaks
	cleartext = "cleartext" // the client's version of HTTP, without TLS
	h2c       = "h2c"
	https     = "https" // HTTP/2
)

// Fields of the runner's ServerCompatRequest, …
const (
	serverHTTPVersion = 2
	serverUsesTLS     = 4
)

// … of its ServerCompatResponse …
const (
	serverHost        = 1
	serverPort        = 2
	serverCertificate = 3
)

// … and of its ClientCompatRequest.
const (
	clientHTTPVersion       = 2
	clientHost              = 6
	clientPort              = 7
	clientServerCertificate = 8
)

// serverUnderTest is the reference server with the program in front, until the
// runner ends it.
func serverUnderTest() (err error) {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, os.Interrupt)
	request, err := readMessage(os.Stdin)
	if err != nil {
		return err
	}
	files, err := os.MkdirTemp("", "conformance")
	if err != nil {
		return err
	}
	defer os.RemoveAll(files)

	behind := request
	switch os.Getenv(backendVariable) {
	case h2c:
		behind = request.with(serverHTTPVersion, uint64(2)).with(serverUsesTLS, uint64(0))
	case https:
		behind = request.with(serverHTTPVersion, uint64(2)).with(serverUsesTLS, uint64(1))
	case cleartext:
		behind = request.with(serverUsesTLS, uint64(0))
	}
	server := exec.Command(os.Getenv(referenceVariable))
	server.Stderr = os.Stderr
	response, err := startAndAsk(server, behind)
	if err != nil {
		return fmt.Errorf("reference server: %w", err)
	}
	defer server.Wait()
	defer server.Process.Signal(syscall.SIGTERM)

	env, err := backendAt(behind.number(serverHTTPVersion), response.bytes(serverHost), response.number(serverPort),
		response.bytes(serverCertificate), files)
	if err != nil {
		return err
	}
	p, err := startProgram(env...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	response = response.with(serverPort, p.port()).with(serverCertificate, []byte(nil))
	if err := writeMessage(os.Stdout, response); err != nil {
		return err
	}
	<-ended
	return nil
}

// startAndAsk starts a program that reads one message and answers with another.
func startAndAsk(cmd *exec.Cmd, request message) (message, error) {
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	if err := writeMessage(in, request); err != nil {
		return nil, err
	}
	return readMessage(out)
}

// clientUnderTest is the reference client, all of whose requests pass the
// program in front of the server that they are for.
func clientUnderTest() (err error) {
	client := exec.Command(os.Getenv(referenceVariable))
	client.Stdout, client.Stderr = os.Stdout, os.Stderr
	in, err := client.StdinPipe()
	if err != nil {
		return err
	}
	if err := client.Start(); err != nil {
		return err
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, os.Interrupt)
	go func() { client.Process.Signal(<-ended) }()

	files, err := os.MkdirTemp("", "conformance")
	if err != nil {
		return err
	}
	defer os.RemoveAll(files)
	programs := make(map[string]*program) // by what is behind it
	defer func() {
		for _, p := range programs {
			err = errors.Join(err, p.stop())
		}
	}()
	for {
		request, err := readMessage(os.Stdin)
		if err == io.EOF {
			in.Close()
			return client.Wait()
		}
		if err != nil {
			return err
		}
		env, err := backendAt(request.number(clientHTTPVersion), request.bytes(clientHost), request.number(clientPort),
			request.bytes(clientServerCertificate), files)
		if err != nil {
			return err
		}
		p := programs[env[0]]
		if p == nil {
			if p, err = startProgram(env...); err != nil {
				return err
			}
			programs[env[0]] = p
		}
		if err := writeMessage(in, request.with(clientPort, p.port())); err != nil {
			return err
		}
	}
}

// backendAt returns the variables of a program before the server there: first
// BACKENDS, then whom to believe that it is the one.
func backendAt(version uint64, host []byte, port uint64, certificate []byte, files string) ([]string, error) {
	scheme := "http"
	switch {
	case len(certificate) > 0:
		scheme = "https"
	case version == 2:
		scheme = "h2c"
	}
	env := []string{fmt.Sprintf("BACKENDS=%s://%s:%d", scheme, host, port)}
	if len(certificate) == 0 {
		return env, nil
	}
	file := filepath.Join(files, fmt.Sprintf("%d.pem", port))
	return append(env, "BACKEND_CA_FILE="+file), os.WriteFile(file, certificate, 0o600)
}
