package conformance

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

// partyVariable makes this test's binary a party of the runner's, which starts
// the server or client under test as a process that reads what is asked of it.
const partyVariable = "CONFORMANCE_PARTY"

// What a party has to know: the program, the reference server or client, what
// the reference server is to speak behind the program, the files of the
// certificate that the program shows to the reference client, and where to put
// files of its own.
const (
	spangateVariable    = "CONFORMANCE_SPANGATE"
	referenceVariable   = "CONFORMANCE_REFERENCE"
	backendVariable     = "CONFORMANCE_BACKEND"
	certificateVariable = "CONFORMANCE_CERTIFICATE"
	keyVariable         = "CONFORMANCE_KEY"
	directoryVariable   = "CONFORMANCE_DIRECTORY"
)

var parties = map[string]func() error{
	"server": serverUnderTest,
	"client": clientUnderTest,
}

// What a backend speaks.
const (
	alike     = "alike"     // what the client speaks
	cleartext = "cleartext" // the client's version of HTTP, without TLS
	http1     = "http"
	h2c       = "h2c"
	https     = "https" // HTTP/2
)

// Fields of the runner's ServerCompatRequest, …
const (
	serverHTTPVersion = 2
	serverUsesTLS     = 4
	serverTrusts      = 5
)

// … of its ServerCompatResponse, …
const (
	serverHost        = 1
	serverPort        = 2
	serverCertificate = 3
)

// … of its ClientCompatRequest …
const (
	clientHTTPVersion = 2
	clientHost        = 6
	clientPort        = 7
	clientTrusts      = 8
	clientCredentials = 9
)

// … and of its TLSCreds.
const (
	credentialsCertificate = 1
	credentialsKey         = 2
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
	// Clients show the program their certificate, and nobody shows the server one.
	asked := request.with(serverTrusts, []byte(nil))
	switch os.Getenv(backendVariable) {
	case http1:
		asked = asked.with(serverHTTPVersion, uint64(1)).with(serverUsesTLS, uint64(0))
	case h2c:
		asked = asked.with(serverHTTPVersion, uint64(2)).with(serverUsesTLS, uint64(0))
	case https:
		asked = asked.with(serverHTTPVersion, uint64(2)).with(serverUsesTLS, uint64(1))
	case cleartext:
		asked = asked.with(serverUsesTLS, uint64(0))
	}
	server := exec.Command(os.Getenv(referenceVariable))
	server.Stderr = os.Stderr
	response, err := startAndAsk(server, asked)
	if err != nil {
		return fmt.Errorf("reference server: %w", err)
	}
	defer server.Wait()
	defer server.Process.Signal(syscall.SIGTERM)

	var env environment
	env.before(asked.number(serverHTTPVersion), response.bytes(serverHost), response.number(serverPort), response.bytes(serverCertificate))
	var certificate []byte
	if request.number(serverUsesTLS) != 0 {
		certificate = env.overTLS(request.bytes(serverTrusts))
	}
	p, err := env.start()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	response = response.with(serverPort, p.port()).with(serverCertificate, certificate)
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

	fronts := make(map[uint64]front) // by the port of the server behind
	defer func() {
		for _, f := range fronts {
			err = errors.Join(err, f.stop())
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
		port := request.number(clientPort)
		f, ok := fronts[port]
		if !ok {
			if f, err = startFront(request); err != nil {
				return err
			}
			fronts[port] = f
		}
		request = request.with(clientPort, f.port()).with(clientTrusts, f.certificate)
		if err := writeMessage(in, request); err != nil {
			return err
		}
	}
}

// front is a program in front of a server of the runner's.
type front struct {
	*program
	certificate []byte // that it shows, if any
}

// startFront starts one for whom the request is for.
func startFront(request message) (f front, err error) {
	var env environment
	certificate, credentials := request.bytes(clientTrusts), request.bytes(clientCredentials)
	env.before(request.number(clientHTTPVersion), request.bytes(clientHost), request.number(clientPort), certificate)
	if len(certificate) > 0 {
		f.certificate = env.overTLS(credentials.bytes(credentialsCertificate))
	}
	if len(credentials) > 0 {
		// The server asks for a certificate as well.
		env.set("BACKEND_CERT_FILE", env.file(credentials.bytes(credentialsCertificate)))
		env.set("BACKEND_KEY_FILE", env.file(credentials.bytes(credentialsKey)))
	}
	f.program, err = env.start()
	return f, err
}

// environment is a program's.
type environment struct {
	variables []string
	err       error // of a file
}

func (e *environment) set(name, value string) {
	e.variables = append(e.variables, name+"="+value)
}

// file returns the name of a new one with that content.
func (e *environment) file(content []byte) string {
	f, err := os.CreateTemp(os.Getenv(directoryVariable), "*.pem")
	if err != nil {
		e.err = err
		return ""
	}
	_, err = f.Write(content)
	e.err = errors.Join(e.err, err, f.Close())
	return f.Name()
}

// before puts the program before a server, over TLS if that has a certificate.
func (e *environment) before(version uint64, host []byte, port uint64, certificate []byte) {
	scheme := "http"
	switch {
	case len(certificate) > 0:
		scheme = "https"
		e.set("BACKEND_CA_FILE", e.file(certificate))
	case version == 2:
		scheme = "h2c"
	}
	e.set("BACKENDS", fmt.Sprintf("%s://%s:%d", scheme, host, port))
}

// overTLS makes the program speak TLS, and only with holders of the clients'
// certificate if there is one. It returns the certificate that is shown to them.
func (e *environment) overTLS(clients []byte) []byte {
	certificate, err := os.ReadFile(os.Getenv(certificateVariable))
	e.err = errors.Join(e.err, err)
	e.set("TLS_CERT_FILE", os.Getenv(certificateVariable))
	e.set("TLS_KEY_FILE", os.Getenv(keyVariable))
	if len(clients) > 0 {
		e.set("TLS_CLIENT_CA_FILE", e.file(clients))
	}
	return certificate
}

func (e *environment) start() (*program, error) {
	if e.err != nil {
		return nil, e.err
	}
	return startProgram(e.variables...)
}
